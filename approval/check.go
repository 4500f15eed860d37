package approval

import (
	"cmp"
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
	Road         Road          `json:"road"`
	Statement    dist.Digest   `json:"statement,omitzero"` // of the bytes that were signed
	Decision     Decision      `json:"decision"`
	By           string        `json:"by"`            // the person's name
	GitHub       int64         `json:"github"`        // the person's id
	Key          string        `json:"key,omitempty"` // fingerprint of what signed, "SHA256:…"
	Run          string        `json:"run,omitempty"` // whose environment was reviewed
	Acknowledged []rule.ID     `json:"acknowledged"`
	Rejections   []dist.Digest `json:"rejections"`
	Reason       string        `json:"reason"`
	Issued       time.Time     `json:"issued"` // of a review, which has no time: the earliest there is
	Expires      time.Time     `json:"expires"`
}

// Approved is the proof that enough people said yes to a staged release, and
// none of them no, at the time of the check. Only [Check] makes one.
type Approved struct {
	staged  staging.Staged
	run     string
	solo    bool
	ballots []Ballot
	refused rule.Refusals
}

// Staged is the release that was approved.
func (a Approved) Staged() staging.Staged { return a.staged }

// Run is the workflow run that may publish it: whose reviews were counted, and
// who started which was asked.
func (a Approved) Run() string { return a.run }

// Ballots are the approvals that count, one for each person, oldest first.
func (a Approved) Ballots() []Ballot { return slices.Clone(a.ballots) }

// Refused are the votes that do not count, and why. They decided nothing.
func (a Approved) Refused() rule.Refusals { return slices.Clone(a.refused) }

// Solo tells that one person builds and approves; every page says so.
func (a Approved) Solo() bool { return a.solo }

// IsZero tells that nothing was approved.
func (a Approved) IsZero() bool { return a.staged.IsZero() }

// Waiting is the error that means "not yet": nobody said no, and too few people
// said yes.
type Waiting struct {
	Release dist.Digest   `json:"release"`
	Roads   []Road        `json:"roads"`          // by which approvals count
	Run     string        `json:"run,omitempty"`  // where environment reviews count
	Until   time.Time     `json:"until,omitzero"` // when those stop counting
	Have    int           `json:"have"`           // people
	Need    int           `json:"need"`           // people
	Ballots []Ballot      `json:"ballots"`        // the approvals that count
	May     []string      `json:"may"`            // who has not approved and could
	Seen    []rule.ID     `json:"seen"`           // what an approval says was seen
	Refused rule.Refusals `json:"refused"`        // votes that do not count
	Former  bool          `json:"former"`         // the policy has enough; the one before it, which it changes, has not

	// Before is what the policy before waits for, where this one waits too: both
	// must have enough.
	Before *Waiting `json:"before,omitempty"`
}

func (w Waiting) Error() string {
	return fmt.Sprintf("%s has %d of %d approvals; who may approve: %s",
		w.Release, w.Have, w.Need, strings.Join(w.May, ", "))
}

// Check counts the votes on a staged release: the signed ones among its records,
// and the reviews of the run that publishes. It returns [Waiting] where there are
// too few approvals, and refusals where somebody on the list said no or where the
// policy is none.
//
// A signed vote counts where its signature is by a key of a person on the list.
// An approval must hold in everything else too: its road, who gave it, the key
// valid when it was made and now, the release, the facts shown, its time. A
// rejection needs the release alone: a no is not overheard because its signer's
// clock was wrong, his key ran out or his page was made by another version. It
// ends the release until an approval of the same person that counts names it
// ([Vote]); clocks say nothing of that. A review that rejects ends the release
// for its run. What a person on the list signed and cannot be read could be a no,
// and is an error until the same person's approval names it.
//
// A person counts once, by however many roads. Who started a run does not count,
// unless there is only one person. A vote that does not count is reported with
// the rule that it broke, and takes nothing from the others. The order of the
// votes does not matter.
func Check(s staging.Staged, records []staging.Record, run Run, p Policy, now time.Time) (Approved, error) {
	if err := run.check(); err != nil {
		return Approved{}, err
	}
	t, err := count(s, records, run, p, now)
	if err != nil {
		return Approved{}, err
	}
	return Approved{staged: s, run: run.URL, solo: p.Solo, ballots: sorted(t.yes), refused: t.refused}, nil
}

