package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/go-github/v62/github"

	"github.com/distgate/distgate/attest"
)

// Bounds on a conversation with GitHub.
const (
	maxAnswer    = 16 << 20         // bytes; a page of a hundred jobs has some 300 KiB
	maxRedirects = 5                // within the API, as of a repository that has another name now
	answerWait   = time.Minute      // for one answer
	dialWait     = 10 * time.Second // for one connection
	maxTries     = 6                // requests for one answer, the first included
	maxWait      = 15 * time.Minute // for one answer, all tries and pauses together
	limitWait    = time.Minute      // where GitHub wants a pause and does not say how long
)

// Step is what an [Event] tells of.
type Step string

const (
	Waiting  Step = "waiting"  // GitHub wants a pause, or did not answer
	Chosen   Step = "chosen"   // these artifacts will be fetched
	Fetching Step = "fetching" // a part of an artifact has come
	Present  Step = "present"  // the artifact was in the store already
	Opened   Step = "opened"   // the artifact was unpacked
	Uploaded Step = "uploaded" // a file of a release on GitHub was sent
)

// Event tells how far the work is. Leaving all events out changes nothing.
type Event struct {
	Step     Step      `json:"step"`
	Artifact string    `json:"artifact,omitempty"` // its name
	Done     int64     `json:"done,omitempty"`     // bytes of the artifact
	Size     int64     `json:"size,omitempty"`     // bytes of the artifact, or of all that were chosen
	Until    time.Time `json:"until,omitzero"`     // when a pause ends
	Note     string    `json:"note,omitempty"`     // why there is one
}

// Client asks one GitHub, with one token. It may be used by many goroutines.
type Client struct {
	base *url.URL     // of the API, with a slash at the end
	api  *http.Client // with the token, for the API alone
	blob *http.Client // without it, for wherever the API sends us
	tell func(Event)

	spent     *spent
	anonymous bool // it has no token
}

// NewClient makes a client for the API at the address that the policy names,
// "https://api.github.com" or a server's "https://HOST/api/v3". It must be
// https, except on a loopback address. The token is sent there and nowhere
// else. Pauses are reported to tell, which may be nil.
func NewClient(api, token string, tell func(Event)) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(api, "/") + "/")
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || !attest.IsPrivate(base) {
		return nil, fmt.Errorf("the GitHub API: want an address as https://api.github.com, got %.100q", api)
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New(`the GitHub API: want a token, as a job has it in github.token; got none`)
	}
	return &Client{
		base: base,
		api: &http.Client{CheckRedirect: within(base),
			Transport: authorized{token: token, base: base, next: newTransport()}},
		blob:  &http.Client{CheckRedirect: privately(base), Transport: newTransport()},
		tell:  oneByOne(tell),
		spent: new(spent),
	}, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialWait}).DialContext,
		TLSHandshakeTimeout:   dialWait,
		ResponseHeaderTimeout: answerWait,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   parallel,
		ReadBufferSize:        64 << 10,
		DisableCompression:    true, // what is hashed are the bytes as they are stored
		ForceAttemptHTTP2:     true,
	}
}

