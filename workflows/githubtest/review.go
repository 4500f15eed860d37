package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Review is what somebody said about a run's jobs that wait for an environment.
// GitHub tells of it neither when nor in which attempt it was.
type Review struct {
	Environments []string // names
	User         string   // login
	State        string   // "approved" or "rejected"
	Comment      string

	attempt int
	of      []Environment // as they were
}

// Review is somebody's click on "Review deployments". It is refused to whom
// GitHub refuses it. An approval lets the jobs start, a rejection fails them.
func (g *GitHub) Review(run int64, r Review) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.runs[run]
	if found == nil {
		return fmt.Errorf("githubtest: want the id of a run, got %d", run)
	}
	var waiting []*Environment
	for _, e := range g.pending(found) {
		named := func(name string) bool { return strings.EqualFold(name, e.Name) }
		if slices.ContainsFunc(r.Environments, named) {
			waiting = append(waiting, e)
		}
	}
	_, err := g.review(found, r, waiting)
	return err
}

// PutReview adds a review that nobody judges and that starts no job, such as
// one by an app. The attempt is the run's last.
func (g *GitHub) PutReview(run int64, r Review) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.user(r.User)
	if found := g.runs[run]; found != nil {
		g.record(found, r)
	}
}

// Bypass is an administrator's click on "Start all waiting jobs". Whether it is
// among the approvals is up to [Behaviour].
func (g *GitHub) Bypass(run int64, environment, user, comment string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.runs[run]
	if found == nil {
		return fmt.Errorf("githubtest: want the id of a run, got %d", run)
	}
	for _, e := range g.pending(found) {
		if !strings.EqualFold(e.Name, environment) {
			continue
		}
		if e.AdminBypass == BypassForbidden {
			return fmt.Errorf("githubtest: administrators cannot bypass %s", e.Name)
		}
		g.user(user)
		if g.behaviour.RecordsBypass {
			g.record(found, Review{
				Environments: []string{e.Name}, User: user, State: "approved", Comment: comment})
		}
		found.decide(e, "approved")
		return nil
	}
	return fmt.Errorf("githubtest: no job of run %d waits for %s", run, environment)
}

// Rerun starts another attempt of a run's jobs of these names, or of all. A job
// of an environment that asks waits again, unless GitHub carries approvals over.
func (g *GitHub) Rerun(run int64, actor string, names ...string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.runs[run]
	if r == nil {
		return fmt.Errorf("githubtest: want the id of a run, got %d", run)
	}
	again := Attempt{Actor: actor, Started: g.now()}
	seen := map[string]bool{}
	for _, attempt := range slices.Backward(r.Attempts) {
		for _, j := range attempt.Jobs {
			if seen[j.Name] || names != nil && !slices.Contains(names, j.Name) {
				continue
			}
			seen[j.Name] = true
			again.Jobs = append(again.Jobs, Job{
				Name: j.Name, Labels: j.Labels, Environment: j.Environment, Status: g.firstStatus(r, j)})
		}
	}
	r.Attempts = append(r.Attempts, again)
	g.completeAttempt(r, len(r.Attempts)-1)
	return nil
}

// firstStatus is that of a job that was just started.
func (g *GitHub) firstStatus(r *Run, j Job) string {
	if j.Environment == "" {
		return "queued"
	}
	e := g.environment(r.Repository, j.Environment)
	approved := slices.ContainsFunc(g.reviews[r.ID], func(v Review) bool {
		return v.State == "approved" && slices.Contains(v.Environments, e.Name)
	})
	if e.asks() && !(approved && g.behaviour.CarriesApprovals) {
		return "waiting"
	}
	return "queued"
}

var reviewRoutes = []route{
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/pending_deployments", "actions=read",
		"actions/workflow-runs#get-pending-deployments-for-a-workflow-run", (*GitHub).listPending},
	{"POST /repos/{owner}/{repo}/actions/runs/{run}/pending_deployments", "deployments=write",
		"actions/workflow-runs#review-pending-deployments-for-a-workflow-run", (*GitHub).reviewPending},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/approvals", "actions=read",
		"actions/workflow-runs#get-the-review-history-for-a-workflow-run", (*GitHub).listApprovals},
}

// pending are the environments that jobs of the last attempt wait for.
func (g *GitHub) pending(r *Run) (waiting []*Environment) {
	for _, j := range r.Attempts[len(r.Attempts)-1].Jobs {
		if j.Environment == "" || j.Status != "waiting" {
			continue
		}
		e := g.environment(r.Repository, j.Environment)
		if e.asks() && !slices.Contains(waiting, e) {
			waiting = append(waiting, e)
		}
	}
	return waiting
}

// mayReview tells whether somebody may review a run's jobs of an environment.
// Who started the attempt is whose deployment it is.
func (g *GitHub) mayReview(r *Run, e *Environment, login string) bool {
	self := strings.EqualFold(r.Attempts[len(r.Attempts)-1].Actor, login)
	return g.reviewedBy(e, login) && !(self && e.PreventSelfReview)
}

