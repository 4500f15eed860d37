package attest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// FuzzParseBundles: whatever the bytes, there is a refusal or bundles, and what
// was parsed can be asked, verified and converted without a panic.
func FuzzParseBundles(f *testing.F) {
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	f.Add([]byte(`{"version":1,"verification_material":{},"envelope":{}}`))
	f.Add([]byte(`{"version":1,"attestation_bundles":[]}`))
	dir := os.Getenv("DISTGATE_VECTORS")
	for _, pattern := range []string{"pypi-attestations/assets/*.attestation", "pypi-attestations/assets/*.provenance",
		"pypi-attestations/assets/*.sigstore", "cli-npm/cli/*.json*", "sigstore-go/sigstore-js/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			if raw, err := os.ReadFile(path); err == nil && dir != "" && len(raw) < 64<<10 {
				f.Add(raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		bundles, err := ParseBundles("f", bytes.NewReader(raw))
		var refused rule.Refusals
		if err != nil && !errors.As(err, &refused) || err == nil && len(bundles) == 0 {
			t.Fatalf("got %d bundles and %v", len(bundles), err)
		}
		for _, b := range bundles {
			again, err := ParseBundles("f", bytes.NewReader(b.Raw()))
			if err != nil || len(again) != 1 || again[0].Digest() != b.Digest() {
				t.Fatalf("a bundle's own bytes are not one bundle: %v", err)
			}
			_ = b.covers("f.whl", dist.Digest{})
			_, _ = b.statement.agrees("f", certificate{})
			_, _ = b.PEP740()
		}
	})
}

// FuzzStatement: a decoded statement encodes to the bytes it came from.
func FuzzStatement(f *testing.F) {
	type predicate struct {
		A string `json:"a"`
		B []int  `json:"b"`
	}
	raw, err := Encode(Statement[predicate]{"n", dist.Sum(nil), "t", predicate{"x", []int{1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Decode[predicate]("f", raw, "t")
		if err != nil {
			return
		}
		if again, err := Encode(s); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%q encodes as %q, %v", raw, again, err)
		}
	})
}

// FuzzRoot: a trusted root is loaded whole or refused.
func FuzzRoot(f *testing.F) {
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`))
	paths, _ := filepath.Glob(filepath.Join(os.Getenv("DISTGATE_VECTORS"), "roots", "*.trusted_root.json"))
	for _, path := range paths {
		if raw, err := os.ReadFile(path); err == nil {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		root, err := LoadRoot("f", bytes.NewReader(raw))
		var refused rule.Refusals
		if err != nil && !errors.As(err, &refused) || err == nil && (root.verifier == nil || len(root.issuers) == 0) {
			t.Fatalf("got %+v and %v", root, err)
		}
	})
}
