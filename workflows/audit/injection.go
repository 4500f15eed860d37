package audit

import (
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

var templateInjection = Rule{
	ID:    "template-injection",
	Title: "no text from outside is pasted into a script",
	Why: "An expression is pasted into the script before the shell reads it, so the title of an issue or the name of a branch " +
		"becomes a command. Ultralytics (2024) fell to a branch's name, Nx (2025) to the title of a pull request, " +
		"elementary-data (2026) to a comment.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor template-injection", "actionlint expression"},
	Fix:    "Put the value into the step's env, and use the variable in the script: env: TITLE: ${{ … }}, then \"$TITLE\".",
	judge: steps(everyFile, func(s *step) (spots []Spot) {
		for _, sink := range s.sinks() {
			for _, e := range newText(s.job.file, "Run", sink).expressions {
				if s.fromOutside(e) {
					spot := s.job.spot(sink, "${{ "+e.source+" }}")
					spot.Line, spot.Column = e.line, 0
					spots = append(spots, spot)
				}
			}
		}
		return spots
	}),
}

// sinks are the values of a step that are run as code.
func (s *step) sinks() (all []*actionlint.String) {
	if script := s.script(); script != nil {
		return []*actionlint.String{script}
	}
	for _, row := range interpreting {
		if !fits(s.uses(), []string{row.action}) {
			continue
		}
		for _, input := range row.inputs {
			if v, ok := s.with(strings.ToLower(input)); ok && v != nil {
				all = append(all, v)
			}
		}
	}
	return all
}

// interpreting are actions that run an input as code.
var interpreting = []struct {
	action string
	inputs []string
}{
	{"actions/github-script", []string{"script"}},
	{"azure/cli", []string{"inlineScript"}},
	{"azure/powershell", []string{"inlineScript"}},
	{"Amadevus/pwsh-script", []string{"script"}},
	{"jannekem/run-python-script-action", []string{"script"}},
	{"addnab/docker-run-action", []string{"run", "options"}},
	{"mikefarah/yq", []string{"cmd"}},
	{"nick-fields/retry", []string{"command"}},
	{"appleboy/ssh-action", []string{"script"}},
	{"cardinalby/js-eval-action", []string{"expression"}},
}

// fromOutside tells whether an expression may come out as text that somebody
// else wrote. One that is not understood may.
func (s *step) fromOutside(e expression) bool {
	if e.tree == nil {
		return true
	}
	return slices.ContainsFunc(results(e.tree), func(n actionlint.ExprNode) bool { return !s.ours(reference(n)) })
}

// fixed are references to what GitHub makes up, or what only people with write
// access write.
var fixed = []string{
	"github.action", "github.action_path", "github.action_ref", "github.action_repository", "github.action_status", "github.actor",
	"github.actor_id", "github.api_url", "github.event_name", "github.event_path", "github.graphql_url", "github.job", "github.path",
	"github.ref_protected", "github.ref_type", "github.repository", "github.repository_id", "github.repository_owner",
	"github.repository_owner_id", "github.repository_visibility", "github.retention_days", "github.run_attempt", "github.run_id",
	"github.run_number", "github.secret_source", "github.server_url", "github.sha", "github.token", "github.triggering_actor",
	"github.workflow", "github.workflow_sha", "github.workspace",
	"runner.", "job.", "strategy.", "secrets.",
}

// numbers are the names of what GitHub fills with a number, a hash or a yes and
// no, wherever it stands in an event.
var numbers = []string{"number", "id", "node_id", "sha", "fork", "draft", "merged", "private", "before", "after", "run_id", "run_number",
	"run_attempt", "head_sha", "merge_commit_sha", "created_at", "updated_at", "state", "action"}

// ours tells whether a reference is to nothing that a stranger writes.
func (s *step) ours(at string) bool {
	if slices.ContainsFunc(fixed, func(f string) bool {
		return at == f || strings.HasSuffix(f, ".") && strings.HasPrefix(at, f)
	}) {
		return true
	}
	parts := strings.Split(at, ".")
	last := parts[len(parts)-1]
	switch parts[0] {
	case "github":
		return len(parts) > 2 && slices.Contains(numbers, last)
	case "needs":
		return last == "result"
	case "steps":
		return last == "outcome" || last == "conclusion"
	case "matrix":
		if len(parts) < 2 {
			return false
		}
		_, whole := s.job.matrix(parts[1])
		return whole
	case "env":
		return len(parts) == 2 && s.oursInEnv(parts[1])
	case "inputs":
		return len(parts) == 2 && s.job.file.asksFor(parts[1])
	}
	return false
}

