package publish_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

func TestAPublisherLeavesNothingOpen(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*publish.Publisher){
		"no issuer":                  func(p *publish.Publisher) { p.Issuer = "" },
		"an issuer over http":        func(p *publish.Publisher) { p.Issuer = "http://issuer.example" },
		"no repository":              func(p *publish.Publisher) { p.Repository = "" },
		"an owner alone":             func(p *publish.Publisher) { p.Repository = "acme" },
		"a repository's URL":         func(p *publish.Publisher) { p.Repository = "https://github.com/acme/widget" },
		"no repository id":           func(p *publish.Publisher) { p.RepositoryID = "" },
		"a repository id with zeros": func(p *publish.Publisher) { p.RepositoryID = "007" },
		"no owner id":                func(p *publish.Publisher) { p.OwnerID = "" },
		"an owner's name as id":      func(p *publish.Publisher) { p.OwnerID = "acme" },
		"no workflow":                func(p *publish.Publisher) { p.Workflow = "" },
		"a workflow's name alone":    func(p *publish.Publisher) { p.Workflow = "release.yml" },
		"a workflow in a folder":     func(p *publish.Publisher) { p.Workflow = ".github/workflows/a/release.yml" },
		"no environment":             func(p *publish.Publisher) { p.Environment = "" },
		"no ref":                     func(p *publish.Publisher) { p.Refs = nil },
		"an empty ref":               func(p *publish.Publisher) { p.Refs = []string{""} },
		"every tag":                  func(p *publish.Publisher) { p.Refs = []string{"refs/tags/*"} },
		"every ref":                  func(p *publish.Publisher) { p.Refs = []string{"*"} },
		"a branch's short name":      func(p *publish.Publisher) { p.Refs = []string{"main"} },
		"a pull request":             func(p *publish.Publisher) { p.Refs = []string{"refs/pull/1/merge"} },
		"a broken pattern":           func(p *publish.Publisher) { p.Refs = []string{"refs/tags/[v"} },
		"no trigger":                 func(p *publish.Publisher) { p.Triggers = nil },
		"a stranger's trigger":       func(p *publish.Publisher) { p.Triggers = []string{"push", "pull_request_target"} },
	} {
		t.Run(name, func(t *testing.T) {
			p := w.publisher()
			change(&p)
			refused(t, p.Check(), rule.PublisherPolicy)
			_, err := p.Verify(context.Background(), "token", audience)
			refused(t, err, rule.PublisherPolicy)
		})
	}
	w.must(w.publisher().Check())
	if err := (publish.Publisher{}).Check(); err == nil {
		t.Error("an empty publisher is one")
	}
}

