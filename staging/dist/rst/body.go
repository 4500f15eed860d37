package rst

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// machine reads one block of lines as body elements, into one node
// (docutils.parsers.rst.states: Body, Text, Line and the lists).
type machine struct {
	*parser
	lines  []line
	at     int // the line to come
	node   *node
	titles bool // whether there may be sections
	sub    bool // it reads what a substitution stands for
}

// lineKind is what a line begins, by its form alone.
type lineKind int

const (
	plain lineKind = iota
	bullet
	enumerator
	field
	option
	doctest
	lineBlock
	gridTable
	simpleTable
	explicit
	anonymous
	ruler // of a title, or a transition
)

// The forms of lines, in the order in which they are tried, and the characters that
// they begin with.
var forms = []struct {
	kind   lineKind
	begins string
	form   *regexp.Regexp
}{
	{bullet, "-+*\xe2", regexp.MustCompile(`^[-+*\x{2022}\x{2023}\x{2043}](?: +|$)`)},
	{enumerator, digits + letters + "(#", enumeratorForm},
	{field, ":", nil},
	{option, "-+/", regexp.MustCompile(`^` + anOption + `(?:, ` + anOption + `)*(?:  +| ?$)`)},
	{doctest, ">", regexp.MustCompile(`^>>>(?: +|$)`)},
	{lineBlock, "|", regexp.MustCompile(`^\|(?: +|$)`)},
	{gridTable, "+", gridBorder},
	{simpleTable, "=", regexp.MustCompile(`^=+(?: +=+)+ *$`)},
	{explicit, ".", regexp.MustCompile(`^\.\.(?: +|$)`)},
	{anonymous, "_", regexp.MustCompile(`^__(?: +|$)`)},
}

var (
	enumeratorForm = regexp.MustCompile(`^(?:(\()` + ordinal + `(\))|` + ordinal + `(\))|` + ordinal + `(\.))(?: +|$)`)
	gridBorder     = regexp.MustCompile(`^\+-[-+]+-\+ *$`)
)

const (
	digits      = "0123456789"
	letters     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	ordinal     = `([0-9]+|[a-z]|[A-Z]|[ivxlcdm]+|[IVXLCDM]+|#)`
	optionValue = `(?:[a-zA-Z][a-zA-Z0-9_-]*|<[^<>]+>)`
	anOption    = `(?:[-+][a-zA-Z0-9](?: ?` + optionValue + `)?|(?:--|/)[a-zA-Z0-9][a-zA-Z0-9_-]*(?:[ =]` + optionValue + `)?)`
)

// kindOf tells what a line begins, and how many bytes that takes.
func kindOf(text string) (kind lineKind, end int) {
	for _, f := range forms {
		if strings.IndexByte(f.begins, text[0]) < 0 {
			continue
		}
		if f.kind == field {
			if end := fieldEnd(text); end > 0 {
				return field, end
			}
		} else if at := f.form.FindStringIndex(text); at != nil {
			return f.kind, at[1]
		}
	}
	if isRuler(text) {
		return ruler, len(text)
	}
	return plain, 0
}

// isRuler tells whether a line is one punctuation character, again and again.
func isRuler(text string) bool {
	text = strings.TrimRight(text, " ")
	return text != "" && isPunctuation(text[0]) && strings.Trim(text, text[:1]) == ""
}

func isPunctuation(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// fieldEnd is where the marker of a field, ":NAME: ", ends, or 0. A colon within the
// name has neither a blank nor a backquote behind it.
func fieldEnd(text string) int {
	if len(text) < 3 || text[0] != ':' || text[1] == ':' || text[1] == ' ' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] != ':':
		case i+1 == len(text) || text[i+1] == ' ':
			if text[i-1] == ' ' {
				return 0
			}
			return len(text) - len(strings.TrimLeft(text[i+1:], " "))
		case text[i+1] == '`':
			return 0
		}
	}
	return 0
}

// body reads all that is left.
func (m *machine) body() {
	for m.at < len(m.lines) && !m.over() {
		switch text := m.lines[m.at].text; {
		case text == "":
			m.at++
		case text[0] == ' ':
			start := m.at
			block, blank := m.take(margin{first: -1, known: -1})
			m.at = max(m.at, start+1)
			m.blockQuote(block)
			m.ends(blank, "Block quote")
		default:
			m.element(kindOf(text))
		}
	}
}

func (m *machine) element(kind lineKind, end int) {
	switch kind {
	case bullet:
		m.bullets(end)
	case enumerator:
		m.enumerated(end)
	case field:
		m.fields(end)
	case option:
		m.options(end)
	case doctest:
		m.node.add(&node{kind: body})
		for m.at < len(m.lines) && m.lines[m.at].text != "" {
			m.at++
		}
	case lineBlock:
		m.lineBlocks(end)
	case gridTable, simpleTable:
		m.table(kind)
	case explicit, anonymous:
		blank := m.explicitMarkup(kind, end)
		blank = m.members(blank, true, func(kind lineKind, end int) (bool, bool) {
			if kind != explicit && kind != anonymous {
				return false, false
			}
			return true, m.explicitMarkup(kind, end)
		})
		m.ends(blank, "Explicit markup")
	case ruler:
		m.ruler()
	default:
		m.text()
	}
}

