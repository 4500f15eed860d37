package workflows

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

// Bounds on the workflow files that are read for one build.
const (
	maxWorkflows = 50 // files, as GitHub has it for one run
	maxScalars   = 200_000

	// bytes of an expression, with its end: GitHub takes 21,000 characters
	// (ExpressionConstants of actions/runner), and its parser goes as deep as that.
	maxExpression = 21_002
)

// Inputs lists what the jobs of a workflow take that stands in no provenance and
// in no commit: "inputs.NAME" that somebody types when the workflow is started,
// "vars.NAME" from the settings of the repository, and "github.event" where all
// of the event is taken. It reads the file at the commit, and the reusable
// workflows that its jobs are. Of one that moves, "uses OWNER/NAME/PATH@REF" is
// listed, since nobody knows what it took.
func (c *Client) Inputs(ctx context.Context, repository, workflow, commit string) ([]string, error) {
	taken, seen := map[string]bool{}, map[string]bool{}
	type file struct{ repository, path, ref string }
	next := []file{{repository, workflow, commit}}
	for called := false; len(next) > 0; called = true {
		f := next[0]
		next = next[1:]
		name := f.repository + "/" + f.path + "@" + f.ref
		if seen[name] {
			continue
		}
		if seen[name] = true; len(seen) > maxWorkflows {
			return nil, fmt.Errorf("%s: want a workflow of at most %d files, got more", workflow, maxWorkflows)
		}
		raw, err := c.Content(ctx, f.repository, f.path, f.ref)
		if err != nil {
			return nil, err
		}
		takes, uses, err := readWorkflow(name, raw)
		if err != nil {
			return nil, err
		}
		for _, what := range takes {
			// What a called workflow calls inputs was handed to it by a file that was read. The
			// event is that of the run.
			what, typed := strings.CutPrefix(what, ofEvent)
			taken[what] = taken[what] || typed || !called || !strings.HasPrefix(what, "inputs.")
		}
		for _, u := range uses {
			if path, ok := localWorkflow(u); ok {
				next = append(next, file{f.repository, path, f.ref})
			} else if m := remoteWorkflow.FindStringSubmatch(u); m != nil {
				next = append(next, file{m[1], m[2], m[3]})
			} else {
				taken["uses "+clip(u)] = true
			}
		}
	}
	var list []string
	for what, counts := range taken {
		if counts {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	return list, nil
}

// remoteWorkflow is a reusable workflow of another repository, pinned.
var remoteWorkflow = regexp.MustCompile(`^([^/@]+/[^/@]+)/(\.github/workflows/[^@]+)@([0-9a-f]{40})$`)

// localWorkflow is the path of a reusable workflow of the same commit, which is
// written "./PATH", and since 2026 "$/PATH" as well.
func localWorkflow(uses string) (path string, ok bool) {
	for _, before := range []string{"./", "$/"} {
		if path, ok = strings.CutPrefix(uses, before); ok {
			return path, true
		}
	}
	return "", false
}

// Taken lists what the jobs of one workflow file take, as [Client.Inputs] has it,
// without what the reusable workflows take that it calls.
func Taken(name string, raw []byte) ([]string, error) {
	takes, _, err := readWorkflow(name, raw)
	for i, what := range takes {
		takes[i] = strings.TrimPrefix(what, ofEvent)
	}
	slices.Sort(takes)
	return slices.Compact(takes), err
}

// readWorkflow lists what a workflow's jobs take, and the reusable workflows
// that they are; what they take of the event's inputs has that in front of it. The file is read as a tree of YAML, so that a key which is newer
// than distgate hides nothing.
func readWorkflow(name string, raw []byte) (takes, uses []string, err error) {
	var file struct {
		Env  yaml.Node `yaml:"env"`
		Jobs yaml.Node `yaml:"jobs"`
	}
	if err := CheckReading(raw); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, nil, fmt.Errorf("%s: want a workflow, got YAML that cannot be read (%w)", name, err)
	}
	if file.Jobs.Kind != yaml.MappingNode || len(file.Jobs.Content) == 0 {
		return nil, nil, fmt.Errorf("%s: want a workflow with jobs, got none", name)
	}
	r := &workflowReader{seen: map[place]bool{}}
	r.walk("", &file.Env)
	r.walk("", &file.Jobs)
	for i := 1; i < len(file.Jobs.Content); i += 2 {
		var job struct {
			Uses string `yaml:"uses"`
		}
		if err := file.Jobs.Content[i].Decode(&job); err == nil && job.Uses != "" {
			r.uses = append(r.uses, job.Uses)
		}
	}
	if r.err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, r.err)
	}
	return r.takes, r.uses, nil
}

