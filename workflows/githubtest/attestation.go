package githubtest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
)

// bundleURLGood is how long the address of a bundle is good for.
const bundleURLGood = time.Hour

// Encoding is how a bundle lies in the blob storage.
type Encoding string

// Encodings. GitHub's own is Snappy's block format.
const (
	SnappyBlock  Encoding = ""
	SnappyFramed Encoding = "framed"
	PlainJSON    Encoding = "json"
)

// Attestation is a bundle that a repository's jobs, or GitHub itself, stored.
// What it is found by is what its statement says: nobody asks who signed it.
type Attestation struct {
	Repository string // "owner/name"
	Bundle     []byte // JSON

	ID        int64    // 0 is the next
	Subjects  []string // "sha256:…"; nil is those of the statement
	Predicate string   // type; "" is the statement's
	Initiator string   // "" is "user"; GitHub's own, of releases, are "github"
	Encoding  Encoding
}

// PutAttestation stores an attestation and returns it with what was read from
// its statement.
func (g *GitHub) PutAttestation(a Attestation) (Attestation, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.putAttestation(a)
}

func (g *GitHub) putAttestation(a Attestation) (Attestation, error) {
	if a.Subjects == nil || a.Predicate == "" {
		subjects, predicate, err := statement(a.Bundle)
		if err != nil {
			return Attestation{}, fmt.Errorf("attestation: %w", err)
		}
		a.Predicate = cmp.Or(a.Predicate, predicate)
		if a.Subjects == nil {
			a.Subjects = subjects
		}
	}
	a.Initiator = cmp.Or(a.Initiator, "user")
	g.repository(a.Repository)
	if a.ID == 0 {
		a.ID = g.lastAttestation + 1
	}
	g.lastAttestation = max(g.lastAttestation, a.ID)
	g.attestations = append(without(g.attestations, a.ID), a)
	return a, nil
}

// DeleteAttestation takes an attestation away, which anybody who may write them
// can do.
func (g *GitHub) DeleteAttestation(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.attestations = without(g.attestations, id)
}

func without(all []Attestation, id int64) []Attestation {
	return slices.DeleteFunc(all, func(a Attestation) bool { return a.ID == id })
}

