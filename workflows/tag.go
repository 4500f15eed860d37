package workflows

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// readContents is the permission that everything in a repository's git takes;
// what is public takes none.
const readContents = "contents: read"

// Tag is a tag, and the commit that it comes down to.
type Tag struct {
	Name      string    // without "refs/tags/"
	Commit    string    // "" where it is of something else
	Object    string    // the SHA of an annotated tag; "" of a lightweight one
	Signature Signature // of an annotated tag
}

// Signature is what GitHub found of the signature of a tag or a commit. GitHub
// keeps its finding, so that a key which expires later changes nothing.
type Signature struct {
	Verified bool
	Reason   string // "valid", "unsigned", "unknown_key", "bad_email"…
	By       string // the address of the tagger or committer, where verified: the key is of whom GitHub knows by it
}

// maxPeel is how many tags may lead from one to the next.
const maxPeel = 8

// gitTarget is what a reference or a tag leads to.
type gitTarget struct {
	Type string `json:"type"` // "commit", "tag", "tree" or "blob"
	SHA  string `json:"sha"`
}

type gitRef struct {
	Ref    string    `json:"ref"`
	Object gitTarget `json:"object"`
}

// Tags lists the tags whose names begin with prefix and are wanted, each peeled.
// An annotated tag must call itself what the reference calls it: one that was
// signed as v1.0 is no v2.0.
func (c *Client) Tags(ctx context.Context, repository, prefix string, wanted func(name string) bool) ([]Tag, error) {
	refs, err := c.refs(ctx, repository, "tags/", prefix)
	if err != nil {
		return nil, err
	}
	var tags []Tag
	for _, r := range refs {
		name := strings.TrimPrefix(r.Ref, "refs/tags/")
		if !wanted(name) {
			continue
		}
		tag, err := c.peel(ctx, repository, name, r.Object)
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// refs lists the references of a kind, "tags/" or "heads/", whose names begin
// with prefix. GitHub describes one answer with all of them; where it has pages,
// they are followed.
func (c *Client) refs(ctx context.Context, repository, kind, prefix string) (refs []gitRef, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	q := question{path: at + "/git/matching-refs/" + kind + escaped(prefix), needs: readContents, about: repository,
		query: url.Values{"per_page": {strconv.Itoa(perPage)}}}
	for page := 1; page <= maxPages; page++ {
		q.query.Set("page", strconv.Itoa(page))
		a, err := c.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		var got []gitRef
		if err := a.decode(q, &got); err != nil {
			return nil, err
		}
		for _, r := range got {
			if !strings.HasPrefix(r.Ref, "refs/"+kind+prefix) || r.Object.SHA == "" || r.Object.Type == "" {
				return nil, fmt.Errorf("GitHub, %s: want references that begin so, got %s", q.path, orNothing(clip(r.Ref)))
			}
		}
		refs = append(refs, got...)
		if !strings.Contains(a.header.Get("Link"), `rel="next"`) {
			return refs, nil
		}
	}
	return nil, fmt.Errorf("GitHub, %s: want at most %d pages of references, got more", q.path, maxPages)
}

// peel follows a tag to its commit.
func (c *Client) peel(ctx context.Context, repository, name string, at gitTarget) (Tag, error) {
	tag := Tag{Name: name, Signature: Signature{Reason: "unsigned"}}
	for range maxPeel {
		if at.Type != "tag" {
			if at.Type == "commit" {
				tag.Commit = at.SHA
			}
			return tag, nil
		}
		said, err := c.annotated(ctx, repository, at.SHA)
		if err != nil {
			return Tag{}, err
		}
		if tag.Object == "" {
			if said.Tag != name {
				return Tag{}, fmt.Errorf("%s: want the tag %s, got one that calls itself %s", repository, clip(name), clip(said.Tag))
			}
			tag.Object, tag.Signature = said.SHA, said.Verification.signature(said.Tagger)
		}
		at = said.Object
	}
	return Tag{}, fmt.Errorf("%s: want a commit behind the tag %s, got %d tags one behind the other", repository, clip(name), maxPeel)
}

type tagAnswer struct {
	Tag          string        `json:"tag"`
	SHA          string        `json:"sha"`
	Object       gitTarget     `json:"object"`
	Tagger       signer        `json:"tagger"`
	Verification *verification `json:"verification"`
}

// signer is who made a tag or a commit, as it says itself.
type signer struct {
	Email string `json:"email"`
}

// verification is what the API has of a signature.
type verification struct {
	Verified bool   `json:"verified"`
	Reason   string `json:"reason"`
}

// signature is verified only where both fields say so. GitHub verifies none by a key
// of which the signer's address is not its owner's ("bad_email").
func (v *verification) signature(by signer) Signature {
	s := Signature{Verified: v.Verified && v.Reason == "valid", Reason: clip(v.Reason)}
	if s.Verified {
		s.By = clip(by.Email)
	}
	return s
}

func (v *verification) said() bool { return v != nil && v.Reason != "" }

func (c *Client) annotated(ctx context.Context, repository, sha string) (tagAnswer, error) {
	at, err := pathOf(repository)
	if err != nil {
		return tagAnswer{}, err
	}
	q := question{path: at + "/git/tags/" + url.PathEscape(sha), needs: readContents, about: repository}
	said, err := get[tagAnswer](ctx, c, q)
	if err == nil && (said.SHA != sha || said.Object.SHA == "" || !said.Verification.said()) {
		err = fmt.Errorf("GitHub, %s: want that tag, its target and what was found of its signature, got less", q.path)
	}
	return said, err
}

// CommitSignature asks what GitHub found of a commit's signature.
func (c *Client) CommitSignature(ctx context.Context, repository, commit string) (Signature, error) {
	at, err := pathOf(repository)
	if err != nil {
		return Signature{}, err
	}
	q := question{path: at + "/git/commits/" + url.PathEscape(commit), needs: readContents, about: repository}
	said, err := get[struct {
		SHA          string        `json:"sha"`
		Committer    signer        `json:"committer"`
		Verification *verification `json:"verification"`
	}](ctx, c, q)
	if err != nil {
		return Signature{}, err
	}
	if said.SHA != commit || !said.Verification.said() {
		return Signature{}, fmt.Errorf("GitHub, %s: want that commit and what was found of its signature, got less", q.path)
	}
	return said.Verification.signature(said.Committer), nil
}

// escaped is a path with its slashes, for an address.
func escaped(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
