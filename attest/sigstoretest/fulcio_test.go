package sigstoretest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/attest/sigstoretest"
)

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
		{"proof of possession", good, right, 200,
			`{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN`},
		{"signing request", good, signingRequest(t, bytes.Clone), 200, "signedCertificateEmbeddedSct"},

		{"no token", "", right, 400, token},
		{"no token at all", "x", right, 400, token},
		{"another audience", idp.token(t, job, map[string]any{"aud": "pypi"}), right, 400, token},
		{"expired", idp.token(t, job, map[string]any{"exp": time.Now().Unix() - 60}), right, 400, token},
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
