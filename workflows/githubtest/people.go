package githubtest

import (
	"slices"
	"strconv"
	"strings"
)

// User is somebody with an account: a person, an organization or a bot.
type User struct {
	Login string
	ID    int64  // 0 is made up from the login, the same as in ReleaseJob
	Type  string // "User", "Organization" or "Bot"; "" is a person
}

// Team is people of an organization who can be asked together for a review.
type Team struct {
	Organization string
	Slug         string
	ID           int64    // 0 is made up
	Members      []string // logins
}

// PutUser adds an account, or changes the one of that login. Whoever is named
// anywhere has an account already, so this is for those with another id or of
// another type. An account made anew under an old login has a new id.
func (g *GitHub) PutUser(u User) User {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.putUser(u)
}

func (g *GitHub) putUser(u User) User {
	if u.Type == "" {
		u.Type = "User"
	}
	if u.ID == 0 {
		u.ID = id("user " + u.Login)
		if u.Type == "Organization" {
			u.ID = id("owner " + u.Login)
		}
	}
	g.users[strings.ToLower(u.Login)] = u
	return u
}

// PutTeam adds a team, or changes the one of that name.
func (g *GitHub) PutTeam(t Team) Team {
	if t.ID == 0 {
		t.ID = id("team " + t.Organization + "/" + t.Slug)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owner(t.Organization)
	for _, login := range t.Members {
		g.user(login)
	}
	g.teams[teamName(t.Organization, t.Slug)] = t
	return t
}

func teamName(organization, slug string) string { return strings.ToLower(organization + "/" + slug) }

// user is the account of a login, which is a person's unless it is known to be
// something else.
func (g *GitHub) user(login string) User {
	if u, known := g.users[strings.ToLower(login)]; known {
		return u
	}
	if strings.HasSuffix(login, "[bot]") {
		return g.putUser(User{Login: login, Type: "Bot"})
	}
	return g.putUser(User{Login: login})
}

// owner is the account of a repository's owner, which is an organization's
// unless it is known to be something else.
func (g *GitHub) owner(login string) User {
	if u, known := g.users[strings.ToLower(login)]; known {
		return u
	}
	return g.putUser(User{Login: login, Type: "Organization"})
}

// has tells whether somebody is in the team.
func (t Team) has(login string) bool {
	return slices.ContainsFunc(t.Members, func(m string) bool { return strings.EqualFold(m, login) })
}

var peopleRoutes = []route{
	{"GET /users/{user}", "", "users/users#get-a-user", func(g *GitHub, c call) (answer, error) {
		u, known := g.users[strings.ToLower(c.PathValue("user"))]
		if !known {
			return answer{}, errNotFound
		}
		return ok(g.wholeUser(u))
	}},
	{"GET /user/{id}", "", "users/users#get-a-user-using-their-id", (*GitHub).getUserByID},
	{"GET /user", "", "users/users#get-the-authenticated-user", func(g *GitHub, c call) (answer, error) {
		switch {
		case c.access == nil:
			return answer{}, &failure{status: 401, message: "Requires authentication"}
		case c.access.User == "":
			return answer{}, g.denied(c.access)
		}
		return ok(g.wholeUser(g.user(c.access.User)))
	}},
	{"GET /orgs/{org}", "", "orgs/orgs#get-an-organization", func(g *GitHub, c call) (answer, error) {
		u, known := g.users[strings.ToLower(c.PathValue("org"))]
		if !known || u.Type != "Organization" {
			return answer{}, errNotFound
		}
		o := g.wholeOrganization(u)
		if c.access != nil && c.access.Permissions["organization_administration"] != "" {
			o["two_factor_requirement_enabled"] = g.organizations[strings.ToLower(u.Login)].SecondFactor
		}
		return ok(o)
	}},
	{"GET /orgs/{org}/teams/{team}/members", "", "teams/members#list-team-members",
		(*GitHub).listMembers},
}

func (g *GitHub) getUserByID(c call) (answer, error) {
	wanted, err := c.number64("id")
	if err != nil {
		return answer{}, err
	}
	for _, u := range g.users {
		if u.ID == wanted {
			return ok(g.wholeUser(u))
		}
	}
	return answer{}, errNotFound
}

// listMembers tells who is in a team to people of a fine-grained token with
// "members: read"; a job's token is of no organization.
func (g *GitHub) listMembers(c call) (answer, error) {
	team, known := g.teams[teamName(c.PathValue("org"), c.PathValue("team"))]
	if !known || c.access == nil || c.access.Permissions["members"] == "" {
		return answer{}, errNotFound
	}
	var items []any
	for _, login := range team.Members {
		items = append(items, g.userJSON(login))
	}
	return listed("", items)
}

// userJSON is somebody as they stand in other things.
func (g *GitHub) userJSON(login string) object { return g.simpleUser(g.user(login)) }

func (g *GitHub) simpleUser(u User) object {
	api := g.base + "/users/" + u.Login
	o := object{
		"login": u.Login, "id": u.ID, "node_id": node("U", u.ID),
		"avatar_url":  "https://avatars.githubusercontent.com/u/" + strconv.FormatInt(u.ID, 10) + "?v=4",
		"gravatar_id": "", "url": api, "html_url": web + "/" + u.Login,
		"type": u.Type, "user_view_type": "public", "site_admin": false,
	}
	for name, rest := range map[string]string{
		"followers_url": "/followers", "following_url": "/following{/other_user}",
		"gists_url": "/gists{/gist_id}", "starred_url": "/starred{/owner}{/repo}",
		"subscriptions_url": "/subscriptions", "organizations_url": "/orgs", "repos_url": "/repos",
		"events_url": "/events{/privacy}", "received_events_url": "/received_events",
	} {
		o[name] = api + rest
	}
	return o
}

// wholeUser is somebody asked for by name.
func (g *GitHub) wholeUser(u User) object {
	o := g.simpleUser(u)
	for _, name := range []string{
		"name", "company", "location", "email", "hireable", "bio", "twitter_username",
	} {
		o[name] = nil
	}
	for _, name := range []string{"public_repos", "public_gists", "followers", "following"} {
		o[name] = 0
	}
	o["blog"] = ""
	o["created_at"], o["updated_at"] = stamp(g.start), stamp(g.start)
	return o
}

// wholeOrganization is one that is asked for as such: it has less to say of itself
// than a user, and nothing that is null but when it was archived.
func (g *GitHub) wholeOrganization(u User) object {
	api := g.base + "/orgs/" + u.Login
	o := object{
		"login": u.Login, "id": u.ID, "node_id": node("O", u.ID), "url": api, "html_url": web + "/" + u.Login,
		"avatar_url":  "https://avatars.githubusercontent.com/u/" + strconv.FormatInt(u.ID, 10) + "?v=4",
		"description": "", "type": "Organization", "has_organization_projects": true, "has_repository_projects": true,
		"created_at": stamp(g.start), "updated_at": stamp(g.start), "archived_at": nil,
	}
	for name, rest := range map[string]string{"repos_url": "/repos", "events_url": "/events", "hooks_url": "/hooks", "issues_url": "/issues",
		"members_url": "/members{/member}", "public_members_url": "/public_members{/member}"} {
		o[name] = api + rest
	}
	for _, name := range []string{"public_repos", "public_gists", "followers", "following"} {
		o[name] = 0
	}
	return o
}

func (g *GitHub) teamJSON(t Team) object {
	at := g.base + "/organizations/" + strconv.FormatInt(g.owner(t.Organization).ID, 10) +
		"/team/" + strconv.FormatInt(t.ID, 10)
	return object{
		"id": t.ID, "node_id": node("T", t.ID), "name": t.Slug, "slug": t.Slug, "description": "",
		"privacy": "closed", "notification_setting": "notifications_enabled", "permission": "pull",
		"type": "organization", "organization_id": g.owner(t.Organization).ID,
		"url": at, "html_url": web + "/orgs/" + t.Organization + "/teams/" + t.Slug,
		"members_url": at + "/members{/member}", "repositories_url": at + "/repos", "parent": nil,
	}
}
