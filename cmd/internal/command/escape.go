package command

import (
	"fmt"
	"strings"

	"github.com/distgate/distgate/cmd/internal/report"
)

// plain is text from outside as it may be shown on a terminal and in a job log:
// what cannot be seen is made visible, and what the Actions runner would take for
// a command ("::" at the start of a line, "##[" anywhere) is broken up with a
// backslash.
func plain(s string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range report.Visible(s) {
		if r == ':' && last == ':' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.ReplaceAll(b.String(), "##[", `##\[`)
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
