package pypitest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	leeway     = 30 * time.Second // between an issuer's clock and ours
	refreshing = time.Minute      // between two looks for an issuer's new keys
	maxKeys    = 1 << 20          // bytes of an issuer's documents
)

// claims are what Warehouse looks at in an ID token of GitHub Actions. A nil
// one was not in the token.
type claims struct {
	Issuer    string           `json:"iss"`
	Audience  any              `json:"aud"`
	Expires   *jwt.NumericDate `json:"exp"`
	Issued    *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`

	ID                *string `json:"jti"`
	Repository        *string `json:"repository"`
	RepositoryOwner   *string `json:"repository_owner"`
	RepositoryOwnerID *string `json:"repository_owner_id"`
	JobWorkflowRef    *string `json:"job_workflow_ref"`
	EventName         *string `json:"event_name"`
	Ref               *string `json:"ref"`
	SHA               *string `json:"sha"`
	Environment       *string `json:"environment"`
}

// missing names a claim that no token of GitHub's lacks.
func (c claims) missing() string {
	for _, claim := range []struct {
		name  string
		value *string
	}{
		{"repository", c.Repository},
		{"repository_owner", c.RepositoryOwner},
		{"repository_owner_id", c.RepositoryOwnerID},
		{"job_workflow_ref", c.JobWorkflowRef},
		{"jti", c.ID},
		{"event_name", c.EventName},
		{"ref", c.Ref},
		{"sha", c.SHA},
	} {
		if claim.value == nil {
			return claim.name
		}
	}
	return ""
}

// check judges what every issuer's tokens must say.
func (c claims) check(issuer, audience string, now time.Time) error {
	if c.Issuer != issuer || c.Expires == nil || c.Issued == nil {
		return errors.New("want iss, exp and iat")
	}
	if got, ok := c.Audience.(string); !ok || got != audience {
		return fmt.Errorf("want the audience %q alone, got %v", audience, c.Audience)
	}
	if !c.Expires.Time().After(now.Add(-leeway)) {
		return errors.New("expired")
	}
	soon := now.Add(leeway)
	if c.Issued.Time().After(soon) || c.NotBefore != nil && c.NotBefore.Time().After(soon) {
		return errors.New("not valid yet")
	}
	return nil
}

// unverifiedIssuer reads the "iss" of a token that nobody has verified.
func unverifiedIssuer(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("not enough segments")
	}
	var header, payload map[string]json.RawMessage
	for i, into := range []*map[string]json.RawMessage{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return "", err
		}
	}
	var issuer string
	err := json.Unmarshal(payload["iss"], &issuer)
	return issuer, err
}

// keyring holds the keys of issuers.
type keyring struct {
	client *http.Client
	mu     sync.Mutex
	sets   map[string]keyset // by issuer
}

type keyset struct {
	keys   jose.JSONWebKeySet
	looked time.Time
}

func newKeyring() *keyring {
	return &keyring{client: &http.Client{Timeout: 5 * time.Second}, sets: map[string]keyset{}}
}

// verify believes a token that one of the issuer's keys signed (RS256) for the
// audience, now.
func (k *keyring) verify(
	ctx context.Context, token, issuer, audience string, now time.Time,
) (claims, error) {
	signed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return claims{}, err
	}
	if len(signed.Headers) != 1 || signed.Headers[0].KeyID == "" {
		return claims{}, errors.New("the token names no key")
	}
	key, err := k.key(ctx, issuer, signed.Headers[0].KeyID, now)
	if err != nil {
		return claims{}, err
	}
	var c claims
	if err := signed.Claims(key, &c); err != nil {
		return claims{}, err
	}
	return c, c.check(issuer, audience, now)
}

// key finds an issuer's key. For one that it does not know it asks the issuer,
// once a minute.
func (k *keyring) key(ctx context.Context, issuer, id string, now time.Time) (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := k.sets[issuer]
	if len(set.keys.Key(id)) == 0 && now.Sub(set.looked) >= refreshing {
		keys, err := k.fetch(ctx, issuer)
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		set = keyset{keys: keys, looked: now}
		k.sets[issuer] = set
	}
	found := set.keys.Key(id)
	if len(found) == 0 {
		return jose.JSONWebKey{}, fmt.Errorf("the issuer %s has no key %s", issuer, id)
	}
	return found[0], nil
}

// fetch gets an issuer's keys by OpenID Connect discovery.
func (k *keyring) fetch(ctx context.Context, issuer string) (jose.JSONWebKeySet, error) {
	var configuration struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := k.get(ctx, issuer+"/.well-known/openid-configuration", &configuration); err != nil {
		return jose.JSONWebKeySet{}, err
	}
	var keys jose.JSONWebKeySet
	err := k.get(ctx, configuration.JWKS, &keys)
	return keys, err
}

func (k *keyring) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: want status 200, got %s", url, response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxKeys)).Decode(into)
}
