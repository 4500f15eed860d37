package publish

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/cenkalti/backoff/v5"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
)

// Canary shows the index the ID token of a job of the publisher's workflow that
// runs in no environment, and wants no upload token for it. Where the index
// mints one, a publisher without environment is registered, and every branch
// could publish: the token is ended at once and the publisher refused. Any other
// answer than "no such publisher" decides nothing.
//
// A project need not be there yet, and isNew tells that it is not. Warehouse looks for a
// pending publisher before all others, and by the same rule: one that names an
// environment is not found, and stays as it is. One that names none is found, and
// makes its project; it would have done so for any branch.
func (w Witness) Canary(ctx context.Context, project string, token attest.Token) (isNew bool, err error) {
	if w.Index == nil || token == nil || project == "" {
		return false, errors.New("publish: no index, project or token")
	}
	if err := w.Publisher.Check(); err != nil {
		return false, err
	}
	w.Progress = oneByOne(w.Progress)
	nothing := func(kept []served, _ *url.URL, _ entry) ([]served, error) { return kept, nil }
	p, err := again(ctx, w.patience(), func() (page, error) { return w.Index.list(ctx, project, nothing) })
	if err != nil {
		return false, err
	}
	s, err := Job{Witness: w, Token: token}.reach(ctx)
	if err != nil {
		return !p.listed, err
	}
	defer s.burn(ctx)
	_, err = again(ctx, w.patience(), func() (struct{}, error) { return struct{}{}, s.tempt(ctx) })
	return !p.listed, err
}

// tempt asks for an upload token that must not be.
func (s *session) tempt(ctx context.Context) error {
	idToken, err := s.outside(ctx)
	if err != nil {
		return backoff.Permanent(err)
	}
	err = s.exchange(ctx, idToken)
	if err == nil {
		return rule.Refusals{{File: s.job.Index.Name(), Rule: rule.PublisherOpen,
			Want: "no upload token for a job outside the environment " + s.job.Publisher.Environment,
			Got:  "one, which was ended at once",
			Hint: "on the index, remove the publisher without environment: under the project's publishing settings, " +
				"and where it was pending, under those of the project that it made now"}}
	}
	var no notMinted
	if !errors.As(err, &no) {
		return err
	}
	if slices.Equal(no.codes, []string{"invalid-publisher"}) {
		return nil
	}
	return backoff.Permanent(fmt.Errorf("%s minted nothing, but for another reason: %s", s.job.Index.Name(), no.Refusals[0].Got))
}

// outside gets an ID token that shows the publisher, but for its environment:
// it must show none.
func (s *session) outside(ctx context.Context) (string, error) {
	audience := s.job.Index.address.Audience
	idToken, err := s.job.Token(ctx, audience)
	if err != nil {
		return "", err
	}
	if s.claims, err = s.job.Publisher.read(ctx, idToken, audience); err != nil {
		return "", err
	}
	if s.claims.Environment != "" {
		return "", rule.Refusals{{File: "ID token", Rule: rule.PublisherClaims, Want: "no environment",
			Got: brief(s.claims.Environment), Hint: "run the canary in a job without environment"}}
	}
	inside := s.claims
	inside.Environment = s.job.Publisher.Environment
	return idToken, s.job.Publisher.compare(inside)
}
