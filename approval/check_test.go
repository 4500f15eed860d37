package approval_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

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

const day = 24 * time.Hour

func ago(d time.Duration) time.Time { return noon.Add(-d) }

func TestPeopleAreCounted(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := ballot{by: "alice"}, ballot{by: "bob"}, ballot{by: "carol"}
	token := ballot{by: "alice's token"}
	for _, test := range []struct {
		name  string
		votes []ballot
		want  outcome
	}{
		{"nobody", nil, outcome{what: waiting}},
		{"one person", []ballot{alice}, outcome{waiting, []string{"alice"}, nil}},
		{"two people", []ballot{alice, bob}, outcome{approved, []string{"alice", "bob"}, nil}},
		{"three people", []ballot{alice, bob, carol}, outcome{approved, []string{"alice", "bob", "carol"}, nil}},
		{"one vote twice", []ballot{alice, alice}, outcome{waiting, []string{"alice"}, nil}},
		{
			"one person at two times",
			[]ballot{alice, {by: "alice", issued: ago(time.Minute)}}, outcome{waiting, []string{"alice"}, nil},
		},
		{"one person by two keys", []ballot{alice, token}, outcome{waiting, []string{"alice"}, nil}},
		{"a security key and a file", []ballot{token, bob}, outcome{approved, []string{"alice", "bob"}, nil}},
		{
			"a clock that runs a little ahead",
			[]ballot{alice, {by: "bob", issued: noon.Add(time.Minute)}}, outcome{approved, []string{"alice", "bob"}, nil},
		},
		{
			"an approval as old as the policy allows",
			[]ballot{alice, {by: "bob", issued: ago(7 * day), holds: 365 * day}},
			outcome{approved, []string{"alice", "bob"}, nil},
		},
		{
			"a key in its first second",
			[]ballot{bob, {by: "alice's new", issued: ago(time.Hour)}}, outcome{approved, []string{"alice", "bob"}, nil},
		},
		{
			"a fresh vote beside an expired one",
			[]ballot{alice, {by: "bob", issued: ago(2 * time.Hour), holds: time.Hour}, bob},
			outcome{approved, []string{"alice", "bob"}, []rule.ID{rule.VoteTime}},
		},
		{
			"rules acknowledged",
			[]ballot{alice, {by: "bob", statement: func(v *vote) { v.Predicate.Acknowledged = []rule.ID{"new-pth"} }}},
			outcome{approved, []string{"alice", "bob"}, nil},
		},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, w, test.votes, test.want) })
	}
}