// within follows redirects on the host of the API, and no others.
func within(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if !sameOrigin(r.URL, base) || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// privately follows redirects to where blobs may be.
func privately(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if !isBlob(r.URL, base) || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// isBlob tells whether a blob may be fetched from u: over https, and from this
// machine only where the API is on it too.
func isBlob(u, base *url.URL) bool {
	return u.Host != "" && attest.IsPrivate(u) && (u.Scheme == "https" || base.Scheme == "http")
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// authorized is a transport that adds the token to requests for the API, and
// to no others. Answers are bounded.
type authorized struct {
	token string
	base  *url.URL
	next  http.RoundTripper
}

func (t authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if sameOrigin(r.URL, t.base) {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	response, err := t.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// question is what is asked of the API.
type question struct {
	path  string // below the base, escaped
	query url.Values
	needs string // the permission that the answer takes: "actions: read"
	about string // the repository, "owner/name"
	sends bool   // the answer is where else to go
	body  any    // of a question that is posted; it changes nothing, so it can be asked again

	method string // "" is GET, or POST of a body
}

// answer is what the API said: a body, or where to go.
type answer struct {
	body   []byte
	header http.Header
}

// ask asks until there is an answer. Network errors, 5xx answers and rate
// limits are tried again within bounds; every other failure is final. Once GitHub
// wants a longer pause than that, nothing is asked before it is over.
func (c *Client) ask(ctx context.Context, q question) (answer, error) {
	if err := c.spent.until(q, time.Now()); err != nil {
		return answer{}, fmt.Errorf("GitHub, %s: not asked: %w", q.path, err)
	}
	a, err := again(ctx, c.tell, func() (answer, error) { return c.once(ctx, q) })
	if err != nil {
		c.spent.by(q, err, time.Now())
		return answer{}, fmt.Errorf("GitHub, %s: %w", q.path, err)
	}
	return a, nil
}

// spent are the limits that are used up, by what they are of: GitHub counts GraphQL
// and the rest each by itself.
type spent struct {
	mu     sync.Mutex
	limits map[string]spentLimit
}

// spentLimit is what GitHub said of it, and when it takes the next request.
type spentLimit struct {
	err error
	end time.Time
}

// until is why a question need not be asked now, if it need not.
func (s *spent) until(q question, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.limits[q.resource()]; now.Before(l.end) {
		return l.err
	}
	return nil
}

// by takes note of a pause that is longer than we wait.
func (s *spent) by(q question, err error, now time.Time) {
	var l limited
	if !errors.As(err, &l) || l.pause.Duration <= maxWait {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits == nil {
		s.limits = map[string]spentLimit{}
	}
	s.limits[q.resource()] = spentLimit{l, now.Add(l.pause.Duration)}
}

// resource is what GitHub counts the question as.
func (q question) resource() string {
	if strings.HasSuffix(q.path, "graphql") {
		return "graphql"
	}
	return "core"
}

// again tries until it succeeds or fails for good, and tells of each pause.
func again[T any](ctx context.Context, tell func(Event), try func() (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 200 * time.Millisecond
	return backoff.Retry(ctx, try, backoff.WithBackOff(pause),
		backoff.WithMaxTries(maxTries), backoff.WithMaxElapsedTime(maxWait),
		backoff.WithNotify(func(err error, wait time.Duration) {
			tell(Event{Step: Waiting, Until: time.Now().Add(wait), Note: err.Error()})
		}))
}

// once asks once. Each time it takes a client of its own: go-github's remembers
// a secondary rate limit without a Retry-After as one of an hour, and then
// answers for GitHub.
func (c *Client) once(ctx context.Context, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	gh := github.NewClient(c.api)
	gh.BaseURL, gh.UserAgent = c.base, "distgate"
	path := q.path
	if len(q.query) > 0 {
		path += "?" + q.query.Encode()
	}
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
	}
	if q.method != "" {
		method = q.method
	}
	request, err := gh.NewRequest(method, path, q.body)
	if err != nil {
		return answer{}, backoff.Permanent(err)
	}
	response, err := gh.BareDo(ctx, request)
	if response == nil {
		return answer{}, fmt.Errorf("%s: %w", c.base.Host, withoutURL(err))
	}
	defer response.Body.Close()
	if q.sends && response.StatusCode == http.StatusFound {
		return answer{header: response.Header}, nil
	}
	if err != nil {
		return answer{}, judge(q, response.Response, messageOf(err), time.Now())
	}
	return read(response.Response)
}

func read(response *http.Response) (answer, error) {
	body, err := io.ReadAll(response.Body)
	if errors.As(err, new(*http.MaxBytesError)) {
		return answer{}, backoff.Permanent(fmt.Errorf("want an answer of at most %d bytes, got more", maxAnswer))
	}
	if err != nil {
		return answer{}, fmt.Errorf("an answer that breaks off: %w", err)
	}
	return answer{body: body, header: response.Header}, nil
}

// failure is an answer that is none.
type failure struct {
	status int
	text   string
}

func (f failure) Error() string { return f.text }

// failed tells whether err is an answer with one of these statuses.
func failed(err error, statuses ...int) bool {
	var f failure
	if !errors.As(err, &f) {
		return false
	}
	for _, status := range statuses {
		if f.status == status {
			return true
		}
	}
	return false
}

// Missing tells whether GitHub answered that there is no such thing, or that the
// token may not see it: it says the same of both.
func Missing(err error) bool { return failed(err, http.StatusNotFound) }

// limited is a rate limit.
type limited struct {
	text  string
	pause *backoff.RetryAfterError
}

func (l limited) Error() string { return l.text }
func (l limited) Unwrap() error { return l.pause }

// judge turns an answer that is none into an error: one to try again after, or
// one for good that says what to do.
func judge(q question, response *http.Response, message string, now time.Time) error {
	status := response.StatusCode
	got := strings.TrimSpace(strconv.Itoa(status) + " " + message)
	if wait, ok := pauseOf(response, message, now); ok {
		until := now.Add(wait).UTC().Format("15:04:05 UTC")
		return limited{fmt.Sprintf("got %s; GitHub takes the next request at %s", got, until),
			&backoff.RetryAfterError{Duration: wait}}
	}
	final := failure{status: status, text: "want status 200, got " + got}
	switch {
	case status >= 500:
		return final
	case status == http.StatusUnauthorized:
		final.text = fmt.Sprintf("got %s: GitHub does not take the token; a job's ends with the job", got)
	case status == http.StatusForbidden:
		final.text = fmt.Sprintf("got %s: the token needs the permission %q for %s", got, needed(q, response), q.about)
	case status == http.StatusNotFound:
		final.text = fmt.Sprintf("got %s: it is not there, or the token needs the permission %q for %s",
			got, needed(q, response), q.about)
	case response.Header.Get("Location") != "":
		final.text = "got " + got + ": the API sends us to another host, where the token must not go"
	}
	return backoff.Permanent(final)
}

// needed is the permission that a question takes, in GitHub's own words where
// it has some.
func needed(q question, response *http.Response) string {
	if own := response.Header.Get("X-Accepted-GitHub-Permissions"); own != "" {
		return strings.ReplaceAll(clip(own), "=", ": ")
	}
	return q.needs
}

// pauseOf is how long GitHub wants us to wait, if it does: as the Retry-After
// header has it, until the limit is reset where nothing is left of it, and else
// a minute.
// See docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
func pauseOf(response *http.Response, message string, now time.Time) (time.Duration, bool) {
	status, header := response.StatusCode, response.Header
	if status != http.StatusForbidden && status != http.StatusTooManyRequests && status < 500 {
		return 0, false
	}
	if seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if status >= 500 {
		return 0, false
	}
	reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64)
	if err == nil && header.Get("X-RateLimit-Remaining") == "0" {
		return max(time.Unix(reset, 0).Sub(now), 0) + time.Second, true
	}
	if status == http.StatusTooManyRequests || strings.Contains(message, "rate limit") ||
		strings.Contains(message, "abuse detection") {
		return limitWait, true
	}
	return 0, false
}

// messageOf is what GitHub says of an error.
func messageOf(err error) string {
	var plain *github.ErrorResponse
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	switch {
	case errors.As(err, &plain):
		return clip(plain.Message)
	case errors.As(err, &primary):
		return clip(primary.Message)
	case errors.As(err, &secondary):
		return clip(secondary.Message)
	}
	return ""
}

// clip is the first line of a text from outside, and of that the beginning. What
// was cut shows it, and so equals nothing that a policy names.
func clip(s string) string {
	const limit = 200
	line, _, more := strings.Cut(s, "\n")
	if len(line) > limit {
		line, more = strings.ToValidUTF8(line[:limit], ""), true
	}
	if more {
		line += "…"
	}
	return line
}

// get asks for one JSON value.
func get[T any](ctx context.Context, c *Client, q question) (T, error) {
	var value T
	a, err := c.ask(ctx, q)
	if err == nil {
		err = a.decode(q, &value)
	}
	return value, err
}

func (a answer) decode(q question, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("GitHub, %s: want JSON as the API describes it, got %d bytes of something else (%w)",
			q.path, len(a.body), err)
	}
	return nil
}

// listing is one page of a list.
type listing[T any] struct {
	Total     *int `json:"total_count"`
	Jobs      []T  `json:"jobs"`
	Artifacts []T  `json:"artifacts"`
}

const (
	perPage  = 100
	maxPages = 100
	maxLists = 3 // times that a list is read which changes while it is
)

// list asks for every page of a list. A list that is not as long as it says, or
// has something twice, changed in between and is read again.
func list[T any](ctx context.Context, c *Client, q question, id func(T) int64) ([]T, error) {
	for range maxLists {
		items, whole, err := listOnce[T](ctx, c, q, id)
		if err != nil || whole {
			return items, err
		}
	}
	return nil, fmt.Errorf("GitHub, %s: want a whole list, got one that changed while it was read, %d times",
		q.path, maxLists)
}

func listOnce[T any](ctx context.Context, c *Client, q question, id func(T) int64) (items []T, whole bool, err error) {
	seen := map[int64]bool{}
	q.query = url.Values{"per_page": {strconv.Itoa(perPage)}}
	for page := 1; page <= maxPages; page++ {
		q.query.Set("page", strconv.Itoa(page))
		l, err := get[listing[T]](ctx, c, q)
		if err != nil {
			return nil, false, err
		}
		if l.Total == nil {
			return nil, false, fmt.Errorf("GitHub, %s: want a list with its total_count, got none", q.path)
		}
		got := append(l.Jobs, l.Artifacts...)
		for _, item := range got {
			seen[id(item)] = true
		}
		items = append(items, got...)
		if len(items) >= *l.Total || len(got) == 0 {
			return items, len(items) == *l.Total && len(seen) == *l.Total, nil
		}
	}
	return nil, false, fmt.Errorf("GitHub, %s: want at most %d entries, got more", q.path, maxPages*perPage)
}

// oneByOne keeps two goroutines from reporting at once.
func oneByOne(tell func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		if tell == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	}
}
