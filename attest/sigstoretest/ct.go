package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
)

// A signingLog is a certificate transparency log as far as a verifier of signatures sees one:
// it promises to log a certificate (RFC 6962 section 3), and nobody asks it to keep its word.
type signingLog struct {
	url string
	key *ecdsa.PrivateKey
	id  [sha256.Size]byte
}

func newSigningLog(url string) (*signingLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := keyID(key.Public())
	return &signingLog{url, key, id}, err
}

// promise returns the extension that holds the log's signed certificate timestamp for the
// certificate, which has none of the log yet.
func (l *signingLog) promise(
	certificate, issuer *x509.Certificate, at time.Time,
) (pkix.Extension, error) {
	sct, err := l.sign(certificate.RawTBSCertificate, issuer, uint64(at.UnixMilli()))
	if err != nil {
		return pkix.Extension{}, err
	}
	one, err := tls.Marshal(sct)
	if err != nil {
		return pkix.Extension{}, err
	}
	list, err := tls.Marshal(ctx509.SignedCertificateTimestampList{
		SCTList: []ctx509.SerializedSCT{{Val: one}},
	})
	if err != nil {
		return pkix.Extension{}, err
	}
	value, err := asn1.Marshal(list)
	return pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTSCT), Value: value}, err
}

func (l *signingLog) sign(
	tbs []byte, issuer *x509.Certificate, millis uint64,
) (ct.SignedCertificateTimestamp, error) {
	sct := ct.SignedCertificateTimestamp{
		SCTVersion: ct.V1,
		LogID:      ct.LogID{KeyID: l.id},
		Timestamp:  millis,
	}
	entry := ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version:  ct.V1,
		LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			Timestamp: millis,
			EntryType: ct.PrecertLogEntryType,
			PrecertEntry: &ct.PreCert{
				IssuerKeyHash:  sha256.Sum256(issuer.RawSubjectPublicKeyInfo),
				TBSCertificate: tbs,
			},
		},
	}}
	input, err := ct.SerializeSCTSignatureInput(sct, entry)
	if err != nil {
		return sct, err
	}
	signature, err := signASN1(l.key, input)
	sct.Signature = ct.DigitallySigned{
		Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA},
		Signature: signature,
	}
	return sct, err
}

// signASN1 signs the SHA-256 of a message.
func signASN1(key *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, key, sum[:])
}
