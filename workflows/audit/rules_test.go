package audit

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/rule"
)

// tree is a repository in memory.
type tree map[string]string

func (t tree) List(_ context.Context, dir string) (names []string, err error) {
	for at := range t {
		if path.Dir(at) == dir {
			names = append(names, path.Base(at))
		}
	}
	return names, nil
}

func (t tree) Read(_ context.Context, at string) ([]byte, error) {
	if text, ok := t[at]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

const releaseYML = ".github/workflows/release.yml"

func read(t *testing.T, files tree, begin ...string) Files {
	t.Helper()
	f, err := Read(t.Context(), files, Release{Workflows: begin})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// answerOf is what one rule says of a repository: the verdict, and what it
// found or did not see, as "path:line".
func answerOf(t *testing.T, id rule.ID, facts Facts) []string {
	t.Helper()
	for _, a := range Judge(facts).Answers {
		if a.Rule.ID != id {
			continue
		}
		said := []string{string(a.Verdict)}
		for _, s := range a.Spots {
			said = append(said, fmt.Sprintf("%s:%d", path.Base(s.File), s.Line))
		}
		return said
	}
	t.Fatalf("no rule is called %s", id)
	return nil
}

// inRelease is a job "a" of a workflow that the policy names, with a publishing
// job beside it.
func inRelease(job string) string {
	return "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n" + job
}

func stepsOf(lines ...string) string {
	return "    steps:\n      " + strings.Join(lines, "\n      ") + "\n"
}

const commit = "0123456789abcdef0123456789abcdef01234567"

var (
	signIt   = "- uses: actions/attest@" + commit
	upload   = "- uses: pypa/gh-action-pypi-publish@" + commit
	checkOut = "- uses: actions/checkout@" + commit
	download = "- uses: actions/download-artifact@" + commit
)

// published is a job that publishes by distgate's action, after the job "a".
var published = "  p:\n    runs-on: ubuntu-24.04\n    permissions: {id-token: write}\n" +
	stepsOf("- uses: distgate/distgate@"+commit, "  with: {verb: publish}")

func canary(action string) string { return by(action, "canary") }

// by are the rest of a job that may have a token, of one step.
func by(action, verb string) string {
	return "    permissions: {id-token: write}\n" + stepsOf("- uses: "+action, "  with: {verb: "+verb+"}")
}

// What is ours alone: each row is one job in the release, from line 6.
func TestRulesOfOurOwn(t *testing.T) {
	for _, c := range []struct {
		rule rule.ID
		job  string
		want []string
	}{
		{"attest-beside-code", stepsOf(download, signIt), []string{"holds"}},
		{"attest-beside-code", stepsOf("- run: echo hello"), []string{"does not apply"}},
		{"attest-beside-code", stepsOf(checkOut, "- run: python -m build", signIt), []string{"broken", "release.yml:8"}},
		{"attest-beside-code", stepsOf(checkOut, "- run: some-tool", signIt), []string{"broken", "release.yml:8"}},
		{"attest-beside-code", stepsOf(checkOut, "- run: ls dist # make", signIt), []string{"holds"}},
		{"attest-beside-code", stepsOf(download, "- run: |", "    ls dist", "    FOO=1 sudo pip \\", "      install x", signIt), []string{"broken", "release.yml:10"}},
		{"attest-beside-code", stepsOf(download, "- run: echo hi && ./dist/tool", signIt), []string{"broken", "release.yml:8"}},
		{"attest-beside-code", stepsOf("- uses: pypa/cibuildwheel@"+commit, signIt), []string{"broken", "release.yml:7"}},

		{"publish-does-more", stepsOf(download, upload), []string{"holds"}},
		{"publish-does-more", stepsOf(download, "- run: ls -l dist; rm -r dist/*wasm*", upload), []string{"holds"}},
		{"publish-does-more", stepsOf(download, "- run: twine upload dist/*"), []string{"holds"}},
		{"publish-does-more", stepsOf(checkOut, upload), []string{"broken", "release.yml:7"}},
		{"publish-does-more", stepsOf("- run: pip install twine", "- run: python -m twine upload dist/*"), []string{"broken", "release.yml:7"}},
		{"publish-does-more", stepsOf("- uses: actions/cache@"+commit, upload), []string{"broken", "release.yml:7"}},
		{"publish-does-more", stepsOf("- uses: actions/setup-python@"+commit, "  with: {cache: pip}", upload), []string{"broken", "release.yml:7"}},
		{"publish-does-more", stepsOf("- run: distgate publish 1.0"), []string{"holds"}},

		{"publish-environment", "    environment: pypi\n" + stepsOf(upload), []string{"holds"}},
		{"publish-environment", stepsOf(upload), []string{"broken", "release.yml:4"}},
		{"publish-environment", "    environment: ${{ inputs.to }}\n" + stepsOf(upload), []string{"cannot see"}},

		{"use-trusted-publishing", stepsOf(upload), []string{"holds"}},
		{"use-trusted-publishing", stepsOf(upload, "  with: {password: '${{ secrets.T }}'}"), []string{"broken", "release.yml:7"}},
		{"use-trusted-publishing", "    env: {TWINE_PASSWORD: '${{ secrets.T }}'}\n" + stepsOf("- run: twine upload dist/*"), []string{"broken", "release.yml:8"}},
		{"use-trusted-publishing", stepsOf("- run: uv publish --token x"), []string{"broken", "release.yml:7"}},

		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf(signIt), []string{"holds"}},
		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf("- run: make"), []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", canary("distgate/distgate@"+commit) + published, []string{"holds"}},
		{"id-token-elsewhere", canary("evil/distgate@"+commit) + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", canary("distgate/distgate@"+other) + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", canary("distgate/distgate@" + commit), []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf("- uses: distgate/distgate@"+commit, "  with: {verb: canary}", "- run: make"), []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", by("distgate/distgate@"+commit, "withdraw") + published, []string{"holds"}},
		{"id-token-elsewhere", by("evil/distgate@"+commit, "withdraw") + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", by("distgate/distgate@"+other, "withdraw") + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", by("distgate/distgate@"+commit, "withdraw"), []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", by("evil/distgate@"+commit, "publish") + published, []string{"broken", "release.yml:6", "release.yml:12"}},
		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf("- run: distgate publish 1.0"), []string{"holds"}},
		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf("- run: distgate publish 1.0") + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", "    permissions: {id-token: write}\n" + stepsOf("- run: distgate withdraw 1.0") + published, []string{"broken", "release.yml:6"}},
		{"id-token-elsewhere", stepsOf("- run: make") + published, []string{"holds"}},
		{"id-token-elsewhere", "    permissions: write-all\n" + stepsOf("- run: make"), []string{"broken", "release.yml:6"}},

		{"unpinned-uses", stepsOf(checkOut, "- uses: ./sign"), []string{"holds"}},
		{"unpinned-uses", stepsOf(checkOut, "  with: {repository: '${{ github.repository }}', ref: '${{ github.sha }}', path: .}", "- uses: ./sign"), []string{"holds"}},
		{"unpinned-uses", stepsOf(checkOut, "  with: {repository: evil/x}", "- uses: ./sign"), []string{"broken", "release.yml:9"}},
		{"unpinned-uses", stepsOf(checkOut, "  with: {ref: other}", "- uses: ./sign"), []string{"broken", "release.yml:9"}},
		{"unpinned-uses", stepsOf(checkOut, "- uses: ./sign", checkOut, "  with: {ref: other}"), []string{"holds"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: acme/tools, path: tools}", "- uses: ./sign"), []string{"holds"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: Sign/}", "- uses: ./sign"), []string{"broken", "release.yml:10"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: sign/dist}", "- uses: ./sign"), []string{"broken", "release.yml:10"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: '${{ env.P }}'}", "- uses: ./sign"), []string{"broken", "release.yml:10"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: x/../sign}", "- uses: ./sign"), []string{"broken", "release.yml:10"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: /home/runner/x}", "- uses: ./sign"), []string{"broken", "release.yml:10"}},
		{"unpinned-uses", stepsOf(checkOut, checkOut, "  with: {repository: evil/x, path: dist}", "- uses: ./"), []string{"broken", "release.yml:10"}},
		{"attest-beside-code", stepsOf(checkOut, "  with: {repository: evil/x}", "- uses: ./sign", signIt), []string{"broken", "release.yml:9"}},

		{"publish-past-the-gate", stepsOf("- run: make"), []string{"holds"}},
		{"publish-past-the-gate", stepsOf(download, "- uses: distgate/distgate@"+commit, "  with: {verb: publish}"), []string{"holds"}},
		{"publish-past-the-gate", stepsOf("- run: distgate publish 1.0"), []string{"holds"}},
		{"publish-past-the-gate", stepsOf("- run: distgate publish 1.0") + published, []string{"broken", "release.yml:7"}},
		{"publish-past-the-gate", by("evil/distgate@"+commit, "publish") + published, []string{"broken", "release.yml:8", "release.yml:14"}},
		{"publish-past-the-gate", by("./sign", "publish") + published, []string{"holds"}},
		{"publish-past-the-gate", stepsOf("- uses: JRubics/poetry-publish@" + commit), []string{"broken", "release.yml:7"}},
		{"publish-past-the-gate", stepsOf("- run: python setup.py sdist upload"), []string{"broken", "release.yml:7"}},
		{"publish-past-the-gate", stepsOf("- run: distgate publish 1.0", upload), []string{"broken", "release.yml:8"}},
		{"publish-past-the-gate", stepsOf("- run: |", "    python -m build", "    twine upload dist/*"), []string{"broken", "release.yml:9"}},
		{"publish-past-the-gate", stepsOf("- run: uv publish", "- run: uvx flit publish"), []string{"broken", "release.yml:7", "release.yml:8"}},
		{"publish-past-the-gate", stepsOf("- run: uv tool run maturin upload"), []string{"broken", "release.yml:7"}},
		{"publish-past-the-gate", stepsOf("- uses: PyO3/maturin-action@"+commit, "  with: {command: upload}"), []string{"broken", "release.yml:7"}},
		{"publish-past-the-gate", stepsOf("- uses: PyO3/maturin-action@"+commit, "  with: {command: build}"), []string{"holds"}},

		{"artifacts-from-elsewhere", stepsOf(download), []string{"holds"}},
		{"artifacts-from-elsewhere", stepsOf(download, "  with: {run-id: '${{ github.run_id }}'}"), []string{"holds"}},
		{"artifacts-from-elsewhere", stepsOf(download, "  with: {run-id: 12}"), []string{"broken", "release.yml:7"}},
		{"artifacts-from-elsewhere", stepsOf("- run: gh run download 12"), []string{"broken", "release.yml:7"}},

		{"mutable-downloads", stepsOf("- run: curl -LO https://example.org/tool-1.0.tar.gz"), []string{"holds"}},
		{"mutable-downloads", stepsOf("- run: curl -LO https://example.org/releases/latest/tool"), []string{"broken", "release.yml:7"}},
		{"mutable-downloads", stepsOf("- run: curl https://example.org/install | sudo bash"), []string{"broken", "release.yml:7"}},
		{"mutable-downloads", stepsOf("- run: pip install build==1.2.2 -r requirements.txt ."), []string{"holds"}},
		{"mutable-downloads", stepsOf("- run: python -m pip install -U pip build"), []string{"broken", "release.yml:7"}},

		{"inputs-in-builds", stepsOf("- run: make V=${{ vars.FLAGS }}"), []string{"broken", "release.yml:7"}},
		{"inputs-in-builds", stepsOf("- run: echo ${{ vars.FLAGS }}"), []string{"holds"}},
		{"inputs-in-builds", stepsOf("- run: make", "  if: vars.SLOW == 'yes'"), []string{"broken", "release.yml:8"}},

		{"self-hosted-runner", stepsOf("- run: make"), []string{"holds"}},
		{"cache-poisoning", stepsOf("- uses: acme/setup@"+commit, "  with: {use-cache: 'true'}"), []string{"broken", "release.yml:7"}},
		{"cache-poisoning", stepsOf("- uses: acme/setup@"+commit, "  with: {use-cache: 'false'}"), []string{"holds"}},
	} {
		files := tree{releaseYML: inRelease(c.job), "sign/action.yml": "runs: {using: composite, steps: [{run: echo hello, shell: bash}]}"}
		got := answerOf(t, c.rule, Facts{Files: read(t, files, releaseYML), Gate: releaseYML})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s, over\n%s\n%s", c.rule, files[releaseYML], diff)
		}
	}
}

