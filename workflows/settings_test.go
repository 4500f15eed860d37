package workflows_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// counted is a GitHub that counts what it is asked, and what that cost.
type counted struct {
	*githubtest.GitHub
	asked, paid atomic.Int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked.Add(1)
	rec := httptest.NewRecorder()
	c.GitHub.ServeHTTP(rec, r)
	if rec.Code != http.StatusNotModified {
		c.paid.Add(1)
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func countedGitHub(t *testing.T) *counted {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	github, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{GitHub: github}
	server.Config.Handler = c
	server.Start()
	t.Cleanup(server.Close)
	head := github.PutCommit(githubtest.Commit{Repository: releases, Files: []githubtest.File{{Path: ".github/workflows/release.yml", Content: "on: push\n"}}})
	github.PutBranch(githubtest.Branch{Repository: releases, Name: "main", SHA: head.SHA})
	github.PutEnvironment(locked())
	github.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "tags", Target: "tag", Include: []string{"~ALL"},
		Rules: []githubtest.Rule{{Type: "update"}, {Type: "a_rule_of_next_year"}, {Type: "required_deployments",
			Parameters: map[string]any{"required_deployment_environments": []string{"pypi"}}}}})
	github.PutSettings(githubtest.Settings{Repository: releases, RequirePins: true, Secrets: []string{"A"},
		EnvSecrets: map[string][]string{"pypi": {"B"}}, Collaborators: []githubtest.Collaborator{{Login: "alice", Role: "admin"}}})
	github.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, Owners: []string{"alice"}})
	return c
}

var everything = map[string]string{"administration": "write", "secrets": "read", "environments": "read", "actions": "read",
	"contents": "write", "organization_administration": "read", "metadata": "read"}

// gaps are the names of what the token could not see.
func gaps(s workflows.Settings) (names []string) {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		known := v.Field(i).MethodByName("Known")
		if known.IsValid() && !known.Call(nil)[0].Bool() {
			names = append(names, v.Type().Field(i).Name)
			if v.Field(i).FieldByName("Gap").String() == "" || v.Field(i).FieldByName("Needs").String() == "" {
				names = append(names, "which does not say why")
			}
		}
	}
	return names
}

func TestSettingsByToken(t *testing.T) {
	g := countedGitHub(t)
	admin, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: everything}), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := admin.Settings(t.Context(), releases)
	if err != nil {
		t.Fatal(err)
	}
	if unseen := gaps(s); len(unseen) > 0 {
		t.Errorf("an administrator does not see %v", unseen)
	}
	if asked := g.asked.Load(); asked > 40 {
		t.Errorf("it took %d calls", asked)
	}
	if !*s.Policy.Value.PinRequired || s.Secrets.Value[0] != "A" || s.EnvSecrets.Value["pypi"][0] != "B" || !s.People.Value[0].Admin ||
		len(s.Environments.Value) != 1 || s.Rulesets.Value[0].Rules[2].Environments[0] != "pypi" || !s.Protection.Value.ForcePush {
		t.Errorf("got %+v", s)
	}

	reader, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "bob", Permissions: map[string]string{"contents": "read", "actions": "read"}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := workflows.NewPublicClient(g.Issuer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*workflows.Client{"a reader": reader, "nobody": public} {
		s, err := c.Settings(t.Context(), releases)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		unseen := gaps(s)
		for _, want := range []string{"Policy", "Secrets", "People", "Immutable", "OrgPolicy"} {
			if !slices.Contains(unseen, want) {
				t.Errorf("%s sees %s", name, want)
			}
		}
		for _, want := range []string{"Environments", "Rulesets", "BranchRules", "Caches"} {
			if slices.Contains(unseen, want) {
				t.Errorf("%s does not see %s", name, want)
			}
		}
	}
}

// A second look costs nothing of the rate limit, and an answer that somebody
// changed in the folder is asked for again.
func TestAnswersAreRemembered(t *testing.T) {
	g := countedGitHub(t)
	dir := t.TempDir()
	token := g.AccessToken(githubtest.Access{User: "alice", Permissions: everything})
	look := func() workflows.Settings {
		c, err := workflows.NewClient(g.Issuer(), token, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Remembering(dir).Settings(t.Context(), releases)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	look()
	first := g.paid.Load()
	look()
	if again := g.paid.Load() - first; again > 3 { // what is not there has no ETag
		t.Errorf("the first look cost %d, the second %d", first, again)
	}
	g.PutSettings(githubtest.Settings{Repository: releases, Secrets: []string{"A", "C"}})
	if s := look(); len(s.Secrets.Value) != 2 || *s.Policy.Value.PinRequired {
		t.Errorf("a change is not seen: %+v", s.Secrets)
	}
	forgeAnswers(t, dir)
	if s := look(); len(s.Secrets.Value) != 2 {
		t.Errorf("a forged answer counts: %+v", s.Secrets)
	}
}

// A repository that goes away, and a GitHub that fails, are gaps.
func TestSettingsHalfWay(t *testing.T) {
	g := countedGitHub(t)
	c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: everything}), nil)
	if err != nil {
		t.Fatal(err)
	}
	g.Play(githubtest.Fault{Path: "/rulesets", Times: -1, Status: http.StatusNotFound, Message: "Not Found"})
	g.Play(githubtest.Fault{Path: "/actions/secrets", Times: -1, Status: http.StatusUnavailableForLegalReasons, Message: "Repository access blocked"})
	s, err := c.Settings(t.Context(), releases)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rulesets.Known() || s.Secrets.Known() || !s.Policy.Known() {
		t.Errorf("got %v", gaps(s))
	}
	if _, err := c.Settings(t.Context(), "acme/gone"); err == nil {
		t.Error("a repository that is not there has settings")
	}
}

func TestTree(t *testing.T) {
	g := countedGitHub(t)
	c, err := workflows.NewPublicClient(g.Issuer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Repository(t.Context(), releases)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := c.Tree(t.Context(), releases, r.Head)
	if err != nil {
		t.Fatal(err)
	}
	listed, _ := tree.List(t.Context(), ".github/workflows")
	raw, err := tree.Read(t.Context(), ".github/workflows/release.yml")
	if err != nil || !slices.Equal(listed, []string{"release.yml"}) || string(raw) != "on: push\n" {
		t.Errorf("got %v, %q, %v", listed, raw, err)
	}
	g.Behave(githubtest.Behaviour{TreeLimit: 1})
	if _, err := c.Tree(t.Context(), releases, r.Head); err == nil {
		t.Error("a part of a tree is taken for the tree")
	}
}

// forgeAnswers changes each answer that is kept, as somebody could who has the
// folder and not the token.
func forgeAnswers(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d answers are kept, %v", len(paths), err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		m["Body"] = []byte(`{"total_count":0,"secrets":[]}`)
		if raw, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
