package githubtest_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows/githubtest"
)

const widget = "/repos/acme/widget"

// files are those of every kind.
var files = []githubtest.File{
	{Path: "README.md", Content: "# widget\n"},
	{Path: "lock", Content: "conf/distgate.lock", Mode: githubtest.ModeSymlink},
	{Path: "conf/distgate.lock", Content: "version = \"1.0\"\n"},
	{Path: "conf/run me.sh", Content: "#!/bin/sh\n", Mode: githubtest.ModeExecutable},
	{Path: "conf.d/x", Content: ""},
	{Path: "away", Content: "/etc/passwd", Mode: githubtest.ModeSymlink},
	{Path: "vendored", Content: strings.Repeat("d", 40), Mode: githubtest.ModeSubmodule},
}

// history is a main branch of three commits and a side branch off the second.
func (w *world) history() (one, two, three, side githubtest.Commit) {
	commit := func(message string, files []githubtest.File, parents ...string) githubtest.Commit {
		w.clock.at = w.clock.at.Add(time.Minute)
		return w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: message, Files: files, Parents: parents})
	}
	one = commit("one", files[:1])
	two = commit("two", files, one.SHA)
	more := githubtest.File{Path: "README.md", Content: "# widget\n\nMore.\n"}
	three = commit("three", append([]githubtest.File{more}, files[2:]...), two.SHA)
	side = commit("side", nil, two.SHA)
	w.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "main", SHA: three.SHA, Protected: true})
	w.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "maintenance/1.x", SHA: side.SHA})
	return one, two, three, side
}

