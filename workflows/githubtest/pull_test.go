package githubtest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/distgate/distgate/workflows/githubtest"
)

// Pull requests, issues and people have GitHub's form, whatever their state is: every
// answer is held against its description.
func TestPullRequestsIssuesAndPeople(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	landed := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "landed"})
	open := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "open", Parents: []string{landed.SHA}})
	w.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "main", SHA: landed.SHA})
	w.PutPull(githubtest.Pull{Repository: "acme/widget", Title: "fix", MergedBy: "bob", Commits: []string{landed.SHA},
		Reviews: []githubtest.PullReview{{User: "bob", State: "APPROVED"}, {User: "carol", State: "COMMENTED"}}})
	w.PutPull(githubtest.Pull{Repository: "acme/widget", Title: "more", Commits: []string{open.SHA}})
	w.PutTeam(githubtest.Team{Organization: "acme", Slug: "release", Members: []string{"alice"}})
	alice := w.PutUser(githubtest.User{Login: "alice"})
	w.PutIssue(githubtest.Issue{Repository: "acme/widget", Title: "broken", Body: "it is", Author: "carol"})
	w.PutIssue(githubtest.Issue{Repository: "acme/widget", Title: "a change", Author: "bob", PullRequest: true})
	token := wants(w.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{
		"pull_requests": "read", "issues": "write", "members": "read", "actions": "read", "contents": "read"}}))
	repo := "/repos/acme/widget"
	for at, count := range map[string]int{
		repo + "/commits/" + landed.SHA + "/pulls": 1, repo + "/commits/" + open.SHA + "/pulls": 1,
		repo + "/pulls/1/reviews": 2, repo + "/pulls/2/reviews": 0,
		repo + "/issues": 2, repo + "/issues?state=closed": 0, repo + "/issues?creator=bob&direction=asc": 1,
		"/orgs/acme/teams/release/members": 1,
	} {
		var items []any
		if w.read(at, &items, token); len(items) != count {
			t.Errorf("%s: want %d, got %d", at, count, len(items))
		}
	}
	for _, at := range []string{repo + "/pulls/1", repo + "/pulls/2", "/user", fmt.Sprintf("/user/%d", alice.ID)} {
		w.read(at, new(any), token)
	}
	for _, change := range []struct {
		method, at, body string
		status           int
	}{
		{"POST", repo + "/issues", `{"title":"more","body":"text"}`, http.StatusCreated},
		{"POST", repo + "/issues", `{"body":"text"}`, http.StatusUnprocessableEntity},
		{"PATCH", repo + "/issues/1", `{"state":"closed"}`, http.StatusOK},
		{"PATCH", repo + "/issues/9", `{"state":"closed"}`, http.StatusNotFound},
	} {
		if g := w.do(change.method, change.at, change.body, token); g.status != change.status {
			t.Errorf("%s %s: want %d, got %d %s", change.method, change.at, change.status, g.status, g.raw)
		}
	}
}
