package approval

import (
	"errors"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Recount counts the votes on a release that was published, as of then: for
// whoever has its manifest and its records, and not its files. The policy is
// that of the one who counts, with the people and the keys that he believes; of
// a key that is no longer in use, allowed_signers says until when it was.
//
// What each vote says is held against the manifest, which hashes to the release
// digest. Only the facts that its signer was shown cannot be shown again without
// the files. Where the run that published is not known, an empty Run is given,
// and who started it is not asked. Nothing is approved by a recount. It returns
// the approvals that count and the votes that do not, or the errors of [Check].
//
// A rejection that was issued after the publication is of what was out by then, and
// passed over. Of what cannot be read nobody knows when it was signed: it could be a
// no that was not heard, and is an error until its signer approves the release and
// names it, be it today. That takes back no rejection that can be read.
func Recount(r staging.Release, records []staging.Record, run Run, p Policy, published time.Time) ([]Ballot, rule.Refusals, error) {
	if r.Digest.IsZero() || published.IsZero() {
		return nil, nil, errors.New("votes: want a release and when it was published; got less")
	}
	if err := p.Check(published); err != nil {
		return nil, nil, err
	}
	m := r.Manifest
	review := Review{Release: r.Digest, Project: m.Project, Version: m.Version, Index: m.Index,
		Environment: m.Environment, Policy: m.Policy, Voting: Voting{Need: p.Need, Roads: p.Roads}}
	t := emptyTally(review, dist.Digest{}, run, p, published)
	var afterwards []staging.Record
	for _, record := range records {
		t.shown = shownTo(record)
		b, no := t.judge(record)
		late := b.Issued.After(published)
		if len(no) == 0 && b.Decision == Reject && late {
			continue
		}
		t.add(b, no)
		if b.Decision == Approve && late {
			afterwards = append(afterwards, record)
		}
	}
	for _, record := range afterwards {
		t.explain(record)
	}
	for _, review := range run.Reviews {
		t.add(t.judgeReview(review))
	}
	return sorted(t.yes), t.refused, t.outcome()
}

// explain takes an approval that was given after the publication for its signer's word
// that what it names, and cannot be read, is no rejection.
func (t *tally) explain(record staging.Record) {
	today := *t
	today.shown = shownTo(record)
	b, _ := today.judge(record)
	today.now = b.Issued
	if _, no := today.judge(record); len(no) > 0 {
		return
	}
	for _, d := range b.Rejections {
		delete(t.unread, said{d, b.GitHub})
	}
}

// shownTo is the digest of the facts that a vote says its signer was shown.
func shownTo(r staging.Record) dist.Digest {
	s, _ := attest.Decode[Vote]("vote", r.Statement, VoteType)
	return s.Predicate.Review
}
