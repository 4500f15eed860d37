package pypitest

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// What PyPI takes attestations of, at most one each for a file.
const (
	publishV1       = "https://docs.pypi.org/attestations/publish/v1"
	slsaProvenance1 = "https://slsa.dev/provenance/v1"
	statementV1     = "https://in-toto.io/Statement/v1"
	payloadType     = "application/vnd.in-toto+json"
	maxAttestations = 2
)

// attestation is an attestation object of PEP 740, version 1.
type attestation struct {
	Version  int `json:"version"`
	Material struct {
		Certificate []byte            `json:"certificate"` // DER
		Entries     []json.RawMessage `json:"transparency_entries"`
	} `json:"verification_material"`
	Envelope struct {
		Statement []byte `json:"statement"`
		Signature []byte `json:"signature"`
	} `json:"envelope"`
}

// attestations verifies what came with the file, and makes the provenance
// object that the index will serve.
func (u *upload) attestations() *answer {
	raw, sent := u.form.last("attestations")
	if !sent || u.index.flags[DisableAttestations] {
		return nil
	}
	provenance, err := u.provenanceOf(raw)
	if err != nil {
		return refuse("Invalid attestations supplied during upload: %s", err)
	}
	u.provenance = provenance
	return nil
}

func (u *upload) provenanceOf(raw string) ([]byte, error) {
	if !u.token.minted() {
		return nil, say("Attestations are only supported when using Trusted Publishing")
	}
	list, err := parseAttestations(raw)
	if err != nil {
		return nil, err
	}
	var seen []string
	for _, a := range list {
		predicate, err := u.verifyAttestation(a)
		if err != nil {
			return nil, err
		}
		if slices.Contains(seen, predicate) {
			return nil, say("Multiple attestations for the same file with the same predicate type (%s) "+
				"are not supported", predicate)
		}
		seen = append(seen, predicate)
	}
	return encodeProvenance(u.token.publisher, list)
}

func parseAttestations(raw string) ([]attestation, error) {
	var list []attestation
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return nil, say("Malformed attestations: %s", err)
	}
	if len(list) == 0 {
		return nil, say("Malformed attestations: an empty attestation set is not permitted")
	}
	for _, a := range list {
		if a.Version != 1 || len(a.Material.Certificate) == 0 || len(a.Material.Entries) == 0 ||
			len(a.Envelope.Statement) == 0 || len(a.Envelope.Signature) == 0 {
			return nil, say("Malformed attestations: want version 1, a certificate, " +
				"a transparency log entry, a statement and a signature")
		}
	}
	if len(list) > maxAttestations {
		return nil, say("A maximum of %d attestations per file are supported", maxAttestations)
	}
	return list, nil
}

// verifyAttestation verifies one attestation as pypi-attestations does, and
// returns its predicate type.
func (u *upload) verifyAttestation(a attestation) (predicateType string, err error) {
	b, err := a.bundle()
	if err != nil {
		return "", say("Unknown error while trying to verify included attestations: %s", err)
	}
	if err = u.verifySigstore(a, b); err == nil {
		predicateType, err = u.verifyStatement(a.Envelope.Statement)
	}
	if err != nil {
		return "", say("Could not verify the uploaded artifact using the included attestation: "+
			"Verification failed: %s", err)
	}
	return predicateType, nil
}

// bundle is the attestation as a Sigstore bundle. Of its log entries only the
// first is used.
func (a attestation) bundle() (*bundle.Bundle, error) {
	if _, err := x509.ParseCertificate(a.Material.Certificate); err != nil {
		return nil, errors.New("invalid X.509 certificate")
	}
	b64 := base64.StdEncoding.EncodeToString
	raw, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{
			"certificate": map[string]string{"rawBytes": b64(a.Material.Certificate)},
			"tlogEntries": a.Material.Entries[:1],
		},
		"dsseEnvelope": map[string]any{
			"payload":     b64(a.Envelope.Statement),
			"payloadType": payloadType,
			"signatures":  []map[string]string{{"sig": b64(a.Envelope.Signature)}},
		},
	})
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{}
	if err := b.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("invalid transparency log entry: %w", err)
	}
	return b, nil
}

// newSigstore verifies under one trusted root as PyPI does under the public
// one: a certificate that a CT log promised, an entry in the transparency log,
// and the time that the log gave it.
func newSigstore(trustedRoot []byte) (*verify.Verifier, error) {
	material, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, err
	}
	return verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
}

