package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"github.com/digitorus/timestamp"
)

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

// policy is the one under which Sigstore's authority stamps.
func (*timestamper) policy() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}
}

// chain is the certificates of the authority, its own first.
func (t *timestamper) chain() []*x509.Certificate {
	return append([]*x509.Certificate{t.leaf}, t.issuer.chain()...)
}
