package dist_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const wheelFile = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

// examine takes bytes in under a name and looks at everything inside.
func examine(t testing.TB, name string, b []byte) (dist.Contents, error) {
	t.Helper()
	f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
	if err != nil {
		return dist.Contents{}, err
	}
	info, err := dist.Examine(bytes.NewReader(b), f)
	return info.Contents, err
}

// recordOf is RECORD for the members, with its own line.
func recordOf(folder string, entries ...entry) string {
	var lines strings.Builder
	for _, e := range entries {
		if !strings.HasSuffix(e.name, "/") {
			digest := dist.Sum([]byte(e.body))
			fmt.Fprintf(&lines, "%s,sha256=%s,%d\n", e.name, base64.RawURLEncoding.EncodeToString(digest[:]), len(e.body))
		}
	}
	return lines.String() + folder + "/RECORD,,\n"
}

// wheelWith is a wheel in order with more members, or with others in the place
// of its own.
func wheelWith(t testing.TB, more ...entry) []byte {
	t.Helper()
	const folder = "widget-1.0.dist-info"
	entries := []entry{
		{name: "widget.py", body: "print('widget')\n"},
		{name: folder + "/METADATA", body: metadata},
		{name: folder + "/WHEEL", body: wheelFile},
		{name: folder + "/licenses/LICENSE", body: "free\n"},
	}
	record := entry{name: folder + "/RECORD", body: ""}
	for _, e := range more {
		same := func(other entry) bool { return other.name == e.name }
		if i := slices.IndexFunc(entries, same); i >= 0 {
			entries[i] = e
		} else if e.name == record.name {
			record = e
		} else {
			entries = append(entries, e)
		}
	}
	if record.body == "" {
		record.body = recordOf(folder, entries...)
	}
	return makeZip(t, append(entries, record)...)
}

func sdistWith(t testing.TB, more ...entry) []byte {
	t.Helper()
	license := entry{name: "widget-1.0/LICENSE", body: "free\n"}
	return gzipped(t, makeTar(t, append(append(sdistEntries(), license), more...)...))
}

