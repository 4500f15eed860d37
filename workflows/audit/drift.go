package audit

import (
	"fmt"
	"slices"

	"github.com/distgate/distgate/staging/rule"
)

// Drift is how the answer of a rule changed since an earlier audit.
type Drift struct {
	Rule rule.ID `json:"rule"`
	Was  Verdict `json:"was"` // "" where the rule was not asked then
	Is   Verdict `json:"is"`
	New  []Spot  `json:"new,omitempty"` // places that are broken, and were not
}

// Worse tells whether a rule is broken, or cannot be seen, that held before.
func (d Drift) Worse() bool {
	return len(d.New) > 0 || slices.Index(worst, d.Is) < slices.Index(worst, d.Was)
}

// Text is the change in words.
func (d Drift) Text() string {
	was := string(d.Was)
	if was == "" {
		was = "not asked"
	}
	text := fmt.Sprintf("%s: %s before, %s now", d.Rule, was, d.Is)
	for i, s := range d.New {
		if i == 3 {
			return text + fmt.Sprintf(", and %d places more", len(d.New)-i)
		}
		text += "; new: " + s.Place() + " " + s.Got
	}
	return text
}

// Since is what changed since an earlier audit, what is worse first. A place
// that only moved to another line is the same.
func (r Report) Since(before Report) (changes []Drift) {
	was := map[rule.ID]Answer{}
	for _, a := range before.Answers {
		was[a.Rule.ID] = a
	}
	changes = []Drift{}
	for _, a := range r.Answers {
		d := Drift{Rule: a.Rule.ID, Was: was[a.Rule.ID].Verdict, Is: a.Verdict, New: news(a.Spots, was[a.Rule.ID].Spots)}
		if d.Was != d.Is || len(d.New) > 0 {
			changes = append(changes, d)
		}
	}
	slices.SortStableFunc(changes, func(a, b Drift) int {
		switch {
		case a.Worse() == b.Worse():
			return 0
		case a.Worse():
			return -1
		}
		return 1
	})
	return changes
}

// news are the places that were not there before, each as often as it is.
func news(now, before []Spot) (added []Spot) {
	left := slices.Clone(before)
	for _, s := range now {
		same := func(b Spot) bool {
			return b.File == s.File && b.Setting == s.Setting && b.Job == s.Job && b.Got == s.Got
		}
		if i := slices.IndexFunc(left, same); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		added = append(added, s)
	}
	return added
}
