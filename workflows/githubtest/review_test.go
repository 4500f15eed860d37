package githubtest_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows/githubtest"
)

const gateRun = "/repos/acme/widget/actions/runs/88"

// gate is a run whose publish job waits for the environment.
func (w *world) gate(e githubtest.Environment) githubtest.Environment {
	w.t.Helper()
	e.Repository, e.Name = "acme/widget", "pypi"
	e = w.PutEnvironment(e)
	w.PutRun(githubtest.Run{Repository: "acme/widget", ID: 88, Workflow: ".github/workflows/release.yml",
		Actor: "alice", Attempts: []githubtest.Attempt{{Jobs: []githubtest.Job{
			{Name: "gate"}, {Name: "publish", Environment: "pypi", Status: "waiting"}}}}})
	return e
}

// person is the header of somebody who may review.
func (w *world) person(login string) string {
	return w.may(login, "deployments", "write")
}

// status is that of the publish job of the last attempt.
func (w *world) status() string {
	w.t.Helper()
	var body struct {
		Jobs []struct {
			Name, Status string
			Conclusion   *string
		}
	}
	w.read(gateRun+"/jobs", &body)
	for _, j := range body.Jobs {
		switch {
		case j.Name != "publish":
		case j.Conclusion != nil:
			return *j.Conclusion
		default:
			return j.Status
		}
	}
	return ""
}

// approvals are "login: state: comment", each.
func (w *world) approvals() (said []string) {
	w.t.Helper()
	var body []struct {
		State, Comment string
		User           struct{ Login string }
	}
	w.read(gateRun+"/approvals", &body)
	for _, a := range body {
		said = append(said, a.User.Login+": "+a.State+": "+a.Comment)
	}
	return said
}

func TestEnvironmentIsRead(t *testing.T) {
	w := start(t)
	w.PutTeam(githubtest.Team{Organization: "acme", Slug: "managers", Members: []string{"bob"}})
	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/heads/main", "pypi")
	type facts struct {
		NodeID string `json:"node_id"`
		Bypass *bool  `json:"can_admins_bypass"`
		Rules  []struct {
			Type      string
			Self      bool `json:"prevent_self_review"`
			Wait      int  `json:"wait_timer"`
			Reviewers []struct {
				Type     string
				Reviewer struct{ Login, Slug string }
			}
		} `json:"protection_rules"`
		Branches *map[string]bool `json:"deployment_branch_policy"`
	}
	yes, no := true, false
	for _, test := range []struct {
		name        string
		environment githubtest.Environment
		want        string
		bypass      *bool
	}{
		{"nothing", githubtest.Environment{}, "<nil>", &yes},
		{"everything", githubtest.Environment{Reviewers: []string{"alice", "acme/managers"}, PreventSelfReview: true,
			WaitMinutes: 5, AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}},
			"wait_timer 5 required_reviewers self User alice Team managers branch_policy " +
				"map[custom_branch_policies:true protected_branches:false]", &no},
		{"protected branches", githubtest.Environment{ProtectedBranches: true, AdminBypass: githubtest.BypassUnsaid},
			"branch_policy map[custom_branch_policies:false protected_branches:true]", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.gate(test.environment)
			var got facts
			w.read("/repos/acme/widget/environments/PyPI", &got)
			said := ""
			for _, r := range got.Rules {
				said += r.Type + " "
				if r.Wait > 0 {
					said += fmt.Sprint(r.Wait, " ")
				}
				if r.Self {
					said += "self "
				}
				for _, v := range r.Reviewers {
					said += v.Type + " " + v.Reviewer.Login + v.Reviewer.Slug + " "
				}
			}
			if got.Branches == nil {
				said += "<nil>"
			} else {
				said += fmt.Sprint(*got.Branches)
			}
			if said != test.want || got.NodeID != job.EnvironmentNodeID {
				t.Errorf("want %s, got %s (%s)", test.want, said, got.NodeID)
			}
			if diff := cmp.Diff(test.bypass, got.Bypass); diff != "" {
				t.Errorf("can_admins_bypass (-want +got):\n%s", diff)
			}
		})
	}
	if g := w.get("/repos/acme/widget/environments/other"); g.status != 404 {
		t.Errorf("got %d", g.status)
	}
	w.PutRun(githubtest.Run{Repository: "acme/widget", Attempts: []githubtest.Attempt{{Jobs: []githubtest.Job{
		{Name: "deploy", Environment: "other"}}}}})
	w.read("/repos/acme/widget/environments/other", new(any))
	var all struct{ Environments []struct{ Name string } }
	if w.read("/repos/acme/widget/environments", &all); len(all.Environments) != 2 {
		t.Errorf("got %+v", all)
	}
}

