//go:build linux

package dist_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/dist"
)

// wheelLike is a wheel as those of compiled projects are: of its bytes some are
// text, which deflates well, and more are machine code, which does not.
func wheelLike(b *testing.B, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	words := make([]string, 3000)
	for i := range words {
		words[i] = fmt.Sprintf("name_%x", random.Uint32N(1<<20))
	}
	text := func(size int) string {
		var out strings.Builder
		for out.Len() < size {
			fmt.Fprintf(&out, "    %s = %s(%s)\n", words[random.IntN(len(words))], words[random.IntN(len(words))],
				words[random.IntN(len(words))])
		}
		return out.String()
	}
	code := func(size int) string {
		out := []byte(program{machine: 62, needs: []string{"libc.so.6"}, glibc: "GLIBC_2.17"}.bytes())
		for len(out) < size {
			out = append(out, byte(random.Uint32()), 0x48, 0x8b, byte(random.Uint32N(32)), byte(random.Uint32N(4)), 0)
		}
		return string(out)
	}
	entries := []entry{{name: "widget-1.0.dist-info/WHEEL", body: strings.Replace(wheelFile, "any", "manylinux_2_17_x86_64", 1)}}
	for i := range 400 {
		entries = append(entries, entry{name: fmt.Sprintf("widget/module_%03d.py", i), body: text(20_000)})
	}
	for i := range 20 {
		entries = append(entries, entry{name: fmt.Sprintf("widget/_native_%02d.so", i), body: code(1_000_000)})
	}
	return wheelWith(b, entries...)
}

// benchWheel is one wheel on disk.
type benchWheel struct {
	path string
	file dist.File
}

const benchTag = "widget-1.0-%d-py3-none-manylinux_2_17_x86_64.whl"

func writeBenchWheels(b *testing.B, n int) (wheels []benchWheel) {
	dir := b.TempDir()
	for i := range n {
		raw := wheelLike(b, uint64(i))
		w := benchWheel{path: filepath.Join(dir, fmt.Sprintf(benchTag, i+1))}
		if err := os.WriteFile(w.path, raw, 0o644); err != nil {
			b.Fatal(err)
		}
		var err error
		if w.file, err = dist.Copy(io.Discard, bytes.NewReader(raw), filepath.Base(w.path), dist.MaxSize); err != nil {
			b.Fatal(err)
		}
		wheels = append(wheels, w)
	}
	return wheels
}

func (w benchWheel) examine(b *testing.B) {
	f, err := os.Open(w.path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := dist.Examine(f, w.file); err != nil {
		b.Fatal(err)
	}
}

func (w benchWheel) unzip(b *testing.B) {
	if out, err := exec.Command("unzip", "-tqq", w.path).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// all does something with every wheel, as many at once as there are cores.
func all(wheels []benchWheel, do func(benchWheel)) {
	var work sync.WaitGroup
	queue := make(chan benchWheel)
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for w := range queue {
				do(w)
			}
		})
	}
	for _, w := range wheels {
		queue <- w
	}
	close(queue)
	work.Wait()
}

// One wheel is looked into, and tested by unzip -t, which inflates it and compares
// checksums, in turns.
func BenchmarkExamine(b *testing.B) {
	w := writeBenchWheels(b, 1)[0]
	compare(b, "wheel", func() { w.examine(b) }, func() { w.unzip(b) })
}

// The same with 72 wheels on all cores, and how much memory all of them took, one
// after the other.
func BenchmarkExamineRelease(b *testing.B) {
	wheels := writeBenchWheels(b, 72)
	var allocated, rounds uint64
	compare(b, "release", func() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		all(wheels, func(w benchWheel) { w.examine(b) })
		runtime.ReadMemStats(&after)
		allocated, rounds = allocated+after.TotalAlloc-before.TotalAlloc, rounds+1
	}, func() { all(wheels, func(w benchWheel) { w.unzip(b) }) })
	b.ReportMetric(float64(allocated)/float64(rounds)/float64(len(wheels))/1e6, "MB/wheel")
}

// compare reports the medians of both, and of their ratio within a round.
func compare(b *testing.B, name string, ours, theirs func()) {
	b.Helper()
	ours()
	theirs()
	var a, c, ratios []float64
	for b.Loop() {
		start := time.Now()
		ours()
		between := time.Now()
		theirs()
		a = append(a, between.Sub(start).Seconds()*1e3)
		c = append(c, time.Since(between).Seconds()*1e3)
		ratios = append(ratios, a[len(a)-1]/c[len(c)-1])
	}
	for _, m := range []struct {
		values []float64
		unit   string
	}{{a, name + "-examine-ms"}, {c, name + "-unzip-ms"}, {ratios, name + "-examine/unzip"}} {
		slices.Sort(m.values)
		b.ReportMetric(m.values[len(m.values)/2], m.unit)
	}
	b.ReportMetric(0, "ns/op")
}
