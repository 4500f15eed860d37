package githubtest

import (
	"strings"
)

// Repository is a repository. Whatever is put into a repository that nobody
// knows makes it, public and with the ids that ReleaseJob knows it by.
type Repository struct {
	Name          string // "owner/name"
	ID            int64  // 0 is made up from the name
	Private       bool
	Parent        string // "owner/name" that it is a fork of
	DefaultBranch string // "" is "main"

	ImmutableReleases bool
}

// PutRepository adds a repository, or changes the one of that name. One with
// the id of another is that one renamed: its old name leads to the new.
func (g *GitHub) PutRepository(r Repository) Repository {
	g.mu.Lock()
	defer g.mu.Unlock()
	return *g.putRepository(r)
}

func (g *GitHub) putRepository(r Repository) *Repository {
	if r.ID == 0 {
		r.ID = id("repository " + r.Name)
	}
	if r.DefaultBranch == "" {
		r.DefaultBranch = "main"
	}
	owner, _, _ := strings.Cut(r.Name, "/")
	g.owner(owner)
	if r.Parent != "" {
		g.repository(r.Parent)
	}
	key := strings.ToLower(r.Name)
	if old := g.repositoryByID(r.ID); old != nil && !strings.EqualFold(old.Name, r.Name) {
		delete(g.repositories, strings.ToLower(old.Name))
		g.renamed[strings.ToLower(old.Name)] = r.ID
	}
	delete(g.renamed, key)
	g.repositories[key] = &r
	return &r
}

// DeleteRepository takes a repository away. Its name is free for another.
func (g *GitHub) DeleteRepository(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.repositories, strings.ToLower(name))
}

// repository is the one of that name, made if nobody knows it.
func (g *GitHub) repository(name string) *Repository {
	if r := g.repositories[strings.ToLower(name)]; r != nil {
		return r
	}
	if moved := g.repositoryByID(g.renamed[strings.ToLower(name)]); moved != nil {
		return moved
	}
	return g.putRepository(Repository{Name: name})
}

func (g *GitHub) repositoryByID(id int64) *Repository {
	for _, r := range g.repositories {
		if r.ID == id {
			return r
		}
	}
	return nil
}

var repositoryRoutes = []route{
	{"GET /repos/{owner}/{repo}", "metadata=read", "repos/repos#get-a-repository",
		func(g *GitHub, c call) (answer, error) { return ok(g.wholeRepository(c.repo, c)) }},
	{"GET /repositories/{id}", "metadata=read", "repos/repos#get-a-repository",
		func(*GitHub, call) (answer, error) { return answer{}, errNotFound }},
}

// at is the address of something in a repository.
func (g *GitHub) at(r *Repository, rest string) string { return g.base + "/repos/" + r.Name + rest }

// pageOf is the page of something in a repository that people look at.
func pageOf(r *Repository, rest string) string { return web + "/" + r.Name + rest }

// repositoryLinks are the addresses that every mention of a repository has.
var repositoryLinks = map[string]string{
	"url": "", "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}",
	"blobs_url": "/git/blobs{/sha}", "branches_url": "/branches{/branch}",
	"collaborators_url": "/collaborators{/collaborator}", "comments_url": "/comments{/number}",
	"commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "contributors_url": "/contributors",
	"deployments_url": "/deployments", "downloads_url": "/downloads", "events_url": "/events",
	"forks_url": "/forks", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}",
	"git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
	"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
	"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
	"teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}

// minimalRepository is a repository as it stands in other things.
func (g *GitHub) minimalRepository(r *Repository) object {
	owner, name, _ := strings.Cut(r.Name, "/")
	o := object{
		"id": r.ID, "node_id": node("R", r.ID), "name": name, "full_name": r.Name,
		"private": r.Private, "owner": g.simpleUser(g.owner(owner)), "html_url": pageOf(r, ""),
		"description": nil, "fork": r.Parent != "",
	}
	for key, rest := range repositoryLinks {
		o[key] = g.at(r, rest)
	}
	return o
}

// wholeRepository is a repository asked for by name.
func (g *GitHub) wholeRepository(r *Repository, c call) object {
	o := g.minimalRepository(r)
	for _, count := range []string{
		"forks_count", "stargazers_count", "watchers_count", "size", "open_issues_count",
		"network_count", "subscribers_count", "forks", "open_issues", "watchers",
	} {
		o[count] = 0
	}
	for _, no := range []string{"has_pages", "archived", "disabled", "is_template", "has_discussions",
		"web_commit_signoff_required"} {
		o[no] = false
	}
	for _, yes := range []string{"has_issues", "has_projects", "has_wiki", "allow_forking"} {
		o[yes] = true
	}
	for _, none := range []string{"homepage", "language", "mirror_url", "license", "temp_clone_token"} {
		o[none] = nil
	}
	if c.version < Version2026 {
		o["has_downloads"] = true
	}
	o["visibility"] = "public"
	if r.Private {
		o["visibility"] = "private"
	}
	o["topics"], o["custom_properties"] = []string{}, object{}
	o["default_branch"] = r.DefaultBranch
	for _, when := range []string{"created_at", "updated_at", "pushed_at"} {
		o[when] = stamp(g.start)
	}
	o["git_url"] = "git://github.com/" + r.Name + ".git"
	o["ssh_url"] = "git@github.com:" + r.Name + ".git"
	o["clone_url"], o["svn_url"] = pageOf(r, ".git"), pageOf(r, "")
	if c.access != nil {
		o["permissions"] = c.access.on(r)
	}
	if owner := o["owner"].(object); owner["type"] == "Organization" {
		o["organization"] = owner
	}
	return o
}

// on is what a token may do to a repository's content, in the old words.
func (a *Access) on(r *Repository) object {
	level := ""
	if a.sees(r) {
		level = a.Permissions["contents"]
	}
	admin := a.sees(r) && a.Permissions["administration"] == "write"
	push := level == "write" || admin
	return object{"admin": admin, "maintain": admin, "push": push, "triage": push,
		"pull": level != "" || !r.Private}
}
