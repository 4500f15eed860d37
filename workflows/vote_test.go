package workflows_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// gated is a run whose publishing job waits for alice or bob.
func (f *forge) gated() githubtest.Run {
	e := locked()
	e.Reviewers = []string{"alice", "bob"}
	f.PutEnvironment(e)
	return f.PutRun(githubtest.Run{Repository: releases, ID: runID, Workflow: ".github/workflows/release.yml",
		Event: "workflow_dispatch", Branch: "main", SHA: strings.Repeat("a", 40), Actor: "dave",
		Attempts: []githubtest.Attempt{{Jobs: []githubtest.Job{
			{Name: "gate"}, {Name: "publish", Environment: "pypi", Status: "waiting"}}}}})
}

func (f *forge) clientOf(api, login string) *workflows.Client {
	f.t.Helper()
	c, err := workflows.NewClient(api, f.AccessToken(githubtest.Access{User: login,
		Permissions: map[string]string{"actions": "read", "deployments": "write"}}), nil)
	f.check(err)
	return c
}

// facts are what one has to know to vote.
func facts(f *forge, c *workflows.Client) (workflows.Run, workflows.Environment, workflows.Account) {
	f.t.Helper()
	run, err := c.Run(f.t.Context(), releases, runID)
	f.check(err)
	e, err := c.Environment(f.t.Context(), releases, "pypi")
	f.check(err)
	me, err := c.Me(f.t.Context())
	f.check(err)
	return run, e, me
}

func TestAReviewIsPostedAndRead(t *testing.T) {
	f := newForge(t)
	f.gated()
	c := f.clientOf(f.api, "bob")
	run, e, me := facts(f, c)
	for range 2 {
		f.check(c.Post(t.Context(), run, e, me, workflows.Approved, "approve it"))
	}
	got, err := c.Reviews(t.Context(), run)
	f.check(err)
	want := []workflows.Review{{Environments: []int64{e.ID}, By: me, State: "approved", Comment: "approve it"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !got[0].Of(e) || got[0].Of(workflows.Environment{}) || got[0].Of(workflows.Environment{ID: e.ID + 1, Name: e.Name}) {
		t.Error("a review is of its environment alone")
	}
	if err := c.Post(t.Context(), run, e, me, workflows.Approved, "approve another"); err == nil || !strings.Contains(err.Error(), "no job waits") {
		t.Errorf("got %v", err)
	}
}

func TestWhoMayNotReview(t *testing.T) {
	f := newForge(t)
	f.gated()
	for login, want := range map[string]string{"mallory": "may not review", "dave": "may not review"} {
		c := f.clientOf(f.api, login)
		run, e, me := facts(f, c)
		if err := c.Post(t.Context(), run, e, me, workflows.Approved, "approve it"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", login, err)
		}
	}
	if _, err := f.client().Me(t.Context()); err == nil || !strings.Contains(err.Error(), "a person's token") {
		t.Errorf("a job's token is somebody's: %v", err)
	}
}

// lossy forwards to GitHub and loses the answer to the first POST, after it
// arrived or before.
func (f *forge) lossy(arrives bool) (api string, posts *atomic.Int32) {
	posts = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			f.ServeHTTP(w, r)
			return
		}
		posts.Add(1)
		if arrives {
			f.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}))
	f.t.Cleanup(server.Close)
	return server.URL, posts
}

func TestNoVoteIsPostedTwice(t *testing.T) {
	for name, arrives := range map[string]bool{"the answer is lost": true, "the question is lost": false} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.gated()
			api, posts := f.lossy(arrives)
			c := f.clientOf(api, "bob")
			run, e, me := facts(f, c)
			err := c.Post(t.Context(), run, e, me, workflows.Approved, "approve it")
			if n := posts.Load(); (err == nil) != arrives || n != 1 {
				t.Errorf("%d posted: %v", n, err)
			}
			reviews, err := c.Reviews(t.Context(), run)
			f.check(err)
			if (len(reviews) == 1) != arrives {
				t.Errorf("got %v", reviews)
			}
		})
	}
	for _, fault := range []githubtest.Fault{githubtest.ServerError(502), githubtest.SecondaryLimit(403, 0)} {
		f := newForge(t)
		f.gated()
		c := f.clientOf(f.api, "bob")
		run, e, me := facts(f, c)
		fault.Method, fault.Times = http.MethodPost, -1
		f.Play(fault)
		if err := c.Post(t.Context(), run, e, me, workflows.Approved, "approve it"); err == nil || !strings.Contains(err.Error(), "not posted") {
			t.Errorf("%d: got %v", fault.Status, err)
		}
		if n := strings.Count(strings.Join(f.asked, "\n"), "pending_deployments"); n != 2 {
			t.Errorf("%d: pending deployments were asked for or reviewed %d times, want 2", fault.Status, n)
		}
	}
}

