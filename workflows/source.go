package workflows

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/distgate/distgate/staging/dist"
)

// Bounds on the trees that are read for one commit, submodules among them.
const (
	maxTreeEntries = 500_000
	maxTreeAnswers = 1_000
	maxSubmodules  = 100
	maxSubstituted = 50 // files in which git archive writes something
)

// Source is what a commit holds: git's names of its files, those of its submodules
// among them, by path. It is what GitHub says; that a file has these bytes is
// seen from the name alone, which is a SHA-1.
type Source struct {
	Blobs       map[string]dist.BlobID
	Substituted map[string][]byte // files in which git archive replaces $Format:…$, as the commit has them
	Missing     []string          // submodules that could not be read, and why
}

// sourceReader reads one commit's tree.
type sourceReader struct {
	client  *Client
	tree    Source
	answers int
	modules int
}

type treeEntry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
}

// Source reads the tree of a commit: in one answer where it fits into one, folder
// by folder where it does not, and below each submodule the tree of its own
// commit, in the repository that .gitmodules names.
func (c *Client) Source(ctx context.Context, repository, commit string) (Source, error) {
	r := &sourceReader{client: c, tree: Source{Blobs: map[string]dist.BlobID{}, Substituted: map[string][]byte{}}}
	err := r.commit(ctx, repository, commit, "")
	return r.tree, err
}

// commit reads the tree of a commit below a folder, "" or "a/b/".
func (r *sourceReader) commit(ctx context.Context, repository, commit, below string) error {
	modules, err := r.folder(ctx, repository, commit, below)
	if err != nil {
		return err
	}
	if below == "" {
		if err := r.substitutions(ctx, repository, commit); err != nil {
			return err
		}
	}
	if len(modules) == 0 {
		return nil
	}
	raw, err := r.client.Content(ctx, repository, ".gitmodules", commit)
	if failed(err, http.StatusNotFound) {
		raw, err = nil, nil
	}
	if err != nil {
		return err
	}
	where := submodules(raw, repository)
	for _, m := range modules {
		if err := r.submodule(ctx, where[strings.TrimPrefix(m.Path, below)], m); err != nil {
			return err
		}
	}
	return nil
}