func TestWhatIsInOrderHasNothingToFind(t *testing.T) {
	for name, b := range map[string][]byte{wheelName: wheelWith(t), sdistName: sdistWith(t)} {
		got, err := examine(t, name, b)
		if err != nil || len(got.Findings) > 0 || got.IsZero() || got.Unpacked == 0 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// Each change of a wheel in order, and the rule that refuses it.
func TestWheelsThatAreRefused(t *testing.T) {
	const folder = "widget-1.0.dist-info/"
	record := recordOf("widget-1.0.dist-info", entry{name: "widget.py", body: "print('widget')\n"},
		entry{name: folder + "METADATA", body: metadata}, entry{name: folder + "WHEEL", body: wheelFile},
		entry{name: folder + "licenses/LICENSE", body: "free\n"})
	with := func(name, body string) []byte { return wheelWith(t, entry{name: folder + name, body: body}) }
	listed := func(from, to string) []byte {
		if !strings.Contains(record, from) {
			t.Fatalf("want %q in %q", from, record)
		}
		return with("RECORD", strings.Replace(record, from, to, 1))
	}
	tagged := func(tag string) []byte { return with("WHEEL", strings.Replace(wheelFile, "py3-none-any", tag, 1)) }
	for name, c := range map[string]struct {
		wheel []byte
		want  rule.ID
	}{
		"another content":         {listed("widget.py,sha256=", "widget.py,sha256=A"), rule.RecordForm},
		"a lie about the digest":  {listed(line(t, record, "widget.py"), line(t, record, folder+"WHEEL")), rule.RecordTrue},
		"a lie about the size":    {listed(",16\n", ",17\n"), rule.RecordTrue},
		"a file that is not said": {listed("widget.py,"+line(t, record, "widget.py")+"\n", ""), rule.RecordComplete},
		"a file that is not":      {listed(folder+"RECORD,,\n", "evil.py,"+line(t, record, "widget.py")+"\n"), rule.RecordComplete},
		"a path twice":            {with("RECORD", record+record), rule.RecordForm},
		"an empty RECORD":         {with("RECORD", "\n"), rule.RecordComplete},
		"no digest":               {listed(line(t, record, "widget.py"), ","), rule.RecordForm},
		"a weak digest":           {listed("widget.py,sha256", "widget.py,md5"), rule.RecordForm},
		"a size that is none":     {listed(",16\n", ",-1\n"), rule.RecordForm},
		"two fields":              {with("RECORD", "widget.py,\n"), rule.RecordForm},
		"a quote that stays open": {with("RECORD", "\"widget.py,,\n"), rule.RecordForm},
		"RECORD not UTF-8":        {with("RECORD", record+"\xff,,\n"), rule.RecordForm},

		"no WHEEL version":      {with("WHEEL", "Root-Is-Purelib: true\nTag: py3-none-any\n"), rule.WheelFile},
		"WHEEL 2.0":             {with("WHEEL", strings.Replace(wheelFile, "1.0", "2.0", 1)), rule.WheelFile},
		"two WHEEL versions":    {with("WHEEL", "Wheel-Version: 1.9\n"+wheelFile), rule.WheelFile},
		"no Root-Is-Purelib":    {with("WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"), rule.WheelFile},
		"perhaps":               {with("WHEEL", strings.Replace(wheelFile, "true", "perhaps", 1)), rule.WheelFile},
		"another build tag":     {with("WHEEL", wheelFile+"Build: 7\n"), rule.WheelFile},
		"no tags":               {with("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"), rule.WheelTags},
		"another tag":           {tagged("py2-none-any"), rule.WheelTags},
		"one tag more":          {tagged("py2.py3-none-any"), rule.WheelTags},
		"a tag that is none":    {tagged("py3"), rule.WheelTags},
		"entry points twice":    {with("entry_points.txt", "[console_scripts]\na = b:c\na = d:e\n"), rule.EntryPoints},
		"a section twice":       {with("entry_points.txt", "[x]\na = b\n[x]\n"), rule.EntryPoints},
		"no section":            {with("entry_points.txt", "a = b\n"), rule.EntryPoints},
		"a command with a path": {with("entry_points.txt", "[console_scripts]\n../a = b:c\n"), rule.EntryPoints},
		"no object":             {with("entry_points.txt", "[console_scripts]\na\n"), rule.EntryPoints},
		"points not UTF-8":      {with("entry_points.txt", "[x]\na = \xff\n"), rule.EntryPoints},
		"megabytes of points":   {with("entry_points.txt", "[x]\n"+strings.Repeat("# a\n", 300_000)), rule.EntryPoints},
		"no licence file": {with("METADATA", strings.Replace(metadata, "\n\n", "\nLicense-File: AUTHORS\n\n", 1)),
			rule.LicenseFile},
	} {
		if _, err := examine(t, wheelName, c.wheel); refused(t, err) != c.want {
			t.Errorf("%s: want %s, got %v", name, c.want, err)
		}
	}
	for name, b := range map[string][]byte{
		"Windows separators":       listed("widget-1.0.dist-info/WHEEL,", `widget-1.0.dist-info\WHEEL,`),
		"no line for itself":       listed(folder+"RECORD,,\n", ""),
		"a quoted path":            listed("widget.py,", `"widget.py",`),
		"tags as in the name":      with("WHEEL", strings.Replace(wheelFile, "Tag: py3-none-any", "Tag: py3-none-any.any", 1)),
		"a signature of RECORD":    wheelWith(t, entry{name: folder + "RECORD.jws", body: "{}"}, entry{name: folder + "RECORD", body: record}),
		"an old field of licences": with("METADATA", strings.Replace(strings.Replace(metadata, "2.4", "2.1", 1), "\n\n", "\nLicense-File: AUTHORS\n\n", 1)),
	} {
		if _, err := examine(t, wheelName, b); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Code that PyPI takes for encrypted, by its texts alone.
func TestEncryptedCodeIsRefused(t *testing.T) {
	const begin, end = "---BEGIN PYE FILE---\n", "---END PYE FILE---\n"
	for body, refuses := range map[string]bool{
		"x = 1\n__pyarmor__(__name__, __file__, b'\\x50')\n": true, "__pyarmor__(__name__, $path, b'')\n": false,
		"__pyarmor_enter__()\n": true, "__pyarmor_exit__": true, "a__pyarmor_assert__b": true, "__pyarmor_bcc__": true,
		"__pyarmor_other__": false, "__PYARMOR_ENTER__": false, begin + "x\n" + end: true, end + begin: true, begin: false, end: false,
		strings.Repeat(" ", 5<<20-16) + "__pyarmor_exit__": true, strings.Repeat(" ", 5<<20) + "__pyarmor_exit__": false,
	} {
		for name, reads := range map[string]bool{"widget/a.py": true, "widget/a.PYE": true, "widget/a.txt": false, "widget/.py": false} {
			want := rule.ID("")
			if refuses && reads {
				want = rule.EncryptedCode
			}
			if _, err := examine(t, wheelName, wheelWith(t, entry{name: name, body: body})); refused(t, err) != want {
				t.Errorf("%s, %.30q: want %q, got %v", name, body, want, err)
			}
		}
	}
}

// line is the digest and the size that RECORD has for a path.
func line(t *testing.T, record, path string) string {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+record, "\n"+path+",")
	found, _, _ := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("no line of %s", path)
	}
	return found
}

func TestEverythingIsRefusedAtOnce(t *testing.T) {
	lies := ""
	for i := range 30 {
		lies += fmt.Sprintf("%d.py,,\n", i)
	}
	_, err := examine(t, wheelName, wheelWith(t,
		entry{name: "widget-1.0.dist-info/RECORD", body: lies},
		entry{name: "widget-1.0.dist-info/WHEEL", body: "Tag: py2-none-any\n"},
		entry{name: "widget-1.0.dist-info/METADATA", body: strings.Replace(metadata, "1.0", "1.1", 1)}))
	for _, want := range []string{
		string(rule.RecordForm), "25 more like these", string(rule.RecordComplete), string(rule.WheelFile),
		string(rule.WheelTags), string(rule.MetadataMatch),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func TestLinksStayInTheSdist(t *testing.T) {
	link := func(name, to string) entry {
		return entry{name: "widget-1.0/" + name, tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: to}}
	}
	hard := func(name, to string) entry {
		return entry{name: "widget-1.0/" + name, tar: tar.Header{Typeflag: tar.TypeLink, Linkname: to}}
	}
	for name, c := range map[string]struct {
		members []entry
		want    rule.ID
	}{
		"to a file":               {[]entry{link("a", "PKG-INFO")}, ""},
		"to nothing":              {[]entry{link("a", "b")}, ""},
		"to the top":              {[]entry{link("a", ".")}, ""},
		"up and down":             {[]entry{link("a/b/c", "../../d/e")}, ""},
		"up to the top":           {[]entry{link("a/b", "..")}, ""},
		"to a file before it":     {[]entry{hard("a", "widget-1.0/PKG-INFO")}, ""},
		"absolute":                {[]entry{link("a", "/etc/passwd")}, rule.ArchiveLink},
		"out":                     {[]entry{link("a", "../x")}, rule.ArchiveLink},
		"out by two":              {[]entry{link("a/b", "../../x")}, rule.ArchiveLink},
		"far out":                 {[]entry{link("a", "../../../../etc/passwd")}, rule.ArchiveLink},
		"to the folder around it": {[]entry{link("a", "..")}, rule.ArchiveLink},
		"up after a name":         {[]entry{link("a", "."), link("b", "a/../x")}, rule.ArchiveLink},
		"to Windows":              {[]entry{link("a", `C:\x`)}, rule.ArchiveLink},
		"to a terminal":           {[]entry{link("a", "\x1b[2J")}, rule.ArchiveLink},
		"to an empty name":        {[]entry{link("a", "")}, rule.ArchiveLink},
		"a member behind":         {[]entry{link("a", "b"), {name: "widget-1.0/a/c"}}, rule.ArchiveLink},
		"a link for a folder":     {[]entry{{name: "widget-1.0/a/c"}, link("a", "b")}, rule.ArchiveLink},
		"to a file after it":      {[]entry{hard("a", "widget-1.0/b"), {name: "widget-1.0/b"}}, rule.ArchiveLink},
		"hard to another top":     {[]entry{hard("a", "gadget-1.0/b")}, rule.ArchiveLink},
		"hard and up":             {[]entry{hard("a", "../PKG-INFO")}, rule.ArchiveLink},
	} {
		contents, err := examine(t, sdistName, sdistWith(t, c.members...))
		if refused(t, err) != c.want {
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
		if c.want == "" && !finds(contents, rule.MemberLink, rule.Look) {
			t.Errorf("%s: want a look, got %+v", name, contents.Findings)
		}
	}
}

func finds(c dist.Contents, id rule.ID, severity rule.Severity) bool {
	return slices.ContainsFunc(c.Findings, func(f rule.Finding) bool {
		return f.Rule == id && f.Severity == severity && f.File != "" && f.What != ""
	})
}

func TestWhatPeopleShouldKnow(t *testing.T) {
	utf8 := zip.FileHeader{Flags: 1 << 11}
	for _, c := range []struct {
		member   entry
		rule     rule.ID // none of a member that is nothing special
		severity rule.Severity
	}{
		{entry{name: "evil.pth", body: "import evil\n"}, rule.StartupCode, rule.Look},
		{entry{name: "Evil.PTH", body: "import evil\n"}, rule.StartupCode, rule.Look},
		{entry{name: "widget.start"}, rule.StartupCode, rule.Look},
		{entry{name: "sitecustomize.py"}, rule.StartupCode, rule.Look},
		{entry{name: "usercustomize/__init__.py"}, rule.StartupCode, rule.Look},
		{entry{name: "sitecustomize.cpython-313-x86_64-linux-gnu.so"}, rule.StartupCode, rule.Look},
		{entry{name: "widget-1.0.data/purelib/evil.pth"}, rule.StartupCode, rule.Look},
		{entry{name: "widget-1.0.data/data/lib/python3.13/site-packages/evil.pth"}, rule.StartupCode, rule.Look},
		{entry{name: "widget/data.pth"}, "", ""},
		{entry{name: "widget/sitecustomize.py"}, "", ""},
		{entry{name: "gadget-1.0.data/purelib/evil.pth"}, "", ""}, // a folder like any other

		{entry{name: "widget-1.0.data/scripts/widget"}, rule.ScriptFile, rule.Remark},
		{entry{name: "widget-1.0.data/data/share/man/widget.1"}, rule.OutsideFile, rule.Remark},
		{entry{name: "widget-1.0.data/data/bin/sudo"}, rule.OutsideCode, rule.Look},
		{entry{name: "widget-1.0.data/else/widget.py"}, rule.OutsideCode, rule.Look},
		{entry{name: "widget-1.0.data/widget.py"}, rule.OutsideCode, rule.Look},
		{entry{name: "widget-1.0.data/headers/widget.h"}, "", ""},

		{entry{name: "widget/a.pyc"}, rule.Bytecode, rule.Look},
		{entry{name: "widget/__pycache__/a.cpython-313.pyc"}, rule.Bytecode, rule.Look},
		{entry{name: "__pycache__/widget.cpython-313.pyc"}, rule.Bytecode, rule.Remark},
		{entry{name: "widget/.pypirc"}, rule.PrivateFile, rule.Look},
		{entry{name: "widget/.git/config"}, rule.PrivateFile, rule.Look},
		{entry{name: "widget/.gitignore"}, "", ""},
		{entry{name: "Widget.py"}, rule.MemberCase, rule.Look},
		{entry{name: "wid\u200bget.py", header: utf8}, rule.MemberName, rule.Look},
		{entry{name: "widget/aux.py"}, rule.MemberName, rule.Look},
		{entry{name: "widget/a ."}, rule.MemberName, rule.Look},
		{entry{name: "widget/a:b.py"}, rule.MemberName, rule.Look},
		{entry{name: "widgét/שלום.py", header: utf8}, "", ""},
		{entry{name: "run", header: ofMode(0o755 | fs.ModeSetuid)}, rule.MemberMode, rule.Look},
		{entry{name: "run", header: ofMode(0o755)}, "", ""},
	} {
		got, err := examine(t, wheelName, wheelWith(t, c.member))
		if err != nil {
			t.Errorf("%q: %v", c.member.name, err)
		}
		if c.rule == "" && len(got.Findings) > 0 || c.rule != "" && !finds(got, c.rule, c.severity) {
			t.Errorf("%q: want %s %s, got %+v", c.member.name, c.severity, c.rule, got.Findings)
		}
		if listed := slices.Contains(got.Startup, c.member.name); listed != (c.rule == rule.StartupCode) {
			t.Errorf("%q: the start-up code is %q", c.member.name, got.Startup)
		}
	}
	for name, c := range map[string]struct {
		sdist    []byte
		rule     rule.ID
		severity rule.Severity
	}{
		"setup.py":   {sdistWith(t, entry{name: "widget-1.0/setup.py"}), rule.InstallCode, rule.Remark},
		"no licence": {gzipped(t, makeTar(t, sdistEntries()...)), rule.NoLicense, rule.Remark},
		"megabytes":  {sdistOfMetadata(t, metadata+strings.Repeat("x", 2<<20)), rule.LongText, rule.Look},
	} {
		if got, err := examine(t, sdistName, c.sdist); err != nil || !finds(got, c.rule, c.severity) {
			t.Errorf("%s: got %+v, %v", name, got.Findings, err)
		}
	}
}

func sdistOfMetadata(t testing.TB, text string) []byte {
	entries := sdistEntries()
	entries[0].body = text
	return gzipped(t, makeTar(t, entries...))
}

func TestFindingsAreBoundedAndLooksComeFirst(t *testing.T) {
	var many []entry
	for i := range 50 {
		many = append(many, entry{name: fmt.Sprintf("widget-1.0.data/scripts/%d", i)})
	}
	got, err := examine(t, wheelName, wheelWith(t, append(many, entry{name: "evil.pth"})...))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Findings); n != 22 || got.Findings[0].Rule != rule.StartupCode ||
		got.Findings[21].What != "30 more like these" {
		t.Errorf("got %d findings: %+v", n, got.Findings)
	}
}

func TestEntryPointsAreListed(t *testing.T) {
	got, err := examine(t, wheelName, wheelWith(t, entry{name: "widget-1.0.dist-info/entry_points.txt",
		body: "# commands\n[console_scripts]\nwidget = widget:main\n[widget.plugins]\n  x=a.b:c [extra]\ny = \n"}))
	if refused(t, err) != rule.EntryPoints {
		t.Fatal(err)
	}
	got, err = examine(t, wheelName, wheelWith(t, entry{name: "widget-1.0.dist-info/entry_points.txt",
		body: "# commands\n[console_scripts]\nwidget = widget:main\n\n[widget.plugins]\n  x=a.b:c [extra]\n"}))
	want := []dist.EntryPoint{{Group: "console_scripts", Name: "widget", Object: "widget:main"},
		{Group: "widget.plugins", Name: "x", Object: "a.b:c [extra]"}}
	if diff := cmp.Diff(want, got.EntryPoints); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What real distributions give, judged one by one. Those that are refused were
// made by hand for other tests.
func TestRealContents(t *testing.T) {
	const (
		renamed  = "renamed, or emptied of its files, for a test"
		handmade = "written by hand without digests, which the specification demands"
		invalid  = "requires ==2010i, which no version is and PyPI refuses"
		ancient  = "of a wheel format before 1.0, which installers refuse"
	)
	refusals := exceptions{
		"dummy_backend-0.1-py2.py3-none-any.whl": renamed, "maturin-1.4.0-py3-none-any.whl": renamed,
		"maturin-2.0.0-py3-none-linux_x86_64.whl": renamed, "wheel_tag_test-0.1.0-py3-none-win_amd64.whl": renamed,
		"tqdm-4.66.1-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl": renamed,
		"cpython_package-1.0.0-cp314-cp314-manylinux_2_17_x86_64.whl":                              handmade,
		"multi_abi_package-1.0.0-cp314-cp314t.abi3-manylinux_2_17_x86_64.whl":                      handmade,
		"validation-1.0.0-py3-none-any.whl":                                                        handmade,
		"validation-2.0.0-py3-none-any.whl":                                                        handmade,
		"require_invalid_version-1.0-py3-none-any.whl":                                             invalid, "require_invalid_version-1.0.tar.gz": invalid,
		"license.dist-0.1-py2.py3-none-any.whl":    ancient,
		"license.dist-0.2-py2.py3-none-any.whl":    ancient,
		"requires_source-1.0-py2.py3-none-any.whl": ancient,
	}
	looks := exceptions{
		"simple_namespace-1.0-py2.py3-none-any.whl startup-code simple_namespace-1.0-py3.7-nspkg.pth": "right: setuptools wrote a .pth that imports, for a namespace package",
	}
	used, seen := exceptions{}, exceptions{}
	for _, path := range realDistributions(t) {
		name, b := filepath.Base(path), read(t, path)
		if _, err := inspect(t, name, b); err != nil {
			continue // TestRealDistributions
		}
		got, err := examine(t, name, b)
		if used[name] = "used"; (refused(t, err) != "") != (refusals[name] != "") {
			t.Errorf("%s: got %v", path, err)
		}
		for _, f := range got.Findings {
			key := strings.Join([]string{name, string(f.Rule), f.Where}, " ")
			if seen[key] = "used"; f.Severity == rule.Look && looks[key] == "" {
				t.Errorf("want a judgement of %s: %s", key, f.What)
			}
		}
	}
	refusals.stale(t, used)
	looks.stale(t, seen)
}
