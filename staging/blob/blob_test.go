package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const name = "widget-1.0.tar.gz"

func open(t testing.TB) (*blob.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func put(t testing.TB, s *blob.Store, raw []byte) dist.File {
	t.Helper()
	f, err := s.Put(t.Context(), bytes.NewReader(raw), name, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func path(dir string, d dist.Digest) string { return filepath.Join(dir, "blobs", "sha256", d.Hex()) }

// content is more than one buffer of anybody's, and no multiple of one.
func content() []byte {
	raw := make([]byte, 3<<20+17)
	rand.NewChaCha8([32]byte{1}).Read(raw)
	return raw
}

func TestWhatEntersComesOut(t *testing.T) {
	s, dir := open(t)
	raw := content()
	f := put(t, s, raw)
	if f.Digest() != dist.Sum(raw) || f.Size() != int64(len(raw)) || f.Name() != name {
		t.Errorf("got %s of %d bytes as %s", f.Digest(), f.Size(), f.Name())
	}
	r, err := s.Reader(f.Digest(), f.Size(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := iotest.TestReader(r, raw); err != nil {
		t.Error(err)
	}
	again, err := s.File(t.Context(), f.Digest(), f.Size(), name)
	if err != nil || again != f {
		t.Errorf("hashed again: got %v, %v", again, err)
	}
	at, err := s.ReaderAt(f)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	part := make([]byte, 100)
	if _, err := at.ReadAt(part, 1<<20); err != nil || !bytes.Equal(part, raw[1<<20:1<<20+100]) {
		t.Errorf("read at an offset: %v", err)
	}
	if left := names(t, filepath.Join(dir, "ingest")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.Sync(t.Context(), f.Digest()); err != nil {
		t.Error(err)
	}
}

func TestSmallBlobs(t *testing.T) {
	s, _ := open(t)
	for _, raw := range []string{"{}", ""} {
		d, err := s.Write([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Read(d, 2, "manifest"); err != nil || string(got) != raw {
			t.Errorf("got %q, %v", got, err)
		}
	}
	_, err := s.Read(dist.Sum([]byte("{}")), 1, "manifest")
	refused(t, err, "manifest: stored-bytes: want at most 1 bytes, got 2 bytes")
	_, err = s.Read(dist.Sum([]byte("other")), 1, "manifest")
	refused(t, err, "manifest: stored-bytes: want "+dist.Sum([]byte("other")).String()+", got nothing")
}

func TestWhatIsRefusedLeavesNothing(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	broken := errors.New("the cable")
	for _, test := range []struct {
		what string
		ctx  context.Context
		r    io.Reader
		name string
		max  int64
		want func(error) bool
	}{
		{"an empty file", t.Context(), strings.NewReader(""), name, 10, isRefused},
		{"a file that is too large", t.Context(), strings.NewReader("12345678901"), name, 10, isRefused},
		{"a name that leads elsewhere", t.Context(), strings.NewReader("1"), "../" + name, 10, isRefused},
		{"a source that breaks off", t.Context(), io.MultiReader(strings.NewReader("1"), iotest.ErrReader(broken)), name, 10,
			func(err error) bool { return errors.Is(err, broken) && !isRefused(err) }},
		{"a caller who gives up", ended, strings.NewReader("1"), name, 10,
			func(err error) bool { return errors.Is(err, context.Canceled) && !isRefused(err) }},
	} {
		t.Run(test.what, func(t *testing.T) {
			s, dir := open(t)
			f, err := s.Put(test.ctx, test.r, test.name, test.max)
			if !test.want(err) || !f.IsZero() {
				t.Errorf("got %v, %v", f, err)
			}
			if left := append(names(t, filepath.Join(dir, "ingest")), names(t, filepath.Join(dir, "blobs", "sha256"))...); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// damage is what can happen to a blob between two looks at it.
var damage = map[string]func(path string, raw []byte) error{
	"missing":   func(path string, raw []byte) error { return os.Remove(path) },
	"truncated": func(path string, raw []byte) error { return os.Truncate(path, int64(len(raw)-1)) },
	"empty":     func(path string, raw []byte) error { return os.Truncate(path, 0) },
	"longer":    func(path string, raw []byte) error { return os.WriteFile(path, append(raw, 0), 0o644) },
	"changed in its first byte": func(path string, raw []byte) error {
		raw[0] ^= 1
		return os.WriteFile(path, raw, 0o644)
	},
	"changed in its last byte": func(path string, raw []byte) error {
		raw[len(raw)-1] ^= 1
		return os.WriteFile(path, raw, 0o644)
	},
	"a link to the right bytes": func(path string, raw []byte) error {
		return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
	},
	"a folder": func(path string, raw []byte) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
	},
}

func TestDamageIsRefusedByName(t *testing.T) {
	for what, do := range damage {
		t.Run(what, func(t *testing.T) {
			s, dir := open(t)
			raw := content()
			f := put(t, s, raw)
			if err := do(path(dir, f.Digest()), bytes.Clone(raw)); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(s, f)
			refused(t, err, name+": stored-bytes: want ")
			if len(got) >= len(raw) {
				t.Errorf("handed out all %d bytes", len(got))
			}
			_, err = s.File(t.Context(), f.Digest(), f.Size(), name)
			refused(t, err, name+": stored-bytes: want ")
			_, err = s.Read(f.Digest(), 10<<20, name)
			refused(t, err, name+": ")
		})
	}
}

// A consumer who knows the length, as an HTTP client does, may never read as
// far as EOF. It must not get all of the bytes either.
func TestTheLastBytesAreWithheld(t *testing.T) {
	s, dir := open(t)
	raw := content()
	f := put(t, s, raw)
	raw[5] ^= 1
	if err := os.WriteFile(path(dir, f.Digest()), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1 << 10, 1 << 20, len(raw), 2 * len(raw)} {
		r, err := s.Reader(f.Digest(), f.Size(), name)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{io.LimitReader(r, f.Size())}, make([]byte, size))
		refused(t, err, name+": stored-bytes: want sha256:")
		if got.Len() == len(raw) {
			t.Errorf("%d bytes at a time: all were handed out", size)
		}
		if _, again := r.Read(make([]byte, 1)); !errors.As(again, new(rule.Refusals)) {
			t.Errorf("a second look: %v", again)
		}
		r.Close()
	}
}

func TestTheSameBytesHealTheStore(t *testing.T) {
	for what, do := range damage {
		if what == "a folder" {
			continue // nothing that distgate does makes one, and nothing here removes it
		}
		t.Run(what, func(t *testing.T) {
			s, dir := open(t)
			raw := content()
			f := put(t, s, raw)
			if err := do(path(dir, f.Digest()), bytes.Clone(raw)); err != nil {
				t.Fatal(err)
			}
			put(t, s, raw)
			if got, err := readAll(s, f); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("put again: %v", err)
			}
		})
	}
}

func TestABlobThatIsThereIsKept(t *testing.T) {
	s, dir := open(t)
	f := put(t, s, content())
	before, err := os.Stat(path(dir, f.Digest()))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, content())
	after, err := os.Stat(path(dir, f.Digest()))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written again: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	s, dir := open(t)
	var work sync.WaitGroup
	for i := range 64 {
		work.Go(func() {
			raw := []byte(fmt.Sprint("file ", i%8))
			f, err := s.Put(t.Context(), bytes.NewReader(raw), name, 100)
			if err != nil || f.Digest() != dist.Sum(raw) {
				t.Error(f, err)
			}
		})
	}
	work.Wait()
	if got := names(t, filepath.Join(dir, "blobs", "sha256")); len(got) != 8 {
		t.Errorf("got %d blobs, want 8", len(got))
	}
}

func TestTheRestOfAKilledProcessIsSwept(t *testing.T) {
	_, dir := open(t)
	for file, age := range map[string]time.Duration{"old": 25 * time.Hour, "growing": time.Hour} {
		path := filepath.Join(dir, "ingest", file)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := blob.Open(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"growing"}, names(t, filepath.Join(dir, "ingest"))); diff != "" {
		t.Error(diff)
	}
}

func TestABlobIsRemoved(t *testing.T) {
	s, dir := open(t)
	f, kept := put(t, s, content()), put(t, s, []byte("kept"))
	for range 2 {
		if err := s.Remove(f.Digest()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{kept.Digest().Hex()}, names(t, filepath.Join(dir, "blobs", "sha256"))); diff != "" {
		t.Error(diff)
	}
}

func TestNoFileIsNoBlob(t *testing.T) {
	s, _ := open(t)
	if _, err := s.ReaderAt(dist.File{}); err == nil {
		t.Error("opened nothing")
	}
	if err := s.Sync(t.Context(), dist.Sum([]byte("never written"))); err == nil {
		t.Error("made durable what is not there")
	}
}

func readAll(s *blob.Store, f dist.File) ([]byte, error) {
	r, err := s.Reader(f.Digest(), f.Size(), f.Name())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func isRefused(err error) bool { return errors.As(err, new(rule.Refusals)) }

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if !isRefused(err) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want the refusal %s…", err, want)
	}
}

// BenchmarkPut is to be held against cp and sha256sum of the same file.
func BenchmarkPut(b *testing.B) {
	raw := make([]byte, 12_700_000)
	b.SetBytes(int64(len(raw)))
	s, dir := open(b)
	for b.Loop() {
		f := put(b, s, raw)
		os.Remove(path(dir, f.Digest()))
	}
}

func BenchmarkReader(b *testing.B) {
	raw := make([]byte, 12_700_000)
	b.SetBytes(int64(len(raw)))
	s, _ := open(b)
	f := put(b, s, raw)
	for b.Loop() {
		r, err := s.Reader(f.Digest(), f.Size(), name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
