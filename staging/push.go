package staging

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/cenkalti/backoff/v5"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// upload is a blob on its way into a registry.
type upload struct {
	digest dist.Digest
	size   int64
	file   string // its name, if it is a distribution; it is large then, and read back by nobody
	open   func() (io.Reader, error)
}

func (r *registry) uploads(t tagged) (list []upload) {
	for _, raw := range t.blobs {
		list = append(list, upload{dist.Sum(raw), int64(len(raw)), "",
			func() (io.Reader, error) { return bytes.NewReader(raw), nil }})
	}
	for _, f := range t.files {
		list = append(list, upload{f.Digest(), f.Size(), f.Name(),
			func() (io.Reader, error) { return r.blobs.Reader(f.Digest(), f.Size(), f.Name()) }})
	}
	return list
}

func (u upload) descriptor() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: "application/octet-stream", Digest: digest.Digest(u.digest.String()), Size: u.size}
}

// enter pushes what the artifact points to, then the artifact under its tag, and
// then reads back what it pushed: an answer that says "created" proves nothing.
// What is refused on the way is tried again: a registry can take a moment until
// it finds what it took, above all while others push the same blobs.
func (r *registry) enter(ctx context.Context, t tagged) error {
	t, err := r.shaped(t)
	if err != nil {
		return err
	}
	uploads := r.uploads(t)
	return r.settled(ctx, func() error {
		if err := r.all(ctx, uploads, r.push); err != nil {
			return err
		}
		pushed := r.tag(ctx, t)
		found := r.found(ctx, t, uploads)
		if found != nil && pushed != nil {
			return pushed
		}
		return found // whatever was answered, if all of it is there
	})
}

// writable pushes the two bytes that every record points to, and reads them back. A
// registry that has them takes them again.
func (r *registry) writable(ctx context.Context) error {
	raw := []byte("{}")
	u := upload{digest: dist.Sum(raw), size: int64(len(raw))}
	return r.settled(ctx, func() error {
		if err := r.again(ctx, r.patience, func(ctx context.Context) error {
			return r.repo.Blobs().Push(ctx, u.descriptor(), bytes.NewReader(raw))
		}); err != nil {
			return err
		}
		return r.confirm(ctx, u)
	})
}

// found reads everything back.
func (r *registry) found(ctx context.Context, t tagged, uploads []upload) error {
	if err := r.kept(ctx, t); err != nil {
		return err
	}
	if err := r.all(ctx, uploads, r.confirm); err != nil {
		return err
	}
	return r.listed(ctx, t.tag)
}

// shaped is the artifact as a registry takes it: see [holding].
func (r *registry) shaped(t tagged) (tagged, error) {
	if t.kind != typeRelease || !r.files {
		t.files = nil
	}
	if t.kind != typeRelease {
		return t, nil
	}
	outside, err := holding("release sha256:"+t.tag, t.raw, r.files)
	t.raw, t.blobs = outside, append(t.blobs, t.raw)
	return t, err
}

func (r *registry) all(ctx context.Context, uploads []upload, do func(context.Context, upload) error) error {
	no, err := each(ctx, registryWidth, len(uploads), func(ctx context.Context, i int) error { return do(ctx, uploads[i]) })
	if err != nil {
		return err
	}
	return refusals(no)
}

// push uploads a blob that is not there. An upload whose answer was lost may have
// succeeded: before another try it is asked for.
func (r *registry) push(ctx context.Context, u upload) error {
	if there, err := r.has(ctx, u); there || err != nil {
		return err
	}
	tried := false
	return r.again(ctx, transferTime(u.size), func(ctx context.Context) error {
		if tried {
			if there, err := r.repo.Blobs().Exists(ctx, u.descriptor()); there || err != nil {
				return err
			}
		}
		tried = true
		content, err := u.open()
		if err != nil {
			return err
		}
		if c, ok := content.(io.Closer); ok {
			defer c.Close()
		}
		return r.repo.Blobs().Push(ctx, u.descriptor(), content)
	})
}

func (r *registry) has(ctx context.Context, u upload) (there bool, err error) {
	err = r.again(ctx, r.patience, func(ctx context.Context) (err error) {
		there, err = r.repo.Blobs().Exists(ctx, u.descriptor())
		return err
	})
	return there, err
}

// tag puts the artifact under its tag, if nothing is there.
func (r *registry) tag(ctx context.Context, t tagged) error {
	old, err := r.manifest(ctx, t.tag, maxImage, t.tag)
	switch {
	case err == nil && bytes.Equal(old, t.raw):
		return nil
	case err == nil:
		return backoff.Permanent(tagElsewhere(r.address, t.tag, dist.Sum(old)))
	case !errors.Is(err, errdef.ErrNotFound):
		return err
	}
	artifact := upload{digest: dist.Sum(t.raw), size: int64(len(t.raw))}.descriptor()
	artifact.MediaType = typeImage
	err = r.again(ctx, r.patience, func(ctx context.Context) error {
		return r.repo.PushReference(ctx, artifact, bytes.NewReader(t.raw), t.tag)
	})
	if said(err, errcode.ErrorCodeManifestBlobUnknown) {
		return r.lost("what was pushed to it", err.Error())
	}
	return err
}

// kept demands that the tag leads to what was pushed.
func (r *registry) kept(ctx context.Context, t tagged) error {
	raw, err := r.manifest(ctx, t.tag, maxImage, t.tag)
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return r.lost("the tag "+t.tag, "nothing under it")
	case err == nil && !bytes.Equal(raw, t.raw):
		return r.lost("the tag "+t.tag+" at "+dist.Sum(t.raw).String(), dist.Sum(raw).String())
	}
	return err
}

// confirm reads a blob back, or asks whether a distribution is there: that one
// is hashed whenever somebody opens the release.
func (r *registry) confirm(ctx context.Context, u upload) error {
	if u.file == "" {
		_, err := r.read(ctx, u.digest, u.size, "blob "+u.digest.String())
		return err
	}
	there, err := r.has(ctx, u)
	if err == nil && !there {
		err = r.lost(u.file+" as "+u.digest.String(), "nothing")
	}
	return err
}

// listed demands that others will find the tag.
func (r *registry) listed(ctx context.Context, tag string) error {
	x, err := r.index(ctx)
	if err != nil {
		return err
	}
	if _, ok := x.find(tag); !ok {
		return r.lost("the tag "+tag+" among the repository's tags", "a list without it")
	}
	return nil
}

func (r *registry) lost(want, got string) error {
	return refused(r.address, rule.StoreKept, want, got,
		"the registry does not keep what it takes; run the same command again, and if that does not help use another")
}
