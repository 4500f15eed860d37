package dist

import (
	"strconv"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"

	"github.com/distgate/distgate/staging/rule"
)

// Version is a version as PEP 440 defines it, in its normalised form. Use
// [Version.Equal] to compare: 1.0 and 1.0.0 are one version in two texts, and
// one release on the index.
type Version struct{ text string }

// ParseVersion reads a version and normalises it: "v1.0-ALPHA_1" is 1.0a1.
// White space around it is ignored, as PEP 440 wants. A text that PEP 440 does
// not define is refused, and so is one with a number beyond 64 bits.
func ParseVersion(s string) (Version, error) {
	trimmed := strings.Trim(s, " \t\r\n\f\v")
	public, local, hasLocal := strings.Cut(trimmed, "+")
	// A regular expression that ignores case takes U+017F for an s.
	if len(trimmed) > maxName || !only(trimmed, isPrintable) {
		return Version{}, notVersion(s)
	}
	parsed, err := pep440.Parse(public)
	if err != nil {
		return Version{}, notVersion(s)
	}
	text := parsed.String()
	if hasLocal {
		label, ok := normalizeLocal(local)
		if !ok {
			return Version{}, notVersion(s)
		}
		text += "+" + label
	}
	return Version{text}, nil
}

func notVersion(s string) error {
	return no(s, rule.VersionForm, "a version as PEP 440 defines it", orNothing(s),
		"Use a version such as 1.2.3, 1.2.3rc1 or 1.2.3.post1.")
}

// normalizeLocal writes the part after '+' in lower case, with '.' between its
// segments and without leading zeros in its numbers. The parser would leave all
// three as they came, and compare them so.
func normalizeLocal(local string) (string, bool) {
	segments := strings.Split(strings.NewReplacer("-", ".", "_", ".").Replace(local), ".")
	for i, segment := range segments {
		if !only(segment, isAlnum) {
			return "", false
		}
		segments[i] = strings.ToLower(segment)
		if !only(segment, isDigit) {
			continue
		}
		n, err := strconv.ParseUint(segment, 10, 64)
		if err != nil {
			return "", false
		}
		segments[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(segments, "."), true
}

// String is the version in its normalised form.
func (v Version) String() string { return v.text }

// IsZero tells whether v was never parsed.
func (v Version) IsZero() bool { return v == Version{} }

// IsLocal tells whether v has a local part ("1.0+cu121"), which PyPI refuses.
func (v Version) IsLocal() bool { return strings.Contains(v.text, "+") }

// IsSeries tells whether v is nothing but a release (and an epoch), as a series of
// versions is called: 2.4, but not 2.4rc1.
func (v Version) IsSeries() bool {
	_, _, rest := v.release()
	return !v.IsZero() && rest == ""
}

// In tells whether v is of a series: whether its release begins with the
// series's, as PEP 440's ==2.4.* has it. 2.4.1rc1 is in 2.4; 2.40 is not, and 2
// is in 2.0. The zero Version is in no series, and has none in it.
func (v Version) In(series Version) bool {
	epoch, release, _ := v.release()
	wantEpoch, want, _ := series.release()
	if v.IsZero() || !series.IsSeries() || epoch != wantEpoch {
		return false
	}
	for i, number := range want {
		if i < len(release) && release[i] != number || i >= len(release) && number != "0" {
			return false
		}
	}
	return true
}

// release takes a normalised version apart: the epoch, the numbers of the
// release, and whatever follows them.
func (v Version) release() (epoch string, numbers []string, rest string) {
	epoch, text, ok := strings.Cut(v.text, "!")
	if !ok {
		epoch, text = "0", v.text
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	return epoch, strings.Split(strings.TrimSuffix(text[:end], "."), "."), text[end:]
}

// Equal tells whether v and o are one version. The zero Version is equal to
// nothing, not even to itself.
func (v Version) Equal(o Version) bool {
	return !v.IsZero() && !o.IsZero() && v.Compare(o) == 0
}

// Compare is -1, 0 or 1 as v comes before, is, or comes after o in PEP 440's
// order. The zero Version comes before all others.
func (v Version) Compare(o Version) int {
	switch {
	case v == o:
		return 0
	case v.IsZero():
		return -1
	case o.IsZero():
		return 1
	}
	// Parsed anew, because the parser's Compare writes into what it compares.
	return pep440.MustParse(v.text).Compare(pep440.MustParse(o.text))
}

// MarshalText is [Version.String].
func (v Version) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// UnmarshalText is [ParseVersion].
func (v *Version) UnmarshalText(text []byte) error {
	parsed, err := ParseVersion(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// IsPre tells whether v comes before the release that its numbers name: a
// developmental release, an alpha, a beta or a candidate (1.0.dev1, 1.0rc1).
func (v Version) IsPre() bool {
	return !v.IsZero() && pep440.MustParse(v.text).IsPreRelease()
}
