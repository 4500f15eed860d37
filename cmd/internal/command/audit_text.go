package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/distgate/distgate/cmd/internal/report"
	"github.com/distgate/distgate/workflows/audit"
)

var auditFormats = []string{"text", "markdown", "json", "sarif", "html"}

func (a audited) show(s Streams, format string) error {
	switch format {
	case "json":
		return emit(s.Out, a)
	case "sarif":
		return emit(s.Out, a.sarif())
	case "html":
		page, err := report.Audit{Of: a.Of, Report: a.Report, Require: a.demand.Require, Drift: a.Drift, Since: a.compared, Time: s.Now()}.HTML()
		if err == nil {
			_, err = s.Out.Write(page)
		}
		return err
	case "markdown":
		_, err := io.WriteString(s.Out, a.markdown())
		return err
	}
	printer{s.Out}.audited(a)
	return nil
}

// maxBaseline bounds the file of an earlier audit.
const maxBaseline = 16 << 20

// compare reads an earlier audit, and finds out what changed since.
func (a *audited) compare(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBaseline+1))
	if err != nil {
		return err
	}
	var before audited
	if err := json.Unmarshal(raw, &before); err != nil || len(before.Report.Answers) == 0 || len(raw) > maxBaseline {
		return errors.Join(usagef(file+" is no audit of --format json"), err)
	}
	if before.Of != a.Of {
		return usagef(file + " is an audit of " + before.Of + ", and not of " + a.Of)
	}
	a.compared, a.Drift = true, a.Report.Since(before.Report)
	return nil
}

// verdicts are in the order in which they are shown.
var verdicts = []audit.Verdict{audit.Broken, audit.CannotSee, audit.IsWaived, audit.Question, audit.DoesNotApply, audit.Holds}

// audited writes what is wrong first, with all that there is to know of it, and
// what is in order last, in a line each.
func (p printer) audited(a audited) {
	p.hanging("audited", a.Of+": "+a.Report.Summary())
	for _, share := range a.Practices {
		p.field("practices", fmt.Sprintf("%d of %d hold: %s", share.Hold, share.Of, share.Source))
	}
	if a.compared {
		p.line("changed    %s since the baseline", plural(len(a.Drift), "rule"))
		for _, d := range a.Drift {
			word := "better"
			if d.Worse() {
				word = "worse"
			}
			p.field(word, d.Text())
		}
	}
	var unasked []string
	for _, verdict := range verdicts {
		for _, answer := range a.Report.Answers {
			switch {
			case answer.Verdict != verdict:
			case answer.Unasked():
				unasked = append(unasked, string(answer.Rule.ID))
			default:
				p.answer(answer, slices.Contains(a.demand.Require, answer.Rule.ID))
			}
		}
	}
	if len(unasked) > 0 {
		p.line("not seen   %s, since GitHub was not asked", plural(len(unasked), "rule"))
		p.field("rules", strings.Join(unasked, ", "))
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
	ask := "wanted"
	if a.Verdict == audit.Question {
		ask = "is it so?"
	}
	p.field(ask, want)
	for i, spot := range a.Spots {
		if i == maxPlaces {
			p.field("at", fmt.Sprintf("%d places more; --format json has all", len(a.Spots)-i))
			break
		}
		p.field("at", spot.Place()+": "+spot.Got)
	}
	for i, gap := range a.Gaps {
		if i == maxPlaces {
			p.field("unseen", fmt.Sprintf("%d things more; --format json has all", len(a.Gaps)-i))
			break
		}
		p.field("unseen", gap.Text())
	}
	for _, w := range a.Waived {
		p.field("waived", fmt.Sprintf("%s: %s, until %s: %s", w.Place(), w.Found(), w.Until, w.Reason))
	}
	if a.Verdict == audit.Broken {
		p.field("next", a.Rule.Fix)
	}
}

// markdown is the audit for a page on GitHub: the practices, and what is broken.
func (a audited) markdown() string {
	var out strings.Builder
	cell := func(s string) string { return report.Cell(s) }
	fmt.Fprintf(&out, "## Audit of %s\n\n%s.\n\n", cell(a.Of), a.Report.Summary())
	out.WriteString("| | rule | place | found | what to do |\n|---|---|---|---|---|\n")
	for _, verdict := range []audit.Verdict{audit.Broken, audit.CannotSee, audit.IsWaived} {
		for _, answer := range a.Report.Answers {
			if answer.Verdict != verdict {
				continue
			}
			for _, s := range answer.Spots[:min(len(answer.Spots), maxPlaces)] {
				fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", verdict, answer.Rule.ID, cell(s.Place()), cell(s.Got), cell(answer.Rule.Fix))
			}
			for _, g := range answer.Gaps[:min(len(answer.Gaps), maxPlaces)] {
				fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", audit.CannotSee, answer.Rule.ID, cell(g.File), cell(g.What), cell(g.Needs))
			}
		}
	}
	for _, share := range a.Practices {
		fmt.Fprintf(&out, "\n### %s: %d of %d hold\n\n| | practice | |\n|---|---|---|\n", cell(share.Source), share.Hold, share.Of)
		for _, st := range share.Standings {
			word := string(st.Verdict)
			if word == "" {
				word = st.None
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", st.ID, cell(st.Title), cell(word))
		}
	}
	return out.String()
}
