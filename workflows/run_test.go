package workflows_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

func TestARunInItsAttempts(t *testing.T) {
	f := newForge(t)
	f.PutUser(githubtest.User{Login: "robot", ID: 99, Type: "Bot"})
	given := f.run(
		githubtest.Attempt{Jobs: []githubtest.Job{{Name: "build", Conclusion: "failure"}}},
		githubtest.Attempt{Actor: "robot", Jobs: []githubtest.Job{{Name: "build", Status: "in_progress"}}},
	)
	alice := f.PutUser(githubtest.User{Login: "alice"})
	repo := f.PutRepository(githubtest.Repository{Name: repository})
	got, err := f.client().Run(t.Context(), repository, runID)
	f.check(err)
	first := workflows.Attempt{Number: 1, Workflow: build, Event: "push", HeadSHA: given.SHA, HeadBranch: "main",
		HeadRepository: repository, Actor: workflows.Account{ID: alice.ID, Login: "alice"},
		TriggeringActor: workflows.Account{ID: alice.ID, Login: "alice"}, Status: "completed", Conclusion: "failure",
		Started: given.Attempts[0].Started.UTC().Truncate(time.Second)}
	second := first
	second.Started = given.Attempts[1].Started.UTC().Truncate(time.Second)
	second.Number, second.TriggeringActor = 2, workflows.Account{ID: 99, Login: "robot", Bot: true}
	second.Status, second.Conclusion = "in_progress", ""
	want := workflows.Run{Repository: repository, RepositoryID: repo.ID, ID: runID, Attempts: []workflows.Attempt{first, second}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Latest() != second || got.URL() != "https://github.com/acme/widget/actions/runs/4242" {
		t.Errorf("latest %+v at %s", got.Latest(), got.URL())
	}
	if (workflows.Run{}).Latest() != (workflows.Attempt{}) {
		t.Error("a run that nobody asked for has an attempt")
	}
}

func TestRunsAreNamed(t *testing.T) {
	const at = "https://github.com/acme/widget.py/actions/runs/"
	for address, want := range map[string]int64{
		at + "7": 7, at + "7/attempts/2": 7, at + "7/job/9": 7, at + "7?pr=1": 7, at + "7#summary": 7,
		at: 0, at + "x": 0, at + "07": 0, at + "-7": 0, at + "99999999999999999999": 0, "7": 0, "": 0,
		"https://github.com.example.org/acme/widget/actions/runs/7": 0, "https://github.com/acme/../actions/runs/7": 0,
		"https://github.com/acme/a%2fb/actions/runs/7": 0, "https://github.com/acme/widget/actions/7": 0,
	} {
		repository, id, err := workflows.ParseRunURL(address)
		if id != want || (err == nil) != (want > 0) || want > 0 && repository != "acme/widget.py" {
			t.Errorf("%s: got %s, %d, %v", address, repository, id, err)
		}
	}
}

func TestJobsOfEveryAttempt(t *testing.T) {
	f := newForge(t)
	mine := githubtest.Runner{ID: 3, Name: "GitHub Actions 7", Group: 4, GroupName: "GitHub Actions"}
	f.run(
		githubtest.Attempt{Jobs: []githubtest.Job{
			{Name: "build / linux", Runner: mine, Conclusion: "failure", Steps: []string{"Build"}},
			{Name: "build / macos", Labels: []string{"macos-14"}},
			{Name: "docs", Conclusion: "skipped", Labels: []string{}},
			{Name: "late", Conclusion: "cancelled", Runner: githubtest.NeverAssigned()},
		}},
		githubtest.Attempt{Jobs: []githubtest.Job{{Name: "build / linux", Status: "in_progress"}, {Name: "publish", Status: "waiting"}}},
	)
	for _, run := range []string{"", "/attempts/1", "/attempts/2"} {
		jobs, err := f.client().Jobs(t.Context(), "https://github.com/acme/widget/actions/runs/4242"+run)
		f.check(err)
		var got []string
		for _, j := range jobs {
			got = append(got, fmt.Sprintf("%s idle=%t steps=%d", j, j.Idle(), j.Steps))
		}
		want := []string{
			`job "build / linux" of attempt 1 on runner "GitHub Actions 7" of group 4 "GitHub Actions" with labels ubuntu-latest idle=false steps=1`,
			fmt.Sprintf(`job "build / macos" of attempt 1 on runner %q of group 0 "GitHub Actions" with labels macos-14 idle=false steps=0`, jobs[1].Runner),
			`job "docs" of attempt 1 (completed skipped) without a runner idle=true steps=0`,
			`job "late" of attempt 1 (completed cancelled) without a runner idle=true steps=0`,
			fmt.Sprintf(`job "build / linux" of attempt 2 on runner %q of group 0 "GitHub Actions" with labels ubuntu-latest idle=false steps=0`, jobs[4].Runner),
			`job "publish" of attempt 2 (waiting) without a runner idle=true steps=0`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if jobs[2].GroupID != -1 || jobs[3].GroupID != 0 {
			t.Errorf("groups of what never ran: %d and %d", jobs[2].GroupID, jobs[3].GroupID)
		}
	}
}

func TestManyJobsAreReadByPage(t *testing.T) {
	f := newForge(t)
	var jobs []githubtest.Job
	for i := range 250 {
		jobs = append(jobs, githubtest.Job{Name: fmt.Sprint("build ", i), ID: int64(i + 1)})
	}
	f.run(githubtest.Attempt{Jobs: jobs})
	got, err := f.client().Jobs(t.Context(), "https://github.com/acme/widget/actions/runs/4242")
	f.check(err)
	if len(got) != 250 || f.requests("/jobs") != 3 {
		t.Errorf("got %d jobs by %d requests", len(got), f.requests("/jobs"))
	}
}

// A list that is not as long as it says is not believed.
func TestAListThatIsNotWhole(t *testing.T) {
	const one = `{"id":5,"run_id":1,"run_attempt":1,"name":"build","status":"completed"}`
	for name, c := range map[string]struct{ jobs, want string }{
		"too short":           {`{"total_count":2,"jobs":[` + one + `]}`, "changed while it was read"},
		"too long":            {`{"total_count":0,"jobs":[` + one + `]}`, "changed while it was read"},
		"one job twice":       {`{"total_count":2,"jobs":[` + one + `,` + one + `]}`, "changed while it was read"},
		"without a count":     {`{"jobs":[` + one + `]}`, "total_count"},
		"of another run":      {`{"total_count":1,"jobs":[` + strings.Replace(one, `"run_id":1`, `"run_id":2`, 1) + `]}`, "want jobs of run 1"},
		"of a later attempt":  {`{"total_count":1,"jobs":[` + strings.Replace(one, `"run_attempt":1`, `"run_attempt":2`, 1) + `]}`, "up to attempt 1"},
		"without an attempt":  {`{"total_count":1,"jobs":[` + strings.Replace(one, `"run_attempt":1,`, ``, 1) + `]}`, "up to attempt 1"},
		"a job without name":  {`{"total_count":1,"jobs":[` + strings.Replace(one, `"build"`, `""`, 1) + `]}`, "want jobs of run 1"},
		"a job without state": {`{"total_count":1,"jobs":[` + strings.Replace(one, `"completed"`, `null`, 1) + `]}`, "want jobs of run 1"},
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasSuffix(r.URL.Path, "/jobs"):
					fmt.Fprint(w, `{"id":1,"run_attempt":1,"event":"push","head_sha":"ab","path":"w.yml","status":"completed",`+
						`"repository":{"id":7,"full_name":"acme/widget"},"actor":{"id":1},"triggering_actor":{"id":1}}`)
				case r.URL.Query().Get("page") == "1":
					fmt.Fprint(w, c.jobs)
				default:
					fmt.Fprint(w, `{"total_count":2,"jobs":[]}`)
				}
			}))
			defer api.Close()
			client, err := workflows.NewClient(api.URL, "ghs_x", nil)
			if err != nil {
				t.Fatal(err)
			}
			jobs, err := client.Jobs(t.Context(), "https://github.com/acme/widget/actions/runs/1")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want %q", jobs, err, c.want)
			}
		})
	}
}

