package audit

import (
	"slices"
	"strings"
)

var selfHostedRunner = Rule{
	ID:    "self-hosted-runner",
	Title: "every job runs on a machine that GitHub makes for it, and throws away",
	Why: "A machine of one's own keeps what an earlier job left on it. In January 2024 a former contributor's pull request " +
		"stayed on PyTorch's runners, and had the tokens that could change its releases. A label that is not GitHub's leads " +
		"to whoever registered it.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor self-hosted-runner", "actionlint runner-label"},
	Fix: "Write a label of GitHub's own into runs-on, as ubuntu-24.04. Runners of another kind have to stand in the policy " +
		"with a reason ([[build.runners]]), and every review will say so.",
	judge: func(f Facts) judgement {
		return jobs(everyFile, func(j *job) ([]Spot, []Gap) { return j.machines(f.Labels) })(f)
	},
}

// machines are the places where a job may get a machine that is not GitHub's.
func (j *job) machines(listed []string) (spots []Spot, gaps []Gap) {
	if j.ast == nil || j.ast.RunsOn == nil {
		return nil, nil
	}
	on := j.ast.RunsOn
	if on.Group != nil {
		spots = append(spots, j.spot(on.Group, "the runner group "+on.Group.Value))
	}
	labels := on.Labels
	if on.LabelsExpr != nil {
		labels = append(labels, on.LabelsExpr)
	}
	for _, label := range labels {
		values, whole := j.values(label)
		for _, v := range values {
			if v != "" && !isHosted(v, listed) {
				spots = append(spots, j.spot(label, v))
			}
		}
		if !whole {
			gaps = append(gaps, j.gap(label, "which machine it is, is decided when it runs: "+label.Value))
		}
	}
	return spots, gaps
}

// isHosted tells whether a label is one of GitHub's standard runners, or one
// that the policy lists.
func isHosted(label string, listed []string) bool {
	same := func(known string) bool { return strings.EqualFold(known, label) }
	return slices.ContainsFunc(hosted, same) || slices.ContainsFunc(listed, same)
}

// hosted are the labels of GitHub's standard runners, in November 2026.
var hosted = []string{
	"ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04", "ubuntu-24.04-arm", "ubuntu-22.04-arm", "ubuntu-26.04", "ubuntu-26.04-arm", "ubuntu-slim",
	"windows-latest", "windows-2025", "windows-2025-vs2026", "windows-2022", "windows-11-arm",
	"macos-latest", "macos-26", "macos-26-intel", "macos-15", "macos-15-intel", "macos-14",
}
