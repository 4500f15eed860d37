package command

import (
	"bytes"
	"cmp"
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
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// former is the voting policy of the release that was published last, if today's
// policy decides otherwise: other people, numbers, roots, indexes or identities.
// Whoever changes those must have the votes of those who decided before. A release
// that nobody knows has no former policy; the review says so as a gap.
func (r release) former(ctx context.Context, was policyThen) (*approval.Policy, error) {
	if was.from == nil {
		return nil, nil
	}
	name := filepath.Base(r.policy.file)
	differences, err := comparePolicies(name, was.files, r.policy.files)
	if err != nil || !slices.ContainsFunc(differences, func(d approval.Difference) bool { return was.isFile(d.Field) || decides(d) }) {
		return nil, err
	}
	before, err := policyBefore(ctx, name, was.from)
	if refused := (rule.Refusals)(nil); errors.As(err, &refused) {
		return nil, fmt.Errorf("the policy of %s, which was published last and whose people must vote on this change, "+
			"cannot be read: %w", cmp.Or(was.version, "commit "+was.commit), errors.New(refused.Error()))
	}
	if err != nil || r.policy.approval.Rehearsal && !before.releasesTo(r.policy.address(r.index)) {
		return nil, err
	}
	return &before.approval, nil
}

// policyThen is the policy under which a release was published: one of the store,
// or one of a commit.
type policyThen struct {
	release  dist.Digest
	version  string
	believed bool   // its receipt is
	commit   string // where the index alone knows of the release
	released []staging.File
	files    []staging.PolicyFile
	from     policySource // nil where no release is known
}

// isFile tells a file that the policy names from a key of distgate.toml.
func (was policyThen) isFile(field string) bool {
	return slices.ContainsFunc(was.files, func(f staging.PolicyFile) bool { return f.Name == field })
}

func (was policyThen) has(file dist.Digest) bool {
	return slices.ContainsFunc(was.released, func(f staging.File) bool { return f.Digest == file })
}

// policyThen asks the store and the index, which knows what was last. Which store it
// is says the policy, and an older copy of one knows of no later release; what the
// index serves has provenance, which names the commit, and the commit has the
// policy.
func (r release) policyThen(ctx context.Context, s Streams, witness publish.Witness) (policyThen, error) {
	stored, err := r.policyStored(ctx)
	if err != nil {
		return stored, err
	}
	served, err := r.policyServed(ctx, s, witness, stored)
	if err != nil || served.from != nil {
		return served, err
	}
	return stored, nil
}

// policyStored is the policy of the release that the store says was the last.
func (r release) policyStored(ctx context.Context) (policyThen, error) {
	last, err := r.last(ctx)
	if err != nil || last.Digest.IsZero() {
		return policyThen{}, err
	}
	files, err := r.store.PolicyFiles(ctx, last.Manifest)
	return policyThen{release: last.Digest, version: last.Manifest.Version, believed: last.Believed,
		released: last.Manifest.Files, files: files, from: among(files)}, err
}

// policyServed is the policy at the commit that the index's provenance names, if what
// it has last is not what the store has last. Of a release that was published before its
// repository had a policy, there is none.
func (r release) policyServed(ctx context.Context, s Streams, witness publish.Witness, stored policyThen) (policyThen, error) {
	last, err := witness.LastCommit(ctx, r.staged.Manifest().Project)
	if err != nil || last.SHA == "" {
		return policyThen{}, err
	}
	from, err := r.policy.at(ctx, s, last.SHA)
	if err != nil {
		return policyThen{}, fmt.Errorf("the commit from which the last release was published: %w", err)
	}
	if stored.believed && stored.has(last.File) {
		if is, err := r.samePolicy(ctx, stored, from); is || err != nil {
			return policyThen{}, err
		}
	}
	was := policyThen{commit: last.SHA}
	for _, f := range r.policy.files {
		if slices.Contains(r.policy.fetched, f.Name) {
			was.files = append(was.files, f) // by TUF, from no commit
			continue
		}
		raw, err := from(ctx, f.Name)
		switch {
		case err == nil:
			was.files = append(was.files, staging.PolicyFile{Name: f.Name, Raw: raw})
		case !errors.Is(err, fs.ErrNotExist):
			return policyThen{}, err
		case f.Name == filepath.Base(r.policy.file):
			return policyThen{}, nil
		}
	}
	was.from = from
	return was, nil
}

// samePolicy tells whether the policy that the store has of a release is the one at the
// commit that the index's provenance names. Who signed the receipt in the store is judged
// by today's roots, and those can have come with the very change that is asked about.
func (r release) samePolicy(ctx context.Context, stored policyThen, from policySource) (bool, error) {
	if !stored.isFile(filepath.Base(r.policy.file)) {
		return false, nil
	}
	for _, f := range stored.files {
		if slices.Contains(r.policy.fetched, f.Name) {
			continue // by TUF, from no commit
		}
		raw, err := from(ctx, f.Name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(raw, f.Raw) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// among reads a policy that was stored with a release.
func among(files []staging.PolicyFile) policySource {
	return func(_ context.Context, wanted string) ([]byte, error) {
		for _, f := range files {
			if f.Name == wanted {
				return f.Raw, nil
			}
		}
		return nil, fs.ErrNotExist
	}
}

// last is the release before this one that people decided on. A rehearsal, which
// asks nobody, is none.
func (r release) last(ctx context.Context) (publish.Last, error) { return r.lastOf(ctx, r.decided) }

// lastOf is the last release before this one that counts.
func (r release) lastOf(ctx context.Context, counts func(context.Context, staging.Release) (bool, error)) (publish.Last, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return publish.Last{}, err
	}
	own := staging.Release{Digest: r.staged.Digest(), Manifest: r.staged.Manifest()}
	return publish.LastPublished(ctx, r.store, own, publisher, r.policy.verifier, counts)
}

// decided tells whether people were asked about a release, by the policy that it
// was staged under. One that cannot be read says nothing against that.
func (r release) decided(ctx context.Context, other staging.Release) (bool, error) {
	files, err := r.store.PolicyFiles(ctx, other.Manifest)
	if err != nil {
		return false, err
	}
	before, err := policyBefore(ctx, filepath.Base(r.policy.file), among(files))
	return err != nil || before.table.Index[other.Manifest.Index].Votes == nil, nil
}

// releasesTo tells whether people decide on what goes to the index. Its host can be
// spelled in several ways; the audience is what the index itself asks for.
func (p policy) releasesTo(index publish.Address) bool {
	for name, t := range p.table.Index {
		if t.Votes == nil && sameIndex(p.address(name), index) {
			return true
		}
	}
	return false
}

func sameIndex(a, b publish.Address) bool {
	return a.Audience == b.Audience || hostOf(a.Upload) == hostOf(b.Upload)
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
	return !slices.ContainsFunc([]string{"files.", "series.", "build.artifacts", "build.leave-out"},
		func(prefix string) bool { return strings.HasPrefix(d.Field, prefix) })
}

// policyBefore reads who decided on releases, and on which, out of a policy.
func policyBefore(ctx context.Context, name string, from policySource) (policy, error) {
	p := policy{file: name, from: from}
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
