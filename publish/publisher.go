package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/rule"
)

// Publisher is the one job that may publish, as GitHub's ID token shows it and
// the certificates that are issued for it. Every field is required.
type Publisher struct {
	Issuer       string   // of its ID tokens; GitHub's is [attest.GitHubIssuer]
	Repository   string   // "owner/name"
	RepositoryID string   // numeric, which outlives a rename and does not come back with a name
	OwnerID      string   // numeric
	Workflow     string   // path of the workflow file, ".github/workflows/release.yml"
	Refs         []string // whole refs, or patterns in which * does not cross a slash
	Triggers     []string // events, see [attest.DefaultTriggers]
	Environment  string   // that its publishing job runs in
}

// hosted is what GitHub calls its own machines.
const hosted = "github-hosted"

// Check refuses a publisher that leaves something open.
func (p Publisher) Check() error {
	var no rule.Refusals
	owner, name, _ := strings.Cut(p.Repository, "/")
	_, issuer := secure(p.Issuer)
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{issuer == nil, "the https address of the issuer of ID tokens", p.Issuer},
		{isWord(owner) && isWord(name), "a repository as owner/name", p.Repository},
		{isNumber(p.RepositoryID), "the repository's numeric id", p.RepositoryID},
		{isNumber(p.OwnerID), "the numeric id of the repository's owner", p.OwnerID},
		{isWorkflow(p.Workflow), "a workflow file as .github/workflows/NAME.yml", p.Workflow},
		{isWord(p.Environment), "an environment", p.Environment},
		{all(p.Refs, isRef), "refs such as refs/heads/main or refs/tags/v*", strings.Join(p.Refs, ", ")},
		{all(p.Triggers, isTrigger), "the events that may start the workflow", strings.Join(p.Triggers, ", ")},
	} {
		if !row.holds {
			no = append(no, rule.Refusal{File: "policy", Rule: rule.PublisherPolicy, Want: row.want,
				Got:  orNothing(brief(row.got)),
				Hint: "name the publishing job whole; `gh api repos/OWNER/NAME` shows both ids"})
		}
	}
	return no.Err()
}

func all(list []string, holds func(string) bool) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return !holds(s) })
}

// isWord tells whether s is a name without a slash or blank.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f })
}

func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func isWorkflow(s string) bool {
	name, ok := strings.CutPrefix(s, ".github/workflows/")
	return ok && isWord(name) && (path.Ext(name) == ".yml" || path.Ext(name) == ".yaml")
}

// isRef wants a whole branch or tag, of which a pattern may leave a part open
// but not all.
func isRef(s string) bool {
	_, err := path.Match(s, "")
	name, branch := strings.CutPrefix(s, "refs/heads/")
	tag, isTag := strings.CutPrefix(s, "refs/tags/")
	if isTag {
		name = tag
	}
	return err == nil && (branch || isTag) && strings.Trim(name, "*?/ ") != ""
}

// isTrigger leaves out the event that runs a workflow with the base's secrets
// for a stranger's pull request; PyPI refuses it too.
func isTrigger(s string) bool { return isWord(s) && s != "pull_request_target" }

// Policy is who must have signed what the publisher signs: publish
// attestations and receipts.
func (p Publisher) Policy() attest.Policy {
	policy := attest.Workflow(p.Repository, p.Workflow)
	policy.Issuer = attest.Exactly(p.Issuer)
	policy.Ref = attest.Glob(p.Refs...)
	policy.RepositoryID = attest.Exactly(p.RepositoryID)
	policy.OwnerID = attest.Exactly(p.OwnerID)
	policy.Trigger = attest.Exactly(p.Triggers...)
	policy.Environment = attest.Exactly(p.Environment)
	policy.Runner = attest.Exactly(hosted)
	policy.Accept = []string{attest.PublishV1}
	return policy
}

// Claims are what a verified ID token says of the job that it was issued to,
// by the token's own names.
type Claims struct {
	Repository        string `json:"repository"`
	RepositoryID      string `json:"repository_id"`
	RepositoryOwnerID string `json:"repository_owner_id"`
	Ref               string `json:"ref"`
	SHA               string `json:"sha"`
	WorkflowRef       string `json:"workflow_ref"`
	JobWorkflowRef    string `json:"job_workflow_ref"`
	Environment       string `json:"environment"`
	RunnerEnvironment string `json:"runner_environment"`
	EventName         string `json:"event_name"`
	RunID             string `json:"run_id"`
	RunAttempt        string `json:"run_attempt"`
	Actor             string `json:"actor"`
	ActorID           string `json:"actor_id"`
}

