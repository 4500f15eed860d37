//go:build linux

package command

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
)

// A release of 72 wheels of 12.7 MB with a bundle each. Each round runs in turn
// what the verbs cannot do without, and the verbs, all as processes of their own
// but the bundles:
//
//	openssl   openssl dgst -sha256 over the files, as many processes as there are cores
//	cp        cp of the files, likewise
//	bundles   attest parses and verifies the bundles
//	verify    distgate verify
//	stage     distgate stage, into a store that is not there yet
//
// Reported are the medians of the rounds, and the medians of the ratios within a
// round, of wall and of processor time. The files stay in the page cache.
func BenchmarkRelease(b *testing.B) {
	s := newScene(b)
	s.wheels(b)
	hash, cp, bundles := s.openssl(), s.writes(s.cp()), s.bundles(b)
	verify, stage := s.verify(s.dist), s.writes(s.stage())
	runs := map[string][]cost{}
	round := func() {
		h, c, u := hash(b), cp(b), bundles(b)
		v, st := verify(b), stage(b)
		for name, run := range map[string]cost{"openssl": h, "cp": c, "bundles": u, "verify": v, "stage": st} {
			runs[name] = append(runs[name], run)
		}
		runs["sum"] = append(runs["sum"], h.plus(c).plus(u))
	}
	round() // warms the page cache and the files that are run
	clear(runs)
	for b.Loop() {
		round()
	}
	for _, name := range []string{"openssl", "cp", "bundles", "verify", "stage"} {
		b.ReportMetric(median(runs[name], cost.wallMS), name+"-ms")
		b.ReportMetric(median(runs[name], cost.cpuMS), name+"-cpu-ms")
	}
	for _, pair := range [][2]string{{"verify", "openssl"}, {"stage", "sum"}} {
		ours, theirs := runs[pair[0]], runs[pair[1]]
		b.ReportMetric(medianRatio(ours, theirs, cost.wallMS), pair[0]+"/"+pair[1])
		b.ReportMetric(medianRatio(ours, theirs, cost.cpuMS), pair[0]+"/"+pair[1]+"-cpu")
	}
	b.ReportMetric(0, "ns/op")
}

// One wheel of 2 GB, all of it one stored member of zeros: how much memory verify
// needs. The peak is at least that of this benchmark's own process, since a child
// begins as its parent's likeness.
func BenchmarkLargeWheel(b *testing.B) {
	s := newScene(b)
	s.wheel(b, "py3-none-any", member{"widget/zeros.bin", 2 << 30, func() io.Reader { return zeros{} }})
	verify := s.verify(s.dist)
	var runs []cost
	for b.Loop() {
		runs = append(runs, verify(b))
	}
	b.ReportMetric(median(runs, func(c cost) float64 { return float64(c.peak) / 1e6 }), "peak-MB")
}

// cost is what some processes took that ran at once.
type cost struct {
	wall, cpu time.Duration // cpu is user and system time
	peak      int64         // bytes, of the largest process
}

func (c cost) plus(d cost) cost { return cost{c.wall + d.wall, c.cpu + d.cpu, max(c.peak, d.peak)} }
func (c cost) wallMS() float64  { return c.wall.Seconds() * 1e3 }
func (c cost) cpuMS() float64   { return c.cpu.Seconds() * 1e3 }

func median(runs []cost, of func(cost) float64) float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func medianRatio(ours, theirs []cost, of func(cost) float64) float64 {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, of(ours[i])/of(theirs[i]))
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// run does some work and says what it took.
type run func(b *testing.B) cost

// processes runs commands at once, from the first start to the last end.
func processes(b *testing.B, commands ...*exec.Cmd) (c cost) {
	start := time.Now()
	for _, cmd := range commands {
		cmd.Stderr = new(bytes.Buffer)
		check(b, cmd.Start())
	}
	for _, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			b.Fatalf("%s: %v\n%s", cmd, err, cmd.Stderr)
		}
		c.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		c.peak = max(c.peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	}
	c.wall = time.Since(start)
	return c
}

