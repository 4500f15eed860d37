package audit

import (
	"reflect"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// text is a value of a workflow with the expressions in it.
type text struct {
	file        *file
	at          *actionlint.String
	field       string // of actionlint's tree, "If" or "Run"
	expressions []expression
}

// expression is one ${{ … }}.
type expression struct {
	source string // without the braces
	line   int
	tree   actionlint.ExprNode // nil: not understood
}

// textsOf are all values with an expression in a part of a workflow, in the
// order of their places.
func textsOf(f *file, part any) (texts []text) {
	walk(reflect.ValueOf(part), "", func(field string, s *actionlint.String) {
		if t := newText(f, field, s); len(t.expressions) > 0 {
			texts = append(texts, t)
		}
	})
	slices.SortStableFunc(texts, func(a, b text) int { return lineOf(a.at) - lineOf(b.at) })
	return texts
}

var stringType = reflect.TypeFor[*actionlint.String]()

// walk visits every string of a syntax tree, so that one in a new field of it
// is not overlooked.
func walk(v reflect.Value, field string, visit func(field string, s *actionlint.String)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if v.Type() == stringType {
			visit(field, v.Interface().(*actionlint.String))
			return
		}
		walk(v.Elem(), field, visit)
	case reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), field, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), v.Type().Field(i).Name, visit)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), field, visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walk(v.MapIndex(key), field, visit)
		}
	}
}

// newText finds the expressions of a value. A condition is one as a whole, with
// or without braces.
func newText(f *file, field string, s *actionlint.String) text {
	t := text{file: f, at: s, field: field}
	if field == "If" && !strings.Contains(s.Value, "${{") {
		t.expressions = []expression{parseExpression(s.Value, lineOf(s))}
		return t
	}
	line := lineOf(s)
	if f.isBlock(s) {
		line++
	}
	rest := s.Value
	for {
		before, after, found := strings.Cut(rest, "${{")
		if !found {
			return t
		}
		line += strings.Count(before, "\n")
		source, next, closed := cutExpression(after)
		e := parseExpression(source, line)
		if !closed {
			e.tree = nil
		}
		t.expressions = append(t.expressions, e)
		line += strings.Count(source, "\n")
		rest = next
	}
}

// cutExpression cuts at the first }} that is not in a quoted text.
func cutExpression(s string) (source, rest string, closed bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case !quoted && strings.HasPrefix(s[i:], "}}"):
			return s[:i], s[i+2:], true
		}
	}
	return s, "", false
}

const (
	maxExpression = 21_000 // characters: GitHub takes no longer one (ExpressionConstants of actions/runner)
	maxDepth      = 200    // of what is within each other; GitHub counts less of it, and takes 50
)

func parseExpression(source string, line int) expression {
	e := expression{source: strings.TrimSpace(source), line: line}
	if len(source) > maxExpression {
		return e
	}
	tree, err := actionlint.NewExprParser().Parse(actionlint.NewExprLexer(source + "}}"))
	if err == nil && depthOf(tree) <= maxDepth {
		e.tree = tree
	}
	return e
}

// depthOf is how deep an expression goes.
func depthOf(tree actionlint.ExprNode) (deepest int) {
	depth := 0
	actionlint.VisitExprNode(tree, func(_, _ actionlint.ExprNode, entering bool) {
		if !entering {
			depth--
			return
		}
		depth++
		deepest = max(deepest, depth)
	})
	return deepest
}

// isBlock tells whether a value is written as a block, which begins on the line
// below its place.
func (f *file) isBlock(s *actionlint.String) bool {
	if s.Pos == nil || s.Quoted || s.Pos.Line > len(f.lines) {
		return false
	}
	line := f.lines[s.Pos.Line-1]
	if s.Pos.Col < 1 || s.Pos.Col > len(line) {
		return false
	}
	return line[s.Pos.Col-1] == '|' || line[s.Pos.Col-1] == '>'
}

// reference is what a node refers to: "github.event.issue.title", with "*" for each
// element of a list; in lower case. It is "" if the node is no reference.
func reference(n actionlint.ExprNode) string {
	switch n := n.(type) {
	case *actionlint.VariableNode:
		return strings.ToLower(n.Name)
	case *actionlint.ObjectDerefNode:
		return below(n.Receiver, strings.ToLower(n.Property))
	case *actionlint.ArrayDerefNode:
		return below(n.Receiver, "*")
	case *actionlint.IndexAccessNode:
		if name, ok := n.Index.(*actionlint.StringNode); ok {
			return below(n.Operand, strings.ToLower(name.Value))
		}
		return below(n.Operand, "*")
	}
	return ""
}

func below(receiver actionlint.ExprNode, name string) string {
	if of := reference(receiver); of != "" {
		return of + "." + name
	}
	return ""
}

// references are the paths of everything that an expression names, also of what
// it only compares. A context as a whole is its name alone.
func (e expression) references() (all []string) {
	if e.tree == nil {
		return nil
	}
	actionlint.VisitExprNode(e.tree, func(n, parent actionlint.ExprNode, entering bool) {
		if at := reference(n); entering && at != "" && !partOf(n, parent) {
			all = append(all, at)
		}
	})
	return all
}

// partOf tells whether a reference goes on in the node above it.
func partOf(n, parent actionlint.ExprNode) bool {
	switch p := parent.(type) {
	case *actionlint.ObjectDerefNode:
		return p.Receiver == n
	case *actionlint.ArrayDerefNode:
		return p.Receiver == n
	case *actionlint.IndexAccessNode:
		return p.Operand == n
	}
	return false
}

// results are the nodes that an expression may come out as, seen through
// functions that keep what they are given. What is only compared is not among
// them: a comparison comes out as true or false.
func results(n actionlint.ExprNode) []actionlint.ExprNode {
	switch n := n.(type) {
	case *actionlint.LogicalOpNode:
		if n.Kind == actionlint.LogicalOpNodeKindAnd {
			return results(n.Right) // the left is the result where it is empty, 0 or false
		}
		return append(results(n.Left), results(n.Right)...)
	case *actionlint.FuncCallNode:
		var all []actionlint.ExprNode
		if !judges[strings.ToLower(n.Callee)] {
			for _, arg := range n.Args {
				all = append(all, results(arg)...)
			}
		}
		return all
	case *actionlint.CompareOpNode, *actionlint.NotOpNode, *actionlint.StringNode, *actionlint.IntNode,
		*actionlint.FloatNode, *actionlint.BoolNode, *actionlint.NullNode:
		return nil
	}
	if reference(n) == "" { // a property of what another expression comes out as
		switch n := n.(type) {
		case *actionlint.ObjectDerefNode:
			return results(n.Receiver)
		case *actionlint.ArrayDerefNode:
			return results(n.Receiver)
		case *actionlint.IndexAccessNode:
			return results(n.Operand)
		}
	}
	return []actionlint.ExprNode{n}
}

// judges are the functions that answer with true, false or a hash. The result of
// any other may hold what it is given.
var judges = map[string]bool{"contains": true, "startswith": true, "endswith": true, "hashfiles": true,
	"success": true, "always": true, "cancelled": true, "failure": true}
