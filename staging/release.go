package staging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Release is a release as [Stage] made it, or as the store lists it. The manifest
// hashes to what the digest names; what the files are, [Open] proves.
type Release struct {
	Digest   dist.Digest
	Manifest Manifest
}

// Releases lists what is in the store, by project, version and digest. What is
// tagged as a release and cannot be read as one is returned as malformed and
// hides no other.
func (s *Store) Releases(ctx context.Context) (releases []Release, malformed rule.Refusals, err error) {
	x, err := s.at.index(ctx)
	if err != nil {
		return nil, nil, err
	}
	left := int64(maxListed)
	for entries := range slices.Chunk(x.releases(), s.width) {
		found := make([]Release, len(entries))
		sizes := make([]int64, len(entries))
		no, err := each(ctx, s.width, len(entries), func(ctx context.Context, i int) (err error) {
			found[i], sizes[i], err = s.listed(ctx, entries[i])
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		for i, r := range found {
			if left -= sizes[i]; no[i] == nil {
				releases = append(releases, r)
			}
			malformed = append(malformed, no[i]...)
		}
		if left < 0 {
			return nil, nil, refused(s.name, rule.StoreIndex, fmt.Sprintf("at most %d bytes of manifests", maxListed),
				"more", "name the release by its digest, or begin a new store")
		}
	}
	slices.SortFunc(releases, Release.compare)
	return releases, malformed, nil
}

// Manifest is what the store says a release is. It hashes to what the digest
// names, and nothing else in it was checked: [Open] does that.
func (s *Store) Manifest(ctx context.Context, release dist.Digest) (Manifest, error) {
	_, m, err := s.manifest(ctx, release)
	return m, err
}

func (r Release) compare(other Release) int {
	if c := strings.Compare(r.Manifest.Project, other.Manifest.Project); c != 0 {
		return c
	}
	a, errA := dist.ParseVersion(r.Manifest.Version)
	b, errB := dist.ParseVersion(other.Manifest.Version)
	if errA == nil && errB == nil && !a.Equal(b) {
		return a.Compare(b)
	}
	return strings.Compare(r.Digest.Hex(), other.Digest.Hex())
}

// maxListed bounds the manifests that are listed at once, in bytes.
const maxListed = 256 << 20

// listed reads the manifest of one entry, and says how large it is.
func (s *Store) listed(ctx context.Context, entry descriptor) (Release, int64, error) {
	name := "release sha256:" + entry.tag()
	raw, err := s.artifact(ctx, entry, maxImage, name)
	if err != nil {
		return Release{}, 0, err
	}
	img, m, err := s.describe(ctx, name, raw)
	return Release{dist.Sum(raw), m}, img.Config.Size, err
}

// manifest reads a release's artifact and the manifest that it points to. It is
// found by its digest, which no tag can change.
func (s *Store) manifest(ctx context.Context, release dist.Digest) (image, Manifest, error) {
	name := "release " + release.String()
	raw, err := s.at.read(ctx, release, maxImage, name)
	if err != nil {
		return image{}, Manifest{}, err
	}
	return s.describe(ctx, name, raw)
}

// describe reads the manifest that a release's artifact points to.
func (s *Store) describe(ctx context.Context, name string, raw []byte) (image, Manifest, error) {
	artifact, err := decodeRelease(name, raw)
	if err != nil {
		return image{}, Manifest{}, err
	}
	name += ": manifest"
	config, err := s.at.read(ctx, artifact.Config.Digest, maxManifest, name)
	if err != nil {
		return image{}, Manifest{}, err
	}
	if want := point(typeManifest, config, ""); artifact.Config != want {
		return image{}, Manifest{}, refused(name, rule.ManifestEncoding, want.words(), artifact.Config.words(),
			"it was not written by distgate")
	}
	m, err := Decode(name, config)
	return artifact, m, err
}

func decodeRelease(name string, raw []byte) (image, error) {
	artifact, err := strict(name, rule.ManifestEncoding, raw, maxImage, image.encode)
	if err == nil && artifact.ArtifactType != typeRelease {
		err = refused(name, rule.ManifestEncoding, "an artifact of type "+typeRelease,
			orNothing(artifact.ArtifactType), "name a release, not a record or a file")
	}
	return artifact, err
}

// release finds a release by its tag, and returns how others point to it.
func (s *Store) release(ctx context.Context, release dist.Digest) (descriptor, error) {
	if release.IsZero() {
		return descriptor{}, errors.New("staging: no release")
	}
	x, err := s.at.index(ctx)
	if err != nil {
		return descriptor{}, err
	}
	entry, ok := x.find(release.Hex())
	if !ok {
		return descriptor{}, refused(release.String(), rule.ReleaseKnown, "a release in the store", "nothing",
			"see `distgate status` for what is there")
	}
	raw, err := s.artifact(ctx, entry, maxImage, "release "+release.String())
	subject := point(typeImage, raw, "")
	subject.ArtifactType = typeRelease
	return subject, err
}

// minPrefix is the number of digits that a digest can be shortened to.
const minPrefix = 8

// Resolve finds the one release that ref names: a version, or a digest or its
// first 8 or more digits, with or without "sha256:". If there is none, or more
// than one, or one that cannot be read, the refusal says what there is.
func (s *Store) Resolve(ctx context.Context, ref string) (dist.Digest, error) {
	if d, err := dist.ParseDigest(ref); err == nil {
		_, err := s.release(ctx, d)
		return d, err
	}
	named, err := s.Named(ctx, ref)
	switch {
	case err != nil:
		return dist.Digest{}, err
	case len(named) > 1:
		return dist.Digest{}, refused(orNothing(ref), rule.ReleaseKnown, "the one release of that name", list(named), "name it by its digest")
	}
	return named[0].Digest, nil
}

// Named finds the releases that ref names, as for [Store.Resolve]: at least one.
func (s *Store) Named(ctx context.Context, ref string) (named []Release, err error) {
	if d, err := dist.ParseDigest(ref); err == nil {
		m, err := s.Manifest(ctx, d)
		return []Release{{d, m}}, err
	}
	releases, malformed, err := s.Releases(ctx)
	if err != nil {
		return nil, err
	}
	if len(malformed) > 0 {
		return nil, append(malformed, rule.Refusal{File: orNothing(ref), Rule: rule.ReleaseKnown,
			Want: "a whole digest, while the store holds what cannot be read: it could be the release that is meant",
			Got:  list(releases), Hint: "restore the store from a copy, or name the release by its whole digest"})
	}
	for _, r := range releases {
		if r.named(ref) {
			named = append(named, r)
		}
	}
	if len(named) == 0 {
		return nil, refused(orNothing(ref), rule.ReleaseKnown, "a release in the store", list(releases),
			"see `distgate status` for what is there")
	}
	return named, nil
}

func (r Release) named(ref string) bool {
	digits := strings.TrimPrefix(ref, "sha256:")
	if len(digits) >= minPrefix && strings.HasPrefix(r.Digest.Hex(), digits) {
		return true
	}
	a, errA := dist.ParseVersion(ref)
	b, errB := dist.ParseVersion(r.Manifest.Version)
	return errA == nil && errB == nil && a.Equal(b)
}

// list names at most ten releases.
func list(releases []Release) string {
	if len(releases) == 0 {
		return "nothing"
	}
	var names []string
	for _, r := range releases[:min(len(releases), 10)] {
		names = append(names, fmt.Sprintf("%s %s %s", r.Manifest.Project, r.Manifest.Version, r.Digest))
	}
	if more := len(releases) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
