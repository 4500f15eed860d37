package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
	if errors.As(err, &failed) && failed.Err == io.EOF {
		return nil, fmt.Errorf("%s hung up without an answer", r.URL.Host)
	}
	if errors.As(err, &failed) {
		return nil, failed.Err
	}
	return response, err
}

// patience is how long an index is waited for.
type patience struct {
	outage time.Duration // that gives no answer, or says that it takes nothing for now
	caches time.Duration // that is still to serve what it took
	report func(Event)
}

// atMost is a patience that ends earlier.
func (p patience) atMost(limit time.Duration) patience {
	p.outage = min(p.outage, limit)
	return p
}

const (
	longestPause = time.Minute      // between two tries, unless the index asks for a longer one
	quietly      = 30 * time.Second // between two notes of pauses
	maxTries     = 500
)

// again asks until there is an answer, or patience ends. A refusal is an answer,
// unless it is [notYet]. Pauses grow, and are never twice the same; an index that
// names one itself has that.
func again[T any](ctx context.Context, p patience, ask func() (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = longestPause
	pause.InitialInterval = min(pause.InitialInterval, max(p.outage, p.caches)/20+time.Millisecond)
	began := time.Now()
	answer, err := backoff.Retry(ctx, func() (T, error) {
		answer, err := ask()
		limit := p.outage
		var later notYet
		switch {
		case errors.As(err, &later) && later.served:
			limit = p.caches
		case !errors.As(err, &later) && errors.As(err, new(rule.Refusals)):
			return answer, backoff.Permanent(err)
		}
		if err != nil && time.Since(began) >= limit {
			return answer, backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(maxTries),
		backoff.WithMaxElapsedTime(max(p.outage, p.caches)),
		backoff.WithNotify(p.notes()))
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

// notes reports why there is a pause, but not every time.
func (p patience) notes() backoff.Notify {
	var last time.Time
	return func(err error, next time.Duration) {
		if now := time.Now(); p.report != nil && now.Sub(last) >= quietly {
			last = now
			p.report(Event{Step: Waiting, Note: brief(err.Error()) + "; again at " + stamp(now.Add(next))})
		}
	}
}

// notYet is a refusal that time may mend.
type notYet struct {
	no     rule.Refusals
	served bool // what the index took is served once its caches have run out
}

func (n notYet) Error() string {
	if more := len(n.no) - 1; more > 0 {
		return fmt.Sprintf("%s, and %d more", n.no[0].Error(), more)
	}
	return n.no.Error()
}

// busy is an answer that says nothing of what was asked, and when to ask again.
type busy struct {
	error
	after time.Duration // 0 where the index does not say
}

func (b busy) Unwrap() error { return b.error }

// As lets the index choose the pause. A little is added, so that not everybody
// who was sent away comes back at once.
func (b busy) As(target any) bool {
	to, ok := target.(**backoff.RetryAfterError)
	if ok = ok && b.after > 0; ok {
		*to = &backoff.RetryAfterError{Duration: b.after + rand.N(b.after/10+time.Millisecond)}
	}
	return ok
}

// retryAfter is when an answer wants to be asked for again (RFC 9110, 10.2.3).
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(time.Until(at), 0), time.Hour)
}

// closed tells whether a refusal is only for now, in the words that Warehouse
// has for it.
func closed(said string) bool {
	return strings.Contains(said, "temporarily disabled") || strings.Contains(said, "functionality not enabled")
}

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
