package pypitest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// jsonFile is a file as the JSON API describes it.
type jsonFile struct {
	CommentText    string            `json:"comment_text"`
	CoreMetadata   any               `json:"core-metadata"` // false or digests
	Digests        map[string]string `json:"digests"`
	Downloads      int               `json:"downloads"`
	Filename       string            `json:"filename"`
	HasSig         bool              `json:"has_sig"`
	MD5            string            `json:"md5_digest"`
	PackageType    string            `json:"packagetype"`
	PythonVersion  string            `json:"python_version"`
	RequiresPython *string           `json:"requires_python"`
	Size           int64             `json:"size"`
	UploadTime     string            `json:"upload_time"`
	UploadTimeISO  string            `json:"upload_time_iso_8601"`
	URL            string            `json:"url"`
	Yanked         bool              `json:"yanked"`
	YankedReason   *string           `json:"yanked_reason"`
}

func (r *release) jsonFiles(base string) []jsonFile {
	files := []jsonFile{}
	for _, f := range r.sorted() {
		j := jsonFile{
			CommentText:  f.comment,
			CoreMetadata: false,
			Digests: map[string]string{
				"md5": f.digests.md5, "sha256": f.digests.sha256, "blake2b_256": f.digests.blake2,
			},
			Downloads:      -1,
			Filename:       f.name,
			MD5:            f.digests.md5,
			PackageType:    f.kind,
			PythonVersion:  f.pythonVersion,
			RequiresPython: absent(r.meta.requiresPython),
			Size:           f.size,
			UploadTime:     f.uploaded.Format("2006-01-02T15:04:05"),
			UploadTimeISO:  f.uploadTime(),
			URL:            f.url(base),
			Yanked:         r.yanked,
			YankedReason:   absent(r.yankedReason),
		}
		if f.metadata != "" {
			j.CoreMetadata = map[string]string{"sha256": f.metadata}
		}
		files = append(files, j)
	}
	return files
}

// absent is nil for "".
func absent(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// serveReleaseJSON is /pypi/{project}/{version}/json.
func (x *Index) serveReleaseJSON(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, rel := x.find(r)
	if rel == nil {
		x.serveNotFound(w, r)
		return
	}
	if !redirected(w, r, p, "/pypi/"+p.normalized+"/"+r.PathValue("v")+"/json") {
		x.serveJSON(w, r, p, rel, nil)
	}
}

// serveProjectJSON is /pypi/{project}/json: the latest release, and the files
// of all.
func (x *Index) serveProjectJSON(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.projects[normalizeName(r.PathValue("p"))]
	if p == nil || p.latest() == nil {
		x.serveNotFound(w, r)
		return
	}
	if redirected(w, r, p, "/pypi/"+p.normalized+"/json") {
		return
	}
	all := map[string][]jsonFile{}
	for _, rel := range p.releases {
		all[rel.version.String()] = rel.jsonFiles(address(r))
	}
	x.serveJSON(w, r, p, p.latest(), all)
}

// latest is the highest version, a yanked one or a pre-release only if there
// is no other.
func (p *project) latest() *release {
	if p.status == Quarantined || len(p.releases) == 0 {
		return nil
	}
	lastResort := func(r *release) int {
		switch {
		case r.yanked:
			return 2
		case r.version.IsPreRelease():
			return 1
		}
		return 0
	}
	return slices.MaxFunc(p.releases, func(a, b *release) int {
		return cmp.Or(lastResort(b)-lastResort(a), a.version.Compare(b.version))
	})
}

// serveJSON describes a release, and with it all the project's files, if given.
func (x *Index) serveJSON(
	w http.ResponseWriter, r *http.Request, p *project, rel *release, all map[string][]jsonFile,
) {
	roles := []map[string]string{}
	for _, owner := range slices.Sorted(maps.Keys(p.owners)) {
		roles = append(roles, map[string]string{"role": "Owner", "user": owner})
	}
	page := map[string]any{
		"info":            rel.info(address(r), p),
		"urls":            rel.jsonFiles(address(r)),
		"vulnerabilities": []string{},
		"last_serial":     p.serial,
		"ownership":       map[string]any{"roles": roles, "organization": nil},
	}
	if all != nil {
		page["releases"] = all
	}
	body, err := json.Marshal(page)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	serveBody(w, r, plainJSON, p.serial, append(body, '\n'))
}

// info is the metadata of a release: that of its first file.
func (r *release) info(base string, p *project) map[string]any {
	page := base + "/project/" + p.normalized + "/"
	info := map[string]any{
		"name": p.name, "version": r.version.String(), "requires_python": absent(r.meta.requiresPython),
		"package_url": page, "project_url": page, "release_url": fmt.Sprintf("%s%s/", page, r.version),
		"downloads": map[string]int{"last_day": -1, "last_week": -1, "last_month": -1},
		"docs_url":  nil, "bugtrack_url": nil, "yanked": r.yanked, "yanked_reason": absent(r.yankedReason),
		"platform": absent(r.meta.one("platform")), "license_files": r.meta.values["license_file"],
		"classifiers": append([]string{}, r.meta.values["classifiers"]...),
		"keywords":    absent(r.meta.keywords()), "project_urls": nil,
	}
	for _, field := range []string{
		"summary", "description", "description_content_type", "license", "license_expression",
		"author", "author_email", "maintainer", "maintainer_email", "home_page", "download_url",
	} {
		info[field] = absent(r.meta.one(field))
	}
	for _, field := range []string{"requires_dist", "provides_extra", "dynamic"} {
		info[field] = r.meta.values[field]
	}
	if urls := projectURLs(r.meta.values["project_urls"]); len(urls) > 0 {
		info["project_urls"] = urls
	}
	return info
}
