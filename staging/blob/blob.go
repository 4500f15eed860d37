// Package blob keeps bytes by their SHA-256.
//
// A [Store] is the part of an OCI image layout that holds bytes:
//
//	blobs/sha256/<64 hex>   bytes, named by what they hash to
//	ingest/                 bytes on their way in, under temporary names
//
// Bytes enter once. [Store.Put] takes a distribution and [Store.Write] a small
// piece such as a manifest; both hash while they write, and a rename gives the
// blob its name only when all of it is there. From then on it is its digest.
//
// They leave through [Store.Reader], which hashes again and never hands out the
// last bytes of a blob that is not what its name says. [Store.File] hashes a
// blob again for its own sake, and [Store.ReaderAt] opens one for those who
// must seek in it.
//
// A blob that no manifest names is nothing, so entering waits for no disk:
// [Store.Sync] does, for all blobs of a batch at once, before something names
// them. Whether a distribution survives a power cut is no question of safety:
// it is hashed before each use, and the same bytes entered again take the place
// of those that were lost, under the same digest.
package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Store is a folder of blobs. Any number of goroutines and processes may use
// one folder at once.
type Store struct {
	blobs  string // <dir>/blobs/sha256
	ingest string // <dir>/ingest, in the same file system, so that rename is atomic
}

// Open makes the folders below dir where they are missing.
func Open(dir string) (*Store, error) {
	s := &Store{
		blobs:  filepath.Join(dir, "blobs", "sha256"),
		ingest: filepath.Join(dir, "ingest"),
	}
	for _, folder := range []string{s.blobs, s.ingest} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	return s, s.sweep(time.Now().Add(-abandoned))
}

// abandoned is the age at which a temporary file must be the rest of a process
// that was killed. A file that is still growing is younger.
const abandoned = 24 * time.Hour

func (s *Store) sweep(before time.Time) error {
	left, err := os.ReadDir(s.ingest)
	if err != nil {
		return err
	}
	for _, entry := range left {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.ModTime().After(before) {
			continue
		}
		err = os.Remove(filepath.Join(s.ingest, entry.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Put takes in the distribution name from r, at most max bytes of it, and
// proves what it hashed. Putting the same bytes again changes nothing. Files
// may be put in parallel.
//
// It refuses what [dist.Copy] refuses; then, and when ctx ends, nothing stays.
func (s *Store) Put(ctx context.Context, r io.Reader, name string, max int64) (dist.File, error) {
	var file dist.File
	err := s.enter(func(w io.Writer) (_ dist.Digest, err error) {
		file, err = dist.Copy(w, reading{ctx, r}, name, max)
		return file.Digest(), err
	})
	if err != nil {
		return dist.File{}, err
	}
	return file, nil
}

// Write takes in bytes that are in memory already.
func (s *Store) Write(raw []byte) (dist.Digest, error) {
	d := dist.Sum(raw)
	if s.holds(d, int64(len(raw))) {
		return d, nil
	}
	return d, s.enter(func(w io.Writer) (dist.Digest, error) {
		_, err := w.Write(raw)
		return d, err
	})
}

// enter gives write a temporary file, and the file the name that write returns.
func (s *Store) enter(write func(io.Writer) (dist.Digest, error)) error {
	temp, err := os.CreateTemp(s.ingest, "*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	d, err := write(temp)
	if err != nil {
		return err
	}
	if err := temp.Chmod(0o644); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return s.settle(temp.Name(), d)
}

// settle names the file temp by its digest. A blob that is there already is
// kept if it still hashes to its name, and so may be durable already; otherwise
// the new one takes its place, and a damaged store heals.
func (s *Store) settle(temp string, d dist.Digest) error {
	info, err := os.Stat(temp)
	if err != nil {
		return err
	}
	if s.holds(d, info.Size()) {
		return nil
	}
	return os.Rename(temp, s.path(d))
}

func (s *Store) holds(d dist.Digest, size int64) bool {
	r, err := s.Reader(d, size, d.String())
	if err != nil {
		return false
	}
	defer r.Close()
	_, err = io.CopyBuffer(io.Discard, onlyReader{r}, make([]byte, min(size+1, 128<<10)))
	return err == nil
}

// Sync waits until the named blobs, and their names, survive a power cut.
func (s *Store) Sync(ctx context.Context, blobs ...dist.Digest) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4 * runtime.GOMAXPROCS(0))
	for _, d := range blobs {
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return flush(s.path(d))
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return flush(s.blobs)
}

// flush waits until the disk has the file or the folder.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// File hashes the blob d again and proves it as the distribution name. A blob
// that is missing, or is not size bytes that hash to d, is refused.
func (s *Store) File(ctx context.Context, d dist.Digest, size int64, name string) (dist.File, error) {
	f, err := s.open(d, size, name)
	if err != nil {
		return dist.File{}, err
	}
	defer f.Close()
	file, err := dist.Copy(io.Discard, reading{ctx, f}, name, size)
	if err != nil {
		return dist.File{}, err
	}
	if file.Digest() != d || file.Size() != size {
		return dist.File{}, differs(name, d.String(), file.Digest().String())
	}
	return file, nil
}

// Remove takes a blob away that nothing names, such as the zip that some
// distributions came in. One that is not there is none to remove.
func (s *Store) Remove(d dist.Digest) error {
	err := os.Remove(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadAtCloser is an open blob.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// ReaderAt opens the blob of a file that was hashed before, for those who must
// seek. What is read here is not hashed: use it to look, never to hand on.
func (s *Store) ReaderAt(f dist.File) (ReadAtCloser, error) {
	if f.IsZero() {
		return nil, errors.New("blob: no file to open")
	}
	return s.open(f.Digest(), f.Size(), f.Name())
}

// Read returns all of a small blob, which must be at most max bytes.
func (s *Store) Read(d dist.Digest, max int64, name string) ([]byte, error) {
	info, err := os.Lstat(s.path(d))
	if err != nil {
		return nil, missing(err, name, d)
	}
	if info.Size() > max {
		return nil, differs(name, fmt.Sprintf("at most %d bytes", max), bytesOf(info.Size()))
	}
	r, err := s.Reader(d, info.Size(), name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(r)
	return raw.Bytes(), err
}

func (s *Store) path(d dist.Digest) string { return filepath.Join(s.blobs, d.Hex()) }

// open opens a blob of the right size. Only a regular file is opened: a pipe
// would hold us for ever, and a link leads to what is not in the store.
func (s *Store) open(d dist.Digest, size int64, name string) (*os.File, error) {
	info, err := os.Lstat(s.path(d))
	if err != nil {
		return nil, missing(err, name, d)
	}
	if !info.Mode().IsRegular() {
		return nil, differs(name, "a regular file", info.Mode().Type().String())
	}
	if info.Size() != size {
		return nil, differs(name, bytesOf(size), bytesOf(info.Size()))
	}
	return os.Open(s.path(d))
}

func missing(err error, name string, d dist.Digest) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return differs(name, d.String(), "nothing")
}

func bytesOf(size int64) string { return fmt.Sprintf("%d bytes", size) }

func differs(name, want, got string) error {
	return rule.Refusals{{
		File: name,
		Rule: rule.StoredBytes,
		Want: want,
		Got:  got,
		Hint: "the store was changed or damaged; stage the same files again: " +
			"the release digest and every record under it stay",
	}}
}
