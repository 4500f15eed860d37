package pypitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Trouble is one way for an index to go wrong.
type Trouble string

// The troubles. Those that are said to do a request do it whole, and what they
// then tell the client is another matter.
const (
	Drop       Trouble = "drop"       // hang up before the request is looked at
	DropAfter  Trouble = "drop-after" // do it, and hang up before the answer
	Fail       Trouble = "fail"       // answer with a status, Code, before the request is looked at
	FailAfter  Trouble = "fail-after" // do it, and answer with a status all the same
	Slow       Trouble = "slow"       // do it, after a while
	Truncate   Trouble = "truncate"   // do it, and hang up in the middle of the answer
	Flip       Trouble = "flip"       // do it, and answer with one bit of the body changed
	Stale      Trouble = "stale"      // answer as when this was asked first, as a CDN does
	Audience   Trouble = "audience"   // want ID tokens for the audience of another index, Text
	Expire     Trouble = "expire"     // let all minted tokens end, and do it
	Skew       Trouble = "skew"       // put the clock Wait forward for good, and do it
	Archive    Trouble = "archive"    // archive all projects, and do it
	Quarantine Trouble = "quarantine" // quarantine all projects, and do it
)

// Fault is a trouble, and the requests that it happens to: those of a method
// whose path begins with Path.
type Fault struct {
	Do     Trouble       `json:"do"`
	Method string        `json:"method,omitempty"` // "" is any
	Path   string        `json:"path,omitempty"`   // "" is any
	Skip   int           `json:"skip,omitempty"`   // how many of them go well before
	Times  int           `json:"times,omitempty"`  // how many go wrong then; 0 is all
	Code   int           `json:"code,omitempty"`   // of [Fail] and [FailAfter]
	Text   string        `json:"text,omitempty"`   // what they say, or the audience
	Wait   time.Duration `json:"wait,omitempty"`   // of [Slow] and [Skew]; Retry-After of the statuses, if any
}

// troubles are what each does to a request.
func troubles() map[Trouble]func(*Index, Fault, http.ResponseWriter, *http.Request) {
	before := func(do func(*Index, Fault)) func(*Index, Fault, http.ResponseWriter, *http.Request) {
		return func(x *Index, f Fault, w http.ResponseWriter, r *http.Request) {
			do(x, f)
			x.serve.ServeHTTP(w, r)
		}
	}
	return map[Trouble]func(*Index, Fault, http.ResponseWriter, *http.Request){
		Drop: func(*Index, Fault, http.ResponseWriter, *http.Request) { hangUp() },
		DropAfter: func(x *Index, _ Fault, _ http.ResponseWriter, r *http.Request) {
			x.done(r)
			hangUp()
		},
		Fail: func(_ *Index, f Fault, w http.ResponseWriter, r *http.Request) { f.answer(w, r) },
		FailAfter: func(x *Index, f Fault, w http.ResponseWriter, r *http.Request) {
			x.done(r)
			f.answer(w, r)
		},
		Slow: func(x *Index, f Fault, w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(f.Wait):
				x.serve.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		},
		Truncate: func(x *Index, _ Fault, w http.ResponseWriter, r *http.Request) {
			a := x.done(r)
			a.header.Set("Content-Length", strconv.Itoa(a.body.Len()+1))
			a.body.Truncate(a.body.Len() / 2)
			a.send(w)
			http.NewResponseController(w).Flush()
			hangUp()
		},
		Flip: func(x *Index, _ Fault, w http.ResponseWriter, r *http.Request) {
			a := x.done(r)
			if raw := a.body.Bytes(); len(raw) > 0 {
				raw[len(raw)/2] ^= 1
			}
			a.send(w)
		},
		Stale:      (*Index).serveStale,
		Audience:   (*Index).serveOtherAudience,
		Expire:     before(func(x *Index, _ Fault) { x.expire() }),
		Skew:       before(func(x *Index, f Fault) { x.SetClock(f.Wait) }),
		Archive:    before(func(x *Index, _ Fault) { x.setAll(Archived) }),
		Quarantine: before(func(x *Index, _ Fault) { x.setAll(Quarantined) }),
	}
}

// faults are those that wait for their request, and what a CDN would remember.
type faults struct {
	mu     sync.Mutex
	list   []*pendingFault
	cached map[string]*answered // by URL and Accept
}

type pendingFault struct {
	Fault
	met int // requests
}

// Misbehave lets a fault happen, from the next request on. Of several for one
// request the first counts.
func (x *Index) Misbehave(list ...Fault) error {
	for _, f := range list {
		if err := f.check(); err != nil {
			return fmt.Errorf("pypitest: %w", err)
		}
	}
	x.faults.mu.Lock()
	defer x.faults.mu.Unlock()
	for _, f := range list {
		x.faults.list = append(x.faults.list, &pendingFault{Fault: f})
	}
	return nil
}

// Behave ends all faults. What one has changed for good stays: the clock, a
// project's status, tokens that ended.
func (x *Index) Behave() {
	x.faults.mu.Lock()
	defer x.faults.mu.Unlock()
	x.faults.list, x.faults.cached = nil, nil
}

