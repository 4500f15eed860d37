package workflows_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/distgate/distgate/workflows/githubtest"
)

// A file is read from the default branch, at the commit where the repository was
// when it was asked: what comes later does not mix in.
func TestRepositoryFile(t *testing.T) {
	f := newForge(t)
	one := f.PutCommit(githubtest.Commit{Repository: releases, Message: "one",
		Files: []githubtest.File{{Path: "distgate.toml", Content: "project = \"widget\"\n"}}})
	f.PutBranch(githubtest.Branch{Repository: releases, Name: "main", SHA: one.SHA})
	client := f.client()
	r, err := client.Repository(t.Context(), releases)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != releases || r.DefaultBranch != "main" || r.Head != one.SHA || r.ID == 0 || r.OwnerID == 0 {
		t.Errorf("got %+v", r)
	}
	two := f.PutCommit(githubtest.Commit{Repository: releases, Message: "two", Parents: []string{one.SHA},
		Files: []githubtest.File{{Path: "distgate.toml", Content: "other"}}})
	f.PutBranch(githubtest.Branch{Repository: releases, Name: "main", SHA: two.SHA})
	raw, err := client.File(t.Context(), r, "distgate.toml")
	if err != nil || string(raw) != "project = \"widget\"\n" {
		t.Errorf("got %q, %v", raw, err)
	}
	if _, err := client.File(t.Context(), r, "allowed_signers"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: got %v", err)
	}
	if _, err := client.Repository(t.Context(), "acme/nothing"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a repository that is not there: got %v", err)
	}
}
