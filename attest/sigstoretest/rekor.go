package sigstoretest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
)

// A dsseEnvelope is a signed payload (DSSE 1.0).
type dsseEnvelope struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []dsseSignature `json:"signatures"`
}

type dsseSignature struct {
	Sig   []byte `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

// dsseEntry is the entry of kind dsse 0.0.1 that Rekor makes of an envelope with one signature:
// hashes of the envelope as it came in and of its payload, the signature, and the certificate in
// PEM. Its canonical JSON (RFC 8785) is the plain encoding of these members in this order.
func dsseEntry(
	envelope, payload, signature []byte, certificate *x509.Certificate,
) ([]byte, error) {
	type hash struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
	type signed struct {
		Signature []byte `json:"signature"`
		Verifier  []byte `json:"verifier"`
	}
	type spec struct {
		EnvelopeHash hash     `json:"envelopeHash"`
		PayloadHash  hash     `json:"payloadHash"`
		Signatures   []signed `json:"signatures"`
	}
	sha := func(b []byte) hash {
		sum := sha256.Sum256(b)
		return hash{"sha256", hex.EncodeToString(sum[:])}
	}
	verifier := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	return json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       spec   `json:"spec"`
	}{"0.0.1", "dsse", spec{sha(envelope), sha(payload), []signed{{signature, verifier}}}})
}
