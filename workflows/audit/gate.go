package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows"
)

// At is where a part of a release began: a commit, and the workflows of it.
type At struct {
	Repository string // "owner/name"
	Commit     string
	Workflows  []string // paths
}

// where is how the files of it are told from others.
func (a At) where() string { return fmt.Sprintf("of %s at %.12s", a.Repository, a.Commit) }

// maxBuilds is how many commits a release may be built of.
const maxBuilds = 20

// LookAt gathers what a demand is judged by before a release goes on: the
// workflows of the repository that publishes, at the commit of the run; those that
// built, at each commit that is certified, with what they call and no others; and
// the settings of the first, if a rule of the demand is about settings.
func (f Facts) LookAt(ctx context.Context, c *workflows.Client, d Demand, run At, builds []At) (Facts, error) {
	if len(builds) == 0 || len(builds) > maxBuilds {
		return f, fmt.Errorf("want 1 to %d commits that were built, got %d", maxBuilds, len(builds))
	}
	far := f.remotes(c)
	files, err := readAt(ctx, c, far, run.Repository, run.Commit, Release{Workflows: run.Workflows})
	if err != nil {
		return f, fmt.Errorf("the workflows %s: %w", run.where(), err)
	}
	for _, at := range builds {
		if at.Repository == run.Repository && at.Commit == run.Commit && within(at.Workflows, run.Workflows) {
			continue
		}
		built, err := readAt(ctx, c, far, at.Repository, at.Commit, Release{Workflows: at.Workflows, Alone: true})
		if err != nil {
			return f, fmt.Errorf("the workflows %s: %w", at.where(), err)
		}
		for _, file := range built.all {
			file.elsewhere = !strings.EqualFold(at.Repository, run.Repository)
		}
		files.gaps = append(files.gaps, files.add(built, at.where())...)
	}
	f.Files = files
	if slices.ContainsFunc(d.rules(), Rule.asksSettings) {
		if f.Settings, err = c.Settings(ctx, run.Repository); err != nil {
			return f, err
		}
	}
	pins := slices.Contains(d.Require, impostorCommit.ID)
	if pins || slices.Contains(d.Require, nestedUses.ID) || slices.Contains(d.Require, actionsFetchNothing.ID) {
		f.Pins, f.Actions = far.look(ctx, f.Files, pins)
	}
	return f, ctx.Err()
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// asksSettings tells whether the rule looks at more than files and pins.
func (r Rule) asksSettings() bool {
	return r.Looks != InWorkflow && r.Looks != InAction && r.judge != nil
}

// rules are those that are required.
func (d Demand) rules() (all []Rule) {
	for _, r := range Rules() {
		if slices.Contains(d.Require, r.ID) {
			all = append(all, r)
		}
	}
	return all
}

// NeedsRecord are the rules of the demand that a job's token cannot answer, so
// that it takes an audit by somebody who sees more.
func (d Demand) NeedsRecord() (all []Rule) {
	return slices.DeleteFunc(d.rules(), func(r Rule) bool { return !r.Admin })
}
