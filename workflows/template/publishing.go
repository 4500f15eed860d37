package template

import (
	"fmt"
	"slices"
	"strings"
)

// Publishing demands that a job of the workflow is as the gate needs it: in the
// environment, or in one that an expression names, with an ID token, and it calls
// distgate to publish.
func (w *Workflow) Publishing(environment string) error {
	var near []string
	for _, j := range w.jobs {
		in, _ := j.environment()
		switch {
		case !slices.ContainsFunc(j.Steps, step.gates):
		case in != environment && !strings.Contains(in, "${{"):
			near = append(near, fmt.Sprintf("job %s publishes in environment %q", j.name, in))
		case !mayMint(j.Permissions):
			near = append(near, "job "+j.name+" has no id-token: write")
		default:
			return nil
		}
	}
	if len(near) == 0 {
		near = []string{"no job has it"}
	}
	return fmt.Errorf("%s: want a job in environment %q with id-token: write that calls distgate with verb: publish; %s",
		w.path, environment, strings.Join(near, "; "))
}

// gates tells whether the step publishes by distgate.
func (s step) gates() bool {
	action, _, _ := strings.Cut(s.Uses, "@")
	verb := s.With["verb"]
	return strings.HasSuffix(action, "/distgate") && verb.Value == "publish" || strings.Contains(s.Run, "distgate publish")
}
