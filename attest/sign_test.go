package attest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// job is a running job with its ID tokens and a Sigstore that trusts them.
type job struct {
	world
	services attest.Services
	token    attest.Token
	url      string // of the Sigstore
	issuer   string
}

func newJob(t testing.TB, environment string) job {
	t.Helper()
	w := newWorld(t)
	server := httptest.NewUnstartedServer(nil)
	issuer := "http://" + server.Listener.Addr().String()
	github, err := githubtest.New(issuer, time.Now)
	check(t, err)
	server.Config.Handler = github
	server.Start()
	t.Cleanup(server.Close)
	sigstore := httptest.NewServer(w.sigstore.Handler(issuer))
	t.Cleanup(sigstore.Close)

	claims := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", environment)
	url, token := github.Job(claims)
	w.policy.Issuer = attest.Exactly(issuer)
	w.policy.RepositoryID = attest.Exactly(claims.RepositoryID)
	w.policy.OwnerID = attest.Exactly(claims.RepositoryOwnerID)
	w.policy.Environment = attest.Exactly(environment)
	return job{
		world:    w,
		services: attest.Services{Fulcio: sigstore.URL, Rekor: sigstore.URL, TSA: sigstore.URL + "/api/v1/timestamp"},
		token:    workflows.IDToken(http.DefaultClient, url, token),
		url:      sigstore.URL,
		issuer:   issuer,
	}
}

// What a job signs through the real protocols verifies as any bundle does, and
// so does its PEP 740 form, which has no timestamp.
func TestSignerAndVerifierAgree(t *testing.T) {
	j := newJob(t, "pypi")
	f := file(t, wheel, "bytes")
	for _, services := range []attest.Services{j.services, {Fulcio: j.url, Rekor: j.url}} {
		signer, err := attest.NewSigner(services, rootOf(t, j.sigstore), j.token)
		check(t, err)
		b, err := signer.Sign(context.Background(), "publish", sigstoretest.Publish(f.Name(), f.Digest().Hex()))
		check(t, err)
		check(t, j.verify(t, attest.Candidate{File: f, Bundles: []attest.Bundle{b}}).Err())
		check(t, j.verify(t, attest.Candidate{File: f, Bundles: parse(t, b.Raw())}).Err())
		pep740, err := b.PEP740()
		check(t, err)
		check(t, j.verify(t, attest.Candidate{File: f, Bundles: parse(t, pep740)}).Err())
	}
}

