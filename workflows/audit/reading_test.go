package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// What GitHub may read in another way than we do is not understood: nothing holds of
// the file, and what is seen to be broken is broken all the same.
func TestReadInTwoWays(t *testing.T) {
	const workflow = "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    environment: pypi\n    steps:\n      - run: make\n"
	for name, c := range map[string]struct{ from, to string }{
		"two documents":              {"- run: make\n", "- run: make\n---\njobs: {}\n"},
		"a directive":                {"on: push", "%YAML 1.1\n---\non: push"},
		"a tag":                      {"pypi", "!!str pypi"},
		"a merge":                    {"  a:", "  <<: {}\n  a:"},
		"a merge in a step":          {"run: make", "<<: {run: make}"},
		"a key twice":                {"run: make", "run: make\n        run: evil"},
		"an input twice":             {"run: make", "uses: a/b@" + commit + "\n        with: {x: 1, X: 2}"},
		"a permission twice":         {"permissions: {}", "permissions: {id-token: read, ID-Token: write}"},
		"a job twice":                {"  a:", "  A: {runs-on: x, steps: [{run: x}]}\n  a:"},
		"a key in another case":      {"environment", "Environment"},
		"an expression as an input":  {"run: make", "uses: a/b@" + commit + "\n        with: {\"${{ 'x' }}\": 1}"},
		"as an environment's name":   {"environment: pypi", "environment: {\"${{ 'name' }}\": pypi}"},
		"as a job":                   {"  a:", "  ${{ 'a' }}:"},
		"another slash":              {"run: make", `uses: pypa\gh-action-pypi-publish@` + commit},
		"two slashes":                {"run: make", "uses: pypa//gh-action-pypi-publish@" + commit},
		"a slash at the end":         {"run: make", "uses: pypa/gh-action-pypi-publish/@" + commit},
		"a dot at the end":           {"run: make", "uses: pypa/gh-action-pypi-publish/.@" + commit},
		"there and back":             {"run: make", "uses: pypa/gh-action-pypi-publish/a/..@" + commit},
		"a slash first":              {"run: make", "uses: /pypa/gh-action-pypi-publish@" + commit},
		"with its server":            {"run: make", "uses: https://github.com/pypa/gh-action-pypi-publish@" + commit},
		"a folder of another slash":  {"run: make", `uses: .\tools`},
		"a folder beside":            {"run: make", "uses: ./../tools"},
		"a way out":                  {"run: make", "uses: ./a/../../tools"},
		"an action of an expression": {"run: make", "uses: ${{ 'pypa/gh-action-pypi-publish' }}@" + commit},
		"a number":                   {"pypi", "0x10"},
		"true":                       {"on: push", "true: push"},
		"a tab":                      {"- run", "-\trun"},
		"an unknown key":             {"on: push", "foo: bar\non: push"},
		"UTF-16":                     {workflow, "\xff\xfe" + strings.Join(strings.Split(workflow, ""), "\x00") + "\x00"},
		"another line":               {"- run: make", "- run: make # \u0085      - run: evil"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(workflow, c.from, c.to, 1)
			for _, a := range Judge(alone("release.yml", []byte(text))).Answers {
				if a.Verdict == Holds {
					t.Errorf("%s holds", a.Rule.ID)
				}
			}
		})
	}
	broken := strings.Replace(workflow, "- run: make", "- uses: !!str a/b@v1", 1)
	if a := answer(Judge(alone("release.yml", []byte(broken))), unpinnedUses.ID); a.Verdict != Broken {
		t.Errorf("got %s %v", a.Verdict, a.Gaps)
	}
}

// So with an action, of the repository or of another.
func TestActionsReadInTwoWays(t *testing.T) {
	const action = "runs:\n  using: composite\n  steps:\n    - run: make\n      shell: bash\n"
	for name, c := range map[string]struct{ from, to string }{
		"two documents":     {"bash\n", "bash\n---\nruns: {using: node24, main: x}\n"},
		"a merge":           {"run: make", "<<: {run: make}"},
		"a merge of steps":  {"runs:", "runs:\n  <<: {using: node24}"},
		"a key twice":       {"run: make", "run: make\n      run: evil"},
		"an input twice":    {"run: make", "uses: a/b@" + commit + "\n      with: {x: 1, X: 2}"},
		"a variable twice":  {"run: make", "run: make\n      env: {x: 1, X: 2}"},
		"bytes":             {"composite", "!!binary Y29tcG9zaXRl"},
		"an expression":     {"run: make", "uses: a/b@" + commit + "\n      with: {\"${{ 'x' }}\": 1}"},
		"another case":      {"using", "Using"},
		"another line":      {"- run: make", "- run: make # \u2028    - run: evil"},
		"steps of no kind":  {"steps", "Steps"},
		"a run of any case": {"run: make", "Run: make"},
		"another slash":     {"run: make", `uses: pypa\gh-action-pypi-publish@` + commit},
		"both":              {"run: make", "run: make\n      uses: a/b@" + commit},
	} {
		if f := parseAction("action.yml", []byte(strings.Replace(action, c.from, c.to, 1))); len(f.gaps) == 0 {
			t.Errorf("%s: it is understood", name)
		}
	}
	if f := parseAction("action.yml", []byte(action)); len(f.gaps) > 0 {
		t.Errorf("got %v", f.gaps)
	}
}

