package workflows

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/distgate/distgate/attest"
)

// readActions is the permission that runs, jobs and artifacts take.
const readActions = "actions: read"

const (
	maxAttempts = 100 // at one run; GitHub's own bound is 50
	maxLabels   = 100 // of one job
)

// Run is what GitHub says of a workflow run.
type Run struct {
	Repository   string    `json:"repository"` // "owner/name"
	RepositoryID int64     `json:"repositoryId"`
	ID           int64     `json:"id"`
	Attempts     []Attempt `json:"attempts"` // all of them, the first first; at least one
}

// Attempt is one attempt at a run. The first names who started the run, and
// each names who started it.
type Attempt struct {
	Number          int     `json:"number"`   // from 1
	Workflow        string  `json:"workflow"` // path of the top-level workflow file
	Event           string  `json:"event"`    // "push", "workflow_dispatch", …
	HeadSHA         string  `json:"headSha"`  // commit
	HeadBranch      string  `json:"headBranch"`
	HeadRepository  string  `json:"headRepository"` // another one's, if it is of a fork
	Actor           Account `json:"actor"`          // who started the run
	TriggeringActor Account `json:"triggeringActor"`
	Status          string  `json:"status"`     // "completed" when it is
	Conclusion      string  `json:"conclusion"` // "success", "failure", …; "" before it is completed

	Started time.Time `json:"started"`
}

// Account is a person or a bot on GitHub. Its login can change hands, its id
// cannot.
type Account struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Bot   bool   `json:"bot"`
}

// Latest is the last attempt, the one that the run as a whole stands for.
func (r Run) Latest() Attempt {
	if len(r.Attempts) == 0 {
		return Attempt{}
	}
	return r.Attempts[len(r.Attempts)-1]
}

// URL is the run as certificates name it, without an attempt.
func (r Run) URL() string {
	return fmt.Sprintf("%s%s/actions/runs/%d", server, r.Repository, r.ID)
}

// server is where people look at runs, and how certificates name them.
const server = "https://github.com/"

// ParseRunURL reads the address of a run, of one of its attempts or of one of
// its jobs: https://github.com/OWNER/NAME/actions/runs/ID[/…].
func ParseRunURL(address string) (repository string, id int64, err error) {
	plain, _, _ := strings.Cut(address, "?")
	plain, _, _ = strings.Cut(plain, "#")
	rest, ok := strings.CutPrefix(plain, server)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 5 || parts[2] != "actions" || parts[3] != "runs" {
		return "", 0, fmt.Errorf("want a run as %sOWNER/NAME/actions/runs/ID, got %.200q", server, address)
	}
	repository = parts[0] + "/" + parts[1]
	if _, err := pathOf(repository); err != nil {
		return "", 0, err
	}
	id, err = strconv.ParseInt(parts[4], 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != parts[4] {
		return "", 0, fmt.Errorf("want the number of a run, got %.200q in %.200q", parts[4], address)
	}
	return repository, id, nil
}

// pathOf is where the API has a repository, which must be "owner/name".
func pathOf(repository string) (string, error) {
	owner, name, ok := strings.Cut(repository, "/")
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if !ok || owner == "" || name == "" || strings.Trim(name, ".") == "" || strings.Trim(owner, ".") == "" ||
		strings.ContainsFunc(owner+name, odd) {
		return "", fmt.Errorf("want a repository as owner/name, got %.200q", repository)
	}
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name), nil
}

// workflowRun is a run, with the path that go-github v62 leaves out.
type workflowRun struct {
	github.WorkflowRun
	Path string `json:"path"`
}

// Run asks for a run and every attempt at it. A run of a repository that has
// another name now is an error that says which.
func (c *Client) Run(ctx context.Context, repository string, id int64) (Run, error) {
	last, r, err := c.run(ctx, repository, id)
	if err != nil {
		return Run{}, err
	}
	for n := 1; n < last.Number; n++ {
		attempt, err := c.attempt(ctx, r, n)
		if err != nil {
			return Run{}, err
		}
		r.Attempts = append(r.Attempts, attempt)
	}
	r.Attempts = append(r.Attempts, last)
	return r, nil
}

// run asks for the last attempt at a run.
func (c *Client) run(ctx context.Context, repository string, id int64) (Attempt, Run, error) {
	asked := Run{Repository: repository, ID: id}
	q, err := asked.question("")
	if err != nil {
		return Attempt{}, Run{}, err
	}
	said, err := get[workflowRun](ctx, c, q)
	if err != nil {
		return Attempt{}, Run{}, err
	}
	last, err := said.attempt(q, asked, said.GetRunAttempt())
	asked.RepositoryID = said.GetRepository().GetID()
	return last, asked, err
}

func (c *Client) attempt(ctx context.Context, r Run, n int) (Attempt, error) {
	q, err := r.question(fmt.Sprintf("/attempts/%d", n))
	if err != nil {
		return Attempt{}, err
	}
	said, err := get[workflowRun](ctx, c, q)
	if err != nil {
		return Attempt{}, err
	}
	return said.attempt(q, r, n)
}

