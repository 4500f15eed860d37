package dist_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// withVectors tells whether real data are there to begin with.
func withVectors() bool { return os.Getenv("DISTGATE_VECTORS") != "" }

func FuzzParseFilename(f *testing.F) {
	for _, name := range []string{
		wheelName, sdistName, "a-1!2.0+x_1-2b-py2.py3-none-any.whl", "a-b-1.0.tar.gz", "a-1.0.zip", "\u202e.whl", "",
	} {
		f.Add(name)
	}
	if withVectors() {
		var cases []struct{ Filename string }
		decode(f, &cases, "python-dists", "filenames.json")
		for _, c := range cases {
			f.Add(c.Filename)
		}
		lines := bufio.NewScanner(bytes.NewReader(read(f, vectors(f, "python-dists", "real_filenames.jsonl"))))
		for n := 0; lines.Scan(); n++ {
			var real struct{ Filename string }
			if err := json.Unmarshal(lines.Bytes(), &real); err != nil {
				f.Fatal(err)
			}
			if n%50 == 0 {
				f.Add(real.Filename)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		parsed, err := dist.ParseFilename(name)
		if refused(t, err) != "" {
			return
		}
		if len(name) > 255 || strings.ContainsAny(name, "/\\\x00\n\x1b") || !dist.IsDistribution(name) {
			t.Fatalf("%q is a name", name)
		}
		if (len(parsed.Tags()) > 0) != (parsed.Kind == dist.Wheel) {
			t.Fatalf("%q has the tags %v", name, parsed.Tags())
		}
		if again, err := dist.ParseVersion(parsed.Version.String()); err != nil || again != parsed.Version {
			t.Fatalf("%q: the version %s is read as %s: %v", name, parsed.Version, again, err)
		}
		if again, err := dist.NormalizeName(parsed.Project); err != nil || again != parsed.Project {
			t.Fatalf("%q: the project %s is read as %s: %v", name, parsed.Project, again, err)
		}
		// A normalised version can be longer than it was written, and a name then too long.
		again, err := dist.ParseFilename(parsed.IndexName())
		if refused(t, err) != "" {
			return
		}
		if again.Project != parsed.Project || !again.Version.Equal(parsed.Version) || again.IndexName() != again.String() {
			t.Fatalf("%q is %s on the index, which is another", name, parsed.IndexName())
		}
	})
}

func FuzzReadMetadata(f *testing.F) {
	f.Add([]byte(metadata))
	f.Add([]byte("Metadata-Version: 1.1\nName: a\nVersion: 1\nDescription: x\n        y\n"))
	f.Add([]byte("Metadata-Version: 2.5\r\nName: a\r\nVersion: 1\r\nDynamic: Author\r\n\r\nbody\r\n"))
	if withVectors() {
		f.Add(read(f, vectors(f, "python-dists", "metadata", "everything.metadata")))
		for _, path := range realDistributions(f) {
			archive, err := zip.OpenReader(path)
			if err != nil {
				continue // an sdist, or not even that
			}
			for _, member := range archive.File {
				if !strings.HasSuffix(member.Name, ".dist-info/METADATA") {
					continue
				}
				r, err := member.Open()
				if err != nil {
					f.Fatal(err)
				}
				text, err := io.ReadAll(r)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(text)
			}
			archive.Close()
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := dist.ReadMetadata("METADATA", bytes.NewReader(text))
		if refused(t, err) != "" {
			return
		}
		if _, err := dist.NormalizeName(m.Name()); err != nil || m.Version().IsZero() || m.MetadataVersion() == "" {
			t.Fatalf("%q has no name or version: %v", text, err)
		}
		seen := map[string]bool{}
		for _, field := range m.Fields() {
			if key := strings.ToLower(field.Name); seen[key] || len(field.Values) == 0 {
				t.Fatalf("%q: the field %s is there twice or not at all", text, field.Name)
			} else {
				seen[key] = true
			}
			for _, value := range field.Values {
				if strings.ContainsAny(value, "\x00\r\x1b") && field.Name != "Description" {
					t.Fatalf("%q: control characters in %s", text, field.Name)
				}
			}
		}
	})
}

// What metadata say is judged as the index would, or refused before that.
func FuzzMetadataForTheIndex(f *testing.F) {
	for _, fields := range []string{
		"Requires-Dist: a[b]>=1; os_name == 'nt'", "License-Expression: MIT OR (X WITH Y)", "Classifier: A",
		"Import-Name: a.b; private", "\n\n.. raw:: html\n\nTitle\n----\n\n:a:`b`",
	} {
		f.Add(fields)
	}
	f.Fuzz(func(t *testing.T, fields string) {
		_, err := examine(t, sdistName, sdistOfMetadata(t, "Metadata-Version: 2.5\nName: widget\nVersion: 1.0\n"+fields+"\n"))
		refused(t, err)
	})
}

func FuzzInspect(f *testing.F) {
	f.Add(wheelName, makeZip(f, wheelEntries()...))
	f.Add(wheelName, wheelWith(f, entry{name: "evil.pth"}, entry{name: "widget.so", body: program{needs: []string{"a"}}.bytes()}))
	f.Add(sdistName, gzipped(f, makeTar(f, sdistEntries()...)))
	f.Add(sdistName, makeTar(f, sdistEntries()...))
	f.Add(sdistName, makeTar(f, append(sdistEntries(), entry{name: "widget-1.0/" + strings.Repeat("é", 100)})...))
	if withVectors() {
		for _, path := range realDistributions(f) {
			if b := read(f, path); len(b) < 8<<10 {
				f.Add(path[strings.LastIndexByte(path, '/')+1:], b)
			}
		}
		var vector struct{ Cases []struct{ File string } }
		decode(f, &vector, "python-dists", "zip_cases.json")
		for _, c := range vector.Cases {
			f.Add(wheelName, read(f, vectors(f, "python-dists", c.File)))
		}
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		info, err := inspect(t, name, b)
		if refused(t, err) == "" {
			agree(t, info, b)
			return
		}
		// A tar file need not be gzipped by chance for its members to be judged.
		if strings.HasSuffix(name, ".tar.gz") && len(b) > 0 {
			packed := gzipped(t, b)
			info, err := inspect(t, name, packed)
			if refused(t, err) == "" {
				agree(t, info, packed)
			}
		}
	})
}

