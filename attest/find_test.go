package attest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// hash takes a file without opening it as a distribution.
func hash(_ context.Context, path string) (dist.File, dist.Info, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	f, err := dist.Copy(new(bytes.Buffer), bytes.NewReader(raw), filepath.Base(path), dist.MaxSize)
	return f, dist.Info{}, err
}

func TestBundlesAreFoundBesideFiles(t *testing.T) {
	w := newWorld(t)
	sdist := "widget-1.0.tar.gz"
	a, b := file(t, wheel, "a"), file(t, sdist, "b")
	forA, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(a)...))
	check(t, err)
	forB, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(b)...))
	check(t, err)
	forOther, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(file(t, wheel, "c"))...))
	check(t, err)
	attestationA, err := parse(t, forA)[0].PEP740()
	check(t, err)
	lines := append(append(forA, '\n'), forB...)

	for name, c := range map[string]struct {
		files   map[string][]byte
		paths   []string
		bundles []string
		want    []rule.ID
		others  []string
	}{
		"beside each":        {map[string][]byte{wheel + ".sigstore.json": forA, sdist + ".sigstore.json": forB}, []string{"."}, nil, nil, nil},
		"attestations":       {map[string][]byte{wheel + ".slsa.attestation": attestationA, sdist + ".sigstore": forB}, []string{"."}, nil, nil, nil},
		"JSON lines":         {map[string][]byte{"all.jsonl": lines}, []string{"."}, nil, nil, nil},
		"files named":        {map[string][]byte{"all.jsonl": lines}, []string{wheel, sdist}, nil, nil, nil},
		"a glob of all":      {map[string][]byte{"all.jsonl": lines}, []string{wheel, sdist, "all.jsonl"}, nil, nil, nil},
		"named bundle":       {map[string][]byte{"../evidence": lines}, []string{"."}, []string{"../evidence"}, nil, nil},
		"none for one":       {map[string][]byte{"a.jsonl": forA}, []string{"."}, nil, []rule.ID{rule.BundleMissing}, nil},
		"beside, of another": {map[string][]byte{wheel + ".sigstore.json": forOther, sdist + ".sigstore.json": forB}, []string{"."}, nil, []rule.ID{rule.SubjectDigest}, nil},
		"named, of another":  {map[string][]byte{"../a": forA}, []string{sdist}, []string{"../a"}, []rule.ID{rule.SubjectMissing}, nil},
		"a broken bundle":    {map[string][]byte{"all.jsonl": lines, "broken.sigstore.json": []byte("{")}, []string{"."}, nil, []rule.ID{rule.BundleMalformed}, nil},
		"a stray broken one": {map[string][]byte{"all.jsonl": lines, "broken.jsonl": []byte("{")}, []string{wheel, sdist}, nil, nil, []string{"broken.jsonl"}},
		"broken and named":   {map[string][]byte{"all.jsonl": lines, "broken.jsonl": []byte("{")}, []string{wheel, sdist, "broken.jsonl"}, nil, []rule.ID{rule.BundleMalformed}, nil},
		"broken and beside":  {map[string][]byte{"all.jsonl": lines, wheel + ".sigstore": []byte("{")}, []string{wheel, sdist}, nil, []rule.ID{rule.BundleMalformed}, nil},
		"an empty bundle":    {map[string][]byte{"all.jsonl": lines, wheel + ".provenance": nil}, []string{"."}, nil, []rule.ID{rule.BundleMalformed}, nil},
		"others are listed":  {map[string][]byte{"all.jsonl": lines, "README.md": nil}, []string{"."}, nil, nil, []string{"README.md"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			check(t, os.Mkdir("dist", 0o700))
			t.Chdir("dist")
			check(t, os.WriteFile(wheel, []byte("a"), 0o600))
			check(t, os.WriteFile(sdist, []byte("b"), 0o600))
			for name, raw := range c.files {
				check(t, os.WriteFile(name, raw, 0o600))
			}
			found, err := attest.Find(c.paths, c.bundles)
			check(t, err)
			candidates, err := found.Collect(context.Background(), hash)
			check(t, err)
			verdict := w.verify(t, candidates...)
			if diff := cmp.Diff(c.want, rules(verdict.Refused())); diff != "" {
				t.Errorf("%s\n%v", diff, verdict.Refused())
			}
			if diff := cmp.Diff(c.others, found.Others); diff != "" {
				t.Error(diff)
			}
		})
	}
}
