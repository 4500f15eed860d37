package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
)

// Bounds on a conversation with a registry.
const (
	tries         = 5                      // of one request, the first included
	firstPause    = 200 * time.Millisecond // before the second try; each is longer than the last
	longestPause  = time.Minute            // that a registry may ask for
	smallTimeout  = time.Minute            // for what is not a distribution, and its answer
	answerTimeout = 5 * time.Minute
	slowest       = 64 << 10 // bytes a second, below which a distribution is given up
	maxRedirects  = 5
	maxMessage    = 400 // bytes of what a registry says in an error
)

// newClient talks to a registry, and shows its credentials to nobody else. It
// follows redirects to where a registry keeps its blobs, without credentials
// and never from https to http.
func newClient(plain bool, login auth.CredentialFunc) *auth.Client {
	client := &auth.Client{Credential: login, Cache: auth.NewCache(), Client: &http.Client{
		Transport: heedful{&http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: answerTimeout,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   registryWidth,
			ForceAttemptHTTP2:     true,
		}},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			if r.URL.Scheme != "https" && !(plain && attest.IsLoopback(r.URL.Hostname())) {
				return fmt.Errorf("a redirect to %s, which is not https", r.URL.Redacted())
			}
			return nil
		},
	}}
	client.SetUserAgent("distgate")
	return client
}

// login looks for credentials in Docker's config file, and among the tokens for
// a host that has none there. A registry that wants none is not shown any.
func (r Registry) login() (auth.CredentialFunc, error) {
	config := func(context.Context, string) (auth.Credential, error) { return auth.EmptyCredential, nil }
	if r.Config != "" {
		store, err := credentials.NewStore(r.Config, credentials.StoreOptions{})
		if err != nil {
			return nil, err
		}
		config = credentials.Credential(store)
	}
	return func(ctx context.Context, host string) (auth.Credential, error) {
		found, err := config(ctx, host)
		if token := r.Tokens[host]; err == nil && found == auth.EmptyCredential && token != "" {
			return auth.Credential{Username: "distgate", Password: string(token)}, nil
		}
		return found, err
	}, nil
}

// heedful ends an answer that says nothing of what was asked, as an error that
// knows when to ask again.
type heedful struct{ next http.RoundTripper }

func (h heedful) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch status := response.StatusCode; {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		response.Body.Close()
		return nil, busy{status, retryAfter(response.Header.Get("Retry-After"))}
	}
	return response, nil
}

// busy is an answer of a registry that cannot answer now.
type busy struct {
	status int
	after  time.Duration // 0 where it did not say
}

func (b busy) Error() string {
	text := fmt.Sprintf("status %d %s", b.status, strings.ToLower(http.StatusText(b.status)))
	if b.after > 0 {
		text += ", to be asked again in " + b.after.String()
	}
	return text
}

// retryAfter reads the header's seconds; its other form, a date, is left to our
// own pauses.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 1<<20)) * time.Second
}

// again asks until there is an answer, a few times, each for no longer than
// patience. A refusal is an answer, and so is an error that another try cannot
// mend.
func (r *registry) again(ctx context.Context, patience time.Duration, ask func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = r.pause
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		trying, cancel := context.WithTimeoutCause(ctx, patience, tooSlow{patience})
		defer cancel()
		last = ask(trying)
		if last != nil && trying.Err() != nil {
			last = context.Cause(trying)
		}
		return struct{}{}, verdict(last)
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return r.plainly(last)
}

// settled does something again, a few times, while it is refused.
func (r *registry) settled(ctx context.Context, do func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = r.pause
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if last = do(); last != nil && !errors.As(last, new(rule.Refusals)) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries))
	var final *backoff.PermanentError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(last, &final):
		return final.Unwrap()
	}
	return last
}

// said tells whether a registry answered with an error of that code.
func said(err error, code string) bool {
	var answer *errcode.ErrorResponse
	return errors.As(err, &answer) &&
		slices.ContainsFunc(answer.Errors, func(e errcode.Error) bool { return e.Code == code })
}

// tooSlow is a try that was given up.
type tooSlow struct{ patience time.Duration }

func (t tooSlow) Error() string { return fmt.Sprintf("no answer within %s", t.patience) }

// verdict tells backoff whether to try again, and when.
func verdict(err error) error {
	var wait busy
	var failed *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wait) && wait.after > longestPause:
		return backoff.Permanent(err)
	case errors.As(err, &wait) && wait.after > 0:
		return &backoff.RetryAfterError{Duration: wait.after}
	case errors.As(err, &failed), errors.As(err, new(net.Error)),
		errors.As(err, new(tooSlow)), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return backoff.Permanent(err)
}

// plainly says what went wrong in words, and what to do where it is known.
func (r *registry) plainly(err error) error {
	var no rule.Refusals
	if errors.As(err, &no) {
		return no
	}
	var answer *errcode.ErrorResponse
	status, text := 0, err.Error()
	if errors.As(err, &answer) {
		status, text = answer.StatusCode, fmt.Sprintf("status %d", answer.StatusCode)
		if len(answer.Errors) > 0 {
			text += ": " + answer.Errors.Error()
		}
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		text = failed.Err.Error()
	}
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		status, text = http.StatusUnauthorized, "it wants credentials, and there are none"
	}
	hint := map[int]string{
		http.StatusUnauthorized: "; log in with `docker login " + r.host() + "`, or in GitHub Actions hand in GITHUB_TOKEN",
		http.StatusForbidden: "; the login must be allowed to read this repository, and to write to it where something " +
			"is staged or recorded (in GitHub Actions: packages: write)",
	}[status]
	return registryError{fmt.Sprintf("%s: %s%s", r.address, brief(text), hint), err}
}

// registryError is what a registry did not do.
type registryError struct {
	text string
	err  error
}

func (e registryError) Error() string { return e.text }
func (e registryError) Unwrap() error { return e.err }

// brief is a text from outside, on one line and cut to what fits.
func brief(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