func TestEnvironmentIsChanged(t *testing.T) {
	w := start(t)
	alice := w.PutUser(githubtest.User{Login: "alice"})
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	admin := w.may("carol", "administration", "write")
	const at = "/repos/acme/widget/environments/release%2Fpypi"
	body := fmt.Sprintf(`{"wait_timer":0,"prevent_self_review":true,"can_admins_bypass":false,
		"reviewers":[{"type":"User","id":%d}],
		"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`, alice.ID)
	if g := w.do("PUT", at, body, w.person("alice")); g.status != 403 {
		t.Errorf("without the permission: got %d", g.status)
	}
	if g := w.do("PUT", at, body, admin); g.status != 200 {
		t.Fatalf("got %d %s", g.status, g.raw)
	}
	var got struct {
		Name   string
		Bypass *bool `json:"can_admins_bypass"`
	}
	if w.read(at, &got); got.Name != "release/pypi" || got.Bypass == nil || *got.Bypass {
		t.Errorf("got %+v", got)
	}
	policies := func() (names []string) {
		var body struct {
			Policies []struct{ Name, Type string } `json:"branch_policies"`
		}
		w.read(at+"/deployment-branch-policies", &body)
		for _, p := range body.Policies {
			names = append(names, p.Type+" "+p.Name)
		}
		return names
	}
	for _, policy := range []string{`{"name":"main"}`, `{"name":"v*","type":"tag"}`} {
		if g := w.do("POST", at+"/deployment-branch-policies", policy, admin); g.status != 200 {
			t.Errorf("got %d %s", g.status, g.raw)
		}
	}
	if diff := cmp.Diff([]string{"branch main", "tag v*"}, policies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, wrong := range []string{
		`{"deployment_branch_policy":{"protected_branches":true,"custom_branch_policies":true}}`,
		`{"reviewers":[{"type":"User","id":1}]}`,
	} {
		if g := w.do("PUT", at, wrong, admin); g.status != 422 {
			t.Errorf("%s: got %d", wrong, g.status)
		}
	}
	w.PutEnvironment(githubtest.Environment{Repository: "acme/widget", Name: "apps", Apps: []string{"gatekeeper"}})
	w.read("/repos/acme/widget/environments/apps/deployment_protection_rules", new(any))
}

func TestReview(t *testing.T) {
	managers := githubtest.Environment{Reviewers: []string{"alice", "acme/managers"}, PreventSelfReview: true}
	const none = "No pending deployment requests to approve or reject"
	for _, test := range []struct {
		name        string
		environment githubtest.Environment
		login       string
		state       string
		status      int
		errors      string
		job         string
	}{
		{"somebody of the team", managers, "bob", "approved", 200, "", "queued"},
		{"a rejection", managers, "bob", "rejected", 200, "", "failure"},
		{"who started it", managers, "alice", "approved", 422, none, "waiting"},
		{"who started it, and it is allowed", githubtest.Environment{Reviewers: []string{"alice"}},
			"alice", "approved", 200, "", "queued"},
		{"a stranger", managers, "mallory", "approved", 422, none, "waiting"},
		{"nothing of the kind", managers, "bob", "perhaps", 422, "", "waiting"},
		{"a job's token", managers, "", "approved", 403, "", "waiting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t)
			w.PutTeam(githubtest.Team{Organization: "acme", Slug: "managers", Members: []string{"bob"}})
			e := w.gate(test.environment)
			var pending []struct {
				Can bool `json:"current_user_can_approve"`
			}
			w.read(gateRun+"/pending_deployments", &pending, w.person(test.login))
			can := test.status == 200 || test.login == "bob"
			if len(pending) != 1 || pending[0].Can != can {
				t.Errorf("pending: got %+v", pending)
			}
			g := w.do("POST", gateRun+"/pending_deployments", fmt.Sprintf(
				`{"environment_ids":[%d],"state":%q,"comment":"yes"}`, e.ID, test.state), w.person(test.login))
			var body struct{ Errors any }
			json.Unmarshal(g.raw, &body)
			if g.status != test.status || test.errors != "" && body.Errors != test.errors {
				t.Errorf("want %d %s, got %d %s", test.status, test.errors, g.status, g.raw)
			}
			if got := w.status(); got != test.job {
				t.Errorf("job: want %s, got %s", test.job, got)
			}
			var want []string
			if test.status == 200 {
				want = []string{test.login + ": " + test.state + ": yes"}
			}
			if diff := cmp.Diff(want, w.approvals()); diff != "" {
				t.Errorf("approvals (-want +got):\n%s", diff)
			}
		})
	}
}

