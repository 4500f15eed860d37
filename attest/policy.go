package attest

import (
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// GitHubIssuer is the OIDC issuer of GitHub Actions.
const GitHubIssuer = "https://token.actions.githubusercontent.com"

// Hosted says how far the proof goes that GitHub's own machines did the work.
// There is no default.
type Hosted string

const (
	// Certificate: the certificate and the predicate of the signing job.
	Certificate Hosted = "certificate"
	// EveryJob: the certificate, and every job of every attempt of the run.
	EveryJob Hosted = "every-job"
)

// The predicate types that this package understands.
const (
	ProvenanceV1  = "https://slsa.dev/provenance/v1"
	ProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	PublishV1     = "https://docs.pypi.org/attestations/publish/v1"
)

// Provenance lists the predicate types that say how a file was built. Staging
// demands one of them.
func Provenance() []string { return []string{ProvenanceV1, ProvenanceV02} }

// DefaultTriggers are the events that may start a release build.
func DefaultTriggers() []string { return []string{"push", "release", "workflow_dispatch"} }

// Policy is who must have signed. Every field decides; a zero Match refuses.
type Policy struct {
	Issuer       Match // OID .8
	SAN          Match // subject alternative name
	Signer       Match // .9
	Runner       Match // .11
	Repository   Match // .12
	Ref          Match // .14
	RepositoryID Match // .15
	OwnerID      Match // .17
	Workflow     Match // .18
	Trigger      Match // .20
	Environment  Match // .23

	Hosted  Hosted
	Labels  Match         // of GitHub's own runners; judged where Hosted is EveryJob
	Runners []RunnerGroup // other runners that may build, judged likewise
	Accept  []string      // predicate types that count
}

// Workflow is the policy for what a GitHub Actions workflow signs: repository
// as "owner/name", workflow as its path in it. Ids, ref and environment are
// not yet pinned ([Any]); the policy file pins them.
func Workflow(repository, workflow string) Policy {
	uri := "https://github.com/" + repository
	return Policy{
		Issuer:       Exactly(GitHubIssuer),
		SAN:          SameAsWorkflow(),
		Signer:       SameAsWorkflow(),
		Runner:       Exactly("github-hosted"),
		Repository:   Exactly(uri),
		Ref:          Any(),
		RepositoryID: Any(),
		OwnerID:      Any(),
		Workflow:     AtOwnRef(uri + "/" + workflow),
		Trigger:      Exactly(DefaultTriggers()...),
		Environment:  Any(),
		Hosted:       Certificate,
		Accept:       append(Provenance(), PublishV1),
	}
}

// SignedBy is the policy for a person or another CI, known by its whole subject
// alternative name and its issuer. What GitHub alone would write may be
// anything, but the runner.
func SignedBy(san, issuer string, runner Match) Policy {
	return Policy{
		Issuer: Exactly(issuer), SAN: Exactly(san), Signer: Any(), Runner: runner,
		Repository: Any(), Ref: Any(), RepositoryID: Any(), OwnerID: Any(), Workflow: Any(),
		Trigger: Any(), Environment: Any(),
		Hosted: Certificate, Accept: append(Provenance(), PublishV1),
	}
}

// row is one rule about one extension: a new rule is a new row.
type row struct {
	id    rule.ID
	label string
	want  Match
	got   string
	hint  string
}

func (p Policy) rows(c certificate) []row {
	return []row{
		{rule.IdentityIssuer, "issuer", p.Issuer, c.Issuer,
			"only a bundle signed with a token of this issuer counts"},
		{rule.IdentityRepository, "repository", p.Repository, c.Repository,
			"do not use this file, unless you meant to trust this repository"},
		{rule.IdentityID, "repository id", p.RepositoryID, c.RepositoryID,
			"another id is another repository under the old name; see `gh api repos/OWNER/NAME --jq .id`"},
		{rule.IdentityID, "owner id", p.OwnerID, c.OwnerID,
			"another id is another owner under the old name; see `gh api users/OWNER --jq .id`"},
		{rule.IdentityWorkflow, "workflow", p.Workflow, c.Workflow,
			"do not use this file, unless you meant to trust this workflow"},
		{rule.IdentitySigner, "signer", p.SAN, c.SAN,
			"where a reusable workflow signs, its whole URI is the signer to name"},
		{rule.IdentitySigner, "signer (OID .9)", p.Signer, c.Signer,
			"where a reusable workflow signs, its whole URI is the signer to name"},
		{rule.IdentityRef, "ref", p.Ref, c.Ref,
			"build the release from a ref that was asked for"},
		{rule.IdentityRunner, "runner", p.Runner, c.Runner,
			"build again on such a runner; a signature cannot be moved to another machine"},
		{rule.IdentityTrigger, "trigger", p.Trigger, c.Trigger,
			"start the release by such an event"},
		{rule.IdentityEnvironment, "environment", p.Environment, c.Environment,
			"attest in a job without an environment, or name it in the policy"},
	}
}

// judge compares a verified certificate with the policy. Another repository has
// other ids and URIs throughout, and it is enough to say the repository.
func (p Policy) judge(file string, c certificate) (no rule.Refusals) {
	for _, r := range p.rows(c) {
		if r.want.accepts(r.got, c) {
			continue
		}
		no = append(no, rule.Refusal{File: file, Rule: r.id,
			Want: r.label + " " + r.want.String(), Got: orNothing(r.got), Hint: r.hint})
		if r.id == rule.IdentityRepository {
			break
		}
	}
	for _, r := range c.twice() {
		if r.want != "" && r.got != r.want {
			no = append(no, rule.Refusal{File: file, Rule: r.id, Want: r.name + " " + r.want, Got: orNothing(r.got),
				Hint: "the certificate contradicts itself; do not use it"})
		}
	}
	if !c.subjectAgrees() {
		no = append(no, rule.Refusal{File: file, Rule: rule.IdentitySubject,
			Want: "a subject of " + c.Repository, Got: c.Subject,
			Hint: "the token's subject must begin with repo:OWNER/NAME: (see the repository's OIDC subject settings)"})
	}
	return no
}

// twice is what a certificate says in two places: who signed; the commit, where the
// workflow is of the source's own ref or commit; and that of the signer, where the
// workflow itself signed. What it must say a second time is "" where it says nothing
// the first time, as of a person.
func (c certificate) twice() []struct {
	id              rule.ID
	name, want, got string
} {
	commit, signed := "", ""
	if c.workflowPath() != "" {
		commit = c.Commit
	}
	if c.Signer == c.Workflow {
		signed = c.WorkflowDigest
	}
	return []struct {
		id              rule.ID
		name, want, got string
	}{
		{rule.IdentitySigner, "subject alternative name", c.Signer, c.SAN},
		{rule.IdentityWorkflow, "workflow (OID .19) at the commit", commit, c.WorkflowDigest},
		{rule.IdentitySigner, "signer (OID .10) at the commit", signed, c.SignerDigest},
	}
}

// subjectAgrees compares .24, where it is there, with the repository. GitHub
// writes repo:OWNER/NAME:… and, for repositories made, renamed or moved after
// 2026-07-15, repo:OWNER@ID/NAME@ID:….
func (c certificate) subjectAgrees() bool {
	path, github := strings.CutPrefix(c.Repository, "https://github.com/")
	if c.Subject == "" || c.Issuer != GitHubIssuer && !github {
		return true
	}
	owner, name, ok := strings.Cut(path, "/")
	return ok && (strings.HasPrefix(c.Subject, "repo:"+path+":") ||
		strings.HasPrefix(c.Subject, "repo:"+owner+"@"+c.OwnerID+"/"+name+"@"+c.RepositoryID+":"))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
