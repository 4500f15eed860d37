package audit

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows"
)

// What a policy starts with: numpy's release repository has about five people.
const (
	defaultAdmins  = 3
	defaultWriters = 8
)

var accessRules = []Rule{
	{
		ID:    "few-admins",
		Admin: true,
		Title: "few people are administrators",
		Why:   "An administrator can take every rule away. Each account more is one more that can be stolen.",
		Looks: InRepository,
		Fix:   "Settings, Collaborators and teams: give everybody else the role write or less. The limit is [audit] admins.",
		judge: setting("people", peopleOf, func(f Facts, all []workflows.Collaborator) []Spot {
			return tooMany(all, func(c workflows.Collaborator) bool { return c.Admin }, f.Limits.Admins, defaultAdmins, "administrator")
		}),
	},
	{
		ID:    "few-writers",
		Admin: true,
		Title: "few people can write to the repository that releases",
		Why: "Whoever can write can start a release. numpy moved its releases into a repository of their own for this, where five people can " +
			"write and not thirty.",
		Looks: InRepository,
		Fix:   "Release from a repository of its own, and let those write who release. The limit is [audit] writers.",
		judge: setting("people", peopleOf, func(f Facts, all []workflows.Collaborator) []Spot {
			return tooMany(all, func(c workflows.Collaborator) bool { return c.Push || c.Admin }, f.Limits.Writers, defaultWriters, "writer")
		}),
	},
	{
		ID:    "second-factor-required",
		Admin: true,
		Title: "the organisation demands a second factor of everybody",
		Why:   "A password alone is phished or guessed. Most of the incidents of 2025 began with one account.",
		Looks: InOrganisation,
		Fix:   "The organisation's settings, Authentication security: require two-factor authentication, secure methods only.",
		judge: func(f Facts) judgement {
			j := setting("organisation", func(s workflows.Settings) workflows.Seen[workflows.Organisation] { return s.Organisation },
				func(_ Facts, o workflows.Organisation) []Spot {
					return found(o.Name != "" && o.SecondFactor != nil && !*o.SecondFactor, "it does not")
				})(f)
			o := f.Settings.Organisation
			if o.Known() && o.Value.Name == "" {
				return judgement{} // a person's repository
			}
			if o.Known() && o.Value.SecondFactor == nil {
				return judgement{gaps: []Gap{{What: "GitHub does not show it", Needs: "an organisation owner's token"}}}
			}
			return j
		},
	},
	{
		ID:    "no-index-tokens",
		Admin: true,
		Title: "no secret holds a token of a package index",
		Why: "A token works from anywhere, for whoever has it. LiteLLM and Telnyx (2026), Ultralytics (2024) and hundreds of smaller ones " +
			"were uploads with a token out of a secret.",
		Looks: InRepository,
		Fix:   "Revoke the token on the index first, then delete the secret. Trusted publishing needs none.",
		judge: func(f Facts) judgement {
			return eachSecret(f, func(where, name string) []Spot {
				if !indexToken.MatchString(name) {
					return nil
				}
				return []Spot{{Setting: where, Got: name}}
			}, true)
		},
	},
	{
		ID:    "no-repository-secrets",
		Admin: true,
		Title: "secrets are the environments', and no others",
		Why:   "A secret of the repository or of its organisation is there for a workflow on any branch (GhostAction, 2025).",
		Looks: InRepository,
		Fix:   "Move each into the environment whose job needs it, and delete it here.",
		judge: func(f Facts) judgement {
			return eachSecret(f, func(where, name string) []Spot { return []Spot{{Setting: where, Got: name}} }, false)
		},
	},
	{
		ID:    "no-writing-keys",
		Admin: true,
		Title: "no deploy key can write",
		Why:   "A deploy key has no owner, no second factor and no end, and rulesets let keys through where they are asked to.",
		Looks: InRepository,
		Fix:   "Settings, Deploy keys: delete those that can write.",
		judge: setting("deploy keys", func(s workflows.Settings) workflows.Seen[[]workflows.DeployKey] { return s.DeployKeys },
			func(_ Facts, keys []workflows.DeployKey) (spots []Spot) {
				for _, k := range keys {
					if !k.ReadOnly {
						spots = append(spots, Spot{Setting: "deploy key " + k.Title, Got: "it can write"})
					}
				}
				return spots
			}),
	},
	{
		ID:    "few-apps",
		Admin: true,
		Title: "no app can write to every repository",
		Why:   "An app's key is one secret for all repositories that it is installed in. Trivy's thief came by a bot that could do more than its work.",
		Looks: InOrganisation,
		Fix:   "The organisation's settings, GitHub Apps: install each in the repositories that it works for, and not in this one.",
		judge: setting("apps", func(s workflows.Settings) workflows.Seen[[]workflows.App] { return s.Apps },
			func(_ Facts, apps []workflows.App) (spots []Spot) {
				for _, a := range apps {
					for _, p := range []string{"administration", "actions", "contents", "environments", "secrets", "workflows"} {
						if a.Everywhere && a.Permissions[p] == "write" {
							spots = append(spots, Spot{Setting: "app " + a.Slug, Got: "it has " + p + ": write in every repository"})
						}
					}
				}
				return spots
			}),
	},
}

func peopleOf(s workflows.Settings) workflows.Seen[[]workflows.Collaborator] { return s.People }

// tooMany names all who are, if they are more than the limit.
func tooMany(all []workflows.Collaborator, is func(workflows.Collaborator) bool, limit, otherwise int, noun string) []Spot {
	if limit == 0 {
		limit = otherwise
	}
	var names []string
	for _, c := range all {
		if is(c) {
			names = append(names, c.Login)
		}
	}
	return found(len(names) > limit, fmt.Sprintf("%s, and at most %d are wanted: %s", plural(len(names), noun), limit, strings.Join(names, ", ")))
}

// indexToken is the name of a secret that is, most likely, a token of an index.
var indexToken = regexp.MustCompile(`(?i)(pypi|twine|uv_publish|flit|poetry|hatch|anaconda|conda).*(token|pass|key|secret|auth)|(?i)^(pypi|twine|anaconda)|(?i)(npm|cargo|crates|nuget|rubygems|gem_host).*(token|key)`)

// eachSecret judges every secret of the repository and the organisation, and
// also those of environments.
func eachSecret(f Facts, look func(where, name string) []Spot, environments bool) judgement {
	list := func(where string) func(Facts, []string) []Spot {
		return func(_ Facts, names []string) (spots []Spot) {
			for _, name := range names {
				spots = append(spots, look(where, name)...)
			}
			return spots
		}
	}
	j := both(setting("repository secrets", func(s workflows.Settings) workflows.Seen[[]string] { return s.Secrets }, list("repository secret"))(f),
		setting("organisation secrets", func(s workflows.Settings) workflows.Seen[[]string] { return s.OrgSecrets }, list("organisation secret"))(f))
	if !environments {
		return j
	}
	return both(j, setting("environment secrets", func(s workflows.Settings) workflows.Seen[map[string][]string] { return s.EnvSecrets },
		func(f Facts, by map[string][]string) (spots []Spot) {
			for _, name := range slices.Sorted(maps.Keys(by)) {
				spots = append(spots, list("secret of environment "+name)(f, by[name])...)
			}
			return spots
		})(f))
}