// oursInEnv tells whether a variable is set in the workflow, to a text without
// anything from outside.
func (s *step) oursInEnv(name string) bool {
	parts := []*actionlint.Env{s.Env}
	if s.job.ast != nil {
		parts = append(parts, s.job.ast.Env)
	}
	if s.job.file.ast != nil {
		parts = append(parts, s.job.file.ast.Env)
	}
	for _, env := range parts {
		if env == nil || env.Vars[name] == nil {
			continue
		}
		return !slices.ContainsFunc(newText(s.job.file, "", env.Vars[name].Value).expressions, func(e expression) bool {
			named := slices.ContainsFunc(e.references(), func(at string) bool { return strings.HasPrefix(at, "env.") })
			return named || s.fromOutside(e)
		})
	}
	return false
}

// asksFor tells whether an input of the workflow can only be a number, a yes or
// no, or one of a list, however the workflow is started.
func (f *file) asksFor(name string) bool {
	if f.ast == nil {
		return false
	}
	known := false
	for _, e := range f.ast.On {
		switch e := e.(type) {
		case *actionlint.WorkflowDispatchEvent:
			if in := e.Inputs[name]; in != nil {
				known = true
				switch in.Type {
				case actionlint.WorkflowDispatchEventInputTypeNumber, actionlint.WorkflowDispatchEventInputTypeBoolean,
					actionlint.WorkflowDispatchEventInputTypeChoice:
				default:
					return false
				}
			}
		case *actionlint.WorkflowCallEvent:
			for _, in := range e.Inputs {
				if in.ID == name {
					known = true
					if in.Type == actionlint.WorkflowCallEventInputTypeString || in.Type == actionlint.WorkflowCallEventInputTypeInvalid {
						return false
					}
				}
			}
		}
	}
	return known
}

var insecureCommands = Rule{
	ID:    "insecure-commands",
	Title: "no step may change later steps by what it prints",
	Why: "ACTIONS_ALLOW_UNSECURE_COMMANDS brings back commands that GitHub took away in 2020, because whatever a step prints, " +
		"a file name or the answer of a server, could set the environment of the steps behind it.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor insecure-commands", "actionlint deprecated-commands"},
	Fix:    "Take ACTIONS_ALLOW_UNSECURE_COMMANDS out of the workflow, and write to $GITHUB_ENV or $GITHUB_OUTPUT.",
	judge: func(f Facts) judgement {
		j := jobs(everyFile, func(j *job) (spots []Spot, gaps []Gap) {
			envs := []*actionlint.Env{}
			if j.ast != nil {
				envs = append(envs, j.ast.Env)
			}
			for _, s := range j.steps {
				envs = append(envs, s.Env)
			}
			for _, env := range envs {
				spots = append(spots, allowsCommands(j.file, env)...)
				if env != nil && env.Expression != nil {
					gaps = append(gaps, j.gap(env.Expression, "which variables it sets, is decided when it runs: "+env.Expression.Value))
				}
			}
			return spots, gaps
		})(f)
		for _, file := range f.Files.all {
			if file.ast != nil {
				j.spots = append(j.spots, allowsCommands(file, file.ast.Env)...)
			}
		}
		return j
	},
}

func allowsCommands(f *file, env *actionlint.Env) []Spot {
	if env == nil {
		return nil
	}
	v := env.Vars[strings.ToLower("ACTIONS_ALLOW_UNSECURE_COMMANDS")]
	if v == nil || v.Value == nil || v.Value.Value == "" || v.Value.Value == "false" {
		return nil
	}
	return []Spot{f.spot(v.Value.Pos, "ACTIONS_ALLOW_UNSECURE_COMMANDS: "+v.Value.Value)}
}
