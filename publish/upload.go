package publish

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const (
	parallel    = 8 // files signed or downloaded at once
	uploadTries = 4
	uploadLimit = 20 * time.Minute // of waiting between the tries for one file
)

// parcel is a file made ready for upload. Nothing was sent yet.
type parcel struct {
	file        dist.File
	info        dist.Info
	blake2      string // BLAKE2b-256 in hexadecimal digits
	attestation []byte // publish/v1, as PEP 740 has it
}

// prepare hashes and signs the files, several at once. Everything that can go
// wrong on our side does so here, before the index has a single file.
func (j Job) prepare(ctx context.Context, staged staging.Staged, done map[string]served) ([]parcel, error) {
	var pending []attest.Verified
	for _, f := range staged.Files() {
		if _, ok := done[f.File().Name()]; ok {
			j.report(Event{Step: Present, File: f.File().Name(), Size: f.File().Size()})
			continue
		}
		pending = append(pending, f)
	}
	parcels := make([]parcel, len(pending))
	err := each(ctx, len(pending), j.report, func(ctx context.Context, i int) (e Event, err error) {
		parcels[i], err = j.parcel(ctx, staged, pending[i])
		return Event{Step: Signed, File: pending[i].File().Name(), Size: pending[i].File().Size()}, err
	})
	wheelsFirst(parcels)
	return parcels, err
}

func (j Job) parcel(ctx context.Context, staged staging.Staged, f attest.Verified) (parcel, error) {
	p := parcel{file: f.File(), info: f.Info()}
	err := p.info.Filename.CheckIndex()
	if err != nil {
		return parcel{}, err
	}
	if p.blake2, err = blake2(ctx, staged, p.file.Name()); err != nil {
		return parcel{}, err
	}
	if p.attestation, err = j.attest(ctx, p.file); err != nil {
		return parcel{}, fmt.Errorf("publish attestation for %s: %w", p.file.Name(), err)
	}
	return p, nil
}

// blake2 is PyPI's second digest, over bytes whose first is verified on the way.
func blake2(ctx context.Context, staged staging.Staged, name string) (string, error) {
	r, err := staged.Reader(name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	hash, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	_, err = io.CopyBuffer(hash, until{ctx, r}, make([]byte, copyBuffer))
	return hex.EncodeToString(hash.Sum(nil)), err
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

// uploadAll sends the parcels one after the other, for Warehouse locks the
// project's rows. Whatever happens, no upload token stays behind.
func (s *session) uploadAll(ctx context.Context, staged staging.Staged, r release, parcels []parcel) error {
	defer s.burn(ctx)
	for _, p := range parcels {
		if err := s.upload(ctx, staged, r, p); err != nil {
			return err
		}
		s.job.report(Event{Step: Uploaded, File: p.file.Name(), Done: p.file.Size(), Size: p.file.Size()})
	}
	return nil
}

// upload sends one file. Whenever it is not plainly accepted, the index is
// asked what it has: an upload can be kept and its answer lost. Sending the
// same bytes again changes nothing there, so it is safe.
func (s *session) upload(ctx context.Context, staged staging.Staged, r release, p parcel) error {
	_, err := again(ctx, uploadLimit, uploadTries, func() (struct{}, error) {
		sent := s.send(ctx, staged, p)
		if sent == nil || isStored(sent) || ctx.Err() != nil {
			return struct{}{}, sent
		}
		offer, err := r.look(ctx, s.job.Index)
		if err != nil {
			return struct{}{}, errors.Join(err, sent)
		}
		if _, ok := offer.there[p.file.Name()]; ok {
			return struct{}{}, nil
		}
		return struct{}{}, sent
	})
	if err != nil {
		return fmt.Errorf("upload %s to %s: %w", p.file.Name(), s.job.Index.Name(), err)
	}
	return nil
}

// isStored tells whether the file itself was refused on its way out of the
// store. The index has nothing to say to that.
func isStored(err error) bool {
	var no rule.Refusals
	return errors.As(err, &no) && no[0].Rule == rule.StoredBytes
}

// send makes one request. Only status 200 is success, and only once all bytes
// have gone out, the last of which the store hands out if they hash right.
func (s *session) send(ctx context.Context, staged staging.Staged, p parcel) error {
	token, err := s.bearer(ctx)
	if err != nil {
		return err
	}
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

// until is a reader that ends when its context does.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}