// statement reads subjects and predicate type from a bundle's in-toto statement.
func statement(bundle []byte) (subjects []string, predicate string, err error) {
	var b struct{ DSSEEnvelope struct{ Payload []byte } }
	if err := json.Unmarshal(bundle, &b); err != nil {
		return nil, "", err
	}
	var s struct {
		PredicateType string
		Subject       []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(b.DSSEEnvelope.Payload, &s); err != nil {
		return nil, "", err
	}
	for _, subject := range s.Subject {
		if hex := subject.Digest["sha256"]; hex != "" {
			subjects = append(subjects, "sha256:"+hex)
		}
	}
	return subjects, s.PredicateType, nil
}

var attestationRoutes = []route{
	{"GET /repos/{owner}/{repo}/attestations/{digest}", "attestations=read",
		"repos/attestations#list-attestations", (*GitHub).listAttestations},
	{"POST /repos/{owner}/{repo}/attestations", "attestations=write",
		"repos/attestations#create-an-attestation", (*GitHub).createAttestation},
	{"GET /orgs/{account}/attestations/{digest}", "",
		"orgs/attestations#list-attestations", (*GitHub).listAttestations},
	{"GET /users/{account}/attestations/{digest}", "",
		"users/attestations#list-attestations", (*GitHub).listAttestations},
	{"POST /orgs/{account}/attestations/bulk-list", "",
		"orgs/attestations#list-attestations-by-bulk-subject-digests", (*GitHub).listBulk},
	{"POST /users/{account}/attestations/bulk-list", "",
		"users/attestations#list-attestations-by-bulk-subject-digests", (*GitHub).listBulk},
}

// attested are the attestations that the path speaks of and the caller may
// read, of one of the digests and of the type asked for, the newest first.
func (g *GitHub) attested(c call, digests []string, predicate string) ([]Attestation, error) {
	account := c.PathValue("account")
	if _, known := g.users[strings.ToLower(account)]; account != "" && !known {
		return nil, errNotFound
	}
	var found []Attestation
	for _, a := range g.attestations {
		repo := g.repository(a.Repository)
		owner, _, _ := strings.Cut(repo.Name, "/")
		switch {
		case c.repo != nil && repo != c.repo:
		case c.repo == nil && !strings.EqualFold(owner, account):
		case c.repo == nil && !c.access.reads(repo, "attestations"):
		case !slices.ContainsFunc(a.Subjects, func(s string) bool { return slices.Contains(digests, s) }):
		case !ofType(a.Predicate, predicate):
		default:
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b Attestation) int { return cmp.Compare(b.ID, a.ID) })
	return found, nil
}

// reads tells whether a token may read something of a repository.
func (a *Access) reads(repo *Repository, permission string) bool {
	return !repo.Private || a.sees(repo) && a.Permissions[permission] != ""
}

// ofType tells whether a predicate is of the type asked for, of which three
// have a short name.
func ofType(predicate, want string) bool {
	families := map[string][]string{
		"provenance": {"https://slsa.dev/provenance/"},
		"sbom":       {"https://spdx.dev/Document", "https://cyclonedx.org/bom"},
		"release":    {"https://in-toto.io/attestation/release/"},
	}
	if want == "" || predicate == want {
		return true
	}
	return slices.ContainsFunc(families[want], func(prefix string) bool {
		return strings.HasPrefix(predicate, prefix)
	})
}

var digestForm = regexp.MustCompile(`^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$`)

func (g *GitHub) listAttestations(c call) (answer, error) {
	digest, query := c.PathValue("digest"), c.URL.Query()
	if !digestForm.MatchString(digest) {
		return answer{}, unprocessable("Invalid subject digest")
	}
	found, err := g.attested(c, []string{digest}, query.Get("predicate_type"))
	if err != nil {
		return answer{}, err
	}
	if len(found) == 0 && !g.behaviour.ListsNoAttestations {
		return answer{}, errNotFound
	}
	page, before, after, err := between(found, query)
	if err != nil {
		return answer{}, err
	}
	items := []any{}
	for _, a := range page {
		item, err := g.attestationJSON(c, a)
		if err != nil {
			return answer{}, err
		}
		item["initiator"] = a.Initiator
		items = append(items, item)
	}
	header := http.Header{}
	if links := g.cursorLinks(c, before, after); links != "" {
		header.Set("Link", links)
	}
	return answer{header: header, body: object{"attestations": items}}, nil
}

// between is the part of a list that the cursors of a query ask for, and the
// cursors to what is before and after it, "" if nothing is.
func between(all []Attestation, query url.Values) (page []Attestation, before, after string, err error) {
	size := min(atLeast(query.Get("per_page"), 1, perPage), maxPage)
	from, to := 0, len(all)
	if query.Has("after") {
		if from, err = position(all, query.Get("after")); err != nil {
			return nil, "", "", err
		}
		from++
	}
	if query.Has("before") {
		if to, err = position(all, query.Get("before")); err != nil {
			return nil, "", "", err
		}
		from = max(to-size, 0)
	}
	to = min(from+size, to)
	if from > 0 && from < len(all) {
		before = cursor(all[from])
	}
	if to < len(all) && to > 0 {
		after = cursor(all[to-1])
	}
	return all[from:to], before, after, nil
}

func cursor(a Attestation) string {
	return base64.StdEncoding.EncodeToString([]byte("cursor:v2:" + strconv.FormatInt(a.ID, 10)))
}

func position(all []Attestation, at string) (int, error) {
	i := slices.IndexFunc(all, func(a Attestation) bool { return cursor(a) == at })
	if i < 0 {
		return 0, unprocessable("Invalid cursor")
	}
	return i, nil
}

func (g *GitHub) cursorLinks(c call, before, after string) string {
	var links []string
	for _, to := range []struct{ name, rel, cursor string }{
		{"after", "next", after}, {"before", "prev", before},
	} {
		if to.cursor == "" {
			continue
		}
		query := c.URL.Query()
		query.Del("before")
		query.Del("after")
		query.Set(to.name, to.cursor)
		links = append(links, fmt.Sprintf("<%s?%s>; rel=%q", g.numbered(c), query.Encode(), to.rel))
	}
	return strings.Join(links, ", ")
}

// listBulk lists the attestations of many digests at once. A digest that has
// none is null.
func (g *GitHub) listBulk(c call) (answer, error) {
	var asked struct {
		Digests   []string `json:"subject_digests"`
		Predicate string   `json:"predicate_type"`
	}
	if err := c.decode(&asked); err != nil {
		return answer{}, err
	}
	if len(asked.Digests) < 1 || len(asked.Digests) > 1024 {
		return answer{}, unprocessable("Invalid request.\n\nFor 'subject_digests', want 1 to 1024 items.")
	}
	found, err := g.attested(c, asked.Digests, asked.Predicate)
	if err != nil {
		return answer{}, err
	}
	page, before, after, err := between(found, c.URL.Query())
	if err != nil {
		return answer{}, err
	}
	of := object{}
	for _, digest := range asked.Digests {
		var items []any
		for _, a := range page {
			if !slices.Contains(a.Subjects, digest) {
				continue
			}
			item, err := g.attestationJSON(c, a)
			if err != nil {
				return answer{}, err
			}
			items = append(items, item)
		}
		of[digest] = items
	}
	return ok(object{"attestations_subject_digests": of, "page_info": object{
		"has_next": after != "", "has_previous": before != "", "next": after, "previous": before}})
}

func (g *GitHub) createAttestation(c call) (answer, error) {
	var asked struct{ Bundle json.RawMessage }
	if err := c.decode(&asked); err != nil {
		return answer{}, err
	}
	a, err := g.putAttestation(Attestation{Repository: c.repo.Name, Bundle: asked.Bundle})
	if err != nil || len(a.Subjects) == 0 {
		return answer{}, unprocessable("Validation Failed")
	}
	return answer{status: http.StatusCreated, body: object{"id": a.ID}}, nil
}

// attestationJSON names where the bundle is. It is not in the answer any more:
// the older version of the API says null.
func (g *GitHub) attestationJSON(c call, a Attestation) (object, error) {
	content, kind, err := a.Encoding.encode(a.Bundle)
	if err != nil {
		return nil, err
	}
	suffix := ".json.sn"
	if a.Encoding == PlainJSON {
		suffix = ".json"
	}
	repo := g.repository(a.Repository)
	day := g.start.UTC().Format("2006/01/02")
	at, err := g.sign(blob{
		path:    fmt.Sprintf("/attestations/%d/%s/%d%s", repo.ID, day, a.ID, suffix),
		Content: bytes.NewReader(content), Size: int64(len(content)), Type: kind, Modified: g.start,
	}, bundleURLGood)
	if err != nil {
		return nil, err
	}
	o := object{"repository_id": repo.ID, "bundle_url": at}
	if c.version < Version2026 {
		o["bundle"] = nil
	}
	return o, nil
}

func (e Encoding) encode(bundle []byte) (content []byte, contentType string, err error) {
	switch e {
	case PlainJSON:
		return bundle, "application/json", nil
	case SnappyFramed:
		var buffer bytes.Buffer
		w := snappy.NewBufferedWriter(&buffer)
		if _, err := io.Copy(w, bytes.NewReader(bundle)); err != nil {
			return nil, "", err
		}
		err := w.Close()
		return buffer.Bytes(), "application/x-snappy-framed", err
	default:
		return snappy.Encode(nil, bundle), "application/x-snappy", nil
	}
}
