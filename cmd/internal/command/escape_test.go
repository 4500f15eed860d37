package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/distgate/distgate/cmd/internal/report"
)

// Text from outside cannot steer a terminal or a job log.
func TestPlainTextIsHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"widget-1.0.tar.gz":           "widget-1.0.tar.gz",
		"naïve ünïcode 漢字":            "naïve ünïcode 漢字",
		"\x1b[31mred\x1b[0m":          `\u{1b}[31mred\u{1b}[0m`,
		"a\n::error::b":               `a\u{a}:\:error:\:b`,
		"::set-output name=x::":       `:\:set-output name=x:\:`,
		"##[error]":                   `##\[error]`,
		"gpj\u202e.exe":               `gpj\u{202e}.exe`,
		"zero\u200bwidth":             `zero\u{200b}width`,
		"invisible\u3164\u2800\ufe0f": `invisible\u{3164}\u{2800}\u{fe0f}`,
		"e\u0301":                     `e\u{301}`,
		"bad\xffutf8":                 "bad\uFFFDutf8",
		"a\rb":                        `a\u{d}b`,
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := plain(strings.Repeat("x", 10<<20)); len(got) > 1010 {
		t.Errorf("10 MB of text became %d bytes", len(got))
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[2J::add-mask::x\u202e##[group]")
	f.Fuzz(func(t *testing.T, s string) {
		shown := plain(s)
		if strings.Contains(shown, "::") || strings.Contains(shown, "##[") {
			t.Errorf("%q is a workflow command", shown)
		}
		for _, r := range shown {
			if !report.IsVisible(r) {
				t.Errorf("%q holds %U", shown, r)
			}
		}
		if strings.Contains(string(ascii([]byte(s))), "##[") {
			t.Errorf("%q is a workflow command in JSON", s)
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back, same string
		if json.Unmarshal(ascii(raw), &back) != nil || json.Unmarshal(raw, &same) != nil || back != same {
			t.Errorf("%q became %q in JSON", same, back)
		}
	})
}
