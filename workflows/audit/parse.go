package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"

	"github.com/distgate/distgate/workflows"
)

// file is one workflow, or one action of the repository.
type file struct {
	path    string // as it is shown
	own     string // in its repository
	lines   []string
	ast     *actionlint.Workflow // nil: it is an action, or was not read
	runs    string               // of an action: "composite", or what runs its program, "node24"
	jobs    []*job               // by their place; an action's steps are one without an id
	texts   []text               // of the workflow itself
	env     []text               // among them those of its variables
	gaps    []Gap                // what was not understood
	release bool                 // the release runs it

	elsewhere bool   // it is of another repository than the one whose settings are judged
	origin    origin // zero: the tree that is read
	unread    []Gap  // what it calls of other repositories, and nobody read
}

// steps are those of all jobs.
func (f *file) steps() (all []*step) {
	for _, j := range f.jobs {
		all = append(all, j.steps...)
	}
	return all
}

// job is a job with its steps.
type job struct {
	file  *file
	id    string
	ast   *actionlint.Job    // nil: the steps of an action
	uses  *actionlint.String // nil: it has steps of its own
	calls *file              // what it uses, if that was read
	fault string             // why what it calls by a name is not as the policy takes it
	steps []*step
	texts []text // all that may hold an expression
}

// step is one step.
type step struct {
	*actionlint.Step
	job    *job
	action *file // what it uses, if that is of the same repository
}

// uses is the action that a step uses, "" if it runs a script.
func (s *step) uses() string {
	if a, ok := s.Exec.(*actionlint.ExecAction); ok {
		return value(a.Uses)
	}
	return ""
}

// with is an input of the action that the step uses.
func (s *step) with(name string) (*actionlint.String, bool) {
	a, ok := s.Exec.(*actionlint.ExecAction)
	if !ok || a.Inputs[name] == nil {
		return nil, false
	}
	return a.Inputs[name].Value, true
}

// inputs are the names of all that is given to the action.
func (s *step) inputs() (names []string) {
	if a, ok := s.Exec.(*actionlint.ExecAction); ok {
		names = slices.Sorted(maps.Keys(a.Inputs))
	}
	return names
}

// script is what a step runs in a shell.
func (s *step) script() *actionlint.String {
	if r, ok := s.Exec.(*actionlint.ExecRun); ok {
		return r.Run
	}
	return nil
}

// at is the place of what the step runs.
func (s *step) at() *actionlint.String {
	if a, ok := s.Exec.(*actionlint.ExecAction); ok && a.Uses != nil {
		return a.Uses
	}
	return s.script()
}

func (s *step) line() int { return lineOf(s.at()) }

func value(s *actionlint.String) string {
	if s == nil {
		return ""
	}
	return s.Value
}

func lineOf(s *actionlint.String) int {
	if s == nil || s.Pos == nil {
		return 0
	}
	return s.Pos.Line
}

// spot is a place in the file of the job.
func (j *job) spot(at *actionlint.String, got string) Spot {
	s := Spot{File: j.file.path, Job: j.id, Got: got}
	if at != nil && at.Pos != nil {
		s.Line, s.Column = at.Pos.Line, at.Pos.Col
	}
	return s
}

func (f *file) spot(at *actionlint.Pos, got string) Spot {
	s := Spot{File: f.path, Got: got}
	if at != nil {
		s.Line, s.Column = at.Line, at.Col
	}
	return s
}

// maxNodes bounds a file with all of its aliases written out. A workflow of
// 1 MiB without any has some 200,000.
const maxNodes = 1 << 20

