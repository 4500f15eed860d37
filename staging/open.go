package staging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Staged is the proof that, in this process, every file of a release was hashed,
// verified and read to its end, and that together they have this release digest.
// Only [Open] makes one.
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

// Open proves a release again from the store, the policy of today and the
// verifier's roots: it hashes every blob, reads every file to its end
// ([dist.Examine]), verifies every bundle, asks again for the source, makes
// manifest and artifact anew from that, and demands the release digest that was
// asked for. A policy that changed since the release was staged is refused.
func Open(ctx context.Context, s *Store, release dist.Digest, p Policy, v *attest.Verifier) (Staged, error) {
	if s == nil || release.IsZero() || v == nil {
		return Staged{}, errors.New("staging: no store, release or verifier")
	}
	if err := p.check(); err != nil {
		return Staged{}, err
	}
	_, m, err := s.manifest(ctx, release)
	if err != nil {
		return Staged{}, err
	}
	if err := samePolicy(m.Policy, p.lock()); err != nil {
		return Staged{}, err
	}
	candidates, err := s.candidates(ctx, m)
	if err != nil {
		return Staged{}, err
	}
	verdict, err := v.Verify(ctx, p.Build, candidates)
	if err != nil {
		return Staged{}, err
	}
	if err := verdict.Err(); err != nil {
		return Staged{}, err
	}
	a, err := newArtifact(ctx, p, verdict.Verified(), m.Origin, m.Source.Upstream)
	if err != nil {
		return Staged{}, err
	}
	if a.release != release {
		return Staged{}, another(release, m, a)
	}
	return Staged{release: a.release, manifest: a.manifest, files: a.files, blobs: s.blobs}, nil
}

// samePolicy refuses every file of the policy that changed, came or went.
func samePolicy(staged, today PolicyLock) error {
	digests := map[string][2]string{}
	for i, lock := range []PolicyLock{staged, today} {
		for _, f := range lock.Files {
			pair := digests[f.Name]
			pair[i] = f.Digest.String()
			digests[f.Name] = pair
		}
	}
	var no rule.Refusals
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		if pair := digests[name]; pair[0] != pair[1] {
			no = append(no, rule.Refusal{File: name, Rule: rule.PolicySame,
				Want: "as it was staged, " + orNothing(pair[0]), Got: orNothing(pair[1]),
				Hint: "the policy changed; stage the files again under it, and let that be approved"})
		}
	}
	return no.Err()
}

// Candidates reads a release back as what it was before it was verified: every
// file with its bundles, hashed again. Nothing of it is proven, and whoever wants
// it in a release must have it verified again.
func (s *Store) Candidates(ctx context.Context, release dist.Digest) ([]attest.Candidate, error) {
	_, m, err := s.manifest(ctx, release)
	if err != nil {
		return nil, err
	}
	return s.candidates(ctx, m)
}

// candidates reads back everything that the manifest names. All that is
// missing or damaged is refused at once.
func (s *Store) candidates(ctx context.Context, m Manifest) ([]attest.Candidate, error) {
	var jobs []func(context.Context) error
	list := make([]attest.Candidate, len(m.Files))
	for i, f := range m.Files {
		jobs = append(jobs, func(ctx context.Context) (err error) {
			list[i], err = s.candidate(ctx, f)
			return err
		})
	}
	digests := m.bundles()
	bundles := make([][]attest.Bundle, len(digests))
	for i, d := range digests {
		jobs = append(jobs, func(ctx context.Context) (err error) {
			bundles[i], err = s.bundle(ctx, d)
			return err
		})
	}
	for _, f := range m.Policy.Files {
		jobs = append(jobs, func(ctx context.Context) error {
			_, err := s.at.read(ctx, f.Digest, maxPolicyFile, "policy/"+f.Name)
			return err
		})
	}
	if err := parallel(ctx, s.width, jobs); err != nil {
		return nil, err
	}
	for i, f := range m.Files {
		for _, e := range f.Evidence {
			at, _ := slices.BinarySearchFunc(digests, e.Bundle, compare)
			list[i].Bundles = append(list[i].Bundles, bundles[at]...)
		}
	}
	return list, nil
}

// candidate hashes a file again and opens it again.
func (s *Store) candidate(ctx context.Context, f File) (attest.Candidate, error) {
	file, err := s.at.file(ctx, f)
	if err != nil {
		return attest.Candidate{}, err
	}
	r, err := s.blobs.ReaderAt(file)
	if err != nil {
		return attest.Candidate{}, err
	}
	defer r.Close()
	info, err := dist.Examine(r, file)
	return attest.Candidate{File: file, Info: info}, err
}

func (s *Store) bundle(ctx context.Context, d dist.Digest) ([]attest.Bundle, error) {
	name := bundleTitle(d)
	raw, err := s.at.read(ctx, d, attest.MaxBundleFile, name)
	if err != nil {
		return nil, err
	}
	return attest.ParseBundles(name, bytes.NewReader(raw))
}

// bundles are the bundles that the evidence is from, sorted, each once.
func (m Manifest) bundles() (digests []dist.Digest) {
	for _, f := range m.Files {
		for _, e := range f.Evidence {
			digests = append(digests, e.Bundle)
		}
	}
	slices.SortFunc(digests, compare)
	return slices.Compact(digests)
}

func compare(a, b dist.Digest) int { return bytes.Compare(a[:], b[:]) }

// parallel runs the jobs, so many at once. What they refuse is collected, in
// their order; any other error ends them all.
func parallel(ctx context.Context, width int, jobs []func(context.Context) error) error {
	no, err := each(ctx, width, len(jobs), func(ctx context.Context, i int) error { return jobs[i](ctx) })
	if err != nil {
		return err
	}
	return refusals(no)
}

func refusals(no []rule.Refusals) error { return rule.Refusals(slices.Concat(no...)).Err() }

// each does something n times, so often at once, and returns what was refused
// each time. Any other error ends all.
func each(ctx context.Context, width, n int, do func(ctx context.Context, i int) error) ([]rule.Refusals, error) {
	no := make([]rule.Refusals, n)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(width)
	for i := range n {
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := do(ctx, i)
			if errors.As(err, &no[i]) {
				return nil
			}
			return err
		})
	}
	return no, work.Wait()
}

// another says where the release that was asked for and the one that was
// proven part: in the first line of their manifests that differs.
func another(release dist.Digest, m Manifest, a artifact) error {
	want, got := release.String(), a.release.String()
	staged, err := m.Encode()
	if err != nil {
		return err
	}
	was, is := bytes.Split(staged, []byte("\n")), bytes.Split(a.config, []byte("\n"))
	for i := range min(len(was), len(is)) {
		if !bytes.Equal(was[i], is[i]) {
			want += ": " + string(bytes.TrimSpace(was[i]))
			got += ": " + string(bytes.TrimSpace(is[i]))
			break
		}
	}
	return refused(release.String(), rule.ReleaseSame, want, got,
		"stage the files again, and let the new release digest be approved")
}
