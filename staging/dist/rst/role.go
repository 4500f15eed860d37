package rst

import (
	"slices"
	"strconv"
	"strings"
)

// role is what interpreted text is for (docutils.parsers.rst.roles).
type role struct {
	base     string // the canonical name, "" for one that a text makes of nothing
	language string // of a role made of code
}

// The roles of docutils, each with the names that it has in English.
var roleNames = map[string]string{
	"ab": "abbreviation", "abbreviation": "", "ac": "acronym", "acronym": "", "code": "", "emphasis": "", "literal": "",
	"math": "", "pep": "pep-reference", "pep-reference": "", "rfc": "rfc-reference", "rfc-reference": "", "strong": "",
	"sub": "subscript", "subscript": "", "sup": "superscript", "superscript": "", "t": "title-reference",
	"title": "title-reference", "title-reference": "", "raw": "", "i": "index", "index": "",
	"anonymous-reference": "", "citation-reference": "", "footnote-reference": "", "named-reference": "",
	"substitution-reference": "", "uri": "uri-reference", "url": "uri-reference", "uri-reference": "", "target": "",
	"restructuredtext-unimplemented-role": "",
}

// Roles that docutils knows and does not have.
var roleless = strings.Fields(`index anonymous-reference citation-reference footnote-reference named-reference
	substitution-reference uri-reference target restructuredtext-unimplemented-role`)

func (p *parser) role(name string) (role, bool) {
	name = strings.ToLower(name)
	if r, own := p.roles[name]; own {
		return r, true
	}
	if name == "" {
		return role{base: "title-reference"}, true
	}
	canonical, known := roleNames[name]
	if canonical == "" {
		canonical = name
	}
	return role{base: canonical}, known
}

// interpret reads interpreted text of a role. The text is escaped.
func (s *scanner) interpret(name, text string) *node {
	n := &node{kind: inline, line: s.line, name: unescaped(text)}
	r, known := s.role(name)
	switch {
	case !known:
		s.fault(s.line, "Unknown interpreted text role %q.", name)
	case slices.Contains(roleless, r.base):
		s.fault(s.line, "Interpreted text role %q not implemented.", name)
	case r.base == "raw":
		s.fault(s.line, "raw (and derived) roles disabled")
	case r.base == "pep-reference":
		n.kind = reference
		if v, ok := pythonInt(unescaped(text)); !ok || v < 0 || v > 9999 {
			s.fault(s.line, "PEP number must be a number from 0 to 9999; %q is invalid.", unescaped(text))
		}
	case r.base == "rfc-reference":
		n.kind = reference
		number, _, _ := strings.Cut(unescaped(text), "#")
		if v, ok := pythonInt(number); !ok || v < 1 {
			s.fault(s.line, "RFC number must be a number greater than or equal to 1; %q is invalid.", number)
		}
	case r.base == "code" && !isLexer(r.language):
		s.unsure(s.line, "The role %q is of code in %q, which Pygments may not know.", name, r.language)
	}
	return n
}

// pythonInt is int of Python, for digits of ASCII.
func pythonInt(s string) (int, bool) {
	s = trim(s)
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || strings.Trim(digits, "_") != digits || strings.Contains(digits, "__") {
		return 0, false
	}
	n, err := strconv.Atoi(s[:len(s)-len(digits)] + strings.ReplaceAll(digits, "_", ""))
	return n, err == nil
}

// isLexer tells of what is sure: a language that Pygments has, or none.
func isLexer(language string) bool {
	return slices.Contains(strings.Fields(`none bash c c++ console cpp css diff docker dockerfile go html http ini java
		javascript js json make makefile markdown md pycon py pytb python python3 rest restructuredtext rst ruby rust
		sh shell sql tex text toml ts typescript xml yaml zsh`), strings.ToLower(language)) || language == ""
}

// makeRole reads the directive "role": NAME or NAME(BASE), and options.
func (d *call) makeRole() []*node {
	if len(d.body) == 0 || d.body[0].no != d.line {
		d.fault(d.line, "Error in %q directive: it requires arguments on the first line.", d.name)
		return nil
	}
	form := roleForm.FindStringSubmatch(d.body[0].text)
	if form == nil {
		d.fault(d.line, "%q directive arguments not valid role names: %q.", d.name, d.body[0].text)
		return nil
	}
	r, known := role{}, form[2] == ""
	if !known {
		r, known = d.role(form[2])
	}
	if !known {
		d.fault(d.line, "Unknown interpreted text role %q.", form[2])
		return nil
	}
	spec := directive{accepts: map[string]conversion{"class": aClass}}
	switch r.base {
	case "code":
		spec.accepts["language"] = anything
	case "raw":
		spec.accepts["format"] = anything
	}
	own := *d
	own.directive, own.block, own.given = spec, d.body[1:], nil
	if !own.read() {
		return nil
	}
	if language, given := own.given["language"]; given {
		r.language = language.text
	}
	if _, given := own.given["class"]; !given {
		if j := aClass(value{form[1], true}); j != good {
			d.bad(j, "Invalid argument for \"role\" directive: %s.", form[1])
		}
	}
	d.roles[strings.ToLower(form[1])] = r
	return nil
}
