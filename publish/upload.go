package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/cenkalti/backoff/v5"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const parallel = 8 // files signed or downloaded at once

// parcel is a file made ready for upload.
type parcel struct {
	file        dist.File
	info        dist.Info
	attestation []byte // publish/v1, as PEP 740 has it
}

// missing are the files that the index does not have, in the order in which they
// are sent.
func (j Job) missing(staged staging.Staged, done map[string]served) (parcels []parcel) {
	for _, f := range staged.Files() {
		if _, ok := done[f.File().Name()]; ok {
			j.report(Event{Step: Present, File: f.File().Name(), Size: f.File().Size()})
			continue
		}
		parcels = append(parcels, parcel{file: f.File(), info: f.Info()})
	}
	wheelsFirst(parcels)
	return parcels
}

// attest signs the statement that this job publishes the file, and verifies it
// as everybody else will.
func (j Job) attest(ctx context.Context, f dist.File) ([]byte, error) {
	statement, err := attest.Encode(attest.Statement[struct{}]{
		Name: f.Name(), Subject: f.Digest(), Type: attest.PublishV1,
	})
	if err != nil {
		return nil, err
	}
	bundle, err := j.Signer.Sign(ctx, f.Name()+".publish.attestation", statement)
	if err != nil {
		return nil, err
	}
	verdict, err := j.Verifier.Verify(ctx, j.Publisher.Policy(),
		[]attest.Candidate{{File: f, Bundles: []attest.Bundle{bundle}}})
	if err != nil {
		return nil, err
	}
	if err := verdict.Err(); err != nil {
		return nil, err
	}
	return bundle.PEP740()
}

// prepared makes the parcels ready, in order and some of them ahead of who takes
// them. It ends with the context, and wait tells when it has.
func (j Job) prepared(ctx context.Context, parcels []parcel) (next func(i int) error, wait func()) {
	results := make([]chan error, len(parcels))
	for i := range results {
		results[i] = make(chan error, 1)
	}
	ahead := make(chan struct{}, parallel)
	var work sync.WaitGroup
	work.Go(func() {
		for i := range parcels {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				results[i] <- ctx.Err()
				continue
			}
			work.Go(func() {
				patience := j.patience()
				if i == 0 { // nothing is lost by giving up
					patience = patience.atMost(issuerLimit)
				}
				results[i] <- j.prepare(ctx, &parcels[i], patience)
			})
		}
	})
	return func(i int) error {
		err := <-results[i]
		<-ahead
		return err
	}, work.Wait
}

// prepare signs for a file. Its bytes are read once, when they are sent.
func (j Job) prepare(ctx context.Context, p *parcel, patience patience) (err error) {
	if p.attestation, err = again(ctx, patience, func() ([]byte, error) { return j.attest(ctx, p.file) }); err != nil {
		return fmt.Errorf("publish attestation for %s: %w", p.file.Name(), err)
	}
	return nil
}

// uploadAll sends the parcels one after the other, for Warehouse locks the
// project's rows, and meanwhile prepares the next. Nothing is sent before the first
// is signed. Whatever happens, no upload token stays behind.
func (s *session) uploadAll(ctx context.Context, staged staging.Staged, r release, parcels []parcel, done *Unfinished) error {
	var total int64
	for i := range parcels { // a parcel that is being signed is not copied
		total += parcels[i].file.Size()
	}
	s.job.report(Event{Step: Planned, Size: total, Files: len(parcels)})
	ctx, cancel := context.WithCancel(ctx)
	next, wait := s.job.prepared(ctx, parcels)
	defer wait()
	defer cancel()
	defer s.burn(ctx)
	for i := range parcels {
		if err := next(i); err != nil {
			return err
		}
		p := parcels[i]
		s.job.report(Event{Step: Signed, File: p.file.Name(), Size: p.file.Size()})
		if err := s.upload(ctx, staged, r, p); err != nil {
			done.ended(p.file.Name(), err)
			return fmt.Errorf("upload %s to %s: %w", p.file.Name(), s.job.Index.Name(), err)
		}
		done.took(p.file.Name())
		s.job.report(Event{Step: Uploaded, File: p.file.Name(), Done: p.file.Size(), Size: p.file.Size()})
	}
	return nil
}

// upload sends one file. Whenever it is not plainly accepted, the index is
// asked what it has, until it says so: an upload can be kept and its answer lost.
// Only if the file is not there it is sent again, which changes nothing where it
// is after all.
func (s *session) upload(ctx context.Context, staged staging.Staged, r release, p parcel) error {
	_, err := again(ctx, s.job.patience(), func() (struct{}, error) {
		token, err := s.bearer(ctx)
		if err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		sent := s.send(ctx, staged, p, token)
		if sent == nil || isStored(sent) {
			return struct{}{}, sent
		}
		there, err := s.settle(ctx, r, p.file.Name())
		if err != nil {
			return struct{}{}, backoff.Permanent(doubtful{errors.Join(err, sent)})
		}
		if there {
			return struct{}{}, nil
		}
		return struct{}{}, sent
	})
	return err
}

