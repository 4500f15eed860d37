package approval_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// What a count of votes comes to.
const (
	approved = "approved"
	waiting  = "waiting"
	rejected = "rejected"
)

type vote = attest.Statement[approval.Vote]

func TestCheck(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := ballot{by: "alice"}, ballot{by: "bob"}, ballot{by: "carol"}
	says := func(change func(*vote)) ballot { return ballot{by: "bob", statement: change} }
	signs := func(change func([]byte) []byte) ballot { return ballot{by: "bob", bytes: change} }
	stored := func(change func(*staging.Record)) ballot { return ballot{by: "bob", record: change} }
	swap := func(old, new string) func([]byte) []byte {
		return func(raw []byte) []byte { return bytes.Replace(raw, []byte(old), []byte(new), 1) }
	}
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	const day = 24 * time.Hour

	for _, test := range []struct {
		name    string
		votes   []ballot
		want    string
		have    []string  // whose approvals count
		refused []rule.ID // of votes that do not count
	}{
		// Who counts.
		{name: "two people approve", votes: []ballot{alice, bob}, want: approved, have: []string{"alice", "bob"}},
		{name: "three people approve", votes: []ballot{alice, bob, carol}, want: approved, have: []string{"alice", "bob", "carol"}},
		{name: "nobody votes", want: waiting},
		{name: "one person approves", votes: []ballot{alice}, want: waiting, have: []string{"alice"}},
		{name: "one vote twice", votes: []ballot{alice, alice}, want: waiting, have: []string{"alice"}},
		{
			name:  "one person votes twice",
			votes: []ballot{alice, {by: "alice", issued: ago(time.Minute)}}, want: waiting, have: []string{"alice"},
		},
		{name: "one person by two keys", votes: []ballot{alice, {by: "alice's token"}}, want: waiting, have: []string{"alice"}},
		{name: "a security key and another person", votes: []ballot{{by: "alice's token"}, bob}, want: approved, have: []string{"alice", "bob"}},
		{
			name:  "a stranger approves",
			votes: []ballot{alice, {by: "mallory"}}, want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSigner},
		},
		{
			name:  "a key that belongs to nobody on the list",
			votes: []ballot{alice, {by: "dave"}}, want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSigner},
		},

		// For what.
		{
			name: "another release", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRelease},
			votes: []ballot{alice, says(func(v *vote) { v.Subject = dist.Sum([]byte("other")) })},
		},
		{
			name: "the digest of the wheel", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRelease},
			votes: []ballot{alice, says(func(v *vote) { v.Subject = w.staged.Manifest().Files[0].Digest })},
		},
		{
			name: "another subject name", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Name = "widget-1.1" })},
		},
		{
			name: "another project", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Project = "gadget" })},
		},
		{
			name: "another version", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Version = "1.0.0" })},
		},
		{
			name: "a vote for testpypi", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Index = "https://test.pypi.org/legacy/" })},
		},
		{
			name: "another environment", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Environment = "testpypi" })},
		},
		{
			name: "another policy", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Policy = dist.Sum([]byte("old")) })},
		},
		{
			name: "another page shown", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteBinding},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Review = dist.Sum([]byte("page")) })},
		},
		{
			name: "no page shown", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Review = dist.Digest{} })},
		},

		// When.
		{
			name: "an expired vote", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{alice, {by: "bob", issued: ago(2 * time.Hour), holds: time.Hour}},
		},
		{
			name: "a vote that expires this second", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{alice, {by: "bob", issued: ago(time.Hour), holds: time.Hour}},
		},
		{
			name: "a vote older than the policy allows", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{alice, {by: "bob", issued: ago(7*day + time.Second), holds: 365 * day}},
		},
		{
			name: "a vote just young enough", want: approved, have: []string{"alice", "bob"},
			votes: []ballot{alice, {by: "bob", issued: ago(7 * day), holds: 365 * day}},
		},
		{
			name: "a vote from the future", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{alice, {by: "bob", issued: noon.Add(time.Hour)}},
		},
		{
			name: "a clock that runs a little ahead", want: approved, have: []string{"alice", "bob"},
			votes: []ballot{alice, {by: "bob", issued: noon.Add(time.Minute)}},
		},
		{
			name: "a fresh vote beside an expired one", want: approved, have: []string{"alice", "bob"}, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{alice, {by: "bob", issued: ago(2 * time.Hour), holds: time.Hour}, bob},
		},

		// By which key.
		{
			name: "a key that ran out, and a vote dated back", want: waiting, have: []string{"bob"}, refused: []rule.ID{rule.VoteSigner, rule.VoteTime},
			votes: []ballot{bob, {by: "alice's old", issued: ago(20 * day), holds: 60 * day}},
		},
		{
			name: "a key that ran out before it signed", want: waiting, have: []string{"bob"}, refused: []rule.ID{rule.VoteSigner, rule.VoteSigner},
			votes: []ballot{bob, {by: "alice's old"}},
		},
		{
			name: "a key that is not yet valid", want: waiting, have: []string{"bob"}, refused: []rule.ID{rule.VoteSigner, rule.VoteSigner},
			votes: []ballot{bob, {by: "alice's next"}},
		},
		{
			name: "a key used before it was valid", want: waiting, have: []string{"bob"}, refused: []rule.ID{rule.VoteSigner},
			votes: []ballot{bob, {by: "alice's new", issued: ago(2 * time.Hour)}},
		},
		{
			name: "a key used in its first second", want: approved, have: []string{"alice", "bob"},
			votes: []ballot{bob, {by: "alice's new", issued: ago(time.Hour)}},
		},

		// In which form.
		{
			name: "a signature for git", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSignature},
			votes: []ballot{alice, {by: "bob", namespace: "git"}},
		},
		{
			name: "a vote changed after it was signed", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSignature},
			votes: []ballot{alice, stored(func(r *staging.Record) { r.Statement = swap("approve", "reject")(r.Statement) })},
		},
		{
			name: "the signature of another vote", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSignature},
			votes: []ballot{alice, stored(func(r *staging.Record) {
				r.SSHSIG = w.cast(t, ballot{by: "bob", issued: noon.Add(-2 * time.Hour)}).SSHSIG
			})},
		},
		{
			name: "no signature but a bundle", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteSignature},
			votes: []ballot{alice, stored(func(r *staging.Record) { r.SSHSIG, r.Bundle = nil, []byte("{}") })},
		},
		{
			name: "no statement", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, stored(func(r *staging.Record) { r.Statement = nil })},
		},
		{
			name: "a receipt among the votes", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, stored(func(r *staging.Record) { r.Kind = "receipt" })},
		},
		{
			name: "a megabyte of statement", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(func(raw []byte) []byte { return append(raw, make([]byte, 1<<20)...) })},
		},
		{
			name: "another predicate type", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(swap("/vote/v1", "/receipt/v1"))},
		},
		{
			name: "no in-toto statement", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(func([]byte) []byte { return []byte("approve\n") })},
		},
		{
			name: "another encoding", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(bytes.TrimSpace)},
		},
		{
			name: "an unknown field", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(swap(`"reason":""`, `"reason":"","veto":true`))},
		},
		{
			name: "a decision said twice", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(swap(`"decision":"approve"`, `"decision":"approve","decision":"approve"`))},
		},
		{
			name: "a field left out", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(swap(`"reason":"",`, ``))},
		},
		{
			name: "a second subject", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, signs(swap(`"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"`+strings.Repeat("0", 64)+`"}},`))},
		},
		{
			name: "neither yes nor no", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Decision = "maybe" })},
		},
		{
			name: "no decision", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Decision = "" })},
		},
		{
			name: "a decision in capitals", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Decision = "Approve" })},
		},
		{
			name: "rules acknowledged out of order", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Acknowledged = []rule.ID{"b", "a"} })},
		},
		{
			name: "a rule acknowledged that is no id", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Acknowledged = []rule.ID{"a b"} })},
		},
		{
			name: "no list of rules", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Acknowledged = nil })},
		},
		{
			name: "an escape sequence as a reason", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Reason = "\x1b[2K::set-output" })},
		},
		{
			name: "a reason of two lines", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Reason = "fine\napproved by alice" })},
		},
		{
			name: "a right-to-left mark in the reason", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Reason = "\u202edetcejer" })},
		},
		{
			name: "a time in another zone", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) {
				v.Predicate.Issued = v.Predicate.Issued.In(time.FixedZone("", 3600))
			})},
		},
		{
			name: "a fraction of a second", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Issued = v.Predicate.Issued.Add(1) })},
		},
		{
			name: "a vote that expires before it is made", want: waiting, have: []string{"alice"}, refused: []rule.ID{rule.VoteRecord},
			votes: []ballot{alice, says(func(v *vote) { v.Predicate.Expires = v.Predicate.Issued.Add(-time.Hour) })},
		},
		{
			name: "bad votes beside good ones", want: approved, have: []string{"alice", "bob"},
			refused: []rule.ID{rule.VoteRecord, rule.VoteSigner},
			votes:   []ballot{stored(func(r *staging.Record) { r.Statement = nil }), {by: "mallory"}, alice, bob},
		},

		// Rejections.
		{name: "one rejection among approvals", votes: []ballot{alice, bob, {by: "carol", reject: true}}, want: rejected},
		{name: "nothing but a rejection", votes: []ballot{{by: "carol", reject: true}}, want: rejected},
		{
			name:  "a change of mind to no",
			votes: []ballot{alice, bob, {by: "bob", reject: true, issued: ago(time.Minute)}}, want: rejected,
		},
		{
			name: "a rejection taken back", want: approved, have: []string{"alice", "bob"},
			votes: []ballot{alice, {by: "bob", reject: true, issued: ago(2 * time.Hour)}, bob},
		},
		{
			name: "taken back, and rejected again", want: rejected,
			votes: []ballot{
				alice, {by: "bob", reject: true, issued: ago(2 * time.Hour)}, bob,
				{by: "bob", reject: true, issued: ago(time.Minute)},
			},
		},
		{
			name: "taken back with another key", want: approved, have: []string{"alice", "bob"},
			votes: []ballot{bob, {by: "alice's token", reject: true, issued: ago(2 * time.Hour)}, alice},
		},
		{
			name: "taken back by somebody else", want: rejected,
			votes: []ballot{alice, bob, {by: "carol", reject: true, issued: ago(2 * time.Hour)}},
		},
		{name: "yes and no in the same second", votes: []ballot{alice, bob, {by: "bob", reject: true}}, want: rejected},
		{
			name: "taken back by an approval that has expired", want: rejected, refused: []rule.ID{rule.VoteTime},
			votes: []ballot{
				alice, carol, {by: "bob", reject: true, issued: ago(3 * day)},
				{by: "bob", issued: ago(2 * day), holds: time.Hour},
			},
		},
		{
			name: "taken back by an approval of another release", want: rejected, refused: []rule.ID{rule.VoteRelease},
			votes: []ballot{
				alice, carol, {by: "bob", reject: true, issued: ago(3 * day)},
				says(func(v *vote) { v.Subject = dist.Sum([]byte("other")) }),
			},
		},
		{name: "an old rejection", votes: []ballot{alice, bob, {by: "carol", reject: true, issued: ago(80 * day)}}, want: rejected},
		{
			name:  "a rejection that says it expired",
			votes: []ballot{alice, bob, {by: "carol", reject: true, issued: ago(2 * time.Hour), holds: time.Hour}}, want: rejected,
		},
		{name: "a rejection from the future", votes: []ballot{alice, bob, {by: "carol", reject: true, issued: noon.Add(day)}}, want: rejected},
		{
			name:  "a rejection by a key that ran out",
			votes: []ballot{bob, carol, {by: "alice's old", reject: true, issued: ago(30 * day)}}, want: rejected,
		},
		{
			name:  "a rejection by a key that is not yet valid",
			votes: []ballot{bob, carol, {by: "alice's next", reject: true}}, want: rejected,
		},
		{
			name: "a rejection of another page", want: rejected,
			votes: []ballot{alice, bob, {by: "carol", reject: true, statement: func(v *vote) {
				v.Predicate.Review = dist.Sum([]byte("page"))
			}}},
		},
		{
			name: "a rejection by a stranger", want: approved, have: []string{"alice", "bob"}, refused: []rule.ID{rule.VoteSigner},
			votes: []ballot{alice, bob, {by: "mallory", reject: true}},
		},
		{
			name: "a rejection by somebody not on the list", want: approved, have: []string{"alice", "bob"}, refused: []rule.ID{rule.VoteSigner},
			votes: []ballot{alice, bob, {by: "dave", reject: true}},
		},
		{
			name: "a rejection of another release", want: approved, have: []string{"alice", "bob"}, refused: []rule.ID{rule.VoteRelease},
			votes: []ballot{alice, bob, {by: "carol", reject: true, statement: func(v *vote) {
				v.Subject = dist.Sum([]byte("other"))
			}}},
		},
		{
			name: "a rejection in another namespace", want: approved, have: []string{"alice", "bob"}, refused: []rule.ID{rule.VoteSignature},
			votes: []ballot{alice, bob, {by: "carol", reject: true, namespace: "git"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var records []staging.Record
			for _, b := range test.votes {
				records = append(records, w.cast(t, b))
			}
			for range 2 {
				got := count(t, w, records)
				slices.Sort(got.have)
				slices.Sort(got.refused)
				slices.Sort(test.refused)
				want := outcome{test.want, test.have, test.refused}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				slices.Reverse(records) // the order decides nothing
			}
		})
	}
}

