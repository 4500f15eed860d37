package pypitest_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// authorities are the parties that an index believes. Their keys take a while
// to make, so all tests of a run share them.
type authorities struct {
	github   *githubtest.GitHub
	sigstore *sigstoretest.Sigstore
}

var theAuthorities = sync.OnceValues(func() (authorities, error) {
	server := httptest.NewUnstartedServer(nil)
	github, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		return authorities{}, err
	}
	server.Config.Handler = github
	server.Start()
	sigstore, err := sigstoretest.New()
	return authorities{github, sigstore}, err
})

// world is an index with one project, widget, of alice's, which acme's
// release workflow publishes.
type world struct {
	t *testing.T
	authorities
	index *pypitest.Index
	url   string
	now   time.Time // the index's clock

	alice string // her token for widget
}

func publisher() pypitest.Publisher {
	return pypitest.Publisher{Repository: "acme/widget", OwnerID: releaseJob().RepositoryOwnerID,
		Workflow: "release.yml", Environment: "PyPI"}
}

func releaseJob() githubtest.Claims {
	return githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
}

func newWorld(t *testing.T, change ...func(*pypitest.Config)) *world {
	t.Helper()
	all, err := theAuthorities()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, authorities: all, now: time.Now()}
	config := pypitest.Config{
		Audience:     "pypi",
		Issuers:      []string{all.github.Issuer(), sigstoretest.GitHubIssuer},
		TrustedRoots: [][]byte{all.sigstore.TrustedRoot()},
		Now:          func() time.Time { return w.now },
	}
	for _, c := range change {
		c(&config)
	}
	if w.index, err = pypitest.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.index.Close() })
	server := httptest.NewServer(w.index)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.must(w.index.AddProject("widget", publisher()))
	w.alice = w.token(pypitest.User{Name: "alice"}, "widget")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) token(user pypitest.User, projects ...string) string {
	w.t.Helper()
	token, err := w.index.AddToken(user, projects...)
	w.must(err)
	return token
}

// mint exchanges a job's ID token.
func (w *world) mint(job githubtest.Claims) string {
	w.t.Helper()
	id, err := w.github.Token(job, "pypi")
	w.must(err)
	status, body := w.postJSON("/_/oidc/mint-token", map[string]string{"token": id})
	if status != http.StatusOK {
		w.t.Fatalf("mint: %d %v", status, body)
	}
	return body["token"].(string)
}

func (w *world) postJSON(path string, body any) (int, map[string]any) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	w.must(err)
	return w.postRaw(path, string(raw))
}

func (w *world) postRaw(path, body string) (int, map[string]any) {
	w.t.Helper()
	response, err := http.Post(w.url+path, "text/plain", strings.NewReader(body))
	w.must(err)
	defer response.Body.Close()
	var answer map[string]any
	w.must(json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer
}

// get reads a page.
func (w *world) get(path, accept string) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequest(http.MethodGet, w.url+path, nil)
	w.must(err)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	w.must(err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	w.must(err)
	return response, string(raw)
}

// getJSON reads a page as JSON.
func (w *world) getJSON(path, accept string) map[string]any {
	w.t.Helper()
	response, raw := w.get(path, accept)
	if response.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %s", path, response.Status)
	}
	var body map[string]any
	w.must(json.Unmarshal([]byte(raw), &body))
	return body
}

// member is a file in an archive.
type member struct{ name, text string }

// zipOf is a zip as wheels are written: sizes in the headers, no descriptors.
func zipOf(members ...member) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		f, err := w.CreateRaw(&zip.FileHeader{Name: m.name, CRC32: crc32.ChecksumIEEE([]byte(m.text)),
			CompressedSize64: uint64(len(m.text)), UncompressedSize64: uint64(len(m.text))})
		if err != nil {
			panic(err)
		}
		io.WriteString(f, m.text)
	}
	w.Close()
	return out.Bytes()
}

func tarOf(members ...member) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.text))}); err != nil {
			panic(err)
		}
		io.WriteString(w, m.text)
	}
	w.Close()
	z.Close()
	return out.Bytes()
}

func coreMetadata(name, version string) string {
	return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\nSummary: A widget\n"
}

