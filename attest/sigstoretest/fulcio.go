package sigstoretest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// maxCertificateRequest is how much Fulcio reads of a request, in bytes.
const maxCertificateRequest = 4 << 20

// A complaint is what Fulcio says to the one who asks, in its own words. Why exactly, it keeps to
// itself.
type complaint string

const (
	badToken     complaint = "There was an error processing the identity token"
	badKey       complaint = "The public key supplied in the request could not be parsed"
	badRequest   complaint = "The certificate signing request could not be parsed"
	badSignature complaint = "The signature supplied in the request could not be verified"
	weakKey      complaint = "The public key supplied in the request is insecure"
)

func (c complaint) Error() string { return string(c) }

// A fulcio answers requests for certificates.
type fulcio struct {
	ca      *issuer
	ct      []*signingLog
	client  *http.Client
	issuers []string // that it knows

	mu        sync.Mutex
	verifiers map[string]*oidc.IDTokenVerifier // of the issuers that answered
}

// A certificateRequest has either a certificate signing request (PEM), or a key and the key's
// signature over the name of the one who asks.
type certificateRequest struct {
	Credentials struct {
		OIDCIdentityToken string `json:"oidcIdentityToken"`
	} `json:"credentials"`
	PublicKeyRequest struct {
		PublicKey struct {
			Algorithm string `json:"algorithm"`
			Content   string `json:"content"` // PEM
		} `json:"publicKey"`
		ProofOfPossession []byte `json:"proofOfPossession"`
	} `json:"publicKeyRequest"`
	CertificateSigningRequest []byte `json:"certificateSigningRequest"`
}

func (f *fulcio) serve(w http.ResponseWriter, r *http.Request) {
	var request certificateRequest
	body := http.MaxBytesReader(w, r.Body, maxCertificateRequest)
	if err := json.NewDecoder(body).Decode(&request); err != nil {
		f.refuse(w, err)
		return
	}
	token := request.Credentials.OIDCIdentityToken
	if token == "" {
		token = strings.Replace(r.Header.Get("Authorization"), "Bearer ", "", 1)
	}
	chain, err := f.certify(r.Context(), token, request)
	if err != nil {
		f.refuse(w, err)
		return
	}
	answer := map[string]any{"chain": map[string]any{"certificates": chain}}
	kind := "signedCertificateEmbeddedSct"
	if len(f.ct) == 0 {
		kind = "signedCertificateDetachedSct"
	}
	answerJSON(w, http.StatusOK, map[string]any{kind: answer})
}

// refuse answers as Fulcio's gateway does to anything that is wrong with a request, a bad token
// too: 400 and gRPC's code for an invalid argument.
func (*fulcio) refuse(w http.ResponseWriter, err error) {
	answerJSON(w, http.StatusBadRequest, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Details []any  `json:"details"`
	}{3, err.Error(), []any{}})
}

// certify returns the certificate and those of its issuers, in PEM, or what Fulcio says is wrong.
func (f *fulcio) certify(
	ctx context.Context, rawToken string, request certificateRequest,
) ([]string, error) {
	token, err := f.authenticate(ctx, rawToken)
	if err != nil {
		return nil, badToken
	}
	pub, err := request.key(token.name)
	if err != nil {
		return nil, err
	}
	who, err := token.identity()
	if err != nil {
		return nil, err
	}
	certificate, err := f.ca.certify(who, pub, time.Now().UTC().Truncate(time.Second), f.ct...)
	if err != nil {
		return nil, err
	}
	var chain []string
	for _, c := range append([]*x509.Certificate{certificate}, f.ca.chain()...) {
		chain = append(chain, string(encodePEM(c)))
	}
	return chain, nil
}

// A caller is who a token is about: what it proves to hold its key by signing, and its claims.
type caller struct {
	name   string
	email  string // of a person
	issuer string
	claims map[string]any
}

func (f *fulcio) authenticate(ctx context.Context, raw string) (caller, error) {
	verifier, err := f.verifier(ctx, raw)
	if err != nil {
		return caller{}, err
	}
	token, err := verifier.Verify(oidc.ClientContext(ctx, f.client), raw)
	if err != nil {
		return caller{}, err
	}
	c := caller{name: token.Subject, issuer: token.Issuer}
	if err := token.Claims(&c.claims); err != nil {
		return caller{}, err
	}
	email, _ := c.claims["email"].(string)
	if _, job := c.claims["job_workflow_ref"]; job || email == "" {
		return c, nil
	}
	if verified, _ := c.claims["email_verified"].(bool); !verified {
		return caller{}, errors.New("email_verified claim was false")
	}
	c.name, c.email = email, email
	return c, nil
}

// verifier is that of the issuer whose name the token bears, if it is one of the known.
func (f *fulcio) verifier(ctx context.Context, raw string) (*oidc.IDTokenVerifier, error) {
	name, err := claimedIssuer(raw)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(f.issuers, name) {
		return nil, fmt.Errorf("unsupported issuer: %s", name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, known := f.verifiers[name]; known {
		return v, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, f.client), name)
	if err != nil {
		return nil, err
	}
	f.verifiers[name] = provider.Verifier(&oidc.Config{ClientID: "sigstore"})
	return f.verifiers[name], nil
}

// claimedIssuer reads who a token says it is from, before anything of it is verified.
func claimedIssuer(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("a token has 3 parts, this one %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.Issuer, err
}

// identity is what the certificate says. Every claim that Fulcio writes of a job must be there,
// except the environment.
func (c caller) identity() (identity, error) {
	if c.email != "" {
		subject, _ := c.claims["sub"].(string)
		return person(c.email, c.issuer, subject)
	}
	for _, name := range []string{
		"event_name", "sha", "workflow", "repository", "ref", "job_workflow_ref",
		"job_workflow_sha", "runner_environment", "repository_id", "repository_owner",
		"repository_owner_id", "workflow_ref", "workflow_sha", "run_id", "run_attempt",
		"repository_visibility",
	} {
		if _, found := c.claims[name]; !found {
			return identity{}, fmt.Errorf("value <%s> not present in either claims or defaults", name)
		}
	}
	raw, err := json.Marshal(c.claims)
	if err != nil {
		return identity{}, err
	}
	var claims Claims
	if err := json.Unmarshal(raw, &claims); err != nil {
		return identity{}, err
	}
	return claims.identity()
}

// key returns the key to certify, of which the one who asks has shown possession.
func (r certificateRequest) key(name string) (crypto.PublicKey, error) {
	if len(r.CertificateSigningRequest) > 0 {
		return r.requestedKey()
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(r.PublicKeyRequest.PublicKey.Content))
	if err != nil {
		return nil, badKey
	}
	if err := strong(pub); err != nil {
		return nil, err
	}
	verifier, err := signature.LoadDefaultVerifier(pub)
	if err != nil {
		return nil, err
	}
	proof := bytes.NewReader(r.PublicKeyRequest.ProofOfPossession)
	if verifier.VerifySignature(proof, strings.NewReader(name)) != nil {
		return nil, badSignature
	}
	return pub, nil
}

func (r certificateRequest) requestedKey() (crypto.PublicKey, error) {
	csr, err := cryptoutils.ParseCSR(r.CertificateSigningRequest)
	if err != nil {
		return nil, badRequest
	}
	if err := strong(csr.PublicKey); err != nil {
		return nil, err
	}
	if csr.CheckSignature() != nil {
		return nil, badSignature
	}
	return csr.PublicKey, nil
}

// strong says no to a key that is of no use for signing.
func strong(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P224() {
			return nil
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return weakKey
}

func encodePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
