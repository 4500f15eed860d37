package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/publish"
)

func newCanary(s Streams) *cobra.Command {
	var f shared
	var index string
	c := &cobra.Command{
		Use:   "canary",
		Short: "Ask the index for a token that it must not give",
		Long: `Canary runs in a job of the publishing workflow that is in no environment. It
shows the index that job's ID token and wants to be sent away: an upload token for
it would mean that a trusted publisher without environment is registered, so that
any branch could publish, without review. Such a token is ended at once.

The job needs "permissions: id-token: write", no environment, and no files. A
project that the index does not have yet is asked about too: a pending publisher
without environment would make it, for any branch.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return canary(c.Context(), s, f, index) },
	}
	f.bind(c)
	c.Flags().StringVar(&index, "index", "", "the `NAME` of the index, where the policy has several")
	return c
}

func canary(ctx context.Context, s Streams, f shared, name string) error {
	p, err := openPolicy(ctx, s, f)
	if err != nil {
		return err
	}
	if name, err = p.indexName(name); err != nil {
		return err
	}
	token, err := idToken(s)
	if err != nil {
		return err
	}
	index, err := p.index(name)
	if err != nil {
		return err
	}
	publisher, err := p.publisher(name)
	if err != nil {
		return err
	}
	witness := publish.Witness{Index: index, Publisher: publisher, Verifier: p.verifier, Progress: newSteps(s).event}
	isNew, err := witness.Canary(ctx, p.project, token)
	if err != nil {
		return err
	}
	if f.json {
		return emit(s.Out, closed{Index: name, Publisher: "closed", New: isNew})
	}
	out := printer{s.Out}
	out.outcome("closed", "index "+name+" gives no upload token to a job outside the environment "+publisher.Environment)
	if isNew {
		out.field("new", p.project+": the index has no such project yet. A pending publisher that names the environment makes it, "+
			"when the release is published; that there is one, nobody can ask")
	}
	return nil
}

// closed is what came of asking.
type closed struct {
	Index     string `json:"index"`
	Publisher string `json:"publisher"`
	New       bool   `json:"new"` // the index does not have the project yet
}
