package githubtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// description is GitHub's own of its API, a part of it.
type description struct{ paths map[string]*openapi3.PathItem }

// undescribed are endpoints that the part does not have. In the whole description,
// of the same version, all have their answers but the last: with that in the part's
// place they are held against it too, and were.
var undescribed = []string{
	// who people are, and who may do what: audit and init
	"/users/{user}", "/user", "/user/{id}", "/orgs/{org}", "/orgs/{org}/teams/{team}/members", "/orgs/{org}/members",
	"/orgs/{org}/installations", "/orgs/{org}/actions/permissions", "/orgs/{org}/actions/permissions/workflow",
	"/repos/{owner}/{repo}/actions/permissions", "/repos/{owner}/{repo}/actions/permissions/workflow",
	"/repos/{owner}/{repo}/actions/permissions/fork-pr-contributor-approval", "/repos/{owner}/{repo}/actions/runners",
	"/repos/{owner}/{repo}/actions/secrets", "/repos/{owner}/{repo}/actions/organization-secrets",
	"/repos/{owner}/{repo}/actions/cache/usage", "/repos/{owner}/{repo}/collaborators", "/repos/{owner}/{repo}/keys",
	"/repos/{owner}/{repo}/vulnerability-alerts",
	// what brought a commit: lock
	"/repos/{owner}/{repo}/commits/{sha}/pulls", "/repos/{owner}/{repo}/pulls/{number}", "/repos/{owner}/{repo}/pulls/{number}/reviews",
	// where what does not agree is told: reconcile
	"/repos/{owner}/{repo}/issues", "/repos/{owner}/{repo}/issues/{number}",
	// the source itself: review
	"/repos/{owner}/{repo}/git/commits/{sha}", "/repos/{owner}/{repo}/git/blobs/{sha}",
	// and a tree under a ref with a slash, which GitHub answers and describes nowhere
	"/repos/{owner}/{repo}/git/trees/{path}",
}

// load is made once.
var load = sync.OnceValues(func() (*description, error) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		return nil, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, "github", "openapi-slice.json"))
	if err != nil {
		return nil, err
	}
	return &description{paths: doc.Paths.Map()}, nil
})

// conforming lets no response through that GitHub's description does not know.
type conforming struct {
	t  *testing.T
	at string // of the API
}

func (c conforming) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.String(), c.at) {
		return response, err
	}
	raw, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw), broken{err}))
		return response, nil
	}
	description, err := load()
	if err != nil {
		c.t.Fatal(err)
	}
	if description != nil {
		if err := description.check(r, response, raw); err != nil {
			c.t.Errorf("%s %s: %d %s\n%v", r.Method, r.URL.Path, response.StatusCode, raw[:min(len(raw), 3000)], err)
		}
	}
	return response, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// check holds a response against the description.
func (d *description) check(r *http.Request, response *http.Response, raw []byte) error {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3"), "/uploads") // of another host, there
	if strings.HasPrefix(path, "/repositories/") {                                             // what a Link leads to, which is a path above under another name
		return nil
	}
	if strings.HasSuffix(path, "/contents") { // the root has no path
		path += "/"
	}
	operation, literal := d.operation(r.Method, path)
	if slices.ContainsFunc(undescribed, func(p string) bool { return fits(p, path) > literal }) {
		return nil
	}
	if operation == nil {
		if response.StatusCode == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("the description has no %s %s", r.Method, path)
	}
	if universal[response.StatusCode] {
		return nil
	}
	described := operation.Responses.Value(strconv.Itoa(response.StatusCode))
	if described == nil {
		return fmt.Errorf("the description has no %d", response.StatusCode)
	}
	if strings.Contains(path, "/attestations/") {
		raw = bytes.ReplaceAll(raw, []byte(nullBundle), nil)
	}
	return fitsSchema(described.Value, response.Header.Get("Content-Type"), raw)
}

// nullBundle is what lists of attestations say since 2026-07-16 in the version
// that has bundles, and what the description does not allow.
const nullBundle = `"bundle":null,`

// universal are statuses that any endpoint may answer with, described or not.
var universal = map[int]bool{
	301: true, 304: true, 307: true, 400: true, 401: true, 403: true, 404: true, 422: true, 429: true,
	500: true, 502: true, 503: true,
}

func fitsSchema(described *openapi3.Response, contentType string, raw []byte) error {
	if len(described.Content) == 0 {
		if len(raw) != 0 {
			return fmt.Errorf("want no body")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if strings.HasSuffix(media, ".raw+json") || strings.HasSuffix(media, ".sha") { // not JSON
		return nil
	}
	content := described.Content[media]
	if content == nil {
		return fmt.Errorf("the description has no %s", media)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	return content.Schema.Value.VisitJSON(value, openapi3.MultiErrors())
}

// operation is the endpoint with the most literal path that fits.
func (d *description) operation(method, path string) (found *openapi3.Operation, literal int) {
	literal = -1
	for template, item := range d.paths {
		if n := fits(template, path); n > literal && item.GetOperation(method) != nil {
			literal, found = n, item.GetOperation(method)
		}
	}
	return found, literal
}

// fits is how many segments of a template are literal and fit, or -1.
func fits(template, path string) (literal int) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	long := strings.HasSuffix(template, "{path}") || strings.HasSuffix(template, "{ref}") ||
		strings.HasSuffix(template, "{branch}") || strings.HasSuffix(template, "{basehead}") ||
		strings.HasSuffix(template, "{tag}")
	if len(want) > len(got) || len(want) < len(got) && !long {
		return -1
	}
	for i, segment := range want {
		switch {
		case strings.HasPrefix(segment, "{"):
		case segment == got[i]:
			literal++
		default:
			return -1
		}
	}
	return literal
}

// A response that is wrong is seen to be.
func TestDescriptionIsAsked(t *testing.T) {
	description, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if description == nil {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	request, _ := http.NewRequest("GET", "http://x/repos/acme/widget/actions/runs/1/jobs", nil)
	response := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
	for body, good := range map[string]bool{
		`{"total_count":0,"jobs":[]}`:           true,
		`{"total_count":1,"jobs":[{"id":"1"}]}`: false,
	} {
		if err := description.check(request, response, []byte(body)); (err == nil) != good {
			t.Errorf("%s: got %v", body, err)
		}
	}
}