// settle asks the index whether it has a file that may have reached it.
func (s *session) settle(ctx context.Context, r release, name string) (there bool, err error) {
	found, err := again(ctx, s.job.patience(), func() (offer, error) { return r.look(ctx, s.job.Index) })
	_, there = found.there[name]
	return there, err
}

// isStored tells whether the file itself was refused on its way out of the
// store. The index has nothing to say to that.
func isStored(err error) bool {
	var no rule.Refusals
	return errors.As(err, &no) && no[0].Rule == rule.StoredBytes
}

// send makes one request. Only status 200 is success, and only once all bytes
// have gone out, the last of which the store hands out if they hash right.
func (s *session) send(ctx context.Context, staged staging.Staged, p parcel, token secret) error {
	file, err := staged.Reader(p.file.Name())
	if err != nil {
		return err
	}
	out := &outgoing{file: file, progress: s.progress(p.file)}
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, transferTimeout(p.file.Size()))
	defer cancel()
	request, err := s.job.Index.delivery(ctx, p, out, token)
	if err != nil {
		return err
	}
	response, err := do(s.job.Index.client, request)
	if failed := out.failed(); failed != nil {
		if err == nil {
			response.Body.Close()
		}
		return failed
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return s.judge(response, out, p)
}

// delivery is the request that uploads a parcel, whose bytes come from file.
func (x *Index) delivery(ctx context.Context, p parcel, file io.ReadCloser, token secret) (*http.Request, error) {
	b, err := encode(p.form(), p.file.Name(), file, p.file.Size())
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, x.upload.String(), struct {
		io.Reader
		io.Closer
	}{b, file})
	if err != nil {
		return nil, err
	}
	request.ContentLength = b.length
	request.Header.Set("Content-Type", b.media)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", token.authorization())
	return request, nil
}

// judge reads the answer to an upload.
func (s *session) judge(response *http.Response, out *outgoing, p parcel) error {
	if response.StatusCode == http.StatusOK {
		if !out.complete() {
			return errors.New("the index answered before it had the whole file")
		}
		s.another = true
		// read to its end, so that the connection can be used again
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
		return nil
	}
	a, err := s.job.Index.read(response, maxAnswer)
	if err != nil {
		return err
	}
	got := a.says(s.secrets()...)
	no := rule.Refusal{File: p.file.Name(), Rule: rule.UploadRefused,
		Want: "status 200 from " + s.job.Index.Name(), Got: got,
		Hint: "correct what the index names; files that it has already are kept and not sent again"}
	switch {
	case a.status < 300 || retriable(a.status):
		return busy{errors.New(got), retryAfter(response.Header)}
	case closed(got):
		return notYet{no: rule.Refusals{no}}
	case a.status == http.StatusForbidden && s.another:
		// it has ended, by another clock than ours
		s.token = ""
		return errors.New(got)
	case a.status < 400:
		no.Rule = rule.IndexElsewhere
		no.Got = brief(got+", to "+response.Header.Get("Location"), s.secrets()...)
		no.Hint = "an upload follows no redirect; correct its address in the policy"
	}
	return rule.Refusals{no}
}

func (s *session) progress(f dist.File) func(done int64) {
	return func(done int64) {
		s.job.report(Event{Step: Sending, File: f.Name(), Done: done, Size: f.Size()})
	}
}

// outgoing is a file on its way to the index. It remembers how its reading
// ended: the connection's own error hides why a request was broken off.
type outgoing struct {
	file     io.ReadCloser
	progress func(done int64)

	mu     sync.Mutex
	done   int64 // bytes read
	shown  int64 // bytes reported
	end    error // EOF, or why the file could not be read
	closed bool
}

// step is how many bytes go by between two reports.
const step = 1 << 20

func (o *outgoing) Read(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := o.file.Read(b)
	o.done += int64(n)
	if err != nil {
		o.end = err
	}
	if o.done-o.shown >= step || err == io.EOF {
		o.shown = o.done
		o.progress(o.done)
	}
	return n, err
}

func (o *outgoing) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	return o.file.Close()
}

func (o *outgoing) complete() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end == io.EOF
}

// failed is why the file could not be read, or nil.
func (o *outgoing) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end == io.EOF {
		return nil
	}
	return o.end
}
