package approval

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Namespace is the SSHSIG namespace of a vote: what ssh-keygen -Y sign gets as
// -n, so that a signature made for git or for a file is never a vote.
const Namespace = "distgate"

const maxSignatureSize = 16 << 10

// Sign signs a vote's statement and returns the armored signature, the same
// that ssh-keygen -Y sign -n distgate writes. The key is one that
// [ParseAllowedSigners] would take. A security key may wait for a touch.
func Sign(statement []byte, key ssh.Signer) ([]byte, error) {
	if f := checkKey(key.PublicKey()); f != nil {
		return nil, fmt.Errorf("signing key: want %s, got %s", f.want, f.got)
	}
	sig, err := sshsig.Sign(bytes.NewReader(statement), key, sshsig.HashSHA512, Namespace)
	if err != nil {
		return nil, fmt.Errorf("sign the vote: %w", err)
	}
	armored := sshsig.Armor(sig)
	if parsed, f := parseSignature(armored); f != nil {
		return nil, fmt.Errorf("sign the vote: want %s, got %s", f.want, f.got)
	} else if err := verifySignature(statement, parsed, key.PublicKey()); err != nil {
		return nil, fmt.Errorf("sign the vote: %w", err)
	}
	return armored, nil
}

const signatureHint = "sign the statement again: ssh-keygen -Y sign -n distgate -f KEY STATEMENT"

// parseSignature reads an armored SSHSIG (PROTOCOL.sshsig of OpenSSH) in the
// namespace of votes. sshsig alone passes over what stands around the armor,
// the reserved field, and bytes behind a signature; here they are refused.
func parseSignature(armored []byte) (*sshsig.Signature, *flaw) {
	blob, f := unarmor(armored)
	if f != nil {
		return nil, f
	}
	sig, err := sshsig.ParseSignature(blob)
	if err != nil {
		return nil, &flaw{"an SSH signature", quoted(err.Error()), signatureHint}
	}
	switch {
	case !bytes.Equal(sig.Marshal(), blob):
		return nil, &flaw{"a signature in its one encoding", "another encoding of it", signatureHint}
	case sig.Namespace != Namespace:
		return nil, &flaw{"namespace " + Namespace, quoted(sig.Namespace), signatureHint}
	case len(sig.Signature.Rest) != trailer(sig.PublicKey):
		return nil, &flaw{"a signature and nothing behind it",
			fmt.Sprintf("%d more bytes", len(sig.Signature.Rest)), signatureHint}
	}
	return sig, checkKey(sig.PublicKey)
}

// unarmor wants one block, nothing around it but blanks, and no headers.
func unarmor(armored []byte) ([]byte, *flaw) {
	const begin, end = "-----BEGIN " + sshsig.PEMType + "-----", "-----END " + sshsig.PEMType + "-----"
	want := fmt.Sprintf("%s … %s of at most %d bytes", begin, end, maxSignatureSize)
	text := bytes.TrimSpace(armored)
	switch {
	case len(text) == 0:
		return nil, &flaw{want, "nothing", signatureHint}
	case len(armored) > maxSignatureSize:
		return nil, &flaw{want, fmt.Sprintf("%d bytes", len(armored)), signatureHint}
	case !bytes.HasPrefix(text, []byte(begin)), !bytes.HasSuffix(text, []byte(end)),
		bytes.Count(text, []byte("-----")) != 4:
		return nil, &flaw{want, quoted(string(text)), signatureHint}
	}
	block, rest := pem.Decode(text)
	if block == nil || len(block.Headers) > 0 || len(rest) > 0 {
		return nil, &flaw{want, "a block that is not plain base64", signatureHint}
	}
	return block.Bytes, nil
}

// trailer is how many bytes follow the signature proper: a security key's
// flags and counter (PROTOCOL.u2f of OpenSSH), and nothing for other keys.
func trailer(key ssh.PublicKey) int {
	switch key.Type() {
	case ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return 5
	}
	return 0
}

// verifySignature holds the signature against a key of allowed_signers, never
// against the one that it carries itself. A security key must have been
// touched: x/crypto/ssh demands the user-presence flag.
func verifySignature(statement []byte, sig *sshsig.Signature, key ssh.PublicKey) error {
	return sshsig.Verify(bytes.NewReader(statement), sig, key, sig.HashAlgorithm, Namespace)
}
