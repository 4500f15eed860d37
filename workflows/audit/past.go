package audit

import (
	"slices"

	"github.com/distgate/distgate/workflows/template"
)

var pastTheGate = Rule{
	ID:    "publish-past-the-gate",
	Title: "in a repository that releases through distgate nothing else uploads to an index",
	Why: "A gate holds only if there is no way around it. The workflow that uploaded before can still be started by whoever " +
		"pushes or dispatches, as long as the index trusts it, and nobody is asked. elementary-data (April 2026) was published " +
		"by its own release workflow, which a stranger's comment had set off.",
	Looks: InWorkflow,
	Fix: "Remove the job (distgate init --into does), and the publisher or token that lets it. The gate is the one action by which " +
		"the policy's workflow publishes. An upload to another index, as of nightly builds, can be waived by its file.",
	judge: func(f Facts) judgement {
		if f.Ungated {
			return judgement{}
		}
		gates := f.gates()
		return steps(everyFile, func(s *step) []Spot { return s.pastTheGate(gates) })(f)
	},
}

// pastTheGate are the places where the step uploads by something else than the gate.
func (s *step) pastTheGate(gates []string) (spots []Spot) {
	by := "it uploads by "
	if s.job.id != "" {
		by = "the job " + s.job.id + " uploads by "
	}
	if s.uploads() {
		spots = append(spots, s.spot(by+nameOf(s.uses())))
	}
	if s.isDistgate("publish") && !slices.Contains(gates, s.uses()) { // another's action may have the name
		spots = append(spots, s.spot(by+s.uses()+", which is not the gate"))
	}
	for _, c := range s.commands() {
		if c.uploads(gates) {
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
	return template.Uploads(s.uses(), func(name string) string {
		v, _ := s.with(name)
		return value(v)
	})
}

// uploads tells whether the command uploads to an index, and is not the gate: see
// [step.runs].
func (c command) uploads(gates []string) bool {
	return c.does(uploading) && (len(gates) > 0 || !c.is([]string{distgatePublish}))
}
