package approval_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func blob(content string) dist.BlobID {
	return sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
}

// member is a plain file as [dist.Trace] shows it. An sdist's path has the top
// folder before it.
func member(below, content string) dist.Traced {
	t := dist.Traced{Member: dist.Member{Path: "widget-1.0/" + below, Kind: dist.PlainFile, Blob: blob(content)}, Below: below, Text: []byte(content)}
	if strings.Contains(content, "\r\n") {
		t.Unix = blob(strings.ReplaceAll(content, "\r\n", "\n"))
	}
	return t
}

func described(path, content string) dist.Traced {
	t := member(path, content)
	t.Path, t.Info = "widget-1.0.dist-info/"+path, true
	return t
}

func machine(m dist.Traced) dist.Traced {
	m.Native = true
	return m
}

var source = approval.Tree{Repository: "acme/widget", Commit: "c0ffee", Blobs: map[string]dist.BlobID{
	"src/widget/__init__.py": blob("import os\n"), "widget/data.bin": blob("data"), "LICENSE": blob("MIT"), "tests/blob.xz": blob("evil"),
	"widget/_archive.py": blob(`commit = "$Format:%H$"  # $Format:%d$` + "\n"), "link": blob("LICENSE"),
}, Substituted: map[string][]byte{"widget/_archive.py": []byte(`commit = "$Format:%H$"  # $Format:%d$` + "\n")}}

func TestWhatExplainsAMember(t *testing.T) {
	archived := func(commit, refs string) dist.Traced {
		return member("widget/_archive.py", `commit = "`+commit+`"  # `+refs+"\n")
	}
	for name, test := range map[string]struct {
		kind   dist.Kind
		member dist.Traced
		want   string
	}{
		"at its place":                   {dist.Sdist, member("LICENSE", "MIT"), "identical"},
		"at its place, below src":        {dist.Wheel, member("widget/__init__.py", "import os\n"), "identical"},
		"elsewhere":                      {dist.Wheel, described("licenses/LICENSE", "MIT"), "moved"},
		"under another name":             {dist.Sdist, member("configure", "evil"), "moved"},
		"a name that only ends like it":  {dist.Sdist, member("SE", "MIT"), "moved"},
		"other line ends":                {dist.Sdist, member("src/widget/__init__.py", "import os\r\n"), "known"},
		"as git archive writes it":       {dist.Sdist, archived("0123abcd", "(HEAD -> main, tag: v1.0)"), "known"},
		"as somebody else writes it":     {dist.Sdist, archived(`"; import evil; "`, ""), "unexplained"},
		"a line more":                    {dist.Sdist, archived("0123", "\nimport evil"), "unexplained"},
		"another file, written like it":  {dist.Sdist, member("widget/other.py", "commit = \"1\"  # \n"), "unexplained"},
		"a wheel's metadata":             {dist.Wheel, described("METADATA", "Name: widget"), "format"},
		"an sdist's metadata":            {dist.Sdist, member("PKG-INFO", "Name: widget"), "format"},
		"what setuptools leaves":         {dist.Sdist, member("src/widget.egg-info/SOURCES.txt", "setup.py"), "format"},
		"setuptools' setup.cfg":          {dist.Sdist, member("setup.cfg", "[egg_info]\ntag_build = \ntag_date = 0\n\n"), "format"},
		"another setup.cfg":              {dist.Sdist, member("setup.cfg", "[egg_info]\n"), "unexplained"},
		"metadata in another place":      {dist.Wheel, member("METADATA", "Name: widget"), "unexplained"},
		"an sdist's metadata in a wheel": {dist.Wheel, member("PKG-INFO", "Name: widget"), "unexplained"},
		"generated":                      {dist.Wheel, member("widget/_version.py", "1.0"), "generated"},
		"generated, deeper":              {dist.Sdist, member("widget/core/fast.c", "int x;"), "generated"},
		"machine code":                   {dist.Wheel, machine(member("widget/core.so", "\x7fELF")), "native"},
		"machine code in an sdist":       {dist.Sdist, machine(member("widget/core.so", "\x7fELF")), "unexplained"},
		"a start-up file":                {dist.Wheel, member("widget.pth", "import evil"), "unexplained"},
	} {
		m := approval.NewMatcher(source, []string{"widget/_version.py", "widget/**/*.c"})
		tally := m.Tally("file", test.kind)
		tally.Add(test.member)
		got := m.Match(false, tally)
		want := map[string]approval.Matched{
			"identical": {Identical: 1}, "moved": {Moved: 1}, "known": {Known: 1}, "format": {Format: 1}, "generated": {Generated: 1},
			"native": {Native: 1}, "unexplained": {Unexplained: 1},
		}[test.want]
		want.File, want.Members = "file", 1
		if diff := cmp.Diff([]approval.Matched{want}, got.Files); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(got.Unexplained) != want.Unexplained || len(got.Findings) != want.Unexplained {
			t.Errorf("%s: got %v, %v", name, got.Unexplained, got.Findings)
		}
	}
}

