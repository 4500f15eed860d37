// Package githubtest is a GitHub to try things on: an http.Handler that issues
// ID tokens to workflow jobs as GitHub Actions does, signed with a key of its
// own.
//
// A job is registered by a call and gets what a real job finds in
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN:
//
//	github, err := githubtest.New("http://127.0.0.1:8080", time.Now)
//	go http.ListenAndServe("127.0.0.1:8080", github)
//	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
//	url, token := github.Job(job)
//
//	$ curl -H "Authorization: bearer $token" "$url&audience=pypi"
//	{"count":1632,"value":"eyJhbGciOiJSUzI1NiIsImtpZCI6…"}
//
// The issuer of the tokens is the address given to [New]; whoever trusts it
// finds its keys by OpenID Connect discovery below that address, as with the
// real https://token.actions.githubusercontent.com.
//
// Who may ask is all that is judged here. What the claims say is up to the
// caller of [GitHub.Job], so that a test can be a fork, a pull request, a
// self-hosted runner or a repository of the same name with other ids.
package githubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// GitHub is one instance: an issuer with its key, and the jobs that run on it.
type GitHub struct {
	base  string
	now   func() time.Time
	key   signingKey
	serve *http.ServeMux

	mu   sync.Mutex
	jobs map[string]job // by the id in the request URL
}

// job is a running workflow job that may ask for ID tokens.
type job struct {
	token  string // the bearer token that the job authenticates with
	claims Claims
}

// New makes an instance that is reached at base, like "http://127.0.0.1:8080",
// which is also the issuer of its tokens. Their times are those of now.
func New(base string, now func() time.Time) (*GitHub, error) {
	base = strings.TrimSuffix(base, "/")
	if base == "" || now == nil {
		return nil, fmt.Errorf("githubtest: want an address and a clock, got %q", base)
	}
	key, err := newSigningKey(now())
	if err != nil {
		return nil, fmt.Errorf("githubtest: %w", err)
	}
	g := &GitHub{base: base, now: now, key: key, serve: http.NewServeMux(), jobs: map[string]job{}}
	g.serve.HandleFunc("GET /.well-known/openid-configuration", g.discovery)
	g.serve.HandleFunc("GET /.well-known/jwks", g.jwks)
	g.serve.HandleFunc("GET /idtoken/{job}", g.idToken)
	return g, nil
}

// Issuer is what the "iss" claim of every token says.
func (g *GitHub) Issuer() string { return g.base }

// ServeHTTP serves the issuer and the ID-token endpoint.
func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.serve.ServeHTTP(w, r) }

// Job registers a running job with "id-token: write" and returns what it finds
// in ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. The URL
// has a query already, so the audience is appended as "&audience=…".
func (g *GitHub) Job(c Claims) (requestURL, requestToken string) {
	id, token := rand.Text(), rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.jobs[id] = job{token: token, claims: c}
	return g.base + "/idtoken/" + id + "?api-version=2.0", token
}

// Token is an ID token as a job with these claims gets it for an audience,
// without the way over HTTP.
func (g *GitHub) Token(c Claims, audience string) (string, error) {
	return g.key.sign(g.payload(c, audience))
}

// newUUID is a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