func TestObjectsAreGits(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		command := exec.Command("git", args...)
		command.Dir = dir
		date, mail := "1793610000 +0000", "alice@users.noreply.github.com"
		command.Env = append(os.Environ(), "GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL="+mail, "GIT_AUTHOR_DATE="+date,
			"GIT_COMMITTER_NAME=alice", "GIT_COMMITTER_EMAIL="+mail, "GIT_COMMITTER_DATE="+date,
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch f.Mode {
		case githubtest.ModeSymlink:
			err = os.Symlink(f.Content, path)
		case githubtest.ModeSubmodule:
			git("update-index", "--add", "--cacheinfo", f.Mode+","+f.Content+","+f.Path)
			continue
		case githubtest.ModeExecutable:
			err = os.WriteFile(path, []byte(f.Content), 0o755)
		default:
			err = os.WriteFile(path, []byte(f.Content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		git("add", f.Path)
	}
	git("commit", "-q", "--cleanup=verbatim", "-m", "one")
	git("tag", "-a", "--cleanup=verbatim", "-m", "first", "v1.0")
	w := start(t)
	at := time.Unix(1793610000, 0)
	c := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "one\n", Files: files, Date: at})
	tag := w.PutTag(githubtest.Tag{Repository: "acme/widget", Name: "v1.0", Target: c.SHA, Message: "first", Date: at})
	if want := git("rev-parse", "HEAD"); c.SHA != want {
		t.Errorf("commit: want %s, got %s", want, c.SHA)
	}
	if want := git("rev-parse", "v1.0"); tag.SHA != want {
		t.Errorf("tag: want %s, got %s", want, tag.SHA)
	}
}

func TestTags(t *testing.T) {
	w := start(t)
	_, two, _, _ := w.history()
	signed := w.PutTag(githubtest.Tag{Repository: "acme/widget", Name: "v1.0", Target: two.SHA, Message: "first",
		Verification: githubtest.Verification{Verified: true, Signature: "-----BEGIN SSH SIGNATURE-----",
			Payload: "object"}})
	nested := w.PutTag(githubtest.Tag{Repository: "acme/widget", Name: "v1.0-again", Target: signed.SHA})
	w.PutRef("acme/widget", "refs/tags/light", two.SHA)
	w.PutRef("acme/widget", "refs/tags/gone", two.SHA)
	w.DeleteRef("acme/widget", "refs/tags/gone")
	type ref struct {
		Ref    string
		Object struct{ Type, SHA string }
	}
	for name, want := range map[string][2]string{
		"tags/v1.0": {"tag", signed.SHA}, "tags/v1.0-again": {"tag", nested.SHA}, "tags/light": {"commit", two.SHA},
		"heads/maintenance/1.x": {"commit", ""},
	} {
		var got ref
		w.read(widget+"/git/ref/"+name, &got)
		if got.Ref != "refs/"+name || got.Object.Type != want[0] || want[1] != "" && got.Object.SHA != want[1] {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, none := range []string{"tags/gone", "tags/v1", "tags", "v1.0"} {
		if g := w.get(widget + "/git/ref/" + none); g.status != 404 {
			t.Errorf("%s: got %d", none, g.status)
		}
	}
	var found []ref
	if w.read(widget+"/git/matching-refs/tags/v1", &found); len(found) != 2 {
		t.Errorf("got %+v", found)
	}
	type tag struct {
		Tag          string
		Object       struct{ Type, SHA string }
		Verification struct {
			Verified bool
			Reason   string
		}
	}
	var outer, inner tag
	w.read(widget+"/git/tags/"+nested.SHA, &outer)
	w.read(widget+"/git/tags/"+outer.Object.SHA, &inner)
	if outer.Object.Type != "tag" || outer.Verification.Reason != "unsigned" ||
		inner.Object.SHA != two.SHA || !inner.Verification.Verified || inner.Verification.Reason != "valid" {
		t.Errorf("got %+v, %+v", outer, inner)
	}
	if g := w.get(widget + "/git/tags/" + two.SHA); g.status != 404 {
		t.Errorf("a commit is no tag: got %d", g.status)
	}
	var tags []struct {
		Name   string
		Commit struct{ SHA string }
	}
	w.read(widget+"/tags", &tags)
	if len(tags) != 3 || tags[0].Commit.SHA != two.SHA {
		t.Errorf("got %+v", tags)
	}
}

func TestCommits(t *testing.T) {
	w := start(t)
	_, two, three, side := w.history()
	bad := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Parents: []string{two.SHA}, Message: "bad",
		Verification: githubtest.Verification{Reason: "unknown_key", Signature: "x", Payload: "y"}})
	w.PutTag(githubtest.Tag{Repository: "acme/widget", Name: "v1.0", Target: two.SHA})
	w.PutCommit(githubtest.Commit{Repository: "mallory/fork", SHA: strings.Repeat("e", 40), Message: "evil"})
	w.PutRepository(githubtest.Repository{Name: "mallory/fork", Parent: "acme/widget"})
	w.PutCommit(githubtest.Commit{Repository: "other/thing", SHA: strings.Repeat("f", 40)})
	for revision, want := range map[string]string{
		"main": three.SHA, "maintenance/1.x": side.SHA, "heads/main": three.SHA, "v1.0": two.SHA, "tags/v1.0": two.SHA,
		two.SHA: two.SHA, two.SHA[:7]: two.SHA, bad.SHA: bad.SHA,
		strings.Repeat("e", 40): strings.Repeat("e", 40), // of a fork, and shown here all the same
	} {
		var got struct{ SHA string }
		if w.read(widget+"/commits/"+revision, &got); got.SHA != want {
			t.Errorf("%s: want %s, got %s", revision, want, got.SHA)
		}
	}
	for _, none := range []string{"v2.0", strings.Repeat("f", 40), "123"} {
		if g := w.get(widget + "/commits/" + none); g.status != 422 || g.message() != "No commit found for SHA: "+none {
			t.Errorf("%s: got %d %s", none, g.status, g.raw)
		}
	}
	// The same commit in another repository has the same name, and both have it.
	same := w.PutCommit(githubtest.Commit{Repository: "other/thing", Message: "same", Date: bad.Date})
	if again := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "same", Date: bad.Date}); again.SHA != same.SHA {
		t.Errorf("want %s, got %s", same.SHA, again.SHA)
	}
	for _, at := range []string{widget, "/repos/other/thing"} {
		w.read(at+"/commits/"+same.SHA, new(any))
	}
	if g := w.get(widget+"/commits/main", "Accept: application/vnd.github.sha"); string(g.raw) != three.SHA {
		t.Errorf("got %s", g.raw)
	}
	var commit struct {
		Commit struct{ Verification struct{ Reason string } }
		Files  []struct{ Filename, Status string }
	}
	w.read(widget+"/commits/"+three.SHA, &commit)
	got := map[string]string{}
	for _, f := range commit.Files {
		got[f.Filename] = f.Status
	}
	if diff := cmp.Diff(map[string]string{"README.md": "modified", "lock": "removed"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.read(widget+"/commits/"+bad.SHA, &commit); commit.Commit.Verification.Reason != "unknown_key" {
		t.Errorf("got %+v", commit)
	}
	w.read(widget+"/git/commits/"+bad.SHA, new(any))
}

func TestCompare(t *testing.T) {
	w := start(t)
	one, two, three, side := w.history()
	alone := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "alone"})
	w.PutRepository(githubtest.Repository{Name: "mallory/widget", Parent: "acme/widget"})
	w.PutBranch(githubtest.Branch{Repository: "mallory/widget", Name: "evil", SHA: side.SHA})
	for _, test := range []struct {
		basehead, status string
		ahead, behind    int
		base             string
	}{
		{"main..." + three.SHA, "identical", 0, 0, three.SHA},
		{one.SHA + "...main", "ahead", 2, 0, one.SHA},
		{"main..." + one.SHA, "behind", 0, 2, one.SHA},
		{"main...maintenance/1.x", "diverged", 1, 1, two.SHA},
		{"main...mallory:evil", "diverged", 1, 1, two.SHA},
	} {
		var got struct {
			Status  string
			Ahead   int                  `json:"ahead_by"`
			Behind  int                  `json:"behind_by"`
			Total   int                  `json:"total_commits"`
			Base    struct{ SHA string } `json:"merge_base_commit"`
			Commits []struct{ SHA string }
		}
		w.read(widget+"/compare/"+test.basehead, &got)
		if got.Status != test.status || got.Base.SHA != test.base ||
			got.Ahead != test.ahead || got.Behind != test.behind ||
			got.Total != test.ahead || len(got.Commits) != test.ahead {
			t.Errorf("%s: got %+v", test.basehead, got)
		}
	}
	for _, none := range []string{"main..." + alone.SHA, "main...nothing", "nothing...main", "main"} {
		if g := w.get(widget + "/compare/" + none); g.status != 404 {
			t.Errorf("%s: got %d %s", none, g.status, g.raw)
		}
	}
	g := w.get(widget + "/compare/" + one.SHA + "...main?per_page=1")
	if !strings.Contains(g.header.Get("Link"), `rel="next"`) {
		t.Errorf("got %v", g.header)
	}
}

