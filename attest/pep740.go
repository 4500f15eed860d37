package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	bundleV03     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	inTotoPayload = "application/vnd.in-toto+json"
)

// attestation is the PEP 740 attestation object, version 1. Timestamps are not
// in the PEP; they carry Rekor v2 entries, which have no time of their own.
type attestation struct {
	Version  int `json:"version"`
	Material struct {
		Certificate []byte            `json:"certificate"`
		Entries     []json.RawMessage `json:"transparency_entries"`
		Timestamps  [][]byte          `json:"timestamps,omitempty"`
	} `json:"verification_material"`
	Envelope struct {
		Statement []byte `json:"statement"`
		Signature []byte `json:"signature"`
	} `json:"envelope"`
}

// parseAttestation turns a PEP 740 attestation into a bundle. Field by field it
// is pypi-attestations' to_bundle.
func parseAttestation(file string, raw []byte) (Bundle, error) {
	var a attestation
	if err := decodeStrictly(raw, &a); err != nil {
		return Bundle{}, fmt.Errorf("PEP 740 attestation: %w", err)
	}
	if a.Version != 1 {
		return Bundle{}, fmt.Errorf("PEP 740 attestation version %d", a.Version)
	}
	pb, err := a.protobuf()
	if err != nil {
		return Bundle{}, fmt.Errorf("PEP 740 attestation: %w", err)
	}
	b, err := fromProtobuf(file, raw, pb)
	b.pep740 = true
	return b, err
}

func (a attestation) protobuf() (*protobundle.Bundle, error) {
	if len(a.Material.Entries) == 0 {
		return nil, errors.New("no transparency entry")
	}
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: a.Material.Certificate},
		},
	}
	for _, raw := range a.Material.Entries {
		var entry protorekor.TransparencyLogEntry
		if err := protojson.Unmarshal(raw, &entry); err != nil {
			return nil, errors.New("a transparency entry that is not Rekor's")
		}
		material.TlogEntries = append(material.TlogEntries, &entry)
	}
	if len(a.Material.Timestamps) > 0 {
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{}
		for _, t := range a.Material.Timestamps {
			material.TimestampVerificationData.Rfc3161Timestamps = append(
				material.TimestampVerificationData.Rfc3161Timestamps,
				&protocommon.RFC3161SignedTimestamp{SignedTimestamp: t})
		}
	}
	return &protobundle.Bundle{
		MediaType:            bundleV03,
		VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: a.Envelope.Statement, PayloadType: inTotoPayload,
			Signatures: []*protodsse.Signature{{Sig: a.Envelope.Signature}},
		}},
	}, nil
}

// parseProvenance takes the attestations out of a PEP 740 provenance object.
// What it says of the publisher is the index's word and is not used.
func parseProvenance(file string, raw []byte) ([]Bundle, error) {
	var object struct {
		Version int `json:"version"`
		Bundles []struct {
			Publisher    json.RawMessage   `json:"publisher"`
			Attestations []json.RawMessage `json:"attestations"`
		} `json:"attestation_bundles"`
	}
	if err := decodeStrictly(raw, &object); err != nil {
		return nil, fmt.Errorf("PEP 740 provenance: %w", err)
	}
	if object.Version != 1 {
		return nil, fmt.Errorf("PEP 740 provenance version %d", object.Version)
	}
	var bundles []Bundle
	for _, set := range object.Bundles {
		for _, raw := range set.Attestations {
			b, err := parseAttestation(file, raw)
			if err != nil {
				return nil, err
			}
			bundles = append(bundles, b)
		}
	}
	if len(bundles) == 0 {
		return nil, errors.New("PEP 740 provenance without an attestation")
	}
	return bundles, nil
}

// PEP740 is the bundle as a PEP 740 attestation object: JSON on one line, as
// PyPI's upload form takes it. A signed timestamp is carried only where the
// log entry has no time of its own.
func (b Bundle) PEP740() ([]byte, error) {
	if b.pep740 {
		return b.Raw(), nil
	}
	material := b.entity.GetVerificationMaterial()
	envelope := b.entity.GetDsseEnvelope()
	var a attestation
	a.Version = 1
	a.Material.Certificate = b.leaf.Raw
	timed := false
	for _, entry := range material.GetTlogEntries() {
		raw, err := protojson.Marshal(entry)
		if err != nil {
			return nil, err
		}
		a.Material.Entries = append(a.Material.Entries, raw)
		timed = timed || entry.GetIntegratedTime() > 0
	}
	if len(a.Material.Entries) == 0 {
		return nil, fmt.Errorf("%s: PEP 740 needs a transparency log entry, and this bundle has none", b.file)
	}
	if !timed {
		for _, t := range material.GetTimestampVerificationData().GetRfc3161Timestamps() {
			a.Material.Timestamps = append(a.Material.Timestamps, t.GetSignedTimestamp())
		}
	}
	a.Envelope.Statement = envelope.GetPayload()
	a.Envelope.Signature = envelope.GetSignatures()[0].GetSig()
	var line bytes.Buffer
	out, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	err = json.Compact(&line, out)
	return line.Bytes(), err
}
