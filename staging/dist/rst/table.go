package rst

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// grid is a table of lines as runes. Wide characters have a NUL behind them, and
// those that are put upon others are left out where columns are counted.
type grid [][]rune

func gridOf(lines []line) grid {
	g := make(grid, len(lines))
	for i, l := range lines {
		for _, r := range l.text {
			g[i] = append(g[i], r)
			if isWide(r) {
				g[i] = append(g[i], 0)
			}
		}
	}
	return g
}

// counted leaves out what takes no column.
func counted(r []rune) []rune {
	return slices.DeleteFunc(slices.Clone(r), isCombining)
}

// at is which rune of a line stands in a column.
func at(r []rune, column int) int {
	if !slices.ContainsFunc(r[:min(len(r), column+1)], isCombining) {
		return min(column, len(r))
	}
	for i, c := range r {
		if isCombining(c) {
			continue
		}
		if column == 0 {
			return i
		}
		column--
	}
	return len(r)
}

// cell cuts one out, from top and left up to bottom and right, without the
// indentation that its lines have in common.
func (g grid) cell(no, top, left, bottom, right int) []line {
	var lines []line
	indent := right
	for i := top; i < bottom; i++ {
		from, to := at(g[i], left), at(g[i], right)
		text := trimRight(strings.ReplaceAll(string(g[i][min(from, to):to]), "\x00", ""))
		if text != "" {
			indent = min(indent, length(text)-length(trimLeft(text)))
		}
		lines = append(lines, line{text, no + i})
	}
	for i := range lines {
		if indent > 0 && indent < right {
			lines[i].text = cut(lines[i].text, indent)
		}
	}
	return lines
}

func (m *machine) table(kind lineKind) {
	no := m.lines[m.at].no
	n := &node{kind: table, line: no}
	var block []line
	var blank, whole bool
	if kind == gridTable {
		block, blank, whole = m.isolateGrid()
	} else {
		block, blank, whole = m.isolateSimple()
	}
	if whole {
		m.spend(len(block) * len(block[0].text))
		m.node.add(n)
		if kind == gridTable {
			m.gridTable(n, gridOf(block), no)
		} else {
			m.simpleTable(n, gridOf(block), no)
		}
	}
	if !blank {
		m.fault(m.lineNo(), "Blank line required after table.")
	}
}

// isolateGrid takes the lines of a grid table, which lasts until the borders end.
func (m *machine) isolateGrid() (block []line, blank, whole bool) {
	start := m.at
	blank = true
	for ; m.at < len(m.lines) && m.lines[m.at].text != ""; m.at++ {
		text := m.lines[m.at].text
		if text[0] == ' ' {
			m.fault(m.lineNo(), "Unexpected indentation.")
			blank = false
			break
		}
		if text[0] != '+' && text[0] != '|' {
			blank = false
			break
		}
		block = append(block, line{trim(text), m.lines[m.at].no})
	}
	if !gridBorder.MatchString(block[len(block)-1].text) {
		i := len(block) - 2
		for ; i > 1 && !gridBorder.MatchString(block[i].text); i-- {
		}
		if i <= 1 {
			m.fault(block[0].no, "Malformed table. Bottom border missing or corrupt.")
			return nil, blank, false
		}
		block, blank = block[:i+1], false
		m.at = start + i + 1
	}
	g := gridOf(block)
	size := len(g[0])
	for i := range g {
		row := counted(g[i])
		if last := row[len(row)-1]; len(row) != size || last != '+' && last != '|' {
			m.fault(block[i].no, "Malformed table. Right border not aligned or missing.")
			return nil, blank, false
		}
	}
	return block, blank, true
}

var simpleBorder = regexp.MustCompile(`^=+[ =]*$`)

// isolateSimple takes the lines of a simple table, which lasts until its second
// border, or one with an empty line behind it.
func (m *machine) isolateSimple() (block []line, blank, whole bool) {
	start, found, foundAt := m.at, 0, 0
	size := length(trim(m.lines[start].text))
	follows := func(i int) bool { return i == len(m.lines)-1 || trim(m.lines[i+1].text) == "" }
	for i := start + 1; i < len(m.lines); i++ {
		if !simpleBorder.MatchString(m.lines[i].text) {
			continue
		}
		if length(trim(m.lines[i].text)) != size {
			m.fault(m.lines[i].no, "Malformed table. Bottom border or header rule does not match top border.")
			m.at = i + 1
			return nil, follows(i), false
		}
		found, foundAt = found+1, i
		if found == 2 || follows(i) {
			m.at = i + 1
			return m.lines[start:m.at], follows(i), true
		}
	}
	m.fault(m.lines[start].no, "Malformed table. No bottom table border found.")
	m.at = len(m.lines)
	if found > 0 {
		m.at = foundAt + 1
	}
	return nil, found == 0, false
}

