package rst

import (
	"regexp"
	"strconv"
	"strings"
)

// A mark stands before an item of a numbered list.
type mark struct {
	before, after string // the parentheses or the point
	sequence      string // "1", "a", "A", "i", "I" or "#"
	ordinal       int    // 0 where it is no number
}

// The sequences, in the order in which they are tried.
var sequences = []struct {
	name string
	form *regexp.Regexp
}{
	{"1", regexp.MustCompile(`^[0-9]+$`)}, {"a", regexp.MustCompile(`^[a-z]$`)}, {"A", regexp.MustCompile(`^[A-Z]$`)},
	{"i", regexp.MustCompile(`^[ivxlcdm]+$`)}, {"I", regexp.MustCompile(`^[IVXLCDM]+$`)},
}

// readMark reads a mark of which it is known which sequence it continues, or not.
func readMark(text, expected string) mark {
	form := enumeratorForm.FindStringSubmatch(text)
	m := mark{before: form[1], after: form[3] + form[5] + form[7]}
	name := form[2] + form[4] + form[6]
	for _, s := range sequences {
		if s.name == expected && s.form.MatchString(name) {
			m.sequence = expected
		}
	}
	switch {
	case name == "#":
		m.sequence, m.ordinal = "#", 1
		return m
	case m.sequence == "" && expected == "" && strings.EqualFold(name, "i"):
		m.sequence = name
	}
	for _, s := range sequences {
		if m.sequence == "" && s.form.MatchString(name) {
			m.sequence = s.name
		}
	}
	m.ordinal = ordinalOf(name, m.sequence)
	return m
}

func ordinalOf(name, sequence string) int {
	switch sequence {
	case "1":
		if n, err := strconv.Atoi(name); err == nil && n < 1<<30 {
			return n
		}
		return 1 << 30
	case "a", "A":
		return int(name[0]|0x20-'a') + 1
	}
	name = strings.ToUpper(name)
	n := 0
	for i := range len(name) {
		value := romanSigns[name[i]]
		if i+1 < len(name) && value < romanSigns[name[i+1]] {
			value = -value
		}
		n += value
	}
	if n < 1 || n > 4999 || roman(n) != name {
		return 0
	}
	return n
}

var romanSigns = map[byte]int{'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100, 'D': 500, 'M': 1000}

// roman writes a number from 1 to 4999 as the Romans did.
func roman(n int) string {
	var b strings.Builder
	for _, d := range []struct {
		value int
		sign  string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"},
		{10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= d.value; n -= d.value {
			b.WriteString(d.sign)
		}
	}
	return b.String()
}

// next is the mark of the item behind one, or nothing.
func (m mark) next() string {
	n := m.ordinal + 1
	switch {
	case m.sequence == "1":
		return strconv.Itoa(n)
	case (m.sequence == "a" || m.sequence == "A") && n <= 26:
		return string(m.sequence[0] + byte(n-1))
	case m.sequence == "i" && n < 5000:
		return strings.ToLower(roman(n))
	case m.sequence == "I" && n < 5000:
		return roman(n)
	case m.sequence == "#":
		return "#"
	}
	return ""
}

// begins tells whether a line is an item: the line behind it is empty, indented or
// the next item.
func (m *machine) begins(k mark) bool {
	if k.ordinal == 0 && k.sequence != "1" {
		return false
	}
	below := m.peek(1)
	if trim(below[:min(1, len(below))]) == "" {
		return true
	}
	next := k.next()
	return next != "" && (strings.HasPrefix(below, k.before+next+k.after+" ") ||
		strings.HasPrefix(below, k.before+"#"+k.after+" "))
}

func (m *machine) enumerated(end int) {
	last := readMark(m.lines[m.at].text, "")
	if !m.begins(last) {
		m.text()
		return
	}
	list := m.node.add(&node{kind: enumeratedList})
	sequence, auto := last.sequence, last.sequence == "#"
	if auto {
		sequence = "1"
	}
	if last.ordinal != 1 {
		m.node.add(&node{kind: message})
	}
	blank := m.members(m.item(list, end), false, func(kind lineKind, end int) (bool, bool) {
		if kind != enumerator {
			return false, false
		}
		k := readMark(m.lines[m.at].text, sequence)
		follows := k.sequence == "#" || k.sequence == sequence && !auto && k.ordinal == last.ordinal+1
		if k.before != last.before || k.after != last.after || !follows || !m.begins(k) {
			return false, false
		}
		auto = auto || k.sequence == "#"
		last = k
		return true, m.item(list, end)
	})
	m.ends(blank, "Enumerated list")
}
