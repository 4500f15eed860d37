package workflows_test

import (
	"testing"

	"github.com/distgate/distgate/workflows"
)

func TestEveryReaderSeesTheSameLines(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"on: push\njobs: {}\n":        "",
		"on: push\r\njobs: {}\r\n":    "",
		"on: push # \u00e9\n":         "",
		"on: push # x\rjobs: {}":      `line 1: want lines that end with a line feed, got "\r"`,
		"on: push\njobs: {} # \u0085": `line 2: want lines that end with a line feed, got "\u0085"`,
		"# \u2028jobs: {}\n":          `line 1: want lines that end with a line feed, got "\u2028"`,
		"\n\n# x\u2029jobs: {}\r\n":   `line 3: want lines that end with a line feed, got "\u2029"`,
		"on: \"a\\u2028b\"\njobs: {}": "",
	} {
		err := workflows.CheckLines([]byte(text))
		if got := said(err); want == "" && err != nil || len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%q: want %q, got %q", text, want, got)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