// scene is a project's folder and the distgate command, built.
type scene struct {
	world    *world.World
	dir      string // with distgate.toml
	dist     string
	distgate string
	files    []string
}

func newScene(b *testing.B) *scene {
	w, err := world.Start(b.Context())
	check(b, err)
	b.Cleanup(func() { _ = w.Close() })
	dir := b.TempDir()
	s := &scene{world: w, dir: dir, dist: filepath.Join(dir, "dist"), distgate: filepath.Join(dir, "distgate")}
	check(b, w.WriteProject(dir))
	expectWheels(b, filepath.Join(dir, "distgate.toml"))
	check(b, os.Mkdir(s.dist, 0o755))
	processes(b, exec.Command("go", "build", "-o", s.distgate, "github.com/distgate/distgate/cmd/distgate"))
	return s
}

func (s *scene) openssl() run {
	return func(b *testing.B) cost {
		return processes(b, s.spread(func(files []string) *exec.Cmd {
			return exec.Command("openssl", append([]string{"dgst", "-sha256"}, files...)...)
		})...)
	}
}

func (s *scene) cp() run {
	return func(b *testing.B) cost {
		copies := b.TempDir()
		defer os.RemoveAll(copies)
		return processes(b, s.spread(func(files []string) *exec.Cmd {
			return exec.Command("cp", append(files, copies)...)
		})...)
	}
}

// writes is a run that writes the files, right after as many bytes were written
// and removed. Of a virtual machine the host takes memory back that is not in use,
// and the first to need it again would pay for it: up to 0.5 s of these 918 MB.
func (s *scene) writes(r run) run {
	before := s.cp()
	return func(b *testing.B) cost {
		before(b)
		return r(b)
	}
}

// spread deals the files out to one command for each core.
func (s *scene) spread(command func(files []string) *exec.Cmd) (all []*exec.Cmd) {
	cores := runtime.GOMAXPROCS(0)
	for files := range slices.Chunk(s.files, (len(s.files)+cores-1)/cores) {
		all = append(all, command(slices.Clone(files)))
	}
	return all
}

// bundles parses and verifies what lies beside the files, in this process.
func (s *scene) bundles(b *testing.B) run {
	p, err := loadPolicy(b.Context(), filepath.Join(s.dir, "distgate.toml"), "", time.Now())
	check(b, err)
	hashed := map[string]dist.File{}
	for _, path := range s.files {
		source, err := os.Open(path)
		check(b, err)
		hashed[path], err = dist.Copy(io.Discard, source, filepath.Base(path), dist.MaxSize)
		check(b, err)
		check(b, source.Close())
	}
	known := func(_ context.Context, path string) (dist.File, dist.Info, error) {
		return hashed[path], dist.Info{}, nil
	}
	return func(b *testing.B) cost {
		start, before := time.Now(), processorTime(b)
		found, err := attest.Find([]string{s.dist}, nil)
		check(b, err)
		candidates, err := found.Collect(b.Context(), known)
		check(b, err)
		verdict, err := p.verifier.Verify(b.Context(), p.build, candidates)
		check(b, err)
		check(b, verdict.Err())
		return cost{wall: time.Since(start), cpu: processorTime(b) - before}
	}
}

// processorTime is the processor time of this process until now.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (s *scene) verify(path string) run {
	return func(b *testing.B) cost {
		return processes(b, exec.Command(s.distgate, "verify", path, "--policy", filepath.Join(s.dir, "distgate.toml")))
	}
}

func (s *scene) stage() run {
	return func(b *testing.B) cost {
		store := filepath.Join(s.dir, "distgate-store")
		defer os.RemoveAll(store)
		return processes(b, exec.Command(s.distgate, "stage", s.dist, "--store", store,
			"--policy", filepath.Join(s.dir, "distgate.toml")))
	}
}