// Each of these stands beside Carol's good vote and does not make it two; and
// beside two good votes it does not stop them. Either way it is reported.
func TestVoteThatDoesNotCount(t *testing.T) {
	w := newWorld(t)
	says := func(change func(*approval.Vote)) ballot {
		return ballot{by: "bob", statement: func(v *vote) { change(&v.Predicate) }}
	}
	signs := func(change func([]byte) []byte) ballot { return ballot{by: "bob", bytes: change} }
	stored := func(change func(*staging.Record)) ballot { return ballot{by: "bob", record: change} }
	swap := func(old, new string) func([]byte) []byte {
		return func(raw []byte) []byte { return bytes.Replace(raw, []byte(old), []byte(new), 1) }
	}
	other := dist.Sum([]byte("other"))
	for _, test := range []struct {
		name    string
		vote    ballot
		refused []rule.ID
	}{
		// By whom.
		{"by a stranger", ballot{by: "mallory"}, []rule.ID{rule.VoteSigner}},
		{"by somebody not on the list", ballot{by: "dave"}, []rule.ID{rule.VoteSigner}},
		{"a stranger's rejection", ballot{by: "mallory", reject: true}, []rule.ID{rule.VoteSigner}},
		{"a rejection by somebody not on the list", ballot{by: "dave", reject: true}, []rule.ID{rule.VoteSigner}},
		{
			"by a key that ran out, dated back", ballot{by: "alice's old", issued: ago(20 * day), holds: 60 * day},
			[]rule.ID{rule.VoteSigner, rule.VoteTime},
		},
		{"by a key that had run out", ballot{by: "alice's old"}, []rule.ID{rule.VoteSigner, rule.VoteSigner}},
		{"by a key that is not yet valid", ballot{by: "alice's next"}, []rule.ID{rule.VoteSigner, rule.VoteSigner}},
		{
			"by a key before it was valid", ballot{by: "alice's new", issued: ago(2 * time.Hour)},
			[]rule.ID{rule.VoteSigner},
		},

		// For what.
		{
			"for another release", ballot{by: "bob", statement: func(v *vote) { v.Subject = other }},
			[]rule.ID{rule.VoteRelease},
		},
		{
			"for the wheel instead of the release",
			ballot{by: "bob", statement: func(v *vote) { v.Subject = w.staged.Manifest().Files[0].Digest }},
			[]rule.ID{rule.VoteRelease},
		},
		{
			"a rejection of another release", ballot{by: "bob", reject: true, statement: func(v *vote) { v.Subject = other }},
			[]rule.ID{rule.VoteRelease},
		},
		{
			"for a subject of another name", ballot{by: "bob", statement: func(v *vote) { v.Name = "widget-1.1" }},
			[]rule.ID{rule.VoteBinding},
		},
		{"for another project", says(func(v *approval.Vote) { v.Project = "gadget" }), []rule.ID{rule.VoteBinding}},
		{"for another version", says(func(v *approval.Vote) { v.Version = "1.0.0" }), []rule.ID{rule.VoteBinding}},
		{
			"for testpypi", says(func(v *approval.Vote) { v.Index = "https://test.pypi.org/legacy/" }),
			[]rule.ID{rule.VoteBinding},
		},
		{
			"for another environment", says(func(v *approval.Vote) { v.Environment = "testpypi" }),
			[]rule.ID{rule.VoteBinding},
		},
		{"under another policy", says(func(v *approval.Vote) { v.Policy = other }), []rule.ID{rule.VoteBinding}},
		{"after another page", says(func(v *approval.Vote) { v.Review = other }), []rule.ID{rule.VoteBinding}},

		// When.
		{"expired", ballot{by: "bob", issued: ago(2 * time.Hour), holds: time.Hour}, []rule.ID{rule.VoteTime}},
		{"expired this second", ballot{by: "bob", issued: ago(time.Hour), holds: time.Hour}, []rule.ID{rule.VoteTime}},
		{
			"older than the policy allows", ballot{by: "bob", issued: ago(7*day + time.Second), holds: 365 * day},
			[]rule.ID{rule.VoteTime},
		},
		{"from the future", ballot{by: "bob", issued: noon.Add(time.Hour)}, []rule.ID{rule.VoteTime}},

		// With which signature.
		{"signed for git", ballot{by: "bob", namespace: "git"}, []rule.ID{rule.VoteSignature}},
		{"rejected for git", ballot{by: "bob", namespace: "git", reject: true}, []rule.ID{rule.VoteSignature}},
		{
			"turned round after it was signed",
			stored(func(r *staging.Record) { r.Statement = swap("approve", "reject")(r.Statement) }),
			[]rule.ID{rule.VoteSignature},
		},
		{
			"with the signature of another vote",
			stored(func(r *staging.Record) { r.SSHSIG = w.cast(t, ballot{by: "bob", issued: ago(day)}).SSHSIG }),
			[]rule.ID{rule.VoteSignature},
		},
		{
			"with a bundle for a signature",
			stored(func(r *staging.Record) { r.SSHSIG, r.Bundle = nil, []byte("{}") }), []rule.ID{rule.VoteSignature},
		},

		// In which form.
		{"nothing", stored(func(r *staging.Record) { r.Statement = nil }), []rule.ID{rule.VoteRecord}},
		{"a receipt", stored(func(r *staging.Record) { r.Kind = "receipt" }), []rule.ID{rule.VoteRecord}},
		{
			"a megabyte", signs(func(raw []byte) []byte { return append(raw, make([]byte, 1<<20)...) }),
			[]rule.ID{rule.VoteRecord},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			carol, partner := ballot{by: "carol"}, "alice"
			if strings.HasPrefix(test.vote.by, "alice") {
				partner = "bob"
			}
			expect(t, w, []ballot{carol, test.vote}, outcome{waiting, []string{"carol"}, test.refused})
			expect(t, w, []ballot{carol, test.vote, {by: partner}},
				outcome{approved, []string{partner, "carol"}, test.refused})
		})
	}
}

