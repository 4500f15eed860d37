package rst

import (
	"regexp"
	"strings"
	"unicode"
)

// escaped turns each backslash into a NUL, which then stands before what it escapes.
func escaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			b[i] = 0
			i++
		}
	}
	return string(b)
}

// unescaped leaves out the NULs, and white space behind them.
func unescaped(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.NewReplacer("\x00 ", "", "\x00\n", "", "\x00", "").Replace(s)
}

// normal is a name by which something is referred to.
func normal(s string) string { return strings.ToLower(spaced(s)) }

func spaced(s string) string { return strings.Join(fields(s), " ") }

// plainText is what inline nodes say.
func plainText(nodes []*node) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(n.name)
	}
	return b.String()
}

// scanner reads inline markup (docutils.parsers.rst.states: Inliner). It reads runes,
// with a NUL before those that are escaped.
type scanner struct {
	*parser
	rest  []rune
	bare  int // up to here there is no reference by name
	line  int
	nodes []*node
}

// inline reads the markup of a text.
func (p *parser) inline(s string, line int) []*node {
	if s != "" && !strings.ContainsAny(s, "*`_|\\") {
		p.spend(len(s))
		return []*node{{kind: text, name: s}}
	}
	scan := &scanner{parser: p, rest: []rune(escaped(s)), line: line}
	plain := []rune(nil)
	for len(scan.rest) > 0 && !p.over() {
		before, n := scan.next()
		plain = append(plain, before...)
		if n != nil {
			scan.text(plain)
			scan.nodes, plain = append(scan.nodes, n...), nil
		}
	}
	scan.text(plain)
	return scan.nodes
}

func (s *scanner) text(runes []rune) {
	if len(runes) > 0 {
		s.nodes = append(s.nodes, &node{kind: text, name: unescaped(string(runes))})
	}
}

// next finds the next markup. Before is the text before it; nodes are nil where what
// looked like markup is text too.
func (s *scanner) next() (before []rune, nodes []*node) {
	for i := range s.rest {
		if i > 0 && !beginsAfter(s.rest[i-1]) {
			continue
		}
		if reads, size := s.startsAt(i); reads != nil {
			s.spend(i + size)
			return reads(i, size)
		}
	}
	s.spend(len(s.rest))
	return s.skip(len(s.rest))
}

// startsAt finds which markup starts at i, and how many runes its start takes.
func (s *scanner) startsAt(i int) (reads func(at, size int) ([]rune, []*node), size int) {
	r := s.rest
	is := func(start string) bool { return startsWith(r[i:], start) }
	solid := func(n int) bool { return i+n >= len(r) || !isSpace(r[i+n]) }
	switch {
	case is("**") && solid(2):
		return s.strong, 2
	case is("*") && !is("**") && solid(1):
		return s.emphasis, 1
	case is("``") && solid(2):
		return s.literal, 2
	case is("_`") && solid(2):
		return s.target, 2
	case is("|") && !is("||") && solid(1):
		return s.substitution, 1
	case is("["):
		if n := s.footnoteEnd(i); n > 0 {
			return s.footnote, n
		}
	case isWord(r[i]):
		if n := s.referenceEnd(i); n > 0 {
			return s.reference, n
		}
	}
	n := 0
	if r[i] == ':' {
		if n = simpleName(r[i+1:]); n == 0 || i+n+1 >= len(r) || r[i+n+1] != ':' {
			return nil, 0
		}
		n += 2
	}
	if i+n < len(r) && r[i+n] == '`' && (i+n+1 >= len(r) || r[i+n+1] != '`' && !isSpace(r[i+n+1])) {
		return s.interpreted, n + 1
	}
	return nil, 0
}

func startsWith(r []rune, ascii string) bool {
	if len(r) < len(ascii) {
		return false
	}
	for i := range len(ascii) {
		if r[i] != rune(ascii[i]) {
			return false
		}
	}
	return true
}

// isWord is \w of Python without the underscore.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// simpleName is how long the name is with which a text begins: letters and digits,
// with single -._+: between them.
func simpleName(r []rune) int {
	n := 0
	for n < len(r) {
		switch {
		case isWord(r[n]):
			n++
		case n > 0 && strings.ContainsRune("-._+:", r[n]) && n+1 < len(r) && isWord(r[n+1]):
			n += 2
		default:
			return n
		}
	}
	return n
}

// referenceEnd is where the reference NAME_ or NAME__ ends that begins at i, as a
// count, or 0.
func (s *scanner) referenceEnd(i int) int {
	if i < s.bare {
		return 0
	}
	n := simpleName(s.rest[i:])
	s.bare = i + n
	for ; n > 0; n-- {
		e := i + n
		if !isWord(s.rest[e-1]) || e >= len(s.rest) || s.rest[e] != '_' {
			continue
		}
		if e+1 < len(s.rest) && s.rest[e+1] == '_' && s.closesAt(e+2) {
			return n + 2
		}
		if s.closesAt(e + 1) {
			return n + 1
		}
	}
	return 0
}

