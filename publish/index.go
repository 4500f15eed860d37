package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Address says where an index is, as the policy has it. Every field is
// required but Files, Limits, Manage and Yank.
type Address struct {
	Name      string        // how policy and release manifest call it, in a-z, 0-9 and -
	Upload    string        // URL of the legacy upload API; trusted publishing is at /_/oidc/ of its host
	Simple    string        // URL of the simple API
	Integrity string        // URL of the integrity API (PEP 740)
	Files     []string      // further hosts that serve files, like "https://files.pythonhosted.org"
	Audience  string        // of the ID token that it takes
	Patience  time.Duration // how long it may take to serve what it took
	Limits    Limits        // on what it takes
	Manage    string        // URL that owners manage projects below, in a browser; "" where there is none
	Yank      string        // URL of an API that a job can yank by; "" where there is none
}

// Limits are what an index takes at the most, as far as is known: 0 is not at all.
type Limits struct {
	File    int64         // bytes of one file
	Project int64         // bytes of all files of a project
	Open    time.Duration // how long a release takes new files after its first
}

// warehouse is what pypi.org and test.pypi.org take, where no project had it raised.
func warehouse() Limits { return Limits{File: 100 << 20, Project: 10 << 30, Open: 14 * 24 * time.Hour} }

// PyPI is the Python Package Index.
func PyPI() Address {
	return Address{
		Name: "pypi", Audience: "pypi", Patience: 15 * time.Minute,
		Upload: "https://upload.pypi.org/legacy/",
		Simple: "https://pypi.org/simple/", Integrity: "https://pypi.org/integrity/",
		Files: []string{"https://files.pythonhosted.org"}, Limits: warehouse(),
		Manage: "https://pypi.org/manage/project/",
	}
}

// TestPyPI is the index to try things on.
func TestPyPI() Address {
	return Address{
		Name: "testpypi", Audience: "testpypi", Patience: 15 * time.Minute,
		Upload: "https://test.pypi.org/legacy/",
		Simple: "https://test.pypi.org/simple/", Integrity: "https://test.pypi.org/integrity/",
		Files: []string{"https://test-files.pythonhosted.org"}, Limits: warehouse(),
		Manage: "https://test.pypi.org/manage/project/",
	}
}

// pins are the audiences that belong to one index and to no other.
func pins() map[string][]string {
	return map[string][]string{
		"pypi":     {"https://pypi.org", "https://upload.pypi.org"},
		"testpypi": {"https://test.pypi.org"},
	}
}

// foreign are audiences by which somebody else than an index gives out rights:
// certificates in the job's name, or keys to a cloud or to another registry.
func foreign() []string {
	return []string{attest.SigstoreAudience, "sts.amazonaws.com", "api://AzureADTokenExchange",
		"npm:registry.npmjs.org", "crates.io", "rubygems.org"}
}

// Bounds on what an index says, in bytes.
const (
	maxProvenance = 4 << 20
	maxAnswer     = 64 << 10
)

// Index is a package index whose address was checked, and the only way to it:
// its client goes to the hosts of the address and nowhere else.
type Index struct {
	address   Address
	upload    *url.URL
	simple    *url.URL
	integrity *url.URL
	yank      *url.URL // nil where there is no API for it
	oidc      *url.URL // trusted publishing, at the host of upload
	client    *http.Client

	mu      sync.Mutex
	serials map[string]int // the newest page that was seen of each project
}

