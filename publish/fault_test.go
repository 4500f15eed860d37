package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

// outcome is how a release ended.
type outcome string

const (
	whole   outcome = "published exactly the approved set"
	resumed outcome = "stopped, said why, resumed cleanly"
)

// tally counts outcomes.
type tally struct {
	mu    sync.Mutex
	count map[outcome]int
	all   int
}

func (c *tally) add(o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[o]++
}

// next announces a combination, whatever comes of it.
func (c *tally) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
}

// steps are the requests of a job to the index, one after the other.
func stepsOfAJob() []pypitest.Fault {
	return []pypitest.Fault{
		{Text: "discovery", Path: "/.well-known/pytp"},
		{Text: "audience", Path: "/_/oidc/audience"},
		{Text: "page before", Path: "/simple/"},
		{Text: "mint", Path: "/_/oidc/mint-token"},
		{Text: "wheel", Path: "/legacy/"},
		{Text: "sdist", Path: "/legacy/", Skip: 1},
		{Text: "burn", Path: "/_/oidc/burn-token"},
		{Text: "page after", Path: "/simple/", Skip: 1},
		{Text: "file", Path: "/packages/"},
		{Text: "other file", Path: "/packages/", Skip: 1},
		{Text: "provenance", Path: "/integrity/"},
	}
}

// faultsOfAnIndex are what can go wrong with each of them: once, or from then on.
func faultsOfAnIndex() []pypitest.Fault {
	return []pypitest.Fault{
		{Do: pypitest.Drop, Times: 1}, {Do: pypitest.Drop},
		{Do: pypitest.DropAfter, Times: 1}, {Do: pypitest.DropAfter},
		{Do: pypitest.Fail, Code: 503, Times: 1}, {Do: pypitest.Fail, Code: 503},
		{Do: pypitest.Fail, Code: 429, Times: 1}, {Do: pypitest.Fail, Code: 403, Times: 1},
		{Do: pypitest.FailAfter, Code: 500, Times: 1}, {Do: pypitest.FailAfter, Code: 500},
		{Do: pypitest.Slow, Wait: 20 * time.Millisecond},
		{Do: pypitest.Truncate, Times: 1}, {Do: pypitest.Truncate},
		{Do: pypitest.Flip, Times: 1}, {Do: pypitest.Stale},
		{Do: pypitest.Expire, Times: 1}, {Do: pypitest.Skew, Wait: time.Hour, Times: 1},
		{Do: pypitest.Skew, Wait: -time.Hour, Times: 1},
		{Do: pypitest.Archive, Times: 1}, {Do: pypitest.Quarantine, Times: 1},
		{Do: pypitest.Audience, Text: "pypi"},
	}
}

// TestFaults lets every fault happen at every step. Whatever happens, the release
// is on the index as it was approved, or the job says why it is not and a second
// one, on a better day, brings it there; no token is left, nothing is sent that
// was not approved, and what the job says is up is up.
func TestFaults(t *testing.T) {
	c := &tally{count: map[outcome]int{}}
	t.Cleanup(func() {
		t.Logf("%d combinations: %d ended in %q, %d in %q, %d otherwise", c.all,
			c.count[whole], whole, c.count[resumed], resumed, c.all-c.count[whole]-c.count[resumed])
	})
	for _, step := range stepsOfAJob() {
		for _, fault := range faultsOfAnIndex() {
			name := fmt.Sprintf("%s: %s %d, %d times", step.Text, fault.Do, fault.Code, fault.Times)
			fault.Path, fault.Skip = step.Path, step.Skip
			c.next()
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spy := &tap{}
				w := newWorld(t, between(spy.between))
				w.must(w.index.Misbehave(fault))
				c.add(w.survive(spy, func() {
					w.index.Behave()
					w.index.SetClock(0)
					w.must(w.index.SetStatus("widget", pypitest.Active))
				}))
			})
		}
	}
	for _, service := range []string{"/api/v2/signingCert", "/api/v1/log", "/api/v1/log/entries", "/api/v1/timestamp"} {
		for _, fault := range []string{"drop", "drop-after", "503", "nothing"} {
			for _, when := range signings() {
				c.next()
				t.Run(fmt.Sprintf("%s: %s, %s", service, fault, when.what), func(t *testing.T) {
					t.Parallel()
					spy := &tap{}
					w := newWorld(t, between(spy.between))
					better := w.worseSigstore(service, fault, when)
					c.add(w.survive(spy, better))
				})
			}
		}
	}
	for name, harm := range harms() {
		c.next()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := &tap{}
			w := newWorld(t, between(spy.between))
			better := harm(w)
			c.add(w.survive(spy, better))
		})
	}
}

