package command

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The help of every verb fits a terminal, and so does an error in prose.
func TestHelpFitsATerminal(t *testing.T) {
	verbs := [][]string{{"--help"}}
	for _, verb := range newRoot(Streams{}).Commands() {
		verbs = append(verbs, []string{verb.Name(), "--help"})
	}
	for _, args := range append(verbs, []string{"verify", "1.0"}, []string{"stage", "--onto", "1.0"}) {
		var said bytes.Buffer
		Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &said, Err: &said, Now: time.Now, Env: func(string) string { return "" }})
		if said.Len() == 0 {
			t.Errorf("%v: nothing is said", args)
		}
		for line := range strings.Lines(said.String()) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > width {
				t.Errorf("%v: %s", args, line)
			}
		}
	}
}
