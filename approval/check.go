package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Ballot is the plain part of a vote that counts.
type Ballot struct {
	Statement    dist.Digest `json:"statement"` // of the bytes that were signed
	Decision     Decision    `json:"decision"`
	By           string      `json:"by"`     // the person's name
	GitHub       int64       `json:"github"` // the person's id
	Key          string      `json:"key"`    // fingerprint, "SHA256:…"
	Acknowledged []rule.ID   `json:"acknowledged"`
	Reason       string      `json:"reason"`
	Issued       time.Time   `json:"issued"`
	Expires      time.Time   `json:"expires"`
}

// Approved is the proof that enough people said yes to a staged release, and
// none of them no, at the time of the check. Only [Check] makes one.
type Approved struct {
	staged  staging.Staged
	solo    bool
	ballots []Ballot
	refused rule.Refusals
}

// Staged is the release that was approved.
func (a Approved) Staged() staging.Staged { return a.staged }

// Ballots are the approvals that count, one for each person, oldest first.
func (a Approved) Ballots() []Ballot { return slices.Clone(a.ballots) }

// Refused are the votes that do not count, and why. They decided nothing.
func (a Approved) Refused() rule.Refusals { return slices.Clone(a.refused) }

// Solo tells that one person builds and approves; every page says so.
func (a Approved) Solo() bool { return a.solo }

// IsZero tells that nothing was approved.
func (a Approved) IsZero() bool { return len(a.ballots) == 0 }

// Waiting is the error that means "not yet": nobody said no, and too few people
// said yes.
type Waiting struct {
	Release dist.Digest   `json:"release"`
	Have    int           `json:"have"`    // people
	Need    int           `json:"need"`    // people
	Ballots []Ballot      `json:"ballots"` // the approvals that count
	May     []string      `json:"may"`     // who has not approved and could
	Refused rule.Refusals `json:"refused"` // votes that do not count
}

func (w Waiting) Error() string {
	return fmt.Sprintf("%s has %d of %d approvals; who may approve: %s",
		w.Release, w.Have, w.Need, strings.Join(w.May, ", "))
}

// Check counts the votes among the records of a staged release. It returns
// [Waiting] where there are too few approvals, and refusals where somebody on
// the list said no or where the policy is none.
//
// A vote counts where its signature is by a key of a person on the list. An
// approval must hold in everything else too: the key valid when it was made and
// now, the release, the facts shown, its time. A rejection needs the release
// alone: a no is not overheard because its signer's clock was wrong, his key
// ran out or his page was made by another version. It ends the release until an
// approval of the same person that counts is later than it; at the same second
// the no stands.
//
// A record that does not count is reported with the rule that it broke, and
// takes nothing from the others. The order of the records does not matter.
func Check(s staging.Staged, records []staging.Record, p Policy, now time.Time) (Approved, error) {
	t, err := newTally(s, p, now)
	if err != nil {
		return Approved{}, err
	}
	for _, r := range records {
		t.add(r)
	}
	if err := t.outcome(); err != nil {
		return Approved{}, err
	}
	return Approved{staged: s, solo: p.Solo, ballots: sorted(t.yes), refused: t.refused}, nil
}

// Judge reads one vote on a staged release and says whose it is, or by which
// rules it would not count. Nothing is counted.
func Judge(s staging.Staged, r staging.Record, p Policy, now time.Time) (Ballot, error) {
	t, err := newTally(s, p, now)
	if err != nil {
		return Ballot{}, err
	}
	ballot, no := t.judge(r)
	return ballot, no.Err()
}

// newTally begins to count the votes on a release, under a policy that could
// be satisfied.
func newTally(s staging.Staged, p Policy, now time.Time) (tally, error) {
	if now.IsZero() {
		return tally{}, errors.New("votes: want the time at which they are counted, got none")
	}
	review, err := Show(s, p)
	if err != nil {
		return tally{}, err
	}
	if err := p.Check(now); err != nil {
		return tally{}, err
	}
	shown, err := review.Digest()
	return tally{review: review, shown: shown, policy: p, now: now, yes: map[int64]Ballot{}, no: map[int64]Ballot{}}, err
}

// tally is the counting of one release's votes.
type tally struct {
	review  Review
	shown   dist.Digest // of the review
	policy  Policy
	now     time.Time
	yes, no map[int64]Ballot // the latest of each person, by GitHub id
	refused rule.Refusals
}