// footnoteEnd is where [LABEL]_ ends that begins at i, as a count, or 0.
func (s *scanner) footnoteEnd(i int) int {
	r := s.rest[i+1:]
	n := 0
	switch {
	case len(r) > 0 && r[0] == '*':
		n = 1
	case len(r) > 0 && r[0] == '#':
		n = 1 + simpleName(r[1:])
	default:
		n = simpleName(r)
	}
	if n == 0 || n+1 >= len(r) || r[n] != ']' || r[n+1] != '_' || !s.closesAt(i+n+3) {
		return 0
	}
	return n + 3
}

// closesAt tells whether markup may end before i.
func (s *scanner) closesAt(i int) bool { return i >= len(s.rest) || endsBefore(s.rest[i]) }

// end finds the end of markup: the first of these marks at which markup may end and
// before which there is something. From is where what is marked begins; at and size
// are those of the mark.
func (s *scanner) end(from int, escapes bool, marks ...string) (at, size int) {
	r := s.rest
	for i := from; i < len(r); i++ {
		for _, mark := range marks {
			n := len(mark)
			if !startsWith(r[i:], mark) || !s.closesAt(i+n) {
				continue
			}
			if i > from && (isSpace(r[i-1]) || escapes && r[i-1] == 0) {
				continue
			}
			s.spend(i - from)
			if i == from {
				return 0, 0
			}
			return i, n
		}
	}
	s.spend(len(r) - from)
	return 0, 0
}

// quoted tells whether the start of markup stands between a pair of quotes or
// brackets, and so is none.
func (s *scanner) quoted(at, size int) bool {
	if at == 0 {
		return false
	}
	return at+size >= len(s.rest) || pairs(s.rest[at-1], s.rest[at+size])
}

// skip takes the start of markup as text.
func (s *scanner) skip(end int) ([]rune, []*node) { return s.leave(end, end), nil }

// leave goes on at end, behind markup that began at some place. It gives what stands
// before that.
func (s *scanner) leave(at, end int) (before []rune) {
	before, s.rest, s.bare = s.rest[:at], s.rest[end:], 0
	return before
}

