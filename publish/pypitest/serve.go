package pypitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// Media types of the APIs that are read.
const (
	textHTML     = "text/html"
	simpleHTML   = "application/vnd.pypi.simple.v1+html"
	simpleJSON   = "application/vnd.pypi.simple.v1+json"
	integrityV1  = "application/vnd.pypi.integrity.v1+json"
	plainJSON    = "application/json"
	apiVersion   = "1.4"
	tenMinutes   = "max-age=600, public"
	pythonMicros = "2006-01-02T15:04:05.000000"
)

// serveFront is the page for a person who came to the upload API.
func (x *Index) serveFront(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	io.WriteString(w, "<!DOCTYPE html>\n<html lang=\"en\">\n<title>Package index</title>\n"+
		"<p>This is the upload API of a package index. Upload with <code>:action=file_upload</code>;\n"+
		"read <a href=\"/simple/\">/simple/</a>.\n</html>\n")
}

// serveNotFound answers in the form of whichever API it was.
func (x *Index) serveNotFound(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/simple/"):
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "404 Not Found")
	case strings.HasPrefix(r.URL.Path, "/pypi/"):
		writeMessage(w, http.StatusNotFound, "Not Found")
	default:
		http.Error(w, "404 Not Found", http.StatusNotFound)
	}
}

// crossOrigin lets pages of other sites read the APIs.
func crossOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers",
		"Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since")
	h.Set("Access-Control-Allow-Methods", "GET")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Access-Control-Expose-Headers", "X-PyPI-Last-Serial")
}

