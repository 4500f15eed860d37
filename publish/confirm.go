package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Confirmed is the proof that, in this process, the index was seen to serve
// exactly the files of a release, each with a publish attestation of the
// publisher. Only [Confirm] and [Job.Publish] make one.
type Confirmed struct {
	release dist.Digest
	receipt Receipt
}

// Release is the digest of the release.
func (c Confirmed) Release() dist.Digest { return c.release }

// Receipt is what the index serves, file by file.
func (c Confirmed) Receipt() Receipt { return c.receipt.clone() }

// IsZero tells whether c proves nothing.
func (c Confirmed) IsZero() bool { return c.release.IsZero() }

// Witness looks at an index from outside, with no right but to read. Every
// field is required but Patience and Progress.
type Witness struct {
	Index     *Index
	Publisher Publisher
	Verifier  *attest.Verifier // with the roots that publish attestations are judged by
	Patience  time.Duration    // with an index that gives no answer; 0 is the time that its caches have
	Progress  func(Event)      // called by one goroutine at a time
}

func (w Witness) patience() patience {
	p := patience{outage: w.Patience, caches: w.Index.address.Patience, report: w.Progress}
	if p.outage <= 0 {
		p.outage = p.caches
	}
	return p
}

func (w Witness) check(s staging.Staged) error {
	if w.Index == nil || w.Verifier == nil || s.IsZero() {
		return errors.New("publish: no index, verifier or staged release")
	}
	if err := w.Publisher.Check(); err != nil {
		return err
	}
	return releaseFor(s.Manifest(), w.Index.Name(), w.Publisher.Environment)
}

// releaseFor refuses a release that is for another index or environment.
func releaseFor(m staging.Manifest, index, environment string) error {
	var no rule.Refusals
	for _, row := range []struct{ label, want, got string }{
		{"index", m.Index, index},
		{"environment", m.Environment, environment},
	} {
		if row.want != row.got {
			no = append(no, rule.Refusal{File: m.Project + "-" + m.Version, Rule: rule.ReleaseForIndex,
				Want: row.label + " " + row.want + ", for which it is approved", Got: orNothing(row.got),
				Hint: "stage the files for this " + row.label + ", and let that be approved"})
		}
	}
	return no.Err()
}

// Confirm looks at the index as a stranger would: it waits until every file is
// listed, downloads and hashes each, and verifies the provenance that the
// index serves for it. Whatever is missing, more, or other than it was
// approved is refused. It waits as long as the index's caches may take.
func (w Witness) Confirm(ctx context.Context, s staging.Staged) (Confirmed, error) {
	if err := w.check(s); err != nil {
		return Confirmed{}, err
	}
	r, err := newRelease(s)
	if err != nil {
		return Confirmed{}, err
	}
	w.Progress = oneByOne(w.Progress)
	there, err := w.await(ctx, r)
	if err != nil {
		return Confirmed{}, err
	}
	candidates := make([]attest.Candidate, len(r.files))
	err = each(ctx, len(r.files), w.report, func(ctx context.Context, i int) (e Event, err error) {
		f := r.files[i]
		candidates[i], err = w.candidate(ctx, r, f, there[f.name])
		return Event{Step: Served, File: f.name, Done: f.size, Size: f.size}, err
	})
	if err != nil {
		return Confirmed{}, err
	}
	verdict, err := w.Verifier.Verify(ctx, w.Publisher.Policy(), candidates)
	if err == nil {
		err = verdict.Err()
	}
	if err != nil {
		return Confirmed{}, err
	}
	return Confirmed{release: s.Digest(), receipt: w.receipt(r, there, verdict)}, nil
}

// receipt writes down what was just proven.
func (w Witness) receipt(r release, there map[string]served, v attest.Verdict) Receipt {
	receipt := Receipt{Index: w.Index.Name(), Project: r.project, Version: r.version.String(),
		Confirmed: time.Now().UTC().Truncate(time.Second)}
	for _, f := range v.Verified() {
		file := f.File()
		receipt.Files = append(receipt.Files, ReceiptFile{
			Name: file.Name(), Digest: file.Digest(), Size: file.Size(),
			URL: there[file.Name()].url.String(), Attestation: f.Evidence()[0].Bundle})
	}
	return receipt
}

// await polls the simple API until every file is listed.
func (w Witness) await(ctx context.Context, r release) (map[string]served, error) {
	return again(ctx, w.patience(), func() (map[string]served, error) {
		offer, err := r.look(ctx, w.Index)
		if err != nil {
			return nil, err
		}
		var missing rule.Refusals
		for _, f := range r.files {
			if _, ok := offer.there[f.name]; !ok {
				missing = append(missing, rule.Refusal{File: f.name, Rule: rule.ServedMissing,
					Want: "listed by " + w.Index.Name(), Got: "nothing",
					Hint: "run publish again; a file that was deleted there cannot come back under its name"})
			}
		}
		if len(missing) > 0 {
			return nil, notYet{missing, true}
		}
		return offer.there, nil
	})
}

