package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
)

// Bounds on a conversation with an index or an issuer.
const (
	maxRedirects  = 5
	dialTimeout   = 10 * time.Second
	answerTimeout = 5 * time.Minute  // from the end of a request; PyPI's workers live for 4 minutes
	smallTimeout  = 60 * time.Second // for a request that is not a file, and its answer
	slowest       = 64 << 10         // bytes a second, below which a file is given up
	copyBuffer    = 256 << 10        // bytes
)

// origin is scheme, host and port: who is at the other end. Default ports are
// left out, so that two spellings of one origin are equal.
func origin(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

// secure parses an address that is https, or http on this machine, and that
// names a place and nothing else.
func secure(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("not a URL")
	}
	switch {
	case !attest.IsPrivate(u):
		return nil, fmt.Errorf("%s, which is not https", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%s, with a user, query or fragment", u.Redacted())
	}
	return u, nil
}

// newClient talks to the given origins alone, whatever a redirect says.
// No answer is longer than max bytes.
func newClient(max int64, origins ...string) *http.Client {
	return &http.Client{
		Transport: within{max: max, origins: origins, next: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: answerTimeout,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   parallel,
			WriteBufferSize:       copyBuffer,
			ReadBufferSize:        copyBuffer,
			ForceAttemptHTTP2:     true,
		}},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if via[0].Method != http.MethodGet || len(via) > maxRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// within is a transport that leaves for no other origin.
type within struct {
	origins []string
	max     int64
	next    http.RoundTripper
}

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	if to := origin(r.URL); !slices.Contains(w.origins, to) {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, rule.Refusals{{File: brief(r.URL.Path), Rule: rule.IndexElsewhere,
			Want: strings.Join(w.origins, " or "), Got: brief(to),
			Hint: "if that host is the right one, for example for files, name it in the policy"}}
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "distgate")
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, w.max), response.Body}
	return response, nil
}

// do sends a request. A refusal of our own on the way comes back as such, and
// every other error without the URL, which callers name better.
func do(client *http.Client, r *http.Request) (*http.Response, error) {
	response, err := client.Do(r)
	var no rule.Refusals
	if errors.As(err, &no) {
		return nil, no
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return nil, failed.Err
	}
	return response, err
}

// again asks until there is an answer, at most tries times (0: as often as it
// takes) and for so long. A refusal is an answer, unless it is [notYet].
func again[T any](ctx context.Context, limit time.Duration, tries uint, ask func() (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 20 * time.Second
	answer, err := backoff.Retry(ctx, func() (T, error) {
		answer, err := ask()
		var later notYet
		var no rule.Refusals
		if !errors.As(err, &later) && errors.As(err, &no) {
			return answer, backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(limit), backoff.WithMaxTries(tries))
	var final *backoff.PermanentError
	if errors.As(err, &final) { // where the last try was the last allowed one
		err = final.Unwrap()
	}
	var later notYet
	if errors.As(err, &later) {
		err = later.no
	}
	return answer, err
}

// notYet is a refusal that time may mend: what an index took is served once
// its caches have run out.
type notYet struct{ no rule.Refusals }

func (n notYet) Error() string { return n.no.Error() }

// retriable tells whether a status says nothing about what was asked.
func retriable(status int) bool {
	return status >= 500 || status == http.StatusRequestTimeout ||
		status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// brief is a text from outside, cut to what fits into a message. Nothing is
// shown of a text that repeats a secret that was sent to whoever wrote it.
func brief(text string, secrets ...string) string {
	const limit = 600
	if repeats(text, secrets) {
		return "a text that repeats a token, not shown"
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= limit {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.ToValidUTF8(text[:cut], "\uFFFD") + "…"
}

// repeats tells whether a long piece of a secret is in the text, whatever stands
// between its letters and digits.
func repeats(text string, secrets []string) bool {
	const piece = 16 // characters; 31 in a row hold a whole one
	text = alphanumeric(text)
	for _, s := range secrets {
		for block := range slices.Chunk([]byte(alphanumeric(s)), piece) {
			whole := len(block) == piece || len(s) <= piece
			if whole && strings.Contains(text, string(block)) {
				return true
			}
		}
	}
	return false
}

// alphanumeric is s without anything but ASCII letters, in lower case, and digits.
func alphanumeric(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// cut is an error whose text from outside is [brief].
type cut struct{ error }

func (c cut) Error() string { return brief(c.error.Error()) }
func (c cut) Unwrap() error { return c.error }

// transferTimeout is how long a file of that size may take.
func transferTimeout(size int64) time.Duration {
	return answerTimeout + time.Duration(size/slowest)*time.Second
}
