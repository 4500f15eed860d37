package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/digitorus/timestamp"
)

// maxTimestampRequest is how much of a request is read, in bytes.
const maxTimestampRequest = 1 << 20

// A timestamper is a timestamp authority of RFC 3161.
type timestamper struct {
	uri    string
	issuer *issuer
	leaf   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newTimestamper(uri string, i *issuer, name string) (*timestamper, error) {
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	leaf, key, err := newCertificate(&x509.Certificate{
		Subject: pkix.Name{
			Organization: i.certificate.Subject.Organization,
			CommonName:   name,
		},
		NotBefore: i.certificate.NotBefore,
		NotAfter:  i.certificate.NotAfter,
		KeyUsage:  x509.KeyUsageDigitalSignature,
		// RFC 3161 section 2.3: time stamping is the only use, and critical.
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage},
		},
	}, i)
	if err != nil {
		return nil, err
	}
	return &timestamper{uri, i, leaf, key}, nil
}

// stamp returns a response for the SHA-256 of a signature.
func (t *timestamper) stamp(signature []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(signature)
	return t.respond(&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:]}, at)
}

// respond grants a request with the policy, accuracy and form of Sigstore's authority.
func (t *timestamper) respond(request *timestamp.Request, at time.Time) ([]byte, error) {
	answer := timestamp.Timestamp{
		HashAlgorithm:     request.HashAlgorithm,
		HashedMessage:     request.HashedMessage,
		Time:              at.UTC(),
		Nonce:             request.Nonce,
		Policy:            t.policy(),
		Accuracy:          time.Second,
		AddTSACertificate: request.Certificates,
	}
	return answer.CreateResponseWithOpts(t.leaf, t.key, crypto.SHA256)
}

// serve answers a request of RFC 3161.
func (t *timestamper) serve(w http.ResponseWriter, r *http.Request) {
	if kind := r.Header.Get("Content-Type"); kind != "application/timestamp-query" {
		refuse(w, http.StatusUnsupportedMediaType, fmt.Sprintf(
			"unsupported media type %q, only [application/timestamp-query] are allowed", kind))
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTimestampRequest))
	if err != nil {
		refuse(w, http.StatusBadRequest, "Error generating timestamp response")
		return
	}
	request, err := timestamp.ParseRequest(raw)
	if err != nil {
		refuse(w, http.StatusBadRequest, "Error generating timestamp response")
		return
	}
	if reason := t.unacceptable(request); reason != "" {
		refuse(w, http.StatusBadRequest, reason)
		return
	}
	response, err := t.respond(request, time.Now())
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Error generating timestamp response")
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(response)
}

// unacceptable says what the authority has against a request, if anything.
func (t *timestamper) unacceptable(r *timestamp.Request) string {
	switch {
	case r.HashAlgorithm == crypto.SHA1:
		return "Weak hash algorithm in timestamp request"
	case !slices.Contains([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, r.HashAlgorithm):
		return "Error generating timestamp response"
	case len(r.HashedMessage) != r.HashAlgorithm.Size():
		return "Message digest has incorrect length for specified algorithm"
	case len(r.TSAPolicyOID) > 0 && !r.TSAPolicyOID.Equal(t.policy()):
		return "unaccepted policy: requested TSA policy is not supported by the TSA"
	case len(r.Extensions) > 0:
		return "unaccepted extension: requested extensions are not supported by the TSA"
	}
	return ""
}

// serveChain answers with the authority's certificates in PEM.
func (t *timestamper) serveChain(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	for _, c := range t.chain() {
		_, _ = w.Write(encodePEM(c))
	}
}

// policy is the one under which Sigstore's authority stamps.
func (*timestamper) policy() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}
}

// chain is the certificates of the authority, its own first.
func (t *timestamper) chain() []*x509.Certificate {
	return append([]*x509.Certificate{t.leaf}, t.issuer.chain()...)
}
