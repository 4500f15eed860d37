package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/rule"
)

// Demand is which rules must hold.
type Demand struct {
	Require []rule.ID
	Waivers []Waiver
}

// Waiver lets a place of a rule be, for some time.
type Waiver struct {
	Rule   rule.ID `json:"rule"`
	Where  string  `json:"where,omitempty"`  // a file, a setting or what was found, as the report has it; "" is every place
	Commit string  `json:"commit,omitempty"` // that the tag of a called workflow is at: see [Demand.Tags]
	Reason string  `json:"reason"`
	Until  Day     `json:"until"` // the last day that it holds
}

// Day is a day of the calendar, in UTC.
type Day struct{ Year, Month, Date int }

// ParseDay reads a day as 2027-01-31.
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Day{}, fmt.Errorf("want a day as 2027-01-31, got %.40q", text)
	}
	return Day{t.Year(), int(t.Month()), t.Day()}, nil
}

func (d Day) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Date) }

// MarshalText writes the day as it is read.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day.
func (d *Day) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDay(string(text))
	return err
}

// ended tells whether the day is over.
func (d Day) ended(now time.Time) bool { return !now.Before(d.end()) }

// end is the first moment after the day.
func (d Day) end() time.Time {
	return time.Date(d.Year, time.Month(d.Month), d.Date+1, 0, 0, 0, 0, time.UTC)
}

// Waived is a place that a waiver lets be.
type Waived struct {
	Spot
	Commit string `json:"commit,omitempty"` // that the tag is at
	Reason string `json:"reason"`
	Until  Day    `json:"until"`
}

// Found is what was found there, and which commit it is.
func (w Waived) Found() string {
	if w.Commit == "" {
		return w.Got
	}
	return w.Got + ", which is " + w.Commit
}

// MostImportant are the rules that break the gate where they do not hold, and
// that every workflow can keep. A policy starts with them.
func MostImportant() []rule.ID {
	return []rule.ID{attestBesideCode.ID, publishDoesMore.ID, trustedPublishing.ID, publishEnvironment.ID,
		idTokenElsewhere.ID, pastTheGate.ID, dangerousTriggers.ID, templateInjection.ID, unpinnedUses.ID, releaseCaches.ID}
}

// Check refuses a demand that cannot be meant: a rule that is not known or that
// only a person can answer, a waiver without a reason.
func (d Demand) Check() error {
	var no rule.Refusals
	for _, id := range d.Require {
		if r, ok := Lookup(id); !ok || r.judge == nil {
			no = append(no, rule.Refusal{File: "audit.require", Rule: rule.PolicyValue, Want: "rules of the audit that a machine can answer",
				Got: string(id), Hint: "distgate audit lists them all"})
		}
	}
	for _, w := range d.Waivers {
		if w.Commit != "" && !w.tagged() {
			no = append(no, rule.Refusal{File: "audit.waive", Rule: rule.PolicyValue,
				Want: "with a commit: the rule unpinned-uses, and where OWNER/NAME/.github/workflows/FILE@TAG is called",
				Got:  fmt.Sprintf("%s, %q, %.60q", w.Rule, w.Where, w.Commit), Hint: "write the 40 digits of the commit that the tag is at"})
		}
		if r, ok := Lookup(w.Rule); !ok || r.judge == nil || strings.TrimSpace(w.Reason) == "" || w.Until == (Day{}) {
			no = append(no, rule.Refusal{File: "audit.waive", Rule: rule.PolicyValue, Want: "a rule of the audit, a reason and the last day",
				Got: fmt.Sprintf("%s, %q, %s", w.Rule, w.Reason, w.Until), Hint: "say why it may be, and until when"})
		}
	}
	return no.Err()
}

// tagged tells whether the waiver says at which commit the tag of a called workflow is.
func (w Waiver) tagged() bool {
	m := remote.FindStringSubmatch(w.Where)
	return w.Rule == unpinnedUses.ID && m != nil && !commitForm.MatchString(m[3]) && commitForm.MatchString(w.Commit)
}

// Tags are the commits at which workflows may be called by tag until their waivers end,
// by how they are called. They are taken unread, as an action is, while the tag is there.
func (d Demand) Tags(now time.Time) map[string]string {
	tags := map[string]string{}
	for _, w := range d.Waivers {
		if w.tagged() && !w.Until.ended(now) {
			tags[w.Where] = w.Commit
		}
	}
	return tags
}