// Only the one job may publish. Nothing is sent for any other, not even for
// those that PyPI would let in.
func TestOtherJobsMayNotPublish(t *testing.T) {
	w := newWorld(t)
	other := func(repository, workflow, ref, environment string) githubtest.Claims {
		return githubtest.ReleaseJob(repository, workflow, ref, environment)
	}
	change := func(f func(*githubtest.Claims)) githubtest.Claims {
		c := job()
		f(&c)
		return c
	}
	for _, test := range []struct {
		name   string
		claims githubtest.Claims
		got    []string // in the refusals, in their order
	}{
		{"of another repository of the owner", change(func(c *githubtest.Claims) { c.Repository = "acme/gadget" }),
			[]string{"repository acme/widget"}},
		{"of the repository in other letters", change(func(c *githubtest.Claims) { c.Repository = "Acme/widget" }),
			[]string{"repository acme/widget"}},
		{"of a repository made anew", change(func(c *githubtest.Claims) { c.RepositoryID = "7" }),
			[]string{"repository_id " + job().RepositoryID}},
		{"of an owner's name taken over", change(func(c *githubtest.Claims) { c.RepositoryOwnerID = "7" }),
			[]string{"repository_owner_id " + job().RepositoryOwnerID}},
		{"on a branch", other("acme/widget", "release.yml", "refs/heads/evil", "release"), []string{"ref refs/tags/v*"}},
		{"on a tag in a folder", other("acme/widget", "release.yml", "refs/tags/v1/evil", "release"), []string{"ref refs/tags/v*"}},
		{"for a pull request", other("acme/widget", "release.yml", "refs/pull/7/merge", "release"), []string{"ref refs/tags/v*"}},
		{"of a copy of the workflow", other("acme/widget", "release2.yml", "refs/tags/v1.0", "release"),
			[]string{"workflow_ref acme/widget/.github/workflows/release.yml@refs/tags/v1.0"}},
		{"of the workflow at another ref", change(func(c *githubtest.Claims) {
			c.WorkflowRef = "acme/widget/.github/workflows/release.yml@refs/heads/evil"
			c.JobWorkflowRef = c.WorkflowRef
		}), []string{"workflow_ref acme/widget/.github/workflows/release.yml@refs/tags/v1.0"}},
		{"of a reusable workflow", change(func(c *githubtest.Claims) {
			c.JobWorkflowRef = "acme/shared/.github/workflows/release.yml@refs/tags/v1.0"
		}), []string{"job_workflow_ref acme/widget/.github/workflows/release.yml@refs/tags/v1.0"}},
		{"in another environment", change(func(c *githubtest.Claims) { c.Environment = "staging" }), []string{"environment release"}},
		{"in the environment in other letters", change(func(c *githubtest.Claims) { c.Environment = "Release" }), []string{"environment release"}},
		{"without an environment", change(func(c *githubtest.Claims) { c.Environment = "" }), []string{"environment release", "got nothing"}},
		{"on a machine of somebody's", change(func(c *githubtest.Claims) { c.RunnerEnvironment = "self-hosted" }),
			[]string{"runner_environment github-hosted", "self-hosted"}},
		{"started by a stranger", change(func(c *githubtest.Claims) { c.EventName = "pull_request_target" }), []string{"event_name push or"}},
		{"that says nothing", githubtest.Claims{}, []string{"repository", "repository_id", "repository_owner_id", "ref", "workflow_ref",
			"job_workflow_ref", "environment", "runner_environment", "event_name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.job(test.claims).Publish(context.Background(), w.approved)
			for _, no := range refusals(t, err) {
				if no.Rule != rule.PublisherClaims {
					t.Errorf("refused by another rule: %v", no)
				}
			}
			says(t, err, test.got...)
		})
	}
	if n := w.requests("POST "); n != 0 {
		t.Errorf("%d requests were sent for them", n)
	}
}

// An issuer whose tokens say whatever a test wants.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

var theKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newIssuer(t *testing.T, wrap func(http.Handler) http.Handler) issuer {
	t.Helper()
	key, err := theKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "1", Algorithm: oidc.RS256}}}
	server := httptest.NewServer(wrap(s))
	t.Cleanup(server.Close)
	s.SetIssuer(server.URL)
	return issuer{server.URL, key}
}

func (i issuer) publisher() publish.Publisher {
	c := job()
	return publish.Publisher{Issuer: i.url, Repository: c.Repository, RepositoryID: c.RepositoryID,
		OwnerID: c.RepositoryOwnerID, Workflow: ".github/workflows/release.yml", Refs: []string{c.Ref},
		Triggers: []string{c.EventName}, Environment: c.Environment}
}

func (i issuer) token(t *testing.T, change map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(job())
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	maps.Copy(claims, map[string]any{"iss": i.url, "aud": audience, "sub": "repo:acme/widget:environment:release",
		"iat": now, "nbf": now - 600, "exp": now + 300})
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	if raw, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	return oidctest.SignIDToken(i.key, "1", oidc.RS256, string(raw))
}

