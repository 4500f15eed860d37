package dist_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// vectors is a file of the real data of other projects.
func vectors(t testing.TB, path ...string) string {
	t.Helper()
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused is the rule that said no, "" if there is no error. An error that is
// no refusal is a failure.
func refused(t testing.TB, err error) rule.ID {
	t.Helper()
	if err == nil {
		return ""
	}
	var no rule.Refusals
	if !errors.As(err, &no) || len(no) == 0 {
		t.Fatalf("want a refusal, got %v", err)
	}
	for _, r := range no {
		if r.Rule.Story() == "" || r.Want == "" || r.Got == "" || r.Hint == "" || len(r.Error()) > 1200 {
			t.Errorf("a refusal of too few or too many words: %+v", r)
		}
	}
	return no[0].Rule
}

// inspect takes bytes in under a name and opens them.
func inspect(t testing.TB, name string, b []byte) (dist.Info, error) {
	t.Helper()
	f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
	if err != nil {
		return dist.Info{}, err
	}
	return dist.Inspect(bytes.NewReader(b), f)
}

// entry is a member of an archive made here.
type entry struct {
	name, body string
	header     zip.FileHeader
	tar        tar.Header
}

const (
	wheelName = "widget-1.0-py3-none-any.whl"
	sdistName = "widget-1.0.tar.gz"
	metadata  = "Metadata-Version: 2.4\nName: widget\nVersion: 1.0\n\nA widget.\n"
)

// wheelEntries are the members of the smallest wheel.
func wheelEntries() []entry {
	return []entry{
		{name: "widget.py", body: "print('widget')\n"},
		{name: "widget-1.0.dist-info/METADATA", body: metadata},
		{name: "widget-1.0.dist-info/WHEEL", body: "Wheel-Version: 1.0\n"},
		{name: "widget-1.0.dist-info/RECORD", body: "\n"},
	}
}

func sdistEntries() []entry {
	return []entry{
		{name: "widget-1.0/PKG-INFO", body: metadata},
		{name: "widget-1.0/pyproject.toml", body: "[project]\n"},
	}
}

// makeZip writes a zip file as wheels are: deflated, with sizes and checksums in
// front of the data.
func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := e.header
		h.Name, h.CRC32 = e.name, crc32.ChecksumIEEE([]byte(e.body))
		var packed []byte
		if !strings.HasSuffix(e.name, "/") {
			h.Method = max(h.Method, zip.Deflate)
			packed = deflate(t, e.body)
		}
		h.CompressedSize64, h.UncompressedSize64 = uint64(len(packed)), uint64(len(e.body))
		raw, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write(packed); err != nil && len(packed) > 0 {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func deflate(t testing.TB, body string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, body)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func makeTar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := e.tar
		if h.Name = e.name; h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode, h.Size = cmp.Or(h.Mode, 0o644), int64(len(e.body))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
