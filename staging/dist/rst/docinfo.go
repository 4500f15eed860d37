package rst

import (
	"slices"
	"strings"
)

// docinfo judges the fields with which a text begins: those of these names are of
// the document, and are to be one paragraph each (docutils.transforms.frontmatter).
func (p *parser) docinfo() {
	var list *node
	for _, n := range p.root.children {
		if n.invisible() || n.kind == meta {
			continue
		}
		if n.kind == fieldList {
			list = n
		}
		break
	}
	if list == nil {
		return
	}
	topics := map[string]bool{}
	for _, f := range list.children {
		p.bibliographic(f, strings.ToLower(spaced(plainText(p.apart(f.name, f.line)))), topics)
	}
}

// apart reads markup that is not of the document: nothing in it refers to anything.
func (p *parser) apart(text string, line int) []*node {
	own := *p
	own.names = newNames()
	nodes := own.inline(text, line)
	p.faults, p.work = own.faults, own.work
	return nodes
}

var bibliographicFields = strings.Fields(`author organization address contact version revision status date copyright`)

func (p *parser) bibliographic(f *node, name string, topics map[string]bool) {
	simple := slices.Contains(bibliographicFields, name)
	topic := name == "dedication" || name == "abstract"
	switch {
	case !simple && !topic && name != "authors":
	case len(f.children) == 0:
		p.fault(f.line, "Cannot extract empty bibliographic field %q.", f.name)
	case topic && topics[name]:
		p.fault(f.line, "There can only be one %q field.", f.name)
	case topic:
		topics[name] = true
	case name == "authors":
		p.authors(f)
	case len(f.children) == 1 && f.children[0].kind == paragraph:
	case f.children[0].kind == enumeratedList && len(untilText(f.raw)) == 1:
		p.unsure(f.line, "The field %q is a list by its form.", f.name)
	default:
		p.fault(f.line, "Bibliographic field %q must contain a single <paragraph>.", f.name)
	}
}

func (p *parser) authors(f *node) {
	kinds := f.children
	if len(kinds) == 1 && kinds[0].kind == bulletList {
		for _, item := range kinds[0].children {
			if item.kind == comment {
				continue
			}
			kinds = append(kinds[:0:0], item.children...)
			if len(kinds) != 1 || kinds[0].kind != paragraph {
				p.fault(f.line, "Cannot extract %q from bibliographic field.", f.name)
				return
			}
		}
		return
	}
	for _, n := range kinds {
		if n.kind != paragraph && (n.kind != comment || len(kinds) == 1) {
			p.fault(f.line, "Cannot extract %q from bibliographic field.", f.name)
			return
		}
		if slices.ContainsFunc(n.children, func(c *node) bool { return c.kind != text }) {
			p.unsure(f.line, "There is markup in the field %q.", f.name)
			return
		}
	}
}
