package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// ReceiptType is the predicate type of a receipt's statement, and ReceiptKind
// the kind of its record.
const (
	ReceiptType = "https://github.com/distgate/distgate/receipt/v1"
	ReceiptKind = "receipt"

	// A confirmation is written where a release that has a receipt is confirmed
	// again, and says the same of another time.
	ConfirmationType = "https://github.com/distgate/distgate/confirmation/v1"
	ConfirmationKind = "confirmation"
)

// Receipt is what the index served when the release was confirmed. It is the
// predicate of a statement about the release digest, signed by the publisher.
type Receipt struct {
	Index     string        `json:"index"`
	Project   string        `json:"project"`
	Version   string        `json:"version"`
	Files     []ReceiptFile `json:"files"`     // by name
	Confirmed time.Time     `json:"confirmed"` // UTC, whole seconds
}

// ReceiptFile is one file as the index served it.
type ReceiptFile struct {
	Name        string      `json:"name"`
	Digest      dist.Digest `json:"digest"`
	Size        int64       `json:"size"` // bytes
	URL         string      `json:"url"`
	Attestation dist.Digest `json:"attestation"` // of the publish attestation, as the index served it
}

func (r Receipt) clone() Receipt {
	r.Files = slices.Clone(r.Files)
	return r
}

// Believed is a receipt that the publisher signed, and what is known of the
// job that did.
type Believed struct {
	Receipt Receipt         `json:"receipt"`
	Signer  attest.Evidence `json:"signer"`
	Bundle  []byte          `json:"-"` // the signed statement, as it lies in the store
}

// Receipts reads the receipts of a release. Those that the publisher signed and
// that agree with the manifest are believed; why others are not is in refused,
// which decides nothing. One that the trusted root is too old to judge is among
// them: whoever can write to the store can make such a one, and the index can
// be asked. No receipt does not mean that nothing was published.
func Receipts(
	ctx context.Context, store *staging.Store, r staging.Release, p Publisher, v *attest.Verifier,
) (believed []Believed, refused rule.Refusals, err error) {
	if store == nil || v == nil {
		return nil, nil, errors.New("publish: no store or verifier to read receipts with")
	}
	if err := p.Check(); err != nil {
		return nil, nil, err
	}
	records, refused, err := store.Records(ctx, r.Digest, ReceiptKind)
	if err != nil {
		return nil, nil, err
	}
	for _, record := range records {
		signed, err := readReceipt(record, r, p, v)
		var no rule.Refusals
		switch {
		case errors.As(err, &no):
			refused = append(refused, no...)
		case err != nil:
			return nil, nil, err
		default:
			believed = append(believed, signed)
		}
	}
	slices.SortStableFunc(believed, func(a, b Believed) int {
		return a.Receipt.Confirmed.Compare(b.Receipt.Confirmed)
	})
	return believed, refused, nil
}

// readReceipt judges one record: who signed it before what it says.
func readReceipt(record staging.Record, r staging.Release, p Publisher, v *attest.Verifier) (Believed, error) {
	name := "receipt " + dist.Sum(record.Statement).Hex()[:16]
	bundles, err := attest.ParseBundles(name, bytes.NewReader(record.Bundle))
	if err != nil {
		return Believed{}, err
	}
	if len(bundles) != 1 {
		return Believed{}, notReceipt(name, "one signature", fmt.Sprintf("%d", len(bundles)))
	}
	payload, evidence, err := v.VerifyStatement(p.Policy(), bundles[0], r.Digest, ReceiptType)
	if old, undecided := errors.AsType[attest.RootTooOld](err); undecided {
		return Believed{}, notReceipt(name, "a signature that the trusted root can judge", old.Error())
	}
	if err != nil {
		return Believed{}, err
	}
	if !bytes.Equal(payload, record.Statement) {
		return Believed{}, notReceipt(name, "the statement that was signed", "another")
	}
	statement, err := attest.Decode[Receipt](name, payload, ReceiptType)
	if err != nil {
		return Believed{}, err
	}
	return Believed{statement.Predicate, evidence, bundles[0].Raw()}, statement.Predicate.agrees(name, r.Manifest)
}

// agrees holds a receipt against the release that it is about.
func (r Receipt) agrees(name string, m staging.Manifest) error {
	for _, row := range []struct{ label, want, got string }{
		{"index", m.Index, r.Index},
		{"project", m.Project, r.Project},
		{"version", m.Version, r.Version},
		{"number of files", fmt.Sprint(len(m.Files)), fmt.Sprint(len(r.Files))},
	} {
		if row.want != row.got {
			return notReceipt(name, row.label+" "+row.want, orNothing(row.got))
		}
	}
	for i, f := range m.Files {
		if got := r.Files[i]; got.Name != f.Name || got.Digest != f.Digest || got.Size != f.Size {
			return notReceipt(name, fmt.Sprintf("%s, %s, %d bytes", f.Name, f.Digest, f.Size),
				fmt.Sprintf("%s, %s, %d bytes", got.Name, got.Digest, got.Size))
		}
	}
	return nil
}

func notReceipt(name, want, got string) error {
	return rule.Refusals{{File: name, Rule: rule.ReceiptRecord, Want: want, Got: brief(got),
		Hint: "see who may write to the store; the record is shown and decides nothing"}}
}

// sign writes down what was confirmed, signed by this job, under the release.
func (j Job) sign(ctx context.Context, c Confirmed, kind, typ string) error {
	receipt := c.Receipt()
	statement, err := attest.Encode(attest.Statement[Receipt]{Name: receipt.Project + "-" + receipt.Version,
		Subject: c.release, Type: typ, Predicate: receipt})
	if err != nil {
		return err
	}
	bundle, err := j.signed(ctx, kind, statement)
	if err != nil {
		return err
	}
	_, _, err = j.Verifier.VerifyStatement(j.Publisher.Policy(), bundle, c.release, typ)
	if err != nil {
		return err
	}
	return j.Store.Attach(ctx, c.release,
		staging.Record{Kind: kind, Statement: statement, Bundle: bundle.Raw()})
}

// signed signs as this job, and tries again while Sigstore gives no answer: to leave
// here costs another approval.
func (j Job) signed(ctx context.Context, name string, statement []byte) (attest.Bundle, error) {
	return again(ctx, j.patience(), func() (attest.Bundle, error) { return j.Signer.Sign(ctx, name, statement) })
}
