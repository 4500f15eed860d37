package command

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// The README's example is what init prints for numpy 2.4.2.
func TestNumpyReadsAsItsPeopleCountIt(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	check(t, err)
	_, rest, _ := strings.Cut(string(readme), "```toml\n[files]  # 6 × 11 − 2 + 7")
	rest, _, _ = strings.Cut(rest, "```")
	want := "[files]  # 6 × 11 − 2 + 7" + rest
	if lines := strings.Count(want, "\n"); lines > 15 {
		t.Errorf("%d lines are too many to read at night", lines)
	}
	var table policyFile
	check(t, decodePolicy("README.md", []byte(want), &table))
	_, err = staging.Expect(table.Files.set())
	check(t, err)
	if diff := cmp.Diff(want, string(filesText(table.Files.set()))); diff != "" {
		t.Error(diff)
	}
}

func TestWhatInitPrints(t *testing.T) {
	for name, c := range map[string]struct {
		names []string
		want  string
	}{
		"a pure project": {[]string{"widget-1.0.tar.gz", "widget-1.0-py3-none-any.whl"},
			"[files]  # 1 wheel, and the sdist\nsdist = true\nalso = [\"py3-none-any\"]\n"},
		"the sdist": {[]string{"widget-1.0.tar.gz"}, "[files]  # the sdist alone\nsdist = true\n"},
		"a product": {[]string{"widget-1.0-cp313-cp313-win32.whl", "widget-1.0-cp314-cp314-win32.whl"},
			"[files]  # 2 × 1 = 2 wheels, no sdist\nsdist = false\npython = [\"cp313\", \"cp314\"]\nplatform = [\"win32\"]\n"},
	} {
		files, err := parseNames(c.names)
		check(t, err)
		_, text, err := describeFiles(files)
		check(t, err)
		if diff := cmp.Diff(c.want, string(text)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if files, err := parseNames([]string{"widget-1.0.zip", "\x1b[2J.whl"}); err == nil {
		t.Errorf("got %v", files)
	}
	if _, text, err := describeFiles([]dist.Filename{}); err == nil || text != nil {
		t.Errorf("nothing is described as %s", text)
	}
}
