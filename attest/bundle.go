package attest

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Bounds on bundle files. A real bundle with one subject is 8 to 12 KiB, one
// with 1,024 subjects about 200 KiB.
const (
	MaxBundleFile = 32 << 20 // bytes of one file
	maxBundle     = 4 << 20  // bytes of one bundle in it
	maxBundles    = 2048     // bundles in one file
)

// Bundle is one piece of evidence as it arrived: parsed, and trusted by nobody.
// The zero Bundle is refused by whoever takes it.
type Bundle struct {
	raw       []byte
	digest    dist.Digest
	file      string
	pep740    bool
	entity    *bundle.Bundle
	leaf      *x509.Certificate
	statement statement
	subjects  index
}

// Raw is the bundle's own bytes: one JSON value, as it stood in its file.
func (b Bundle) Raw() []byte { return bytes.Clone(b.raw) }

// Digest is the SHA-256 of Raw.
func (b Bundle) Digest() dist.Digest { return b.digest }

// File is the name of the file that the bundle was read from.
func (b Bundle) File() string { return b.file }

// PredicateType is what the bundle claims to say.
func (b Bundle) PredicateType() string { return b.statement.PredicateType }

// Names reports whether the bundle claims to be about the file, by name or by
// digest. It is how a folder's shared bundles find their files.
func (b Bundle) Names(f dist.File) bool {
	_, named := b.subjects.byName[f.Name()]
	_, hashed := b.subjects.byDigest[f.Digest().Hex()]
	return named || hashed
}

// ParseBundles reads every bundle in a file: a Sigstore bundle, JSON lines of
// them, a PEP 740 attestation, or a PEP 740 provenance object as PyPI's
// integrity API serves it. One bad bundle refuses the file; a file without any
// is refused too. Refusals name the file. A read error is returned as it is.
func ParseBundles(file string, r io.Reader) ([]Bundle, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBundleFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(raw) > MaxBundleFile {
		return nil, rule.Refusals{{File: file, Rule: rule.BundleSize,
			Want: fmt.Sprintf("at most %d bytes", MaxBundleFile), Got: "more",
			Hint: "split the JSON lines into several files"}}
	}
	bundles, err := parseBundles(file, raw)
	if refused := (rule.Refusals)(nil); err != nil && !errors.As(err, &refused) {
		return nil, rule.Refusals{{File: file, Rule: rule.BundleMalformed,
			Want: "a Sigstore bundle, a PEP 740 attestation or a provenance object",
			Got:  err.Error(), Hint: "fetch it again from where it was made"}}
	}
	return bundles, err
}

func parseBundles(file string, raw []byte) ([]Bundle, error) {
	var bundles []Bundle
	values := json.NewDecoder(bytes.NewReader(raw))
	for {
		start := values.InputOffset()
		var f form
		err := values.Decode(&f)
		if errors.Is(err, io.EOF) {
			break
		}
		if other := (*json.UnmarshalTypeError)(nil); errors.As(err, &other) {
			return nil, errors.New("JSON that is no object of a known form")
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("JSON that breaks off after %d bytes", len(raw))
		}
		if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
			return nil, fmt.Errorf("not JSON at byte %d", wrong.Offset)
		}
		if err != nil {
			return nil, err
		}
		found, err := f.parse(file, bytes.TrimLeft(raw[start:values.InputOffset()], " \t\r\n"))
		if err != nil {
			return nil, err
		}
		if bundles = append(bundles, found...); len(bundles) > maxBundles {
			return nil, fmt.Errorf("more than %d bundles", maxBundles)
		}
	}
	if len(bundles) == 0 {
		return nil, errors.New("an empty file")
	}
	return bundles, nil
}

// form is the fields that tell the forms apart.
type form struct {
	MediaType    *string           `json:"mediaType"`           // a Sigstore bundle
	Envelope     json.RawMessage   `json:"envelope"`            // a PEP 740 attestation
	Bundles      []json.RawMessage `json:"attestation_bundles"` // a PEP 740 provenance object
	DSSEPayload  *string           `json:"payload"`
	Attestations json.RawMessage   `json:"attestations"`
}

// parse reads the value raw, which is of the form f.
func (f form) parse(file string, raw []byte) ([]Bundle, error) {
	if len(raw) > maxBundle {
		return nil, fmt.Errorf("one bundle of %d bytes", len(raw))
	}
	switch {
	case f.MediaType != nil:
		return one(parseSigstore(file, raw))
	case f.Bundles != nil:
		return parseProvenance(file, raw)
	case f.Envelope != nil:
		return one(parseAttestation(file, raw))
	case f.DSSEPayload != nil:
		return nil, errors.New("a bare DSSE envelope, without certificate and log entry")
	case f.Attestations != nil:
		return nil, errors.New("an npm attestations document")
	}
	return nil, errors.New("JSON without mediaType, envelope or attestation_bundles")
}

func one(b Bundle, err error) ([]Bundle, error) { return []Bundle{b}, err }

func parseSigstore(file string, raw []byte) (Bundle, error) {
	var entity bundle.Bundle
	if err := entity.UnmarshalJSON(raw); err != nil {
		return Bundle{}, errors.New(firstLine(err))
	}
	return newBundle(file, raw, &entity)
}

// fromProtobuf makes a Bundle of what this package built itself.
func fromProtobuf(file string, raw []byte, pb *protobundle.Bundle) (Bundle, error) {
	entity, err := bundle.NewBundle(pb)
	if err != nil {
		return Bundle{}, err
	}
	return newBundle(file, raw, entity)
}

func newBundle(file string, raw []byte, entity *bundle.Bundle) (Bundle, error) {
	b := Bundle{raw: bytes.Clone(raw), digest: dist.Sum(raw), file: file, entity: entity}
	content, err := entity.VerificationContent()
	if err != nil {
		return Bundle{}, err
	}
	if b.leaf = content.Certificate(); b.leaf == nil {
		return Bundle{}, errors.New("a bundle signed by a bare key, without a certificate")
	}
	b.statement, err = readEnvelope(file, entity.GetDsseEnvelope())
	b.subjects = indexOf(b.statement.Subject)
	return b, err
}
