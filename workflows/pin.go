package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
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

// Resolve is the commit that a tag or branch of a repository is at now, and the
// longest name of a tag at that commit, which is the version in full: of "v4" it
// may be "v4.2.2". Both are "" where there is no such name.
func (c *Client) Resolve(ctx context.Context, repository, ref string) (commit, version string, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return "", "", err
	}
	for _, kind := range []string{"tags/", "heads/"} {
		said, err := get[struct{ SHA string }](ctx, c, question{path: at + "/commits/" + kind + (&url.URL{Path: ref}).EscapedPath(),
			needs: "contents: read", about: repository})
		if failed(err, http.StatusNotFound, http.StatusUnprocessableEntity) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if !commitSHA.MatchString(said.SHA) {
			return "", "", fmt.Errorf("GitHub, %s of %s: want a commit, got %.60q", ref, repository, said.SHA)
		}
		version, err = c.version(ctx, repository, said.SHA)
		return said.SHA, version, err
	}
	return "", "", nil
}

// version is the longest name among the newest hundred tags at a commit.
func (c *Client) version(ctx context.Context, repository, commit string) (longest string, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return "", err
	}
	tags, err := get[[]struct {
		Name   string
		Commit struct{ SHA string }
	}](ctx, c, question{path: at + "/tags", query: onePage(), needs: "contents: read", about: repository})
	for _, t := range tags {
		if t.Commit.SHA == commit && len(t.Name) > len(longest) && versionName.MatchString(t.Name) {
			longest = t.Name
		}
	}
	return longest, err
}

var versionName = regexp.MustCompile(`^v?[0-9][0-9A-Za-z.+-]{0,40}$`)
