package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/cmd/internal/report"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
)

// maxSummary is what GitHub takes as the summary of one step, in bytes.
const maxSummary = 1 << 20

// facts are all that a page says of the release, at this moment. Of a run that is
// not known (the zero value) the page says so.
func (r release) facts(ctx context.Context, s Streams, st standing, run approval.Run) (report.Facts, error) {
	review, err := approval.Show(r.staged, r.policy.approval)
	if err != nil {
		return report.Facts{}, policyFault(err)
	}
	shown, err := review.Digest()
	if err != nil {
		return report.Facts{}, err
	}
	before, err := r.relatives(ctx, s)
	if err != nil {
		return report.Facts{}, err
	}
	votes := report.Votes{State: st.State, Need: st.Need, By: st.By, Former: st.Former, Before: st.Before, Refused: st.Refused, Error: st.Error, Beware: before,
		Voters: r.policy.approval.Voters(run, s.Now()), Run: run.URL}
	if run.URL != "" && r.policy.approval.Counts(approval.Environment) {
		votes.Until = run.Since.Add(r.policy.approval.MaxAge)
	}
	return report.Facts{Review: review, Shown: shown, Upload: r.policy.address(r.index).Upload, Votes: votes, Time: s.Now()}, nil
}

// report gathers the facts, and writes the page, where one is asked for, and the
// job's summary.
func (r release) report(ctx context.Context, s Streams, html string, all reviewed) (report.Facts, error) {
	if html != "" && !strings.HasSuffix(html, ".html") {
		return report.Facts{}, usagef("--html takes the name of a file that ends in .html, got " + html)
	}
	st, err := r.standing(ctx, s)
	if err != nil {
		return report.Facts{}, err
	}
	facts, err := r.facts(ctx, s, st, r.reviewing(ctx, s))
	if err != nil {
		return facts, err
	}
	facts.Votes.Beware = append(facts.Votes.Beware, r.policy.vain(ctx, s)...)
	facts.Changes, facts.Match, facts.Rebuild, facts.Audit = &all.Changes, &all.Match, all.Rebuild, all.Audit
	if html != "" {
		if err := writeReport(html, facts); err != nil {
			return facts, err
		}
		printer{s.Err}.line("written    %s", html)
		facts.Links.Run = ownPage(s)
	}
	return facts, inActions(s).summarize(facts.Markdown)
}

// top is what stands at the top of every rendering: the verdict, and a line for
// each thing that a person asks first.
func (p printer) top(h report.Head) {
	p.sentence(h.Title + ": " + strings.ToLower(h.Verdict.Word) + ", " + h.Verdict.Text.String())
	for _, l := range h.Lines {
		p.field(strings.ToLower(l.Name), l.Text.String())
	}
	p.line("")
}

// inside says what was found in the files, grave things first.
func (p printer) inside(facts report.Facts) {
	facts.Changes, facts.Match, facts.Rebuild = nil, nil, nil // which have parts of their own
	p.line("\nwhat is inside")
	lines := facts.Lines()
	for _, l := range lines {
		p.field(l.Name, l.Text.String())
	}
	if len(lines) == 0 {
		p.field("nothing", "that a person has to see")
	}
}

// ownPage is the page of the run that this job is of.
func ownPage(s Streams) string {
	return s.Env("GITHUB_SERVER_URL") + "/" + s.Env("GITHUB_REPOSITORY") + "/actions/runs/" + s.Env("GITHUB_RUN_ID")
}

// reviewing is the run that this job is of, if it is one of the repository that
// publishes. It says who may vote, and decides nothing; a run that cannot be had
// is said to be unknown.
func (r release) reviewing(ctx context.Context, s Streams) approval.Run {
	publisher, err := r.policy.publisher(r.index)
	id, wrong := strconv.ParseInt(s.Env("GITHUB_RUN_ID"), 10, 64)
	if err != nil || wrong != nil || !strings.EqualFold(s.Env("GITHUB_REPOSITORY"), publisher.Repository) {
		return approval.Run{}
	}
	client, err := r.policy.github(s)
	if err != nil {
		return approval.Run{}
	}
	own, err := r.askRun(ctx, client, publisher, id)
	if err != nil {
		printer{s.Err}.hanging("warning", "who started this run is not known: "+err.Error())
		return approval.Run{}
	}
	return own.facts
}

// writeReport keeps the page as one file.
func writeReport(path string, facts report.Facts) error {
	page, err := facts.HTML()
	if err != nil {
		return err
	}
	return os.WriteFile(path, page, 0o644)
}

// summarize adds to the summary that GitHub shows on the run's page, as much as
// there is room for.
func (a actions) summarize(write func(limit int) []byte) error {
	if a.summary == "" {
		return nil
	}
	limit := int64(maxSummary)
	if there, err := os.Stat(a.summary); err == nil {
		limit -= there.Size()
	}
	text := write(int(max(0, limit)))
	if int64(len(text)) > limit {
		return fmt.Errorf("the summary of this step: want at most %d bytes, got %d", limit, len(text))
	}
	return appendFile(a.summary, text)
}

// summarizeRefusals says in the summary what was refused, and what to do.
func (a actions) summarizeRefusals(err error) error {
	var refused rule.Refusals
	if !errors.As(err, &refused) {
		return nil
	}
	return a.summarize(func(limit int) []byte { return report.Refusals(refused, limit) })
}

// outcome is what the job that publishes came to.
type outcome struct {
	run     approval.Run      // with what the index said before anything was uploaded
	audit   *approval.Audited // nil where the policy requires nothing of the repository
	receipt publish.Receipt   // zero where nothing was
	ballots []approval.Ballot
	refused rule.Refusals
}

// tell writes the summary of the job that publishes: what is waited for, or what was
// uploaded.
func (r release) tell(ctx context.Context, s Streams, o outcome, err error) error {
	if inActions(s).summary == "" || err != nil && !errors.As(err, new(approval.Waiting)) {
		return nil
	}
	st, err := r.stands(len(o.receipt.Files) > 0, o.ballots, o.refused, err)
	if err != nil {
		return err
	}
	facts, err := r.facts(ctx, s, st, o.run)
	if err != nil {
		return err
	}
	facts.Changes, facts.Match, facts.Audit, facts.Links.Run = &o.run.Changes, &o.run.Match, o.audit, ownPage(s)
	facts.Served.Time = o.receipt.Confirmed
	for _, f := range o.receipt.Files {
		facts.Served.Files = append(facts.Served.Files, report.File{Name: f.Name, Digest: f.Digest, Size: f.Size, URL: f.URL})
	}
	return inActions(s).summarize(facts.Outcome)
}
