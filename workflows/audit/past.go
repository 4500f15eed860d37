package audit

import (
	"slices"
	"strings"
)

var pastTheGate = Rule{
	ID:    "publish-past-the-gate",
	Title: "in a repository that releases through distgate nothing else uploads to an index",
	Why: "A gate holds only if there is no way around it. The workflow that uploaded before can still be started by whoever " +
		"pushes or dispatches, as long as the index trusts it, and nobody is asked. elementary-data (April 2026) was published " +
		"by its own release workflow, which a stranger's comment had set off.",
	Looks: InWorkflow,
	Fix: "Remove the job (distgate init --into does), and the publisher or token that lets it. An upload to another index, " +
		"as of nightly builds, can be waived by its file.",
	judge: func(f Facts) judgement {
		if f.Ungated {
			return judgement{}
		}
		return steps(everyFile, (*step).pastTheGate)(f)
	},
}

// pastTheGate are the places where the step uploads by something else than distgate.
func (s *step) pastTheGate() (spots []Spot) {
	by := "it uploads by "
	if s.job.id != "" {
		by = "the job " + s.job.id + " uploads by "
	}
	if s.uploads() {
		name, _, _ := strings.Cut(s.uses(), "@")
		spots = append(spots, s.spot(by+name))
	}
	for _, c := range s.commands() {
		if c.uploads() {
			spot := s.spotOf(c)
			spot.Got = by + spot.Got
			spots = append(spots, spot)
		}
	}
	return spots
}

// uploads tells whether the step uses an action that uploads to an index, and is
// not distgate's.
func (s *step) uploads() bool {
	given, _ := s.with("command")
	return fits(s.uses(), publishing) ||
		fits(s.uses(), []string{"PyO3/maturin-action"}) && slices.Contains([]string{"publish", "upload"}, value(given))
}

// uploads tells whether the command uploads to an index, and is not distgate's.
func (c command) uploads() bool { return c.is(uploading) && !c.is([]string{"distgate publish"}) }