// marked reads markup that ends with one of these marks.
func (s *scanner) marked(at, size int, k kind, what string, escapes bool, marks ...string) (
	before []rune, n *node, mark string) {
	if s.quoted(at, size) {
		before, _ = s.skip(at + size)
		return before, nil, ""
	}
	end, endSize := s.end(at+size, escapes, marks...)
	if end == 0 {
		s.fault(s.line, "Inline %s start-string without end-string.", what)
		before, _ = s.skip(at + size)
		return before, nil, ""
	}
	n = &node{kind: k, line: s.line, name: string(s.rest[at+size : end])}
	if k != inline || escapes {
		n.name = unescaped(n.name)
	} else {
		n.name = strings.ReplaceAll(n.name, "\x00", `\`)
	}
	mark = string(s.rest[end : end+endSize])
	return s.leave(at, end+endSize), n, mark
}

func one(before []rune, n *node) ([]rune, []*node) {
	if n == nil {
		return before, nil
	}
	return before, []*node{n}
}

func (s *scanner) strong(at, size int) ([]rune, []*node) {
	before, n, _ := s.marked(at, size, inline, "strong", true, "**")
	return one(before, n)
}

func (s *scanner) emphasis(at, size int) ([]rune, []*node) {
	before, n, _ := s.marked(at, size, inline, "emphasis", true, "*")
	return one(before, n)
}

func (s *scanner) literal(at, size int) ([]rune, []*node) {
	before, n, _ := s.marked(at, size, inline, "literal", false, "``")
	return one(before, n)
}

func (s *scanner) target(at, size int) ([]rune, []*node) {
	before, n, _ := s.marked(at, size, inlineTarget, "target", true, "`")
	if n != nil {
		n.unique = true
		s.names.explicit(s.parser, normal(n.name), "", s.line)
	}
	return one(before, n)
}

func (s *scanner) substitution(at, size int) ([]rune, []*node) {
	before, n, mark := s.marked(at, size, inline, "substitution_reference", true, "|__", "|_", "|")
	if n == nil {
		return before, nil
	}
	s.names.substitutes(n.name, s.line)
	switch mark {
	case "|__":
		n.kind, n.auto = reference, true
		s.names.anonymousReferences++
	case "|_":
		n.kind = reference
		s.names.refers(normal(n.name), s.line)
	}
	return before, []*node{n}
}

func (s *scanner) reference(at, size int) ([]rune, []*node) {
	name, anonymous := strings.CutSuffix(string(s.rest[at:at+size]), "__")
	name = strings.TrimSuffix(name, "_")
	return s.leave(at, at+size), []*node{s.refersTo(name, anonymous)}
}

func (s *scanner) refersTo(name string, anonymous bool) *node {
	if anonymous {
		s.names.anonymousReferences++
	} else {
		s.names.refers(normal(name), s.line)
	}
	return &node{kind: reference, line: s.line, name: name, auto: anonymous}
}

func (s *scanner) footnote(at, size int) ([]rune, []*node) {
	label := string(s.rest[at+1 : at+size-2])
	before := s.leave(at, at+size)
	n := &node{kind: footnoteReference, line: s.line, name: label, unique: true}
	switch {
	case label == "*":
		n.auto = true
		s.names.symbolReferences++
	case label[0] == '#':
		n.auto = true
		s.names.numbers(normal(label[1:]), s.line)
	default:
		s.names.refers(normal(label), s.line)
	}
	return before, []*node{n}
}

// interpreted reads `TEXT`, with a role before or behind it, and the reference
// `TEXT`_, `TEXT <WHERE>`_.
func (s *scanner) interpreted(at, size int) ([]rune, []*node) {
	role := strings.Trim(string(s.rest[at:at+size-1]), ":")
	if role == "" && s.quoted(at, size) {
		return s.skip(at + size)
	}
	from := at + size
	end, after, behind, refers := s.interpretedEnd(from)
	if end == 0 {
		s.fault(s.line, "Inline interpreted text or phrase reference start-string without end-string.")
		return s.skip(from)
	}
	inner := string(s.rest[from:end])
	before := s.leave(at, after)
	switch {
	case behind != "" && role != "":
		s.fault(s.line, "Multiple roles in interpreted text (both prefix and suffix present; only one allowed).")
	case refers != "" && role+behind != "":
		s.fault(s.line, "Mismatch: both interpreted text role and reference suffix.")
	case refers != "":
		return before, s.phrase(inner, refers == "__")
	default:
		return before, []*node{s.interpret(role+behind, inner)}
	}
	return before, []*node{{kind: text}}
}

// interpretedEnd finds the backquote that ends interpreted text, and what stands
// behind it.
func (s *scanner) interpretedEnd(from int) (end, after int, role, refers string) {
	r := s.rest
	for i := from; i < len(r); i++ {
		if r[i] != '`' || i > from && (isSpace(r[i-1]) || r[i-1] == 0) && (i-1 == from || r[i-2] != 0) {
			continue
		}
		n := 0
		if i+1 < len(r) && r[i+1] == ':' {
			if n = simpleName(r[i+2:]); n > 0 && i+2+n < len(r) && r[i+2+n] == ':' {
				n += 2
			} else {
				n = 0
			}
		}
		for _, roleSize := range []int{n, 0} {
			for _, mark := range []string{"__", "_", ""} {
				e := i + 1 + roleSize
				if !startsWith(r[e:], mark) || !s.closesAt(e+len(mark)) {
					continue
				}
				s.spend(i - from)
				if i == from {
					return 0, 0, "", ""
				}
				return i, e + len(mark), strings.Trim(string(r[i+1:e]), ":"), mark
			}
		}
	}
	s.spend(len(r) - from)
	return 0, 0, "", ""
}

// embedded is the address or the name at the end of a phrase.
var embedded = regexp.MustCompile(`(?:[ \n]+|^)<((?:[^<>]|\x00[<>])+)>$`)

// address is what cannot be the name of something else: a URI or a mail address.
var address = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9.+-]*:[-_.!~*'()\[\];/:@&=+$,%a-zA-Z0-9\x00?#]`)

func (s *scanner) phrase(inner string, anonymous bool) []*node {
	where := embedded.FindStringSubmatchIndex(inner)
	if where == nil {
		return []*node{s.refersTo(unescaped(inner), anonymous)}
	}
	name, goal := unescaped(inner[:where[0]]), inner[where[2]:where[3]]
	if first, last := []rune(goal)[0], goal[len(goal)-1]; isSpace(first) || isSpace(rune(last)) || last == 0 {
		return []*node{s.refersTo(unescaped(inner), anonymous)}
	}
	alias, named := "", strings.HasSuffix(goal, "_") && !strings.HasSuffix(goal, "\x00_")
	if named && strings.Contains(goal, "@") && !address.MatchString(goal) {
		s.unsure(s.line, "It may be an address or a name: <%s>.", goal)
		named = false // what is not known to be a name is not looked for
	}
	named = named && !address.MatchString(goal)
	uri := unescaped(strings.Join(fields(goal), ""))
	if named {
		alias = normal(unescaped(goal[:len(goal)-1]))
		s.names.refers(alias, s.line)
	}
	if name == "" {
		name = uri
		if named {
			name = alias
		}
	}
	nodes := []*node{{kind: reference, line: s.line, name: name}}
	if anonymous {
		return nodes
	}
	if named {
		s.names.implicitAlias(normal(name), alias, s.line)
	} else {
		s.names.implicit(normal(name), "uri "+uri)
	}
	return append(nodes, &node{kind: target, line: s.line, unique: true})
}
