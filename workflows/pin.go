package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Pinned tells whether a commit is in the history of the repository that it is
// taken from: what its version tag is at, or an ancestor of a branch or of a tag.
// GitHub shows the commits of every fork under the name of the repository, so that
// a commit of a stranger can be pinned as if it were the action's own.
//
// The version is what a comment beside the pin says, as "v4.2.2", or "". Most pins
// are one call. One that is neither on the default branch nor under a tag is held
// against every branch and tag; where those are too many, that is an error, since
// the commit may be in the history of one that was not asked.
func (c *Client) Pinned(ctx context.Context, repository, commit, version string) (bool, error) {
	if !commitSHA.MatchString(commit) {
		return false, fmt.Errorf("want the 40 digits of a commit, got %.60q", commit)
	}
	if version != "" {
		tagged, err := c.tip(ctx, repository, "tags/", version)
		if err != nil || tagged == commit {
			return tagged == commit, err
		}
	}
	on, err := c.before(ctx, repository, "HEAD", commit)
	unknown := failed(err, http.StatusNotFound)
	if on || err != nil && !unknown {
		return on, err
	}
	refs, on, err := c.tips(ctx, repository, commit)
	if on || err != nil || unknown {
		return on, err
	}
	for i, ref := range refs {
		if i == maxRefs {
			return false, fmt.Errorf("%s has %d branches and tags, and the commit is in none of the first %d; "+
				"write the version beside the pin, as # v4.2.2", repository, len(refs), maxRefs)
		}
		if on, err := c.before(ctx, repository, ref, commit); on || err != nil {
			return on, err
		}
	}
	return false, nil
}

// maxRefs is with how many branches and tags a commit is compared, a call for each.
const maxRefs = 100

// tips are the commits that branches and tags are at, branches first and each once,
// or that one of them is the commit that is looked for.
func (c *Client) tips(ctx context.Context, repository, commit string) (all []string, found bool, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, false, err
	}
	a := &asking{c: c, ctx: ctx, at: at, about: repository}
	for _, list := range []string{"/branches", "/tags"} {
		heads, err := everything[struct{ Commit struct{ SHA string } }](a, at+list, "", readContents, nil)
		if err != nil {
			return nil, false, err
		}
		for _, h := range heads {
			if strings.EqualFold(h.Commit.SHA, commit) {
				return nil, true, nil
			}
			if !slices.Contains(all, h.Commit.SHA) {
				all = append(all, h.Commit.SHA)
			}
		}
	}
	return all, false, nil
}

// Tagged tells whether a tag is at a commit now, and no branch has its name: which of
// the two GitHub would run is not for us to say. That the commit is in the history of
// what the tag was moved to is no yes.
func (c *Client) Tagged(ctx context.Context, repository, commit, tag string) (bool, error) {
	if !commitSHA.MatchString(commit) {
		return false, fmt.Errorf("want the 40 digits of a commit, got %.60q", commit)
	}
	is, err := c.tip(ctx, repository, "tags/", tag)
	if err != nil || is != commit {
		return false, err
	}
	branch, err := c.tip(ctx, repository, "heads/", tag)
	return branch == "" && err == nil, err
}

// tip is the commit that a tag or a branch is at, "" if there is none of the name.
func (c *Client) tip(ctx context.Context, repository, kind, name string) (string, error) {
	at, err := pathOf(repository)
	if err != nil {
		return "", err
	}
	said, err := get[struct{ SHA string }](ctx, c, question{path: at + "/commits/" + kind + url.PathEscape(name),
		needs: "contents: read", about: repository})
	if failed(err, http.StatusNotFound, http.StatusUnprocessableEntity) {
		return "", nil
	}
	return said.SHA, err
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
