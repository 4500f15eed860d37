package workflows_test

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/workflows/githubtest"
)

func blobOf(content string) dist.BlobID {
	return sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
}

func file(path, content string) githubtest.File { return githubtest.File{Path: path, Content: content} }

// The whole tree comes, whether GitHub gives it in one answer or cuts it off.
func TestTheSourceIsReadWhole(t *testing.T) {
	for _, limit := range []int{0, 5} {
		f := newForge(t)
		f.Behave(githubtest.Behaviour{TreeLimit: limit})
		lapack := f.PutCommit(githubtest.Commit{Repository: "acme/lapack", Files: []githubtest.File{file("src/d.c", "d")}})
		meson := f.PutCommit(githubtest.Commit{Repository: "mesonbuild/meson", Files: []githubtest.File{file("run.py", "m"), file(".gitmodules",
			"[submodule \"x\"]\n path = deep\n url = ../../acme/lapack.git\n"), {Path: "deep", Mode: githubtest.ModeSubmodule, Content: lapack.SHA}}})
		files := []githubtest.File{
			file("a/b/c/d.py", "d"), file("a/b/e.py", "e"), file("a/f.py", "f"), file("g.py", "g"),
			{Path: "link", Mode: githubtest.ModeSymlink, Content: "g.py"},
			{Path: "vendor/lapack", Mode: githubtest.ModeSubmodule, Content: lapack.SHA},
			{Path: "vendor/meson", Mode: githubtest.ModeSubmodule, Content: meson.SHA},
			{Path: "vendor/gone", Mode: githubtest.ModeSubmodule, Content: meson.SHA},
			{Path: "vendor/else", Mode: githubtest.ModeSubmodule, Content: meson.SHA},
			file(".gitmodules", `[submodule "lapack"]
	path = vendor/lapack
	url = ../lapack.git
[submodule "meson"]
	url = git@github.com:mesonbuild/meson.git
	path = vendor/meson
[submodule "gone"]
	path = vendor/gone
	url = https://github.com/acme/gone
[submodule "else"]
	path = vendor/else
	url = https://git.example.org/acme/else
`),
		}
		commit := f.PutCommit(githubtest.Commit{Repository: repository, Files: files})
		got, err := f.client().Source(t.Context(), repository, commit.SHA)
		f.check(err)
		want := map[string]dist.BlobID{"vendor/lapack/src/d.c": blobOf("d"), "vendor/meson/run.py": blobOf("m"), "vendor/meson/deep/src/d.c": blobOf("d"),
			"vendor/meson/.gitmodules": got.Blobs["vendor/meson/.gitmodules"]}
		for _, f := range files {
			if f.Mode != githubtest.ModeSubmodule {
				want[f.Path] = blobOf(f.Content)
			}
		}
		if diff := cmp.Diff(want, got.Blobs); diff != "" {
			t.Errorf("%d entries an answer:\n%s", limit, diff)
		}
		missing := strings.Join(got.Missing, "\n")
		if len(got.Missing) != 2 || !strings.Contains(missing, "vendor/gone") || !strings.Contains(missing, "vendor/else") {
			t.Errorf("missing: %s", missing)
		}
	}
}

func TestWhatGitArchiveWritesIsRead(t *testing.T) {
	f := newForge(t)
	commit := f.PutCommit(githubtest.Commit{Repository: repository, Files: []githubtest.File{
		file(".gitattributes", "# none export-subst\n*.md text\n_version.py export-subst\n/docs/*.txt text export-subst\n"),
		file("widget/_version.py", "x = '$Format:%H$'"), file("docs/a.txt", "$Format:%d$"), file("docs/b/c.txt", "no"), file("setup.py", ""),
	}})
	got, err := f.client().Source(t.Context(), repository, commit.SHA)
	f.check(err)
	if diff := cmp.Diff([]string{"docs/a.txt", "widget/_version.py"}, slices.Sorted(maps.Keys(got.Substituted))); diff != "" {
		t.Error(diff)
	}
}

// A tree that cannot be had whole is none.
func TestASourceThatCannotBeReadIsNone(t *testing.T) {
	f := newForge(t)
	commit := f.PutCommit(githubtest.Commit{Repository: repository, Files: []githubtest.File{file("a", "1"), file("b", "2"), file("c", "3")}})
	if got, err := f.client().Source(t.Context(), repository, strings.Repeat("0", 40)); err == nil {
		t.Errorf("a commit that is not there: got %v", got)
	}
	f.Behave(githubtest.Behaviour{TreeLimit: 2})
	if got, err := f.client().Source(t.Context(), repository, commit.SHA); err == nil {
		t.Errorf("a folder that is cut off: got %v", got)
	}
	f.Play(githubtest.Fault{Path: "/git/trees/", Status: http.StatusOK, Message: "…"})
	if got, err := f.client().Source(t.Context(), repository, commit.SHA); err == nil {
		t.Errorf("another answer: got %v", got)
	}
}
