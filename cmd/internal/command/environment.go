package command

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// voteInRun votes by a review of the environment that a run waits for, as the
// person whose token it is. The release was opened and proven here; the run must
// be one that the policy would let publish, and the vote one that would count.
func (r release) voteInRun(ctx context.Context, s Streams, review looked, decision approval.Decision, f voteFlags) error {
	client, err := r.policy.github(s)
	if err != nil {
		return err
	}
	own, err := r.voting(ctx, client, f.run)
	if err != nil {
		return err
	}
	comment, err := review.Comment(approval.Opinion{Decision: decision, Acknowledged: f.seen(), Reason: f.reason, Issued: s.Now(),
		Holds: r.policy.approval.MaxAge})
	if err != nil {
		return usageError{err}
	}
	me, err := client.Me(ctx)
	if err != nil {
		return err
	}
	state := map[approval.Decision]string{approval.Approve: workflows.Approved, approval.Reject: workflows.Rejected}[decision]
	said := approval.EnvironmentReview{GitHub: me.ID, Login: me.Login, Bot: me.Bot, State: state, Comment: comment}
	ballot, err := approval.JudgeReview(r.staged, said, own.facts, r.policy.approval, s.Now())
	if err != nil {
		return err
	}
	if err := r.confirmVote(ctx, s, review, decision, ballot.By); err != nil {
		return err
	}
	if err := client.Post(ctx, own.run, own.environment, me, state, comment); err != nil {
		return err
	}
	return showBallot(s, f, ballot)
}

// voting is the run that a flag names, with what is known of the release, if the policy
// would let it publish.
func (r release) voting(ctx context.Context, client *workflows.Client, flag string) (own releaseRun, err error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return own, err
	}
	id, err := runOf(flag, publisher)
	if err != nil {
		return own, err
	}
	if own, err = r.askRun(ctx, client, publisher, id); err != nil {
		return own, err
	}
	own.facts.Beside = r.known
	return own, r.mayPublish(ctx, client, publisher, own)
}

func showBallot(s Streams, f voteFlags, b approval.Ballot) error {
	if f.json {
		return emit(s.Out, b)
	}
	p := printer{s.Out}
	p.line("voted      %s: %s, on GitHub", string(b.Decision), b.By)
	p.field("run", b.Run)
	if b.Decision == approval.Approve {
		p.field("next", "the run goes on by itself; publish counts the votes there")
	}
	return nil
}

// runOf is the number of the run that the flag names, which must be of the
// repository that publishes.
func runOf(flag string, publisher publish.Publisher) (int64, error) {
	address := flag
	if parts := strings.Split(flag, "/"); len(parts) == 3 {
		address = workflows.Run{Repository: parts[0] + "/" + parts[1]}.URL()
		address = strings.TrimSuffix(address, "0") + parts[2]
	}
	repository, id, err := workflows.ParseRunURL(address)
	if err != nil || !strings.EqualFold(repository, publisher.Repository) {
		return 0, usagef("--run: want a run of the repository that publishes, as " + publisher.Repository +
			"/RUN_ID or its address, got " + flag)
	}
	return id, nil
}

// mayPublish refuses a run that the policy would not let publish: a vote in it
// would start a job that somebody else wrote.
func (r release) mayPublish(ctx context.Context, client *workflows.Client, publisher publish.Publisher, own releaseRun) error {
	last := own.run.Latest()
	ref := "refs/heads/" + last.HeadBranch
	var no rule.Refusals
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{last.Workflow == publisher.Workflow, "the workflow " + publisher.Workflow, last.Workflow},
		{slices.Contains(publisher.Triggers, last.Event), "started by " + strings.Join(publisher.Triggers, " or "), last.Event},
		{strings.EqualFold(last.HeadRepository, publisher.Repository), "of " + publisher.Repository, last.HeadRepository},
		{admits(publisher.Refs, ref), "of " + strings.Join(publisher.Refs, " or "), ref},
		{last.Status != "completed", "a run that waits", "one that ended"},
	} {
		if !row.holds {
			no = append(no, rule.Refusal{File: own.run.URL(), Rule: rule.RunForeign, Want: row.want, Got: orNothing(row.got),
				Hint: "vote in the run that the release workflow started for this release, and find out who started this one"})
		}
	}
	if len(no) > 0 {
		return no
	}
	if err := sameWorkflow(ctx, client, publisher, own.run.URL(), last); err != nil {
		return err
	}
	if err := r.policy.asBegun(ctx, client, own.run.URL(), last.HeadSHA); err != nil {
		return err
	}
	return own.environment.Check(r.policy.gate(publisher))
}

// sameWorkflow refuses a run whose commit is not on its branch, or whose workflow
// file is not the one that the branch has now.
func sameWorkflow(ctx context.Context, client *workflows.Client, publisher publish.Publisher, url string, last workflows.Attempt) error {
	on, err := client.OnBranch(ctx, publisher.Repository, last.HeadBranch, last.HeadSHA)
	if err != nil {
		return err
	}
	if !on {
		return rule.Refusals{{File: url, Rule: rule.RunForeign, Want: "a commit of branch " + last.HeadBranch,
			Got: last.HeadSHA + ", which is not on it", Hint: "start the release workflow anew, on the branch as it is"}}
	}
	ran, err := client.Content(ctx, publisher.Repository, publisher.Workflow, last.HeadSHA)
	if err != nil {
		return err
	}
	now, err := client.Content(ctx, publisher.Repository, publisher.Workflow, "refs/heads/"+last.HeadBranch)
	if err != nil {
		return err
	}
	if !bytes.Equal(ran, now) {
		return rule.Refusals{{File: url, Rule: rule.RunForeign, Want: publisher.Workflow + " as branch " + last.HeadBranch + " has it",
			Got:  "another, of commit " + last.HeadSHA + ", " + strconv.Itoa(len(ran)) + " bytes",
			Hint: "start the release workflow anew, so that what runs is what the branch has"}}
	}
	return nil
}

func admits(refs []string, ref string) bool {
	return slices.ContainsFunc(refs, func(pattern string) bool {
		ok, err := path.Match(pattern, ref)
		return ok && err == nil
	})
}

// votingFlag is how a next command votes: by a key, if that counts.
func (r release) votingFlag() string {
	if r.policy.approval.Counts(approval.Signed) {
		return " --key FILE"
	}
	return " --run " + r.policy.table.Publish.Repository + "/RUN_ID"
}

// voteHere says how to vote, as waiting for it is told: in the run, or with a key.
func (p printer) voteHere(w approval.Waiting) {
	if w.Run == "" {
		if slices.Contains(w.Roads, approval.Signed) {
			p.field("next", "distgate approve "+short(w.Release)+" --key FILE"+each(w.Seen, " --acknowledge ")+
				", by who may vote; then run the publishing job again")
		}
		return
	}
	p.field("where", w.Run+` ("Review deployments", where the job waits; else run the publishing job again)`)
	p.field("until", utc(w.Until))
	lines := "this line, alone or among others:"
	if len(w.Seen) > 0 {
		lines = "these lines, alone or among others, when you have seen it:"
	}
	p.line("  comment with %s", lines)
	p.line("")
	p.line("%s", fmt.Sprintf("approve %s", w.Release))
	for _, id := range w.Seen {
		p.line("%s", "seen "+string(id))
	}
	p.line("")
}