// Waive takes the places that waivers let be out of what is broken. A waiver
// that has ended lets nothing be.
func (r Report) Waive(waivers []Waiver, now time.Time) Report {
	waived := Report{Answers: slices.Clone(r.Answers)}
	for i := range waived.Answers {
		waived.Answers[i].waive(waivers, now)
	}
	return waived
}

func (a *Answer) waive(waivers []Waiver, now time.Time) {
	left := []Spot{}
	for _, s := range a.Spots {
		fits := func(w Waiver) bool {
			return w.Rule == a.Rule.ID && (w.Where == "" || w.Where == s.File || w.Where == s.Setting || w.Where == s.Got) && !w.Until.ended(now)
		}
		if j := slices.IndexFunc(waivers, fits); j >= 0 {
			a.Waived = append(a.Waived, Waived{s, waivers[j].Commit, waivers[j].Reason, waivers[j].Until})
			continue
		}
		left = append(left, s)
	}
	if a.Spots = left; a.Verdict == Broken {
		a.Verdict = judgement{spots: left, gaps: a.Gaps, applies: true}.verdict()
		if a.Verdict == Holds {
			a.Verdict = IsWaived
		}
	}
}

// Check demands that every rule holds that is required, or does not apply, or is
// waived. What is broken is refused, all of it at once; what could not be seen
// is an error of another kind, whatever else holds.
func (r Report) Check(d Demand) error {
	if len(d.Require) == 0 {
		return rule.Refusals{{File: "audit.require", Rule: rule.PolicyValue, Want: "rules that must hold", Got: "none", Hint: "name some"}}
	}
	var no rule.Refusals
	var open undecided
	for _, id := range d.Require {
		i := slices.IndexFunc(r.Answers, func(a Answer) bool { return a.Rule.ID == id })
		if i < 0 {
			open.add(id, "it was not asked")
			continue
		}
		switch a := r.Answers[i]; a.Verdict {
		case Holds, DoesNotApply, IsWaived:
		case Broken:
			no = append(no, a.refusals()...)
		default:
			open.add(id, a.Unseen())
		}
	}
	if len(no) > 0 {
		return no
	}
	return open.err()
}

// undecided are rules that could not be judged, by why.
type undecided struct {
	whys  []string // in the order in which they came
	rules map[string][]string
}

func (u *undecided) add(id rule.ID, why string) {
	if u.rules == nil {
		u.rules = map[string][]string{}
	}
	if u.rules[why] == nil {
		u.whys = append(u.whys, why)
	}
	u.rules[why] = append(u.rules[why], string(id))
}

func (u undecided) err() error {
	var parts []string
	for _, why := range u.whys {
		parts = append(parts, strings.Join(u.rules[why], ", ")+" ("+why+")")
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("rules that are required could not be judged: %s", strings.Join(parts, "; "))
}

// refusals are one for each place where the rule is broken.
func (a Answer) refusals() (no rule.Refusals) {
	spots := a.Spots
	if len(spots) == 0 {
		spots = []Spot{{Setting: "audit", Got: string(a.Verdict)}}
	}
	for _, s := range spots {
		no = append(no, rule.Refusal{File: s.Place(), Rule: a.Rule.ID, Want: a.Rule.Title, Got: s.Got, Hint: a.Rule.Fix})
	}
	return no
}

// Unasked tells whether nothing is known for the rule but that GitHub was not
// asked.
func (a Answer) Unasked() bool {
	other := func(g Gap) bool { return g.Needs != AskGitHub }
	return a.Verdict == CannotSee && !slices.ContainsFunc(a.Gaps, other)
}

// Unseen is the first thing that could not be seen, in words.
func (a Answer) Unseen() string {
	if len(a.Gaps) == 0 {
		return ""
	}
	return a.Gaps[0].Text()
}

// Place is where the spot is, as "path:line".
func (s Spot) Place() string {
	switch {
	case s.File == "":
		return s.Setting
	case s.Line == 0:
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Text is the gap in words.
func (g Gap) Text() string {
	text := g.What
	if g.File != "" && g.Line > 0 {
		text = fmt.Sprintf("%s:%d: %s", g.File, g.Line, text)
	} else if g.File != "" {
		text = g.File + ": " + text
	}
	if g.Needs != "" {
		text += "; it takes " + g.Needs
	}
	return text
}