// Count counts the signed votes, on a machine that knows of no run: who started
// one is not asked, and nothing is approved by it. What is known beside the files
// counts as far as it was asked for. It returns the approvals that
// count and the votes that do not, or the errors of [Check].
func Count(s staging.Staged, records []staging.Record, known Beside, p Policy, now time.Time) ([]Ballot, rule.Refusals, error) {
	t, err := count(s, records, Run{Beside: known}, p, now)
	return sorted(t.yes), t.refused, err
}

func count(s staging.Staged, records []staging.Record, run Run, p Policy, now time.Time) (tally, error) {
	t, err := newTally(s, run, p, now)
	if err != nil {
		return tally{}, err
	}
	t.addAll(records)
	if p.Former == nil {
		return t, t.outcome()
	}
	former := t.beside()
	former.addAll(records)
	for _, no := range former.refused {
		if !slices.Contains(t.refused, no) {
			t.refused = append(t.refused, no)
		}
	}
	return t, both(t.outcome(), former.outcome())
}

// both is the outcome where the list before must agree, too: somebody's no first.
func both(now, before error) error {
	var is, was Waiting
	switch {
	case now == nil && errors.As(before, &was):
		was.Former = true
		return was
	case errors.As(now, &is) && errors.As(before, &was):
		is.Before = &was
		return is
	case now == nil, errors.As(now, &is) && before != nil:
		return before
	}
	return now
}

func (t *tally) addAll(records []staging.Record) {
	for _, r := range records {
		t.hear(func(t *tally) (Ballot, rule.Refusals) { return t.judge(r) })
	}
	for _, r := range t.run.Reviews {
		t.hear(func(t *tally) (Ballot, rule.Refusals) { return t.judgeReview(r) })
	}
}

// hear adds a vote, if it is not one for the other list to count.
func (t *tally) hear(judge func(*tally) (Ballot, rule.Refusals)) {
	ballot, no := judge(t)
	if t.other != nil && strange(ballot, no) {
		if b, never := judge(t.beside()); !strange(b, never) {
			return
		}
	}
	t.add(ballot, no)
}

// Judge reads one vote on a staged release and says whose it is, or by which
// rules it would not count. Nothing is counted. A vote counts that is of the list, or of
// the one before where both must agree.
func Judge(s staging.Staged, r staging.Record, p Policy, now time.Time) (Ballot, error) {
	t, err := newTally(s, Run{}, p, now)
	if err != nil {
		return Ballot{}, err
	}
	ballot, no := t.judged(func(t *tally) (Ballot, rule.Refusals) { return t.judge(r) })
	return ballot, no.Err()
}

// judged is a vote by the list, or by the other one if that alone knows its voter.
func (t *tally) judged(judge func(*tally) (Ballot, rule.Refusals)) (Ballot, rule.Refusals) {
	ballot, no := judge(t)
	if t.other == nil || !strange(ballot, no) {
		return ballot, no
	}
	if b, beside := judge(t.beside()); !strange(b, beside) {
		return b, beside
	}
	return ballot, no
}

// strange tells that a vote is of nobody on the list.
func strange(b Ballot, no rule.Refusals) bool {
	return len(no) > 0 && b.GitHub == 0 && (no[0].Rule == rule.VoteSigner || no[0].Rule == rule.VoteStranger)
}

// beside is an empty tally of the same facts by the people, keys and numbers of the
// other policy.
func (t *tally) beside() *tally {
	other := emptyTally(t.review, t.shown, t.run, *t.other, t.now)
	other.other = &t.policy
	return &other
}

