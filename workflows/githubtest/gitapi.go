package githubtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Trees and diffs are cut off where GitHub cuts them off.
const (
	treeLimit = 100000 // entries
	diffLimit = 300    // files
)

const gitAt = "/repos/{owner}/{repo}/git"

var gitRoutes = []route{
	{"GET " + gitAt + "/ref/{ref...}", "contents=read", "git/refs#get-a-reference", (*GitHub).getRef},
	{"GET " + gitAt + "/matching-refs/{ref...}", "contents=read", "git/refs#list-matching-references",
		(*GitHub).listRefs},
	{"GET " + gitAt + "/tags/{sha}", "contents=read", "git/tags#get-a-tag", (*GitHub).getTag},
	{"GET " + gitAt + "/commits/{sha}", "contents=read", "git/commits#get-a-commit-object",
		(*GitHub).getGitCommit},
	{"GET " + gitAt + "/trees/{tree...}", "contents=read", "git/trees#get-a-tree", (*GitHub).getTree},
	{"GET " + gitAt + "/blobs/{sha}", "contents=read", "git/blobs#get-a-blob", (*GitHub).getBlob},
	{"GET /repos/{owner}/{repo}/commits/{ref...}", "contents=read", "commits/commits#get-a-commit",
		(*GitHub).getCommit},
	{"GET /repos/{owner}/{repo}/compare/{basehead...}", "contents=read",
		"commits/commits#compare-two-commits", (*GitHub).compare},
	{"GET /repos/{owner}/{repo}/tags", "contents=read", "repos/repos#list-repository-tags",
		(*GitHub).listTags},
}

func (g *GitHub) getRef(c call) (answer, error) {
	ref := "refs/" + c.PathValue("ref")
	sha := g.refs[c.repo.ID][ref]
	if sha == "" {
		return answer{}, errNotFound
	}
	return ok(g.refJSON(c.repo, ref, sha))
}

func (g *GitHub) listRefs(c call) (answer, error) {
	items := []any{}
	for _, ref := range slices.Sorted(maps.Keys(g.refs[c.repo.ID])) {
		if strings.HasPrefix(ref, "refs/"+c.PathValue("ref")) {
			items = append(items, g.refJSON(c.repo, ref, g.refs[c.repo.ID][ref]))
		}
	}
	return ok(items)
}

func (g *GitHub) refJSON(repo *Repository, ref, sha string) object {
	return object{"ref": ref, "node_id": "REF_" + sha, "url": g.at(repo, "/git/"+ref),
		"object": g.target(repo, sha)}
}

// target is an object that another names.
func (g *GitHub) target(repo *Repository, sha string) object {
	kind := g.kindOf(sha)
	return object{"type": kind, "sha": sha, "url": g.at(repo, "/git/"+kind+"s/"+sha)}
}

func (g *GitHub) getTag(c call) (answer, error) {
	o := g.object(c.repo, c.PathValue("sha"))
	if o == nil || o.kind != "tag" {
		return answer{}, errNotFound
	}
	t := o.tag
	return ok(object{
		"node_id": "TA_" + t.SHA, "tag": t.Name, "sha": t.SHA, "url": g.at(c.repo, "/git/tags/"+t.SHA),
		"message": t.Message, "object": g.target(c.repo, t.Target),
		"verification": t.Verification.json(stamp(t.Date)),
		"tagger":       object{"name": t.Tagger, "email": mailOf(t.Tagger), "date": stamp(t.Date)},
	})
}

func (v Verification) json(at string) object {
	o := object{"verified": v.Verified, "reason": "unsigned",
		"signature": nil, "payload": nil, "verified_at": nil}
	if v.Verified {
		o["reason"], o["verified_at"] = "valid", at
	}
	if v.Verified || v.Signature != "" || v.Reason != "" {
		o["signature"], o["payload"] = v.Signature, v.Payload
	}
	if v.Reason != "" {
		o["reason"] = v.Reason
	}
	return o
}

func (g *GitHub) getGitCommit(c call) (answer, error) {
	o := g.object(c.repo, c.PathValue("sha"))
	if o == nil || o.kind != "commit" {
		return answer{}, errNotFound
	}
	body := g.commitJSON(c.repo, o.commit)["commit"].(object)
	delete(body, "comment_count")
	body["sha"], body["node_id"] = o.commit.SHA, "C_"+o.commit.SHA
	body["html_url"] = pageOf(c.repo, "/commit/"+o.commit.SHA)
	body["parents"] = g.parents(c.repo, o.commit)
	return ok(body)
}

func (g *GitHub) getCommit(c call) (answer, error) {
	ref := c.PathValue("ref")
	o := g.resolve(c.repo, ref)
	if o == nil || o.kind != "commit" {
		return answer{}, unprocessable("No commit found for SHA: " + ref)
	}
	if strings.Contains(c.Header.Get("Accept"), "github.sha") {
		return answer{raw: []byte(o.commit.SHA), header: http.Header{
			"Content-Type": {"application/vnd.github.sha; charset=utf-8"}}}, nil
	}
	body := g.commitJSON(c.repo, o.commit)
	parent := ""
	if before := g.objects[first(o.commit.Parents)]; before != nil {
		parent = before.commit.tree
	}
	files, added, deleted := g.diff(c.repo, parent, o.commit)
	body["files"] = files
	body["stats"] = object{"additions": added, "deletions": deleted, "total": added + deleted}
	return ok(body)
}

