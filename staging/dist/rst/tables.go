package rst

import (
	"errors"
	"strings"
)

// The directives that make tables (docutils.parsers.rst.directives.tables).

func (d *call) ownTable() []*node {
	if !d.needs() {
		return nil
	}
	d.inline(d.argument(), d.line)
	n := &node{kind: element, parent: d.node}
	d.parse(d.body, n, false)
	if len(n.children) != 1 || n.children[0].kind != table {
		d.fault(d.line, "Error parsing content block for the \"table\" directive: exactly one table expected.")
		return nil
	}
	made := n.children[0]
	d.makes(body)
	if d.hasWidths() {
		d.fitsWidths(made.cols)
	}
	return []*node{made}
}

func (d *call) hasWidths() bool {
	v, given := d.given["widths"]
	return given && v.text != "auto" && v.text != "grid"
}

func (d *call) fitsWidths(columns int) bool {
	if d.hasWidths() && len(widthList(d.given["widths"].text)) != columns {
		d.fault(d.line, "%q widths do not match the number of columns in table (%d).", d.name, columns)
		return false
	}
	return true
}

func (d *call) number(option string) int {
	v := d.given[option]
	n, _ := pythonInt(v.text)
	return n
}

// fitsHead wants more rows and columns than the head and the stub take. Rows are the
// number of columns of each.
func (d *call) fitsHead(rows []int) bool {
	head, stub := d.number("header-rows"), d.number("stub-columns")
	if len(rows) < head || len(rows) == head && head > 0 {
		d.fault(d.line, "%d header row(s) specified but only %d row(s) of data supplied.", head, len(rows))
		return false
	}
	for _, columns := range rows {
		if columns < stub || columns == stub && stub > 0 {
			d.fault(d.line, "%d stub column(s) specified but only %d columns(s) of data supplied.", stub, columns)
			return false
		}
	}
	return true
}

func (d *call) listTable() []*node {
	if !d.needs() {
		return nil
	}
	d.inline(d.argument(), d.line)
	n := &node{kind: body, parent: d.node}
	d.parse(d.body, n, false)
	if len(n.children) != 1 || n.children[0].kind != bulletList {
		d.fault(d.line, "Error parsing content block for the \"list-table\" directive: exactly one bullet list expected.")
		return nil
	}
	var rows []int
	for i, item := range n.children[0].children {
		if len(item.children) != 1 || item.children[0].kind != bulletList {
			d.fault(item.line, "two-level bullet list expected, but row %d does not contain a second-level bullet list.", i+1)
			return nil
		}
		rows = append(rows, len(item.children[0].children))
		if rows[i] != rows[0] {
			d.fault(item.line, "uniform two-level bullet list expected, but row %d has %d items and row 1 has %d.",
				i+1, rows[i], rows[0])
			return nil
		}
	}
	if d.fitsWidths(rows[0]) && d.fitsHead(rows) {
		d.makes(body)
	}
	return []*node{n}
}

func (d *call) csvTable() []*node {
	head, rows, ok := d.csvRows()
	if !ok {
		return nil
	}
	n := d.makes(body)
	n.parent = d.node
	most, sizes := 0, []int(nil)
	for i, row := range append(head, rows...) {
		most = max(most, len(row))
		if i >= len(head) {
			sizes = append(sizes, len(row))
		}
	}
	if !d.fitsHead(sizes) || !d.fitsWidths(most) {
		return nil
	}
	if most == 0 {
		d.fault(d.line, "No table data detected in CSV file.")
	}
	for _, row := range append(head, rows...) {
		for _, text := range row {
			lines := splitLines(text)
			for i := range lines {
				lines[i].no = d.line
			}
			d.parse(lines, n.add(&node{kind: body}), false)
		}
	}
	return []*node{n}
}

// csvRows reads the option "header" and the content. It is not sure of dialects.
func (d *call) csvRows() (head, rows [][]string, ok bool) {
	_, file := d.given["file"]
	_, address := d.given["url"]
	if file || address {
		d.fault(d.line, "File and URL access deactivated; ignoring \"csv-table\" directive.")
		return nil, nil, false
	}
	d.inline(d.argument(), d.line)
	if len(d.body) == 0 {
		d.fault(d.line, "The \"csv-table\" directive requires content; none supplied.")
		return nil, nil, false
	}
	for _, dialect := range []string{"delim", "keepspace", "quote", "escape", "encoding"} {
		if _, given := d.given[dialect]; given {
			d.unsure(d.line, "The table has a dialect of its own (%s).", dialect)
			return nil, nil, false
		}
	}
	var texts []string
	for _, l := range d.body {
		texts = append(texts, l.text)
	}
	rows, err := readCSV(texts)
	if v := d.given["header"]; v.given && err == nil {
		head, err = readCSV(strings.Split(v.text, "\n"))
	}
	if err != nil {
		d.fault(d.line, "Error with CSV data in \"csv-table\" directive: %v", err)
	}
	return head, rows, err == nil
}

// readCSV reads rows of cells as the module csv of Python does that is strict and
// skips blanks at the beginning.
func readCSV(lines []string) ([][]string, error) {
	var c csvText
	for _, l := range lines {
		if c.at != quotedCell && l == "" {
			c.rows = append(c.rows, nil)
			continue
		}
		for _, r := range l + "\n" {
			if !c.read(r) {
				return nil, errors.New(`"," expected after """`)
			}
		}
	}
	if c.at == quotedCell {
		return nil, errors.New("unexpected end of data")
	}
	return c.rows, nil
}

// csvText is what was read, and where in a cell its end is.
type csvText struct {
	rows [][]string
	row  []string
	cell strings.Builder
	at   cellPart
}

type cellPart int

const (
	cellBegins cellPart = iota
	plainCell
	quotedCell
	closedCell // behind a quotation mark that may be its end
)

// read takes one character more; it tells whether one may stand there.
func (c *csvText) read(r rune) bool {
	switch {
	case c.at != quotedCell && (r == ',' || r == '\n'):
		c.row = append(c.row, c.cell.String())
		c.cell.Reset()
		c.at = cellBegins
		if r == '\n' {
			c.rows, c.row = append(c.rows, c.row), nil
		}
	case c.at == cellBegins && r == ' ':
	case (c.at == cellBegins || c.at == closedCell) && r == '"':
		if c.at == closedCell {
			c.cell.WriteRune(r)
		}
		c.at = quotedCell
	case c.at == quotedCell && r == '"':
		c.at = closedCell
	case c.at == closedCell:
		return false
	default:
		if c.at == cellBegins {
			c.at = plainCell
		}
		c.cell.WriteRune(r)
	}
	return true
}