// Rejections are the statements that stand against a release, for an approval
// to name: signed rejections that nobody took back, and what people on the list
// signed that cannot be read as a vote.
func Rejections(s staging.Staged, records []staging.Record, p Policy, now time.Time) ([]dist.Digest, error) {
	t, err := newTally(s, Run{}, p, now)
	if err != nil {
		return nil, err
	}
	t.addAll(records)
	digests := t.standingStatements()
	if p.Former != nil {
		former := t.beside()
		former.addAll(records)
		digests = append(digests, former.standingStatements()...)
	}
	slices.SortFunc(digests, byHex)
	return slices.Compact(digests), nil
}

func (t *tally) standingStatements() (digests []dist.Digest) {
	for _, b := range t.standing() {
		digests = append(digests, b.Statement)
	}
	for said := range t.unread {
		if !t.takenBack(said) {
			digests = append(digests, said.statement)
		}
	}
	return digests
}

// newTally begins to count the votes on a release, under a policy that could
// be satisfied.
func newTally(s staging.Staged, run Run, p Policy, now time.Time) (tally, error) {
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
	return emptyTally(review, shown, run, p, now), err
}

func emptyTally(review Review, shown dist.Digest, run Run, p Policy, now time.Time) tally {
	return tally{review: review, shown: shown, run: run, policy: p, other: p.Former, now: now,
		yes: map[int64]Ballot{}, ended: map[int64]Ballot{}, no: map[said]Ballot{},
		unread: map[said]string{}, back: map[dist.Digest][]int64{}}
}

// tally is the counting of one release's votes.
type tally struct {
	review  Review
	shown   dist.Digest // of the review
	run     Run
	policy  Policy
	other   *Policy // that must be satisfied too, and may have others on its list
	now     time.Time
	yes     map[int64]Ballot        // the latest approval of each person, by GitHub id
	no      map[said]Ballot         // every rejection
	unread  map[said]string         // signed by whom, and no vote that can be read
	back    map[dist.Digest][]int64 // who takes a statement back
	ended   map[int64]Ballot        // rejections that nothing takes back, by GitHub id
	refused rule.Refusals
}

// said is a statement that a person signed. Several can sign the same bytes, one
// of them so as to take them back for another.
type said struct {
	statement dist.Digest
	by        int64 // GitHub id
}

func (t *tally) add(b Ballot, no rule.Refusals) {
	if len(no) > 0 {
		t.refused = append(t.refused, no...)
		return
	}
	latest := t.yes
	switch {
	case b.Decision == Reject && b.Road == Environment:
		latest = t.ended
	case b.Decision == Reject:
		t.no[said{b.Statement, b.GitHub}] = b
		return
	}
	for _, d := range b.Rejections {
		t.back[d] = append(t.back[d], b.GitHub)
	}
	if old, voted := latest[b.GitHub]; !voted || later(b, old) > 0 {
		latest[b.GitHub] = b
	}
}

// later orders ballots by time, and at the same second by statement and person, so
// that the order in which they were found changes nothing.
func later(a, b Ballot) int {
	return cmp.Or(a.Issued.Compare(b.Issued), strings.Compare(a.Statement.Hex(), b.Statement.Hex()), cmp.Compare(a.GitHub, b.GitHub))
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
		t.unread[said{digest, person.GitHub}] = person.Name()
		return refuse(f)
	}
	vote := statement.Predicate
	return Ballot{
		Road: Signed, Statement: digest, Decision: vote.Decision, By: person.Name(), GitHub: person.GitHub,
		Key: ssh.FingerprintSHA256(key.key), Acknowledged: vote.Acknowledged, Rejections: vote.Rejections, Reason: vote.Reason,
		Issued: vote.Issued, Expires: vote.Expires,
	}, t.compare(file+" by "+person.Name(), statement, key, person)
}

