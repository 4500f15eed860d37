package pypitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tokenLife is how long a minted token is good for.
const tokenLife = 15 * time.Minute

// reused is how Warehouse answers a second exchange of one ID token.
const reused = "invalid token: already used"

func (x *Index) serveAudience(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	off := x.flags[DisallowOIDC]
	x.mu.Unlock()
	if off {
		writeMessage(w, http.StatusForbidden, "Trusted publishing functionality not enabled")
		return
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"audience": x.config.Audience})
}

// mintError is why no token was minted. The status is always 422.
type mintError struct {
	Code        string `json:"code"`
	Description string `json:"description"`
}

func (e *mintError) Error() string { return e.Code + ": " + e.Description }

func (x *Index) serveMint(w http.ResponseWriter, r *http.Request) {
	m, err := x.mint(r)
	if err != nil {
		writeJSON(w, http.StatusUnprocessableEntity, "application/json",
			map[string]any{"message": "Token request failed", "errors": []*mintError{err}})
		return
	}
	writeJSON(w, http.StatusOK, "application/json",
		map[string]any{"success": true, "token": m.token, "expires": m.expires})
}

// minted is what an exchange yields.
type minted struct {
	token   string
	expires int64 // Unix time
}

// mint exchanges an ID token for an API token.
func (x *Index) mint(r *http.Request) (minted, *mintError) {
	idToken, err := readToken(r.Body)
	if err != nil {
		return minted{}, &mintError{"invalid-payload", err.Error()}
	}
	issuer, err := unverifiedIssuer(idToken)
	if err != nil {
		return minted{}, &mintError{"invalid-payload", "malformed JWT"}
	}
	if !slices.Contains(x.config.Issuers, issuer) {
		return minted{}, &mintError{"invalid-payload", "unknown trusted publishing issuer"}
	}
	if x.switched(DisallowOIDC) || x.switched(DisallowGitHubOIDC) {
		return minted{}, &mintError{"not-enabled", "github trusted publishing functionality not enabled"}
	}
	c, err := x.keys.verify(r.Context(), idToken, issuer, x.config.Audience, x.now())
	if err != nil {
		return minted{}, &mintError{"invalid-token", "malformed or invalid token"}
	}
	return x.mintFor(issuer, c)
}

func (x *Index) switched(f Flag) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.flags[f]
}

// mintFor finds the publisher of a verified token and mints for all of its
// projects. A token that matched no publisher may be tried again.
func (x *Index) mintFor(issuer string, c claims) (minted, *mintError) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.now()
	used := func(jti string) bool { return x.used[issuer+" "+jti].After(now) }
	if failed := x.reify(c, used); failed != nil {
		return minted{}, failed
	}
	publisher, err := matching(x.publishers(), c, used)
	if errors.Is(err, errReused) {
		return minted{}, &mintError{"invalid-reuse-token", reused}
	}
	if err != nil {
		return minted{}, &mintError{"invalid-publisher",
			fmt.Sprintf("valid token, but no corresponding publisher (%s)", err)}
	}
	x.used[issuer+" "+*c.ID] = c.Expires.Time().Add(leeway + 5*time.Second)
	t := &token{publisher: publisher, notBefore: now.Unix(), expires: now.Add(tokenLife).Unix()}
	for _, p := range x.projects {
		if slices.Contains(p.publishers, publisher) {
			t.projects = append(t.projects, p.normalized)
		}
	}
	return minted{token: x.keep(t), expires: t.expires}, nil
}

// reify makes the project of a pending publisher that the token matches.
func (x *Index) reify(c claims, used func(string) bool) *mintError {
	var publishers []Publisher
	for _, p := range x.pending {
		publishers = append(publishers, p.publisher)
	}
	publisher, err := matching(publishers, c, used)
	if err != nil {
		return nil
	}
	i := slices.Index(publishers, publisher)
	name := x.pending[i].project
	x.pending = slices.Delete(x.pending, i, i+1)
	if x.projects[normalizeName(name)] != nil {
		return &mintError{"invalid-pending-publisher", "valid token, but project already exists"}
	}
	if refused := x.mayCreate(name); refused != nil {
		return &mintError{"invalid-payload", refused.message}
	}
	p := newProject(name)
	p.publishers = []Publisher{publisher}
	x.projects[p.normalized] = p
	x.changed(p)
	return nil
}

