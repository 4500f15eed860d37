package command

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// asBegun refuses a run that began under another policy than the default branch has
// now, which p is. The index's provenance names the run's commit, and whoever asks
// later who decided on the release reads the policy there: one that was taken back
// while the run went on would be taken for that by which people voted.
func (p policy) asBegun(ctx context.Context, client *workflows.Client, run, commit string) error {
	r, err := client.Repository(ctx, p.table.Publish.Repository)
	if err != nil {
		return err
	}
	then := r
	then.Head = commit
	var no rule.Refusals
	for _, f := range p.files {
		if slices.Contains(p.fetched, f.Name) {
			continue // by TUF, from no commit
		}
		raw, err := client.File(ctx, then, f.Name)
		is, was := dist.Sum(f.Raw), dist.Sum(raw)
		got := was.String()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			got = "no such file"
		case err != nil:
			return err
		case was == is:
			continue
		}
		no = append(no, rule.Refusal{File: f.Name + " at the commit of " + run, Rule: rule.PolicyRun,
			Want: is.String() + ", as the branch " + r.DefaultBranch + " has it now", Got: got + ", at " + commit,
			Hint: "the policy changed after this run began, or the run is of another branch: start the release workflow " +
				"anew. The same files are the same release there, so what people signed counts"})
	}
	return no.Err()
}

// runFault is why publish would not go on in the run that this job is of, as far as
// the policy that the run began under is the reason.
func (p policy) runFault(ctx context.Context, s Streams) error {
	if s.Env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	client, err := p.github(s)
	if err != nil {
		return err
	}
	commit, err := p.runHere(ctx, s, client)
	if err != nil {
		return err
	}
	return p.asBegun(ctx, client, ownPage(s), commit)
}

// warnOfRun says on stderr, before people vote, that it would be in vain. It decides
// nothing: a run of another branch can rehearse.
func (p policy) warnOfRun(ctx context.Context, s Streams) {
	err := p.runFault(ctx, s)
	if err == nil {
		return
	}
	out := printer{s.Err}
	out.line("warning    publish would not go on in this run")
	out.failure(err)
	inActions(s).command("warning", "this run", "publish would not go on in it:\n"+plain(err.Error()))
}

// vain says to those who vote what [policy.warnOfRun] says.
func (p policy) vain(ctx context.Context, s Streams) []string {
	err := p.runFault(ctx, s)
	var no rule.Refusals
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no):
		return []string{"votes are in vain here: the policy is another at this run's commit than on the branch, " +
			"and publish would not go on (" + string(no[0].Rule) + "). Start the release workflow anew"}
	}
	return []string{"whether publish would go on in this run is not known: " + err.Error()}
}
