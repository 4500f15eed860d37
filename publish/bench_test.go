//go:build linux

package publish_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

const (
	bulkFiles = 72
	bulkSize  = 12_700_000 // bytes of one file
)

// BenchmarkUpload sends a release of 72 wheels of 12.7 MB to an index that takes
// whatever it is sent, in turn with twine, which sends the same files to the same
// place. The index answers at once, or 50 ms after it has a request. Counted is
// the time from the start of the job to the end of the last upload: what distgate
// does in it and twine does not is to judge the release against the index, to
// exchange tokens, and to sign and verify an attestation of each file. It does
// not count what twine has no like of, which is that everything is downloaded and
// compared afterwards.
func BenchmarkUpload(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(delay.String(), func(b *testing.B) {
			s := newBulk(b, delay)
			runs := map[string][]float64{}
			note := func(name string, value float64) { runs[name] = append(runs[name], value) }
			s.twine() // warms the page cache
			for b.Loop() {
				theirs := processor()
				t := s.twine()
				ours := processor()
				o, heap := s.distgate()
				note("upload-ms", o)
				note("twine-ms", t)
				note("upload/twine", o/t)
				note("upload-cpu-ms", processor()-ours)
				note("twine-cpu-ms", ours-theirs)
				note("heap-MB", float64(heap)/1e6)
			}
			for name, values := range runs {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], fmt.Sprintf("%s-%d", name, delay.Milliseconds()))
			}
		})
	}
}

// processor is the time that processors gave to this process, in which the index
// is, and to those that it ran, in milliseconds.
func processor() (ms float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		_ = syscall.Getrusage(who, &used)
		ms += float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
	}
	return ms
}

// bulk is a large release and an index that takes everything.
type bulk struct {
	*world
	b    *testing.B
	dist string // folder with the files by their names, for twine
}

func newBulk(b *testing.B, delay time.Duration) *bulk {
	b.Helper()
	if _, err := exec.LookPath("twine"); err != nil {
		b.Skip("no twine")
	}
	w := newWorld(b, between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/legacy/" {
				time.Sleep(delay)
				next.ServeHTTP(rw, r)
				return
			}
			_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 256<<10))
			time.Sleep(delay)
		})
	}))
	s := &bulk{w, b, b.TempDir()}
	s.openStore()
	var candidates []attest.Candidate
	var tags []string
	for i := range bulkFiles {
		tag := fmt.Sprintf("cp3%[1]d-cp3%[1]d-win_amd64", 10+i)
		name, raw := "widget-1.0-"+tag+".whl", bulkWheel(tag, uint64(i))
		candidates, tags = append(candidates, s.built(name, raw)), append(tags, tag)
		w.must(os.Link(filepath.Join(w.dir, "blobs", "sha256", dist.Sum(raw).Hex()), filepath.Join(s.dist, name)))
	}
	s.stageFiles(staging.FileSet{Also: tags}, candidates...)
	return s
}

// bulkWheel is a wheel that cannot be compressed, of the size of numpy's.
func bulkWheel(tag string, seed uint64) []byte {
	data := make([]byte, bulkSize)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i+8 <= len(data); i += 8 {
		binary.LittleEndian.PutUint64(data[i:], random.Uint64())
	}
	return wheelOf("1.0", tag, "widget/data.bin", string(data))
}

// distgate uploads the release: how long that took, in milliseconds, and how
// much memory was in use at the most, the servers' included.
func (s *bulk) distgate() (ms float64, heap uint64) {
	s.b.Helper()
	runtime.GC()
	j := s.job(job())
	began, files := time.Now(), 0
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	j.Progress = func(e publish.Event) {
		switch e.Step {
		case publish.Uploaded:
			if files++; files == bulkFiles {
				ms = float64(time.Since(began).Microseconds()) / 1000
				cancel() // what follows is not an upload
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapInuse)
		}
	}
	if _, err := j.Publish(ctx, s.approved); files != bulkFiles {
		s.b.Fatalf("%d files were sent: %v", files, err)
	}
	return ms, heap
}

// twine uploads the same files.
func (s *bulk) twine() (ms float64) {
	s.b.Helper()
	files, err := filepath.Glob(filepath.Join(s.dist, "*.whl"))
	s.must(err)
	upload := exec.Command("twine", append([]string{"upload", "--repository-url", s.url + "/legacy/", "-u", "__token__", "-p", "pypi-x",
		"--disable-progress-bar", "--non-interactive"}, files...)...)
	began := time.Now()
	if out, err := upload.CombinedOutput(); err != nil {
		s.b.Fatalf("%v: %s", err, out)
	}
	return float64(time.Since(began).Microseconds()) / 1000
}
