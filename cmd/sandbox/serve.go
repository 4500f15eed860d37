package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows/githubtest"
)

// serve keeps a world up until ctx ends, with a folder in which a release can be
// made by hand. The folder goes with the world: nobody else trusts its keys.
func serve(ctx context.Context, s command.Streams) (err error) {
	dir, err := os.MkdirTemp("", "distgate-world-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := world.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	run, err := furnish(w, dir)
	if err != nil {
		return err
	}
	directions(s.Out, w, dir, run)
	<-ctx.Done()
	fmt.Fprintln(s.Out, "\nthe world ended, and its folder is removed")
	return nil
}

// furnish writes a project, and has a run build a release of it: into dist, and as
// the run's artifacts. Below bad/ is one for every way in which a wheel of it can be
// another than it seems.
func furnish(w *world.World, dir string) (githubtest.Run, error) {
	if err := w.WriteProject(dir); err != nil {
		return githubtest.Run{}, err
	}
	run, err := w.BuildRunIn(filepath.Join(dir, "dist"), "1.0")
	if err != nil {
		return run, err
	}
	return run, forgeries(w, dir)
}

func forgeries(w *world.World, dir string) error {
	const wheel = "widget-1.0-py3-none-any.whl"
	for _, how := range world.Forgeries() {
		bad := filepath.Join(dir, "bad", string(how))
		if err := w.Build(bad, "1.0"); err != nil {
			return err
		}
		if err := w.Forge(filepath.Join(bad, wheel), how); err != nil {
			return err
		}
	}
	renamed := filepath.Join(dir, "bad", "renamed")
	if err := w.Build(renamed, "1.0"); err != nil {
		return err
	}
	return world.Rename(filepath.Join(renamed, wheel), "widget-1.0-py3-none-win_amd64.whl")
}

// directions say what there is and what to type.
func directions(out io.Writer, w *world.World, dir string, run githubtest.Run) {
	fmt.Fprintf(out, `The world is up until Ctrl-C.

  GitHub     %s (issuer of ID tokens)
  Sigstore   %s (Fulcio, Rekor, timestamps)
  index      %s
  folder     %s

A release by hand, in another terminal, from this folder on:

go build -o %[4]s/ ./cmd/distgate
cd %[4]s
export PATH="$PWD:$PATH"
`, w.GitHubURL(), w.SigstoreURL(), w.SimpleURL(), dir)
	for _, line := range w.Env(w.PublishJob()) {
		name, value, _ := strings.Cut(line, "=")
		if name == "GITHUB_ACTIONS" {
			continue // the log is a terminal's, and needs no annotations or masks
		}
		fmt.Fprintf(out, "export %s='%s'\n", name, value)
	}
	fmt.Fprintf(out, `
distgate verify dist --policy distgate.toml
distgate stage --run %[3]d
distgate review 1.0
distgate fetch 1.0 --tag sdist
distgate approve 1.0 --key keys/alice
distgate approve 1.0 --key keys/bob
curl -sd '{"do": "drop-after", "path": "/legacy/", "skip": 1, "times": 1}' %[2]s
distgate publish 1.0
distgate status
python3 -m pip --isolated download --no-deps --index-url %[1]s widget

The run built what is in dist. "distgate stage --version 1.0" finds it by its tag.
"distgate stage dist" makes another release of the same files: the first one names
the artifacts that they came in. Where a version has two, name one by its digest.

In every folder below bad/ one wheel is not what it seems. None may pass:

for bad in bad/*; do echo "== $bad"; distgate stage $bad; done
distgate approve 1.0 --key keys/mallory

approve asks for the project and version, so paste it line by line.

The index misbehaves when it is told to (go doc ./publish/pypitest Fault): by the
curl above the answer to the second upload is lost. To let it behave again:

curl -X DELETE %[2]s
`, w.SimpleURL(), w.SwitchboardURL(), run.ID)
}
