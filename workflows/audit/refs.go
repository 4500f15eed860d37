package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows"
)

var refRules = []Rule{
	{
		ID:    "branch-protected",
		Admin: true,
		Title: "a release branch changes only by pull requests, and is never rewritten",
		Why: "What is on the branch is what is released. GhostAction (2025) pushed workflows straight to it, with hijacked accounts, in " +
			"817 repositories.",
		Looks: InRuleset,
		Fix:   "Make a ruleset for the release branches: restrict deletions, block force pushes, require a pull request. audit --settings DIR writes it.",
		judge: judgeBranches,
	},
	{
		ID:    "linear-history",
		Admin: true,
		Title: "the history of the release branch is linear",
		Why:   "A line of commits can be read from the last release to this one. What a merge brings in from the side is easily overlooked.",
		Looks: InRuleset,
		Fix:   "Add \"Require linear history\" to the ruleset of the release branches.",
		judge: func(f Facts) judgement {
			return f.orProtected(setting("rules of the default branch", func(s workflows.Settings) workflows.Seen[[]string] { return s.BranchRules },
				func(f Facts, types []string) []Spot {
					return found(!slices.Contains(types, "required_linear_history") && !f.Settings.Protection.Value.LinearHistory, "merges are allowed")
				})(f))
		},
	},
	{
		ID:    "branch-names",
		Title: "no branch can be made that private work would be put on by mistake",
		Why: "A branch is public at once. Astral forbids the names advisory-* and internal-*, under which fixes of unpublished flaws are " +
			"prepared elsewhere.",
		Looks: InRuleset,
		Fix:   "Make a branch ruleset that restricts creations of advisory-* and internal-*.",
		judge: rulesets(func(_ Facts, all []workflows.Ruleset) (spots []Spot) {
			for _, name := range []string{"refs/heads/advisory-*", "refs/heads/internal-*"} {
				forbids := func(r workflows.Ruleset) bool { return r.Has("creation") && r.Protects("branch", name) }
				if !slices.ContainsFunc(all, forbids) {
					spots = append(spots, Spot{Setting: "rulesets", Got: name + " can be made"})
				}
			}
			return spots
		}),
	},
	{
		ID:    "tags-immutable",
		Title: "a tag is never moved or deleted",
		Why: "People and tools take a tag for a version. In March 2026 the tags of Trivy's action were moved to a thief's commit, 75 of 76 " +
			"of them.",
		Looks: InRuleset,
		Fix:   "Make a tag ruleset for all tags: restrict updates, restrict deletions, block force pushes, and nobody in its bypass list.",
		judge: rulesets(func(_ Facts, all []workflows.Ruleset) (spots []Spot) {
			for _, kind := range []string{"update", "deletion"} {
				if !slices.ContainsFunc(all, func(r workflows.Ruleset) bool { return r.Has(kind) && r.Protects("tag", "refs/tags/v*") }) {
					spots = append(spots, Spot{Setting: "rulesets", Got: "no active ruleset restricts the " + kind + " of all tags"})
				}
			}
			return spots
		}),
	},
	{
		ID:    "tags-after-release",
		Title: "a release's tag cannot be made before the release was let through",
		Why: "A tag that anybody can make starts workflows and looks like a release. Astral's tags can exist only once the release " +
			"environment has deployed their commit.",
		Looks: InRuleset,
		Fix: "Add to the tag ruleset: restrict creations, or require deployments to succeed in the environment that publishes. Where a tag " +
			"starts the build, restrict creations to the people who release.",
		judge: rulesets(func(f Facts, all []workflows.Ruleset) []Spot {
			held := func(r workflows.Ruleset) bool {
				return (r.Has("creation") || r.Has("required_deployments")) && r.Protects("tag", "refs/tags/v*")
			}
			return found(!slices.ContainsFunc(all, held), "whoever can write can make any tag")
		}),
	},
	{
		ID:    "no-bypass",
		Admin: true,
		Title: "nobody is above the rulesets",
		Why: "A bypass is for the day on which it is needed, and for the thief on every other. With none, an administrator has to change the " +
			"ruleset first, and that is logged.",
		Looks: InRuleset,
		Fix:   "Empty the bypass list of every active ruleset; better, make the rulesets the organisation's.",
		judge: judgeBypass,
	},
	{
		ID:    "immutable-releases",
		Admin: true,
		Title: "what is published as a release cannot be changed",
		Why: "The assets of a release could be exchanged later, under the same name, for those who download them from there. numpy's " +
			"releases are immutable.",
		Looks: InRepository,
		Fix:   "gh api -X PUT repos/OWNER/NAME/immutable-releases",
		judge: setting("immutable releases", func(s workflows.Settings) workflows.Seen[bool] { return s.Immutable },
			func(_ Facts, on bool) []Spot { return found(!on, "releases can be changed") }),
	},
}