func TestAStatementAboutARelease(t *testing.T) {
	type outcome struct {
		Index string `json:"index"`
	}
	j := newJob(t, "pypi")
	release := dist.Sum([]byte("a release"))
	statement := attest.Statement[outcome]{Name: "widget 1.0", Subject: release, Type: "https://example.org/receipt/v1", Predicate: outcome{"pypi"}}
	raw, err := attest.Encode(statement)
	check(t, err)
	signer, err := attest.NewSigner(j.services, rootOf(t, j.sigstore), j.token)
	check(t, err)
	b, err := signer.Sign(context.Background(), "receipt", raw)
	check(t, err)

	payload, evidence, err := j.verifier.VerifyStatement(j.policy, b, release, statement.Type)
	check(t, err)
	again, err := attest.Decode[outcome]("receipt", payload, statement.Type)
	check(t, err)
	if again != statement || evidence.Environment != "pypi" {
		t.Errorf("got %+v by %+v", again, evidence)
	}
	elsewhere := j.policy
	elsewhere.Environment = attest.Exactly("testpypi")
	for name, ask := range map[string]struct {
		policy  attest.Policy
		release dist.Digest
		typ     string
	}{
		"another release":     {j.policy, dist.Sum([]byte("another")), statement.Type},
		"another type":        {j.policy, release, "https://example.org/vote/v1"},
		"another environment": {elsewhere, release, statement.Type},
		"an empty policy":     {attest.Policy{Hosted: attest.Certificate}, release, statement.Type},
	} {
		if _, _, err := j.verifier.VerifyStatement(ask.policy, b, ask.release, ask.typ); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDecodeTakesOneEncoding(t *testing.T) {
	type predicate struct {
		A string `json:"a"`
	}
	raw, err := attest.Encode(attest.Statement[predicate]{"n", dist.Sum([]byte("x")), "https://example.org/t", predicate{"b"}})
	check(t, err)
	for name, changed := range map[string]string{
		"a blank":          strings.Replace(string(raw), ",", ", ", 1),
		"no newline":       strings.TrimSpace(string(raw)),
		"an unknown key":   strings.Replace(string(raw), `"a":"b"`, `"a":"b","c":"d"`, 1),
		"a key twice":      strings.Replace(string(raw), `"a":"b"`, `"a":"c","a":"b"`, 1),
		"a key in capital": strings.Replace(string(raw), `"a":"b"`, `"A":"b"`, 1),
		"another type":     strings.Replace(string(raw), "example.org/t", "example.org/u", 1),
		"more after it":    string(raw) + "{}",
		"nothing":          "",
		"half of it":       string(raw[:len(raw)/2]),
	} {
		if _, err := attest.Decode[predicate]("f", []byte(changed), "https://example.org/t"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSignerRefusesWhatItCannotTrust(t *testing.T) {
	j := newJob(t, "pypi")
	root := rootOf(t, j.sigstore)
	for name, s := range map[string]attest.Services{
		"plain http": {Fulcio: "http://fulcio.example.org", Rekor: j.url}, "no log": {Fulcio: j.url},
		"no URL": {Fulcio: "fulcio", Rekor: j.url},
	} {
		if _, err := attest.NewSigner(s, root, j.token); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := attest.NewSigner(j.services, attest.Root{}, j.token); err == nil {
		t.Error("a signer without a root")
	}
	other, err := sigstoretest.New()
	check(t, err)
	signer, err := attest.NewSigner(j.services, rootOf(t, other), j.token)
	check(t, err)
	if _, err := signer.Sign(context.Background(), "x", sigstoretest.Publish(wheel, strings.Repeat("a", 64))); err == nil {
		t.Error("what was signed does not verify under the root, and was returned")
	}
}

func TestFetchRootByTUF(t *testing.T) {
	j := newJob(t, "pypi")
	cache := t.TempDir()
	root, raw, err := attest.FetchRoot(context.Background(), j.url+"/tuf", j.sigstore.TUFRoot(), cache)
	check(t, err)
	if !bytes.Equal(raw, j.sigstore.TrustedRoot()) || root.Digest() != dist.Sum(raw) {
		t.Error("another root than the instance's")
	}
	other, err := sigstoretest.New()
	check(t, err)
	if _, _, err := attest.FetchRoot(context.Background(), j.url+"/tuf", other.TUFRoot(), t.TempDir()); err == nil {
		t.Error("a repository signed by other keys was believed")
	}
	if _, raw := attest.PublicGoodTUF(); !bytes.Contains(raw, []byte(`"root"`)) {
		t.Error("the public-good instance's TUF root is missing")
	}
}

// Whatever a service of the instance answers, there is a bundle that verifies or an
// error: each member of each answer is taken away, and is something else, in turn.
func TestSignerSurvivesEveryAnswer(t *testing.T) {
	j := newJob(t, "pypi")
	front := &front{next: j.sigstore.Handler(j.issuer)}
	server := httptest.NewServer(front)
	defer server.Close()
	signer, err := attest.NewSigner(attest.Services{Fulcio: server.URL, Rekor: server.URL}, rootOf(t, j.sigstore), j.token)
	check(t, err)
	statement := sigstoretest.Publish(wheel, dist.Sum(nil).Hex())
	_, err = signer.Sign(t.Context(), "publish", statement)
	check(t, err)
	for _, path := range front.paths {
		front.at, front.n, front.done = path, 0, false
		for ; !front.done; front.n++ {
			b, err := signer.Sign(t.Context(), "publish", statement)
			if err == nil && b.Digest().IsZero() {
				t.Errorf("%s: neither a bundle nor an error", front.what)
			}
		}
		if front.n < 20 {
			t.Errorf("%s: %d answers: nothing was tried", path, front.n)
		}
	}
}

// front stands before a service, and spoils the n-th member of its answers to one path.
type front struct {
	next  http.Handler
	paths []string // that were asked for
	at    string
	n     int
	done  bool // there is no such member
	what  string
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := httptest.NewRecorder()
	f.next.ServeHTTP(said, r)
	body := said.Body.Bytes()
	switch {
	case f.at == "":
		f.paths = append(f.paths, r.URL.Path)
	case f.at == r.URL.Path:
		var value any
		if json.Unmarshal(body, &value) == nil {
			n := f.n
			value, n = spoil(value, n)
			f.done = n >= 0
			body, _ = json.Marshal(value)
			f.what = string(body)
		} else {
			body, f.done = body[:min(f.n, len(body))], f.n > 40
		}
	}
	maps.Copy(w.Header(), said.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(said.Code)
	_, _ = w.Write(body)
}

// spoil puts something else in the place of the n-th value, counted from 0, and
// returns less than 0 then, or what is left of n.
func spoil(value any, n int) (any, int) {
	others := []any{nil, "", "!", "bnVsbA==", "e30=", 1.5, -1, []any{}, []any{nil}, map[string]any{}, map[string]any{"a": nil}}
	if n < len(others) {
		return others[n], -1
	}
	n -= len(others)
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if value[key], n = spoil(value[key], n); n < 0 {
				break
			}
		}
	case []any:
		for i := range value {
			if value[i], n = spoil(value[i], n); n < 0 {
				break
			}
		}
	}
	return value, n
}

// Whatever a TUF repository answers, and whatever became of the cache, there is the
// instance's root or an error.
func TestFetchRootSurvivesEveryAnswer(t *testing.T) {
	j := newJob(t, "pypi")
	front := &front{next: j.sigstore.Handler(j.issuer)}
	server := httptest.NewServer(front)
	defer server.Close()
	fetch := func(cache string) error {
		_, raw, err := attest.FetchRoot(t.Context(), server.URL+"/tuf", j.sigstore.TUFRoot(), cache)
		if err == nil && !bytes.Equal(raw, j.sigstore.TrustedRoot()) {
			t.Error("another root than the instance's")
		}
		return err
	}
	check(t, fetch(t.TempDir()))
	for _, path := range front.paths {
		for front.at, front.n, front.done = path, 0, false; !front.done; front.n += 3 {
			_ = fetch(t.TempDir())
		}
	}
	front.at = ""
	cache := t.TempDir()
	check(t, fetch(cache))
	check(t, filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		good, err := os.ReadFile(path)
		check(t, err)
		for _, bad := range []string{"", string(good[:len(good)/2]), "{}", "[null]", "<html>", `{"signed":null}`, strings.Repeat("a", 1<<20)} {
			check(t, os.WriteFile(path, []byte(bad), 0o600))
			if err := fetch(cache); err != nil && !strings.Contains(err.Error(), cache) {
				t.Errorf("%s is damaged, and where it lies is not said: %v", filepath.Base(path), err)
			}
			check(t, os.WriteFile(path, good, 0o600))
		}
		return fetch(cache)
	}))
}
