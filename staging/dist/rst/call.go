package rst

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What the directives do with their content (docutils.parsers.rst.directives), as far
// as they warn.

// needs warns where content is wanted and there is none.
func (d *call) needs() bool {
	if len(d.body) == 0 {
		d.fault(d.line, "Content block expected for the %q directive; none found.", d.name)
	}
	return len(d.body) > 0
}

// argument is the first, or nothing.
func (d *call) argument() string {
	if len(d.arguments) == 0 {
		return ""
	}
	return d.arguments[0]
}

// makes a node, with the name that the options give it.
func (d *call) makes(k kind) *node {
	n := &node{kind: k, line: d.line}
	if v, given := d.given["name"]; given {
		d.names.explicit(d.parser, normal(v.text), "", d.line)
		n.unique = true
	}
	return n
}

// holds parses the content into a node that stands where the directive does.
func (d *call) holds(n *node) []*node {
	n.parent = d.node
	d.parse(d.body, n, false)
	return []*node{n}
}

// leaves makes nodes of nothing.
func leaves(kinds ...kind) func(*call) []*node {
	return func(d *call) (made []*node) {
		for _, k := range kinds {
			made = append(made, &node{kind: k, line: d.line})
		}
		return made
	}
}

func (d *call) inside() []*node {
	if !d.needs() {
		return nil
	}
	switch d.base {
	case "admonition":
		d.inline(d.argument(), d.line)
	case "container":
		if j := aClass(value{d.argument(), true}); j != good {
			d.bad(j, "Invalid class attribute value for %q directive: %q.", d.name, d.argument())
		}
	}
	return d.holds(d.makes(body))
}

// nests warns where a directive stands in what is no section.
func (d *call) nests() bool {
	switch d.node.kind {
	case document, section, element:
		return false
	case sidebar:
		if d.base != "sidebar" {
			return false
		}
	}
	d.fault(d.line, "The %q directive may not be used within topics or body elements.", d.name)
	return true
}

func (d *call) aside() []*node {
	if d.nests() || !d.needs() {
		return nil
	}
	subtitle, given := d.given["subtitle"]
	if given && len(d.arguments) == 0 {
		d.fault(d.line, "The \"subtitle\" option may not be used without a title.")
	}
	d.inline(d.argument(), d.line)
	d.inline(subtitle.text, d.line)
	k := body
	if d.base == "sidebar" {
		k = sidebar
	}
	return d.holds(d.makes(k))
}

func (d *call) inlines() []*node {
	if d.base == "rubric" {
		d.inline(d.argument(), d.line)
		return []*node{d.makes(body)}
	}
	if !d.needs() {
		return nil
	}
	if d.base == "parsed-literal" {
		d.inline(join(d.body), d.line)
		return []*node{d.makes(body)}
	}
	for _, l := range d.body {
		d.inline(trim(l.text), l.no)
	}
	return []*node{d.makes(body)}
}

func (d *call) verbatim() []*node {
	if !d.needs() {
		return nil
	}
	return []*node{d.makes(body)}
}

func lineNumber(v value) judged {
	if !v.given {
		return good
	}
	return anInt(-1 << 40)(v)
}

func figureWidth(v value) judged {
	if !v.given {
		return unknown // docutils fails
	}
	if strings.EqualFold(v.text, "image") {
		return good
	}
	return aLength("%")(v)
}

func (d *call) quotes() []*node {
	if !d.needs() {
		return nil
	}
	n := &node{kind: body, parent: d.node}
	under := &machine{parser: d.parser, node: n}
	under.blockQuote(d.body)
	return []*node{n}
}

func (d *call) picture() []*node {
	if v, given := d.given["align"]; given {
		vertical := slices.Contains([]string{"top", "middle", "bottom"}, strings.ToLower(trim(v.text)))
		if vertical != d.sub && d.base == "image" {
			d.fault(d.line, "Error in %q directive: %q is not a valid value for the \"align\" option.", d.name, v.text)
		}
	}
	if strings.EqualFold(trim(d.given["loading"].text), "embed") {
		d.unsure(d.line, "The picture is to be embedded.")
	}
	n := d.makes(image)
	n.name = d.alt
	if v, given := d.given["target"]; given {
		if name, is := strings.CutPrefix(goalOf(splitLines(escaped(v.text))), "name "); is {
			d.names.refers(name, d.line)
		}
		n = &node{kind: reference, line: d.line, name: d.alt, unique: n.unique}
	}
	return []*node{n}
}

func (d *call) figure() []*node {
	d.picture()
	if v, given := d.given["figname"]; given {
		d.names.explicit(d.parser, normal(v.text), "", d.line)
	}
	n := &node{kind: body, line: d.line}
	if len(d.body) == 0 {
		return []*node{n}
	}
	inner := n.add(&node{kind: element})
	d.holds(inner)
	inner.parent, n.parent = n, d.node
	for _, c := range inner.children {
		if c.kind == target || c.kind == pending {
			continue
		}
		if c.kind != paragraph && (c.kind != comment || !c.empty) {
			d.fault(d.line, "Figure caption must be a paragraph or empty comment.")
		}
		break
	}
	return []*node{n}
}

