package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// onto is a published release that files are added to.
type onto struct {
	staging.Release
	closes     time.Time // when the index takes no more files of it; zero is unknown
	candidates []attest.Candidate
}

// released finds the release that files are to be added to, with all of its bytes:
// those that the store does not have come from the index.
func (p policy) released(ctx context.Context, s Streams, store *staging.Store, ref, index string) (o onto, err error) {
	if o.Release, err = p.receipted(ctx, store, ref, index); err != nil {
		return onto{}, err
	}
	x, err := p.index(index)
	if err != nil {
		return onto{}, err
	}
	version, err := dist.ParseVersion(o.Manifest.Version)
	if err != nil {
		return onto{}, err
	}
	offers, err := publish.Offers(ctx, x, o.Manifest.Project, version)
	if err != nil {
		return onto{}, err
	}
	if err := takeBack(ctx, s, x, store, o.Manifest, offers); err != nil {
		return onto{}, err
	}
	o.closes = x.Closes(offers)
	o.candidates, err = store.Candidates(ctx, o.Digest)
	return o, err
}

// receipted finds the one release that ref names and a receipt says was published
// to the index: what nobody has installed is staged as a whole. Of a release that
// had files added since it is the last.
func (p policy) receipted(ctx context.Context, store *staging.Store, ref, index string) (staging.Release, error) {
	named, err := store.Named(ctx, ref)
	if err != nil {
		return staging.Release{}, err
	}
	var published []staging.Release
	for _, r := range named {
		receipted, err := p.published(ctx, store, r, index)
		if err != nil {
			return staging.Release{}, err
		}
		if receipted && r.Manifest.Index == index {
			published = append(published, r)
		}
	}
	last := slices.DeleteFunc(slices.Clone(published), func(r staging.Release) bool {
		return slices.ContainsFunc(published, func(other staging.Release) bool { return other.Manifest.Origin.Onto == r.Digest.String() })
	})
	if len(last) == 1 {
		return last[0], nil
	}
	return staging.Release{}, rule.Refusals{{File: ref, Rule: rule.OntoPublished,
		Want: "the one release that was published to the index " + index,
		Got:  fmt.Sprintf("%s of that name, %d of them with a receipt and nothing added since", plural(len(named), "release"), len(last)),
		Hint: "stage all runs of a release that nobody has together, with --run for each; name one of several by its digest"}}
}

// takeBack brings the files of a release that the store does not have from the
// index, four at a time.
func takeBack(
	ctx context.Context, s Streams, x *publish.Index, store *staging.Store, m staging.Manifest, offers []publish.Offered,
) error {
	gone := slices.DeleteFunc(slices.Clone(m.Files), func(f staging.File) bool {
		_, err := store.Blobs().File(ctx, f.Digest, f.Size, f.Name)
		return err == nil
	})
	wanted, err := served(x.Name(), gone, offers)
	if err != nil || len(wanted) == 0 {
		return err
	}
	bar := startProgress(s, "downloaded", bytesOf(gone))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	for _, o := range wanted {
		work.Go(func() error { return takeFile(ctx, x, store, o, bar) })
	}
	err = work.Wait()
	bar.finish()
	return err
}

// served picks the files out of what the index offers. What counts is the digest
// that the manifest has of each.
func served(index string, files []staging.File, offers []publish.Offered) (picked []publish.Offered, _ error) {
	var no rule.Refusals
	for _, f := range files {
		i := slices.IndexFunc(offers, func(o publish.Offered) bool { return o.Name == f.Name })
		switch {
		case i < 0:
			no = append(no, rule.Refusal{File: f.Name, Rule: rule.ServedMissing, Want: "the file on " + index + ", for the store does not have it",
				Got: "nothing", Hint: "bring it into the store from a copy; if it was deleted on the index, release another version"})
		case offers[i].Digest != f.Digest:
			no = append(no, rule.Refusal{File: f.Name, Rule: rule.ServedBytes, Want: f.Digest.String() + ", as it was published",
				Got: offers[i].Digest.String() + ", as " + index + " lists it", Hint: "what is published was changed: see `distgate reconcile`"})
		default:
			offers[i].Size = f.Size
			picked = append(picked, offers[i])
		}
	}
	return picked, no.Err()
}

// takeFile downloads one file into the store.
func takeFile(ctx context.Context, x *publish.Index, store *staging.Store, o publish.Offered, bar *progress) error {
	temp, err := os.CreateTemp("", "distgate-")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(temp.Close(), os.Remove(temp.Name())) }()
	if _, err := x.Download(ctx, o, func() (io.Writer, error) {
		_, err := temp.Seek(0, io.SeekStart)
		return bar.writer(temp), errors.Join(err, temp.Truncate(0))
	}); err != nil {
		return err
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = store.Blobs().Put(ctx, temp, o.Name, o.Size)
	return err
}

// join adds what is published to what is new. A published file stays as it is.
func (o onto) join(added []attest.Candidate) []attest.Candidate {
	fresh := map[string]dist.Digest{}
	for _, c := range added {
		fresh[c.File.Name()] = c.File.Digest()
	}
	var no rule.Refusals
	all := slices.Clone(o.candidates)
	for _, c := range o.candidates {
		if d, ok := fresh[c.File.Name()]; ok && d != c.File.Digest() {
			no = append(no, rule.Refusal{File: c.File.Name(), Rule: rule.OntoReplaced, Want: c.File.Digest().String() + ", as it was published",
				Got: d.String(), Hint: "an index takes a file once: leave this one out of the run, or release another version"})
		}
	}
	if len(no) > 0 {
		all = append(all, attest.Candidate{Refused: no})
	}
	for _, c := range added {
		if !slices.ContainsFunc(o.candidates, func(old attest.Candidate) bool { return !c.File.IsZero() && old.File.Name() == c.File.Name() }) {
			all = append(all, c)
		}
	}
	return all
}

// before is the release that a manifest says its files were added to, and none
// where it says so of none. Whoever writes to the store writes that too; that it
// was published only the publisher says.
func (p policy) before(ctx context.Context, store *staging.Store, m staging.Manifest, index string) (old staging.Release, err error) {
	if m.Origin.Onto == "" {
		return old, nil
	}
	if old.Digest, err = dist.ParseDigest(m.Origin.Onto); err != nil {
		return old, err
	}
	if old.Manifest, err = store.Manifest(ctx, old.Digest); err != nil {
		return old, err
	}
	published, err := p.published(ctx, store, old, index)
	if err != nil {
		return old, err
	}
	if was := old.Manifest; !published || was.Index != m.Index || was.Project != m.Project || was.Version != m.Version {
		return old, rule.Refusals{{File: "release " + short(old.Digest), Rule: rule.OntoPublished,
			Want: fmt.Sprintf("%s %s with a receipt of the publisher for the index %s, since files are said to be added to it", m.Project, m.Version, index),
			Got:  fmt.Sprintf("%s %s with no such receipt", was.Project, was.Version),
			Hint: "find out who wrote this release into the store, and stage its runs anew"}}
	}
	return old, nil
}

// showAdded says which files a published release does not have yet.
func (r release) showAdded(p printer) {
	if r.before.Digest.IsZero() {
		return
	}
	p.field("added to", r.before.Digest.String())
	none := true
	for _, f := range r.staged.Manifest().Files {
		if !slices.ContainsFunc(r.before.Manifest.Files, func(old staging.File) bool { return old.Name == f.Name && old.Digest == f.Digest }) {
			p.field("added", f.Name)
			none = false
		}
	}
	if none {
		p.field("added", "no file: the release has all of them already")
	}
}
