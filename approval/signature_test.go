package approval

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// securityKey signs as a FIDO authenticator does (PROTOCOL.u2f of OpenSSH),
// with its private key in memory.
type securityKey struct {
	public  ssh.PublicKey
	ed25519 ed25519.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	flags   byte // 1: touched
}

const application = "ssh:"

func newSecurityKey(t testing.TB, typ string) *securityKey {
	t.Helper()
	k := &securityKey{flags: 1}
	var blob []byte
	switch typ {
	case ssh.KeyAlgoSKED25519:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k.ed25519 = private
		blob = ssh.Marshal(struct {
			Type, Key, Application string
		}{typ, string(public), application})
	case ssh.KeyAlgoSKECDSA256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, err := private.PublicKey.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		k.ecdsa = private
		blob = ssh.Marshal(struct {
			Type, Curve, Key, Application string
		}{typ, "nistp256", string(public.Bytes()), application})
	}
	public, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	k.public = public
	return k
}

func (k *securityKey) PublicKey() ssh.PublicKey { return k.public }

func (k *securityKey) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	trailer := binary.BigEndian.AppendUint32([]byte{k.flags}, 7)
	signed := bytes.Join([][]byte{app[:], trailer, message[:]}, nil)
	sig := &ssh.Signature{Format: k.public.Type(), Rest: trailer}
	if k.ed25519 != nil {
		sig.Blob = ed25519.Sign(k.ed25519, signed)
		return sig, nil
	}
	digest := sha256.Sum256(signed)
	r, s, err := ecdsa.Sign(random, k.ecdsa, digest[:])
	sig.Blob = ssh.Marshal(struct{ R, S *big.Int }{r, s})
	return sig, err
}

func ecdsaKey(t testing.TB, curve elliptic.Curve) ssh.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// signIn makes what a key would sign in another namespace or with another hash.
func signIn(t testing.TB, statement []byte, key ssh.Signer, hash sshsig.HashAlgorithm, namespace string) *sshsig.Signature {
	t.Helper()
	sig, err := sshsig.Sign(bytes.NewReader(statement), key, hash, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestSignatureOfEveryKindOfKey(t *testing.T) {
	statement := []byte("a statement\n")
	for name, key := range map[string]ssh.Signer{
		"ed25519":              newKey(t, "alice"),
		"ecdsa of 256 bits":    ecdsaKey(t, elliptic.P256()),
		"ecdsa of 384 bits":    ecdsaKey(t, elliptic.P384()),
		"ecdsa of 521 bits":    ecdsaKey(t, elliptic.P521()),
		"security key ed25519": newSecurityKey(t, ssh.KeyAlgoSKED25519),
		"security key ecdsa":   newSecurityKey(t, ssh.KeyAlgoSKECDSA256),
	} {
		t.Run(name, func(t *testing.T) {
			armored, err := Sign(statement, key)
			if err != nil {
				t.Fatal(err)
			}
			sig, f := parseSignature(armored)
			if f != nil {
				t.Fatalf("%+v", f)
			}
			if err := verifySignature(statement, sig, key.PublicKey()); err != nil {
				t.Error(err)
			}
			if err := verifySignature([]byte("another\n"), sig, key.PublicKey()); err == nil {
				t.Error("verifies another statement")
			}
			if err := verifySignature(statement, sig, newKey(t, "mallory").PublicKey()); err == nil {
				t.Error("verifies under another key")
			}
		})
	}
}

func TestSignRefusesASecurityKeyWithoutTouch(t *testing.T) {
	for _, typ := range []string{ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256} {
		key := newSecurityKey(t, typ)
		key.flags = 0
		if _, err := Sign([]byte("x"), key); err == nil {
			t.Errorf("%s: a signature without a touch was made", typ)
		}
		sig := signIn(t, []byte("x"), key, sshsig.HashSHA512, Namespace)
		parsed, f := parseSignature(sshsig.Armor(sig))
		if f != nil {
			t.Fatal(f)
		}
		if err := verifySignature([]byte("x"), parsed, key.PublicKey()); err == nil {
			t.Errorf("%s: a signature without a touch verifies", typ)
		}
	}
}

func TestSignatureThatIsRefused(t *testing.T) {
	statement := []byte("a statement\n")
	alice := newKey(t, "alice")
	good := signIn(t, statement, alice, sshsig.HashSHA512, Namespace)
	armor := func(blob []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: blob}))
	}
	text := armor(good.Marshal())
	lines := strings.SplitAfter(text, "\n")
	behind := *good
	behind.Signature = &ssh.Signature{Format: good.Signature.Format, Blob: good.Signature.Blob, Rest: []byte{1}}
	for _, test := range []struct{ name, armored, got string }{
		{"nothing", "", "nothing"},
		{"blanks", " \n\n", "nothing"},
		{"ten megabytes", strings.Repeat("A", 10<<20), "10485760 bytes"},
		{"no armor", "hello", "hello"},
		{"text before it", "approve\n" + text, "approve"},
		{"text behind it", text + "approve", "BEGIN"},
		{"two signatures", text + text, "BEGIN"},
		{"a broken one before it", lines[0] + "!\n" + lines[len(lines)-2] + text, "BEGIN"},
		{"a header", lines[0] + "Comment: hi\n\n" + strings.Join(lines[1:], ""), "plain base64"},
		{"another armor", strings.ReplaceAll(text, "SSH SIGNATURE", "PGP SIGNATURE"), "PGP"},
		{"cut short", text[:len(text)/2], "BEGIN"},
		{"an empty block", armor(nil), "parse error"},
		{"half of its bytes", armor(good.Marshal()[:60]), "unmarshal"},
		{"bytes behind the blob", armor(append(good.Marshal(), 0)), "parse error"},
		{"bytes behind the signature", armor(behind.Marshal()), "1 more bytes"},
		{"a filled reserved field", armor(withReserved(good)), "another encoding"},
		{"another namespace", armor(signIn(t, statement, alice, sshsig.HashSHA512, "git").Marshal()), `"git"`},
		{"a longer namespace", armor(signIn(t, statement, alice, sshsig.HashSHA512, "distgate@x").Marshal()), `"distgate@x"`},
		{"a NUL in the namespace", armor(signIn(t, statement, alice, sshsig.HashSHA512, "distgate\x00").Marshal()), "x00"},
		{"version 2", armor(withVersion(good, 2)), "version"},
		{"an unknown hash", armor(withHash(good, "md5")), "md5"},
		{"no preamble", armor(append([]byte("SSHSIX"), good.Marshal()[6:]...)), "preamble"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, f := parseSignature([]byte(test.armored))
			if f == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(f.got, test.got) || f.want == "" || f.hint == "" {
				t.Errorf("got %+v, want %q", f, test.got)
			}
		})
	}
}

