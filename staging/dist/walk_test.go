package dist_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// walk takes bytes in under a name and reads them to their end.
func walk(t testing.TB, name string, b []byte) (members []dist.Member, err error) {
	t.Helper()
	f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
	if err != nil {
		return nil, err
	}
	err = dist.Walk(bytes.NewReader(b), f, func(m dist.Member) error {
		members = append(members, m)
		return nil
	})
	return members, err
}

// gitBlob is git's name for some content, as git hash-object says it.
func gitBlob(content string) dist.BlobID {
	return sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
}

func plain(path, body string, mode fs.FileMode) dist.Member {
	return dist.Member{Path: path, Kind: dist.PlainFile, Mode: mode, Size: int64(len(body)),
		Digest: dist.Sum([]byte(body)), Blob: gitBlob(body)}
}

func TestGitNamesContentAsWeDo(t *testing.T) {
	const want = "ce013625030ba8dba906f756967f9e9ca394464a" // echo hello | git hash-object --stdin
	if got := gitBlob("hello\n").Hex(); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestWalkSeesEveryMember(t *testing.T) {
	script := zip.FileHeader{}
	script.SetMode(0o755 | fs.ModeSetuid)
	wheel := makeZip(t, append(wheelEntries(),
		entry{name: "widget/"}, entry{name: "widget/run.sh", body: "#!", header: script})...)
	sdist := gzipped(t, makeTar(t, append(sdistEntries(),
		entry{name: "widget-1.0/src/", tar: tar.Header{Typeflag: tar.TypeDir}},
		entry{name: "widget-1.0/link", tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "src"}},
		entry{name: "widget-1.0/long", tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("long/", 60)}},
		entry{name: "widget-1.0/other", tar: tar.Header{Typeflag: tar.TypeLink, Linkname: "widget-1.0/PKG-INFO"}},
	)...))
	long := strings.Repeat("long/", 60)
	for _, c := range []struct {
		name string
		file []byte
		want []dist.Member
	}{
		{wheelName, wheel, []dist.Member{
			plain("widget.py", "print('widget')\n", 0),
			plain("widget-1.0.dist-info/METADATA", metadata, 0),
			plain("widget-1.0.dist-info/WHEEL", wheelEntries()[2].body, 0),
			plain("widget-1.0.dist-info/RECORD", wheelEntries()[3].body, 0),
			{Path: "widget", Kind: dist.Folder},
			plain("widget/run.sh", "#!", 0o755|fs.ModeSetuid),
		}},
		{sdistName, sdist, []dist.Member{
			plain("widget-1.0/PKG-INFO", metadata, 0o644),
			plain("widget-1.0/pyproject.toml", "[project]\n", 0o644),
			{Path: "widget-1.0/src", Kind: dist.Folder, Mode: 0o644},
			{Path: "widget-1.0/link", Kind: dist.Symlink, Mode: 0o644, Link: "src", Blob: gitBlob("src")},
			{Path: "widget-1.0/long", Kind: dist.Symlink, Mode: 0o644, Link: long, Blob: gitBlob(long)},
			{Path: "widget-1.0/other", Kind: dist.HardLink, Mode: 0o644, Link: "widget-1.0/PKG-INFO"},
		}},
	} {
		got, err := walk(t, c.name, c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.name, diff)
		}
	}
}

