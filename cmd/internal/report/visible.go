package report

import (
	"fmt"
	"strings"
	"unicode"
)

// maxShown bounds one value from outside, in runes.
const maxShown = 1000

// Visible is text from outside as a reader can see all of it: controls,
// invisible and direction-changing characters are written as \u{1b}, and what is
// longer than a page needs ends in an ellipsis. It is not escaped for HTML,
// Markdown or a terminal yet.
func Visible(s string) string {
	var b strings.Builder
	shown := 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if shown++; shown > maxShown {
			b.WriteString("…")
			break
		}
		if IsVisible(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// IsVisible tells whether a reader sees the rune and sees it alone. Marks change
// the letter before them, and some letters and symbols have no picture.
func IsVisible(r rune) bool {
	return unicode.IsPrint(r) && r != '\u2800' &&
		!unicode.In(r, unicode.M, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
