package rst

import (
	"maps"
	"slices"
	"strings"
)

// directive is what docutils wants of one.
type directive struct {
	required, optional int  // words behind the name
	spaces             bool // the last of which may have blanks in it
	accepts            map[string]conversion
	content            bool
	run                func(*call) []*node
}

// call is one directive as it stands in a text.
type call struct {
	*machine
	directive
	base, name string // its canonical name, and as it is written
	alt        string // the substitution that it is for
	line       int
	block      []line // all of it
	arguments  []string
	given      map[string]value
	body       []line // the content
}

// classAndName are the options that most have.
func classAndName(more map[string]conversion) map[string]conversion {
	all := map[string]conversion{"class": aClass, "name": anything}
	maps.Copy(all, more)
	return all
}

// directiveAliases are other names of some.
var directiveAliases = map[string]string{
	"code-block": "code", "sourcecode": "code", "section-numbering": "sectnum", "rst-class": "class",
	"attention": "note", "caution": "note", "danger": "note", "error": "note", "hint": "note", "important": "note",
	"tip": "note", "warning": "note", "highlights": "epigraph", "pull-quote": "epigraph",
}

// directives are those of docutils; a new one is a new row.
func directives() map[string]directive {
	some := classAndName(nil)
	inside := (*call).inside
	tabular := classAndName(map[string]conversion{
		"align": oneOf("left", "center", "right"), "width": aLength("%"), "widths": widths("auto", "grid")})
	lists := maps.Clone(tabular)
	maps.Copy(lists, map[string]conversion{
		"widths": widths("auto"), "header-rows": anInt(0), "stub-columns": anInt(0)})
	csv := maps.Clone(lists)
	maps.Copy(csv, map[string]conversion{"header": anything, "file": something, "url": something, "encoding": anything,
		"delim": anything, "keepspace": aFlag, "quote": anything, "escape": anything})
	pictures := classAndName(map[string]conversion{"alt": anything, "height": aLength(""), "width": aLength("%"),
		"scale": aPercentage, "target": something, "align": oneOf("top", "middle", "bottom", "left", "center", "right"),
		"loading": oneOf("embed", "link", "lazy")})
	figures := maps.Clone(pictures)
	maps.Copy(figures, map[string]conversion{"align": oneOf("left", "center", "right"), "figwidth": figureWidth,
		"figclass": aClass, "figname": anything})
	subtitled := classAndName(map[string]conversion{"subtitle": something})
	numbered := classAndName(map[string]conversion{"number-lines": lineNumber})
	listed := map[string]conversion{"depth": anInt(0), "local": aFlag, "class": aClass,
		"backlinks": oneOf("top", "entry", "none")}
	anyInt := anInt(-1 << 40)
	sections := map[string]conversion{"depth": anyInt, "start": anyInt, "prefix": something, "suffix": something}
	trims := map[string]conversion{"trim": aFlag, "ltrim": aFlag, "rtrim": aFlag}
	named := map[string]conversion{"name": anything}
	classed := map[string]conversion{"class": aClass}
	tested := map[string]conversion{"option": something}
	return map[string]directive{
		"note":           {accepts: some, content: true, run: inside},
		"admonition":     {required: 1, spaces: true, accepts: some, content: true, run: inside},
		"compound":       {accepts: some, content: true, run: inside},
		"container":      {optional: 1, spaces: true, accepts: named, content: true, run: inside},
		"topic":          {required: 1, spaces: true, accepts: some, content: true, run: (*call).aside},
		"sidebar":        {optional: 1, spaces: true, accepts: subtitled, content: true, run: (*call).aside},
		"line-block":     {accepts: some, content: true, run: (*call).inlines},
		"parsed-literal": {accepts: some, content: true, run: (*call).inlines},
		"rubric":         {required: 1, spaces: true, accepts: some, run: (*call).inlines},
		"code":           {optional: 1, accepts: numbered, content: true, run: (*call).verbatim},
		"math":           {accepts: some, content: true, run: (*call).verbatim},
		"epigraph":       {content: true, run: (*call).quotes},
		"image":          {required: 1, spaces: true, accepts: pictures, run: (*call).picture},
		"figure":         {required: 1, spaces: true, accepts: figures, content: true, run: (*call).figure},
		"table":          {optional: 1, spaces: true, accepts: tabular, content: true, run: (*call).ownTable},
		"list-table":     {optional: 1, spaces: true, accepts: lists, content: true, run: (*call).listTable},
		"csv-table":      {optional: 1, spaces: true, accepts: csv, content: true, run: (*call).csvTable},
		"contents":       {optional: 1, spaces: true, accepts: listed, run: (*call).contents},
		"sectnum":        {accepts: sections, run: leaves(pending)},
		"target-notes":   {accepts: classed, run: (*call).targetNotes},
		"header":         {content: true, run: (*call).aroundPages},
		"footer":         {content: true, run: (*call).aroundPages},
		"meta":           {content: true, run: (*call).meta},
		"title":          {required: 1, spaces: true, run: leaves()},
		"class":          {required: 1, spaces: true, content: true, run: (*call).class},
		"replace":        {content: true, run: (*call).replace},
		"unicode":        {required: 1, spaces: true, accepts: trims, run: (*call).unicode},
		"date":           {content: true, run: (*call).date},
		"role":           {content: true, run: (*call).makeRole},
		"default-role":   {optional: 1, run: (*call).defaultRole},

		"restructuredtext-test-directive": {optional: 1, spaces: true, accepts: tested, content: true, run: leaves(message)},
	}
}

