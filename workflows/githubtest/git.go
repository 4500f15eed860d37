package githubtest

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Commit is a commit with its whole tree. It is hashed as git hashes it.
type Commit struct {
	Repository   string // "owner/name"
	SHA          string // "" is what git makes of the rest
	Parents      []string
	Files        []File // all of them; nil is the first parent's
	Message      string
	Author       string    // login; "" is alice
	Date         time.Time // the zero time is now
	Verification Verification

	tree string
}

// File is a file of a commit.
type File struct {
	Path    string // with slashes
	Content string // a symbolic link's is where it leads, a submodule's is a commit
	Mode    string // "" is ModeFile
}

// Modes of files.
const (
	ModeFile       = "100644"
	ModeExecutable = "100755"
	ModeSymlink    = "120000"
	ModeSubmodule  = "160000"
	modeDirectory  = "040000"
)

// Verification is what GitHub found of a signature. The zero value is unsigned.
type Verification struct {
	Verified  bool
	Reason    string // "" is "valid" or "unsigned"; also "unknown_key", "bad_email", "expired_key"…
	Signature string
	Payload   string
}

// Tag is an annotated tag. A lightweight one is a reference and no more, see
// PutRef.
type Tag struct {
	Repository   string
	Name         string // "v1.0"; it is put at refs/tags/ with its name
	SHA          string // "" is what git makes of the rest
	Target       string // a commit's SHA, or another tag's
	Message      string
	Tagger       string // login; "" is alice
	Date         time.Time
	Verification Verification
}

// gitObject is one of git's objects, in the repositories that it was put into: what
// is the same in two has one name.
type gitObject struct {
	kind    string  // "blob", "tree", "commit" or "tag"
	repos   []int64 // their ids
	content string  // of a blob
	entries []entry // of a tree, in git's order
	commit  Commit
	tag     Tag
}

// entry is an entry of a tree.
type entry struct{ name, mode, sha string }

func (e entry) kind() string {
	switch e.mode {
	case modeDirectory:
		return "tree"
	case ModeSubmodule:
		return "commit"
	default:
		return "blob"
	}
}

// PutCommit adds a commit. No branch has it until PutBranch says so.
func (g *GitHub) PutCommit(c Commit) Commit {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(c.Repository)
	c.Author = cmp.Or(c.Author, "alice")
	g.user(c.Author)
	if c.Date.IsZero() {
		c.Date = g.now()
	}
	if parent := g.objects[first(c.Parents)]; c.Files == nil && parent != nil {
		c.Files = parent.commit.Files
	}
	c.tree = g.putTree(repo, c.Files)
	who := signatory(c.Author, c.Date)
	text := "tree " + c.tree + "\n"
	for _, parent := range c.Parents {
		text += "parent " + parent + "\n"
	}
	text += "author " + who + "\ncommitter " + who + "\n\n" + c.Message
	c.SHA = cmp.Or(c.SHA, gitHash("commit", text))
	g.keep(repo, c.SHA, gitObject{kind: "commit", commit: c})
	return c
}

// PutTag adds an annotated tag and puts its reference there.
func (g *GitHub) PutTag(t Tag) Tag {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(t.Repository)
	t.Tagger = cmp.Or(t.Tagger, "alice")
	g.user(t.Tagger)
	if t.Date.IsZero() {
		t.Date = g.now()
	}
	t.SHA = cmp.Or(t.SHA, gitHash("tag", fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\n%s",
		t.Target, g.kindOf(t.Target), t.Name, signatory(t.Tagger, t.Date), t.Message)))
	g.keep(repo, t.SHA, gitObject{kind: "tag", tag: t})
	g.refs[repo.ID] = withRef(g.refs[repo.ID], "refs/tags/"+t.Name, t.SHA)
	return t
}

// keep adds an object to a repository.
func (g *GitHub) keep(repo *Repository, sha string, o gitObject) {
	if there := g.objects[sha]; there != nil {
		o.repos = there.repos
	}
	if !slices.Contains(o.repos, repo.ID) {
		o.repos = append(o.repos, repo.ID)
	}
	g.objects[sha] = &o
}

// PutRef puts a reference, "refs/heads/…" or "refs/tags/…", at an object.
func (g *GitHub) PutRef(repository, ref, sha string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(repository)
	g.refs[repo.ID] = withRef(g.refs[repo.ID], ref, sha)
}

// DeleteRef takes a reference away.
func (g *GitHub) DeleteRef(repository, ref string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.refs[g.repository(repository).ID], ref)
}