// span is some of a job's requests to a service of Sigstore, by their numbers.
type span struct {
	what        string
	first, last int
}

// signings are spans of what a job signs: two attestations, the summary and the
// receipt.
func signings() []span {
	return []span{{"once", 1, 1}, {"from then on", 1, 1 << 30}, {"for the summary", 3, 3}, {"for the receipt", 4, 4},
		{"for the summary, and from then on", 3, 1 << 30}}
}

// survive publishes, and if that fails once more after things got better. It
// fails the test for every other end than the two that may be.
func (w *world) survive(spy *tap, better func()) outcome {
	w.t.Helper()
	j := w.job(job())
	j.Patience = 300 * time.Millisecond
	if w.harm != nil {
		w.harm(&j)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	confirmed, err := j.Publish(ctx, w.approved)
	end := whole
	better()
	if err != nil {
		end = resumed
		w.explained(err)
		if !confirmed.IsZero() {
			w.t.Error("it failed, and is confirmed")
		}
		if confirmed, err = w.job(job()).Publish(ctx, w.approved); err != nil {
			w.t.Fatalf("it cannot be resumed: %v", err)
		}
	}
	w.exact(confirmed)
	w.noToken(spy)
	if w.t.Failed() {
		return "otherwise"
	}
	return end
}

// explained wants an error to say why, and that what it says is up is up.
func (w *world) explained(err error) {
	w.t.Helper()
	var no rule.Refusals
	if errors.As(err, &no) {
		refused(w.t, err, rules(no)...)
	} else if len(err.Error()) < 10 {
		w.t.Errorf("no reason: %q", err)
	}
	var left publish.Unfinished
	if !errors.As(err, &left) || !left.Known {
		return
	}
	up := w.listed()
	for _, name := range left.Up {
		if !slices.Contains(up, name) {
			w.t.Errorf("%s is said to be up: %v", name, err)
		}
	}
	if n := len(left.Up) + len(left.Missing) + len(left.Doubt); n != 2 {
		w.t.Errorf("%d of 2 files are spoken of", n)
	}
}

func rules(no rule.Refusals) (ids []rule.ID) {
	for _, r := range no {
		ids = append(ids, r.Rule)
	}
	return ids
}

// listed are the files that the index really has, past all faults.
func (w *world) listed() (names []string) {
	w.t.Helper()
	for name := range w.digests() {
		names = append(names, name)
	}
	return names
}

// digests are what the index really has.
func (w *world) digests() map[string]string {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/pypi/widget/1.0/json", nil)
	answer := httptest.NewRecorder()
	w.index.Honest().ServeHTTP(answer, r)
	var page struct {
		URLs []struct {
			Filename string
			Digests  map[string]string
		} `json:"urls"`
	}
	if answer.Code == http.StatusOK {
		w.must(json.Unmarshal(answer.Body.Bytes(), &page))
	}
	digests := map[string]string{}
	for _, f := range page.URLs {
		digests[f.Filename] = f.Digests["sha256"]
	}
	return digests
}

// exact wants the index to have the approved set and the store to have what says
// so.
func (w *world) exact(confirmed publish.Confirmed) {
	w.t.Helper()
	want := map[string]string{wheelName: dist.Sum(wheel("1.0")).Hex(), sdistName: dist.Sum(sdist("1.0")).Hex()}
	if diff := cmp.Diff(want, w.digests()); diff != "" {
		w.t.Errorf("the index has something else (-want +got):\n%s", diff)
	}
	if confirmed.IsZero() || confirmed.Release() != w.approved.Staged().Digest() || len(w.receipts()) == 0 {
		w.t.Error("nothing says that it is published")
	}
	if n := w.requests("POST /legacy/"); n > 12 {
		w.t.Errorf("%d uploads of 2 files", n)
	}
}

// noToken wants each token that a job got to be burned, or to be spoken of.
func (w *world) noToken(spy *tap) {
	w.t.Helper()
	alive := 0
	for _, token := range spy.minted {
		if !slices.Contains(spy.burned, token) {
			alive++
		}
	}
	if alive > w.steps(publish.NotBurned) {
		w.t.Errorf("%d of %d tokens are left, and nobody was told", alive, len(spy.minted))
	}
}

// worseSigstore puts something between the job and Sigstore, which happens to
// some of the requests for a path. The function ends it.
func (w *world) worseSigstore(path, fault string, when span) (better func()) {
	w.t.Helper()
	var mu sync.Mutex
	met, good := 0, false
	handler := w.sigstore.Handler(w.github.Issuer())
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if r.URL.Path == path {
			met++
		}
		bad := !good && r.URL.Path == path && met >= when.first && met <= when.last
		mu.Unlock()
		switch {
		case !bad:
			handler.ServeHTTP(rw, r)
		case fault == "drop-after":
			handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case fault == "drop":
			panic(http.ErrAbortHandler)
		case fault == "503":
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	w.t.Cleanup(server.Close)
	w.services = attest.Services{Fulcio: server.URL, Rekor: server.URL, TSA: server.URL + "/api/v1/timestamp"}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		good = true
	}
}

// harms are what happens to this machine and to its job. Each returns how it gets
// better.
func harms() map[string]func(*world) func() {
	return map[string]func(*world) func(){
		"the store cannot be written to":      func(w *world) func() { return w.fills("blobs/sha256") },
		"the store's index cannot be written": func(w *world) func() { return w.fills("index.json") },
		"the job gets no ID token": func(w *world) func() {
			w.harm = func(j *publish.Job) {
				j.Token = func(context.Context, string) (string, error) { return "", errors.New("the job has no id-token: write") }
			}
			return func() {}
		},
	}
}

// fills puts something in the place of a path of the store that nothing can be
// written to, as soon as everything is uploaded: the disk is full, or read-only.
func (w *world) fills(name string) (better func()) {
	path := filepath.Join(w.dir, name)
	var once sync.Once
	w.harm = func(j *publish.Job) {
		j.Progress = func(e publish.Event) {
			if e.Step == publish.Served {
				once.Do(func() {
					w.must(os.Rename(path, path+".kept"))
					if name == "index.json" {
						w.must(os.Mkdir(path, 0o500))
					} else {
						w.must(os.WriteFile(path, nil, 0o400))
					}
				})
			}
		}
	}
	return func() {
		w.must(os.RemoveAll(path))
		w.must(os.Rename(path+".kept", path))
	}
}

// A clock that is off by an hour, the issuer's or this machine's, stops the job
// before it asked the index for anything, and the error says what time it is.
func TestAClockThatIsWrong(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			wrong := ahead
			w := newWorld(t, func(w *world) {
				server := httptest.NewUnstartedServer(nil)
				var err error
				w.github, err = githubtest.New("http://"+server.Listener.Addr().String(),
					func() time.Time { return time.Now().Add(wrong) })
				w.must(err)
				server.Config.Handler = w.github
				server.Start()
				t.Cleanup(server.Close)
				sigstore := httptest.NewServer(w.sigstore.Handler(w.github.Issuer()))
				t.Cleanup(sigstore.Close)
				w.services = attest.Services{Fulcio: sigstore.URL, Rekor: sigstore.URL, TSA: sigstore.URL + "/api/v1/timestamp"}
			})
			_, err := w.publish()
			refused(t, err, rule.PublisherToken)
			says(t, err, "valid now")
			if w.requests("POST ") != 0 {
				t.Error("something was sent all the same")
			}
			wrong = 0
			_, err = w.publish()
			w.must(err)
		})
	}
}

// Two jobs publish one release at the same time. Both may end well, and one may
// say why it did not; the index has each file once.
func TestTwoPublishersAtOnce(t *testing.T) {
	w := newWorld(t)
	jobs := []publish.Job{w.job(job()), w.job(job())}
	var errs [2]error
	var both sync.WaitGroup
	for i, j := range jobs {
		j.Progress, j.Patience = nil, 2*time.Second
		both.Go(func() { _, errs[i] = j.Publish(t.Context(), w.approved) })
	}
	both.Wait()
	for _, err := range errs {
		if err != nil {
			w.explained(err)
			t.Logf("one of the two: %v", err)
		}
	}
	confirmed, err := w.publish()
	w.must(err)
	w.exact(confirmed)
}
