package workflows

import (
	"context"
	"fmt"
	"net/url"
)

// OnBranch tells whether a commit is the branch's head or an ancestor of it.
func (c *Client) OnBranch(ctx context.Context, repository, branch, commit string) (bool, error) {
	at, err := pathOf(repository)
	if err != nil {
		return false, err
	}
	q := question{path: at + "/compare/" + url.PathEscape(branch) + "..." + url.PathEscape(commit),
		query: url.Values{"per_page": {"1"}}, needs: "contents: read", about: repository}
	said, err := get[struct {
		Status string `json:"status"`
		Ahead  *int   `json:"ahead_by"`
	}](ctx, c, q)
	if err != nil {
		return false, err
	}
	switch {
	case said.Ahead == nil:
		return false, fmt.Errorf("GitHub, %s: want how far the commit is ahead, got nothing", q.path)
	case said.Status == "identical" || said.Status == "behind":
		return *said.Ahead == 0, nil
	}
	return false, nil
}
