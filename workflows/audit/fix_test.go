package audit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// known resolves every name to one commit.
func known(_ context.Context, n Named) (Found, error) {
	if n.Ref == "gone" {
		return Found{}, nil
	}
	return Found{commit, "v4.2.2"}, nil
}

// Each change keeps every other byte: comments, quotes, blank lines, line ends.
func TestFix(t *testing.T) {
	for name, c := range map[string]struct{ was, want string }{
		"a whole workflow": {
			"# release\non: push\n\njobs: # of the release\n  a:\n    # builds\n    runs-on: ubuntu-24.04\n    steps:\n" +
				"      - uses: actions/checkout@v4\n      - uses: \"acme/a/b@v1\"   # keep me\n\n      - run: make\n",
			"# release\non: push\n\npermissions: {}\n\njobs: # of the release\n  a:\n    permissions:\n      contents: read\n    # builds\n    runs-on: ubuntu-24.04\n    steps:\n" +
				"      - uses: actions/checkout@" + commit + " # v4.2.2\n        with:\n          persist-credentials: false\n" +
				"      - uses: \"acme/a/b@" + commit + "\"   # keep me\n\n      - run: make\n"},
		"inputs in a block": {
			inRelease("    steps:\n      - name: x\n        uses: actions/checkout@" + commit + "\n        with:\n          # all of it\n          fetch-depth: 0\n"),
			inRelease("    steps:\n      - name: x\n        uses: actions/checkout@" + commit + "\n        with:\n          # all of it\n          persist-credentials: false\n          fetch-depth: 0\n")},
		"inputs in braces": {
			inRelease("    steps:\n      - uses: actions/checkout@" + commit + "\n        with: {fetch-depth: 0}\n"),
			inRelease("    steps:\n      - uses: actions/checkout@" + commit + "\n        with: {persist-credentials: false, fetch-depth: 0}\n")},
		"credentials that are asked for": {
			inRelease("    steps:\n      - uses: actions/checkout@" + commit + "\n        with: {persist-credentials: 'true'}\n"),
			inRelease("    steps:\n      - uses: actions/checkout@" + commit + "\n        with: {persist-credentials: 'false'}\n")},
		"a job whose permissions are its caller's": {
			"on: push\njobs:\n  a: # calls\n    uses: ./.github/workflows/b.yml\n  b: # runs\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n", ""},
		"a workflow that must be called by tag": {
			"on: push\npermissions: {}\njobs:\n  a:\n    uses: slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml@v2.1.0\n", ""},
		"a job with a comment": {
			"on: push\njobs:\n  b: # runs\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n",
			"on: push\npermissions: {}\n\njobs:\n  b: # runs\n    permissions:\n      contents: read\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n"},
		"a step in braces is left": {
			inRelease("    steps:\n      - {uses: actions/checkout@" + commit + "}\n"), ""},
		"a name that nobody knows":      {inRelease("    steps:\n      - uses: acme/a@gone\n"), ""},
		"a file that is not understood": {"on: push\njobs:\n  a:\n    steps:\n      - uses: acme/a@v1\n", ""},
		"line ends of Windows": {
			strings.ReplaceAll(inRelease("    steps:\n      - uses: actions/checkout@v4\n"), "\n", "\r\n"),
			strings.ReplaceAll(inRelease("    steps:\n      - uses: actions/checkout@"+commit+" # v4.2.2\n        with:\n          persist-credentials: false\n"), "\n", "\r\n")},
	} {
		fixed, err := read(t, tree{releaseYML: c.was}).Fix(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(fixed) > 0 {
			got = fixed[0].Text
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Whatever zizmor and actionlint try things on: a changed file is understood,
// nothing in it is worse, and to fix it again changes nothing.
func TestFixOfRealFiles(t *testing.T) {
	dir := vectors(t)
	number := 0
	for _, pattern := range []string{"zizmor/test-data/*.yml", "zizmor/test-data/*/*.yml", "actionlint/ok/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before := read(t, tree{releaseYML: string(raw)})
			fixed, err := before.Fix(t.Context(), known)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fixed {
				number++
				after := read(t, tree{releaseYML: f.Text})
				for _, d := range Judge(Facts{Files: after}).Since(Judge(Facts{Files: before})) {
					if d.Is == Broken && d.Worse() && d.Rule != "unpinned-uses" { // what stays unpinned is named by another line
						t.Errorf("%s: %s", path, d.Text())
					}
				}
				again, err := after.Fix(t.Context(), known)
				if err != nil || len(again) > 0 {
					t.Errorf("%s: fixed twice: %v\n%s", path, err, cmp.Diff(f.Text, again[0].Text))
				}
			}
		}
	}
	if number < 50 {
		t.Errorf("%d files were fixed", number)
	}
}
