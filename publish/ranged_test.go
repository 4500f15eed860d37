package publish

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// rangedOn serves a file by a handler, and reads it by ranges.
func rangedOn(t *testing.T, size int64, serve http.HandlerFunc) *ranged {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	index, err := NewIndex(Address{Name: "local", Audience: "local", Patience: time.Second,
		Upload: server.URL + "/legacy/", Simple: server.URL + "/simple/", Integrity: server.URL + "/integrity/"})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(server.URL + "/widget.whl")
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRanged(t.Context(), index, served{name: "widget.whl", url: at, size: &size})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// noise is a file of so many bytes.
func noise(size int) []byte {
	raw := make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return raw
}

func serveRanges(raw []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
	}
}

// Read in pieces, a file is what it is.
func TestAFileByRanges(t *testing.T) {
	for _, size := range []int{1, window - 1, window, window + 1, 3*window + 7} {
		raw, asked := noise(size), 0
		r := rangedOn(t, int64(size), func(w http.ResponseWriter, request *http.Request) {
			asked++
			serveRanges(raw)(w, request)
		})
		if err := iotest.TestReader(io.NewSectionReader(r, 0, int64(size)), raw); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if size <= window && asked != 1 {
			t.Errorf("%d bytes: %d requests", size, asked)
		}
	}
}

// The directory of a large wheel takes one request.
func TestADirectoryTakesOneRequest(t *testing.T) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := range 200 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("widget/%d.py", i), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(noise(10_000))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	r := rangedOn(t, int64(out.Len()), func(w http.ResponseWriter, request *http.Request) {
		asked++
		serveRanges(out.Bytes())(w, request)
	})
	read, err := zip.NewReader(r, r.size)
	if err != nil || len(read.File) != 200 || asked != 1 {
		t.Errorf("%d members in %d requests: %v", len(read.File), asked, err)
	}
}

// An answer that is not just what was asked for is none.
func TestRangesThatAreOther(t *testing.T) {
	raw := noise(2 * window)
	says := func(status int, contentRange string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(status)
			w.Write(body)
		}
	}
	right := fmt.Sprintf("bytes 0-%d/%d", window-1, 2*window)
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"the whole file":    {func(w http.ResponseWriter, _ *http.Request) { w.Write(raw) }, "the whole file"},
		"no range":          {says(206, "", raw[:window]), "where \"bytes 0-"},
		"another range":     {says(206, fmt.Sprintf("bytes 1-%d/%d", window, 2*window), raw[1:window+1]), "where"},
		"another size":      {says(206, fmt.Sprintf("bytes 0-%d/%d", window-1, window), raw[:window]), "where"},
		"no size":           {says(206, fmt.Sprintf("bytes 0-%d/*", window-1), raw[:window]), "where"},
		"another unit":      {says(206, strings.Replace(right, "bytes", "bits", 1), raw[:window]), "where"},
		"not satisfiable":   {says(416, fmt.Sprintf("bytes */%d", 2*window), nil), "status 416"},
		"not supported":     {says(501, "", nil), "status 501"},
		"gone":              {http.NotFound, "status 404"},
		"less than it says": {says(206, right, raw[:7]), "unexpected EOF"},
		"a redirect outside": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2/", http.StatusFound)
		}, "127.0.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rangedOn(t, int64(len(raw)), test.serve)
			_, err := r.ReadAt(make([]byte, 10), 0)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	raw, asked := noise(4*window), 0
	r := rangedOn(t, int64(len(raw)), func(w http.ResponseWriter, request *http.Request) {
		asked++
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, asked))
		serveRanges(raw)(w, request)
	})
	_, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, r.size))
	if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v", err)
	}
}

// Whatever a zip file makes us ask for, we stop at some point.
func TestRangesAreBounded(t *testing.T) {
	const size = 4 * maxRanged
	r := rangedOn(t, size, func(w http.ResponseWriter, request *http.Request) {
		var from, to int64
		fmt.Sscanf(request.Header.Get("Range"), "bytes=%d-%d", &from, &to)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, int64(size)))
		w.WriteHeader(206)
		w.Write(make([]byte, to-from+1))
	})
	n, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, size))
	if err == nil || n > maxRanged {
		t.Errorf("read %d bytes: %v", n, err)
	}
}

func TestAFileOfUnknownSize(t *testing.T) {
	if _, err := newRanged(context.Background(), &Index{}, served{}); err == nil {
		t.Error("it is read")
	}
}
