package dist_test

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
)

// A member is looked for in the source where its format puts it, with other line
// ends, and without being read twice.
func TestTraceSaysWhereToLook(t *testing.T) {
	long := strings.Repeat("a\r\n", 1<<19)
	wheel := makeZip(t, append(wheelEntries(),
		entry{name: "widget-1.0.data/purelib/widget/dos.py", body: "a\r\nb\r\n"},
		entry{name: "widget-1.0.data/scripts/run", body: "#!python\n"},
		entry{name: "widget/long.py", body: long},
		entry{name: "widget/core.so", body: "\x7fELF…"})...)
	sdist := gzipped(t, makeTar(t, append(sdistEntries(),
		entry{name: "widget-1.0/src/", tar: tar.Header{Typeflag: tar.TypeDir}},
		entry{name: "widget-1.0/src/version.py", body: "x = 1\n"},
		entry{name: "widget-1.0/src/core.exe", body: "MZ"},
		entry{name: "widget-1.0/src/link", tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "version.py"}})...))
	type found struct {
		Info, Native bool
		Unix         dist.BlobID
		Text         string
	}
	for _, c := range []struct {
		name string
		file []byte
		want map[string]found
	}{
		{wheelName, wheel, map[string]found{
			"widget.py": {}, "METADATA": {Info: true}, "WHEEL": {Info: true}, "RECORD": {Info: true},
			"widget/dos.py": {Unix: gitBlob("a\nb\n")}, "run": {}, "widget/long.py": {}, "widget/core.so": {Native: true},
		}},
		{sdistName, sdist, map[string]found{
			"PKG-INFO": {}, "pyproject.toml": {}, "src/version.py": {Text: "x = 1\n"}, "src/core.exe": {Native: true}, "src/link": {},
		}},
	} {
		f, err := dist.Copy(new(bytes.Buffer), bytes.NewReader(c.file), c.name, dist.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]found{}
		err = dist.Trace(bytes.NewReader(c.file), f, func(below string) bool { return below == "src/version.py" }, func(m dist.Traced) error {
			if m.Kind == dist.PlainFile && m.Blob.IsZero() {
				t.Errorf("%s: no blob", m.Path)
			}
			got[m.Below] = found{m.Info, m.Native, m.Unix, string(m.Text)}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.name, diff)
		}
	}
}

// What a walk refuses, a trace does.
func TestTraceReadsToTheEnd(t *testing.T) {
	raw := makeZip(t, wheelEntries()...)
	raw[40] ^= 1
	f, err := dist.Copy(new(bytes.Buffer), bytes.NewReader(raw), wheelName, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := dist.Trace(bytes.NewReader(raw), f, func(string) bool { return true }, func(dist.Traced) error { return nil }); err == nil {
		t.Error("a damaged wheel is traced")
	}
}