// A later rejection that is listed does not stand for an earlier one that is not.
func TestAForgottenRejectionBesideAnother(t *testing.T) {
	f := newForge(t)
	f.gated()
	f.Behave(githubtest.Behaviour{ForgetsApprovals: true})
	for range 2 {
		f.check(f.Review(runID, githubtest.Review{Environments: []string{"pypi"}, User: "alice", State: "rejected"}))
		run, _, _ := facts(f, f.clientOf(f.api, "bob"))
		reviews, err := f.client().Reviews(t.Context(), run)
		if first := len(run.Attempts) == 1; first != (err == nil) || len(reviews) != 1 {
			t.Errorf("attempt %d: got %v, %v", len(run.Attempts), reviews, err)
		}
		f.check(f.Rerun(runID, "dave"))
	}
}

// A rejection that GitHub no longer lists is not overheard.
func TestAForgottenRejection(t *testing.T) {
	for name, forgets := range map[string]bool{"remembered": false, "forgotten": true} {
		f := newForge(t)
		f.gated()
		f.Behave(githubtest.Behaviour{ForgetsApprovals: forgets})
		f.check(f.Review(runID, githubtest.Review{Environments: []string{"pypi"}, User: "alice", State: "rejected"}))
		f.check(f.Rerun(runID, "dave"))
		f.check(f.Review(runID, githubtest.Review{Environments: []string{"pypi"}, User: "bob", State: "approved", Comment: "approve it"}))
		c := f.clientOf(f.api, "bob")
		run, _, _ := facts(f, c)
		reviews, err := c.Reviews(t.Context(), run)
		if forgets && (err == nil || !strings.Contains(err.Error(), "start a new run")) {
			t.Errorf("%s: got %v, %v", name, reviews, err)
		}
		if !forgets && (err != nil || len(reviews) != 2) {
			t.Errorf("%s: got %v, %v", name, reviews, err)
		}
	}
}

func TestContentIsAFile(t *testing.T) {
	f := newForge(t)
	commit := f.PutCommit(githubtest.Commit{Repository: releases, Files: []githubtest.File{
		{Path: ".github/workflows/release.yml", Content: strings.Repeat("on: workflow_dispatch\n", 99)},
		{Path: "link", Content: "elsewhere", Mode: githubtest.ModeSymlink}}})
	f.PutBranch(githubtest.Branch{Repository: releases, Name: "main", SHA: commit.SHA})
	for _, ref := range []string{"main", commit.SHA} {
		raw, err := f.client().Content(t.Context(), releases, ".github/workflows/release.yml", ref)
		f.check(err)
		if string(raw) != strings.Repeat("on: workflow_dispatch\n", 99) {
			t.Errorf("%s: got %d bytes", ref, len(raw))
		}
	}
	for _, path := range []string{"link", ".github/workflows", "missing"} {
		if raw, err := f.client().Content(t.Context(), releases, path, "main"); err == nil {
			t.Errorf("%s: got %q", path, raw)
		}
	}
}

func TestACommitIsOnABranch(t *testing.T) {
	f := newForge(t)
	put := func(message string, parents ...string) string {
		return f.PutCommit(githubtest.Commit{Repository: releases, Message: message, Parents: parents}).SHA
	}
	first := put("first")
	second := put("second", first)
	evil := put("evil", first)
	f.PutBranch(githubtest.Branch{Repository: releases, Name: "maintenance/1.x", SHA: second})
	for commit, want := range map[string]bool{first: true, second: true, evil: false, put("third", second): false} {
		on, err := f.client().OnBranch(t.Context(), releases, "maintenance/1.x", commit)
		f.check(err)
		if on != want {
			t.Errorf("%s: got %t, want %t", commit, on, want)
		}
	}
	for commit, known := range map[string]bool{strings.Repeat("0", 40): false, put("orphan"): true} {
		if on, err := f.client().OnBranch(t.Context(), releases, "maintenance/1.x", commit); on || (err == nil) != known {
			t.Errorf("%s: got %t, %v", commit, on, err)
		}
	}
	f.PutRef(releases, "refs/tags/maintenance/1.x", evil)
	if on, err := f.client().OnBranch(t.Context(), releases, "maintenance/1.x", evil); on || err != nil {
		t.Errorf("a tag that is called as the branch: got %t, %v", on, err)
	}
}
