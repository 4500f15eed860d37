package publish

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/distgate/distgate/staging/rule"
)

const (
	renewBefore  = 5 * time.Minute  // what twine leaves for an upload
	lifetime     = 15 * time.Minute // of an upload token that does not say (PEP 807)
	issuerLimit  = 10 * time.Minute // without an ID token, or a first signature
	burnTimeout  = 7 * time.Second  // GitHub kills a cancelled job after 10 seconds
	maxToken     = 16 << 10         // characters
	audiencePath = "audience"
	mintPath     = "mint-token"
	burnPath     = "burn-token"
)

// secret is an upload token. It prints as nothing of itself.
type secret string

func (secret) String() string   { return "[token]" }
func (secret) GoString() string { return "[token]" }

// authorization is the header that an upload is sent with.
func (s secret) authorization() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("__token__:"+string(s)))
}

// forms are the token as it is, and as the header has it.
func (s secret) forms() []string {
	return []string{string(s), strings.TrimPrefix(s.authorization(), "Basic ")}
}

// session is the time between the first upload token and the last one's end.
// Tokens are minted when they are needed, renewed before they end, and burned.
type session struct {
	job     Job
	at      exchange
	claims  Claims
	token   secret
	another bool // where this token is refused, another is worth a try: it is the first, or was good before
	expires time.Time
	minted  []secret // all of them, to be burned
}

// open asks the index for its audience, and only if that is the policy's, the
// job for an ID token, which it verifies. Where that is refused, the session
// comes with the refusals, and knows the claims as far as they could be read.
func (j Job) open(ctx context.Context) (*session, error) {
	s, err := j.reach(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.identify(ctx)
	return s, err
}

// reach asks the index where it exchanges tokens, and for its audience.
func (j Job) reach(ctx context.Context) (*session, error) {
	at, err := again(ctx, j.patience(), func() (exchange, error) { return j.Index.discover(ctx) })
	if err != nil {
		return nil, err
	}
	_, err = again(ctx, j.patience(), func() (struct{}, error) {
		return struct{}{}, j.Index.checkAudience(ctx, at.audience)
	})
	return &session{job: j, at: at}, err
}

// identify gets an ID token that shows the publisher.
func (s *session) identify(ctx context.Context) (idToken string, err error) {
	audience := s.job.Index.address.Audience
	return again(ctx, s.job.patience().atMost(issuerLimit), func() (string, error) {
		if idToken, err = s.job.Token(ctx, audience); err != nil {
			return "", err
		}
		s.claims, err = s.job.Publisher.Verify(ctx, idToken, audience)
		return idToken, err
	})
}

// checkAudience refuses an index that wants tokens of another audience than
// the policy has for it. None was made when it is asked, and none will be.
func (x *Index) checkAudience(ctx context.Context, at *url.URL) error {
	a, err := x.get(ctx, at, "application/json", maxAnswer)
	if err != nil {
		return err
	}
	if said := a.says(); a.status != http.StatusOK {
		no := x.otherAudience(said, "the index must have trusted publishing; there is no other way to publish")
		if closed(said) {
			return notYet{no: no}
		}
		return no
	}
	var audience string
	if err := x.json(at, a, map[string]any{"audience": &audience}); err != nil {
		return err
	}
	if audience != x.address.Audience {
		return x.otherAudience(orNothing(brief(audience)),
			"no token was made; see whether the policy names the index that you mean")
	}
	return nil
}

func (x *Index) otherAudience(got, hint string) rule.Refusals {
	return rule.Refusals{{File: x.Name(), Rule: rule.IndexAudience,
		Want: "the audience " + x.address.Audience, Got: got, Hint: hint}}
}

// bearer is an upload token that is good for one more upload.
func (s *session) bearer(ctx context.Context) (secret, error) {
	if s.token == "" || s.at.single || time.Until(s.expires) < renewBefore {
		if err := s.mint(ctx); err != nil {
			return "", err
		}
	}
	return s.token, nil
}

// mint exchanges a new ID token for an upload token. An ID token can be used
// once, so that each try has its own.
func (s *session) mint(ctx context.Context) error {
	_, err := again(ctx, s.job.patience(), func() (struct{}, error) {
		idToken, err := s.identify(ctx)
		if err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, s.exchange(ctx, idToken)
	})
	return err
}

func (s *session) exchange(ctx context.Context, idToken string) error {
	x, at := s.job.Index, s.at.mint
	a, err := x.post(ctx, at, map[string]string{"token": idToken})
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return s.refused(a, idToken)
	}
	var token string
	var expires int64 // seconds since 1970
	if err := x.json(at, a, map[string]any{"token": &token, "expires": &expires}); err != nil {
		return x.unreadable(at, "an upload token", "something else") // which might quote it
	}
	if !isToken(token) {
		return x.unreadable(at, "an upload token", fmt.Sprintf("%d characters that are none", len(token)))
	}
	s.token, s.expires, s.another = secret(token), time.Unix(expires, 0), len(s.minted) == 0
	if expires == 0 {
		s.expires = time.Now().Add(lifetime)
	}
	s.minted = append(s.minted, s.token)
	if s.job.Minted != nil {
		for _, form := range s.token.forms() {
			s.job.Minted(form)
		}
	}
	if !s.expires.After(time.Now()) {
		return x.unreadable(at, "an upload token that is valid now", "one until "+stamp(s.expires))
	}
	return nil
}

