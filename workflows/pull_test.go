package workflows_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

func TestWhoBroughtACommit(t *testing.T) {
	f := newForge(t)
	pushed := f.PutCommit(githubtest.Commit{Repository: repository, Message: "pushed"})
	c := f.PutCommit(githubtest.Commit{Repository: repository, Message: "merged", Parents: []string{pushed.SHA}})
	f.PutBranch(githubtest.Branch{Repository: repository, Name: "main", SHA: c.SHA})
	many := []githubtest.PullReview{{User: "carol", State: "APPROVED"}, {User: "carol", State: "DISMISSED"},
		{User: "dave", State: "APPROVED"}, {User: "dave", State: "COMMENTED"}}
	for i := range 120 { // more than a page
		many = append(many, githubtest.PullReview{User: fmt.Sprintf("u%03d", i), State: "COMMENTED"})
	}
	many = append(many, githubtest.PullReview{User: "carol", State: "CHANGES_REQUESTED"}, githubtest.PullReview{User: "bob", State: "APPROVED"})
	f.PutPull(githubtest.Pull{Repository: repository, Title: "a change\nof two lines", Commits: []string{c.SHA}, MergedBy: "bob", Reviews: many})
	f.PutPull(githubtest.Pull{Repository: repository, Title: "open", Commits: []string{c.SHA}})
	client := f.clientWith(githubtest.Access{Permissions: map[string]string{"pull_requests": "read"}})

	got, err := client.Pulls(t.Context(), repository, c.SHA)
	f.check(err)
	want := []workflows.Pull{{Number: 1, Title: "a change…", Base: "main", Author: "alice", MergedBy: "bob", Approved: []string{"bob", "dave"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := client.Pulls(t.Context(), repository, pushed.SHA); err != nil || len(got) > 0 {
		t.Errorf("a pushed commit: got %v, %v", got, err)
	}
	if _, err := client.Pulls(t.Context(), repository, strings.Repeat("0", 40)); err == nil {
		t.Error("a commit that is not there was brought by nobody")
	}
	for i := range 20 {
		f.PutPull(githubtest.Pull{Repository: repository, Title: fmt.Sprint(i), Commits: []string{c.SHA}, MergedBy: "bob"})
	}
	if _, err := client.Pulls(t.Context(), repository, c.SHA); err == nil || !strings.Contains(err.Error(), "at most 20") {
		t.Errorf("got %v", err)
	}
}
