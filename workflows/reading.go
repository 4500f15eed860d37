package workflows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CheckReading tells whether a workflow or an action says the same to GitHub as to
// Go's YAML library. GitHub's reader (YamlObjectReader and TemplateReader of
// actions/runner) knows YAML 1.2's numbers and five tags, takes the events of one
// document as they come, and expressions as keys; it knows no merge keys. What it
// would refuse, or take for something else, is an error.
//
// Few files have anything of the kind: the others are not parsed.
func CheckReading(raw []byte) error {
	if err := CheckLines(raw); err != nil {
		return err
	}
	if !unusual(raw) {
		return nil
	}
	if at := directive.FindIndex(raw); at != nil {
		return fmt.Errorf("line %d: want no directive, got %.40q", 1+bytes.Count(raw[:at[0]], []byte("\n")), raw[at[0]:at[1]])
	}
	documents := yaml.NewDecoder(bytes.NewReader(raw))
	var root, more yaml.Node
	if documents.Decode(&root) != nil { // who reads it says why
		return nil
	}
	if err := documents.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("want one document, got more")
	}
	return (&reading{seen: map[*yaml.Node]bool{}}).check(&root)
}

var directive = regexp.MustCompile(`(?m)^%.*`)

// reading looks at every value of a document, once.
type reading struct{ seen map[*yaml.Node]bool }

func (r *reading) check(n *yaml.Node) error {
	if n == nil || r.seen[n] {
		return nil
	}
	r.seen[n] = true
	if n.Style&yaml.TaggedStyle != 0 {
		return fmt.Errorf("line %d: want no tag, got %.60q", n.Line, n.Tag)
	}
	if n.Kind == yaml.ScalarNode && n.Style == 0 && number.MatchString(n.Value) {
		return fmt.Errorf("line %d: want a number as GitHub writes it, or quotes; got %.60s", n.Line, n.Value)
	}
	if n.Kind == yaml.MappingNode {
		if err := keys(n); err != nil {
			return err
		}
	}
	for _, c := range n.Content {
		if err := r.check(c); err != nil {
			return err
		}
	}
	return nil
}

// number is a number that GitHub writes in another way than it stands there, for a name
// that is one. Of 3.10, which is 3.1, only a name of an environment is asked: see keys.
var number = regexp.MustCompile(`^(0x[0-9a-fA-F]+|0o[0-7]+|[-+]?0[0-9]+|\+[0-9.]+|` +
	`[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)

// written is any other value that GitHub writes in its own way: of a number it keeps
// fifteen digits.
var written = regexp.MustCompile(`^([-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]{16,})|True|TRUE|False|FALSE|null|Null|NULL|~)$`)

// keys checks the keys of a mapping. GitHub compares them without their case, and takes
// what is an expression for whatever that comes out as.
func keys(n *yaml.Node) error {
	known := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := meant(n.Content[i]), n.Content[i+1]
		name := strings.ToLower(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			return fmt.Errorf("line %d: want a key that is one value, got more", key.Line)
		case strings.Contains(name, "${{"):
			return fmt.Errorf("line %d: want a key that is known, got %.60q", key.Line, key.Value)
		case key.Value == "<<":
			return fmt.Errorf("line %d: want keys that are written out, got a merge", key.Line)
		case known[name]:
			return fmt.Errorf("line %d: want each key once, got %.60q again", key.Line, key.Value)
		}
		known[name] = true
		if name != "environment" {
			continue
		}
		if value = environmentIn(value); value.Kind == yaml.ScalarNode && value.Style == 0 && written.MatchString(value.Value) {
			return fmt.Errorf("line %d: want a name in quotes, got %.60s", value.Line, value.Value)
		}
	}
	return nil
}

// environmentIn is what holds the name of an environment: the value itself, or what is
// called the name in it.
func environmentIn(n *yaml.Node) *yaml.Node {
	if n = meant(n); n.Kind != yaml.MappingNode {
		return n
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if meant(n.Content[i]).Value == "name" {
			return meant(n.Content[i+1])
		}
	}
	return n
}

// meant is a value, or what an alias stands for.
func meant(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// unusual tells whether there may be something in a text that two readers take for two
// things. It looks at where values begin, and errs on that side.
func unusual(raw []byte) bool {
	for _, part := range []string{`\x`, `\u`, `\U`, "<<"} {
		if bytes.Contains(raw, []byte(part)) {
			return true
		}
	}
	if expressionKey.Match(raw) {
		return true
	}
	for i, c := range raw {
		if i > 0 && !begins(raw[i-1]) {
			continue
		}
		rest, first := raw[i:], i == 0 || raw[i-1] == '\n'
		switch {
		case c == '?', c == '!' && !bytes.HasPrefix(rest, []byte("!=")), c == '%' && first,
			first && i > 0 && bytes.HasPrefix(rest, []byte("---")), first && bytes.HasPrefix(rest, []byte("...")),
			c == '*' && alias.Match(rest), c == 'e' && environmentName.Match(rest),
			(c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9') && oddNumber.Match(rest):
			return true
		}
	}
	return false
}

// begins tells whether a value can begin behind a byte.
func begins(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '[', '{', ',', ':', '"', '\'':
		return true
	}
	return false
}

var (
	oddNumber       = regexp.MustCompile(`^([-+]?0[0-9xo]|\+[0-9.]|[-+]?[0-9.]+[eE]|[-+]?\.[iInN])`)
	expressionKey   = regexp.MustCompile(`\$\{\{[^\n]*\}\}[^\n]*:`)
	alias           = regexp.MustCompile(`^\*[A-Za-z0-9_-]`)
	environmentName = regexp.MustCompile(`^environment["']?[ \t]*:[ \t]*[-+.0-9TFNn~&*{#\r\n]`)
)