func TestTrees(t *testing.T) {
	w := start(t)
	w.history()
	type tree struct {
		SHA  string
		Tree []struct{ Path, Mode, Type, SHA string }
		Cut  bool `json:"truncated"`
	}
	var top, all tree
	w.read(widget+"/git/trees/maintenance/1.x", &top)
	w.read(widget+"/git/trees/"+top.SHA+"?recursive=1", &all)
	paths := func(t tree) (paths []string) {
		for _, e := range t.Tree {
			paths = append(paths, e.Mode+" "+e.Type+" "+e.Path)
		}
		return paths
	}
	want := []string{"100644 blob README.md", "120000 blob away", "100644 blob conf.d/x", "040000 tree conf.d",
		"040000 tree conf", "100644 blob conf/distgate.lock", "100755 blob conf/run me.sh", "120000 blob lock",
		"160000 commit vendored"}
	want[2], want[3] = want[3], want[2]
	if diff := cmp.Diff(want, paths(all)); diff != "" || all.Cut {
		t.Errorf("all of it (-want +got):\n%s", diff)
	}
	if len(top.Tree) != 6 {
		t.Errorf("the top: got %v", paths(top))
	}
	w.Behave(githubtest.Behaviour{TreeLimit: 3})
	if w.read(widget+"/git/trees/main?recursive=1", &all); len(all.Tree) != 3 || !all.Cut {
		t.Errorf("got %v", paths(all))
	}
	if g := w.get(widget + "/git/trees/nothing"); g.status != 404 {
		t.Errorf("got %d", g.status)
	}
	w.read(widget+"/git/blobs/"+all.Tree[0].SHA, new(any))
}

