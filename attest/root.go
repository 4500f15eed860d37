package attest

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// maxRoot bounds a trusted root. The public-good one is 7 KiB.
const maxRoot = 1 << 20

// Root is one trusted root: certificate authorities, logs and timestamp
// authorities that vouch for each other and for nothing of another root.
type Root struct {
	file     string
	digest   dist.Digest
	issuers  []*x509.Certificate // the certificates that issue leaves
	verifier *verify.Verifier
	material *root.TrustedRoot
}

// Digest is the SHA-256 of the trusted root's bytes.
func (r Root) Digest() dist.Digest { return r.digest }

// File is the name that the root was loaded under.
func (r Root) File() string { return r.file }

// LoadRoot reads a trusted_root.json. What it has it will demand: a certificate
// transparency log means a signed certificate timestamp, a transparency log
// means an entry and a time, neither log means a signed timestamp. A root
// that could demand no time is refused.
func LoadRoot(file string, r io.Reader) (Root, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxRoot+1))
	if err != nil {
		return Root{}, fmt.Errorf("%s: %w", file, err)
	}
	refused := func(got string) (Root, error) {
		return Root{}, rule.Refusals{{File: file, Rule: rule.RootMalformed,
			Want: "a Sigstore trusted_root.json", Got: got,
			Hint: "get one with `gh attestation trusted-root` or from the instance's TUF repository"}}
	}
	if len(raw) > maxRoot {
		return refused(fmt.Sprintf("more than %d bytes", maxRoot))
	}
	material, err := root.NewTrustedRootFromJSON(raw)
	if err != nil {
		return refused(firstLine(err))
	}
	demands, err := demandsOf(material)
	if err != nil {
		return refused(err.Error())
	}
	verifier, err := verify.NewVerifier(material, demands...)
	if err != nil {
		return refused(firstLine(err))
	}
	loaded := Root{file: file, digest: dist.Sum(raw), verifier: verifier, material: material}
	if loaded.issuers = issuersOf(material); len(loaded.issuers) == 0 {
		return refused("no certificate authority")
	}
	return loaded, nil
}

func demandsOf(material *root.TrustedRoot) (demands []verify.VerifierOption, err error) {
	demands = append(demands, verify.WithoutStatementPredicate())
	if len(material.CTLogs()) > 0 {
		demands = append(demands, verify.WithSignedCertificateTimestamps(1))
	}
	switch {
	case len(material.RekorLogs()) > 0:
		return append(demands, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)), nil
	case len(material.TimestampingAuthorities()) > 0:
		return append(demands, verify.WithSignedTimestamps(1)), nil
	}
	return nil, fmt.Errorf("neither a transparency log nor a timestamp authority")
}

func issuersOf(material *root.TrustedRoot) (issuers []*x509.Certificate) {
	for _, ca := range material.FulcioCertificateAuthorities() {
		authority, ok := ca.(*root.FulcioCertificateAuthority)
		if !ok {
			continue
		}
		if len(authority.Intermediates) > 0 {
			issuers = append(issuers, authority.Intermediates...)
		} else if authority.Root != nil {
			issuers = append(issuers, authority.Root)
		}
	}
	return issuers
}

// issued reports whether one of the root's authorities issued the leaf, by its
// name and key id. Sigstore's verification then checks the signature.
func (r Root) issued(leaf *x509.Certificate) bool {
	return slices.ContainsFunc(r.issuers, func(ca *x509.Certificate) bool {
		return bytes.Equal(ca.RawSubject, leaf.RawIssuer) && bytes.Equal(ca.SubjectKeyId, leaf.AuthorityKeyId)
	})
}

// knows reports whether the root has an authority of the organisation that the
// leaf says issued it.
func (r Root) knows(leaf *x509.Certificate) bool {
	return slices.ContainsFunc(r.issuers, func(ca *x509.Certificate) bool {
		return len(leaf.Issuer.Organization) > 0 &&
			slices.Equal(ca.Subject.Organization, leaf.Issuer.Organization)
	})
}

// RootTooOld says that a trusted root knows the organisation that issued a
// certificate, but not this authority or timestamp signer of it. Instances
// rotate their keys, GitHub's every few months. It is neither a yes nor a no.
type RootTooOld struct {
	Bundle string // file
	Issuer string // of the certificate
	Roots  []string
}

func (e RootTooOld) Error() string {
	return fmt.Sprintf("%s: issued by %s, which the trusted root %s knows only with older keys; "+
		"fetch a newer trusted root", e.Bundle, e.Issuer, strings.Join(e.Roots, " or "))
}

// FetchRoot gets trusted_root.json from a TUF repository. rootJSON is the
// repository's root of trust ([PublicGoodTUF] for Sigstore's public-good
// instance); cache is a directory that keeps the metadata, so that a later
// fetch cannot be rolled back.
func FetchRoot(ctx context.Context, repository string, rootJSON []byte, cache string) (Root, []byte, error) {
	raw, err := fetchTarget(&tuf.Options{Root: rootJSON, RepositoryBaseURL: repository, CachePath: cache, Context: ctx}, "trusted_root.json")
	if err != nil {
		return Root{}, nil, fmt.Errorf("%s: trusted_root.json: %w; if it stays so, remove what is kept in %s", repository, err, cache)
	}
	loaded, err := LoadRoot(repository+"/trusted_root.json", bytes.NewReader(raw))
	return loaded, raw, err
}

// fetchTarget gets a target by TUF. The library reads metadata before it knows who
// signed them, and panics where they lack what it takes for granted.
func fetchTarget(options *tuf.Options, name string) (raw []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("metadata that are none of TUF's: %v", p)
		}
	}()
	client, err := tuf.New(options)
	if err != nil {
		return nil, err
	}
	return client.GetTarget(name)
}

// PublicGoodTUF is the root of trust of Sigstore's public-good TUF repository,
// as sigstore-go embeds it.
func PublicGoodTUF() (repository string, rootJSON []byte) {
	return tuf.DefaultMirror, tuf.DefaultRoot()
}

// firstLine keeps a library's long error to its first line, and leaves out what
// speaks of the library. (Protocol buffers put a blank of either kind, at random,
// into what they say.)
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.ReplaceAll(line, "\u00a0", " ")
	for _, jargon := range []string{"failed to proto-json unmarshal trusted root: ", "proto: "} {
		line = strings.TrimPrefix(line, jargon)
	}
	return line
}
