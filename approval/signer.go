package approval

import (
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Author is the person on the list who signed a statement that is not a vote,
// with a key that is valid at each of the times. One of them is what the statement
// gives, which its signer can choose: where that would help somebody with an old
// key, another is now. What it says is the caller's to judge.
func (p Policy) Author(statement, signature []byte, at ...time.Time) (Person, error) {
	file := "statement " + dist.Sum(statement).Hex()[:16]
	refuse := func(id rule.ID, f flaw) (Person, error) {
		return Person{}, rule.Refusals{{File: file, Rule: id, Want: f.want, Got: f.got, Hint: f.hint}}
	}
	sig, f := parseSignature(signature)
	if f != nil {
		return refuse(rule.VoteSignature, *f)
	}
	fingerprint := ssh.FingerprintSHA256(sig.PublicKey)
	key, person := p.Signers.find(sig.PublicKey), Person{}
	if key != nil {
		person, _ = p.Person(key.key)
	}
	wrong := slices.IndexFunc(at, func(t time.Time) bool { return key != nil && !key.validAt(t) })
	switch {
	case person.GitHub == 0 || len(at) == 0:
		return refuse(rule.VoteSigner, flaw{"a key of a person on the list", fingerprint, strangerHint})
	case wrong >= 0:
		return refuse(rule.VoteSigner, flaw{"a key valid " + key.validity(), "needed at " + at[wrong].UTC().Format(time.RFC3339), strangerHint})
	}
	if err := verifySignature(statement, sig, key.key); err != nil {
		return refuse(rule.VoteSignature, flaw{"a signature of " + fingerprint + " over this statement", quoted(err.Error()), signatureHint})
	}
	return person, nil
}
