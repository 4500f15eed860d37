package githubtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Branch is a branch, and whether anything protects it.
type Branch struct {
	Repository string // "owner/name"
	Name       string
	SHA        string
	Protected  bool // in the old way; rulesets protect too
}

// Ruleset is rules for branches or tags, of a repository or of all of an
// organization's.
type Ruleset struct {
	Repository  string // "owner/name", or an organization alone
	Name        string
	ID          int64    // 0 is made up
	Target      string   // "branch" or "tag"; "" is "branch"
	Enforcement string   // "active", "disabled" or "evaluate"; "" is "active"
	Include     []string // "refs/heads/…" patterns, "~DEFAULT_BRANCH", "~ALL"
	Exclude     []string
	Rules       []Rule
	Bypass      []BypassActor // shown to whom may change them
}

// Rule is one rule of a ruleset.
type Rule struct {
	Type       string // "deletion", "non_fast_forward", "pull_request"…
	Parameters map[string]any
}

// BypassActor is who is above a ruleset.
type BypassActor struct {
	ID   int64  // 0 is null
	Type string // "RepositoryRole", "Team", "OrganizationAdmin"…
	Mode string // "always", "pull_request" or "exempt"; "" is "always"
}

// PutBranch puts a branch at a commit.
func (g *GitHub) PutBranch(b Branch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(b.Repository)
	g.refs[repo.ID] = withRef(g.refs[repo.ID], "refs/heads/"+b.Name, b.SHA)
	g.protected[fmt.Sprintf("%d %s", repo.ID, b.Name)] = b.Protected
}

// PutRuleset adds a ruleset, or changes the one of that id.
func (g *GitHub) PutRuleset(r Ruleset) Ruleset {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.Contains(r.Repository, "/") {
		g.repository(r.Repository)
	} else {
		g.owner(r.Repository)
	}
	r.ID = cmp.Or(r.ID, id("ruleset "+r.Repository+" "+r.Name))
	r.Target, r.Enforcement = cmp.Or(r.Target, "branch"), cmp.Or(r.Enforcement, "active")
	g.rulesets = slices.DeleteFunc(g.rulesets, func(old Ruleset) bool { return old.ID == r.ID })
	g.rulesets = append(g.rulesets, r)
	return r
}

var rulesetRoutes = []route{
	{"GET /repos/{owner}/{repo}/branches", "contents=read",
		"branches/branches#list-branches", (*GitHub).listBranches},
	{"GET /repos/{owner}/{repo}/branches/{branch...}", "contents=read",
		"branches/branches#get-a-branch", (*GitHub).getBranch},
	{"GET /repos/{owner}/{repo}/rulesets", "metadata=read",
		"repos/rules#get-all-repository-rulesets", (*GitHub).listRulesets},
	{"GET /repos/{owner}/{repo}/rulesets/{ruleset}", "metadata=read",
		"repos/rules#get-a-repository-ruleset", (*GitHub).getRuleset},
	{"GET /repos/{owner}/{repo}/rules/branches/{branch...}", "metadata=read",
		"repos/rules#get-rules-for-a-branch", (*GitHub).listRules},
}

func (g *GitHub) listBranches(c call) (answer, error) {
	var items []any
	want := c.URL.Query().Get("protected")
	for _, ref := range slices.Sorted(maps.Keys(g.refs[c.repo.ID])) {
		name, branch := strings.CutPrefix(ref, "refs/heads/")
		if !branch || want != "" && want != fmt.Sprint(g.protects(c.repo, name)) {
			continue
		}
		sha := g.refs[c.repo.ID][ref]
		o := g.branchJSON(c.repo, name)
		o["commit"] = object{"sha": sha, "url": g.at(c.repo, "/commits/"+sha)}
		items = append(items, o)
	}
	return listed("", items)
}

func (g *GitHub) getBranch(c call) (answer, error) {
	name := c.PathValue("branch")
	commit := g.object(c.repo, g.refs[c.repo.ID]["refs/heads/"+name])
	if commit == nil {
		return answer{}, &failure{status: 404, message: "Branch not found"}
	}
	o := g.branchJSON(c.repo, name)
	o["commit"] = g.commitJSON(c.repo, commit.commit)
	o["_links"] = object{"self": g.at(c.repo, "/branches/"+escapePath(name)),
		"html": pageOf(c.repo, "/tree/"+escapePath(name))}
	return ok(o)
}

// protects tells whether anything protects a branch.
func (g *GitHub) protects(repo *Repository, branch string) bool {
	return g.protected[fmt.Sprintf("%d %s", repo.ID, branch)] || len(g.rulesFor(repo, branch)) > 0
}

func (g *GitHub) branchJSON(repo *Repository, name string) object {
	classic := g.protected[fmt.Sprintf("%d %s", repo.ID, name)]
	return object{
		"name": name, "protected": g.protects(repo, name),
		"protection_url": g.at(repo, "/branches/"+url.PathEscape(name)+"/protection"),
		"protection": object{"enabled": classic, "required_status_checks": object{
			"enforcement_level": "off", "contexts": []any{}, "checks": []any{}}},
	}
}

