package githubtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Settings are those of a repository that only people with rights see. The zero
// value is what a new repository has.
type Settings struct {
	Repository string // "owner/name"

	AllowedActions string // "all", "local_only" or "selected"; "" is "all"
	RequirePins    bool
	TokenWrites    bool   // a job's token may write where nobody says
	TokenApproves  bool   // and approve pull requests
	ForkApproval   string // "" is "first_time_contributors"

	Runners       []string // names of registered self-hosted ones
	Secrets       []string // names
	EnvSecrets    map[string][]string
	Collaborators []Collaborator
	DeployKeys    []DeployKey
	Caches        int
	Alerts        bool

	SubjectKeys      []string // claims of a subject of its own; nil is GitHub's
	ImmutableSubject bool

	Protection *Protection // of the default branch, in the old way
}

// Collaborator is somebody who can reach a repository.
type Collaborator struct{ Login, Role string } // "admin", "maintain", "write", "triage" or "read"

// DeployKey is an SSH key of a repository.
type DeployKey struct {
	Title    string
	ReadOnly bool
}

// Protection is a branch's protection in the old way.
type Protection struct{ Reviews, LinearHistory, Admins, ForcePush, Deletion bool }

// Organization is what an organization demands. The zero value demands nothing.
type Organization struct {
	Name           string
	SecondFactor   bool
	AllowedActions string // "" is "all"
	RequirePins    bool
	TokenWrites    bool
	Secrets        []string // names, for all of its repositories
	Owners         []string // logins
	Apps           []Installation
}

// Installation is an app that is installed in an organization.
type Installation struct {
	App          string
	Repositories string // "all" or "selected"; "" is "selected"
	Permissions  map[string]string
}

// PutSettings changes a repository's settings, all of them.
func (g *GitHub) PutSettings(s Settings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settings[g.repository(s.Repository).ID] = s
	for _, c := range s.Collaborators {
		g.user(c.Login)
	}
}

// PutOrganization changes what an organization demands.
func (g *GitHub) PutOrganization(o Organization) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owner(o.Name)
	g.organizations[strings.ToLower(o.Name)] = o
	for _, login := range o.Owners {
		g.user(login)
	}
}

const actionsAt = "/repos/{owner}/{repo}/actions"

