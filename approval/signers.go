package approval

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const (
	maxSignersSize  = 256 << 10 // bytes of one allowed_signers file
	maxSignersLines = 2000
	maxSignersFlaws = 50 // bad lines named at once
	minRSABits      = 3072
)

// AllowedSigners is an allowed_signers file that was read here: whose keys may
// sign votes, and when. The zero value allows nobody and is refused.
type AllowedSigners struct {
	file   string
	digest dist.Digest
	keys   []allowedKey
}

// allowedKey is one line of the file.
type allowedKey struct {
	line       int
	principals []string
	key        ssh.PublicKey
	after      time.Time // zero: valid since ever
	before     time.Time // zero: valid for ever
}

// flaw says what is wrong with a piece of outside text.
type flaw struct{ want, got, hint string }

// ParseAllowedSigners reads a file in the format of ssh-keygen(1), "ALLOWED
// SIGNERS", that ssh-keygen -Y verify takes too. Each line is
//
//	alice@example.org namespaces="distgate" ssh-ed25519 AAAA… comment
//
// It is stricter than ssh-keygen, so that a line means one thing to a reader
// and to every machine: principals are written out, without patterns; the
// namespaces are exactly "distgate"; a certificate authority vouches for
// nobody; an RSA key has 3072 bits (what ssh-keygen makes) to 8192; valid-after
// and valid-before end in Z, because ssh-keygen reads them in the local time
// zone otherwise; one key stands in one line, so that it speaks for one person.
//
// A line that breaks a rule is a refusal that names file and line, and no line
// of such a file counts.
func ParseAllowedSigners(file string, r io.Reader) (AllowedSigners, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSignersSize+1))
	if err != nil {
		return AllowedSigners{}, fmt.Errorf("%s: %w", file, err)
	}
	a := AllowedSigners{file: file, digest: dist.Sum(raw)}
	if f := wholeFile(raw); f != nil {
		return AllowedSigners{}, rule.Refusals{f.refusal(file)}
	}
	var no rule.Refusals
	for i, line := range strings.Split(string(raw), "\n") {
		if f := a.add(i+1, line); f != nil && len(no) < maxSignersFlaws {
			no = append(no, f.refusal(fmt.Sprintf("%s:%d", file, i+1)))
		}
	}
	if len(no) == 0 && len(a.keys) == 0 {
		no = append(no, flaw{"at least one key", "only comments and empty lines", signerHint}.refusal(file))
	}
	if len(no) > 0 {
		return AllowedSigners{}, no
	}
	return a, nil
}

const signerHint = `write a line: you@example.org namespaces="distgate" ` +
	`and what is in your ~/.ssh/id_ed25519.pub`

func (f flaw) refusal(file string) rule.Refusal {
	return rule.Refusal{File: file, Rule: rule.AllowedSigners, Want: f.want, Got: f.got, Hint: f.hint}
}

func wholeFile(raw []byte) *flaw {
	switch {
	case len(raw) == 0:
		return &flaw{"at least one key", "an empty file", signerHint}
	case len(raw) > maxSignersSize:
		return &flaw{fmt.Sprintf("at most %d bytes", maxSignersSize), "more", "remove keys that nobody uses"}
	case bytes.Count(raw, []byte("\n")) > maxSignersLines:
		return &flaw{fmt.Sprintf("at most %d lines", maxSignersLines), "more", "remove keys that nobody uses"}
	case !utf8.Valid(raw):
		return &flaw{"UTF-8 text", "other bytes", "save the file as UTF-8"}
	}
	return nil
}

// add takes one line. Empty lines and comments add nothing.
func (a *AllowedSigners) add(number int, line string) *flaw {
	if i := strings.IndexFunc(line, unprintable); i >= 0 {
		return &flaw{"printable text and tabs", fmt.Sprintf("%q", line[i:min(len(line), i+4)]),
			"remove it; lines end in a line feed alone"}
	}
	line = strings.Trim(line, " \t")
	if line == "" || line[0] == '#' {
		return nil
	}
	k, f := parseAllowedKey(line)
	if f != nil {
		return f
	}
	if twin := a.find(k.key); twin != nil {
		return &flaw{"each key in one line", fmt.Sprintf("the key of line %d again", twin.line),
			"keep one line for each key; a key speaks for one person"}
	}
	k.line = number
	a.keys = append(a.keys, k)
	return nil
}

