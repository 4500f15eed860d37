package workflows_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

const releases = "acme/widget-release"

// locked is an environment that is a gate.
func locked() githubtest.Environment {
	return githubtest.Environment{Repository: releases, Name: "pypi", Reviewers: []string{"alice", "acme/managers"},
		PreventSelfReview: true, AdminBypass: githubtest.BypassForbidden,
		Policies: []githubtest.BranchPolicy{{Name: "main"}}}
}

func TestEnvironmentIsAGate(t *testing.T) {
	noTags := func(bypass ...githubtest.BypassActor) githubtest.Ruleset {
		return githubtest.Ruleset{Repository: releases, Name: "tags", Target: "tag", Include: []string{"~ALL"},
			Rules: []githubtest.Rule{{Type: "creation"}, {Type: "a_rule_of_next_year"}}, Bypass: bypass}
	}
	admin := githubtest.BypassActor{ID: 5, Type: "RepositoryRole"}
	writer := githubtest.BypassActor{ID: 4, Type: "RepositoryRole"}
	tags := func(e *githubtest.Environment) {
		e.Policies = append(e.Policies, githubtest.BranchPolicy{Name: "v*", Type: "tag"})
	}
	for name, test := range map[string]struct {
		change  func(*githubtest.Environment)
		missing bool
		solo    bool
		rules   []githubtest.Ruleset
		admin   bool // the token may see who bypasses
		refused rule.ID
		unsaid  string
	}{
		"as it must be":  {},
		"nobody made it": {missing: true, refused: rule.EnvironmentMissing},
		"no reviewers":   {change: func(e *githubtest.Environment) { e.Reviewers = nil }, refused: rule.EnvironmentReviewers},
		"a team is gone": {change: func(e *githubtest.Environment) { e.Reviewers = []string{"acme/nobody"} }, refused: rule.EnvironmentReviewers},
		"self-review":    {change: func(e *githubtest.Environment) { e.PreventSelfReview = false }, refused: rule.EnvironmentSelfReview},
		"self-review, by the only one there is": {
			change: func(e *githubtest.Environment) { e.PreventSelfReview = false }, solo: true},
		"administrators bypass": {
			change: func(e *githubtest.Environment) { e.AdminBypass = githubtest.BypassAllowed }, refused: rule.EnvironmentBypass},
		"bypass is not said": {
			change: func(e *githubtest.Environment) { e.AdminBypass = githubtest.BypassUnsaid }, unsaid: "can_admins_bypass"},
		"every ref":          {change: func(e *githubtest.Environment) { e.Policies = nil }, refused: rule.EnvironmentRefs},
		"protected branches": {change: func(e *githubtest.Environment) { e.Policies, e.ProtectedBranches = nil, true }, refused: rule.EnvironmentRefs},
		"another branch":     {change: func(e *githubtest.Environment) { e.Policies[0].Name = "evil" }, refused: rule.EnvironmentRefs},
		"every branch":       {change: func(e *githubtest.Environment) { e.Policies[0].Name = "*" }, refused: rule.EnvironmentRefs},
		"a branch that the policy's pattern covers": {
			change: func(e *githubtest.Environment) { e.Policies[0].Name = "releases/2.4" }},
		"the policy's pattern": {change: func(e *githubtest.Environment) { e.Policies[0].Name = "releases/*" }},
		"a wider pattern":      {change: func(e *githubtest.Environment) { e.Policies[0].Name = "releases/**" }, refused: rule.EnvironmentRefs},
		"a tag called as the branch": {
			change: func(e *githubtest.Environment) { e.Policies[0].Type = "tag" }, refused: rule.EnvironmentRefs},
		"tags that anybody makes": {change: tags, refused: rule.EnvironmentRefs},
		"tags that administrators make": {
			change: tags, rules: []githubtest.Ruleset{noTags(admin)}, admin: true},
		"tags that writers make": {
			change: tags, rules: []githubtest.Ruleset{noTags(admin, writer)}, admin: true, refused: rule.EnvironmentRefs},
		"tags that who knows makes": {change: tags, rules: []githubtest.Ruleset{noTags(admin)}, unsaid: "admits tags"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.PutTeam(githubtest.Team{Organization: "acme", Slug: "managers", Members: []string{"bob"}})
			f.PutRepository(githubtest.Repository{Name: releases})
			if e := locked(); !test.missing {
				if test.change != nil {
					test.change(&e)
				}
				f.PutEnvironment(e)
			}
			for _, r := range test.rules {
				f.PutRuleset(r)
			}
			permissions := map[string]string{"actions": "read"}
			if test.admin {
				permissions["administration"] = "write"
			}
			c, err := workflows.NewClient(f.api, f.AccessToken(githubtest.Access{Permissions: permissions}), nil)
			f.check(err)
			e, err := c.Environment(t.Context(), releases, "pypi")
			f.check(err)
			err = e.Check(workflows.Gate{Solo: test.solo,
				Refs: []string{"refs/heads/main", "refs/heads/releases/*", "refs/tags/v*"}})
			var refused rule.Refusals
			switch {
			case test.refused != "":
				if !errors.As(err, &refused) || len(refused) != 1 || refused[0].Rule != test.refused {
					t.Errorf("want a refusal by %s alone, got %v", test.refused, err)
				}
			case test.unsaid != "":
				if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), test.unsaid) {
					t.Errorf("want an error that is no refusal, got %v", err)
				}
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// A 404 is no proof that an environment does not exist: where the list cannot be
// read either, nothing is known.
func TestHiddenEnvironmentIsNotMissing(t *testing.T) {
	f := newForge(t)
	f.PutRepository(githubtest.Repository{Name: releases, Private: true})
	f.PutEnvironment(locked())
	f.Behave(githubtest.Behaviour{HidesDenied: true})
	c, err := workflows.NewClient(f.api, f.AccessToken(githubtest.Access{}), nil)
	f.check(err)
	_, err = c.Environment(t.Context(), releases, "pypi")
	if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), "actions: read") {
		t.Errorf("want an error that names the permission, got %v", err)
	}
}
