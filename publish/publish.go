// Package publish takes an approved release to the index.
//
//	index, err := publish.NewIndex(publish.PyPI())
//	job := publish.Job{Witness: publish.Witness{Index: index, …}, Token: …, Signer: …, Store: …}
//	confirmed, err := job.Publish(ctx, approved)
//
// There is no password and no long-lived token; nothing here could take one.
// The [Job] shows who it is by GitHub's ID token, which is verified before it
// is used: it must show the one [Publisher] that the policy names. The index
// exchanges it for an upload token of some minutes, which is burned at the end,
// however that comes.
//
// [Job.Publish] goes in this order, and each step asks again what the last one
// left behind, so that running it again is always the right thing to do:
//
//  1. The index says which audience it wants; it must be the one that the
//     policy pins. Only then is an ID token made, and checked, claim by claim.
//  2. The index says what it has of the release. The same bytes count as
//     done; other bytes, or a file that nobody approved, refuse all the rest
//     ([Preflight] has all the questions).
//  3. Each file that is missing is signed for: one publish attestation (PEP 740),
//     verified as everybody else will.
//  4. The files are sent one after the other, wheels first, while the next are
//     signed for. Each is hashed on its way out, and the store withholds its last
//     bytes if it hashes to something else, so no changed file can be completed.
//  5. The upload tokens are burned.
//  6. [Witness.Confirm] looks at the index as a stranger would, and
//     makes [Confirmed] of what it sees.
//  7. What was confirmed is signed and stored: a verification summary for others
//     (SLSA), and the [Receipt].
//
// A receipt is believed for its signer alone ([Receipts]). Where there is one,
// Publish sends nothing, confirms again, and leaves a confirmation.
//
// What comes afterwards changes nothing on the index. [Witness.Reconcile] holds all
// that it offers against the receipts; [Witness.PlanWithdrawal] says what can be done
// about a release that must not be used, and a [Withdrawal] is the signed word that it
// was taken back ([Withdrawer]).
//
// An [Index] is the only way to an index, and it goes to the hosts of its
// address alone. What an index says is bounded and untrusted; its texts stand in
// refusals as they came, unless they repeat a token, and whoever shows them
// escapes them.
package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
)

// Step is what an event is about.
type Step string

const (
	Planned   Step = "planned"    // so many files, of Size bytes, are to be sent
	Present   Step = "present"    // the index has this file already
	Signed    Step = "signed"     // its publish attestation is made
	Sending   Step = "sending"    // Done of Size bytes have gone out
	Uploaded  Step = "uploaded"   // the index took it
	Waiting   Step = "waiting"    // the index does not serve everything yet
	Served    Step = "served"     // it was downloaded and is what was approved
	Comparing Step = "comparing"  // attestations are read again
	NotBurned Step = "not-burned" // an upload token could not be ended, and runs out by itself
)

// Event tells how far a job is. Leaving all events out changes nothing.
type Event struct {
	Step  Step   `json:"step"`
	File  string `json:"file,omitempty"`
	Done  int64  `json:"done,omitempty"` // bytes
	Size  int64  `json:"size,omitempty"` // bytes
	Files int    `json:"files,omitempty"`
	Note  string `json:"note,omitempty"`
}

// Job is the job that publishes. Every field is required but Progress and Minted.
type Job struct {
	Witness
	Token  attest.Token   // of this job
	Signer *attest.Signer // with this job's identity
	Store  *staging.Store // that the release is in
	Minted func(string)   // is told each upload token, in both of its forms, so that a log can mask it
}

// Publish uploads what the index does not have of an approved release, waits
// until it serves all of it, and stores the receipt. Running it again goes on
// where the last run ended. After a refusal or an error nothing that the index
// took is lost, and nothing that was not approved was sent.
func (j Job) Publish(ctx context.Context, a approval.Approved) (Confirmed, error) {
	if err := j.check(a); err != nil {
		return Confirmed{}, err
	}
	staged := a.Staged()
	j.Progress = oneByOne(j.Progress)
	receipts, _, err := Receipts(ctx, j.Store,
		staging.Release{Digest: staged.Digest(), Manifest: staged.Manifest()}, j.Publisher, j.Verifier)
	if err != nil {
		return Confirmed{}, err
	}
	if len(receipts) > 0 {
		return j.confirmAgain(ctx, staged)
	}
	done := newUnfinished(j.Index.Name(), staged)
	if err := j.deliver(ctx, a, &done); err != nil {
		return Confirmed{}, done.because(err)
	}
	confirmed, err := j.Confirm(ctx, staged)
	if err != nil {
		return Confirmed{}, done.because(err)
	}
	err = j.summarize(ctx, confirmed, staged)
	if err == nil {
		err = j.sign(ctx, confirmed, ReceiptKind, ReceiptType)
	}
	if err != nil {
		return Confirmed{}, fmt.Errorf("the release is on %s and confirmed; its receipt: %w", j.Index.Name(), err)
	}
	return confirmed, nil
}

// confirmAgain looks at a release that has a receipt, and writes down that it did.
func (j Job) confirmAgain(ctx context.Context, staged staging.Staged) (Confirmed, error) {
	confirmed, err := j.Confirm(ctx, staged)
	if err != nil {
		return Confirmed{}, err
	}
	if err := j.sign(ctx, confirmed, ConfirmationKind, ConfirmationType); err != nil {
		return Confirmed{}, fmt.Errorf("the release is on %s and confirmed; saying so: %w", j.Index.Name(), err)
	}
	return confirmed, nil
}

// deliver brings the release to the index, as far as it is not there.
func (j Job) deliver(ctx context.Context, a approval.Approved, done *Unfinished) error {
	staged := a.Staged()
	in, _, err := j.inspect(ctx, staged)
	if in != nil {
		done.found(in.seen.offer.there)
	}
	if err != nil {
		return err
	}
	if err := in.session.claims.ofRun(a.Run()); err != nil {
		return err
	}
	parcels := j.missing(staged, in.seen.offer.there)
	if len(parcels) == 0 {
		return nil
	}
	return in.session.uploadAll(ctx, staged, in.seen.release, parcels, done)
}

// oneByOne keeps two goroutines from reporting at once.
func oneByOne(progress func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		if progress == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		progress(e)
	}
}

func (j Job) check(a approval.Approved) error {
	if a.IsZero() {
		return errors.New("publish: no approval")
	}
	return j.complete(a.Staged())
}

func (j Job) complete(s staging.Staged) error {
	if j.Token == nil || j.Signer == nil || j.Store == nil {
		return errors.New("publish: no token, signer or store")
	}
	return j.Witness.check(s)
}
