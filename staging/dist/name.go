package dist

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// maxName is the length of the longest file name, in bytes. File systems and
// PyPI ("Filename is too long") have the same bound.
const maxName = 255

// checkName refuses whatever is not a plain base name.
func checkName(name string) error {
	got := nameFault(name)
	if got == "" {
		return nil
	}
	return no(name, rule.FileName, "a plain base name of at most 255 bytes", got,
		"Give the file the name that its build gave it.")
}

// nameFault says what is wrong with a base name, or nothing.
func nameFault(name string) string {
	switch {
	case name == "":
		return "no name"
	case name == "." || name == "..":
		return "a folder"
	case len(name) > maxName:
		return fmt.Sprintf("%d bytes", len(name))
	case strings.ContainsAny(name, `/\`):
		return "a path separator"
	}
	return textFault(name)
}

// textFault says what in a line of text could be read as something other than
// what is shown: bytes that are no UTF-8, control characters (among them line
// ends and terminal escapes), and invisible ones (among them the bidi controls).
func textFault(s string) string {
	if !utf8.ValidString(s) {
		return "bytes that are not UTF-8"
	}
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Cc, r), unicode.In(r, unicode.Zl, unicode.Zp):
			return fmt.Sprintf("the control character U+%04X", r)
		case unicode.Is(unicode.Cf, r):
			return fmt.Sprintf("the invisible character U+%04X", r)
		}
	}
	return ""
}

// NormalizeName is a project's name in the one form in which names are equal or
// not: lower case, with every run of '-', '_' and '.' written as one '-'
// (PEP 503). A name that PEP 508 does not allow is refused.
func NormalizeName(s string) (string, error) {
	if !isProjectName(s) {
		return "", no(s, rule.ProjectName,
			"ASCII letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
			orNothing(s), "Correct the project's name.")
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !isSeparator(s[i]):
			b.WriteByte(s[i])
		case !isSeparator(s[i-1]):
			b.WriteByte('-')
		}
	}
	return strings.ToLower(b.String()), nil
}

// isProjectName is PEP 508's ^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$.
func isProjectName(s string) bool {
	inside := func(c byte) bool { return isAlnum(c) || isSeparator(c) }
	return len(s) <= maxName && only(s, inside) && isAlnum(s[0]) && isAlnum(s[len(s)-1])
}

// only tells whether s is one or more bytes that are all ok. Bytes of characters
// beyond ASCII are never ok.
func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isSeparator(c byte) bool { return c == '-' || c == '_' || c == '.' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isPrintable tells whether c is a character that is seen, a blank not among them.
func isPrintable(c byte) bool { return '!' <= c && c <= '~' }

// orNothing is s as a refusal's Got.
func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
