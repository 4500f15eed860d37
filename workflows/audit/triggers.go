package audit

import "github.com/rhysd/actionlint"

var dangerousTriggers = Rule{
	ID:    "dangerous-triggers",
	Title: "no workflow starts on pull_request_target or workflow_run",
	Why: "Both run with the repository's own token and secrets on something that a stranger sent. Ultralytics (2024), " +
		"Nx (2025), Trivy and TanStack (2026) were all entered this way.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor dangerous-triggers"},
	Fix: "Start on pull_request, which has no secrets and a token that can only read. What has to write to a pull request " +
		"of a stranger belongs into a GitHub App, or into another repository. A person has to change this.",
	judge: judgeTriggers,
}

func judgeTriggers(f Facts) judgement {
	files, gaps := f.seen(everyFile)
	j := judgement{gaps: gaps}
	for _, file := range files {
		if file.ast == nil || file.origin != (origin{}) { // that of another repository starts there
			continue
		}
		j.applies = true
		for _, event := range file.ast.On {
			if name := event.EventName(); name == "pull_request_target" || name == "workflow_run" {
				j.spots = append(j.spots, file.spot(placeOf(event), "it starts on "+name))
			}
		}
	}
	return j
}

func placeOf(event actionlint.Event) *actionlint.Pos {
	if hook, ok := event.(*actionlint.WebhookEvent); ok {
		return hook.Pos
	}
	return nil
}

// starts tells whether a workflow starts on one of these events.
func (f *file) starts(events ...string) bool {
	if f.ast == nil {
		return false
	}
	for _, e := range f.ast.On {
		for _, name := range events {
			if e.EventName() == name {
				return true
			}
		}
	}
	return false
}