// NewIndex checks an address. It refuses one that is not all https (or
// loopback), one that lies at several origins, one whose audience belongs to another
// index or to another service, and a name or an audience that could be taken for another by its looks.
func NewIndex(a Address) (*Index, error) {
	var no rule.Refusals
	parse := func(label, address string) *url.URL {
		u, err := secure(address)
		if err != nil {
			no = append(no, a.refuse(rule.IndexAddress, "an https URL for "+label, err.Error()))
			return &url.URL{}
		}
		return u
	}
	x := &Index{address: a, serials: map[string]int{}, upload: parse("uploads", a.Upload),
		simple: parse("the simple API", a.Simple), integrity: parse("the integrity API", a.Integrity)}
	origins := []string{origin(x.upload), origin(x.simple), origin(x.integrity)}
	no = append(no, a.pinned(origins)...)
	for _, files := range a.Files {
		origins = append(origins, origin(parse("files", files)))
	}
	if a.Yank != "" {
		x.yank = parse("the API to yank by", a.Yank)
		origins = append(origins, origin(x.yank))
	}
	if a.Manage != "" {
		parse("the owners' pages", a.Manage)
	}
	if len(no) == 0 {
		no = append(no, a.together(x)...)
	}
	if !only(a.Name, lower+"-") || a.Patience <= 0 {
		no = append(no, a.refuse(rule.IndexAddress, "a name in a-z, 0-9 and -, and a time to wait for the index",
			fmt.Sprintf("%+q, %v", a.Name, a.Patience)))
	}
	x.oidc = x.upload.ResolveReference(&url.URL{Path: "/_/oidc/"})
	x.client = newClient(dist.MaxSize+1, origins...)
	if len(no) > 0 {
		return nil, no
	}
	return x, nil
}

func (a Address) refuse(id rule.ID, want, got string) rule.Refusal {
	return rule.Refusal{File: "index " + brief(a.Name), Rule: id, Want: want, Got: brief(got),
		Hint: "correct the index in the policy"}
}

// pinned wants an audience that belongs to an index to go with that index's
// origins, and those origins with it. Its name is not for others either: it is
// what people are shown when they approve.
func (a Address) pinned(origins []string) (no rule.Refusals) {
	if !only(a.Audience, lower+upper+"-._:/") {
		return rule.Refusals{a.refuse(rule.IndexAudience,
			"the audience of the index's ID tokens, in letters, digits and -._:/", fmt.Sprintf("%+q", a.Audience))}
	}
	for _, audience := range foreign() {
		if strings.EqualFold(audience, a.Audience) {
			no = append(no, a.refuse(rule.IndexAudience, "an audience of the index's own",
				audience+", by which others give out rights"))
		}
	}
	if pins()[a.Name] != nil && a.Name != a.Audience {
		no = append(no, a.refuse(rule.IndexAudience,
			"the name "+a.Name+" for the index of that audience alone", a.Audience))
	}
	theirs := pins()[a.Audience]
	for _, at := range origins {
		for audience, pinned := range pins() {
			if audience != a.Audience && slices.Contains(pinned, at) {
				no = append(no, a.refuse(rule.IndexAudience, "the audience "+audience+" for "+at, a.Audience))
			}
		}
		if theirs != nil && !slices.Contains(theirs, at) {
			no = append(no, a.refuse(rule.IndexAudience,
				"the audience "+a.Audience+" for "+strings.Join(theirs, " and ")+" alone", at))
		}
	}
	return no
}

// together wants all of an index at one origin, where no audience says which belong
// together: else one address could be pointed to who hides what the others have. Files
// can lie elsewhere, for each is known by its digest, and so can the owners' pages,
// which only people open.
func (a Address) together(x *Index) (no rule.Refusals) {
	if pins()[a.Audience] != nil {
		return nil
	}
	for _, row := range []struct {
		key string
		at  *url.URL
	}{{"simple", x.simple}, {"integrity", x.integrity}, {"yank", x.yank}} {
		if row.at != nil && origin(row.at) != origin(x.upload) {
			no = append(no, a.refuse(rule.IndexOrigin, row.key+": an address at "+origin(x.upload)+", where upload is", origin(row.at)))
		}
	}
	return no
}

// Name is how policy and release manifest call the index.
func (x *Index) Name() string { return x.address.Name }

// answer is what an index said, read to its end.
type answer struct {
	status int
	media  string // type, without parameters
	body   []byte
}