// ends warns where something stops without an empty line.
func (m *machine) ends(blank bool, what string) {
	if !blank {
		m.fault(m.lineNo(), "%s ends without a blank line; unexpected unindent.", what)
	}
}

// lineNo is the number of the line to come, or of the last.
func (m *machine) lineNo() int {
	switch {
	case m.at < len(m.lines):
		return m.lines[m.at].no
	case len(m.lines) > 0:
		return m.lines[len(m.lines)-1].no
	}
	return 0
}

// members reads more of a list, as long as the lines to come are of it. Blank tells
// whether an empty line follows the last, and is what members gives back.
func (m *machine) members(blank, untilBlank bool, member func(lineKind, int) (is, blank bool)) bool {
	for !m.over() {
		for !untilBlank && m.at < len(m.lines) && m.lines[m.at].text == "" {
			m.at++
		}
		if m.at >= len(m.lines) || m.lines[m.at].text == "" || m.lines[m.at].text[0] == ' ' {
			return blank
		}
		start := m.at
		is, after := member(kindOf(m.lines[m.at].text))
		if !is {
			m.at = start
			return blank
		}
		blank = after
	}
	return true
}

// item reads one item of a list, whose marker takes end bytes.
func (m *machine) item(list *node, end int) (blank bool) {
	text := m.lines[m.at].text
	c := margin{first: end, known: -1}
	if end < len(text) {
		c.known = length(text[:end])
	}
	no := m.lines[m.at].no
	block, blank := m.take(c)
	m.parse(block, list.add(&node{kind: listItem, line: no}), false)
	return blank
}

func (m *machine) bullets(end int) {
	mark, _ := utf8.DecodeRuneInString(m.lines[m.at].text)
	list := m.node.add(&node{kind: bulletList})
	blank := m.members(m.item(list, end), false, func(kind lineKind, end int) (bool, bool) {
		if kind != bullet || !strings.HasPrefix(m.lines[m.at].text, string(mark)) {
			return false, false
		}
		return true, m.item(list, end)
	})
	m.ends(blank, "Bullet list")
}

func (m *machine) fields(end int) {
	list := m.node.add(&node{kind: fieldList})
	blank := m.members(m.field(list, end), false, func(kind lineKind, end int) (bool, bool) {
		if kind != field {
			return false, false
		}
		return true, m.field(list, end)
	})
	m.ends(blank, "Field list")
}

// fieldName is the name in a marker, which takes end bytes.
func fieldName(text string, end int) string {
	name := strings.TrimRight(text[:end], " ")
	return name[1 : len(name)-1]
}

func (m *machine) field(list *node, end int) (blank bool) {
	first := m.lines[m.at]
	block, blank := m.take(margin{first: end, known: -1})
	f := list.add(&node{kind: fieldBody, line: first.no, name: fieldName(first.text, end), raw: block})
	m.inline(f.name, first.no)
	m.parse(block, f, false)
	return blank
}

func (m *machine) options(end int) {
	list := &node{kind: body}
	one := func(end int) (is, blank bool) {
		start := m.at
		block, blank := m.take(margin{first: end, known: -1})
		if len(block) == 0 {
			m.at = start
			return false, false
		}
		m.parse(block, list.add(&node{kind: body}), false)
		return true, blank
	}
	is, blank := one(end)
	if !is {
		m.text()
		return
	}
	m.node.add(list)
	blank = m.members(blank, false, func(kind lineKind, end int) (bool, bool) {
		if kind != option {
			return false, false
		}
		return one(end)
	})
	m.ends(blank, "Option list")
}

func (m *machine) lineBlocks(end int) {
	no := m.lines[m.at].no
	one := func(end int) bool {
		no := m.lines[m.at].no
		block, blank := m.take(margin{first: end, known: -1, untilBlank: true})
		m.inline(join(block), no)
		return blank
	}
	m.node.add(&node{kind: body})
	blank := one(end)
	if !blank {
		blank = m.members(false, true, func(kind lineKind, end int) (bool, bool) {
			if kind != lineBlock {
				return false, false
			}
			return true, one(end)
		})
	}
	if !blank {
		m.fault(no, "Line block ends without a blank line.")
	}
}

