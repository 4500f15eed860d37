package sigstoretest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
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

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// possession is a request for a certificate with a signature over the name of who asks.
func possession(t *testing.T, key *ecdsa.PrivateKey, name string) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(name))
	proof, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, map[string]any{"publicKeyRequest": map[string]any{
		"publicKey": map[string]any{
			"algorithm": "ECDSA",
			"content":   string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
		},
		"proofOfPossession": proof,
	}})
}

// signingRequest is a request for a certificate with a CSR.
func signingRequest(t *testing.T, spoil func([]byte) []byte) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(
		rand.Reader, &x509.CertificateRequest{}, newKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: spoil(der)})
	return encoded(t, map[string]any{"certificateSigningRequest": csr})
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestFulcio(t *testing.T) {
	idp, other := newIssuer(t), newIssuer(t)
	url := serve(t, instance(t, sigstoretest.New), idp.url)
	job, key := release(), newKey(t, elliptic.P256())
	good := idp.token(t, job, nil)
	right := possession(t, key, job.Subject)
	const token = "There was an error processing the identity token"
	alice := map[string]any{"sub": "7", "email": "alice@example.org"}
	tests := []struct {
		name   string
		token  string
		body   []byte
		status int
		want   string // within the answer
	}{
		{"proof of possession", good, right, 200, `{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN`},
		{"signing request", good, signingRequest(t, bytes.Clone), 200, "signedCertificateEmbeddedSct"},

		{"no token", "", right, 400, token},
		{"no token at all", "x", right, 400, token},
		{"another audience", idp.token(t, job, map[string]any{"aud": "pypi"}), right, 400, token},
		{"expired", idp.token(t, job, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), right, 400, token},
		{"an issuer that is not known", other.token(t, job, nil), right, 400, token},
		{"another issuer's key", other.token(t, job, map[string]any{"iss": idp.url}), right, 400, token},
		{"address not verified", idp.token(t, alice, nil), right, 400, token},
		{"claim missing", idp.token(t, job, map[string]any{"runner_environment": nil}), right, 400,
			"value <runner_environment> not present in either claims or defaults"},

		{"another's signature", good, possession(t, key, "repo:acme/other:ref:refs/heads/main"), 400,
			"The signature supplied in the request could not be verified"},
		{"signing request of another", good, signingRequest(t, func(der []byte) []byte {
			der = bytes.Clone(der)
			der[len(der)-1] ^= 1
			return der
		}), 400, "The signature supplied in the request could not be verified"},
		{"not a signing request", good, []byte(`{"certificateSigningRequest": "eA=="}`), 400,
			"The certificate signing request could not be parsed"},
		{"no key", good, []byte(`{}`), 400, "The public key supplied in the request could not be parsed"},
		{"weak key", good, possession(t, newKey(t, elliptic.P224()), job.Subject), 400,
			"The public key supplied in the request is insecure"},
		{"not JSON", good, []byte(`{`), 400, `{"code":3,"message":"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, body := post(t, url+"/api/v2/signingCert", "application/json", test.token, test.body)
			if response.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %s, want %d … %s", response.StatusCode, body, test.status, test.want)
			}
			if test.status == 400 && !strings.HasPrefix(body, `{"code":3,"message":"`) {
				t.Errorf("got %s, want gRPC's error", body)
			}
		})
	}
}

// proposed is an entry for Rekor of the statement, signed by the key and with the verifier.
func proposed(t *testing.T, key *ecdsa.PrivateKey, verifier []byte, payload string) []byte {
	t.Helper()
	const kind = "application/vnd.in-toto+json"
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	envelope := encoded(t, map[string]any{
		"payloadType": kind,
		"payload":     []byte(payload),
		"signatures":  []any{map[string]any{"sig": signature}},
	})
	return encoded(t, map[string]any{
		"kind":       "dsse",
		"apiVersion": "0.0.1",
		"spec": map[string]any{"proposedContent": map[string]any{
			"envelope": string(envelope), "verifiers": [][]byte{verifier},
		}},
	})
}

func publicPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

func TestRekor(t *testing.T) {
	entries := serve(t, instance(t, sigstoretest.New)) + "/api/v1/log/entries"
	key := newKey(t, elliptic.P256())
	good := proposed(t, key, publicPEM(t, key), "{}")

	created, body := post(t, entries, "application/json", "", good)
	if created.StatusCode != 201 {
		t.Fatalf("got %d %s, want 201", created.StatusCode, body)
	}
	uuid := created.Header.Get("ETag")
	var logged map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &logged); err != nil || logged[uuid] == nil {
		t.Errorf("answer is %s, want a map with the entry %s", body, uuid)
	}
	if got, want := created.Header.Get("Location"), "/api/v1/log/entries/"+uuid; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}

	tests := []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"an equal entry", good, 409, "an equivalent entry already exists in the transparency log with UUID " + uuid},
		{"another's key", proposed(t, key, publicPEM(t, newKey(t, elliptic.P256())), "{}"), 400,
			"error processing entry: could not verify envelope"},
		{"no PEM", proposed(t, key, []byte("x"), "{}"), 400, "error processing entry: could not parse public key"},
		{"changed payload", bytes.Replace(good, []byte("e30="), []byte("W10="), 1), 400,
			"error processing entry: could not verify envelope"},
		{"another kind", []byte(`{"kind":"rekord","apiVersion":"0.0.1","spec":{}}`), 400, "error processing entry: "},
		{"no envelope", []byte(`{"kind":"dsse","apiVersion":"0.0.1","spec":{}}`), 400, "proposedContent is missing"},
		{"no signature", []byte(`{"kind":"dsse","apiVersion":"0.0.1","spec":{"proposedContent":{"envelope":"{}"}}}`), 400,
			"DSSE envelope must contain 1 or more signatures"},
		{"not JSON", []byte(`{`), 400, "parsing proposedEntry body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, body := post(t, entries, "application/json", "", test.body)
			var got struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("answer %s: %v", body, err)
			}
			if response.StatusCode != test.status || got.Code != test.status ||
				!strings.Contains(got.Message, test.want) {
				t.Errorf("got %d %s, want %d … %s", response.StatusCode, body, test.status, test.want)
			}
		})
	}
}

