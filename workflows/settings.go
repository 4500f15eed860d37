package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Seen is something that GitHub was asked for: what it said, or why that is not
// known. The zero value was not asked for.
type Seen[T any] struct {
	Value T      `json:"value,omitempty"`
	Gap   string `json:"gap,omitempty"`   // why it is not known
	Needs string `json:"needs,omitempty"` // the permission that would show it; "": GitHub failed, as by a rate limit
	known bool
}

// Known tells whether GitHub said it.
func (s Seen[T]) Known() bool { return s.known }

// told is a value that is known.
func told[T any](v T) Seen[T] { return Seen[T]{Value: v, known: true} }

// See asks, and keeps what was said or why nothing was.
func See[T any](needs string, ask func() (T, error)) Seen[T] {
	v, err := ask()
	if failed(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound) {
		return Seen[T]{Gap: unshown, Needs: needs}
	}
	if err != nil {
		return Seen[T]{Gap: clip(err.Error())}
	}
	return told(v)
}

// Settings are what protects a repository, as GitHub shows it to one token. Each
// is seen, or says which permission would show it.
type Settings struct {
	Repository   string // "owner/name"
	Branch       string // the default one
	Administered bool   // the token is an administrator's, so that "not found" means that there is none

	Policy       Seen[ActionsPolicy]
	Token        Seen[TokenDefaults]
	ForkApproval Seen[string] // whose pull requests wait before workflows run: "all_external_contributors" is everybody's
	Runners      Seen[[]string]
	Secrets      Seen[[]string] // names, of the repository
	OrgSecrets   Seen[[]string] // names, of the organisation, that the repository can use
	EnvSecrets   Seen[map[string][]string]
	Environments Seen[[]Environment]
	Rulesets     Seen[[]Ruleset]
	BranchRules  Seen[[]string] // types of the rules that hold for the default branch
	Protection   Seen[Protection]
	People       Seen[[]Collaborator]
	DeployKeys   Seen[[]DeployKey]
	Immutable    Seen[bool] // releases cannot be changed once they are published
	Caches       Seen[int]  // how many there are
	Subject      Seen[Subject]
	Alerts       Seen[bool] // Dependabot's, of known vulnerabilities

	Organisation Seen[Organisation] // of a person's repository: known, and no organisation
	Apps         Seen[[]App]
	OrgPolicy    Seen[ActionsPolicy]
}

// ActionsPolicy is which actions may run.
type ActionsPolicy struct {
	Allowed     string `json:"allowed_actions"`      // "all", "local_only" or "selected"
	PinRequired *bool  `json:"sha_pinning_required"` // nil: GitHub does not say
}

// TokenDefaults are what a job's token may do where nobody says.
type TokenDefaults struct {
	Permissions string `json:"default_workflow_permissions"` // "read" or "write"
	Approves    *bool  `json:"can_approve_pull_request_reviews"`
}

// Ruleset is a ruleset as it is, read raw: there are more types of rules than
// any client knows.
type Ruleset struct {
	ID          int64
	Name        string
	Target      string // "branch", "tag" or "push"
	Enforcement string // "active", "evaluate" or "disabled"
	Source      string // "Repository" or "Organization"
	Include     []string
	Exclude     []string
	Rules       []RulesetRule
	Bypass      []Bypass // nil: the token may not see them
}

// RulesetRule is one rule of a ruleset.
type RulesetRule struct {
	Type         string
	Environments []string // of required_deployments
}

// Protection is a branch's protection of the old kind; the zero value is none.
type Protection struct {
	PullRequest, LinearHistory, Admins, ForcePush, Deletion bool
}

// Collaborator is somebody who can reach the repository.
type Collaborator struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	Admin bool   `json:"admin"`
	Push  bool   `json:"push"`
}

// DeployKey is an SSH key of the repository.
type DeployKey struct {
	Title    string `json:"title"`
	ReadOnly bool   `json:"read_only"`
}

// Subject is the form of the subject in ID tokens.
type Subject struct {
	Default   bool     `json:"use_default"`
	Keys      []string `json:"include_claim_keys"`
	Immutable bool     `json:"use_immutable_subject"` // names ids, which do not change hands
}

// Organisation is who owns the repository.
type Organisation struct {
	Name         string `json:"login"`
	SecondFactor *bool  `json:"two_factor_requirement_enabled"` // nil: GitHub does not say
}

// App is an app that is installed in the organisation.
type App struct {
	Slug        string            `json:"app_slug"`
	Everywhere  bool              `json:"everywhere"` // in every repository
	Permissions map[string]string `json:"permissions"`
}

