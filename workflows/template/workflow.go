package template

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Workflow is a workflow that builds, as it is written.
type Workflow struct {
	path        string
	raw         []byte
	lines       []string // each with its end
	newline     string
	indent      int // of jobs
	on          value
	permissions value
	jobs        []job
}

// document is a workflow, as far as it is read here.
type document struct {
	On          value
	Permissions value
	Jobs        yaml.Node
}

// value is a part of it, or what its alias stands for.
type value struct{ yaml.Node }

// UnmarshalYAML takes what the library gives: an alias it has resolved.
func (v *value) UnmarshalYAML(n *yaml.Node) error {
	v.Node = *n
	return nil
}

// job is one of its jobs, and the range of its lines.
type job struct {
	name       string
	first, end int

	Uses        string
	Needs       oneOrMore
	RunsOn      value `yaml:"runs-on"`
	Permissions value
	Environment value
	Strategy    struct{ Matrix value }
	Steps       []step
}

type step struct {
	Uses, Run string
	With      map[string]value
}

// oneOrMore is a word, or a list of them.
type oneOrMore []string

// UnmarshalYAML reads either form.
func (o *oneOrMore) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*o = oneOrMore{node.Value}
		return nil
	}
	return node.Decode((*[]string)(o))
}

func (s step) publishes() bool {
	return Uploads(s.Uses, s.input) || uploadCommand.MatchString(s.script())
}

// script is what the step runs, each command on one line.
func (s step) script() string { return strings.ReplaceAll(s.Run, "\\\n", " ") }

// input is what is given to the action, "" where nothing is.
func (s step) input(name string) string {
	for given, v := range s.With {
		if strings.EqualFold(given, name) {
			return v.Value
		}
	}
	return ""
}

func (s step) uploads() bool { return strings.HasPrefix(s.Uses, "actions/upload-artifact@") }

func (s step) attests() bool {
	return strings.HasPrefix(s.Uses, "actions/attest@") || strings.HasPrefix(s.Uses, "actions/attest-build-provenance@")
}

func (j job) publishes() bool { return slices.ContainsFunc(j.Steps, step.publishes) }

func (j job) uploads() bool { return j.Uses != "" || slices.ContainsFunc(j.Steps, step.uploads) }

// builds tells whether the job may make distributions. What a reusable workflow
// does stands elsewhere.
func (j job) builds() bool { return j.uploads() && !j.publishes() }

// attests tells whether the job attests, and runs no script and no action but
// GitHub's own for it.
func (j job) attests() bool {
	return slices.ContainsFunc(j.Steps, step.attests) && !slices.ContainsFunc(j.Steps, func(s step) bool {
		return !s.attests() && !strings.HasPrefix(s.Uses, "actions/download-artifact@")
	})
}

// mayMint tells whether permissions have id-token.
func mayMint(permissions value) bool {
	var each map[string]string
	if permissions.Kind == yaml.ScalarNode {
		return permissions.Value == "write-all"
	}
	return permissions.Decode(&each) == nil && each["id-token"] == "write"
}

// attestLabel is where the jobs run that are written here.
const attestLabel = "ubuntu-24.04"

var (
	hostedLabel = regexp.MustCompile(`^(ubuntu|macos|windows)-[a-z0-9.-]+$`)
	expression  = regexp.MustCompile(`\$\{\{.*?\}\}`)
	stars       = regexp.MustCompile(`\*+`)
)

// Build is what a policy says of the workflow, as far as its text tells: where it
// starts from, GitHub's runners that it names, what it checks out, the artifacts of its
// builds, and what the jobs that published took out of them.
func (w *Workflow) Build(repository, branch string) Build {
	b := Build{Repository: repository, Workflow: w.path, Refs: w.refs(branch), Labels: []string{attestLabel}, Source: repository}
	all := true
	for _, j := range w.jobs {
		if j.publishes() {
			for _, s := range j.Steps {
				b.LeaveOut = append(b.LeaveOut, s.deletes()...)
			}
			continue
		}
		for _, text := range append(scalars(&j.RunsOn.Node), scalars(&j.Strategy.Matrix.Node)...) {
			if hostedLabel.MatchString(text) {
				b.Labels = append(b.Labels, text)
			}
		}
		for _, s := range j.Steps {
			if from := s.With["repository"]; strings.HasPrefix(s.Uses, "actions/checkout@") && repositoryForm.MatchString(from.Value) {
				b.Source = from.Value
			}
		}
		all = all && j.Uses == ""
		b.Artifacts = append(b.Artifacts, j.artifacts()...)
	}
	b.Labels, b.LeaveOut = sorted(b.Labels), sorted(b.LeaveOut)
	if b.Artifacts = sorted(b.Artifacts); !all {
		b.Artifacts = nil
	}
	return b
}

// artifacts are patterns of the names that the job uploads by.
func (j job) artifacts() (patterns []string) {
	for _, s := range j.Steps {
		if s.uploads() {
			name := "artifact"
			if given, ok := s.With["name"]; ok {
				name = given.Value
			}
			patterns = append(patterns, stars.ReplaceAllString(expression.ReplaceAllString(name, "*"), "*"))
		}
	}
	return patterns
}

// refs are the branch, and what a push must be to for the workflow to start.
func (w *Workflow) refs(branch string) []string {
	var on struct {
		Push struct{ Branches, Tags oneOrMore }
	}
	refs := []string{"refs/heads/" + branch}
	if w.on.Kind != yaml.MappingNode || w.on.Decode(&on) != nil {
		return refs
	}
	for _, list := range []struct {
		kind  string
		names []string
	}{{"refs/heads/", on.Push.Branches}, {"refs/tags/", on.Push.Tags}} {
		for _, name := range list.names {
			if ref := list.kind + name; refForm.MatchString(ref) && strings.Trim(name, "*/?") != "" && !strings.Contains(name, "**") {
				refs = append(refs, ref)
			}
		}
	}
	return sorted(refs)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// scalars are all texts below a node.
func scalars(node *yaml.Node) (texts []string) {
	if node.Kind == yaml.ScalarNode {
		texts = append(texts, node.Value)
	}
	for _, child := range node.Content {
		texts = append(texts, scalars(child)...)
	}
	return texts
}
