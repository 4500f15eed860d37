package githubtest

import (
	"net/url"
	"path"
	"strings"
)

// rawWeb is where files are to be had without the API.
const rawWeb = "https://raw.githubusercontent.com"

// inlineLimit is the largest file whose content is in the answer.
const inlineLimit = 1 << 20

var contentRoutes = []route{
	{"GET /repos/{owner}/{repo}/contents", "contents=read", "repos/contents#get-repository-content",
		(*GitHub).getContents},
	{"GET /repos/{owner}/{repo}/contents/{path...}", "contents=read", "repos/contents#get-repository-content",
		(*GitHub).getContents},
}

// place is where in a repository somebody looks.
type place struct {
	repo *Repository
	ref  string // as it was asked for
	tree string
	path string
}

// getContents is a file or a directory, at the default branch if nothing else
// is asked for. Of a symbolic link to a file it is that file.
func (g *GitHub) getContents(c call) (answer, error) {
	ref := c.URL.Query().Get("ref")
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	commit := g.resolve(c.repo, ref)
	if commit == nil || commit.kind != "commit" {
		return answer{}, &failure{status: 404, message: "No commit found for the ref " + ref}
	}
	at := place{repo: c.repo, ref: ref, tree: commit.commit.tree}
	at.path = strings.Trim(c.PathValue("path"), "/")
	e, found := g.lookup(at.tree, at.path)
	if !found {
		return answer{}, errNotFound
	}
	if e.mode == ModeSymlink {
		target := path.Join(path.Dir(at.path), g.objects[e.sha].content)
		to, found := g.lookup(at.tree, target)
		if found && to.kind() == "blob" && to.mode != ModeSymlink {
			e = to
		}
	}
	accept := c.Header.Get("Accept")
	switch {
	case e.mode == modeDirectory && strings.Contains(accept, "github.object"):
		o := g.contentJSON(at, e, "dir")
		o["entries"] = g.directory(c, at, e)
		return objectAnswer(o), nil
	case e.mode == modeDirectory:
		return ok(g.directory(c, at, e))
	case e.kind() == "blob" && strings.Contains(accept, "raw"):
		return rawContent(g.objects[e.sha].content), nil
	case strings.Contains(accept, "github.object"):
		return objectAnswer(g.content(at, e)), nil
	default:
		return ok(g.content(at, e))
	}
}

func objectAnswer(o object) answer {
	return answer{body: o, header: map[string][]string{
		"Content-Type": {"application/vnd.github.object; charset=utf-8"}}}
}

// content is a file, a link or a submodule asked for by its path.
func (g *GitHub) content(at place, e entry) object {
	o := g.contentJSON(at, e, kindOfContent(e))
	switch e.mode {
	case ModeSymlink:
		o["target"] = g.objects[e.sha].content
	case ModeSubmodule:
		o["submodule_git_url"] = "https://github.com/" + at.repo.Name + "-" + e.name + ".git"
	default:
		o["encoding"], o["content"] = "base64", base64Lines(g.objects[e.sha].content)
		if len(g.objects[e.sha].content) > inlineLimit {
			o["encoding"], o["content"] = "none", ""
		}
	}
	return o
}

func kindOfContent(e entry) string {
	switch e.mode {
	case modeDirectory:
		return "dir"
	case ModeSymlink:
		return "symlink"
	case ModeSubmodule:
		return "submodule"
	default:
		return "file"
	}
}

// directory lists what is in one. The older version of the API calls a
// submodule a file there.
func (g *GitHub) directory(c call, at place, dir entry) []any {
	items := []any{}
	for _, e := range g.objects[dir.sha].entries {
		kind := kindOfContent(e)
		if kind == "submodule" && c.version < Version2026 {
			kind = "file"
		}
		below := at
		below.path = path.Join(at.path, e.name)
		items = append(items, g.contentJSON(below, e, kind))
	}
	return items
}

func (g *GitHub) contentJSON(at place, e entry, kind string) object {
	escaped := escapePath(at.path)
	self := g.at(at.repo, "/contents/"+escaped+"?ref="+url.QueryEscape(at.ref))
	o := object{
		"type": kind, "name": path.Base("/" + at.path), "path": at.path, "sha": e.sha, "size": 0,
		"url": self, "git_url": g.at(at.repo, "/git/"+e.kind()+"s/"+e.sha),
		"html_url": pageOf(at.repo, "/blob/"+at.ref+"/"+escaped), "download_url": nil,
	}
	if e.kind() == "blob" {
		o["size"] = len(g.objects[e.sha].content)
		o["download_url"] = rawWeb + "/" + at.repo.Name + "/" + at.ref + "/" + escaped
	}
	if at.path == "" {
		o["name"] = ""
	}
	o["_links"] = object{"self": self, "git": o["git_url"], "html": o["html_url"]}
	return o
}

func escapePath(at string) string {
	parts := strings.Split(at, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
