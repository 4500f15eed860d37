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

// Release is a release as the store lists it. The manifest hashes to what the
// digest names, and nothing else in it was checked: [Open] does that.
type Release struct {
	Digest   dist.Digest
	Manifest Manifest
}

// Releases lists what is in the store, by project, version and digest. What is
// tagged as a release and cannot be read as one is returned as malformed and
// hides no other.
func (s *Store) Releases(ctx context.Context) (releases []Release, malformed rule.Refusals, err error) {
	x, err := s.index()
	if err != nil {
		return nil, nil, err
	}
	left := int64(maxListed)
	for _, entry := range x.Manifests {
		tagged, err := dist.ParseDigest("sha256:" + entry.tag())
		if err != nil {
			continue
		}
		r, size, err := s.listed(tagged, entry)
		if left -= size; left < 0 {
			return nil, nil, refused(indexFile, rule.StoreIndex, fmt.Sprintf("at most %d bytes of manifests", maxListed),
				"more", "name the release by its digest, or begin a new store")
		}
		var no rule.Refusals
		switch {
		case errors.As(err, &no):
			malformed = append(malformed, no...)
		case err != nil || ctx.Err() != nil:
			return nil, nil, errors.Join(err, ctx.Err())
		default:
			releases = append(releases, r)
		}
	}
	slices.SortFunc(releases, Release.compare)
	return releases, malformed, nil
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
func (s *Store) listed(release dist.Digest, entry descriptor) (Release, int64, error) {
	if entry.Digest != release {
		return Release{}, 0, tagElsewhere(entry.tag(), release, entry.Digest)
	}
	artifact, m, err := s.manifest(release)
	return Release{release, m}, artifact.Config.Size, err
}

// manifest reads a release's artifact and the manifest that it points to.
func (s *Store) manifest(release dist.Digest) (image, Manifest, error) {
	name := "release " + release.String()
	raw, err := s.blobs.Read(release, maxImage, name)
	if err != nil {
		return image{}, Manifest{}, err
	}
	artifact, err := strict(name, rule.ManifestEncoding, raw, maxImage, image.encode)
	if err != nil {
		return image{}, Manifest{}, err
	}
	if artifact.ArtifactType != typeRelease {
		return image{}, Manifest{}, refused(name, rule.ManifestEncoding, "an artifact of type "+typeRelease,
			orNothing(artifact.ArtifactType), "name a release, not a record or a file")
	}
	name += ": manifest"
	config, err := s.blobs.Read(artifact.Config.Digest, maxManifest, name)
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

// release finds the entry of a release in the index, as others point to it.
func (s *Store) release(release dist.Digest) (descriptor, error) {
	if release.IsZero() {
		return descriptor{}, errors.New("staging: no release")
	}
	x, err := s.index()
	if err != nil {
		return descriptor{}, err
	}
	entry, ok := x.find(release.Hex())
	if !ok {
		return descriptor{}, refused(release.String(), rule.ReleaseKnown, "a release in the store", "nothing",
			"see `distgate status` for what is there")
	}
	if entry.Digest != release {
		return descriptor{}, tagElsewhere(entry.tag(), release, entry.Digest)
	}
	entry.Annotations.Tag = ""
	return entry, nil
}

// minPrefix is the number of digits that a digest can be shortened to.
const minPrefix = 8

// Resolve finds the one release that ref names: a version, or a digest or its
// first 8 or more digits, with or without "sha256:". If there is none, or more
// than one, the refusal says what there is.
func (s *Store) Resolve(ctx context.Context, ref string) (dist.Digest, error) {
	if d, err := dist.ParseDigest(ref); err == nil {
		_, err := s.release(d)
		return d, err
	}
	releases, _, err := s.Releases(ctx)
	if err != nil {
		return dist.Digest{}, err
	}
	var named []Release
	for _, r := range releases {
		if r.named(ref) {
			named = append(named, r)
		}
	}
	if len(named) == 1 {
		return named[0].Digest, nil
	}
	want, hint := "the one release of that name", "name it by its digest"
	if len(named) == 0 {
		named, want, hint = releases, "a release in the store", "see `distgate status` for what is there"
	}
	return dist.Digest{}, refused(orNothing(ref), rule.ReleaseKnown, want, list(named), hint)
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
