package dist

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// Digest is the SHA-256 of some bytes. It is comparable: two contents are the
// same if their digests are ==. The zero Digest is that of nothing.
type Digest [sha256.Size]byte

// Sum is the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

const digestPrefix = "sha256:"

// ParseDigest reads "sha256:" and 64 lower case hexadecimal digits, and refuses
// every other text.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) || strings.ToLower(digits) != digits {
		return Digest{}, notDigest(s)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil || d.IsZero() {
		return Digest{}, notDigest(s)
	}
	return d, nil
}

func notDigest(s string) error {
	return no(s, rule.DigestForm, "sha256: and 64 lower case hexadecimal digits", orNothing(s),
		"Copy the whole digest, with its sha256: in front.")
}

// String is the digest as [ParseDigest] reads it.
func (d Digest) String() string { return digestPrefix + d.Hex() }

// Hex is the 64 digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// IsZero tells whether d was never set.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText is [Digest.String], so that JSON and TOML show a digest as such.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is [ParseDigest].
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