// A partial re-run hides nothing: what ran in the attempt before counts.
func TestAnAttemptThatWasThrownAway(t *testing.T) {
	mine := githubtest.Runner{ID: 3, Name: "GitHub Actions 7", Group: 4, GroupName: "GitHub Actions"}
	for name, c := range map[string]struct {
		attempts []githubtest.Attempt
		want     string
	}{
		"clean": {[]githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "build"}, {Name: "attest"}}}}, ""},
		"a cell of attempt 1 on a runner of the same name": {[]githubtest.Attempt{
			{Jobs: []githubtest.Job{{Name: "build (3.12)", Runner: mine, Conclusion: "failure"}, {Name: "attest", Conclusion: "skipped"}}},
			{Jobs: []githubtest.Job{{Name: "build (3.12)"}, {Name: "attest"}}},
		}, `job "build (3.12)" of attempt 1 on runner "GitHub Actions 7" of group 4 "GitHub Actions" with labels ubuntu-latest`},
		"a reusable workflow's job": {[]githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "wheels / build", Runner: mine}, {Name: "attest"}}}},
			`job "wheels / build" of attempt 1`},
		"larger runners": {[]githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "build", Labels: []string{"ubuntu-64-core"},
			Runner: githubtest.Runner{ID: 9, Name: "large_1", Group: 2, GroupName: "large"}}, {Name: "attest"}}}}, `of group 2 "large"`},
		"the gate in the same run": {[]githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "build"}, {Name: "gate", Status: "in_progress"},
			{Name: "publish", Status: "waiting"}, {Name: "announce", Status: "queued"}}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.run(c.attempts...)
			f.claims.RunAttempt = fmt.Sprint(len(c.attempts))
			f.upload("wheels", f.member(0, ""), githubtest.Member{Name: "all.jsonl", Content: string(f.provenance(f.files...))})
			got, err := f.collect(f.store(), wanted("wheels"))
			f.check(err)
			verdict, err := f.verify(attest.EveryJob, got.Candidates)
			f.check(err)
			no := verdict.Refused()
			switch {
			case c.want == "":
				f.check(verdict.Err())
			case len(no) != 1 || no[0].Rule != rule.HostedJob || !strings.Contains(no[0].Got, c.want):
				t.Errorf("got %v, want %s", no, c.want)
			}
		})
	}
}

