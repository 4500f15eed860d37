package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

// maxEarlierSdist is how large an earlier sdist may be to be compared, in bytes. It
// has no directory, so that all of it is downloaded.
const maxEarlierSdist = 200 << 20

// sdist compares what is in two sdists.
func (c comparing) sdist(ctx context.Context, m match, r *compared) {
	was, then, err := c.index.earlierSdist(ctx, *m.theirs)
	if err != nil {
		r.gap("what changed in the sdist", err)
		return
	}
	at, err := c.blobs.ReaderAt(m.ours.File())
	if err != nil {
		r.gap("what changed in the staged sdist", err)
		return
	}
	defer at.Close()
	now, err := sdistContents(at, m.ours.File())
	if err != nil {
		r.gap("what changed in the staged sdist", err)
		return
	}
	r.sdist = true
	r.compare(was, now)
	for i := range r.members {
		r.members[i].Sdist = true
	}
	if c.sdistAlone {
		r.metadata = compareMetadata(then, m.ours.Info().Metadata)
	}
}

// earlierSdist downloads an sdist of the index into a file, which is gone
// afterwards, and reads what is in it. The digest must be the one that the index
// lists.
func (x *Index) earlierSdist(ctx context.Context, s served) (found map[string]content, m dist.Metadata, err error) {
	if s.size != nil && *s.size > maxEarlierSdist {
		return nil, m, fmt.Errorf("the earlier one has %d bytes, and at most %d are read", *s.size, maxEarlierSdist)
	}
	to, err := os.CreateTemp("", "distgate-sdist-*")
	if err != nil {
		return nil, m, err
	}
	defer func() { err = errors.Join(err, to.Close(), os.Remove(to.Name())) }()
	f, err := again(ctx, briefly(), func() (dist.File, error) {
		if _, err := to.Seek(0, io.SeekStart); err != nil {
			return dist.File{}, err
		}
		if err := to.Truncate(0); err != nil {
			return dist.File{}, err
		}
		return x.fetch(ctx, s, to, maxEarlierSdist)
	})
	if err != nil {
		return nil, m, err
	}
	if f.Digest() != s.digest {
		return nil, m, fmt.Errorf("%s: %s, where the index lists %s", s.url.Redacted(), f.Digest(), s.digest)
	}
	info, err := dist.Inspect(to, f)
	if err != nil {
		return nil, m, err
	}
	found, err = sdistContents(to, f)
	return found, info.Metadata, err
}

// sdistContents are the files and links of an sdist by their paths below its top
// folder. Its metadata do not count: they are compared by their fields.
func sdistContents(r io.ReaderAt, f dist.File) (map[string]content, error) {
	found := map[string]content{}
	return found, dist.Walk(r, f, func(m dist.Member) error {
		_, below, _ := strings.Cut(m.Path, "/")
		if m.Kind == dist.Folder || path.Base(below) == "PKG-INFO" {
			return nil
		}
		found[below] = content{size: m.Size, digest: m.Digest, link: m.Link}
		return nil
	})
}
