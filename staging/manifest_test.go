package staging

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func example() Manifest {
	bundle, root := dist.Sum([]byte("bundle")), dist.Sum([]byte("root"))
	lock := Policy{Files: []PolicyFile{{"distgate.toml", []byte("x")}}}.lock()
	return Manifest{
		Project: "widget", Version: "1.0", Index: "https://upload.pypi.org/legacy/?a=1&b=2", Environment: "pypi",
		Source: Source{"https://github.com/acme/widget", "1", "0123", "refs/tags/v1.0", nil},
		Hosted: attest.Certificate,
		Files: []File{{"widget-1.0.tar.gz", dist.Sdist, dist.Sum([]byte("sdist")), 5, dist.Sum([]byte("metadata")),
			[]attest.Evidence{{Bundle: bundle, Root: root, PredicateType: attest.ProvenanceV1, Hosted: attest.Certificate, SignedAt: 1}}}},
		Policy: lock, Roots: []dist.Digest{root},
	}
}

func TestTheOneEncoding(t *testing.T) {
	raw, err := example().Encode()
	check(t, err)
	const begin = `{
  "project": "widget",
  "version": "1.0",
  "index": "https://upload.pypi.org/legacy/?a=1&b=2",
  "environment": "pypi",
  "source": {
    "repository": "https://github.com/acme/widget",
    "repositoryId": "1",
    "commit": "0123",
    "ref": "refs/tags/v1.0",
    "upstream": null
  },
  "hosted": "certificate",
  "files": [
    {
      "name": "widget-1.0.tar.gz",
      "kind": "sdist",
      "digest": "sha256:`
	if !strings.HasPrefix(string(raw), begin) || !strings.HasSuffix(string(raw), "\n  ]\n}\n") {
		t.Errorf("got\n%s", raw)
	}
	m, err := Decode("manifest", raw)
	check(t, err)
	want := example()
	want.LeftOut, want.Origin = []LeaveOut{}, Origin{Artifacts: []Artifact{}, Replaced: []Replacement{}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherEncodingIsRefused(t *testing.T) {
	raw, err := example().Encode()
	check(t, err)
	swap := func(old, new string) []byte {
		if !bytes.Contains(raw, []byte(old)) {
			t.Fatalf("there is no %s to swap", old)
		}
		return bytes.Replace(raw, []byte(old), []byte(new), 1)
	}
	for what, raw := range map[string][]byte{
		"nothing":               nil,
		"null":                  []byte("null"),
		"a list":                []byte("[]"),
		"no newline":            bytes.TrimSpace(raw),
		"another newline":       append(bytes.Clone(raw), '\n'),
		"two manifests":         append(bytes.Clone(raw), raw...),
		"other blanks":          swap(`"version": "1.0"`, `"version":"1.0"`),
		"an escape":             swap("a=1&b=2", `a=1\u0026b=2`),
		"another order":         swap("\"project\": \"widget\",\n  \"version\": \"1.0\"", "\"version\": \"1.0\",\n  \"project\": \"widget\""),
		"a field twice":         swap(`"project": "widget"`, `"project": "gadget", "project": "widget"`),
		"a field in disguise":   swap(`"project"`, `"Project"`),
		"a field too many":      swap(`"project"`, `"x": 1, "project"`),
		"a field less":          swap("  \"version\": \"1.0\",\n", ""),
		"null for a list":       swap(`"leftOut": []`, `"leftOut": null`),
		"a number as a float":   swap(`"size": 5`, `"size": 5.0`),
		"a number as text":      swap(`"size": 5`, `"size": "5"`),
		"no bytes":              swap(`"size": 5`, `"size": 0`),
		"fewer than no bytes":   swap(`"size": 5`, `"size": -5`),
		"a digest in capitals":  swap("sha256:", "SHA256:"),
		"broken UTF-8":          swap("acme/widget", "acme/\xff"),
		"another policy digest": swap(example().Policy.Digest.Hex(), dist.Sum(nil).Hex()),
		"another kind":          swap(`"kind": "sdist"`, `"kind": "egg"`),
		"another hosted":        swap(`"hosted": "certificate"`, `"hosted": "yes"`),
		"a byte order mark":     append([]byte("\xef\xbb\xbf"), raw...),
		"far too much":          make([]byte, maxManifest+1),
		"far too deep":          bytes.Repeat([]byte("["), maxManifest),
	} {
		t.Run(what, func(t *testing.T) {
			_, err := Decode("release.json", raw)
			refusedBy(t, err, "release.json", rule.ManifestEncoding)
		})
	}
}

func TestWhatIsNoManifestIsNotEncoded(t *testing.T) {
	for what, change := range map[string]func(*Manifest){
		"no version":        func(m *Manifest) { m.Version = "" },
		"no environment":    func(m *Manifest) { m.Environment = "" },
		"no commit":         func(m *Manifest) { m.Source.Commit = "" },
		"no files":          func(m *Manifest) { m.Files = nil },
		"too much text":     func(m *Manifest) { m.Source.Ref = strings.Repeat("x", maxManifest) },
		"too many files":    func(m *Manifest) { m.Files = make([]File, maxFiles+1) },
		"a file twice":      func(m *Manifest) { m.Files = append(m.Files, m.Files[0]) },
		"no evidence":       func(m *Manifest) { m.Files[0].Evidence = nil },
		"evidence twice":    func(m *Manifest) { m.Files[0].Evidence = append(m.Files[0].Evidence, m.Files[0].Evidence[0]) },
		"no digest":         func(m *Manifest) { m.Files[0].Digest = dist.Digest{} },
		"a file too large":  func(m *Manifest) { m.Files[0].Size = dist.MaxSize + 1 },
		"no policy":         func(m *Manifest) { m.Policy = PolicyLock{} },
		"no roots":          func(m *Manifest) { m.Roots = nil },
		"half an upstream":  func(m *Manifest) { m.Source.Upstream = &Upstream{Repository: "acme/widget", Inputs: []string{}} },
		"text that is none": func(m *Manifest) { m.Source.Ref = "refs/tags/\xff" },
	} {
		t.Run(what, func(t *testing.T) {
			m := example()
			change(&m)
			if raw, err := m.Encode(); err == nil {
				t.Errorf("got\n%s", raw)
			}
		})
	}
}

// Whatever is read is what would be written.
func FuzzDecodeManifest(f *testing.F) {
	raw, err := example().Encode()
	check(f, err)
	f.Add(raw)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode("manifest", raw)
		if err != nil {
			refusedBy(t, err, "manifest", rule.ManifestEncoding)
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%v: read and written again:\n%s", err, again)
		}
	})
}

func FuzzDecodeIndex(f *testing.F) {
	entry := point(typeImage, []byte("x"), "")
	entry.Annotations = annotations{Tag: entry.Digest.Hex()}
	for _, x := range []index{newIndex(), newIndex().with(entry)} {
		raw, err := x.encode()
		check(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := strict(indexFile, rule.StoreIndex, raw, maxIndex, index.encode)
		if err != nil {
			refusedBy(t, err, indexFile, rule.StoreIndex)
			return
		}
		for _, entry := range x.Manifests {
			if got, ok := x.find(entry.tag()); !ok || got != entry {
				t.Errorf("%s is listed and not found", entry.tag())
			}
		}
	})
}

func FuzzDecodeImage(f *testing.F) {
	r := vote("alice")
	for _, img := range []image{r.image(point(typeImage, []byte("x"), "")), newImage(typeRelease, descriptor{}, descriptor{})} {
		raw, err := img.encode()
		check(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := strict("artifact", rule.ManifestEncoding, raw, maxImage, image.encode)
		if err != nil {
			refusedBy(t, err, "artifact", rule.ManifestEncoding)
			return
		}
		if again, err := img.encode(); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%v: read and written again:\n%s", err, again)
		}
	})
}