// condition is the key of what is an expression without braces.
const condition = "if"

// place is a value, and whether it stands where a condition does: by an alias it may do
// both.
type place struct {
	*yaml.Node
	condition bool
}

// workflowReader looks at every scalar of a workflow, once.
type workflowReader struct {
	seen        map[place]bool
	takes, uses []string
	err         error
}

func (r *workflowReader) walk(key string, n *yaml.Node) {
	is := place{n, key == condition}
	if r.err != nil || n == nil || r.seen[is] {
		return
	}
	if r.seen[is] = true; len(r.seen) > maxScalars {
		r.err = fmt.Errorf("want at most %d values in a workflow, got more", maxScalars)
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		r.walk(key, n.Alias)
	case yaml.ScalarNode:
		r.scalar(key, n)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			r.walk("", n.Content[i])
			r.walk(meant(n.Content[i]).Value, n.Content[i+1])
		}
	default:
		for _, below := range n.Content {
			r.walk(key, below)
		}
	}
}

// scalar reads the expressions in one value. That of an if needs no braces.
func (r *workflowReader) scalar(key string, n *yaml.Node) {
	text := n.Value
	if strings.Contains(strings.ToUpper(text), "GITHUB_EVENT_PATH") {
		r.takes = append(r.takes, wholeEvent)
	}
	if key == condition && !strings.Contains(text, "${{") {
		text = "${{" + text + "}}"
	}
	for {
		_, rest, found := strings.Cut(text, "${{")
		if !found {
			return
		}
		lexer := actionlint.NewExprLexer(rest[:min(len(rest), maxExpression)])
		tree, err := actionlint.NewExprParser().Parse(lexer)
		if err != nil {
			r.err = fmt.Errorf("line %d: want an expression that can be read, got %q (%s)", n.Line, clip(rest), err.Message)
			return
		}
		r.expression(tree)
		text = rest[min(lexer.Offset(), len(rest)):]
	}
}

const (
	wholeEvent = "github.event"
	ofEvent    = "github.event." // before inputs
)

// expression lists what an expression takes of inputs, vars and the event. What
// the event says of a release, a push or the repository is no input.
func (r *workflowReader) expression(tree actionlint.ExprNode) {
	actionlint.VisitExprNode(tree, func(n, parent actionlint.ExprNode, entering bool) {
		if !entering {
			return
		}
		switch name := member(parent); {
		case isVariable(n, "inputs"):
			r.takes = append(r.takes, "inputs."+name)
		case isEvent(receiver(n)) && memberOf(n) == "inputs":
			r.takes = append(r.takes, ofEvent+"inputs."+name)
		case isVariable(n, "vars"):
			r.takes = append(r.takes, "vars."+name)
		case isEvent(n) && (name == all || name == "client_payload"), isVariable(n, "github") && (name == all || name == "event_path"):
			r.takes = append(r.takes, wholeEvent)
		}
	})
}

// isEvent tells whether an expression is github.event.
func isEvent(n actionlint.ExprNode) bool {
	return memberOf(n) == "event" && isVariable(receiver(n), "github")
}

// all stands for every member, or one that is worked out.
const all = "*"

// member is the member that the parent of a node takes of it.
func member(parent actionlint.ExprNode) string {
	if name := memberOf(parent); name != "" {
		return name
	}
	return all
}

// memberOf is the name of the member that a node takes of its receiver.
func memberOf(n actionlint.ExprNode) string {
	switch n := n.(type) {
	case *actionlint.ObjectDerefNode:
		return strings.ToLower(n.Property)
	case *actionlint.IndexAccessNode:
		if name, ok := n.Index.(*actionlint.StringNode); ok {
			return strings.ToLower(name.Value)
		}
	}
	return ""
}

func receiver(n actionlint.ExprNode) actionlint.ExprNode {
	switch n := n.(type) {
	case *actionlint.ObjectDerefNode:
		return n.Receiver
	case *actionlint.IndexAccessNode:
		return n.Operand
	}
	return nil
}

func isVariable(n actionlint.ExprNode, name string) bool {
	v, ok := n.(*actionlint.VariableNode)
	return ok && v.Name == name
}
