package publish

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
)

func TestWhyAMemberMatters(t *testing.T) {
	for kind, names := range map[approval.MemberKind][]string{
		approval.Startup: {"widget.pth", "deep/er/Widget.PTH", "sitecustomize.py", "usercustomize/__init__.py",
			"*.data/purelib/sitecustomize.py", "widget.start"},
		approval.Native: {"widget/_x.cpython-312-x86_64-linux-gnu.so", "widget.libs/libz-1b2c3d4e.so.1.2", "a.DLL",
			"a.pyd", "b.dylib", "c.exe"},
		approval.Script: {"*.data/scripts/widget", "*.data/scripts/pip"},
		approval.Other:  {"widget/sitecustomize.py", "widget/pth", "widget.so.py", "a.sock", "x.so.txt", "*.dist-info/RECORD"},
	} {
		for _, name := range names {
			if got := kindOf(name); got != kind {
				t.Errorf("%s: got %s, want %s", name, got, kind)
			}
		}
	}
}

// Names that delocate, auditwheel and delvewheel write.
func TestLibrariesWithoutVersions(t *testing.T) {
	for _, same := range [][2]string{
		{"numpy.libs/libgfortran-040039e1-0352e75f.so.5.0.0", "numpy.libs/libgfortran-8a9ea1b2.so.6"},
		{"numpy.libs/libscipy_openblas64_-99b71e71.so", "numpy.libs/libscipy_openblas64_-0123abcd.so"},
		{"numpy.libs/msvcp140-263139962577ecda4cd9469ca360a746.dll", "numpy.libs/msvcp140-d64049c6e3865410a7dda6a7e9f0c575.dll"},
	} {
		if a, b := nameless(same[0]), nameless(same[1]); a != b {
			t.Errorf("%s and %s: %s, %s", same[0], same[1], a, b)
		}
	}
	if nameless("w.libs/libz-1b2c3d4e.so") == nameless("w.libs/libevil-1b2c3d4e.so") {
		t.Error("another library has the same name")
	}
}

func TestMetadataThatChanged(t *testing.T) {
	metadata := func(lines ...string) dist.Metadata {
		text := "Metadata-Version: 2.1\nName: widget\nVersion: 1.0\n" + strings.Join(lines, "\n") + "\n"
		m, err := dist.ReadMetadata("METADATA", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	was := metadata("Requires-Dist: numpy>=1.22", "Requires-Dist: old", "Requires-Dist: pytest ; extra == 'test'",
		"Requires-Dist: Some.Thing", "Requires-Python: >=3.9,<4", "Provides-Extra: test", "Project-URL: Home, https://a.example")
	now := metadata("Requires-Dist: numpy >=1.26", "Requires-Dist: evil", "Requires-Dist: pytest",
		"Requires-Dist: pytest ; extra == 'test'", "Requires-Dist: some_thing>1", "Requires-Python: <4, >=3.10",
		"Provides-Extra: test", "Project-URL: Home, https://b.example")
	want := []approval.Difference{
		{Field: "Project-URL", Was: "Home, https://a.example", Now: "Home, https://b.example"},
		{Field: "Requires-Dist", Now: "evil"},
		{Field: "Requires-Dist", Was: "numpy>=1.22", Now: "numpy >=1.26"},
		{Field: "Requires-Dist", Was: "old"},
		{Field: "Requires-Dist", Now: "pytest"},
		{Field: "Requires-Dist", Was: "Some.Thing", Now: "some_thing>1"},
		{Field: "Requires-Python", Was: "<4,>=3.9", Now: "<4,>=3.10"},
	}
	if diff := cmp.Diff(want, compareMetadata(was, now)); diff != "" {
		t.Error(diff)
	}
	if same := compareMetadata(was, was); len(same) > 0 {
		t.Errorf("got %v", same)
	}
}

func TestEntryPointsAreRead(t *testing.T) {
	for text, want := range map[string]map[[2]string]string{
		"":                                  {},
		"# a\n[console_scripts]\nw = a:b\n": {{"console_scripts", "w"}: "a:b"},
		"[ x ]\r\ny=z\r\n\r\n; c\n":         {{"x", "y"}: "z"},
		"w = a:b\n":                         nil,
		"[x]\nno entry point\n":             nil,
	} {
		got, err := entryPoints([]byte(text))
		if (err != nil) != (want == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%q:\n%s", text, diff)
		}
	}
}
