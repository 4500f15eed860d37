package command

import (
	"strings"
	"testing"
)

// Lines as pip-compile and uv write them, and as people do.
func TestRequirementsAreRead(t *testing.T) {
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	for line, want := range map[string]string{
		"":                         "",
		"   # a comment":           "",
		"--index-url https://x/y":  "",
		"--no-binary=:all:":        "",
		"widget==1.0":              "widget==1.0 0",
		"Wid_get[a,b] == 1.0.0 #x": "wid-get==1.0.0 0",
		"widget===1.0":             "widget==1.0 0",
		"widget==1.0 --hash=sha256:" + one + " --hash=sha256:" + two:                                        "widget==1.0 2",
		"widget==1.0 --hash sha256:" + one + "    # via -r x":                                               "widget==1.0 1",
		"widget==1.0 ; python_version>\"3\" --hash=sha512:00 --hash=sha256:" + one + " --config-settings=x": "widget==1.0 1",
		"widget>=1.0":                    "refused",
		"widget":                         "refused",
		"widget==1.*":                    "refused",
		"-r other.txt":                   "refused",
		"--requirement=other.txt":        "refused",
		"-e .":                           "refused",
		"https://example.org/a.whl":      "refused",
		"widget @ https://example.org/a": "refused",
		"./widget==1.0":                  "refused",
		"widget==1.0 --hash=sha256:00":   "refused",
	} {
		r, err := requirementLine(line)
		got := ""
		switch {
		case err != nil:
			got = "refused"
		case r.project != "":
			got = r.String() + " " + string(rune('0'+len(r.hashes)))
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", line, got, err, want)
		}
	}
}
