package githubtest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Pull is a pull request of a branch of the same repository. Without MergedBy it is
// open.
type Pull struct {
	Repository string // "owner/name"
	Number     int64  // 0 is the next one
	Title      string
	Base       string   // the branch that it goes to; "" is main
	Author     string   // login; "" is alice
	MergedBy   string   // login
	Commits    []string // SHA of those that it brings, the merge commit last
	Reviews    []PullReview
	Created    time.Time
}

// PullReview is a review of a pull request.
type PullReview struct {
	User  string // login
	State string // "APPROVED", "CHANGES_REQUESTED", "COMMENTED" or "DISMISSED"
}

// PutPull adds a pull request, or changes the one of that number.
func (g *GitHub) PutPull(p Pull) Pull {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(p.Repository)
	p.Author, p.Base = cmp.Or(p.Author, "alice"), cmp.Or(p.Base, "main")
	if p.Created.IsZero() {
		p.Created = g.now()
	}
	if p.Number == 0 {
		p.Number = int64(len(g.pulls[repo.ID]) + 1)
	}
	g.pulls[repo.ID] = append(slices.DeleteFunc(g.pulls[repo.ID], func(old Pull) bool { return old.Number == p.Number }), p)
	return p
}

const pullAt = "/repos/{owner}/{repo}/pulls/{pull}"

var pullRoutes = []route{
	{"GET /repos/{owner}/{repo}/commits/{sha}/pulls", "pull_requests=read",
		"commits/commits#list-pull-requests-associated-with-a-commit", (*GitHub).listPulls},
	{"GET " + pullAt, "pull_requests=read", "pulls/pulls#get-a-pull-request", (*GitHub).getPull},
	{"GET " + pullAt + "/reviews", "pull_requests=read", "pulls/reviews#list-reviews-for-a-pull-request", (*GitHub).listPullReviews},
}

// listPulls lists the merged pull request that brought a commit; of a commit that the
// default branch does not have, the open ones too.
func (g *GitHub) listPulls(c call) (answer, error) {
	o := g.resolve(c.repo, c.PathValue("sha"))
	if o == nil {
		return answer{}, unprocessable("No commit found for SHA: " + c.PathValue("sha"))
	}
	landed := g.ancestors(g.refs[c.repo.ID]["refs/heads/"+c.repo.DefaultBranch])[o.commit.SHA]
	items := []any{}
	for _, p := range g.pulls[c.repo.ID] {
		if slices.Contains(p.Commits, o.commit.SHA) && (p.MergedBy != "" || !landed) {
			items = append(items, g.pullJSON(c, p))
		}
	}
	return listed("", items)
}

// pull is the one that the path names.
func (g *GitHub) pull(c call) (Pull, error) {
	for _, p := range g.pulls[c.repo.ID] {
		if strconv.FormatInt(p.Number, 10) == c.PathValue("pull") {
			return p, nil
		}
	}
	return Pull{}, errNotFound
}

func (g *GitHub) getPull(c call) (answer, error) {
	p, err := g.pull(c)
	if err != nil {
		return answer{}, err
	}
	o := g.pullJSON(c, p)
	o["merged"], o["merged_by"], o["commits"] = p.MergedBy != "", nil, len(p.Commits)
	o["mergeable"], o["rebaseable"], o["mergeable_state"] = nil, nil, "unknown"
	for _, count := range []string{"comments", "review_comments", "additions", "deletions", "changed_files"} {
		o[count] = 0
	}
	o["maintainer_can_modify"] = false
	if p.MergedBy != "" {
		o["merged_by"] = g.userJSON(p.MergedBy)
	}
	return ok(o)
}

func (g *GitHub) listPullReviews(c call) (answer, error) {
	p, err := g.pull(c)
	if err != nil {
		return answer{}, err
	}
	items := []any{}
	for i, r := range p.Reviews {
		number := id("review " + c.repo.Name + strconv.FormatInt(p.Number, 10) + " " + strconv.Itoa(i))
		page := pageOf(c.repo, "/pull/"+strconv.FormatInt(p.Number, 10)+"#pullrequestreview-"+strconv.FormatInt(number, 10))
		pull := g.at(c.repo, "/pulls/"+strconv.FormatInt(p.Number, 10))
		items = append(items, object{"id": number, "node_id": node("PRR", number), "user": g.userJSON(r.User), "body": "",
			"state": r.State, "submitted_at": stamp(p.Created), "commit_id": first(p.Commits), "author_association": "MEMBER",
			"html_url": page, "pull_request_url": pull, "_links": object{"html": link(page), "pull_request": link(pull)}})
	}
	return listed("", items)
}

func link(to any) object { return object{"href": to} }

// pullJSON is a pull request as a list has it.
func (g *GitHub) pullJSON(c call, p Pull) object {
	repo, number := c.repo, strconv.FormatInt(p.Number, 10)
	api, page := g.at(repo, "/pulls/"+number), pageOf(repo, "/pull/"+number)
	where := g.wholeRepository(repo, c)
	delete(where, "temp_clone_token") // of one that is asked for by name
	side := func(ref, sha string) object {
		return object{"label": strings.Split(repo.Name, "/")[0] + ":" + ref, "ref": ref, "sha": sha, "user": g.userJSON(p.Author),
			"repo": where}
	}
	o := object{
		"id": id("pull " + repo.Name + number), "node_id": node("PR", id("pull "+repo.Name+number)), "number": p.Number,
		"url": api, "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": g.at(repo, "/issues/"+number),
		"commits_url": api + "/commits", "review_comments_url": api + "/comments", "review_comment_url": g.at(repo, "/pulls/comments{/number}"),
		"comments_url": g.at(repo, "/issues/"+number+"/comments"), "statuses_url": g.at(repo, "/statuses/"+first(p.Commits)),
		"state": "open", "locked": false, "title": p.Title, "user": g.userJSON(p.Author), "body": nil, "labels": []any{},
		"milestone": nil, "active_lock_reason": nil, "created_at": stamp(p.Created), "updated_at": stamp(p.Created), "closed_at": nil,
		"merged_at": nil, "merge_commit_sha": nil, "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{},
		"requested_teams": []any{}, "head": side("change-"+number, first(p.Commits)), "base": side(p.Base, g.refs[repo.ID]["refs/heads/"+p.Base]),
		"author_association": "MEMBER", "auto_merge": nil, "draft": false,
	}
	o["_links"] = object{"self": link(o["url"]), "html": link(o["html_url"]), "issue": link(o["issue_url"]), "comments": link(o["comments_url"]),
		"review_comments": link(o["review_comments_url"]), "review_comment": link(o["review_comment_url"]),
		"commits": link(o["commits_url"]), "statuses": link(o["statuses_url"])}
	if p.MergedBy != "" {
		o["state"], o["closed_at"], o["merged_at"] = "closed", stamp(p.Created), stamp(p.Created)
		if n := len(p.Commits); n > 0 {
			o["merge_commit_sha"] = p.Commits[n-1]
		}
	}
	return o
}