func rulesets(look func(Facts, []workflows.Ruleset) []Spot) func(Facts) judgement {
	return setting("rulesets", func(s workflows.Settings) workflows.Seen[[]workflows.Ruleset] { return s.Rulesets }, look)
}

// judgeBranches asks what holds for the default branch, by rulesets or by the
// protection of the old kind; and by rulesets for other branches that release.
func judgeBranches(f Facts) judgement {
	old := f.Settings.Protection
	j := setting("rules of the default branch", func(s workflows.Settings) workflows.Seen[[]string] { return s.BranchRules },
		func(f Facts, types []string) (spots []Spot) {
			for _, row := range []struct {
				kind, got string
				old       bool
			}{
				{"pull_request", "it can be pushed to without a pull request", old.Value.PullRequest && old.Value.Admins},
				{"non_fast_forward", "it can be rewritten", old.Known() && !old.Value.ForcePush},
				{"deletion", "it can be deleted", old.Known() && !old.Value.Deletion},
			} {
				if !slices.Contains(types, row.kind) && !row.old {
					spots = append(spots, Spot{Setting: "branch " + f.Settings.Branch, Got: row.got})
				}
			}
			return spots
		})(f)
	return both(f.orProtected(j), rulesets(func(f Facts, all []workflows.Ruleset) (spots []Spot) {
		for _, ref := range f.Refs {
			name, branch := strings.CutPrefix(ref, "refs/heads/")
			if !branch || name == f.Settings.Branch {
				continue
			}
			for _, kind := range []string{"pull_request", "non_fast_forward", "deletion"} {
				holds := func(r workflows.Ruleset) bool { return r.Has(kind) && r.Protects("branch", ref) }
				if !slices.ContainsFunc(all, holds) {
					spots = append(spots, Spot{Setting: "branch " + name, Got: "no active ruleset for it has the rule " + kind})
				}
			}
		}
		return spots
	})(f))
}

// orProtected is what rulesets say of the default branch, or that it is not known:
// what they lack the protection of the old kind may have, which not everybody sees.
func (f Facts) orProtected(j judgement) judgement {
	if old := f.Settings.Protection; len(j.spots) > 0 && !old.Known() {
		return judgement{gaps: []Gap{unseen("branch protection of "+f.Settings.Branch, old.Gap, old.Needs)}}
	}
	return j
}

// judgeBypass looks who is above the active rulesets. Who may not see the list
// knows nothing of it.
func judgeBypass(f Facts) judgement {
	var gaps []Gap
	j := rulesets(func(_ Facts, all []workflows.Ruleset) (spots []Spot) {
		for _, r := range all {
			if r.Enforcement != "active" {
				continue
			}
			if r.Bypass == nil {
				gaps = append(gaps, Gap{What: "who is above the ruleset " + r.Name + " is not shown", Needs: "administration: write"})
			}
			for _, b := range r.Bypass {
				spots = append(spots, Spot{Setting: "ruleset " + r.Name, Got: fmt.Sprintf("%s %d is above it", b.Kind, b.ID)})
			}
		}
		return spots
	})(f)
	j.gaps = append(j.gaps, gaps...)
	if f.Settings.Rulesets.Known() && len(f.Settings.Rulesets.Value) == 0 {
		j.applies = false
	}
	return j
}
