package publish_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

const (
	wheelName = "widget-1.0-py3-none-any.whl"
	sdistName = "widget-1.0.tar.gz"
	audience  = "local"
)

// authorities are GitHub's issuer and a Sigstore that believes it. Their keys
// take a while to make, so all tests of a run share them.
type authorities struct {
	github   *githubtest.GitHub
	sigstore *sigstoretest.Sigstore
	services attest.Services
	root     attest.Root
}

var theAuthorities = sync.OnceValues(func() (a authorities, err error) {
	server := httptest.NewUnstartedServer(nil)
	if a.github, err = githubtest.New("http://"+server.Listener.Addr().String(), time.Now); err != nil {
		return a, err
	}
	server.Config.Handler = a.github
	server.Start()
	if a.sigstore, err = sigstoretest.New(); err != nil {
		return a, err
	}
	url := httptest.NewServer(a.sigstore.Handler(a.github.Issuer())).URL
	a.services = attest.Services{Fulcio: url, Rekor: url, TSA: url + "/api/v1/timestamp"}
	a.root, err = attest.LoadRoot("trusted_root.json", bytes.NewReader(a.sigstore.TrustedRoot()))
	return a, err
})

// world is a release of a wheel and an sdist, approved, and the index that it
// is for.
type world struct {
	t testing.TB
	authorities
	index    *pypitest.Index
	url      string
	between  func(http.Handler) http.Handler
	harm     func(*publish.Job) // what happens to a first job
	dir      string             // of the store
	store    *staging.Store
	bare     []byte // its index.json before any record
	approved approval.Approved
	verifier *attest.Verifier

	mu     sync.Mutex
	seen   []string // requests to the index: method and path
	events []publish.Event
}

// job is what GitHub says of the publishing job, unless a test changes it.
func job() githubtest.Claims {
	return githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "release")
}

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, between: func(h http.Handler) http.Handler { return h }}
	var err error
	w.authorities, err = theAuthorities()
	w.must(err)
	for _, c := range change {
		c(w)
	}
	w.index, err = pypitest.New(pypitest.Config{
		Audience: audience, Issuers: []string{w.github.Issuer()},
		TrustedRoots: [][]byte{w.sigstore.TrustedRoot()}, YankAPI: true,
	})
	w.must(err)
	t.Cleanup(func() { w.index.Close() })
	server := httptest.NewServer(w.recorded(w.between(w.index)))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.must(w.index.AddProject("widget", pypitest.Publisher{Repository: "acme/widget",
		OwnerID: job().RepositoryOwnerID, Workflow: "release.yml", Environment: "release"}))
	w.verifier, err = attest.NewVerifier(w.root)
	w.must(err)
	w.stage()
	return w
}

func between(wrap func(http.Handler) http.Handler) func(*world) {
	return func(w *world) { w.between = wrap }
}

// before answers in the index's stead where answer does so; it returns whether
// it did.
func before(answer func(http.ResponseWriter, *http.Request) bool) func(*world) {
	return between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !answer(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	})
}

func (w *world) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		next.ServeHTTP(rw, r)
	})
}