func withRef(refs map[string]string, ref, sha string) map[string]string {
	if refs == nil {
		refs = map[string]string{}
	}
	refs[ref] = sha
	return refs
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func signatory(login string, at time.Time) string {
	return fmt.Sprintf("%s <%s> %d +0000", login, mailOf(login), at.Unix())
}

func mailOf(login string) string { return login + "@users.noreply.github.com" }

// gitHash is an object's name.
func gitHash(kind, content string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", kind, len(content), content))
	return hex.EncodeToString(sum[:])
}

// putTree adds the tree of files, and everything in it.
func (g *GitHub) putTree(repo *Repository, files []File) (sha string) {
	below := map[string][]File{}
	var entries []entry
	for _, f := range files {
		name, rest, deep := strings.Cut(f.Path, "/")
		if deep {
			below[name] = append(below[name], File{Path: rest, Content: f.Content, Mode: f.Mode})
			continue
		}
		e := entry{name: name, mode: cmp.Or(f.Mode, ModeFile), sha: f.Content}
		if e.mode != ModeSubmodule {
			e.sha = gitHash("blob", f.Content)
			g.keep(repo, e.sha, gitObject{kind: "blob", content: f.Content})
		}
		entries = append(entries, e)
	}
	for name, files := range below {
		entries = append(entries, entry{name: name, mode: modeDirectory, sha: g.putTree(repo, files)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.sortName(), b.sortName()) })
	var text strings.Builder
	for _, e := range entries {
		raw, _ := hex.DecodeString(e.sha)
		fmt.Fprintf(&text, "%s %s\x00%s", strings.TrimPrefix(e.mode, "0"), e.name, raw)
	}
	sha = gitHash("tree", text.String())
	g.keep(repo, sha, gitObject{kind: "tree", entries: entries})
	return sha
}

// sortName is a name as git orders it.
func (e entry) sortName() string {
	if e.mode == modeDirectory {
		return e.name + "/"
	}
	return e.name
}

// network is the repository that all forks of one another come from. GitHub
// shows the objects of each in all of them.
func (g *GitHub) network(repo *Repository) *Repository {
	for repo.Parent != "" {
		repo = g.repository(repo.Parent)
	}
	return repo
}

// object is the one of a name, as the repository shows it. Trees and blobs of
// the same content are the same everywhere.
func (g *GitHub) object(repo *Repository, sha string) *gitObject {
	o := g.objects[sha]
	if o == nil || o.kind == "tree" || o.kind == "blob" {
		return o
	}
	for _, id := range o.repos {
		if from := g.repositoryByID(id); from != nil && g.network(from) == g.network(repo) {
			return o
		}
	}
	return nil
}

func (g *GitHub) kindOf(sha string) string {
	if o := g.objects[sha]; o != nil {
		return o.kind
	}
	return "commit"
}

// peel follows tags to what they are of.
func (g *GitHub) peel(sha string) string {
	for range len(g.objects) {
		o := g.objects[sha]
		if o == nil || o.kind != "tag" {
			break
		}
		sha = o.tag.Target
	}
	return sha
}

var shaForm = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// resolve is the commit that a revision names: a branch, a tag, the beginning
// of a SHA, or any of them with "refs/…" before. It is nil if there is none.
func (g *GitHub) resolve(repo *Repository, revision string) *gitObject {
	if revision == "HEAD" {
		revision = repo.DefaultBranch
	}
	refs := g.refs[repo.ID]
	for _, before := range []string{"", "refs/", "refs/heads/", "refs/tags/"} {
		if sha := refs[before+revision]; sha != "" {
			return g.object(repo, g.peel(sha))
		}
	}
	if !shaForm.MatchString(revision) {
		return nil
	}
	if o := g.object(repo, g.peel(revision)); o != nil && o.kind == "commit" {
		return o
	}
	for sha, o := range g.objects {
		if o.kind == "commit" && strings.HasPrefix(sha, revision) && g.object(repo, sha) != nil {
			return o
		}
	}
	return nil
}

// lookup is the entry of a path in a tree.
func (g *GitHub) lookup(tree, at string) (entry, bool) {
	e := entry{name: "", mode: modeDirectory, sha: tree}
	for name := range strings.SplitSeq(strings.Trim(path.Clean("/"+at), "/"), "/") {
		if name == "" {
			return e, true
		}
		dir := g.objects[e.sha]
		if dir == nil || dir.kind != "tree" {
			return entry{}, false
		}
		i := slices.IndexFunc(dir.entries, func(e entry) bool { return e.name == name })
		if i < 0 {
			return entry{}, false
		}
		e = dir.entries[i]
	}
	return e, true
}

// ancestors are a commit and everything before it, in no order.
func (g *GitHub) ancestors(sha string) map[string]bool {
	seen, next := map[string]bool{}, []string{sha}
	for len(next) > 0 {
		sha, next = next[0], next[1:]
		if o := g.objects[sha]; o != nil && !seen[sha] {
			seen[sha] = true
			next = append(next, o.commit.Parents...)
		}
	}
	return seen
}

// mergeBase is the nearest commit that both come from, "" if there is none.
func (g *GitHub) mergeBase(base, head string) string {
	of, next, seen := g.ancestors(base), []string{head}, map[string]bool{}
	for len(next) > 0 {
		sha := next[0]
		next = next[1:]
		if of[sha] {
			return sha
		}
		if o := g.objects[sha]; o != nil && !seen[sha] {
			seen[sha] = true
			next = append(next, o.commit.Parents...)
		}
	}
	return ""
}
