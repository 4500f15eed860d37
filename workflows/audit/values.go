package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"
)

// values are all that a value of the job may come out as; whole is false where
// that is decided only when it runs.
func (j *job) values(s *actionlint.String) (all []string, whole bool) {
	if !s.ContainsExpression() {
		return []string{s.Value}, true
	}
	t := newText(j.file, "", s)
	if !s.IsExpressionAssigned() || len(t.expressions) != 1 || t.expressions[0].tree == nil {
		return nil, false
	}
	return j.outcomes(t.expressions[0].tree)
}

// outcomes are the texts that an expression may come out as.
func (j *job) outcomes(n actionlint.ExprNode) (all []string, whole bool) {
	switch n := n.(type) {
	case *actionlint.StringNode:
		return []string{n.Value}, true
	case *actionlint.LogicalOpNode:
		right, ok := j.outcomes(n.Right)
		if n.Kind == actionlint.LogicalOpNodeKindAnd {
			return append(right, ""), ok
		}
		left, also := j.outcomes(n.Left)
		return append(left, right...), ok && also
	}
	if path := ofMatrix(n); path != nil {
		return j.matrix(path[0], path[1:]...)
	}
	return nil, false
}

// ofMatrix are the names and indexes by which an expression takes a value of the
// matrix, or a part of one: "plat", "0" of matrix.plat[0]. It is nil for others.
func ofMatrix(n actionlint.ExprNode) []string {
	if name, ok := strings.CutPrefix(reference(n), "matrix."); ok && !strings.ContainsAny(name, ".*") {
		return []string{name}
	}
	var of actionlint.ExprNode
	var name string
	switch n := n.(type) {
	case *actionlint.ObjectDerefNode:
		of, name = n.Receiver, n.Property
	case *actionlint.IndexAccessNode:
		switch index := n.Index.(type) {
		case *actionlint.IntNode:
			of, name = n.Operand, strconv.Itoa(index.Value)
		case *actionlint.StringNode:
			of, name = n.Operand, index.Value
		}
	}
	if of == nil {
		return nil
	}
	if path := ofMatrix(of); path != nil {
		return append(path, strings.ToLower(name))
	}
	return nil
}

// part is what a path leads to, nil if there is nothing. Names are in lower case, as
// actionlint keeps them.
func part(v actionlint.RawYAMLValue, path []string) actionlint.RawYAMLValue {
	for _, name := range path {
		switch of := v.(type) {
		case *actionlint.RawYAMLObject:
			v = of.Props[name]
		case *actionlint.RawYAMLArray:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(of.Elems) {
				return nil
			}
			v = of.Elems[i]
		default:
			return nil
		}
	}
	return v
}

// matrix are the values of a name of the job's matrix, or the part of each that the
// path leads to.
func (j *job) matrix(name string, path ...string) (all []string, whole bool) {
	if j.ast == nil || j.ast.Strategy == nil || j.ast.Strategy.Matrix == nil || j.ast.Strategy.Matrix.Expression != nil {
		return nil, false
	}
	m := j.ast.Strategy.Matrix
	whole = true
	add := func(v actionlint.RawYAMLValue) {
		text, ok := literal(part(v, path))
		if !ok {
			whole = false
			return
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if row := m.Rows[name]; row != nil {
		whole = row.Expression == nil
		for _, v := range row.Values {
			if !excluded(m, name, v) {
				add(v)
			}
		}
	}
	if m.Include != nil {
		whole = whole && !m.Include.ContainsExpression()
		for _, c := range m.Include.Combinations {
			if a := c.Assigns[name]; a != nil {
				add(a.Value)
			}
		}
	}
	return all, whole
}

// literal is a plain value without an expression.
func literal(v actionlint.RawYAMLValue) (string, bool) {
	s, ok := v.(*actionlint.RawYAMLString)
	if !ok || actionlint.ContainsExpression(s.Value) {
		return "", false
	}
	return s.Value, true
}

// excluded tells whether the matrix leaves out everything with a value.
func excluded(m *actionlint.Matrix, name string, v actionlint.RawYAMLValue) bool {
	return m.Exclude != nil && slices.ContainsFunc(m.Exclude.Combinations, func(c *actionlint.MatrixCombination) bool {
		return len(c.Assigns) == 1 && c.Assigns[name] != nil && c.Assigns[name].Value.Equals(v)
	})
}
