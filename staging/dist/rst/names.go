package rst

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// names are what a text defines and what refers to it. Titles, targets, footnotes
// and citations share one space of names; substitutions have their own.
type names struct {
	defined                               map[string]*definition
	referred                              []mention
	indirect                              []mention // targets that are names of other targets
	anonymousReferences, anonymousTargets int

	notes            []string  // labels of footnotes that are numbered, "" for one without
	noted            []mention // references to those
	symbols          int       // footnotes with a symbol
	symbolReferences int

	substitutions map[string][]mention // what each has in it
	folded        map[string]string    // in small letters, to the name
	substituted   []mention
}

// definition is what has a name. One that has dup set is a name of several things.
type definition struct {
	explicit, dup bool
	goal          string // "uri URI", "name NAME", or "" where it is a place in the text
}

type mention struct {
	name string
	line int
}

func newNames() *names {
	return &names{defined: map[string]*definition{}, substitutions: map[string][]mention{}, folded: map[string]string{}}
}

func (n *names) refers(name string, line int) {
	n.referred = append(n.referred, mention{name, line})
}

func (n *names) numbers(label string, line int) { n.noted = append(n.noted, mention{label, line}) }

func (n *names) substitutes(name string, line int) {
	n.substituted = append(n.substituted, mention{spaced(name), line})
}

// explicit defines a name that stands in the text as one: each is to be unique,
// unless several mean the same address.
func (n *names) explicit(p *parser, name, goal string, line int) {
	d, known := n.defined[name]
	switch {
	case !known:
		n.defined[name] = &definition{explicit: true, goal: goal}
	case !d.dup && goal != "" && goal == d.goal:
		d.explicit = true
	case d.explicit:
		d.dup = true
		p.fault(line, "Duplicate explicit target name: %q.", name)
	default:
		*d = definition{explicit: true, goal: goal}
	}
}

// implicit defines a name that something has by itself, such as a title. It tells
// whether docutils says that there are two.
func (n *names) implicit(name, goal string) (said bool) {
	d, known := n.defined[name]
	switch {
	case !known:
		n.defined[name] = &definition{goal: goal}
		return false
	case !d.dup && goal != "" && goal == d.goal:
	case !d.dup && !d.explicit:
		d.dup = true
	}
	return true
}

// implicitAlias is implicit for the name of another target.
func (n *names) implicitAlias(name, alias string, line int) {
	n.implicit(name, "name "+alias)
	n.indirect = append(n.indirect, mention{alias, line})
}

// substitute defines what a name stands for; it has these references in it.
func (n *names) substitute(p *parser, name string, in []mention, line int) {
	name = spaced(name)
	if _, known := n.substitutions[name]; known {
		p.fault(line, "Duplicate substitution definition name: %q.", name)
	}
	n.substitutions[name] = in
	n.folded[strings.ToLower(name)] = name
}

func (n *names) substitution(name string) (key string, known bool) {
	if _, known := n.substitutions[name]; known {
		return name, true
	}
	key, known = n.folded[strings.ToLower(name)]
	return key, known
}

// references judges all of them, in the order of docutils' transforms.
func (p *parser) references() {
	n := p.names
	for _, r := range n.substituted {
		if _, known := n.substitution(r.name); !known {
			p.fault(r.line, "Undefined substitution referenced: %q.", r.name)
		}
	}
	p.circles()
	if n.anonymousReferences != n.anonymousTargets {
		p.fault(0, "Anonymous hyperlink mismatch: %d references but %d targets.", n.anonymousReferences, n.anonymousTargets)
	}
	p.indirections()
	p.footnotes()
	for _, r := range n.referred {
		switch d, known := n.defined[r.name]; {
		case !known:
			p.fault(r.line, "Unknown target name: %q.", r.name)
		case d.dup:
			p.fault(r.line, "Duplicate target name, cannot be used as a unique reference: %q.", r.name)
		}
	}
}

// circles finds substitutions that have themselves in them. What docutils makes of
// those hangs on where they begin.
func (p *parser) circles() {
	seen := map[string]int{} // 1: being looked at, 2: done
	var visit func(name string) bool
	visit = func(name string) bool {
		if seen[name] != 0 {
			return seen[name] == 1
		}
		seen[name] = 1
		defer func() { seen[name] = 2 }()
		for _, r := range p.names.substitutions[name] {
			if key, known := p.names.substitution(r.name); known && visit(key) {
				return true
			}
		}
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(p.names.substitutions)) {
		if visit(name) {
			p.unsure(0, "The substitution %q has itself in it.", name)
			return
		}
	}
}

// indirections follows targets that are names of other targets to their end.
func (p *parser) indirections() {
	known := map[string]bool{} // where they were followed from already
	for _, r := range p.names.indirect {
		switch d := p.names.defined[r.name]; {
		case d == nil:
			p.fault(r.line, "Indirect hyperlink target refers to target %q, which does not exist.", r.name)
		case d.dup:
			p.fault(r.line, "Indirect hyperlink target refers to target %q, which is a duplicate.", r.name)
		}
		seen := map[string]bool{}
		for d, name := p.names.defined[r.name], r.name; d != nil && !known[name]; d = p.names.defined[name] {
			if seen[name] {
				p.fault(r.line, "Indirect hyperlink target refers to target %q, forming a circular reference.", name)
				break
			}
			seen[name] = true
			next, indirect := strings.CutPrefix(d.goal, "name ")
			if !indirect {
				break
			}
			name = next
		}
		maps.Copy(known, seen)
		if p.over() {
			return
		}
	}
}

// footnotes numbers those that number themselves: those without a label become
// names, and a reference without one takes the next of them.
func (p *parser) footnotes() {
	n := p.names
	labels := map[string]bool{}
	number, free := 0, 0
	for _, label := range n.notes {
		for number++; n.defined[strconv.Itoa(number)] != nil; {
			number++
		}
		if label == "" {
			free++
			n.defined[strconv.Itoa(number)] = &definition{explicit: true}
		}
		labels[label] = true
	}
	for _, r := range n.noted {
		if r.name != "" && labels[r.name] {
			continue
		}
		if free--; free == -1 {
			p.fault(r.line, "Too many autonumbered footnote references.")
		}
	}
	if n.symbolReferences > n.symbols {
		p.fault(0, "Too many symbol footnote references: only %d corresponding footnotes available.", n.symbols)
	}
}