var settingsRoutes = []route{
	{"GET " + actionsAt + "/permissions", "administration=read!",
		"actions/permissions#get-github-actions-permissions-for-a-repository", func(g *GitHub, c call) (answer, error) {
			s := g.settings[c.repo.ID]
			return ok(policyJSON(s.AllowedActions, s.RequirePins, object{"enabled": true}))
		}},
	{"GET " + actionsAt + "/permissions/workflow", "administration=read!",
		"actions/permissions#get-default-workflow-permissions-for-a-repository", func(g *GitHub, c call) (answer, error) {
			s := g.settings[c.repo.ID]
			return ok(tokenJSON(s.TokenWrites, s.TokenApproves))
		}},
	{"GET " + actionsAt + "/permissions/fork-pr-contributor-approval", "administration=read!",
		"actions/permissions#get-fork-pr-contributor-approval-permissions-for-a-repository", func(g *GitHub, c call) (answer, error) {
			return ok(object{"approval_policy": cmp.Or(g.settings[c.repo.ID].ForkApproval, "first_time_contributors")})
		}},
	{"GET " + actionsAt + "/runners", "administration=read!",
		"actions/self-hosted-runners#list-self-hosted-runners-for-a-repository", (*GitHub).listRunners},
	{"GET " + actionsAt + "/secrets", "secrets=read!", "actions/secrets#list-repository-secrets",
		func(g *GitHub, c call) (answer, error) { return g.listSecrets(g.settings[c.repo.ID].Secrets) }},
	{"GET " + actionsAt + "/organization-secrets", "secrets=read!", "actions/secrets#list-repository-organization-secrets",
		func(g *GitHub, c call) (answer, error) {
			owner, _, _ := strings.Cut(c.repo.Name, "/")
			return g.listSecrets(g.organizations[strings.ToLower(owner)].Secrets)
		}},
	{"GET " + environmentAt + "/secrets", "environments=read!", "actions/secrets#list-environment-secrets",
		func(g *GitHub, c call) (answer, error) {
			e, err := g.named(c)
			if err != nil {
				return answer{}, err
			}
			return g.listSecrets(g.settings[c.repo.ID].EnvSecrets[e.Name])
		}},
	{"GET " + actionsAt + "/cache/usage", "actions=read",
		"actions/cache#get-github-actions-cache-usage-for-a-repository", func(g *GitHub, c call) (answer, error) {
			n := g.settings[c.repo.ID].Caches
			return ok(object{"full_name": c.repo.Name, "active_caches_size_in_bytes": n << 20, "active_caches_count": n})
		}},
	{"GET " + actionsAt + "/oidc/customization/sub", "actions=read!",
		"actions/oidc#get-the-customization-template-for-an-oidc-subject-claim-for-a-repository", (*GitHub).getSubject},
	{"GET /repos/{owner}/{repo}/collaborators", "",
		"collaborators/collaborators#list-repository-collaborators", (*GitHub).listCollaborators},
	{"GET /repos/{owner}/{repo}/keys", "administration=read!", "deploy-keys/deploy-keys#list-deploy-keys", (*GitHub).listKeys},
	{"GET /repos/{owner}/{repo}/vulnerability-alerts", "administration=read!",
		"repos/repos#check-if-vulnerability-alerts-are-enabled-for-a-repository", func(g *GitHub, c call) (answer, error) {
			if !g.settings[c.repo.ID].Alerts {
				return answer{}, &failure{status: 404, message: "Vulnerability alerts are disabled."}
			}
			return answer{status: 204}, nil
		}},
	{"GET /repos/{owner}/{repo}/branches/{branch}/protection", "administration=read!",
		"branches/branch-protection#get-branch-protection", (*GitHub).getProtection},
	{"GET /orgs/{org}/actions/permissions", "", "actions/permissions#get-github-actions-permissions-for-an-organization",
		ofOrganization("organization_administration", func(g *GitHub, _ call, o Organization) (answer, error) {
			return ok(policyJSON(o.AllowedActions, o.RequirePins, object{"enabled_repositories": "all"}))
		})},
	{"GET /orgs/{org}/actions/permissions/workflow", "", "actions/permissions#get-default-workflow-permissions-for-an-organization",
		ofOrganization("organization_administration", func(g *GitHub, _ call, o Organization) (answer, error) {
			return ok(tokenJSON(o.TokenWrites, false))
		})},
	{"GET /orgs/{org}/installations", "", "orgs/orgs#list-app-installations-for-an-organization",
		ofOrganization("organization_administration", (*GitHub).listInstallations)},
	{"GET /orgs/{org}/members", "", "orgs/members#list-organization-members",
		ofOrganization("members", func(g *GitHub, c call, o Organization) (answer, error) {
			var items []any
			for _, login := range o.Owners { // all are administrators
				items = append(items, g.userJSON(login))
			}
			return listed("", items)
		})},
}

// ofOrganization answers those alone whose token has a permission on the
// organization; to all others the organization is another's.
func ofOrganization(permission string, handle func(*GitHub, call, Organization) (answer, error)) func(*GitHub, call) (answer, error) {
	return func(g *GitHub, c call) (answer, error) {
		u, known := g.users[strings.ToLower(c.PathValue("org"))]
		if !known || u.Type != "Organization" {
			return answer{}, errNotFound
		}
		if c.access == nil {
			return answer{}, &failure{status: 401, message: "Requires authentication"}
		}
		if c.access.Permissions[permission] == "" {
			return answer{}, g.denied(c.access)
		}
		return handle(g, c, g.organizations[strings.ToLower(u.Login)])
	}
}

func policyJSON(allowed string, pins bool, o object) object {
	o["allowed_actions"], o["sha_pinning_required"] = cmp.Or(allowed, "all"), pins
	return o
}

func tokenJSON(writes, approves bool) object {
	level := "read"
	if writes {
		level = "write"
	}
	return object{"default_workflow_permissions": level, "can_approve_pull_request_reviews": approves}
}

func (g *GitHub) listSecrets(names []string) (answer, error) {
	var items []any
	for _, name := range names {
		items = append(items, object{"name": name, "created_at": stamp(g.start), "updated_at": stamp(g.start)})
	}
	return listed("secrets", items)
}