// String is what an index compares with the trusted publisher it knows.
func (c Claims) String() string {
	return fmt.Sprintf("repository %s (owner id %s), workflow %s, environment %s",
		c.Repository, c.RepositoryOwnerID, c.JobWorkflowRef, orNothing(c.Environment))
}

// ofRun refuses a job of another run than the one that the votes were counted
// for.
func (c Claims) ofRun(url string) error {
	own := "https://github.com/" + c.Repository + "/actions/runs/" + c.RunID
	if c.RunID != "" && url == own {
		return nil
	}
	return rule.Refusals{{File: "ID token", Rule: rule.PublisherClaims, Want: "run_id of " + url, Got: brief(own),
		Hint: "let the run publish that the votes were counted for"}}
}

// claim is one rule about what an ID token says: a new rule is a new row.
type claim struct {
	name  string
	holds bool
	want  string
	got   string
	hint  string
}

// claims are the rules of the publisher's identity. What PyPI does not look at
// is here too: it would let a self-hosted runner publish, and any branch.
func (p Publisher) claims(c Claims) []claim {
	equal := func(name, want, got, hint string) claim { return claim{name, want == got, want, got, hint} }
	return []claim{
		equal("repository", p.Repository, c.Repository, "publish from the repository that the policy names"),
		equal("repository_id", p.RepositoryID, c.RepositoryID,
			"another id is another repository under the old name"),
		equal("repository_owner_id", p.OwnerID, c.RepositoryOwnerID,
			"another id is another owner under the old name"),
		{"ref", p.admits(c.Ref), strings.Join(p.Refs, " or "), c.Ref,
			"run the workflow on a ref that the policy names"},
		equal("workflow_ref", p.Repository+"/"+p.Workflow+"@"+c.Ref, c.WorkflowRef,
			"publish from the workflow that the policy names, at the ref it runs for"),
		equal("job_workflow_ref", c.WorkflowRef, c.JobWorkflowRef,
			"publish from a job of the workflow itself: for one of a reusable workflow PyPI compares two workflows, "+
				"one when it mints and the other when it judges attestations"),
		equal("environment", p.Environment, c.Environment, "give the publishing job this environment"),
		equal("runner_environment", hosted, c.RunnerEnvironment,
			"run the publishing job on a runner of GitHub's"),
		{"event_name", slices.Contains(p.Triggers, c.EventName), strings.Join(p.Triggers, " or "), c.EventName,
			"start the workflow by an event that the policy names"},
	}
}

func (p Publisher) admits(ref string) bool {
	return slices.ContainsFunc(p.Refs, func(pattern string) bool {
		ok, err := path.Match(pattern, ref)
		return ok && err == nil
	})
}

const (
	maxIssuerAnswer = 1 << 20 // bytes of an issuer's configuration or keys
	maxIDToken      = 64 << 10
	leeway          = 30 * time.Second // between our clock and the issuer's, as PyPI has it
)

// Verify checks an ID token: the issuer's signature, the one audience, its
// time, and that it shows this publisher. What it says is believed from here
// on; GITHUB_* variables never are.
func (p Publisher) Verify(ctx context.Context, idToken, audience string) (Claims, error) {
	claims, err := p.read(ctx, idToken, audience)
	if err != nil {
		return Claims{}, err
	}
	return claims, p.compare(claims)
}

