package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/distgate/distgate/staging/dist"
)

// Reader opens the blob d of the given size and hashes what it hands out. A
// blob that is missing or has another size is refused here; one with other
// bytes is refused by Read in place of its last bytes, so that nobody can come
// to have all of a blob that is not what its name says. The name is that of the
// file in the refusal.
func (s *Store) Reader(d dist.Digest, size int64, name string) (io.ReadCloser, error) {
	f, err := s.open(d, size, name)
	if err != nil {
		return nil, err
	}
	return &reader{file: f, name: name, want: d, size: size, left: size, hash: sha256.New()}, nil
}

type reader struct {
	file *os.File
	name string
	want dist.Digest
	size int64
	left int64 // bytes not yet read
	hash hash.Hash
	err  error // how the reading ended
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
	r.hash.Write(p[:n])
	r.left -= int64(n)
	r.err = r.end(err)
	if r.err == io.EOF {
		return n, nil
	}
	if r.err != nil {
		clear(p[:n])
		return 0, r.err
	}
	return n, nil
}

// end judges the bytes when the last one was read: EOF if all is right, nil if
// there is more to come.
func (r *reader) end(err error) error {
	switch {
	case r.left == 0:
		if got := dist.Digest(r.hash.Sum(nil)); got != r.want {
			return differs(r.name, r.want.String(), got.String())
		}
		return io.EOF
	case errors.Is(err, io.EOF):
		return differs(r.name, bytesOf(r.size), bytesOf(r.size-r.left))
	}
	return err
}

func (r *reader) Close() error { return r.file.Close() }

// reading is a reader that ends when its context does.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// onlyReader hides every method but Read, so that io.CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }
