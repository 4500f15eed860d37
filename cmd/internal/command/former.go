package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// former is the voting policy of the release that was published last, if today's
// policy decides otherwise: other people, numbers, roots, indexes or identities.
// Whoever changes those must have the votes of those who decided before. A store
// that has lost its past has no former policy; the review says so as a gap.
func (r release) former(ctx context.Context) (*approval.Policy, error) {
	last, err := r.last(ctx)
	if err != nil || last.Digest.IsZero() {
		return nil, err
	}
	files, err := r.store.PolicyFiles(ctx, last.Manifest)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(r.policy.file)
	differences, err := comparePolicies(name, files, r.policy.files)
	if err != nil || !slices.ContainsFunc(differences, decides) {
		return nil, err
	}
	before, err := policyBefore(ctx, name, files)
	if refused := (rule.Refusals)(nil); errors.As(err, &refused) {
		return nil, fmt.Errorf("the policy of %s, which was published last and whose people must vote on this change, "+
			"cannot be read: %w", last.Manifest.Version, errors.New(refused.Error()))
	}
	if err != nil || r.policy.approval.Rehearsal && !before.releasesTo(r.policy.address(r.index)) {
		return nil, err
	}
	return &before.approval, nil
}

// last is the release before this one that people decided on. A rehearsal, which
// asks nobody, is none.
func (r release) last(ctx context.Context) (publish.Last, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return publish.Last{}, err
	}
	own := staging.Release{Digest: r.staged.Digest(), Manifest: r.staged.Manifest()}
	return publish.LastPublished(ctx, r.store, own, publisher, r.policy.verifier, r.decided)
}

// decided tells whether people were asked about a release, by the policy that it
// was staged under. One that cannot be read says nothing against that.
func (r release) decided(ctx context.Context, other staging.Release) (bool, error) {
	files, err := r.store.PolicyFiles(ctx, other.Manifest)
	if err != nil {
		return false, err
	}
	before, err := policyBefore(ctx, filepath.Base(r.policy.file), files)
	return err != nil || before.table.Index[other.Manifest.Index].Votes == nil, nil
}

// releasesTo tells whether people decide on what goes to the index's host.
func (p policy) releasesTo(index publish.Address) bool {
	for name, t := range p.table.Index {
		if t.Votes == nil && hostOf(p.address(name).Upload) == hostOf(index.Upload) {
			return true
		}
	}
	return false
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// decides tells whether a difference is in who decides, by what and where to.
// What is expected of the files is seen in the files.
func decides(d approval.Difference) bool {
	return !slices.ContainsFunc([]string{"files.", "series.", "build.artifacts", "build.leave-out", "store."},
		func(prefix string) bool { return strings.HasPrefix(d.Field, prefix) })
}

// policyBefore reads who decided on releases, and on which, out of a policy's files.
func policyBefore(ctx context.Context, name string, files []staging.PolicyFile) (policy, error) {
	p := policy{file: name, from: func(_ context.Context, wanted string) ([]byte, error) {
		for _, f := range files {
			if f.Name == wanted {
				return f.Raw, nil
			}
		}
		return nil, fs.ErrNotExist
	}}
	raw, err := p.read(ctx, name)
	if err != nil {
		return policy{}, err
	}
	if err := decodePolicy(name, raw, &p.table); err != nil {
		return policy{}, err
	}
	p.approval, err = p.voting(ctx)
	return p, err
}
