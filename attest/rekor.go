package attest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cenkalti/backoff/v5"
	"github.com/sigstore/rekor/pkg/client"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
)

// rekor is the log as the signing library knows it, with answers that end and are
// whole: the library reads without end, and takes for granted what an entry lacks.
type rekor struct {
	address string
	log     entries.ClientService
	http    *http.Client
}

func newRekor(address string) (*rekor, error) {
	log, err := client.GetRekorClient(address)
	if err != nil {
		return nil, err
	}
	return &rekor{address, log.Entries, &http.Client{Transport: bounded{http.DefaultTransport}}}, nil
}

// CreateLogEntry logs an entry, and asks a few times where there is no answer.
func (r *rekor) CreateLogEntry(params *entries.CreateLogEntryParams, options ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	params.SetHTTPClient(r.http)
	created, err := backoff.Retry(params.Context, func() (*entries.CreateLogEntryCreated, error) {
		created, err := r.log.CreateLogEntry(params, options...)
		busy := (*entries.CreateLogEntryDefault)(nil)
		if err == nil || errors.As(err, new(*url.Error)) || errors.As(err, &busy) && busy.IsServerError() {
			return created, err
		}
		return nil, backoff.Permanent(err)
	}, backoff.WithMaxTries(signRetries+1))
	if final := (*backoff.PermanentError)(nil); errors.As(err, &final) {
		err = final.Unwrap()
	}
	if err != nil {
		return nil, err
	}
	return created, r.whole(created.Payload[created.ETag])
}

// GetLogEntryByUUID reads an entry that is there already.
func (r *rekor) GetLogEntryByUUID(params *entries.GetLogEntryByUUIDParams, options ...entries.ClientOption) (*entries.GetLogEntryByUUIDOK, error) {
	params.SetHTTPClient(r.http)
	found, err := r.log.GetLogEntryByUUID(params, options...)
	if err != nil {
		return nil, err
	}
	if len(found.Payload) != 1 {
		return nil, fmt.Errorf("%s: want one entry, got %d", r.address, len(found.Payload))
	}
	for _, entry := range found.Payload {
		err = r.whole(entry)
	}
	return found, err
}

// whole wants an entry with its proof of inclusion, as the API describes it.
func (r *rekor) whole(e models.LogEntryAnon) error {
	if v := e.Verification; e.LogID != nil && e.LogIndex != nil && e.IntegratedTime != nil && v != nil {
		if p := v.InclusionProof; p != nil && p.LogIndex != nil && p.RootHash != nil && p.TreeSize != nil && p.Checkpoint != nil {
			return nil
		}
	}
	return fmt.Errorf("%s: want a log entry with its proof of inclusion, got something else", r.address)
}
