package githubtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/workflows/githubtest"
)

// clock is a time that stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// world is a GitHub with its storage on loopback addresses.
type world struct {
	*githubtest.GitHub
	t      *testing.T
	client *http.Client
	clock  *clock
}

func start(t *testing.T) *world {
	t.Helper()
	server, storage := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	clock := &clock{at: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	base := "http://" + server.Listener.Addr().String()
	github, err := githubtest.New(base, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = github
	storage.Config.Handler = github.Storage("http://" + storage.Listener.Addr().String())
	server.Start()
	storage.Start()
	t.Cleanup(server.Close)
	t.Cleanup(storage.Close)
	client := &http.Client{
		Transport:     conforming{t: t, at: base},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &world{GitHub: github, t: t, client: client, clock: clock}
}

// got is a response, read.
type got struct {
	status int
	header http.Header
	raw    []byte
	err    error // of reading
}

// do sends a request; headers are "Name: value".
func (w *world) do(method, at, body string, headers ...string) got {
	w.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = w.Issuer() + at
	}
	request, err := http.NewRequestWithContext(w.t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return got{response.StatusCode, response.Header, raw, err}
}

func (w *world) get(at string, headers ...string) got {
	w.t.Helper()
	return w.do(http.MethodGet, at, "", headers...)
}

// read decodes a response that is well.
func (w *world) read(at string, into any, headers ...string) http.Header {
	w.t.Helper()
	g := w.get(at, headers...)
	if g.status != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s", at, g.status, g.raw)
	}
	if err := json.Unmarshal(g.raw, into); err != nil {
		w.t.Fatalf("%s: %v", g.raw, err)
	}
	return g.header
}

// wants is the header of a request with a token.
func wants(token string) string { return "Authorization: Bearer " + token }

// may is the header of a token with one permission, a job's if it is nobody's.
func (w *world) may(login, permission, level string) string {
	return wants(w.AccessToken(githubtest.Access{User: login, Permissions: map[string]string{permission: level}}))
}

// message is what an error says.
func (g got) message() string {
	var body struct{ Message string }
	json.Unmarshal(g.raw, &body)
	return body.Message
}

func TestRepositoryAndUserHaveTheirNumbers(t *testing.T) {
	w := start(t)
	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "")
	w.PutRun(githubtest.RunOf(job))
	for at, want := range map[string]string{
		"/repos/acme/widget":        job.RepositoryID,
		"/repos/Acme/Widget":        job.RepositoryID,
		"/api/v3/repos/acme/widget": job.RepositoryID,
		"/users/acme":               job.RepositoryOwnerID,
		"/orgs/acme":                job.RepositoryOwnerID,
		"/users/alice":              job.ActorID,
	} {
		var body struct{ ID json.Number }
		w.read(at, &body)
		if body.ID.String() != want {
			t.Errorf("%s: want %s, got %s", at, want, body.ID)
		}
	}
	for _, at := range []string{"/repos/acme/gadget", "/users/mallory", "/orgs/alice", "/nothing"} {
		if g := w.get(at); g.status != 404 || g.message() != "Not Found" {
			t.Errorf("%s: got %d %s", at, g.status, g.raw)
		}
	}
}

func TestRenamedRepositoryLeadsToItself(t *testing.T) {
	w := start(t)
	old := w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	w.PutRepository(githubtest.Repository{Name: "acme/gizmo", ID: old.ID})
	g := w.get("/repos/acme/widget/actions/runs?per_page=1")
	to := g.header.Get("Location")
	if g.status != 301 || g.message() != "Moved Permanently" || !strings.HasSuffix(to, "/actions/runs?per_page=1") {
		t.Fatalf("got %d %s to %q", g.status, g.raw, to)
	}
	w.read(to, new(any))
	w.PutRepository(githubtest.Repository{Name: "acme/widget", ID: 7})
	var body struct{ ID int64 }
	if w.read("/repos/acme/widget", &body); body.ID != 7 {
		t.Errorf("want the repository made anew, got %d", body.ID)
	}
}

func TestPages(t *testing.T) {
	w := start(t)
	repo := w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	run := w.PutRun(githubtest.Run{Repository: repo.Name, Workflow: ".github/workflows/wheels.yml"})
	blob, err := githubtest.Zip(githubtest.Member{Name: "a", Content: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		a := githubtest.Artifact{Run: run.ID, Name: "a", Blob: blob, Size: blob.Size()}
		if _, err := w.PutArtifact(a); err != nil {
			t.Fatal(err)
		}
	}
	at := "/repos/acme/widget/actions/artifacts?name=a&per_page=2"
	page := func(n string) string { return "/actions/artifacts?name=a&per_page=2&page=" + n + ">; rel=" }
	for _, test := range []struct {
		at    string
		count int
		links []string
	}{
		{at, 2, []string{page("2") + `"next"`, page("3") + `"last"`}},
		{at + "&page=2", 2, []string{page("1") + `"prev"`, page("3") + `"next"`, page("3") + `"last"`,
			page("1") + `"first"`}},
		{at + "&page=3", 1, []string{page("2") + `"prev"`, page("1") + `"first"`}},
		{at + "&page=9", 0, []string{page("3") + `"prev"`, page("1") + `"first"`}},
		{"/repos/acme/widget/actions/artifacts?per_page=500", 5, nil},
	} {
		var body struct {
			Total     int `json:"total_count"`
			Artifacts []any
		}
		header := w.read(test.at, &body)
		if body.Total != 5 || len(body.Artifacts) != test.count {
			t.Errorf("%s: want %d of 5, got %d of %d", test.at, test.count, len(body.Artifacts), body.Total)
		}
		links := strings.Split(header.Get("Link"), ", ")
		if test.links == nil {
			links = nil
			if header.Get("Link") != "" {
				t.Errorf("%s: got %s", test.at, header.Get("Link"))
			}
		}
		for i, link := range links {
			if i >= len(test.links) || !strings.HasSuffix(link, test.links[i]) ||
				!strings.Contains(link, "/repositories/") {
				t.Errorf("%s: link %d: got %s", test.at, i, link)
			}
		}
		if len(links) != len(test.links) {
			t.Errorf("%s: want %d links, got %v", test.at, len(test.links), links)
		}
		for _, link := range links {
			address, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
			w.read(address, new(any))
		}
	}
}

func TestVersions(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	for version, downloads := range map[string]bool{
		"": true, githubtest.Version2022: true, githubtest.Version2026: false,
	} {
		var body map[string]any
		header := w.read("/repos/acme/widget", &body, "X-GitHub-Api-Version: "+version)
		if _, has := body["has_downloads"]; has != downloads {
			t.Errorf("%s: has_downloads: %v", version, has)
		}
		if selected := header.Get("X-GitHub-Api-Version-Selected"); version != "" && selected != version {
			t.Errorf("want %s selected, got %s", version, selected)
		}
	}
	if g := w.get("/repos/acme/widget", "X-GitHub-Api-Version: 2020-01-01"); g.status != 400 {
		t.Errorf("an unknown version: got %d %s", g.status, g.raw)
	}
}

func TestUnchangedCostsNothing(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	token := w.AccessToken(githubtest.Access{})
	first := w.get("/repos/acme/widget", wants(token))
	tag := first.header.Get("ETag")
	again := w.get("/repos/acme/widget", wants(token), "If-None-Match: W/"+tag)
	if again.status != 304 || len(again.raw) != 0 {
		t.Errorf("want 304, got %d %s", again.status, again.raw)
	}
	for _, g := range []got{first, again} {
		if left := g.header.Get("X-RateLimit-Remaining"); left != "999" {
			t.Errorf("want 999 requests left after both, got %s", left)
		}
	}
	w.PutRepository(githubtest.Repository{Name: "acme/widget", DefaultBranch: "trunk"})
	if g := w.get("/repos/acme/widget", wants(token), "If-None-Match: "+tag); g.status != 200 {
		t.Errorf("want 200 after a change, got %d", g.status)
	}
}

func TestRequestsRunOut(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	token := w.AccessToken(githubtest.Access{User: "alice", Limit: 1})
	w.read("/repos/acme/widget", new(any), wants(token))
	g := w.get("/repos/acme/widget", wants(token))
	if g.status != 403 || !strings.HasPrefix(g.message(), "API rate limit exceeded for user ID ") ||
		g.header.Get("X-RateLimit-Remaining") != "0" || g.header.Get("Retry-After") != "" {
		t.Errorf("got %d %s %v", g.status, g.raw, g.header)
	}
	w.read("/rate_limit", new(any), wants(token))
	w.clock.at = w.clock.at.Add(time.Hour)
	w.read("/repos/acme/widget", new(any), wants(token))
	if g := w.get("/repos/acme/widget"); g.header.Get("X-RateLimit-Limit") != "60" {
		t.Errorf("nobody: got %v", g.header)
	}
}

func TestFaults(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	w.Play(githubtest.SecondaryLimit(403, 61*time.Second))
	w.Play(githubtest.SecondaryLimit(429, 0))
	w.Play(githubtest.ServerError(502))
	w.Play(githubtest.Broken())
	for _, test := range []struct {
		status     int
		retryAfter string
		message    string
	}{
		{403, "61", "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
		{429, "", "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
		{502, "", "Server Error"},
	} {
		g := w.get("/repos/acme/widget")
		if g.status != test.status || g.header.Get("Retry-After") != test.retryAfter || g.message() != test.message {
			t.Errorf("want %+v, got %d %s %v", test, g.status, g.raw, g.header)
		}
	}
	if g := w.get("/repos/acme/widget"); g.err == nil {
		t.Errorf("want a response that breaks off, got %s", g.raw)
	}
	w.Play(githubtest.Fault{Method: "POST", Status: 500})
	w.Play(githubtest.Fault{Path: "/actions/", Status: 500})
	w.read("/repos/acme/widget", new(any))
}

func TestPermissions(t *testing.T) {
	const repo, runs = "/repos/acme/secret", "/repos/acme/secret/actions/runs"
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/secret", Private: true})
	w.PutRun(githubtest.Run{Repository: "acme/open", ID: 5})
	zip := "/repos/acme/open/actions/artifacts/1/zip"
	job := w.AccessToken(githubtest.Access{Permissions: map[string]string{"metadata": "read"}})
	reader := w.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{"actions": "read"}})
	other := w.AccessToken(githubtest.Access{User: "bob", Repositories: []string{"acme/other"},
		Permissions: map[string]string{"actions": "write"}})
	classic := w.AccessToken(githubtest.Access{User: "carol", Classic: true})
	for _, test := range []struct {
		name, at, token string
		status          int
		message         string
	}{
		{"nobody", repo, "", 404, "Not Found"},
		{"a wrong token", repo, "x", 401, "Bad credentials"},
		{"a job that may see it", repo, job, 200, ""},
		{"a job without actions: read", runs, job, 403, "Resource not accessible by integration"},
		{"a person with actions: read", runs, reader, 200, ""},
		{"a person without contents: read", repo, other, 404, "Not Found"},
		{"a token for another repository", runs, other, 404, "Not Found"},
		{"a classic token without the scope", runs, classic, 404, "Not Found"},
		{"nobody, in public", "/repos/acme/open/actions/runs", "", 200, ""},
		{"a token without it, in public", "/repos/acme/open/actions/runs", other, 200, ""},
		{"nobody, an artifact", zip, "", 401, "Requires authentication"},
		{"a job without actions: read, an artifact", zip, job, 403, "Resource not accessible by integration"},
		{"a job with it, an artifact that is not there", zip, reader, 404, "Not Found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.token != "" {
				headers = append(headers, wants(test.token))
			}
			g := w.get(test.at, headers...)
			if g.status != test.status || g.message() != test.message {
				t.Errorf("want %d %q, got %d %s", test.status, test.message, g.status, g.raw)
			}
			if test.status == 403 && g.header.Get("X-Accepted-GitHub-Permissions") != "actions=read" {
				t.Errorf("got %v", g.header)
			}
		})
	}
	w.Behave(githubtest.Behaviour{HidesDenied: true})
	if g := w.get(runs, wants(job)); g.status != 404 {
		t.Errorf("hidden: got %d %s", g.status, g.raw)
	}
}
