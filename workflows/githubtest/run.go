package githubtest

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is a run of a workflow, with every attempt at it.
type Run struct {
	Repository string // "owner/name"
	ID         int64  // 0 is made up from repository, workflow and branch, as in ReleaseJob
	Number     int    // of the workflow's runs; 0 is 7
	Workflow   string // ".github/workflows/wheels.yml"; GitHub sometimes adds "@" and a ref
	Name       string // of the workflow; "" is its file's name
	Title      string // "" is the name
	Event      string // "" is "push"
	Branch     string // branch or tag, without "refs/…/"
	SHA        string // the commit
	Actor      string // login; "" is alice
	Head       string // "owner/name" of a fork; "" is the repository
	Created    time.Time
	Called     []Called  // the reusable workflows
	Attempts   []Attempt // the first is attempt 1; none is one without jobs

	Status     string // "" follows from the jobs of the last attempt
	Conclusion string
}

// Called is a reusable workflow of a run.
type Called struct {
	Path string // "owner/name/.github/workflows/file@ref"
	SHA  string
	Ref  string // "refs/…"; "" when it was called by its commit
}

// Attempt is one attempt at a run. One that runs again only what failed has
// only those jobs.
type Attempt struct {
	Actor   string // who started it; "" is the run's
	Started time.Time
	Jobs    []Job
}

// Job is a job of an attempt. The zero value, but for its name, succeeded on
// ubuntu-latest, on a runner of GitHub's.
type Job struct {
	Name        string   // a reusable workflow's jobs are "caller / job"
	ID          int64    // 0 is made up
	Labels      []string // runs-on; nil is "ubuntu-latest"
	Runner      Runner
	Status      string // "" is "completed"
	Conclusion  string // "" is "success" of what is completed
	Environment string // one that nobody knows is made, without any rules
	Started     time.Time
	Completed   time.Time
	Steps       []string // names, all with the job's outcome
}

// Runner is what a job says that it ran on. Name and labels are whatever the
// runner was registered with; a group's id is 0 for GitHub's own alone. The
// zero value is [NoRunner] for a job that waits or was skipped, and a [Hosted]
// one for any other.
type Runner struct {
	ID        int64
	Name      string
	Group     int64
	GroupName string

	none noRunner
}

// noRunner is how the fields of a runner that is none look.
type noRunner int

const (
	null noRunner = iota + 1
	blank
)

// Hosted is the n-th runner of GitHub's own, of the standard kind.
func Hosted(n int64) Runner {
	return Runner{ID: 1000000000 + n, Name: fmt.Sprintf("GitHub Actions %d", 1000000000+n),
		GroupName: "GitHub Actions"}
}

// NoRunner is all null: that of a job that waits or was skipped.
func NoRunner() Runner { return Runner{none: null} }

// NeverAssigned is the runner of a job that ended before it got one, cancelled
// or failed for want of minutes: 0 and "" where one might expect null.
func NeverAssigned() Runner { return Runner{none: blank} }

// RunOf is the run that a job with these claims is part of, in its attempt,
// with the jobs given. Attempts before that have no jobs.
func RunOf(c Claims, jobs ...Job) Run {
	workflow, _, _ := strings.Cut(c.WorkflowRef, "@")
	attempt, _ := strconv.Atoi(c.RunAttempt)
	r := Run{
		Repository: c.Repository, Workflow: strings.TrimPrefix(workflow, c.Repository+"/"),
		Name: c.Workflow, Event: c.EventName, SHA: c.SHA, Actor: c.Actor,
		Branch: shortRef(c.Ref), Attempts: make([]Attempt, max(attempt, 1)),
	}
	r.ID, _ = strconv.ParseInt(c.RunID, 10, 64)
	r.Number, _ = strconv.Atoi(c.RunNumber)
	r.Attempts[len(r.Attempts)-1].Jobs = jobs
	return r
}

func shortRef(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
}

// PutRun adds a run, or changes the one of that id, and returns it with
// everything that was left to be made up.
func (g *GitHub) PutRun(r Run) Run {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.complete(&r)
	stored := r.clone()
	g.runs[r.ID] = &stored
	return r
}

