package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Staged is the proof that, in this process, every file of a release was
// hashed and verified, and that together they have this release digest. Only
// [Stage] and [Open] make one.
type Staged struct {
	release  dist.Digest
	manifest Manifest
	files    []attest.Verified
	blobs    *blob.Store
}

// IsZero tells whether s proves nothing.
func (s Staged) IsZero() bool { return s.release.IsZero() }

// Digest is the release digest: what is approved.
func (s Staged) Digest() dist.Digest { return s.release }

// Manifest is what the release digest stands for.
func (s Staged) Manifest() Manifest { return s.manifest.clone() }

// Files are the distributions with what was proven of each, by name.
func (s Staged) Files() []attest.Verified { return slices.Clone(s.files) }

// Reader opens a distribution of the release by its name. The bytes are hashed
// once more on their way, and the last of them are withheld if they are not
// those that were staged.
func (s Staged) Reader(name string) (io.ReadCloser, error) {
	for _, f := range s.files {
		if f.File().Name() == name {
			return s.blobs.Reader(f.File().Digest(), f.File().Size(), name)
		}
	}
	return nil, fmt.Errorf("%s is not in release %s", name, s.release)
}

// Stage makes a release of everything in a verdict, and of nothing less: one
// refusal refuses all. The files' bytes must be in the store already. The same
// files under the same policy give the same release digest, whenever and in
// whatever order they came; a release that is there already is left as it is.
func Stage(ctx context.Context, s *Store, p Policy, v attest.Verdict) (Staged, error) {
	return StageFrom(ctx, s, p, v, Origin{})
}

// StageFrom is [Stage] for files that came by a way that the manifest is to tell.
func StageFrom(ctx context.Context, s *Store, p Policy, v attest.Verdict, from Origin) (Staged, error) {
	if s == nil {
		return Staged{}, errors.New("staging: no store")
	}
	if err := p.check(); err != nil {
		return Staged{}, err
	}
	if !v.By(p.Build) {
		return Staged{}, errors.New("staging: the files were verified under another policy than they are staged under")
	}
	if err := v.Err(); err != nil {
		return Staged{}, err
	}
	a, err := newArtifact(ctx, p, v.Verified(), from, nil)
	if err != nil {
		return Staged{}, err
	}
	if err := s.hold(a.files); err != nil {
		return Staged{}, err
	}
	if err := s.put(ctx, a); err != nil {
		return Staged{}, err
	}
	return a.staged(s), nil
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

func (a artifact) staged(s *Store) Staged {
	return Staged{release: a.release, manifest: a.manifest, files: a.files, blobs: s.blobs}
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
