// Package attest is the only room that knows Sigstore and in-toto. It answers
// one question about a distribution: what does its evidence prove?
//
// Evidence arrives as bundles. [ParseBundles] reads Sigstore bundles v0.1 to
// v0.3 (JSON or JSON lines) and PEP 740 attestations and provenance objects,
// and turns each into one [Bundle], which claims much and proves nothing yet.
// A [Candidate] is a file with the bundles found for it.
//
// A [Verifier] holds trusted roots ([LoadRoot], [FetchRoot]). Its Verify judges
// all candidates at once and returns one [Verdict], in three steps for each
// bundle:
//
//  1. Sigstore: chain, signed certificate timestamp, log entry, time and
//     signature, under the one root whose certificate authority issued the
//     certificate. Roots are never merged, and what a root has it demands.
//  2. The [Policy]: a table of rows, each comparing one certificate extension
//     (OIDs 1.3.6.1.4.1.57264.1.8 to .24) with a [Match].
//  3. The predicate. The job that was attested writes it and could write
//     anything, so a table by build type compares every field that the build
//     type defines with the certificate.
//
// A bundle counts for a file when all three hold and its statement names the
// file by name and digest. What then is known is [Evidence]: plain, comparable
// facts. [Verified] is the proof that they were checked here; nothing else can
// make one.
//
// The other way round, a [Signer] signs in-toto statements with a GitHub
// Actions ID token, through Fulcio, Rekor and a timestamp authority, as a
// bundle that this package, cosign and PyPI verify.
package attest