// What the headers of a wheel say of a member, its content must be.
func TestContentIsWhatTheArchiveSaysOfIt(t *testing.T) {
	body := strings.Repeat("print()\n", 1000)
	packed := deflate(t, body)
	whole := zip.FileHeader{Name: "a.py", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(body)),
		CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(body))}
	for name, c := range map[string]struct {
		change func(*zip.FileHeader) []byte
		want   rule.ID
	}{
		"true":         {func(h *zip.FileHeader) []byte { return packed }, ""},
		"longer":       {func(h *zip.FileHeader) []byte { h.UncompressedSize64--; return packed }, rule.Archive},
		"shorter":      {func(h *zip.FileHeader) []byte { h.UncompressedSize64++; return packed }, rule.Archive},
		"other":        {func(h *zip.FileHeader) []byte { h.CRC32++; return packed }, rule.Archive},
		"more behind":  {func(h *zip.FileHeader) []byte { h.CompressedSize64++; return append(packed, 0) }, rule.Archive},
		"truncated":    {func(h *zip.FileHeader) []byte { h.CompressedSize64--; return packed[:len(packed)-1] }, rule.Archive},
		"not deflated": {func(h *zip.FileHeader) []byte { return bytes.Repeat([]byte{0xff}, len(packed)) }, rule.Archive},
		"stored, other": {func(h *zip.FileHeader) []byte {
			h.Method, h.UncompressedSize64 = zip.Store, h.CompressedSize64
			return packed
		}, rule.Archive},
	} {
		h := whole
		content := c.change(&h)
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		raw, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		raw.Write(content)
		for _, e := range wheelEntries() {
			w, err := w.CreateRaw(&zip.FileHeader{Name: e.name, CRC32: crc32.ChecksumIEEE([]byte(e.body)),
				CompressedSize64: uint64(len(e.body)), UncompressedSize64: uint64(len(e.body))})
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, e.body)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := walk(t, wheelName, out.Bytes()); refused(t, err) != c.want {
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
}

func TestAWalkEndsWhereItsVisitorEnds(t *testing.T) {
	enough := errors.New("enough")
	for name, b := range map[string][]byte{
		wheelName: makeZip(t, wheelEntries()...), sdistName: gzipped(t, makeTar(t, sdistEntries()...)),
	} {
		f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		err = dist.Walk(bytes.NewReader(b), f, func(dist.Member) error { seen++; return enough })
		if err != enough || seen != 1 {
			t.Errorf("%s: got %v after %d members", name, err, seen)
		}
	}
}

func TestAWalkNeedsLittleMemoryForMembersOfAnySize(t *testing.T) {
	wheel := sparseWheel(t, 256<<20)
	f, err := dist.Copy(io.Discard, io.NewSectionReader(wheel, 0, wheel.size), wheelName, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = dist.Walk(wheel, f, func(dist.Member) error { return nil })
	if refused(t, err) != rule.Archive { // the checksum of the zeros is not there
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("want less than 4 MiB of memory, got %d bytes", allocated)
	}
}

// Real distributions hold to another reader what they hold to us.
func TestRealMembers(t *testing.T) {
	count := 0
	for _, path := range realDistributions(t) {
		b := read(t, path)
		if info, err := inspect(t, filepath.Base(path), b); err == nil {
			count += walked(t, info, b)
		}
	}
	if count < 500 {
		t.Errorf("want 500 members or more, got %d", count)
	}
}

// walked demands that Walk refuses the distribution, or finds the files in it
// that another reader finds, and that Examine sees as many members. It returns how
// many files there were.
func walked(t *testing.T, info dist.Info, b []byte) int {
	t.Helper()
	got, err := walk(t, info.Filename.String(), b)
	if refused(t, err) != "" {
		return 0
	}
	want := map[string]dist.Digest{}
	if info.Filename.Kind == dist.Wheel {
		filesOfZip(t, b, want)
	} else {
		filesOfTar(t, b, want)
	}
	count := 0
	for _, m := range got {
		if m.Kind != dist.PlainFile {
			continue
		}
		if count++; want[m.Path] != m.Digest || m.Digest.IsZero() || m.Blob.IsZero() {
			t.Fatalf("%s: another reader finds %s, got %s", m.Path, want[m.Path], m.Digest)
		}
	}
	if count != len(want) {
		t.Fatalf("another reader finds %d files, got %d", len(want), count)
	}
	contents, err := examine(t, info.Filename.String(), b)
	if refused(t, err) == "" && contents.Members != len(got) {
		t.Fatalf("want %d members examined, got %d", len(got), contents.Members)
	}
	return count
}

func filesOfZip(t *testing.T, b []byte, into map[string]dist.Digest) {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		into[f.Name] = dist.Sum(content)
	}
}

func filesOfTar(t *testing.T, b []byte, into map[string]dist.Digest) {
	unzipped, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		into[h.Name] = dist.Sum(content)
	}
}
