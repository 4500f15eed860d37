package githubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Versions of the REST API, as a request names them in X-GitHub-Api-Version.
// One that names none gets the older.
const (
	Version2022 = "2022-11-28"
	Version2026 = "2026-03-10"
)

const (
	docs    = "https://docs.github.com/rest"
	perPage = 30
	maxPage = 100
)

// object is a JSON object of an answer. GitHub's are wide, and most of their
// members are addresses.
type object = map[string]any

// route is one endpoint.
type route struct {
	pattern string // of http.ServeMux
	needs   string // permission and level, "actions=read"; "" where anybody may
	doc     string // its place below docs
	handle  func(*GitHub, call) (answer, error)
}

// call is one request, by whom, and about which repository.
type call struct {
	*http.Request
	access  *Access     // nil is nobody
	version string      // of the API
	repo    *Repository // nil where the path names none
}

// answer is what a handler has to say. Exactly one of body, list and raw is
// used; a status of zero is 200.
type answer struct {
	status int
	header http.Header
	body   any
	list   *list
	raw    []byte
}

// list is all there is of something; the caller gets a page of it.
type list struct {
	key   string // of the array, beside "total_count"; "" for a bare array
	items []any
}

// failure is an error as GitHub words it.
type failure struct {
	status  int
	message string
	header  http.Header
	errors  any    // what is wrong, of a 422
	doc     string // below docs; "" takes the endpoint's
}

func (f *failure) Error() string { return strconv.Itoa(f.status) + " " + f.message }

var errNotFound = &failure{status: http.StatusNotFound, message: "Not Found"}

func ok(body any) (answer, error) { return answer{body: body}, nil }

func listed(key string, items []any) (answer, error) {
	return answer{list: &list{key: key, items: items}}, nil
}

func unprocessable(message string) error {
	return &failure{status: http.StatusUnprocessableEntity, message: message}
}

// routes are all endpoints.
func routes() []route {
	return slices.Concat(rootRoutes, peopleRoutes, repositoryRoutes, runRoutes, artifactRoutes,
		attestationRoutes, environmentRoutes, reviewRoutes,
		gitRoutes, pullRoutes, contentRoutes, rulesetRoutes, releaseRoutes, issueRoutes, settingsRoutes, graphQLRoutes)
}

var rootRoutes = []route{
	{"GET /versions", "", "meta/meta#get-all-api-versions", func(*GitHub, call) (answer, error) {
		return ok([]string{Version2026, Version2022})
	}},
	{"GET /rate_limit", "", "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user",
		(*GitHub).rateLimit},
}

// api is the REST API. It answers at the root, as api.github.com does, and
// below /api/v3, as a server of one's own does.
func (g *GitHub) api() http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes() {
		mux.Handle(route.pattern, g.endpoint(route))
	}
	mux.Handle("/", g.endpoint(route{handle: func(*GitHub, call) (answer, error) {
		return answer{}, errNotFound
	}}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, g.byName(r))
	})
}

// byName turns a path that names a repository by its number into one that
// names it by its name, which is what the addresses in a Link header and of a
// renamed repository are like.
func (g *GitHub) byName(r *http.Request) *http.Request {
	rest, numbered := strings.CutPrefix(r.URL.EscapedPath(), "/repositories/")
	if !numbered {
		return r
	}
	number, rest, more := strings.Cut(rest, "/")
	if more {
		rest = "/" + rest
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return r
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repositoryByID(id)
	if repo == nil {
		return r
	}
	clone := r.Clone(r.Context())
	at, err := url.Parse("/repos/" + repo.Name + rest)
	if err != nil {
		return r
	}
	clone.URL.Path, clone.URL.RawPath = at.Path, at.RawPath
	return clone
}

// endpoint answers as its route says, after everything that GitHub asks of
// every request.
func (g *GitHub) endpoint(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		reply := g.reply(route, call{Request: r})
		g.mu.Unlock()
		reply.send(w, r)
	})
}

// reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the connection breaks before the end
}