// Run is a run as it is now, with what reviews made of its jobs.
func (g *GitHub) Run(id int64) (Run, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.runs[id]
	if r == nil {
		return Run{}, false
	}
	return r.clone(), true
}

func (r Run) clone() Run {
	r.Attempts = slices.Clone(r.Attempts)
	for i, a := range r.Attempts {
		r.Attempts[i].Jobs = slices.Clone(a.Jobs)
	}
	return r
}

// complete makes up what a run does not say.
func (g *GitHub) complete(r *Run) {
	g.repository(r.Repository)
	r.Head = cmp.Or(r.Head, r.Repository)
	g.repository(r.Head)
	r.Event, r.Actor = cmp.Or(r.Event, "push"), cmp.Or(r.Actor, "alice")
	r.Number = cmp.Or(r.Number, 7)
	if r.ID == 0 {
		r.ID = id("run " + r.Repository + "/" + r.Workflow + "@" + r.Branch)
	}
	file := path.Base(r.file())
	r.Name = cmp.Or(r.Name, strings.TrimSuffix(file, path.Ext(file)))
	r.Title = cmp.Or(r.Title, r.Name)
	if r.Created.IsZero() {
		r.Created = g.now()
	}
	g.user(r.Actor)
	if len(r.Attempts) == 0 {
		r.Attempts = make([]Attempt, 1)
	}
	r.Attempts = slices.Clone(r.Attempts)
	for i := range r.Attempts {
		g.completeAttempt(r, i)
	}
}

func (g *GitHub) completeAttempt(r *Run, i int) {
	a := &r.Attempts[i]
	a.Actor = cmp.Or(a.Actor, r.Actor)
	g.user(a.Actor)
	if a.Started.IsZero() {
		a.Started = r.Created.Add(time.Duration(i) * time.Hour)
	}
	a.Jobs = slices.Clone(a.Jobs)
	for n := range a.Jobs {
		g.completeJob(r, &a.Jobs[n], a.Started, fmt.Sprintf("job %d/%d/%d", r.ID, i+1, n))
	}
}

func (g *GitHub) completeJob(r *Run, j *Job, started time.Time, name string) {
	if j.ID == 0 {
		j.ID = id(name)
	}
	if j.Labels == nil {
		j.Labels = []string{"ubuntu-latest"}
	}
	j.Status = cmp.Or(j.Status, "completed")
	if j.Status == "completed" {
		j.Conclusion = cmp.Or(j.Conclusion, "success")
	}
	if j.Runner == (Runner{}) {
		j.Runner = Hosted(j.ID % 1000000)
		if j.waits() || j.Conclusion == "skipped" {
			j.Runner = NoRunner()
		}
	}
	if j.Environment != "" {
		g.environment(r.Repository, j.Environment)
	}
	if j.Started.IsZero() {
		j.Started = started
	}
	if j.Completed.IsZero() && j.Status == "completed" {
		j.Completed = j.Started.Add(time.Minute)
	}
}

// waits tells whether the job has not begun.
func (j Job) waits() bool { return j.Status != "completed" && j.Status != "in_progress" }

// file is the workflow's path without the ref that GitHub sometimes adds.
func (r *Run) file() string {
	file, _, _ := strings.Cut(r.Workflow, "@")
	return file
}

func (r *Run) workflowID() int64 { return id("workflow " + r.Repository + "/" + r.file()) }

// outcome is what the jobs of an attempt come to.
func (r *Run) outcome(attempt int) (status string, conclusion any) {
	if r.Status != "" && attempt == len(r.Attempts) {
		if r.Conclusion == "" {
			return r.Status, nil
		}
		return r.Status, r.Conclusion
	}
	has := map[string]bool{}
	for _, j := range r.Attempts[attempt-1].Jobs {
		has[cmp.Or(j.Conclusion, j.Status)] = true
	}
	for _, status := range []string{"in_progress", "waiting", "queued", "requested", "pending"} {
		if has[status] {
			return status, nil
		}
	}
	for _, conclusion := range []string{
		"failure", "timed_out", "cancelled", "action_required", "success",
	} {
		if has[conclusion] {
			return "completed", conclusion
		}
	}
	if has["skipped"] {
		return "completed", "skipped"
	}
	return "completed", "success"
}

