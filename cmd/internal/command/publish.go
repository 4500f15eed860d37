package command

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/workflows"
)

func newPublish(s Streams) *cobra.Command {
	var f shared
	c := &cobra.Command{
		Use:   "publish RELEASE",
		Short: "Upload what was approved, and confirm what the index serves",
		Long: `Publish proves the release again, asks GitHub whether the environment of this
job is a gate and who started and reviewed this run, counts the votes, shows the
index who it is with the ID token of this GitHub Actions job, signs a publish attestation for
each file, uploads wheels first and the sdist last, and then downloads every file
to confirm that the index serves exactly what was approved. It leaves a receipt in
the store. Run again, it goes on where it ended.

There is no password to give: it runs in a job with "permissions: id-token: write,
actions: read" and GITHUB_TOKEN, in the environment that the policy names.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			return r.publish(c.Context(), s, f)
		},
	}
	f.bind(c)
	return c
}

func (r release) publish(ctx context.Context, s Streams, f shared) error {
	token, err := idToken(s)
	if err != nil {
		return err
	}
	own, err := r.ownRun(ctx, s, token)
	if err != nil {
		return err
	}
	approved, err := r.check(ctx, s, own.facts)
	if err != nil {
		return err
	}
	job, err := r.job(s, token)
	if err != nil {
		return err
	}
	steps := newSteps(s)
	job.Progress = steps.event
	confirmed, err := job.Publish(ctx, approved)
	steps.finish()
	if err != nil {
		return err
	}
	if err := inActions(s).outputs(releaseOutputs(r.staged.Digest(), r.staged.Manifest())); err != nil {
		return err
	}
	return showReceipt(s, f, confirmed)
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

// steps shows how far publishing is: bytes in a bar on a terminal, a line for
// each file elsewhere.
type steps struct {
	s    Streams
	bar  *progress
	sent map[string]int64
}

func newSteps(s Streams) *steps { return &steps{s: s, sent: map[string]int64{}} }

func (t *steps) event(e publish.Event) {
	p := printer{t.s.Err}
	switch e.Step {
	case publish.Sending:
		if !t.s.Terminal {
			return
		}
		if t.bar == nil {
			t.bar = startProgress(t.s, "upload", -1)
		}
		t.bar.add(e.Done - t.sent[e.File])
		t.sent[e.File] = e.Done
	case publish.Waiting, publish.NotBurned, publish.Comparing:
		p.line("%-10s %s", string(e.Step), e.Note)
	default:
		p.line("%-10s %s%s", string(e.Step), e.File, sizeText(e.Size))
	}
}

func (t *steps) finish() {
	if t.bar != nil {
		t.bar.finish()
	}
}

func sizeText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", bytesText(n))
}
