package dist

import (
	"mime"
	"regexp"
	"strings"

	"github.com/distgate/distgate/staging/dist/rst"
	"github.com/distgate/distgate/staging/rule"
)

// describe judges whether the index renders the description: it refuses an upload
// of which it does not (warehouse/utils/readme.py). Plain text is always rendered,
// Markdown unless nothing comes of it, and reStructuredText, which is what a text
// without a type is, unless docutils warns.
func (r *report) describe(m Metadata) {
	const want = "a description that the index renders"
	text := m.Description()
	if text == "" {
		return
	}
	kind, _, _ := mime.ParseMediaType(m.value("Description-Content-Type"))
	switch {
	case kind == "text/plain":
	case kind == "text/markdown":
		if !shown(text) {
			r.add(rule.IndexDescription, rule.Look, "", "the description defines links and has no text, it seems", "")
		}
	default:
		for _, f := range rst.Check(text) {
			severity := rule.Look
			if f.Sure {
				severity = rule.Refuse
			}
			r.add(rule.IndexDescription, severity, "", "the description, "+f.String(), want)
		}
	}
}

// definesLink is a line of Markdown that shows nothing by itself.
var definesLink = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:`)

// shown tells whether a line of Markdown is more than the address of a link.
func shown(text string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" && !definesLink.MatchString(line) {
			return true
		}
	}
	return false
}