// wheelMembers are what a wheel of one module has; those given replace those
// of the same name, and one without text is left out.
func wheelMembers(name, version string, change ...member) []member {
	info := name + "-" + version + ".dist-info/"
	members := []member{
		{name + ".py", "x = '" + version + "'\n"},
		{info + "METADATA", coreMetadata(name, version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	}
	for _, c := range change {
		members = slices.DeleteFunc(members, func(m member) bool { return m.name == c.name })
		if c.text != "" {
			members = append(members, c)
		}
	}
	return members
}

func sdistMembers(name, version string, change ...member) []member {
	top := name + "-" + version + "/"
	return append([]member{
		{top + "PKG-INFO", coreMetadata(name, version)},
		{top + "pyproject.toml", "[project]\nname = \"" + name + "\"\nversion = \"" + version + "\"\n"},
	}, change...)
}

// request is an upload that a test may spoil before it is sent.
type request struct {
	fields    [][2]string
	files     []string // names of fields that are sent as files
	filename  string
	mediaType string
	content   []byte
	padding   int64 // zeros behind the content
	token     string
	header    http.Header
	query     string
}

// set replaces a field; several values make a list, none removes it.
func (r *request) set(name string, values ...string) {
	r.fields = slices.DeleteFunc(r.fields, func(f [2]string) bool { return f[0] == name })
	for _, v := range values {
		r.fields = append(r.fields, [2]string{name, v})
	}
}

// replace sends another file, with its right digests.
func (r *request) replace(filename string, content []byte) {
	r.filename, r.content = filename, content
	md5sum, sha256sum, blake2 := md5.Sum(content), sha256.Sum256(content), blake2b.Sum256(content)
	r.set("md5_digest", hex.EncodeToString(md5sum[:]))
	r.set("sha256_digest", hex.EncodeToString(sha256sum[:]))
	r.set("blake2_256_digest", hex.EncodeToString(blake2[:]))
}

func (r *request) sha256() string {
	digest := sha256.Sum256(r.content)
	return hex.EncodeToString(digest[:])
}

func newRequest(token, name, version, kind string) *request {
	r := &request{mediaType: "application/octet-stream", token: token,
		header: http.Header{"Accept": {"application/json"}}}
	for _, f := range [][2]string{
		{":action", "file_upload"}, {"protocol_version", "1"}, {"metadata_version", "2.1"},
		{"name", name}, {"version", version}, {"filetype", kind}, {"summary", "A widget"},
	} {
		r.set(f[0], f[1])
	}
	return r
}

// wheel is a good upload of a wheel.
func wheel(token, name, version string, change ...member) *request {
	r := newRequest(token, name, version, "bdist_wheel")
	r.set("pyversion", "py3")
	r.replace(name+"-"+version+"-py3-none-any.whl", zipOf(wheelMembers(name, version, change...)...))
	return r
}

// sdist is a good upload of an sdist.
func sdist(token, name, version string, change ...member) *request {
	r := newRequest(token, name, version, "sdist")
	r.set("pyversion", "source")
	r.replace(name+"-"+version+".tar.gz", tarOf(sdistMembers(name, version, change...)...))
	return r
}

// reply is what the index said.
type reply struct {
	status  int
	message string // of the reason phrase, for what is not 200
	header  http.Header
	body    string
}

func (r *request) encode() (contentType string, body io.Reader) {
	var head, tail bytes.Buffer
	form := multipart.NewWriter(&head)
	for _, f := range r.fields {
		form.WriteField(f[0], f[1])
	}
	for _, name := range r.files {
		part, _ := form.CreateFormFile(name, "x.txt")
		io.WriteString(part, "text")
	}
	if r.filename != "" {
		quote := strings.NewReplacer(`"`, `\"`, "\r", "%0D", "\n", "%0A")
		header := textproto.MIMEHeader{"Content-Type": {r.mediaType}}
		header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="content"; filename="%s"`, quote.Replace(r.filename)))
		part, _ := form.CreatePart(header)
		part.Write(r.content)
	}
	fmt.Fprintf(&tail, "\r\n--%s--\r\n", form.Boundary())
	return form.FormDataContentType(), io.MultiReader(&head, io.LimitReader(zeros{}, r.padding), &tail)
}

// zeros never end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// upload sends a request to /legacy/.
func (w *world) upload(r *request) reply {
	w.t.Helper()
	contentType, body := r.encode()
	sent, err := http.NewRequest(http.MethodPost, w.url+"/legacy/"+r.query, body)
	w.must(err)
	sent.Header = r.header.Clone()
	sent.Header.Set("Content-Type", contentType)
	if r.token != "" && sent.Header.Get("Authorization") == "" {
		sent.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("__token__:"+r.token)))
	}
	response, err := http.DefaultClient.Do(sent)
	w.must(err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	w.must(err)
	_, message, _ := strings.Cut(response.Status, " ")
	if response.StatusCode == http.StatusOK {
		message = ""
	}
	return reply{response.StatusCode, message, response.Header, string(raw)}
}

// accepted uploads what must be taken.
func (w *world) accepted(r *request) {
	w.t.Helper()
	if got := w.upload(r); got.status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", r.filename, got.status, got.message)
	}
}

// attest signs statements as attestation objects of PEP 740.
func (w *world) attest(claims sigstoretest.Claims, statements ...[]byte) string {
	w.t.Helper()
	list := []map[string]any{}
	for _, statement := range statements {
		raw, err := w.sigstore.Sign(claims, statement)
		w.must(err)
		list = append(list, asAttestation(w.t, raw))
	}
	raw, err := json.Marshal(list)
	w.must(err)
	return string(raw)
}

// asAttestation turns a Sigstore bundle into an attestation object.
func asAttestation(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	type certificate struct {
		Raw string `json:"rawBytes"`
	}
	var bundle struct {
		Material struct {
			Certificate certificate `json:"certificate"`
			Chain       struct {
				Certificates []certificate `json:"certificates"`
			} `json:"x509CertificateChain"` // of bundles before v0.3
			Entries []any `json:"tlogEntries"`
		} `json:"verificationMaterial"`
		Envelope struct {
			Payload    string `json:"payload"`
			Signatures []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(raw, &bundle); err != nil {
		t.Fatal(err)
	}
	if chain := bundle.Material.Chain.Certificates; len(chain) > 0 {
		bundle.Material.Certificate = chain[0]
	}
	return map[string]any{
		"version": 1,
		"verification_material": map[string]any{
			"certificate":          bundle.Material.Certificate.Raw,
			"transparency_entries": bundle.Material.Entries,
		},
		"envelope": map[string]any{
			"statement": bundle.Envelope.Payload, "signature": bundle.Envelope.Signatures[0].Sig,
		},
	}
}

func signerClaims() sigstoretest.Claims {
	return sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
}
