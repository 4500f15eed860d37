package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AdminBypass is what an environment says of administrators who do not want to
// wait for a review.
type AdminBypass string

// An environment that nobody changed lets them.
const (
	BypassAllowed   AdminBypass = ""
	BypassForbidden AdminBypass = "forbidden"
	BypassUnsaid    AdminBypass = "unsaid" // the answer does not have the field
)

// Environment is a deployment environment and what protects it. The zero value
// protects nothing, as one that GitHub made because a job named it.
type Environment struct {
	Repository        string   // "owner/name"
	Name              string   // in whatever case
	ID                int64    // 0 is made up, as in ReleaseJob
	Reviewers         []string // logins, or teams as "organization/slug"
	PreventSelfReview bool
	WaitMinutes       int
	AdminBypass       AdminBypass

	ProtectedBranches bool           // only branches that are protected
	Policies          []BranchPolicy // only those; neither is any branch or tag
	Apps              []string       // slugs of apps that have a say
	Created           time.Time
}

// BranchPolicy admits branches or tags to an environment.
type BranchPolicy struct {
	Name string // a pattern, "main" or "releases/*"
	Type string // "branch" or "tag"; "" is a branch
}

// PutEnvironment adds an environment, or changes the one of that name.
func (g *GitHub) PutEnvironment(e Environment) Environment {
	g.mu.Lock()
	defer g.mu.Unlock()
	return *g.putEnvironment(e)
}

func (g *GitHub) putEnvironment(e Environment) *Environment {
	g.repository(e.Repository)
	if e.ID == 0 {
		e.ID = id("environment " + e.Repository + " " + e.Name)
	}
	if e.Created.IsZero() {
		e.Created = g.start
	}
	for _, reviewer := range e.Reviewers {
		if !strings.Contains(reviewer, "/") {
			g.user(reviewer)
		}
	}
	g.environments[g.environmentKey(e.Repository, e.Name)] = &e
	return &e
}

// DeleteEnvironment takes an environment away. The next job that names it makes
// it anew, without any rules.
func (g *GitHub) DeleteEnvironment(repository, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.environments, g.environmentKey(repository, name))
}

func (g *GitHub) environmentKey(repository, name string) string {
	return fmt.Sprintf("%d %s", g.repository(repository).ID, strings.ToLower(name))
}

// environment is the one of that name, made if nobody knows it.
func (g *GitHub) environment(repository, name string) *Environment {
	if e := g.environments[g.environmentKey(repository, name)]; e != nil {
		return e
	}
	return g.putEnvironment(Environment{Repository: repository, Name: name})
}

// asks tells whether a job has to wait for somebody, or for a while.
func (e *Environment) asks() bool {
	return len(e.Reviewers) > 0 || e.WaitMinutes > 0 || len(e.Apps) > 0
}

const environmentAt = "/repos/{owner}/{repo}/environments/{environment}"

var environmentRoutes = []route{
	{"GET /repos/{owner}/{repo}/environments", "actions=read",
		"deployments/environments#list-environments", (*GitHub).listEnvironments},
	{"GET " + environmentAt, "actions=read",
		"deployments/environments#get-an-environment", (*GitHub).getEnvironment},
	{"PUT " + environmentAt, "administration=write",
		"deployments/environments#create-or-update-an-environment", (*GitHub).changeEnvironment},
	{"GET " + environmentAt + "/deployment-branch-policies", "actions=read",
		"deployments/branch-policies#list-deployment-branch-policies", (*GitHub).listPolicies},
	{"POST " + environmentAt + "/deployment-branch-policies", "administration=write",
		"deployments/branch-policies#create-a-deployment-branch-policy", (*GitHub).addPolicy},
	{"GET " + environmentAt + "/deployment_protection_rules", "actions=read",
		"deployments/protection-rules#get-all-deployment-protection-rules-for-an-environment",
		(*GitHub).listApps},
}