const (
	voteHint     = "vote again with distgate approve or distgate reject"
	roadHint     = "vote by a road of the policy, or add this one to approval.roads and stage again"
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
func (t *tally) compare(file string, s attest.Statement[Vote], key *allowedKey, who Person) (no rule.Refusals) {
	for _, row := range slices.Concat(t.rows(s, key), t.ofVoter(Signed, who.GitHub), t.unseen(s.Predicate.Acknowledged)) {
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

// ofVoter are the rules about who approves, and by which road.
func (t *tally) ofVoter(road Road, github int64) []voteRow {
	return []voteRow{
		{
			id: rule.VoteRoad, holds: t.policy.Counts(road), want: fmt.Sprintf("an approval by the road %q", t.policy.Roads),
			got: quoted(string(road)), hint: roadHint,
		},
		{
			id: rule.VoteSelf, holds: t.policy.Solo || !slices.Contains(t.run.Starters, github),
			want: "somebody who started neither the build nor the run that publishes", got: "who started one of them",
			hint: "let somebody else on the list approve, or start the run by somebody who is not asked to approve it",
		},
	}
}

// unseen is the rule about what an approval must say was seen.
func (t *tally) unseen(seen []rule.ID) []voteRow {
	unseen := Unseen(t.looks(), seen)
	return []voteRow{
		{
			id: rule.VoteUnseen, holds: len(unseen) == 0, want: "every finding to look at said to be seen",
			got: "no word of " + join(unseen, ", "), hint: "look at them in the review; then approve again, with --acknowledge " +
				join(unseen, ",") + ", or in a comment with a line for each: seen " + join(unseen, ", seen "),
		},
	}
}

// looks are all that is found to be looked at, in the files and beside them.
func (t *tally) looks() []rule.Finding { return slices.Concat(t.review.Findings(), t.run.Findings()) }

func join(ids []rule.ID, between string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, between)
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

// takenBack tells whether an approval that counts takes back what the same
// person said in the statement. Times say nothing of that: clocks differ.
func (t *tally) takenBack(s said) bool { return slices.Contains(t.back[s.statement], s.by) }

// standing are the signed rejections that nobody took back, oldest first.
func (t *tally) standing() (list []Ballot) {
	for s, b := range t.no {
		if !t.takenBack(s) {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, later)
	return list
}

// outcome is nil where enough people said yes and nobody's no stands.
func (t *tally) outcome() error {
	var rejected rule.Refusals
	for _, b := range sorted(t.ended) {
		delete(t.yes, b.GitHub)
		rejected = append(rejected, rule.Refusal{
			File: t.review.Release.String(), Rule: rule.ReleaseRejected,
			Want: "no rejection by anyone on the list", Got: fmt.Sprintf("%s rejected it in %s", b.By, b.Run) + because(b),
			Hint: "it is ended for this run; repair the build and stage again, or vote in a new run of the release workflow",
		})
	}
	for _, b := range t.standing() {
		delete(t.yes, b.GitHub)
		rejected = append(rejected, rule.Refusal{
			File: t.review.Release.String(), Rule: rule.ReleaseRejected,
			Want: "no rejection by anyone on the list", Got: rejection(b),
			Hint: b.By + " can take it back with distgate approve; otherwise repair the build and stage again",
		})
	}
	if len(rejected) > 0 {
		return append(rejected, t.refused...)
	}
	for s, by := range t.unread {
		if !t.takenBack(s) {
			return fmt.Errorf("votes: %s signed %s, which is no vote that can be read here and could be a rejection; "+
				"let %s vote again", by, s.statement, by)
		}
	}
	if len(t.yes) >= t.policy.Need {
		return nil
	}
	w := Waiting{Release: t.review.Release, Roads: t.review.Voting.Roads, Have: len(t.yes), Need: t.policy.Need,
		Ballots: sorted(t.yes), May: t.may(), Seen: Unseen(t.looks(), nil), Refused: t.refused}
	if t.run.URL != "" && t.policy.Counts(Environment) {
		w.Run, w.Until = t.run.URL, t.run.Since.Add(t.policy.MaxAge)
	}
	return w
}

func rejection(b Ballot) string {
	return fmt.Sprintf("%s rejected it at %s", b.By, b.Issued.Format(time.RFC3339)) + because(b)
}

func because(b Ballot) string {
	if b.Reason == "" {
		return ""
	}
	return ": " + b.Reason
}

// may are the people who have not approved and could.
func (t *tally) may() (names []string) {
	for _, voter := range t.policy.voters(t.run, t.now) {
		if _, voted := t.yes[voter.GitHub]; !voted {
			names = append(names, voter.Name())
		}
	}
	return names
}
