package workflows

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
)

// Repository is a repository as its default branch is now. Names change hands;
// the ids do not.
type Repository struct {
	Name          string // "owner/name", as GitHub spells it
	ID, OwnerID   int64
	DefaultBranch string
	Head          string // commit of the default branch

	administered bool   // the token is an administrator's
	organisation string // that owns it; "" is a person's
}

var commitSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Repository asks which repository has the name, and where its default branch is.
func (c *Client) Repository(ctx context.Context, name string) (Repository, error) {
	r, err := c.repository(ctx, name)
	if err == nil {
		r.Head, err = c.head(ctx, r)
	}
	return r, err
}

// Branched asks for a repository and its branches, of which one is the default one
// and says where that is. What branches there are is known, or why it is not.
func (c *Client) Branched(ctx context.Context, name string) (Repository, Seen[[]Branch], error) {
	r, err := c.repository(ctx, name)
	if err != nil {
		return r, Seen[[]Branch]{}, err
	}
	all := See(readContents, func() ([]Branch, error) { return c.Branches(ctx, r.Name) })
	for _, b := range all.Value {
		if b.Name == r.DefaultBranch && commitSHA.MatchString(b.Head) {
			r.Head = b.Head
			return r, all, nil
		}
	}
	r.Head, err = c.head(ctx, r)
	return r, all, err
}

// repository is the repository without its head.
func (c *Client) repository(ctx context.Context, name string) (Repository, error) {
	at, err := pathOf(name)
	if err != nil {
		return Repository{}, err
	}
	said, err := get[struct {
		ID            int64  `json:"id"`
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
		Owner         struct {
			ID          int64 `json:"id"`
			Login, Type string
		} `json:"owner"`
		Permissions struct{ Admin bool } `json:"permissions"`
	}](ctx, c, question{path: at, needs: "metadata: read", about: name})
	if err != nil {
		return Repository{}, err
	}
	if said.ID <= 0 || said.Owner.ID <= 0 || said.FullName == "" || said.DefaultBranch == "" {
		return Repository{}, fmt.Errorf("GitHub, %s: want ids and a default branch, got none", at)
	}
	r := Repository{Name: said.FullName, ID: said.ID, OwnerID: said.Owner.ID, DefaultBranch: said.DefaultBranch,
		administered: said.Permissions.Admin}
	if said.Owner.Type == "Organization" {
		r.organisation = said.Owner.Login
	}
	return r, nil
}

func (c *Client) head(ctx context.Context, r Repository) (string, error) {
	at, err := pathOf(r.Name)
	if err != nil {
		return "", err
	}
	q := question{path: at + "/git/ref/heads/" + (&url.URL{Path: r.DefaultBranch}).EscapedPath(), needs: "contents: read", about: r.Name}
	said, err := get[struct {
		Object struct{ Type, SHA string } `json:"object"`
	}](ctx, c, q)
	if err == nil && (said.Object.Type != "commit" || !commitSHA.MatchString(said.Object.SHA)) {
		err = fmt.Errorf("GitHub, %s: want a commit, got %.100q", q.path, said.Object.SHA)
	}
	return said.Object.SHA, err
}

// File is what a file holds at the head of the default branch, as [Client.Content]
// has it. Where there is none it is [fs.ErrNotExist]: the repository was read
// with the same token, so that a permission that is missing cannot look like it.
func (c *Client) File(ctx context.Context, r Repository, path string) ([]byte, error) {
	raw, err := c.Content(ctx, r.Name, path, r.Head)
	if failed(err, http.StatusNotFound) {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return raw, err
}