// commitJSON is a commit as lists have it, without its files.
func (g *GitHub) commitJSON(repo *Repository, c Commit) object {
	who := object{"name": c.Author, "email": mailOf(c.Author), "date": stamp(c.Date)}
	at := "/commits/" + c.SHA
	return object{
		"sha": c.SHA, "node_id": "C_" + c.SHA, "url": g.at(repo, at),
		"html_url": pageOf(repo, "/commit/"+c.SHA), "comments_url": g.at(repo, at+"/comments"),
		"author": g.userJSON(c.Author), "committer": g.userJSON(c.Author), "parents": g.parents(repo, c),
		"commit": object{
			"url": g.at(repo, "/git"+at), "author": who, "committer": who, "message": c.Message,
			"comment_count": 0, "verification": c.Verification.json(stamp(c.Date)),
			"tree": object{"sha": c.tree, "url": g.at(repo, "/git/trees/"+c.tree)},
		},
	}
}

func (g *GitHub) parents(repo *Repository, c Commit) []any {
	parents := []any{}
	for _, sha := range c.Parents {
		parents = append(parents, object{"sha": sha, "url": g.at(repo, "/commits/"+sha),
			"html_url": pageOf(repo, "/commit/"+sha)})
	}
	return parents
}

// getTree is a tree, by its own name, a commit's or a revision's.
func (g *GitHub) getTree(c call) (answer, error) {
	sha := c.PathValue("tree")
	if commit := g.resolve(c.repo, sha); commit != nil && commit.kind == "commit" {
		sha = commit.commit.tree
	}
	o := g.object(c.repo, sha)
	if o == nil || o.kind != "tree" {
		return answer{}, errNotFound
	}
	entries := g.walk(o, "", c.URL.Query().Has("recursive"))
	limit := cmp.Or(g.behaviour.TreeLimit, treeLimit)
	tree := []any{}
	for _, e := range entries[:min(limit, len(entries))] {
		tree = append(tree, g.entryJSON(c.repo, e))
	}
	return ok(object{"sha": sha, "url": g.at(c.repo, "/git/trees/"+sha), "tree": tree,
		"truncated": len(entries) > limit})
}

// walk is what is in a tree; an entry's name is its path.
func (g *GitHub) walk(tree *gitObject, at string, deep bool) (entries []entry) {
	for _, e := range tree.entries {
		below := g.objects[e.sha]
		e.name = at + e.name
		entries = append(entries, e)
		if deep && e.mode == modeDirectory {
			entries = append(entries, g.walk(below, e.name+"/", deep)...)
		}
	}
	return entries
}

func (g *GitHub) entryJSON(repo *Repository, e entry) object {
	o := object{"path": e.name, "mode": e.mode, "type": e.kind(), "sha": e.sha}
	switch e.kind() {
	case "blob":
		o["size"], o["url"] = len(g.objects[e.sha].content), g.at(repo, "/git/blobs/"+e.sha)
	case "tree":
		o["url"] = g.at(repo, "/git/trees/"+e.sha)
	}
	return o
}

func (g *GitHub) getBlob(c call) (answer, error) {
	sha := c.PathValue("sha")
	o := g.object(c.repo, sha)
	if o == nil || o.kind != "blob" {
		return answer{}, errNotFound
	}
	if strings.Contains(c.Header.Get("Accept"), "raw") {
		return rawContent(o.content), nil
	}
	return ok(object{"sha": sha, "node_id": "B_" + sha, "size": len(o.content),
		"url": g.at(c.repo, "/git/blobs/"+sha), "content": base64Lines(o.content), "encoding": "base64"})
}

func rawContent(content string) answer {
	return answer{raw: []byte(content), header: http.Header{
		"Content-Type": {"application/vnd.github.raw+json; charset=utf-8"}}}
}

// base64Lines is base64 in lines of 60, each ended.
func base64Lines(content string) string {
	var lines strings.Builder
	for part := range slices.Chunk([]byte(content), 45) {
		lines.WriteString(base64.StdEncoding.EncodeToString(part) + "\n")
	}
	return lines.String()
}

func (g *GitHub) listTags(c call) (answer, error) {
	var items []any
	refs := g.refs[c.repo.ID]
	for _, ref := range slices.Backward(slices.Sorted(maps.Keys(refs))) {
		name, tag := strings.CutPrefix(ref, "refs/tags/")
		if !tag {
			continue
		}
		sha := g.peel(refs[ref])
		items = append(items, object{"name": name, "node_id": "REF_" + name,
			"zipball_url": g.at(c.repo, "/zipball/"+ref), "tarball_url": g.at(c.repo, "/tarball/"+ref),
			"commit": object{"sha": sha, "url": g.at(c.repo, "/commits/"+sha)}})
	}
	return listed("", items)
}

