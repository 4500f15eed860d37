package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// keeper is who a job is on GitHub. Nobody else can write in its name.
const keeper = "github-actions[bot]"

const maxIssue = 60_000 // bytes of its text; GitHub takes 65,536 characters

// issue is one as GitHub tells of it. Its lists have pull requests among them.
type issue struct {
	Number int64  `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	URL    string `json:"html_url"`
	By     struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"`
	PullRequest *struct{} `json:"pull_request"`
}

// KeepIssue sees to it that a repository has one open issue of that title by a
// job, with just this text; or with an empty text, that it has none. It returns
// the issue's address, where one was opened, changed or closed. An issue of the
// same title that somebody else wrote is left alone.
//
// The text is shown as it is, in a block in which nothing is a link or a mention.
func (c *Client) KeepIssue(ctx context.Context, repository, title, text string) (string, error) {
	at, err := pathOf(repository)
	if err != nil {
		return "", err
	}
	open, found, err := c.openIssue(ctx, at, repository, title)
	if err != nil {
		return "", err
	}
	q := question{path: at + "/issues", needs: "issues: write", about: repository, method: http.MethodPost}
	body := block(text)
	switch {
	case text == "" && !found || found && open.Body == body:
		return open.URL, nil
	case text == "":
		q.body = map[string]string{"state": "closed", "state_reason": "completed"}
	case found:
		q.body = map[string]string{"body": body}
	default:
		q.body = map[string]string{"title": title, "body": body}
	}
	if found {
		q.method, q.path = http.MethodPatch, q.path+"/"+strconv.FormatInt(open.Number, 10)
	}
	a, err := c.once(ctx, q) // once: a second try could open a second issue
	if err != nil {
		return "", fmt.Errorf("GitHub, %s: %w", q.path, err)
	}
	var said issue
	err = a.decode(q, &said)
	return said.URL, err
}

// openIssue is the oldest open issue of that title that a job wrote.
func (c *Client) openIssue(ctx context.Context, at, repository, title string) (found issue, ok bool, err error) {
	q := question{path: at + "/issues", needs: "issues: read", about: repository, query: url.Values{"state": {"open"},
		"creator": {keeper}, "sort": {"created"}, "direction": {"asc"}, "per_page": {strconv.Itoa(perPage)}}}
	for page := 1; page <= maxPages; page++ {
		q.query.Set("page", strconv.Itoa(page))
		issues, err := get[[]issue](ctx, c, q)
		if err != nil || len(issues) == 0 {
			return issue{}, false, err
		}
		for _, i := range issues {
			if i.Title == title && i.PullRequest == nil && i.By.Login == keeper && i.By.Type == "Bot" {
				return i, true, nil
			}
		}
	}
	return issue{}, false, fmt.Errorf("GitHub, %s: want at most %d open issues of jobs, got more", q.path, maxPages*perPage)
}

// block is a text between fences of Markdown, longer than any that is in it.
func block(text string) string {
	if len(text) > maxIssue {
		text = strings.ToValidUTF8(text[:maxIssue], "") + "\n…"
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}
