package rst

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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
	name, alt string
	line      int
	block     []line // all of it
	arguments []string
	given     map[string]value
	body      []line // the content
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
	listed := map[string]conversion{"depth": anInt(0), "local": aFlag, "backlinks": oneOf("top", "entry", "none"), "class": aClass}
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
	d := &call{machine: m, directive: spec, name: low, alt: alt, line: no, block: block}
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
	switch d.name {
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
		if d.name != "sidebar" {
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
	if d.name == "sidebar" {
		k = sidebar
	}
	return d.holds(d.makes(k))
}

func (d *call) inlines() []*node {
	if d.name == "rubric" {
		d.inline(d.argument(), d.line)
		return []*node{d.makes(body)}
	}
	if !d.needs() {
		return nil
	}
	if d.name == "parsed-literal" {
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
		if vertical != d.sub && d.name == "image" {
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