// Settings asks for all settings that matter to a release, at the same time, in
// some twenty calls one for each ruleset and two for each environment. What one
// token may not see is a gap and no error: an error is that the repository itself
// cannot be seen.
func (c *Client) Settings(ctx context.Context, repository string) (Settings, error) {
	r, err := c.repository(ctx, repository)
	if err != nil {
		return Settings{}, err
	}
	return c.SettingsOf(ctx, r)
}

// SettingsOf are the [Client.Settings] of a repository that was asked for already.
func (c *Client) SettingsOf(ctx context.Context, r Repository) (Settings, error) {
	at, err := pathOf(r.Name)
	if err != nil || r.DefaultBranch == "" {
		return Settings{}, fmt.Errorf("want a repository that GitHub knows, got %.200q with the branch %.100q", r.Name, r.DefaultBranch)
	}
	s := Settings{Repository: r.Name, Branch: r.DefaultBranch, Administered: r.administered}
	a := &asking{c: c, ctx: ctx, at: at, about: r.Name, free: make(chan struct{}, parallel)}
	s.askRepository(a)
	if r.organisation != "" {
		s.askOrganisation(a, r.organisation)
	} else {
		s.Organisation, s.Apps = told(Organisation{}), told([]App{})
		s.OrgPolicy, s.OrgSecrets = told(ActionsPolicy{}), told([]string{})
	}
	a.all.Wait()
	return s, ctx.Err()
}

// asking asks many questions at once.
type asking struct {
	c     *Client
	ctx   context.Context
	at    string // path of the repository
	about string
	free  chan struct{}
	all   sync.WaitGroup
}

// public are the permissions for what GitHub shows of a public repository to
// everybody. What takes another one is not asked without a token: the sixty calls of
// an hour are for what there is to see.
var public = map[string]bool{"metadata: read": true, readContents: true, readActions: true}

const unshown = "GitHub does not show it to this token"

// see asks one question, and keeps what was said or why nothing was.
func see[T any](a *asking, into *Seen[T], needs string, ask func(needs string) (T, error)) {
	a.all.Go(func() {
		a.free <- struct{}{}
		defer func() { <-a.free }()
		if a.c.anonymous && !public[needs] {
			*into = Seen[T]{Gap: unshown, Needs: needs}
			return
		}
		*into = See(needs, func() (T, error) { return ask(needs) })
	})
}

func (a *asking) question(path, needs string) question {
	return question{path: path, needs: needs, about: a.about}
}

// one asks for one value of the API's.
func one[T any](a *asking, path string) func(needs string) (T, error) {
	return func(needs string) (T, error) { return get[T](a.ctx, a.c, a.question(path, needs)) }
}

// everything asks for every page of a list, which is the answer itself or, with a
// key, in it beside its total_count.
func everything[T any](a *asking, path, key, needs string, query url.Values) (items []T, err error) {
	for page := 1; page <= maxPages; page++ {
		q := a.question(path, needs)
		q.query = url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		for name, values := range query {
			q.query[name] = values
		}
		raw, err := get[json.RawMessage](a.ctx, a.c, q)
		if err != nil {
			return nil, err
		}
		if key != "" {
			var keyed map[string]json.RawMessage
			if err := json.Unmarshal(raw, &keyed); err != nil || keyed[key] == nil {
				return nil, fmt.Errorf("GitHub, %s: want %s, got nothing", path, key)
			}
			raw = keyed[key]
		}
		var got []T
		if err := json.Unmarshal(raw, &got); err != nil {
			return nil, fmt.Errorf("GitHub, %s: want a list, got something else", path)
		}
		if items = append(items, got...); len(got) < perPage {
			return items, nil
		}
	}
	return nil, fmt.Errorf("GitHub, %s: want at most %d entries, got more", path, maxPages*perPage)
}

// names asks for a list of things that have a name.
func names(a *asking, path, key string) func(needs string) ([]string, error) {
	return func(needs string) ([]string, error) {
		said, err := everything[struct{ Name string }](a, path, key, needs, nil)
		all := []string{}
		for _, s := range said {
			all = append(all, clip(s.Name))
		}
		return all, err
	}
}

func (s *Settings) askRepository(a *asking) {
	s.askActions(a)
	s.askBranch(a)
	s.askAccess(a)
	a.all.Go(func() { s.askEnvironments(a) })
}