// requests counts those to the index that contain the text, so far.
func (w *world) requests(text string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.seen {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// stage builds, signs, stages and approves the release.
func (w *world) stage() {
	w.t.Helper()
	w.openStore()
	w.stageFiles(staging.FileSet{Sdist: true, Also: []string{"py3-none-any"}},
		w.built(wheelName, wheel("1.0")), w.built(sdistName, sdist("1.0")))
}

// openStore begins a store.
func (w *world) openStore() {
	w.t.Helper()
	w.dir = w.t.TempDir()
	var err error
	w.store, err = staging.OpenStore(w.dir)
	w.must(err)
}

// built is a file as it comes from its build, in the store.
func (w *world) built(name string, raw []byte) attest.Candidate {
	w.t.Helper()
	claims := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/build.yml", "refs/tags/v1.0")
	f, err := w.store.Blobs().Put(context.Background(), bytes.NewReader(raw), name, dist.MaxSize)
	w.must(err)
	info, err := dist.Inspect(bytes.NewReader(raw), f)
	w.must(err)
	signed, err := w.sigstore.Sign(claims, sigstoretest.Provenance(claims,
		sigstoretest.Subject{Name: name, SHA256: f.Digest().Hex()}))
	w.must(err)
	bundles, err := attest.ParseBundles(name+".sigstore.json", bytes.NewReader(signed))
	w.must(err)
	return attest.Candidate{File: f, Info: info, Bundles: bundles}
}

// stageFiles verifies, stages and approves files.
func (w *world) stageFiles(files staging.FileSet, candidates ...attest.Candidate) {
	w.t.Helper()
	ctx := context.Background()
	build := attest.Workflow("acme/widget", ".github/workflows/build.yml")
	build.Accept = attest.Provenance()
	verdict, err := w.verifier.Verify(ctx, build, candidates)
	w.must(err)
	_, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	key, err := ssh.NewSignerFromKey(private)
	w.must(err)
	people := "alice@example.org namespaces=\"distgate\" " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))
	expected, err := staging.Expect(files)
	w.must(err)
	must := staging.Policy{
		Project: "widget", Index: "local", Environment: "release", Build: build, Expected: expected,
		Files: []staging.PolicyFile{{Name: "distgate.toml", Raw: []byte("project = \"widget\"\n")},
			{Name: "allowed_signers", Raw: []byte(people)}},
	}
	release, err := staging.Stage(ctx, w.store, must, verdict)
	w.must(err)
	staged, err := staging.Open(ctx, w.store, release.Digest, must, w.verifier)
	w.must(err)
	w.bare, err = os.ReadFile(filepath.Join(w.dir, "index.json"))
	w.must(err)
	w.approved = w.approve(staged, people, key)
}

func (w *world) approve(staged staging.Staged, people string, key ssh.Signer) approval.Approved {
	w.t.Helper()
	signers, err := approval.ParseAllowedSigners("allowed_signers", strings.NewReader(people))
	w.must(err)
	policy := approval.Policy{Need: 1, Roads: []approval.Road{approval.Signed}, MaxAge: time.Hour, Solo: true, Signers: signers,
		People: []approval.Person{{GitHub: 1, Principals: []string{"alice@example.org"}}}}
	review, err := approval.Show(staged, policy)
	w.must(err)
	vote, err := review.Statement(approval.Opinion{Decision: approval.Approve, Issued: time.Now(), Holds: time.Hour})
	w.must(err)
	signature, err := approval.Sign(vote, key)
	w.must(err)
	run := approval.Run{URL: "https://github.com/acme/widget/actions/runs/" + job().RunID, Since: time.Now(), Starters: []int64{1}}
	approved, err := approval.Check(staged,
		[]staging.Record{{Kind: approval.RecordKind, Statement: vote, SSHSIG: signature}}, run, policy, time.Now())
	w.must(err)
	return approved
}

func (w *world) address() publish.Address {
	return publish.Address{Name: "local", Audience: audience, Patience: 100 * time.Millisecond,
		Upload: w.url + "/legacy/", Simple: w.url + "/simple/", Integrity: w.url + "/integrity/"}
}

func (w *world) publisher() publish.Publisher {
	c := job()
	return publish.Publisher{Issuer: w.github.Issuer(), Repository: c.Repository, RepositoryID: c.RepositoryID,
		OwnerID: c.RepositoryOwnerID, Workflow: ".github/workflows/release.yml", Refs: []string{"refs/tags/v*"},
		Triggers: attest.DefaultTriggers(), Environment: "release"}
}