// parseWorkflow parses a workflow. What actionlint did not understand is a gap:
// it leaves such parts out.
func parseWorkflow(at string, raw []byte) *file {
	f := newFile(at, raw)
	defer f.survive()
	if !f.bounded(raw) {
		return f
	}
	w, errs := actionlint.Parse(raw)
	for _, e := range errs {
		if !strings.HasSuffix(e.Message, "is defined but not used") {
			f.miss(e.Line, "not understood: %s", e.Message)
		}
	}
	if w == nil {
		return f
	}
	f.ast = w
	jobs := slices.SortedFunc(maps.Values(w.Jobs), func(a, b *actionlint.Job) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	for _, ast := range jobs {
		f.jobs = append(f.jobs, newJob(f, ast))
	}
	f.checkUses()
	shallow := *w
	shallow.Jobs = nil
	f.texts, f.env = textsOf(f, &shallow), textsOf(f, w.Env)
	return f
}

func newFile(at string, raw []byte) *file {
	return &file{path: at, own: at, lines: strings.Split(string(raw), "\n")}
}

// miss notes something of the file that was not seen; line 0 is the whole.
func (f *file) miss(line int, format string, args ...any) {
	f.gaps = append(f.gaps, Gap{File: f.path, Line: line, What: fmt.Sprintf(format, args...)})
}

// survive turns a panic of the parser into a gap.
func (f *file) survive() {
	if failed := recover(); failed != nil {
		f.miss(0, "not understood: the parser failed (%v)", failed)
	}
}

// bounded tells whether the file may be parsed: it is not too large, also with
// its aliases written out, and has lines that nobody counts in another way. Few files
// have aliases, and only those are looked at. What somebody may read in another way is
// a gap, and the rest is judged: what is broken there is broken.
func (f *file) bounded(raw []byte) bool {
	if len(raw) > maxFile {
		f.miss(0, "want at most %d bytes, got %d", maxFile, len(raw))
		return false
	}
	if err := workflows.CheckReading(raw); err != nil {
		f.miss(0, "not understood: %v", err)
		if workflows.CheckLines(raw) != nil {
			return false
		}
	}
	if !bytes.ContainsRune(raw, '&') || !bytes.ContainsRune(raw, '*') {
		return true
	}
	var root yaml.Node
	if yaml.Unmarshal(raw, &root) != nil { // actionlint says why
		return true
	}
	if nodes(&root, map[*yaml.Node]int{}) > maxNodes {
		f.miss(0, "want at most %d values, with all aliases written out; got more", maxNodes)
		return false
	}
	return true
}

// nodes is how many nodes there are below one, itself included, up to a little
// more than maxNodes. An alias within its own anchor counts as too many.
func nodes(n *yaml.Node, known map[*yaml.Node]int) int {
	if n.Kind == yaml.AliasNode {
		return nodes(n.Alias, known)
	}
	if count, ok := known[n]; ok {
		return count
	}
	known[n] = maxNodes + 1
	count := 1
	for _, c := range n.Content {
		if count += nodes(c, known); count > maxNodes {
			return maxNodes + 1
		}
	}
	known[n] = count
	return count
}

func newJob(f *file, ast *actionlint.Job) *job {
	j := &job{file: f, id: value(ast.ID), ast: ast}
	if ast.WorkflowCall != nil {
		j.uses = ast.WorkflowCall.Uses
	}
	for _, s := range ast.Steps {
		if s != nil && s.Exec != nil {
			j.steps = append(j.steps, &step{Step: s, job: j})
		}
	}
	j.texts = textsOf(f, ast)
	return j
}

// actionFile is what is read of an action.yml.
type actionFile struct {
	Runs struct {
		Using string       `yaml:"using"`
		Image scalar       `yaml:"image"`
		Steps []actionStep `yaml:"steps"`
	} `yaml:"runs"`
}

type actionStep struct {
	ID   scalar            `yaml:"id"`
	If   scalar            `yaml:"if"`
	Uses scalar            `yaml:"uses"`
	Run  scalar            `yaml:"run"`
	With map[string]scalar `yaml:"with"`
	Env  map[string]scalar `yaml:"env"`
}

// scalar is a value with its place.
type scalar struct{ *actionlint.String }

// UnmarshalYAML takes scalars alone.
func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a single value", n.Line)
	}
	s.String = &actionlint.String{Value: n.Value, Quoted: n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0,
		Pos: &actionlint.Pos{Line: n.Line, Col: n.Column}}
	return nil
}