// What a person on the list signed and nobody can read as a vote could have been
// a no, of another version or with a byte too many. Nothing is decided until the
// same person votes again and names it.
func TestASignedStatementThatIsNoVote(t *testing.T) {
	w := newWorld(t)
	says := func(change func(*approval.Vote)) ballot {
		return ballot{by: "bob", statement: func(v *vote) { change(&v.Predicate) }}
	}
	signs := func(change func([]byte) []byte) ballot { return ballot{by: "bob", bytes: change} }
	swap := func(old, new string) func([]byte) []byte {
		return func(raw []byte) []byte { return bytes.Replace(raw, []byte(old), []byte(new), 1) }
	}
	other := dist.Sum([]byte("other"))
	for _, test := range []struct {
		name string
		vote ballot
	}{
		{"after no page", says(func(v *approval.Vote) { v.Review = dist.Digest{} })},
		{"a bare word", signs(func([]byte) []byte { return []byte("approve\n") })},
		{"of another type", signs(swap("/vote/v1", "/receipt/v1"))},
		{"in another encoding", signs(bytes.TrimSpace)},
		{"with an unknown field", signs(swap(`"reason":""`, `"reason":"","veto":true`))},
		{"without a field", signs(swap(`"reason":"",`, ``))},
		{
			"with two decisions", signs(swap(`"decision":`, `"decision":"reject","decision":`))},
		{
			"with two subjects",
			signs(swap(`"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"`+other.Hex()+`"}},`))},
		{"neither yes nor no", says(func(v *approval.Vote) { v.Decision = "maybe" })},
		{"without a decision", says(func(v *approval.Vote) { v.Decision = "" })},
		{"a decision in capitals", says(func(v *approval.Vote) { v.Decision = "Approve" })},
		{
			"rules acknowledged out of order", says(func(v *approval.Vote) { v.Acknowledged = []rule.ID{"b", "a"} })},
		{
			"a rule acknowledged that is no id", says(func(v *approval.Vote) { v.Acknowledged = []rule.ID{"a b"} })},
		{"no list of rules", says(func(v *approval.Vote) { v.Acknowledged = nil })},
		{"an escape sequence", says(func(v *approval.Vote) { v.Reason = "\x1b[2K" })},
		{
			"a workflow command", says(func(v *approval.Vote) { v.Reason = "fine\n::set-output name=x::y" })},
		{"a right-to-left mark", says(func(v *approval.Vote) { v.Reason = "\u202etcejer" })},
		{
			"a time in another zone",
			says(func(v *approval.Vote) { v.Issued = v.Issued.In(time.FixedZone("", 3600)) })},
		{"a fraction of a second", says(func(v *approval.Vote) { v.Issued = v.Issued.Add(1) })},
		{
			"expired before it was made", says(func(v *approval.Vote) { v.Expires = v.Issued.Add(-time.Hour) })},
		{"a no with a blank too many", ballot{by: "bob", reject: true, bytes: swap(`"decision":`, `"decision": `)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			unread := w.cast(t, test.vote)
			records := []staging.Record{w.cast(t, ballot{by: "alice"}), w.cast(t, ballot{by: "carol"}), unread}
			_, err := approval.Check(w.staged, records, theRun, w.policy, noon)
			var no rule.Refusals
			var waiting approval.Waiting
			if err == nil || errors.As(err, &no) || errors.As(err, &waiting) {
				t.Fatalf("got %v, want that nothing is decided", err)
			}
			again := ballot{by: "bob", statement: func(v *vote) {
				v.Predicate.Rejections = []dist.Digest{dist.Sum(unread.Statement)}
			}}
			if _, err := approval.Check(w.staged, append(records, w.cast(t, again)), theRun, w.policy, noon); err != nil {
				t.Errorf("after bob's next vote: %v", err)
			}
		})
	}
}

