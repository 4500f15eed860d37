package rst

import (
	"regexp"
	"strings"
)

// simple is the form of a simple name, as simpleName reads it.
const simple = `[\p{L}\p{N}]+(?:[-._+:][\p{L}\p{N}]+)*`

// The forms behind "..", in the order in which they are tried.
var (
	footnoteForm     = regexp.MustCompile(`^\.\. +\[([0-9]+|#|#` + simple + `|\*)\](?: +|$)`)
	citationForm     = regexp.MustCompile(`^\.\. +\[(` + simple + `)\](?: +|$)`)
	targetForm       = regexp.MustCompile(`^\.\. +_(?:[^ ]|$)`)
	substitutionForm = regexp.MustCompile(`^\.\. +\|(?:[^ ]|$)`)
	directiveForm    = regexp.MustCompile(`^\.\. +(` + simple + `) ?::(?: +|$)`)
	embeddedForm     = regexp.MustCompile(`^(` + simple + `)::(?: +|$)`)
)

// explicitMarkup reads what begins with ".." or "__". End is that of the mark.
func (m *machine) explicitMarkup(kind lineKind, end int) (blank bool) {
	text := m.lines[m.at].text
	if kind == anonymous {
		return m.anonymousTarget(end)
	}
	if form := footnoteForm.FindStringSubmatch(text); form != nil {
		return m.footnote(form[1], len(form[0]), "Footnote")
	}
	if form := citationForm.FindStringSubmatch(text); form != nil {
		return m.footnote(form[1], len(form[0]), "Citation")
	}
	if form := targetForm.FindString(text); form != "" && !strings.HasSuffix(text, " _") {
		return m.hyperlinkTarget(strings.Index(text, "_") + 1)
	}
	if form := substitutionForm.FindString(text); form != "" && !strings.HasSuffix(text, " |") {
		return m.substitutionDefinition(strings.Index(text, "|") + 1)
	}
	if form := directiveForm.FindStringSubmatch(text); form != nil {
		_, blank := m.directive(form[1], len(form[0]), "")
		return blank
	}
	return m.comment(end)
}

func (m *machine) comment(end int) (blank bool) {
	first := m.lines[m.at].text[end:]
	if trim(first) == "" && (m.at+1 >= len(m.lines) || m.lines[m.at+1].text == "") {
		m.at++
		m.node.add(&node{kind: comment, empty: true})
		return true
	}
	block, blank := m.take(margin{first: end, known: -1})
	m.node.add(&node{kind: comment, empty: len(untilText(block)) == 0})
	return blank
}

func (m *machine) footnote(label string, end int, what string) (blank bool) {
	no := m.lines[m.at].no
	block, blank := m.take(margin{first: end, known: -1})
	n := m.node.add(&node{kind: body, line: no})
	switch {
	case label == "*":
		m.names.symbols++
	case label[0] == '#':
		m.names.notes = append(m.names.notes, normal(label[1:]))
		label = label[1:]
	}
	if label != "*" && label != "" {
		m.names.explicit(m.parser, normal(label), "", no)
	}
	if len(block) == 0 {
		m.fault(no, "%s content expected.", what)
	}
	m.parse(block, n, false)
	return blank
}

func (m *machine) anonymousTarget(end int) (blank bool) {
	no := m.lines[m.at].no
	block, blank := m.take(margin{first: end, known: -1, untilBlank: true})
	for i := range block {
		block[i].text = escaped(block[i].text)
	}
	m.defineTarget("", block, no)
	return blank
}

func (m *machine) hyperlinkTarget(end int) (blank bool) {
	no := m.lines[m.at].no
	block, blank := m.take(margin{first: end, known: -1, untilBlank: true, keep: true})
	for i := range block {
		block[i].text = escaped(block[i].text)
	}
	all := ""
	for i, l := range block {
		all += l.text
		m.spend(len(all))
		if m.over() {
			break
		}
		label, size, ok := targetName(all)
		if !ok {
			continue
		}
		block = block[i:]
		rest := all[size:]
		block[0].text = trim(l.text[max(0, len(l.text)-len(rest)):])
		m.defineTarget(label, block, no)
		return blank
	}
	m.fault(no, "malformed hyperlink target.")
	m.node.add(&node{kind: comment})
	return blank
}

// targetName reads the name of a target, which a colon and white space end: NAME:,
// `NAME`: or _: for one without a name. Size is what it takes in bytes.
func targetName(s string) (label string, size int, ok bool) {
	ends := func(at int) (int, bool) {
		rest := strings.TrimPrefix(s[at:], " ")
		if !strings.HasPrefix(rest, ":") || len(rest) > 1 && rest[1] != ' ' {
			return 0, false
		}
		return len(s) - len(strings.TrimLeft(rest[1:], " ")), true
	}
	if strings.HasPrefix(s, "_") {
		size, ok = ends(1)
		return "", size, ok
	}
	body, quoted := strings.CutPrefix(s, "`")
	start := len(s) - len(body)
	if body == "" || body[0] == ' ' || body[0] == '`' {
		return "", 0, false
	}
	for i := start + 1; i <= len(s); i++ {
		if c := s[i-1]; c == 0 || isSpace(rune(c)) {
			continue
		}
		at := i
		if quoted {
			if !strings.HasPrefix(s[i:], "`") {
				continue
			}
			at++
		}
		if s[at-1] == ':' && (at < 2 || s[at-2] != 0) {
			continue
		}
		if size, ok := ends(at); ok {
			return s[start:i], size, true
		}
	}
	return "", 0, false
}