func withReserved(s *sshsig.Signature) []byte {
	return ssh.Marshal(struct {
		Magic                                     [6]byte
		Version                                   uint32
		Key, Namespace, Reserved, Hash, Signature string
	}{
		[6]byte([]byte("SSHSIG")), 1, string(s.PublicKey.Marshal()), s.Namespace, "x",
		string(s.HashAlgorithm), string(ssh.Marshal(s.Signature)),
	})
}

func withVersion(s *sshsig.Signature, version uint32) []byte {
	other := *s
	other.Version = version
	return other.Marshal()
}

func withHash(s *sshsig.Signature, hash sshsig.HashAlgorithm) []byte {
	other := *s
	other.HashAlgorithm = hash
	return other.Marshal()
}

// A signature says itself which hash it is over; a changed name must not verify.
func TestSignatureWithAnotherHashName(t *testing.T) {
	alice, statement := newKey(t, "alice"), []byte("a statement\n")
	sig := signIn(t, statement, alice, sshsig.HashSHA256, Namespace)
	if err := verifySignature(statement, sig, alice.PublicKey()); err != nil {
		t.Fatal(err)
	}
	sig.HashAlgorithm = sshsig.HashSHA512
	if err := verifySignature(statement, sig, alice.PublicKey()); err == nil {
		t.Error("verifies under another hash than it was made with")
	}
}

func FuzzSSHSIG(f *testing.F) {
	statement := []byte("a statement\n")
	for _, key := range []ssh.Signer{
		newKey(f, "alice"), ecdsaKey(f, elliptic.P256()),
		newSecurityKey(f, ssh.KeyAlgoSKED25519), newSecurityKey(f, ssh.KeyAlgoSKECDSA256),
	} {
		f.Add(signIn(f, statement, key, sshsig.HashSHA512, Namespace).Marshal(), true)
		f.Add(sshsig.Armor(signIn(f, statement, key, sshsig.HashSHA256, "git")), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, armor bool) {
		if armor {
			raw = pem.EncodeToMemory(&pem.Block{Type: sshsig.PEMType, Bytes: raw})
		}
		sig, flaw := parseSignature(raw)
		if flaw != nil {
			return
		}
		if sig.Namespace != Namespace {
			t.Fatalf("namespace %q was accepted", sig.Namespace)
		}
		if _, flaw := parseSignature(sshsig.Armor(sig)); flaw != nil {
			t.Fatalf("not accepted again: %+v", flaw)
		}
		_ = verifySignature(statement, sig, sig.PublicKey)
	})
}

