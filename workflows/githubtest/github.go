// Package githubtest is a GitHub to try things on, as an http.Handler: the
// issuer of ID tokens for workflow jobs, the REST API over what is put into it,
// and the blob storage that the API sends one to.
//
//	github, err := githubtest.New("http://127.0.0.1:8080", time.Now)
//	go http.ListenAndServe("127.0.0.1:8080", github)
//	go http.ListenAndServe("127.0.0.1:8081", github.Storage("http://127.0.0.1:8081"))
//
// # ID tokens
//
// A job is registered by a call and gets what a real job finds in
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN:
//
//	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
//	url, token := github.Job(job)
//
//	$ curl -H "Authorization: bearer $token" "$url&audience=pypi"
//	{"count":1632,"value":"eyJhbGciOiJSUzI1NiIsImtpZCI6…"}
//
// The issuer of the tokens is the address given to [New]; whoever trusts it
// finds its keys by OpenID Connect discovery below that address, as with the
// real https://token.actions.githubusercontent.com. Who may ask is all that is
// judged. What the claims say is up to the caller of [GitHub.Job], so that a
// test can be a fork, a pull request, a self-hosted runner or a repository of
// the same name with other ids.
//
// # The REST API
//
// What there is comes from calls that put values in. Whatever a value leaves
// out is made up, and whoever it names exists:
//
//	run := github.PutRun(githubtest.RunOf(job, githubtest.Job{Name: "build"}))
//	zip, err := githubtest.Zip(githubtest.Member{Name: "widget-1.0.tar.gz", Content: "…"})
//	_, err = github.PutArtifact(githubtest.Artifact{
//		Run: run.ID, Name: "sdist", Blob: zip, Size: zip.Size()})
//	token := github.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read"}})
//
//	$ curl -H "Authorization: Bearer $token" http://127.0.0.1:8080/repos/acme/widget/actions/runs
//
// At /graphql it answers what GraphQL is asked of files and tags.
// It has GitHub's paging, versions, ETags, rate limits, permissions and errors;
// [GitHub.Play] makes it fail. Where nobody knows what GitHub does, [Behaviour]
// says what this one does.
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

// web is where people look at what the API tells of. Certificates have it too.
const web = "https://github.com"

// GitHub is one instance: its jobs, and everything that was put into it.
type GitHub struct {
	base  string
	now   func() time.Time
	start time.Time // when everything began
	key   signingKey
	serve *http.ServeMux

	mu        sync.Mutex
	jobs      map[string]job // by the id in the request URL
	behaviour Behaviour
	faults    []*Fault

	accesses map[string]*Access // by token
	windows  map[string]*window // by token

	users        map[string]User        // by login, in lower case
	teams        map[string]Team        // by "organization/slug", in lower case
	repositories map[string]*Repository // by "owner/name", in lower case
	renamed      map[string]int64       // the ids of repositories by an old name

	runs         map[int64]*Run
	artifacts    []Artifact
	lastArtifact int64

	environments map[string]*Environment // by repository's id and name, in lower case
	reviews      map[int64][]Review      // by run

	attestations    []Attestation
	lastAttestation int64

	objects   map[string]*gitObject       // by SHA
	refs      map[int64]map[string]string // of repositories by id, "refs/…" to SHA
	protected map[string]bool             // by repository's id and branch
	rulesets  []Ruleset
	releases  []Release
	issues    []Issue
	pulls     map[int64][]Pull // by repository's id

	settings      map[int64]Settings      // by repository's id
	organizations map[string]Organization // by name, in lower case

	storage    string // its address
	storageKey []byte
	blobs      map[string]blob // by path
}

// job is a running workflow job that may ask for ID tokens.
type job struct {
	token  string // the bearer token that the job authenticates with
	claims Claims
}

// Behaviour is what GitHub does where it is not known what it does. The zero
// value is as likely as any other.
type Behaviour struct {
	// HidesDenied answers 404 where a permission is missing, not 403.
	HidesDenied bool
	// ListsNoAttestations answers with an empty list where nothing is attested,
	// not 404.
	ListsNoAttestations bool
	// RecordsBypass lists an administrator's bypass among a run's approvals, as
	// an approval.
	RecordsBypass bool
	// ForgetsApprovals lists only those approvals that were given in the run's
	// last attempt.
	ForgetsApprovals bool
	// CarriesApprovals starts a job that is run again without asking anew, if
	// its environment was approved in an earlier attempt.
	CarriesApprovals bool
	// TreeLimit is how many entries of a tree are in one answer; 0 is 100,000.
	TreeLimit int
}

// Behave makes GitHub behave.
func (g *GitHub) Behave(b Behaviour) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.behaviour = b
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
	g := &GitHub{
		base: base, now: now, start: now(), key: key, serve: http.NewServeMux(),
		jobs: map[string]job{}, accesses: map[string]*Access{}, windows: map[string]*window{},
		users: map[string]User{}, teams: map[string]Team{},
		repositories: map[string]*Repository{}, renamed: map[string]int64{},
		environments: map[string]*Environment{}, reviews: map[int64][]Review{},
		objects: map[string]*gitObject{}, pulls: map[int64][]Pull{}, refs: map[int64]map[string]string{},
		protected: map[string]bool{},
		settings:  map[int64]Settings{}, organizations: map[string]Organization{},
		runs: map[int64]*Run{}, lastArtifact: 2000000000,
		storageKey: []byte(rand.Text()), blobs: map[string]blob{},
	}
	api := g.api()
	g.serve.Handle("/", api)
	g.serve.Handle("/api/v3/", http.StripPrefix("/api/v3", api))
	g.serve.Handle("/api"+graphQLPath, http.StripPrefix("/api", api))
	g.serve.HandleFunc("GET /.well-known/openid-configuration", g.discovery)
	g.serve.HandleFunc("GET /.well-known/jwks", g.jwks)
	g.serve.HandleFunc("GET /idtoken/{job}", g.idToken)
	return g, nil
}

// Issuer is what the "iss" claim of every token says.
func (g *GitHub) Issuer() string { return g.base }

// ServeHTTP serves the issuer, the ID-token endpoint, and the API, at the root
// and below /api/v3.
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
