package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Bounds on what is asked beyond the one page, in files.
const (
	maxForeign = 20  // of which the index is asked who brought them
	maxAgain   = 300 // of which the attestation is compared again
)

// Books say what should be on an index, as far as this project knows.
type Books struct {
	Project   string     // normalised
	Receipts  []Believed // those for another index or project are passed over
	Withdrawn []Withdrawn

	// Since is when the books begin: a file without a receipt that the index
	// took before is not compared. The zero time compares all.
	Since time.Time

	// Versions are those compared; none is all of them. Of those named, and
	// else of the release confirmed last, each attestation is read again.
	Versions []dist.Version
}

// Reconciliation is everything that the index offers, held against the books.
type Reconciliation struct {
	Index    string           `json:"index"`
	Project  string           `json:"project"`
	Status   string           `json:"status,omitempty"` // of the project (PEP 792)
	Versions []VersionAccount `json:"versions"`         // newest first
	Before   int              `json:"before"`           // files that are older than the books
	Attested int              `json:"attested"`         // files whose attestation was read again
	Refused  rule.Refusals    `json:"refused"`
}

// VersionAccount is what became of one version.
type VersionAccount struct {
	Version   string `json:"version"`          // or "?" of files whose names say none
	Same      int    `json:"same"`             // files that are as a receipt has them
	Foreign   int    `json:"foreign"`          // files that no receipt has
	Missing   int    `json:"missing"`          // files of a receipt that are not there
	Yanked    string `json:"yanked,omitempty"` // the reason
	Withdrawn bool   `json:"withdrawn"`        // somebody took it back
}

// Err is nil only if there was something to compare and all of it agrees.
func (r Reconciliation) Err() error {
	if len(r.Versions) == 0 && len(r.Refused) == 0 {
		return rule.Refusals{{File: r.Project, Rule: rule.ReconcileNothing,
			Want: "a receipt, or a file on " + r.Index + " to hold against the receipts", Got: "neither",
			Hint: "see that the policy names the project, the index and the store that you mean"}}
	}
	return r.Refused.Err()
}

// reconcileLimit bounds the wait for an index that gives no answer.
const reconcileLimit = 2 * time.Minute

// Reconcile holds everything that the index offers of a project against the
// books. It takes one request for all files of all versions; how many more there
// are is bounded. No file is downloaded: what the index says of its bytes is
// compared, and it was true when the receipt was signed.
func (w Witness) Reconcile(ctx context.Context, b Books) (Reconciliation, error) {
	if w.Index == nil || b.Project == "" {
		return Reconciliation{}, errors.New("publish: no index or project to reconcile")
	}
	w.Progress = oneByOne(w.Progress)
	l := newLedger(w.Index.Name(), b)
	p, err := again(ctx, w.patience().atMost(reconcileLimit), func() (page, error) {
		l = newLedger(w.Index.Name(), b)
		return w.Index.list(ctx, b.Project, l.keep)
	})
	if err != nil {
		return Reconciliation{}, err
	}
	l.close(p)
	r := Reconciliation{Index: w.Index.Name(), Project: b.Project, Status: p.status, Before: l.before}
	if r.Attested, err = w.compareAgain(ctx, l); err != nil {
		return Reconciliation{}, err
	}
	if err := w.askWhoBrought(ctx, l); err != nil {
		return Reconciliation{}, err
	}
	r.Versions, r.Refused = l.accounts(), l.refusals()
	return r, nil
}

// compareAgain reads the attestations of files that are as they should be, and
// holds each against the one that was verified when the receipt was signed.
func (w Witness) compareAgain(ctx context.Context, l *ledger) (int, error) {
	due := l.again[:min(len(l.again), maxAgain)]
	if len(due) > 0 {
		w.report(Event{Step: Comparing, Note: fmt.Sprintf("the attestations of %d files, from %s on", len(due), due[0].Name)})
	}
	no := make([]rule.Refusals, len(due))
	err := each(ctx, len(due), func(Event) {}, func(ctx context.Context, i int) (Event, error) {
		a, err := w.attestations(ctx, l.books.Project, due[i].of.version, due[i].Name)
		if err != nil {
			return Event{}, err
		}
		no[i] = due[i].sameAttestation(a)
		return Event{}, nil
	})
	l.refused = append(l.refused, slices.Concat(no...)...)
	return len(due), err
}

// sameAttestation wants the attestation of the receipt among those served.
func (d *entryDue) sameAttestation(a answer) rule.Refusals {
	got := a.says()
	if a.status == http.StatusOK {
		bundles, err := attest.ParseBundles(d.Name+".provenance", bytes.NewReader(a.body))
		if err == nil && slices.ContainsFunc(bundles, func(b attest.Bundle) bool { return b.Digest() == d.Attestation }) {
			return nil
		}
		got = fmt.Sprintf("%d others", len(bundles))
	}
	return rule.Refusals{{File: d.Name, Rule: rule.ReconcileProvenance,
		Want: "the publish attestation that was confirmed, " + d.Attestation.String(), Got: brief(got),
		Hint: "an index does not change attestations by itself: ask its administrators"}}
}

// attestations is what the integrity API has for a file now.
func (w Witness) attestations(ctx context.Context, project string, version dist.Version, name string) (answer, error) {
	at := w.Index.integrity.JoinPath(project, version.String(), name, "provenance")
	return again(ctx, w.patience().atMost(reconcileLimit), func() (answer, error) {
		a, err := w.Index.get(ctx, at, integrityJSON, maxProvenance)
		if err == nil && a.status != http.StatusOK && a.status != http.StatusNotFound {
			err = fmt.Errorf("%s: %s", at.Redacted(), a.says())
		}
		return a, err
	})
}

// askWhoBrought adds to the first foreign files who uploaded them: as the index
// says or, of the publisher that the policy names, as its attestation proves.
func (w Witness) askWhoBrought(ctx context.Context, l *ledger) error {
	for i, s := range l.strangers {
		if s.unread = s.attested && i >= maxForeign; s.unread {
			continue
		}
		f, err := dist.ParseFilename(s.name)
		if err != nil || !s.attested {
			continue
		}
		a, err := w.attestations(ctx, l.books.Project, f.Version, s.name)
		if err != nil {
			return err
		}
		s.brought, s.run = publishers(a), w.ownRun(s, a)
	}
	return nil
}

// ownRun is the run of the policy's publisher that attested the file.
func (w Witness) ownRun(s *stranger, a answer) string {
	bundles, err := attest.ParseBundles(s.name+".provenance", bytes.NewReader(a.body))
	if a.status != http.StatusOK || err != nil {
		return ""
	}
	for _, b := range bundles {
		if _, e, err := w.Verifier.VerifyStatement(w.Publisher.Policy(), b, s.digest, attest.PublishV1); err == nil {
			return e.Run
		}
	}
	return ""
}

// publishers are the trusted publishers that a provenance object names.
func publishers(a answer) string {
	var said struct {
		Bundles []struct {
			Publisher struct{ Kind, Repository, Workflow, Environment string }
		} `json:"attestation_bundles"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil {
		return ""
	}
	var names []string
	for _, b := range said.Bundles {
		p := b.Publisher
		names = append(names, strings.Join(strings.Fields(p.Kind+" "+p.Repository+" "+p.Workflow+" "+p.Environment), " "))
	}
	return strings.Join(names, ", ")
}