// question asks for something of the run.
func (r Run) question(rest string) (question, error) {
	path, err := pathOf(r.Repository)
	if err != nil {
		return question{}, err
	}
	if r.ID <= 0 {
		return question{}, fmt.Errorf("want the number of a run of %s, got %d", r.Repository, r.ID)
	}
	path = fmt.Sprintf("%s/actions/runs/%d%s", path, r.ID, rest)
	return question{path: path, needs: readActions, about: r.Repository}, nil
}

// attempt keeps the facts of an answer, which must be about what was asked.
func (w workflowRun) attempt(q question, asked Run, n int) (Attempt, error) {
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{w.GetID() == asked.ID, fmt.Sprintf("run %d", asked.ID), strconv.FormatInt(w.GetID(), 10)},
		{strings.EqualFold(w.GetRepository().GetFullName(), asked.Repository), "a run of " + asked.Repository,
			orNothing(w.GetRepository().GetFullName())},
		{w.GetRepository().GetID() > 0, "the repository's id", "none"},
		{n >= 1 && n <= maxAttempts && w.GetRunAttempt() == n, fmt.Sprintf("attempt %d, one of %d at most", n, maxAttempts),
			strconv.Itoa(w.GetRunAttempt())},
		{w.GetEvent() != "", "its event", "none"},
		{w.GetHeadSHA() != "", "its commit", "none"},
		{w.Path != "", "the path of its workflow", "none"},
		{w.GetActor().GetID() > 0 && w.GetTriggeringActor().GetID() > 0, "who started it", "nobody"},
		{w.GetStatus() != "", "its status", "none"},
	} {
		if !row.holds {
			return Attempt{}, fmt.Errorf("GitHub, %s: want %s, got %s", q.path, row.want, clip(row.got))
		}
	}
	file, _, _ := strings.Cut(w.Path, "@")
	return Attempt{
		Number: n, Workflow: file, Event: w.GetEvent(), HeadSHA: w.GetHeadSHA(), HeadBranch: w.GetHeadBranch(),
		HeadRepository: w.GetHeadRepository().GetFullName(), Actor: account(w.GetActor()),
		TriggeringActor: account(w.GetTriggeringActor()), Status: w.GetStatus(), Conclusion: w.GetConclusion(),
		Started: w.GetRunStartedAt().UTC(),
	}, nil
}

func account(u *github.User) Account {
	return Account{ID: u.GetID(), Login: u.GetLogin(), Bot: u.GetType() != "User"}
}

// Jobs lists every job of every attempt of the run, those of reusable workflows
// among them. Each attempt is asked for by itself: one that ran again only what
// had failed lists only that. It is an [attest.JobsOf].
func (c *Client) Jobs(ctx context.Context, run string) ([]attest.Job, error) {
	repository, id, err := ParseRunURL(run)
	if err != nil {
		return nil, err
	}
	last, r, err := c.run(ctx, repository, id)
	if err != nil {
		return nil, err
	}
	var jobs []attest.Job
	known := map[int64]attest.Job{}
	for n := 1; n <= last.Number; n++ {
		attempt, err := c.attemptJobs(ctx, r, n)
		if err != nil {
			return nil, err
		}
		for _, j := range attempt {
			if !reflect.DeepEqual(known[j.ID], j) {
				jobs = append(jobs, j)
			}
			known[j.ID] = j
		}
	}
	return jobs, nil
}

func (c *Client) attemptJobs(ctx context.Context, r Run, n int) ([]attest.Job, error) {
	q, err := r.question(fmt.Sprintf("/attempts/%d/jobs", n))
	if err != nil {
		return nil, err
	}
	said, err := list(ctx, c, q, (*github.WorkflowJob).GetID)
	if err != nil {
		return nil, err
	}
	jobs := make([]attest.Job, len(said))
	for i, j := range said {
		if j.GetID() <= 0 || j.GetRunID() != r.ID || j.GetName() == "" || j.GetStatus() == "" ||
			j.GetRunAttempt() < 1 || j.GetRunAttempt() > int64(n) || len(j.Labels) > maxLabels {
			return nil, fmt.Errorf("GitHub, %s: want jobs of run %d up to attempt %d, got %.200q of run %d, attempt %d",
				q.path, r.ID, n, j.GetName(), j.GetRunID(), j.GetRunAttempt())
		}
		jobs[i] = job(j)
	}
	return jobs, nil
}

// job keeps the facts of a job. Texts that are longer than any of GitHub's are
// cut, and then equal nothing that a policy names.
func job(j *github.WorkflowJob) attest.Job {
	group := int64(-1)
	if j.RunnerGroupID != nil {
		group = *j.RunnerGroupID
	}
	labels := make([]string, len(j.Labels))
	for i, label := range j.Labels {
		labels[i] = clip(label)
	}
	return attest.Job{
		ID: j.GetID(), Name: clip(j.GetName()), Attempt: int(j.GetRunAttempt()),
		Status: j.GetStatus(), Conclusion: j.GetConclusion(), Steps: len(j.Steps),
		Runner: clip(j.GetRunnerName()), RunnerID: j.GetRunnerID(),
		Group: clip(j.GetRunnerGroupName()), GroupID: group, Labels: labels,
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
