package attest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
)

// One bundle, parse included: ours beside bare sigstore-go, which checks the
// signature and the digest and leaves name, identity rows and predicate to the
// caller. They take turns of 25 bundles; reported are the medians, and that of
// the ratios.
func BenchmarkOneBundle(b *testing.B) {
	w := newWorld(b)
	f := file(b, wheel, "bytes")
	raw, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	check(b, err)
	distgate := func() {
		verdict := w.verify(b, attest.Candidate{File: f, Bundles: parse(b, raw)})
		check(b, verdict.Err())
	}
	bare := w.bare(b, f, raw)
	const turn = 25
	var ours, theirs, ratios []float64
	for b.Loop() {
		o, t := took(turn, distgate), took(turn, bare)
		ours, theirs, ratios = append(ours, o), append(theirs, t), append(ratios, o/t)
	}
	b.ReportMetric(median(ours)/turn, "distgate-µs")
	b.ReportMetric(median(theirs)/turn, "sigstore-go-µs")
	b.ReportMetric(median(ratios), "distgate/sigstore-go")
	b.ReportMetric(0, "ns/op")
}

// bare verifies a bundle as sigstore-go's README does.
func (w world) bare(b *testing.B, f dist.File, raw []byte) func() {
	material, err := root.NewTrustedRootFromJSON(w.sigstore.TrustedRoot())
	check(b, err)
	v, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	check(b, err)
	id, err := verify.NewShortCertificateIdentity(attest.GitHubIssuer, "", w.claims.SAN(), "")
	check(b, err)
	digest := f.Digest()
	policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", digest[:]), verify.WithCertificateIdentity(id))
	return func() {
		var entity bundle.Bundle
		check(b, entity.UnmarshalJSON(raw))
		_, err := v.Verify(&entity, policy)
		check(b, err)
	}
}

// took is the microseconds that some turns of work take.
func took(turns int, work func()) float64 {
	start := time.Now()
	for range turns {
		work()
	}
	return float64(time.Since(start).Microseconds())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// 72 files with a bundle each, on one core and on all of them in turn.
func BenchmarkRelease(b *testing.B) {
	w := newWorld(b)
	var candidates []attest.Candidate
	for i := range 72 {
		f := file(b, fmt.Sprintf("widget-1.0-cp3%d-cp3%d-manylinux_2_28_x86_64.whl", i, i), fmt.Sprint(i))
		candidates = append(candidates, attest.Candidate{File: f,
			Bundles: w.sign(b, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))})
	}
	verify := func() { check(b, w.verify(b, candidates...).Err()) }
	cores := runtime.GOMAXPROCS(0)
	var ones, alls, ratios []float64
	for b.Loop() {
		runtime.GOMAXPROCS(1)
		one := took(1, verify)
		runtime.GOMAXPROCS(cores)
		all := took(1, verify)
		ones, alls, ratios = append(ones, one), append(alls, all), append(ratios, one/all)
	}
	b.ReportMetric(median(ones)/1e3, "one-core-ms")
	b.ReportMetric(median(alls)/1e3, "all-cores-ms")
	b.ReportMetric(median(ratios), "one/all")
	b.ReportMetric(0, "ns/op")
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