// Alice and Bob approve in all of these, an hour before noon.
func TestRejection(t *testing.T) {
	w := newWorld(t)
	counts := outcome{approved, []string{"alice", "bob"}, nil}
	ends := outcome{what: rejected}
	early := ballot{by: "bob", reject: true, issued: ago(2 * time.Hour)}
	token := ballot{by: "alice's token", reject: true, issued: ago(2 * time.Hour)}
	carols := ballot{by: "carol", reject: true, issued: ago(3 * day)}
	tomorrow := ballot{by: "bob", reject: true, issued: noon.Add(day)}
	names := func(no ballot) func(*vote) {
		digest := dist.Sum(w.cast(t, no).Statement)
		return func(v *vote) { v.Predicate.Rejections = []dist.Digest{digest} }
	}
	for _, test := range []struct {
		name  string
		votes []ballot
		want  outcome
	}{
		{"by a third person", []ballot{{by: "carol", reject: true}}, ends},
		{"by who approved before", []ballot{{by: "bob", reject: true, issued: ago(time.Minute)}}, ends},
		{"by who approves in the same second", []ballot{{by: "bob", reject: true}}, ends},
		{"long ago", []ballot{{by: "carol", reject: true, issued: ago(80 * day)}}, ends},
		{"that says it expired", []ballot{{by: "carol", reject: true, issued: ago(day), holds: time.Hour}}, ends},
		{"from the future", []ballot{{by: "carol", reject: true, issued: noon.Add(day)}}, ends},
		{"by a key that ran out", []ballot{{by: "alice's old", reject: true}}, ends},
		{"by a key that is not yet valid", []ballot{{by: "alice's next", reject: true}}, ends},
		{
			"after another page",
			[]ballot{{by: "carol", reject: true, statement: func(v *vote) { v.Predicate.Review = dist.Sum(nil) }}}, ends,
		},
		{"before an approval that does not name it", []ballot{early}, ends},
		{"taken back", []ballot{early, {by: "bob", statement: names(early)}}, counts},
		{"taken back with another key", []ballot{token, {by: "alice", statement: names(token)}}, counts},
		{"taken back, whatever the clocks say", []ballot{tomorrow, {by: "bob", statement: names(tomorrow)}}, counts},
		{"that nobody but others takes back", []ballot{carols, {by: "alice", statement: names(carols)}}, ends},
		{
			"taken back and said again",
			[]ballot{early, {by: "bob", statement: names(early)}, {by: "bob", reject: true, issued: ago(time.Minute)}}, ends,
		},
		{
			"taken back by an approval that has expired",
			[]ballot{carols, {by: "carol", issued: ago(day), holds: time.Hour, statement: names(carols)}},
			outcome{rejected, nil, []rule.ID{rule.VoteTime}},
		},
		{
			"taken back by an approval of another release",
			[]ballot{carols, {by: "carol", statement: func(v *vote) { v.Subject = dist.Sum(nil); names(carols)(v) }}},
			outcome{rejected, nil, []rule.ID{rule.VoteRelease}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, w, append([]ballot{{by: "alice"}, {by: "bob"}}, test.votes...), test.want)
		})
	}
}

// expect counts the votes in two orders: the order decides nothing.
func expect(t *testing.T, w *world, votes []ballot, want outcome) {
	t.Helper()
	var records []staging.Record
	for _, b := range votes {
		records = append(records, w.cast(t, b))
	}
	want.refused = slices.Sorted(slices.Values(want.refused))
	for range 2 {
		got := count(t, w, records)
		slices.Sort(got.have)
		slices.Sort(got.refused)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		slices.Reverse(records)
	}
}

type outcome struct {
	what    string
	have    []string  // whose approvals count
	refused []rule.ID // by votes that do not count
}

