package staging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Record is what somebody says of a release: a statement and one signature. It
// is a claim, and nothing in it was checked when it was stored or is when it is
// found.
type Record struct {
	Kind      string // "vote", "receipt", "confirmation", "withdrawal", …: 1 to 32 lower case letters
	Statement []byte // an in-toto statement, at most 1 MiB
	SSHSIG    []byte // a detached OpenSSH signature of it, or
	Bundle    []byte // a Sigstore bundle of it: exactly one of the two, at most 1 MiB
}

const (
	maxRecordPart  = 1 << 20  // bytes of a statement or signature
	maxRecordImage = 16 << 10 // bytes
	maxRecords     = 1000     // of one kind under one release
	maxRecordBytes = 64 << 20 // of all of them
)

// Attach puts a record under a release that is in the store. Attaching the same
// record again changes nothing. When it returns, the record is durable.
func (s *Store) Attach(ctx context.Context, release dist.Digest, r Record) error {
	if err := r.check(); err != nil {
		return refused("record", rule.RecordEncoding, "a kind, a statement and one signature", err.Error(),
			"give the record as it was signed")
	}
	subject, err := s.release(ctx, release)
	if err != nil {
		return err
	}
	raw, err := r.image(subject).encode()
	if err != nil {
		return err
	}
	return s.at.enter(ctx, tagged{
		tag: recordTag(release, dist.Sum(raw)), kind: recordType(r.Kind),
		raw: raw, blobs: [][]byte{[]byte("{}"), r.Statement, r.signature()},
	})
}

// signature is the one that there is.
func (r Record) signature() []byte {
	if len(r.SSHSIG) > 0 {
		return r.SSHSIG
	}
	return r.Bundle
}

// recordTag is the record's own tag under its release.
func recordTag(release, record dist.Digest) string {
	return release.Hex() + "." + record.Hex()[:16]
}

func recordType(kind string) string { return "application/vnd.distgate." + kind + ".v1" }

// recordKind is the other way round; it is empty for what is no record's type.
func recordKind(artifactType string) string {
	kind, _ := strings.CutPrefix(artifactType, "application/vnd.distgate.")
	kind, _ = strings.CutSuffix(kind, ".v1")
	if !isKind(kind) || recordType(kind) != artifactType {
		return ""
	}
	return kind
}

func isKind(kind string) bool {
	for _, c := range kind {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return 0 < len(kind) && len(kind) <= 32 && recordType(kind) != typeRelease && recordType(kind) != typeHolding
}

func (r Record) check() error {
	switch {
	case !isKind(r.Kind):
		return fmt.Errorf("the kind %q", r.Kind)
	case len(r.Statement) == 0:
		return errors.New("no statement")
	case (len(r.SSHSIG) == 0) == (len(r.Bundle) == 0):
		return errors.New("no signature, or two")
	case max(len(r.Statement), len(r.SSHSIG), len(r.Bundle)) > maxRecordPart:
		return fmt.Errorf("more than %d bytes", maxRecordPart)
	}
	return nil
}

// image is the record as an OCI artifact. The subject is a courtesy to other
// tools: registries lose referrers, so nothing is found by it.
func (r Record) image(subject descriptor) image {
	m := newImage(recordType(r.Kind), point(typeEmpty, []byte("{}"), ""),
		point(typeStatement, r.Statement, "statement.json"))
	if len(r.SSHSIG) > 0 {
		m.Layers = append(m.Layers, point(typeSSHSIG, r.SSHSIG, "statement.json.sig"))
	} else {
		m.Layers = append(m.Layers, point(typeBundle, r.Bundle, "statement.sigstore.json"))
	}
	m.Subject = subject
	return m
}

// point describes bytes.
func point(mediaType string, raw []byte, title string) descriptor {
	return descriptor{MediaType: mediaType, Digest: dist.Sum(raw), Size: int64(len(raw)),
		Annotations: annotations{Title: title}}
}

// Records returns the records of one kind under a release, in the order of
// their digests. What is tagged as a record of the release and cannot be read
// as one of any kind is returned as malformed: it is there to be shown, it decides
// nothing, and it hides nothing. That a record is not found does not mean that
// it was never made.
func (s *Store) Records(ctx context.Context, release dist.Digest, kind string) (
	records []Record, malformed rule.Refusals, err error,
) {
	if release.IsZero() || kind == "" {
		return nil, nil, errors.New("staging: no release or no kind to list records of")
	}
	x, err := s.at.index(ctx)
	if err != nil {
		return nil, nil, err
	}
	left := maxRecordBytes
	for entries := range slices.Chunk(x.under(release.Hex()+"."), s.width) {
		found := make([]Record, len(entries))
		no, err := each(ctx, s.width, len(entries), func(ctx context.Context, i int) (err error) {
			found[i], err = s.record(ctx, release, entries[i], kind)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		for i, r := range found {
			malformed = append(malformed, no[i]...)
			if no[i] == nil && r.Kind == kind {
				records = append(records, r)
				left -= len(r.Statement) + len(r.signature())
			}
		}
		if left < 0 || len(records) > maxRecords {
			return nil, nil, refused(s.name, rule.RecordEncoding,
				fmt.Sprintf("at most %d records, or %d bytes, of one kind", maxRecords, maxRecordBytes), "more",
				"somebody floods the store; take the tags "+release.Hex()+".… that are no records out of it")
		}
	}
	return records, malformed, nil
}

// record reads one entry, as far as it is of the kind that is asked for.
func (s *Store) record(ctx context.Context, release dist.Digest, entry descriptor, kind string) (Record, error) {
	name := "record " + entry.tag()
	raw, err := s.artifact(ctx, entry, maxRecordImage, name)
	if err != nil {
		return Record{}, lost(err)
	}
	m, err := strict(name, rule.RecordEncoding, raw, maxRecordImage, image.encode)
	if err != nil {
		return Record{}, err
	}
	r := Record{Kind: recordKind(m.ArtifactType)}
	if r.Kind == "" || len(m.Layers) != 2 || m.Subject.Digest != release {
		return Record{}, malformed(name, "an artifact of another form, or of another release")
	}
	if r.Kind != kind {
		return r, nil
	}
	signature := &r.SSHSIG
	if m.Layers[1].MediaType == typeBundle {
		signature = &r.Bundle
	}
	if r.Statement, err = s.at.read(ctx, m.Layers[0].Digest, maxRecordPart, name+": statement"); err != nil {
		return Record{}, lost(err)
	}
	if *signature, err = s.at.read(ctx, m.Layers[1].Digest, maxRecordPart, name+": signature"); err != nil {
		return Record{}, lost(err)
	}
	return r, r.same(name, m, raw)
}

// lost says of a record's bytes that nobody but its signer can make them again.
func lost(err error) error {
	var no rule.Refusals
	if !errors.As(err, &no) {
		return err
	}
	no = slices.Clone(no)
	for i := range no {
		if no[i].Rule == rule.StoredBytes {
			no[i].Hint = "restore it from another copy of the store, or let who signed it sign again"
		}
	}
	return no
}

// same demands that the record, made into an artifact again, is the one that
// it was read from.
func (r Record) same(name string, m image, raw []byte) error {
	if err := r.check(); err != nil {
		return malformed(name, err.Error())
	}
	again, err := r.image(m.Subject).encode()
	if err != nil {
		return err
	}
	if string(again) != string(raw) {
		return malformed(name, "another encoding, from "+line(raw, again))
	}
	return nil
}

func malformed(name, got string) error {
	return refused(name, rule.RecordEncoding, "one statement and one signature, as distgate writes them", got,
		"see who may write to the store; the record is shown and decides nothing")
}
