package staging

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
)

// A real sdist from PyPI, with the provenance that its build attested and the
// publish attestation that the index serves, under the public-good root.
func TestARealRelease(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	const name = "pypi_attestations-0.0.19.tar.gz"
	assets := filepath.Join(dir, "pypi-attestations", "assets")
	open := func(path string) *os.File {
		f, err := os.Open(path)
		check(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	root, err := attest.LoadRoot("public-good", open(filepath.Join(dir, "roots", "public-good.trusted_root.json")))
	check(t, err)
	v, err := attest.NewVerifier(root)
	check(t, err)
	s := emptyStore(t)
	raw, err := os.ReadFile(filepath.Join(assets, name))
	check(t, err)
	c := candidate(t, s, built{name, raw})
	for _, ending := range []string{".slsa.attestation", ".provenance"} {
		bundles, err := attest.ParseBundles(name+ending, open(filepath.Join(assets, name+ending)))
		check(t, err)
		c.Bundles = append(c.Bundles, bundles...)
	}
	expected, err := Expect(FileSet{Sdist: true})
	check(t, err)
	p := Policy{
		Project: "pypi-attestations", Index: "https://upload.pypi.org/legacy/", Environment: "release",
		Build: attest.Workflow("trailofbits/pypi-attestations", ".github/workflows/release.yml"), Expected: expected,
		Files: []PolicyFile{{"distgate.toml", []byte("project = \"pypi-attestations\"\n")}},
	}
	verdict, err := v.Verify(t.Context(), p.Build, []attest.Candidate{c})
	check(t, err)
	staged, err := Stage(t.Context(), s, p, verdict)
	check(t, err)
	opened, err := Open(t.Context(), s, staged.Digest, p, v)
	check(t, err)

	m := opened.Manifest()
	if m.Version != "0.0.19" || m.Source.Ref != "refs/tags/v0.0.19" || m.Files[0].Digest != dist.Sum(raw) {
		t.Errorf("got %+v", m)
	}
	var predicates []string
	for _, e := range m.Files[0].Evidence {
		predicates = append(predicates, e.PredicateType)
	}
	if !slices.Contains(predicates, attest.ProvenanceV1) {
		t.Errorf("got the evidence %v", predicates)
	}
}
