package approval

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// VoteType is the predicate type of a vote's statement.
const VoteType = "https://github.com/distgate/distgate/vote/v1"

// RecordKind is the kind of record under which the store keeps votes.
const RecordKind = "vote"

const (
	maxStatementSize = 64 << 10
	maxAcknowledged  = 200
	maxReason        = 1000 // bytes
	maxRejections    = 200
)

// Decision is what a vote says. There is no abstention and no zero value.
type Decision string

const (
	Approve Decision = "approve"
	Reject  Decision = "reject"
)

// Vote is the predicate of a vote: one person's decision, and what the person
// was shown. The statement's subject is the release digest. Its bytes are those
// that [attest.Encode] writes, and a person signs exactly them.
type Vote struct {
	Decision     Decision    `json:"decision"`
	Project      string      `json:"project"`
	Version      string      `json:"version"`
	Index        string      `json:"index"`
	Environment  string      `json:"environment"`
	Policy       dist.Digest `json:"policyDigest"`
	Review       dist.Digest `json:"reviewDigest"` // of the facts shown, see [Review.Digest]
	Acknowledged []rule.ID   `json:"acknowledged"` // findings seen: sorted, each once, never null

	// Rejections are the rejections that stood when the vote was made, by the
	// digests of their statements: sorted, each once, never null. An approval
	// takes back those that its own signer made, and no others.
	Rejections []dist.Digest `json:"rejections"`

	Reason  string    `json:"reason"`  // one line in the person's own words, or ""
	Issued  time.Time `json:"issued"`  // UTC, whole seconds
	Expires time.Time `json:"expires"` // UTC, whole seconds; says nothing in a rejection
}

// Opinion is the part of a vote that the person adds to what was shown.
type Opinion struct {
	Decision     Decision
	Acknowledged []rule.ID
	Rejections   []dist.Digest // that stand, see [Rejections]
	Reason       string
	Issued       time.Time
	Holds        time.Duration // from Issued until the vote expires
}

// Statement is the vote on what this review shows, ready to be signed with
// [Sign] or with ssh-keygen -Y sign -n distgate.
func (r Review) Statement(o Opinion) ([]byte, error) {
	vote, err := r.vote(o)
	if err != nil {
		return nil, err
	}
	if want, got := vote.wellFormed(); want != "" {
		return nil, fmt.Errorf("vote: want %s, got %s", want, got)
	}
	return attest.Encode(attest.Statement[Vote]{
		Name: r.subject(), Subject: r.Release, Type: VoteType, Predicate: vote,
	})
}

func (r Review) vote(o Opinion) (Vote, error) {
	if r.Release.IsZero() {
		return Vote{}, errors.New("vote: want a review of a staged release, got an empty one")
	}
	digest, err := r.Digest()
	if err != nil {
		return Vote{}, err
	}
	seen := append([]rule.ID{}, o.Acknowledged...)
	slices.Sort(seen)
	rejections := append([]dist.Digest{}, o.Rejections...)
	slices.SortFunc(rejections, byHex)
	issued := o.Issued.UTC().Truncate(time.Second)
	return Vote{
		Decision: o.Decision,
		Project:  r.Project, Version: r.Version, Index: r.Index, Environment: r.Environment,
		Policy: r.Policy.Digest, Review: digest,
		Acknowledged: slices.Compact(seen), Rejections: slices.Compact(rejections), Reason: o.Reason,
		Issued: issued, Expires: issued.Add(o.Holds).Truncate(time.Second),
	}, nil
}

func byHex(a, b dist.Digest) int { return strings.Compare(a.Hex(), b.Hex()) }

// subject is the name that a statement about the release gives it.
func (r Review) subject() string { return r.Project + "-" + r.Version }

// wellFormed says what is wrong with a vote whatever release it is for. The
// first wish that does not hold is returned, or nothing.
func (v Vote) wellFormed() (want, got string) {
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{v.Decision == Approve || v.Decision == Reject, "decision approve or reject", quoted(string(v.Decision))},
		{v.Acknowledged != nil, "a list of rules acknowledged", "null"},
		{len(v.Acknowledged) <= maxAcknowledged, fmt.Sprintf("at most %d rules seen", maxAcknowledged), "more"},
		{ordered(v.Acknowledged), "rules acknowledged by id, sorted, each once", quoted(fmt.Sprint(v.Acknowledged))},
		{v.Rejections != nil, "a list of rejections", "null"},
		{len(v.Rejections) <= maxRejections, fmt.Sprintf("at most %d rejections", maxRejections), "more"},
		{slices.IsSortedFunc(v.Rejections, byHex) && len(slices.Compact(slices.Clone(v.Rejections))) == len(v.Rejections),
			"rejections by digest, sorted, each once", quoted(fmt.Sprint(v.Rejections))},
		{len(v.Reason) <= maxReason, fmt.Sprintf("a reason of at most %d bytes", maxReason), "more"},
		{oneLine(v.Reason), "a reason of one printable line", quoted(v.Reason)},
		{wholeSecond(v.Issued), "issued in UTC and whole seconds", v.Issued.String()},
		{wholeSecond(v.Expires), "expires in UTC and whole seconds", v.Expires.String()},
		{v.Expires.After(v.Issued), "expires after issued", v.Expires.String()},
	} {
		if !row.holds {
			return row.want, row.got
		}
	}
	return "", ""
}

func ordered(ids []rule.ID) bool {
	id := regexp.MustCompile(`^[a-z0-9]{1,64}(-[a-z0-9]{1,64}){0,8}$`)
	for i := range ids {
		if !id.MatchString(string(ids[i])) || i > 0 && ids[i-1] >= ids[i] {
			return false
		}
	}
	return true
}

func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func wholeSecond(t time.Time) bool {
	_, offset := t.Zone()
	return t.Unix() > 0 && t.Nanosecond() == 0 && offset == 0
}