func (t *tally) add(r staging.Record) {
	b, no := t.judge(r)
	if len(no) > 0 {
		t.refused = append(t.refused, no...)
		return
	}
	latest := t.yes
	if b.Decision == Reject {
		latest = t.no
	}
	if old, voted := latest[b.GitHub]; !voted || later(b, old) > 0 {
		latest[b.GitHub] = b
	}
}

// later orders ballots by time, and at the same second by statement, so that the
// order in which they were found changes nothing.
func later(a, b Ballot) int {
	if c := a.Issued.Compare(b.Issued); c != 0 {
		return c
	}
	return strings.Compare(a.Statement.Hex(), b.Statement.Hex())
}

func sorted(ballots map[int64]Ballot) (list []Ballot) {
	for _, b := range ballots {
		list = append(list, b)
	}
	slices.SortFunc(list, later)
	return list
}

// fault is a rule of voting that a record broke.
type fault struct {
	id rule.ID
	flaw
}

// judge reads one record: whose it is before what it says.
func (t *tally) judge(r staging.Record) (Ballot, rule.Refusals) {
	digest := dist.Sum(r.Statement)
	file := "vote " + digest.Hex()[:16]
	refuse := func(f *fault) (Ballot, rule.Refusals) {
		return Ballot{}, rule.Refusals{{File: file, Rule: f.id, Want: f.want, Got: f.got, Hint: f.hint}}
	}
	key, f := t.signer(r)
	if f != nil {
		return refuse(f)
	}
	person, ok := t.policy.Person(key.key)
	if !ok {
		return refuse(&fault{rule.VoteSigner,
			flaw{"a person on the list", strings.Join(key.principals, ", "), strangerHint}})
	}
	statement, f := decodeVote(r.Statement)
	if f != nil {
		return refuse(f)
	}
	vote := statement.Predicate
	return Ballot{
		Statement: digest, Decision: vote.Decision, By: person.Name(), GitHub: person.GitHub,
		Key: ssh.FingerprintSHA256(key.key), Acknowledged: vote.Acknowledged, Reason: vote.Reason,
		Issued: vote.Issued, Expires: vote.Expires,
	}, t.compare(file+" by "+person.Name(), statement, key)
}

const (
	voteHint     = "vote again with distgate approve or distgate reject"
	strangerHint = "to let this person vote, add the key and the person to the policy and stage again"
	reviewHint   = "look at this release with distgate review and vote for what it shows"
	freshHint    = "approve again; if the time is wrong, correct the clock of the machine that signs"
)

// signer is the listed key that signed the record.
func (t *tally) signer(r staging.Record) (*allowedKey, *fault) {
	if r.Kind != RecordKind {
		return nil, &fault{rule.VoteRecord, flaw{"a record of kind " + RecordKind, quoted(r.Kind), voteHint}}
	}
	if len(r.Statement) == 0 || len(r.Statement) > maxStatementSize {
		return nil, &fault{rule.VoteRecord, flaw{fmt.Sprintf("a statement of 1 to %d bytes", maxStatementSize),
			fmt.Sprintf("%d bytes", len(r.Statement)), voteHint}}
	}
	sig, f := parseSignature(r.SSHSIG)
	if f != nil {
		return nil, &fault{rule.VoteSignature, *f}
	}
	fingerprint := ssh.FingerprintSHA256(sig.PublicKey)
	key := t.policy.Signers.find(sig.PublicKey)
	if key == nil {
		return nil, &fault{rule.VoteSigner, flaw{"a key in " + t.policy.Signers.file, fingerprint, strangerHint}}
	}
	if err := verifySignature(r.Statement, sig, key.key); err != nil {
		return nil, &fault{rule.VoteSignature, flaw{"a signature of " + fingerprint + " over this statement",
			quoted(err.Error()), signatureHint}}
	}
	return key, nil
}

// decodeVote reads a statement whose signature was verified.
func decodeVote(raw []byte) (attest.Statement[Vote], *fault) {
	s, err := attest.Decode[Vote]("vote", raw, VoteType)
	if err != nil {
		got := quoted(err.Error())
		if no := (rule.Refusals)(nil); errors.As(err, &no) && len(no) > 0 {
			got = quoted(no[0].Got)
		}
		return s, &fault{rule.VoteRecord, flaw{"a vote in its one encoding", got, voteHint}}
	}
	if want, got := s.Predicate.wellFormed(); want != "" {
		return s, &fault{rule.VoteRecord, flaw{want, got, voteHint}}
	}
	return s, nil
}

