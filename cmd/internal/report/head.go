package report

import (
	"slices"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

// Head is what stands at the top of every rendering.
type Head struct {
	Title   string // "numpy 2.4.2"
	Verdict Verdict
	Lines   []Line // in a fixed order
	Paste   string // the line that a vote's comment has, or the command that votes
	Closed  string // why no vote would help; "" where one would
	After   []Line // who may vote, and what else can be done
}

// Line is one line at the top, under its name.
type Line struct {
	Name string
	Text Text
}

// Verdict is where all that was found leads, in words that need no colour.
type Verdict struct {
	Kind string // "refused", "look", "partly" or "clear": how it is set
	Word string // "Refused"
	Text Text
}

// The kinds of a verdict.
const (
	refusedKind = "refused"
	lookKind    = "look"
	partlyKind  = "partly" // nobody looked at all of it
	clearKind   = "clear"
)

// Head makes the top of the page.
func (f Facts) Head() Head {
	r := f.Review
	return Head{
		Title: r.Project + " " + r.Version, Verdict: f.verdict(), Paste: f.say() + " " + r.Release.String(), Closed: f.closed(),
		Lines: []Line{
			{"Files", f.files()}, {"Source", f.source()}, {"Build", f.build()}, {"Changes", f.changes()},
			{"Findings", f.findings()}, {"Policy", f.policy()},
		},
		After: []Line{{"Votes", f.votes()}, {"Next", f.next()}},
	}
}

// verdict is the first row that holds.
func (f Facts) verdict() Verdict {
	found := f.found()
	missing := f.missing()
	refuse := found.number(rule.Refuse)
	look := found.number(rule.Look) + len(f.Votes.Beware)
	for _, row := range []struct {
		when bool
		Verdict
	}{
		{f.Votes.State == Withdrawn, Verdict{refusedKind, "Withdrawn", f.withdrawal()}},
		{f.Votes.State == Refused, Verdict{refusedKind, "Refused", f.refusal()}},
		{f.broken() > 0 && f.Votes.State != Published, Verdict{refusedKind, "Refused",
			say(count(f.broken(), "rule") + " broken that the policy requires of the repository")}},
		{refuse > 0, Verdict{refusedKind, "Refused", say(count(refuse, "finding") + " against it")}},
		{f.Votes.State == Undecided, Verdict{lookKind, "Undecided", quote(f.Votes.Error)}},
		{f.Votes.State == Published, Verdict{clearKind, "Published", say("approved, uploaded and compared with what the index serves")}},
		{look > 0, Verdict{lookKind, "Look", say(count(look, "thing") + " to look at before you decide")}},
		{len(missing) > 0, Verdict{partlyKind, "Nothing found", say("but " + strings.Join(missing, "; "))}},
	} {
		if row.when {
			return row.Verdict
		}
	}
	return Verdict{clearKind, "Clear", say("nothing was found that needs a second look")}
}

// missing is what nobody looked at, in words.
func (f Facts) missing() (said []string) {
	found := f.found()
	for _, row := range []struct {
		when bool
		text string
	}{
		{!found.Done, "nobody has looked inside the files"},
		{found.Done && len(found.Gaps) > 0, "some files were not looked into"},
		{f.Changes == nil, "no earlier release was compared"},
		{f.Changes != nil && len(f.Changes.Gaps) > 0, "not all changes since the last release are known"},
		{!f.matched(), "the files were not compared with the source"},
		{f.matched() && len(f.Match.Gaps) > 0, "not all files were compared with the source"},
		{f.Audit != nil && len(f.Audit.Unseen) > 0, "not all was seen that the policy requires of the repository"},
	} {
		if row.when {
			said = append(said, row.text)
		}
	}
	return said
}

// onGitHub tells whether a review of the environment is a vote.
func (f Facts) onGitHub() bool { return slices.Contains(f.Review.Voting.Roads, approval.Environment) }

// say is what approves, before the release digest.
func (f Facts) say() string {
	if f.onGitHub() {
		return "approve"
	}
	return "distgate approve"
}

// closed is why no vote would help; "" where one would.
func (f Facts) closed() string {
	switch {
	case f.Votes.State == Published:
		return "It is published, so there is nothing left to approve."
	case f.Votes.State == Withdrawn:
		return "It was withdrawn, so there is nothing to approve."
	case f.verdict().Kind == refusedKind:
		return "It is refused, so there is nothing to approve."
	case f.Votes.Need == 0:
		return "It goes to an index to rehearse on, for which nobody has to approve."
	}
	return ""
}

// withdrawal is when the release was taken back, by whom and why.
func (f Facts) withdrawal() Text {
	for _, no := range f.Votes.Refused {
		if no.Rule == rule.ReleaseWithdrawn {
			return quote(strings.TrimPrefix(no.Got, "withdrawn "))
		}
	}
	return say("it was taken back")
}

// refusal is what refuses the release, the first of it.
func (f Facts) refusal() Text {
	if len(f.Votes.Refused) == 0 {
		return say("it is refused")
	}
	first := f.Votes.Refused[0]
	return quote(first.Got).and(say(" (%s)", string(first.Rule)))
}
