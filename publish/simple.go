package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const (
	simpleJSON    = "application/vnd.pypi.simple.v1+json"
	integrityJSON = "application/vnd.pypi.integrity.v1+json"
)

// page is a project's page of the simple API (PEP 691, 700 and 792), as far as
// it is read.
type page struct {
	Meta struct {
		Version string `json:"api-version"`
	} `json:"meta"`
	Name   string `json:"name"`
	Status struct {
		Status string `json:"status"`
	} `json:"project-status"`
	Files []pageFile `json:"files"`
}

type pageFile struct {
	Filename string            `json:"filename"`
	URL      string            `json:"url"`
	Hashes   map[string]string `json:"hashes"`
	Size     *int64            `json:"size"`   // from version 1.1
	Yanked   json.RawMessage   `json:"yanked"` // false, true or the reason
}

// served is one file that the index offers.
type served struct {
	name   string
	url    *url.URL
	digest dist.Digest
	size   int64  // -1 where the index does not say
	yanked string // the reason, or nothing
}

// page reads the page for one project. A project that the index does not
// know has a page without files.
func (x *Index) page(ctx context.Context, project string) (page, error) {
	at := x.simple.JoinPath(project + "/")
	a, err := x.get(ctx, at, simpleJSON, maxPage)
	if err != nil || a.status == http.StatusNotFound {
		return page{}, err
	}
	if a.status != http.StatusOK || a.media != simpleJSON {
		return page{}, x.unreadable(at, "status 200 and "+simpleJSON, a.says()+" and "+orNothing(a.media))
	}
	var p page
	if err := x.json(at, a, &p); err != nil {
		return page{}, err
	}
	if p.Name != project || !strings.HasPrefix(p.Meta.Version, "1.") {
		return page{}, x.unreadable(at, "the page of "+project+" in version 1 of the API",
			p.Name+" in version "+p.Meta.Version)
	}
	return p, nil
}

// release is what is to be on the index, taken from a proof.
type release struct {
	project string
	version dist.Version
	files   []staging.File
}

func newRelease(m staging.Manifest) (release, error) {
	v, err := dist.ParseVersion(m.Version)
	return release{m.Project, v, m.Files}, err
}

func (r release) name() string { return r.project + "-" + r.version.String() }

// of are the page's files of the release, whatever they are called.
func (r release) of(x *Index, p page) (files []served, err error) {
	at := x.simple.JoinPath(r.project + "/")
	for _, f := range p.Files {
		if !r.holds(f.Filename) {
			continue
		}
		s, err := f.served(at)
		if err != nil {
			return nil, x.unreadable(at, "name, URL and SHA-256 of each file", f.Filename+": "+err.Error())
		}
		files = append(files, s)
	}
	return files, nil
}

func (f pageFile) served(at *url.URL) (served, error) {
	s := served{name: f.Filename, size: -1}
	digest, err := dist.ParseDigest("sha256:" + f.Hashes["sha256"])
	if err != nil {
		return s, errors.New("no SHA-256")
	}
	if s.digest = digest; f.Size != nil {
		s.size = *f.Size
	}
	if s.url, err = at.Parse(f.URL); err != nil || f.URL == "" {
		return s, errors.New("no URL")
	}
	s.url.Fragment = ""
	switch yanked := string(bytes.TrimSpace(f.Yanked)); {
	case yanked == "", yanked == "false", yanked == "null":
	case yanked == "true":
		s.yanked = "no reason given"
	default:
		if err := json.Unmarshal(f.Yanked, &s.yanked); err != nil {
			return s, errors.New("neither yanked nor not")
		}
		s.yanked = orNothing(s.yanked)
	}
	return s, nil
}

// holds tells whether a file of that name is of the release. Old forms that
// nothing builds any more (.zip, .egg, .exe) count too: an installer takes them.
func (r release) holds(name string) bool {
	if f, err := dist.ParseFilename(name); err == nil {
		return f.Project == r.project && f.Version.Equal(r.version)
	}
	for i, c := range name {
		if c != '-' {
			continue
		}
		project, err := dist.NormalizeName(name[:i])
		if err == nil && project == r.project && r.version.Equal(leading(name[i+1:])) {
			return true
		}
	}
	return false
}

// leading is the longest version that s begins with, up to a dash or a dot.
func leading(s string) dist.Version {
	s, _, _ = strings.Cut(s, "-")
	for s != "" {
		if v, err := dist.ParseVersion(s); err == nil {
			return v
		}
		s = s[:max(strings.LastIndexByte(s, '.'), 0)]
	}
	return dist.Version{}
}

// compare holds what the index offers of a release against what was approved:
// the files that are there, and refusals for all that should not be. What is
// missing is neither.
func (r release) compare(files []served) (there map[string]served, no rule.Refusals) {
	there = map[string]served{}
	approved := map[string]staging.File{}
	for _, f := range r.files {
		approved[f.Name] = f
	}
	for _, s := range files {
		f, ok := approved[s.name]
		_, twice := there[s.name]
		refuse := func(id rule.ID, want, got, hint string) {
			no = append(no, rule.Refusal{File: brief(s.name), Rule: id, Want: want, Got: brief(got), Hint: hint})
		}
		switch {
		case !ok:
			refuse(rule.ServedExtra, "only files that were approved in release "+r.name(), s.digest.String(),
				"find out who uploaded it, and by which road")
		case twice || s.digest != f.Digest:
			refuse(rule.ServedBytes, f.Digest.String(), s.digest.String(),
				"the name is taken on the index for good: find out who uploaded it, and release a new version")
		case s.size >= 0 && s.size != f.Size:
			refuse(rule.ServedBytes, fmt.Sprintf("%d bytes", f.Size), fmt.Sprintf("%d bytes", s.size),
				"look at what answers as the index")
		case s.yanked != "":
			refuse(rule.ServedYanked, "a file that is not yanked", "yanked: "+s.yanked,
				"the release was taken back; release a new version instead")
		default:
			there[s.name] = s
		}
	}
	return there, no
}

// offer is what the index has of a release: only files that were approved.
type offer struct {
	there  map[string]served // by name
	status string            // of the project, PEP 792
}

// Names lists the files that the index offers of a version of a project, whose
// name is normalised (PEP 503), as the index calls them. It lists none where the
// index knows no such version. Nothing is proven by a name.
func Names(ctx context.Context, x *Index, project string, version dist.Version) (names []string, err error) {
	p, err := x.page(ctx, project)
	r := release{project: project, version: version}
	for _, f := range p.Files {
		if r.holds(f.Filename) {
			names = append(names, f.Filename)
		}
	}
	return names, err
}

// look asks the index what it offers of the release.
func (r release) look(ctx context.Context, x *Index) (offer, error) {
	p, err := x.page(ctx, r.project)
	if err != nil {
		return offer{}, err
	}
	files, err := r.of(x, p)
	if err != nil {
		return offer{}, err
	}
	there, no := r.compare(files)
	return offer{there, p.Status.Status}, no.Err()
}

// takes refuses a project that takes no uploads. An index that knows no
// statuses has active projects only.
func (o offer) takes(project string) error {
	if slices.Contains([]string{"", "active", "deprecated"}, o.status) {
		return nil
	}
	return rule.Refusals{{File: project, Rule: rule.ProjectStatus,
		Want: "an active project", Got: brief(o.status),
		Hint: "an owner can say why, on the project's page on the index"}}
}
