package workflows_test

import (
	"bytes"
	"cmp"
	"strings"
	"testing"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// Of many actions at once GitHub says what it would say of each, or nothing that
// counts: the rest is asked for one by one.
func TestActionsAtOnce(t *testing.T) {
	g := countedGitHub(t)
	const name, latin = "acme/actions", "name: caf\xe9\n"
	large := "#" + strings.Repeat("x", 1<<20)
	file := func(path, content string) githubtest.File { return githubtest.File{Path: path, Content: content} }
	first := g.PutCommit(githubtest.Commit{Repository: name, Message: "first", Files: []githubtest.File{
		file("action.yml", "name: root\n"), file("both/action.yml", "name: one\n"), file("both/action.yaml", "name: two\n"),
		file("other/action.yaml", "name: other\n"), file("docker/Dockerfile", "FROM scratch\n"),
		{Path: "link/action.yml", Content: "runs: {using: composite}", Mode: githubtest.ModeSymlink}, file("link/action.yaml", "name: no\n"),
		{Path: "run/action.yml", Content: "name: run\n", Mode: githubtest.ModeExecutable},
		file("latin/action.yml", latin), file("large/action.yml", large), file("folder/action.yml/x", "")}})
	head := g.PutCommit(githubtest.Commit{Repository: name, Message: "head", Parents: []string{first.SHA}})
	g.PutBranch(githubtest.Branch{Repository: name, Name: "main", SHA: head.SHA})
	g.PutTag(githubtest.Tag{Repository: name, Name: "v1", Target: first.SHA})
	g.PutRef(name, "refs/tags/v1.0", first.SHA)
	g.PutRef(name, "refs/tags/v2", head.SHA)
	g.PutRef(name, "refs/heads/v3", first.SHA)
	g.PutRepository(githubtest.Repository{Name: "mallory/actions", Parent: name})
	evil := g.PutCommit(githubtest.Commit{Repository: "mallory/actions", Message: "evil", Parents: []string{head.SHA}})
	g.PutRef("mallory/actions", "refs/tags/v6", evil.SHA)
	g.PutRepository(githubtest.Repository{Name: "acme/hidden", Private: true})
	hidden := g.PutCommit(githubtest.Commit{Repository: "acme/hidden", Message: "hidden", Files: []githubtest.File{file("action.yml", "x: y\n")}})

	type at = workflows.ActionAt
	const none = "\x00" // it is there, and did not come whole
	rows := map[string]struct {
		at     at
		tagged bool
		files  map[string]string // nil: nothing is known
	}{
		"the root":              {at{Commit: first.SHA}, false, map[string]string{"action.yml": "name: root\n"}},
		"an annotated tag":      {at{Commit: first.SHA, Version: "v1"}, true, map[string]string{"action.yml": "name: root\n"}},
		"a tag":                 {at{Commit: first.SHA, Version: "v1.0"}, true, map[string]string{"action.yml": "name: root\n"}},
		"a tag of another":      {at{Commit: first.SHA, Version: "v2"}, false, map[string]string{"action.yml": "name: root\n"}},
		"a branch's name":       {at{Commit: first.SHA, Version: "v3"}, false, map[string]string{"action.yml": "name: root\n"}},
		"no such tag":           {at{Commit: first.SHA, Version: `v"4"){`}, false, map[string]string{"action.yml": "name: root\n"}},
		"both names":            {at{Folder: "both", Commit: first.SHA}, false, map[string]string{"action.yml": "name: one\n", "action.yaml": "name: two\n"}},
		"the other name":        {at{Folder: "other/", Commit: first.SHA}, false, map[string]string{"action.yaml": "name: other\n"}},
		"neither":               {at{Folder: "docker", Commit: first.SHA}, false, map[string]string{}},
		"a link":                {at{Folder: "link", Commit: first.SHA}, false, map[string]string{"action.yml": none, "action.yaml": "name: no\n"}},
		"one that can run":      {at{Folder: "run", Commit: first.SHA}, false, map[string]string{"action.yml": "name: run\n"}},
		"in another encoding":   {at{Folder: "latin", Commit: first.SHA}, false, map[string]string{"action.yml": none}},
		"too large":             {at{Folder: "large", Commit: first.SHA}, false, map[string]string{"action.yml": none}},
		"a folder of the name":  {at{Folder: "folder", Commit: first.SHA}, false, map[string]string{"action.yml": none}},
		"no such folder":        {at{Folder: "gone", Commit: first.SHA}, false, nil},
		"no such commit":        {at{Commit: strings.Repeat("0", 40)}, false, nil},
		"no commit":             {at{Commit: "main"}, false, nil},
		"no such repository":    {at{Repository: "acme/gone", Commit: first.SHA}, false, nil},
		"no repository":         {at{Repository: `a/b"`, Commit: first.SHA}, false, nil},
		"one that is not seen":  {at{Repository: "acme/hidden", Commit: hidden.SHA}, false, nil},
		"a fork's":              {at{Commit: evil.SHA}, false, map[string]string{"action.yml": "name: root\n"}},
		"a fork's, and its tag": {at{Commit: evil.SHA, Version: "v6"}, false, map[string]string{"action.yml": "name: root\n"}},
	}
	var all []at
	for name, row := range rows {
		row.at.Repository = cmp.Or(row.at.Repository, "acme/actions")
		rows[name] = row
		all = append(all, row.at)
	}
	token := g.AccessToken(githubtest.Access{User: "bob", Repositories: []string{}, Permissions: map[string]string{"contents": "read"}})
	for _, api := range []string{g.Issuer(), g.Issuer() + "/api/v3"} {
		c, err := workflows.NewClient(api, token, nil)
		if err != nil {
			t.Fatal(err)
		}
		g.asked.Store(0)
		said := c.Actions(t.Context(), all)
		if asked := g.asked.Load(); asked != 1 {
			t.Errorf("%s: want one call, got %d", api, asked)
		}
		for name, row := range rows {
			got, known := said[row.at]
			if known != (row.files != nil) || got.Tagged != row.tagged || len(got.Files) != len(row.files) {
				t.Errorf("%s: got %t %t %q", name, known, got.Tagged, got.Files)
			}
			for file, want := range row.files {
				raw, is := got.Files[file]
				if !is || want == none && raw != nil || want != none && !bytes.Equal(raw, []byte(want)) {
					t.Errorf("%s: %s: got %t %.60q", name, file, is, raw)
				}
			}
		}
	}
	public, err := workflows.NewPublicClient(g.Issuer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if said := public.Actions(t.Context(), all); len(said) > 0 {
		t.Errorf("nobody got %v", said)
	}
}
