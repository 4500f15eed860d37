package workflows_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

func TestAddressAndToken(t *testing.T) {
	for _, test := range []struct {
		api, token string
		holds      bool
	}{
		{"https://api.github.com", "ghs_x", true},
		{"https://ghe.example.org/api/v3/", "ghs_x", true},
		{"http://127.0.0.1:8080", "ghs_x", true},
		{"http://api.github.com", "ghs_x", false},
		{"http://localhost.example.org", "ghs_x", false},
		{"https://ghs_x@api.github.com", "ghs_x", false},
		{"https://api.github.com?a=b", "ghs_x", false},
		{"api.github.com", "ghs_x", false},
		{"", "ghs_x", false},
		{"ghs_x", "https://api.github.com", false},
		{"https://api.github.com", "", false},
		{"https://api.github.com", "ghs_x\r\nX: y", false},
	} {
		c, err := workflows.NewClient(test.api, test.token, nil)
		if (err == nil) != test.holds || (c != nil) != test.holds {
			t.Errorf("%q with %q: got %v", test.api, test.token, err)
		}
	}
}

// Whoever the API sends us to gets no token, and answers nothing for it.
func TestTheTokenStaysWithTheAPI(t *testing.T) {
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Write([]byte(`{"id":1}`))
	}))
	defer elsewhere.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer ghs_secret" {
			t.Errorf("the API got %q", got)
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
	}))
	defer api.Close()
	c, err := workflows.NewClient(api.URL, "ghs_secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Run(t.Context(), repository, 1)
	if err == nil || !strings.Contains(err.Error(), "another host") || strings.Contains(err.Error(), "ghs_secret") {
		t.Errorf("got %v", err)
	}
	if seen != nil {
		t.Errorf("another host was asked, with %q", seen)
	}
}

func TestFailuresThatPass(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]githubtest.Fault{
		"server errors":                  {githubtest.ServerError(502), githubtest.ServerError(503), githubtest.ServerError(500)},
		"an answer that breaks off":      {githubtest.Broken()},
		"a secondary limit":              {githubtest.SecondaryLimit(403, time.Second)},
		"a secondary limit, as 429":      {githubtest.SecondaryLimit(429, time.Second)},
		"a server that names a time":     {{Status: 503, Message: "busy", RetryAfter: time.Second}},
		"limits and errors in any order": {githubtest.SecondaryLimit(429, time.Second), githubtest.ServerError(504), githubtest.Broken()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.run()
			for _, fault := range faults {
				f.Play(fault)
			}
			r, err := f.client().Run(t.Context(), repository, runID)
			f.check(err)
			if r.Latest().Number != 1 || f.requests("") != len(faults)+1 {
				t.Errorf("got %+v after %d requests", r, f.requests(""))
			}
			if len(f.told) != len(faults) {
				t.Errorf("told %v", f.told)
			}
			for _, e := range f.told {
				if e.Step != workflows.Waiting || e.Note == "" || e.Until.IsZero() {
					t.Errorf("told %+v", e)
				}
			}
		})
	}
}

// A limit that is reset soon is waited for; one that is not is an error that
// says when.
func TestRequestsRunOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left time.Duration
		want string
	}{
		"for a moment": {2 * time.Second, ""},
		"for an hour":  {time.Hour, "GitHub takes the next request at "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var hours atomic.Int64 // that the clock of GitHub jumped while we waited
			f := newForgeAt(t, func() time.Time {
				return time.Now().Add(c.left - time.Hour + time.Duration(hours.Load())*time.Hour)
			})
			f.waiting = func() { hours.Store(1) }
			f.run()
			client := f.clientWith(githubtest.Access{Permissions: map[string]string{"actions": "read"}, Limit: 1})
			_, err := client.Run(t.Context(), repository, runID)
			f.check(err)
			started := time.Now()
			_, err = client.Run(t.Context(), repository, runID)
			if c.want == "" {
				f.check(err)
				if len(f.told) == 0 || time.Since(started) < time.Second/2 {
					t.Errorf("did not wait: told %v", f.told)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, new(rule.Refusals)) {
				t.Errorf("got %v", err)
			}
			before := f.requests("")
			if _, err = client.Run(t.Context(), repository, runID); c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("asked again: got %v", err)
			}
			if c.want != "" && f.requests("") != before {
				t.Errorf("it goes on asking, %d times", f.requests("")-before)
			}
		})
	}
}