// job is a publishing job with these claims.
func (w *world) job(claims githubtest.Claims) publish.Job {
	w.t.Helper()
	index, err := publish.NewIndex(w.address())
	w.must(err)
	url, token := w.github.Job(claims)
	identity := workflows.IDToken(http.DefaultClient, url, token)
	signer, err := attest.NewSigner(w.services, w.root, identity)
	w.must(err)
	return publish.Job{
		Witness: publish.Witness{Index: index, Publisher: w.publisher(), Verifier: w.verifier,
			Progress: func(e publish.Event) { w.events = append(w.events, e) }},
		Token: identity, Signer: signer, Store: w.store,
	}
}

func (w *world) publish() (publish.Confirmed, error) {
	w.t.Helper()
	return w.job(job()).Publish(context.Background(), w.approved)
}

// refused wants refusals by exactly these rules, and returns them.
func refused(t testing.TB, err error, rules ...rule.ID) rule.Refusals {
	t.Helper()
	var no rule.Refusals
	if !errors.As(err, &no) {
		t.Fatalf("want refusals %v, got %v", rules, err)
	}
	var got []rule.ID
	for _, r := range no {
		got = append(got, r.Rule)
		if r.File == "" || r.Want == "" || r.Got == "" || r.Hint == "" || r.Rule.Story() == "" {
			t.Errorf("a refusal with something left out: %+v", r)
		}
	}
	if diff := cmp.Diff(rules, got); diff != "" {
		t.Fatalf("refused by other rules (-want +got):\n%s%v", diff, no)
	}
	return no
}

// undecided wants an error that is no refusal.
func undecided(t testing.TB, err error) {
	t.Helper()
	var no rule.Refusals
	if err == nil || errors.As(err, &no) {
		t.Fatalf("want an error that decides nothing, got %v", err)
	}
}

// says wants each text somewhere in the error.
func says(t testing.TB, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("want %q in the error, got %v", text, err)
		}
	}
}

const metadata = "Metadata-Version: 2.1\nName: widget\nVersion: %\nSummary: A widget\n" +
	"Classifier: Programming Language :: Python :: 3\nClassifier: Typing :: Typed\n" +
	"Requires-Dist: gadget>=2\nProject-URL: Home, https://example.org/\nRequires-Python: >=3.9\n\nA long text.\n"

func wheel(version string) []byte {
	return wheelOf(version, "py3-none-any", "widget/__init__.py", "version = '"+version+"'\n")
}

// wheelOf is a wheel of one tag with one file.
func wheelOf(version, tag, path, text string) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	info := "widget-" + version + ".dist-info/"
	members := [][2]string{
		{path, text},
		{info + "METADATA", strings.ReplaceAll(metadata, "%", version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + tag + "\n"},
	}
	record := info + "RECORD,,\n"
	for _, m := range members {
		digest := dist.Sum([]byte(m[1]))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", m[0], base64.RawURLEncoding.EncodeToString(digest[:]), len(m[1]))
	}
	for _, m := range append(members, [2]string{info + "RECORD", record}) {
		f, _ := z.CreateRaw(&zip.FileHeader{Name: m[0], CRC32: crc32.ChecksumIEEE([]byte(m[1])),
			CompressedSize64: uint64(len(m[1])), UncompressedSize64: uint64(len(m[1]))})
		io.WriteString(f, m[1])
	}
	z.Close()
	return out.Bytes()
}

func sdist(version string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	top := "widget-" + version + "/"
	for _, m := range [][2]string{
		{top + "PKG-INFO", strings.ReplaceAll(metadata, "%", version)},
		{top + "pyproject.toml", "[project]\nname = \"widget\"\n"},
	} {
		w.WriteHeader(&tar.Header{Name: m[0], Mode: 0o644, Size: int64(len(m[1]))})
		io.WriteString(w, m[1])
	}
	w.Close()
	z.Close()
	return out.Bytes()
}

// refusals are those in the error, of which there must be some.
func refusals(t testing.TB, err error) rule.Refusals {
	t.Helper()
	var no rule.Refusals
	if !errors.As(err, &no) || len(no) == 0 {
		t.Fatalf("want refusals, got %v", err)
	}
	return no
}
