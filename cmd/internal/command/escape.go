package command

import (
	"fmt"
	"strings"
	"unicode"
)

// maxShown bounds one value from outside, in runes.
const maxShown = 1000

// plain is text from outside as it may be shown on a terminal and in a job log:
// controls, invisible and direction-changing characters are written as
// \u{1b}, and what the Actions runner would take for a command ("::" at the
// start of a line, "##[" anywhere) is broken up with a backslash.
func plain(s string) string {
	var b strings.Builder
	last, shown := rune(0), 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if shown++; shown > maxShown {
			b.WriteString("…")
			break
		}
		switch {
		case r == ':' && last == ':':
			b.WriteString(`\:`)
		case isShown(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		last = r
	}
	return strings.ReplaceAll(b.String(), "##[", `##\[`)
}

// isShown tells whether a reader sees the rune and sees it alone. Marks change
// the letter before them, and some letters and symbols have no picture.
func isShown(r rune) bool {
	return unicode.IsPrint(r) && r != '\u2800' &&
		!unicode.In(r, unicode.M, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// ascii is JSON with every character outside of printable ASCII written as
// \uXXXX: the same value, and nothing in it can steer a terminal.
func ascii(json []byte) []byte {
	var b strings.Builder
	for _, r := range string(json) {
		switch {
		case r == '\n' || r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return []byte(strings.ReplaceAll(b.String(), "##[", `##\u005b`))
}
