package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/workflows"
)

// past is what the index and the store tell of earlier releases, asked once: what
// changed since, and who decided on the last one.
type past struct {
	changes approval.Changes
	former  *approval.Policy // see [release.former]
	unasked error            // why it is not known who decided before; changes have it as a gap
}

// past asks what changed since earlier releases. What is not said is a gap in the
// facts.
func (r release) past(ctx context.Context, s Streams, witness publish.Witness) (p past, err error) {
	if p.changes, err = witness.Changes(ctx, r.staged, r.store.Blobs()); err != nil {
		return p, err
	}
	if !p.changes.Asked {
		witness.Patience = 0 // it was waited for
	}
	p.unasked = r.asked(ctx, s, witness, &p)
	if p.unasked != nil {
		p.changes.Gaps = append(p.changes.Gaps, approval.Gap{What: "what changed in the policy", Why: p.unasked.Error()})
	}
	p.changes.Judge()
	return p, ctx.Err()
}

// asked asks under which policy the last release was published.
func (r release) asked(ctx context.Context, s Streams, witness publish.Witness, p *past) error {
	if err := r.forgotten(ctx, &p.changes); err != nil {
		return err
	}
	was, err := r.policyThen(ctx, s, witness)
	if err != nil {
		return err
	}
	if err := r.policyChange(was, &p.changes); err != nil {
		return err
	}
	p.former, err = r.former(ctx, was)
	return err
}

// forgotten is the error of an index that answers that it has no such project, where
// the store has a receipt of a release that was published there.
func (r release) forgotten(ctx context.Context, c *approval.Changes) error {
	if !c.Absent {
		return nil
	}
	m := r.staged.Manifest()
	version := m.Version
	out, err := r.policy.published(ctx, r.store, staging.Release{Digest: r.staged.Digest(), Manifest: m}, r.index)
	if err == nil && !out {
		var last publish.Last
		last, err = r.lastOf(ctx, r.here)
		version = last.Manifest.Version
	}
	if err != nil || version == "" {
		return err
	}
	c.First, c.Absent = false, false
	return fmt.Errorf("index %s answers that it has no project %s, and the store has a receipt for %s, which was published there: "+
		"look at index.%s.simple in the policy, and at what answers there; if the project was deleted, stage into an empty store",
		r.index, m.Project, version, r.index)
}

// here tells whether another release is of this project and index. Under which name a
// policy has an index changes; a policy that cannot be read says nothing against it.
func (r release) here(ctx context.Context, other staging.Release) (bool, error) {
	if other.Manifest.Project != r.staged.Manifest().Project || other.Manifest.Index == r.index {
		return other.Manifest.Project == r.staged.Manifest().Project, nil
	}
	files, err := r.store.PolicyFiles(ctx, other.Manifest)
	if err != nil {
		return false, err
	}
	before, err := policyBefore(ctx, filepath.Base(r.policy.file), among(files))
	if err != nil {
		return true, nil
	}
	return sameIndex(before.address(other.Manifest.Index), r.policy.address(r.index)), nil
}

// policyChange compares the policy with that of the release that was published
// last.
func (r release) policyChange(was policyThen, c *approval.Changes) (err error) {
	if was.from == nil {
		if !c.First {
			c.Gaps = append(c.Gaps, approval.Gap{What: "what changed in the policy",
				Why: "no release is known that was published under one"})
		}
		return nil
	}
	if !was.believed && was.commit == "" {
		c.Gaps = append(c.Gaps, approval.Gap{What: "whether " + was.version + " was published last",
			Why: "the publisher that the policy names now signed no receipt in the store"})
	}
	if c.First {
		own := r.staged.Manifest().Version
		why := "the index has none but " + own + " itself"
		if was.version != "" && was.version != own {
			c.Emptied, why = was.version, "the index has no release, but the store has a receipt for "+was.version
		}
		c.Gaps = append(c.Gaps, approval.Gap{What: "what changed since the release before", Why: why})
		c.First = false
	}
	c.Policy = approval.PolicyChange{Release: was.release, Version: was.version, Commit: was.commit}
	c.Policy.Differences, err = comparePolicies(filepath.Base(r.policy.file), was.files, r.policy.files)
	return err
}

// pastServed is the past as votes are counted by it: nothing in it is left open, and
// the index is waited for, since a job that leaves costs a person's second approval.
func (r release) pastServed(ctx context.Context, s Streams, run workflows.Run, witness publish.Witness) (past, error) {
	witness.Progress = newSteps(s).event
	p, err := r.past(ctx, s, witness)
	if err == nil {
		err = p.unasked
	}
	if err == nil && !p.changes.Asked {
		err = errors.New("which releases it has is not known: " + p.changes.Gaps[0].Why)
	}
	if err != nil {
		return p, r.left(s, run, witness, err)
	}
	return p, nil
}

// knowing is the release with what was asked about it, by which its votes are counted.
// What could not be asked is said beside the count.
func (r release) knowing(p past, match approval.Match) release {
	r.known = approval.Beside{Match: match, Changes: p.changes}
	if r.unasked = p.unasked; p.unasked == nil {
		r.policy.approval.Former = p.former
	}
	return r
}