// candidate is a file as the index serves it: the bytes that were downloaded,
// and the provenance that it has for them.
func (w Witness) candidate(ctx context.Context, r release, want file, s served) (attest.Candidate, error) {
	file, err := w.download(ctx, want, s)
	if err != nil {
		return attest.Candidate{}, err
	}
	bundles, err := w.provenance(ctx, r, want.name)
	if err != nil {
		return attest.Candidate{}, err
	}
	return attest.Candidate{File: file, Bundles: bundles}, nil
}

// download hashes the bytes that the index serves.
func (w Witness) download(ctx context.Context, want file, s served) (dist.File, error) {
	file, err := again(ctx, w.patience(), func() (dist.File, error) {
		return w.fetch(ctx, want, s)
	})
	if err != nil {
		return dist.File{}, err
	}
	if file.Digest() == want.digest && file.Size() == want.size {
		return file, nil
	}
	got := fmt.Sprintf("%s, %d bytes", file.Digest(), file.Size())
	if file.Size() > want.size {
		got = "more bytes"
	}
	return dist.File{}, rule.Refusals{{File: want.name, Rule: rule.ServedBytes,
		Want: fmt.Sprintf("%s, %d bytes", want.digest, want.size), Got: got,
		Hint: "other bytes than were approved: yank the release, and ask the index's administrators"}}
}

func (w Witness) fetch(ctx context.Context, want file, s served) (dist.File, error) {
	return w.Index.fetch(ctx, s, io.Discard, want.size+1)
}

// fetch writes the bytes that the index serves to dst, at most max of them, and
// hashes them on the way.
func (x *Index) fetch(ctx context.Context, s served, dst io.Writer, max int64) (dist.File, error) {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout(max))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return dist.File{}, x.unreadable(s.url, "the URL of a file", err.Error())
	}
	r.Header.Set("Accept-Encoding", "identity") // what is hashed is what was uploaded
	response, err := do(x.client, r)
	if err != nil {
		return dist.File{}, fmt.Errorf("download %s: %w", s.name, err)
	}
	defer response.Body.Close()
	switch {
	case retriable(response.StatusCode):
		return dist.File{}, busy{fmt.Errorf("download %s: status %d", s.name, response.StatusCode),
			retryAfter(response.Header)}
	case response.StatusCode != http.StatusOK:
		return dist.File{}, notYet{served: true, no: rule.Refusals{{File: s.name, Rule: rule.ServedMissing,
			Want: "the file at " + s.url.Redacted(), Got: fmt.Sprintf("status %d", response.StatusCode),
			Hint: "wait for the index, and run this again"}}}
	}
	return dist.Copy(dst, io.LimitReader(response.Body, max), s.name, max)
}

// provenance is what the integrity API serves for a file, unverified.
func (w Witness) provenance(ctx context.Context, r release, name string) ([]attest.Bundle, error) {
	at := w.Index.integrity.JoinPath(r.project, r.version.String(), name, "provenance")
	return again(ctx, w.patience(), func() ([]attest.Bundle, error) {
		a, err := w.Index.get(ctx, at, integrityJSON, maxProvenance)
		if err != nil {
			return nil, err
		}
		if a.status != http.StatusOK {
			return nil, notYet{served: !closed(a.says()), no: rule.Refusals{{File: name, Rule: rule.ServedProvenance,
				Want: "a publish attestation at " + at.Redacted(), Got: a.says(),
				Hint: "a file that came by another road has none, and can get none: release a new version"}}}
		}
		return attest.ParseBundles(name+".provenance", bytes.NewReader(a.body))
	})
}

func (w Witness) report(e Event) { w.Progress(e) }

// each runs do for 0 to n-1, several at once, and reports what is done in order.
// What they refuse is collected in order; any other error ends them all.
func each(ctx context.Context, n int, report func(Event), do func(ctx context.Context, i int) (Event, error)) error {
	refused := make([]rule.Refusals, n)
	done := inOrder{report: report, events: make([]*Event, n)}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for i := range n {
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, err := do(ctx, i)
			if errors.As(err, &refused[i]) {
				e, err = Event{}, nil
			}
			if err == nil {
				done.put(i, e)
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return rule.Refusals(slices.Concat(refused...)).Err()
}

// inOrder reports events of things that are done at once as if each had waited
// for the one before it, so that two logs can be compared.
type inOrder struct {
	report func(Event)
	mu     sync.Mutex
	events []*Event // nil before it is done
	next   int
}

// put takes the event of the i-th. The zero Event is not reported.
func (o *inOrder) put(i int, e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events[i] = &e
	for o.next < len(o.events) && o.events[o.next] != nil {
		if e := *o.events[o.next]; e != (Event{}) {
			o.report(e)
		}
		o.next++
	}
}
