package pypitest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// mintRefusal is an exchange that does not take place. The status is always
// 422.
type mintRefusal struct {
	name   string
	oracle string // the test in Warehouse's own suite that asks the same
	want   string // code and description; "…" stands for anything
	play   func(w *world) (body string)
}

// exchange asks for a token with a job's ID token.
func exchange(change func(job *githubtest.Claims)) func(w *world) string {
	return func(w *world) string {
		job := releaseJob()
		change(&job)
		return w.idToken(job, "pypi")
	}
}

func (w *world) idToken(job githubtest.Claims, audience string) string {
	w.t.Helper()
	id, err := w.github.Token(job, audience)
	w.must(err)
	return payload(id)
}

func payload(idToken string) string {
	raw, _ := json.Marshal(map[string]string{"token": idToken})
	return string(raw)
}

// resealed is a token with another header or payload and the old signature.
func resealed(w *world, part int, change func(map[string]any)) string {
	id, err := w.github.Token(releaseJob(), "pypi")
	w.must(err)
	parts := strings.Split(id, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	w.must(err)
	var content map[string]any
	w.must(json.Unmarshal(raw, &content))
	change(content)
	raw, err = json.Marshal(content)
	w.must(err)
	parts[part] = base64.RawURLEncoding.EncodeToString(raw)
	return payload(strings.Join(parts, "."))
}

func mintRefusals() []mintRefusal {
	const none = "invalid-publisher: valid token, but no corresponding publisher "
	const notFound = none + "(Publisher with matching claims was not found)"
	fixed := func(body string) func(*world) string { return func(*world) string { return body } }
	return []mintRefusal{
		{"no JSON", "test_mint_token_from_oidc_invalid_payload", "invalid-payload: 1 validation error for TokenPayload…",
			fixed("x")},
		{"no token", "", "invalid-payload: 1 validation error for TokenPayload\ntoken\n  Field required", fixed("{}")},
		{"a token that is no string", "", "invalid-payload: 1 validation error…", fixed(`{"token":7}`)},
		{"a token that is no JWT", "test_mint_token_from_oidc_invalid_payload_malformed_jwt",
			"invalid-payload: malformed JWT", fixed(payload("x.y"))},
		{"a JWT without an issuer", "", "invalid-payload: malformed JWT",
			func(w *world) string { return resealed(w, 1, func(c map[string]any) { delete(c, "iss") }) }},
		{"another issuer", "test_mint_token_from_oidc_unknown_issuer",
			"invalid-payload: unknown trusted publishing issuer",
			func(w *world) string {
				return resealed(w, 1, func(c map[string]any) { c["iss"] = "https://gitlab.com" })
			}},
		{"an issuer that was switched off", "test_mint_token_from_oidc_not_enabled",
			"not-enabled: github trusted publishing functionality not enabled",
			func(w *world) string {
				w.index.Switch(pypitest.DisallowGitHubOIDC, true)
				return w.idToken(releaseJob(), "pypi")
			}},
		{"a changed claim", "test_mint_token_from_trusted_publisher_verify_jwt_signature_fails",
			"invalid-token: malformed or invalid token",
			func(w *world) string {
				return resealed(w, 1, func(c map[string]any) { c["repository"] = "acme/gadget" })
			}},
		{"an unsigned token", "", "invalid-token: malformed or invalid token",
			func(w *world) string { return resealed(w, 0, func(h map[string]any) { h["alg"] = "none" }) }},
		{"an unknown key", "", "invalid-token: malformed or invalid token",
			func(w *world) string { return resealed(w, 0, func(h map[string]any) { h["kid"] = "x" }) }},
		{"no key", "", "invalid-token: malformed or invalid token",
			func(w *world) string { return resealed(w, 0, func(h map[string]any) { delete(h, "kid") }) }},
		{"another audience", "", "invalid-token: malformed or invalid token",
			func(w *world) string { return w.idToken(releaseJob(), "testpypi") }},
		{"an expired token", "", "invalid-token: malformed or invalid token",
			func(w *world) string {
				id := w.idToken(releaseJob(), "pypi")
				w.now = w.now.Add(5*time.Minute + 31*time.Second)
				return id
			}},
		{"a token to come", "", "invalid-token: malformed or invalid token",
			func(w *world) string {
				w.now = w.now.Add(-31 * time.Second)
				return w.idToken(releaseJob(), "pypi")
			}},
		{"another repository", "test_mint_token_trusted_publisher_lookup_fails", notFound,
			exchange(func(job *githubtest.Claims) { job.Repository = "acme/gadget" })},
		{"a recreated owner", "", notFound, exchange(func(job *githubtest.Claims) { job.RepositoryOwnerID = "1" })},
		{"another workflow", "", notFound, exchange(func(job *githubtest.Claims) {
			job.JobWorkflowRef = "acme/widget/.github/workflows/evil.yml@refs/tags/v1.0"
		})},
		{"another environment", "", notFound, exchange(func(job *githubtest.Claims) { job.Environment = "test" })},
		{"no environment", "", notFound, exchange(func(job *githubtest.Claims) { job.Environment = "" })},
		{"no workflow file", "", none + "(Could not job extract workflow filename from OIDC claims)",
			exchange(func(job *githubtest.Claims) { job.JobWorkflowRef = "acme/widget@refs/tags/v1.0" })},
		{"another owner's name", "", none + "(Check failed for required claim 'repository_owner')",
			exchange(func(job *githubtest.Claims) { job.RepositoryOwner = "evil" })},
		{"a reusable workflow of another repository", "", none + "(The job_workflow_ref claim does not match, " +
			"expecting one of …, got 'evil/shared/.github/workflows/release.yml@refs/heads/main')",
			exchange(func(job *githubtest.Claims) {
				job.JobWorkflowRef = "evil/shared/.github/workflows/release.yml@refs/heads/main"
			})},
		{"neither ref nor commit", "", none + "(The ref and sha claims are empty)",
			exchange(func(job *githubtest.Claims) { job.Ref, job.SHA = "", "" })},
		{"a pull request from outside", "", none + "(Publishing from a workflow invoked via 'pull_request_target' " +
			"is not supported.)", exchange(func(job *githubtest.Claims) { job.EventName = "pull_request_target" })},
		{"a token a second time", "test_mint_token_duplicate_token", "invalid-reuse-token: invalid token: already used",
			func(w *world) string {
				body := w.idToken(releaseJob(), "pypi")
				w.postRaw("/_/oidc/mint-token", body)
				return body
			}},
		{"a pending publisher of a project that exists", "test_mint_token_pending_publisher_project_already_exists",
			"invalid-pending-publisher: valid token, but project already exists",
			func(w *world) string {
				w.must(w.index.AddPending("widget", publisher()))
				return w.idToken(releaseJob(), "pypi")
			}},
		{"a pending publisher of a name that looks like another's", "test_mint_token_with_prohibited_name_fails",
			"invalid-payload: The name 'w1dget' is too similar to an existing project. " +
				"See https://pypi.org/help/#project-name for more information.",
			func(w *world) string {
				w.must(w.index.AddPending("w1dget", publisher()))
				return w.idToken(releaseJob(), "pypi")
			}},
	}
}

func (r mintRefusal) run(t *testing.T) (status int, body map[string]any, said string) {
	t.Helper()
	w := newWorld(t)
	status, body = w.postRaw("/_/oidc/mint-token", r.play(w))
	if errors, ok := body["errors"].([]any); ok && len(errors) == 1 {
		first := errors[0].(map[string]any)
		said = fmt.Sprintf("%s: %s", first["code"], first["description"])
	}
	return status, body, said
}

func TestTokenIsNotMinted(t *testing.T) {
	for _, r := range mintRefusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			status, body, said := r.run(t)
			if status != http.StatusUnprocessableEntity || body["message"] != "Token request failed" ||
				!like(r.want).MatchString(said) {
				t.Errorf("want %q, got %d %v", r.want, status, body)
			}
		})
	}
}

