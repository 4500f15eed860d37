package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// SigstoreAudience is the audience of the ID token that Fulcio takes.
const SigstoreAudience = "sigstore"

// Bounds on the signing services.
const (
	signTimeout = 30 * time.Second
	signRetries = 3
	maxAnswer   = 1 << 20 // bytes of one answer
)

// Token gets an OIDC ID token for one audience.
type Token func(ctx context.Context, audience string) (string, error)

// Services are the base URLs of a Sigstore instance. TSA is the whole URL of
// its timestamp endpoint, or empty where the instance's log gives the time.
type Services struct {
	Fulcio, Rekor, TSA string
}

// Signer signs statements with certificates that Fulcio issues for an ID token.
type Signer struct {
	services Services
	token    Token
	root     Root
}

// NewSigner takes the trusted root of the same instance: what is signed is
// verified before it is returned. URLs are https, or http on loopback.
func NewSigner(s Services, root Root, token Token) (*Signer, error) {
	endpoints := []string{s.Fulcio, s.Rekor}
	if s.TSA != "" {
		endpoints = append(endpoints, s.TSA)
	}
	for _, endpoint := range endpoints {
		if err := secure(endpoint); err != nil {
			return nil, err
		}
	}
	if root.material == nil || token == nil {
		return nil, errors.New("a signer needs a loaded trusted root and a source of ID tokens")
	}
	return &Signer{services: s, token: token, root: root}, nil
}

// secure accepts https, and http on a loopback address.
func secure(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is not a URL", endpoint)
	}
	if IsPrivate(u) {
		return nil
	}
	return fmt.Errorf("%s: want https", endpoint)
}

// Sign signs an in-toto statement: a new key, a certificate for it, a log
// entry, and a timestamp where the instance has an authority. The bundle is
// v0.3 JSON; [Bundle.PEP740] turns it into what PyPI takes.
func (s *Signer) Sign(ctx context.Context, name string, statement []byte) (Bundle, error) {
	if _, err := parseStatement(statement); err != nil {
		return Bundle{}, fmt.Errorf("%s: not an in-toto statement: %w", name, err)
	}
	token, err := s.token(ctx, SigstoreAudience)
	if err != nil {
		return Bundle{}, err
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return Bundle{}, err
	}
	options, err := s.options(ctx, token)
	if err != nil {
		return Bundle{}, err
	}
	pb, err := sign.Bundle(&sign.DSSEData{Data: statement, PayloadType: inTotoPayload}, key, options)
	if err != nil {
		return Bundle{}, fmt.Errorf("%s: sign: %w", name, err)
	}
	raw, err := protojson.Marshal(pb)
	if err != nil {
		return Bundle{}, err
	}
	return fromProtobuf(name, raw, pb)
}

// Log asks whether the instance's transparency log is there, and returns its
// address. It wants Rekor v1: what a later version logs has no place in PEP 740.
func (s *Signer) Log(ctx context.Context) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.services.Rekor, "/")+"/api/v1/log", nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: bounded{http.DefaultTransport}}
	response, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var log struct {
		Root string `json:"rootHash"`
	}
	if err := json.NewDecoder(response.Body).Decode(&log); err != nil || response.StatusCode != http.StatusOK || log.Root == "" {
		return "", fmt.Errorf("%s: want a transparency log, Rekor v1, got status %d", r.URL, response.StatusCode)
	}
	return s.services.Rekor, nil
}

func (s *Signer) options(ctx context.Context, token string) (sign.BundleOptions, error) {
	transport := bounded{http.DefaultTransport}
	log, err := newRekor(s.services.Rekor)
	if err != nil {
		return sign.BundleOptions{}, err
	}
	options := sign.BundleOptions{
		Context:                    ctx,
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.services.Fulcio, Timeout: signTimeout, Retries: signRetries, Transport: transport}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: token},
		TransparencyLogs:           []sign.Transparency{sign.NewRekor(&sign.RekorOptions{Client: log, Timeout: signTimeout})},
		TrustedRoot:                s.root.material,
	}
	if s.services.TSA != "" {
		options.TimestampAuthorities = []*sign.TimestampAuthority{sign.NewTimestampAuthority(
			&sign.TimestampAuthorityOptions{URL: s.services.TSA, Timeout: signTimeout, Retries: signRetries, Transport: transport})}
	}
	return options, nil
}

// bounded cuts answers off, since the signing library reads them whole.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
