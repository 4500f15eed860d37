package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
)

// moment is when the publishing process is killed: before or after the n-th
// request by which it changes something outside itself.
type moment struct {
	path string
	n    int  // from 1 on
	done bool // the request was done, and its answer not sent
}

func (m moment) String() string {
	when := "before"
	if m.done {
		when = "after"
	}
	return fmt.Sprintf("%s %s %d", when, m.path, m.n)
}

// crash is a world in which releases are published and killed.
type crash struct {
	t       *testing.T
	world   *world.World
	dir     string
	version string
	store   string
}

// TestCrash kills the process that publishes before and after each request that
// has an effect, and while it waits to write its receipt. The process is this
// binary, run as the command. Run again, the end is always the same: the approved
// files with their attestations, a receipt, and no file given to the index twice.
func TestCrash(t *testing.T) {
	c := newCrash(t)
	c.release("1.0")
	effects := c.undisturbed()
	want := c.state()
	var moments []moment
	for _, path := range slices.Sorted(maps.Keys(effects)) {
		for n := range effects[path] {
			moments = append(moments, moment{path, n + 1, false}, moment{path, n + 1, true})
		}
	}
	for i, m := range moments {
		c.release(fmt.Sprintf("1.%d", i+1))
		sent := c.killedAt(m)
		sent += c.resume()
		c.same("killed "+m.String(), want)
		if sent != effects["/legacy/"] {
			t.Errorf("%s: the index was given %d files of %d", m, sent, effects["/legacy/"])
		}
	}
	c.release("2.0")
	c.killedAtTheLock(effects)
	c.resume()
	c.same("killed while the receipt waits for the store", want)
	t.Logf("killed %d times, before and after each of %v", len(moments)+1, effects)
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	c := &crash{t: t, world: w, dir: t.TempDir()}
	if err := w.WriteProject(c.dir); err != nil {
		t.Fatal(err)
	}
	return c
}

// release builds, stages and approves a version.
func (c *crash) release(version string) {
	c.t.Helper()
	c.version, c.store = version, filepath.Join(c.dir, "store-"+version)
	built := filepath.Join(c.dir, "dist-"+version)
	if err := c.world.Build(built, version); err != nil {
		c.t.Fatal(err)
	}
	out := c.run(0, nil, "stage", built, "--json")
	var staged struct{ Release dist.Digest }
	if err := json.Unmarshal(out, &staged); err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob"} {
		c.run(0, nil, "approve", staged.Release.String(), "--key", filepath.Join(c.dir, "keys", name))
	}
}

// args are a verb's, with policy and store.
func (c *crash) args(verb ...string) []string {
	return append(verb, "--policy", filepath.Join(c.dir, "distgate.toml"), "--store", c.store)
}