// Jobs that cannot be asked for are neither yes nor no.
func TestJobsWithoutThePermission(t *testing.T) {
	f := newForge(t)
	f.PutRepository(githubtest.Repository{Name: repository, Private: true})
	f.run()
	_, err := f.clientWith(githubtest.Access{}).Jobs(t.Context(), f.claims.RunURI())
	if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), "actions: read") {
		t.Errorf("got %v", err)
	}
	if _, err := f.client().Jobs(t.Context(), "https://example.org/acme/widget/actions/runs/1"); err == nil {
		t.Error("asked for a run of nowhere")
	}
}

// GitHub's own examples are read.
func TestExamples(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	example := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, "github", "examples", name+"__200__default.json"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(example("GET_repos_owner_repo_actions_runs_run_id"))
	}))
	defer api.Close()
	c, err := workflows.NewClient(api.URL, "ghs_x", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Run(t.Context(), "octocat/Hello-World", 30433642)
	if err != nil {
		t.Fatal(err)
	}
	octocat := workflows.Account{ID: 1, Login: "octocat"}
	want := workflows.Run{Repository: "octocat/Hello-World", RepositoryID: 1296269, ID: 30433642, Attempts: []workflows.Attempt{{
		Number: 1, Workflow: ".github/workflows/build.yml", Event: "push", HeadSHA: "acb5820ced9479c074f688cc328bf03f341a511d",
		HeadBranch: "main", HeadRepository: "octo-org/octo-repo", Actor: octocat, TriggeringActor: octocat,
		Started: time.Date(2020, 1, 22, 19, 33, 8, 0, time.UTC), Status: "queued"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
