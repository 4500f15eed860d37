package githubtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows/githubtest"
)

// serve puts a GitHub on a loopback address.
func serve(t *testing.T) *githubtest.GitHub {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	github, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = github
	server.Start()
	t.Cleanup(server.Close)
	return github
}

// ask sends one request to the ID-token endpoint.
func ask(t *testing.T, url, authorization string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return response.StatusCode, body
}

// verified is the payload of a token that go-oidc believes.
func verified(t *testing.T, issuer, audience, token string) map[string]any {
	t.Helper()
	provider, err := oidc.NewProvider(context.Background(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := id.Claims(&payload); err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestTokenIsBelieved(t *testing.T) {
	github := serve(t)
	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
	url, bearer := github.Job(job)
	status, body := ask(t, url+"&audience=testpypi", "bearer "+bearer)
	if status != http.StatusOK {
		t.Fatalf("got %d %v", status, body)
	}
	token := body["value"].(string)
	if body["count"] != float64(len(token)) {
		t.Errorf("count: want %d, got %v", len(token), body["count"])
	}
	got := verified(t, github.Issuer(), "testpypi", token)
	iat := got["iat"].(float64)
	if got["exp"] != iat+300 || got["nbf"] != iat-600 {
		t.Errorf("want exp = iat+300 and nbf = iat-600, got %v %v %v", got["nbf"], iat, got["exp"])
	}
	for _, volatile := range []string{"iat", "exp", "nbf", "jti"} {
		delete(got, volatile)
	}
	want := map[string]any{
		"actor": "alice", "actor_id": job.ActorID, "aud": "testpypi", "base_ref": "",
		"check_run_id": job.CheckRunID, "environment": "pypi",
		"environment_node_id": job.EnvironmentNodeID, "event_name": "push", "head_ref": "",
		"iss":              github.Issuer(),
		"job_workflow_ref": "acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		"job_workflow_sha": job.SHA, "ref": "refs/tags/v1.0", "ref_protected": "true",
		"ref_type": "tag", "repository": "acme/widget", "repository_id": job.RepositoryID,
		"repository_owner": "acme", "repository_owner_id": job.RepositoryOwnerID,
		"repository_visibility": "public", "run_attempt": "1", "run_id": job.RunID,
		"run_number": "7", "runner_environment": "github-hosted", "sha": job.SHA,
		"sub": "repo:acme/widget:environment:pypi", "workflow": "release",
		"workflow_ref": "acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		"workflow_sha": job.SHA,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestSubject(t *testing.T) {
	base := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/heads/main", "")
	for _, test := range []struct {
		name   string
		change func(*githubtest.Claims)
		want   string
	}{
		{"a branch", func(*githubtest.Claims) {}, "repo:acme/widget:ref:refs/heads/main"},
		{"a tag", func(c *githubtest.Claims) { c.Ref = "refs/tags/v1" },
			"repo:acme/widget:ref:refs/tags/v1"},
		{"a pull request", func(c *githubtest.Claims) { c.EventName = "pull_request" },
			"repo:acme/widget:pull_request"},
		{"an environment comes before all", func(c *githubtest.Claims) {
			c.Environment, c.EventName = "pypi", "pull_request"
		}, "repo:acme/widget:environment:pypi"},
		{"a colon in a name", func(c *githubtest.Claims) { c.Environment = "a:b" },
			"repo:acme/widget:environment:a%3Ab"},
		{"ids", func(c *githubtest.Claims) {
			c.ImmutableSubject, c.RepositoryID, c.RepositoryOwnerID = true, "12", "34"
		}, "repo:acme@34/widget@12:ref:refs/heads/main"},
	} {
		t.Run(test.name, func(t *testing.T) {
			claims := base
			test.change(&claims)
			if got := claims.Subject(); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
}

func TestOnlyTheJobMayAsk(t *testing.T) {
	github := serve(t)
	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "")
	url, bearer := github.Job(job)
	other, _ := github.Job(job)
	for _, test := range []struct{ name, url, authorization string }{
		{"no token", url, ""},
		{"wrong token", url, "bearer " + strings.ToLower(bearer)},
		{"empty token", url, "bearer "},
		{"wrong scheme", url, "basic " + bearer},
		{"another job's URL", other, "bearer " + bearer},
		{"no such job", strings.Replace(url, "/idtoken/", "/idtoken/x", 1), "bearer " + bearer},
		{"no such job, empty token", strings.Replace(url, "/idtoken/", "/idtoken/x", 1), "bearer "},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, test.url+"&audience=pypi", test.authorization)
			if status != http.StatusUnauthorized || body["value"] != nil {
				t.Errorf("want 401 and no value, got %d %v", status, body)
			}
		})
	}
}

func TestEveryTokenIsAnother(t *testing.T) {
	github := serve(t)
	url, bearer := github.Job(githubtest.ReleaseJob("acme/widget", "r.yml", "refs/heads/main", ""))
	seen := map[any]bool{}
	for range 3 {
		_, body := ask(t, url, "Bearer "+bearer)
		seen[verified(t, github.Issuer(), "https://github.com/acme", body["value"].(string))["jti"]] = true
	}
	if len(seen) != 3 {
		t.Errorf("want three jti, got %v", seen)
	}
}
