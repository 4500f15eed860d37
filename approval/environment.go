package approval

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const (
	maxComment = 64 << 10 // bytes
	maxReviews = 1000     // of one run
)

// Run is what GitHub says of the workflow run that publishes, as far as votes
// depend on it. Whoever asked GitHub copies it; an empty one is refused.
type Run struct {
	URL      string    // without an attempt
	Since    time.Time // when its first attempt began; no review of it is older
	Starters []int64   // GitHub ids of who started it or a build run, every attempt
	Reviews  []EnvironmentReview
	Beside
}

// Beside is what stands beside the files of a release: what their source explains of
// them, and what the index says of earlier releases. What is found in it to look at, an
// approval says was seen, as of what is in the files. The zero value finds nothing.
type Beside struct {
	Match   Match
	Changes Changes
}

// Findings are those of both.
func (b Beside) Findings() []rule.Finding { return slices.Concat(b.Match.Findings, b.Changes.Findings) }

func (r Run) check() error {
	switch {
	case r.URL == "" || r.Since.IsZero() || len(r.Starters) == 0:
		return errors.New("votes: want the run that publishes, when it began and who started it; got less")
	case len(r.Reviews) > maxReviews:
		return fmt.Errorf("votes: want at most %d reviews of %s, got %d", maxReviews, r.URL, len(r.Reviews))
	}
	return nil
}

// EnvironmentReview is one review of the environment that the run's publishing
// job waits for: plain facts of GitHub's, which say neither when it was nor in
// which attempt.
type EnvironmentReview struct {
	GitHub  int64  // id of who reviewed
	Login   string // for messages alone
	Bot     bool
	State   string // "approved" or "rejected"
	Comment string
}

// The states of a review, as GitHub calls them.
const (
	reviewApproved = "approved"
	reviewRejected = "rejected"
)

// Comment is what a person writes under a review of the environment: the line
// that names the release digest, the findings seen, and the reason.
func (r Review) Comment(o Opinion) (string, error) {
	vote, err := r.vote(o)
	if err != nil {
		return "", err
	}
	if want, got := vote.wellFormed(); want != "" {
		return "", fmt.Errorf("vote: want %s, got %s", want, got)
	}
	lines := []string{r.Line(o.Decision)}
	for _, id := range vote.Acknowledged {
		lines = append(lines, "seen "+string(id))
	}
	if o.Reason != "" {
		lines = append(lines, "", o.Reason)
	}
	text := strings.Join(lines, "\n")
	if said := readComment(text); len(said.approve)+len(said.reject) != 1 || len(said.unclear) > 0 {
		return "", fmt.Errorf("vote: want a reason that does not look like a vote, got %s", quoted(o.Reason))
	}
	return text, nil
}

// Line is the line that makes a comment a vote: "approve sha256:…".
func (r Review) Line(d Decision) string { return string(d) + " " + r.Release.String() }

// comment is what a review's comment says, line by line.
type comment struct {
	approve, reject []dist.Digest // each once, in the order of the lines
	seen            []rule.ID     // sorted, each once
	unclear         []string      // lines that speak of a vote and are none
	reason          string        // the first other line
}

// readComment reads lines that are exactly a vote or a finding seen, but for
// backticks and blanks around them. Other lines are passed over, except those
// that name a digest and speak of approving or rejecting.
func readComment(text string) (c comment) {
	vote := regexp.MustCompile(`^(approve|reject) (sha256:[0-9a-f]{64})$`)
	seen := regexp.MustCompile(`^seen ([a-z0-9]+(?:-[a-z0-9]+)*)$`)
	speaks := regexp.MustCompile(`(?i)(approv|reject).*sha256|sha256.*(approv|reject)`)
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		line = strings.TrimFunc(line, func(r rune) bool { return r == '`' || unicode.IsSpace(r) })
		if m := vote.FindStringSubmatch(line); m != nil {
			digest, _ := dist.ParseDigest(m[2])
			list := &c.approve
			if m[1] == string(Reject) {
				list = &c.reject
			}
			if !slices.Contains(*list, digest) {
				*list = append(*list, digest)
			}
		} else if m := seen.FindStringSubmatch(line); m != nil {
			c.seen = append(c.seen, rule.ID(m[1]))
		} else if speaks.MatchString(line) {
			c.unclear = append(c.unclear, line)
		} else if c.reason == "" && len(line) <= maxReason && oneLine(line) {
			c.reason = line
		}
	}
	slices.Sort(c.seen)
	c.seen = slices.Compact(c.seen)
	return c
}

