package publish

import (
	"bytes"
	"testing"
)

// Whatever an index lists, only files that were approved are found there, and
// under no name another file.
func FuzzPage(f *testing.F) {
	const wheel, sdist = "widget-1.0-py3-none-any.whl", "widget-1.0.tar.gz"
	r := widget(f, "1.0", wheel, sdist)
	good := `{"meta":{"api-version":"1.4"},"name":"widget","files":[{"filename":"` + wheel + `","url":"../` + wheel + `","size":7,` +
		`"hashes":{"sha256":"` + r.files[0].digest.Hex() + `"},"yanked":false,"requires-python":"<4,>=3.9",` +
		`"core-metadata":{"sha256":"` + r.files[0].metadata.Hex() + `"}}]}`
	if p, err := r.parse(bytes.NewReader([]byte(good))); err != nil || len(p.files) != 1 {
		f.Fatalf("%+v, %v", p, err)
	}
	for _, seed := range []string{good, good[:50], `{}`, `[]`, `{"files":[{}]}`,
		`{"files":[{"filename":"widget-1.0.zip","url":"%","hashes":{"sha256":""},"yanked":"\u001b[2J"}]}`,
		`{"files":[{"filename":"-widget--1.0","size":-1,"yanked":{}}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := r.parse(bytes.NewReader(raw))
		if err != nil {
			return
		}
		there, no := r.compare(p.files)
		if len(there)+len(no) < len(p.files) {
			t.Errorf("%d files: %d are there and %d are refused", len(p.files), len(there), len(no))
		}
		for _, f := range r.files {
			s, ok := there[f.name]
			delete(there, f.name)
			if ok && (s.digest != f.digest || s.url == nil || s.yanked != "" || s.size != nil && *s.size != f.size) {
				t.Errorf("%s is found as %+v", f.name, s)
			}
		}
		if len(there) > 0 {
			t.Errorf("nobody approved %v", there)
		}
	})
}