// named is the environment that the path names.
func (g *GitHub) named(c call) (*Environment, error) {
	e := g.environments[g.environmentKey(c.repo.Name, c.PathValue("environment"))]
	if e == nil {
		return nil, errNotFound
	}
	return e, nil
}

func (g *GitHub) getEnvironment(c call) (answer, error) {
	e, err := g.named(c)
	if err != nil {
		return answer{}, err
	}
	return ok(g.environmentJSON(e))
}

func (g *GitHub) listEnvironments(c call) (answer, error) {
	var mine []*Environment
	for _, e := range g.environments {
		if g.repository(e.Repository) == c.repo {
			mine = append(mine, e)
		}
	}
	slices.SortFunc(mine, func(a, b *Environment) int { return strings.Compare(a.Name, b.Name) })
	var items []any
	for _, e := range mine {
		items = append(items, g.environmentJSON(e))
	}
	return listed("environments", items)
}

// environmentSettings is the body of a request that changes an environment.
type environmentSettings struct {
	WaitTimer         int   `json:"wait_timer"`
	PreventSelfReview bool  `json:"prevent_self_review"`
	CanAdminsBypass   *bool `json:"can_admins_bypass"`
	Reviewers         []struct {
		Type string
		ID   int64
	}
	Policy *struct {
		Protected bool `json:"protected_branches"`
		Custom    bool `json:"custom_branch_policies"`
	} `json:"deployment_branch_policy"`
}

// changeEnvironment sets everything that the body has, and the rest to what a
// new environment has.
func (g *GitHub) changeEnvironment(c call) (answer, error) {
	var asked environmentSettings
	if err := c.decode(&asked); err != nil {
		return answer{}, err
	}
	e := Environment{Repository: c.repo.Name, Name: c.PathValue("environment"),
		WaitMinutes: asked.WaitTimer, PreventSelfReview: asked.PreventSelfReview}
	if old, err := g.named(c); err == nil {
		e.ID, e.Name, e.Created = old.ID, old.Name, old.Created
		e.Apps, e.Policies = old.Apps, old.Policies
	}
	if asked.CanAdminsBypass != nil && !*asked.CanAdminsBypass {
		e.AdminBypass = BypassForbidden
	}
	for _, r := range asked.Reviewers {
		name := g.reviewerByID(r.Type, r.ID)
		if name == "" || len(asked.Reviewers) > 6 {
			return answer{}, unprocessable("Validation Failed")
		}
		e.Reviewers = append(e.Reviewers, name)
	}
	if err := asked.admit(&e); err != nil {
		return answer{}, err
	}
	return ok(g.environmentJSON(g.putEnvironment(e)))
}

// admit sets which branches the environment admits.
func (s environmentSettings) admit(e *Environment) error {
	switch p := s.Policy; {
	case p == nil:
		e.Policies = nil
	case p.Protected == p.Custom:
		return unprocessable("protected_branches and custom_branch_policies are the same")
	case p.Protected:
		e.ProtectedBranches, e.Policies = true, nil
	case e.Policies == nil:
		e.Policies = []BranchPolicy{}
	}
	return nil
}

// reviewerByID is the login or the team of a number.
func (g *GitHub) reviewerByID(kind string, id int64) string {
	for _, t := range g.teams {
		if kind == "Team" && t.ID == id {
			return t.Organization + "/" + t.Slug
		}
	}
	for _, u := range g.users {
		if kind == "User" && u.ID == id {
			return u.Login
		}
	}
	return ""
}

func (g *GitHub) listPolicies(c call) (answer, error) {
	e, err := g.named(c)
	if err != nil {
		return answer{}, err
	}
	var items []any
	for _, p := range e.Policies {
		items = append(items, p.json(e))
	}
	return listed("branch_policies", items)
}

