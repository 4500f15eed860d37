package command

import (
	"context"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// release is a release of the store, proven again under today's policy.
type release struct {
	policy policy
	store  *staging.Store
	staged staging.Staged
	index  string
}

// openRelease finds the release that ref names and proves it again: every byte
// is hashed, every bundle verified, and the policy is the one it was staged
// under.
func openRelease(ctx context.Context, s Streams, f shared, ref string) (release, error) {
	p, err := loadPolicy(ctx, f.policy, cacheDir(s), s.Now())
	if err != nil {
		return release{}, err
	}
	store, err := staging.OpenStore(f.store)
	if err != nil {
		return release{}, err
	}
	digest, err := store.Resolve(ctx, ref)
	if err != nil {
		return release{}, err
	}
	return p.open(ctx, store, digest)
}

func (p policy) open(ctx context.Context, store *staging.Store, digest dist.Digest) (release, error) {
	manifest, err := listed(ctx, store, digest)
	if err != nil {
		return release{}, err
	}
	index, err := p.indexName(manifest.Index)
	if err != nil {
		return release{}, err
	}
	must, err := p.staging(index)
	if err != nil {
		return release{}, err
	}
	staged, err := staging.Open(ctx, store, digest, must, p.verifier)
	return release{p, store, staged, index}, err
}

// listed is what the store says of a release: a claim, from which only the
// index's name is taken, and [staging.Open] compares that.
func listed(ctx context.Context, store *staging.Store, digest dist.Digest) (staging.Manifest, error) {
	releases, malformed, err := store.Releases(ctx)
	if err != nil {
		return staging.Manifest{}, err
	}
	for _, r := range releases {
		if r.Digest == digest {
			return r.Manifest, nil
		}
	}
	return staging.Manifest{}, malformed.Err()
}