// get asks for something small. An answer of more than max bytes is refused;
// statuses that say nothing of the question are errors.
func (x *Index) get(ctx context.Context, u *url.URL, accept string, max int64) (a answer, err error) {
	err = x.visit(ctx, u, accept, func(response *http.Response) (err error) {
		a, err = x.read(response, max)
		return err
	})
	return a, err
}

// visit asks for something that read takes from the response.
func (x *Index) visit(ctx context.Context, u *url.URL, accept string, read func(*http.Response) error) error {
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Cache-Control", "no-cache")
	return x.ask(ctx, r, read)
}

// post sends a small JSON object and takes a small answer.
func (x *Index) post(ctx context.Context, u *url.URL, object any) (a answer, err error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequest(http.MethodPost, u.String(), bytes.NewReader(raw))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	err = x.ask(ctx, r, func(response *http.Response) (err error) {
		a, err = x.read(response, maxAnswer)
		return err
	})
	return a, err
}

func (x *Index) ask(ctx context.Context, r *http.Request, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeout(ctx, smallTimeout)
	defer cancel()
	response, err := do(x.client, r.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Redacted(), err)
	}
	defer response.Body.Close()
	if retriable(response.StatusCode) {
		return busy{fmt.Errorf("%s %s: status %d", r.Method, r.URL.Redacted(), response.StatusCode),
			retryAfter(response.Header)}
	}
	return read(response)
}

// read takes an answer to its end.
func (x *Index) read(response *http.Response, max int64) (answer, error) {
	at := response.Request.URL
	body, err := io.ReadAll(io.LimitReader(response.Body, max+1))
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", at.Redacted(), err)
	}
	if int64(len(body)) > max {
		return answer{}, x.unreadable(at, fmt.Sprintf("at most %d bytes", max), "more")
	}
	return answer{response.StatusCode, mediaType(response), body}, nil
}

// aged wants a page that is no older than one that was seen before. pypi.org's
// CDN answers from its caches whatever a request wants of them, and one cache may
// have kept what another has not; a serial, where there is one, only goes up.
func (x *Index) aged(project string, response *http.Response) error {
	serial, err := strconv.Atoi(response.Header.Get("X-PyPI-Last-Serial"))
	if err != nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if newest := x.serials[project]; serial < newest {
		return fmt.Errorf("%s: a page of serial %d, older than one of %d that was seen before",
			response.Request.URL.Redacted(), serial, newest)
	}
	x.serials[project] = serial
	return nil
}

// mediaType is what an answer says it is, without parameters.
func mediaType(response *http.Response) string {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return media
}

// unreadable refuses an answer that the protocol does not have.
func (x *Index) unreadable(u *url.URL, want, got string) error {
	return rule.Refusals{{File: u.Redacted(), Rule: rule.IndexAnswer, Want: want, Got: brief(got),
		Hint: "look at what answers at this address, and at the policy's [index]"}}
}

// json decodes the body's fields, see [object]. Others are ignored: an index may
// say more than we ask.
func (x *Index) json(u *url.URL, a answer, fields map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(a.body))
	err := object(d, fields)
	if err == nil {
		err = ended(d)
	}
	if err != nil {
		return x.unreadable(u, "JSON as the protocol has it", err.Error())
	}
	return nil
}

// says is the message in an answer that is no success. Warehouse's is JSON if
// it was asked for: its "code" is the status and the message, its "message" the
// same with boilerplate. Trusted publishing has "message" alone.
func (a answer) says(secrets ...string) string {
	var envelope struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	text := ""
	if a.media == "application/json" && json.Unmarshal(a.body, &envelope) == nil {
		text = strings.TrimPrefix(envelope.Code, fmt.Sprintf("%d ", a.status))
		if envelope.Code == "" {
			text = envelope.Message
		}
	}
	if text == "" {
		return fmt.Sprintf("status %d", a.status)
	}
	return fmt.Sprintf("status %d: %s", a.status, brief(text, secrets...))
}

const (
	lower = "abcdefghijklmnopqrstuvwxyz0123456789"
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// only tells whether s is one or more of these characters, and not too long.
func only(s, characters string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, characters) == ""
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
