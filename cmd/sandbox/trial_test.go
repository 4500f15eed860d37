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
		"it builds another's source": {workflow: wheels, args: "--into .github/workflows/wheels.yml", says: "declared by distgate.lock",
			edits: []string{`repository = "acme/tools"` + "\n" + `repository-id = "11"`, `repository = "acme/tools"` + "\n" + `repository-id = "13"`,
				`owner-id = "11"`, `owner-id = "12"`, `repository-id = "11"`, `repository-id = "12"`}},
		"one workflow does all": {args: "--all-in-one --registry ghcr.io/acme/staging --index testpypi", says: "published  big-tools 2.1 on index local: 8 files",
			edits: []string{`-id = "11"`, `-id = "12"`}},
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
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("want %q in\n%s", c.says, &out)
			}
		})
	}
}

func TestWhatIsNotFilledInIsNotTried(t *testing.T) {
	dir := begin(t, "", "--all-in-one", `project = "big-tools"`, `project = ""`, `-id = "11"`, `-id = "12"`)
	for _, c := range [][]string{{"try", dir, "2.1"}, {"try", t.TempDir(), "2.1"}, {"try", dir, "two"}} {
		code, out, problems := run(t.Context(), c...)
		if code != exitFailed || strings.Contains(out, "published") {
			t.Errorf("%q: got %d\n%s%s", c, code, out, problems)
		}
	}
}