// An upload past the gate is found in every workflow, not the release's alone, and
// in the actions that they use; where no policy makes a gate there is none to pass.
func TestPastTheGate(t *testing.T) {
	gated := inRelease(stepsOf("- uses: distgate/distgate@"+commit, "  with: {verb: publish}"))
	for name, c := range map[string]struct {
		files   tree
		ungated bool
		want    []string
	}{
		"the gate alone": {tree{releaseYML: gated}, false, []string{"holds"}},
		"a workflow from before": {tree{releaseYML: gated, ".github/workflows/wheels.yml": inRelease(stepsOf(upload))}, false,
			[]string{"broken", "wheels.yml:7"}},
		"an action that uploads": {tree{releaseYML: gated, ".github/workflows/wheels.yml": inRelease(stepsOf("- uses: ./up")),
			"up/action.yml": "runs:\n  using: composite\n  steps:\n    - run: twine upload dist/*\n      shell: bash\n"}, false,
			[]string{"broken", "action.yml:4"}},
		"a workflow that is not understood": {tree{releaseYML: gated, ".github/workflows/wheels.yml": "on: ["}, false, []string{"cannot see"}},
		"no gate":                           {tree{releaseYML: inRelease(stepsOf(upload))}, true, []string{"does not apply"}},
		"an action of the gate's name": {tree{releaseYML: gated, ".github/workflows/wheels.yml": inRelease(by("evil/distgate@"+commit, "publish"))}, false,
			[]string{"broken", "wheels.yml:8"}},
		"the gate's action at another commit": {tree{releaseYML: gated, ".github/workflows/wheels.yml": inRelease(by("distgate/distgate@"+other, "publish"))}, false,
			[]string{"broken", "wheels.yml:8"}},
		"the gate's own action beside the gate": {tree{releaseYML: gated, ".github/workflows/again.yml": gated}, false, []string{"holds"}},
	} {
		got := answerOf(t, "publish-past-the-gate", Facts{Files: read(t, c.files, releaseYML), Gate: releaseYML, Ungated: c.ungated})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMachines(t *testing.T) {
	for on, want := range map[string]Verdict{
		"ubuntu-24.04":                        Holds,
		"[self-hosted, linux]":                Broken,
		"depot-ubuntu-24.04":                  Broken,
		"{group: big, labels: ubuntu-latest}": Broken,
		"${{ inputs.os }}":                    CannotSee,
		"listed-by-the-policy":                Holds,
	} {
		text := strings.Replace(inRelease(stepsOf("- run: make")), "ubuntu-24.04", on, 1)
		facts := Facts{Files: read(t, tree{releaseYML: text}), Labels: []string{"listed-by-the-policy"}}
		if got := answerOf(t, "self-hosted-runner", facts); got[0] != string(want) {
			t.Errorf("runs-on: %s: want %s, got %s", on, want, got)
		}
	}
}

// A matrix may have lists and objects, of which runs-on takes a part.
func TestMachinesOfMatrix(t *testing.T) {
	for _, c := range []struct {
		on, plat string
		want     Verdict
	}{
		{"plat[0]", "[[ubuntu-24.04, x86_64], [macos-15, arm64]]", Holds},
		{"plat[0]", "[[ubuntu-24.04, x86_64], [depot-macos, arm64]]", Broken},
		{"plat[0]", "[[ubuntu-24.04], ['${{ inputs.os }}']]", CannotSee},
		{"plat[1]", "[[ubuntu-24.04]]", CannotSee},
		{"plat[0]", "[ubuntu-24.04]", CannotSee},
		{"plat", "[[ubuntu-24.04]]", CannotSee},
		{"plat[0].os", "[[{os: windows-2025}]]", Holds},
		{"plat.os", "[{os: windows-2025, arch: x86}, {os: self-hosted}]", Broken},
	} {
		text := strings.Replace(inRelease(stepsOf("- run: make")), "ubuntu-24.04",
			"${{ matrix."+c.on+" }}\n    strategy: {matrix: {plat: "+c.plat+"}}", 1)
		if got := answerOf(t, "self-hosted-runner", Facts{Files: read(t, tree{releaseYML: text})}); got[0] != string(c.want) {
			t.Errorf("matrix.%s of %s: want %s, got %s", c.on, c.plat, c.want, got)
		}
	}
}

// The release graph goes through called workflows and local actions, however
// they are named, and ends where they call each other.
func TestReleaseGraph(t *testing.T) {
	caching := "runs:\n  using: composite\n  steps:\n    - uses: actions/cache@" + commit + "\n"
	calls := func(uses string) string {
		return "on: [push, workflow_call]\npermissions: {}\njobs:\n  a:\n    uses: " + uses + "\n"
	}
	for _, c := range []struct {
		name  string
		files tree
		want  []string
	}{
		{"a workflow that the release does not run", tree{
			".github/workflows/test.yml": inRelease(stepsOf("- uses: actions/cache@" + commit)),
			releaseYML:                   inRelease(stepsOf("- run: make")),
		}, []string{"holds"}},
		{"a called workflow", tree{
			releaseYML:                    calls("./.github/workflows/build.yml"),
			".github/workflows/build.yml": inRelease(stepsOf("- uses: actions/cache@" + commit)),
		}, []string{"broken", "build.yml:7"}},
		{"an action of a called workflow, by the other name for the repository", tree{
			releaseYML:                    calls("$/.github/workflows/build.yml"),
			".github/workflows/build.yml": inRelease(stepsOf("- uses: $/tools/setup")),
			"tools/setup/action.yaml":     caching,
		}, []string{"broken", "action.yaml:4"}},
		{"an action of an action", tree{
			releaseYML:       inRelease(stepsOf("- uses: ./one")),
			"one/action.yml": "runs:\n  using: composite\n  steps:\n    - uses: ./two\n    - uses: ./one\n",
			"two/action.yml": caching,
		}, []string{"broken", "action.yml:4"}},
		{"an action that is not there", tree{releaseYML: inRelease(stepsOf("- uses: ./gone"))}, []string{"cannot see"}},
		{"an action that cannot be understood", tree{
			releaseYML: inRelease(stepsOf("- uses: ./odd")), "odd/action.yml": "runs: [",
		}, []string{"cannot see"}},
		{"a workflow that is not there", tree{releaseYML: calls("./.github/workflows/gone.yml")}, []string{"cannot see"}},
		{"workflows that call each other", tree{
			releaseYML:                  calls("./.github/workflows/two.yml"),
			".github/workflows/two.yml": calls("./" + releaseYML),
		}, []string{"holds"}},
		{"broken YAML", tree{releaseYML: "on: push\njobs: ["}, []string{"cannot see"}},
		{"no file that the policy names", tree{".github/workflows/a.yml": inRelease(stepsOf("- run: make"))}, []string{"cannot see"}},
	} {
		got := answerOf(t, "cache-poisoning", Facts{Files: read(t, c.files, releaseYML)})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// Whoever may have a token by the gate's name is known by the workflow that the policy
// names: where it is another repository's, no workflow here has the gate.
func TestNoGateHere(t *testing.T) {
	files := read(t, tree{releaseYML: inRelease(by("evil/distgate@"+commit, "publish"))}, releaseYML)
	for _, c := range []struct {
		facts Facts
		rule  rule.ID
		want  Verdict
	}{
		{Facts{Files: files}, "id-token-elsewhere", Broken},
		{Facts{Files: files}, "publish-past-the-gate", Broken},
		{Facts{Files: files, Gate: ".github/workflows/publish.yml"}, "publish-past-the-gate", Broken},
		{Facts{Files: files, Ungated: true}, "id-token-elsewhere", Holds},
	} {
		if got := answerOf(t, c.rule, c.facts); got[0] != string(c.want) {
			t.Errorf("%s with gate %q: want %s, got %v", c.rule, c.facts.Gate, c.want, got)
		}
	}
}

// Workflows that call each other, and actions that each use the next many times,
// are gone through once.
func TestGraphsThatGrow(t *testing.T) {
	files := tree{
		releaseYML:                  "on: push\njobs:\n  a:\n    permissions: {id-token: write}\n    uses: ./.github/workflows/two.yml\n",
		".github/workflows/two.yml": "on: workflow_call\njobs:\n  a:\n    permissions: {id-token: write}\n    uses: ./" + releaseYML + "\n",
		".github/workflows/fan.yml": inRelease(stepsOf("- uses: ./a0", upload)),
	}
	for i := range 20 {
		next := fmt.Sprintf("    - uses: ./a%d\n", i+1)
		files[fmt.Sprintf("a%d/action.yml", i)] = "runs:\n  using: composite\n  steps:\n" + strings.Repeat(next, 50)
	}
	got := answerOf(t, "id-token-elsewhere", Facts{Files: read(t, files)})
	if diff := cmp.Diff([]string{"broken", "release.yml:4", "two.yml:4"}, got); diff != "" {
		t.Error(diff)
	}
}

// Where nobody says where the release begins, it is where something is signed,
// and at what calls that.
func TestReleaseGraphIsFound(t *testing.T) {
	files := tree{
		".github/workflows/sign.yml": "on: workflow_call\njobs:\n  s:\n    runs-on: ubuntu-24.04\n    permissions: {id-token: write}\n" + stepsOf(signIt),
		releaseYML: "on: push\njobs:\n  b:\n    runs-on: ubuntu-24.04\n" + stepsOf("- uses: actions/cache@"+commit) +
			"  s:\n    uses: ./.github/workflows/sign.yml\n",
		".github/workflows/test.yml": inRelease(stepsOf("- uses: actions/cache@" + commit)),
	}
	got := answerOf(t, "cache-poisoning", Facts{Files: read(t, files)})
	if diff := cmp.Diff([]string{"broken", "release.yml:6"}, got); diff != "" {
		t.Error(diff)
	}
}

// Nothing holds of what was not read.
func TestNothingHoldsOfNothing(t *testing.T) {
	for _, a := range Judge(Facts{}).Answers {
		if a.Verdict == Holds || a.Verdict == Broken || a.Verdict == DoesNotApply {
			t.Errorf("%s: %s, of nothing", a.Rule.ID, a.Verdict)
		}
		if a.Verdict == CannotSee && (len(a.Gaps) == 0 || a.Gaps[0].Needs == "") {
			t.Errorf("%s: it does not say what would show it", a.Rule.ID)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	bomb := "on: push\njobs:\n  a: &a {runs-on: x, steps: [{run: x}]}\n  l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("  l%d: &l%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*l%d, ", i), 10))
	}
	for name, text := range map[string]string{
		"aliases of aliases":    bomb,
		"an alias in itself":    "on: push\njobs: &a\n  a: {runs-on: x, strategy: {matrix: *a}, steps: [{run: x}]}\n",
		"deep":                  "on: push\njobs: " + strings.Repeat("[", 100_000),
		"too large":             "on: push\n" + strings.Repeat("#", maxFile),
		"not text":              "\x00\x01\xff",
		"nothing":               "",
		"a line for some":       inRelease(stepsOf("- run: echo # \u0085")),
		"an expression unended": inRelease(stepsOf("- run: echo ${{ github.event.issue.title")),
	} {
		facts := Facts{Files: read(t, tree{releaseYML: text})}
		for _, a := range Judge(facts).Answers {
			if a.Verdict == Holds && name != "an expression unended" {
				t.Errorf("%s: %s holds", name, a.Rule.ID)
			}
		}
	}
}

// A workflow of nearly 1 MiB is read.
func TestLargeFile(t *testing.T) {
	step := "- run: echo ${{ github.event.issue.title }}"
	text := inRelease(stepsOf(slices.Repeat([]string{step}, 19_000)...))
	if len(text) > maxFile || len(text) < maxFile*9/10 {
		t.Fatalf("the file has %d bytes", len(text))
	}
	got := answerOf(t, "template-injection", Facts{Files: read(t, tree{releaseYML: text})})
	if got[0] != string(Broken) || len(got) != 19_001 {
		t.Errorf("got %s and %d places", got[0], len(got)-1)
	}
}

func TestRulesAreWhole(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[rule.ID]bool{}
	for _, r := range Rules() {
		if !form.MatchString(string(r.ID)) || seen[r.ID] || r.ID.Story() != "" {
			t.Errorf("%s: want an id of its own, in lower case with hyphens", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.Looks == "" || len(r.Why) < 40 || len(r.Fix) < 20 {
			t.Errorf("%s: want a title, a place, a story and a fix", r.ID)
		}
		if (r.judge == nil) != (r.Looks == WithPeople) {
			t.Errorf("%s: a question is for people, and all else is judged", r.ID)
		}
	}
}

func FuzzWorkflow(f *testing.F) {
	f.Add(inRelease(stepsOf(checkOut, "- run: |", "    echo ${{ github.ref }}")))
	f.Add("on: push\njobs:\n  a: &a {runs-on: '${{ matrix.os || ''x'' }}', steps: [{uses: ./x}]}\n  b: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string, []byte) *file{parseWorkflow, parseAction} {
			parsed := parse("x.yml", []byte(text))
			parsed.release = true
			for _, a := range Judge(Facts{Files: Files{read: true, all: []*file{parsed}}}).Answers {
				if a.Verdict == Holds && len(parsed.gaps) > 0 {
					t.Errorf("%s holds of a file that is not understood", a.Rule.ID)
				}
			}
		}
	})
}

// An anchor is read wherever it is used.
func TestAnchors(t *testing.T) {
	text := "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: &s\n      - &c\n        uses: actions/checkout@v4\n" +
		"  b:\n    runs-on: ubuntu-24.04\n    steps: *s\n  c:\n    runs-on: ubuntu-24.04\n    steps:\n      - *c\n"
	files := read(t, tree{releaseYML: text}, releaseYML)
	var jobs []string
	for _, s := range answer(Judge(Facts{Files: files}), unpinnedUses.ID).Spots {
		jobs = append(jobs, fmt.Sprintf("%s:%d", s.Job, s.Line))
	}
	if diff := cmp.Diff([]string{"a:8", "b:8", "c:8"}, jobs); diff != "" {
		t.Error(diff)
	}
	fixed, err := files.Fix(t.Context(), func(context.Context, Named) (Found, error) { return Found{commit, "v4"}, nil })
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(text, "checkout@v4", "checkout@"+commit+" # v4\n        with:\n          persist-credentials: false", 1)
	if len(fixed) != 1 || fixed[0].Text != want {
		t.Errorf("got %v", fixed)
	}
}