// JudgeReview says whose a review would be, or by which rules it would not
// count. Nothing is counted.
func JudgeReview(s staging.Staged, r EnvironmentReview, run Run, p Policy, now time.Time) (Ballot, error) {
	if err := run.check(); err != nil {
		return Ballot{}, err
	}
	t, err := newTally(s, run, p, now)
	if err != nil {
		return Ballot{}, err
	}
	ballot, no := t.judged(func(t *tally) (Ballot, rule.Refusals) { return t.judgeReview(r) })
	return ballot, no.Err()
}

// judgeReview reads one review: whose it is before what it says.
func (t *tally) judgeReview(r EnvironmentReview) (Ballot, rule.Refusals) {
	person, known := t.policy.known(r.GitHub)
	file, rows := "review by "+r.Login, []voteRow{{
		id: rule.VoteStranger, rejection: true, holds: known, want: "a person on the list",
		got: fmt.Sprintf("GitHub user %d", r.GitHub), hint: strangerHint,
	}}
	ballot := Ballot{Road: Environment, Decision: Approve, GitHub: r.GitHub, Run: t.run.URL,
		Rejections: []dist.Digest{}, Issued: t.run.Since, Expires: t.run.Since.Add(t.policy.MaxAge)}
	said := comment{}
	if known {
		ballot.By = person.Name()
		if len(r.Comment) <= maxComment {
			said = readComment(r.Comment)
		}
		rows = t.reviewRows(r, said)
	}
	if r.State == reviewRejected {
		ballot.Decision, rows = Reject, append(rows, t.rejectionRow(said))
	}
	ballot.Acknowledged, ballot.Rejections = append([]rule.ID{}, said.seen...), []dist.Digest{}
	ballot.Reason = said.reason
	for _, row := range rows {
		if !row.holds && (ballot.Decision == Approve || row.rejection) {
			return Ballot{}, rule.Refusals{{File: file, Rule: row.id, Want: row.want, Got: row.got, Hint: row.hint}}
		}
	}
	return ballot, nil
}

// reviewRows are the rules of an approval by somebody on the list. The first
// that does not hold says enough.
func (t *tally) reviewRows(r EnvironmentReview, said comment) []voteRow {
	line, release := t.review.Line(Approve), t.review.Release
	again := "run the publishing job again and approve with this line in the comment: " + line +
		" (if GitHub does not ask again, start a new run)"
	one := dist.Digest{}
	if len(said.approve) == 1 {
		one = said.approve[0]
	}
	now := t.now.UTC().Format(time.RFC3339)
	return slices.Concat(t.ofVoter(Environment, r.GitHub), []voteRow{
		{id: rule.VoteBot, holds: !r.Bot, want: "a person", got: "a bot", hint: "let a person on the list approve"},
		{
			id: rule.VoteRecord, holds: r.State == reviewApproved || r.State == reviewRejected, rejection: true,
			want: "a review that approves or rejects", got: quoted(r.State), hint: again,
		},
		{
			id: rule.VoteRecord, holds: len(r.Comment) <= maxComment, want: fmt.Sprintf("a comment of at most %d bytes", maxComment),
			got: fmt.Sprint(len(r.Comment)), hint: again,
		},
		{
			id: rule.VoteUnclear, holds: len(said.unclear) == 0 && len(said.reject) == 0,
			want: "a comment that says one thing", got: unclearLine(said), hint: again,
		},
		{
			id: rule.VoteDigestMissing, holds: len(said.approve) > 0, want: "a line that is exactly " + line,
			got: "approved, but the comment names no digest", hint: again,
		},
		{
			id: rule.VoteDigests, holds: len(said.approve) <= 1, want: "one release digest",
			got: fmt.Sprintf("%d of them", len(said.approve)), hint: again,
		},
		{id: rule.VoteRelease, holds: one == release, want: "release " + release.String(), got: one.String(), hint: again},
		{
			id: rule.VoteTime, holds: t.now.Sub(t.run.Since) <= t.policy.MaxAge && t.run.Since.Before(t.now.Add(maxSkew)),
			want: "a run that is not older than " + t.policy.MaxAge.String() + " at " + now,
			got:  "begun at " + t.run.Since.UTC().Format(time.RFC3339), hint: "start a new run of the release workflow and vote there",
		},
	}, t.unseen(said.seen))
}

// rejectionRow lets a rejection pass by that names another release, and no
// doubt about it. One that names none ends what the run was about.
func (t *tally) rejectionRow(said comment) voteRow {
	other := len(said.reject) > 0 && !slices.Contains(said.reject, t.review.Release) &&
		len(said.unclear) == 0 && len(said.approve) == 0
	return voteRow{id: rule.VoteRelease, rejection: true, holds: !other, want: "release " + t.review.Release.String(),
		got: "a rejection of another release", hint: "nothing: it ended that release"}
}

func unclearLine(said comment) string {
	if len(said.unclear) > 0 {
		return quoted(said.unclear[0])
	}
	return "an approval whose comment rejects"
}
