package approval

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/staging/rule"
)

// newKey is an ed25519 key that is the same in every run for one name.
func newKey(t testing.TB, name string) ssh.Signer {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func publicLine(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// rsaLine is the public half of a key of that length; nothing is signed by it.
func rsaLine(t testing.TB, bits int) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	key, err := ssh.NewPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return publicLine(key)
}

func ecdsaLine(t testing.TB, curve elliptic.Curve) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return publicLine(key)
}

func TestAllowedSignersTakes(t *testing.T) {
	alice := publicLine(newKey(t, "alice").PublicKey())
	utc := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, test := range []struct {
		name, line    string
		principals    []string
		after, before time.Time
	}{
		{name: "a plain line", line: `alice@example.org namespaces="distgate" ` + alice},
		{name: "a comment behind the key", line: `alice@example.org namespaces="distgate" ` + alice + " Alice’s laptop"},
		{name: "blanks and tabs between fields", line: "  alice@example.org\t namespaces=\"distgate\"  " + alice},
		{name: "option names in any case", line: `alice@example.org NameSpaces="distgate" ` + alice},
		{
			name:       "two addresses of one person",
			line:       `alice@example.org,alice@example.com namespaces="distgate" ` + alice,
			principals: []string{"alice@example.org", "alice@example.com"},
		},
		{
			name:  "a time in days",
			line:  `alice@example.org namespaces="distgate",valid-after="20260102Z",valid-before="20270102Z" ` + alice,
			after: utc("2026-01-02T00:00:00Z"), before: utc("2027-01-02T00:00:00Z"),
		},
		{
			name:  "a time in minutes and one in seconds",
			line:  `alice@example.org valid-before="20270102030405Z",namespaces="distgate",valid-after="202601020304Z" ` + alice,
			after: utc("2026-01-02T03:04:00Z"), before: utc("2027-01-02T03:04:05Z"),
		},
		{name: "ecdsa of 256 bits", line: `alice@example.org namespaces="distgate" ` + ecdsaLine(t, elliptic.P256())},
		{name: "ecdsa of 384 bits", line: `alice@example.org namespaces="distgate" ` + ecdsaLine(t, elliptic.P384())},
		{name: "ecdsa of 521 bits", line: `alice@example.org namespaces="distgate" ` + ecdsaLine(t, elliptic.P521())},
		{name: "rsa of 3072 bits", line: `alice@example.org namespaces="distgate" ` + rsaLine(t, 3072)},
		{name: "rsa of 8192 bits", line: `alice@example.org namespaces="distgate" ` + rsaLine(t, 8192)},
		{
			name: "a security key with ed25519",
			line: `alice@example.org namespaces="distgate" ` + publicLine(newSecurityKey(t, ssh.KeyAlgoSKED25519).PublicKey()),
		},
		{
			name: "a security key with ecdsa",
			line: `alice@example.org namespaces="distgate" ` + publicLine(newSecurityKey(t, ssh.KeyAlgoSKECDSA256).PublicKey()),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := ParseAllowedSigners("allowed_signers", strings.NewReader("# release managers\n\n"+test.line+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(a.keys) != 1 {
				t.Fatalf("got %d keys, want 1", len(a.keys))
			}
			if test.principals == nil {
				test.principals = []string{"alice@example.org"}
			}
			got := a.keys[0]
			if diff := cmp.Diff(test.principals, got.principals); diff != "" {
				t.Errorf("principals (-want +got):\n%s", diff)
			}
			if got.line != 3 || !got.after.Equal(test.after) || !got.before.Equal(test.before) {
				t.Errorf("got line %d from %s until %s", got.line, got.after, got.before)
			}
		})
	}
}

func TestAllowedSignersRefuses(t *testing.T) {
	alice := publicLine(newKey(t, "alice").PublicKey())
	bob := publicLine(newKey(t, "bob").PublicKey())
	typ, encoded, _ := strings.Cut(alice, " ")
	line := func(options string) string { return "alice@example.org " + options + " " + alice }
	for _, test := range []struct {
		name, file string
		at         string // the file, or the file and the line
		got        string // part of what was there
	}{
		{"an empty file", "", "allowed_signers", "an empty file"},
		{"only comments", "# nobody\n\n", "allowed_signers", "only comments"},
		{"a huge file", strings.Repeat("# padding\n", 30_000), "allowed_signers", "more"},
		{"too many lines", strings.Repeat("\n", maxSignersLines+1), "allowed_signers", "more"},
		{"bytes that are no text", "\xff\xfe" + line(`namespaces="distgate"`), "allowed_signers", "other bytes"},
		{"a NUL", "\x00", "allowed_signers:1", `"\x00"`},
		{"a carriage return", line(`namespaces="distgate"`) + "\r\n", "allowed_signers:1", `"\r"`},
		{"an escape sequence", "# \x1b[2Kbob\n", "allowed_signers:1", `"\x1b`},
		{"a right-to-left mark", "# \u202egro.elpmaxe@ecila", "allowed_signers:1", `"\u202e`},
		{"a byte order mark", "\ufeff" + line(`namespaces="distgate"`), "allowed_signers:1", `"\ufeff`},
		{"no options", "alice@example.org " + alice, "allowed_signers:1", "no options"},
		{"no namespaces", line(`valid-after="20260101Z"`), "allowed_signers:1", "no namespaces"},
		{"another namespace", line(`namespaces="git"`), "allowed_signers:1", "git"},
		{"a second namespace", line(`namespaces="distgate,git"`), "allowed_signers:1", "distgate,git"},
		{"a namespace pattern", line(`namespaces="*"`), "allowed_signers:1", "*"},
		{"a namespace without quotes", line(`namespaces=distgate`), "allowed_signers:1", "distgate"},
		{"namespaces twice", line(`namespaces="distgate",Namespaces="distgate"`), "allowed_signers:1", "twice"},
		{"a quote left open", line(`namespaces="distgate`), "allowed_signers:1", "namespaces"},
		{"an escaped quote", line(`namespaces="distgate\"`), "allowed_signers:1", "namespaces"},
		{"a certificate authority", line(`cert-authority,namespaces="distgate"`), "allowed_signers:1", "cert-authority"},
		{"an unknown option", line(`namespaces="distgate",no-touch-required`), "allowed_signers:1", "no-touch-required"},
		{"an empty option", line(`namespaces="distgate",`), "allowed_signers:1", `""`},
		{"a time without Z", line(`namespaces="distgate",valid-after="20260101"`), "allowed_signers:1", "20260101"},
		{"a time that is no date", line(`namespaces="distgate",valid-after="20260231Z"`), "allowed_signers:1", "20260231"},
		{"a time before 1970", line(`namespaces="distgate",valid-after="19000101Z"`), "allowed_signers:1", "1900"},
		{"a time with words", line(`namespaces="distgate",valid-before="tomorrow"`), "allowed_signers:1", "tomorrow"},
		{"a time without quotes", line(`namespaces="distgate",valid-before=20260101Z`), "allowed_signers:1", "20260101Z"},
		{
			"times the wrong way round", line(`namespaces="distgate",valid-after="20270101Z",valid-before="20260101Z"`),
			"allowed_signers:1", "from 2027",
		},
		{"a wildcard", `*@example.org namespaces="distgate" ` + alice, "allowed_signers:1", "*@example.org"},
		{"a question mark", `alic?@example.org namespaces="distgate" ` + alice, "allowed_signers:1", "?"},
		{"a negation", `!bob@example.org,alice@example.org namespaces="distgate" ` + alice, "allowed_signers:1", "!bob"},
		{"a quoted principal", `"alice@example.org" namespaces="distgate" ` + alice, "allowed_signers:1", `\"alice`},
		{"a look-alike letter", `аlice@example.org namespaces="distgate" ` + alice, "allowed_signers:1", "lice"},
		{"an empty principal", `alice@example.org, namespaces="distgate" ` + alice, "allowed_signers:1", `""`},
		{"one principal twice", `a@b,a@b namespaces="distgate" ` + alice, "allowed_signers:1", "twice"},
		{"a line cut short", `alice@example.org`, "allowed_signers:1", "no options"},
		{"no key", `alice@example.org namespaces="distgate"`, "allowed_signers:1", `" "`},
		{"half a key", `alice@example.org namespaces="distgate" ` + alice[:40], "allowed_signers:1", `"ssh`},
		{
			"a key listed as another type", `alice@example.org namespaces="distgate" ssh-rsa ` + encoded,
			"allowed_signers:1", typ,
		},
		{
			"a key with bytes behind it",
			`alice@example.org namespaces="distgate" ` + typ + " " + base64Behind(t, encoded), "allowed_signers:1", "trailing",
		},
		{"rsa of 2048 bits", `alice@example.org namespaces="distgate" ` + rsaLine(t, 2048), "allowed_signers:1", "2048 bits"},
		{"rsa of 16384 bits", `alice@example.org namespaces="distgate" ` + rsaLine(t, 16384), "allowed_signers:1", "too large"},
		{
			"one key for two people",
			line(`namespaces="distgate"`) + "\n" + `bob@example.org namespaces="distgate" ` + alice, "allowed_signers:2", "line 1",
		},
		{
			"one bad line among good ones",
			line(`namespaces="distgate"`) + "\n" + `* namespaces="distgate" ` + bob, "allowed_signers:2", "*",
		},
		{"a line of ten megabytes", strings.Repeat("x", 10<<20), "allowed_signers", "more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := ParseAllowedSigners("allowed_signers", strings.NewReader(test.file))
			var no rule.Refusals
			if !errors.As(err, &no) {
				t.Fatalf("got %v, want refusals", err)
			}
			if len(a.keys) != 0 {
				t.Errorf("a refused file allows %d keys", len(a.keys))
			}
			for _, r := range no {
				if r.File == test.at && r.Rule == rule.AllowedSigners && strings.Contains(r.Got, test.got) && r.Hint != "" {
					return
				}
			}
			t.Errorf("want %q at %s, got %+v", test.got, test.at, no)
		})
	}
}

