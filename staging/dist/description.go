package dist

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// isRST tells whether the index reads the description as reStructuredText, which
// it does where nothing else is said.
func isRST(m Metadata) bool {
	kind, _, _ := strings.Cut(m.value("Description-Content-Type"), ";")
	kind = strings.TrimSpace(kind)
	return kind == "" || kind == "UNKNOWN" || strings.EqualFold(kind, "text/x-rst")
}

// Renders tells whether the index renders the description for sure. Of
// reStructuredText it refuses what docutils warns of, and docutils alone knows all
// of that.
func (m Metadata) Renders() bool { return m.Description() == "" || !isRST(m) }

// descriptionFault finds what docutils warns of most: directives that it has not
// or that are switched off at PyPI, roles that it has not, and titles whose line is
// too short (docutils.parsers.rst; readme_renderer.rst). It looks at what begins in
// the first column, and so at no code that is quoted.
func descriptionFault(m Metadata) string {
	if m.Renders() {
		return ""
	}
	text := strings.ReplaceAll(m.Description(), "\r\n", "\n")
	lines := append([]string{""}, strings.Split(text+"\n", "\n")...)
	own := map[string]bool{}
	for _, found := range ownRole.FindAllStringSubmatch(text, -1) {
		own[found[1]] = true
	}
	for i := 1; i < len(lines)-1; i++ {
		before, line, after := lines[i-1], lines[i], lines[i+1]
		what := ""
		if strings.TrimSpace(before) == "" {
			what = directiveFault(line) + titleFault(line, after)
		}
		if what += roleFault(own, line); what != "" {
			return fmt.Sprintf("line %d of the description: %s", i, what)
		}
	}
	return ""
}

// What begins a directive, a role in a line, a role that the text makes, and a title.
var (
	directive = regexp.MustCompile(`^\.\. ([A-Za-z][\w.:+-]*?) ?::(?:\s|$)`)
	role      = regexp.MustCompile("^(?:[-*A-Za-z0-9(].*[ (])?:([A-Za-z][\\w.+:-]*):`[^`]+`")
	ownRole   = regexp.MustCompile(`(?m)^\.\. role:: *([\w.+-]+)`)
	title     = regexp.MustCompile(`^[A-Za-z][^.)\p{M}]`)
)

// The directives of docutils that PyPI renders.
var directives = strings.Fields(`admonition attention caution class code code-block compound container contents
	csv-table danger date default-role epigraph error figure footer header highlights hint image important
	line-block list-table math meta note parsed-literal pull-quote replace restructuredtext-test-directive role rubric
	section-numbering sectnum sidebar sourcecode table target-notes tip title topic unicode warning`)

func directiveFault(line string) string {
	found := directive.FindStringSubmatch(line)
	if found == nil || slices.Contains(directives, strings.ToLower(found[1])) {
		return ""
	}
	return "the directive " + found[1] + ", which PyPI does not render"
}

// The roles of docutils.
var roles = strings.Fields(`ab abbreviation ac acronym anonymous-reference citation-reference code emphasis
	footnote-reference i index literal math named-reference pep pep-reference raw rfc rfc-reference strong sub
	subscript substitution-reference sup superscript t target title title-reference uri uri-reference url`)

// roleFault passes over lines that quote something, and roles that the text makes.
func roleFault(own map[string]bool, line string) string {
	found := role.FindStringSubmatch(line)
	if found == nil || strings.Contains(line, "``") || slices.Contains(roles, strings.ToLower(found[1])) ||
		own[found[1]] {
		return ""
	}
	return "the role :" + found[1] + ":, which PyPI does not render"
}

func titleFault(line, after string) string {
	after = strings.TrimRight(after, " \t")
	if !title.MatchString(line) || len(after) < 4 || !strings.ContainsAny(after[:1], `=-~^"'#*+_.:`+"`") ||
		strings.Trim(after, after[:1]) != "" || len(after) >= utf8.RuneCountInString(strings.TrimRight(line, " \t")) {
		return ""
	}
	return "the title " + line + ", whose line below is shorter"
}
