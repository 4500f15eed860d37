package attest_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
)

// One bundle, parse included: ours beside bare sigstore-go, which checks the
// signature and the digest and leaves name, identity rows and predicate to the
// caller.
func BenchmarkOneBundle(b *testing.B) {
	w := newWorld(b)
	f := file(b, wheel, "bytes")
	raw, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	check(b, err)
	b.Run("distgate", func(b *testing.B) {
		for b.Loop() {
			verdict := w.verify(b, attest.Candidate{File: f, Bundles: parse(b, raw)})
			check(b, verdict.Err())
		}
	})
	b.Run("sigstore-go", func(b *testing.B) {
		material, err := root.NewTrustedRootFromJSON(w.sigstore.TrustedRoot())
		check(b, err)
		v, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
			verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
		check(b, err)
		id, err := verify.NewShortCertificateIdentity(attest.GitHubIssuer, "", w.claims.SAN(), "")
		check(b, err)
		digest := f.Digest()
		policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", digest[:]), verify.WithCertificateIdentity(id))
		for b.Loop() {
			var entity bundle.Bundle
			check(b, entity.UnmarshalJSON(raw))
			_, err := v.Verify(&entity, policy)
			check(b, err)
		}
	})
}

// 72 files with a bundle each scale with the cores (compare -cpu 1,2).
func BenchmarkRelease(b *testing.B) {
	w := newWorld(b)
	var candidates []attest.Candidate
	for i := range 72 {
		f := file(b, fmt.Sprintf("widget-1.0-cp3%d-cp3%d-manylinux_2_28_x86_64.whl", i, i), fmt.Sprint(i))
		candidates = append(candidates, attest.Candidate{File: f,
			Bundles: w.sign(b, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))})
	}
	b.ResetTimer()
	for b.Loop() {
		verdict, err := w.verifier.Verify(context.Background(), w.policy, candidates)
		check(b, err)
		check(b, verdict.Err())
	}
}

// One bundle over a thousand files is verified once.
func BenchmarkOneBundleForMany(b *testing.B) {
	w := newWorld(b)
	var files []dist.File
	for i := range 1000 {
		files = append(files, file(b, fmt.Sprintf("widget-1.%d-py3-none-any.whl", i), fmt.Sprint(i)))
	}
	raw, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(files...)...))
	check(b, err)
	bundles, err := attest.ParseBundles("many.json", bytes.NewReader(raw))
	check(b, err)
	var candidates []attest.Candidate
	for _, f := range files {
		candidates = append(candidates, attest.Candidate{File: f, Bundles: bundles})
	}
	for b.Loop() {
		check(b, w.verify(b, candidates...).Err())
	}
}