// referenceForm is a reference to a target, and nothing else.
var referenceForm = regexp.MustCompile("^(?:(" + simple + ")_|`([^ ].*?)`_)$")

// goalOf is what a target is for: "uri URI", "name NAME", or "" for a place in the
// text.
func goalOf(block []line) string {
	var parts []string
	for _, l := range block {
		parts = append(parts, trim(l.text))
	}
	if len(parts) > 0 && strings.HasSuffix(parts[len(parts)-1], "_") {
		form := referenceForm.FindStringSubmatch(spaced(strings.Join(parts, " ")))
		if form != nil && (form[2] == "" || !strings.ContainsAny(form[2][len(form[2])-1:], " \x00")) {
			return "name " + normal(unescaped(form[1]+form[2]))
		}
	}
	if uri := strings.Join(fields(unescaped(strings.Join(parts, " "))), ""); uri != "" {
		return "uri " + uri
	}
	return ""
}

func (m *machine) defineTarget(label string, block []line, no int) {
	goal := goalOf(block)
	m.node.add(&node{kind: target, line: no, unique: goal == ""})
	if label == "" {
		m.names.anonymousTargets++
	} else {
		m.names.explicit(m.parser, normal(unescaped(label)), goal, no)
	}
	if to, ok := strings.CutPrefix(goal, "name "); ok {
		m.names.indirect = append(m.names.indirect, mention{to, no})
	}
}

func (m *machine) substitutionDefinition(end int) (blank bool) {
	no := m.lines[m.at].no
	block, blank := m.take(margin{first: end, known: -1, keep: true, top: true})
	all, label := "", ""
	for i, l := range block {
		piece := escaped(trim(l.text))
		if i == 0 {
			all = escaped(trimRight(l.text))
		} else {
			all += " " + piece
		}
		m.spend(len(all))
		if m.over() {
			return blank
		}
		size := 0
		if label, size = substitutionName(all); size == 0 {
			continue
		}
		block = block[i:]
		rest := all[size:]
		block[0].text = trim(block[0].text)
		block[0].text = block[0].text[len(block[0].text)-len(rest):]
		break
	}
	if label == "" {
		m.fault(no, "malformed substitution definition.")
		m.node.add(&node{kind: comment})
		return blank
	}
	if block[0].text == "" {
		block = block[1:]
	}
	if block = untilText(block); len(block) == 0 {
		m.fault(no, "Substitution definition %q missing contents.", label)
		return blank
	}
	block[0].text = trim(block[0].text)
	return m.substitutionContents(label, block, blank, no)
}

func substitutionName(all string) (label string, size int) {
	for from := 0; ; {
		at := strings.Index(all[from:], "|")
		if at < 0 {
			return "", 0
		}
		at += from
		from = at + 1
		behind := all[at+1:]
		if at > 0 && all[at-1] != 0 && !isSpace(rune(all[at-1])) && (behind == "" || behind[0] == ' ') {
			return unescaped(all[:at]), len(all) - len(strings.TrimLeft(behind, " "))
		}
	}
}

// substitutionContents reads the directive that a name stands for.
func (m *machine) substitutionContents(label string, block []line, blank bool, no int) bool {
	n := m.node.add(&node{kind: substitution, line: no})
	form := embeddedForm.FindStringSubmatch(block[0].text)
	if form == nil {
		m.fault(no, "Substitution definition %q empty or invalid.", label)
		return blank
	}
	first := len(m.names.substituted)
	sub := &machine{parser: m.parser, lines: block, node: n, sub: true}
	made, _ := sub.directive(form[1], len(form[0]), label)
	count := 0
	for _, c := range made {
		if !c.isInline() && c.kind != target {
			continue
		}
		count++
		switch {
		case c.kind == reference && c.auto:
			m.fault(no, "Anonymous references are not supported in a substitution definition.")
		case c.kind == footnoteReference, c.unique:
			m.fault(no, "Targets (names and identifiers) are not supported in a substitution definition.")
		}
	}
	if size := len(plainText(made)); count == 0 {
		m.fault(no, "Substitution definition %q empty or invalid.", label)
	} else if size > 10000 {
		m.unsure(no, "The substitution %q is long.", label)
	}
	m.names.substitute(m.parser, label, append([]mention(nil), m.names.substituted[first:]...), no)
	return blank
}
