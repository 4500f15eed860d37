package publish

import (
	"encoding/json"
	"testing"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// Whatever an index lists, only files that were approved are found there, and
// under no name another file.
func FuzzPage(f *testing.F) {
	const wheel, sdist = "widget-1.0-py3-none-any.whl", "widget-1.0.tar.gz"
	x, err := NewIndex(PyPI())
	if err != nil {
		f.Fatal(err)
	}
	approved := map[string]staging.File{}
	manifest := staging.Manifest{Project: "widget", Version: "1.0"}
	for _, name := range []string{wheel, sdist} {
		approved[name] = staging.File{Name: name, Digest: dist.Sum([]byte(name)), Size: 7}
		manifest.Files = append(manifest.Files, approved[name])
	}
	r, err := newRelease(manifest)
	if err != nil {
		f.Fatal(err)
	}
	good := `{"meta":{"api-version":"1.4"},"name":"widget","files":[{"filename":"` + wheel + `","url":"../a","size":7,` +
		`"hashes":{"sha256":"` + approved[wheel].Digest.Hex() + `"},"yanked":false}]}`
	for _, seed := range []string{good, good[:50], `{}`, `[]`, `{"files":[{}]}`,
		`{"files":[{"filename":"widget-1.0.zip","url":"%","hashes":{"sha256":""},"yanked":"\u001b[2J"}]}`,
		`{"files":[{"filename":"-widget--1.0","size":-1,"yanked":{}}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p page
		if json.Unmarshal(raw, &p) != nil {
			return
		}
		files, err := r.of(x, p)
		if err != nil {
			return
		}
		there, no := r.compare(files)
		if len(there)+len(no) < len(files) {
			t.Errorf("%d files: %d are there and %d are refused", len(files), len(there), len(no))
		}
		for name, s := range there {
			if s.digest != approved[name].Digest || s.url == nil || s.yanked != "" {
				t.Errorf("%s is found as %+v", name, s)
			}
		}
	})
}