// askActions asks what workflows may do, with which secrets, and on which machines.
func (s *Settings) askActions(a *asking) {
	at := a.at
	see(a, &s.Policy, "administration: read", one[ActionsPolicy](a, at+"/actions/permissions"))
	see(a, &s.Token, "administration: read", one[TokenDefaults](a, at+"/actions/permissions/workflow"))
	see(a, &s.ForkApproval, "administration: read", func(needs string) (string, error) {
		said, err := one[struct {
			Policy string `json:"approval_policy"`
		}](a, at+"/actions/permissions/fork-pr-contributor-approval")(needs)
		return said.Policy, err
	})
	see(a, &s.Runners, "administration: read", names(a, at+"/actions/runners", "runners"))
	see(a, &s.Secrets, "secrets: read", names(a, at+"/actions/secrets", "secrets"))
	see(a, &s.OrgSecrets, "secrets: read", names(a, at+"/actions/organization-secrets", "secrets"))
	see(a, &s.Caches, "actions: read", func(needs string) (int, error) {
		said, err := one[struct {
			Count *int `json:"active_caches_count"`
		}](a, at+"/actions/cache/usage")(needs)
		if err == nil && said.Count == nil {
			return 0, fmt.Errorf("GitHub does not say how many caches there are")
		}
		if err != nil {
			return 0, err
		}
		return *said.Count, nil
	})
	see(a, &s.Subject, "actions: read", one[Subject](a, at+"/actions/oidc/customization/sub"))
}

// askBranch asks how the branch and the tags are protected, and whether releases are.
func (s *Settings) askBranch(a *asking) {
	see(a, &s.Rulesets, "metadata: read", a.rulesets)
	see(a, &s.BranchRules, "metadata: read", func(needs string) (types []string, err error) {
		said, err := everything[struct{ Type string }](a, a.at+"/rules/branches/"+(&url.URL{Path: s.Branch}).EscapedPath(), "", needs, nil)
		for _, r := range said {
			types = append(types, r.Type)
		}
		return types, err
	})
	see(a, &s.Protection, "administration: read", func(needs string) (Protection, error) { return a.protection(s.Branch, needs) })
	see(a, &s.Immutable, "administration: read", func(needs string) (bool, error) {
		said, err := one[struct{ Enabled bool }](a, a.at+"/immutable-releases")(needs)
		if s.none(a, err) {
			return false, nil
		}
		return said.Enabled, err
	})
}

// askAccess asks who can change the repository, and whether somebody is warned.
func (s *Settings) askAccess(a *asking) {
	see(a, &s.People, "metadata: read, by somebody who can push", a.people)
	see(a, &s.DeployKeys, "administration: read", func(needs string) ([]DeployKey, error) {
		return everything[DeployKey](a, a.at+"/keys", "", needs, nil)
	})
	see(a, &s.Alerts, "administration: read", func(needs string) (bool, error) {
		_, err := a.c.ask(a.ctx, a.question(a.at+"/vulnerability-alerts", needs))
		if s.none(a, err) {
			return false, nil
		}
		return err == nil, err
	})
}

// none tells whether "not found" means that there is none: an administrator would see
// it, and the repository is still there.
func (s *Settings) none(a *asking, err error) bool {
	if !s.Administered || !failed(err, http.StatusNotFound) {
		return false
	}
	_, gone := a.c.ask(a.ctx, a.question(a.at, "metadata: read"))
	return gone == nil
}

// askEnvironments asks for the environments, and then for what each has.
func (s *Settings) askEnvironments(a *asking) {
	listed, err := everything[environmentAnswer](a, a.at+"/environments", "environments", readActions, nil)
	if err != nil {
		s.Environments = See(readActions, func() ([]Environment, error) { return nil, err })
		s.EnvSecrets = Seen[map[string][]string]{Gap: s.Environments.Gap, Needs: s.Environments.Needs}
		return
	}
	found, faults, secrets := a.environments(listed)
	s.Environments, s.EnvSecrets = told(found), told(map[string][]string{})
	for i, said := range listed {
		if faults[i] != nil {
			s.Environments = See(readActions, func() ([]Environment, error) { return nil, faults[i] })
		}
		if !secrets[i].known {
			s.EnvSecrets = Seen[map[string][]string]{Gap: secrets[i].Gap, Needs: secrets[i].Needs}
			continue
		}
		if s.EnvSecrets.known {
			s.EnvSecrets.Value[clip(said.Name)] = secrets[i].Value
		}
	}
}

// environments asks for what each environment has, and for the names of its secrets.
func (a *asking) environments(listed []environmentAnswer) (found []Environment, faults []error, secrets []Seen[[]string]) {
	found, faults, secrets = make([]Environment, len(listed)), make([]error, len(listed)), make([]Seen[[]string], len(listed))
	var each sync.WaitGroup
	for i, said := range listed {
		name := said.Name
		each.Go(func() {
			a.free <- struct{}{}
			defer func() { <-a.free }()
			if said.AdminsBypass == nil { // a list may say less than the environment's own page
				found[i], faults[i] = a.c.Environment(a.ctx, a.about, name)
				return
			}
			found[i], faults[i] = a.c.described(a.ctx, Environment{Repository: a.about, Name: name}, said)
		})
		inner := &asking{c: a.c, ctx: a.ctx, at: a.at, about: a.about, free: a.free}
		each.Go(func() {
			see(inner, &secrets[i], "environments: read", names(inner, a.at+"/environments/"+url.PathEscape(name)+"/secrets", "secrets"))
			inner.all.Wait()
		})
	}
	each.Wait()
	return found, faults, secrets
}