// compare tells how two commits stand to each other. The commits that only the
// head has come a page at a time, the oldest first.
func (g *GitHub) compare(c call) (answer, error) {
	basehead := c.PathValue("basehead")
	from, to, _ := strings.Cut(basehead, "...")
	base, head := g.elsewhere(c.repo, from), g.elsewhere(c.repo, to)
	if base == nil || head == nil || base.kind != "commit" || head.kind != "commit" {
		return answer{}, errNotFound
	}
	merge := g.mergeBase(base.commit.SHA, head.commit.SHA)
	if merge == "" {
		return answer{}, &failure{status: http.StatusNotFound,
			message: fmt.Sprintf("No common ancestor between %s and %s.", from, to)}
	}
	before, after := g.ancestors(base.commit.SHA), g.ancestors(head.commit.SHA)
	ahead, behind := g.only(after, before), g.only(before, after)
	var items []any
	for _, commit := range ahead {
		items = append(items, g.commitJSON(c.repo, commit))
	}
	all := &list{items: items}
	page, links := all.page(g, c)
	files, _, _ := g.diff(c.repo, g.objects[merge].commit.tree, head.commit)
	at := pageOf(c.repo, "/compare/"+basehead)
	a := answer{header: http.Header{}, body: object{
		"url": g.at(c.repo, "/compare/"+basehead), "html_url": at,
		"diff_url": at + ".diff", "patch_url": at + ".patch",
		"permalink_url":     pageOf(c.repo, "/compare/"+base.commit.SHA+"..."+head.commit.SHA),
		"base_commit":       g.commitJSON(c.repo, base.commit),
		"merge_base_commit": g.commitJSON(c.repo, g.objects[merge].commit),
		"status":            standing(len(ahead), len(behind)),
		"ahead_by":          len(ahead), "behind_by": len(behind),
		"total_commits": len(ahead), "commits": page, "files": files,
	}}
	if links != "" {
		a.header.Set("Link", links)
	}
	return a, nil
}

// elsewhere is a revision, which may be of a fork: "owner:branch".
func (g *GitHub) elsewhere(repo *Repository, revision string) *gitObject {
	owner, rest, other := strings.Cut(revision, ":")
	if !other {
		return g.resolve(repo, revision)
	}
	for _, r := range g.repositories {
		whose, _, _ := strings.Cut(r.Name, "/")
		if strings.EqualFold(whose, owner) && g.network(r) == g.network(repo) {
			return g.resolve(r, rest)
		}
	}
	return nil
}

func standing(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	default:
		return "identical"
	}
}

// only are the commits of one history that another does not have, the oldest
// first.
func (g *GitHub) only(history, other map[string]bool) (commits []Commit) {
	for sha := range history {
		if !other[sha] {
			commits = append(commits, g.objects[sha].commit)
		}
	}
	behind := func(c Commit) int { return len(g.ancestors(c.SHA)) }
	slices.SortFunc(commits, func(a, b Commit) int {
		return cmp.Or(cmp.Compare(behind(a), behind(b)), strings.Compare(a.SHA, b.SHA))
	})
	return commits
}

// diff are the files that differ between a tree, "" for an empty one, and a
// commit's.
func (g *GitHub) diff(repo *Repository, before string, after Commit) (files []any, added, deleted int) {
	files = []any{}
	old, now := g.files(before), g.files(after.tree)
	paths := slices.Sorted(maps.Keys(old))
	for name := range now {
		if _, known := old[name]; !known {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	for _, name := range paths {
		was, is := old[name], now[name]
		if was == is || len(files) == diffLimit {
			continue
		}
		status, sha := "modified", is.sha
		switch {
		case was.sha == "":
			status = "added"
		case is.sha == "":
			status, sha = "removed", was.sha
		}
		minus, plus := g.lines(was.sha), g.lines(is.sha)
		added, deleted = added+plus, deleted+minus
		at := "/" + after.SHA + "/" + escapePath(name)
		files = append(files, object{
			"sha": sha, "filename": name, "status": status,
			"additions": plus, "deletions": minus, "changes": plus + minus,
			"blob_url": pageOf(repo, "/blob"+at), "raw_url": pageOf(repo, "/raw"+at),
			"contents_url": g.at(repo, "/contents/"+escapePath(name)+"?ref="+after.SHA),
		})
	}
	return files, added, deleted
}

// files are everything but the directories of a tree, by path.
func (g *GitHub) files(tree string) map[string]entry {
	files := map[string]entry{}
	if o := g.objects[tree]; o != nil {
		for _, e := range g.walk(o, "", true) {
			if e.mode != modeDirectory {
				files[e.name] = e
			}
		}
	}
	return files
}

// lines is how many a blob has.
func (g *GitHub) lines(sha string) int {
	o := g.objects[sha]
	if o == nil || o.content == "" {
		return 0
	}
	return strings.Count(strings.TrimSuffix(o.content, "\n"), "\n") + 1
}