// agree demands that another reader finds the same metadata.
func agree(t *testing.T, info dist.Info, b []byte) {
	t.Helper()
	var text []byte
	if info.Filename.Kind == dist.Wheel {
		text = metadataOfZip(t, info, b)
	} else {
		text = metadataOfTar(t, info, b)
	}
	walked(t, info, b)
	m, err := dist.ReadMetadata("METADATA", bytes.NewReader(text))
	if err != nil || m.Digest() != info.Metadata.Digest() || m.Name() != info.Metadata.Name() {
		t.Fatalf("another reader finds other metadata: %+v, %v", m, err)
	}
}

func metadataOfZip(t *testing.T, info dist.Info, b []byte) []byte {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(info.Filename.String(), "-", 3)
	r, err := archive.Open(parts[0] + "-" + parts[1] + ".dist-info/METADATA")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// metadataOfTar demands that there is one PKG-INFO at the top, and that the tar
// file is whole to another reader.
func metadataOfTar(t *testing.T, info dist.Info, b []byte) (text []byte) {
	unzipped, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return text
		}
		if err != nil {
			t.Fatal(err)
		}
		if top, rest, _ := strings.Cut(h.Name, "/"); top == "" || rest != "PKG-INFO" {
			continue
		}
		if text != nil {
			t.Fatal("another reader finds two PKG-INFO")
		}
		if text, err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever lies in a wheel, looking at it ends in contents or in refusals.
func FuzzContents(f *testing.F) {
	const folder = "widget-1.0.dist-info/"
	for path, body := range map[string]string{
		folder + "RECORD":           "widget.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n",
		folder + "WHEEL":            wheelFile,
		folder + "entry_points.txt": "[console_scripts]\nwidget = widget:main\n",
		folder + "sboms/a.json":     `{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}]}`,
		folder + "sboms/a.spdx":     "SPDXVersion: SPDX-2.3\nPackageName: a\n",
		folder + "METADATA":         metadata + "Requires-Dist: a @ b\n",
		"widget.so":                 program{needs: []string{"libc.so.6"}, glibc: "GLIBC_2.17"}.bytes(),
		"evil.pth":                  "import evil\n",
	} {
		f.Add(path, []byte(body))
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		if len(path) > 1<<10 || len(body) > 1<<20 {
			return
		}
		contents, err := examine(t, wheelName, wheelWith(t, entry{name: path, body: string(body)}))
		if refused(t, err) == "" && contents.IsZero() {
			t.Fatal("neither contents nor a refusal")
		}
		for _, finding := range contents.Findings {
			if finding.Severity == rule.Refuse || finding.Rule.Story() == "" || finding.What == "" {
				t.Fatalf("%+v", finding)
			}
		}
	})
}
