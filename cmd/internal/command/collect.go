package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// stageRuns makes a release of what workflow runs left behind, and of the published
// one that their files are added to, if there is one. Of two runs that have one
// file, the later in the list counts.
func (p policy) stageRuns(ctx context.Context, s Streams, store *staging.Store, must staging.Policy, v *attest.Verifier, from source) (
	staged staging.Release, old onto, err error,
) {
	got, err := p.collect(ctx, s, store, must, from.runs)
	if err != nil {
		return staged, old, err
	}
	candidates, origin := append(got.Candidates, strangers(got)...), originOf(got)
	if from.onto != "" {
		if old, err = p.released(ctx, s, store, from.onto, must.Index); err != nil {
			return staged, old, err
		}
		candidates, origin.Onto = old.join(candidates), old.Digest.String()
	}
	verdict, err := v.Verify(ctx, must.Build, candidates)
	if err != nil {
		return staged, old, err
	}
	if err := p.guardBuilt(ctx, s, verdict); err != nil {
		return staged, old, err
	}
	if staged, err = staging.StageFrom(ctx, store, must, verdict, origin); err != nil {
		return staged, old, err
	}
	return staged, old, removeArchives(store.Blobs(), got.Archives, staged.Manifest)
}

// collect fetches what the runs left behind into the store, with the attestations
// that GitHub has of it.
func (p policy) collect(ctx context.Context, s Streams, store *staging.Store, must staging.Policy, refs []string) (got workflows.Collected, err error) {
	client, err := p.github(s)
	if err != nil {
		return got, err
	}
	runs, err := p.runs(ctx, client, refs)
	if err != nil {
		return got, err
	}
	fetching := newFetching(s)
	if got, err = client.Collect(ctx, runs, p.selection(must), store.Blobs(), fetching.event); err != nil {
		return got, err
	}
	fetching.bar.finish()
	inActions(s).group(s.Err, plural(len(got.Artifacts), "artifact"), func() { printer{s.Err}.collected(got) })
	return got, client.AddAttestations(ctx, p.table.Build.Repository, got.Candidates)
}

// runs asks for each run, named by its id or its address. It must be one of the
// repository that the policy builds in.
func (p policy) runs(ctx context.Context, client *workflows.Client, refs []string) (runs []workflows.Run, err error) {
	for _, ref := range refs {
		repository := p.table.Build.Repository
		id, err := strconv.ParseInt(ref, 10, 64)
		if err != nil {
			if repository, id, err = workflows.ParseRunURL(ref); err != nil {
				return nil, usagef("--run takes the number of a run or its address, got " + ref)
			}
		}
		if !strings.EqualFold(repository, p.table.Build.Repository) {
			return nil, usagef("--run " + ref + " is not a run of " + p.table.Build.Repository + ", which the policy builds in")
		}
		run, err := client.Run(ctx, repository, id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (p policy) selection(must staging.Policy) workflows.Selection {
	artifacts := p.table.Build.Artifacts
	if len(artifacts) == 0 {
		artifacts = []string{"*"}
	}
	return workflows.Selection{Artifacts: artifacts, LeaveOut: func(name string) bool {
		_, out := must.LeavesOut(name)
		return out
	}}
}

// strangers refuses the files of artifacts that are neither distributions nor
// bundles, and that the policy does not leave out.
func strangers(got workflows.Collected) (refused []attest.Candidate) {
	for _, m := range got.Others {
		refused = append(refused, attest.Candidate{Refused: rule.Refusals{{File: m.Name(), Rule: rule.FileUnknown,
			Want: "wheels, sdists and their bundles alone", Got: "a file that is neither, in artifact " + m.Artifact,
			Hint: "name the artifacts of the release in build.artifacts, or add a [[build.leave-out]] with files = " +
				strconv.Quote(literal(m.Name())) + " and a reason"}}})
	}
	return refused
}

// collected says what was found, and what of it does not count.
func (p printer) collected(got workflows.Collected) {
	for _, a := range got.Artifacts {
		p.outcome("artifact", fmt.Sprintf("%s of run %d: id %d", a.Name, a.Run, a.ID))
	}
	for _, a := range got.Superseded {
		p.outcome("superseded", fmt.Sprintf("%s of run %d: id %d, by a newer one of its name", a.Name, a.Run, a.ID))
	}
	for _, r := range got.Replaced {
		p.outcome("replaced", fmt.Sprintf("%s of run %d by that of run %d", r.Name, r.WasRun, r.IsRun))
	}
	for _, m := range got.LeftOut {
		p.outcome("left out", m.Name()+" of artifact "+m.Artifact)
	}
}

// fetching counts the bytes of several downloads at once.
type fetching struct {
	steps *steps
	bar   *progress
	mu    sync.Mutex
	done  map[string]int64
}

func newFetching(s Streams) *fetching {
	return &fetching{steps: newSteps(s), bar: startProgress(s, "downloaded", -1), done: map[string]int64{}}
}

func (f *fetching) event(e workflows.Event) {
	f.steps.github(e)
	f.mu.Lock()
	defer f.mu.Unlock()
	if more := e.Done - f.done[e.Artifact]; e.Artifact != "" && more > 0 {
		f.done[e.Artifact] = e.Done
		f.bar.add(more)
	}
}
