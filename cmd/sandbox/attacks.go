package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// attack is something that must not pass.
//
// Whoever attacks can write to the store, and get a bundle from GitHub for what
// ran there. Nobody has anybody else's key.
type attack struct {
	title, text string
	prepare     func(*demo, context.Context) error // what the attacker does
	line        string                             // what the project then types
	want        int                                // how that must end
	rule        rule.ID                            // what it is refused by
	what        string                             // in a few words, for the end
}

// attacks go on with the store and the index of the release.
func attacks() []attack {
	return []attack{
		{"Attack 1: a vote for something else", `
Version 1.1 is staged, and Bob has approved it. Alice has not looked at it yet.
Somebody who can write to the store copies Alice's vote on 1.0 over to 1.1.`,
			(*demo).copyVote, "publish 1.1", waiting, rule.VoteRelease,
			"a vote for another release digest"},

		{"Attack 2: a wheel is changed after the approval", `
Now Alice approves 1.1 as well. Then somebody who can write to the store changes
one bit of one wheel.`,
			(*demo).changeWheel, "publish 1.1", refused, rule.StoredBytes,
			"a wheel that was changed after the approval"},

		{"Attack 3: a wheel from somebody's own machine", `
One wheel of version 1.2 was not built on a fresh machine of GitHub's. The same
workflow built it on a machine that somebody set up, with whatever was on it.
Its bundle is genuine, and says so.`,
			forge("1.2", world.SelfHosted), "stage dist-1.2", refused, rule.IdentityRunner,
			"a wheel from a self-hosted runner"},

		{"Attack 4: a wheel from another repository", `
One wheel of version 1.3 was built on GitHub, by a workflow of the same name, in
a copy of the repository that belongs to mallory. This bundle is genuine, too.`,
			forge("1.3", world.OtherRepository), "stage dist-1.3", refused, rule.IdentityRepository,
			"a wheel from another repository"},
	}
}

// attacks plays them all, and looks at what the index has after them.
func (d *demo) attacks(ctx context.Context) error {
	for _, a := range attacks() {
		d.heading(a.title)
		d.say(a.text)
		if err := d.attack(ctx, a); err != nil {
			return err
		}
	}
	if _, err := d.compare(ctx); err != nil {
		return fmt.Errorf("after the attacks, %w", err)
	}
	return nil
}

// attack plays one, and demands that its rule refuses it.
func (d *demo) attack(ctx context.Context, a attack) error {
	if err := a.prepare(d, ctx); err != nil {
		return err
	}
	err := d.distgate(ctx, verb{
		line: a.line, want: a.want, says: "  rule       " + string(a.rule) + "\n",
		job: d.world.Env(d.world.PublishJob()),
	})
	if err != nil {
		return fmt.Errorf("%s was not refused: %w", a.what, err)
	}
	return nil
}

// copyVote stages 1.1, lets bob approve it, and puts alice's vote on 1.0 under
// it.
func (d *demo) copyVote(ctx context.Context) error {
	if err := d.world.Build("dist-1.1", "1.1"); err != nil {
		return err
	}
	if err := d.distgate(ctx, verb{line: "stage dist-1.1", show: firstLine}); err != nil {
		return err
	}
	if err := d.approve11(ctx, "bob"); err != nil {
		return err
	}
	d.world.Dispatch("widget 1.1")
	store, err := staging.OpenStore("distgate-store")
	if err != nil {
		return err
	}
	from, err := store.Resolve(ctx, "1.0")
	if err != nil {
		return err
	}
	to, err := store.Resolve(ctx, "1.1")
	if err != nil {
		return err
	}
	vote, err := voteBy(ctx, store, from, "keys/alice.pub")
	if err != nil {
		return err
	}
	return store.Attach(ctx, to, vote)
}

// voteBy finds the vote on a release that a key signed.
func voteBy(
	ctx context.Context, store *staging.Store, release dist.Digest, keyFile string,
) (staging.Record, error) {
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return staging.Record{}, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(raw)
	if err != nil {
		return staging.Record{}, err
	}
	votes, _, err := store.Records(ctx, release, approval.RecordKind)
	for _, v := range votes {
		if block, _ := pem.Decode(v.SSHSIG); block != nil && bytes.Contains(block.Bytes, key.Marshal()) {
			return v, nil
		}
	}
	return staging.Record{}, errors.Join(err, fmt.Errorf("no vote by %s on %s", keyFile, release))
}

// approve11 is somebody's approval of the release that is to be attacked.
func (d *demo) approve11(ctx context.Context, name string) error {
	return d.distgate(ctx, verb{line: "approve 1.1 --key keys/" + name, show: firstLine, answer: "widget 1.1"})
}

// changeWheel lets alice approve 1.1 and then changes a wheel of it.
func (d *demo) changeWheel(ctx context.Context) error {
	if err := d.approve11(ctx, "alice"); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join("dist-1.1", "widget-1.1-py3-none-any.whl"))
	if err != nil {
		return err
	}
	blob := filepath.Join("distgate-store", "blobs", "sha256", fmt.Sprintf("%x", sha256.Sum256(raw)))
	raw[len(raw)/2] ^= 1
	return os.WriteFile(blob, raw, 0o644)
}

// forge builds a version one of whose wheels came about in another way.
func forge(version string, how world.Forgery) func(*demo, context.Context) error {
	return func(d *demo, _ context.Context) error {
		dir := "dist-" + version
		if err := d.world.Build(dir, version); err != nil {
			return err
		}
		return d.world.Forge(filepath.Join(dir, "widget-"+version+"-py3-none-any.whl"), how)
	}
}
