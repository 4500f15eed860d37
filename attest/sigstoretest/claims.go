package sigstoretest

import (
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/url"
	"path"
	"strings"
)

// Claims are what GitHub's ID token says of a job, by the names that the token has for them, and
// all that a certificate says. Every value is a string, numbers too. An empty claim is absent
// from the certificate.
type Claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`

	Repository           string `json:"repository"` // owner/name
	RepositoryID         string `json:"repository_id"`
	RepositoryOwner      string `json:"repository_owner"`
	RepositoryOwnerID    string `json:"repository_owner_id"`
	RepositoryVisibility string `json:"repository_visibility"` // public, private or internal

	SHA       string `json:"sha"` // of the commit, 40 hex digits
	Ref       string `json:"ref"` // refs/tags/… or refs/heads/…
	EventName string `json:"event_name"`

	Workflow       string `json:"workflow"`     // its name
	WorkflowRef    string `json:"workflow_ref"` // owner/name/path@ref of the run's workflow
	WorkflowSHA    string `json:"workflow_sha"`
	JobWorkflowRef string `json:"job_workflow_ref"` // another one's, if the job is of a reusable workflow
	JobWorkflowSHA string `json:"job_workflow_sha"`

	RunID             string `json:"run_id"`
	RunAttempt        string `json:"run_attempt"`
	RunnerEnvironment string `json:"runner_environment"` // github-hosted or self-hosted
	Environment       string `json:"environment,omitempty"`
}

// GitHubIssuer is who signs the ID tokens of GitHub Actions.
const GitHubIssuer = "https://token.actions.githubusercontent.com"

// github is where claims such as "acme/widget" are found.
const github = "https://github.com/"

// GitHubClaims returns what GitHub says of a job of the workflow file in the repository that runs
// for a ref, such as
//
//	GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
//
// on a hosted runner, in no environment, of a public repository, started by a push. Ids, commit
// and run follow from the arguments: the same repository always has the same id, and another ref
// another commit and run. A field can be set to anything else afterwards.
func GitHubClaims(repository, workflow, ref string) Claims {
	owner := path.Dir(repository)
	commit := sha1.Sum([]byte(repository + "@" + ref))
	sha := hex.EncodeToString(commit[:])
	at := repository + "/" + workflow + "@" + ref
	return Claims{
		Issuer:               GitHubIssuer,
		Subject:              "repo:" + repository + ":ref:" + ref,
		Repository:           repository,
		RepositoryID:         number("repository " + repository),
		RepositoryOwner:      owner,
		RepositoryOwnerID:    number("owner " + owner),
		RepositoryVisibility: "public",
		SHA:                  sha,
		Ref:                  ref,
		EventName:            "push",
		Workflow:             strings.TrimSuffix(path.Base(workflow), path.Ext(workflow)),
		WorkflowRef:          at,
		WorkflowSHA:          sha,
		JobWorkflowRef:       at,
		JobWorkflowSHA:       sha,
		RunID:                number("run " + at),
		RunAttempt:           "1",
		RunnerEnvironment:    "github-hosted",
	}
}

// In returns the claims of the same job if it runs in a deployment environment: the environment
// and, as GitHub has it, the subject.
func (c Claims) In(environment string) Claims {
	c.Environment = environment
	c.Subject = "repo:" + c.Repository + ":environment:" + strings.ReplaceAll(environment, ":", "%3A")
	return c
}

// number is an id of nine digits for a name.
func number(name string) string {
	sum := sha1.Sum([]byte(name))
	digits := []byte("100000000")
	for i := 1; i < len(digits); i++ {
		digits[i] = '0' + sum[i]%10
	}
	return string(digits)
}

// SAN is the name that the certificate is for: the URI of the workflow file that the job is of.
func (c Claims) SAN() string { return github + c.JobWorkflowRef }

// RunURI names the attempt of the run that the job is of.
func (c Claims) RunURI() string {
	return github + c.Repository + "/actions/runs/" + c.RunID + "/attempts/" + c.RunAttempt
}

// identity is what Fulcio's configuration for GitHub Actions makes of a token.
func (c Claims) identity() (identity, error) {
	san, err := url.Parse(c.SAN())
	if err != nil {
		return identity{}, err
	}
	extensions, err := render(c.extensions())
	return identity{uris: []*url.URL{san}, extensions: extensions}, err
}

// extensions are Fulcio's (docs/oid-info.md there), in the order in which it writes them.
func (c Claims) extensions() []extension {
	return []extension{
		{1, c.Issuer},
		{2, c.EventName},
		{3, c.SHA},
		{4, c.Workflow},
		{5, c.Repository},
		{6, c.Ref},
		{8, c.Issuer},
		{9, uri(c.JobWorkflowRef)},
		{10, c.JobWorkflowSHA},
		{11, c.RunnerEnvironment},
		{12, uri(c.Repository)},
		{13, c.SHA},
		{14, c.Ref},
		{15, c.RepositoryID},
		{16, uri(c.RepositoryOwner)},
		{17, c.RepositoryOwnerID},
		{18, uri(c.WorkflowRef)},
		{19, c.WorkflowSHA},
		{20, c.EventName},
		{21, c.RunURI()},
		{22, c.RepositoryVisibility},
		{23, c.Environment},
		{24, c.Subject},
	}
}

// uri is the address of something on GitHub, or nothing for nothing.
func uri(name string) string {
	if name == "" {
		return ""
	}
	return github + name
}

// person is what Fulcio makes of a token that an identity provider gave to a person.
func person(email, issuer, subject string) (identity, error) {
	extensions, err := render([]extension{{1, issuer}, {8, issuer}, {24, subject}})
	return identity{emails: []string{email}, extensions: extensions}, err
}

// An extension is one of 1.3.6.1.4.1.57264.1: its last number and its text.
type extension struct {
	number int
	value  string
}

// render encodes those that have a value: up to .6 the bare text, as Fulcio once did it wrongly
// and keeps doing, later ones as a DER UTF8String.
func render(list []extension) ([]pkix.Extension, error) {
	var out []pkix.Extension
	for _, e := range list {
		if e.value == "" {
			continue
		}
		value := []byte(e.value)
		if e.number > 6 {
			var err error
			if value, err = asn1.MarshalWithParams(e.value, "utf8"); err != nil {
				return nil, err
			}
		}
		id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, e.number}
		out = append(out, pkix.Extension{Id: id, Value: value})
	}
	return out, nil
}