func (g *GitHub) listRunners(c call) (answer, error) {
	var items []any
	for i, name := range g.settings[c.repo.ID].Runners {
		items = append(items, object{"id": i + 1, "name": name, "os": "linux", "status": "online", "busy": false, "ephemeral": false,
			"labels": []any{object{"id": 1, "name": "self-hosted", "type": "read-only"}}})
	}
	return listed("runners", items)
}

func (g *GitHub) getSubject(c call) (answer, error) {
	s := g.settings[c.repo.ID]
	o := object{"use_default": s.SubjectKeys == nil, "use_immutable_subject": s.ImmutableSubject}
	if s.SubjectKeys != nil {
		o["include_claim_keys"] = s.SubjectKeys
	}
	return ok(o)
}

// listCollaborators tells those who can push who else can.
func (g *GitHub) listCollaborators(c call) (answer, error) {
	if c.access == nil {
		return answer{}, &failure{status: 401, message: "Requires authentication"}
	}
	if !c.access.on(c.repo)["push"].(bool) {
		return answer{}, &failure{status: 403, message: "Must have push access to view repository collaborators."}
	}
	roles := []string{"read", "triage", "write", "maintain", "admin"}
	var items []any
	for _, p := range g.settings[c.repo.ID].Collaborators {
		o, level := g.userJSON(p.Login), slices.Index(roles, p.Role)
		o["role_name"] = p.Role
		o["permissions"] = object{"pull": level >= 0, "triage": level >= 1, "push": level >= 2, "maintain": level >= 3, "admin": level >= 4}
		items = append(items, o)
	}
	return listed("", items)
}

func (g *GitHub) listKeys(c call) (answer, error) {
	var items []any
	for i, k := range g.settings[c.repo.ID].DeployKeys {
		items = append(items, object{"id": i + 1, "key": "ssh-ed25519 AAAA", "url": g.at(c.repo, fmt.Sprintf("/keys/%d", i+1)), "title": k.Title,
			"verified": true, "created_at": stamp(g.start), "read_only": k.ReadOnly, "added_by": nil, "last_used": nil, "enabled": true})
	}
	return listed("", items)
}

func (g *GitHub) listInstallations(_ call, o Organization) (answer, error) {
	var items []any
	for i, app := range o.Apps {
		permissions := map[string]string{}
		maps.Copy(permissions, app.Permissions)
		number, owner := strconv.Itoa(i+1), g.owner(o.Name)
		api := g.base + "/app/installations/" + number
		items = append(items, object{"id": i + 1, "account": g.simpleUser(owner), "repository_selection": cmp.Or(app.Repositories, "selected"),
			"app_id": i + 1, "app_slug": app.App, "target_id": owner.ID, "target_type": "Organization", "permissions": permissions, "events": []any{},
			"access_tokens_url": api + "/access_tokens", "repositories_url": g.base + "/installation/repositories", "single_file_name": nil,
			"html_url":   web + "/organizations/" + o.Name + "/settings/installations/" + number,
			"created_at": stamp(g.start), "updated_at": stamp(g.start), "suspended_at": nil, "suspended_by": nil})
	}
	return listed("installations", items)
}

// getProtection is a branch's protection in the old way, for administrators.
func (g *GitHub) getProtection(c call) (answer, error) {
	p, name := g.settings[c.repo.ID].Protection, c.PathValue("branch")
	if g.refs[c.repo.ID]["refs/heads/"+name] == "" {
		return answer{}, &failure{status: 404, message: "Branch not found"}
	}
	if p == nil || name != c.repo.DefaultBranch {
		return answer{}, &failure{status: 404, message: "Branch not protected"}
	}
	at := g.at(c.repo, "/branches/"+name+"/protection")
	o := object{"url": at,
		"enforce_admins":          object{"url": at + "/enforce_admins", "enabled": p.Admins},
		"required_linear_history": object{"enabled": p.LinearHistory},
		"allow_force_pushes":      object{"enabled": p.ForcePush}, "allow_deletions": object{"enabled": p.Deletion},
	}
	if p.Reviews {
		o["required_pull_request_reviews"] = object{"url": at + "/required_pull_request_reviews", "dismiss_stale_reviews": true,
			"require_code_owner_reviews": false, "required_approving_review_count": 1, "require_last_push_approval": false}
	}
	return ok(o)
}
