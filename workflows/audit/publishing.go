package audit

import (
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

var publishDoesMore = Rule{
	ID:    "publish-does-more",
	Title: "a job that publishes does nothing else",
	Why: "What runs beside the upload can take its credential. A publishing job that checks out, installs, restores a cache or " +
		"runs the project's code can be made to upload something else by whoever changes any of those (TanStack, May 2026).",
	Looks: InWorkflow,
	Fix:   "Leave in the job only the download of the files that were approved, and the upload.",
	judge: jobsThat((*job).publishes, func(j *job) (spots []Spot, _ []Gap) {
		for _, s := range j.all() {
			if s.checksOut() {
				spots = append(spots, s.spot("it checks out the repository"))
			}
			if how := s.caches(); how != "" {
				spots = append(spots, s.spot("a cache: "+how))
			}
		}
		return append(spots, j.runsCode()...), nil
	}),
}

var trustedPublishing = Rule{
	ID:    "use-trusted-publishing",
	Title: "no password or token is given to an upload",
	Why: "A token of the index lives until somebody revokes it, and works from anywhere. Ultralytics' second wave (2024), " +
		"GhostAction (2025) and LiteLLM (2026) were uploads with a token that had been left over.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor use-trusted-publishing"},
	Fix: "Register the workflow as a trusted publisher on the index, take the password out, and revoke the token there. " +
		"Nothing else takes its place: the job's ID token is enough.",
	judge: steps(everyFile, func(s *step) (spots []Spot) {
		for _, name := range passwordInputs {
			if password, ok := s.with(name); ok && s.uploads() && value(password) != "" {
				spots = append(spots, s.spot(name+": "+password.Value))
			}
		}
		for _, c := range s.commands() {
			if !c.is(uploading) {
				continue
			}
			if slices.ContainsFunc(c.words, func(w string) bool {
				return w == "-p" || strings.HasPrefix(w, "--password") || strings.HasPrefix(w, "--token") || w == "-t"
			}) {
				spots = append(spots, s.spotOf(c))
			}
			for _, name := range s.variables() {
				if isPassword(name) {
					spots = append(spots, s.spot(strings.Join(c.words, " ")+", with "+name))
				}
			}
		}
		return spots
	}),
}

// passwordInputs are by which actions that upload take a password.
var passwordInputs = []string{"password", "pypi_token", "pypi-token", "twine-token"}

// isPassword tells whether a variable is one by which an upload gets its
// password.
func isPassword(name string) bool {
	for _, known := range []string{"TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD", "FLIT_PASSWORD", "HATCH_INDEX_AUTH",
		"MATURIN_PYPI_TOKEN", "MATURIN_PASSWORD", "PDM_PUBLISH_PASSWORD", "POETRY_HTTP_BASIC_PYPI_PASSWORD"} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return strings.HasPrefix(strings.ToUpper(name), "POETRY_PYPI_TOKEN")
}

// variables are the names of the environment variables that a step has.
func (s *step) variables() (names []string) {
	parts := []*actionlint.Env{s.Env}
	if s.job.ast != nil {
		parts = append(parts, s.job.ast.Env)
	}
	if s.job.file.ast != nil {
		parts = append(parts, s.job.file.ast.Env)
	}
	for _, env := range parts {
		if env == nil {
			continue
		}
		for _, v := range env.Vars {
			names = append(names, v.Name.Value)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var publishEnvironment = Rule{
	ID:    "publish-environment",
	Title: "a job that publishes runs in an environment of its own",
	Why: "The environment is what holds the job until a person lets it start, and what the index can insist on. Without one " +
		"the push that starts the workflow is the release: elementary-data (April 2026) was on PyPI ten minutes after a comment.",
	Looks: InWorkflow,
	Fix:   "Write environment: pypi into the job, and name the same environment at the publisher on the index.",
	judge: func(f Facts) judgement {
		gates := f.gates()
		return jobsThat((*job).publishes, func(j *job) ([]Spot, []Gap) {
			if j.ast.Environment == nil || j.ast.Environment.Name == nil {
				return []Spot{j.spot(j.ast.ID, "it has no environment")}, nil
			}
			if _, whole := j.values(j.ast.Environment.Name); !whole && !j.gated(gates) {
				return nil, []Gap{j.gap(j.ast.Environment.Name, "which environment it is, is decided when it runs")}
			}
			return nil, nil
		})(f)
	},
}
