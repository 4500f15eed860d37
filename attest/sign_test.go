package attest_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
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
