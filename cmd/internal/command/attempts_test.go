package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

// How a count of votes ends.
const (
	countedYes = "approved"
	waits      = "waiting"
	ended      = "rejected"
	undecided  = "undecided"
)

// TestAttempts runs a release run again, whole or its publishing job alone, with
// the same release or another one, after whatever was said in the first attempt,
// on a GitHub that carries approvals over or does not, and forgets them or not.
// Nothing but a line that names the release approves it, and no rejection is lost.
func TestAttempts(t *testing.T) {
	s := newAttempts(t)
	for _, said := range []struct {
		what, state, comment string // RELEASE is the first attempt's
		same, other          string // how it ends after the run again, as GitHub remembers
		forgets              string // and as GitHub forgets
	}{
		{"nothing", "", "", waits, waits, waits},
		{"a bare click", workflowApproved, "", waits, waits, waits},
		{"a vote", workflowApproved, "approve RELEASE", countedYes, waits, waits},
		{"a doubt", workflowApproved, "do not approve RELEASE", waits, waits, waits},
		{"a no", workflowRejected, "", ended, ended, undecided},
		{"a no to the release", workflowRejected, "reject RELEASE", ended, waits, undecided},
	} {
		for _, again := range [][]string{nil, {"publish"}} {
			for _, same := range []bool{true, false} {
				for bits := range 4 {
					b := githubtest.Behaviour{CarriesApprovals: bits&1 > 0, ForgetsApprovals: bits&2 > 0}
					want := said.same
					if !same {
						want = said.other
					}
					if b.ForgetsApprovals {
						want = said.forgets
					}
					name := fmt.Sprintf("%s, then %q again, same release %t, carries %t, forgets %t",
						said.what, again, same, b.CarriesApprovals, b.ForgetsApprovals)
					s.play(name, b, said.state, said.comment, again, same, want)
				}
			}
		}
	}
}

const workflowApproved, workflowRejected = "approved", "rejected"

// attempts is two staged releases, and whoever publishes them.
type attempts struct {
	t        *testing.T
	world    *world.World
	releases [2]release
}

func newAttempts(t *testing.T) *attempts {
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	a := &attempts{t: t, world: w}
	dir := t.TempDir()
	a.check(w.WriteProject(dir))
	a.check(editFile(filepath.Join(dir, "distgate.toml"), `"signed"`, `"environment"`, "need = 2", "need = 1"))
	a.check(w.Push(dir))
	f := shared{policy: filepath.Join(dir, "distgate.toml"), store: filepath.Join(dir, "store")}
	for i, version := range []string{"1.0", "1.1"} {
		dist := filepath.Join(dir, version)
		a.check(w.Build(dist, version))
		a.check(runStage(t.Context(), a.streams(nil), f, source{dirs: []string{dist}}, ""))
		a.releases[i], err = openRelease(t.Context(), a.streams(nil), f, version)
		a.check(err)
	}
	return a
}

func (a *attempts) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *attempts) streams(env []string) Streams {
	return Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Now: time.Now, Env: func(name string) string {
		for _, line := range env {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}}
}

// play lets bob say something in a new run, runs it again, counts, and lets carol
// vote for what is published now, if GitHub asks anybody.
func (a *attempts) play(name string, b githubtest.Behaviour, state, comment string, again []string, same bool, want string) {
	a.t.Helper()
	github := a.world.GitHub()
	github.Behave(b)
	run := a.world.Dispatch().ID
	if state != "" {
		a.check(github.Review(run, githubtest.Review{Environments: []string{world.Environment}, User: "bob", State: state,
			Comment: strings.ReplaceAll(comment, "RELEASE", a.releases[0].staged.Digest().String())}))
	}
	a.check(github.Rerun(run, "dave", again...))
	published := a.releases[0]
	if !same {
		published = a.releases[1]
	}
	if got := a.count(published); got != want {
		a.t.Errorf("%s: got %s, want %s", name, got, want)
	}
	fresh := github.Review(run, githubtest.Review{Environments: []string{world.Environment}, User: "carol", State: "approved",
		Comment: "approve " + published.staged.Digest().String()})
	if fresh == nil && want == waits {
		want = countedYes
	}
	if asked := !b.CarriesApprovals || state != workflowApproved; asked != (fresh == nil) {
		a.t.Errorf("%s: GitHub asks again %t: %v", name, asked, fresh)
	}
	if got := a.count(published); got != want {
		a.t.Errorf("%s, and carol: got %s, want %s", name, got, want)
	}
}

func (a *attempts) count(r release) string {
	a.t.Helper()
	s := a.streams(a.world.Env(a.world.PublishJob()))
	token, err := idToken(s)
	a.check(err)
	own, err := r.ownRun(context.Background(), s, token)
	if err == nil {
		_, err = r.check(context.Background(), s, own.facts)
	}
	var no rule.Refusals
	switch {
	case err == nil:
		return countedYes
	case errors.As(err, new(approval.Waiting)):
		return waits
	case errors.As(err, &no) && no[0].Rule == rule.ReleaseRejected:
		return ended
	case errors.As(err, &no):
		return no.Error()
	}
	return undecided
}

// TestBypass lets an administrator start the job without a review, before the box
// is unticked again. Whether GitHub lists that as an approval or not: only words
// that name the release, of a person on the list, count.
func TestBypass(t *testing.T) {
	a := newAttempts(t)
	for _, c := range []struct {
		who, comment string
		listed       string // how it ends where GitHub lists a bypass
	}{
		{"mallory", "", waits},
		{"mallory", "approve RELEASE", waits},
		{"dave", "approve RELEASE", waits},
		{"carol", "", waits},
		{"carol", "approve RELEASE", countedYes},
	} {
		for _, lists := range []bool{true, false} {
			github, r := a.world.GitHub(), a.releases[0]
			github.Behave(githubtest.Behaviour{RecordsBypass: lists})
			run := a.world.Dispatch().ID
			github.PutEnvironment(environment(githubtest.BypassAllowed))
			a.check(github.Bypass(run, world.Environment, c.who,
				strings.ReplaceAll(c.comment, "RELEASE", r.staged.Digest().String())))
			if got := a.count(r); !strings.Contains(got, string(rule.EnvironmentBypass)) {
				t.Errorf("%s, while it is allowed: got %s", c.who, got)
			}
			github.PutEnvironment(environment(githubtest.BypassForbidden))
			want := waits
			if lists {
				want = c.listed
			}
			if got := a.count(r); got != want {
				t.Errorf("%s, %q, listed %t: got %s, want %s", c.who, c.comment, lists, got, want)
			}
		}
	}
}
