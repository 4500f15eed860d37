package dist_test

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/dist"
)

// TestTwoBuilds has a second build in each row, and what is other in it.
func TestTwoBuilds(t *testing.T) {
	wheel := makeZip(t, wheelEntries()...)
	sdist := func(change func([]entry) []entry) []byte {
		return gzipped(t, makeTar(t, change(append(sdistEntries(),
			entry{name: "widget-1.0/link", tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "PKG-INFO"}}))...))
	}
	same := func(list []entry) []entry { return list }
	with := func(e entry) func([]entry) []entry {
		return func(list []entry) []entry {
			return append(slices.DeleteFunc(list, func(o entry) bool { return o.name == e.name }), e)
		}
	}
	for _, test := range []struct {
		what, name string
		one, two   []byte
		want       dist.Likeness
		paths      string
	}{
		{"the same", wheelName, wheel, wheel, dist.Identical, ""},
		{"another order", wheelName, wheel, makeZip(t, reversed(wheelEntries())...), dist.Normalised, ""},
		{"another file", wheelName, wheel, makeZip(t, with(entry{name: "widget.py", body: "print('evil')\n"})(wheelEntries())...),
			dist.Different, "widget.py"},
		{"RECORD and a file", wheelName, wheel, makeZip(t, with(entry{name: "widget-1.0.dist-info/RECORD", body: "x,,\n"})(
			with(entry{name: "zidget.py"})(wheelEntries()))...), dist.Different, "zidget.py widget-1.0.dist-info/RECORD"},
		{"the same sdist", sdistName, sdist(same), sdist(same), dist.Identical, ""},
		{"another order of an sdist", sdistName, sdist(same), sdist(reversed), dist.Normalised, ""},
		{"another time and owner", sdistName, sdist(same), sdist(with(entry{name: "widget-1.0/pyproject.toml", body: "[project]\n",
			tar: tar.Header{ModTime: time.Unix(7, 0), Uid: 1000, Uname: "alice"}})), dist.Normalised, ""},
		{"a folder more", sdistName, sdist(same), sdist(with(entry{name: "widget-1.0/src/", tar: tar.Header{Typeflag: tar.TypeDir}})),
			dist.Normalised, ""},
		{"another mode", sdistName, sdist(same), sdist(with(entry{name: "widget-1.0/pyproject.toml", body: "[project]\n",
			tar: tar.Header{Mode: 0o755}})), dist.Different, "widget-1.0/pyproject.toml"},
		{"another link", sdistName, sdist(same), sdist(with(entry{name: "widget-1.0/link",
			tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "pyproject.toml"}})), dist.Different, "widget-1.0/link"},
		{"a file in the place of a link", sdistName, sdist(same), sdist(with(entry{name: "widget-1.0/link", body: "x"})),
			dist.Different, "widget-1.0/link"},
	} {
		t.Run(test.what, func(t *testing.T) {
			got, list, err := dist.Compare(bytes.NewReader(test.one), copied(t, test.name, test.one),
				bytes.NewReader(test.two), copied(t, test.name, test.two))
			var paths []string
			for _, m := range list {
				paths = append(paths, m.Path)
				if m.One == m.Two {
					t.Errorf("%s differs and reads the same: %s", m.Path, m.One)
				}
			}
			if err != nil || got != test.want || strings.Join(paths, " ") != test.paths {
				t.Errorf("got %s, %v, %v", got, paths, err)
			}
		})
	}
}

func reversed(list []entry) []entry {
	slices.Reverse(list)
	return list
}

func copied(t testing.TB, name string, b []byte) dist.File {
	t.Helper()
	f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A second build that is none is refused, and not compared.
func TestASecondBuildThatIsNone(t *testing.T) {
	wheel := makeZip(t, wheelEntries()...)
	_, _, err := dist.Compare(bytes.NewReader(wheel), copied(t, wheelName, wheel),
		bytes.NewReader(wheel[:90]), copied(t, wheelName, wheel[:90]))
	if refused(t, err) == "" {
		t.Error("it is compared")
	}
}
