package workflows

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cenkalti/backoff/v5"
	"github.com/klauspost/compress/snappy"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// readAttestations is the permission that attestations take in a private
// repository; in a public one they take none.
const readAttestations = "attestations: read"

// maxAttestations bounds what is stored for one digest.
const maxAttestations = 500

// attestation is one in GitHub's list. Its bundle stood there until 2026-07-16
// and is null now.
type attestation struct {
	Bundle    json.RawMessage `json:"bundle"`
	BundleURL string          `json:"bundle_url"`
}

// Attestations asks for the build provenance that the repository has for a
// digest; none is not an error. Other attestations, such as those of GitHub's
// immutable releases, are not provenance and are passed over. What comes back
// is a claim: everything can be stored there, and deleted again.
func (c *Client) Attestations(ctx context.Context, repository string, digest dist.Digest) ([]attest.Bundle, error) {
	listed, err := c.attested(ctx, repository, digest)
	if err != nil {
		return nil, err
	}
	var bundles []attest.Bundle
	for _, a := range listed {
		found, err := c.bundlesOf(ctx, a, digest)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, found...)
	}
	return bundles, nil
}

// attested lists the attestations of a digest. GitHub has them by cursor, and
// says 404 or 422 where there are none.
func (c *Client) attested(ctx context.Context, repository string, digest dist.Digest) (all []attestation, err error) {
	path, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	q := question{path: path + "/attestations/" + digest.String(), needs: readAttestations, about: repository}
	q.query = url.Values{"per_page": {strconv.Itoa(perPage)}}
	for range maxPages {
		a, err := c.ask(ctx, q)
		if failed(err, http.StatusNotFound, http.StatusUnprocessableEntity) && len(all) == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var page struct {
			Attestations []attestation `json:"attestations"`
		}
		if err := a.decode(q, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Attestations...); len(all) > maxAttestations {
			break
		}
		after := nextCursor(a.header)
		if after == "" {
			return all, nil
		}
		q.query.Set("after", after)
	}
	return nil, fmt.Errorf("GitHub, %s: want at most %d attestations, got more", q.path, maxAttestations)
}

// nextCursor is where the next page begins, as the Link header has it, or "".
// Only the cursor is taken from it, never the address.
func nextCursor(header http.Header) string {
	for link := range strings.SplitSeq(header.Get("Link"), ",") {
		address, params, _ := strings.Cut(strings.TrimSpace(link), ";")
		if strings.TrimSpace(params) != `rel="next"` {
			continue
		}
		if u, err := url.Parse(strings.Trim(address, "<>")); err == nil {
			return u.Query().Get("after")
		}
	}
	return ""
}

// bundlesOf reads the bundle of one attestation, if it is provenance.
func (c *Client) bundlesOf(ctx context.Context, a attestation, digest dist.Digest) ([]attest.Bundle, error) {
	raw := []byte(a.Bundle)
	if a.BundleURL != "" {
		var err error
		if raw, err = c.bundle(ctx, a.BundleURL); err != nil {
			return nil, fmt.Errorf("the attestation of %s: %w", digest, err)
		}
	}
	if t := predicateType(raw); t != "" && !slices.Contains(attest.Provenance(), t) {
		return nil, nil
	}
	return attest.ParseBundles("attestation of "+digest.String(), bytes.NewReader(raw))
}

// predicateType is what a bundle says that it says, or "". It serves to pass
// over what is not asked for, whatever it looks like; what is asked for is
// parsed strictly.
func predicateType(raw []byte) string {
	var b struct {
		Envelope struct {
			Payload string `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if json.Unmarshal(raw, &b) != nil {
		return ""
	}
	payload, err := base64.StdEncoding.DecodeString(b.Envelope.Payload)
	if err != nil {
		return ""
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if json.Unmarshal(payload, &statement) != nil {
		return ""
	}
	return statement.PredicateType
}

// bundle fetches one bundle from the blob host, without the token.
func (c *Client) bundle(ctx context.Context, address string) ([]byte, error) {
	at, err := url.Parse(address)
	if err != nil || !isBlob(at, c.base) {
		return nil, errors.New("want an https bundle_url, got another")
	}
	return again(ctx, c.tell, func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, answerWait)
		defer cancel()
		response, err := c.open(ctx, at)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		packed, err := io.ReadAll(io.LimitReader(response.Body, attest.MaxBundleFile+1))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at.Host, err)
		}
		raw, err := unpackBundle(packed)
		if err != nil {
			return nil, backoff.Permanent(err)
		}
		return raw, nil
	})
}

// unpackBundle reads a bundle as GitHub stores it: as one snappy block. Framed
// snappy and plain JSON are read too. No bundle is larger than a bundle file.
func unpackBundle(packed []byte) ([]byte, error) {
	const framed = "\xff\x06\x00\x00sNaPpY"
	raw, err := packed, error(nil)
	switch {
	case len(packed) > attest.MaxBundleFile:
	case bytes.HasPrefix(bytes.TrimLeft(packed, " \t\r\n"), []byte("{")):
	case bytes.HasPrefix(packed, []byte(framed)):
		raw, err = io.ReadAll(io.LimitReader(snappy.NewReader(bytes.NewReader(packed)), attest.MaxBundleFile+1))
	default:
		raw, err = unpackBlock(packed)
	}
	if err != nil && !errors.As(err, new(rule.Refusals)) {
		return nil, bundleRefused(rule.BundleMalformed, "a bundle as JSON, compressed with snappy or not", err.Error())
	}
	if err == nil && len(raw) > attest.MaxBundleFile {
		err = bundleTooLarge()
	}
	return raw, err
}

// unpackBlock reads one snappy block, which says at its beginning how large it
// will be.
func unpackBlock(packed []byte) ([]byte, error) {
	size, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, err
	}
	if size > attest.MaxBundleFile {
		return nil, bundleTooLarge()
	}
	return snappy.Decode(nil, packed)
}

func bundleTooLarge() error {
	return bundleRefused(rule.BundleSize, fmt.Sprintf("at most %d bytes", attest.MaxBundleFile), "more")
}

func bundleRefused(id rule.ID, want, got string) error {
	return rule.Refusals{{File: "attestation", Rule: id, Want: want, Got: got,
		Hint: "the attestation that GitHub stores is damaged; attest the build again"}}
}
