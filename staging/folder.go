package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// folder is an OCI image layout on disk. Any number of processes may use one at
// once: blobs are written once and never changed, and index.json is replaced as
// a whole, under a lock that ends with its process.
//
// It can be read with every tool that knows image layouts, and is read here
// without one: those read every manifest before they list anything, so that one
// planted record would hide all others.
type folder struct {
	dir   string
	blobs *blob.Store
}

const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	lockFile   = "index.lock"
	layout     = `{"imageLayoutVersion":"1.0.0"}` + "\n"
)

// OpenStore opens the store in dir, and makes one where dir is missing or
// empty. A folder that holds other things is refused.
func OpenStore(dir string) (*Store, error) {
	at, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	return &Store{at: at, name: indexFile, width: runtime.GOMAXPROCS(0), blobs: at.blobs}, nil
}

func openFolder(dir string) (*folder, error) {
	raw, err := readSmall(filepath.Join(dir, layoutFile), rule.StoreLayout, int64(len(layout)))
	switch {
	case err == nil && string(raw) != layout:
		return nil, notStore(dir, fmt.Sprintf("an %s of %q", layoutFile, raw))
	case err == nil:
		blobs, err := blob.Open(dir)
		return &folder{dir, blobs}, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return newFolder(dir)
}

// newFolder makes what is missing, the layout file last: where it is, all is.
func newFolder(dir string) (*folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		switch entry.Name() {
		case "blobs", "ingest", indexFile, lockFile, layoutFile: // another process is making it, or died at it
		default:
			return nil, notStore(dir, "a folder that holds "+entry.Name())
		}
	}
	blobs, err := blob.Open(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir, blobs}
	return f, f.locked(context.Background(), func() error {
		_, err := os.Lstat(filepath.Join(dir, indexFile))
		if errors.Is(err, fs.ErrNotExist) {
			err = f.write(newIndex())
		}
		if err != nil {
			return err
		}
		return f.replace(layoutFile, []byte(layout))
	})
}

// index reads index.json.
func (f *folder) index(context.Context) (index, error) {
	path := filepath.Join(f.dir, indexFile)
	raw, err := readSmall(path, rule.StoreIndex, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return index{}, refused(path, rule.StoreIndex, "the list of what is in the store", "nothing",
			"restore it from a copy of the store; records that it listed cannot be found without it")
	}
	if err != nil {
		return index{}, err
	}
	return strict(path, rule.StoreIndex, raw, maxIndex, index.encode)
}

func (f *folder) artifact(_ context.Context, entry descriptor, max int64, name string) ([]byte, error) {
	if !leads(entry.tag(), entry.Digest) {
		return nil, tagElsewhere(indexFile, entry.tag(), entry.Digest)
	}
	return f.blobs.Read(entry.Digest, max, name)
}

func (f *folder) read(_ context.Context, d dist.Digest, max int64, name string) ([]byte, error) {
	return f.blobs.Read(d, max, name)
}

func (f *folder) file(ctx context.Context, file File) (dist.File, error) {
	return f.blobs.File(ctx, file.Digest, file.Size, file.Name)
}

// enter writes all that the artifact points to first, the index last. The
// distributions are blobs already.
func (f *folder) enter(ctx context.Context, t tagged) error {
	var blobs []dist.Digest
	for _, raw := range append(t.blobs, t.raw) {
		d, err := f.blobs.Write(raw)
		if err != nil {
			return err
		}
		blobs = append(blobs, d)
	}
	if err := f.blobs.Sync(ctx, blobs...); err != nil {
		return err
	}
	return f.add(ctx, t.entry())
}

// add enters an entry under its tag. Everything that it points to must be
// durable already.
func (f *folder) add(ctx context.Context, entry descriptor) error {
	return f.locked(ctx, func() error {
		x, err := f.index(ctx)
		if err != nil {
			return err
		}
		if old, ok := x.find(entry.tag()); ok {
			if old.Digest == entry.Digest {
				return nil
			}
			return tagElsewhere(indexFile, entry.tag(), old.Digest)
		}
		return f.write(x.with(entry))
	})
}

func (f *folder) writable(ctx context.Context) error {
	d, err := f.blobs.Write(make([]byte, 2*maxRecordPart+maxRecordImage))
	if err != nil {
		return err
	}
	err = f.blobs.Sync(ctx, d)
	if err := errors.Join(err, f.blobs.Remove(d)); err != nil {
		return err
	}
	return f.locked(ctx, func() error {
		x, err := f.index(ctx)
		if err != nil {
			return err
		}
		return f.write(x)
	})
}

func (f *folder) write(x index) error {
	raw, err := x.encode()
	if err != nil {
		return refused(indexFile, rule.StoreIndex, fmt.Sprintf("an index of at most %d bytes", maxIndex),
			err.Error(), "begin a new store; this one stays readable")
	}
	return f.replace(indexFile, raw)
}

// replace writes a file beside its place, waits for the disk and moves it
// there. Whenever the process dies, the old file or the new one is there whole.
func (f *folder) replace(name string, raw []byte) error {
	temp, err := os.CreateTemp(filepath.Join(f.dir, "ingest"), name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if _, err := temp.Write(raw); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), filepath.Join(f.dir, name)); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// locked runs do while no other process does so. The lock is the kernel's
// (flock): it ends with the process that holds it, so none is ever stale.
func (f *folder) locked(ctx context.Context, do func() error) error {
	type held struct {
		unlock func()
		err    error
	}
	lock := make(chan held, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(filepath.Join(f.dir, lockFile)).Lock()
		lock <- held{unlock, err}
	}()
	select {
	case h := <-lock:
		if h.err != nil {
			return h.err
		}
		defer h.unlock()
		return do()
	case <-ctx.Done():
		go func() {
			if h := <-lock; h.err == nil {
				h.unlock()
			}
		}()
		return fmt.Errorf("waiting for %s: %w", filepath.Join(f.dir, lockFile), ctx.Err())
	}
}

// readSmall reads a regular file of at most max bytes; larger ones are refused
// under the given rule.
func readSmall(path string, id rule.ID, max int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refused(path, id, "a regular file", info.Mode().Type().String(), "restore it from a copy of the store")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(raw)) > max {
		return nil, refused(path, id, fmt.Sprintf("at most %d bytes", max), "more", "restore it from a copy of the store")
	}
	return raw, err
}

func notStore(dir, got string) error {
	return refused(dir, rule.StoreLayout, "an OCI image layout, or an empty folder to make one in", got,
		"name the store's own folder")
}
