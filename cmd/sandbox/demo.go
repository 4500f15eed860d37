package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/distgate/distgate/cmd/internal/command"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/workflows/githubtest"
)

// demo is one release of widget 1.0, on its way from the build to its users.
type demo struct {
	player
	world *world.World
	ask   bool
	run   int64 // that built 1.0

	releasing int64 // the run that publishes it
}

const opening = `
This plays one release of a small Python project, from its build to
"pip install", with the real distgate commands. Then it plays attacks on a
release, and each of them has to be refused.

GitHub, the package index and Sigstore (where GitHub's signatures come from)
are stand-ins, which run on this machine for the length of the demo. Their
signatures and certificates are real. Nothing leaves this machine.`

// act is one step of the release, with what a newcomer has to know before it.
type act struct {
	title, text string
	play        func(*demo, context.Context) error
}

// acts are the way of a release.
func acts() []act {
	return []act{
		{"1. A run of twelve jobs leaves its files", `
Dave tagged v1.0, and the project's workflow ran on GitHub: twelve jobs, of
which four made a wheel or the sdist. Beside each file they left a bundle
(.sigstore.json): a statement, with GitHub's word for it, that a file with
exactly these bytes was made by this workflow, from this commit, on this kind of
machine.`, (*demo).build},

		{"2. verify: where does a file come from?", `
Anybody can make a file of this name. So the first question is whether its
bundle is genuine, and whether it names the repository, the workflow and the
kind of machine that the project's policy, distgate.toml, wants.`, (*demo).verify},

		{"3. stage: hold it still", `
The first job of the release workflow, in a repository of its own, takes what
the run uploaded. It asks GitHub where each of the twelve jobs ran, and whether
the tag is signed and still on that commit. Every file is verified, and all are
put away, with their bundles and the policy, under one fingerprint: the release
digest. If one bit of any of it changed, the digest would be another. Nothing is
built from here on.`, (*demo).stage},

		{"4. review: what am I asked to release?", `
Alice and Bob look after the project. Before they decide, they see what the
release is, what was proven about it, and what was not; here, or as a page.`, (*demo).review},

		{"5. approve: two people say yes", `
The second job of the release workflow waits: nobody has let it begin. The
policy wants two people. Alice signs the release digest with an SSH key, of the
kind that she pushes with. Is she enough?`, (*demo).approve},

		{"6. publish: exactly those bytes go out", `
This command works only in the one GitHub job that the policy names. There is
no password: GitHub tells the index which job is asking, and the index lets it
upload for fifteen minutes. Every file is hashed again on its way out, and at
the end all are downloaded and compared. It is a bad evening: after the second
file the index hangs up. The job stays for three hours, or for its --patience.`, (*demo).cut},

		{"7. The upload dies and comes back", `
What is up is whole and approved, and nothing is lost. Dave presses "Re-run
failed jobs", and the same job runs again: it asks the index what it has, and
sends the rest. The votes are for these bytes, and still count.`, (*demo).publish},

		{"8. status: where does it stand?", `
The job left a signed receipt in the store. To publish again would find
everything in its place, and send nothing.`, (*demo).status},

		{"9. What the users get", `
Does the index serve what the build made? Here is every file, downloaded, and
compared byte by byte with the folder of the first act.`, (*demo).users},
	}
}

// playDemo plays the release and the attacks, in a folder that is removed
// afterwards.
func playDemo(ctx context.Context, s command.Streams, ask bool) (err error) {
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "distgate-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Chdir(home), os.RemoveAll(dir)) }()
	if err := os.Chdir(dir); err != nil {
		return err
	}
	w, err := world.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return (&demo{player: player{s}, world: w, ask: ask}).play(ctx)
}

