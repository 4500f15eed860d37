package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// An ID token is good from ten minutes before it was asked for until five
// minutes after, as in the example of GitHub's OpenID Connect reference.
const (
	tokenBefore = 10 * time.Minute
	tokenAfter  = 5 * time.Minute
)

// signingKey signs ID tokens. Its certificate has no other use than the x5c
// and x5t members that GitHub publishes.
type signingKey struct {
	public jose.JSONWebKey
	signer jose.Signer
}

func newSigningKey(now time.Time) (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "githubtest"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.AddDate(2, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return signingKey{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return signingKey{}, err
	}
	thumbprint := sha1.Sum(der)
	key := jose.JSONWebKey{
		Key: private, KeyID: newUUID(), Algorithm: string(jose.RS256), Use: "sig",
		Certificates:              []*x509.Certificate{certificate},
		CertificateThumbprintSHA1: thumbprint[:],
	}
	options := (&jose.SignerOptions{}).WithType("JWT").
		WithHeader("x5t", base64.RawURLEncoding.EncodeToString(thumbprint[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	return signingKey{public: key.Public(), signer: signer}, err
}

func (k signingKey) sign(payload payload) (string, error) {
	return jwt.Signed(k.signer).Claims(payload).Serialize()
}

// payload is all that a token says.
type payload struct {
	ID        string `json:"jti"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	Issuer    string `json:"iss"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	Issued    int64  `json:"iat"`
	Claims
}

func (g *GitHub) payload(c Claims, audience string) payload {
	now := g.now()
	return payload{
		ID:        newUUID(),
		Subject:   c.Subject(),
		Audience:  audience,
		Issuer:    g.base,
		NotBefore: now.Add(-tokenBefore).Unix(),
		Expires:   now.Add(tokenAfter).Unix(),
		Issued:    now.Unix(),
		Claims:    c,
	}
}

// idToken answers GET {request URL}&audience=X. Without an audience it is the
// owner's URL, as GitHub has it.
func (g *GitHub) idToken(w http.ResponseWriter, r *http.Request) {
	job, ok := g.authenticate(r)
	if !ok {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	audience := r.URL.Query().Get("audience")
	if audience == "" {
		audience = "https://github.com/" + job.claims.RepositoryOwner
	}
	token, err := g.key.sign(g.payload(job.claims, audience))
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"count": len(token), "value": token})
}

func (g *GitHub) authenticate(r *http.Request) (job, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g.mu.Lock()
	defer g.mu.Unlock()
	job, known := g.jobs[r.PathValue("job")]
	same := subtle.ConstantTimeCompare([]byte(token), []byte(job.token)) == 1
	return job, known && same && strings.EqualFold(scheme, "bearer")
}

// discovery answers with what GitHub's issuer says of itself.
func (g *GitHub) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                g.base,
		"jwks_uri":                              g.base + "/.well-known/jwks",
		"subject_types_supported":               []string{"public", "pairwise"},
		"response_types_supported":              []string{"id_token"},
		"claims_supported":                      claimsSupported(),
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid"},
	})
}

func (g *GitHub) jwks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{g.key.public}})
}

// claimsSupported lists every claim by its name in a token.
func claimsSupported() []string {
	return []string{
		"sub", "aud", "exp", "iat", "iss", "jti", "nbf",
		"ref", "sha", "repository", "repository_id", "repository_owner", "repository_owner_id",
		"enterprise", "enterprise_id", "run_id", "run_number", "run_attempt", "actor", "actor_id",
		"workflow", "workflow_ref", "workflow_sha", "head_ref", "base_ref", "event_name",
		"ref_type", "ref_protected", "environment", "environment_node_id", "job_workflow_ref",
		"job_workflow_sha", "repository_visibility", "runner_environment", "check_run_id",
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(raw)
}
