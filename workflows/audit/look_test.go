package audit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

const releases = "acme/widget-release"

// rights are those of an administrator, who owns the organisation.
var rights = map[string]string{"administration": "write", "secrets": "read", "environments": "read", "actions": "read",
	"contents": "write", "organization_administration": "read", "metadata": "read"}

func serve(t *testing.T) *githubtest.GitHub {
	t.Helper()
	return serveWith(t, (*githubtest.GitHub).ServeHTTP)
}

// serveWith serves a GitHub that may fail to answer.
func serveWith(t *testing.T, answer func(*githubtest.GitHub, http.ResponseWriter, *http.Request)) *githubtest.GitHub {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	g, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(g, w, r) })
	server.Start()
	t.Cleanup(server.Close)
	return g
}

// action is an action on GitHub, as it is used.
func action(g *githubtest.GitHub, repository, text string) string {
	c := g.PutCommit(githubtest.Commit{Repository: repository, Message: "v4", Files: []githubtest.File{{Path: "action.yml", Content: text}}})
	g.PutBranch(githubtest.Branch{Repository: repository, Name: "main", SHA: c.SHA})
	return repository + "@" + c.SHA
}

// locked is a repository that keeps every practice that a machine can see.
func locked(g *githubtest.GitHub) githubtest.Settings {
	attest := action(g, "actions/attest", "runs: {using: node24, main: index.js}\n")
	g.PutRepository(githubtest.Repository{Name: releases, ImmutableReleases: true})
	push(g, "main", "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {id-token: write}\n    environment: pypi\n"+
		stepsOf("- uses: "+attest, "- run: distgate publish 1.0"))
	g.PutEnvironment(githubtest.Environment{Repository: releases, Name: "pypi", Reviewers: []string{"alice"}, PreventSelfReview: true,
		AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}})
	g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "branches", Include: []string{"~ALL"}, Rules: []githubtest.Rule{
		{Type: "deletion"}, {Type: "non_fast_forward"}, {Type: "pull_request"}, {Type: "required_linear_history"}}})
	g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "names", Include: []string{"refs/heads/advisory-*", "refs/heads/internal-*"},
		Rules: []githubtest.Rule{{Type: "creation"}}})
	g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "tags", Target: "tag", Include: []string{"~ALL"}, Rules: []githubtest.Rule{
		{Type: "update"}, {Type: "deletion"}, {Type: "required_deployments", Parameters: map[string]any{"required_deployment_environments": []string{"pypi"}}}}})
	g.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, Owners: []string{"alice"}})
	s := githubtest.Settings{Repository: releases, AllowedActions: "selected", RequirePins: true, ForkApproval: "all_external_contributors",
		Collaborators: []githubtest.Collaborator{{Login: "alice", Role: "admin"}, {Login: "bob", Role: "write"}}, Alerts: true}
	g.PutSettings(s)
	return s
}

// push puts the release workflow on a branch.
func push(g *githubtest.GitHub, branch, workflow string) {
	c := g.PutCommit(githubtest.Commit{Repository: releases, Message: branch + workflow, Files: []githubtest.File{
		{Path: releaseYML, Content: workflow},
		{Path: ".github/dependabot.yml", Content: "updates:\n  - package-ecosystem: github-actions\n    cooldown: {default-days: 7}\n"}}})
	g.PutBranch(githubtest.Branch{Repository: releases, Name: branch, SHA: c.SHA})
}

