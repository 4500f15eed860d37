package template

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Published is a job that uploaded to indexes, and is to do it no more.
type Published struct {
	Job         string
	Environment string   // as it is written; "" is none
	Indexes     []string // "pypi", "testpypi"; of others the text tells nothing
	Project     string   // by the address of its environment; "" where that names none
	TookAway    []string // patterns of files that its scripts deleted, and so did not upload
}

// projectPage is where PyPI shows a project.
var projectPage = regexp.MustCompile(`^https://(?:test\.)?pypi\.org/(?:p|project)/([A-Za-z0-9][A-Za-z0-9._-]*)(?:/|$)`)

// Published are the jobs that publish, by other means than distgate, as far as the text
// tells.
func (w *Workflow) Published() (list []Published) {
	for _, j := range w.jobs {
		if !j.publishes() {
			continue
		}
		environment, url := j.environment()
		p := Published{Job: j.name, Environment: environment}
		if page := projectPage.FindStringSubmatch(url); page != nil {
			p.Project = page[1]
		}
		for _, s := range j.Steps {
			p.Indexes = append(p.Indexes, s.indexes()...)
			p.TookAway = append(p.TookAway, s.deletes()...)
		}
		p.Indexes, p.TookAway = sorted(p.Indexes), sorted(p.TookAway)
		list = append(list, p)
	}
	return list
}

// environment is the name and the address of the job's environment, or nothing.
func (j job) environment() (name, url string) {
	var whole struct{ Name, URL string }
	if j.Environment.Kind == yaml.ScalarNode {
		return j.Environment.Value, ""
	}
	if j.Environment.Decode(&whole) != nil {
		return "", ""
	}
	return whole.Name, whole.URL
}

// pattern is of file names, and of some alone.
var pattern = regexp.MustCompile(`^[A-Za-z0-9._*?-]*[A-Za-z0-9][A-Za-z0-9._*?-]*$`)

// deletes are patterns of what a script takes away by rm.
func (s step) deletes() (patterns []string) {
	for line := range strings.Lines(s.Run) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "rm" {
			continue
		}
		for _, word := range words[1:] {
			name := path.Base(strings.Trim(word, `"'`))
			if !strings.HasPrefix(word, "-") && strings.ContainsAny(name, "*?") && pattern.MatchString(name) {
				patterns = append(patterns, name)
			}
		}
	}
	return patterns
}

// idle are the jobs that a job that publishes waited for, that build nothing, and that
// no other job waits for.
func (w *Workflow) idle() []string {
	needed := func(name string, by func(job) bool) bool {
		return slices.ContainsFunc(w.jobs, func(j job) bool { return by(j) && has(j.Needs, name) })
	}
	return names(w.jobs, func(j job) bool {
		return !j.builds() && !j.publishes() && !j.attests() && needed(j.name, job.publishes) &&
			!needed(j.name, func(j job) bool { return !j.publishes() })
	})
}

// indexes are where a step uploads to.
func (s step) indexes() (names []string) {
	var targets []string
	for line := range strings.Lines(s.script()) {
		if uploadCommand.MatchString(line) {
			targets = append(targets, line)
		}
	}
	if s.Run == "" && s.publishes() {
		url := s.With["repository-url"]
		targets = append(targets, url.Value)
	}
	for _, text := range targets {
		test := strings.Contains(text, "testpypi") || strings.Contains(text, "test.pypi.org")
		other := strings.Contains(text, "://") && !strings.Contains(text, "pypi.org")
		if test {
			names = append(names, "testpypi")
		}
		if !test && !other || strings.Contains(text, "${{") {
			names = append(names, "pypi")
		}
	}
	return names
}

// unused are the inputs that the workflow declares, that its text used, and that
// the new text uses no more.
func (w *Workflow) unused(edited []byte) (names []string) {
	type event struct{ Inputs map[string]yaml.Node }
	var on struct {
		Dispatch event `yaml:"workflow_dispatch"`
		Call     event `yaml:"workflow_call"`
	}
	if w.on.Kind != yaml.MappingNode || w.on.Decode(&on) != nil {
		return nil
	}
	before, now := inputsOf(w.raw), inputsOf(edited)
	for _, e := range []event{on.Dispatch, on.Call} {
		for name := range e.Inputs {
			if used := strings.ToLower(name); (before[used] || before[""]) && !now[used] && !now[""] {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inputUse is where an expression uses an input by its name, or all of them.
var inputUse = regexp.MustCompile(`(?i)\binputs(?:\.|\[\s*')([\w-]+)|\(\s*inputs\s*\)`)

// inputsOf are the inputs that a text uses, in lower case; "" is all of them.
func inputsOf(text []byte) map[string]bool {
	used := map[string]bool{}
	for _, m := range inputUse.FindAllSubmatch(text, -1) {
		used[strings.ToLower(string(m[1]))] = true
	}
	return used
}

// unpinned are the actions and workflows of the jobs that stay which are named by what
// somebody can move: by anything but a whole commit.
func (w *Workflow) unpinned() (list []string) {
	for _, j := range w.jobs {
		if j.publishes() {
			continue
		}
		for _, uses := range append([]string{j.Uses}, j.uses()...) {
			local := strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, "docker://")
			if uses != "" && !local && !wholeCommit.MatchString(uses) {
				list = append(list, uses)
			}
		}
	}
	return sorted(list)
}

var wholeCommit = regexp.MustCompile(`@[0-9a-f]{40}$`)

// uses are what its steps call.
func (j job) uses() (list []string) {
	for _, s := range j.Steps {
		list = append(list, s.Uses)
	}
	return list
}