// read is what an authentic ID token says, of whichever job.
func (p Publisher) read(ctx context.Context, idToken, audience string) (Claims, error) {
	if err := p.Check(); err != nil {
		return Claims{}, err
	}
	if audience == "" || len(idToken) > maxIDToken {
		return Claims{}, refuseToken("a token for an audience",
			fmt.Sprintf("%d bytes for %q", len(idToken), audience))
	}
	token, err := p.authentic(ctx, idToken, audience)
	if err != nil {
		return Claims{}, err
	}
	claims, notBefore, err := readClaims(token)
	if err != nil {
		return Claims{}, refuseToken("claims that are strings, each once", err.Error())
	}
	now := time.Now()
	switch {
	case len(token.Audience) != 1:
		return Claims{}, refuseToken("the audience "+audience+" alone", strings.Join(token.Audience, ", "))
	case token.IssuedAt.IsZero() || token.IssuedAt.Unix() <= 0:
		return Claims{}, refuseToken("a time of issue", "nothing")
	case token.IssuedAt.After(now.Add(leeway)) || int64(notBefore) > now.Add(leeway).Unix():
		return Claims{}, refuseToken("a token that is valid now, at "+stamp(now),
			"one issued at "+stamp(token.IssuedAt))
	}
	return claims, nil
}

// readClaims reads the claims by their own names, each of which comes once: of two,
// or of names that differ in case alone, the index could take another than we do.
func readClaims(token *oidc.IDToken) (c Claims, notBefore float64, err error) {
	var raw, judged json.RawMessage // by the verifier
	if err := token.Claims(&raw); err != nil {
		return Claims{}, 0, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	err = object(d, map[string]any{
		"iss": &judged, "aud": &judged, "exp": &judged, "iat": &judged, "nbf": &notBefore,
		"repository": &c.Repository, "repository_id": &c.RepositoryID, "repository_owner_id": &c.RepositoryOwnerID,
		"ref": &c.Ref, "sha": &c.SHA, "workflow_ref": &c.WorkflowRef, "job_workflow_ref": &c.JobWorkflowRef,
		"environment": &c.Environment, "runner_environment": &c.RunnerEnvironment, "event_name": &c.EventName,
		"run_id": &c.RunID, "run_attempt": &c.RunAttempt, "actor": &c.Actor, "actor_id": &c.ActorID,
	})
	if err != nil {
		return Claims{}, 0, err
	}
	return c, notBefore, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// compare refuses every claim that is not the publisher's.
func (p Publisher) compare(c Claims) error {
	var no rule.Refusals
	for _, row := range p.claims(c) {
		if !row.holds || row.got == "" {
			no = append(no, rule.Refusal{File: "ID token", Rule: rule.PublisherClaims,
				Want: row.name + " " + row.want, Got: orNothing(brief(row.got)), Hint: row.hint})
		}
	}
	return no.Err()
}

func refuseToken(want, got string) error {
	return rule.Refusals{{File: "ID token", Rule: rule.PublisherToken, Want: want, Got: brief(got),
		Hint: "run the job again; the job needs id-token: write"}}
}

// authentic verifies signature, issuer, audience and expiry under the keys that
// the issuer publishes. Where those cannot be read, nothing is decided.
func (p Publisher) authentic(ctx context.Context, idToken, audience string) (*oidc.IDToken, error) {
	at, err := secure(p.Issuer)
	if err != nil {
		return nil, err
	}
	client := newClient(maxIssuerAnswer, origin(at))
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, client), smallTimeout)
	defer cancel()
	keys, err := p.discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("issuer of ID tokens: %w", cut{err})
	}
	verifier := oidc.NewVerifier(p.Issuer, keys,
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256}})
	token, err := verifier.Verify(ctx, idToken)
	switch {
	case keys.unread != nil:
		return nil, fmt.Errorf("issuer of ID tokens: %w", cut{keys.unread})
	case err != nil:
		return nil, refuseToken("a token of "+p.Issuer+" for "+audience+", valid now",
			brief(err.Error(), idToken))
	}
	return token, nil
}

// issuerKeys tell keys that could not be read from a signature by none of them.
type issuerKeys struct {
	*oidc.RemoteKeySet
	unread error
}

func (k *issuerKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.RemoteKeySet.VerifySignature(ctx, jwt)
	if cause := errors.Unwrap(err); cause != nil {
		k.unread = cause
	}
	return payload, err
}

// discover finds the issuer's keys by OpenID Connect discovery.
func (p Publisher) discover(ctx context.Context) (*issuerKeys, error) {
	provider, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	var configuration struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&configuration); err != nil || configuration.Keys == "" {
		return nil, fmt.Errorf("%s says nothing of its keys", p.Issuer)
	}
	return &issuerKeys{RemoteKeySet: oidc.NewRemoteKeySet(ctx, configuration.Keys)}, nil
}
