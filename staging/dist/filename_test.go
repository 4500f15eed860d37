package dist_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestNamesAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"widget": "widget", "Widget": "widget", "a.B_c-D": "a-b-c-d", "a-_.-b": "a-b", "0": "0",
	} {
		if got, err := dist.NormalizeName(in); err != nil || got != want {
			t.Errorf("%q: want %q, got %q, %v", in, want, got, err)
		}
	}
	for _, in := range []string{
		"", "-", "a-", "_a", "a b", "a/b", "bár", "a\n", "\u017f", "\u212a", "a\u202eb", strings.Repeat("a", 256),
	} {
		if got, err := dist.NormalizeName(in); refused(t, err) != rule.ProjectName || got != "" {
			t.Errorf("%.40q: got %q, %v", in, got, err)
		}
	}
}

func TestAFilenameSaysWhatItIs(t *testing.T) {
	type parts struct {
		Kind                                           dist.Kind
		Project, Version, Build, Python, ABI, Platform string
	}
	for name, want := range map[string]parts{
		"widget-1.0-py3-none-any.whl": {dist.Wheel, "widget", "1.0", "", "py3", "none", "any"},
		"My_Widget-1.0.0rc1-2b-cp312.cp313-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": {dist.Wheel,
			"my-widget", "1.0.0rc1", "2b", "cp312.cp313", "abi3", "manylinux_2_17_x86_64.manylinux2014_x86_64"},
		"widget-1!2.0+ubuntu_1-py2.py3-none-any.whl": {dist.Wheel,
			"widget", "1!2.0+ubuntu.1", "", "py2.py3", "none", "any"},
		"zope.interface-5.4.0.tar.gz":  {Kind: dist.Sdist, Project: "zope-interface", Version: "5.4.0"},
		"more-itertools-10.4.0.tar.gz": {Kind: dist.Sdist, Project: "more-itertools", Version: "10.4.0"},
	} {
		f, err := dist.ParseFilename(name)
		got := parts{f.Kind, f.Project, f.Version.String(), f.Build, f.Python, f.ABI, f.Platform}
		if diff := cmp.Diff(want, got); err != nil || diff != "" || f.String() != name {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestAFilenameThatSaysNothingIsRefused(t *testing.T) {
	for _, name := range []string{
		"", "widget", ".whl", ".tar.gz", "-.tar.gz", "widget-.tar.gz", "-1.0.tar.gz", "widget.tar.gz",
		"widget-1.0.zip", "widget-1.0.tar.bz2", "widget-1.0.egg", "widget-1.0.TAR.GZ", "widget-1.0.tar.gz ",
		"widget-1.0-py3-none-any.WHL", "widget-1.0-py3-none.whl", "widget-1.0-1-2-py3-none-any.whl",
		"widget-1.0-b1-py3-none-any.whl", "widget-1.0--py3-none-any.whl", "widget-1.0-1 -py3-none-any.whl",
		"wid__get-1.0-py3-none-any.whl", "bár-1.0-py3-none-any.whl", "widget-1.0-3py-none-any.whl",
		"widget-1.0-py3..py2-none-any.whl", "widget-1.0-py3-none-.whl", "widget-1.0-py3-none-any;x.whl",
		"widget-1.0-py3-none-../any.whl", "widget-1.0-py3-none-any\u202e.whl", "widget-1.po\u017ft1.tar.gz",
		"widget-1.0-py3-none-any.whl\n", "widget-" + strings.Repeat("1", 250) + ".tar.gz",
	} {
		if f, err := dist.ParseFilename(name); refused(t, err) != rule.FileName || !f.IsZero() {
			t.Errorf("%.60q: got %+v, %v", name, f, err)
		}
	}
}

func TestCompressedTagsStandForTheirProduct(t *testing.T) {
	f, err := dist.ParseFilename("widget-1.0-py2.py3.PY3-none-any.win32.whl")
	if err != nil {
		t.Fatal(err)
	}
	want := []dist.Tag{
		{Python: "py2", ABI: "none", Platform: "any"}, {Python: "py2", ABI: "none", Platform: "win32"},
		{Python: "py3", ABI: "none", Platform: "any"}, {Python: "py3", ABI: "none", Platform: "win32"},
	}
	if diff := cmp.Diff(want, f.Tags()); diff != "" {
		t.Error(diff)
	}
}

// What Warehouse's upload demands: sdists exactly as PEP 625 has them, wheels
// with the normalised name in front.
func TestTheIndexTakesNormalisedNames(t *testing.T) {
	for name, want := range map[string]string{
		"my_widget-1.0.tar.gz":           "my_widget-1.0.tar.gz",
		"My.Widget-1.0.tar.gz":           "my_widget-1.0.tar.gz",
		"my-widget-1.0.tar.gz":           "my_widget-1.0.tar.gz",
		"widget-1.0beta1.tar.gz":         "widget-1.0b1.tar.gz",
		"Widget-1.0-py3-none-any.whl":    "widget-1.0-py3-none-any.whl",
		"widget-1.0.0-1-py3-none-a.whl":  "widget-1.0.0-1-py3-none-a.whl",
		"my.widget-1.0-PY3-none-any.whl": "my_widget-1.0-PY3-none-any.whl",
	} {
		f, err := dist.ParseFilename(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.IndexName(); got != want {
			t.Errorf("%s: want %s, got %s", name, want, got)
		}
		if no := refused(t, f.CheckIndex()); (no == rule.IndexName) != (name != want) {
			t.Errorf("%s: refused by %q", name, no)
		}
	}
	if refused(t, dist.Filename{}.CheckIndex()) != rule.IndexName {
		t.Error("no name passes for one")
	}
}

func TestRealFilenames(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(read(t, vectors(t, "python-dists", "real_filenames.jsonl"))))
	count := 0
	for ; lines.Scan(); count++ {
		var real struct{ Filename string }
		if err := json.Unmarshal(lines.Bytes(), &real); err != nil {
			t.Fatal(err)
		}
		f, err := dist.ParseFilename(real.Filename)
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := dist.ParseFilename(f.IndexName())
		if err != nil || again.Project != f.Project || !again.Version.Equal(f.Version) ||
			!dist.IsDistribution(real.Filename) {
			t.Errorf("%s: its name on the index is %s: %v", f, f.IndexName(), err)
		}
	}
	if count != 5624 {
		t.Errorf("want 5624 names, got %d", count)
	}
}

func TestFilenameVectors(t *testing.T) {
	var cases []struct {
		ID, Filename, Expected, Name, Normalized string
		Version                                  any
		Build                                    []any
	}
	decode(t, &cases, "python-dists", "filenames.json")
	// Where we say no and the vector says yes, by rule.
	ascii := "PyPI has ASCII names only (PEP 508)"
	targz := "an sdist is a .tar.gz (PEP 625)"
	stricter := exceptions{
		"foo_bár-1.0-py3-none-any.whl": ascii, "foo_bár-1.0-1000-py3-none-any.whl": ascii,
		"foo-1.0.zip": targz, "FOO-1.0.zip": targz, "foo-bar-1.0.zip": targz, "foo--bar-1.0.zip": targz,
		"foo..bar-1.0.zip": targz, "foo.bar.baz-1.0.zip": targz, "foo_lib-1.2.3a3.zip": targz,
		"foo_lib-1.2.3.tar.xz": targz, "foo_lib-1.2.3.tar.lz": targz, "foo_lib-1.2.3.tar.lzma": targz,
		"foo_lib-1.2.3.tgz": targz, "foo_lib-1.2.3.tbz": targz, "foo_lib-1.2.3.tlz": targz, "foo_lib-1.2.3.txz": targz,
	}
	used := exceptions{}
	for _, c := range cases {
		f, err := dist.ParseFilename(c.Filename)
		valid := strings.HasPrefix(c.Expected, "valid")
		if _, listed := stricter[c.Filename]; listed && valid {
			used[c.Filename] = "used"
			valid = false
		}
		if refused(t, err); valid != (err == nil) {
			t.Errorf("%s: %s: want %s, got %v", c.ID, c.Filename, c.Expected, err)
		}
		if err == nil && c.Name != "" && f.Project != c.Name {
			t.Errorf("%s: %s: want the project %s, got %s", c.ID, c.Filename, c.Name, f.Project)
		}
		if version, ok := c.Version.(map[string]any); err == nil && ok && f.Version.String() != version["Version"] {
			t.Errorf("%s: %s: want the version %v, got %s", c.ID, c.Filename, version, f.Version)
		}
		if err == nil && c.Normalized != "" && f.Kind == dist.Sdist && f.IndexName() != c.Normalized {
			t.Errorf("%s: %s: want the name %s, got %s", c.ID, c.Filename, c.Normalized, f.IndexName())
		}
	}
	stricter.stale(t, used)
}

// exceptions are the cases of a vector that we judge otherwise, each with the
// rule by which we do.
type exceptions map[string]string

// stale fails for each exception that no case needed.
func (e exceptions) stale(t *testing.T, used exceptions) {
	t.Helper()
	for name, why := range e {
		if used[name] == "" {
			t.Errorf("%s: is listed (%s) and is not met", name, why)
		}
	}
}

func TestTagVectors(t *testing.T) {
	var vector struct {
		Tests []struct {
			Test   string
			Params []struct{ Values json.RawMessage }
			Raises []string
		}
	}
	decode(t, &vector, "python-dists", "tags.json")
	met := 0
	for _, test := range vector.Tests {
		// The rest of the vector is about what an interpreter supports.
		if !strings.HasPrefix(test.Test, "TestParseTag::") {
			continue
		}
		var tags []string
		if err := json.Unmarshal(test.Params[0].Values, &tags); err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags {
			met++
			if test.Test == "TestParseTag::test_identifier_interpreter_is_valid" {
				tag += "-none-any"
			}
			_, err := dist.ParseFilename("widget-1.0-" + tag + ".whl")
			// Four parts after the version are a build tag and three tags, so one
			// that is refused for its count is refused for its build tag here.
			if refused(t, err); (err != nil) != (len(test.Raises) > 0) {
				t.Errorf("%s: %s: got %v", test.Test, tag, err)
			}
		}
	}
	if met < 15 {
		t.Errorf("want 15 tags or more, got %d", met)
	}
}

func decode(t testing.TB, into any, path ...string) {
	t.Helper()
	if err := json.Unmarshal(read(t, vectors(t, path...)), into); err != nil {
		t.Fatal(err)
	}
}