func unprintable(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }

// find is the line that holds the key, or nil.
func (a *AllowedSigners) find(key ssh.PublicKey) *allowedKey {
	blob := key.Marshal()
	for i := range a.keys {
		if bytes.Equal(a.keys[i].key.Marshal(), blob) {
			return &a.keys[i]
		}
	}
	return nil
}

// has tells whether some key signs for the principal at any time in when.
func (a *AllowedSigners) has(principal string, when ...time.Time) bool {
	return slices.ContainsFunc(a.keys, func(k allowedKey) bool {
		return slices.Contains(k.principals, principal) &&
			!slices.ContainsFunc(when, func(t time.Time) bool { return !k.validAt(t) })
	})
}

// touched tells whether every key signs only when somebody touches it: security keys
// of OpenSSH, of which [Check] demands the mark of it. No keys are none such.
func (a *AllowedSigners) touched() bool {
	return len(a.keys) > 0 && !slices.ContainsFunc(a.keys, func(k allowedKey) bool {
		return k.key.Type() != ssh.KeyAlgoSKED25519 && k.key.Type() != ssh.KeyAlgoSKECDSA256
	})
}

// validAt counts both ends in, as ssh-keygen does.
func (k allowedKey) validAt(t time.Time) bool {
	return !t.Before(k.after) && (k.before.IsZero() || !t.After(k.before))
}

// validity is the key's time as a reader would say it.
func (k allowedKey) validity() string {
	switch after, before := k.after.Format(time.RFC3339), k.before.Format(time.RFC3339); {
	case k.after.IsZero() && k.before.IsZero():
		return "at any time"
	case k.before.IsZero():
		return "from " + after
	case k.after.IsZero():
		return "until " + before
	default:
		return "from " + after + " until " + before
	}
}

// parseAllowedKey reads: principals options keytype base64 [comment].
func parseAllowedKey(line string) (k allowedKey, f *flaw) {
	principals, rest := cutField(line)
	if k.principals, f = parsePrincipals(principals); f != nil {
		return k, f
	}
	options, rest, f := cutOptions(rest)
	if f != nil {
		return k, f
	}
	typ, rest := cutField(rest)
	encoded, _ := cutField(rest)
	if slices.Contains(keyTypes(), options[0]) || options[0] == "" {
		return k, &flaw{`namespaces="distgate"`, "no options", signerHint}
	}
	if f = k.apply(options); f != nil {
		return k, f
	}
	k.key, f = parseKey(typ, encoded)
	return k, f
}

func cutField(s string) (field, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

func parsePrincipals(list string) ([]string, *flaw) {
	principals := strings.Split(list, ",")
	for i, p := range principals {
		if f := checkPrincipal(p); f != nil {
			return nil, f
		}
		if slices.Contains(principals[:i], p) {
			return nil, &flaw{"each principal once", fmt.Sprintf("%q twice", p), "remove one"}
		}
	}
	return principals, nil
}

// checkPrincipal refuses what ssh-keygen would read as a pattern or a quote,
// and what two people could take for each other.
func checkPrincipal(p string) *flaw {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("@._+-/:=", r))
	}
	if p != "" && len(p) <= 200 && strings.IndexFunc(p, func(r rune) bool { return !plain(r) }) < 0 {
		return nil
	}
	return &flaw{"principals of letters, digits and @._+-/:= written out, no patterns", quoted(p),
		"name each person as in [people], like alice@example.org"}
}

// cutOptions splits at commas and ends at a blank, neither within quotes.
func cutOptions(s string) (options []string, rest string, f *flaw) {
	start, quote := 0, false
	for i, r := range s {
		switch {
		case r == '"':
			quote = !quote
		case r == '\\':
			return nil, "", &flaw{"options without backslashes", quoted(s[:i+1]), "remove the backslash"}
		case quote:
		case r == ',':
			options = append(options, s[start:i])
			start = i + 1
		case r == ' ' || r == '\t':
			return append(options, s[start:i]), strings.TrimLeft(s[i:], " \t"), nil
		}
	}
	if quote {
		return nil, "", &flaw{"a closing quote", quoted(s), `write namespaces="distgate"`}
	}
	return append(options, s[start:]), "", nil
}

