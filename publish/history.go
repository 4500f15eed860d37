package publish

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
)

// history is what an index has of a project, as seen from one version of it. Of
// the files it keeps those alone that the version is to be compared with.
type history struct {
	project string
	version dist.Version
	known   map[string]*past // all other versions, by their text, without files
	final   past             // the newest before the version that is not yanked
	pre     past             // the same of pre-releases
	unread  int              // files whose names do not say what they are
	came    time.Time        // when the version's own first file did; zero where there is none
	page    page
}

// past is a release on the index.
type past struct {
	version  dist.Version
	pre      bool
	before   bool // the version that is looked from
	total    int  // files
	yanked   int  // of them
	attested int  // files that the index has provenance for
	files    []served
}

// history asks for the page of a project.
func (x *Index) history(ctx context.Context, p patience, project string, version dist.Version) (*history, error) {
	return again(ctx, p, func() (*history, error) {
		h := &history{project: project, version: version, known: map[string]*past{}}
		var err error
		h.page, err = x.list(ctx, project, h.keep)
		return h, err
	})
}

// keep is a [keeper] that keeps by itself.
func (h *history) keep(kept []served, at *url.URL, e entry) ([]served, error) {
	name, err := dist.ParseFilename(e.filename)
	if err != nil || name.Project != h.project {
		h.unread++
		return kept, nil
	}
	if name.Version.Equal(h.version) {
		h.came = earlier(h.came, uploadTime(e))
		return kept, nil
	}
	why, err := reason(e.yanked)
	if err != nil {
		return nil, err
	}
	p := h.count(name.Version)
	p.total++
	if e.attested != nil {
		p.attested++
	}
	if why != "" {
		p.yanked++
		return kept, nil
	}
	return kept, h.contend(p, at, e)
}

// count is what is known of a version.
func (h *history) count(v dist.Version) *past {
	p, ok := h.known[v.String()]
	if !ok {
		p = &past{version: v, pre: v.IsPre(), before: v.Compare(h.version) < 0}
		h.known[v.String()] = p
	}
	return p
}

// contend keeps a file, if no newer version is known.
func (h *history) contend(p *past, at *url.URL, e entry) error {
	newest := &h.final
	if p.pre {
		newest = &h.pre
	}
	if !p.before || p.version.Compare(newest.version) < 0 {
		return nil
	}
	if !p.version.Equal(newest.version) {
		*newest = past{version: p.version}
	}
	to, err := at.Parse(e.url)
	if err != nil || path.Base(to.Path) != e.filename || len(newest.files) == maxOurs {
		return errors.New("no URL that ends in the file's name, or too many files of one release")
	}
	s, err := e.served(to)
	newest.files = append(newest.files, s)
	return err
}

// first tells whether the index answered that the project has no other release.
// A project in quarantine offers no files, and has them.
func (h *history) first() bool {
	status := h.page.status == "" || h.page.status == "active" || h.page.status == "deprecated"
	others := slices.ContainsFunc(h.page.versions, func(text string) bool {
		v, err := dist.ParseVersion(text)
		return err != nil || !v.Equal(h.version)
	})
	return !h.page.listed || status && len(h.known) == 0 && h.unread == 0 && !others
}

// relation is a release on the index, and what it is to the version.
type relation struct {
	approval.Relation
	past
}

// since are the releases to compare with: the newest earlier one, and of a final
// the last candidate. A final comes after finals, if there is one. The highest
// version below another is always of its series, if one of them is there.
func (h *history) since() (list []relation) {
	candidate := h.pre.version.In(h.version)
	newest := h.final
	if newest.version.IsZero() || h.version.IsPre() && h.pre.version.Compare(newest.version) > 0 {
		newest = h.pre
		candidate = false
	}
	if newest.version.IsZero() {
		return nil
	}
	list = append(list, relation{approval.Earlier, newest})
	if candidate && !h.version.IsPre() {
		list = append(list, relation{approval.Candidate, h.pre})
	}
	return list
}

// none says why there is nothing to compare with on an index that has something.
func (h *history) none() string {
	yanked, later := 0, 0
	for _, p := range h.known {
		switch {
		case !p.before:
			later++
		case p.yanked == p.total:
			yanked++
		}
	}
	status := h.page.status
	if status == "" {
		status = "active"
	}
	return fmt.Sprintf("the index has no earlier release to compare with: %d are later, %d are yanked, "+
		"%d files have names that say no version, and the project is %s", later, yanked, h.unread, brief(status))
}

// attestedOf counts the files of a release that have provenance.
func (h *history) attestedOf(v dist.Version) approval.Attested {
	p, ok := h.known[v.String()]
	if !ok {
		return approval.Attested{}
	}
	return approval.Attested{Version: v.String(), Files: p.total, Attested: p.attested}
}

// before is the newest release before another on the index, of its kind.
func (h *history) before(v dist.Version) dist.Version {
	var newest dist.Version
	for _, p := range h.known {
		if p.pre == v.IsPre() && p.version.Compare(v) < 0 && p.version.Compare(newest) > 0 {
			newest = p.version
		}
	}
	return newest
}

// uploaded is when the last of the files came, as the index says.
func (p past) uploaded() string {
	var last time.Time
	for _, f := range p.files {
		if at, err := time.Parse(time.RFC3339Nano, f.uploaded); err == nil && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return ""
	}
	return last.UTC().Format(time.RFC3339)
}
