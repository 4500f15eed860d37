package audit

import (
	"slices"
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
	at := reference(n)
	if name, ok := strings.CutPrefix(at, "matrix."); ok && !strings.Contains(name, ".") {
		return j.matrix(name)
	}
	return nil, false
}

// matrix are the values of a name of the job's matrix.
func (j *job) matrix(name string) (all []string, whole bool) {
	if j.ast == nil || j.ast.Strategy == nil || j.ast.Strategy.Matrix == nil || j.ast.Strategy.Matrix.Expression != nil {
		return nil, false
	}
	m := j.ast.Strategy.Matrix
	whole = true
	add := func(v actionlint.RawYAMLValue) {
		text, ok := literal(v)
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