// A link is what it leads to, in an sdist whose files came before it.
func TestALinkIsWhatItLeadsTo(t *testing.T) {
	m := approval.NewMatcher(source, nil)
	tally := m.Tally("widget-1.0.tar.gz", dist.Sdist)
	tally.Add(member("LICENSE", "MIT"))
	link := func(kind dist.MemberKind, below, to string) dist.Traced {
		d := dist.Traced{Member: dist.Member{Path: "widget-1.0/" + below, Kind: kind, Link: to}, Below: below}
		if kind == dist.Symlink {
			d.Blob = blob(to)
		}
		return d
	}
	tally.Add(link(dist.HardLink, "COPYING", "widget-1.0/LICENSE"))
	tally.Add(link(dist.HardLink, "setup.py", "widget-1.0/nothing"))
	tally.Add(link(dist.Symlink, "link", "LICENSE"))
	tally.Add(link(dist.Symlink, "other", "/etc/passwd"))
	got := m.Match(false, tally)
	if diff := cmp.Diff([]approval.Matched{{File: "widget-1.0.tar.gz", Members: 5, Identical: 2, Moved: 1, Unexplained: 2}}, got.Files); diff != "" {
		t.Error(diff)
	}
}

// What the policy wants explained is refused; what is not known decides nothing.
func TestAMatchThatIsDemanded(t *testing.T) {
	match := func(tree approval.Tree, refuse bool, n int) approval.Match {
		m := approval.NewMatcher(tree, nil)
		tally := m.Tally("widget.whl", dist.Wheel)
		for i := range n {
			tally.Add(member(fmt.Sprint("widget/", i), fmt.Sprint("unknown ", i)))
		}
		return m.Match(refuse, tally)
	}
	gap := source
	gap.Missing = []string{"the submodule vendor: 404"}
	var no rule.Refusals
	if err := match(source, true, 3).Err(); !errors.As(err, &no) || no[0].Rule != rule.SourceUnexplained || !strings.Contains(no[0].Got, "2 more") {
		t.Errorf("got %v", err)
	}
	for name, m := range map[string]approval.Match{"a gap": match(gap, true, 0), "nothing": approval.Unmatched("no network"), "zero": {}} {
		if err := m.Err(); err == nil || errors.As(err, &no) {
			t.Errorf("%s: got %v, want an error that decides nothing", name, err)
		}
	}
	if err := match(source, false, 3).Err(); err != nil {
		t.Errorf("got %v", err)
	}
	many := match(source, false, 700)
	if len(many.Unexplained) != 500 || many.More != 200 || many.Files[0].Unexplained != 700 {
		t.Errorf("got %d and %d more", len(many.Unexplained), many.More)
	}
}

// A real sdist and its wheel: all of them is in the tree that the sdist was made
// of, and what is taken out of that is missed.
func TestRealDistributionsAreExplained(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	dir = filepath.Join(dir, "python-dists", "uv-links")
	sdist, wheel := "basic_package-0.1.0.tar.gz", "basic_package-0.1.0-py3-none-any.whl"
	tree := approval.Tree{Repository: "astral/test", Commit: "c0ffee", Blobs: map[string]dist.BlobID{}}
	trace(t, filepath.Join(dir, sdist), func(m dist.Traced) {
		if m.Below != "PKG-INFO" {
			tree.Blobs[m.Below] = m.Blob
		}
	})
	unexplained := func() []approval.MemberOf {
		m := approval.NewMatcher(tree, nil)
		s, w := m.Tally(sdist, dist.Sdist), m.Tally(wheel, dist.Wheel)
		trace(t, filepath.Join(dir, sdist), s.Add)
		trace(t, filepath.Join(dir, wheel), w.Add)
		return m.Match(false, s, w).Unexplained
	}
	if got := unexplained(); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	delete(tree.Blobs, "src/basic_package/__init__.py")
	want := []approval.MemberOf{{File: sdist, Path: "basic_package-0.1.0/src/basic_package/__init__.py"}, {File: wheel, Path: "basic_package/__init__.py"}}
	if diff := cmp.Diff(want, unexplained()); diff != "" {
		t.Error(diff)
	}
}

func trace(t *testing.T, path string, visit func(dist.Traced)) {
	t.Helper()
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	f, err := dist.Copy(discard{}, file, filepath.Base(path), dist.MaxSize)
	check(t, err)
	check(t, dist.Trace(file, f, func(string) bool { return false }, func(m dist.Traced) error {
		visit(m)
		return nil
	}))
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkMatch looks for 10,000 members in a tree of 20,000 files, half of them
// empty as __init__.py are.
func BenchmarkMatch(b *testing.B) {
	tree := approval.Tree{Blobs: map[string]dist.BlobID{}}
	var members []dist.Traced
	for i := range 20_000 {
		path, content := fmt.Sprintf("src/widget/p%d/q%d/__init__.py", i%97, i), ""
		if i%2 == 0 {
			path, content = fmt.Sprintf("src/widget/p%d/m%d.py", i%97, i), fmt.Sprint("x = ", i)
		}
		tree.Blobs[path] = blob(content)
		if i%2 == 0 && i%4 == 0 || i%4 == 1 {
			members = append(members, member(strings.TrimPrefix(path, "src/"), content))
		}
	}
	for b.Loop() {
		m := approval.NewMatcher(tree, []string{"**/_version.py"})
		tally := m.Tally("widget.whl", dist.Wheel)
		for _, member := range members {
			tally.Add(member)
		}
		if got := m.Match(false, tally); got.Files[0].Identical != 10_000 {
			b.Fatalf("got %+v", got.Files)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "match-ms")
}
