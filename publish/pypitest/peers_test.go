package pypitest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peer is a client that somebody else wrote.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		without(t, err)
	}
	return path
}

// without skips a test for want of a peer, unless peers are required.
func without(t *testing.T, reason any) {
	t.Helper()
	if os.Getenv("DISTGATE_PEERS") == "required" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// run runs a peer in an empty home.
func run(t *testing.T, path string, args ...string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), path, args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "PIP_CONFIG_FILE=/dev/null", "NO_PROXY=127.0.0.1", "COLUMNS=1000")
	raw, err := command.CombinedOutput()
	return string(raw), err
}

// write puts files into a folder of their own.
func write(t *testing.T, requests ...*request) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, r := range requests {
		if err := os.WriteFile(filepath.Join(dir, r.filename), r.content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPip installs from the index, with the hashes that the index must serve.
func TestPip(t *testing.T) {
	python := peer(t, "python3")
	if output, err := run(t, python, "-m", "pip", "--version"); err != nil {
		without(t, output)
	}
	w := published(t)
	pip := func(digest string) (string, string, error) {
		dir := t.TempDir()
		requirements := filepath.Join(dir, "requirements.txt")
		w.must(os.WriteFile(requirements, []byte("widget==1.0 --hash=sha256:"+digest+"\n"), 0o644))
		output, err := run(t, python, "-m", "pip", "install", "--isolated", "--no-cache-dir",
			"--disable-pip-version-check", "--index-url", w.url+"/simple/", "--require-hashes",
			"--requirement", requirements, "--target", filepath.Join(dir, "site"))
		return filepath.Join(dir, "site"), output, err
	}
	site, output, err := pip(wheel("", "widget", "1.0").sha256())
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if raw, err := os.ReadFile(filepath.Join(site, "widget.py")); err != nil || string(raw) != "x = '1.0'\n" {
		t.Errorf("got %q, %v", raw, err)
	}
	if _, output, err := pip(strings.Repeat("0", 64)); err == nil || !strings.Contains(output, "DO NOT MATCH THE HASHES") {
		t.Errorf("another hash: %v\n%s", err, output)
	}
}

// TestTwine uploads with twine, which fills in the form in its own way, and
// tells what the reason phrase says.
func TestTwine(t *testing.T) {
	twine := peer(t, "twine")
	w := newWorld(t)
	upload := func(token, dir string) (string, error) {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		w.must(err)
		return run(t, twine, append([]string{"upload", "--non-interactive", "--disable-progress-bar", "--verbose",
			"--repository-url", w.url + "/legacy/", "--username", "__token__", "--password", token}, files...)...)
	}
	good := write(t, wheel("", "widget", "1.0"), sdist("", "widget", "1.0"))
	for range 2 {
		if output, err := upload(w.alice, good); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	names := []string{}
	for _, f := range w.getJSON("/simple/widget/", simpleJSON)["files"].([]any) {
		names = append(names, f.(map[string]any)["filename"].(string))
	}
	if got := fmt.Sprint(names); got != "[widget-1.0-py3-none-any.whl widget-1.0.tar.gz]" {
		t.Errorf("got %s", got)
	}
	for _, test := range []struct{ name, token, dir, want string }{
		{"other bytes", w.alice, write(t, wheel("", "widget", "1.0", member{"more.py", "x"})),
			"400 File already exists ('widget-1.0-py3-none-any.whl', with blake2_256 hash '"},
		{"a bad token", "pypi-x", good, "403 Invalid or non-existent authentication information. " +
			"See https://pypi.org/help/#invalid-auth for more information."},
		{"no RECORD", w.alice, write(t, wheel("", "widget", "2.0", member{"widget-2.0.dist-info/RECORD", ""})),
			"400 Wheel 'widget-2.0-py3-none-any.whl' does not contain the required RECORD file"},
	} {
		output, err := upload(test.token, test.dir)
		if err == nil || !strings.Contains(strings.Join(strings.Fields(output), " "), test.want) {
			t.Errorf("%s: want %q, got %v\n%s", test.name, test.want, err, output)
		}
	}
	if response, _ := w.get("/pypi/widget/2.0/json", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("a refused release: got %s", response.Status)
	}
}