// directive reads one, whose mark and name take end bytes. Alt is the substitution
// that it is for.
func (m *machine) directive(name string, end int, alt string) (made []*node, blank bool) {
	no, low := m.lines[m.at].no, strings.ToLower(name)
	block, blank := m.take(margin{first: end, known: -1, top: true})
	if canonical, is := directiveAliases[low]; is {
		low = canonical
	}
	spec, known := m.directives[low]
	switch {
	case low == "raw" || low == "include":
		m.fault(no, "%q directive disabled.", name)
		return nil, true
	case !known:
		m.fault(no, "Unknown directive type %q.", name)
		return nil, true
	}
	d := &call{machine: m, directive: spec, base: low, name: name, alt: alt, line: no, block: block}
	if d.read() {
		made = spec.run(d)
	}
	for _, n := range made {
		m.node.add(n)
	}
	return made, blank || m.nextBlank()
}

// bad warns of a directive, or says that it is not sure.
func (d *call) bad(j judged, what string, args ...any) {
	if j == unknown {
		d.unsure(d.line, what, args...)
		return
	}
	d.fault(d.line, what, args...)
}

// read takes the block apart: arguments and options up to the first empty line,
// content behind it.
func (d *call) read() bool {
	block := d.block
	if len(block) > 0 && trim(block[0].text) == "" {
		block = block[1:]
	}
	block = untilText(block)
	takes := d.required+d.optional > 0
	head, rest := []line(nil), block
	if len(block) > 0 && (takes || d.accepts != nil) {
		i := slices.IndexFunc(block, func(l line) bool { return trim(l.text) == "" })
		if i < 0 {
			i = len(block)
		}
		head, rest = block[:i], block[min(i+1, len(block)):]
		own := head
		if d.accepts != nil {
			if at := slices.IndexFunc(head, func(l line) bool { return fieldEnd(l.text) > 0 }); at >= 0 {
				own = head[:at]
				if !d.readOptions(head[at:]) {
					return false
				}
			}
		}
		if head = own; len(own) > 0 && !takes {
			rest = append(slices.Clone(own), block[i:]...)
		}
	}
	d.body = fromText(rest)
	if takes && !d.readArguments(join(head)) {
		return false
	}
	if len(d.body) > 0 && !d.content {
		d.fault(d.line, "Error in %q directive: no content permitted.", d.name)
		return false
	}
	return true
}

func (d *call) readArguments(text string) bool {
	d.arguments = fields(text)
	most := d.required + d.optional
	switch n := len(d.arguments); {
	case n < d.required:
		d.fault(d.line, "Error in %q directive: %d argument(s) required, %d supplied.", d.name, d.required, n)
		return false
	case n > most && !d.spaces:
		d.fault(d.line, "Error in %q directive: maximum %d argument(s) allowed, %d supplied.", d.name, most, n)
		return false
	case n > most:
		d.arguments = []string{trim(text)}
	}
	return true
}

func (d *call) readOptions(lines []line) bool {
	d.given = map[string]value{}
	m := &machine{parser: d.parser, lines: lines}
	for m.at < len(m.lines) {
		kind, end := kindOf(m.lines[m.at].text)
		if kind != field {
			d.fault(m.lineNo(), "Error in %q directive: invalid option block.", d.name)
			return false
		}
		no, name := m.lineNo(), fieldName(m.lines[m.at].text, end)
		block, _ := m.take(margin{first: end, known: -1})
		name = strings.ToLower(plainText(d.apart(name, no)))
		convert, known := d.accepts[name]
		v := value{join(block), len(block) > 0}
		_, twice := d.given[name]
		switch {
		case len(fields(name)) != 1 || twice:
			d.fault(no, "Error in %q directive: invalid option data: %q.", d.name, name)
			return false
		case !known:
			d.fault(no, "Error in %q directive: unknown option: %q.", d.name, name)
			return false
		}
		if j := convert(v); j != good {
			d.bad(j, "Error in %q directive: invalid option value: (option: %q; value: %q).", d.name, name, v.text)
			return false
		}
		d.given[name] = v
	}
	return true
}
