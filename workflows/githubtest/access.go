package githubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Requests an hour, as GitHub counts them.
const (
	limitNobody = 60
	limitJob    = 1000 // a job's GITHUB_TOKEN, for each repository
	limitPerson = 5000
)

// Access is what a token may do. The zero value is a job's GITHUB_TOKEN with
// "permissions: {}", which may read what everybody may.
type Access struct {
	User         string            // login of the person whose token it is; "" is a job's GITHUB_TOKEN
	Classic      bool              // a personal access token without fine-grained permissions
	Repositories []string          // "owner/name", those that it was made for; nil is all
	Permissions  map[string]string // by name, "read", "write" or "admin": {"actions": "read"}
	Limit        int               // requests an hour; 0 is what GitHub allows

	token string
}

// AccessToken makes a token that the API takes in an Authorization header.
func (g *GitHub) AccessToken(a Access) string {
	prefix, limit := "github_pat_", limitPerson
	switch {
	case a.User == "":
		prefix, limit = "ghs_", limitJob
	case a.Classic:
		prefix = "ghp_"
	}
	if a.Limit == 0 {
		a.Limit = limit
	}
	a.token = prefix + rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.User != "" {
		g.user(a.User)
	}
	g.accesses[a.token] = &a
	return a.token
}

// authenticateAPI finds out whose token a request has. One without a token is
// nobody's; one with a wrong token is refused.
func (g *GitHub) authenticateAPI(c *call) error {
	header := c.Header.Get("Authorization")
	if header == "" {
		return nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if _, password, basic := c.BasicAuth(); basic {
		scheme, token = "token", password
	}
	known := g.accesses[strings.TrimSpace(token)]
	if known == nil || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return &failure{status: http.StatusUnauthorized, message: "Bad credentials"}
	}
	c.access = known
	return nil
}

// window is the requests that one caller made in the hour that is running.
type window struct {
	used, limit int
	reset       time.Time
	resource    string // "core", or "graphql", which is counted by itself
}

// countRequest takes one of the caller's requests, or says that none is left.
// Asking how many are left costs none.
func (g *GitHub) countRequest(c *call, header http.Header) error {
	if c.URL.Path == graphQLPath {
		return nil
	}
	w := g.window(c.access, "core")
	free := c.URL.Path == "/rate_limit"
	spent := w.used >= w.limit && !free
	if !free && !spent {
		w.used++
	}
	w.describe(header)
	if !spent {
		return nil
	}
	return &failure{status: http.StatusForbidden, message: "API rate limit exceeded for " + g.whose(c.access),
		doc: "overview/rate-limits-for-the-rest-api"}
}

// whose are the requests that GitHub counts.
func (g *GitHub) whose(a *Access) string {
	switch {
	case a == nil:
		return "203.0.113.7. (But here's the good news: Authenticated requests get a higher rate limit. " +
			"Check out the documentation for more details.)"
	case a.User == "":
		return "installation ID " + number("installation "+a.token) + "."
	}
	return fmt.Sprintf("user ID %d.", g.user(a.User).ID)
}

// refundRequest gives back the request that a 304 did not cost.
func (g *GitHub) refundRequest(c call, header http.Header) {
	w := g.window(c.access, "core")
	w.used = max(w.used-1, 0)
	w.describe(header)
}

func (g *GitHub) window(a *Access, resource string) *window {
	token, limit := "", limitNobody
	if a != nil {
		token, limit = a.token, a.Limit
	}
	now := g.now()
	token = resource + " " + token
	w := g.windows[token]
	if w == nil || !now.Before(w.reset) {
		w = &window{limit: limit, reset: now.Add(time.Hour), resource: resource}
		g.windows[token] = w
	}
	return w
}

func (w *window) describe(header http.Header) {
	for name, value := range map[string]int64{
		"X-Ratelimit-Limit":     int64(w.limit),
		"X-Ratelimit-Remaining": int64(w.limit - w.used),
		"X-Ratelimit-Used":      int64(w.used),
		"X-Ratelimit-Reset":     w.reset.Unix(),
	} {
		header.Set(name, strconv.FormatInt(value, 10))
	}
	header.Set("X-Ratelimit-Resource", w.resource)
}