// doubled is a token that says one thing more, first.
func (i issuer) doubled(t *testing.T, claim string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(i.token(t, nil), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return oidctest.SignIDToken(i.key, "1", oidc.RS256, "{"+claim+","+string(raw[1:]))
}

func unchanged(h http.Handler) http.Handler { return h }

func TestIDTokens(t *testing.T) {
	i := newIssuer(t, unchanged)
	now := time.Now().Unix()
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := i.token(t, nil)
	part := strings.Split(good, ".")
	for _, test := range []struct {
		name  string
		token string
		holds bool
	}{
		{"as it should be", good, true},
		{"with one audience in a list", i.token(t, map[string]any{"aud": []string{audience}}), true},
		{"issued by a clock a little ahead", i.token(t, map[string]any{"iat": now + 20, "nbf": now + 20}), true},

		{"nothing", "", false},
		{"a word", "token", false},
		{"too much", strings.Repeat("a", 1<<20), false},
		{"for another audience", i.token(t, map[string]any{"aud": "pypi"}), false},
		{"for another audience too", i.token(t, map[string]any{"aud": []string{audience, "pypi"}}), false},
		{"for nobody", i.token(t, map[string]any{"aud": nil}), false},
		{"of another issuer", i.token(t, map[string]any{"iss": "https://issuer.example"}), false},
		{"of no issuer", i.token(t, map[string]any{"iss": nil}), false},
		{"that has ended", i.token(t, map[string]any{"exp": now - 1}), false},
		{"without an end", i.token(t, map[string]any{"exp": nil}), false},
		{"issued tomorrow", i.token(t, map[string]any{"iat": now + 86400}), false},
		{"that was never issued", i.token(t, map[string]any{"iat": nil}), false},
		{"that begins in a while", i.token(t, map[string]any{"nbf": now + 120}), false},
		{"whose ref is a number", i.token(t, map[string]any{"ref": 1}), false},
		{"whose ref is another for who reads the last", i.doubled(t, `"ref":"refs/tags/v2"`), false},
		{"with a second audience", i.doubled(t, `"aud":"pypi"`), false},
		{"signed by a stranger's key", issuer{i.url, foreign}.token(t, nil), false},
		{"without its signature", part[0] + "." + part[1] + ".", false},
		{"with another's claims", part[0] + "." + strings.Split(i.token(t, map[string]any{"ref": "refs/tags/v2"}), ".")[1] + "." + part[2], false},
		{"with no algorithm", "eyJhbGciOiJub25lIn0." + part[1] + ".", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			claims, err := i.publisher().Verify(context.Background(), test.token, audience)
			if test.holds {
				if err != nil || claims.RunID != job().RunID || claims.Actor != "alice" {
					t.Errorf("got %+v, %v", claims, err)
				}
				return
			}
			refused(t, err, rule.PublisherToken)
			if len(test.token) > 20 && strings.Contains(err.Error(), test.token) {
				t.Error("the error quotes the token")
			}
			if claims != (publish.Claims{}) {
				t.Errorf("it is believed all the same: %+v", claims)
			}
		})
	}
}

// A claim has one name: another reader does not find the ref under REF.
func TestClaimsAreReadByTheirNames(t *testing.T) {
	i := newIssuer(t, unchanged)
	_, err := i.publisher().Verify(context.Background(), i.token(t, map[string]any{"ref": nil, "REF": job().Ref}), audience)
	refused(t, err, rule.PublisherClaims, rule.PublisherClaims) // ref, and what it is in workflow_ref
}

// An issuer that cannot be asked says neither yes nor no.
func TestAnIssuerThatCannotBeAsked(t *testing.T) {
	elsewhere := newIssuer(t, unchanged)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"it is down": func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		},
		"its configuration is none": func(w http.ResponseWriter, r *http.Request) bool {
			w.Write([]byte("<html>"))
			return true
		},
		"its keys are down": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "openid-configuration") {
				return false
			}
			w.WriteHeader(http.StatusBadGateway)
			return true
		},
		"it is another": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.url+r.URL.Path, http.StatusFound)
			return true
		},
		"it never ends": func(w http.ResponseWriter, r *http.Request) bool {
			for range 2 << 10 {
				w.Write(make([]byte, 1<<10))
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !answer(w, r) {
						next.ServeHTTP(w, r)
					}
				})
			})
			claims, err := i.publisher().Verify(context.Background(), i.token(t, nil), audience)
			if err == nil || claims != (publish.Claims{}) {
				t.Errorf("got %+v, %v", claims, err)
			}
			if name != "it is another" {
				undecided(t, err)
			}
		})
	}
}

// Votes are counted for one run, and that run alone publishes.
func TestAnotherRunDoesNotPublish(t *testing.T) {
	w := newWorld(t)
	claims := job()
	claims.RunID = "7"
	_, err := w.job(claims).Publish(t.Context(), w.approved)
	var refused rule.Refusals
	if !errors.As(err, &refused) || len(refused) != 1 || refused[0].Rule != rule.PublisherClaims ||
		!strings.Contains(refused[0].Want, "run_id") {
		t.Errorf("got %v", err)
	}
}