// approval is somebody's click.
func approval(login string) githubtest.Review {
	return githubtest.Review{Environments: []string{"pypi"}, User: login, State: "approved", Comment: "yes"}
}

func TestReviewIsAskedForOnce(t *testing.T) {
	w := start(t)
	e := w.gate(githubtest.Environment{Reviewers: []string{"bob", "carol"}})
	if err := w.Review(88, approval("bob")); err != nil {
		t.Fatal(err)
	}
	body := `{"environment_ids":[` + strconv.FormatInt(e.ID, 10) + `],"state":"approved","comment":""}`
	if g := w.do("POST", gateRun+"/pending_deployments", body, w.person("carol")); g.status != 422 {
		t.Errorf("a second approval: got %d %s", g.status, g.raw)
	}
	if err := w.Review(88, approval("carol")); err == nil {
		t.Error("want a refusal")
	}
	for _, wrong := range []string{`{}`, `{"environment_ids":[1],"state":"approved"}`} {
		if g := w.do("POST", gateRun+"/pending_deployments", wrong, w.person("bob")); g.status != 422 {
			t.Errorf("%s: got %d", wrong, g.status)
		}
	}
}

func TestApprovalsOverAttempts(t *testing.T) {
	for _, test := range []struct {
		name      string
		behaviour githubtest.Behaviour
		status    string
		approvals []string
	}{
		{"asks again", githubtest.Behaviour{}, "waiting", []string{"bob: approved: yes"}},
		{"asks again and forgets", githubtest.Behaviour{ForgetsApprovals: true}, "waiting", nil},
		{"carries over", githubtest.Behaviour{CarriesApprovals: true}, "queued", []string{"bob: approved: yes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t)
			w.Behave(test.behaviour)
			w.gate(githubtest.Environment{Reviewers: []string{"bob"}})
			if err := w.Review(88, approval("bob")); err != nil {
				t.Fatal(err)
			}
			if err := w.Rerun(88, "alice", "publish"); err != nil {
				t.Fatal(err)
			}
			if got := w.status(); got != test.status {
				t.Errorf("want %s, got %s", test.status, got)
			}
			if diff := cmp.Diff(test.approvals, w.approvals()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var body struct{ Jobs []any }
			if w.read(gateRun+"/attempts/2/jobs", &body); len(body.Jobs) != 1 {
				t.Errorf("want the job that ran again alone, got %v", body.Jobs)
			}
		})
	}
}

func TestBypass(t *testing.T) {
	for _, test := range []struct {
		name      string
		bypass    githubtest.AdminBypass
		recorded  bool
		status    string
		approvals []string
	}{
		{"seen", githubtest.BypassAllowed, true, "queued", []string{"root: approved: now"}},
		{"unseen", githubtest.BypassAllowed, false, "queued", nil},
		{"forbidden", githubtest.BypassForbidden, true, "waiting", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t)
			w.Behave(githubtest.Behaviour{RecordsBypass: test.recorded})
			w.gate(githubtest.Environment{Reviewers: []string{"bob"}, AdminBypass: test.bypass})
			err := w.Bypass(88, "pypi", "root", "now")
			if (err == nil) != (test.bypass == githubtest.BypassAllowed) || w.status() != test.status {
				t.Errorf("got %v, %s", err, w.status())
			}
			if diff := cmp.Diff(test.approvals, w.approvals()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An environment made anew under an old name is not the one that was approved.
func TestApprovalKeepsItsEnvironment(t *testing.T) {
	w := start(t)
	e := w.gate(githubtest.Environment{Reviewers: []string{"bob"}})
	w.PutReview(88, githubtest.Review{Environments: []string{"pypi"}, User: "robot[bot]", State: "approved"})
	w.DeleteEnvironment("acme/widget", "pypi")
	w.PutEnvironment(githubtest.Environment{Repository: "acme/widget", Name: "pypi", ID: 5})
	var body []struct{ Environments []struct{ ID int64 } }
	w.read(gateRun+"/approvals", &body)
	if len(body) != 1 || body[0].Environments[0].ID != e.ID {
		t.Errorf("want %d, got %+v", e.ID, body)
	}
}
