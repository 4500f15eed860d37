package audit

import (
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows/template"
)

// isDistgate tells whether the step runs a verb of an action that is called distgate,
// under whatever owner: see [Facts.gates].
func (s *step) isDistgate(verb string) bool {
	name, _, _ := strings.Cut(s.uses(), "@")
	given, _ := s.with("verb")
	return strings.HasSuffix(strings.ToLower(name), "/distgate") && value(given) == verb
}

// gates are the action by which the release is published, as OWNER/REPO@COMMIT, at
// each commit by which the workflow that publishes uses it, on any branch: others have
// its name alone. Where that workflow uses two of the name, nobody knows which it is,
// and none is. Without a policy every workflow of the release may be the one that
// publishes.
func (f Facts) gates() (all []string) {
	files, _ := f.seen(everyFile)
	for _, file := range files {
		publishes := f.Gate != "" && file.own == f.Gate && !file.elsewhere && file.origin == (origin{})
		if !publishes && !(f.Ungated && file.release) {
			continue
		}
		for _, j := range file.jobs {
			for _, s := range j.all() {
				if s.isDistgate("publish") {
					all = append(all, s.uses())
				}
			}
		}
	}
	if slices.ContainsFunc(all, func(uses string) bool { return !fits(uses, []string{nameOf(all[0])}) }) {
		return nil
	}
	return all
}

// nameOf is what is used, without a ref.
func nameOf(uses string) string {
	name, _, _ := strings.Cut(uses, "@")
	return name
}

// runs tells whether the step runs a verb of the action that publishes, or, where
// no action does, distgate itself by one of these commands. Beside an action a
// command may be any binary of that name.
func (s *step) runs(gates []string, verb string, commands ...string) bool {
	if s.isDistgate(verb) {
		return slices.Contains(gates, s.uses())
	}
	return len(gates) == 0 && slices.ContainsFunc(s.commands(), func(c command) bool { return c.is(commands) })
}

// releases tells whether the job has a part in a release for which it needs an ID
// token: it attests, uploads, signs a withdrawal, or is the canary.
func (j *job) releases(gates []string) bool {
	return j.attests() || j.tempts(gates) || slices.ContainsFunc(j.all(), func(s *step) bool {
		return s.uploads() || s.runs(gates, "publish", distgatePublish) || s.runs(gates, "withdraw", "distgate withdraw", "distgate yank") ||
			slices.ContainsFunc(s.commands(), func(c command) bool { return c.does(template.Uploading()) })
	})
}

// tempts tells whether the job asks the index for a token that it must not give,
// and does nothing else. It does so by the very action that publishes: the token is
// a publisher's.
func (j *job) tempts(gates []string) bool {
	return len(j.steps) > 0 && !slices.ContainsFunc(j.steps, func(s *step) bool { return !s.runs(gates, "canary") })
}

// gated tells whether all that a job publishes goes through distgate, which
// publishes in no environment but the policy's.
func (j *job) gated(gates []string) bool {
	return !slices.ContainsFunc(j.all(), func(s *step) bool { return len(s.pastTheGate(gates)) > 0 })
}
