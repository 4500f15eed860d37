package audit

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// A repository is deleted, or made private, at any moment of an audit: nothing
// holds that did not hold before.
func TestWhatGoesAwayDoesNotHold(t *testing.T) {
	var left atomic.Int64
	var status int
	server := httptest.NewUnstartedServer(nil)
	g, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) < 0 {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(status)
			w.Write([]byte(`{"message":"` + http.StatusText(status) + `"}`))
			return
		}
		g.ServeHTTP(w, r)
	})
	server.Start()
	t.Cleanup(server.Close)
	s := locked(g)
	s.RequirePins, s.Secrets, s.Caches, s.TokenWrites = false, []string{"PYPI_TOKEN"}, 3, true
	g.PutSettings(s)
	g.DeleteEnvironment(releases, "pypi")
	token := g.AccessToken(githubtest.Access{User: "alice", Permissions: rights})
	look := func(calls int64) map[rule.ID]Verdict {
		left.Store(calls)
		c, err := workflows.NewClient(g.Issuer(), token, nil)
		if err != nil {
			t.Fatal(err)
		}
		facts := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main"}}
		if facts, err = facts.Look(t.Context(), c, releases, Release{Workflows: []string{releaseYML}}); err != nil {
			return nil // nothing was judged
		}
		all := map[rule.ID]Verdict{}
		for _, a := range Judge(facts).Answers {
			all[a.Rule.ID] = a.Verdict
		}
		return all
	}
	whole := look(1000)
	for _, status = range []int{http.StatusNotFound, http.StatusForbidden} {
		for calls := range int64(40) {
			for id, got := range look(calls) {
				if (got == Holds || got == DoesNotApply) && whole[id] != got {
					t.Errorf("%s: %s after %d calls and then %d; it is %s", id, got, calls, status, whole[id])
				}
			}
		}
	}
}
