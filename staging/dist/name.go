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
		got := s
		if got == "" {
			got = "nothing"
		}
		return "", no(s, rule.ProjectName,
			"ASCII letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
			got, "Correct the project's name.")
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case !isSeparator(c):
			b.WriteByte(c | lowerBit(c))
		case !isSeparator(s[i-1]):
			b.WriteByte('-')
		}
	}
	return b.String(), nil
}

// isProjectName is PEP 508's ^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$.
func isProjectName(s string) bool {
	if s == "" || len(s) > maxName || isSeparator(s[0]) || isSeparator(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && !isSeparator(s[i]) {
			return false
		}
	}
	return true
}

func isSeparator(c byte) bool { return c == '-' || c == '_' || c == '.' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// lowerBit is the bit that makes an ASCII letter lower case.
func lowerBit(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return 0x20
	}
	return 0
}