func TestFailuresThatStay(t *testing.T) {
	t.Parallel()
	reader := githubtest.Access{Permissions: map[string]string{"actions": "read"}}
	for name, c := range map[string]struct {
		access   githubtest.Access
		prepare  func(*forge)
		requests int
		want     []string
	}{
		"no such run": {reader, nil, 1, []string{"got 404", `"actions: read" for acme/widget`}},
		"a permission is missing": {githubtest.Access{}, func(f *forge) {
			f.PutRepository(githubtest.Repository{Name: repository, Private: true})
			f.run()
		}, 1, []string{"got 403 Resource not accessible by integration", `the permission "actions: read" for acme/widget`}},
		"a permission is missing, and hidden": {githubtest.Access{}, func(f *forge) {
			f.PutRepository(githubtest.Repository{Name: repository, Private: true})
			f.run()
			f.Behave(githubtest.Behaviour{HidesDenied: true})
		}, 1, []string{"got 404", `or the token needs the permission "actions: read"`}},
		"another repository's run": {reader, func(f *forge) {
			f.PutRun(githubtest.Run{Repository: "acme/other", ID: runID, Workflow: build})
			f.PutRepository(githubtest.Repository{Name: repository})
		}, 1, []string{"got 404"}},
		"the repository has another name now": {reader, func(f *forge) {
			f.run()
			old := f.PutRepository(githubtest.Repository{Name: repository})
			f.PutRepository(githubtest.Repository{Name: "acme/gadget", ID: old.ID})
		}, 2, []string{"want a run of acme/widget, got acme/gadget"}},
		"down for good": {reader, func(f *forge) {
			f.run()
			fault := githubtest.ServerError(502)
			fault.Times = -1
			f.Play(fault)
		}, 6, []string{"got 502"}},
		"a limit for longer than we wait": {reader, func(f *forge) {
			f.run()
			f.Play(githubtest.SecondaryLimit(403, time.Hour))
		}, 1, []string{"got 403 You have exceeded a secondary rate limit", "GitHub takes the next request at"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			if c.prepare != nil {
				c.prepare(f)
			} else {
				f.PutRepository(githubtest.Repository{Name: repository})
			}
			_, err := f.clientWith(c.access).Run(t.Context(), repository, runID)
			if err == nil || errors.As(err, new(rule.Refusals)) {
				t.Fatalf("got %v, want what is neither yes nor no", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
			if f.requests("") != c.requests {
				t.Errorf("asked %d times, want %d", f.requests(""), c.requests)
			}
		})
	}
}

func TestATokenThatIsNone(t *testing.T) {
	f := newForge(t)
	f.run()
	c, err := workflows.NewClient(f.api, "ghs_expired", nil)
	f.check(err)
	_, err = c.Run(t.Context(), repository, runID)
	if err == nil || !strings.Contains(err.Error(), "got 401 Bad credentials") || strings.Contains(err.Error(), "ghs_expired") {
		t.Errorf("got %v", err)
	}
}

// An answer is what was asked for, whole and not endless, or an error.
func TestAnswersThatAreNone(t *testing.T) {
	run := func(with string) string {
		return `{"id":1,"run_attempt":1,"event":"push","head_sha":"ab","path":"w.yml","status":"completed",` +
			`"repository":{"id":7,"full_name":"acme/widget"},"actor":{"id":1},"triggering_actor":{"id":1}` + with + `}`
	}
	for name, c := range map[string]struct{ body, want string }{
		"nothing":               {"", "something else"},
		"a page":                {"<html>", "something else"},
		"another shape":         {`{"id":"one"}`, "something else"},
		"an empty object":       {`{}`, "want run 1, got 0"},
		"another run":           {run(`,"id":2`), "want run 1, got 2"},
		"another repository":    {run(`,"repository":{"id":7,"full_name":"evil/widget"}`), "got evil/widget"},
		"no repository":         {run(`,"repository":null`), "want a run of acme/widget, got nothing"},
		"no attempt":            {run(`,"run_attempt":null`), "attempt"},
		"too many attempts":     {run(`,"run_attempt":1000000`), "one of 100 at most"},
		"no event":              {run(`,"event":null`), "its event"},
		"no commit":             {run(`,"head_sha":""`), "its commit"},
		"no path":               {run(`,"path":""`), "the path of its workflow"},
		"nobody":                {run(`,"triggering_actor":null`), "who started it"},
		"no status":             {run(`,"status":null`), "its status"},
		"more than can be read": {run(strings.Repeat(" ", 17<<20)), "at most 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Write([]byte(c.body))
			}))
			defer api.Close()
			client, err := workflows.NewClient(api.URL, "ghs_x", nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := client.Run(t.Context(), repository, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v, want %q", r, err, c.want)
			}
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}
