package rst

import (
	"strings"
	"unicode"
)

// Around inline markup stand white space and punctuation of these categories of
// Unicode (the specification's rules for inline markup; docutils.utils.punctuation_chars).

func isOpener(r rune) bool {
	return strings.ContainsRune(`"'(<[{`, r) || r > 0x7f && unicode.In(r, unicode.Ps, unicode.Pi, unicode.Pf)
}

func isCloser(r rune) bool {
	return strings.ContainsRune(`"')>]}`, r) || r > 0x7f && unicode.In(r, unicode.Pe, unicode.Pi, unicode.Pf) ||
		r == 0x201b || r == 0x201f || r == 0x201a || r == 0x201e
}

// isDelimiter leaves out two signs that were symbols when the tables of docutils
// were made.
func isDelimiter(r rune) bool {
	return strings.ContainsRune(`-/:`, r) || r > 0x7f && unicode.In(r, unicode.Pd, unicode.Po) && r != 0xa7 && r != 0xb6
}

// beginsAfter tells whether markup may begin after r, endsBefore whether it may end
// before it.
func beginsAfter(r rune) bool { return isSpace(r) || isOpener(r) || isDelimiter(r) }

func endsBefore(r rune) bool {
	return r == 0 || isSpace(r) || strings.ContainsRune(`\.,;!?`, r) || isDelimiter(r) || isCloser(r)
}

// pairs tells whether two quotes or brackets belong together. Which quotes do is
// another thing in every language.
func pairs(open, close rune) bool {
	if !isOpener(open) {
		return false
	}
	if closers, ok := quotePairs[open]; ok {
		return strings.ContainsRune(closers, close)
	}
	return close == open+1 || (open == '<' || open == '[' || open == '{' || open == 0xff3b || open == 0xff5b) && close == open+2
}

var quotePairs = map[rune]string{
	'"': `"`, '\'': `'`, '(': ")", '<': ">", '[': "]", '{': "}",
	'«': "»", '»': "«»", '‘': "’‚", '’': "‘’", '“': "”„", '”': "“”", '‹': "›", '›': "‹›",
	'‚': "‛‘’", '„': "‟“”", '‛': "‚", '‟': "„",
	0x2e02: "\u2e03", 0x2e03: "\u2e02", 0x2e04: "\u2e05", 0x2e05: "\u2e04", 0x2e09: "\u2e0a", 0x2e0a: "\u2e09",
	0x2e0c: "\u2e0d", 0x2e0d: "\u2e0c", 0x2e1c: "\u2e1d", 0x2e1d: "\u2e1c", 0x2e20: "\u2e21", 0x2e21: "\u2e20",
	0xff5f: "\uff60",
}
