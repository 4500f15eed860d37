package githubtest

import (
	"crypto/sha1"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
	"time"
)

// Claims are what an ID token says of the job that it was issued to, named as
// in the token. All of them are strings, ids and booleans too. Those without
// "omitempty" are always there, empty or not.
type Claims struct {
	Actor                string `json:"actor"`
	ActorID              string `json:"actor_id"`
	BaseRef              string `json:"base_ref"`
	CheckRunID           string `json:"check_run_id"`
	Enterprise           string `json:"enterprise,omitempty"`
	EnterpriseID         string `json:"enterprise_id,omitempty"`
	Environment          string `json:"environment,omitempty"`
	EnvironmentNodeID    string `json:"environment_node_id,omitempty"`
	EventName            string `json:"event_name"`
	HeadRef              string `json:"head_ref"`
	JobWorkflowRef       string `json:"job_workflow_ref"`
	JobWorkflowSHA       string `json:"job_workflow_sha"`
	Ref                  string `json:"ref"`
	RefProtected         string `json:"ref_protected"` // "true" or "false"
	RefType              string `json:"ref_type"`      // "branch" or "tag"
	Repository           string `json:"repository"`    // "owner/name"
	RepositoryID         string `json:"repository_id"`
	RepositoryOwner      string `json:"repository_owner"`
	RepositoryOwnerID    string `json:"repository_owner_id"`
	RepositoryVisibility string `json:"repository_visibility"` // "public", "private" or "internal"
	RunAttempt           string `json:"run_attempt"`
	RunID                string `json:"run_id"`
	RunNumber            string `json:"run_number"`
	RunnerEnvironment    string `json:"runner_environment"` // "github-hosted" or "self-hosted"
	SHA                  string `json:"sha"`
	Workflow             string `json:"workflow"`     // the workflow's display name
	WorkflowRef          string `json:"workflow_ref"` // "owner/name/.github/workflows/file@ref"
	WorkflowSHA          string `json:"workflow_sha"`

	// ImmutableSubject makes "sub" name owner and repository by id too, as
	// GitHub does for repositories that were made after 2026-07-15.
	ImmutableSubject bool `json:"-"`
}

// ReleaseJob is a job of a workflow run that a push of ref started, on a
// runner of GitHub's, in an environment ("" for none). The repository is
// "owner/name", the workflow the base name of its file. Ids and commit are
// made up from the names, the same for the same names; change what the test
// is about.
func ReleaseJob(repository, workflow, ref, environment string) Claims {
	owner, _, _ := strings.Cut(repository, "/")
	file := repository + "/.github/workflows/" + workflow + "@" + ref
	commit := sha1.Sum([]byte(repository + "@" + ref))
	sha := hex.EncodeToString(commit[:])
	c := Claims{
		Actor: "alice", ActorID: number("user alice"),
		CheckRunID:     number("check " + file),
		Environment:    environment,
		EventName:      "push",
		JobWorkflowRef: file, JobWorkflowSHA: sha,
		Ref: ref, RefProtected: "true", RefType: refType(ref),
		Repository: repository, RepositoryID: number("repository " + repository),
		RepositoryOwner: owner, RepositoryOwnerID: number("owner " + owner),
		RepositoryVisibility: "public",
		RunAttempt:           "1", RunID: number("run " + file), RunNumber: "7",
		RunnerEnvironment: "github-hosted",
		SHA:               sha,
		Workflow:          strings.TrimSuffix(workflow, path.Ext(workflow)),
		WorkflowRef:       file, WorkflowSHA: sha,
	}
	if environment != "" {
		c.EnvironmentNodeID = "EN_" + number("environment "+repository+" "+environment)
	}
	return c
}

// Subject is the "sub" claim: the repository, then its environment, pull
// request or ref, whichever comes first. A colon within a name is "%3A".
func (c Claims) Subject() string {
	repository := c.Repository
	if c.ImmutableSubject {
		owner, name, _ := strings.Cut(c.Repository, "/")
		repository = owner + "@" + c.RepositoryOwnerID + "/" + name + "@" + c.RepositoryID
	}
	subject := "repo:" + repository + ":"
	switch {
	case c.Environment != "":
		return subject + "environment:" + strings.ReplaceAll(c.Environment, ":", "%3A")
	case c.EventName == "pull_request":
		return subject + "pull_request"
	default:
		return subject + "ref:" + strings.ReplaceAll(c.Ref, ":", "%3A")
	}
}

func refType(ref string) string {
	if strings.HasPrefix(ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// number is a nine-digit id for a name, always the same one.
func number(name string) string {
	digits := []byte("100000000")
	sum := sha1.Sum([]byte(name))
	for i := 1; i < len(digits); i++ {
		digits[i] = '0' + sum[i]%10
	}
	return string(digits)
}

// id is the same number as a number.
func id(name string) int64 {
	n, err := strconv.ParseInt(number(name), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// node is the id of something in the other API.
func node(kind string, id int64) string { return kind + "_" + strconv.FormatInt(id, 10) }

// sha is an object's name in git, made up from a name.
func sha(name string) string {
	sum := sha1.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
