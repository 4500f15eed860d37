package dist

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machineCode are the programs and libraries that Go's own parsers are tested
// with, by name.
func machineCode(t testing.TB) map[string][]byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, pattern := range []string{"elf/testdata/gcc-*", "elf/testdata/*.so_", "macho/testdata/*", "pe/testdata/*-exec"} {
		paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", "debug", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: found %d: %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if name, ok := strings.CutSuffix(path, ".base64"); ok {
				if b, err = base64.StdEncoding.DecodeString(string(b)); err != nil {
					t.Fatal(err)
				}
				path = name
			}
			found[filepath.Base(path)] = b
		}
	}
	return found
}

// What we read of machine code is what Go's parsers read of it.
func TestRealLibraries(t *testing.T) {
	count := map[string]int{}
	for name, b := range machineCode(t) {
		format := libraryFormat(b)
		if format == "" || name == "gcc-amd64-darwin-exec-with-bad-dysym" {
			continue // a source, or one that Go refuses for what we do not read
		}
		l, err := readLibrary(name, int64(len(b)), format, bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		needs, paths := peer(t, name, format, b)
		if !slices.Equal(sortedOf(l.Needs), sortedOf(needs)) || !slices.Equal(l.RunPath, paths) || len(l.Machines) == 0 {
			t.Errorf("%s: want %q, %q, got %+v", name, needs, paths, l)
		}
		count[format]++
	}
	if count[formatELF] < 3 || count[formatMachO] < 8 || count[formatPE] < 3 {
		t.Errorf("compared %v", count)
	}
}

func sortedOf(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// peer is what Go's own parsers say.
func peer(t *testing.T, name, format string, b []byte) (needs, paths []string) {
	t.Helper()
	r := bytes.NewReader(b)
	var err error
	switch format {
	case formatELF:
		var f *elf.File
		if f, err = elf.NewFile(r); err == nil {
			needs, _ = f.ImportedLibraries()
		}
	case formatPE:
		var f *pe.File
		if f, err = pe.NewFile(r); err == nil {
			var symbols []string
			symbols, err = f.ImportedSymbols()
			for _, s := range symbols {
				_, library, _ := strings.Cut(s, ":")
				needs = append(needs, library)
			}
		}
	case formatMachO:
		parts := []*macho.File{}
		if fat, fatErr := macho.NewFatFile(r); fatErr == nil {
			for _, a := range fat.Arches {
				parts = append(parts, a.File)
			}
		} else if f, plainErr := macho.NewFile(r); plainErr == nil {
			parts = append(parts, f)
		} else {
			err = plainErr
		}
		for _, f := range parts {
			libraries, _ := f.ImportedLibraries()
			needs = append(needs, libraries...)
			for _, l := range f.Loads {
				if p, ok := l.(*macho.Rpath); ok {
					paths = append(paths, p.Path)
				}
			}
		}
	}
	if err != nil {
		t.Fatalf("%s: Go's own parser: %v", name, err)
	}
	return needs, paths
}

// Whatever the bytes are, reading them ends, and soon.
func FuzzLibrary(f *testing.F) {
	for _, b := range machineCode(f) {
		if len(b) < 64<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		format := libraryFormat(b)
		l, err := readLibrary("x", int64(len(b)), format, bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(l.Needs) > maxNeeds || len(l.RunPath) > 2*maxNeeds*maxText || format != "" && l.Format != format {
			t.Fatalf("%+v", l)
		}
	})
}

func TestPlatformsAreReadFromTags(t *testing.T) {
	for tag, want := range map[string]platform{
		"any":                     {system: anySystem},
		"win32":                   {windows, []string{"i686"}, release{}},
		"win_amd64":               {windows, []string{"x86_64"}, release{}},
		"win_arm64":               {windows, []string{"aarch64"}, release{}},
		"manylinux1_i686":         {glibc, []string{"i686"}, release{2, 5}},
		"manylinux2014_ppc64le":   {glibc, []string{"ppc64le"}, release{2, 17}},
		"manylinux_2_28_x86_64":   {glibc, []string{"x86_64"}, release{2, 28}},
		"musllinux_1_2_aarch64":   {musl, []string{"aarch64"}, release{1, 2}},
		"linux_armv7l":            {linux, []string{"armv7l"}, release{}},
		"macosx_11_0_arm64":       {macOS, []string{"aarch64"}, release{11, 0}},
		"macosx_10_9_universal2":  {macOS, []string{"x86_64", "aarch64"}, release{10, 9}},
		"ios_13_0_arm64_iphoneos": {system: other},
		"fakeplat":                {system: other},
	} {
		got := readPlatform(tag)
		if got.system != want.system || got.oldest != want.oldest || !slices.Equal(got.machines, want.machines) {
			t.Errorf("%s: want %+v, got %+v", tag, want, got)
		}
	}
}