var runRoutes = []route{
	{"GET /repos/{owner}/{repo}/actions/runs", "actions=read",
		"actions/workflow-runs#list-workflow-runs-for-a-repository", (*GitHub).listRuns},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}", "actions=read",
		"actions/workflow-runs#get-a-workflow-run", (*GitHub).getRun},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/attempts/{attempt}", "actions=read",
		"actions/workflow-runs#get-a-workflow-run-attempt", (*GitHub).getRun},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/jobs", "actions=read",
		"actions/workflow-jobs#list-jobs-for-a-workflow-run", (*GitHub).listJobs},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/attempts/{attempt}/jobs", "actions=read",
		"actions/workflow-jobs#list-jobs-for-a-workflow-run-attempt", (*GitHub).listAttemptJobs},
	{"GET /repos/{owner}/{repo}/actions/jobs/{job}", "actions=read",
		"actions/workflow-jobs#get-a-job-for-a-workflow-run", (*GitHub).getJob},
	{"GET /repos/{owner}/{repo}/actions/workflows", "actions=read",
		"actions/workflows#list-repository-workflows", (*GitHub).listWorkflows},
	{"GET /repos/{owner}/{repo}/actions/workflows/{workflow}", "actions=read",
		"actions/workflows#get-a-workflow", (*GitHub).getWorkflow},
	{"GET /repos/{owner}/{repo}/actions/workflows/{workflow}/runs", "actions=read",
		"actions/workflow-runs#list-workflow-runs-for-a-workflow", (*GitHub).listRuns},
}

// run is the run that the path names, if it is one of the repository's.
func (g *GitHub) run(c call) (*Run, error) {
	id, err := c.number64("run")
	if err != nil {
		return nil, err
	}
	r := g.runs[id]
	if r == nil || g.repository(r.Repository) != c.repo {
		return nil, errNotFound
	}
	return r, nil
}

// attempt is the attempt that the path names, or the last.
func (c call) attempt(r *Run) (int, error) {
	if c.PathValue("attempt") == "" {
		return len(r.Attempts), nil
	}
	n, err := c.number64("attempt")
	if err != nil || n < 1 || n > int64(len(r.Attempts)) {
		return 0, errNotFound
	}
	return int(n), nil
}

func (g *GitHub) getRun(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	attempt, err := c.attempt(r)
	if err != nil {
		return answer{}, err
	}
	return ok(g.runJSON(r, attempt))
}