func (g *GitHub) rateLimit(c call) (answer, error) {
	w, graph := g.window(c.access, "core"), g.window(c.access, "graphql")
	left := func(limit, used int, reset time.Time) object {
		return object{"limit": limit, "used": used, "remaining": limit - used, "reset": reset.Unix()}
	}
	core, search := left(w.limit, w.used, w.reset), left(30, 0, g.now().Add(time.Minute))
	body := object{"resources": object{"core": core, "search": search, "graphql": left(graph.limit, graph.used, graph.reset)}}
	if c.version < Version2026 {
		body["rate"] = core
	}
	return ok(body)
}

var levels = []string{"", "read", "write", "admin"}

// permit asks whether the caller may. What everybody can read on a public
// repository needs no permission, but for what is never handed to strangers.
func (g *GitHub) permit(c *call, route route) error {
	if c.repo == nil {
		return nil
	}
	if c.repo.Private && !c.access.sees(c.repo) {
		return errNotFound
	}
	permission, level, _ := strings.Cut(route.needs, "=")
	level, private := strings.CutSuffix(level, "!")
	if permission == "" || !c.repo.Private && level == "read" && !private {
		return nil
	}
	if c.access == nil {
		return &failure{status: http.StatusUnauthorized, message: "Requires authentication"}
	}
	given := c.access.Permissions[permission]
	if c.access.sees(c.repo) && slices.Index(levels, given) >= slices.Index(levels, level) {
		return nil
	}
	return g.denied(c.access)
}

// denied is how GitHub says that a permission is missing. To a classic token it
// is as if there were nothing.
func (g *GitHub) denied(a *Access) error {
	if a.Classic || g.behaviour.HidesDenied {
		return errNotFound
	}
	by := "personal access token"
	if a.User == "" {
		by = "integration"
	}
	return &failure{status: http.StatusForbidden, message: "Resource not accessible by " + by}
}

// scopes are those of a classic token: one for everything, or none.
func (a *Access) scopes() string {
	if len(a.Permissions) == 0 {
		return ""
	}
	return "repo"
}

// sees tells whether the token was made for the repository.
func (a *Access) sees(repo *Repository) bool {
	if a == nil {
		return false
	}
	return a.Repositories == nil || slices.ContainsFunc(a.Repositories, func(name string) bool {
		return strings.EqualFold(name, repo.Name)
	})
}

// cutOff is the status of an answer that breaks off in the middle.
const cutOff = 1

// Fault is what the API answers instead of what was asked for. The zero value
// of what it applies to is everything.
type Fault struct {
	Method  string // "GET"
	Path    string // a part of the path, "/artifacts"
	Storage bool   // the blob host, not the API
	Times   int    // how often, from now on; 0 is once, less than 0 for ever

	Status     int // of a fault of your own
	Message    string
	RetryAfter time.Duration // 0 sends no Retry-After
}

// SecondaryLimit is GitHub's answer to too much at once: 403 or 429, with a
// time to wait, or none, which leaves it to the caller.
func SecondaryLimit(status int, retryAfter time.Duration) Fault {
	return Fault{Status: status, RetryAfter: retryAfter,
		Message: "You have exceeded a secondary rate limit. " +
			"Please wait a few minutes before you try again."}
}

// ServerError is an answer of 500, 502, 503 or 504.
func ServerError(status int) Fault { return Fault{Status: status, Message: "Server Error"} }

// Broken is an answer whose connection breaks in the middle.
func Broken() Fault { return Fault{Status: cutOff, Message: "this is not the whole answer"} }

// Play makes a fault happen. Of several that apply, the earliest does.
func (g *GitHub) Play(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, &f)
}

// fault is the answer to a request that meets a fault.
func (g *GitHub) fault(r *http.Request, storage bool) error {
	for _, f := range g.faults {
		if f.Times == 0 || f.Storage != storage || f.Method != "" && f.Method != r.Method ||
			!strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		f.Times--
		answer := &failure{status: f.Status, message: f.Message, header: http.Header{}}
		if f.RetryAfter > 0 {
			seconds := (f.RetryAfter + time.Second - 1) / time.Second
			answer.header.Set("Retry-After", strconv.Itoa(int(seconds)))
		}
		if f.Status == http.StatusForbidden || f.Status == http.StatusTooManyRequests {
			answer.doc = "overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
		}
		return answer
	}
	return nil
}

// requestID is like "0684:716A:2015008:5E2FD3C:62D634F3".
func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	s := strings.ToUpper(hex.EncodeToString(b[:]))
	return strings.Join([]string{s[:4], s[4:8], s[8:15], s[15:22], s[22:30]}, ":")
}
