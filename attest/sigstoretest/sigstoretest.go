// Package sigstoretest is a whole Sigstore on one machine: a certificate authority that
// certifies jobs and people (Fulcio), a certificate transparency log, a transparency log of
// signatures (Rekor v1) that really is a growing Merkle tree, a timestamp authority (RFC 3161),
// and the trusted root that tells verifiers of all of them, also as a TUF repository.
//
// There are two of them, as there are two in the world:
//
//   - [New] is like the public-good instance at sigstore.dev. Its certificates carry a signed
//     certificate timestamp and its signatures are logged.
//   - [NewGitHub] is like the instance that GitHub runs for private repositories. It has no
//     logs, only timestamps.
//
// A [Sigstore] can be used in two ways, which share its keys and its log:
//
//   - [Sigstore.Sign] makes in a few milliseconds what a job on GitHub Actions gets from
//     actions/attest: a bundle for a statement such as [Provenance] or [Publish] writes. What the
//     certificate says comes from [Claims] alone, and what the statement says is the caller's:
//     a job that lies about itself is two arguments that disagree. Methods such as
//     [Sigstore.SignLate] make bundles with one fault that takes the authority's keys to make.
//   - [Sigstore.Handler] serves the same over HTTP, with the real services' statuses and bodies,
//     to any Sigstore client that holds a token of an OpenID Connect issuer.
//
// Every key is made anew for every Sigstore and dies with it. Nothing here is trusted by
// anybody who was not handed its trusted root.
package sigstoretest

import (
	"bytes"
	"crypto/x509"
	"time"
)

// A Sigstore is one instance with its keys and its log. It may be used by several goroutines.
type Sigstore struct {
	fulcio string  // its address, as the trusted root gives it
	ca     *issuer // Fulcio's
	ct     []*signingLog
	log    *merkleLog // nil where signatures are not logged
	tsa    *timestamper
	root   []byte
	tuf    *repository
}

// The authorities' own certificates began a year before now, so that a certificate and a
// timestamp of yesterday can be made too.
const (
	lifetime = 10 * 365 * 24 * time.Hour
	backdate = 365 * 24 * time.Hour
)

// New makes an instance like the public-good one: Fulcio with an intermediate, a CT log, Rekor v1
// and a timestamp authority.
func New() (*Sigstore, error) {
	root, err := newRoot("sigstore.dev", "sigstore")
	if err != nil {
		return nil, err
	}
	ca, err := root.newIntermediate("sigstore-intermediate", 0, x509.ExtKeyUsageCodeSigning)
	if err != nil {
		return nil, err
	}
	ct, err := newSigningLog("https://ctfe.sigstore.localhost/2022")
	if err != nil {
		return nil, err
	}
	log, err := newMerkleLog("rekor.sigstore.localhost")
	if err != nil {
		return nil, err
	}
	tsaRoot, err := newRoot("sigstore.dev", "sigstore-tsa-selfsigned")
	if err != nil {
		return nil, err
	}
	tsa, err := newTimestamper(
		"https://timestamp.sigstore.localhost/api/v1/timestamp", tsaRoot, "sigstore-tsa")
	if err != nil {
		return nil, err
	}
	return publish(&Sigstore{
		fulcio: "https://fulcio.sigstore.localhost",
		ca:     ca,
		ct:     []*signingLog{ct},
		log:    log,
		tsa:    tsa,
	})
}

// NewGitHub makes an instance like GitHub's own: another organisation, no CT log, no log of
// signatures, only timestamps.
func NewGitHub() (*Sigstore, error) {
	root, err := newRoot("GitHub, Inc.", "Internal Services Root")
	if err != nil {
		return nil, err
	}
	outer, err := root.newIntermediate("Fulcio Intermediate l1", 1)
	if err != nil {
		return nil, err
	}
	ca, err := outer.newIntermediate("Fulcio Intermediate l2", 0, x509.ExtKeyUsageCodeSigning)
	if err != nil {
		return nil, err
	}
	tsaCA, err := root.newIntermediate("TSA intermediate", 0, x509.ExtKeyUsageTimeStamping)
	if err != nil {
		return nil, err
	}
	tsa, err := newTimestamper("timestamp.githubapp.localhost", tsaCA, "TSA Timestamping")
	if err != nil {
		return nil, err
	}
	return publish(&Sigstore{fulcio: "fulcio.githubapp.localhost", ca: ca, tsa: tsa})
}

// publish writes down what verifiers need to know, once, so that it is the same bytes each time.
func publish(s *Sigstore) (*Sigstore, error) {
	var err error
	if s.root, err = s.trustedRoot(); err != nil {
		return nil, err
	}
	if s.tuf, err = newRepository(s.root); err != nil {
		return nil, err
	}
	return s, nil
}

// TrustedRoot returns trusted_root.json: the keys, certificates and periods by which anything
// that this instance makes is verified.
func (s *Sigstore) TrustedRoot() []byte { return bytes.Clone(s.root) }

// TUFRoot returns the root.json with which a TUF client of the repository below /tuf/ starts.
func (s *Sigstore) TUFRoot() []byte { return bytes.Clone(s.tuf.root) }
