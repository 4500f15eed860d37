package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// The rules of the terminal:
//
//   - One word for each outcome, at the start of a line: verified, refused,
//     staged, approved, waiting, published. No colour carries meaning.
//   - Names and values stand in two columns. A digest or URL is never broken:
//     one that is too long for its column stands below its name.
//   - A refusal ends with the next step to take.
//   - No capital and no full stop in a line that is not a sentence.
//   - Everything goes through line or field, which escape it.

// printer writes text for people.
type printer struct{ w io.Writer }

// line writes one line. Arguments are escaped.
func (p printer) line(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = plain(a)
		case error, fmt.Stringer:
			args[i] = plain(fmt.Sprint(a))
		}
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

const (
	indent = 2
	column = 13 // of values
	width  = 80
)

// field writes a name and its value, which goes on under itself where it is
// long. A value that begins with a word too long for its column, as a digest
// is, gets lines of its own; another such word begins further left.
func (p printer) field(name, value string) {
	at, room := column, width-column
	lines := wrap(plain(value), room)
	if utf8.RuneCountInString(lines[0]) > room {
		fmt.Fprintf(p.w, "%*s%s\n", indent, "", name)
		at = 2 * indent
		lines = wrap(plain(value), width-at)
	} else {
		fmt.Fprintf(p.w, "%*s%-*s%s\n", indent, "", column-indent, name, lines[0])
		lines = lines[1:]
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > width-at {
			at = 2 * indent
		}
		fmt.Fprintf(p.w, "%*s%s\n", at, "", line)
	}
}

// outcome writes a word and what it is said of, which goes on under itself where it
// is long.
func (p printer) outcome(word, text string) {
	const at = column - indent
	for _, line := range wrap(plain(text), width-at) {
		fmt.Fprintf(p.w, "%-*s%s\n", at, word, line)
		word = ""
	}
}

// sentence writes prose, which goes on a little to the right where it is long.
func (p printer) sentence(text string) {
	for i, line := range wrap(plain(text), width-indent) {
		fmt.Fprintf(p.w, "%*s%s\n", min(i, 1)*indent, "", line)
	}
}

// wrap breaks text at blanks into lines of at most n runes. A word that is
// longer keeps a line to itself, so that digests and URLs stay whole.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// refusals writes each refusal whole, grouped by file.
func (p printer) refusals(refused rule.Refusals) {
	file := ""
	for _, r := range refused {
		if r.File != file {
			file = r.File
			p.line("refused    %s", r.File)
		}
		p.field("rule", string(r.Rule))
		p.field("wanted", r.Want)
		p.field("got", r.Got)
		p.field("next", r.Hint)
	}
}

// failure says why a verb ended without success.
func (p printer) failure(err error) {
	var refused rule.Refusals
	var waiting approval.Waiting
	var wrong usageError
	switch {
	case err == nil || errors.As(err, new(shown)):
		return
	case errors.As(err, &refused):
		if errors.As(err, &wrong) {
			p.line("the policy is malformed; nothing was judged")
		}
		p.refusals(refused)
	case errors.As(err, &waiting):
		p.waiting(waiting)
	case errors.As(err, &wrong):
		p.sentence("distgate: " + err.Error())
	default:
		p.sentence("distgate: could not decide: " + err.Error())
	}
}

func (p printer) waiting(w approval.Waiting) {
	p.line("waiting    for votes: %d of %d people approved", w.Have, w.Need)
	p.field("release", w.Release.String())
	p.ballots(w.Ballots, false)
	if w.Former {
		p.field("by", formerPeople)
	}
	p.field("may vote", strings.Join(w.May, ", "))
	p.beside(w.Before)
	for _, id := range w.Seen {
		p.field("look at", string(id)+": "+id.Why())
	}
	p.voteHere(w)
	p.refusals(w.Refused)
}

// formerPeople says whose votes are missing where a policy changes who decides.
const formerPeople = "the people of the policy before this one, which it changes"

// beside says from the beginning whose votes are wanted too, where a policy changes who
// decides: those who leave vote for that as those who come.
func (p printer) beside(before *approval.Waiting) {
	if before == nil {
		return
	}
	p.field("and too", fmt.Sprintf("%s: %d of %d approved; may vote: %s", formerPeople, before.Have, before.Need,
		orNothing(strings.Join(before.May, ", "))))
}

// ballots are who approved and, of what is not out yet, for how long that holds.
func (p printer) ballots(ballots []approval.Ballot, out bool) {
	for _, b := range ballots {
		until := ", until " + utc(b.Expires)
		if out {
			until = ""
		}
		p.field("approved", b.By+until)
		if b.Reason != "" {
			p.field("reason", b.Reason)
		}
	}
}

// shown marks an error whose text is part of the result already.
type shown struct{ error }

func (s shown) Unwrap() error { return s.error }

// emit writes v as JSON for programs.
func emit(w io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(ascii(raw), '\n'))
	return err
}

// short is the beginning of a digest, as commands take it: a line with all of it
// would not fit into 80 columns.
func short(d dist.Digest) string { return d.Hex()[:12] }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// bytesText is a size in the unit that people read.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// plural is "1 file", "2 files".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// flags that several verbs share.
type shared struct {
	policy, store string
	repository    string // the release repository, where the policy is read from GitHub
	json          bool
}

const (
	defaultPolicy = "distgate.toml"
	defaultStore  = "distgate-store"
)

func (f *shared) bind(c *cobra.Command) {
	f.bindPolicy(c)
	c.Flags().StringVar(&f.store, "store", defaultStore, "the store's `DIR`; of the files alone, where the policy names a registry")
}

// bindPolicy binds the flags of a verb that takes no store.
func (f *shared) bindPolicy(c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "", "the policy `FILE` (default "+defaultPolicy+", but in a job the release repository's)")
	c.Flags().StringVar(&f.repository, "repository", "", "read the policy from the default branch of this release repository, as `OWNER/NAME`")
	c.Flags().BoolVar(&f.json, "json", false, "print the facts as JSON")
}

// again is what a next command must repeat of the flags to mean the same.
func (f shared) again() (flags string) {
	if f.policy != "" {
		flags += " --policy " + f.policy
	}
	if f.repository != "" {
		flags += " --repository " + f.repository
	}
	if f.store != defaultStore {
		flags += " --store " + f.store
	}
	return flags
}
