package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/distgate/distgate/workflows/githubtest"
)

// source is the project's own repository: a main branch that nobody rewrites, and
// on it a commit for each version, with its tag.
type source struct {
	commits map[string]githubtest.Commit // by version
	head    string
	more    []githubtest.File // that versions to come have too
}

// Source is the commit of a version in the project's repository, as dist and
// PyPI never see it. It is made with its signed tag when it is first asked for.
func (w *World) Source(version string) githubtest.Commit {
	if c, ok := w.source.commits[version]; ok {
		return c
	}
	c := githubtest.Commit{Repository: Repository, Message: "widget " + version, Files: overlaid(Sources(version), w.source.more)}
	if w.source.head != "" {
		c.Parents = []string{w.source.head}
	}
	c = w.github.PutCommit(c)
	w.source.commits[version], w.source.head = c, c.SHA
	w.github.PutBranch(githubtest.Branch{Repository: Repository, Name: "main", SHA: c.SHA, Protected: true})
	w.Tag(Repository, version, c.SHA)
	return c
}

// SourceTable is the table of distgate.toml that demands the project's signed tag.
func (w *World) SourceTable() string {
	id := w.github.PutRepository(githubtest.Repository{Name: Repository}).ID
	return fmt.Sprintf(`

[source]                                  # what was built: a signed tag on a protected branch
repository = %q
repository-id = "%d"
tag = "v{version}"
tagged = "before"
signed = true
branches = ["main"]
generated = ["widget/_platform.py"]       # what the build makes: the source cannot have it
`, Repository, id)
}

// Tag makes the signed tag of a version, or moves it.
func (w *World) Tag(repository, version, commit string) {
	w.github.PutTag(githubtest.Tag{Repository: repository, Name: "v" + version, Target: commit, Tagger: "alice", Message: "widget " + version, Date: tagged,
		Verification: githubtest.Verification{Verified: true, Signature: "-----BEGIN SSH SIGNATURE-----", Payload: "object " + commit}})
}

// overlaid are the files, those of them replaced that are among the others too.
func overlaid(files, others []githubtest.File) (all []githubtest.File) {
	for _, f := range append(slices.Clone(files), others...) {
		all = slices.DeleteFunc(all, func(old githubtest.File) bool { return old.Path == f.Path })
		all = append(all, f)
	}
	return all
}

// tagged is when all tags were made, so that one made again is the same.
var tagged = time.Date(2026, 1, 31, 20, 0, 0, 0, time.UTC)

// Add gives versions to come a file more, or another one of that path.
func (w *World) Add(path, content string) {
	w.source.more = append(w.source.more, githubtest.File{Path: path, Content: content})
}

// Sources are the files of the project that a version is built from.
func Sources(version string) (files []githubtest.File) {
	for _, m := range append(module(version, "any"),
		member{"pyproject.toml", pyproject(version)},
		member{"README.md", readme},
		member{"LICENSE", license},
		member{".github/workflows/" + workflow, buildWorkflow},
	) {
		files = append(files, githubtest.File{Path: m.path, Content: m.body})
	}
	return files
}

const buildWorkflow = `on:
  push:
    tags: ["v*"]
permissions: {}
jobs:
  build:
    runs-on: ubuntu-latest
    permissions: {contents: read}
    steps:
      - run: make wheels sdist
  attest:
    needs: build
    runs-on: ubuntu-latest
    permissions: {id-token: write, attestations: write}
    steps:
      - uses: actions/attest@1e69f48acb82d1966a394da916b4c1698aa569d6 # v4.2.2
`