func lookAt(t *testing.T, g *githubtest.GitHub, rights map[string]string) Report {
	t.Helper()
	c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: rights}), nil)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main", "refs/heads/maintenance/*"}, Gate: releaseYML}
	facts, err = facts.Look(t.Context(), c, releases, Release{Workflows: []string{releaseYML}})
	if err != nil {
		t.Fatal(err)
	}
	return Judge(facts)
}

func broken(r Report) (ids []rule.ID) {
	for _, a := range r.Answers {
		if a.Verdict == Broken {
			ids = append(ids, a.Rule.ID)
		}
	}
	return ids
}

func TestLockedRepositoryHolds(t *testing.T) {
	g := serve(t)
	locked(g)
	for _, a := range lookAt(t, g, rights).Answers {
		asked := a.Rule.ID == actionsFetchNothing.ID && a.Verdict == Question // what a program fetches
		if a.Rule.judge != nil && a.Verdict != Holds && a.Verdict != DoesNotApply && !asked {
			t.Errorf("%s: %s %v %v", a.Rule.ID, a.Verdict, a.Spots, a.Gaps)
		}
	}
}

// Each row loosens one setting, and breaks just the rules that are about it.
func TestLooseSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*githubtest.GitHub, *githubtest.Settings)
		broken []rule.ID
	}{
		"pins are not required": {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.RequirePins = false }, []rule.ID{"actions-require-pins"}},
		"but the organisation requires them": {func(g *githubtest.GitHub, s *githubtest.Settings) {
			s.RequirePins = false
			g.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, Owners: []string{"a"}, RequirePins: true})
		}, nil},
		"all actions may run":     {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.AllowedActions = "all" }, []rule.ID{"actions-allowed"}},
		"tokens write":            {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.TokenWrites = true }, []rule.ID{"default-token-reads"}},
		"tokens approve":          {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.TokenApproves = true }, []rule.ID{"default-token-reads"}},
		"forks ask once":          {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.ForkApproval = "" }, []rule.ID{"fork-approval"}},
		"a runner":                {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.Runners = []string{"box"} }, []rule.ID{"no-registered-runners"}},
		"a subject of its own":    {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.SubjectKeys = []string{"context"} }, []rule.ID{"oidc-subject"}},
		"a subject with the name": {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.SubjectKeys = []string{"repo", "context"} }, nil},
		"a PyPI token":            {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.Secrets = []string{"PYPI_API_TOKEN"} }, []rule.ID{"no-index-tokens", "no-repository-secrets"}},
		"one in the environment": {func(_ *githubtest.GitHub, s *githubtest.Settings) {
			s.EnvSecrets = map[string][]string{"pypi": {"TWINE_PASSWORD"}}
		}, []rule.ID{"no-index-tokens"}},
		"another secret": {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.Secrets = []string{"SLACK"} }, []rule.ID{"no-repository-secrets"}},
		"a key that writes": {func(_ *githubtest.GitHub, s *githubtest.Settings) {
			s.DeployKeys = []githubtest.DeployKey{{Title: "x"}}
		}, []rule.ID{"no-writing-keys"}},
		"a key that reads": {func(_ *githubtest.GitHub, s *githubtest.Settings) {
			s.DeployKeys = []githubtest.DeployKey{{Title: "x", ReadOnly: true}}
		}, nil},
		"caches":    {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.Caches = 1 }, []rule.ID{"caches-empty"}},
		"no alerts": {func(_ *githubtest.GitHub, s *githubtest.Settings) { s.Alerts = false }, []rule.ID{"dependencies-updated"}},
		"no second factor": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutOrganization(githubtest.Organization{Name: "acme", Owners: []string{"a"}})
		}, []rule.ID{"second-factor-required"}},
		"an app everywhere": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, Owners: []string{"a"},
				Apps: []githubtest.Installation{{App: "bot", Repositories: "all", Permissions: map[string]string{"contents": "write"}}}})
		}, []rule.ID{"few-apps"}},
		"many administrators": {func(_ *githubtest.GitHub, s *githubtest.Settings) {
			for _, login := range []string{"x", "y", "z"} {
				s.Collaborators = append(s.Collaborators, githubtest.Collaborator{Login: login, Role: "admin"})
			}
		}, []rule.ID{"few-admins"}},
		"no environment":     {func(g *githubtest.GitHub, _ *githubtest.Settings) { g.DeleteEnvironment(releases, "pypi") }, []rule.ID{"environment-exists", "environment-reviewed", "environment-no-bypass", "environment-from-branch"}},
		"nobody is asked":    {environment(func(e *githubtest.Environment) { e.Reviewers = nil }), []rule.ID{"environment-reviewed"}},
		"who starts decides": {environment(func(e *githubtest.Environment) { e.PreventSelfReview = false }), []rule.ID{"environment-reviewed"}},
		"bypass":             {environment(func(e *githubtest.Environment) { e.AdminBypass = githubtest.BypassAllowed }), []rule.ID{"environment-no-bypass"}},
		"any branch":         {environment(func(e *githubtest.Environment) { e.Policies = nil }), []rule.ID{"environment-from-branch"}},
		"releases change": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutRepository(githubtest.Repository{Name: releases})
		}, []rule.ID{"immutable-releases"}},
		"somebody is above the tags": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "tags", Target: "tag", Include: []string{"~ALL"}, Rules: []githubtest.Rule{
				{Type: "update"}, {Type: "deletion"}, {Type: "creation"}}, Bypass: []githubtest.BypassActor{{ID: 5, Type: "RepositoryRole"}}})
		}, []rule.ID{"no-bypass"}},
		"tags are free": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "tags", Target: "tag", Enforcement: "evaluate", Include: []string{"~ALL"}, Rules: []githubtest.Rule{
				{Type: "update"}, {Type: "deletion"}, {Type: "creation"}}})
		}, []rule.ID{"tags-immutable", "tags-after-release"}},
		"branches are free": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "branches", Include: []string{"~ALL"}, Rules: []githubtest.Rule{{Type: "creation"}}})
		}, []rule.ID{"branch-protected", "linear-history"}},
		"a branch of the old kind": {func(g *githubtest.GitHub, s *githubtest.Settings) {
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "branches", Include: []string{"~ALL"}, Rules: []githubtest.Rule{{Type: "creation"}}})
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "maintenance", Include: []string{"refs/heads/maintenance/*"}, Rules: []githubtest.Rule{
				{Type: "deletion"}, {Type: "non_fast_forward"}, {Type: "pull_request"}}})
			s.Protection = &githubtest.Protection{Reviews: true, Admins: true, LinearHistory: true}
		}, nil},
		"another branch that releases": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			push(g, "maintenance/1.0", "on: pull_request_target\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"+stepsOf("- run: make"))
		}, []rule.ID{"dangerous-triggers"}},
		"a commit of a fork": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			g.PutRepository(githubtest.Repository{Name: "mallory/attest", Parent: "actions/attest"})
			evil := g.PutCommit(githubtest.Commit{Repository: "mallory/attest", Message: "evil"})
			push(g, "main", "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"+stepsOf("- uses: actions/attest@"+evil.SHA+" # v4"))
		}, []rule.ID{"impostor-commit"}},
		"a commit of a fork, within an action": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			outer := action(g, "acme/outer", composite("- uses: acme/inner@"+forked(g), "- {run: echo, shell: bash}"))
			push(g, "main", "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"+
				stepsOf("- uses: "+action(g, "acme/outermost", composite("- uses: "+outer))))
		}, []rule.ID{"impostor-commit"}},
		"a commit of a fork, within a workflow": {func(g *githubtest.GitHub, _ *githubtest.Settings) {
			shared := g.PutCommit(githubtest.Commit{Repository: "acme/shared", Message: "shared", Files: []githubtest.File{
				{Path: ".github/workflows/build.yml", Content: callee("- uses: acme/inner@" + forked(g))}}})
			g.PutBranch(githubtest.Branch{Repository: "acme/shared", Name: "main", SHA: shared.SHA})
			push(g, "main", "on: push\npermissions: {}\njobs:\n  a:\n    uses: acme/shared/.github/workflows/build.yml@"+shared.SHA+"\n")
		}, []rule.ID{"impostor-commit"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t)
			s := locked(g)
			c.change(g, &s)
			g.PutSettings(s)
			if got := broken(lookAt(t, g, rights)); !slices.Equal(got, c.broken) {
				t.Errorf("want %v broken, got %v", c.broken, got)
			}
		})
	}
}

// forked is a commit of a fork of acme/inner, with an action that does no harm.
func forked(g *githubtest.GitHub) string {
	action(g, "acme/inner", composite("- {run: echo, shell: bash}"))
	g.PutRepository(githubtest.Repository{Name: "mallory/inner", Parent: "acme/inner"})
	return g.PutCommit(githubtest.Commit{Repository: "mallory/inner", Message: "evil", Files: []githubtest.File{
		{Path: "action.yml", Content: composite("- {run: echo, shell: bash}")}}}).SHA
}

func environment(change func(*githubtest.Environment)) func(*githubtest.GitHub, *githubtest.Settings) {
	return func(g *githubtest.GitHub, _ *githubtest.Settings) {
		e := githubtest.Environment{Repository: releases, Name: "pypi", Reviewers: []string{"alice"}, PreventSelfReview: true,
			AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}}
		change(&e)
		g.PutEnvironment(e)
	}
}

// Whatever may run on a branch that somebody protects is judged, though the policy lets
// nothing publish from there; what is about the release is not asked of it.
func TestProtectedBranches(t *testing.T) {
	uploads := "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n" + stepsOf("- uses: actions/cache@"+commit, "- run: twine upload dist/*")
	many := func(g *githubtest.GitHub) {
		for i := range maxBranches + 1 {
			push(g, fmt.Sprintf("b%d", i), fmt.Sprintf("%s#%d\n", "on: push\npermissions: {}\njobs: {}\n", i))
		}
	}
	gated := func(action string) string {
		return "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    environment: pypi\n" + by(action, "publish")
	}
	for name, c := range map[string]struct {
		change func(*githubtest.GitHub)
		past   Verdict // publish-past-the-gate
		caches Verdict // cache-poisoning
	}{
		"one that uploads": {func(g *githubtest.GitHub) { push(g, "dev", uploads) }, Broken, Holds},
		"one that is not protected": {func(g *githubtest.GitHub) {
			push(g, "dev", uploads)
			g.PutRuleset(githubtest.Ruleset{Repository: releases, Name: "branches", Include: []string{"refs/heads/main"}, Rules: []githubtest.Rule{{Type: "deletion"}}})
		}, Holds, Holds},
		"one with an older gate": {func(g *githubtest.GitHub) {
			push(g, "main", gated("distgate/distgate@"+commit))
			push(g, "dev", gated("distgate/distgate@"+other))
		}, Holds, Holds},
		"one with another's": {func(g *githubtest.GitHub) {
			push(g, "main", gated("distgate/distgate@"+commit))
			push(g, "dev", gated("evil/distgate@"+commit))
		}, Broken, Holds},
		"one without workflows": {func(g *githubtest.GitHub) {
			c := g.PutCommit(githubtest.Commit{Repository: releases, Message: "pages", Files: []githubtest.File{{Path: "index.html", Content: "<p>"}}})
			g.PutBranch(githubtest.Branch{Repository: releases, Name: "gh-pages", SHA: c.SHA})
		}, Holds, Holds},
		"one that releases, and uploads": {func(g *githubtest.GitHub) { push(g, "maintenance/1.0", uploads) }, Broken, Broken},
		"one that is not understood":     {func(g *githubtest.GitHub) { push(g, "dev", "on: [") }, CannotSee, Holds},
		"too many":                       {many, CannotSee, Holds},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t)
			locked(g)
			c.change(g)
			r := lookAt(t, g, rights)
			past, caches := answer(r, pastTheGate.ID), answer(r, releaseCaches.ID)
			if past.Verdict != c.past || caches.Verdict != c.caches {
				t.Errorf("want %s and %s, got %s %v %v and %s %v %v", c.past, c.caches,
					past.Verdict, past.Spots, past.Gaps, caches.Verdict, caches.Spots, caches.Gaps)
			}
		})
	}
}

// A reader sees less, and nothing that a reader cannot see holds.
func TestReaderSeesLess(t *testing.T) {
	g := serve(t)
	s := locked(g)
	s.Secrets, s.RequirePins = []string{"PYPI_TOKEN"}, false
	g.PutSettings(s)
	unseen := 0
	for _, a := range lookAt(t, g, map[string]string{"contents": "read", "actions": "read"}).Answers {
		if a.Verdict == Broken {
			t.Errorf("%s: a reader cannot see that", a.Rule.ID)
		}
		if (a.Rule.ID == "no-index-tokens" || a.Rule.ID == "actions-require-pins" || a.Rule.ID == "no-bypass") && a.Verdict != CannotSee {
			t.Errorf("%s: %s, to a reader", a.Rule.ID, a.Verdict)
		}
		if a.Verdict == CannotSee {
			unseen++
		}
	}
	if unseen < 10 {
		t.Errorf("a reader does not see %d rules", unseen)
	}
}

// A workflow that is the same at another commit runs the actions of that commit.
func TestSameWorkflowWithOtherAction(t *testing.T) {
	g := serve(t)
	const workflow = "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    permissions: {id-token: write}\n    steps:\n" +
		"      - uses: ./.github/sign\n      - uses: actions/attest@" + commit + "\n"
	at := func(name, run string) At {
		c := g.PutCommit(githubtest.Commit{Repository: releases, Message: name, Files: []githubtest.File{{Path: releaseYML, Content: workflow},
			{Path: ".github/sign/action.yml", Content: "runs:\n  using: composite\n  steps:\n    - uses: ./.github/inner\n"},
			{Path: ".github/inner/action.yml", Content: "runs:\n  using: composite\n  steps:\n    - run: " + run + "\n      shell: bash\n"}}})
		return At{releases, c.SHA, []string{releaseYML}}
	}
	clean, same, bad := at("clean", "echo hello"), at("same", "echo hello"), at("bad", "pip install evil")
	g.PutBranch(githubtest.Branch{Repository: releases, Name: "main", SHA: clean.Commit})
	g.PutBranch(githubtest.Branch{Repository: releases, Name: "maintenance/1.0", SHA: bad.Commit})
	c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: rights}), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		built   At
		files   int
		verdict Verdict
	}{"the same action": {same, 3, Holds}, "another action": {bad, 6, Broken}} {
		f, err := Facts{}.LookAt(t.Context(), c, Demand{Require: ids("attest-beside-code")}, clean, []At{row.built})
		if err != nil {
			t.Fatal(err)
		}
		if a := answer(Judge(f), "attest-beside-code"); a.Verdict != row.verdict || len(f.Files.all) != row.files {
			t.Errorf("%s: want %s in %d files, got %s %v in %d", name, row.verdict, row.files, a.Verdict, a.Spots, len(f.Files.all))
		}
	}
	if a := answer(lookAt(t, g, rights), "attest-beside-code"); a.Verdict != Broken {
		t.Errorf("on another branch: %s", a.Verdict)
	}
}
