package staging

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// numpy24 is numpy 2.4.2 as its release manager would write it.
var numpy24 = FileSet{
	Sdist:  true,
	Python: []string{"cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t"},
	Platform: []string{
		"macosx_arm64", "macosx_14_0_arm64", "macosx_x86_64", "macosx_14_0_x86_64",
		"manylinux_aarch64", "manylinux_x86_64", "musllinux_aarch64", "musllinux_x86_64",
		"win32", "win_amd64", "win_arm64",
	},
	Except: []string{"cp313t-macosx_x86_64", "cp314t-macosx_x86_64"},
	Also: []string{
		"pp311-macosx_arm64", "pp311-macosx_14_0_arm64", "pp311-macosx_x86_64", "pp311-macosx_14_0_x86_64",
		"pp311-manylinux_aarch64", "pp311-manylinux_x86_64", "pp311-win_amd64",
	},
}

// numpyFiles are the 72 files of numpy 2.4.2 on PyPI.
func numpyFiles() (names []string) {
	wheels := func(tags string, platforms ...string) {
		for _, platform := range platforms {
			names = append(names, "numpy-2.4.2-"+tags+"-"+platform+".whl")
		}
	}
	linux := func(arch string) string { return "manylinux_2_27_" + arch + ".manylinux_2_28_" + arch }
	everywhere := []string{
		"macosx_11_0_arm64", "macosx_14_0_arm64", "macosx_14_0_x86_64", linux("aarch64"), linux("x86_64"),
		"musllinux_1_2_aarch64", "musllinux_1_2_x86_64", "win32", "win_amd64", "win_arm64",
	}
	for _, tags := range []string{"cp311-cp311", "cp312-cp312", "cp313-cp313", "cp313-cp313t", "cp314-cp314", "cp314-cp314t"} {
		wheels(tags, everywhere...)
	}
	wheels("cp311-cp311", "macosx_10_9_x86_64")
	wheels("cp312-cp312", "macosx_10_13_x86_64")
	wheels("cp313-cp313", "macosx_10_13_x86_64")
	wheels("cp314-cp314", "macosx_10_15_x86_64")
	wheels("pp311-pypy311_pp73", "macosx_10_15_x86_64", "macosx_11_0_arm64", "macosx_14_0_arm64",
		"macosx_14_0_x86_64", linux("aarch64"), linux("x86_64"), "win_amd64")
	return append(names, "numpy-2.4.2.tar.gz")
}

func filenames(t testing.TB, names ...string) (files []dist.Filename) {
	t.Helper()
	for _, name := range names {
		f, err := dist.ParseFilename(name)
		check(t, err)
		files = append(files, f)
	}
	return files
}

func version(t testing.TB, s string) dist.Version {
	t.Helper()
	v, err := dist.ParseVersion(s)
	check(t, err)
	return v
}

func TestNumpyIsSixTimesElevenMinusTwoPlusSeven(t *testing.T) {
	names := numpyFiles()
	if len(names) != 72 || 6*11-2+7+1 != 72 {
		t.Fatalf("numpy 2.4.2 has 72 files, got %d", len(names))
	}
	e, err := Expect(numpy24)
	check(t, err)
	check(t, e.Check(version(t, "2.4.2"), filenames(t, names...)))

	described, err := Describe(filenames(t, names...))
	check(t, err)
	if diff := cmp.Diff(numpy24, described); diff != "" {
		t.Errorf("described otherwise than a person would:\n%s", diff)
	}
	for i, name := range names {
		files := filenames(t, slices.Delete(slices.Clone(names), i, i+1)...)
		refusals := e.judge(version(t, "2.4.2"), files)
		if len(refusals) != 1 || refusals[0].Rule != rule.ExpectedMissing || refusals[0].Got != "nothing" {
			t.Errorf("without %s: got %v", name, refusals)
		}
	}
}

