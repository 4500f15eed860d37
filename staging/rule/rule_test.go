package rule

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

func TestEveryRuleHasAStory(t *testing.T) {
	wellFormed := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[ID]bool{}
	for _, id := range declared(t) {
		if !wellFormed.MatchString(string(id)) {
			t.Errorf("%q: want lower case and hyphens", id)
		}
		if seen[id] {
			t.Errorf("%s is declared twice", id)
		}
		seen[id] = true
		if len(id.Story()) < 40 {
			t.Errorf("%s: want a story, got %q", id, id.Story())
		}
	}
	if len(seen) == 0 {
		t.Fatal("no rule is declared")
	}
	if ids := IDs(); len(ids) != len(seen) {
		t.Errorf("%d rules have a story, %d are declared", len(ids), len(seen))
	}
	if got := ID("no-such-rule").Story(); got != "" {
		t.Errorf("an unknown rule has the story %q", got)
	}
}

// declared reads the ids out of this package's source, so that a constant
// without a story cannot hide.
func declared(t *testing.T) (ids []ID) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if id, ok := declaration(t, n); ok {
				ids = append(ids, id)
			}
			return true
		})
	}
	return ids
}

// declaration is the id in a line such as `Name ID = "name"`.
func declaration(t *testing.T, n ast.Node) (ID, bool) {
	spec, ok := n.(*ast.ValueSpec)
	if !ok || len(spec.Values) != 1 {
		return "", false
	}
	if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "ID" {
		return "", false
	}
	text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return ID(text), true
}

func TestRefusalsAreTheOnlyNo(t *testing.T) {
	if err := (Refusals{}).Err(); err != nil {
		t.Errorf("no refusals: got error %v", err)
	}
	no := Refusals{{File: "a.whl", Rule: "x", Want: "1", Got: "2"}}
	var back Refusals
	if !errors.As(fmt.Errorf("stage: %w", no.Err()), &back) || len(back) != 1 {
		t.Errorf("a wrapped refusal is not found again: %v", back)
	}
	if got, want := no.Error(), "a.whl: x: want 1, got 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
