package rst

import "strings"

// underlined reads a title with a line below it. It tells whether it is one: a line
// that is too short for that is text.
func (m *machine) underlined(above line, below string) bool {
	name, under := trimRight(above.text), strings.TrimRight(below, " ")
	if !m.fits(name, len(under), above.no, "Title underline too short.") && len(under) < 4 {
		if m.titles {
			m.node.add(&node{kind: message})
		}
		return false
	}
	m.at++
	if !m.titles {
		m.fault(above.no, "Unexpected section title.")
		return true
	}
	m.section(name, under[:1], above.no)
	return true
}

// fits tells whether a title is not wider than its line, and warns where that line
// is long enough to be one.
func (m *machine) fits(name string, size, no int, what string) bool {
	n, sure := columns(name)
	switch {
	case !sure:
		m.unsure(no, "How wide the title is hangs on the version of Unicode.")
	case n > size && size >= 4:
		m.fault(no, "%s", what)
	}
	return n <= size
}

// section opens a section, in the place that its style has.
func (m *machine) section(name, style string, no int) {
	old, level := m.node.level(), len(m.styles)+1
	for i, s := range m.styles {
		if s == style {
			level = i + 1
			break
		}
	}
	if level > old+1 {
		m.fault(no, "Inconsistent title style: skip from level %d to %d.", old, level)
		return
	}
	for ; old >= level; old-- {
		m.node = m.node.parent
	}
	if level > len(m.styles) {
		m.styles = append(m.styles, style)
	}
	m.node = m.node.add(&node{kind: section, line: no})
	m.node.add(&node{kind: title})
	if m.names.implicit(normal(plainText(m.inline(name, no))), "") {
		m.node.add(&node{kind: message})
	}
}

// ruler reads a line of punctuation: a transition, or the line above a title.
func (m *machine) ruler() {
	over := m.lines[m.at]
	mark := strings.TrimRight(over.text, " ")
	short := len(mark) < 4
	if !m.titles {
		m.noRuler(over.no, mark)
		return
	}
	what := ""
	name, under := m.peek(1), strings.TrimRight(m.peek(2), " ")
	switch {
	case m.at+1 >= len(m.lines) || name == "":
		if !short {
			m.node.add(&node{kind: transition, line: over.no})
			m.at++
			return
		}
		m.text()
		return
	case name[0] != ' ' && isRuler(name):
		what = "Invalid section title or transition marker."
	case m.at+2 >= len(m.lines):
		what = "Incomplete section title."
	case !isRuler(under):
		what = "Missing matching underline for section title overline."
	case mark != under:
		what = "Title overline & underline mismatch."
	}
	if what == "" && !m.fits(trimRight(name), len(mark), over.no, "Title overline too short.") {
		what = "Title overline too short."
	}
	m.overlined(over, what, short)
}

// noRuler reads such a line where there are neither titles nor transitions.
func (m *machine) noRuler(no int, mark string) {
	switch {
	case mark == "::":
		m.text()
	case len(mark) < 4:
		m.node.add(&node{kind: message})
		m.text()
	default:
		m.fault(no, "Unexpected section title or transition.")
		m.at++
	}
}

// overlined goes on behind the line above a title, of which what is wrong.
func (m *machine) overlined(over line, what string, short bool) {
	switch {
	case what == "":
		name := m.lines[m.at+1]
		m.at += 3
		m.section(trim(name.text), over.text[:1]+over.text[:1], over.no+1)
	case short:
		m.node.add(&node{kind: message})
		m.text()
	default:
		if what != "Title overline too short." {
			m.fault(over.no, "%s", what)
		}
		m.at = min(m.at+3, len(m.lines))
	}
}

// peek is the text of the line n lines on, or nothing.
func (m *machine) peek(n int) string {
	if m.at+n < len(m.lines) {
		return m.lines[m.at+n].text
	}
	return ""
}

// transitions judges where they stand: between elements, and in a section or the
// document.
func (p *parser) transitions(n *node) {
	shown := n.kept()
	counts := func(all []*node) bool {
		for _, c := range all {
			if c.kind != meta && c.kind != substitution && c.kind != target && c.kind != title {
				return true
			}
		}
		return false
	}
	for i, c := range shown {
		p.transitions(c)
		if c.kind != transition {
			continue
		}
		switch {
		case i > 0 && shown[i-1].kind == transition:
			p.fault(c.line, "At least one body element should separate transitions.")
		case !counts(shown[:i]):
			p.fault(c.line, "Transition at the start of a section or the document.")
		case !counts(shown[i+1:]) && !p.moves(n):
			p.fault(c.line, "Transition at the end of the document.")
		}
	}
}

// moves tells whether a transition at the end of a section finds a place behind it.
func (p *parser) moves(n *node) bool {
	for ; n.parent != nil; n = n.parent {
		if all := n.parent.kept(); len(all) > 0 && all[len(all)-1] != n {
			return true
		}
	}
	return false
}
