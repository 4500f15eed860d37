package audit

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// An audit costs at most 40 calls, and one for each workflow and each pinned action,
// those that actions use among them; a second one almost none of the rate limit.
func TestAuditCosts(t *testing.T) {
	var asked, paid atomic.Int64
	server := httptest.NewUnstartedServer(nil)
	g, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		g.ServeHTTP(answer, r)
		if asked.Add(1); answer.Code != http.StatusNotModified {
			paid.Add(1)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
	server.Start()
	t.Cleanup(server.Close)
	locked(g)
	inner := action(g, "acme/inner", composite("- {run: echo, shell: bash}"))
	release := "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n" + stepsOf("- uses: "+
		action(g, "acme/one", composite("- uses: "+inner)), "- uses: "+action(g, "acme/two", composite("- uses: "+inner, "- uses: "+inner)))
	push(g, "main", release)
	push(g, "maintenance/1.0", release+"#\n") // another workflow
	push(g, "protected", release)             // the same one
	const workflowFiles, used, pinned = 2, 3, 2
	token := g.AccessToken(githubtest.Access{User: "alice", Permissions: rights})
	dir := t.TempDir()
	for _, run := range []struct {
		name string
		of   *atomic.Int64
		most int64
	}{{"the first", &asked, 40 + workflowFiles + used}, {"the second", &paid, 4}} {
		asked.Store(0)
		paid.Store(0)
		c, err := workflows.NewClient(g.Issuer(), token, nil)
		if err != nil {
			t.Fatal(err)
		}
		facts := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main", "refs/heads/maintenance/*"}}
		if facts, err = facts.Look(t.Context(), c.Remembering(dir), releases, Release{Workflows: []string{releaseYML}}); err != nil {
			t.Fatal(err)
		}
		for name, a := range facts.Actions {
			if !a.Known() {
				t.Errorf("%s: %s", name, a.Gap)
			}
		}
		if len(facts.Actions) != used || len(facts.Pins) != pinned || len(facts.Files.all) != workflowFiles {
			t.Errorf("want %d actions, %d pins and %d workflows, got %d, %d and %d", used, pinned, workflowFiles,
				len(facts.Actions), len(facts.Pins), len(facts.Files.all))
		}
		t.Logf("%s: %d asked, %d of the rate limit", run.name, asked.Load(), paid.Load())
		if got := run.of.Load(); got > run.most {
			t.Errorf("%s audit: want at most %d calls, got %d", run.name, run.most, got)
		}
	}
}
