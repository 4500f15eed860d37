package sigstoretest_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// An issuer is an OpenID Connect provider that signs whatever it is told to.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q, "id_token_signing_alg_values_supported": ["RS256"]}`,
			i.url, i.url+"/jwks")
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		public := jose.JSONWebKey{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// token signs the claims, whatever type they are of, after changes by name; nil takes one out.
func (i *issuer) token(t *testing.T, claims any, changes map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	all["iss"], all["aud"] = i.url, "sigstore"
	all["iat"], all["exp"] = time.Now().Unix(), time.Now().Add(5*time.Minute).Unix()
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func serve(t *testing.T, s *sigstoretest.Sigstore, issuers ...string) string {
	t.Helper()
	server := httptest.NewServer(s.Handler(issuers...))
	t.Cleanup(server.Close)
	return server.URL
}

// signWithSigstoreGo makes a bundle as any user of sigstore-go does.
func signWithSigstoreGo(t *testing.T, url, token string, logged bool) []byte {
	t.Helper()
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	options := sign.BundleOptions{
		Context:                    t.Context(),
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: url}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
		TimestampAuthorities: []*sign.TimestampAuthority{
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: url + "/api/v1/timestamp"}),
		},
	}
	if logged {
		options.TransparencyLogs = []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: url})}
	}
	content := &sign.DSSEData{
		Data:        provenance(release()),
		PayloadType: "application/vnd.in-toto+json",
	}
	b, err := sign.Bundle(content, key, options)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSigstoreGoSigns(t *testing.T) {
	idp := newIssuer(t)
	alice := map[string]any{"sub": "7", "email": "alice@example.org", "email_verified": true}
	tests := []struct {
		name    string
		make    func() (*sigstoretest.Sigstore, error)
		claims  any
		logged  bool
		demands []verify.VerifierOption
	}{
		{"a job", sigstoretest.New, release(), true,
			append(publicGood(), verify.WithSignedTimestamps(1))},
		{"a person", sigstoretest.New, alice, true, publicGood()},
		{"a private repository's job", sigstoretest.NewGitHub, release(), false, github()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := instance(t, test.make)
			url := serve(t, s, idp.url)
			raw := signWithSigstoreGo(t, url, idp.token(t, test.claims, nil), test.logged)
			if _, err := verified(t, s, raw, test.demands...); err != nil {
				t.Error(err)
			}
		})
	}
}

// A job that asks over HTTP gets the certificate that Sign gives for the same claims.
func TestJobOfGitHub(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	hub, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = hub
	server.Start()
	t.Cleanup(server.Close)
	job := githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
	token, err := hub.Token(job, "sigstore")
	if err != nil {
		t.Fatal(err)
	}
	s := instance(t, sigstoretest.New)
	asked := signWithSigstoreGo(t, serve(t, s, hub.Issuer()), token, true)

	c := release().In("pypi")
	c.Issuer = hub.Issuer()
	made, err := s.Sign(c, provenance(c))
	if err != nil {
		t.Fatal(err)
	}
	want, got := fulcioExtensions(t, leaf(t, made)), fulcioExtensions(t, leaf(t, asked))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("certificate of Sign (-) and of the handler (+):\n%s", diff)
	}
}

// post sends a body and returns the answer.
func post(t *testing.T, url, contentType, token string, body []byte) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answer)
}

// get fetches and decodes JSON, and returns the status.
func get(t *testing.T, url string, into any) int {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode
}
