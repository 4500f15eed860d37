package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// RecordType is the predicate type of an audit record's statement.
const RecordType = "https://github.com/distgate/distgate/audit/v1"

// maxSkew is how far the clock of who signed may be ahead.
const maxSkew = 5 * time.Minute

// Record is what came of the rules about settings, as somebody saw them who may
// see more than a job: the predicate of a statement about the policy that they were
// judged by. It is a claim, and counts only for its signer.
type Record struct {
	Repository   string    `json:"repository"`   // "owner/name"
	RepositoryID string    `json:"repositoryId"` // survives a rename
	Rules        []Noted   `json:"rules"`
	Issued       time.Time `json:"issued"` // UTC, whole seconds
	Expires      time.Time `json:"expires"`
}

// Noted is one rule of a record.
type Noted struct {
	Rule    rule.ID `json:"rule"`
	Verdict Verdict `json:"verdict"`
}

// Record keeps what the report says of settings, for as long as it holds and no
// waiver that it needed has ended.
func (r Report) Record(repository, id string, now time.Time, holds time.Duration) Record {
	now = now.UTC().Truncate(time.Second)
	rec := Record{Repository: repository, RepositoryID: id, Rules: []Noted{}, Issued: now, Expires: now.Add(holds.Truncate(time.Second))}
	for _, a := range r.Answers {
		if !a.Rule.asksSettings() {
			continue
		}
		rec.Rules = append(rec.Rules, Noted{a.Rule.ID, a.Verdict})
		for _, w := range a.Waived {
			if end := w.Until.end(); end.Before(rec.Expires) {
				rec.Expires = end
			}
		}
	}
	return rec
}

// Statement is the record of an audit under the policy file of that digest, ready
// to be signed.
func (rec Record) Statement(policy dist.Digest) ([]byte, error) {
	return attest.Encode(attest.Statement[Record]{Name: "distgate.toml", Subject: policy, Type: RecordType, Predicate: rec})
}

// DecodeRecord reads what [Record.Statement] wrote, and refuses any other bytes.
// It returns the digest of the policy file, too.
func DecodeRecord(file string, raw []byte) (Record, dist.Digest, error) {
	s, err := attest.Decode[Record](file, raw, RecordType)
	return s.Predicate, s.Subject, err
}

// Check refuses a record that is not of this repository, or is not fresh: one that
// is older than maxAge, whatever it says itself, or that is of the future.
func (rec Record) Check(file, repository, id string, now time.Time, maxAge time.Duration) error {
	day := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	var no rule.Refusals
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{strings.EqualFold(rec.Repository, repository) && rec.RepositoryID == id, "of " + repository + ", number " + id,
			rec.Repository + ", number " + rec.RepositoryID},
		{!rec.Issued.After(now.Add(maxSkew)), "made before " + day(now), "of " + day(rec.Issued)},
		{now.Before(rec.Expires), "one that holds on " + day(now), "until " + day(rec.Expires)},
		{now.Sub(rec.Issued) <= maxAge, "not older than " + maxAge.String(), "of " + day(rec.Issued)},
	} {
		if !row.holds {
			no = append(no, rule.Refusal{File: file, Rule: rule.AuditRecord, Want: row.want, Got: row.got, Hint: RecordHint})
		}
	}
	return no.Err()
}

// RecordHint is what to do where a record is needed.
const RecordHint = "an administrator on the policy's list runs distgate audit --sign KEY, and brings both files to the default branch"

// Believe is the report with what the record says of the rules that a job's token
// cannot answer, where it could not. What was seen here stays, and so does what a job
// could have seen.
func (r Report) Believe(rec Record) Report {
	believed := Report{Answers: slices.Clone(r.Answers)}
	for i, a := range believed.Answers {
		at := slices.IndexFunc(rec.Rules, func(n Noted) bool { return n.Rule == a.Rule.ID })
		if !a.leaves() || at < 0 {
			continue
		}
		on := rec.Issued.UTC().Format(time.DateOnly)
		switch verdict := rec.Rules[at].Verdict; verdict {
		case Holds, DoesNotApply, IsWaived:
			a.Verdict, a.Gaps = verdict, []Gap{}
		case Broken:
			a.Verdict, a.Spots = Broken, []Spot{{Setting: "audit of " + on, Got: "it was found broken"}}
		default:
			a.Gaps = []Gap{{What: fmt.Sprintf("the audit of %s could not see it either", on), Needs: "an administrator's token"}}
		}
		believed.Answers[i] = a
	}
	return believed
}

// WantsRecord tells whether a rule is required that a job's token cannot answer, and
// this one could not.
func (r Report) WantsRecord(d Demand) bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.leaves() && slices.Contains(d.Require, a.Rule.ID) })
}

// leaves tells whether the rule is left to a record: it takes an administrator, and
// nothing but a permission is missing. A failure, as by a rate limit, shows nothing.
func (a Answer) leaves() bool {
	failed := func(g Gap) bool { return g.Needs == "" }
	return a.Verdict == CannotSee && a.Rule.Admin && !slices.ContainsFunc(a.Gaps, failed)
}
