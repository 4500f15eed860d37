package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Pinned tells whether a commit is in the history of the repository that it is
// taken from: what its version tag is at, or an ancestor of the default branch
// or of a tag. GitHub shows the commits of every fork under the name of the
// repository, so that a commit of a stranger can be pinned as if it were the
// action's own.
//
// The version is what a comment beside the pin says, as "v4.2.2", or "".
func (c *Client) Pinned(ctx context.Context, repository, commit, version string) (bool, error) {
	if !commitSHA.MatchString(commit) {
		return false, fmt.Errorf("want the 40 digits of a commit, got %.60q", commit)
	}
	if version != "" {
		tagged, err := c.tagged(ctx, repository, version)
		if err != nil || tagged == commit {
			return tagged == commit, err
		}
	}
	on, err := c.before(ctx, repository, "HEAD", commit)
	if on || err != nil && !failed(err, http.StatusNotFound) {
		return on, err
	}
	return c.underTag(ctx, repository, commit)
}

// tagged is the commit that a tag is at, "" if there is no such tag.
func (c *Client) tagged(ctx context.Context, repository, tag string) (string, error) {
	at, err := pathOf(repository)
	if err != nil {
		return "", err
	}
	said, err := get[struct{ SHA string }](ctx, c, question{path: at + "/commits/tags/" + url.PathEscape(tag),
		needs: "contents: read", about: repository})
	if failed(err, http.StatusNotFound, http.StatusUnprocessableEntity) {
		return "", nil
	}
	return said.SHA, err
}

// underTag tells whether a lightweight tag is at the commit. Whether it is an
// ancestor of a release branch is not asked: that would be a call for each.
func (c *Client) underTag(ctx context.Context, repository, commit string) (bool, error) {
	at, err := pathOf(repository)
	if err != nil {
		return false, err
	}
	for page := 1; page <= 3; page++ {
		q := question{path: at + "/tags", needs: "contents: read", about: repository,
			query: url.Values{"per_page": {"100"}, "page": {fmt.Sprint(page)}}}
		tags, err := get[[]struct{ Commit struct{ SHA string } }](ctx, c, q)
		if err != nil {
			return false, err
		}
		for _, t := range tags {
			if strings.EqualFold(t.Commit.SHA, commit) {
				return true, nil
			}
		}
		if len(tags) < perPage {
			return false, nil
		}
	}
	return false, fmt.Errorf("%s has more than 300 tags, and the commit is neither on its default branch nor under the first of them; "+
		"write the version beside the pin, as # v4.2.2", repository)
}