// separators finds the line between head and body, of which there may be one.
func (m *machine) separators(g grid, form *regexp.Regexp, no int) bool {
	found := 0
	for i := range g {
		if !form.MatchString(string(g[i])) {
			continue
		}
		if found > 0 {
			m.fault(no+i, "Malformed table. Multiple head/body row separators; only one allowed.")
			return false
		}
		found = i
		if i == 0 || i == len(g)-1 {
			m.fault(no+i, "Malformed table. The head/body row separator may not be the first or last line of the table.")
			return false
		}
		for k, r := range g[i] {
			if r == '=' {
				g[i][k] = '-'
			}
		}
	}
	return true
}

var gridSeparator = regexp.MustCompile(`^\+=[=+]+=\+ *$`)

// corner is one of a cell of a grid.
type corner struct{ row, column int }

func (c corner) compare(to corner) int {
	return cmp.Or(cmp.Compare(c.row, to.row), cmp.Compare(c.column, to.column))
}

// counted leaves out what takes no column.
func (g grid) counted() grid {
	plain := make(grid, len(g))
	for i := range g {
		plain[i] = counted(g[i])
	}
	return plain
}

// gridTable reads the cells of a grid: from the upper left corner on, each cell is
// gone around, and its other corners are where cells may begin.
func (m *machine) gridTable(n *node, g grid, no int) {
	if !m.separators(g, gridSeparator, no) {
		return
	}
	plain := g.counted()
	bottom, right := len(g)-1, len(plain[0])-1
	done := slices.Repeat([]int{-1}, right+1)
	columns := map[int]bool{0: true}
	rows := map[int]bool{0: true}
	corners := []corner{{0, 0}}
	for len(corners) > 0 && !m.over() {
		c := corners[0]
		corners = corners[1:]
		if c.row == bottom || c.column == right || c.row <= done[c.column] {
			continue
		}
		to, ok := m.around(plain, c)
		if !ok {
			continue
		}
		for column := c.column; column < to.column; column++ {
			if done[column] != c.row-1 {
				m.unsure(no+c.row, "Cells of the table overlap.")
				return
			}
			done[column] = to.row - 1
		}
		columns[c.column], columns[to.column], rows[to.row] = true, true, true
		m.spend((to.row - c.row) * to.column)
		m.entry(n, g.cell(no, c.row+1, c.column+1, to.row, to.column))
		for _, next := range []corner{{c.row, to.column}, {to.row, c.column}} {
			place, _ := slices.BinarySearchFunc(corners, next, corner.compare)
			corners = slices.Insert(corners, place, next)
		}
	}
	if slices.ContainsFunc(done[:right], func(last int) bool { return last != bottom-1 }) {
		m.fault(no, "Malformed table; parse incomplete.")
	}
	n.cols = len(columns) - 1
}

func (m *machine) entry(n *node, lines []line) {
	m.parse(lines, n.add(&node{kind: body}), false)
}

// around goes around the cell that begins at a corner: right, down, left and up. It
// gives its lower right corner.
func (m *machine) around(g grid, from corner) (to corner, ok bool) {
	top := g[from.row]
	for right := from.column + 1; right < len(top); right++ {
		if top[right] == '+' {
			for bottom := from.row + 1; bottom < len(g); bottom++ {
				m.spend(1)
				if g[bottom][right] == '+' && m.returns(g, from, corner{bottom, right}) {
					return corner{bottom, right}, true
				}
				if g[bottom][right] != '+' && g[bottom][right] != '|' {
					break
				}
			}
		} else if top[right] != '-' {
			break
		}
	}
	return corner{}, false
}

