package workflows_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// A pinned commit is the repository's own, and not one of a fork's.
func TestPinned(t *testing.T) {
	g := countedGitHub(t)
	first := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "first"})
	head := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "head", Parents: []string{first.SHA}})
	g.PutBranch(githubtest.Branch{Repository: "acme/action", Name: "main", SHA: head.SHA})
	side := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "side", Parents: []string{first.SHA}})
	g.PutRef("acme/action", "refs/tags/v1.0.1", side.SHA)
	annotated := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "annotated", Parents: []string{first.SHA}})
	g.PutTag(githubtest.Tag{Repository: "acme/action", Name: "v1.0.2", Target: annotated.SHA})
	old := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "old", Parents: []string{first.SHA}})
	fixed := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "fixed", Parents: []string{old.SHA}})
	g.PutBranch(githubtest.Branch{Repository: "acme/action", Name: "releases/v0", SHA: fixed.SHA})
	gone := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "gone", Parents: []string{first.SHA}})
	tip := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: "tip", Parents: []string{gone.SHA}})
	g.PutRef("acme/action", "refs/tags/v0.9", tip.SHA)
	g.PutRepository(githubtest.Repository{Name: "mallory/action", Parent: "acme/action"})
	evil := g.PutCommit(githubtest.Commit{Repository: "mallory/action", Message: "evil", Parents: []string{head.SHA}})
	c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{"contents": "read"}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		commit, version string
		want            bool
	}{
		"the head":                   {head.SHA, "", true},
		"an ancestor":                {first.SHA, "v1", true},
		"a tag's, with its name":     {side.SHA, "v1.0.1", true},
		"a tag's, without":           {side.SHA, "", true},
		"an annotated tag's":         {annotated.SHA, "v1.0.2", true},
		"of a release branch":        {old.SHA, "", true},
		"before a tag, on no branch": {gone.SHA, "", true},
		"a fork's":                   {evil.SHA, "", false},
		"a fork's, with the version": {evil.SHA, "v1.0.1", false},
		"a commit that is not there": {"0123456789abcdef0123456789abcdef01234567", "", false},
	} {
		got, err := c.Pinned(t.Context(), "acme/action", test.commit, test.version)
		if err != nil || got != test.want {
			t.Errorf("%s: want %t, got %t, %v", name, test.want, got, err)
		}
	}
	for i := range 101 {
		c := g.PutCommit(githubtest.Commit{Repository: "acme/action", Message: fmt.Sprint(i), Parents: []string{head.SHA}})
		g.PutRef("acme/action", fmt.Sprintf("refs/tags/nightly-%d", i), c.SHA)
	}
	if got, err := c.Pinned(t.Context(), "acme/action", evil.SHA, ""); got || err == nil || !strings.Contains(err.Error(), "in none of the first 100") {
		t.Errorf("among more tags than are asked: got %t, %v", got, err)
	}
	for ref, want := range map[string][2]string{"v1.0.1": {side.SHA, "v1.0.1"}, "v1": {side.SHA, "v1.0.1"}, "main": {head.SHA, ""}, "gone": {}} {
		if ref == "v1" {
			g.PutRef("acme/action", "refs/tags/v1", side.SHA)
		}
		commit, version, err := c.Resolve(t.Context(), "acme/action", ref)
		if err != nil || commit != want[0] || version != want[1] {
			t.Errorf("%s: got %s, %s, %v", ref, commit, version, err)
		}
	}
	if _, err := c.Pinned(t.Context(), "acme/action", "main", ""); err == nil {
		t.Error("a branch is no pin")
	}
}

// A tag that was moved is not at the commit that it was at, though that is in the
// history of what it is at now; nor is one that a branch has the name of.
func TestTagged(t *testing.T) {
	g := countedGitHub(t)
	was := g.PutCommit(githubtest.Commit{Repository: "acme/shared", Message: "was"})
	moved := g.PutCommit(githubtest.Commit{Repository: "acme/shared", Message: "moved", Parents: []string{was.SHA}})
	g.PutBranch(githubtest.Branch{Repository: "acme/shared", Name: "main", SHA: moved.SHA})
	g.PutTag(githubtest.Tag{Repository: "acme/shared", Name: "v1", Target: moved.SHA})
	g.PutRef("acme/shared", "refs/tags/v2", was.SHA)
	g.PutRef("acme/shared", "refs/tags/v3", was.SHA)
	g.PutBranch(githubtest.Branch{Repository: "acme/shared", Name: "v3", SHA: moved.SHA})
	c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{"contents": "read"}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]bool{"v1": false, "v2": true, "v3": false, "main": false, "v4": false, "": false} {
		if got, err := c.Tagged(t.Context(), "acme/shared", was.SHA, tag); err != nil || got != want {
			t.Errorf("%q: want %t, got %t, %v", tag, want, got, err)
		}
	}
	if got, err := c.Tagged(t.Context(), "acme/shared", "", "v4"); got || err == nil {
		t.Errorf("no commit: got %t, %v", got, err)
	}
}
