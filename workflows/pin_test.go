package workflows_test

import (
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
	g.PutRepository(githubtest.Repository{Name: "mallory/action", Parent: "acme/action"})
	evil := g.PutCommit(githubtest.Commit{Repository: "mallory/action", Message: "evil", Parents: []string{head.SHA}})
	c, err := workflows.NewPublicClient(g.Issuer(), nil)
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
		"a fork's":                   {evil.SHA, "", false},
		"a fork's, with the version": {evil.SHA, "v1.0.1", false},
		"a commit that is not there": {"0123456789abcdef0123456789abcdef01234567", "", false},
	} {
		got, err := c.Pinned(t.Context(), "acme/action", test.commit, test.version)
		if err != nil || got != test.want {
			t.Errorf("%s: want %t, got %t, %v", name, test.want, got, err)
		}
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
