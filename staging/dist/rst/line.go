package rst

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// line is one line without white space at its end.
type line struct {
	text string
	no   int
}

// isSpace is white space as Python has it.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func trimLeft(s string) string  { return strings.TrimLeftFunc(s, isSpace) }
func trimRight(s string) string { return strings.TrimRightFunc(s, isSpace) }
func trim(s string) string      { return strings.TrimFunc(s, isSpace) }
func fields(s string) []string  { return strings.FieldsFunc(s, isSpace) }

// length is that in characters.
func length(s string) int { return utf8.RuneCountInString(s) }

// cut leaves out the first n characters.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[i:]
		}
		n--
	}
	return ""
}

// splitLines is str.splitlines of Python, with tabs of eight.
func splitLines(text string) (lines []line) {
	text = strings.NewReplacer("\v", " ", "\f", " ", "\r\n", "\n").Replace(text)
	isEnd := func(r rune) bool {
		return r == '\n' || r == '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
	}
	for text != "" {
		end := strings.IndexFunc(text, isEnd)
		one, rest := text, ""
		if end >= 0 {
			_, size := utf8.DecodeRuneInString(text[end:])
			one, rest = text[:end], text[end+size:]
		}
		lines = append(lines, line{trimRight(expandTabs(one)), len(lines) + 1})
		text = rest
	}
	return lines
}

func expandTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	column := 0
	for _, r := range s {
		if r != '\t' {
			b.WriteRune(r)
			column++
			continue
		}
		n := 8 - column%8
		b.WriteString("        "[:n])
		column += n
	}
	return b.String()
}

// join puts lines under one another.
func join(lines []line) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.text)
	}
	return b.String()
}

// untilText leaves out empty lines at the end.
func untilText(lines []line) []line {
	for len(lines) > 0 && trim(lines[len(lines)-1].text) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// fromText leaves out empty lines at the beginning.
func fromText(lines []line) []line {
	for len(lines) > 0 && trim(lines[0].text) == "" {
		lines = lines[1:]
	}
	return lines
}

// isCombining is unicodedata.combining of Python.
func isCombining(r rune) bool {
	return r >= 0x300 && norm.NFD.PropertiesString(string(r)).CCC() != 0
}

func isWide(r rune) bool {
	if r < 0x1100 {
		return false
	}
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// columns is how wide a text stands: characters of East Asia take two columns, and
// those that are put upon others none. It is not sure of characters that are newer
// than the tables.
func columns(s string) (n int, sure bool) {
	sure = true
	for _, r := range s {
		switch {
		case isCombining(r):
		case isWide(r):
			n += 2
		default:
			n++
			sure = sure && (r < 0x300 || unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C))
		}
	}
	return n, sure
}

// How the lines of an indented block are taken.
type margin struct {
	first      int // bytes before the block in its first line, or -1: it is indented like all
	known      int // characters before all other lines, or -1: as many as all have
	untilBlank bool
	keep       bool // the indentation too
	top        bool // keep empty lines at the beginning
}

// take takes an indented block from where the machine stands. It tells whether an
// empty line follows, or nothing.
func (m *machine) take(c margin) (block []line, blank bool) {
	start, end, indent := m.at, m.at, c.known
	if c.first >= 0 {
		end++
	}
	blank = true
	for ; end < len(m.lines); end++ {
		text := m.lines[end].text
		if text != "" && (text[0] != ' ' || c.known >= 0 && trim(text[:len(text)-len(cut(text, c.known))]) != "") {
			blank = end > start && trim(m.lines[end-1].text) == ""
			break
		}
		stripped := trimLeft(text)
		if stripped == "" && c.untilBlank {
			break
		}
		if n := length(text) - length(stripped); stripped != "" && c.known < 0 && (indent < 0 || n < indent) {
			indent = n
		}
	}
	m.spend(end - start)
	block = append(block, m.lines[start:end]...)
	m.at = end
	for i := range block {
		switch {
		case i == 0 && c.first >= 0:
			block[i].text = block[i].text[c.first:]
		case !c.keep && indent > 0:
			block[i].text = cut(block[i].text, indent)
		}
	}
	if !c.top {
		block = fromText(block)
	}
	return block, blank
}

// nextBlank tells whether the line to come is empty, or there is none.
func (m *machine) nextBlank() bool {
	return m.at >= len(m.lines) || trim(m.lines[m.at].text) == ""
}
