package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
)

const rehearsing = `
This plays the vote on a staged release and its upload, with its very files. The
index is a stand-in on this machine, which judges each upload by Warehouse's
rules; so are GitHub and Sigstore, and the people. Nothing leaves this machine,
and no name burns on any index.`

// rehearsal is one of a release that lies in the store of the folder.
type rehearsal struct {
	player
	world   *world.World
	project string
	version string
}

// rehearse fetches the release of a folder's policy from the store, proven as ever,
// and plays the rest in a folder that is removed afterwards. No store is the folder's.
func rehearse(ctx context.Context, s command.Streams, folder, store, release string) (err error) {
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "distgate-rehearsal-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Chdir(home), os.RemoveAll(dir)) }()
	r := &rehearsal{player: player{s}}
	r.say(rehearsing)
	if store == "" {
		store = filepath.Join(folder, "distgate-store")
	}
	if store, err = filepath.Abs(store); err != nil {
		return err
	}
	if err := os.Chdir(folder); err != nil {
		return err
	}
	if code := command.Main(ctx, []string{"fetch", release, "--store", store, "--to", filepath.Join(dir, "dist")}, s); code != done {
		return fmt.Errorf("distgate fetch %s ended with exit code %d", release, code)
	}
	if r.world, err = world.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.world.Close()) }()
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := r.furnish(ctx); err != nil {
		return err
	}
	return r.play(ctx)
}

// furnish makes a project of the files: a policy that expects them, a bundle for
// each by the world's Sigstore, and a place on the world's index.
func (r *rehearsal) furnish(ctx context.Context) error {
	names, err := distributions("dist")
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := dist.ParseFilename(name)
		if err != nil {
			return err
		}
		r.project, r.version = f.Project, f.Version.String()
	}
	for _, name := range names {
		job := r.world.BuildJob(r.version)
		if err := r.world.Attest(filepath.Join("dist", name), job, job); err != nil {
			return err
		}
	}
	if r.project != world.Project {
		if err := r.world.Index().AddProject(r.project, r.world.Publisher()); err != nil {
			return err
		}
	}
	if err := r.world.WriteProject("."); err != nil {
		return err
	}
	return r.expect(ctx)
}

// expect writes the project and its files into the policy.
func (r *rehearsal) expect(ctx context.Context) error {
	var table, problems bytes.Buffer
	s := command.Streams{In: strings.NewReader(""), Out: &table, Err: &problems, Env: r.env(nil), Now: r.streams.Now}
	if code := command.Main(ctx, []string{"init", "--files-from", "dist"}, s); code != done {
		return fmt.Errorf("distgate init --files-from dist: %s", problems.String())
	}
	raw, err := os.ReadFile("distgate.toml")
	if err != nil {
		return err
	}
	policy := string(raw)
	from, to := strings.Index(policy, "[files]"), strings.Index(policy, "[[root]]")
	if from < 0 || to < from {
		return errors.New("the world's policy has no [files] before its [[root]]")
	}
	policy = strings.Replace(policy[:from]+table.String()+"\n"+policy[to:],
		fmt.Sprintf("project = %q", world.Project), fmt.Sprintf("project = %q", r.project), 1)
	return os.WriteFile("distgate.toml", []byte(policy), 0o600)
}

// play stages, votes, uploads and looks again.
func (r *rehearsal) play(ctx context.Context) error {
	if err := r.distgate(ctx, verb{line: "stage dist", says: "staged", show: firstLine}); err != nil {
		return err
	}
	for _, name := range []string{"alice", "bob"} {
		vote := verb{line: "approve " + r.version + " --key keys/" + name, show: firstLine, answer: r.project + " " + r.version}
		if err := r.distgate(ctx, vote); err != nil {
			return err
		}
	}
	if err := r.world.Push("."); err != nil {
		return err
	}
	err := r.distgate(ctx, verb{line: "publish " + r.version, says: "published", job: r.world.Env(r.world.PublishJob())})
	if err != nil {
		return err
	}
	return r.distgate(ctx, verb{line: "reconcile", says: "0 things not in agreement", show: results})
}
