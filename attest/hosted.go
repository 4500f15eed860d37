package attest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// JobsOf lists every job of every attempt of a workflow run. The run is named
// as the certificate names it (.21), https://github.com/OWNER/NAME/actions/runs/ID
// with or without /attempts/N. A list that is not whole must be an error.
type JobsOf func(ctx context.Context, run string) ([]Job, error)

// Job is one job of one attempt of a workflow run, as GitHub tells of it.
type Job struct {
	ID         int64    `json:"id"`
	Name       string   `json:"name"`
	Attempt    int      `json:"attempt"`    // from 1
	Status     string   `json:"status"`     // "queued", "in_progress", "completed", "waiting", "requested" or "pending"
	Conclusion string   `json:"conclusion"` // "success", "failure", "cancelled", "skipped", …; "" before it is completed
	Steps      int      `json:"steps"`      // how many steps it has begun
	Runner     string   `json:"runner"`     // "" if it never had one
	RunnerID   int64    `json:"runnerId"`   // 0 if it never had one
	Group      string   `json:"group"`      // of the runner; "" if it never had one
	GroupID    int64    `json:"groupId"`    // 0 for GitHub's own group, -1 where GitHub names none
	Labels     []string `json:"labels"`     // that the workflow asked of a runner
}

// GitHub's own runners, as the jobs API tells of them. Whoever registers a
// runner chooses its name and labels, and whoever owns the organisation the
// names of its groups, but nobody else has the group 0.
const (
	hostedRunner  = "github-hosted" // in certificates
	hostedGroup   = "GitHub Actions"
	hostedGroupID = 0
)

// RunnerGroup is a group of runners that are not GitHub's own, which a policy
// admits all the same. GitHub vouches for nothing that they do.
type RunnerGroup struct {
	Name   string // whole
	Labels Match
	Reason string // shown to whoever approves
}

// Idle reports whether the job never had a runner, and so did nothing: it was
// skipped, cancelled or given up before it got one, or still waits for one. A
// job that was cancelled after it had begun is not idle.
func (j Job) Idle() bool {
	if j.Runner != "" || j.RunnerID != 0 || j.Group != "" || j.Steps > 0 {
		return false
	}
	if j.Status != "completed" {
		return slices.Contains([]string{"queued", "waiting", "requested", "pending"}, j.Status)
	}
	return slices.Contains([]string{"skipped", "cancelled", "failure", "timed_out"}, j.Conclusion)
}

func (j Job) hosted(labels Match) bool {
	return j.Runner != "" && j.GroupID == hostedGroupID && j.Group == hostedGroup && j.labelled(labels)
}

func (j Job) labelled(want Match) bool {
	return len(j.Labels) > 0 && !slices.ContainsFunc(j.Labels, func(label string) bool {
		return !want.accepts(label, certificate{})
	})
}

func (j Job) in(g RunnerGroup) bool {
	return j.Runner != "" && j.GroupID > hostedGroupID && j.Group == g.Name && j.labelled(g.Labels)
}

// String tells where the job ran.
func (j Job) String() string {
	text := fmt.Sprintf("job %q of attempt %d", j.Name, j.Attempt)
	if j.Runner == "" {
		return text + fmt.Sprintf(" (%s) without a runner", orNothing(strings.TrimSpace(j.Status+" "+j.Conclusion)))
	}
	return text + fmt.Sprintf(" on runner %q of group %d %q with labels %s",
		j.Runner, j.GroupID, j.Group, orNothing(strings.Join(j.Labels, ", ")))
}

// once asks for the jobs of each run at most once, whichever of its attempts
// is named.
func once(ctx context.Context, ask JobsOf) func(run string) ([]Job, error) {
	type answer struct {
		jobs []Job
		err  error
	}
	known := map[string]answer{}
	return func(run string) ([]Job, error) {
		id, _, _ := strings.Cut(run, "/attempts/")
		a, ok := known[id]
		if !ok {
			a.jobs, a.err = ask(ctx, run)
			known[id] = a
		}
		return a.jobs, a.err
	}
}

// machines judges where the jobs of a certified run ran. It returns the groups,
// with their reasons, for which GitHub does not vouch.
func (p Policy) machines(file string, c certificate, jobs []Job) (elsewhere string, no rule.Refusals, err error) {
	var strays, groups []string
	signing := false
	for _, job := range jobs {
		signing = signing || strings.HasSuffix(c.Run, fmt.Sprintf("/attempts/%d", job.Attempt)) && !job.Idle()
		switch i := slices.IndexFunc(p.Runners, job.in); {
		case job.Idle() || job.hosted(p.Labels):
		case i >= 0:
			groups = append(groups, p.Runners[i].Name+" ("+p.Runners[i].Reason+")")
		case job.Runner == "" && job.Status != "completed":
			return "", nil, fmt.Errorf("GitHub does not say yet where %s; ask again when it does", job)
		default:
			strays = append(strays, job.String())
		}
	}
	if !signing {
		return "", nil, fmt.Errorf("GitHub lists no job that ran in %s, so its list of jobs is not whole", orNothing(c.Run))
	}
	if len(strays) > 0 {
		return "", p.strayed(file, strays), nil
	}
	slices.Sort(groups)
	return strings.Join(slices.Compact(groups), ", "), nil, nil
}

// strayed refuses a file for the jobs that ran elsewhere, and names the first
// few of them.
func (p Policy) strayed(file string, jobs []string) rule.Refusals {
	const shown = 5
	got := strings.Join(jobs[:min(shown, len(jobs))], "; ")
	if more := len(jobs) - shown; more > 0 {
		got += fmt.Sprintf("; and %d more", more)
	}
	want := fmt.Sprintf("every job of every attempt of the build run on a runner of group %d %q with labels %s",
		hostedGroupID, hostedGroup, p.Labels)
	for _, g := range p.Runners {
		want += fmt.Sprintf(", or of group %q with labels %s", g.Name, g.Labels)
	}
	return rule.Refusals{{File: file, Rule: rule.HostedJob, Want: want, Got: got,
		Hint: "build again in a new run, all jobs on GitHub's own runners; if the runner is meant, name its labels " +
			"in build.labels, or its group in [[build.runners]] with a reason"}}
}

// checkMachines refuses a policy about jobs that could not decide.
func (p Policy) checkMachines(jobs JobsOf) error {
	if jobs == nil {
		return errors.New(`hosted = "every-job" asks GitHub for the jobs of the build run, ` +
			`which a folder does not name; a folder can meet hosted = "certificate"`)
	}
	if len(p.Runners) == 0 && p.Runner != Exactly(hostedRunner) {
		return fmt.Errorf(`hosted = "every-job" wants the job that signs on a %s runner too; the policy wants %s`,
			hostedRunner, p.Runner)
	}
	for _, g := range p.Runners {
		if g.Name == "" || g.Name == hostedGroup || g.Reason == "" {
			return fmt.Errorf("a group of other runners needs a name of its own and a reason, got %q and %q", g.Name, g.Reason)
		}
	}
	return nil
}
