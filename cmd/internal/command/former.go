package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return nil, err
	}
	last, err := publish.LastPublished(ctx, r.store, r.staged.Manifest(), publisher, r.policy.verifier)
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
	voting, err := votingOf(ctx, name, files, r.index)
	if refused := (rule.Refusals)(nil); errors.As(err, &refused) {
		return nil, fmt.Errorf("the policy of %s, which was published last and whose people must vote on this change, "+
			"cannot be read: %w", last.Manifest.Version, errors.New(refused.Error()))
	}
	return &voting, err
}

// decides tells whether a difference is in who decides, by what and where to.
// What is expected of the files is seen in the files.
func decides(d approval.Difference) bool {
	return !slices.ContainsFunc([]string{"files.", "series.", "build.artifacts", "build.leave-out", "store."},
		func(prefix string) bool { return strings.HasPrefix(d.Field, prefix) })
}

// votingOf reads who decided on releases for an index, out of the policy's files.
func votingOf(ctx context.Context, name string, files []staging.PolicyFile, index string) (approval.Policy, error) {
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
		return approval.Policy{}, err
	}
	if err := decodePolicy(name, raw, &p.table); err != nil {
		return approval.Policy{}, err
	}
	p.approval, err = p.voting(ctx)
	return p.votingOn(index), err
}
