package command

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/distgate/distgate/staging/rule"
)

// checkOrigins demands of every index that one party answers for it. What else is
// wrong with the address of an index is said to whoever uses it.
func (p policy) checkOrigins() error {
	var no rule.Refusals
	for _, name := range slices.Sorted(maps.Keys(p.table.Index)) {
		_, err := p.index(name)
		var refused rule.Refusals
		errors.As(err, &refused)
		for _, r := range refused {
			if r.Rule == rule.IndexOrigin {
				key, _, _ := strings.Cut(r.Want, ": ")
				r.File = p.line("index", name, key)
				no = append(no, r)
			}
		}
	}
	return no.Err()
}

// line is the policy's path with the line on which a key has its value, or the path
// alone where the key stands in no table of its own.
func (p policy) line(key ...string) string {
	var parser unstable.Parser
	parser.Reset(p.files[0].Raw)
	var table []string
	for parser.NextExpression() {
		e := parser.Expression()
		var path []string
		var last unstable.Range
		for it := e.Key(); it.Next(); {
			path, last = append(path, string(it.Node().Data)), it.Node().Raw
		}
		if e.Kind == unstable.Table {
			table = path
		} else if slices.Equal(slices.Concat(table, path), key) {
			return fmt.Sprintf("%s:%d", p.file, parser.Shape(last).Start.Line)
		}
	}
	return p.file
}