func (f Fault) check() error {
	known := troubles()
	switch {
	case known[f.Do] == nil:
		return fmt.Errorf("want one of the troubles %v, got %q", slices.Sorted(maps.Keys(known)), f.Do)
	case f.Skip < 0 || f.Times < 0:
		return errors.New("want so many requests, got less than none")
	case (f.Do == Fail || f.Do == FailAfter) && (f.Code < 100 || f.Code > 599):
		return fmt.Errorf("want a status, got %d", f.Code)
	case f.Do == Audience && f.Text == "":
		return errors.New("want the other audience")
	}
	return nil
}

// next is the fault that happens to a request, if one does.
func (f *faults) next(r *http.Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.list {
		if p.Method != "" && p.Method != r.Method || !strings.HasPrefix(r.URL.Path, p.Path) {
			continue
		}
		p.met++
		if p.met > p.Skip && (p.Times == 0 || p.met <= p.Skip+p.Times) {
			return p.Fault, true
		}
	}
	return Fault{}, false
}

// hangUp ends the connection.
func hangUp() { panic(http.ErrAbortHandler) }

// answer says what the fault says, in a form for the client.
func (f Fault) answer(w http.ResponseWriter, r *http.Request) {
	if f.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.Wait.Round(time.Second).Seconds())))
	}
	text := f.Text
	if text == "" {
		text = http.StatusText(f.Code)
	}
	answer{status: f.Code, message: text}.send(w, r)
}

// answered is an answer that was not sent yet.
type answered struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answered) WriteHeader(status int)      { a.status = status }

// done does what a request asks for.
func (x *Index) done(r *http.Request) *answered {
	a := &answered{status: http.StatusOK, header: http.Header{}}
	x.serve.ServeHTTP(a, r)
	return a
}

func (a *answered) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	w.Write(a.body.Bytes())
}

// serveStale serves what was served the first time. Like pypi.org's CDN it
// looks neither at a query nor at what the request wants of caches.
func (x *Index) serveStale(_ Fault, w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.Path + " " + r.Header.Get("Accept")
	x.faults.mu.Lock()
	a := x.faults.cached[key]
	x.faults.mu.Unlock()
	if a == nil {
		a = x.done(r)
		x.faults.mu.Lock()
		if x.faults.cached == nil {
			x.faults.cached = map[string]*answered{}
		}
		x.faults.cached[key] = a
		x.faults.mu.Unlock()
	}
	w.Header().Set("X-Cache", "HIT")
	a.send(w)
}

func (x *Index) serveOtherAudience(f Fault, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/_/oidc/audience" {
		x.serve.ServeHTTP(w, r)
		return
	}
	writeJSON(w, http.StatusOK, plainJSON, map[string]string{"audience": f.Text})
}

// Honest is the index without its faults.
func (x *Index) Honest() http.Handler { return x.serve }

// SetClock puts the index's clock forward, or back.
func (x *Index) SetClock(ahead time.Duration) { x.ahead.Store(int64(ahead)) }

// now is the time by the index's clock.
func (x *Index) now() time.Time { return x.config.Now().Add(time.Duration(x.ahead.Load())) }

// expire lets all minted tokens end.
func (x *Index) expire() {
	now := x.now().Unix()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.tokens {
		if t.minted() {
			t.expires = min(t.expires, now)
		}
	}
}

func (x *Index) setAll(status Status) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.projects {
		if p.status != status {
			p.status = status
			x.changed(p)
		}
	}
}

// Switchboard is how a person makes the index misbehave. It is not part of the
// index and has an address of its own:
//
//	curl -d '{"do": "drop-after", "path": "/legacy/", "skip": 1, "times": 1}' $ADDRESS
//	curl -d '{"do": "fail", "code": 503, "text": "Backend is unhealthy", "wait": "30s"}' $ADDRESS
//	curl -X DELETE $ADDRESS
//
// A POST is a [Fault], in JSON; its "wait" is written as Go writes a time. DELETE ends
// all faults, and GET lists them.
func (x *Index) Switchboard() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		f, err := readFault(r.Body)
		if err == nil {
			err = x.Misbehave(f)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /{$}", func(w http.ResponseWriter, _ *http.Request) {
		x.Behave()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		x.faults.mu.Lock()
		defer x.faults.mu.Unlock()
		list := []Fault{}
		for _, p := range x.faults.list {
			list = append(list, p.Fault)
		}
		writeJSON(w, http.StatusOK, plainJSON, list)
	})
	return mux
}

// readFault reads a fault as a person writes it.
func readFault(in io.Reader) (Fault, error) {
	type plain Fault
	var written struct {
		plain
		Wait string `json:"wait"`
	}
	d := json.NewDecoder(io.LimitReader(in, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&written); err != nil {
		return Fault{}, err
	}
	f := Fault(written.plain)
	if written.Wait == "" {
		return f, nil
	}
	var err error
	f.Wait, err = time.ParseDuration(written.Wait)
	return f, err
}