type outcome struct {
	what    string
	have    []string
	refused []rule.ID
}

// count is what Check makes of the records.
func count(t *testing.T, w *world, records []staging.Record) (got outcome) {
	t.Helper()
	a, err := approval.Check(w.staged, records, w.policy, noon)
	var wait approval.Waiting
	var no rule.Refusals
	var ballots []approval.Ballot
	switch {
	case err == nil:
		got.what, ballots, no = approved, a.Ballots(), a.Refused()
		if a.Staged().Digest() != w.staged.Digest() || a.IsZero() || len(ballots) < w.policy.Need {
			t.Errorf("approved %s by %d", a.Staged().Digest(), len(ballots))
		}
	case errors.As(err, &wait):
		got.what, ballots, no = waiting, wait.Ballots, wait.Refused
		if wait.Have != len(ballots) || wait.Have+len(wait.May) != len(w.policy.People) {
			t.Errorf("%d of %d, may vote: %v", wait.Have, wait.Need, wait.May)
		}
	case errors.As(err, &no):
		got.what = rejected
		if no[0].Rule != rule.ReleaseRejected {
			t.Errorf("got %v", no)
		}
		no = slices.DeleteFunc(no, func(r rule.Refusal) bool { return r.Rule == rule.ReleaseRejected })
	default:
		t.Fatal(err)
	}
	if err != nil && !a.IsZero() {
		t.Error("an error, and yet approved")
	}
	for _, b := range ballots {
		name, _, _ := strings.Cut(b.By, "@")
		got.have = append(got.have, name)
	}
	for _, r := range no {
		got.refused = append(got.refused, r.Rule)
		if r.File == "" || r.Want == "" || r.Got == "" || r.Hint == "" {
			t.Errorf("half a refusal: %+v", r)
		}
	}
	return got
}