func (p reply) send(w http.ResponseWriter, r *http.Request) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	if p.status == http.StatusNotModified || p.status == http.StatusNoContent {
		w.WriteHeader(p.status)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	w.WriteHeader(p.status)
	if p.cut {
		w.Write(p.body[:len(p.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if r.Method != http.MethodHead {
		w.Write(p.body)
	}
}

func (g *GitHub) reply(route route, c call) reply {
	p := reply{header: http.Header{}}
	answer, err := g.answer(route, &c, p.header)
	if err == nil {
		err = p.fill(g, c, answer)
	}
	if err != nil {
		p.fail(route, err)
	}
	p.common(c, route)
	g.conditional(&p, c)
	return p
}

// answer asks, in this order: who is it, is there a fault to play, which
// version, are there requests left, which repository, may they.
func (g *GitHub) answer(route route, c *call, header http.Header) (answer, error) {
	if c.UserAgent() == "" {
		return answer{}, &failure{status: http.StatusForbidden, message: "Request forbidden by " +
			"administrative rules. Please make sure your request has a User-Agent header."}
	}
	if err := g.authenticateAPI(c); err != nil {
		return answer{}, err
	}
	if err := g.countRequest(c, header); err != nil {
		return answer{}, err
	}
	if err := g.fault(c.Request, false); err != nil {
		return answer{}, err
	}
	if err := chooseVersion(c); err != nil {
		return answer{}, err
	}
	header.Set("X-Github-Api-Version-Selected", c.version)
	if err := g.findRepository(c); err != nil {
		return answer{}, err
	}
	if err := g.permit(c, route); err != nil {
		return answer{}, err
	}
	return route.handle(g, *c)
}

func chooseVersion(c *call) error {
	switch c.version = c.Header.Get("X-Github-Api-Version"); c.version {
	case "":
		c.version = Version2022
	case Version2022, Version2026:
	default:
		return &failure{status: http.StatusBadRequest,
			message: fmt.Sprintf("Invalid API version: %q is not a supported version.", c.version)}
	}
	return nil
}

// findRepository finds what {owner} and {repo} of the path name. A repository
// that has another name now is found by its number.
func (g *GitHub) findRepository(c *call) error {
	name := c.PathValue("owner") + "/" + c.PathValue("repo")
	if name == "/" {
		return nil
	}
	if c.repo = g.repositories[strings.ToLower(name)]; c.repo != nil {
		return nil
	}
	moved := g.renamed[strings.ToLower(name)]
	if moved == 0 {
		return errNotFound
	}
	to := g.base + "/repositories/" + strconv.FormatInt(moved, 10) +
		strings.TrimPrefix(c.URL.EscapedPath(), "/repos/"+name)
	if c.URL.RawQuery != "" {
		to += "?" + c.URL.RawQuery
	}
	status := http.StatusMovedPermanently
	if c.Method != http.MethodGet && c.Method != http.MethodHead {
		status = http.StatusTemporaryRedirect
	}
	return &failure{status: status, message: "Moved Permanently", doc: "#http-redirects",
		header: http.Header{"Location": {to}}}
}

// fill writes the answer, one page of it if it is a list.
func (p *reply) fill(g *GitHub, c call, a answer) error {
	p.status = http.StatusOK
	if a.status != 0 {
		p.status = a.status
	}
	for name, values := range a.header {
		p.header[name] = values
	}
	body := a.body
	switch {
	case a.raw != nil:
		p.body = a.raw
		return nil
	case a.list != nil:
		items, links := a.list.page(g, c)
		if links != "" {
			p.header.Set("Link", links)
		}
		body = items
		if a.list.key != "" {
			body = object{"total_count": len(a.list.items), a.list.key: items}
		}
	case body == nil:
		return nil
	}
	return p.encode(body, c.version)
}

func (p *reply) encode(body any, version string) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return err
	}
	p.body = bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	if p.header.Get("Content-Type") == "" {
		p.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return nil
}

// fail writes an error as GitHub does: a message, where to read more, and the
// status again.
func (p *reply) fail(route route, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: http.StatusInternalServerError, message: err.Error()}
	}
	for name, values := range f.header {
		p.header[name] = values
	}
	p.status, p.cut = f.status, f.status == cutOff
	if p.cut {
		p.status = http.StatusOK
	}
	at := docs
	switch {
	case f.doc != "":
		at += "/" + f.doc
	case route.doc != "" && f.status != http.StatusUnauthorized:
		at += "/" + route.doc
	}
	body := object{"message": f.message, "documentation_url": at, "status": strconv.Itoa(f.status)}
	if f.errors != nil {
		body["errors"] = f.errors
	}
	if to := f.header.Get("Location"); to != "" {
		body["url"] = to
		delete(body, "status")
	}
	p.encode(body, Version2022)
}

// common sets the headers that every response has.
func (p *reply) common(c call, route route) {
	fixed := map[string]string{
		"Access-Control-Allow-Origin": "*",
		"Access-Control-Expose-Headers": "ETag, Link, Location, Retry-After, X-GitHub-OTP, " +
			"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, " +
			"X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, " +
			"X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset",
		"Content-Security-Policy": "default-src 'none'",
		"Referrer-Policy":         "origin-when-cross-origin, strict-origin-when-cross-origin",
		"Server":                  "github.com",
		"Vary":                    "Accept-Encoding, Accept, X-Requested-With",
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "deny",
		"X-Xss-Protection":        "0",
		"X-Github-Media-Type":     mediaType(c.Header.Get("Accept")),
		"X-Github-Request-Id":     requestID(),
	}
	for name, value := range fixed {
		if p.header.Get(name) == "" {
			p.header.Set(name, value)
		}
	}
	switch {
	case c.access == nil:
	case c.access.Classic:
		p.header.Set("X-Oauth-Scopes", c.access.scopes())
		p.header.Set("X-Accepted-Oauth-Scopes", "repo")
	case route.needs != "":
		p.header.Set("X-Accepted-Github-Permissions", strings.TrimSuffix(route.needs, "!"))
	}
}

// mediaType is what GitHub understood of the Accept header.
func mediaType(accept string) string {
	for _, param := range []string{"raw", "html", "object", "diff", "sha"} {
		if strings.Contains(accept, "github."+param) || strings.Contains(accept, "github.v3."+param) {
			return "github.v3; param=" + param + "; format=json"
		}
	}
	return "github.v3; format=json"
}

// conditional gives what may be cached an ETag, and answers a request that has
// it already with 304, which costs no request where somebody asked.
func (g *GitHub) conditional(p *reply, c call) {
	if c.Method != http.MethodGet || p.status != http.StatusOK || p.cut || c.URL.Path == "/rate_limit" {
		return
	}
	sum := sha256.Sum256(slices.Concat(p.body, []byte(c.version+c.Header.Get("Accept"))))
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	p.header.Set("ETag", tag)
	p.header.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	if c.access == nil {
		p.header.Set("Cache-Control", "public, max-age=60, s-maxage=60")
	}
	for have := range strings.SplitSeq(c.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(have), "W/") != tag {
			continue
		}
		p.status, p.body = http.StatusNotModified, nil
		p.header.Del("Content-Type")
		if c.access != nil {
			g.refundRequest(c, p.header)
		}
	}
}

