package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

// findings are what was found in the files, and what was not looked at.
type findings struct {
	Done bool // at least one file was looked into
	Gaps []approval.Gap
	List []rule.Finding
}

// matched tells whether the files were compared with their source.
func (f Facts) matched() bool { return f.Match != nil && len(f.Match.Files) > 0 }

// found are the findings in the files, of what they are together, in what nothing
// explains, in what changed and in a second build.
func (f Facts) found() (all findings) {
	for _, file := range f.Review.Files {
		if file.Contents.IsZero() {
			all.Gaps = append(all.Gaps, approval.Gap{What: "what is in " + file.Name, Why: "nobody looked into it"})
			continue
		}
		all.Done = true
	}
	all.List = f.Review.Findings()
	if f.Match != nil {
		all.List = slices.Concat(all.List, f.Match.Findings)
	}
	if f.Changes != nil {
		all.List = slices.Concat(all.List, f.Changes.Findings)
	}
	if f.Rebuild != nil {
		all.List = slices.Concat(all.List, f.Rebuild.Findings)
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
func (f findings) groups() (groups []group) {
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

// Lines are the findings, those first that a person has to see, each under its
// severity, for a terminal.
func (f Facts) Lines() (lines []Line) {
	found := f.found()
	for _, g := range found.groups() {
		for _, t := range g.Things {
			text := say("%s: ", string(g.Rule))
			if t.Where != "" {
				text = text.and(say("%s: ", t.Where))
			}
			text = text.and(quote(t.What))
			switch len(t.Files) {
			case 0:
			case 1:
				text = text.and(say(" (in %s)", t.Files[0]))
			default:
				text = text.and(say(" (in " + count(len(t.Files), "file") + ")"))
			}
			lines = append(lines, Line{string(g.Severity), text})
		}
		if g.More > 0 {
			lines = append(lines, Line{string(g.Severity), say(fmt.Sprintf("%%s: and %d more", g.More), string(g.Rule))})
		}
	}
	return lines
}

// rank orders severities; one that is not known is as bad as the worst.
func rank(s rule.Severity) int {
	return max(0, slices.Index([]rule.Severity{rule.Refuse, rule.Look, rule.Remark}, s))
}

// number counts the different things that were found of a severity, in however
// many files they are.
func (f findings) number(s rule.Severity) (n int) {
	for _, g := range f.groups() {
		if rank(g.Severity) == rank(s) {
			n += len(g.Things) + g.More
		}
	}
	return n
}
