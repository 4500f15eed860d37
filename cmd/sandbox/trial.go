package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows/githubtest"
	"github.com/distgate/distgate/workflows/template"
)

// trial is of somebody's own release repository, and the world that stands in for
// everything around it.
type trial struct {
	player
	world  *world.World
	policy ownPolicy
	plan   world.Trial

	unasked bool // nobody votes on what goes to this index
}

// tryRelease plays a release of the version from the repository in a folder, which
// stays as it is.
func tryRelease(ctx context.Context, s command.Streams, folder, version, index string) (err error) {
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "distgate-trial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Chdir(home), os.RemoveAll(dir)) }()
	w, err := world.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	r := &trial{player: player{s}, world: w}
	if err := r.prepare(folder, dir, version, index); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	return r.play(ctx)
}

// prepare copies the repository, with the world's addresses in its policy, and
// works out what is released.
func (r *trial) prepare(folder, dir, version, index string) error {
	if err := copied(folder, dir); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "distgate.toml"))
	if err != nil {
		return fmt.Errorf("there is no distgate.toml in %s: distgate init begins a repository that can be tried", folder)
	}
	var whole map[string]any
	if err := errors.Join(toml.Unmarshal(raw, &whole), toml.Unmarshal(raw, &r.policy)); err != nil {
		return fmt.Errorf("distgate.toml: %w", err)
	}
	if index == "" && len(r.policy.Index) > 0 {
		index = slices.Sorted(maps.Keys(r.policy.Index))[0]
	}
	if index == "pypi" && r.policy.Index[index].Votes != nil {
		return errors.New("distgate.toml: index.pypi.votes: on PyPI nothing is released without votes")
	}
	r.unasked = r.policy.Index[index].Votes != nil
	r.world.Stand(whole, index)
	if raw, err = toml.Marshal(whole); err != nil {
		return err
	}
	for name, text := range map[string][]byte{"distgate.toml": raw, "trusted_root.json": r.world.TrustedRoot()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	if r.plan, err = r.policy.plan(version, index); err != nil {
		return err
	}
	r.plan.Folder = dir
	return publishes(dir, r.plan.Publish.Workflow, r.plan.Environment)
}

// copied takes the policy, what stands beside it, and the workflows.
func copied(folder, dir string) error {
	for _, pattern := range []string{"*.toml", "*.json", "allowed_signers", "distgate.lock", ".github/workflows/*.y*ml"} {
		paths, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return err
		}
		for _, from := range paths {
			at, err := filepath.Rel(folder, from)
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			to := filepath.Join(dir, at)
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, raw, 0o600)); err != nil {
				return err
			}
		}
	}
	return nil
}

// publishes demands that the workflow which the policy names is there, and has the
// job that publishes.
func publishes(dir, workflow, environment string) error {
	if !filepath.IsLocal(workflow) {
		return fmt.Errorf("publish.workflow: want a path as .github/workflows/release.yml, got %q", workflow)
	}
	raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(workflow)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s, which publish.workflow names; distgate init writes it", workflow)
	}
	if err != nil {
		return err
	}
	w, err := template.Read(workflow, raw)
	if err != nil {
		return err
	}
	return w.Publishing(environment)
}

// play releases it, verb by verb, as the two jobs of the release workflow and one of
// the people type it.
func (r *trial) play(ctx context.Context) error {
	p := r.plan
	r.say(fmt.Sprintf(`
This tries the release of %s %s from %s, with the
real distgate commands. GitHub, Sigstore and the index (here it is called local)
are stand-ins on this machine, and the store is a folder; all else is as
distgate.toml has it. Files: %d, with the names that it expects, and next to
nothing in them.`, p.Project, p.Version, p.Publish.Repository, len(p.Names)))
	run, err := r.world.Try(p)
	if err != nil {
		return err
	}
	job := r.world.Env(run.Job)
	r.heading("The job gate, which needs no review")
	err = r.distgate(ctx, verb{line: fmt.Sprintf("stage --version %s --run %d", p.Version, run.Build),
		says: "staged ", show: results, job: job})
	if err != nil {
		return err
	}
	stands, then := "waiting ", r.decide
	if r.unasked {
		stands, then = "approved ", r.rehearse
	}
	err = r.distgate(ctx, verb{line: "review " + p.Version, says: stands, show: results, job: job})
	if err != nil {
		return err
	}
	if err := then(ctx, run, job); err != nil {
		return err
	}
	r.say(unseen)
	return nil
}

// rehearse publishes what nobody is asked about.
func (r *trial) rehearse(ctx context.Context, _ world.Running, job []string) error {
	r.heading("The job publish, for an index on which nobody votes")
	err := r.distgate(ctx, verb{line: "publish " + r.plan.Version, says: "published ", show: firstLine, job: job})
	if err == nil {
		r.say(fmt.Sprintf("Tried: by this policy %s %s was staged and published, here.", r.plan.Project, r.plan.Version))
	}
	return err
}

const unseen = `
This did not look at the workflow that builds, whether the numbers of
repositories and people are theirs, and the settings on GitHub and PyPI. For
those: distgate audit, on GitHub.`

// decide waits, lets one person approve, and publishes if that is enough.
func (r *trial) decide(ctx context.Context, run world.Running, job []string) error {
	r.heading("The job publish, before anybody voted")
	err := r.distgate(ctx, verb{line: "publish " + r.plan.Version, want: waiting, says: "waiting ", show: all, job: job})
	if err != nil {
		return err
	}
	if !slices.Contains(r.policy.Approval.Roads, "environment") || r.policy.Approval.Need > 1 {
		r.say(`
Signed votes take the keys of your people, which no trial has: it ends here.
Nothing was published, and nothing would have been.`)
		return nil
	}
	who := slices.Sorted(maps.Keys(r.plan.People))[0]
	r.heading("One of the people looks, and votes: " + who)
	release, err := r.release(ctx)
	if err != nil {
		return err
	}
	token := r.world.GitHub().AccessToken(githubtest.Access{User: who,
		Permissions: map[string]string{"actions": "read", "contents": "read", "deployments": "write"}})
	err = r.distgate(ctx, verb{line: fmt.Sprintf("approve %s --run %s/%d", release, r.plan.Publish.Repository, run.Release),
		says: "voted ", show: results, job: []string{"GITHUB_TOKEN=" + token}})
	if err != nil {
		return err
	}
	r.heading("The job publish, which the vote let start")
	err = r.distgate(ctx, verb{line: "publish " + r.plan.Version, says: "published ", show: firstLine, job: job})
	if err == nil {
		r.say(fmt.Sprintf("Tried: by this policy %s %s was staged, voted for and published, here.",
			r.plan.Project, r.plan.Version))
	}
	return err
}

// release is the digest that the version was staged under.
func (r *trial) release(ctx context.Context) (string, error) {
	var out bytes.Buffer
	code := command.Main(ctx, []string{"status", "--json"}, command.Streams{In: strings.NewReader(""), Out: &out,
		Err: io.Discard, Env: r.env(nil), Now: r.streams.Now})
	found := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(out.String())
	if code != done || found == "" {
		return "", fmt.Errorf("distgate status ended with %d and named no release", code)
	}
	return found, nil
}