// rulesets asks for each ruleset of the repository and of its organisation.
func (a *asking) rulesets(needs string) (all []Ruleset, err error) {
	listed, err := everything[struct{ ID int64 }](a, a.at+"/rulesets", "", needs, url.Values{"includes_parents": {"true"}})
	if err != nil {
		return nil, err
	}
	all = []Ruleset{}
	for _, l := range listed {
		said, err := get[struct {
			ruleset
			Source string `json:"source_type"`
			Rules  []struct {
				Type       string `json:"type"`
				Parameters struct {
					Environments []string `json:"required_deployment_environments"`
				} `json:"parameters"`
			} `json:"rules"`
		}](a.ctx, a.c, a.question(fmt.Sprintf("%s/rulesets/%d", a.at, l.ID), needs))
		if err != nil {
			return nil, err
		}
		r := Ruleset{ID: said.ID, Name: clip(said.Name), Target: said.Target, Enforcement: said.Enforcement, Source: said.Source,
			Include: said.Conditions.RefName.Include, Exclude: said.Conditions.RefName.Exclude, Bypass: said.Bypass}
		for _, rule := range said.Rules {
			r.Rules = append(r.Rules, RulesetRule{Type: rule.Type, Environments: rule.Parameters.Environments})
		}
		all = append(all, r)
	}
	return all, nil
}

// protection asks for a branch's protection of the old kind. That there is none
// is an answer too, and GitHub has its own words for it.
func (a *asking) protection(branch, needs string) (Protection, error) {
	type switched struct{ Enabled bool }
	said, err := get[struct {
		Reviews *struct{} `json:"required_pull_request_reviews"`
		Linear  switched  `json:"required_linear_history"`
		Admins  switched  `json:"enforce_admins"`
		Force   switched  `json:"allow_force_pushes"`
		Delete  switched  `json:"allow_deletions"`
	}](a.ctx, a.c, a.question(a.at+"/branches/"+url.PathEscape(branch)+"/protection", needs))
	if failed(err, http.StatusNotFound) && strings.Contains(err.Error(), "Branch not protected") {
		return Protection{ForcePush: true, Deletion: true}, nil
	}
	return Protection{PullRequest: said.Reviews != nil, LinearHistory: said.Linear.Enabled, Admins: said.Admins.Enabled,
		ForcePush: said.Force.Enabled, Deletion: said.Delete.Enabled}, err
}

// people asks who can reach the repository, by whatever way.
func (a *asking) people(needs string) (all []Collaborator, err error) {
	said, err := everything[struct {
		Login       string
		ID          int64
		Permissions struct{ Admin, Push bool }
	}](a, a.at+"/collaborators", "", needs, nil)
	for _, p := range said {
		all = append(all, Collaborator{Login: clip(p.Login), ID: p.ID, Admin: p.Permissions.Admin, Push: p.Permissions.Push})
	}
	return all, err
}

func (s *Settings) askOrganisation(a *asking, name string) {
	at := "orgs/" + url.PathEscape(name)
	see(a, &s.Organisation, "an owner's token", one[Organisation](a, at))
	see(a, &s.OrgPolicy, "organisation administration: read", one[ActionsPolicy](a, at+"/actions/permissions"))
	see(a, &s.Apps, "organisation administration: read", func(needs string) ([]App, error) {
		said, err := everything[struct {
			Slug        string            `json:"app_slug"`
			Selection   string            `json:"repository_selection"`
			Permissions map[string]string `json:"permissions"`
		}](a, at+"/installations", "installations", needs, nil)
		apps := []App{}
		for _, i := range said {
			apps = append(apps, App{Slug: clip(i.Slug), Everywhere: i.Selection == "all", Permissions: i.Permissions})
		}
		return apps, err
	})
}

// Protects tells whether the ruleset is in force for a ref, whole: it has to
// include it or everything, and exclude nothing.
func (r Ruleset) Protects(target string, patterns ...string) bool {
	if r.Target != target || r.Enforcement != "active" || len(r.Exclude) > 0 {
		return false
	}
	return slices.ContainsFunc(r.Include, func(include string) bool {
		return include == "~ALL" || include == "refs/"+map[string]string{"branch": "heads", "tag": "tags"}[target]+"/**" || slices.Contains(patterns, include)
	})
}

// Has tells whether the ruleset has a rule of a type.
func (r Ruleset) Has(kind string) bool {
	return slices.ContainsFunc(r.Rules, func(rule RulesetRule) bool { return rule.Type == kind })
}
