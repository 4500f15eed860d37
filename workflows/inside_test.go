package workflows

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
)

// How long GitHub wants us to wait, as its documentation has it.
func TestPauses(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		status  int
		header  map[string]string
		message string
		want    time.Duration // -1 for none
	}{
		"Retry-After":                   {403, map[string]string{"Retry-After": "7"}, "", 7 * time.Second},
		"Retry-After, before all else":  {429, map[string]string{"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000100"}, "", 7 * time.Second},
		"the limit is used up":          {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000100"}, "", 101 * time.Second},
		"it was reset in the meantime":  {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1799999999"}, "", time.Second},
		"a secondary limit, no time":    {403, map[string]string{"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "1800003600"}, "You have exceeded a secondary rate limit.", time.Minute},
		"a limit, no header at all":     {403, nil, "API rate limit exceeded for installation", time.Minute},
		"too many requests, no time":    {429, nil, "", time.Minute},
		"a Retry-After that is none":    {429, map[string]string{"Retry-After": "soon"}, "", time.Minute},
		"a negative Retry-After":        {429, map[string]string{"Retry-After": "-7"}, "", time.Minute},
		"an endless Retry-After":        {429, map[string]string{"Retry-After": "99999999999999999999"}, "", time.Minute},
		"a server that names a time":    {503, map[string]string{"Retry-After": "3"}, "", 3 * time.Second},
		"a server that names none":      {503, nil, "", -1},
		"forbidden":                     {403, map[string]string{"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "1800003600"}, "Resource not accessible", -1},
		"not found, whatever it claims": {404, map[string]string{"Retry-After": "3"}, "", -1},
	} {
		r := &http.Response{StatusCode: c.status, Header: http.Header{}}
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		wait, ok := pauseOf(r, c.message, now)
		if !ok {
			wait = -1
		}
		if wait != c.want {
			t.Errorf("%s: got %s, want %s", name, wait, c.want)
		}
	}
}

func TestWhereBlobsMayBe(t *testing.T) {
	for _, c := range []struct {
		blob, api string
		holds     bool
	}{
		{"https://blob.example.org/x?sig=y", "https://api.github.com/", true},
		{"http://blob.example.org/x", "https://api.github.com/", false},
		{"http://127.0.0.1:9/x", "https://api.github.com/", false},
		{"http://127.0.0.1:9/x", "http://127.0.0.1:8/", true},
		{"http://blob.example.org/x", "http://127.0.0.1:8/", false},
		{"file:///etc/passwd", "http://127.0.0.1:8/", false},
		{"/x", "https://api.github.com/", false},
		{"", "https://api.github.com/", false},
	} {
		blob, err := url.Parse(c.blob)
		if err != nil {
			t.Fatal(err)
		}
		api, err := url.Parse(c.api)
		if err != nil {
			t.Fatal(err)
		}
		if isBlob(blob, api) != c.holds {
			t.Errorf("%s, for %s: want %t", c.blob, c.api, c.holds)
		}
	}
}

func TestTextsAreCutVisibly(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"ubuntu-24.04":                  "ubuntu-24.04",
		"ubuntu-24.04\nmine":            "ubuntu-24.04…",
		"ubuntu-24.04\n":                "ubuntu-24.04…",
		strings.Repeat("x", 200):        strings.Repeat("x", 200),
		strings.Repeat("x", 201):        strings.Repeat("x", 200) + "…",
		strings.Repeat("ä", 1000):       strings.Repeat("ä", 100) + "…",
		"x" + strings.Repeat("ä", 1000): "x" + strings.Repeat("ä", 99) + "…",
	} {
		if got := clip(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestTheFormOfAnArtifact(t *testing.T) {
	for name, c := range map[string]struct {
		kind, disposition string
		file              string
		holds             bool
	}{
		"a zip":                    {"application/zip", `attachment; filename="wheels.zip"`, "", true},
		"a zip without a name":     {"application/zip", "", "", true},
		"by an older type":         {"zip", "", "", true},
		"by another type":          {"application/x-zip-compressed; charset=x", "", "", true},
		"by its name":              {"application/octet-stream", `attachment; filename="wheels.ZIP"`, "", true},
		"a wheel":                  {"application/octet-stream", `attachment; filename="w-1-py3-none-any.whl"`, "w-1-py3-none-any.whl", true},
		"a wheel, taken for a zip": {"application/zip", `attachment; filename="w-1-py3-none-any.whl"`, "w-1-py3-none-any.whl", true},
		"a name in UTF-8":          {"application/octet-stream", `attachment; filename*=UTF-8''w%2D1.tar.gz`, "w-1.tar.gz", true},
		"bytes without a name":     {"application/octet-stream", "", "", false},
		"nothing at all":           {"", "", "", false},
		"half a name":              {"text/plain", `attachment; filename="w`, "", false},
	} {
		h := http.Header{"Content-Type": {c.kind}, "Content-Disposition": {c.disposition}}
		file, err := formOf("artifact", h)
		if file != c.file || (err == nil) != c.holds || err != nil && !errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s: got %q, %v", name, file, err)
		}
	}
}

// zipOf makes a zip of members with these headers.
func zipOf(t testing.TB, headers ...zip.FileHeader) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, h := range headers {
		if _, err := z.CreateRaw(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestZipsThatAreNotOpened(t *testing.T) {
	mode := func(m fs.FileMode) zip.FileHeader {
		h := zip.FileHeader{Name: "a"}
		h.SetMode(m)
		return h
	}
	var many []zip.FileHeader
	for i := range maxMembers + 1 {
		many = append(many, zip.FileHeader{Name: fmt.Sprint(i)})
	}
	var long []zip.FileHeader
	for i := range 100 {
		long = append(long, zip.FileHeader{Name: strings.Repeat("a/", 30_000) + fmt.Sprint(i)})
	}
	one := zipOf(t, zip.FileHeader{Name: "a"}, zip.FileHeader{Name: "b"})
	change := func(at int, with ...byte) []byte { // counted from the end
		raw := bytes.Clone(one)
		copy(raw[len(raw)-at:], with)
		return raw
	}
	locator := append(bytes.Clone(one[:len(one)-22]), append([]byte("PK\x06\x07"), make([]byte, 16)...)...)
	for name, c := range map[string]struct {
		raw  []byte
		want rule.ID
	}{
		"a link":            {zipOf(t, mode(fs.ModeSymlink|0o777)), rule.ArtifactArchive},
		"a device":          {zipOf(t, mode(fs.ModeDevice|0o666)), rule.ArtifactArchive},
		"a pipe":            {zipOf(t, mode(fs.ModeNamedPipe|0o666)), rule.ArtifactArchive},
		"encrypted":         {zipOf(t, zip.FileHeader{Name: "a", Flags: 1}), rule.ArtifactArchive},
		"another method":    {zipOf(t, zip.FileHeader{Name: "a", Method: 14}), rule.ArtifactArchive},
		"no name":           {zipOf(t, zip.FileHeader{Name: ""}), rule.ArtifactArchive},
		"a file and folder": {zipOf(t, zip.FileHeader{Name: "a"}, zip.FileHeader{Name: "a/"}), rule.ArtifactArchive},
		"too many members":  {zipOf(t, many...), rule.ArtifactSize},
		"too long names":    {zipOf(t, long...), rule.ArtifactSize},
		"a bomb, it says":   {zipOf(t, zip.FileHeader{Name: "a", UncompressedSize64: freeSize + 1}), rule.ArtifactSize},
		"sizes that wrap":   {zipOf(t, zip.FileHeader{Name: "a", UncompressedSize64: 1 << 63}, zip.FileHeader{Name: "b", UncompressedSize64: 1 << 63}), rule.ArtifactSize},
		"fewer than it has": {change(12, 1, 0), rule.ArtifactArchive},
		"more than it has":  {change(12, 3, 0), rule.ArtifactArchive},
		"another size":      {change(10, 1, 0, 0, 0), rule.ArtifactArchive},
		"another place":     {change(6, 1, 0, 0, 0), rule.ArtifactArchive},
		"a comment":         {change(2, 1, 0), rule.ArtifactArchive},
		"a second end":      {append(bytes.Clone(one), one[len(one)-22:]...), rule.ArtifactArchive},
		"ZIP64":             {append(locator, one[len(one)-22:]...), rule.ArtifactSize},
		"nothing":           {nil, rule.ArtifactArchive},
		"the end of one":    {[]byte("PK\x05\x06"), rule.ArtifactArchive},
	} {
		_, err := openZip("wheels", bytes.NewReader(c.raw), int64(len(c.raw)))
		var no rule.Refusals
		if !errors.As(err, &no) || no[0].Rule != c.want || no[0].File != "wheels" {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	files, err := openZip("wheels", bytes.NewReader(one), int64(len(one)))
	if err != nil || len(files) != 2 {
		t.Errorf("got %d files, %v", len(files), err)
	}
	unreadable := errors.New("disk")
	if _, err := openZip("wheels", brokenDisk{unreadable}, 100); !errors.Is(err, unreadable) || errors.As(err, new(rule.Refusals)) {
		t.Errorf("a disk that cannot be read: got %v", err)
	}
}

type brokenDisk struct{ err error }

func (d brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, d.err }

// A zip that says little and has much is not read for ever.
func TestAZipThatLiesAboutItsList(t *testing.T) {
	raw := zipOf(t, zip.FileHeader{Name: "a"})
	entry := raw[bytes.Index(raw, []byte("PK\x01\x02")) : len(raw)-22]
	head := raw[:bytes.Index(raw, []byte("PK\x01\x02"))]
	end := bytes.Clone(raw[len(raw)-22:])
	long := append(bytes.Clone(head), bytes.Repeat(entry, 65536+1)...) // archive/zip counts modulo 65536
	binary.LittleEndian.PutUint32(end[12:], uint32(65537*len(entry)))
	long = append(long, end...)
	_, err := openZip("wheels", bytes.NewReader(long), int64(len(long)))
	if no := (rule.Refusals)(nil); !errors.As(err, &no) || no[0].Rule != rule.ArtifactSize {
		t.Errorf("got %v", err)
	}
}

func TestSnappyIsBounded(t *testing.T) {
	var bomb bytes.Buffer
	w := snappy.NewBufferedWriter(&bomb)
	if _, err := io.Copy(w, io.LimitReader(zeros{}, attest.MaxBundleFile+1)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		packed []byte
		want   rule.ID
	}{
		"a frame too many":        {bomb.Bytes(), rule.BundleSize},
		"a block too large":       {snappy.Encode(nil, make([]byte, attest.MaxBundleFile+1)), rule.BundleSize},
		"a block that says so":    {binary.AppendUvarint(nil, 1<<31), rule.BundleSize},
		"a block of another size": {append(binary.AppendUvarint(nil, 100), 0), rule.BundleMalformed},
		"no block":                {bytes.Repeat([]byte{0xff}, 20), rule.BundleMalformed},
		"nothing":                 {nil, rule.BundleMalformed},
	} {
		raw, err := unpackBundle(c.packed)
		var no rule.Refusals
		if !errors.As(err, &no) || no[0].Rule != c.want {
			t.Errorf("%s: got %d bytes, %v", name, len(raw), err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzUnpackBundle(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Add(snappy.Encode(nil, []byte(`{"a":1}`)))
	f.Fuzz(func(t *testing.T, packed []byte) {
		raw, err := unpackBundle(packed)
		if err != nil && !errors.As(err, new(rule.Refusals)) || len(raw) > attest.MaxBundleFile {
			t.Errorf("got %d bytes, %v", len(raw), err)
		}
		predicateType(raw)
	})
}

func FuzzOpenZip(f *testing.F) {
	f.Add(zipOf(f, zip.FileHeader{Name: "a"}, zip.FileHeader{Name: "b/"}))
	f.Add(zipOf(f, zip.FileHeader{Name: "../a", Method: zip.Deflate}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		files, err := openZip("wheels", bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			if !errors.As(err, new(rule.Refusals)) {
				t.Fatalf("got %v, want a refusal", err)
			}
			return
		}
		for _, file := range files {
			if !fs.ValidPath(file.Name) || !file.Mode().IsRegular() {
				t.Errorf("opened %q", file.Name)
			}
			if r, err := file.Open(); err == nil {
				io.Copy(io.Discard, iotest.OneByteReader(io.LimitReader(r, 1<<10)))
			}
		}
	})
}