func (d *demo) play(ctx context.Context) error {
	d.say(opening)
	if err := d.settle(); err != nil {
		return err
	}
	for _, a := range append(acts(), afterwards()...) {
		d.heading(a.title)
		d.say(a.text)
		if err := a.play(d, ctx); errors.Is(err, errDeclined) {
			return d.declined(ctx)
		} else if err != nil {
			return err
		}
	}
	if err := d.attacks(ctx); err != nil {
		return err
	}
	d.heading("In short")
	fmt.Fprintln(d.streams.Out, "\npublished  what two people approved, and nothing else")
	for _, a := range attacks() {
		fmt.Fprintf(d.streams.Out, "%-10s %-46s (%s)\n", "refused", a.what, a.rule)
	}
	d.say("To type the commands yourself: go run ./cmd/sandbox serve")
	return d.keepReport()
}

// settle writes the project's folder. Its policy asks for more than the world's
// own: every job of the build proven, the tag signed, and a vote by either road.
func (d *demo) settle() error {
	if err := d.world.WriteProject("."); err != nil {
		return err
	}
	raw, err := os.ReadFile("distgate.toml")
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		`hosted = "certificate"                    # on GitHub's machines, as the signing job's certificate says`,
		`hosted = "every-job"                      # every job of the run ran on GitHub's machines`+"\n"+
			`labels = ["ubuntu-latest"]`,
		`roads = ["signed"]                        # statements signed with SSH`,
		`roads = ["environment", "signed"]         # a review on GitHub, or a statement signed with SSH`,
	).Replace(string(raw)) + d.world.SourceTable()
	if err := os.WriteFile("distgate.toml", []byte(text), 0o644); err != nil {
		return err
	}
	return d.world.Push(".")
}

func (d *demo) build(context.Context) error {
	run, err := d.world.BuildRunIn("dist", "1.0")
	if err != nil {
		return err
	}
	d.run = run.ID
	fmt.Fprintln(d.streams.Out)
	for _, job := range run.Attempts[0].Jobs {
		fmt.Fprintf(d.streams.Out, "%s  ran on %s, of GitHub's own\n", pad(job.Name), job.Runner.Name)
	}
	d.prompt("ls dist")
	entries, err := os.ReadDir("dist")
	for _, e := range entries {
		fmt.Fprintln(d.streams.Out, e.Name())
	}
	return err
}

func pad(name string) string { return fmt.Sprintf("%-22s", name) }

// distgate runs a command on Alice's machine, where it is in no job. She is
// logged in to GitHub.
func (d *demo) distgate(ctx context.Context, v verb) error {
	if v.job == nil {
		v.job = d.token("alice")
	}
	return d.player.distgate(ctx, v)
}

// token is what somebody's machine has, who is logged in to GitHub.
func (d *demo) token(user string) []string {
	return []string{"GITHUB_TOKEN=" + d.world.GitHub().AccessToken(githubtest.Access{User: user,
		Permissions: map[string]string{"actions": "read", "contents": "read", "deployments": "write"}})}
}

func (d *demo) verify(ctx context.Context) error {
	return d.distgate(ctx, verb{says: "verified",
		line: "verify dist/widget-1.0-py3-none-any.whl --policy distgate.toml"})
}

func (d *demo) stage(ctx context.Context) error {
	return d.distgate(ctx, verb{line: fmt.Sprintf("stage --run %d", d.run), says: "staged", job: d.world.Env(d.world.PublishJob())})
}

func (d *demo) review(ctx context.Context) error {
	return d.distgate(ctx, verb{line: "review 1.0 --html " + reportFile, says: "not proven"})
}

// reportFile is the review as a page, in the folder of the demo.
const reportFile = "report.html"

// keepReport puts the page where it stays, and ends the demo with its path.
func (d *demo) keepReport() error {
	page, err := os.ReadFile(reportFile)
	if err != nil {
		return err
	}
	kept, err := os.CreateTemp("", "distgate-report-*.html")
	if err != nil {
		return err
	}
	_, err = kept.Write(page)
	if err := errors.Join(err, kept.Close()); err != nil {
		return err
	}
	d.say("The review of 1.0, as Alice and Bob can open it in a browser:")
	fmt.Fprintln(d.streams.Out, kept.Name())
	return nil
}

