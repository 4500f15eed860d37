package attest

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"unicode/utf8"

	fulcio "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// certificate is what Fulcio wrote into a leaf. The numbers are the last arc
// of OID 1.3.6.1.4.1.57264.1.N; their meaning is Fulcio's docs/oid-info.md.
// Absent extensions are "".
type certificate struct {
	SAN            string
	Issuer         string // .8, or .1 in certificates from before .8
	Signer         string // .9
	SignerDigest   string // .10
	Runner         string // .11
	Repository     string // .12
	Commit         string // .13
	Ref            string // .14
	RepositoryID   string // .15
	Owner          string // .16
	OwnerID        string // .17
	Workflow       string // .18
	WorkflowDigest string // .19
	Trigger        string // .20
	Run            string // .21
	Visibility     string // .22
	Environment    string // .23
	Subject        string // .24
}

var (
	oidEnvironment = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 23}
	oidSubject     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 24}
)

// readCertificate reads a leaf whose chain has been verified.
func readCertificate(leaf *x509.Certificate) (certificate, error) {
	summary, err := fulcio.SummarizeCertificate(leaf)
	if err != nil {
		return certificate{}, err
	}
	e := summary.Extensions
	c := certificate{
		SAN: summary.SubjectAlternativeName, Issuer: e.Issuer,
		Signer: e.BuildSignerURI, SignerDigest: e.BuildSignerDigest,
		Runner: e.RunnerEnvironment, Repository: e.SourceRepositoryURI,
		Commit: e.SourceRepositoryDigest, Ref: e.SourceRepositoryRef,
		RepositoryID: e.SourceRepositoryIdentifier, Owner: e.SourceRepositoryOwnerURI,
		OwnerID: e.SourceRepositoryOwnerIdentifier, Workflow: e.BuildConfigURI,
		WorkflowDigest: e.BuildConfigDigest, Trigger: e.BuildTrigger,
		Run: e.RunInvocationURI, Visibility: e.SourceRepositoryVisibilityAtSigning,
	}
	if c.Environment, err = utf8String(leaf, oidEnvironment); err != nil {
		return certificate{}, err
	}
	c.Subject, err = utf8String(leaf, oidSubject)
	return c, err
}

// utf8String reads an extension that sigstore-go does not know yet.
func utf8String(leaf *x509.Certificate, oid asn1.ObjectIdentifier) (string, error) {
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(oid) {
			continue
		}
		var text string
		rest, err := asn1.UnmarshalWithParams(ext.Value, &text, "utf8")
		if err != nil || len(rest) > 0 || !utf8.ValidString(text) {
			return "", fmt.Errorf("certificate extension %s is not one UTF-8 string", oid)
		}
		return text, nil
	}
	return "", nil
}

// ownRef returns the R of uri@R in got, if it is the certificate's own ref or
// commit, and "" otherwise.
func (c certificate) ownRef(uri, got string) string {
	for _, r := range []string{c.Ref, c.Commit} {
		if r != "" && got == uri+"@"+r {
			return r
		}
	}
	return ""
}
