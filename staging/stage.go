package staging

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Stage makes a release of everything in a verdict, and of nothing less: one
// refusal refuses all. The files' bytes must be in the store already. The same
// files under the same policy give the same release digest, whenever and in
// whatever order they came; a release that is there already is left as it is.
// What is inside the files is not judged yet: [Open] does that, each time.
func Stage(ctx context.Context, s *Store, p Policy, v attest.Verdict) (Release, error) {
	return StageFrom(ctx, s, p, v, Origin{})
}

// StageFrom is [Stage] for files that came by a way that the manifest is to tell.
func StageFrom(ctx context.Context, s *Store, p Policy, v attest.Verdict, from Origin) (Release, error) {
	if s == nil {
		return Release{}, errors.New("staging: no store")
	}
	if err := p.check(); err != nil {
		return Release{}, err
	}
	if !v.By(p.Build) {
		return Release{}, errors.New("staging: the files were verified under another policy than they are staged under")
	}
	if err := v.Err(); err != nil {
		return Release{}, err
	}
	a, err := newArtifact(ctx, p, v.Verified(), from, nil)
	if err != nil {
		return Release{}, err
	}
	if err := s.hold(a.files); err != nil {
		return Release{}, err
	}
	if err := s.put(ctx, a); err != nil {
		return Release{}, err
	}
	return Release{Digest: a.release, Manifest: a.manifest}, nil
}

// hold demands that the bytes of every file are in the store. They were hashed
// when they entered it and will be when the release is opened.
func (s *Store) hold(files []attest.Verified) error {
	var no rule.Refusals
	for _, f := range files {
		r, err := s.blobs.ReaderAt(f.File())
		var refused rule.Refusals
		if errors.As(err, &refused) {
			no = append(no, refused...)
			continue
		}
		if err != nil {
			return err
		}
		r.Close()
	}
	return no.Err()
}

// put enters an artifact under its own digest.
func (s *Store) put(ctx context.Context, a artifact) error {
	t := tagged{tag: a.release.Hex(), kind: typeRelease, raw: a.image, blobs: append(a.parts, a.config)}
	for _, f := range a.files {
		t.files = append(t.files, f.File())
	}
	return s.at.enter(ctx, t)
}

// artifact is a release as it is stored, worked out from proofs alone.
type artifact struct {
	release  dist.Digest
	manifest Manifest
	config   []byte   // the manifest's encoding
	image    []byte   // the OCI manifest's, which the release digest is of
	parts    [][]byte // the bytes of every bundle and policy file
	files    []attest.Verified
}

// newArtifact judges the files as one release and works out its artifact. What
// was known of the upstream says where to look for that first.
func newArtifact(ctx context.Context, p Policy, files []attest.Verified, from Origin, known *Upstream) (artifact, error) {
	slices.SortFunc(files, func(a, b attest.Verified) int {
		return strings.Compare(a.File().Name(), b.File().Name())
	})
	m, err := newManifest(ctx, p, files, from, known)
	if err != nil {
		return artifact{}, err
	}
	config, err := m.Encode()
	if err != nil {
		return artifact{}, err
	}
	a := artifact{manifest: m, config: config, files: files}
	img := newImage(typeRelease, point(typeManifest, config, ""))
	for _, f := range m.Files {
		img.Layers = append(img.Layers, f.layer())
	}
	for _, b := range distinct(files) {
		img.Layers = append(img.Layers, point(typeBundle, b.Raw(), bundleTitle(b.Digest())))
		a.parts = append(a.parts, b.Raw())
	}
	for _, f := range p.sorted() {
		img.Layers = append(img.Layers, point(typePolicy, f.Raw, "policy/"+f.Name))
		a.parts = append(a.parts, f.Raw)
	}
	a.image, err = img.encode()
	a.release = dist.Sum(a.image)
	return a, err
}

func (f File) layer() descriptor {
	types := map[dist.Kind]string{dist.Wheel: typeWheel, dist.Sdist: typeSdist}
	return descriptor{MediaType: types[f.Kind], Digest: f.Digest, Size: f.Size, Annotations: annotations{Title: f.Name}}
}

func bundleTitle(bundle dist.Digest) string { return "bundles/" + bundle.Hex() + ".json" }

// distinct are the bundles of all files, by digest: one bundle can speak of many.
func distinct(files []attest.Verified) (bundles []attest.Bundle) {
	for _, f := range files {
		bundles = append(bundles, f.Bundles()...)
	}
	slices.SortFunc(bundles, func(a, b attest.Bundle) int { return compare(a.Digest(), b.Digest()) })
	return slices.CompactFunc(bundles, func(a, b attest.Bundle) bool { return a.Digest() == b.Digest() })
}

// newManifest says what the proofs prove, if the files are one release.
func newManifest(ctx context.Context, p Policy, files []attest.Verified, from Origin, known *Upstream) (Manifest, error) {
	members, err := judge(p, files)
	if err != nil {
		return Manifest{}, err
	}
	build := builtBy(members[0])
	source := build.Source
	if source.Upstream, err = p.Source.ask(ctx, members[0].name.Version, build, known); err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		Project: p.Project, Version: members[0].name.Version.String(), Index: p.Index, Environment: p.Environment,
		Source: source,
		Hosted: p.Build.Hosted, LeftOut: slices.Clone(p.LeaveOut), Origin: from.sorted(), Policy: p.lock(),
	}
	roots := map[dist.Digest]bool{}
	for i, f := range files {
		d := f.File()
		m.Files = append(m.Files, File{d.Name(), members[i].name.Kind, d.Digest(), d.Size(), f.Info().Metadata.Digest(), f.Evidence()})
		for _, e := range f.Evidence() {
			roots[e.Root] = true
		}
	}
	m.Roots = slices.SortedFunc(maps.Keys(roots), compare)
	return m, nil
}
