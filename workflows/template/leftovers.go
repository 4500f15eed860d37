package template

import (
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
}

// published are the jobs that publish, as far as the text tells.
func (w *Workflow) published() (list []Published) {
	for _, j := range w.jobs {
		if !j.publishes() {
			continue
		}
		p := Published{Job: j.name, Environment: j.environment()}
		for _, s := range j.Steps {
			p.Indexes = append(p.Indexes, s.indexes()...)
		}
		p.Indexes = sorted(p.Indexes)
		list = append(list, p)
	}
	return list
}

// environment is the name of the job's environment, or nothing.
func (j job) environment() string {
	var whole struct{ Name string }
	if j.Environment.Kind == yaml.ScalarNode {
		return j.Environment.Value
	}
	if j.Environment.Decode(&whole) != nil {
		return ""
	}
	return whole.Name
}

// indexes are where a step uploads to.
func (s step) indexes() (names []string) {
	var targets []string
	for line := range strings.Lines(s.Run) {
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
	for _, e := range []event{on.Dispatch, on.Call} {
		for name := range e.Inputs {
			used := regexp.MustCompile(`(?i)\binputs(\.|\[\s*')` + regexp.QuoteMeta(name) + `($|[^\w-])|\(\s*inputs\s*\)`)
			if used.Match(w.raw) && !used.Match(edited) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