// parseAction parses an action.yml. The steps of a composite action are a job
// without an id; other actions have none.
func parseAction(at string, raw []byte) *file {
	f := newFile(at, raw)
	defer f.survive()
	if !f.bounded(raw) {
		return f
	}
	var a actionFile
	err := yaml.Unmarshal(raw, &a)
	if err == nil && a.Runs.Using == "" {
		err = errors.New("it does not say what it runs with (runs.using)")
	}
	if err != nil {
		f.miss(0, "not understood: %v", err)
		return f
	}
	j := &job{file: f}
	for _, s := range a.Runs.Steps {
		ast, err := s.step()
		if err != nil {
			f.miss(lineOf(s.Uses.String), "not understood: %v", err)
		}
		j.steps = append(j.steps, &step{Step: ast, job: j})
		j.texts = append(j.texts, textsOf(f, ast)...)
	}
	f.runs = strings.ToLower(a.Runs.Using)
	if f.runs == "composite" && len(j.steps) == 0 {
		f.miss(0, "not understood: a composite action without steps")
	}
	const docker = "docker://"
	if image := a.Runs.Image.String; image != nil && strings.HasPrefix(strings.ToLower(image.Value), docker) {
		image.Value = docker + image.Value[len(docker):]
		j.steps = append(j.steps, &step{job: j, Step: &actionlint.Step{Exec: &actionlint.ExecAction{Uses: image}}})
		f.runs = "a container image"
	}
	f.jobs = []*job{j}
	f.checkUses()
	return f
}

// plainUses is how an action is named: OWNER/NAME[/PATH]@REF, or ./PATH, or $/PATH, or
// an image. GitHub takes it apart at each slash, forward or backward, and leaves out
// what is empty, so that an action could have as many names as somebody wants.
var plainUses = regexp.MustCompile(`^(docker://.+|[.$](/[^/\\]*)+|[A-Za-z0-9._-]+/[A-Za-z0-9._-]+(/[^/\\@:]+)*@[^@]+)$`)

// checkUses notes each action that is named in another way.
func (f *file) checkUses() {
	for _, s := range f.steps() {
		uses := s.uses()
		name, _, _ := strings.Cut(uses, "@")
		dots := func(part string) bool { return part == "." || part == ".." }
		winds := !strings.HasPrefix(name, ".") && slices.ContainsFunc(strings.Split(name, "/"), dots)
		_, inside := localPath(uses)
		leaves := strings.HasPrefix(uses, ".") && !inside // for a folder that the job has beside the repository's
		if uses != "" && (winds || leaves || !plainUses.MatchString(uses)) {
			f.miss(s.line(), "not understood: want OWNER/NAME[/PATH]@REF, got %.100s", uses)
		}
	}
}

// step is the step as workflows have it. An error is that it is none, or gives two
// things the same name, for the case of a name does not count.
func (s actionStep) step() (*actionlint.Step, error) {
	ast := &actionlint.Step{ID: s.ID.String, If: s.If.String, Env: &actionlint.Env{Vars: map[string]*actionlint.EnvVar{}}}
	for name, v := range s.Env {
		ast.Env.Vars[strings.ToLower(name)] = &actionlint.EnvVar{Name: &actionlint.String{Value: name}, Value: v.String}
	}
	var odd error
	if len(ast.Env.Vars) != len(s.Env) {
		odd = errors.New("two variables of a step have the same name")
	}
	if (s.Uses.String == nil) == (s.Run.String == nil) {
		odd = errors.New("want steps that run a script, or use an action")
	}
	if s.Uses.String == nil {
		ast.Exec = &actionlint.ExecRun{Run: s.Run.String}
		return ast, odd
	}
	inputs := map[string]*actionlint.Input{}
	for name, v := range s.With {
		inputs[strings.ToLower(name)] = &actionlint.Input{Name: &actionlint.String{Value: name}, Value: v.String}
	}
	if len(inputs) != len(s.With) {
		odd = errors.New("two inputs of a step have the same name")
	}
	ast.Exec = &actionlint.ExecAction{Uses: s.Uses.String, Inputs: inputs}
	return ast, odd
}
