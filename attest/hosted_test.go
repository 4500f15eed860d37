package attest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/rule"
)

// hosted is a job as GitHub tells of one on a runner of its own.
func hosted(name string, attempt int) attest.Job {
	return attest.Job{Name: name, Attempt: attempt, Status: "completed", Conclusion: "success", Steps: 3,
		Runner: "GitHub Actions 1000018028", RunnerID: 1000018028, Group: "GitHub Actions", Labels: []string{"ubuntu-24.04"}}
}

func with(j attest.Job, change func(*attest.Job)) attest.Job {
	change(&j)
	return j
}

// idle is a job that never had a runner.
func idle(status, conclusion string) attest.Job {
	return attest.Job{Name: "idle", Attempt: 1, Status: status, Conclusion: conclusion, GroupID: -1, Labels: []string{"ubuntu-24.04"}}
}

func TestEveryJob(t *testing.T) {
	type job = attest.Job
	depot := attest.RunnerGroup{Name: "depot", Labels: attest.Glob("depot-*"), Reason: "aarch64 builds"}
	onDepot := with(hosted("aarch64", 1), func(j *job) {
		j.Runner, j.Group, j.GroupID, j.Labels = "depot-7", "depot", 9, []string{"depot-ubuntu-24.04-arm"}
	})
	for name, c := range map[string]struct {
		jobs      []job
		runners   []attest.RunnerGroup
		want      string // what the refusal says; "" for none
		elsewhere string
	}{
		"one job":         {[]job{hosted("build", 1)}, nil, "", ""},
		"a matrix":        {[]job{hosted("build (3.12)", 1), hosted("build (3.13)", 1), hosted("attest", 1)}, nil, "", ""},
		"skipped":         {[]job{hosted("build", 1), idle("completed", "skipped")}, nil, "", ""},
		"never started":   {[]job{hosted("build", 1), idle("completed", "cancelled"), idle("completed", "failure")}, nil, "", ""},
		"still to come":   {[]job{hosted("build", 1), idle("queued", ""), idle("waiting", "")}, nil, "", ""},
		"still at work":   {[]job{with(hosted("gate", 1), func(j *job) { j.Status, j.Conclusion = "in_progress", "" })}, nil, "", ""},
		"no runner named": {[]job{hosted("build", 1), idle("completed", "success")}, nil, `job "idle" of attempt 1 (completed success) without a runner`, ""},
		"steps without a runner": {[]job{hosted("build", 1), with(idle("completed", "cancelled"), func(j *job) { j.Steps = 2 })}, nil,
			"(completed cancelled) without a runner", ""},
		"self-hosted": {[]job{hosted("attest", 1), with(hosted("build (3.12)", 1), func(j *job) {
			j.Runner, j.Group, j.GroupID, j.Labels = "mine", "Default", 1, []string{"self-hosted", "linux"}
		})}, nil, `job "build (3.12)" of attempt 1 on runner "mine" of group 1 "Default" with labels self-hosted, linux`, ""},
		"cancelled while it ran": {[]job{hosted("attest", 1), with(hosted("build", 1), func(j *job) {
			j.Conclusion, j.Group, j.GroupID = "cancelled", "Default", 1
		})}, nil, `job "build" of attempt 1 on runner`, ""},
		"skipped, but with a runner": {[]job{hosted("attest", 1), with(idle("completed", "skipped"), func(j *job) { j.Runner = "mine" })}, nil,
			`on runner "mine" of group -1 ""`, ""},
		"a group of the same name": {[]job{hosted("build", 2), hosted("build", 1), with(hosted("build", 1), func(j *job) { j.GroupID = 4 })}, nil,
			`job "build" of attempt 1 on runner "GitHub Actions 1000018028" of group 4 "GitHub Actions"`, ""},
		"the group's number alone":   {[]job{hosted("attest", 1), with(hosted("build", 1), func(j *job) { j.Group = "" })}, nil, `of group 0 ""`, ""},
		"a label nobody listed":      {[]job{with(hosted("build", 1), func(j *job) { j.Labels = []string{"ubuntu-24.04", "big"} })}, nil, "with labels ubuntu-24.04, big", ""},
		"no label":                   {[]job{with(hosted("build", 1), func(j *job) { j.Labels = nil })}, nil, "with labels nothing", ""},
		"another group":              {[]job{hosted("attest", 1), onDepot}, nil, `of group 9 "depot"`, ""},
		"another group, listed":      {[]job{hosted("attest", 1), onDepot, onDepot}, []attest.RunnerGroup{depot}, "", "depot (aarch64 builds)"},
		"listed, with other labels":  {[]job{hosted("attest", 1), with(onDepot, func(j *job) { j.Labels = []string{"big"} })}, []attest.RunnerGroup{depot}, `of group 9 "depot" with labels big`, ""},
		"listed, but GitHub's group": {[]job{hosted("attest", 1), with(onDepot, func(j *job) { j.GroupID = 0 })}, []attest.RunnerGroup{depot}, `of group 0 "depot"`, ""},
		"many":                       {append([]job{hosted("attest", 1)}, onDepot, onDepot, onDepot, onDepot, onDepot, onDepot, onDepot), nil, "; and 2 more", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy.Hosted, w.policy.Labels, w.policy.Runners = attest.EveryJob, attest.Glob("ubuntu-*", "macos-*"), c.runners
			f := file(t, wheel, "bytes")
			// The certificate is of the highest attempt.
			if c.jobs[0].Attempt == 2 {
				w.claims.RunAttempt = "2"
			}
			bundles := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
			w.verifier = w.verifier.Asking(func(_ context.Context, run string) ([]job, error) {
				if run != w.claims.RunURI() {
					t.Errorf("asked for the jobs of %s", run)
				}
				return c.jobs, nil
			})
			verdict := w.verify(t, attest.Candidate{File: f, Bundles: bundles})
			if c.want == "" {
				check(t, verdict.Err())
				if got := verdict.Verified()[0].Evidence()[0]; got.Hosted != attest.EveryJob || got.Elsewhere != c.elsewhere {
					t.Errorf("got %s, elsewhere %q", got.Hosted, got.Elsewhere)
				}
				return
			}
			no := verdict.Refused()
			if diff := cmp.Diff([]rule.ID{rule.HostedJob}, rules(no)); diff != "" || len(verdict.Verified()) > 0 {
				t.Fatal(diff)
			}
			if !strings.Contains(no[0].Got, c.want) {
				t.Errorf("got %s\nwant %s", no[0].Got, c.want)
			}
		})
	}
}