// sshKeygen runs OpenSSH's own tool in dir. It is a peer: where it is missing,
// the test is skipped unless DISTGATE_PEERS demands it.
func sshKeygen(t *testing.T, dir string, stdin []byte, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if err != nil && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("ssh-keygen is not installed")
	} else if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSSHKeygenSignsWhatWeAccept(t *testing.T) {
	for _, kind := range [][]string{
		{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"},
		{"-t", "ecdsa", "-b", "521"}, {"-t", "rsa", "-b", "3072"},
	} {
		for _, hash := range []string{"sha512", "sha256"} {
			t.Run(strings.Join(kind[1:], "")+" "+hash, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				statement := []byte("a statement\n")
				write(t, filepath.Join(dir, "statement"), statement)
				for _, args := range [][]string{
					append([]string{"-q", "-N", "", "-f", "key", "-C", "alice"}, kind...),
					{"-Y", "sign", "-n", Namespace, "-f", "key", "-O", "hashalg=" + hash, "statement"},
				} {
					if out, err := sshKeygen(t, dir, nil, args...); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				public := read(t, filepath.Join(dir, "key.pub"))
				line := "alice@example.org namespaces=\"distgate\" " + string(public)
				a, err := ParseAllowedSigners("allowed_signers", strings.NewReader(line))
				if err != nil {
					t.Fatal(err)
				}
				sig, f := parseSignature(read(t, filepath.Join(dir, "statement.sig")))
				if f != nil {
					t.Fatalf("%+v", f)
				}
				if err := verifySignature(statement, sig, a.keys[0].key); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestSSHKeygenAcceptsWhatWeSign(t *testing.T) {
	statement := []byte("a statement\n")
	for name, key := range map[string]ssh.Signer{
		"ed25519":              newKey(t, "alice"),
		"ecdsa of 256 bits":    ecdsaKey(t, elliptic.P256()),
		"ecdsa of 384 bits":    ecdsaKey(t, elliptic.P384()),
		"ecdsa of 521 bits":    ecdsaKey(t, elliptic.P521()),
		"security key ed25519": newSecurityKey(t, ssh.KeyAlgoSKED25519),
		"security key ecdsa":   newSecurityKey(t, ssh.KeyAlgoSKECDSA256),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			armored, err := Sign(statement, key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "sig"), armored)
			write(t, filepath.Join(dir, "allowed_signers"), fmt.Appendf(nil,
				"# release managers\n\nalice@example.org,alice@example.com namespaces=\"distgate\",valid-after=\"20200101Z\" %s\n",
				publicLine(key.PublicKey())))
			verify := func(as string, message []byte) error {
				out, err := sshKeygen(t, dir, message, "-Y", "verify", "-f", "allowed_signers",
					"-I", as, "-n", Namespace, "-s", "sig")
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			}
			if err := verify("alice@example.org", statement); err != nil {
				t.Error(err)
			}
			if verify("bob@example.org", statement) == nil || verify("alice@example.org", []byte("another")) == nil {
				t.Error("ssh-keygen accepts anything here, so it proves nothing")
			}
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The two ends of a key's time are the same second for us and for ssh-keygen.
func TestSSHKeygenAgreesOnValidity(t *testing.T) {
	statement, key := []byte("a statement\n"), newKey(t, "alice")
	armored, err := Sign(statement, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		options, at string
		valid       bool
	}{
		{`valid-after="20260102Z"`, "20260101235959Z", false},
		{`valid-after="20260102Z"`, "20260102000000Z", true},
		{`valid-before="202601020304Z"`, "20260102030400Z", true},
		{`valid-before="202601020304Z"`, "20260102030401Z", false},
		{`valid-after="20260102030405Z",valid-before="20260102030406Z"`, "20260102030404Z", false},
		{`valid-after="20260102030405Z",valid-before="20260102030406Z"`, "20260102030406Z", true},
	} {
		t.Run(test.options+" at "+test.at, func(t *testing.T) {
			t.Parallel()
			line := "alice@example.org namespaces=\"distgate\"," + test.options + " " + publicLine(key.PublicKey()) + "\n"
			a, err := ParseAllowedSigners("allowed_signers", strings.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse("20060102150405Z", test.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.keys[0].validAt(at); got != test.valid {
				t.Errorf("we say %v", got)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "sig"), armored)
			write(t, filepath.Join(dir, "allowed_signers"), []byte(line))
			out, err := sshKeygen(t, dir, statement, "-Y", "verify", "-f", "allowed_signers", "-O", "verify-time="+test.at,
				"-I", "alice@example.org", "-n", Namespace, "-s", "sig")
			if (err == nil) != test.valid {
				t.Errorf("ssh-keygen says %v: %s", err == nil, out)
			}
		})
	}
}