// page is the items of the page that was asked for, and the Link header.
func (l *list) page(g *GitHub, c call) (items []any, links string) {
	query := c.URL.Query()
	size := atLeast(query.Get("per_page"), 1, perPage)
	size = min(size, maxPage)
	page := atLeast(query.Get("page"), 1, 1)
	last := max((len(l.items)+size-1)/size, 1)
	from := min((page-1)*size, len(l.items))
	items = slices.Clone(l.items[from:min(from+size, len(l.items))])
	if items == nil {
		items = []any{}
	}
	return items, l.links(g, c, page, last)
}

// links names the pages around one in the order that GitHub does. Their
// addresses have the repository's number.
func (l *list) links(g *GitHub, c call, page, last int) string {
	at := g.numbered(c)
	var links []string
	add := func(rel string, page int) {
		links = append(links, fmt.Sprintf("<%s?%s>; rel=%q", at, withPage(c.URL.RawQuery, page), rel))
	}
	if page > 1 {
		add("prev", min(page-1, last))
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	return strings.Join(links, ", ")
}

// numbered is the address that was asked for, with the repository's number.
func (g *GitHub) numbered(c call) string {
	at := g.base + c.URL.EscapedPath()
	if c.repo == nil {
		return at
	}
	return strings.Replace(at, "/repos/"+c.PathValue("owner")+"/"+c.PathValue("repo"),
		"/repositories/"+strconv.FormatInt(c.repo.ID, 10), 1)
}

// withPage is the query with another page, the rest as it was.
func withPage(query string, page int) string {
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		if part != "" && !strings.HasPrefix(part, "page=") {
			kept = append(kept, part)
		}
	}
	return strings.Join(append(kept, "page="+strconv.Itoa(page)), "&")
}

// atLeast is the number that a parameter holds, or what is taken instead.
func atLeast(value string, least, otherwise int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		return otherwise
	}
	return n
}

// number64 is the number in the path under a name; what is none names nothing.
func (c call) number64(name string) (int64, error) {
	n, err := strconv.ParseInt(c.PathValue(name), 10, 64)
	if err != nil {
		return 0, errNotFound
	}
	return n, nil
}

// decode reads the request's body.
func (c call) decode(into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, c.Body, 1<<20)).Decode(into); err != nil {
		return &failure{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	return nil
}
