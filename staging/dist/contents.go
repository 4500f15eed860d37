package dist

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/distgate/distgate/staging/rule"
)

// Contents is what a person should know of the inside of a distribution that
// was not refused. It is plain data, the same for the same bytes; text in it is
// as it stood there, and is escaped where it is shown. Its lists are bounded, and
// what is beyond the bound is counted by a finding.
type Contents struct {
	Members     int            `json:"members"`     // files, folders and links
	Unpacked    int64          `json:"unpacked"`    // bytes of all files
	Findings    []rule.Finding `json:"findings"`    // looks, then notes; each by rule and place
	EntryPoints []EntryPoint   `json:"entryPoints"` // in the order of the file
	Startup     []string       `json:"startup"`     // paths of what runs when Python starts
	Native      []Library      `json:"native"`      // machine code, in the order of the file
	SBOMs       []SBOM         `json:"sboms"`       // of a wheel's .dist-info/sboms (PEP 770)
}

// EntryPoint is one line of entry_points.txt.
type EntryPoint struct {
	Group  string `json:"group"`  // "console_scripts" makes a command
	Name   string `json:"name"`   //
	Object string `json:"object"` // "widget:main"
}

// IsZero tells that nobody looked inside.
func (c Contents) IsZero() bool { return c.Members == 0 }

// row is one rule. A new rule is a new row of a table.
type row[T any] struct {
	id       rule.ID
	severity rule.Severity
	want     string         // what is wanted instead; of refusals alone
	what     func(T) string // what there is to say of the subject by this rule, or nothing
}

// How often one rule is reported for one file, one by one. The others are counted.
const (
	maxFindings = 20
	maxRefusals = 5
)

// report gathers what the rules say of one distribution.
type report struct {
	file     string
	refused  rule.Refusals
	findings []rule.Finding
	counts   map[kind]int
}

// kind is what findings have in common that are counted together.
type kind struct {
	rule     rule.ID
	severity rule.Severity
}

func newReport(file string) *report { return &report{file: file, counts: map[kind]int{}} }

// judge holds a subject, which lies at where in the distribution, against a table.
func judge[T any](r *report, rows []row[T], subject T, where string) {
	for _, row := range rows {
		if what := row.what(subject); what != "" {
			r.add(row.id, row.severity, where, what, row.want)
		}
	}
}

// add reports what is at where. What is wanted instead only refusals say.
func (r *report) add(id rule.ID, severity rule.Severity, where, what, want string) {
	r.counts[kind{id, severity}]++
	n := r.counts[kind{id, severity}]
	f := rule.Finding{Rule: id, Severity: severity, File: r.file, Where: clip(where), What: clip(what)}
	switch {
	case severity == rule.Refuse && n <= maxRefusals:
		r.refused = append(r.refused, refusal(f, want))
	case severity != rule.Refuse && n <= maxFindings:
		r.findings = append(r.findings, f)
	}
}

// refuse reports what a distribution is refused for.
func (r *report) refuse(id rule.ID, where, want, got string) {
	r.add(id, rule.Refuse, where, got, want)
}

func refusal(f rule.Finding, want string) rule.Refusal {
	got := f.What
	if f.Where != "" {
		got += " in " + f.Where
	}
	return rule.Refusal{File: clip(f.File), Rule: f.Rule, Want: want, Got: got, Hint: rebuild}
}

// all are the refusals, with a last one for each rule that was broken more often
// than is listed.
func (r *report) all() rule.Refusals {
	no := slices.Clone(r.refused)
	for _, f := range r.beyond(rule.Refuse, maxRefusals) {
		no = append(no, refusal(f, "none like these"))
	}
	return no
}

// beyond counts what is not listed.
func (r *report) beyond(severity rule.Severity, listed int) (more []rule.Finding) {
	for k, n := range r.counts {
		if k.severity == severity && n > listed {
			more = append(more, rule.Finding{Rule: k.rule, Severity: severity, File: r.file,
				What: fmt.Sprintf("%d more like these", n-listed)})
		}
	}
	slices.SortFunc(more, func(a, b rule.Finding) int { return cmp.Compare(a.Rule, b.Rule) })
	return more
}

// sorted are the findings, looks first, likewise.
func (r *report) sorted() []rule.Finding {
	all := slices.Concat([]rule.Finding{}, r.findings,
		r.beyond(rule.Look, maxFindings), r.beyond(rule.Remark, maxFindings))
	rank := map[rule.Severity]int{rule.Look: 1, rule.Remark: 2}
	slices.SortStableFunc(all, func(a, b rule.Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}