// folder reads a tree and all below it, and returns the submodules in it.
func (r *sourceReader) folder(ctx context.Context, repository, sha, below string) (modules []treeEntry, err error) {
	entries, whole, err := r.ask(ctx, repository, sha, true)
	if err == nil && !whole {
		entries, whole, err = r.ask(ctx, repository, sha, false)
		if err == nil && !whole {
			err = fmt.Errorf("%s: want the whole tree %s, got one that GitHub cut off", repository, sha)
		}
		for _, e := range entries {
			if err == nil && e.Type == "tree" {
				var more []treeEntry
				more, err = r.folder(ctx, repository, e.SHA, below+e.Path+"/")
				modules = append(modules, more...)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		e.Path = below + e.Path
		switch e.Type {
		case "blob":
			if err := r.add(e); err != nil {
				return nil, err
			}
		case "commit":
			modules = append(modules, e)
		}
	}
	return modules, nil
}

func (r *sourceReader) add(e treeEntry) error {
	var blob dist.BlobID
	if n, err := hex.Decode(blob[:], []byte(e.SHA)); err != nil || n != len(blob) || len(e.SHA) != hex.EncodedLen(n) {
		return fmt.Errorf("the tree: want 40 digits as git's name for %s, got %s", clip(e.Path), clip(e.SHA))
	}
	if len(r.tree.Blobs) >= maxTreeEntries {
		return fmt.Errorf("the tree: want at most %d files, got more", maxTreeEntries)
	}
	r.tree.Blobs[e.Path] = blob
	return nil
}

// ask asks for one tree, by its own name or by a commit's.
func (r *sourceReader) ask(ctx context.Context, repository, sha string, deep bool) (entries []treeEntry, whole bool, err error) {
	if r.answers++; r.answers > maxTreeAnswers {
		return nil, false, fmt.Errorf("the tree: want at most %d answers, got more", maxTreeAnswers)
	}
	at, err := pathOf(repository)
	if err != nil {
		return nil, false, err
	}
	q := question{path: at + "/git/trees/" + url.PathEscape(sha), needs: readContents, about: repository}
	if deep {
		q.query = url.Values{"recursive": {"1"}}
	}
	said, err := get[struct {
		Tree      []treeEntry `json:"tree"`
		Truncated *bool       `json:"truncated"`
	}](ctx, r.client, q)
	if err != nil {
		return nil, false, err
	}
	if said.Truncated == nil {
		return nil, false, fmt.Errorf("GitHub, %s: want whether that is the whole tree, got nothing", q.path)
	}
	return said.Tree, !*said.Truncated, nil
}

// submodule reads the tree of a submodule's commit. Where that cannot be had it
// is noted, and its files are found nowhere.
func (r *sourceReader) submodule(ctx context.Context, repository string, m treeEntry) error {
	if r.modules++; r.modules > maxSubmodules {
		return fmt.Errorf("the tree: want at most %d submodules, got more", maxSubmodules)
	}
	if repository == "" {
		r.tree.Missing = append(r.tree.Missing, "the submodule "+clip(m.Path)+": .gitmodules names no repository of this GitHub for it")
		return nil
	}
	err := r.commit(ctx, repository, m.SHA, m.Path+"/")
	if failed(err, http.StatusNotFound, http.StatusForbidden, http.StatusConflict) {
		r.tree.Missing = append(r.tree.Missing, "the submodule "+clip(m.Path)+": "+err.Error())
		return nil
	}
	return err
}

var (
	moduleLine = regexp.MustCompile(`^\s*(path|url)\s*=\s*"?([^"]*?)"?\s*$`)
	githubURL  = regexp.MustCompile(`^(?:https://github\.com/|ssh://git@github\.com/|git@github\.com:|git://github\.com/)([^/]+/[^/]+?)(?:\.git)?/?$`)
)

// submodules reads .gitmodules: which repository each path is of, as far as it is
// one of GitHub's. An address that begins with ../ is beside the repository.
func submodules(raw []byte, repository string) map[string]string {
	where, at, from := map[string]string{}, "", ""
	note := func() {
		if at != "" && from != "" {
			where[at] = from
		}
	}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(strings.TrimSpace(line), "[") {
			note()
			at, from = "", ""
		}
		switch m := moduleLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); {
		case m == nil:
		case m[1] == "path":
			at = strings.Trim(m[2], "/")
		case strings.HasPrefix(m[2], "../"):
			from = strings.TrimSuffix(path.Join(repository, m[2]), ".git")
		default:
			if of := githubURL.FindStringSubmatch(m[2]); of != nil {
				from = of[1]
			}
		}
	}
	note()
	for at, from := range where {
		if _, err := pathOf(from); err != nil {
			delete(where, at)
		}
	}
	return where
}

// substitutions reads the files for which .gitattributes says export-subst.
func (r *sourceReader) substitutions(ctx context.Context, repository, commit string) error {
	if _, ok := r.tree.Blobs[".gitattributes"]; !ok {
		return nil
	}
	raw, err := r.client.Content(ctx, repository, ".gitattributes", commit)
	if err != nil {
		return err
	}
	var files []string
	for _, pattern := range substituting(raw) {
		for file := range r.tree.Blobs {
			if ok, err := doublestar.Match(pattern, file); ok && err == nil && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	if len(files) > maxSubstituted {
		r.tree.Missing = append(r.tree.Missing, fmt.Sprintf("%d files with export-subst, more than %d", len(files), maxSubstituted))
		return nil
	}
	for _, file := range files {
		if r.tree.Substituted[file], err = r.client.Content(ctx, repository, file, commit); err != nil {
			return err
		}
	}
	return nil
}

// substituting are the patterns of .gitattributes that have export-subst. One
// without a slash is for files in any folder.
func substituting(raw []byte) (patterns []string) {
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") || !slices.Contains(words[1:], "export-subst") {
			continue
		}
		pattern := strings.TrimPrefix(words[0], "/")
		if !strings.Contains(words[0], "/") {
			pattern = "**/" + pattern
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}