// returns tells whether a border leads from the lower right corner back to the left
// and up.
func (m *machine) returns(g grid, from, to corner) bool {
	m.spend(to.column - from.column + to.row - from.row)
	for i := to.column - 1; i > from.column; i-- {
		if c := g[to.row][i]; c != '+' && c != '-' {
			return false
		}
	}
	if g[to.row][from.column] != '+' {
		return false
	}
	for i := to.row - 1; i > from.row; i-- {
		if c := g[i][from.column]; c != '+' && c != '|' {
			return false
		}
	}
	return true
}

// span is a column of a simple table; that of the last has no end where text goes on.
type span struct{ from, to int }

var (
	simpleSeparator = regexp.MustCompile(`^=[ =]*$`)
	spanForm        = regexp.MustCompile(`^-[ -]*$`)
)

// simpleReader reads a simple table row by row.
type simpleReader struct {
	*machine
	table   *node
	grid    grid
	no      int
	columns []span
	end     int // of the border
}

func (m *machine) simpleTable(n *node, g grid, no int) {
	for _, border := range []int{0, len(g) - 1} {
		for k, r := range g[border] {
			if r == '=' {
				g[border][k] = '-'
			}
		}
	}
	if !m.separators(g, simpleSeparator, no) {
		return
	}
	s := &simpleReader{machine: m, table: n, grid: g, no: no}
	s.columns, _ = s.spans(0)
	s.end = s.columns[len(s.columns)-1].to
	n.cols = len(s.columns)
	first := s.columns[0]
	start, seen := 1, false
	for i := 1; i < len(g); i++ {
		row := g[i]
		switch {
		case spanForm.MatchString(string(row)):
			if !s.row(start, i, i) {
				return
			}
			start, seen = i+1, false
		case trim(string(row[min(first.from, len(row)):min(first.to, len(row))])) != "":
			if seen && i != start && !s.row(start, i, 0) {
				return
			}
			start, seen = i, true
		case !seen:
			start = i + 1
		}
	}
}

// spans are the columns that a line of dashes shows.
func (s *simpleReader) spans(row int) (all []span, ok bool) {
	r := s.grid[row]
	for i := 0; i < len(r); i++ {
		if r[i] != '-' {
			continue
		}
		from := i
		for i < len(r) && r[i] != ' ' {
			i++
		}
		all = append(all, span{from, i})
	}
	if s.columns == nil {
		return all, true
	}
	last := &all[len(all)-1]
	if last.to != s.end {
		s.fault(s.no+row, "Malformed table. Column span incomplete.")
		return nil, false
	}
	last.to = s.columns[len(s.columns)-1].to
	return all, true
}

// row reads the lines from start up to end, with the columns of the table or of the
// line of dashes below them.
func (s *simpleReader) row(start, end, below int) bool {
	if start >= end && below == 0 {
		return true
	}
	columns := slices.Clone(s.columns)
	if below > 0 {
		var ok bool
		if columns, ok = s.spans(below); !ok {
			return false
		}
	}
	if !s.margins(columns, start, end) {
		return false
	}
	i := 0
	for _, c := range columns {
		if i >= len(s.columns) || c.from != s.columns[i].from {
			s.fault(s.no+start, "Malformed table. Column span alignment problem.")
			return false
		}
		for i < len(s.columns) && c.to != s.columns[i].to {
			i++
		}
		if i == len(s.columns) {
			s.fault(s.no+start, "Malformed table. Column span alignment problem.")
			return false
		}
		i++
	}
	for _, c := range columns {
		s.entry(s.table, s.grid.cell(s.no, start, c.from, end, c.to))
	}
	return true
}

// margins wants nothing between the columns, and widens the last for what is in it.
func (s *simpleReader) margins(columns []span, start, end int) bool {
	for i, c := range columns {
		for n := start; n < end; n++ {
			row := counted(s.grid[n])
			s.spend(len(row))
			if i == len(columns)-1 {
				if trim(string(row[min(c.to, len(row)):])) == "" {
					continue
				}
				to := c.from + length(trimRight(string(row[min(c.from, len(row)):])))
				last := &s.columns[len(s.columns)-1]
				columns[i].to = max(last.to, to)
				last.to = max(last.to, to)
				continue
			}
			if trim(string(row[min(c.to, len(row)):min(columns[i+1].from, len(row))])) != "" {
				s.fault(s.no+n, "Malformed table. Text in column margin.")
				return false
			}
		}
	}
	return true
}