// isToken tells whether s can be sent in a header as it is.
func isToken(s string) bool {
	return s != "" && len(s) <= maxToken &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// secrets are all that was sent in confidence: the upload tokens in both of
// their forms, and others.
func (s *session) secrets(others ...string) []string {
	for _, token := range s.minted {
		others = append(others, token.forms()...)
	}
	return others
}

// mintHints is what to do about each of Warehouse's codes.
func mintHints() map[string]string {
	return map[string]string{
		"invalid-publisher": "compare this with the project's trusted publisher on the index, " +
			"letter by letter: owner, repository, workflow file name, environment",
		"invalid-pending-publisher": "the project exists by now: add the trusted publisher to the project itself",
		"invalid-reuse-token":       "run publish again; each try needs an ID token of its own",
		"invalid-token":             "run publish again; if it stays so, compare the audience and the clock",
		"not-enabled":               "the index takes no trusted publishing now; try later",
	}
}

// notMinted is why the index minted nothing, with its own codes for it.
type notMinted struct {
	rule.Refusals
	codes []string
}

func (n notMinted) Unwrap() error { return n.Refusals }

// refused explains why the index minted nothing, beside what it was shown.
func (s *session) refused(a answer, idToken string) error {
	var said []struct {
		Code        string `json:"code"`
		Description string `json:"description"`
	}
	no := rule.Refusal{File: s.job.Index.Name(), Rule: rule.TokenRefused,
		Want: "an upload token for " + s.claims.String(), Got: a.says(s.secrets(idToken)...),
		Hint: "see the project's publishing settings on the index"}
	err := s.job.Index.json(s.at.mint, a, map[string]any{"errors": &said})
	if err != nil || len(said) == 0 || len(said) > 20 {
		return rule.Refusals{no}
	}
	var all notMinted
	for _, e := range said {
		no := no
		no.Got = brief(e.Code+": "+e.Description, s.secrets(idToken)...)
		if hint, ok := mintHints()[e.Code]; ok {
			no.Hint = hint
		}
		all.Refusals, all.codes = append(all.Refusals, no), append(all.codes, e.Code)
	}
	if closed(all.Refusals[0].Got) {
		return notYet{no: all.Refusals}
	}
	return all
}

// burn ends every token that was minted, even if ctx has ended. An index that
// cannot burn lets them run out.
func (s *session) burn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), burnTimeout)
	defer cancel()
	x := s.job.Index
	for _, token := range s.minted {
		a, err := x.post(ctx, s.at.burn, map[string]string{"token": string(token)})
		if err == nil && a.status != http.StatusAccepted {
			err = errors.New(a.says(s.secrets()...))
		}
		if err != nil {
			s.job.report(Event{Step: NotBurned,
				Note: brief(fmt.Sprintf("it ends by %s: %v", stamp(s.expires), err), s.secrets()...)})
		}
	}
	s.minted, s.token = nil, ""
}
