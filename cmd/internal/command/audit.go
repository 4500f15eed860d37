package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/audit"
)

// auditing are the flags of an audit.
type auditing struct {
	policy   string
	checkout string
	format   string
	check    bool
}

func newAudit(s Streams) *cobra.Command {
	var f auditing
	c := &cobra.Command{
		Use:   "audit",
		Short: "Say whether a repository is locked down enough to release from it",
		Long: `Audit judges a repository rule by rule: where each is broken, what could not be
seen and which permission would show it, what only a person can answer, and what
to do. It ends with 0 whatever it finds, unless --check is given: then the rules
in the policy's [audit] require must hold.

    distgate audit --checkout .
    distgate audit --checkout . --check

With --checkout the workflow files of a folder are judged, and GitHub is not
asked: its settings cannot be seen.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runAudit(c.Context(), s, f) },
	}
	c.Flags().StringVar(&f.checkout, "checkout", "", "judge the workflow files of this `DIR`")
	c.Flags().StringVar(&f.policy, "policy", "", "the policy `FILE` (default "+defaultPolicy+" in the folder)")
	c.Flags().BoolVar(&f.check, "check", false, "end with 1 where a rule that the policy requires is broken, with 3 where it cannot be judged")
	c.Flags().StringVar(&f.format, "format", "text", "how to write it: "+strings.Join(auditFormats, ", "))
	return c
}

var auditFormats = []string{"text", "json"}

// audited is one audit as it is shown.
type audited struct {
	Of     string       `json:"of"` // the folder, or "owner/name"
	Report audit.Report `json:"report"`
	demand audit.Demand
}

func runAudit(ctx context.Context, s Streams, f auditing) error {
	if !slices.Contains(auditFormats, f.format) {
		return usagef("there is no format " + f.format + "; there are " + strings.Join(auditFormats, ", "))
	}
	if f.checkout == "" {
		return usagef("name a folder with --checkout")
	}
	a, err := f.ofCheckout(ctx, s)
	if err != nil {
		return err
	}
	if err := a.show(s, f.format); err != nil || !f.check {
		return err
	}
	return a.decide(s, f.format)
}

// decide says whether what is required holds. The text has said already what
// does not.
func (a audited) decide(s Streams, format string) error {
	err := a.Report.Check(a.demand)
	if err == nil || format != "text" {
		return err
	}
	var failed []string
	for _, answer := range a.Report.Answers {
		ok := slices.Contains([]audit.Verdict{audit.Holds, audit.DoesNotApply, audit.IsWaived}, answer.Verdict)
		if !ok && slices.Contains(a.demand.Require, answer.Rule.ID) {
			failed = append(failed, string(answer.Rule.ID))
		}
	}
	p, word := printer{s.Out}, "refused"
	if !errors.As(err, new(rule.Refusals)) {
		word = "undecided"
	}
	p.line("%-10s by %s that the policy requires", word, plural(len(failed), "rule"))
	p.field("rules", strings.Join(failed, ", "))
	return shown{err}
}

// ofCheckout audits the workflow files of a folder.
func (f auditing) ofCheckout(ctx context.Context, s Streams) (audited, error) {
	file, named := f.policy, f.policy != ""
	if !named {
		file = filepath.Join(f.checkout, defaultPolicy)
	}
	table, demand, err := auditPolicy(ctx, file, named)
	if err != nil {
		return audited{}, err
	}
	root, err := os.OpenRoot(f.checkout)
	if err != nil {
		return audited{}, err
	}
	defer root.Close()
	begin, err := workflowsIn(root, table)
	if err != nil {
		return audited{}, err
	}
	files, err := audit.Read(ctx, audit.Checkout(root), audit.Release{Workflows: begin})
	if err != nil {
		return audited{}, err
	}
	report := audit.Judge(audit.Facts{Files: files, Labels: table.labels()})
	return audited{Of: f.checkout, Report: report.Waive(demand.Waivers, s.Now()), demand: demand}, nil
}

// workflowsIn are those of the policy's workflows that the folder has: of the
// build, of publishing, or both. Where it has neither, both are missing.
func workflowsIn(root *os.Root, t policyFile) (begin []string, err error) {
	var named []string
	for _, at := range []string{t.Build.Workflow, t.Publish.Workflow} {
		if at == "" || slices.Contains(named, at) {
			continue
		}
		named = append(named, at)
		switch _, err := root.Stat(at); {
		case err == nil:
			begin = append(begin, at)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if begin == nil {
		begin = named
	}
	return begin, nil
}

// labels are those of runners that the policy lists.
func (t policyFile) labels() []string {
	all := slices.Clone(t.Build.Labels)
	for _, r := range t.Build.Runners {
		all = append(all, r.Labels...)
	}
	return all
}

func (a audited) show(s Streams, format string) error {
	if format == "json" {
		return emit(s.Out, a)
	}
	printer{s.Out}.audited(a)
	return nil
}

// verdicts are in the order in which they are shown.
var verdicts = []audit.Verdict{audit.Broken, audit.CannotSee, audit.IsWaived, audit.Question, audit.DoesNotApply, audit.Holds}

// audited writes what is wrong first, with all that there is to know of it, and
// what is in order last, in a line each.
func (p printer) audited(a audited) {
	number := map[audit.Verdict]int{}
	for _, answer := range a.Report.Answers {
		number[answer.Verdict]++
	}
	p.line("audited    %s: %s broken, %d cannot be seen, %d hold", a.Of, plural(number[audit.Broken], "rule"), number[audit.CannotSee],
		number[audit.Holds])
	for _, verdict := range verdicts {
		for _, answer := range a.Report.Answers {
			if answer.Verdict == verdict {
				p.answer(answer, slices.Contains(a.demand.Require, answer.Rule.ID))
			}
		}
	}
	p.line("distgate explain RULE tells why a rule is there, and what to do")
}

// maxPlaces is how many places of one rule the text shows.
const maxPlaces = 8

func (p printer) answer(a audit.Answer, required bool) {
	word := map[audit.Verdict]string{audit.CannotSee: "not seen", audit.DoesNotApply: "no matter"}[a.Verdict]
	if word == "" {
		word = string(a.Verdict)
	}
	p.line("%-10s %s", word, string(a.Rule.ID))
	if a.Verdict == audit.Holds || a.Verdict == audit.DoesNotApply {
		return
	}
	want := a.Rule.Title
	if required {
		want += " (required)"
	}
	if a.Verdict == audit.Question {
		p.field("is it so?", want)
		return
	}
	p.field("wanted", want)
	for i, spot := range a.Spots {
		if i == maxPlaces {
			p.field("at", fmt.Sprintf("%d more; --format json lists all", len(a.Spots)-i))
			break
		}
		p.field("at", spot.Place()+"  "+spot.Got)
	}
	for i, gap := range a.Gaps {
		if i == maxPlaces {
			break
		}
		p.field("unseen", gap.Text())
	}
	for _, w := range a.Waived {
		p.field("waived", fmt.Sprintf("%s  %s, until %s: %s", w.Place(), w.Got, w.Until, w.Reason))
	}
	if a.Verdict == audit.Broken {
		p.field("next", a.Rule.Fix)
	}
}