// The jobs of a run are asked for once, however many files and attempts are
// about it, and not at all for what the certificate refuses already.
func TestARunIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.policy.Hosted, w.policy.Labels = attest.EveryJob, attest.Exactly("ubuntu-24.04")
	a, b, sdist := file(t, wheel, "a"), file(t, "widget-1.0-py2-none-any.whl", "b"), file(t, "widget-1.0.tar.gz", "c")
	first := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(a, b)...))
	again, other := w.claims, w.claims
	again.RunAttempt, other.RunnerEnvironment = "2", "self-hosted"
	second := w.sign(t, again, sigstoretest.Provenance(again, subjects(sdist)...))
	asked := 0
	w.verifier = w.verifier.Asking(func(context.Context, string) ([]attest.Job, error) {
		asked++
		return []attest.Job{hosted("build", 1), hosted("build", 2)}, nil
	})
	check(t, w.verify(t, attest.Candidate{File: a, Bundles: first}, attest.Candidate{File: b, Bundles: first},
		attest.Candidate{File: sdist, Bundles: second}).Err())
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	verdict := w.verify(t, attest.Candidate{File: a, Bundles: w.sign(t, other, sigstoretest.Provenance(other, subjects(a)...))})
	if diff := cmp.Diff([]rule.ID{rule.IdentityRunner}, rules(verdict.Refused())); diff != "" || asked != 1 {
		t.Errorf("asked %d times; %s", asked, diff)
	}
}

// What GitHub does not say is neither yes nor no.
func TestJobsThatNobodyKnows(t *testing.T) {
	w := newWorld(t)
	w.policy.Hosted, w.policy.Labels = attest.EveryJob, attest.Exactly("ubuntu-24.04")
	f := file(t, wheel, "bytes")
	bundles := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	for name, c := range map[string]struct {
		verifier *attest.Verifier
		change   func(*attest.Policy)
		want     string
	}{
		"nobody to ask":        {w.verifier, nil, "a folder does not name"},
		"no answer":            {asking(w, nil, errors.New("no answer")), nil, "no answer"},
		"no jobs":              {asking(w, nil, nil), nil, "not whole"},
		"none of this attempt": {asking(w, []attest.Job{hosted("build", 2)}, nil), nil, "not whole"},
		"at work nowhere yet":  {asking(w, []attest.Job{hosted("build", 1), idle("in_progress", "")}, nil), nil, `does not say yet where job "idle"`},
		"only idle ones":       {asking(w, []attest.Job{idle("completed", "skipped")}, nil), nil, "not whole"},
		"a signer elsewhere":   {asking(w, nil, nil), func(p *attest.Policy) { p.Runner = attest.Any() }, "the job that signs"},
		"a group without a reason": {asking(w, nil, nil), func(p *attest.Policy) {
			p.Runners = []attest.RunnerGroup{{Name: "depot", Labels: attest.Any()}}
		}, "a reason"},
		"a group of GitHub's name": {asking(w, nil, nil), func(p *attest.Policy) {
			p.Runners = []attest.RunnerGroup{{Name: "GitHub Actions", Labels: attest.Any(), Reason: "larger"}}
		}, "a name of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			p := w.policy
			if c.change != nil {
				c.change(&p)
			}
			verdict, err := c.verifier.Verify(t.Context(), p, []attest.Candidate{{File: f, Bundles: bundles}})
			if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), c.want) || len(verdict.Verified()) > 0 {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, _, err := asking(w, []attest.Job{hosted("build", 1)}, nil).VerifyStatement(w.policy, bundles[0], f.Digest(), attest.ProvenanceV1); err == nil {
		t.Error("a statement was verified without asking for jobs")
	}
}

func asking(w world, jobs []attest.Job, err error) *attest.Verifier {
	return w.verifier.Asking(func(context.Context, string) ([]attest.Job, error) { return jobs, err })
}
