package audit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// counter counts what a GitHub is asked, and what of it costs something of the limit.
type counter struct {
	*githubtest.GitHub
	asked, paid atomic.Int64
}

func counted(t *testing.T) *counter {
	c := new(counter)
	c.GitHub = serveWith(t, func(g *githubtest.GitHub, w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		g.ServeHTTP(answer, r)
		if c.asked.Add(1); answer.Code != http.StatusNotModified {
			c.paid.Add(1)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
	return c
}

// pinned is a composite action that is used at a commit, and where its repository has a
// tag for the commit, with the version beside it.
func (c *counter) pinned(name string, tagged bool, steps ...string) string {
	uses := action(c.GitHub, name, composite(append(steps, "- {run: echo, shell: bash}")...))
	if !tagged {
		return uses
	}
	_, sha, _ := strings.Cut(uses, "@")
	tag := c.PutTag(githubtest.Tag{Repository: name, Name: "v1.2.0", Target: sha})
	c.PutRef(name, "refs/tags/v1.2.0", tag.SHA)
	return uses + " # v1.2.0"
}

// An audit costs at most 40 calls, and one for each workflow and each pinned action,
// those that actions use among them; a second one almost none of the rate limit.
func TestAuditCosts(t *testing.T) {
	wide := func(versions int) func(c *counter) (steps []string) {
		return func(c *counter) (steps []string) { // twenty actions; ten of them use one more each
			for i := range 20 {
				var inner []string
				if i < 10 {
					inner = []string{"- uses: " + c.pinned(fmt.Sprintf("acme/inner%d", i), i < versions)}
				}
				steps = append(steps, "- uses: "+c.pinned(fmt.Sprintf("acme/outer%d", i), i < versions, inner...))
			}
			return append(steps, steps[0])
		}
	}
	deep := func(c *counter) []string { // each uses the next, as deep as it may be
		var steps []string
		for i := range maxNesting {
			steps = []string{"- uses: " + c.pinned(fmt.Sprintf("acme/deep%d", i), false, steps...)}
		}
		return steps
	}
	few := func(c *counter) (steps []string) {
		for i := range 20 {
			steps = append(steps, "- uses: "+c.pinned(fmt.Sprintf("acme/outer%d", i), false))
		}
		return steps
	}
	for name, c := range map[string]struct {
		access *githubtest.Access // nil: no token
		steps  func(*counter) []string
		pinned int64
		again  int64 // what a second audit costs at most, where what is the same costs nothing
	}{
		"an administrator": {&owner, wide(5), 30, 5},
		"a job's token":    {&githubtest.Access{Permissions: map[string]string{"contents": "read", "actions": "read"}}, wide(5), 30, 20},
		"every version":    {&owner, wide(20), 30, 5},
		"no version":       {&owner, wide(0), 30, 5},
		"deep":             {&owner, deep, maxNesting, 15},
		"no token":         {nil, few, 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := counted(t)
			locked(g.GitHub)
			release := "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n" + stepsOf(c.steps(g)...)
			push(g.GitHub, "main", release)
			push(g.GitHub, "maintenance/1.0", release+"#\n") // another workflow
			push(g.GitHub, "protected", release)             // the same one
			const workflowFiles = 2
			client, err := workflows.NewPublicClient(g.Issuer(), nil)
			if c.access != nil {
				client, err = workflows.NewClient(g.Issuer(), g.AccessToken(*c.access), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			client = client.Remembering(t.TempDir())
			for _, run := range []struct {
				name string
				of   *atomic.Int64
				most int64
			}{{"first", &g.asked, 40 + workflowFiles + c.pinned}, {"second", &g.paid, c.again}} {
				g.asked.Store(0)
				g.paid.Store(0)
				facts := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main", "refs/heads/maintenance/*"}}
				if run.name == "second" && c.access == nil {
					return // to nobody, what is the same counts, too
				}
				if facts, err = facts.Look(t.Context(), client, releases, Release{Workflows: []string{releaseYML}}); err != nil {
					t.Fatal(err)
				}
				for name, a := range facts.Actions {
					if !a.Known() {
						t.Errorf("%s: %s", name, a.Gap)
					}
				}
				for pin, known := range facts.Pins {
					if !known.Value {
						t.Errorf("%v: %s", pin, known.Gap)
					}
				}
				if int64(len(facts.Actions)) != c.pinned || int64(len(facts.Pins)) != c.pinned || len(facts.Files.all) != workflowFiles {
					t.Errorf("got %d actions, %d pins and %d workflows", len(facts.Actions), len(facts.Pins), len(facts.Files.all))
				}
				t.Logf("the %s: %d asked, %d of the rate limit", run.name, g.asked.Load(), g.paid.Load())
				if got := run.of.Load(); got > run.most {
					t.Errorf("the %s audit: want at most %d calls, got %d", run.name, run.most, got)
				}
			}
		})
	}
}
