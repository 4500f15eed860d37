package workflows_test

import (
	"strings"
	"testing"

	"github.com/distgate/distgate/workflows"
)

// What GitHub's reader and Go's take for two things is not understood, wherever it
// stands; what both take for the same is.
func TestEveryReaderReadsTheSame(t *testing.T) {
	const text = "on: push\njobs:\n  a:\n    environment: pypi\n    steps:\n      - uses: a/b@v1\n"
	utf16 := func(order string) string { // as Go's library would read it
		for _, r := range text {
			order += string([]byte{byte(r), 0})
		}
		return order
	}
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct{ from, to, want string }{
		"as it is":                   {"", "", ""},
		"with a beginning":           {"on: push", "---\non: push", ""},
		"an end":                     {"v1\n", "v1\n...\n", ""},
		"a byte order mark":          {"on: push", "\ufeffon: push", ""},
		"quotes":                     {"pypi", `"0x10"`, ""},
		"a version":                  {"a/b@v1", "a/b@v1\n        with: {python-version: 3.10, x: 012abc, y: 1e3f, z: -e, v: 1.2.3, w: 09:30}", ""},
		"a commit of digits":         {"v1", "0123456789e1234567890123456789012345678", ""},
		"a script":                   {"uses: a/b@v1", "run: |\n          cat <<EOF > x && ! false || printf '\\x1b' ${{ x }}:\n          %s\n          ---\n          EOF", ""},
		"no":                         {"pypi", "no", ""},
		"an expression":              {"a/b@v1", "a/b@v1\n        with: {x: \"${{ y }}: z\", ? z : \"${{ a }}\"}", ""},
		"an alias":                   {"on: push", "on: &e push\nenv: {A: *e}", ""},
		"two documents":              {"v1\n", "v1\n---\njobs: {}\n", "want one document"},
		"another after the end":      {"v1\n", "v1\n...\njobs: {}\n", "want one document"},
		"a directive":                {"on: push", "%YAML 1.1\n---\non: push", `line 1: want no directive, got "%YAML 1.1"`},
		"a tag of one's own":         {"on: push", "%TAG ! tag:yaml.org,2002:\n---\non: push", "line 1: want no directive"},
		"a string":                   {"pypi", "!!str pypi", `line 4: want no tag, got "!!str"`},
		"bytes":                      {"pypi", "!!binary cHlwaQ==", `line 4: want no tag, got "!!binary"`},
		"a tagged map":               {"  a:", "  a: !x", "line 3: want no tag"},
		"a whole tag":                {"pypi", "!<tag:yaml.org,2002:str> pypi", "line 4: want no tag"},
		"a merge":                    {"  a:", "  <<: {b: {}}\n  a:", "line 3: want keys that are written out"},
		"a merge in quotes":          {"  a:", "  \"<<\": {b: {}}\n  a:", "line 3: want keys that are written out"},
		"a merge, written otherwise": {"  a:", "  \"\\x3c<\": {b: {}}\n  a:", "line 3: want keys that are written out"},
		"an expression as a key":     {"a/b@v1", "a/b@v1\n        with: {\"${{ 'password' }}\": x}", `line 7: want a key that is known`},
		"in single quotes":           {"a/b@v1", "a/b@v1\n        with: {'${{ ''password'' }}': x}", `line 7: want a key that is known`},
		"in none":                    {"environment: pypi", "${{ insert }}: x", `line 4: want a key that is known`},
		"in part":                    {"environment: pypi", "env: {a: b, \"x-${{ insert }}-y\": x}", `line 4: want a key that is known`},
		"written otherwise":          {"environment: pypi", `env: {"\x24{{ insert }\x7d": x}`, `line 4: want a key that is known`},
		"on its own line":            {"environment: pypi", "env:\n      ? |-\n        ${{ insert }}\n      : x", `line 5: want a key that is known`},
		"by an alias":                {"environment: pypi", "name: &x ${{ insert }}\n    env: {*x : y}", `want a key that is known`},
		"a key of two":               {"environment: pypi", "? [a, b]\n    : x", "line 4: want a key that is one value"},
		"the case of a key":          {"environment: pypi", "env: {<<: {}, a: b, A: c}", "line 4: want keys that are written out"},
		"two keys":                   {"environment: pypi", "env: {a: b, A: !x c}", `line 4: want each key once, got "A" again`},
		"sixteen":                    {"pypi", "0x10", "line 4: want a number as GitHub writes it, or quotes; got 0x10"},
		"fifteen":                    {"pypi", "0o17", "line 4: want a number"},
		"with a nought":              {"pypi", "017", "line 4: want a number"},
		"with a plus":                {"pypi", "+17", "line 4: want a number"},
		"a thousand":                 {"pypi", "1e3", "line 4: want a number"},
		"without end":                {"pypi", "-.inf", "line 4: want a number"},
		"none":                       {"pypi", ".NaN", "line 4: want a number"},
		"an environment of one":      {"pypi", "1.0", "line 4: want a name in quotes, got 1.0"},
		"an environment, by name":    {"pypi", "{url: x, name: 3.10}", "line 4: want a name in quotes, got 3.10"},
		"on lines":                   {"pypi", "\n      name: True", "line 5: want a name in quotes, got True"},
		"in an order":                {"pypi", "\n      url: x\n      name: ~", "line 6: want a name in quotes, got ~"},
		"as an alias":                {"on: push", "on: push\nenv: {A: &x 3.10}\nb: {environment: *x}", "line 2: want a name in quotes, got 3.10"},
		"a name as an alias":         {"on: push", "on: push\nenv: {A: &x 3.10}\nb: {environment: {name: *x}}", "line 2: want a name in quotes"},
		"a word as an alias":         {"on: push", "on: push\nenv: {A: &x name}\nb: {environment: {*x : 3.10}}", "line 3: want a name in quotes"},
		"both as an alias":           {"on: push", "on: push\nenv: {A: &x {name: 3.10}}\nb: {environment: *x}", "line 2: want a name in quotes"},
		"more digits than are kept":  {"pypi", "1234567890123456", "line 4: want a name in quotes"},
		"none at all":                {"pypi", "null", "line 4: want a name in quotes, got null"},
		"a number, far away":         {"environment: pypi", "environment" + strings.Repeat(" ", 200) + ": 3.10", "line 4: want a name in quotes"},
		"a long number":              {"pypi", "1" + strings.Repeat("0", 200) + "e-200", "line 4: want a number"},
		"a long alias":               {"on: push", "on: &" + long + " ${{ x }}\nenv: {*" + long + " : y}", "want a key that is known"},
		"a long expression":          {"environment: pypi", "env: {\"${{ '" + strings.Repeat("\u00e9", 1000) + "' }}\": x}", "line 4: want a key that is known"},
		"a mark in the middle":       {"    env", "\ufeff    env", "line 4: want a byte order mark at the beginning"},
		"UTF-16":                     {text, utf16("\xff\xfe"), "want text in UTF-8"},
		"Latin":                      {"pypi", "\xe9", "want text in UTF-8"},
		"nothing":                    {"v1\n", "v1\n\x00", "want text in UTF-8"},
	} {
		got := said(workflows.CheckReading([]byte(strings.Replace(text, c.from, c.to, 1))))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got %q", name, c.want, got)
		}
	}
}

func FuzzReading(f *testing.F) {
	f.Add([]byte("on: push\nx: &a {*a : ${{ b }}}\n"))
	f.Add([]byte("? <<\n: !x 0x1\n"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _ = workflows.CheckReading(raw) })
}
