// Package rst tells of a text in reStructuredText whether PyPI renders it.
//
// PyPI renders descriptions with docutils and ends at its first warning
// (readme_renderer.rst: halt_level 2, no raw text, no files); an upload whose
// description does not render is refused. There is no renderer here: the text is
// read in the order and by the rules of docutils 0.23 as far as they decide what it
// warns of, and nothing is made of it.
//
//	Check ─ lines ─▶ machine: one block of lines, as body elements ─▶ node: the tree, as far as it is asked for
//	                 │   └─ directive, table: a block of their own, with machines for what is in them
//	                 └─ scanner: inline markup, of one paragraph or title
//	        names ◀─ what is defined and what refers to it, judged when all is read
//
// A [Fault] is sure where docutils warns for certain. Where that hangs on what is
// not known here (which lexers Pygments has, what csv makes of a dialect) the fault
// is not sure, and never nothing. Tests hold all of this against docutils itself.
//
// The rules are those of the reStructuredText specification,
// https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html, and of the
// states, directives and transforms of docutils.
package rst

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds: bytes of a text, faults that are told, blocks within blocks, and the
// work for one text in runes or lines looked at. What goes beyond is not decided.
const (
	maxText   = 1 << 20
	maxFaults = 5
	maxDepth  = 40
	maxWork   = 64 << 20
)

// A Fault is what docutils warns of.
type Fault struct {
	Line int    // from 1, or 0 where it is of no line
	What string // "Title underline too short."
	Sure bool   // whether docutils warns of it for certain
}

func (f Fault) String() string {
	if f.Line == 0 {
		return f.What
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.What)
}

// Check finds what docutils warns of in a text, at most five faults. None means
// that PyPI renders it.
func Check(text string) []Fault {
	p := &parser{work: maxWork, roles: map[string]role{}, names: newNames(), directives: directives()}
	switch {
	case len(text) > maxText:
		p.unsure(0, "The text is longer than 1 MiB.")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		p.unsure(0, "There are characters that are not text.")
	default:
		p.document(text)
	}
	return p.faults
}

// parser is what the machines of one text share.
type parser struct {
	faults []Fault
	work   int // what is left of it
	depth  int

	root       *node
	directives map[string]directive
	styles     []string // of titles, outermost first: "=" or "=="
	roles      map[string]role
	names      *names
	later      []func() // what is judged when all is read
	doubtful   bool     // what is judged hangs on something that was not decided
}

func (p *parser) fault(line int, what string, args ...any) {
	p.add(Fault{line, fmt.Sprintf(what, args...), !p.doubtful})
}

func (p *parser) unsure(line int, what string, args ...any) {
	p.add(Fault{line, fmt.Sprintf(what, args...) + " Whether docutils takes it was not decided.", false})
}

func (p *parser) add(f Fault) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, f)
	}
}

// spend takes n from the work that is left.
func (p *parser) spend(n int) {
	if p.work > 0 && p.work <= n {
		p.unsure(0, "The text takes too long to read.")
	}
	p.work -= n
}

func (p *parser) over() bool { return p.work <= 0 || len(p.faults) >= maxFaults }

func (p *parser) document(text string) {
	lines := splitLines(text)
	for _, l := range lines {
		if utf8.RuneCountInString(l.text) > 10000 {
			p.fault(l.no, "The line is longer than 10000 characters.")
			return
		}
	}
	p.root = &node{kind: document}
	p.parse(lines, p.root, true)
	if !p.over() {
		p.judge()
	}
}

// parse reads a block into a node.
func (p *parser) parse(lines []line, under *node, titles bool) {
	if p.depth++; p.depth > maxDepth {
		p.unsure(0, "There are more than %d blocks within one another.", maxDepth)
		p.work = 0
	}
	p.spend(len(lines) + 1)
	m := &machine{parser: p, lines: lines, node: under, titles: titles}
	m.body()
	p.depth--
}

// judge is what docutils does when it has read all: its transforms.
func (p *parser) judge() {
	p.doubtful = slices.ContainsFunc(p.faults, func(f Fault) bool { return !f.Sure })
	p.docinfo()
	for _, f := range p.later {
		f()
	}
	p.references()
	p.transitions(p.root)
	switch shows, sure := p.root.shows(); {
	case shows || len(p.faults) > 0:
	case sure:
		p.fault(0, "No content rendered from RST source.")
	default:
		p.unsure(0, "There are targets and no text.")
	}
}