// text reads what begins with plain text: a paragraph, a title, a list of terms.
func (m *machine) text() {
	first := m.lines[m.at]
	m.at++
	if m.at == len(m.lines) || m.lines[m.at].text == "" {
		m.paragraph([]line{first})
		return
	}
	next := m.lines[m.at].text
	if next[0] == ' ' {
		m.definitions(first)
		return
	}
	if isRuler(next) && m.underlined(first, next) {
		return
	}
	start := m.at
	for m.at < len(m.lines) && m.lines[m.at].text != "" && m.lines[m.at].text[0] != ' ' {
		m.at++
	}
	if m.at < len(m.lines) && m.lines[m.at].text != "" {
		m.fault(m.lineNo(), "Unexpected indentation.")
	}
	m.paragraph(append([]line{first}, m.lines[start:m.at]...))
}

// paragraph reads one, and the literal block behind it where it ends with "::".
func (m *machine) paragraph(lines []line) {
	data := trimRight(join(lines))
	literal := false
	if before, ok := strings.CutSuffix(data, "::"); ok {
		literal = (len(before)-len(strings.TrimRight(before, `\`)))%2 == 0
		switch {
		case !literal:
		case before == "":
			m.literal()
			return
		case strings.HasSuffix(before, " ") || strings.HasSuffix(before, "\n"):
			data = trimRight(before)
		default:
			data = before + ":"
		}
	}
	n := m.node.add(&node{kind: paragraph, line: lines[0].no})
	n.children = m.inline(data, lines[0].no)
	if literal {
		m.literal()
	}
}

func (m *machine) literal() {
	start := m.at
	block, blank := m.take(margin{first: -1, known: -1})
	if len(untilText(block)) > 0 {
		m.node.add(&node{kind: body})
		m.ends(blank, "Literal block")
		return
	}
	m.at = start
	m.quoted()
}

// quoted reads a literal block whose lines all begin with the same punctuation.
func (m *machine) quoted() {
	for m.at < len(m.lines) && m.lines[m.at].text == "" {
		m.at++
	}
	if m.at == len(m.lines) || !isPunctuation(m.lines[m.at].text[0]) {
		m.fault(m.lineNo(), "Literal block expected; none found.")
		return
	}
	m.node.add(&node{kind: body})
	mark := m.lines[m.at].text[0]
	for ; m.at < len(m.lines) && m.lines[m.at].text != ""; m.at++ {
		switch c := m.lines[m.at].text[0]; {
		case c == ' ':
			m.fault(m.lineNo(), "Unexpected indentation.")
			return
		case c != mark:
			m.fault(m.lineNo(), "Inconsistent literal block quoting.")
			return
		}
	}
}

// definitions reads terms, each with an indented block below it.
func (m *machine) definitions(term line) {
	list := m.node.add(&node{kind: body})
	one := func(term line) bool {
		m.inline(term.text, term.no)
		block, blank := m.take(margin{first: -1, known: -1})
		m.parse(block, list.add(&node{kind: body}), false)
		return blank
	}
	blank := m.members(one(term), false, func(kind lineKind, end int) (bool, bool) {
		if kind != plain || m.at+1 >= len(m.lines) || !strings.HasPrefix(m.lines[m.at+1].text, " ") {
			return false, false
		}
		m.at++
		return true, one(m.lines[m.at-1])
	})
	m.ends(blank, "Definition list")
}

// attributed begins the line that says who is quoted.
var attributed = regexp.MustCompile(`^(---?|\x{2014}) *([^ ].*)$`)

// blockQuote reads an indented block: quotes, each ended by whom they are of.
func (m *machine) blockQuote(block []line) (quotes []*node) {
	for len(block) > 0 && !m.over() {
		quote := m.node.add(&node{kind: body, line: block[0].no})
		quotes = append(quotes, quote)
		start, end, rest := splitAttribution(block)
		m.parse(block[:start], quote, false)
		if end > start {
			m.inline(trimRight(rest), block[start].no)
		}
		block = block[end:]
		for len(block) > 0 && block[0].text == "" {
			block = block[1:]
		}
	}
	return quotes
}

// splitAttribution finds the lines that name who is quoted, and their text. They
// come after an empty line and begin with a dash; the lines after the first are all
// indented alike.
func splitAttribution(block []line) (start, end int, text string) {
	seen, blank := false, -1
	for i, l := range block {
		if trim(l.text) == "" {
			blank = i
			continue
		}
		said := attributed.FindStringSubmatch(l.text)
		if seen && blank == i-1 && said != nil && !strings.HasPrefix(l.text, said[1]+"-") {
			if end, ok := attributionEnd(block, i); ok {
				return i, end, said[2] + "\n" + join(block[i+1:end])
			}
		}
		seen = true
	}
	return len(block), len(block), ""
}

func attributionEnd(block []line, start int) (end int, ok bool) {
	indent := -1
	for end = start + 1; end < len(block); end++ {
		l := trimRight(block[end].text)
		if l == "" {
			break
		}
		n := length(l) - length(trimLeft(l))
		if indent >= 0 && n != indent {
			return 0, false
		}
		indent = n
	}
	return end, true
}
