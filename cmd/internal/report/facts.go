package report

import (
	"cmp"
	"slices"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

// Findings are what a look into the files found. The zero value is nobody's
// look, and no good sign.
type Findings struct {
	Done bool
	Gaps []approval.Gap
	List []rule.Finding
}

// Match is how far the files are explained by the source commit.
type Match struct {
	Done        bool
	Gaps        []approval.Gap
	Files       []Matched
	Unexplained []Member // that nothing in the source explains
}

// Matched counts the members of one distribution by what explains them.
type Matched struct {
	File                                         string
	Members, Identical, Known, Generated, Native int
}

// Member is a file in a distribution.
type Member struct{ File, Path string }

// found are the findings in the files and in what changed.
func (f Facts) found() Findings {
	all := Findings{Done: f.Findings.Done, Gaps: f.Findings.Gaps, List: slices.Clone(f.Findings.List)}
	if f.Changes != nil {
		all.List = append(all.List, f.Changes.Findings...)
	}
	return all
}

// group is what one rule found, the same thing in however many files.
type group struct {
	Rule     rule.ID
	Severity rule.Severity
	Things   []thing
	More     int // things that are not shown
}

// thing is one finding and the files that it is in.
type thing struct {
	Where, What string
	Files       []string // none for the release as a whole
}

// maxThings is how many things a rule shows.
const maxThings = 50

// groups sorts findings by severity and rule.
func (f Findings) groups() (groups []group) {
	list := slices.Clone(f.List)
	slices.SortStableFunc(list, func(a, b rule.Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Where, b.Where), cmp.Compare(a.What, b.What), cmp.Compare(a.File, b.File))
	})
	for _, one := range list {
		if n := len(groups); n == 0 || groups[n-1].Rule != one.Rule || groups[n-1].Severity != one.Severity {
			groups = append(groups, group{Rule: one.Rule, Severity: one.Severity})
		}
		groups[len(groups)-1].add(one)
	}
	return groups
}

func (g *group) add(one rule.Finding) {
	n := len(g.Things)
	if n == 0 || g.Things[n-1].Where != one.Where || g.Things[n-1].What != one.What {
		if n == maxThings {
			g.More++ // in however many files: they come one by one
			return
		}
		g.Things, n = append(g.Things, thing{Where: one.Where, What: one.What}), n+1
	}
	if last := &g.Things[n-1]; one.File != "" {
		last.Files = append(last.Files, one.File)
	}
}

// rank orders severities; one that is not known is as bad as the worst.
func rank(s rule.Severity) int {
	return max(0, slices.Index([]rule.Severity{rule.Refuse, rule.Look, rule.Remark}, s))
}

// number counts the different things that were found of a severity, in however
// many files they are.
func (f Findings) number(s rule.Severity) (n int) {
	for _, g := range f.groups() {
		if rank(g.Severity) == rank(s) {
			n += len(g.Things) + g.More
		}
	}
	return n
}