// verifySigstore wants a signature that one of the roots vouches for, by the
// trusted publisher that uploads.
func (u *upload) verifySigstore(a attestation, b *bundle.Bundle) error {
	err := errors.New("the index trusts no Sigstore")
	for _, sigstore := range u.index.sigstores {
		if _, err = sigstore.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(),
			verify.WithoutIdentitiesUnsafe())); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(a.Material.Certificate)
	if err != nil {
		return err
	}
	return u.token.publisher.verifyCertificate(certificate, u.index.config.Issuers)
}

// verifyCertificate compares a certificate with the publisher: its issuer, its
// source repository, and the workflow file that the run began with. Neither
// runner nor environment counts.
func (p Publisher) verifyCertificate(c *x509.Certificate, issuers []string) error {
	if issuer := extension(c, 8); !slices.Contains(issuers, issuer) {
		return say("Certificate's OIDCIssuerV2 does not match (got %s, expected %s)",
			repr(issuer), repr(issuers[0]))
	}
	repository := "https://github.com/" + p.Repository
	if got := extension(c, 12); got != repository {
		return say("Certificate's OIDCSourceRepositoryURI does not match (got %s, expected %s)",
			repr(got), repr(repository))
	}
	digest, ref, config := extension(c, 13), extension(c, 14), extension(c, 18)
	if digest == "" && ref == "" {
		return say("Certificate must contain either Source Repository Digest or Source Repository Ref")
	}
	for _, at := range []string{digest, ref} {
		if at != "" && config == repository+"/.github/workflows/"+p.Workflow+"@"+at {
			return nil
		}
	}
	return say("Certificate's Build Config URI (%s) does not match expected Trusted Publisher (%s @ %s)",
		config, p.Workflow, p.Repository)
}

// extension is one of Fulcio's (1.3.6.1.4.1.57264.1.n), "" if it is absent or
// not a UTF8String.
func extension(c *x509.Certificate, n int) string {
	want := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n}
	for _, e := range c.Extensions {
		var value string
		if !e.Id.Equal(want) {
			continue
		}
		if rest, err := asn1.UnmarshalWithParams(e.Value, &value, "utf8"); err == nil && len(rest) == 0 {
			return value
		}
	}
	return ""
}

// verifyStatement wants a statement about this file alone.
func (u *upload) verifyStatement(raw []byte) (predicateType string, err error) {
	var statement struct {
		Type    string `json:"_type"`
		Subject []struct {
			Name   string            `json:"name"`
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(raw, &statement); err != nil {
		return "", fmt.Errorf("invalid statement: %w", err)
	}
	if statement.Type != statementV1 || len(statement.Subject) == 0 {
		return "", fmt.Errorf("invalid statement: want %s with a subject", statementV1)
	}
	if len(statement.Subject) != 1 {
		return "", errors.New("too many subjects in statement (must be exactly one)")
	}
	subject, c := statement.Subject[0], u.form.content
	if err := sameDistribution(subject.Name, c.filename); err != nil {
		return "", err
	}
	if subject.Digest["sha256"] != c.digests.sha256 {
		return "", errors.New("subject does not match distribution digest")
	}
	if statement.PredicateType != publishV1 && statement.PredicateType != slsaProvenance1 {
		return "", fmt.Errorf("unknown attestation type: %s", statement.PredicateType)
	}
	return statement.PredicateType, nil
}

// sameDistribution wants a subject that means the file, however it spells it.
func sameDistribution(subject, filename string) error {
	if subject == "" {
		return errors.New("invalid subject: missing name")
	}
	said, err := parseDistName(subject)
	if err != nil {
		return fmt.Errorf("invalid subject: %w", err)
	}
	is, err := parseDistName(filename)
	if err != nil {
		return err
	}
	wheel := strings.HasSuffix(filename, ".whl")
	if !said.equal(is) || wheel != strings.HasSuffix(subject, ".whl") {
		return fmt.Errorf("subject does not match distribution name: %s != %s", subject, filename)
	}
	return nil
}

// encodeProvenance is the provenance object of PEP 740 that the integrity API
// serves.
func encodeProvenance(p Publisher, list []attestation) ([]byte, error) {
	type publisher struct {
		Kind        string  `json:"kind"`
		Repository  string  `json:"repository"`
		Workflow    string  `json:"workflow"`
		Environment *string `json:"environment"`
	}
	type bundle struct {
		Publisher    publisher     `json:"publisher"`
		Attestations []attestation `json:"attestations"`
	}
	by := publisher{Kind: "GitHub", Repository: p.Repository, Workflow: p.Workflow}
	if p.Environment != "" {
		by.Environment = &p.Environment
	}
	return json.Marshal(struct {
		Version int      `json:"version"`
		Bundles []bundle `json:"attestation_bundles"`
	}{1, []bundle{{by, list}}})
}