func (g *GitHub) addPolicy(c call) (answer, error) {
	e, err := g.named(c)
	if err != nil || e.Policies == nil {
		return answer{}, errNotFound
	}
	var asked BranchPolicy
	if err := c.decode(&asked); err != nil {
		return answer{}, err
	}
	if slices.Contains(e.Policies, asked) {
		return answer{status: http.StatusSeeOther}, nil
	}
	e.Policies = append(e.Policies, asked)
	return ok(asked.json(e))
}

func (p BranchPolicy) json(e *Environment) object {
	n := id(fmt.Sprintf("policy %d %s %s", e.ID, p.Type, p.Name))
	return object{"id": n, "node_id": node("GBP", n), "name": p.Name, "type": cmp.Or(p.Type, "branch")}
}

func (g *GitHub) listApps(c call) (answer, error) {
	e, err := g.named(c)
	if err != nil {
		return answer{}, err
	}
	var items []any
	for _, slug := range e.Apps {
		rule, app := id(fmt.Sprintf("rule %d %s", e.ID, slug)), id("app "+slug)
		items = append(items, object{"id": rule, "node_id": node("GATE", rule), "enabled": true,
			"app": object{"id": app, "node_id": node("A", app), "slug": slug,
				"integration_url": g.base + "/apps/" + slug}})
	}
	return listed("custom_deployment_protection_rules", items)
}

func (g *GitHub) environmentJSON(e *Environment) object {
	o := g.environmentInShort(e)
	o["created_at"], o["updated_at"] = stamp(e.Created), stamp(e.Created)
	if e.AdminBypass != BypassUnsaid {
		o["can_admins_bypass"] = e.AdminBypass == BypassAllowed
	}
	o["protection_rules"], o["deployment_branch_policy"] = g.rulesJSON(e), nil
	if e.ProtectedBranches || e.Policies != nil {
		o["deployment_branch_policy"] = object{
			"protected_branches": e.ProtectedBranches, "custom_branch_policies": !e.ProtectedBranches}
	}
	return o
}

// environmentInShort is an environment as it stands in other things.
func (g *GitHub) environmentInShort(e *Environment) object {
	repo, log := g.repository(e.Repository), "/deployments/activity_log?environments_filter="
	return object{
		"id": e.ID, "node_id": node("EN", e.ID), "name": e.Name,
		"url":      g.at(repo, "/environments/"+url.PathEscape(e.Name)),
		"html_url": pageOf(repo, log+url.QueryEscape(e.Name)),
	}
}

func (g *GitHub) rulesJSON(e *Environment) []any {
	rules := []any{}
	add := func(kind string, rule object) {
		n := id(fmt.Sprintf("rule %d %s", e.ID, kind))
		rule["id"], rule["node_id"], rule["type"] = n, node("GA", n), kind
		rules = append(rules, rule)
	}
	if e.WaitMinutes > 0 {
		add("wait_timer", object{"wait_timer": e.WaitMinutes})
	}
	if len(e.Reviewers) > 0 {
		add("required_reviewers", object{
			"prevent_self_review": e.PreventSelfReview, "reviewers": g.reviewersJSON(e)})
	}
	if e.ProtectedBranches || e.Policies != nil {
		add("branch_policy", object{})
	}
	return rules
}

func (g *GitHub) reviewersJSON(e *Environment) []any {
	reviewers := []any{}
	for _, name := range e.Reviewers {
		if organization, slug, team := strings.Cut(name, "/"); team {
			t, known := g.teams[teamName(organization, slug)]
			if known {
				reviewers = append(reviewers, object{"type": "Team", "reviewer": g.teamJSON(t)})
			}
			continue
		}
		reviewers = append(reviewers, object{"type": "User", "reviewer": g.userJSON(name)})
	}
	return reviewers
}

// reviewedBy tells whether somebody is one of those who may review.
func (g *GitHub) reviewedBy(e *Environment, login string) bool {
	return slices.ContainsFunc(e.Reviewers, func(name string) bool {
		organization, slug, team := strings.Cut(name, "/")
		return strings.EqualFold(name, login) || team && g.teams[teamName(organization, slug)].has(login)
	})
}