func TestContents(t *testing.T) {
	w := start(t)
	_, two, _, _ := w.history()
	const raw = "Accept: application/vnd.github.raw+json"
	for at, want := range map[string]string{
		"conf/distgate.lock":                       "version = \"1.0\"\n",
		"conf/distgate.lock?ref=" + two.SHA:        "version = \"1.0\"\n",
		"lock?ref=" + two.SHA:                      "version = \"1.0\"\n", // a link to a file is that file
		"conf/run%20me.sh?ref=maintenance/1.x":     "#!/bin/sh\n",
		"README.md":                                "# widget\n\nMore.\n",
		"README.md?ref=refs/heads/maintenance/1.x": "# widget\n",
	} {
		g := w.get(widget+"/contents/"+at, raw)
		if g.status != 200 || string(g.raw) != want || !strings.Contains(g.header.Get("Content-Type"), "raw") {
			t.Errorf("%s: got %d %q", at, g.status, g.raw)
		}
		var file struct{ Type, Encoding, Content string }
		w.read(widget+"/contents/"+at, &file)
		content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
		if file.Type != "file" || err != nil || string(content) != want {
			t.Errorf("%s: got %+v", at, file)
		}
	}
	for at, want := range map[string]string{"away": "symlink", "vendored": "submodule"} {
		var got struct{ Type string }
		if w.read(widget+"/contents/"+at, &got); got.Type != want {
			t.Errorf("%s: got %+v", at, got)
		}
	}
	for _, none := range []string{"nothing", "lock", "README.md?ref=nothing", "README.md/x"} {
		if g := w.get(widget + "/contents/" + none); g.status != 404 {
			t.Errorf("%s: got %d", none, g.status)
		}
	}
	kinds := func(at string, headers ...string) (kinds []string) {
		var entries []struct{ Type, Path string }
		w.read(widget+"/contents"+at, &entries, headers...)
		for _, e := range entries {
			kinds = append(kinds, e.Type+" "+e.Path)
		}
		return kinds
	}
	if diff := cmp.Diff([]string{"file conf/distgate.lock", "file conf/run me.sh"}, kinds("/conf")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for version, kind := range map[string]string{githubtest.Version2022: "file", githubtest.Version2026: "submodule"} {
		got := kinds("", "X-GitHub-Api-Version: "+version)
		if last := got[len(got)-1]; last != kind+" vendored" {
			t.Errorf("%s: got %s", version, last)
		}
	}
	var dir struct{ Entries []any }
	w.read(widget+"/contents/conf", &dir, "Accept: application/vnd.github.object")
	if len(dir.Entries) != 2 {
		t.Errorf("got %+v", dir)
	}
	large := strings.Repeat("x", 1<<20+1)
	c := w.PutCommit(githubtest.Commit{Repository: "acme/widget",
		Files: []githubtest.File{{Path: "large", Content: large}}})
	var file struct{ Encoding, Content string }
	if w.read(widget+"/contents/large?ref="+c.SHA, &file); file.Encoding != "none" || file.Content != "" {
		t.Errorf("got %d bytes in %s", len(file.Content), file.Encoding)
	}
	if g := w.get(widget+"/contents/large?ref="+c.SHA, raw); len(g.raw) != len(large) {
		t.Errorf("got %d bytes", len(g.raw))
	}
}

func TestBranchesAndRules(t *testing.T) {
	w := start(t)
	w.history()
	own := w.PutRuleset(githubtest.Ruleset{Repository: "acme/widget", Name: "releases",
		Include: []string{"refs/heads/maintenance/*"},
		Rules:   []githubtest.Rule{{Type: "deletion"}, {Type: "non_fast_forward"}},
		Bypass:  []githubtest.BypassActor{{ID: 5, Type: "RepositoryRole"}, {Type: "DeployKey"}}})
	w.PutRuleset(githubtest.Ruleset{Repository: "acme", Name: "everywhere",
		Include: []string{"~ALL"}, Exclude: []string{"refs/heads/x/**/*"},
		Rules: []githubtest.Rule{{Type: "pull_request", Parameters: map[string]any{
			"dismiss_stale_reviews_on_push": true, "require_code_owner_review": true, "require_last_push_approval": true,
			"required_approving_review_count": 1, "required_review_thread_resolution": false}}}})
	w.PutRuleset(githubtest.Ruleset{Repository: "acme/widget", Name: "off", Enforcement: "disabled",
		Include: []string{"~ALL"}, Rules: []githubtest.Rule{{Type: "update"}}})
	w.PutRuleset(githubtest.Ruleset{Repository: "acme/widget", Name: "tags", Target: "tag",
		Include: []string{"refs/tags/v*"}, Rules: []githubtest.Rule{{Type: "creation"}}})
	for branch, want := range map[string][]string{
		"main":                 {"pull_request Organization"},
		"maintenance/1.x":      {"deletion Repository", "non_fast_forward Repository", "pull_request Organization"},
		"maintenance%2F1.x":    {"deletion Repository", "non_fast_forward Repository", "pull_request Organization"},
		"maintenance/1.x/deep": {"pull_request Organization"},
		"x/y/z":                nil,
	} {
		var rules []struct {
			Type   string
			Source string `json:"ruleset_source_type"`
		}
		w.read(widget+"/rules/branches/"+branch, &rules)
		var got []string
		for _, r := range rules {
			got = append(got, r.Type+" "+r.Source)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", branch, diff)
		}
	}
	for query, want := range map[string]int{"": 4, "?includes_parents=false": 3, "?targets=tag": 1} {
		var sets []any
		if w.read(widget+"/rulesets"+query, &sets); len(sets) != want {
			t.Errorf("%s: want %d, got %v", query, want, sets)
		}
	}
	admin := w.may("root", "administration", "write")
	for _, headers := range [][]string{nil, {admin}} {
		var set struct {
			Rules  []any
			Actors []any `json:"bypass_actors"`
		}
		w.read(widget+"/rulesets/"+strconv.FormatInt(own.ID, 10), &set, headers...)
		if len(set.Rules) != 2 || len(set.Actors) != 2*len(headers) {
			t.Errorf("%v: got %+v", headers, set)
		}
	}
	for branch, want := range map[string]bool{"main": true, "maintenance/1.x": true} {
		var got struct {
			Name      string
			Protected bool
		}
		w.read(widget+"/branches/"+branch, &got)
		if got.Name != branch || got.Protected != want {
			t.Errorf("got %+v", got)
		}
	}
	var branches []any
	if w.read(widget+"/branches?protected=true", &branches); len(branches) != 2 {
		t.Errorf("got %v", branches)
	}
	for _, none := range []string{"/branches/nothing", "/rulesets/1"} {
		if g := w.get(widget + none); g.status != 404 {
			t.Errorf("%s: got %d", none, g.status)
		}
	}
}

func TestReleases(t *testing.T) {
	w := start(t)
	put := func(r githubtest.Release) githubtest.Release {
		t.Helper()
		w.clock.at = w.clock.at.Add(time.Hour)
		r.Repository = "acme/widget"
		r, err := w.PutRelease(r)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := put(githubtest.Release{Tag: "v1.0", Immutable: true, Assets: []githubtest.Asset{
		{Name: "widget.tar.gz", Blob: strings.NewReader("sdist"), Size: 5}}})
	put(githubtest.Release{Tag: "v2.0rc1", Prerelease: true})
	put(githubtest.Release{Tag: "v2.0", Draft: true})
	writer := w.may("", "contents", "write")
	for _, test := range []struct {
		headers []string
		want    []string
	}{{nil, []string{"v2.0rc1", "v1.0"}}, {[]string{writer}, []string{"v2.0", "v2.0rc1", "v1.0"}}} {
		var found []struct {
			Tag string `json:"tag_name"`
		}
		w.read(widget+"/releases", &found, test.headers...)
		var got []string
		for _, r := range found {
			got = append(got, r.Tag)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	for _, at := range []string{"/latest", "/tags/v1.0", "/" + strconv.FormatInt(first.ID, 10)} {
		var got struct {
			ID        int64
			Immutable bool
		}
		if w.read(widget+"/releases"+at, &got); got.ID != first.ID || !got.Immutable {
			t.Errorf("%s: got %+v", at, got)
		}
	}
	if g := w.get(widget + "/releases/tags/v2.0"); g.status != 404 {
		t.Errorf("a draft: got %d", g.status)
	}
	var assets []struct {
		URL    string
		Digest string
	}
	w.read(widget+"/releases/"+strconv.FormatInt(first.ID, 10)+"/assets", &assets)
	w.read(assets[0].URL, new(any))
	g := w.get(w.get(assets[0].URL, "Accept: application/octet-stream").header.Get("Location"))
	if string(g.raw) != "sdist" || !strings.HasPrefix(assets[0].Digest, "sha256:") {
		t.Errorf("got %q, %+v", g.raw, assets)
	}
	w.PutRepository(githubtest.Repository{Name: "acme/widget", ImmutableReleases: true})
	admin := w.may("root", "administration", "read")
	w.read(widget+"/immutable-releases", new(any), admin)
}
