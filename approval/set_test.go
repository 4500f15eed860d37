package approval

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// ship is a file of widget 1.0 with more metadata and entry points.
func ship(t *testing.T, name, metadata string, points ...dist.EntryPoint) shipped {
	t.Helper()
	parsed, err := dist.ParseFilename(name)
	if err != nil {
		t.Fatal(err)
	}
	read, err := dist.ReadMetadata(name, strings.NewReader("Metadata-Version: 2.4\nName: widget\nVersion: 1.0\n"+metadata))
	if err != nil {
		t.Fatal(err)
	}
	return shipped{name, 1000, dist.Info{Filename: parsed, Metadata: read, Contents: dist.Contents{EntryPoints: points}}}
}

func TestASetIsShownAsAMatrix(t *testing.T) {
	got := newSet([]shipped{
		ship(t, "widget-1.0-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ""),
		ship(t, "widget-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", ""),
		ship(t, "widget-1.0-cp313-cp313t-manylinux_2_28_x86_64.whl", ""),
		ship(t, "widget-1.0-cp313-cp313-macosx_11_0_arm64.whl", ""),
		ship(t, "widget-1.0-cp39-cp39-macosx_10_9_x86_64.whl", ""),
		ship(t, "widget-1.0-cp39-cp39-macosx_11_0_x86_64.whl", ""),
		ship(t, "widget-1.0-cp311-abi3-win_amd64.whl", ""),
		ship(t, "widget-1.0-py3-none-any.whl", ""),
		ship(t, "widget-1.0.tar.gz", ""),
	})
	holes := got.holes()
	told := slices.DeleteFunc(slices.Clone(got.Findings), func(f rule.Finding) bool { return f.Rule != rule.SetHole })
	if len(told) != len(holes) || told[0].Where != "macosx_arm64" || told[0].What != "no wheel for cp39" {
		t.Errorf("of the holes %v it is told %v", holes, told)
	}
	got.Findings = nil
	want := Set{
		Wheels: 8, Sdists: 1, Varied: []Variation{},
		Pythons:   []string{"cp39", "cp311-abi3", "cp313", "cp313t", "py3"},
		Platforms: []string{"any", "macosx_arm64", "macosx_x86_64", "manylinux_x86_64", "win_amd64"},
		Matrix:    [][]int{{0, 0, 0, 0, 1}, {0, 0, 1, 0, 0}, {2, 0, 0, 0, 0}, {1, 0, 1, 1, 0}, {0, 1, 0, 0, 0}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if len(holes) != 10 || holes[0] != [2]string{"macosx_arm64", "cp39"} {
		t.Errorf("the holes are %v", holes)
	}
}

func TestWhatVariesInASet(t *testing.T) {
	const (
		linux, windows, mac = "widget-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", "widget-1.0-cp313-cp313-win_amd64.whl",
			"widget-1.0-cp313-cp313-macosx_11_0_arm64.whl"
		sdist = "widget-1.0.tar.gz"
		numpy = "Requires-Dist: numpy>=2\n"
	)
	main := dist.EntryPoint{Group: "console_scripts", Name: "widget", Object: "widget:main"}
	for name, c := range map[string]struct {
		files []shipped
		want  string // what is found, or nothing
	}{
		"alike": {[]shipped{ship(t, linux, numpy, main), ship(t, mac, numpy, main), ship(t, sdist, numpy)}, ""},
		"in another order": {[]shipped{ship(t, linux, numpy+"Requires-Dist: a\n"),
			ship(t, sdist, "Requires-Dist: a\n"+numpy)}, ""},
		"a dependency of one wheel": {[]shipped{ship(t, linux, numpy), ship(t, mac, numpy),
			ship(t, windows, numpy+"Requires-Dist: evil\n")}, windows + ": with evil"},
		"a dependency of all but one": {[]shipped{ship(t, linux, ""), ship(t, mac, numpy), ship(t, windows, numpy)},
			linux + ": without numpy>=2"},
		"other Pythons": {[]shipped{ship(t, linux, "Requires-Python: >=3.11\n"), ship(t, mac, "Requires-Python: >=3.10\n"),
			ship(t, windows, "Requires-Python: >=3.11\n")}, mac + ": with >=3.10, without >=3.11"},
		"a command of one wheel": {[]shipped{ship(t, linux, "", main), ship(t, mac, ""), ship(t, windows, "")},
			linux + ": with [console_scripts] widget = widget:main"},
		"an sdist that says otherwise": {[]shipped{ship(t, linux, numpy), ship(t, mac, numpy), ship(t, sdist, "")},
			sdist + ": without numpy>=2"},
		"an sdist that leaves it open": {[]shipped{ship(t, linux, numpy), ship(t, sdist, "Dynamic: Requires-Dist\n")}, ""},
	} {
		looks := newSet(c.files).Findings
		for len(looks) > 0 && looks[len(looks)-1].Severity == rule.Remark {
			looks = looks[:len(looks)-1]
		}
		switch {
		case c.want == "" && len(looks) > 0, c.want != "" && len(looks) != 1:
			t.Errorf("%s: got %+v", name, looks)
		case c.want != "" && (looks[0].What != c.want || looks[0].Rule != rule.SetVaries || looks[0].Severity != rule.Look):
			t.Errorf("%s: want %q, got %+v", name, c.want, looks[0])
		}
	}
}

func TestASetWithinTheIndexsLimits(t *testing.T) {
	large := ship(t, "widget-1.0-py3-none-any.whl", "")
	large.size = maxIndexFile
	if got := newSet([]shipped{large, ship(t, "widget-1.0.tar.gz", "")}); len(got.Findings) > 0 {
		t.Errorf("got %+v", got.Findings)
	}
	large.size++
	got := newSet([]shipped{large})
	if len(got.Findings) != 2 || got.Findings[0].Rule != rule.SetSize || got.Findings[1].Rule != rule.SetSdist {
		t.Errorf("got %+v", got.Findings)
	}
	large.size = maxIndexProject + 1
	if got := newSet([]shipped{large}); len(got.Findings) != 3 || got.Findings[1].Rule != rule.SetSize {
		t.Errorf("got %+v", got.Findings)
	}
}