// rulesetsOf are those of a repository, its organization's among them.
func (g *GitHub) rulesetsOf(repo *Repository, parents bool) (found []Ruleset) {
	owner, _, _ := strings.Cut(repo.Name, "/")
	for _, r := range g.rulesets {
		mine := strings.Contains(r.Repository, "/") && g.repository(r.Repository) == repo
		if mine || parents && strings.EqualFold(r.Repository, owner) {
			found = append(found, r)
		}
	}
	return found
}

func (g *GitHub) listRulesets(c call) (answer, error) {
	query := c.URL.Query()
	targets := strings.Split(query.Get("targets"), ",")
	var items []any
	for _, r := range g.rulesetsOf(c.repo, query.Get("includes_parents") != "false") {
		if targets[0] == "" || slices.Contains(targets, r.Target) {
			items = append(items, g.rulesetJSON(c.repo, r))
		}
	}
	return listed("", items)
}

func (g *GitHub) getRuleset(c call) (answer, error) {
	wanted, err := c.number64("ruleset")
	if err != nil {
		return answer{}, err
	}
	for _, r := range g.rulesetsOf(c.repo, true) {
		if r.ID != wanted {
			continue
		}
		o := g.rulesetJSON(c.repo, r)
		o["conditions"] = object{"ref_name": object{
			"include": orEmpty(r.Include), "exclude": orEmpty(r.Exclude)}}
		rules := []any{}
		for _, rule := range r.Rules {
			rules = append(rules, rule.json())
		}
		o["rules"] = rules
		if c.access.sees(c.repo) && c.access.Permissions["administration"] == "write" {
			o["bypass_actors"] = r.bypass()
		}
		if c.access != nil {
			o["current_user_can_bypass"] = "never"
		}
		return ok(o)
	}
	return answer{}, errNotFound
}

func (r Ruleset) bypass() []any {
	actors := []any{}
	for _, a := range r.Bypass {
		o := object{"actor_id": a.ID, "actor_type": a.Type, "bypass_mode": cmp.Or(a.Mode, "always")}
		if a.ID == 0 {
			o["actor_id"] = nil
		}
		actors = append(actors, o)
	}
	return actors
}

func (r Rule) json() object {
	o := object{"type": r.Type}
	if r.Parameters != nil {
		o["parameters"] = r.Parameters
	}
	return o
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

// source is where a ruleset comes from.
func (r Ruleset) source() string {
	if strings.Contains(r.Repository, "/") {
		return "Repository"
	}
	return "Organization"
}

func (g *GitHub) rulesetJSON(repo *Repository, r Ruleset) object {
	at := fmt.Sprintf("/rulesets/%d", r.ID)
	return object{
		"id": r.ID, "node_id": node("RRS", r.ID), "name": r.Name, "target": r.Target,
		"enforcement": r.Enforcement, "source_type": r.source(), "source": r.Repository,
		"created_at": stamp(g.start), "updated_at": stamp(g.start),
		"_links": object{"self": object{"href": g.at(repo, at)},
			"html": object{"href": pageOf(repo, fmt.Sprintf("/rules/%d", r.ID))}},
	}
}

// rulesFor are the rules that hold for a branch.
func (g *GitHub) rulesFor(repo *Repository, branch string) []any {
	var rules []any
	for _, r := range g.rulesetsOf(repo, true) {
		holds := r.Target == "branch" && r.Enforcement == "active"
		if !holds || !r.covers("refs/heads/"+branch, repo.DefaultBranch) {
			continue
		}
		for _, rule := range r.Rules {
			o := rule.json()
			o["ruleset_id"] = r.ID
			o["ruleset_source_type"], o["ruleset_source"] = r.source(), r.Repository
			rules = append(rules, o)
		}
	}
	return rules
}

func (g *GitHub) listRules(c call) (answer, error) {
	return listed("", g.rulesFor(c.repo, c.PathValue("branch")))
}

// covers tells whether a reference is included and not excluded.
func (r Ruleset) covers(ref, byDefault string) bool {
	among := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			return p == "~ALL" || matches(p, ref) ||
				p == "~DEFAULT_BRANCH" && ref == "refs/heads/"+byDefault
		})
	}
	return among(r.Include) && !among(r.Exclude)
}

// matches is fnmatch with FNM_PATHNAME: a star does not cross a slash, two do.
func matches(pattern, ref string) bool {
	expression := regexp.QuoteMeta(pattern)
	for _, part := range [][2]string{
		{`\*\*/`, `(?:.+/)?`}, {`\*\*`, "\x00"}, {`\*`, `[^/]*`}, {"\x00", `.*`}, {`\?`, `[^/]`},
	} {
		expression = strings.ReplaceAll(expression, part[0], part[1])
	}
	found, err := regexp.MatchString("^"+expression+"$", ref)
	return err == nil && found
}