// voteRow is one rule about what a vote says: a new rule is a new row.
type voteRow struct {
	id        rule.ID
	rejection bool // binds a rejection too
	holds     bool
	want, got string
	hint      string
}

// compare holds the vote against the release, the clock and its key. A vote for
// another release breaks every other rule too, and one is enough to say so.
func (t *tally) compare(file string, s attest.Statement[Vote], key *allowedKey) (no rule.Refusals) {
	for _, row := range t.rows(s, key) {
		if row.holds || s.Predicate.Decision == Reject && !row.rejection {
			continue
		}
		no = append(no, rule.Refusal{File: file, Rule: row.id, Want: row.want, Got: row.got, Hint: row.hint})
		if row.id == rule.VoteRelease {
			break
		}
	}
	return no
}

func (t *tally) rows(s attest.Statement[Vote], key *allowedKey) []voteRow {
	v, r := s.Predicate, t.review
	same := func(id rule.ID, what, want, got string) voteRow {
		return voteRow{id: id, holds: want == got,
			want: what + " " + quoted(want), got: quoted(got), hint: reviewHint}
	}
	release := same(rule.VoteRelease, "release", r.Release.String(), s.Subject.String())
	release.rejection = true
	valid := "a key valid " + key.validity()
	issued, expires := v.Issued.Format(time.RFC3339), v.Expires.Format(time.RFC3339)
	now := t.now.UTC().Format(time.RFC3339)
	return []voteRow{
		release,
		same(rule.VoteBinding, "subject", r.subject(), s.Name),
		same(rule.VoteBinding, "project", r.Project, v.Project),
		same(rule.VoteBinding, "version", r.Version, v.Version),
		same(rule.VoteBinding, "index", r.Index, v.Index),
		same(rule.VoteBinding, "environment", r.Environment, v.Environment),
		same(rule.VoteBinding, "policy", r.Policy.Digest.String(), v.Policy.String()),
		same(rule.VoteBinding, "review", t.shown.String(), v.Review.String()),
		{rule.VoteSigner, false, key.validAt(v.Issued), valid, "signed at " + issued, strangerHint},
		{rule.VoteSigner, false, key.validAt(t.now), valid, "counted at " + now, strangerHint},
		{rule.VoteTime, false, v.Issued.Before(t.now.Add(maxSkew)), "issued before " + now, issued, freshHint},
		{rule.VoteTime, false, t.now.Before(v.Expires), "not expired at " + now, expires, freshHint},
		{
			rule.VoteTime, false, t.now.Sub(v.Issued) <= t.policy.MaxAge,
			"not older than " + t.policy.MaxAge.String() + " at " + now, "issued at " + issued, freshHint,
		},
	}
}

// outcome is nil where enough people said yes and nobody's no stands.
func (t *tally) outcome() error {
	var rejected rule.Refusals
	for _, b := range sorted(t.no) {
		if yes, ok := t.yes[b.GitHub]; ok && yes.Issued.After(b.Issued) {
			continue
		}
		delete(t.yes, b.GitHub)
		rejected = append(rejected, rule.Refusal{
			File: t.review.Release.String(), Rule: rule.ReleaseRejected,
			Want: "no rejection by anyone on the list", Got: rejection(b),
			Hint: b.By + " can take it back with a later distgate approve; otherwise repair the build and stage again",
		})
	}
	if len(rejected) > 0 {
		return append(rejected, t.refused...)
	}
	if len(t.yes) >= t.policy.Need {
		return nil
	}
	return Waiting{Release: t.review.Release, Have: len(t.yes), Need: t.policy.Need,
		Ballots: sorted(t.yes), May: t.may(), Refused: t.refused}
}

func rejection(b Ballot) string {
	text := fmt.Sprintf("%s rejected it at %s", b.By, b.Issued.Format(time.RFC3339))
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

// may are the people who have not approved and could.
func (t *tally) may() (names []string) {
	for _, person := range t.policy.voters(t.now) {
		if _, voted := t.yes[person.GitHub]; !voted {
			names = append(names, person.Name())
		}
	}
	return names
}