// An expression that is longer or deeper than GitHub takes is not understood, and soon.
func TestExpressionsWithoutEnd(t *testing.T) {
	const n = 150_000
	for name, e := range map[string]string{
		"in each other":     strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"that do not end":   strings.Repeat("(", 1_000_000),
		"not not":           strings.Repeat("!", n) + "1",
		"of each other":     "github" + strings.Repeat("[0]", n),
		"just short enough": "github" + strings.Repeat("[0]", 6_000),
		"in functions":      strings.Repeat("f(", 6_000) + strings.Repeat(")", 6_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := Judge(alone("release.yml", []byte(inRelease(stepsOf("- run: echo ${{ "+e+" }}")))))
			if a := answer(r, templateInjection.ID); a.Verdict == Holds || a.Verdict == DoesNotApply {
				t.Errorf("got %s %v", a.Verdict, a.Gaps)
			}
		})
	}
}

// An upload is seen however people write it.
func TestUploadsAreSeen(t *testing.T) {
	for _, script := range []string{"twine upload x", "twine --verbose upload x", "/usr/bin/twine upload x", ".venv/bin/twine upload x",
		"bash -c 'twine upload x'", "eval twine upload x", "command twine upload x", "echo \" # \"; twine upload x", "echo '#' ' # ' && twine upload x",
		"(twine upload x)", "if true; then twine upload x; fi", "python3 -m twine upload x", "uvx twine upload x", "uv publish",
		"uv --directory dist publish", "poetry -C sub publish", "pdm -p x publish", "python3.12 -m twine upload x", "python -I -m twine upload x",
		"python -mtwine upload x", "py -3 -m twine upload x", "uvx --from twine twine upload x", "uvx twine@5 upload x",
		"uv run --with twine twine upload x", "ls x | xargs -n1 twine upload", "timeout 60 twine upload x", "while ! twine upload x; do :; done",
		"& twine.exe upload x", `.venv\Scripts\twine upload x`, "python3 setup.py upload -r pypi", "uv --directory ${{ inputs.x }} publish"} {
		job := "    environment: pypi\n" + stepsOf("- run: |", "    "+script)
		a := answer(Judge(Facts{Gate: releaseYML, Files: alone("release.yml", []byte(inRelease(job))).Files}), pastTheGate.ID)
		if a.Verdict != Broken {
			t.Errorf("%s: %s", script, a.Verdict)
		}
	}
	long := commandsOf(&actionlint.String{Value: "x " + strings.Repeat("uv -a ", 150_000), Pos: &actionlint.Pos{Line: 1, Col: 1}}, 1)
	if slices.ContainsFunc(long, func(c command) bool { return c.does(uploading) }) { // and it has an end
		t.Error("flags without a command upload")
	}
	image := "    environment: pypi\n" + stepsOf("- uses: docker://ghcr.io/pypa/gh-action-pypi-publish:release-v1")
	if a := answer(Judge(Facts{Gate: releaseYML, Files: alone("release.yml", []byte(inRelease(image))).Files}), pastTheGate.ID); a.Verdict != Broken {
		t.Errorf("an image: %s", a.Verdict)
	}
	for _, script := range []string{"echo hello # ; twine upload x", "# twine upload x", "twine check x", "echo twine upload x", "uv pip install publish",
		"git commit -m twine upload", "poetry run publish", "uv build --out x publish-me"} {
		job := stepsOf("- run: |", "    "+script)
		a := answer(Judge(Facts{Gate: releaseYML, Files: alone("release.yml", []byte(inRelease(job))).Files}), pastTheGate.ID)
		if a.Verdict != Holds {
			t.Errorf("%s: %s %v", script, a.Verdict, a.Spots)
		}
	}
}
