package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Issue is an issue of a repository.
type Issue struct {
	Repository  string // "owner/name"
	Number      int64
	Title, Body string
	Author      string // login
	State       string // "open" or "closed"
	PullRequest bool
	Created     time.Time
}

// PutIssue adds an issue as somebody opens it.
func (g *GitHub) PutIssue(i Issue) Issue {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.putIssue(i)
}

func (g *GitHub) putIssue(i Issue) Issue {
	g.repository(i.Repository)
	g.user(i.Author)
	i.Number, i.State, i.Created = int64(len(g.issues)+1), "open", g.now()
	g.issues = append(g.issues, i)
	return i
}

// Issues are those of a repository, the oldest first.
func (g *GitHub) Issues(repository string) (list []Issue) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range g.issues {
		if strings.EqualFold(i.Repository, repository) {
			list = append(list, i)
		}
	}
	return list
}

var issueRoutes = []route{
	{"GET /repos/{owner}/{repo}/issues", "issues=read", "issues/issues#list-repository-issues", (*GitHub).listIssues},
	{"POST /repos/{owner}/{repo}/issues", "issues=write", "issues/issues#create-an-issue", (*GitHub).createIssue},
	{"PATCH /repos/{owner}/{repo}/issues/{issue}", "issues=write", "issues/issues#update-an-issue", (*GitHub).updateIssue},
}

// listIssues lists the newest first, unless asked otherwise, with pull requests
// among them.
func (g *GitHub) listIssues(c call) (answer, error) {
	query := c.URL.Query()
	state := query.Get("state")
	if state == "" {
		state = "open"
	}
	var items []any
	for _, i := range g.issues {
		if g.repository(i.Repository) != c.repo || state != "all" && i.State != state ||
			query.Get("creator") != "" && !strings.EqualFold(query.Get("creator"), i.Author) {
			continue
		}
		items = append(items, g.issueJSON(c.repo, i))
	}
	if query.Get("direction") != "asc" {
		slices.Reverse(items)
	}
	return listed("", items)
}

func (g *GitHub) createIssue(c call) (answer, error) {
	var said struct{ Title, Body string }
	if err := c.decode(&said); err != nil {
		return answer{}, err
	}
	if said.Title == "" {
		return answer{}, unprocessable("Validation Failed")
	}
	i := g.putIssue(Issue{Repository: c.repo.Name, Title: said.Title, Body: said.Body, Author: c.writer()})
	return answer{status: http.StatusCreated, body: g.issueJSON(c.repo, i)}, nil
}

func (g *GitHub) updateIssue(c call) (answer, error) {
	number, err := c.number64("issue")
	if err != nil {
		return answer{}, err
	}
	var said struct{ Title, Body, State *string }
	if err := c.decode(&said); err != nil {
		return answer{}, err
	}
	for n := range g.issues {
		i := &g.issues[n]
		if g.repository(i.Repository) != c.repo || i.Number != number {
			continue
		}
		for _, set := range []struct{ to, from *string }{{&i.Title, said.Title}, {&i.Body, said.Body}, {&i.State, said.State}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		return ok(g.issueJSON(c.repo, *i))
	}
	return answer{}, errNotFound
}

func (g *GitHub) issueJSON(repo *Repository, i Issue) object {
	number, made := strconv.FormatInt(i.Number, 10), id(fmt.Sprint("issue ", repo.Name, i.Number))
	api := g.at(repo, "/issues/"+number)
	o := object{
		"id": made, "node_id": node("I", made), "number": i.Number, "title": i.Title, "body": i.Body,
		"state": i.State, "user": g.userJSON(i.Author), "url": api, "html_url": pageOf(repo, "/issues/"+number),
		"repository_url": g.at(repo, ""), "labels_url": api + "/labels{/name}", "comments_url": api + "/comments", "events_url": api + "/events",
		"created_at": stamp(i.Created), "updated_at": stamp(i.Created), "closed_at": nil, "comments": 0, "labels": []any{}, "locked": false,
		"assignee": nil, "assignees": []any{}, "milestone": nil, "author_association": "MEMBER",
	}
	if i.State == "closed" {
		o["closed_at"] = stamp(i.Created)
	}
	if i.PullRequest {
		page := pageOf(repo, "/pull/"+number)
		o["pull_request"] = object{"url": g.at(repo, "/pulls/"+number), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch"}
	}
	return o
}
