package workflows

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// CheckLines tells whether every reader of YAML sees the same lines in a
// workflow or an action. YAML 1.1, which Go's library reads, ends a line at
// U+0085, U+2028 and U+2029 too, and YAML 1.2 (5.4) does not: behind one of
// them, a comment for the one is a key for the other. So with text that is not in
// UTF-8, and with a byte order mark that does not begin it. The error names the line.
func CheckLines(raw []byte) error {
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return errors.New("want text in UTF-8, got something else")
	}
	if at := bytes.LastIndex(raw, []byte("\ufeff")); at > 0 {
		return fmt.Errorf("line %d: want a byte order mark at the beginning or nowhere, got one there", 1+bytes.Count(raw[:at], []byte("\n")))
	}
	for i, line := range bytes.Split(raw, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		for _, end := range []string{"\r", "\u0085", "\u2028", "\u2029"} {
			if bytes.Contains(line, []byte(end)) {
				return fmt.Errorf("line %d: want lines that end with a line feed, got %+q, where readers of YAML disagree "+
					"whether a line ends; write it as an escape, or take it out", i+1, end)
			}
		}
	}
	return nil
}