// TestTokenIsMinted is what PyPI lets through, much of which distgate does
// not.
func TestTokenIsMinted(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(job *githubtest.Claims)
	}{
		{"the release job", func(*githubtest.Claims) {}},
		{"an environment in another case", func(job *githubtest.Claims) { job.Environment = "PYPI" }},
		{"the workflow at the commit", func(job *githubtest.Claims) {
			job.JobWorkflowRef = "acme/widget/.github/workflows/release.yml@" + job.SHA
		}},
		{"any ref", func(job *githubtest.Claims) {
			*job = githubtest.ReleaseJob("acme/widget", "release.yml", "refs/heads/evil", "pypi")
		}},
		{"any runner", func(job *githubtest.Claims) { job.RunnerEnvironment = "self-hosted" }},
		{"a recreated repository", func(job *githubtest.Claims) { job.RepositoryID = "1" }},
		{"a reusable workflow of the repository, named like the registered one", func(job *githubtest.Claims) {
			job.WorkflowRef = "acme/widget/.github/workflows/other.yml@" + job.Ref
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			job := releaseJob()
			test.change(&job)
			status, body := w.postRaw("/_/oidc/github/mint-token", w.idToken(job, "pypi"))
			token, _ := body["token"].(string)
			if status != http.StatusOK || body["success"] != true || !strings.HasPrefix(token, "pypi-") ||
				body["expires"] != float64(w.now.Unix()+900) {
				t.Fatalf("got %d %v", status, body)
			}
			w.accepted(wheel(token, "widget", "1.0"))
		})
	}
}