// apply reads the options, whose names ignore case.
func (k *allowedKey) apply(options []string) (f *flaw) {
	seen := map[string]bool{}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		name = strings.ToLower(name)
		if seen[name] {
			return &flaw{"each option once", quoted(name) + " twice", "remove one"}
		}
		seen[name] = true
		if f = k.set(name, value); f != nil {
			return f
		}
	}
	if !seen["namespaces"] {
		return &flaw{`namespaces="distgate"`, "no namespaces", signerHint}
	}
	if !k.before.IsZero() && !k.after.Before(k.before) {
		return &flaw{"valid-after before valid-before", k.validity(), "swap or correct the two times"}
	}
	return nil
}

func (k *allowedKey) set(name, value string) (f *flaw) {
	switch name {
	case "namespaces":
		if value != `"`+Namespace+`"` {
			return &flaw{`namespaces="distgate"`, "namespaces=" + quoted(value), signerHint}
		}
	case "valid-after":
		k.after, f = parseTimestamp(name, value)
	case "valid-before":
		k.before, f = parseTimestamp(name, value)
	case "cert-authority":
		f = &flaw{"the keys of people", "cert-authority", "list the key of each person in a line of its own"}
	default:
		f = &flaw{"namespaces, valid-after or valid-before", quoted(name), "correct or remove the option"}
	}
	return f
}

// parseTimestamp reads YYYYMMDD[HHMM[SS]]Z in quotes.
func parseTimestamp(name, value string) (time.Time, *flaw) {
	text, closed := strings.CutSuffix(value, `"`)
	text, opened := strings.CutPrefix(text, `"`)
	for _, layout := range []string{"20060102Z", "200601021504Z", "20060102150405Z"} {
		if len(text) != len(layout) || !opened || !closed {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil && t.Unix() > 0 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &flaw{name + `="YYYYMMDD[HHMM[SS]]Z"`, quoted(value),
		"write the time in UTC with a Z at its end; without it each machine reads another time"}
}

// keyTypes are the kinds of keys that may sign: no DSA and no certificates.
func keyTypes() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA,
	}
}

func parseKey(typ, encoded string) (ssh.PublicKey, *flaw) {
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(blob) == 0 {
		return nil, &flaw{"a key type and a key in base64", quoted(typ + " " + encoded), signerHint}
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, &flaw{"a public key", quoted(err.Error()), signerHint}
	}
	if key.Type() != typ {
		return nil, &flaw{"a key of the type that it is listed as, " + quoted(typ), quoted(key.Type()), signerHint}
	}
	if !bytes.Equal(key.Marshal(), blob) {
		return nil, &flaw{"a key in its one encoding", "another encoding of it", signerHint}
	}
	return key, checkKey(key)
}

// checkKey refuses kinds of keys that are not strong enough to vote.
func checkKey(key ssh.PublicKey) *flaw {
	const hint = "make a key with ssh-keygen -t ed25519"
	if !slices.Contains(keyTypes(), key.Type()) {
		return &flaw{"a key of type " + strings.Join(keyTypes(), ", "), quoted(key.Type()), hint}
	}
	if key.Type() != ssh.KeyAlgoRSA {
		return nil
	}
	public, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return &flaw{"an RSA key whose length shows", "one that hides it", hint}
	}
	n := public.CryptoPublicKey().(*rsa.PublicKey).N
	if n.Sign() <= 0 || n.BitLen() < minRSABits {
		return &flaw{fmt.Sprintf("RSA of %d bits or more", minRSABits), fmt.Sprintf("%d bits", n.BitLen()), hint}
	}
	return nil
}

// quoted is outside text short enough for a line.
func quoted(s string) string {
	const limit = 80
	if len(s) > limit {
		return fmt.Sprintf("%q…", s[:limit])
	}
	return fmt.Sprintf("%q", s)
}
