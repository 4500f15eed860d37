package workflows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Held says which branches have a commit.
type Held struct {
	Branch string   // a protected one; "" where there is none
	Bare   []string // those that have it and are not protected
}

// maxBranches bounds the branches that a commit is looked for on.
const maxBranches = 200

// ProtectedBranch looks for a protected branch that has the commit, among the
// branches of these names or patterns ([path.Match]): the known one first, then
// those that come last in the order of names, as the newest of a series do.
func (c *Client) ProtectedBranch(ctx context.Context, repository string, patterns []string, commit, known string) (Held, error) {
	heads, err := c.heads(ctx, repository, patterns)
	if err != nil {
		return Held{}, err
	}
	slices.SortStableFunc(heads, func(a, b gitRef) int {
		if a.branch() == known || b.branch() == known {
			return strings.Compare(strconv.FormatBool(b.branch() == known), strconv.FormatBool(a.branch() == known))
		}
		return strings.Compare(b.Ref, a.Ref)
	})
	if len(heads) > maxBranches {
		return Held{}, fmt.Errorf("%s: want at most %d branches as %s, got %d", repository, maxBranches,
			strings.Join(patterns, ", "), len(heads))
	}
	var held Held
	for _, head := range heads {
		has, err := c.before(ctx, repository, head.Object.SHA, commit)
		if err != nil {
			return Held{}, err
		}
		if !has {
			continue
		}
		protected, err := c.protected(ctx, repository, head.branch())
		if err != nil {
			return Held{}, err
		}
		if protected {
			held.Branch = head.branch()
			return held, nil
		}
		held.Bare = append(held.Bare, head.branch())
	}
	return held, nil
}

func (r gitRef) branch() string { return strings.TrimPrefix(r.Ref, "refs/heads/") }

// heads lists the branches of these names or patterns, each once.
func (c *Client) heads(ctx context.Context, repository string, patterns []string) (heads []gitRef, err error) {
	seen := map[string]bool{}
	for _, pattern := range patterns {
		literal := pattern
		if at := strings.IndexAny(pattern, `*?[\`); at >= 0 {
			literal = pattern[:at]
		}
		refs, err := c.refs(ctx, repository, "heads/", literal)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			if ok, err := path.Match(pattern, r.branch()); err != nil || !ok || seen[r.Ref] {
				continue
			}
			seen[r.Ref] = true
			heads = append(heads, r)
		}
	}
	return heads, nil
}

// OnBranch tells whether a commit is the branch's head or an ancestor of it.
func (c *Client) OnBranch(ctx context.Context, repository, branch, commit string) (bool, error) {
	refs, err := c.refs(ctx, repository, "heads/", branch)
	if err != nil {
		return false, err
	}
	for _, r := range refs {
		if r.branch() == branch {
			return c.before(ctx, repository, r.Object.SHA, commit)
		}
	}
	return false, nil
}

// before tells whether a commit is the head or an ancestor of it. Both are named
// by their SHA: a branch's name could be a tag's too.
func (c *Client) before(ctx context.Context, repository, head, commit string) (bool, error) {
	at, err := pathOf(repository)
	if err != nil {
		return false, err
	}
	q := question{path: at + "/compare/" + url.PathEscape(head) + "..." + url.PathEscape(commit),
		query: url.Values{"per_page": {"1"}}, needs: readContents, about: repository}
	said, err := get[struct {
		Status string `json:"status"`
		Ahead  *int   `json:"ahead_by"`
	}](ctx, c, q)
	switch {
	case failed(err, http.StatusNotFound) && strings.Contains(err.Error(), "No common ancestor"):
		return false, nil
	case err != nil:
		return false, err
	case said.Ahead == nil:
		return false, fmt.Errorf("GitHub, %s: want how far the commit is ahead, got nothing", q.path)
	case said.Status == "identical" || said.Status == "behind":
		return *said.Ahead == 0, nil
	}
	return false, nil
}

// protected tells whether the history of a branch stays as it is: rulesets
// forbid both to delete it and to push by force, or it has a branch protection,
// which forbids both unless an administrator allowed it there.
func (c *Client) protected(ctx context.Context, repository, branch string) (bool, error) {
	at, err := pathOf(repository)
	if err != nil {
		return false, err
	}
	q := question{path: at + "/rules/branches/" + escaped(branch), needs: "metadata: read", about: repository, query: onePage()}
	rules, err := get[[]struct {
		Type string `json:"type"`
	}](ctx, c, q)
	if err != nil {
		return false, err
	}
	kinds := map[string]bool{}
	for _, r := range rules {
		kinds[r.Type] = true
	}
	if kinds["non_fast_forward"] && kinds["deletion"] {
		return true, nil
	}
	if len(rules) >= perPage {
		return false, fmt.Errorf("GitHub, %s: want fewer than %d rules, got more", q.path, perPage)
	}
	q = question{path: at + "/branches/" + escaped(branch), needs: readContents, about: repository}
	said, err := get[struct {
		Name       string `json:"name"`
		Protected  *bool  `json:"protected"`
		Protection struct {
			Enabled bool `json:"enabled"`
		} `json:"protection"`
	}](ctx, c, q)
	if err == nil && (said.Name != branch || said.Protected == nil) {
		err = fmt.Errorf("GitHub, %s: want branch %s and whether it is protected, got less", q.path, clip(branch))
	}
	return err == nil && *said.Protected && said.Protection.Enabled, err
}
