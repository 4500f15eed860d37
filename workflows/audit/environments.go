package audit

import (
	"errors"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

var environmentRules = []Rule{
	{
		ID:    "environment-exists",
		Title: "every environment that a job names was made by somebody",
		Why: "GitHub makes an unknown environment when a job names it, without a single rule, and the job starts at once. " +
			"PyPCAPKit published through a gate that was not there.",
		Looks: InEnvironment,
		Fix:   "An administrator makes the environment in the repository's settings, with its rules, before a job names it.",
		judge: judgeEnvironmentNames,
	},
	{
		ID:    "environment-reviewed",
		Title: "somebody other than who started it lets the publishing job start",
		Why: "The review is the only moment at which a person looks. elementary-data (April 2026) went from a comment to PyPI in ten " +
			"minutes, through a workflow that asked nobody.",
		Looks: InEnvironment,
		Fix: "In the environment's settings: tick \"Required reviewers\", name the people, and tick \"Prevent self-review\". Not while a " +
			"release waits: a change of its rules ends the run.",
		judge: environments(rule.EnvironmentReviewers, rule.EnvironmentSelfReview),
	},
	{
		ID:    "environment-no-bypass",
		Title: "administrators wait for a review as others do",
		Why:   "One click on \"Start all waiting jobs\" is all that a stolen account of an administrator needs otherwise.",
		Looks: InEnvironment,
		Fix:   "In the environment's settings: untick \"Allow administrators to bypass configured protection rules\".",
		judge: environments(rule.EnvironmentBypass),
	},
	{
		ID:    "environment-from-branch",
		Title: "the publishing environment admits only the branches that release",
		Why: "Whoever can push a branch can push a copy of the workflow on it. If the environment admits the branch, the copy " +
			"publishes (Nx, 2025).",
		Looks: InEnvironment,
		Fix:   "In the environment's settings: choose \"Selected branches and tags\" and add the branches of the policy's publish.refs.",
		judge: environments(rule.EnvironmentRefs),
	},
	{
		ID:    "caches-empty",
		Title: "the repository has no caches",
		Why:   "A cache that is there can be restored by a job that somebody adds. In a repository that only releases nothing needs one.",
		Looks: InRepository,
		Fix:   "gh cache delete --all",
		judge: setting("caches", func(s workflows.Settings) workflows.Seen[int] { return s.Caches },
			func(_ Facts, n int) []Spot { return found(n > 0, plural(n, "cache")) }),
	},
}

// publishingIn are the environments in which something is published: those of
// the policy, and those that publishing jobs name.
func (f Facts) publishingIn() (names []string) {
	names = slices.Clone(f.Environments)
	for _, name := range f.namedBy((*job).publishes) {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	return names
}

// namedBy are the environments that jobs of the repository name, as far as it is
// written down.
func (f Facts) namedBy(have func(*job) bool) (names []string) {
	for _, file := range f.Files.all {
		for _, j := range file.jobs {
			if file.elsewhere || j.ast == nil || j.ast.Environment == nil || j.ast.Environment.Name == nil || !have(j) {
				continue
			}
			values, _ := j.values(j.ast.Environment.Name)
			names = append(names, values...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

func judgeEnvironmentNames(f Facts) judgement {
	names := append(f.namedBy(func(*job) bool { return true }), f.Environments...)
	j := setting("environments", func(s workflows.Settings) workflows.Seen[[]workflows.Environment] { return s.Environments },
		func(_ Facts, there []workflows.Environment) (spots []Spot) {
			for _, name := range names {
				if _, ok := called(there, name); !ok {
					spots = append(spots, Spot{Setting: "environment " + name, Got: "there is none of that name"})
				}
			}
			return spots
		})(f)
	j.applies = j.applies && len(names) > 0
	return j
}

func called(there []workflows.Environment, name string) (workflows.Environment, bool) {
	i := slices.IndexFunc(there, func(e workflows.Environment) bool { return strings.EqualFold(e.Name, name) })
	if i < 0 {
		return workflows.Environment{}, false
	}
	return there[i], true
}

// environments judges those in which something is published by rows of the
// gate's own rules. GitHub makes one that does not exist without any.
func environments(ids ...rule.ID) func(Facts) judgement {
	return func(f Facts) judgement {
		names := f.publishingIn()
		gate := workflows.Gate{Refs: f.Refs, Solo: f.Solo}
		if len(gate.Refs) == 0 {
			gate.Refs = []string{"refs/heads/" + f.Settings.Branch}
		}
		var gaps []Gap
		j := setting("environments", func(s workflows.Settings) workflows.Seen[[]workflows.Environment] { return s.Environments },
			func(_ Facts, there []workflows.Environment) (spots []Spot) {
				for _, name := range names {
					e, ok := called(there, name)
					if !ok {
						spots = append(spots, Spot{Setting: "environment " + name, Got: "it has no rules, for there is none of that name"})
						continue
					}
					var no rule.Refusals
					err := e.Check(gate)
					if err != nil && !errors.As(err, &no) {
						gaps = append(gaps, Gap{What: err.Error()})
					}
					for _, r := range no {
						if slices.Contains(ids, r.Rule) {
							spots = append(spots, Spot{Setting: "environment " + e.Name, Got: r.Got})
						}
					}
				}
				return spots
			})(f)
		j.applies, j.gaps = j.applies && len(names) > 0, append(j.gaps, gaps...)
		return j
	}
}