// TestFailedMatchDoesNotUseTheTokenUp is that a publisher which was registered
// a moment too late can still be used.
func TestFailedMatchDoesNotUseTheTokenUp(t *testing.T) {
	w := newWorld(t)
	job := githubtest.ReleaseJob("acme/gadget", "release.yml", "refs/tags/v1.0", "")
	body := w.idToken(job, "pypi")
	if status, _ := w.postRaw("/_/oidc/mint-token", body); status != http.StatusUnprocessableEntity {
		t.Fatalf("want 422, got %d", status)
	}
	w.must(w.index.AddProject("gadget", pypitest.Publisher{Repository: "acme/gadget",
		OwnerID: job.RepositoryOwnerID, Workflow: "release.yml"}))
	if status, answer := w.postRaw("/_/oidc/mint-token", body); status != http.StatusOK {
		t.Errorf("want 200, got %d %v", status, answer)
	}
}

// TestPendingPublisherMakesItsProject is how a first release comes about
// without a person's token.
func TestPendingPublisherMakesItsProject(t *testing.T) {
	w := newWorld(t)
	job := githubtest.ReleaseJob("acme/gadget", "release.yml", "refs/tags/v1.0", "")
	w.must(w.index.AddPending("gadget", pypitest.Publisher{Repository: "acme/gadget",
		OwnerID: job.RepositoryOwnerID, Workflow: "release.yml"}))
	w.accepted(wheel(w.mint(job), "gadget", "1.0"))
}

func TestAudience(t *testing.T) {
	w := newWorld(t, func(c *pypitest.Config) { c.Audience = "testpypi" })
	if diff := cmp.Diff(map[string]any{"audience": "testpypi"}, w.getJSON("/_/oidc/audience", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.index.Switch(pypitest.DisallowOIDC, true)
	response, body := w.get("/_/oidc/audience", "")
	if response.StatusCode != http.StatusForbidden ||
		body != `{"message":"Trusted publishing functionality not enabled"}`+"\n" {
		t.Errorf("got %s %s", response.Status, body)
	}
}

// TestBurn always answers the same, and burns minted tokens only.
func TestBurn(t *testing.T) {
	w := newWorld(t)
	minted := w.mint(releaseJob())
	for _, body := range []string{payload(minted), payload(minted), payload(w.alice), payload("x"), "x", ""} {
		status, answer := w.postRaw("/_/oidc/burn-token", body)
		want := map[string]any{"message": "Accepted", "errors": []any{}}
		if status != http.StatusAccepted || !cmp.Equal(want, answer) {
			t.Errorf("%s: got %d %v", body, status, answer)
		}
	}
	if got := w.upload(wheel(minted, "widget", "1.0")); got.status != http.StatusForbidden {
		t.Errorf("the minted token is alive: %d", got.status)
	}
	w.accepted(wheel(w.alice, "widget", "1.0"))
}

// TestIndexNeedsItsPolicy is that nothing is believed for want of an answer.
func TestIndexNeedsItsPolicy(t *testing.T) {
	good := pypitest.Config{Audience: "pypi", Issuers: []string{"http://127.0.0.1:1"}}
	for _, test := range []struct {
		name   string
		change func(*pypitest.Config)
	}{
		{"no audience", func(c *pypitest.Config) { c.Audience = "" }},
		{"no issuer", func(c *pypitest.Config) { c.Issuers = nil }},
		{"a trusted root that is none", func(c *pypitest.Config) { c.TrustedRoots = [][]byte{[]byte("{}")} }},
	} {
		config := good
		test.change(&config)
		if _, err := pypitest.New(config); err == nil {
			t.Errorf("%s: want an error", test.name)
		}
	}
	w := newWorld(t)
	for _, p := range []pypitest.Publisher{
		{}, {Repository: "acme", OwnerID: "1", Workflow: "r.yml"}, {Repository: "acme/x/y", OwnerID: "1", Workflow: "r.yml"},
		{Repository: "acme/x", Workflow: "r.yml"}, {Repository: "acme/x", OwnerID: "1", Workflow: ".github/r.yml"},
		{Repository: "acme/x", OwnerID: "1", Workflow: "r"},
	} {
		if w.index.AddProject("x", p) == nil || w.index.AddPending("x", p) == nil {
			t.Errorf("want an error for %+v", p)
		}
	}
	if slices.Contains([]error{w.index.AddProject("-x"), w.index.AddProject("Widget")}, nil) {
		t.Error("want an error for a bad name and for one that is taken")
	}
}
