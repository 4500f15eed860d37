package workflows

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Tree is the files of a repository at one commit. Their names come in one call,
// and each file in one more when it is first read.
type Tree struct {
	c      *Client
	at     string              // the commit
	of     string              // "owner/name"
	files  map[string]string   // blobs by path
	folder map[string][]string // names of files by folder
	known  *sync.Map           // *fetched by blob
}

// fetched is a file that is asked for once, whatever comes of it.
type fetched struct {
	once sync.Once
	raw  []byte
	err  error
}

// maxTree is how many files a repository may have that is read.
const maxTree = 100_000

// Tree lists the files of a repository at a commit. A list that GitHub cut off
// is an error: what is not in it may be there.
func (c *Client) Tree(ctx context.Context, repository, commit string) (*Tree, error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	if !commitSHA.MatchString(commit) {
		return nil, fmt.Errorf("want the 40 digits of a commit, got %.60q", commit)
	}
	q := question{path: at + "/git/trees/" + commit, query: map[string][]string{"recursive": {"1"}}, needs: "contents: read", about: repository}
	said, err := get[struct {
		Tree []struct {
			Path, Mode, Type, SHA string
		}
		Truncated *bool
	}](ctx, c, q)
	if err != nil {
		return nil, err
	}
	if said.Truncated == nil || *said.Truncated || len(said.Tree) > maxTree {
		return nil, fmt.Errorf("GitHub, %s: want all files, at most %d; got a part of them", q.path, maxTree)
	}
	t := &Tree{c: c, at: commit, of: repository, files: map[string]string{}, folder: map[string][]string{}, known: new(sync.Map)}
	for _, f := range said.Tree {
		if f.Type == "blob" && !commitSHA.MatchString(f.SHA) {
			return nil, fmt.Errorf("GitHub, %s: want the 40 digits of each file, got %.60q of %.100q", q.path, f.SHA, f.Path)
		}
		if f.Type == "blob" {
			t.files[f.Path] = f.SHA
			t.folder[path.Dir(f.Path)] = append(t.folder[path.Dir(f.Path)], path.Base(f.Path))
		}
	}
	return t, nil
}

// Beside is the tree where a file is not read again that the other, of the same
// repository, has read, and that is the same there.
func (t *Tree) Beside(other *Tree) *Tree {
	beside := *t
	if strings.EqualFold(t.of, other.of) {
		beside.known = other.known
	}
	return &beside
}

// List gives the names of the files in a folder, none if there is no such folder.
func (t *Tree) List(_ context.Context, dir string) ([]string, error) {
	return t.folder[strings.TrimSuffix(dir, "/")], nil
}

// Read gives a file, or [fs.ErrNotExist].
func (t *Tree) Read(ctx context.Context, at string) ([]byte, error) {
	blob, ok := t.files[at]
	if !ok {
		return nil, fs.ErrNotExist
	}
	kept, _ := t.known.LoadOrStore(blob, new(fetched))
	f := kept.(*fetched)
	f.once.Do(func() { f.raw, f.err = t.content(ctx, at) })
	return f.raw, f.err
}

func (t *Tree) content(ctx context.Context, at string) ([]byte, error) {
	raw, err := t.c.Content(ctx, t.of, at, t.at)
	if failed(err, http.StatusNotFound) {
		return nil, fmt.Errorf("%s of %s: it is in the list and cannot be read (%w)", at, t.of, err)
	}
	return raw, err
}

// Branch is a branch and the commit that it is at.
type Branch struct {
	Name, Head string
	Protected  bool // by a ruleset, or in the old way
}

// Branches lists the branches of a repository, all of them.
func (c *Client) Branches(ctx context.Context, repository string) (all []Branch, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	a := &asking{c: c, ctx: ctx, at: at, about: repository}
	said, err := everything[struct {
		Name      string
		Commit    struct{ SHA string }
		Protected bool
	}](a, at+"/branches", "", "contents: read", nil)
	for _, b := range said {
		all = append(all, Branch{Name: b.Name, Head: b.Commit.SHA, Protected: b.Protected})
	}
	return all, err
}