func TestCheckNeedsATimeAndARelease(t *testing.T) {
	w := newWorld(t)
	votes := []staging.Record{w.cast(t, ballot{by: "alice"}), w.cast(t, ballot{by: "bob"})}
	if _, err := approval.Check(w.staged, votes, w.policy, time.Time{}); err == nil {
		t.Error("approved at no time")
	}
	if _, err := approval.Check(staging.Staged{}, votes, w.policy, noon); err == nil {
		t.Error("approved nothing")
	}
	if _, err := approval.Check(w.staged, votes, approval.Policy{}, noon); err == nil {
		t.Error("approved under no policy")
	}
	if _, err := approval.Check(w.staged, votes, w.policy, noon.AddDate(0, 1, 0)); err == nil {
		t.Error("approved a month later")
	}
	if !(approval.Approved{}).IsZero() {
		t.Error("the zero value is approved")
	}
}

// A rejection says who, when and why, and who can take it back.
func TestRejectionTellsItsReason(t *testing.T) {
	w := newWorld(t)
	no := w.cast(t, ballot{by: "carol", reject: true, statement: func(v *vote) { v.Predicate.Reason = "test keys in the wheel" }})
	_, err := approval.Check(w.staged, []staging.Record{no}, w.policy, noon)
	want := rule.Refusals{{
		File: w.staged.Digest().String(), Rule: rule.ReleaseRejected, Want: "no rejection by anyone on the list",
		Got:  "carol@example.org rejected it at 2026-11-20T11:00:00Z: test keys in the wheel",
		Hint: "carol@example.org can take it back with a later distgate approve; otherwise repair the build and stage again",
	}}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The policy must be the one whose allowed_signers was staged.
func TestCheckWantsTheStagedSigners(t *testing.T) {
	w := newWorld(t)
	added := signers(w.keys) + "# one more line\n"
	allowed, err := approval.ParseAllowedSigners("allowed_signers", strings.NewReader(added))
	check(t, err)
	w.policy.Signers = allowed
	_, err = approval.Check(w.staged, nil, w.policy, noon)
	var no rule.Refusals
	if !errors.As(err, &no) || no[0].Rule != rule.ApprovalPolicy || !strings.Contains(no[0].Hint, "stage it again") {
		t.Errorf("got %v", err)
	}
}

// What attach and records do with a vote leaves it as it was signed.
func TestVoteThroughTheStore(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, by := range []string{"alice", "bob"} {
		check(t, w.store.Attach(ctx, w.staged.Digest(), w.cast(t, ballot{by: by})))
	}
	opened, err := staging.Open(ctx, w.store, w.staged.Digest(), w.staging, w.verifier)
	check(t, err)
	records, malformed, err := w.store.Records(ctx, opened.Digest(), approval.RecordKind)
	check(t, err)
	check(t, malformed.Err())
	a, err := approval.Check(opened, records, w.policy, noon)
	check(t, err)
	if len(a.Ballots()) != 2 {
		t.Errorf("got %d ballots", len(a.Ballots()))
	}
}