var errNonePending = &failure{status: http.StatusUnprocessableEntity, message: "Validation Failed",
	errors: "No pending deployment requests to approve or reject"}

// review takes a review of environments that jobs wait for. Those that the
// reviewer may not review are as if nothing waited for them.
func (g *GitHub) review(r *Run, v Review, waiting []*Environment) ([]*Environment, error) {
	if v.State != "approved" && v.State != "rejected" {
		return nil, unprocessable("Invalid request.\n\n\"state\" is neither approved nor rejected.")
	}
	waiting = slices.DeleteFunc(waiting, func(e *Environment) bool { return !g.mayReview(r, e, v.User) })
	if len(waiting) == 0 {
		return nil, errNonePending
	}
	v.Environments = nil
	for _, e := range waiting {
		v.Environments = append(v.Environments, e.Name)
		r.decide(e, v.State)
	}
	g.record(r, v)
	return waiting, nil
}

func (g *GitHub) record(r *Run, v Review) {
	v.attempt = len(r.Attempts)
	for _, name := range v.Environments {
		v.of = append(v.of, *g.environment(r.Repository, name))
	}
	g.reviews[r.ID] = append(g.reviews[r.ID], v)
}

// decide starts or fails the jobs that wait for an environment.
func (r *Run) decide(e *Environment, state string) {
	jobs := r.Attempts[len(r.Attempts)-1].Jobs
	for i, j := range jobs {
		if !strings.EqualFold(j.Environment, e.Name) || j.Status != "waiting" {
			continue
		}
		jobs[i].Status = "queued"
		if state == "rejected" {
			jobs[i].Status, jobs[i].Conclusion, jobs[i].Completed = "completed", "failure", j.Started
		}
	}
}

func (g *GitHub) listPending(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	items := []any{}
	for _, e := range g.pending(r) {
		items = append(items, object{
			"environment": g.environmentInShort(e), "wait_timer": e.WaitMinutes,
			"wait_timer_started_at":    stamp(r.Attempts[len(r.Attempts)-1].Started),
			"current_user_can_approve": c.access != nil && g.mayReview(r, e, c.access.User),
			"reviewers":                g.reviewersJSON(e),
		})
	}
	return ok(items)
}

func (g *GitHub) reviewPending(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	if c.access.User == "" {
		return answer{}, g.denied(c.access)
	}
	var asked struct {
		IDs     []int64 `json:"environment_ids"`
		State   string
		Comment *string
	}
	if err := c.decode(&asked); err != nil {
		return answer{}, err
	}
	if asked.Comment == nil || asked.IDs == nil {
		return answer{}, unprocessable("Invalid request.\n\n\"environment_ids\", \"comment\" weren't supplied.")
	}
	waiting := slices.DeleteFunc(g.pending(r), func(e *Environment) bool {
		return !slices.Contains(asked.IDs, e.ID)
	})
	review := Review{User: c.access.User, State: asked.State, Comment: *asked.Comment}
	done, err := g.review(r, review, waiting)
	var f *failure
	if errors.As(err, &f) {
		return answer{}, f
	}
	items := []any{}
	for _, e := range done {
		items = append(items, g.deploymentJSON(r, e))
	}
	return ok(items)
}

func (g *GitHub) deploymentJSON(r *Run, e *Environment) object {
	repo := g.repository(r.Repository)
	n := id(fmt.Sprintf("deployment %d %d %s", r.ID, len(r.Attempts), e.Name))
	at := g.at(repo, fmt.Sprintf("/deployments/%d", n))
	last := r.Attempts[len(r.Attempts)-1]
	return object{
		"url": at, "id": n, "node_id": node("DE", n), "sha": r.SHA, "ref": r.Branch, "task": "deploy",
		"payload": object{}, "original_environment": e.Name, "environment": e.Name, "description": nil,
		"creator":    g.userJSON(last.Actor),
		"created_at": stamp(last.Started), "updated_at": stamp(g.now()),
		"statuses_url": at + "/statuses", "repository_url": g.at(repo, ""),
		"transient_environment": false, "production_environment": false, "performed_via_github_app": nil,
	}
}

func (g *GitHub) listApprovals(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	items := []any{}
	for _, v := range g.reviews[r.ID] {
		if v.attempt != len(r.Attempts) && g.behaviour.ForgetsApprovals {
			continue
		}
		var environments []any
		for _, e := range v.of {
			o := g.environmentInShort(&e)
			o["created_at"], o["updated_at"] = stamp(e.Created), stamp(e.Created)
			environments = append(environments, o)
		}
		items = append(items, object{"state": v.State, "comment": v.Comment,
			"user": g.userJSON(v.User), "environments": environments})
	}
	return ok(items)
}