// publishers are those of all projects.
func (x *Index) publishers() []Publisher {
	var all []Publisher
	for _, p := range x.projects {
		all = append(all, p.publishers...)
	}
	return all
}

// readToken reads {"token": "…"}.
func readToken(r io.Reader) (string, error) {
	var body struct {
		Token *string `json:"token"`
	}
	if err := json.NewDecoder(io.LimitReader(r, 64<<10)).Decode(&body); err != nil {
		return "", fmt.Errorf("1 validation error for TokenPayload\n  Invalid JSON: %w", err)
	}
	if body.Token == nil {
		return "", errors.New("1 validation error for TokenPayload\ntoken\n  Field required")
	}
	return *body.Token, nil
}

var errReused = errors.New(reused)

// matching finds the publisher that a token's claims belong to, as Warehouse
// does: the most specific one of its repository and workflow, whose claims are
// then checked one by one. What it does not check is as telling as what it
// does: neither ref nor runner nor the run's own workflow counts.
func matching(publishers []Publisher, c claims, used func(jti string) bool) (Publisher, error) {
	if missing := c.missing(); missing != "" {
		return Publisher{}, say("Missing claim %s", repr(missing))
	}
	workflow := regexp.MustCompile(`([^/]+\.(?:yml|yaml))@`).FindStringSubmatch(*c.JobWorkflowRef)
	if workflow == nil {
		return Publisher{}, say("Could not job extract workflow filename from OIDC claims")
	}
	specific, general := -1, -1
	for i, p := range publishers {
		if p.Repository != *c.Repository || p.OwnerID != *c.RepositoryOwnerID || p.Workflow != workflow[1] {
			continue
		}
		if p.Environment == "" {
			general = i
		} else if c.Environment != nil && p.Environment == strings.ToLower(*c.Environment) {
			specific = i
		}
	}
	found := specific
	if found < 0 {
		found = general
	}
	if found < 0 {
		return Publisher{}, say("Publisher with matching claims was not found")
	}
	return publishers[found], publishers[found].verify(c, used)
}

// verify checks the claims in Warehouse's order.
func (p Publisher) verify(c claims, used func(jti string) bool) error {
	owner, _, _ := strings.Cut(p.Repository, "/")
	if !strings.EqualFold(*c.Repository, p.Repository) {
		return say("Check failed for required claim 'repository'")
	}
	if *c.RepositoryOwner != owner {
		return say("Check failed for required claim 'repository_owner'")
	}
	if *c.RepositoryOwnerID != p.OwnerID {
		return say("Check failed for required claim 'repository_owner_id'")
	}
	if err := p.verifyWorkflow(c); err != nil {
		return err
	}
	if used(*c.ID) {
		return errReused
	}
	if *c.EventName == "pull_request_target" {
		return say("Publishing from a workflow invoked via 'pull_request_target' is not supported.")
	}
	if p.Environment != "" && (c.Environment == nil || !strings.EqualFold(*c.Environment, p.Environment)) {
		return say("Check failed for optional claim 'environment'")
	}
	return nil
}

// verifyWorkflow wants the job's workflow file, at the ref or at the commit.
func (p Publisher) verifyWorkflow(c claims) error {
	if *c.JobWorkflowRef == "" {
		return say("The job_workflow_ref claim is empty")
	}
	var want []string
	for _, at := range []string{*c.Ref, *c.SHA} {
		if at != "" {
			want = append(want, p.Repository+"/.github/workflows/"+p.Workflow+"@"+at)
		}
	}
	if len(want) == 0 {
		return say("The ref and sha claims are empty")
	}
	if !slices.Contains(want, *c.JobWorkflowRef) {
		slices.Sort(want)
		return say("The job_workflow_ref claim does not match, expecting one of %s, got %s",
			reprs(want), repr(*c.JobWorkflowRef))
	}
	return nil
}
