package command

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

func newLayout(s Streams) *cobra.Command {
	var f shared
	c := &cobra.Command{
		Use:   "layout RELEASE",
		Short: "Write the in-toto layout of a release, to add steps to",
		Long: `Layout prints the in-toto layout that publish holds every release against: each
file is built, staged, voted on and published, unchanged; none is missing and
none comes from nowhere.

Add steps to it that a workflow of yours attests, as a test or a scan: give each a
certificate constraint with the whole address of that workflow, and have it judged
with the bundle that the workflow made.

    distgate layout 2.4.0 > layout.json
    distgate verify 2.4.0 --policy distgate.toml --layout layout.json \
        --step scan=scan.sigstore.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			raw, err := attest.DefaultLayout(r.names(), false, s.Now().AddDate(1, 0, 0)).Encode()
			if err != nil {
				return err
			}
			_, err = s.Out.Write(raw)
			return err
		},
	}
	f.bind(c)
	return c
}

func (r release) names() (names []string) {
	for _, file := range r.staged.Manifest().Files {
		names = append(names, file.Name)
	}
	return names
}

// custody holds the way of the release, as it was proven in this process, against
// the default layout. What people approved is read again by the digest that they
// named.
func (r release) custody(ctx context.Context, s Streams, approved dist.Digest, receipts ...publish.Receipt) ([]attest.Step, error) {
	voted, err := r.store.Manifest(ctx, approved)
	if err != nil {
		return nil, err
	}
	built := attest.BuildStep(r.staged.Files())
	steps := []attest.Step{built,
		{Name: attest.StepStage, Materials: built.Products, Products: filesOf(r.staged.Manifest())},
		{Name: attest.StepVote, Materials: filesOf(voted), Products: filesOf(voted)}}
	served := map[string]dist.Digest{}
	for _, receipt := range receipts {
		for _, file := range receipt.Files {
			served[file.Name] = file.Digest
		}
	}
	if len(receipts) > 0 {
		steps = append(steps, attest.Step{Name: attest.StepPublish, Materials: served, Products: served})
	}
	layout := attest.DefaultLayout(r.names(), len(receipts) > 0, s.Now().Add(24*time.Hour))
	return steps, layout.Verify(steps)
}

func filesOf(m staging.Manifest) map[string]dist.Digest {
	files := map[string]dist.Digest{}
	for _, f := range m.Files {
		files[f.Name] = f.Digest
	}
	return files
}

// layoutFlags name a layout and the bundles of its further steps.
type layoutFlags struct {
	file, store string
	steps       []string // NAME=FILE
}

// verify holds a release against the default layout and the one that is named.
func (f layoutFlags) verify(ctx context.Context, s Streams, policy, ref string, asJSON bool) error {
	r, err := openRelease(ctx, s, shared{policy: policy, store: f.store}, ref)
	if err != nil {
		return err
	}
	file, err := os.Open(f.file)
	if err != nil {
		return err
	}
	defer file.Close()
	layout, err := attest.ParseLayout(f.file, file, s.Now())
	if err != nil {
		return err
	}
	steps, err := r.steps(ctx, s)
	if err != nil {
		return err
	}
	more, err := f.further(r, layout)
	if err != nil {
		return err
	}
	steps = append(steps, more...)
	if err := layout.Verify(steps); err != nil {
		return err
	}
	return showSteps(s, r.staged.Digest(), steps, asJSON)
}

// steps are the steps that the release took: voted on, if its votes are enough
// today or it is published.
func (r release) steps(ctx context.Context, s Streams) ([]attest.Step, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return nil, err
	}
	m := r.staged.Manifest()
	believed, _, err := publish.Receipts(ctx, r.store, staging.Release{Digest: r.staged.Digest(), Manifest: m}, publisher, r.policy.verifier)
	if err != nil {
		return nil, err
	}
	if len(believed) == 0 {
		if _, _, err := r.count(ctx, s); err != nil {
			return nil, err
		}
		return r.custody(ctx, s, r.staged.Digest())
	}
	var receipts []publish.Receipt
	for _, b := range believed {
		receipts = append(receipts, b.Receipt)
	}
	return r.custody(ctx, s, r.staged.Digest(), receipts...)
}

// further are the steps that workflows attested.
func (f layoutFlags) further(r release, layout attest.Layout) (steps []attest.Step, err error) {
	named := map[string]string{}
	for _, given := range f.steps {
		name, file, ok := strings.Cut(given, "=")
		if _, twice := named[name]; !ok || twice {
			return nil, usagef("--step takes NAME=FILE, each name once, got " + given)
		}
		named[name] = file
	}
	wanted := layout.Further()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if wanted[name] == "" {
			return nil, usagef("the layout has no further step " + name)
		}
		step, err := r.attested(name, wanted[name], named[name])
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (r release) attested(name, workflow, file string) (attest.Step, error) {
	raw, err := os.Open(file)
	if err != nil {
		return attest.Step{}, err
	}
	defer raw.Close()
	bundles, err := attest.ParseBundles(file, raw)
	if err != nil {
		return attest.Step{}, err
	}
	if len(bundles) != 1 {
		return attest.Step{}, usagef(fmt.Sprintf("%s holds %d bundles; a step has one", file, len(bundles)))
	}
	build := r.policy.build
	build.Hosted = attest.Certificate
	return r.policy.verifier.AttestedStep(name, workflow, r.staged.Manifest().Source.Commit, bundles[0], build)
}

func showSteps(s Streams, release dist.Digest, steps []attest.Step, asJSON bool) error {
	if asJSON {
		return emit(s.Out, struct {
			Release dist.Digest   `json:"release"`
			Steps   []attest.Step `json:"steps"`
		}{release, steps})
	}
	p := printer{s.Out}
	p.line("verified   the chain of custody, by the layout")
	p.field("release", release.String())
	for _, step := range steps {
		p.field("step", fmt.Sprintf("%s: %s in, %s out", step.Name, plural(len(step.Materials), "file"), plural(len(step.Products), "file")))
	}
	return nil
}
