package pypitest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is an API token: a person's, or one minted for a publisher.
type token struct {
	user      User      // whose it is; the zero User for a minted one
	publisher Publisher // whom it was minted for
	projects  []string  // normalised names that it is good for; nil of a user's is all

	notBefore, expires int64 // Unix time; 0 for a person's, which does not expire
}

func (t *token) minted() bool { return t.user == User{} }

// keep files a token and returns what its holder gets. The caller holds x.mu.
func (x *Index) keep(t *token) string {
	raw := "pypi-" + rand.Text() + rand.Text() + rand.Text()
	x.tokens[raw] = t
	return raw
}

// caveat says what keeps the token from being used for a project, "" if
// nothing does. It is the first of the caveats that does not hold.
func (t *token) caveat(p *project, now time.Time) string {
	listed := slices.Contains(t.projects, p.normalized)
	switch {
	case t.minted() && !slices.Contains(p.publishers, t.publisher):
		return "OIDC scoped token is not valid for project '" + p.name + "'"
	case t.minted() && !listed, t.projects != nil && !listed:
		return "project-scoped token is not valid for project: " + repr(p.name)
	case t.expires != 0 && (now.Unix() < t.notBefore || now.Unix() >= t.expires):
		return "token is expired"
	}
	return ""
}

// authorization is what a request says of who sent it.
type authorization struct {
	token    string
	password bool // a user name other than __token__, and a password
}

// authorize reads the Authorization header: Basic for the user __token__, or
// "bearer" or "token" and the token.
func authorize(r *http.Request) authorization {
	scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok {
		return authorization{}
	}
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return authorization{token: value}
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return authorization{}
		}
		user, secret, _ := strings.Cut(string(raw), ":")
		if user != "__token__" {
			return authorization{password: true}
		}
		return authorization{token: strings.TrimSpace(secret)}
	}
	return authorization{}
}

// serveBurn ends the life of a minted token, and says so whether or not there
// was one.
func (x *Index) serveBurn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&body)
	x.mu.Lock()
	if t := x.tokens[body.Token]; err == nil && t != nil && t.minted() {
		delete(x.tokens, body.Token)
	}
	x.mu.Unlock()
	writeJSON(w, http.StatusAccepted, plainJSON, map[string]any{"message": "Accepted", "errors": []string{}})
}
