package pypitest

import (
	"encoding/json"
	"io"
	"net/http"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// serveYank is an API to yank by, in the form that pypi/warehouse#16912 proposes:
// PATCH with a token that may upload to the project. PyPI has none, so it is there
// only where the index is told to have it.
func (x *Index) serveYank(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Yanked *bool   `json:"yanked"`
		Reason *string `json:"yanked_reason"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&body)
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.projects[normalizeName(r.PathValue("p"))]
	if p == nil || !x.config.YankAPI {
		x.serveNotFound(w, r)
		return
	}
	token := x.tokens[authorize(r).token]
	version, notVersion := pep440.Parse(r.PathValue("v"))
	switch {
	case token == nil:
		writeMessage(w, http.StatusForbidden, "Invalid or non-existent authentication information.")
		return
	case token.caveat(p, x.now()) != "":
		writeMessage(w, http.StatusForbidden, "Invalid API Token: "+token.caveat(p, x.now()))
		return
	case err != nil || body.Yanked == nil:
		writeMessage(w, http.StatusBadRequest, "Invalid JSON body")
		return
	case notVersion != nil || p.release(version) == nil:
		writeMessage(w, http.StatusNotFound, "Not Found")
		return
	}
	rel := p.release(version)
	rel.yanked, rel.yankedReason = *body.Yanked, ""
	if body.Reason != nil {
		rel.yankedReason = *body.Reason
	}
	x.changed(p)
	writeMessage(w, http.StatusOK, "OK")
}