func base64Behind(t *testing.T, encoded string) string {
	t.Helper()
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(append(blob, 0))
}

func TestAllowedSignersThatCannotBeReadIsNoRefusal(t *testing.T) {
	gone := errors.New("disk gone")
	_, err := ParseAllowedSigners("allowed_signers", readerFunc(func([]byte) (int, error) { return 0, gone }))
	var no rule.Refusals
	if !errors.Is(err, gone) || errors.As(err, &no) {
		t.Errorf("got %v, want the reader's own error", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func FuzzAllowedSigners(f *testing.F) {
	alice := publicLine(newKey(f, "alice").PublicKey())
	for _, line := range []string{
		`alice@example.org namespaces="distgate" ` + alice + "\n",
		`a@b,c@d namespaces="distgate",valid-after="20260101Z",valid-before="202701010000Z" ` + alice + " comment",
		`* cert-authority ` + alice,
		"# comment\n\n",
		`alice@example.org namespaces="distgate" ` + rsaLine(f, 3072),
		`alice@example.org namespaces="distgate" ` + publicLine(newSecurityKey(f, ssh.KeyAlgoSKECDSA256).PublicKey()),
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseAllowedSigners("allowed_signers", bytes.NewReader(raw))
		if err != nil {
			if no := (rule.Refusals)(nil); !errors.As(err, &no) {
				t.Fatalf("got %v, want refusals", err)
			}
			return
		}
		if len(a.keys) == 0 {
			t.Fatal("accepted, and allows nobody")
		}
		for _, k := range a.keys {
			line := fmt.Sprintf("%s namespaces=\"distgate\" %s", strings.Join(k.principals, ","), publicLine(k.key))
			if strings.ContainsAny(line[:strings.Index(line, " ")], "*?!\"") {
				t.Fatalf("a pattern was accepted: %s", line)
			}
			if _, err := ParseAllowedSigners("again", strings.NewReader(line)); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	})
}