func TestWhatIsNotExpectedIsRefusedByName(t *testing.T) {
	pure := FileSet{Sdist: true, Also: []string{"py3-none-any"}}
	small := FileSet{Python: []string{"cp313", "cp314t"}, Platform: []string{"macosx_arm64", "win_amd64"},
		Except: []string{"cp314t-win_amd64"}}
	const v = "widget-1.0"
	smallFiles := []string{v + "-cp313-cp313-macosx_11_0_arm64.whl", v + "-cp313-cp313-win_amd64.whl",
		v + "-cp314-cp314t-macosx_11_0_arm64.whl"}
	type no struct{ file, rule, hint string }
	for _, c := range []struct {
		name  string
		set   FileSet
		files []string
		want  []no
	}{
		{"all is there", small, smallFiles, nil},
		{"a pure project", pure, []string{v + ".tar.gz", v + "-py3-none-any.whl"}, nil},
		{"no sdist", pure, []string{v + "-py3-none-any.whl"},
			[]no{{"sdist", "expected-missing", "write in [files]: sdist=false"}}},
		{"an sdist too much", small, append([]string{v + ".tar.gz"}, smallFiles...),
			[]no{{v + ".tar.gz", "expected-extra", "write in [files]: sdist=true"}}},
		{"an added wheel is missing", pure, []string{v + ".tar.gz"},
			[]no{{"py3-none-any", "expected-missing", `take "py3-none-any" out of also in [files]`}}},
		{"a wheel of the product is missing", small, smallFiles[1:],
			[]no{{"cp313-macosx_arm64", "expected-missing", `add to except in [files]: "cp313-macosx_arm64",`}}},
		{"two are missing, and no except", FileSet{Python: []string{"cp313"}, Platform: []string{"win32", "win_amd64", "win_arm64"}},
			[]string{v + "-cp313-cp313-win32.whl"}, []no{
				{"cp313-win_amd64", "expected-missing", `write in [files]: except=["cp313-win_amd64","cp313-win_arm64"]`},
				{"cp313-win_arm64", "expected-missing", `write in [files]: except=["cp313-win_amd64","cp313-win_arm64"]`}}},
		{"an exception is there", small, append([]string{v + "-cp314-cp314t-win_amd64.whl"}, smallFiles...),
			[]no{{v + "-cp314-cp314t-win_amd64.whl", "expected-extra", `take "cp314t-win_amd64" out of except in [files]`}}},
		{"another platform", small, append([]string{v + "-cp313-cp313-win32.whl"}, smallFiles...),
			[]no{{v + "-cp313-cp313-win32.whl", "expected-extra", `write in [files]: also=["cp313-win32"]`}}},
		{"another platform, and there is an also", pure,
			[]string{v + ".tar.gz", v + "-py3-none-any.whl", v + "-py3-none-win32.whl"},
			[]no{{v + "-py3-none-win32.whl", "expected-extra", `add to also in [files]: "py3-none-win32",`}}},
		{"another ABI", small, append([]string{v + "-cp313-abi3-win_amd64.whl"}, smallFiles...),
			[]no{{v + "-cp313-abi3-win_amd64.whl", "expected-extra", `also=["cp313-abi3-win_amd64"]`}}},
		{"a build tag", small, append([]string{v + "-1-cp313-cp313-win_amd64.whl"}, smallFiles...),
			[]no{{v + "-1-cp313-cp313-win_amd64.whl", "expected-extra", `also=["1-cp313-win_amd64"]`}}},
		{"two macOS versions of another platform", small,
			append([]string{v + "-cp313-cp313-macosx_11_0_universal2.whl", v + "-cp313-cp313-macosx_14_0_universal2.whl"}, smallFiles...),
			[]no{
				{v + "-cp313-cp313-macosx_11_0_universal2.whl", "expected-extra",
					`also=["cp313-macosx_14_0_universal2","cp313-macosx_universal2"]`},
				{v + "-cp313-cp313-macosx_14_0_universal2.whl", "expected-extra",
					`also=["cp313-macosx_14_0_universal2","cp313-macosx_universal2"]`}}},
		{"doubled by a number", small, append([]string{v + "-cp313-cp313-macosx_14_0_arm64.whl"}, smallFiles...),
			[]no{{v + "-cp313-cp313-macosx_14_0_arm64.whl", "expected-doubled", `write in [files]: also=["cp313-macosx_14_0_arm64"]`}}},
		{"doubled by another name of the same tag", FileSet{Also: []string{"cp313-manylinux_x86_64"}},
			[]string{v + "-cp313-cp313-manylinux2014_x86_64.whl", v + "-cp313-cp313-manylinux_2_17_x86_64.whl"},
			[]no{{v + "-cp313-cp313-manylinux_2_17_x86_64.whl", "expected-doubled", "take one of the two away"}}},
		{"two sdists", pure, []string{v + ".tar.gz", "Widget-1.0.tar.gz", v + "-py3-none-any.whl"},
			[]no{{v + ".tar.gz", "expected-doubled", "take one of the two away"}}},
		{"a pin that is not met", FileSet{Also: []string{"cp313-manylinux_2_28_x86_64"}},
			[]string{v + "-cp313-cp313-manylinux_2_34_x86_64.whl"}, []no{
				{"cp313-manylinux_2_28_x86_64", "expected-missing", `take "cp313-manylinux_2_28_x86_64" out of also`},
				{v + "-cp313-cp313-manylinux_2_34_x86_64.whl", "expected-extra", `add to also in [files]: "cp313-manylinux_x86_64",`}}},
		{"tags that nobody can name", pure, []string{v + ".tar.gz", v + "-py3-none-any.whl", v + "-cp313-cp313-macosx_11_arm64.whl"},
			[]no{{v + "-cp313-cp313-macosx_11_arm64.whl", "expected-extra", "take it away"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Expect(c.set)
			check(t, err)
			files := filenames(t, c.files...)
			slices.Reverse(files)
			got := e.judge(version(t, "1.0"), files)
			if len(got) != len(c.want) || (e.Check(version(t, "1.0"), files) == nil) != (len(c.want) == 0) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for _, w := range c.want {
				i := slices.IndexFunc(got, func(r rule.Refusal) bool { return r.File == w.file && string(r.Rule) == w.rule })
				if i < 0 || !strings.Contains(got[i].Hint, w.hint) || got[i].Want == "" || got[i].Got == "" {
					t.Errorf("got %+v, want %+v", got, w)
				}
			}
		})
	}
}

// What a refusal says is to be pasted makes the files what is expected.
func TestManyMissingFilesAreBetterDescribedAnew(t *testing.T) {
	set := FileSet{Python: []string{"cp312", "cp313", "cp314"}, Platform: []string{"win32", "win_amd64", "win_arm64", "macosx_arm64"}}
	e, err := Expect(set)
	check(t, err)
	no := e.judge(version(t, "1.0"), filenames(t, "widget-1.0-cp312-cp312-win32.whl"))
	if len(no) != 11 || !strings.Contains(no[0].Hint, "distgate init --files-from DIR") {
		t.Errorf("got %d refusals, the first %+v", len(no), no[0])
	}
}

func TestTablesThatDoNotSayWhatWasMeant(t *testing.T) {
	good := func() FileSet {
		return FileSet{Python: []string{"cp313", "cp314"}, Platform: []string{"win32", "win_amd64"}}
	}
	for what, c := range map[string]struct {
		change    func(*FileSet)
		want, got string
	}{
		"nothing":                        {func(s *FileSet) { *s = FileSet{} }, "at least one wheel", "nothing"},
		"python alone":                   {func(s *FileSet) { s.Platform = nil }, "both or neither", "one of them"},
		"platform alone":                 {func(s *FileSet) { s.Python = nil }, "both or neither", "one of them"},
		"a Python that is none":          {func(s *FileSet) { s.Python[0] = "3.13" }, "python: a word as cp313", `"3.13"`},
		"a Python in capitals":           {func(s *FileSet) { s.Python[0] = "CP313" }, "python: a word as cp313", `"CP313"`},
		"a Python of no known ABI":       {func(s *FileSet) { s.Python[0] = "jy27" }, "python: a word as cp313", `"jy27"`},
		"a platform that is none":        {func(s *FileSet) { s.Platform[0] = "windows" }, "platform: a word as", `"windows"`},
		"half a macOS version":           {func(s *FileSet) { s.Platform[0] = "macosx_11_arm64" }, "platform: a word as", `"macosx_11_arm64"`},
		"a number with a zero before it": {func(s *FileSet) { s.Platform[0] = "manylinux_02_17_i686" }, "platform: a word as", `"manylinux_02_17_i686"`},
		"no machine":                     {func(s *FileSet) { s.Platform[0] = "manylinux_2_28" }, "platform: a word as", `"manylinux_2_28"`},
		"a star":                         {func(s *FileSet) { s.Platform[0] = "manylinux_*_x86_64" }, "platform: a word as", `"manylinux_*_x86_64"`},
		"an ABI where a platform stands": {func(s *FileSet) { s.Also = []string{"cp311-abi3"} }, "also: a word as", `"cp311-abi3"`},
		"a Python twice":                 {func(s *FileSet) { s.Python[1] = "cp313-cp313" }, "python: each of its words once", `"cp313-cp313"`},
		"one platform by two names": {func(s *FileSet) { s.Platform = []string{"manylinux2014_i686", "manylinux_2_17_i686"} },
			"platform: each of its words once", `"manylinux_2_17_i686"`},
		"an exception from nothing": {func(s *FileSet) { s.Except = []string{"cp313-win_arm64"} }, "except: wheels that python × platform has", "cp313-win_arm64"},
		"an exception twice":        {func(s *FileSet) { s.Except = []string{"cp313-win32", "cp313-win32"} }, "except: each of its words once", `"cp313-win32"`},
		"everything excepted": {func(s *FileSet) {
			*s = FileSet{Python: []string{"cp313"}, Platform: []string{"win32"}, Except: []string{"cp313-win32"}}
		}, "at least one wheel", "nothing"},
		"an addition to itself":         {func(s *FileSet) { s.Also = []string{"cp313-win32"} }, "also: wheels that python × platform has not", "cp313-win32"},
		"an exception, and yet added":   {func(s *FileSet) { s.Except = []string{"cp313-win32"}; s.Also = s.Except }, "also: wheels that python", "cp313-win32"},
		"a word that hides another one": {func(s *FileSet) { s.Also = []string{"py3-none-any\n"} }, "also: a word as", `"py3-none-any\n"`},
		"more than an index would list": {func(s *FileSet) { *s = huge() }, "at most 4096 files", "4900"},
	} {
		t.Run(what, func(t *testing.T) {
			set := good()
			c.change(&set)
			e, err := Expect(set)
			refusedBy(t, err, "[files]", rule.ExpectedForm, c.want, c.got)
			if !e.IsZero() {
				t.Error("something is expected")
			}
		})
	}
	if _, err := Expect(good()); err != nil {
		t.Error(err)
	}
	if err := (Expected{}).Check(version(t, "1.0"), nil); err == nil {
		t.Error("nothing expects nothing")
	}
}

func huge() (set FileSet) {
	for i := range 70 {
		set.Python = append(set.Python, fmt.Sprintf("cp3%d", i))
		set.Platform = append(set.Platform, fmt.Sprintf("manylinux_2_%d_x86_64", i))
	}
	return set
}

func TestAVersionIsOfTheLongestSeries(t *testing.T) {
	e, err := ExpectSeries(map[string]FileSet{
		"2.3":   {Sdist: true, Also: []string{"cp311-win32"}},
		"2.4":   {Sdist: true, Also: []string{"cp312-win32"}},
		"2.4.0": {Sdist: true},
		"1!2":   {Also: []string{"py3-any"}},
	})
	check(t, err)
	for v, want := range map[string]string{
		"2.3.5": "cp311-win32", "2.4.1": "cp312-win32", "2.4.0": "", "2.4rc1": "", "1!2.9": "py3-none-any",
	} {
		var missing []string
		for _, r := range e.judge(version(t, v), nil) {
			if r.File != "sdist" {
				missing = append(missing, r.File)
			}
			if !strings.Contains(r.Hint, "[series.") {
				t.Errorf("%s: the hint does not name the table: %s", v, r.Hint)
			}
		}
		if strings.Join(missing, " ") != want {
			t.Errorf("%s: got %v missing, want %s", v, missing, want)
		}
	}
	for _, v := range []string{"2.5.0", "2.40", "2", "2.3!2.4", "1.0"} {
		if v, err := dist.ParseVersion(v); err == nil {
			refusedBy(t, e.Check(v, nil), "release "+v.String(), rule.ExpectedSeries, "2.3, 2.4")
		}
	}
	for _, name := range []string{"", "2.x", "v2.4", "2.4rc1", "02.4", "2.4.", " 2.4", "2.4+local"} {
		_, err := ExpectSeries(map[string]FileSet{name: {Sdist: true}})
		refusedBy(t, err, "[series.", rule.ExpectedForm, "the beginning of a release")
	}
	_, err = ExpectSeries(nil)
	refusedBy(t, err, "[series]", rule.ExpectedForm)
	_, err = ExpectSeries(map[string]FileSet{"2.4": {}})
	refusedBy(t, err, `[series."2.4"]`, rule.ExpectedForm, "at least one wheel")
}

func TestDescriptionsReadAsPeopleWriteThem(t *testing.T) {
	const v = "widget-1.0"
	for _, c := range []struct {
		name  string
		files []string
		want  FileSet
	}{
		{"a pure project", []string{v + ".tar.gz", v + "-py3-none-any.whl"}, FileSet{Sdist: true, Also: []string{"py3-none-any"}}},
		{"the sdist alone", []string{v + ".tar.gz"}, FileSet{Sdist: true}},
		{"one Python, some platforms", []string{v + "-py3-none-any.whl", v + "-py3-none-macosx_11_0_arm64.whl", v + "-py3-none-win32.whl"},
			FileSet{Python: []string{"py3-none"}, Platform: []string{"any", "macosx_arm64", "win32"}}},
		{"abi3, and a free-threaded one", []string{
			v + "-cp39-abi3-win32.whl", v + "-cp39-abi3-win_amd64.whl", v + "-cp310-cp310-win32.whl", v + "-cp310-cp310-win_amd64.whl",
			v + "-cp314-cp314t-win_amd64.whl"},
			FileSet{Python: []string{"cp39-abi3", "cp310"}, Platform: []string{"win32", "win_amd64"}, Also: []string{"cp314t-win_amd64"}}},
		{"a glibc that tells two apart", []string{v + "-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
			v + "-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"},
			FileSet{Python: []string{"cp313"}, Platform: []string{"manylinux_x86_64", "manylinux_2_28_x86_64"}}},
		{"a tag that is in both", []string{v + "-cp313-cp313-manylinux_2_5_i686.manylinux1_i686.manylinux_2_17_i686.whl",
			v + "-cp313-cp313-manylinux_2_17_i686.whl"},
			FileSet{Python: []string{"cp313"}, Platform: []string{"manylinux_i686", "manylinux_2_5_i686"}}},
		{"several platforms at once", []string{v + "-py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64.whl",
			v + "-py2.py3-none-macosx_10_9_x86_64.macosx_11_0_arm64.macosx_10_9_universal2.whl"},
			FileSet{Also: []string{"py2.py3-none-macosx_arm64.macosx_universal2.macosx_x86_64",
				"py3-none-manylinux_x86_64.musllinux_x86_64"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Describe(filenames(t, c.files...))
			check(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNotOneReleaseIsNotDescribed(t *testing.T) {
	for _, c := range []struct {
		id    rule.ID
		files []string
	}{
		{rule.StageEmpty, nil},
		{rule.OneProject, []string{"widget-1.0.tar.gz", "gadget-1.0.tar.gz"}},
		{rule.OneVersion, []string{"widget-1.0.tar.gz", "widget-1.1-py3-none-any.whl"}},
		{rule.ExpectedForm, []string{"widget-1.0-cp313-cp313-macosx_11_arm64.whl"}},
		{rule.ExpectedDoubled, []string{"widget-1.0-py2.py3-none-any.whl", "widget-1.0-py3.py2-none-any.whl"}},
		{rule.ExpectedDoubled, []string{"widget-1.0.tar.gz", "Widget-1.0.tar.gz"}},
	} {
		_, err := Describe(filenames(t, c.files...))
		refusedBy(t, err, "", c.id)
	}
}

// What is opened is judged as what is staged, whatever the store says of it.
func TestWhatIsStagedIsStillExpectedWhenItIsOpened(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	var err error
	w.policy.Expected, err = Expect(FileSet{Sdist: true, Also: []string{"py3-none-any", "cp313-musllinux_x86_64", "cp313-win_amd64"}})
	check(t, err)
	_, err = w.open(t, s, staged.Digest)
	refusedBy(t, err, "cp313-win_amd64", rule.ExpectedMissing, "want a wheel *-cp313-cp313-win_amd64.whl", "got nothing")
	_, err = Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
	refusedBy(t, err, "cp313-win_amd64", rule.ExpectedMissing)
}

// Real releases, by their files on PyPI: each is described, and the description
// expects exactly these files.
func TestRealReleasesAreDescribed(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	for release, files := range realReleases(t, filepath.Join(dir, "python-dists", "real_filenames.jsonl")) {
		set, err := Describe(files)
		if err != nil {
			t.Errorf("%s: %v", release, err)
			continue
		}
		words := len(set.Python) + len(set.Platform) + len(set.Except) + len(set.Also)
		if len(files) >= 40 && words > len(files)*2/3 {
			t.Errorf("%s: %d words for %d files: %+v", release, words, len(files), set)
		}
		e, err := Expect(set)
		check(t, err)
		for i := range files {
			if e.Check(files[0].Version, slices.Delete(slices.Clone(files), i, i+1)) == nil {
				t.Errorf("%s without %s is whole", release, files[i])
			}
		}
	}
}

func realReleases(t *testing.T, path string) map[string][]dist.Filename {
	t.Helper()
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	releases, seen := map[string][]dist.Filename{}, map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct{ Filename string }
		check(t, json.Unmarshal(lines.Bytes(), &line))
		f, err := dist.ParseFilename(line.Filename)
		if err != nil || seen[line.Filename] {
			continue
		}
		key := f.Project + " " + f.Version.String()
		releases[key], seen[line.Filename] = append(releases[key], f), true
	}
	if len(releases) < 400 {
		t.Fatalf("%s has %d releases", path, len(releases))
	}
	return releases
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{
		"cp313-win_amd64", "cp313t-manylinux_2_28_x86_64", "cp311-abi3-macosx_arm64", "pp311-win32", "py3-none-any", "py2.py3-any",
		"1-cp313-win32", "graalpy311-graalpy242_311_native-win32", "cp313-manylinux1_i686.manylinux2014_i686", "pp311-pypy311_pp73-any",
		"cp315-abi3.abi3t-ios_13_0_arm64_iphoneos", "cp312-pyodide_2024_0_wasm32", "--", "1-", "cp-any", "cp313-manylinux_*_x86_64",
		"a.0-0-_0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePattern(s)
		if !ok {
			return
		}
		again, ok := parsePattern(p.word())
		if !ok || !cmp.Equal(p, again, cmp.AllowUnexported(pattern{})) {
			t.Fatalf("%q is %+v, and its word %q is %+v", s, p, p.word(), again)
		}
		if !p.fits(p) || p.word() == "" || strings.ContainsAny(p.word(), "*\n\" ") {
			t.Fatalf("%q: %+v does not fit itself, or cannot be written: %q", s, p, p.word())
		}
		open, ok := parsePattern(p.open())
		if !ok || !open.fits(p) || len(open.pins()) != 0 || open.open() != p.open() {
			t.Fatalf("%q: without pins %+v is %+v", s, p, open)
		}
	})
}