// serveBody answers with a page of an API, or with 304 to who has it.
func serveBody(w http.ResponseWriter, r *http.Request, mediaType string, serial int, body []byte) {
	crossOrigin(w.Header())
	digest := sha256.Sum256(body)
	if strings.HasSuffix(mediaType, "html") {
		mediaType += "; charset=UTF-8"
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", tenMinutes)
	w.Header().Set("Vary", "Accept")
	w.Header().Set("ETag", `"`+hex.EncodeToString(digest[:16])+`"`)
	w.Header().Set("X-PyPI-Last-Serial", strconv.Itoa(serial))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// redirected sends who spelled a project's name otherwise to its right one.
func redirected(w http.ResponseWriter, r *http.Request, p *project, path string) bool {
	if r.PathValue("p") == p.normalized {
		return false
	}
	crossOrigin(w.Header())
	http.Redirect(w, r, path, http.StatusMovedPermanently)
	return true
}

// simpleFile is a file as the simple API lists it (PEP 691, 700, 714, 740).
type simpleFile struct {
	Filename       string            `json:"filename"`
	URL            string            `json:"url"`
	Hashes         map[string]string `json:"hashes"`
	RequiresPython *string           `json:"requires-python"`
	Size           int64             `json:"size"`
	UploadTime     string            `json:"upload-time"`
	Yanked         any               `json:"yanked"`                  // true, false or the reason
	DistInfo       any               `json:"data-dist-info-metadata"` // false or digests
	CoreMetadata   any               `json:"core-metadata"`           // the same
	Provenance     *string           `json:"provenance"`
}

// simpleProject is what the simple API says of a project.
type simpleProject struct {
	Meta     simpleMeta        `json:"meta"`
	Name     string            `json:"name"`
	Status   map[string]Status `json:"project-status"`
	Versions []string          `json:"versions"`
	Files    []simpleFile      `json:"files"`
}

type simpleMeta struct {
	APIVersion string `json:"api-version"`
	Serial     int    `json:"_last-serial"`
}

// simple lists a project's files, by version and name.
func (p *project) simple(base string) simpleProject {
	page := simpleProject{
		Meta: simpleMeta{apiVersion, p.serial}, Name: p.normalized,
		Status: map[string]Status{"status": p.status}, Versions: []string{}, Files: []simpleFile{},
	}
	for _, r := range p.listed() {
		page.Versions = append(page.Versions, r.version.String())
		for _, f := range r.sorted() {
			page.Files = append(page.Files, r.simple(base, p, f))
		}
	}
	return page
}

func (r *release) simple(base string, p *project, f *file) simpleFile {
	s := simpleFile{
		Filename: f.name, URL: f.url(base), Hashes: map[string]string{"sha256": f.digests.sha256},
		Size: f.size, UploadTime: f.uploadTime(), Yanked: r.yanked, DistInfo: false, CoreMetadata: false,
	}
	if r.meta.requiresPython != "" {
		s.RequiresPython = &r.meta.requiresPython
	}
	if r.yanked && r.yankedReason != "" {
		s.Yanked = r.yankedReason
	}
	if f.metadata != "" {
		digest := map[string]string{"sha256": f.metadata}
		s.DistInfo, s.CoreMetadata = digest, digest
	}
	if f.provenance != nil {
		at := fmt.Sprintf("%s/integrity/%s/%s/%s/provenance", base, p.normalized,
			url.PathEscape(r.version.String()), url.PathEscape(f.name))
		s.Provenance = &at
	}
	return s
}

// url is where the file is served.
func (f *file) url(base string) string {
	return base + "/packages/" + (&url.URL{Path: f.path()}).EscapedPath()
}

// uploadTime is the time as Python writes it.
func (f *file) uploadTime() string {
	return strings.TrimSuffix(f.uploaded.Format(pythonMicros), ".000000") + "Z"
}

// serveProject is /simple/{project}/.
func (x *Index) serveProject(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.projects[normalizeName(r.PathValue("p"))]
	if p == nil || r.URL.Path != "/simple/"+r.PathValue("p")+"/" {
		x.serveNotFound(w, r)
		return
	}
	if redirected(w, r, p, "/simple/"+p.normalized+"/") {
		return
	}
	page := p.simple(address(r))
	serveSimple(w, r, p.serial, projectPage, page)
}

// serveProjects is /simple/, the list of all projects.
func (x *Index) serveProjects(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	type entry struct {
		Name       string `json:"name"`
		Serial     int    `json:"_last-serial"`
		Normalized string `json:"-"`
	}
	page := struct {
		Meta     simpleMeta `json:"meta"`
		Projects []entry    `json:"projects"`
	}{simpleMeta{apiVersion, x.serial}, []entry{}}
	for _, p := range x.projects {
		if p.status != Quarantined {
			page.Projects = append(page.Projects, entry{p.name, p.serial, p.normalized})
		}
	}
	slices.SortFunc(page.Projects, func(a, b entry) int {
		return strings.Compare(a.Normalized, b.Normalized)
	})
	serveSimple(w, r, x.serial, projectsPage, page)
}

// serveSimple serves a page as HTML, by a template, or as JSON: as the client
// likes.
func serveSimple(w http.ResponseWriter, r *http.Request, serial int, asHTML string, page any) {
	mediaType := textHTML
	if offers := acceptable(r.Header.Get("Accept"), textHTML, simpleHTML, simpleJSON); len(offers) > 0 {
		mediaType = offers[0]
	}
	var body bytes.Buffer
	var err error
	if mediaType == simpleJSON {
		err = json.NewEncoder(&body).Encode(page)
	} else {
		var t *template.Template
		functions := template.FuncMap{"isText": isText}
		if t, err = template.New("").Funcs(functions).Parse(asHTML); err == nil {
			err = t.Execute(&body, page)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	serveBody(w, r, mediaType, serial, body.Bytes())
}

func isText(v any) bool { _, ok := v.(string); return ok }

const projectPage = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta name="pypi:repository-version" content="{{.Meta.APIVersion}}">
    <meta name="pypi:project-status" content="{{.Status.status}}">
    <title>Links for {{.Name}}</title>
  </head>
  <body>
    <h1>Links for {{.Name}}</h1>
{{- range .Files}}
    <a href="{{.URL}}#sha256={{.Hashes.sha256}}"
      {{- with .RequiresPython}} data-requires-python="{{.}}"{{end}}
      {{- if isText .Yanked}} data-yanked="{{.Yanked}}"{{else if .Yanked}} data-yanked=""{{end}}
      {{- with .CoreMetadata}} data-dist-info-metadata="sha256={{.sha256}}"{{end}}
      {{- with .CoreMetadata}} data-core-metadata="sha256={{.sha256}}"{{end}}
      {{- with .Provenance}} data-provenance="{{.}}"{{end}}>{{.Filename}}</a><br />
{{- end}}
  </body>
</html>
`

const projectsPage = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta name="pypi:repository-version" content="{{.Meta.APIVersion}}">
    <title>Simple index</title>
  </head>
  <body>
{{- range .Projects}}
    <a href="/simple/{{.Normalized}}/">{{.Name}}</a>
{{- end}}
  </body>
</html>
`

// serveFile serves a file, or the metadata of a wheel beside it (PEP 658), whole
// or in ranges.
func (x *Index) serveFile(w http.ResponseWriter, r *http.Request) {
	wanted := strings.TrimPrefix(r.URL.Path, "/packages/")
	x.mu.Lock()
	var at string
	var uploaded time.Time
	for f := range x.files() {
		if wanted == f.path() {
			at, uploaded = x.stored(f), f.uploaded
			w.Header().Set("ETag", `"`+f.digests.md5+`"`)
		}
		if wanted == f.path()+".metadata" && f.metadata != "" {
			at, uploaded = x.stored(f)+".metadata", f.uploaded
		}
	}
	x.mu.Unlock()
	file, err := os.Open(at)
	if err != nil {
		x.serveNotFound(w, r)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "max-age=365000000, immutable, public")
	http.ServeContent(w, r, "", uploaded, file)
}

// find is the release and the file that a path names.
func (x *Index) find(r *http.Request) (*project, *release) {
	p := x.projects[normalizeName(r.PathValue("p"))]
	version, err := pep440.Parse(r.PathValue("v"))
	if p == nil || p.status == Quarantined || err != nil {
		return p, nil
	}
	return p, p.release(version)
}

// serveProvenance is the integrity API.
func (x *Index) serveProvenance(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, rel := x.find(r)
	if rel == nil {
		x.serveNotFound(w, r)
		return
	}
	i := slices.IndexFunc(rel.files, func(f *file) bool { return f.name == r.PathValue("f") })
	offers := acceptable(r.Header.Get("Accept"), integrityV1, plainJSON)
	switch {
	case i < 0:
		x.serveNotFound(w, r)
	case len(offers) == 0:
		writeMessage(w, http.StatusNotAcceptable, "Request not acceptable")
	case x.flags[DisableAttestations]:
		writeMessage(w, http.StatusForbidden, "Attestations temporarily disabled")
	case rel.files[i].provenance == nil:
		writeMessage(w, http.StatusNotFound, "No provenance available for "+rel.files[i].name)
	default:
		serveBody(w, r, offers[0], p.serial, rel.files[i].provenance)
	}
}