// errDeclined is the reader saying no.
var errDeclined = errors.New("not approved")

func (d *demo) approve(ctx context.Context) error {
	waits, err := d.dispatch(ctx)
	if err != nil {
		return err
	}
	if d.ask {
		d.say("You are Alice now, and Bob after her.")
	}
	if err := d.vote(ctx, "alice", "approve 1.0 --key keys/alice", "1 of 2"); err != nil {
		return err
	}
	d.say("She is not. Bob has his key at home. He reviews the deployment on GitHub: on his\n" +
		"phone he would paste the line `approve sha256:…` as the comment. Here distgate\n" +
		"writes it for him, when it has looked at the run and shown him the release:")
	return d.vote(ctx, "bob", "approve "+waits+" --policy distgate.toml", "approve: bob")
}

// dispatch starts the release workflow, whose second job waits under the name of
// the release, and returns the address of the run.
func (d *demo) dispatch(ctx context.Context) (string, error) {
	store, err := staging.OpenStore("distgate-store")
	if err != nil {
		return "", err
	}
	release, err := store.Resolve(ctx, "1.0")
	if err != nil {
		return "", err
	}
	run := d.world.Dispatch("widget 1.0 · 4 files · " + release.String())
	d.releasing = run.ID
	return fmt.Sprintf("https://github.com/%s/actions/runs/%d", run.Repository, run.ID), nil
}

// vote is the approval of 1.0 by one of the two. distgate shows the review again
// before it signs; where nobody is asked, that is left out here.
func (d *demo) vote(ctx context.Context, name, line, says string) error {
	v := verb{line: line, says: says, ask: d.ask, job: d.token(name)}
	if !d.ask {
		v.show, v.answer = results, "widget 1.0"
	}
	err := d.distgate(ctx, v)
	var got unexpected
	if d.ask && errors.As(err, &got) && got.code == wrongUsage {
		return errDeclined
	}
	return err
}

// declined shows that a release without votes stays where it is.
func (d *demo) declined(ctx context.Context) error {
	d.say("You did not approve, so nothing goes out:")
	return d.distgate(ctx, d.release("1.0", waiting, "waiting"))
}

// release is the publish command, in the job that may.
func (d *demo) release(version string, want int, says string) verb {
	return verb{line: "publish " + version, want: want, says: says,
		job: d.world.Env(d.world.PublishJob())}
}

// cut publishes to an index that hangs up after two files.
func (d *demo) cut(ctx context.Context) error {
	if err := d.world.Index().Misbehave(pypitest.Fault{Do: pypitest.Drop, Path: "/legacy/", Skip: 2}); err != nil {
		return err
	}
	defer d.world.Index().Behave()
	return d.distgate(ctx, d.release("1.0 --patience 1s", failed, "unfinished 2 of 4 files"))
}

// publish is the second attempt of the job, and sends the two that are missing.
func (d *demo) publish(ctx context.Context) error {
	if err := d.world.GitHub().Rerun(d.releasing, "dave"); err != nil {
		return err
	}
	return d.distgate(ctx, d.release("1.0", done, "sending    2 files"))
}

func (d *demo) status(ctx context.Context) error {
	return d.distgate(ctx, verb{line: "status", says: "published"})
}

// users compares what the index serves with what was built, and lets pip install
// it.
func (d *demo) users(ctx context.Context) error {
	names, err := d.compare(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(d.streams.Out)
	for _, name := range names {
		fmt.Fprintf(d.streams.Out, "same       %s\n", name)
	}
	return d.pip(ctx)
}

// distributions are the files of a folder that are not bundles.
func distributions(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sigstore.json") {
			names = append(names, e.Name())
		}
	}
	return names, err
}