// run runs a verb in this process.
func (c *crash) run(code int, env []string, verb ...string) []byte {
	c.t.Helper()
	var out, aside bytes.Buffer
	s := Streams{In: strings.NewReader(""), Out: &out, Err: &aside, Now: time.Now, Env: func(name string) string {
		for _, line := range env {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}}
	if got := Main(c.t.Context(), c.args(verb...), s); got != code {
		c.t.Fatalf("distgate %v ended with %d, want %d:\n%s", verb, got, code, aside.String())
	}
	return out.Bytes()
}

func (c *crash) publish() []string { return []string{"publish", c.version, "--patience", "5s"} }

// resume runs publish again, and returns how many files it sent.
func (c *crash) resume() (sent int) {
	c.t.Helper()
	effects := c.counted(func() { c.run(0, c.world.Env(c.world.PublishJob()), c.publish()...) })
	return effects["/legacy/"]
}

// undisturbed publishes without a crash, and returns how many requests of each
// kind that took.
func (c *crash) undisturbed() map[string]int {
	c.t.Helper()
	return c.counted(func() { c.run(0, c.world.Env(c.world.PublishJob()), c.publish()...) })
}

// counted counts the requests that change something.
func (c *crash) counted(do func()) map[string]int {
	var mu sync.Mutex
	effects := map[string]int{}
	c.world.Watch(func(r *http.Request, done bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost && !done {
			effects[r.URL.Path]++
		}
		return true
	})
	defer c.world.Watch(nil)
	do()
	return effects
}

// killedAt publishes in a process of its own, and kills it at that moment. It
// returns how many files the index was given.
func (c *crash) killedAt(m moment) (sent int) {
	c.t.Helper()
	var mu sync.Mutex
	met := map[string]int{}
	v := c.victim()
	c.world.Watch(func(r *http.Request, done bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost {
			return true
		}
		key := r.URL.Path + fmt.Sprint(done)
		met[key]++
		if r.URL.Path == m.path && done == m.done && met[key] == m.n {
			v.kill()
		}
		return !v.killed
	})
	defer c.world.Watch(nil)
	v.run(m.String())
	mu.Lock()
	defer mu.Unlock()
	return met["/legacy/true"]
}

// victim is a process that publishes and will be killed.
type victim struct {
	t              *testing.T
	process        *exec.Cmd
	started, ended chan struct{}
	killed         bool
}

func (c *crash) victim() *victim {
	process := exec.Command("distgate", c.args(c.publish()...)...)
	process.Env = append(os.Environ(), c.world.Env(c.world.PublishJob())...)
	return &victim{t: c.t, process: process, started: make(chan struct{}), ended: make(chan struct{})}
}

// kill ends the process as a machine that loses its power does. When it returns,
// the process is no more.
func (v *victim) kill() {
	v.killed = true
	<-v.started
	v.process.Process.Kill()
	<-v.ended
}

// run runs the process to its end, which must be the kill.
func (v *victim) run(when string) {
	v.t.Helper()
	if err := v.process.Start(); err != nil {
		v.t.Fatal(err)
	}
	close(v.started)
	v.process.Wait()
	close(v.ended)
	if v.process.ProcessState.Exited() {
		v.t.Fatalf("%s: it was not killed: %v", when, v.process.ProcessState)
	}
}

// killedAtTheLock kills the process when it has signed its receipt, and waits
// for the store, which another process holds.
func (c *crash) killedAtTheLock(effects map[string]int) {
	c.t.Helper()
	const last = "/api/v1/timestamp"
	var mu sync.Mutex
	n := 0
	v := c.victim()
	c.world.Watch(func(r *http.Request, done bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != last || !done {
			return true
		}
		if n++; n == effects[last] {
			unlock, err := lockedfile.MutexAt(filepath.Join(c.store, "index.lock")).Lock()
			if err != nil {
				c.t.Error(err)
			}
			time.AfterFunc(300*time.Millisecond, func() {
				v.kill()
				unlock()
			})
		}
		return true
	})
	defer c.world.Watch(nil)
	v.run("at the lock")
}

// state is what the index has of the version, and how many receipts the store
// has, with the version taken out.
func (c *crash) state() map[string]string {
	c.t.Helper()
	state := map[string]string{}
	response, err := http.Get(strings.TrimSuffix(c.world.SimpleURL(), "simple/") + "pypi/widget/" + c.version + "/json")
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var page struct {
		URLs []struct {
			Filename string
			Digests  map[string]string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range page.URLs {
		raw, err := os.ReadFile(filepath.Join(c.dir, "dist-"+c.version, f.Filename))
		if err != nil {
			c.t.Error(err)
		}
		name := strings.Replace(f.Filename, "-"+c.version, "", 1)
		state[name] = fmt.Sprintf("as it was built: %v", dist.Sum(raw).Hex() == f.Digests["sha256"])
	}
	var found []struct{ State string }
	if err := json.Unmarshal(c.run(0, nil, "status", "--json"), &found); err != nil || len(found) != 1 {
		c.t.Fatal(err, len(found))
	}
	state["status"] = found[0].State
	return state
}

func (c *crash) same(when string, want map[string]string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.state()); diff != "" {
		c.t.Errorf("%s: the end is another (-want +got):\n%s", when, diff)
	}
}
