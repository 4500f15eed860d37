package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	envelope "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// payloadType says that the payload of an envelope is an in-toto statement.
const payloadType = "application/vnd.in-toto+json"

// Sign returns the bundle (v0.3, JSON) that a job with the claims gets for a statement from
// actions/attest: from the public-good instance with an entry in its log and no other timestamp,
// from GitHub's with a timestamp. Nothing compares the statement with the claims.
func (s *Sigstore) Sign(c Claims, statement []byte) ([]byte, error) {
	return s.signJob(c, statement, s.usual(time.Now()))
}

// SignAs returns the bundle of a person who signs with an address that the issuer vouches for.
func (s *Sigstore) SignAs(email, issuer string, statement []byte) ([]byte, error) {
	who, err := person(email, issuer, email)
	if err != nil {
		return nil, err
	}
	return s.sign(who, statement, s.usual(time.Now()))
}

// SignTimestamped returns a bundle with all the material that the instance can give: an entry in
// the log, where there is one, and a timestamp, as cosign and sigstore-go ask for.
func (s *Sigstore) SignTimestamped(c Claims, statement []byte) ([]byte, error) {
	m := s.usual(time.Now())
	m.stamp = true
	return s.signJob(c, statement, m)
}

// SignLate returns a bundle whose certificate had expired when it was signed: one issued an hour
// before the log or the timestamp authority saw the signature.
func (s *Sigstore) SignLate(c Claims, statement []byte) ([]byte, error) {
	m := s.usual(time.Now())
	m.issued = m.signed.Add(-time.Hour)
	return s.signJob(c, statement, m)
}

// SignUnlogged returns a bundle with a timestamp and no entry of the log.
func (s *Sigstore) SignUnlogged(c Claims, statement []byte) ([]byte, error) {
	m := s.usual(time.Now())
	m.log, m.stamp = false, true
	return s.signJob(c, statement, m)
}

// SignUntimed returns a bundle that nothing dates: the entry of the log has its proof, and not
// the signature over its time; a timestamp is missing.
func (s *Sigstore) SignUntimed(c Claims, statement []byte) ([]byte, error) {
	m := s.usual(time.Now())
	m.promise, m.stamp = false, false
	return s.signJob(c, statement, m)
}

// SignWithoutSCT returns a bundle whose certificate no CT log has promised to show.
func (s *Sigstore) SignWithoutSCT(c Claims, statement []byte) ([]byte, error) {
	m := s.usual(time.Now())
	m.ct = nil
	return s.signJob(c, statement, m)
}

// material is what a bundle is to have besides the certificate and the signature.
type material struct {
	issued, signed time.Time
	ct             []*signingLog
	log            bool
	promise        bool // the log's signature over the entry's time
	stamp          bool
}

// usual is what actions/attest asks this instance for.
func (s *Sigstore) usual(now time.Time) material {
	now = now.UTC().Truncate(time.Second)
	logged := s.log != nil
	return material{now, now, s.ct, logged, logged, !logged}
}

func (s *Sigstore) signJob(c Claims, statement []byte, m material) ([]byte, error) {
	who, err := c.identity()
	if err != nil {
		return nil, err
	}
	return s.sign(who, statement, m)
}

func (s *Sigstore) sign(who identity, statement []byte, m material) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := s.ca.certify(who, key.Public(), m.issued, m.ct...)
	if err != nil {
		return nil, err
	}
	signature, err := signASN1(key, dsse.PAE(payloadType, statement))
	if err != nil {
		return nil, err
	}
	verification, err := s.prove(certificate, statement, signature, m)
	if err != nil {
		return nil, err
	}
	return marshal(&bundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: verification,
		Content: &bundle.Bundle_DsseEnvelope{DsseEnvelope: &envelope.Envelope{
			Payload:     statement,
			PayloadType: payloadType,
			Signatures:  []*envelope.Signature{{Sig: signature}},
		}},
	})
}

// prove gathers what shows that the certificate's holder signed, and when.
func (s *Sigstore) prove(
	certificate *x509.Certificate, statement, signature []byte, m material,
) (*bundle.VerificationMaterial, error) {
	out := &bundle.VerificationMaterial{
		Content: &bundle.VerificationMaterial_Certificate{
			Certificate: &common.X509Certificate{RawBytes: certificate.Raw},
		},
		TimestampVerificationData: &bundle.TimestampVerificationData{},
	}
	if m.log {
		entry, err := s.record(certificate, statement, signature, m)
		if err != nil {
			return nil, err
		}
		out.TlogEntries = append(out.TlogEntries, entry)
	}
	if m.stamp {
		response, err := s.tsa.stamp(signature, m.signed)
		if err != nil {
			return nil, err
		}
		out.TimestampVerificationData.Rfc3161Timestamps = []*common.RFC3161SignedTimestamp{
			{SignedTimestamp: response},
		}
	}
	return out, nil
}

// record enters a signature into the log and returns the entry as bundles have it.
func (s *Sigstore) record(
	certificate *x509.Certificate, statement, signature []byte, m material,
) (*rekor.TransparencyLogEntry, error) {
	sig := base64.StdEncoding.EncodeToString(signature)
	raw, err := json.Marshal(sentEnvelope{statement, payloadType, []sentSignature{{Sig: sig}}})
	if err != nil {
		return nil, err
	}
	body, err := dsseEntry(raw, statement, signedBy{sig, encodePEM(certificate)})
	if err != nil {
		return nil, err
	}
	receipt, _, err := s.log.add(body, m.signed)
	if err != nil {
		return nil, err
	}
	entry := &rekor.TransparencyLogEntry{
		LogIndex:       int64(receipt.index),
		LogId:          &common.LogId{KeyId: s.log.id[:]},
		KindVersion:    &rekor.KindVersion{Kind: "dsse", Version: "0.0.1"},
		IntegratedTime: receipt.entry.time,
		InclusionProof: &rekor.InclusionProof{
			LogIndex:   int64(receipt.index),
			RootHash:   receipt.root,
			TreeSize:   int64(receipt.size),
			Hashes:     receipt.hashes,
			Checkpoint: &rekor.Checkpoint{Envelope: receipt.checkpoint},
		},
		CanonicalizedBody: body,
	}
	if m.promise {
		entry.InclusionPromise = &rekor.InclusionPromise{SignedEntryTimestamp: receipt.promise}
	}
	return entry, nil
}

// A sentEnvelope is the text of an envelope as actions/attest sends it to the log, which hashes it.
type sentEnvelope struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []sentSignature `json:"signatures"`
}

type sentSignature struct {
	Sig   string `json:"sig"`
	KeyID string `json:"keyid"`
}
