package approval_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// reviews are people's clicks on the environment of the publishing run. In a
// comment RELEASE stands for the digest of the release, OTHER for another.
func (w *world) reviews(list ...approval.EnvironmentReview) approval.Run {
	words := strings.NewReplacer("RELEASE", w.staged.Digest().String(), "OTHER", "sha256:"+strings.Repeat("0f", 32))
	run := theRun
	for _, r := range list {
		r.Comment = words.Replace(r.Comment)
		if r.State == "" {
			r.State = "approved"
		}
		run.Reviews = append(run.Reviews, r)
	}
	return run
}

type clicks = []approval.EnvironmentReview

func TestEnvironmentReviews(t *testing.T) {
	w := newWorld(t)
	w.policy.Need, w.policy.Roads = 1, []approval.Road{approval.Environment}
	bob := func(comment string) approval.EnvironmentReview {
		return approval.EnvironmentReview{GitHub: 2, Login: "bob", Comment: comment}
	}
	no := func(comment string) approval.EnvironmentReview {
		return approval.EnvironmentReview{GitHub: 3, Login: "carol", State: "rejected", Comment: comment}
	}
	for name, test := range map[string]struct {
		reviews clicks
		change  func(*approval.Run, *approval.Policy)
		want    outcome
	}{
		"nobody":                   {nil, nil, outcome{what: waiting}},
		"the line":                 {clicks{bob("approve RELEASE")}, nil, outcome{approved, []string{"bob"}, nil}},
		"blanks and backticks":     {clicks{bob(" \t`approve RELEASE`  ")}, nil, outcome{approved, []string{"bob"}, nil}},
		"other lines beside it":    {clicks{bob("```\r\napprove RELEASE\r\n```\r\nlooked at\nseen new-pth")}, nil, outcome{approved, []string{"bob"}, nil}},
		"the line twice":           {clicks{bob("approve RELEASE\napprove RELEASE")}, nil, outcome{approved, []string{"bob"}, nil}},
		"a bare click":             {clicks{bob("")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteDigestMissing}}},
		"a digest and no word":     {clicks{bob("RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteDigestMissing}}},
		"another release":          {clicks{bob("approve OTHER")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteRelease}}},
		"two digests":              {clicks{bob("approve OTHER\napprove RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteDigests}}},
		"do not approve":           {clicks{bob("do not approve RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"yes, and then no":         {clicks{bob("approve RELEASE\nno: do not approve RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"a quotation":              {clicks{bob("> approve RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"more on the line":         {clicks{bob("approve RELEASE, really")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"a capital":                {clicks{bob("Approve RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"an approval that rejects": {clicks{bob("reject RELEASE")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"half a digest":            {clicks{bob("approve sha256:0123")}, nil, outcome{waiting, nil, []rule.ID{rule.VoteUnclear}}},
		"too long":                 {clicks{bob("approve RELEASE\n" + strings.Repeat("x", 1<<17))}, nil, outcome{waiting, nil, []rule.ID{rule.VoteRecord}}},
		"a state of next year":     {clicks{{GitHub: 2, Login: "bob", State: "acknowledged", Comment: "approve RELEASE"}}, nil, outcome{waiting, nil, []rule.ID{rule.VoteRecord}}},
		"a stranger":               {clicks{{GitHub: 6, Login: "bob", Comment: "approve RELEASE"}}, nil, outcome{waiting, nil, []rule.ID{rule.VoteStranger}}},
		"a bot":                    {clicks{{GitHub: 2, Login: "bob", Bot: true, Comment: "approve RELEASE"}}, nil, outcome{waiting, nil, []rule.ID{rule.VoteBot}}},
		"who started a run": {clicks{bob("approve RELEASE")},
			func(r *approval.Run, _ *approval.Policy) { r.Starters = []int64{9, 2} }, outcome{waiting, nil, []rule.ID{rule.VoteSelf}}},
		"the only one there is": {clicks{bob("approve RELEASE")}, func(r *approval.Run, p *approval.Policy) {
			r.Starters, p.Solo = []int64{2}, true
		}, outcome{approved, []string{"bob"}, nil}},
		"a run that is too old": {clicks{bob("approve RELEASE")},
			func(r *approval.Run, _ *approval.Policy) { r.Since = noon.Add(-8 * day) }, outcome{waiting, nil, []rule.ID{rule.VoteTime}}},
		"a run that is to come": {clicks{bob("approve RELEASE")},
			func(r *approval.Run, _ *approval.Policy) { r.Since = noon.Add(time.Hour) }, outcome{waiting, nil, []rule.ID{rule.VoteTime}}},
		"a road that does not count": {clicks{bob("approve RELEASE")},
			func(_ *approval.Run, p *approval.Policy) { p.Roads = []approval.Road{approval.Signed} },
			outcome{waiting, nil, []rule.ID{rule.VoteRoad}}},
		"an earlier attempt, another digest, and the right one": {clicks{bob("approve OTHER"), bob("approve RELEASE")}, nil,
			outcome{approved, []string{"bob"}, []rule.ID{rule.VoteRelease}}},
		"a click, and the line after it": {clicks{bob(""), bob("approve RELEASE")}, nil,
			outcome{approved, []string{"bob"}, []rule.ID{rule.VoteDigestMissing}}},
		"a rejection":                       {clicks{bob("approve RELEASE"), no("")}, nil, outcome{what: rejected}},
		"a rejection of this release":       {clicks{bob("approve RELEASE"), no("reject RELEASE")}, nil, outcome{what: rejected}},
		"a rejection, and then a yes":       {clicks{no(""), {GitHub: 3, Login: "carol", Comment: "approve RELEASE"}}, nil, outcome{what: rejected}},
		"a rejection that looks like a yes": {clicks{bob("approve RELEASE"), no("approve RELEASE")}, nil, outcome{what: rejected}},
		"a rejection by who started it": {clicks{bob("approve RELEASE"), no("")},
			func(r *approval.Run, _ *approval.Policy) { r.Starters = []int64{3} }, outcome{what: rejected}},
		"a rejection, where reviews do not count": {clicks{no("")},
			func(_ *approval.Run, p *approval.Policy) { p.Roads = []approval.Road{approval.Signed} }, outcome{what: rejected}},
		"a rejection of another release": {clicks{bob("approve RELEASE"), no("reject OTHER")}, nil,
			outcome{approved, []string{"bob"}, []rule.ID{rule.VoteRelease}}},
		"a rejection by a stranger": {clicks{bob("approve RELEASE"), {GitHub: 6, Login: "eve", State: "rejected"}}, nil,
			outcome{approved, []string{"bob"}, []rule.ID{rule.VoteStranger}}},
	} {
		t.Run(name, func(t *testing.T) {
			run, policy := w.reviews(test.reviews...), w.policy
			if test.change != nil {
				test.change(&run, &policy)
			}
			a, err := approval.Check(w.staged, nil, run, policy, noon)
			compareOutcome(t, a, err, test.want)
		})
	}
}

// compareOutcome reads what a count came to.
func compareOutcome(t *testing.T, a approval.Approved, err error, want outcome) {
	t.Helper()
	got := outcome{what: approved}
	ballots, refused := a.Ballots(), a.Refused()
	var wait approval.Waiting
	var no rule.Refusals
	switch {
	case errors.As(err, &wait):
		got.what, ballots, refused = waiting, wait.Ballots, wait.Refused
	case errors.As(err, &no) && no[0].Rule == rule.ReleaseRejected:
		got.what, refused = rejected, nil
	case err != nil:
		t.Fatal(err)
	}
	for _, b := range ballots {
		got.have = append(got.have, strings.TrimSuffix(b.By, "@example.org"))
	}
	for _, r := range refused {
		got.refused = append(got.refused, r.Rule)
	}
	slices.Sort(got.have)
	if got.what != want.what || !slices.Equal(got.have, want.have) || !slices.Equal(got.refused, want.refused) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A person counts once over both roads, and who started a run by neither.
func TestTwoRoads(t *testing.T) {
	w := newWorld(t)
	w.policy.Roads = []approval.Road{approval.Signed, approval.Environment}
	bob := approval.EnvironmentReview{GitHub: 2, Login: "bob", Comment: "approve RELEASE"}
	alice := ballot{by: "alice"}
	for name, test := range map[string]struct {
		votes    []ballot
		reviews  clicks
		starters []int64
		want     outcome
	}{
		"one by each":         {[]ballot{alice}, clicks{bob}, nil, outcome{approved, []string{"alice", "bob"}, nil}},
		"one by both":         {[]ballot{{by: "bob"}}, clicks{bob}, nil, outcome{waiting, []string{"bob"}, nil}},
		"who started, signed": {[]ballot{alice}, clicks{bob}, []int64{1}, outcome{waiting, []string{"bob"}, []rule.ID{rule.VoteSelf}}},
		"a signed no is not taken back by a review": {
			[]ballot{alice, {by: "bob", reject: true, issued: ago(time.Minute)}}, clicks{bob}, nil, outcome{what: rejected}},
		"a review that rejects is not taken back by a signed yes": {
			[]ballot{alice, {by: "bob"}}, clicks{{GitHub: 2, Login: "bob", State: "rejected"}}, nil, outcome{what: rejected}},
	} {
		t.Run(name, func(t *testing.T) {
			run := w.reviews(test.reviews...)
			run.Starters = append(run.Starters, test.starters...)
			var records []staging.Record
			for _, b := range test.votes {
				records = append(records, w.cast(t, b))
			}
			a, err := approval.Check(w.staged, records, run, w.policy, noon)
			compareOutcome(t, a, err, test.want)
		})
	}
}

// Nothing is approved without the run that publishes.
func TestNoRunNoApproval(t *testing.T) {
	w := newWorld(t)
	votes := records(t, w, "alice", "bob")
	for name, change := range map[string]func(*approval.Run){
		"no run":     func(r *approval.Run) { r.URL = "" },
		"no time":    func(r *approval.Run) { r.Since = time.Time{} },
		"no starter": func(r *approval.Run) { r.Starters = nil },
	} {
		run := theRun
		change(&run)
		if a, err := approval.Check(w.staged, votes, run, w.policy, noon); err == nil || !a.IsZero() || errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ballots, refused, err := approval.Count(w.staged, votes, approval.Beside{}, w.policy, noon)
	if err != nil || len(ballots) != 2 || len(refused) > 0 {
		t.Errorf("counted %d, refused %v: %v", len(ballots), refused, err)
	}
}

// What is posted is what is read.
func TestComment(t *testing.T) {
	w := newWorld(t)
	w.policy.Need, w.policy.Roads = 1, []approval.Road{approval.Environment}
	review, err := approval.Show(w.staged, w.policy)
	check(t, err)
	opinion := approval.Opinion{Decision: approval.Approve, Acknowledged: []rule.ID{"new-pth"}, Reason: "looked at every wheel",
		Issued: noon, Holds: time.Hour}
	text, err := review.Comment(opinion)
	check(t, err)
	if want := "approve " + w.staged.Digest().String() + "\nseen new-pth\n\nlooked at every wheel"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	said := approval.EnvironmentReview{GitHub: 2, Login: "bob", State: "approved", Comment: text}
	b, err := approval.JudgeReview(w.staged, said, theRun, w.policy, noon)
	check(t, err)
	if b.By != "bob@example.org" || b.Reason != opinion.Reason || !slices.Equal(b.Acknowledged, opinion.Acknowledged) {
		t.Errorf("got %+v", b)
	}
	for _, reason := range []string{"approve sha256:" + strings.Repeat("0", 64), "reject " + w.staged.Digest().String(), "two\nlines"} {
		opinion.Reason = reason
		if text, err := review.Comment(opinion); err == nil {
			t.Errorf("a reason that is a vote became %q", text)
		}
	}
}