func TestNoLog(t *testing.T) {
	url := serve(t, instance(t, sigstoretest.NewGitHub))
	response, _ := post(t, url+"/api/v1/log/entries", "application/json", "", []byte("{}"))
	if response.StatusCode != 404 {
		t.Errorf("an instance without a log answers %d, want 404", response.StatusCode)
	}
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

// loggedEntry is what Rekor says of an entry.
type loggedEntry struct {
	Body         []byte
	LogIndex     uint64
	Verification struct {
		InclusionProof struct {
			Hashes   []string
			LogIndex uint64
			RootHash string
			TreeSize uint64
		}
	}
}

// Signing over HTTP and Sign share the log, and every entry stays provable while it grows.
func TestLogGrows(t *testing.T) {
	const size = 11
	s := instance(t, sigstoretest.New)
	url := serve(t, s)
	for range size {
		if _, err := s.Sign(release(), provenance(release())); err != nil {
			t.Fatal(err)
		}
	}
	var head struct {
		RootHash       string
		SignedTreeHead string
		TreeSize       uint64
	}
	if status := get(t, url+"/api/v1/log", &head); status != 200 || head.TreeSize != size {
		t.Fatalf("log answers %d with a tree of %d, want %d", status, head.TreeSize, size)
	}
	for index := range uint64(size) {
		var found map[string]loggedEntry
		get(t, fmt.Sprintf("%s/api/v1/log/entries?logIndex=%d", url, index), &found)
		for uuid, e := range found {
			p := e.Verification.InclusionProof
			if e.LogIndex != index || p.LogIndex != index || p.RootHash != head.RootHash {
				t.Errorf("entry %d is %d in the log, %d in the tree of root %s", index, e.LogIndex, p.LogIndex, p.RootHash)
			}
			hashes := make([][]byte, len(p.Hashes))
			for i, h := range p.Hashes {
				hashes[i] = unhex(t, h)
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(e.Body)
			err := proof.VerifyInclusion(
				rfc6962.DefaultHasher, index, size, leaf, hashes, unhex(t, head.RootHash))
			if err != nil {
				t.Errorf("entry %d: %v", index, err)
			}
			var same map[string]loggedEntry
			get(t, url+"/api/v1/log/entries/"+uuid, &same)
			if diff := cmp.Diff(found, same); diff != "" {
				t.Errorf("entry %d by index (-) and by id (+):\n%s", index, diff)
			}
		}
		if len(found) != 1 {
			t.Errorf("%d entries at %d", len(found), index)
		}
	}
	for _, unknown := range []string{"?logIndex=11", "?logIndex=-1", "/" + strings.Repeat("ab", 32)} {
		if status := get(t, url+"/api/v1/log/entries"+unknown, nil); status != 404 {
			t.Errorf("%s: got %d, want 404", unknown, status)
		}
	}
	if status := get(t, url+"/api/v1/log/entries/abc", nil); status != 422 {
		t.Errorf("malformed id: got %d, want 422", status)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTimestampAuthority(t *testing.T) {
	url := serve(t, instance(t, sigstoretest.NewGitHub)) + "/api/v1/timestamp"
	request := func(r timestamp.Request) []byte {
		raw, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	sum := sha256.Sum256([]byte("a signature"))
	good := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:]}
	short, weak, policy := good, good, good
	short.HashedMessage = sum[:20]
	weak.HashAlgorithm, weak.HashedMessage = crypto.SHA1, sum[:20]
	policy.TSAPolicyOID = []int{1, 2, 3}
	const kind = "application/timestamp-query"
	tests := []struct {
		name   string
		kind   string
		body   []byte
		status int
		want   string
	}{
		{"granted", kind, request(good), 201, ""},
		{"not a request", kind, []byte("x"), 400, "Error generating timestamp response"},
		{"short hash", kind, request(short), 400, "Message digest has incorrect length"},
		{"weak hash", kind, request(weak), 400, "Weak hash algorithm"},
		{"another policy", kind, request(policy), 400, "unaccepted policy"},
		{"another type", "text/plain", request(good), 415, "unsupported media type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, body := post(t, url, test.kind, "", test.body)
			if response.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %s, want %d … %s", response.StatusCode, body, test.status, test.want)
			}
			if test.status != 201 {
				return
			}
			if got := response.Header.Get("Content-Type"); got != "application/timestamp-reply" {
				t.Errorf("Content-Type %s", got)
			}
			stamp, err := timestamp.ParseResponse([]byte(body))
			if err != nil || !bytes.Equal(stamp.HashedMessage, sum[:]) {
				t.Errorf("%v of %x, want of %x", err, stamp.HashedMessage, sum)
			}
		})
	}
}

// What an instance made concurrently is as good as what it made one by one.
func TestConcurrently(t *testing.T) {
	s := instance(t, sigstoretest.New)
	made := make(chan []byte)
	for range 8 {
		go func() {
			raw, _ := s.Sign(release(), provenance(release()))
			made <- raw
		}()
	}
	for range 8 {
		if _, err := verified(t, s, <-made, publicGood()...); err != nil {
			t.Error(err)
		}
	}
}