// count is what Check makes of the records.
func count(t *testing.T, w *world, records []staging.Record) (got outcome) {
	t.Helper()
	a, err := approval.Check(w.staged, records, theRun, w.policy, noon)
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
	if _, err := approval.Check(w.staged, votes, theRun, w.policy, time.Time{}); err == nil {
		t.Error("approved at no time")
	}
	if _, err := approval.Check(staging.Staged{}, votes, theRun, w.policy, noon); err == nil {
		t.Error("approved nothing")
	}
	if _, err := approval.Check(w.staged, votes, theRun, approval.Policy{}, noon); err == nil {
		t.Error("approved under no policy")
	}
	if _, err := approval.Check(w.staged, votes, theRun, w.policy, noon.AddDate(0, 1, 0)); err == nil {
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
	_, err := approval.Check(w.staged, []staging.Record{no}, theRun, w.policy, noon)
	want := rule.Refusals{{
		File: w.staged.Digest().String(), Rule: rule.ReleaseRejected, Want: "no rejection by anyone on the list",
		Got:  "carol@example.org rejected it at 2026-11-20T11:00:00Z: test keys in the wheel",
		Hint: "carol@example.org can take it back with distgate approve; otherwise repair the build and stage again",
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
	_, err = approval.Check(w.staged, nil, theRun, w.policy, noon)
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
	a, err := approval.Check(opened, records, theRun, w.policy, noon)
	check(t, err)
	if len(a.Ballots()) != 2 {
		t.Errorf("got %d ballots", len(a.Ballots()))
	}
}

// A ballot says what its signer said, and nothing else makes an Approved.
func TestBallot(t *testing.T) {
	w := newWorld(t)
	said := w.cast(t, ballot{by: "alice", statement: func(v *vote) {
		v.Predicate.Acknowledged, v.Predicate.Reason = []rule.ID{"new-pth"}, "looked at it"
	}})
	a, err := approval.Check(w.staged, []staging.Record{said, w.cast(t, ballot{by: "bob"})}, theRun, w.policy, noon)
	check(t, err)
	want := approval.Ballot{
		Road:      approval.Signed,
		Statement: dist.Sum(said.Statement), Decision: approval.Approve, By: "alice@example.org", GitHub: 1,
		Key:          ssh.FingerprintSHA256(w.keys["alice"].PublicKey()),
		Acknowledged: []rule.ID{"new-pth"}, Rejections: []dist.Digest{}, Reason: "looked at it",
		Issued: noon.Add(-time.Hour), Expires: noon.Add(7*day - time.Hour),
	}
	ballots := a.Ballots()
	i := slices.IndexFunc(ballots, func(b approval.Ballot) bool { return b.GitHub == 1 })
	if diff := cmp.Diff(want, ballots[i]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, proof := range []any{a} {
		if raw, err := json.Marshal(proof); err != nil || string(raw) != "{}" {
			t.Errorf("a proof is encoded: %s, %v", raw, err)
		}
	}
	ballots[i].GitHub = 2
	if a.Ballots()[i].GitHub != 1 {
		t.Error("a proof was changed from outside")
	}
}

// Bob signs the very bytes of Alice's rejection, and takes them back: his word is
// gone, and hers stands.
func TestNobodyTakesBackWhatAnotherSaid(t *testing.T) {
	w := newWorld(t)
	hers, his := w.cast(t, ballot{by: "alice", reject: true}), w.cast(t, ballot{by: "bob", reject: true})
	if !bytes.Equal(hers.Statement, his.Statement) {
		t.Fatal("want one statement")
	}
	yes := w.cast(t, ballot{by: "bob", statement: func(v *vote) { v.Predicate.Rejections = []dist.Digest{dist.Sum(hers.Statement)} }})
	carols := w.cast(t, ballot{by: "carol"})
	for _, records := range [][]staging.Record{{hers, his, yes, carols}, {his, hers, yes, carols}, {yes, carols, his, hers}} {
		_, err := approval.Check(w.staged, records, theRun, w.policy, noon)
		var no rule.Refusals
		if !errors.As(err, &no) || no[0].Rule != rule.ReleaseRejected || !strings.HasPrefix(no[0].Got, "alice@") {
			t.Errorf("want the release to stay rejected by alice, got %v", err)
		}
		standing, err := approval.Rejections(w.staged, records, w.policy, noon)
		check(t, err)
		if len(standing) != 1 {
			t.Errorf("want 1 rejection that stands, got %d", len(standing))
		}
	}
}
