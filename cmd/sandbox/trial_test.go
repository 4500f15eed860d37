package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distgate/distgate/cmd/internal/command"
)

// begin is a release repository as distgate init begins it, filled in.
func begin(t *testing.T, workflow, args string, edits ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, line := range []string{"init -q -b main", "remote add origin https://github.com/acme/tools-release"} {
		if out, err := exec.Command("git", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", line, err, out)
		}
	}
	if workflow != "" {
		if err := os.MkdirAll(".github/workflows", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(".github/workflows/wheels.yml", []byte(workflow), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	s := streams(&out, &out)
	line := "init --write --project big-tools --action distgate/distgate@" + strings.Repeat("0", 40) + " " + args
	if code := command.Main(t.Context(), strings.Fields(line), s); code != done {
		t.Fatalf("distgate %s: %d\n%s", line, code, &out)
	}
	raw, err := os.ReadFile("distgate.toml")
	if err != nil {
		t.Fatal(err)
	}
	files := "[files]\nsdist = true\npython = [\"cp313\", \"cp313t\"]\nplatform = [\"macosx_arm64\", \"manylinux_x86_64\", \"win32\"]\n" +
		"except = [\"cp313t-win32\"]\nalso = [\"pp311-win_amd64\", \"cp311-abi3-musllinux_x86_64\"]\n"
	_, after, _ := strings.Cut(string(raw), "[files]")
	text := strings.Replace(string(raw), "[files]"+after[:strings.Index(after, "\n\n")], files, 1)
	build, publish, _ := strings.Cut(text, "[publish]")
	text = strings.ReplaceAll(build, `-id = ""`, `-id = "11"`) + "[publish]" + strings.ReplaceAll(publish, `-id = ""`, `-id = "12"`)
	text += "2001 = [\"erin\"]\n2002 = [\"frank\"]\n"
	if err := os.WriteFile("distgate.toml", []byte(strings.NewReplacer(edits...).Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const wheels = `on: workflow_dispatch
permissions: {}
jobs:
  wheels:
    runs-on: windows-2025
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {repository: acme/tools}
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with: {name: "wheels-${{ github.sha }}"}
  upload:
    needs: wheels
    runs-on: ubuntu-latest
    steps:
      - run: uv publish
`

// TestARepositoryThatInitBeganIsTried goes the way of the README, for each way to
// begin: from the empty folder to a release.
func TestARepositoryThatInitBeganIsTried(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		workflow, args string
		edits          []string
		says           string
	}{
		"another repository builds": {args: "--built-by acme/tools/.github/workflows/wheels.yml", says: "published  big-tools 2.1 on index local: 8 files"},
		"with the names of the README": {says: "published  widget 2.1 on index local: 8 files",
			args: "--built-by acme/widget/.github/workflows/wheels.yml --project widget --repository acme/widget-release"},
		"and with one name for the workflows of both": {says: "published  widget 2.1 on index local: 8 files",
			args: "--built-by acme/widget/.github/workflows/release.yml --project widget --repository acme/widget-release"},
		"it builds another's source": {workflow: wheels, args: "--into .github/workflows/wheels.yml", says: "declared by distgate.lock",
			edits: []string{`repository = "acme/tools"` + "\n" + `repository-id = "11"`, `repository = "acme/tools"` + "\n" + `repository-id = "13"`,
				`owner-id = "11"`, `owner-id = "12"`, `repository-id = "11"`, `repository-id = "12"`}},
		"one workflow does all": {args: "--all-in-one --registry ghcr.io/acme/staging --index testpypi", says: "published  big-tools 2.1 on index local: 8 files",
			edits: []string{`-id = "11"`, `-id = "12"`}},
		"on an index on which nobody votes": {args: "--all-in-one --index testpypi", says: "was staged and published, here",
			edits: []string{`-id = "11"`, `-id = "12"`, "# votes = 0", "votes = 0"}},
		"two people, by keys": {args: "--all-in-one", says: "Signed votes take the keys",
			edits: []string{`-id = "11"`, `-id = "12"`, "need = 1", "need = 2\nsigners = \"allowed_signers\"", `["environment"]`, `["signed", "environment"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := begin(t, c.workflow, c.args, c.edits...)
			if strings.Contains(c.says, "keys") {
				const key = " namespaces=\"distgate\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
				keys := "erin" + key + "g\nfrank" + key + "h\n"
				if err := os.WriteFile(filepath.Join(dir, "allowed_signers"), []byte(keys), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			if code := Main(t.Context(), []string{"try", dir, "2.1"}, streams(&out, &out)); code != exitDone {
				t.Fatalf("ended with %d\n%s", code, &out)
			}
			if !strings.Contains(out.String(), c.says) || !strings.Contains(out.String(), "This did not look at") {
				t.Errorf("want %q in\n%s", c.says, &out)
			}
		})
	}
}

func TestWhatIsNotFilledInIsNotTried(t *testing.T) {
	dir := begin(t, "", "--all-in-one", `project = "big-tools"`, `project = ""`, `-id = "11"`, `-id = "12"`)
	same := begin(t, "", "--built-by acme/widget/.github/workflows/wheels.yml", `-id = "12"`, `-id = "11"`)
	unasked := begin(t, "", "--all-in-one", `-id = "11"`, `-id = "12"`, "environment = \"pypi\"\n", "environment = \"pypi\"\nvotes = 0\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"try", unasked, "2.1"}, "index.pypi.votes: on PyPI nothing is released without votes"},
		{[]string{"try", dir, "2.1"}, "no value yet for these; fill in first\n  project\n"},
		{[]string{"try", t.TempDir(), "2.1"}, "distgate init begins a repository"},
		{[]string{"try", same, "2.1"}, "publish.repository-id is 11, of acme/tools-release; one of them is wrong"},
		{[]string{"try", dir, "two"}, "two"},
	} {
		code, out, problems := run(t.Context(), c.args...)
		if code != exitFailed || strings.Contains(out, "published") || !strings.Contains(problems, c.says) {
			t.Errorf("%q: got %d\n%s%s", c.args, code, out, problems)
		}
	}
}

// TestATrialReadsTheWorkflowThatPublishes breaks what distgate init wrote.
func TestATrialReadsTheWorkflowThatPublishes(t *testing.T) {
	dir := begin(t, "", "--all-in-one", `-id = "11"`, `-id = "12"`)
	const path = ".github/workflows/release.yml"
	raw, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ was, is, says string }{
		"as it is":            {"", "", ""},
		"a name in its place": {"name: ${{ needs.gate.outputs.environment }}", "name: pypi", ""},
		"another environment": {"name: ${{ needs.gate.outputs.environment }}", "name: other", `job publish publishes in environment "other"`},
		"none":                {"    environment:\n      name: ${{ needs.gate.outputs.environment }}\n      url: ${{ needs.gate.outputs.report }}\n", "", `publishes in environment ""`},
		"no token":            {"id-token: write", "id-token: none", "job publish has no id-token: write"},
		"another verb":        {"verb: publish", "verb: status", "no job has it"},
		"another action":      {"distgate/distgate@", "distgate/other@", "no job has it"},
		"no YAML":             {"jobs:", "jobs: [", path},
		"another file":        {string(raw), "jobs:\n  hello:\n    steps: []\n", "no job has it"},
	} {
		text := strings.ReplaceAll(string(raw), c.was, c.is)
		if c.was == "" {
			text = string(raw)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := publishes(dir, path, "pypi")
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: want %q, got %v", name, c.says, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, path)); err != nil {
		t.Fatal(err)
	}
	code, out, problems := run(t.Context(), "try", dir, "2.1")
	if code != exitFailed || !strings.Contains(problems, "there is no "+path) {
		t.Errorf("got %d\n%s%s", code, out, problems)
	}
	if err := publishes(dir, "../release.yml", "pypi"); err == nil {
		t.Error("a workflow of another folder is read")
	}
}

func TestATrialOfAVersionThatNoSeriesIsFor(t *testing.T) {
	p := ownPolicy{Series: map[string]fileSet{"2.3": {Sdist: true}, "2.4": {Sdist: true}}}
	for version, want := range map[string]bool{"2.4.2": true, "2.3": true, "2.2.6": false, "2.45.0": false} {
		if _, ok := p.set(version); ok != want {
			t.Errorf("%s: got %t", version, ok)
		}
	}
	dir := begin(t, "", "--all-in-one", `-id = "11"`, `-id = "12"`, "[files]", "[series.\"2.4\"]")
	_, _, problems := run(t.Context(), "try", dir, "2.2.6")
	if !strings.Contains(problems, "no [series] is for 2.2.6; there are 2.4") {
		t.Error(problems)
	}
}