// runsOf are a repository's runs, the newest first.
func (g *GitHub) runsOf(repo *Repository) []*Run {
	var runs []*Run
	for _, r := range g.runs {
		if g.repository(r.Repository) == repo {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b *Run) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return runs
}

func (g *GitHub) listRuns(c call) (answer, error) {
	var workflow int64
	if name := c.PathValue("workflow"); name != "" {
		r := g.workflow(c.repo, name)
		if r == nil {
			return answer{}, errNotFound
		}
		workflow = r.workflowID()
	}
	var items []any
	for _, r := range g.runsOf(c.repo) {
		if (workflow == 0 || r.workflowID() == workflow) && r.matches(c) {
			items = append(items, g.runJSON(r, len(r.Attempts)))
		}
	}
	return listed("workflow_runs", items)
}

// matches tells whether a run is one of those that the query asks for.
func (r *Run) matches(c call) bool {
	query := c.URL.Query()
	for name, value := range map[string]string{
		"actor": r.Actor, "branch": r.Branch, "event": r.Event, "head_sha": r.SHA,
	} {
		if want := query.Get(name); want != "" && want != value {
			return false
		}
	}
	status, conclusion := r.outcome(len(r.Attempts))
	if want := query.Get("status"); want != "" && want != status && want != conclusion {
		return false
	}
	return inRange(r.Created, query.Get("created"))
}

// inRange tells whether a moment is in a range as GitHub writes it: a date or
// time alone, behind ">=", ">", "<=" or "<", or two with ".." between.
func inRange(t time.Time, span string) bool {
	at := stamp(t)
	from, to, between := strings.Cut(span, "..")
	switch {
	case span == "":
		return true
	case between:
		return (from == "*" || at >= from) && (to == "*" || at[:min(len(to), len(at))] <= to)
	case strings.HasPrefix(span, ">="):
		return at >= span[2:]
	case strings.HasPrefix(span, "<="):
		return at[:min(len(span)-2, len(at))] <= span[2:]
	case strings.HasPrefix(span, ">"):
		return at[:min(len(span)-1, len(at))] > span[1:]
	case strings.HasPrefix(span, "<"):
		return at < span[1:]
	default:
		return strings.HasPrefix(at, span)
	}
}

func (g *GitHub) listJobs(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	first := len(r.Attempts)
	if c.URL.Query().Get("filter") == "all" {
		first = 1
	}
	var items []any
	for attempt := first; attempt <= len(r.Attempts); attempt++ {
		items = append(items, g.jobsJSON(r, attempt)...)
	}
	return listed("jobs", items)
}

func (g *GitHub) listAttemptJobs(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	attempt, err := c.attempt(r)
	if err != nil {
		return answer{}, err
	}
	return listed("jobs", g.jobsJSON(r, attempt))
}

func (g *GitHub) getJob(c call) (answer, error) {
	wanted, err := c.number64("job")
	if err != nil {
		return answer{}, err
	}
	for _, r := range g.runsOf(c.repo) {
		for i, a := range r.Attempts {
			for _, j := range a.Jobs {
				if j.ID == wanted {
					return ok(g.jobJSON(r, i+1, j))
				}
			}
		}
	}
	return answer{}, errNotFound
}

// workflow is the newest run of the workflow with that id or file name.
func (g *GitHub) workflow(repo *Repository, name string) *Run {
	for _, r := range g.runsOf(repo) {
		if name == path.Base(r.file()) || name == strconv.FormatInt(r.workflowID(), 10) {
			return r
		}
	}
	return nil
}

func (g *GitHub) getWorkflow(c call) (answer, error) {
	r := g.workflow(c.repo, c.PathValue("workflow"))
	if r == nil {
		return answer{}, errNotFound
	}
	return ok(g.workflowJSON(c.repo, r))
}

func (g *GitHub) listWorkflows(c call) (answer, error) {
	var items []any
	seen := map[int64]bool{}
	for _, r := range g.runsOf(c.repo) {
		if !seen[r.workflowID()] {
			seen[r.workflowID()] = true
			items = append(items, g.workflowJSON(c.repo, r))
		}
	}
	return listed("workflows", items)
}

func (g *GitHub) workflowJSON(repo *Repository, r *Run) object {
	return object{
		"id": r.workflowID(), "node_id": node("W", r.workflowID()), "name": r.Name, "path": r.file(),
		"state": "active", "created_at": stamp(g.start), "updated_at": stamp(g.start),
		"url":       g.at(repo, fmt.Sprintf("/actions/workflows/%d", r.workflowID())),
		"html_url":  pageOf(repo, "/blob/"+repo.DefaultBranch+"/"+r.file()),
		"badge_url": pageOf(repo, "/workflows/"+r.Name+"/badge.svg"),
	}
}

func (g *GitHub) runJSON(r *Run, attempt int) object {
	repo, head := g.repository(r.Repository), g.repository(r.Head)
	status, conclusion := r.outcome(attempt)
	a := r.Attempts[attempt-1]
	at := fmt.Sprintf("/actions/runs/%d", r.ID)
	suite := id(fmt.Sprintf("suite %d", r.ID))
	o := object{
		"id": r.ID, "name": r.Name, "node_id": node("WFR", r.ID), "display_title": r.Title,
		"head_branch": r.Branch, "head_sha": r.SHA, "path": r.Workflow, "run_number": r.Number,
		"event": r.Event, "status": status, "conclusion": conclusion, "workflow_id": r.workflowID(),
		"check_suite_id": suite, "check_suite_node_id": node("CS", suite),
		"url": g.at(repo, at), "html_url": pageOf(repo, at), "pull_requests": []any{},
		"created_at": stamp(r.Created), "updated_at": stamp(a.updated()),
		"run_started_at": stamp(a.Started),
		"actor":          g.userJSON(r.Actor), "triggering_actor": g.userJSON(a.Actor), "run_attempt": attempt,
		"referenced_workflows": r.called(), "previous_attempt_url": nil,
		"check_suite_url": g.at(repo, fmt.Sprintf("/check-suites/%d", suite)),
		"workflow_url":    g.at(repo, fmt.Sprintf("/actions/workflows/%d", r.workflowID())),
		"head_commit":     g.headCommit(r),
		"repository":      g.minimalRepository(repo), "head_repository": g.minimalRepository(head),
	}
	for _, part := range []string{"jobs", "logs", "artifacts", "cancel", "rerun"} {
		o[part+"_url"] = g.at(repo, at+"/"+part)
	}
	if attempt > 1 {
		o["previous_attempt_url"] = g.at(repo, fmt.Sprintf("%s/attempts/%d", at, attempt-1))
	}
	return o
}

// updated is when the attempt's last job ended.
func (a Attempt) updated() time.Time {
	last := a.Started
	for _, j := range a.Jobs {
		if j.Completed.After(last) {
			last = j.Completed
		}
	}
	return last
}

func (r *Run) called() []any {
	called := []any{}
	for _, w := range r.Called {
		o := object{"path": w.Path, "sha": w.SHA}
		if w.Ref != "" {
			o["ref"] = w.Ref
		}
		called = append(called, o)
	}
	return called
}

func (g *GitHub) jobsJSON(r *Run, attempt int) (jobs []any) {
	for _, j := range r.Attempts[attempt-1].Jobs {
		jobs = append(jobs, g.jobJSON(r, attempt, j))
	}
	return jobs
}

func (g *GitHub) jobJSON(r *Run, attempt int, j Job) object {
	repo := g.repository(r.Repository)
	run := fmt.Sprintf("/actions/runs/%d", r.ID)
	o := object{
		"id": j.ID, "run_id": r.ID, "run_attempt": attempt, "workflow_name": r.Name,
		"head_branch": r.Branch, "head_sha": r.SHA, "node_id": node("CR", j.ID),
		"run_url": g.at(repo, run), "url": g.at(repo, fmt.Sprintf("/actions/jobs/%d", j.ID)),
		"html_url":      pageOf(repo, fmt.Sprintf("%s/job/%d", run, j.ID)),
		"check_run_url": g.at(repo, fmt.Sprintf("/check-runs/%d", j.ID)),
		"status":        j.Status, "conclusion": nil, "name": j.Name,
		"labels": j.Labels, "steps": j.steps(),
		"created_at": stamp(j.Started), "started_at": stamp(j.Started), "completed_at": nil,
	}
	if j.Conclusion != "" {
		o["conclusion"] = j.Conclusion
	}
	if j.Status == "completed" {
		o["completed_at"] = stamp(j.Completed)
	}
	j.Runner.describe(o)
	return o
}

func (r Runner) describe(job object) {
	if r.none == null {
		job["runner_id"], job["runner_name"] = nil, nil
		job["runner_group_id"], job["runner_group_name"] = nil, nil
		return
	}
	job["runner_id"], job["runner_name"] = r.ID, r.Name
	job["runner_group_id"], job["runner_group_name"] = r.Group, r.GroupName
}

func (j Job) steps() []any {
	steps := []any{}
	for i, name := range j.Steps {
		step := object{"name": name, "status": j.Status, "conclusion": nil, "number": i + 1,
			"started_at": stamp(j.Started), "completed_at": nil}
		if j.Status == "completed" {
			step["conclusion"], step["completed_at"] = j.Conclusion, stamp(j.Completed)
		}
		steps = append(steps, step)
	}
	return steps
}

// headCommit is the run's commit in few words, made up where nobody put it.
func (g *GitHub) headCommit(r *Run) object {
	c := Commit{Message: r.Title, Author: r.Actor, Date: r.Created, tree: sha("tree " + r.SHA)}
	if o := g.objects[r.SHA]; o != nil && o.kind == "commit" {
		c = o.commit
	}
	who := object{"name": c.Author, "email": mailOf(c.Author)}
	return object{"id": r.SHA, "tree_id": c.tree, "message": c.Message, "timestamp": stamp(c.Date),
		"author": who, "committer": who}
}