func (d *call) contents() []*node {
	if d.nests() {
		return nil
	}
	name := plainText(d.inline(d.argument(), d.line))
	if name == "" {
		name = "contents"
	}
	if _, known := d.names.defined[normal(name)]; !known {
		d.names.implicit(normal(name), "")
	}
	n := &node{kind: body, line: d.line}
	d.later = append(d.later, func() {
		if len(d.styles) == 0 { // there is nothing to list
			n.kind = pending
		}
	})
	return []*node{n}
}

// targetNotes are footnotes of the addresses that the text refers to.
func (d *call) targetNotes() []*node {
	n := &node{kind: body, line: d.line}
	d.later = append(d.later, func() {
		if len(d.names.referred) == 0 {
			n.kind = pending
		}
	})
	return []*node{n}
}

func (d *call) aroundPages() []*node {
	if d.needs() {
		d.holds(&node{kind: body})
	}
	return nil
}

// meta reads fields; what stands in their names behind the first word is NAME=VALUE.
func (d *call) meta() []*node {
	if !d.needs() {
		return nil
	}
	m := &machine{parser: d.parser, lines: d.body}
	for m.at < len(m.lines) {
		if m.lines[m.at].text == "" {
			m.at++
			continue
		}
		kind, end := kindOf(m.lines[m.at].text)
		if kind != field {
			d.fault(m.lineNo(), "Invalid meta directive.")
			return nil
		}
		if len(fields(fieldName(m.lines[m.at].text, end))) > 1 {
			d.unsure(m.lineNo(), "The name of the field has several words.")
		}
		m.take(margin{first: end, known: -1})
	}
	return []*node{{kind: meta, line: d.line}}
}

func (d *call) class() []*node {
	if j := aClass(value{d.argument(), true}); j != good {
		d.bad(j, "Invalid class attribute value for %q directive: %q.", d.name, d.argument())
	}
	if len(d.body) > 0 {
		n := &node{kind: element, parent: d.node}
		d.parse(d.body, n, false)
		return n.children
	}
	n := &node{kind: pending, line: d.line}
	d.later = append(d.later, func() {
		if !n.follows() {
			d.fault(n.line, "No suitable element following \"class\" directive.")
		}
	})
	return []*node{n}
}

// stands warns where a directive is for substitutions alone.
func (d *call) stands() bool {
	if !d.sub {
		d.fault(d.line, "Invalid context: the %q directive can only be used within a substitution definition.", d.name)
	}
	return d.sub
}

func (d *call) replace() []*node {
	if !d.stands() || !d.needs() {
		return nil
	}
	n := &node{kind: element, parent: d.node}
	d.parse(d.body, n, false)
	var only *node
	for _, c := range n.children {
		switch {
		case c.kind == message:
		case c.kind == paragraph && only == nil:
			only = c
		default:
			d.fault(d.line, "Error in %q directive: may contain a single paragraph only.", d.name)
			return nil
		}
	}
	if only == nil {
		return nil
	}
	return only.children
}

var (
	codeForm    = regexp.MustCompile(`(?i)^(?:(?:0x|x|\\x|U\+?|\\u)([0-9a-f]+)|&#x([0-9a-f]+);)$`)
	commentForm = regexp.MustCompile(`(?: |\n|^)\.\. `)
	roleForm    = regexp.MustCompile(`^(` + simple + `)\s*(?:\(\s*(` + simple + `)\s*\)\s*)?$`)
)

func (d *call) unicode() []*node {
	if !d.stands() {
		return nil
	}
	var made []*node
	for _, code := range fields(commentForm.Split(d.argument(), 2)[0]) {
		digits, base := code, 10
		if form := codeForm.FindStringSubmatch(code); form != nil {
			digits, base = form[1]+form[2], 16
		} else if strings.Trim(code, "0123456789") != "" {
			digits = "0"
		}
		if v, err := strconv.ParseInt(digits, base, 64); err != nil || v > utf8.MaxRune {
			d.fault(d.line, "Invalid character code: %s", code)
		}
		made = append(made, &node{kind: text, name: code})
	}
	return made
}

func (d *call) date() []*node {
	if !d.stands() {
		return nil
	}
	return []*node{{kind: text, name: "date"}}
}

func (d *call) defaultRole() []*node {
	if len(d.arguments) == 0 {
		delete(d.roles, "")
		return nil
	}
	r, known := d.role(d.argument())
	if !known {
		d.fault(d.line, "Unknown interpreted text role %q.", d.argument())
		return nil
	}
	d.roles[""] = r
	return nil
}
