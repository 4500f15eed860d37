package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/audit"
)

// Audit is all that the page of an audit says.
type Audit struct {
	Of      string // the repository or the folder
	Report  audit.Report
	Require []rule.ID // by the policy
	Drift   []audit.Drift
	Since   bool // an earlier audit was compared
	Time    time.Time
}

// HTML is the page: one file that loads nothing, runs nothing and can be kept.
func (a Audit) HTML() ([]byte, error) {
	return written("audit.html", func(s sheet) any { return auditPage{a, s} })
}

// auditPage is what the template shows.
type auditPage struct {
	Audit
	sheet
}

// Shares are how the repository stands to what others published.
func (p auditPage) Shares() []audit.Share { return p.Report.Shares() }

func (p auditPage) answers(v audit.Verdict) (all []audit.Answer) {
	for _, a := range p.Report.Answers {
		if a.Verdict == v {
			all = append(all, a)
		}
	}
	return all
}

// Broken are those that are required first.
func (p auditPage) Broken() []audit.Answer {
	all := p.answers(audit.Broken)
	slices.SortStableFunc(all, func(a, b audit.Answer) int {
		return strings.Compare(fmt.Sprint(!p.Required(a)), fmt.Sprint(!p.Required(b)))
	})
	return all
}

// Unseen could not be judged, but for those of which nothing is known at all.
func (p auditPage) Unseen() []audit.Answer {
	return slices.DeleteFunc(p.answers(audit.CannotSee), audit.Answer.Unasked)
}

// Unasked are the rules about what nobody asked GitHub.
func (p auditPage) Unasked() []audit.Answer {
	return slices.DeleteFunc(p.answers(audit.CannotSee), func(a audit.Answer) bool { return !a.Unasked() })
}

func (p auditPage) Waived() []audit.Answer    { return p.answers(audit.IsWaived) }
func (p auditPage) Questions() []audit.Answer { return p.answers(audit.Question) }
func (p auditPage) Holding() []audit.Answer   { return p.answers(audit.Holds) }
func (p auditPage) Others() []audit.Answer    { return p.answers(audit.DoesNotApply) }

// Required tells whether the policy wants the rule to hold.
func (p auditPage) Required(a audit.Answer) bool { return slices.Contains(p.Require, a.Rule.ID) }

// maxSpots is how many places of a rule the page shows.
const maxSpots = 50

// Spots are the places that are shown, and More is how many are not.
func (p auditPage) Spots(a audit.Answer) []audit.Spot { return a.Spots[:min(len(a.Spots), maxSpots)] }
func (p auditPage) More(a audit.Answer) int           { return len(a.Spots) - len(p.Spots(a)) }

// Verdict is the first row that holds.
func (p auditPage) Verdict() Verdict {
	required := func(a audit.Answer) bool { return !p.Required(a) }
	broken := len(slices.DeleteFunc(p.answers(audit.Broken), required))
	unseen := len(slices.DeleteFunc(p.answers(audit.CannotSee), required))
	said := say(p.Report.Summary())
	for _, row := range []struct {
		when bool
		Verdict
	}{
		{broken > 0, Verdict{refusedKind, "Refused", said.and(say(fmt.Sprintf("; the policy requires %d of the broken ones", broken)))}},
		{p.Report.Number(audit.Broken) > 0, Verdict{lookKind, "Look", said}},
		{unseen > 0, Verdict{partlyKind, "Undecided", said.and(say(fmt.Sprintf("; the policy requires %d of the unseen ones", unseen)))}},
		{p.Report.Number(audit.CannotSee) > 0, Verdict{partlyKind, "Nothing found", said}},
	} {
		if row.when {
			return row.Verdict
		}
	}
	return Verdict{clearKind, "Clear", said}
}

// Word is a verdict for a table; a practice that no rule answers has none.
func (p auditPage) Word(s audit.Standing) string {
	if s.Verdict == "" {
		return "no rule: " + s.None
	}
	return string(s.Verdict)
}
