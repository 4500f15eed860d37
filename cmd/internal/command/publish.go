package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

func newPublish(s Streams) *cobra.Command {
	var f shared
	var patience time.Duration
	var dry bool
	c := &cobra.Command{
		Use:   "publish RELEASE",
		Short: "Upload what was approved, and confirm what the index serves",
		Long: `Publish proves the release again, asks GitHub whether the environment of this
job is a gate and who started and reviewed this run, counts the votes, shows the
index who it is with the ID token of this GitHub Actions job, signs a publish attestation for
each file, uploads wheels first and the sdist last, and then downloads every file
to confirm that the index serves exactly what was approved. It leaves a receipt in
the store. Run again, it goes on where it ended; what is in doubt, it asks the
index.

There is no password to give: it runs in a job with "permissions: id-token: write,
actions: read" and GITHUB_TOKEN, in the environment that the policy names.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			if dry {
				return r.preflight(c.Context(), s, f)
			}
			return r.publish(c.Context(), s, f, patience)
		},
	}
	f.bind(c)
	c.Flags().DurationVar(&patience, "patience", 3*time.Hour,
		"how `LONG` to try again while the index gives no answer: leaving costs another approval")
	c.Flags().BoolVar(&dry, "dry-run", false,
		"judge the whole release against the index, and send nothing; votes are not counted")
	return c
}

// preflight judges what can be judged before the first byte is sent.
func (r release) preflight(ctx context.Context, s Streams, f shared) error {
	token, err := idToken(s)
	if err != nil {
		return err
	}
	job, err := r.job(s, token)
	if err != nil {
		return err
	}
	job.Progress = newSteps(s).event
	found, err := job.Preflight(ctx, r.staged)
	if errors.As(err, new(rule.Refusals)) || err == nil {
		if f.json && err == nil {
			err = emit(s.Out, found)
		} else if !f.json {
			printer{s.Out}.preflight(found)
		}
	}
	if err != nil {
		return err
	}
	own, err := r.ownRun(ctx, s, token)
	if err != nil {
		return err
	}
	_, err = r.guarded(ctx, s, own)
	return err
}

// preflight shows each row, and each claim beside what the index does with it.
func (p printer) preflight(found publish.Preflight) {
	p.line("preflight  for index %s; nothing is sent", found.Index)
	p.field("release", found.Release.String())
	for _, row := range found.Rows {
		text := row.Found
		if row.State != publish.Good {
			text = string(row.State) + ": " + text
		}
		p.field(row.What, text)
	}
	if len(found.Claims) > 0 {
		p.line("  claims     of the ID token, and what PyPI compares each with")
	}
	for _, c := range found.Claims {
		p.line("    %s %s", fmt.Sprintf("%-19s", c.Claim), orNothing(c.Token))
		for _, line := range wrap(plain(c.With), width-3*indent) {
			p.line("%*s%s", 3*indent, "", line)
		}
	}
	for _, name := range found.Missing {
		p.line("  to send    %s", name)
	}
	p.field("in all", fmt.Sprintf("%s to send, %s", plural(len(found.Missing), "file"), bytesText(found.Bytes)))
}

func (r release) publish(ctx context.Context, s Streams, f shared, patience time.Duration) error {
	token, err := idToken(s)
	if err != nil {
		return err
	}
	own, err := r.ownRun(ctx, s, token)
	if err != nil {
		return err
	}
	r, told, err := r.gather(ctx, s, own, patience)
	if err != nil {
		return err
	}
	approved, err := r.check(ctx, s, told.run)
	if err != nil {
		return errors.Join(err, r.tell(ctx, s, told, err))
	}
	confirmed, err := r.upload(ctx, s, token, own, approved, patience)
	if err != nil {
		return err
	}
	if err := inActions(s).outputs(releaseOutputs(r.staged.Digest(), r.staged.Manifest())); err != nil {
		return err
	}
	told.receipt, told.ballots, told.refused = confirmed.Receipt(), approved.Ballots(), approved.Refused()
	if err := r.tell(ctx, s, told, nil); err != nil {
		return err
	}
	return showReceipt(s, f, confirmed)
}

// gather asks for all that the votes are counted with: what the index says of earlier
// releases and of who decided on the last one, how the repositories stand, and what the
// source explains.
func (r release) gather(ctx context.Context, s Streams, own releaseRun, patience time.Duration) (release, outcome, error) {
	told := outcome{run: own.facts}
	witness, err := r.witness()
	if err != nil {
		return r, told, err
	}
	witness.Patience = patience
	before, err := r.pastServed(ctx, s, own.run, witness)
	if err != nil {
		return r, told, err
	}
	r.policy.approval.Former, told.run.Changes = before.former, before.changes
	if told.audit, err = r.guarded(ctx, s, own); err != nil {
		return r, told, err
	}
	told.run.Match, err = r.explained(ctx, s)
	return r, told, err
}

// left says that nobody knows what is on the index, and how to go on.
func (r release) left(s Streams, run workflows.Run, witness publish.Witness, why error) error {
	left := witness.Unasked(r.staged, why)
	printer{s.Err}.unfinished(left, run, errors.As(why, new(rule.Refusals)))
	return left
}

// upload sends what was approved, and has its custody and its receipt recorded.
func (r release) upload(ctx context.Context, s Streams, token attest.Token, own releaseRun, approved approval.Approved,
	patience time.Duration,
) (publish.Confirmed, error) {
	if _, err := r.custody(ctx, s, approved.Staged().Digest()); err != nil {
		return publish.Confirmed{}, err
	}
	job, err := r.job(s, token)
	if err != nil {
		return publish.Confirmed{}, err
	}
	steps := newSteps(s)
	job.Patience, job.Progress = patience, steps.event
	confirmed, err := job.Publish(ctx, approved)
	steps.finish()
	var left publish.Unfinished
	if errors.As(err, &left) {
		printer{s.Err}.unfinished(left, own.run, errors.As(err, new(rule.Refusals)))
	}
	if err != nil {
		return publish.Confirmed{}, err
	}
	_, err = r.custody(ctx, s, approved.Staged().Digest(), confirmed.Receipt())
	return confirmed, err
}

// job wires the job that publishes: who it must be, where it goes, and how it
// proves who it is.
func (r release) job(s Streams, token attest.Token) (publish.Job, error) {
	witness, err := r.witness()
	if err != nil {
		return publish.Job{}, err
	}
	signer, err := r.policy.signer(token)
	return publish.Job{Witness: witness, Token: token, Signer: signer, Store: r.store, Minted: inActions(s).mask}, err
}

func (r release) witness() (publish.Witness, error) {
	index, err := r.policy.index(r.index)
	if err != nil {
		return publish.Witness{}, err
	}
	publisher, err := r.policy.publisher(r.index)
	return publish.Witness{Index: index, Publisher: publisher, Verifier: r.policy.verifier}, err
}

// unfinished says what is up, and who brings up the rest, and how: where something
// was refused, only when that is mended.
func (p printer) unfinished(u publish.Unfinished, run workflows.Run, refused bool) {
	if !u.Known {
		p.line("unfinished nobody knows yet what is on index %s; nothing was sent", u.Index)
	} else {
		p.line("unfinished %d of %s on index %s", len(u.Up), plural(len(u.Up)+len(u.Missing)+len(u.Doubt), "file"), u.Index)
	}
	for _, name := range u.Up {
		p.line("  up       %s", name)
	}
	for _, name := range u.Doubt {
		p.line("  in doubt %s", name)
	}
	if u.Known {
		for _, name := range u.Missing {
			p.line("  missing  %s", name)
		}
	}
	first := ""
	if refused {
		first = "not before what is refused below is mended; then "
	}
	p.field("resume", first+fmt.Sprintf(`%s, who started the run, presses "Re-run failed jobs" at %s: what is up is not sent `+
		"again. Whoever else presses it counts as who started it, and loses the vote", run.Attempts[0].Actor.Login, run.URL()))
}

// idToken is the one thing that the environment gives: where this job gets its
// ID token.
func idToken(s Streams) (attest.Token, error) {
	url, token := s.Env("ACTIONS_ID_TOKEN_REQUEST_URL"), s.Env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if url == "" || token == "" {
		return nil, usagef(`publish runs in a GitHub Actions job with "permissions: id-token: write"; ` +
			"this is none (ACTIONS_ID_TOKEN_REQUEST_URL is not set)")
	}
	get := workflows.IDToken(http.DefaultClient, url, token)
	return func(ctx context.Context, audience string) (string, error) {
		raw, err := get(ctx, audience)
		if err == nil {
			inActions(s).mask(raw)
		}
		return raw, err
	}, nil
}

func showReceipt(s Streams, f shared, confirmed publish.Confirmed) error {
	receipt := confirmed.Receipt()
	if f.json {
		return emit(s.Out, receipt)
	}
	p := printer{s.Out}
	p.line("published  %s %s on index %s: %s, each downloaded and compared", receipt.Project, receipt.Version, receipt.Index,
		plural(len(receipt.Files), "file"))
	p.field("release", confirmed.Release().String())
	for _, file := range receipt.Files {
		p.line("  %s", file.Name)
		p.line("    %s", file.Digest)
	}
	return nil
}

func sizeText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", bytesText(n))
}
