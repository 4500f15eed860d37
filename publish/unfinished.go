package publish

import (
	"errors"
	"fmt"
	"slices"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// Unfinished is the error of a job that ended before the index was seen to serve
// the whole release: what stands there, as far as the job knows, and why it ended.
// What stands there is whole files that were approved; running publish again goes
// on with the others.
type Unfinished struct {
	Index   string   `json:"index"`
	Up      []string `json:"up"`      // names of the files that the index took
	Missing []string `json:"missing"` // of those that it has not
	Doubt   []string `json:"doubt"`   // of those that were sent, of which it does not say whether it has them
	Known   bool     `json:"known"`   // whether the index said so; if not, it was not asked, or gave no answer
	why     error
}

// Unasked is how a job ended before it could ask the index anything.
func (w Witness) Unasked(s staging.Staged, why error) Unfinished {
	return newUnfinished(w.Index.Name(), s).because(why)
}

// newUnfinished is where a release stands before the index was asked.
func newUnfinished(index string, s staging.Staged) Unfinished {
	u := Unfinished{Index: index, Up: []string{}, Missing: []string{}, Doubt: []string{}}
	for _, f := range s.Files() {
		u.Missing = append(u.Missing, f.File().Name())
	}
	return u
}

// found notes what the index has.
func (u *Unfinished) found(there map[string]served) {
	u.Known = true
	for _, name := range slices.Clone(u.Missing) {
		if _, ok := there[name]; ok {
			u.took(name)
		}
	}
}

// took notes that the index took a file.
func (u *Unfinished) took(name string) {
	if i := slices.Index(u.Missing, name); i >= 0 {
		u.Missing = slices.Delete(u.Missing, i, i+1)
		u.Up = append(u.Up, name)
	}
}

// ended notes how the upload of a file failed.
func (u *Unfinished) ended(name string, err error) {
	i := slices.Index(u.Missing, name)
	if i >= 0 && errors.As(err, new(doubtful)) {
		u.Missing = slices.Delete(u.Missing, i, i+1)
		u.Doubt = append(u.Doubt, name)
	}
}

// doubtful is why nobody knows what became of an upload.
type doubtful struct{ error }

func (d doubtful) Unwrap() error { return d.error }

// because ends it. What the index said it took and does not list is in doubt.
func (u Unfinished) because(why error) Unfinished {
	u.why = why
	var no rule.Refusals
	errors.As(why, &no)
	for _, r := range no {
		if i := slices.Index(u.Up, r.File); i >= 0 && r.Rule == rule.ServedMissing {
			u.Up = slices.Delete(u.Up, i, i+1)
			u.Doubt = append(u.Doubt, r.File)
		}
	}
	return u
}

func (u Unfinished) Error() string {
	if !u.Known {
		return u.why.Error()
	}
	return fmt.Sprintf("%s has %d of %d files: %v", u.Index, len(u.Up), len(u.Up)+len(u.Missing)+len(u.Doubt), u.why)
}

// Unwrap is why the job ended.
func (u Unfinished) Unwrap() error {
	if u.why == nil {
		return errors.New("publish: nothing was done")
	}
	return u.why
}
