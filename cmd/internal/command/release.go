package command

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

var jobDigest = regexp.MustCompile(`sha256:([0-9a-f]{8,64})`)

// release is a release of the store, proven again under today's policy.
type release struct {
	flags  shared
	policy policy
	store  *staging.Store
	staged staging.Staged
	index  string
	before staging.Release // that was published, and files were added to; or none

	known   approval.Beside // what was asked beside the files, by [release.knowing]
	unasked error           // why it is not known who decided on the release before
}

// openRelease finds the release that ref names and proves it again: every byte
// is hashed, every bundle verified, and the policy is the one it was staged
// under.
func openRelease(ctx context.Context, s Streams, f shared, ref string) (release, error) {
	repository, run, notRun := workflows.ParseRunURL(ref)
	if notRun == nil && f.policy == "" && f.repository == "" {
		f.repository = repository
	}
	p, store, err := openStored(ctx, s, f)
	if err != nil {
		return release{}, err
	}
	if notRun == nil {
		if ref, err = p.releaseOf(ctx, s, repository, run); err != nil {
			return release{}, err
		}
	}
	digest, err := store.Resolve(ctx, ref)
	if err != nil {
		return release{}, err
	}
	return p.open(ctx, s, f, store, digest)
}

// releaseOf is the release that a run is to publish, by the digits of its digest
// in the name of a job. Who wrote the name chooses among the releases in the
// store, and no more than that.
func (p policy) releaseOf(ctx context.Context, s Streams, repository string, id int64) (ref string, err error) {
	client, err := p.github(s)
	if err != nil {
		return "", err
	}
	run, err := client.Run(ctx, repository, id)
	if err != nil {
		return "", err
	}
	jobs, err := client.Jobs(ctx, run.URL())
	if err != nil {
		return "", err
	}
	named := map[string]bool{}
	for _, job := range jobs {
		if m := jobDigest.FindStringSubmatch(job.Name); m != nil && job.Attempt == run.Latest().Number {
			named[m[1]] = true
		}
	}
	if len(named) != 1 {
		return "", usagef(fmt.Sprintf("%s: want a job that names one release, as release.yml has it, got %d of them; "+
			"name the release by its digest, and the run with --run", run.URL(), len(named)))
	}
	for digits := range named {
		ref = digits
	}
	return ref, nil
}

func (p policy) open(ctx context.Context, s Streams, f shared, store *staging.Store, digest dist.Digest) (release, error) {
	manifest, err := store.Manifest(ctx, digest) // a claim, that staging.Open compares
	if err != nil {
		return release{}, err
	}
	index, err := p.indexName(manifest.Index)
	if err != nil {
		return release{}, err
	}
	must, err := p.demands(s, index)
	if err != nil {
		return release{}, err
	}
	verifier, err := p.judging(s)
	if err != nil {
		return release{}, err
	}
	if err := p.refill(ctx, s, store, manifest); err != nil {
		return release{}, err
	}
	staged, err := staging.Open(ctx, store, digest, must, verifier)
	if err != nil {
		return release{}, err
	}
	p.approval = p.votingOn(index)
	before, err := p.before(ctx, store, staged.Manifest(), index)
	if err != nil {
		return release{}, err
	}
	r := release{flags: f, policy: p, store: store, staged: staged, index: index, before: before}
	was, err := r.policyStored(ctx)
	if err == nil {
		r.policy.approval.Former, err = r.former(ctx, was)
	}
	return r, err
}

// votes are the signed votes on the release. What is tagged as a record and is
// none is shown and decides nothing; a record whose bytes are gone or damaged
// could have been a no, and so nothing can be decided without it.
func (r release) votes(ctx context.Context, s Streams) ([]staging.Record, error) {
	records, malformed, err := r.store.Records(ctx, r.staged.Digest(), approval.RecordKind)
	if err != nil {
		return nil, err
	}
	printer{s.Err}.refusals(malformed)
	for _, m := range malformed {
		if m.Rule == rule.StoredBytes {
			return nil, errors.New(m.File + " is missing or damaged, and could have been a rejection; " +
				"restore it from another copy of the store")
		}
	}
	return records, nil
}

// check counts the votes for the run that publishes, on a release that nobody
// took back.
func (r release) check(ctx context.Context, s Streams, run approval.Run) (approval.Approved, error) {
	if err := r.withdrawn(ctx, s); err != nil {
		return approval.Approved{}, err
	}
	records, err := r.votes(ctx, s)
	if err != nil {
		return approval.Approved{}, err
	}
	return approval.Check(r.staged, records, run, r.policy.approval, s.Now())
}

// count counts the signed votes, where no run is known.
func (r release) count(ctx context.Context, s Streams) ([]approval.Ballot, rule.Refusals, error) {
	records, err := r.votes(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	return approval.Count(r.staged, records, r.known, r.policy.approval, s.Now())
}

// published reports whether a receipt of the publisher is under a release.
func (p policy) published(ctx context.Context, store *staging.Store, r staging.Release, index string) (bool, error) {
	publisher, err := p.publisher(index)
	if err != nil {
		return false, err
	}
	believed, _, err := publish.Receipts(ctx, store, r, publisher, p.verifier)
	return len(believed) > 0, err
}
