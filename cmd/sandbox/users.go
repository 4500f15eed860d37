package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distgate/distgate/cmd/internal/world"
)

// compare downloads everything that the index has of the project, and demands
// that it is the folder dist, byte by byte.
func (d *demo) compare(ctx context.Context) ([]string, error) {
	served, err := d.served(ctx)
	if err != nil {
		return nil, err
	}
	built, err := distributions("dist")
	if err != nil {
		return nil, err
	}
	if len(served) != len(built) {
		return nil, fmt.Errorf("the index has %d files of %s, want the %d of 1.0",
			len(served), world.Project, len(built))
	}
	for _, name := range built {
		raw, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(raw, served[name]) {
			return nil, fmt.Errorf("%s: the index serves other bytes than were built", name)
		}
	}
	return built, nil
}

// served is every file that the index has of the project.
func (d *demo) served(ctx context.Context) (map[string][]byte, error) {
	page := d.world.SimpleURL() + world.Project + "/"
	raw, err := get(ctx, page, "application/vnd.pypi.simple.v1+json")
	if err != nil {
		return nil, err
	}
	var simple struct {
		Files []struct{ Filename, URL string }
	}
	if err := json.Unmarshal(raw, &simple); err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	base, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range simple.Files {
		at, err := base.Parse(f.URL)
		if err != nil {
			return nil, err
		}
		if files[f.Filename], err = get(ctx, at.String(), "*/*"); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 1 << 20

func get(ctx context.Context, url, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}

// pip installs the release as a careful user does, with the hashes of the files
// that were built.
func (d *demo) pip(ctx context.Context) error {
	python, ok := findPip(ctx)
	if !ok {
		d.say("There is no Python with pip on this machine, so nothing is installed here.")
		return nil
	}
	if err := writeRequirements(); err != nil {
		return err
	}
	d.say(`
And pip. requirements.txt has the hashes of the four files that the build made;
pip takes the one that fits this machine, and nothing with another hash.`)
	lines := [][]string{
		{"-m", "pip", "--isolated", "install", "--quiet", "--no-deps", "--no-cache-dir"},
		{"--disable-pip-version-check", "--only-binary", ":all:", "--target", "site"},
		{"--index-url", d.world.SimpleURL()},
		{"--require-hashes", "--requirement", "requirements.txt"},
	}
	shown := []string{}
	for _, line := range lines {
		shown = append(shown, strings.Join(line, " "))
	}
	d.prompt(filepath.Base(python) + " " + strings.Join(shown, " \\\n      "))
	run := exec.CommandContext(ctx, python, slices.Concat(lines...)...)
	run.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	if out, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("pip: %w\n%s", err, out)
	}
	return d.tryOut(ctx, python)
}

// tryOut runs what pip installed.
func (d *demo) tryOut(ctx context.Context, python string) error {
	const program = "import widget; widget.main()"
	d.prompt("PYTHONPATH=site " + filepath.Base(python) + " -c '" + program + "'")
	run := exec.CommandContext(ctx, python, "-c", program)
	run.Env = append(os.Environ(), "PYTHONPATH=site")
	out, err := run.CombinedOutput()
	if err == nil && !bytes.HasPrefix(out, []byte("widget 1.0 for ")) {
		err = fmt.Errorf("%s is not widget 1.0", bytes.TrimSpace(out))
	}
	fmt.Fprintf(d.streams.Out, "%s", out)
	return err
}

// findPip looks for a Python that has pip.
func findPip(ctx context.Context) (string, bool) {
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.CommandContext(ctx, path, "-m", "pip", "--version").Run() == nil {
			return path, true
		}
	}
	return "", false
}

// writeRequirements names the release and the hashes of all that was built.
func writeRequirements() error {
	names, err := distributions("dist")
	if err != nil {
		return err
	}
	lines := []string{world.Project + "==1.0"}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("    --hash=sha256:%x", sha256.Sum256(raw)))
	}
	slices.Sort(lines[1:])
	return os.WriteFile("requirements.txt", []byte(strings.Join(lines, " \\\n")+"\n"), 0o644)
}
