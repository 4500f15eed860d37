package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/rule"
)

// Markdown is the page for a job's summary on GitHub, of at most so many bytes.
// Its head is never cut; of what is below it says what was.
func (f Facts) Markdown(limit int) []byte {
	m := &markdown{limit: limit}
	m.head(f.Head())
	m.section("What a vote says was seen", f.seenLines())
	m.section("Findings", f.findingLines())
	m.section("Changes since the last release", f.changeLines())
	m.section("What is not proven", noteLines(f.Review.NotProven))
	m.section("What is proven", noteLines(f.Review.Proven))
	m.section("Wheels, by their size in "+f.matrix().Unit, f.matrixLines())
	m.section("Files that nothing in the source explains", f.unexplainedLines())
	m.folded(count(len(f.Review.Files), "file"), f.fileLines())
	m.section("Who decides", f.voterLines())
	return []byte(m.String())
}

// Outcome is the summary of a job that publishes: the same head, who decided, and
// what the index serves. It is bounded as [Facts.Markdown] is.
func (f Facts) Outcome(limit int) []byte {
	m := &markdown{limit: limit}
	h := f.Head()
	if f.Votes.State == Waiting {
		h.Verdict = Verdict{partlyKind, "Waiting", say(fmt.Sprintf("%d of %d approved", len(f.Votes.By), f.Votes.Need))}
	} else if f.Votes.State == Approved {
		h.Verdict = Verdict{clearKind, "Approved", say("and not yet published")}
	}
	m.head(h)
	m.section("What the index serves", f.servedLines())
	m.section("Who decides", f.voterLines())
	return []byte(m.String())
}

// Refusals are the summary of a job that was refused.
func Refusals(refused rule.Refusals, limit int) []byte {
	m := &markdown{limit: limit}
	fmt.Fprintf(m, "## Refused: %s against it\n\n", count(len(refused), "rule"))
	var lines []string
	for _, r := range refused {
		lines = append(lines, refusalLine(r))
	}
	m.some(lines)
	return []byte(m.String())
}

func refusalLine(r rule.Refusal) string {
	return fmt.Sprintf("- **%s** %s: wanted %s, got %s; next: %s", harmless(string(r.Rule)), codeSpan(r.File),
		escaped(r.Want), escaped(r.Got), escaped(r.Hint))
}

// markdown is written line by line. Text from outside is a code span in it, which
// knows neither markup nor links nor mentions.
type markdown struct {
	strings.Builder
	limit int
}

// reserve is left for what says that something was cut, and for closing tags.
const reserve = 512

func (m *markdown) head(h Head) {
	fmt.Fprintf(m, "## %s · %s: %s\n\n", harmless(h.Title), h.Verdict.Word, h.Verdict.Text.markdown())
	m.lines(h.Lines)
	if h.Closed == "" {
		fmt.Fprintf(m, "\n```text\n%s\n```\n\n", h.Paste)
	} else {
		fmt.Fprintf(m, "\n**%s**\n\n", h.Closed)
	}
	m.lines(h.After)
}

func (m *markdown) lines(lines []Line) {
	for _, l := range lines {
		fmt.Fprintf(m, "- **%s** %s\n", l.Name, l.Text.markdown())
	}
}

// section writes a title and as many lines under it as there is room for.
func (m *markdown) section(title string, lines []string) {
	if len(lines) > 0 && m.fits("### "+title) {
		fmt.Fprintf(m, "\n### %s\n\n", title)
		m.some(lines)
	}
}

// folded is a section that opens at a touch.
func (m *markdown) folded(title string, lines []string) {
	if m.fits(title) {
		fmt.Fprintf(m, "\n<details><summary>%s</summary>\n\n", title)
		m.some(lines)
		m.WriteString("\n</details>\n")
	}
}

func (m *markdown) some(lines []string) {
	for i, line := range lines {
		if !m.fits(line) {
			fmt.Fprintf(m, "\n**%s more are cut here**, since GitHub takes no longer summary. The report has them all.\n", count(len(lines)-i, "line"))
			return
		}
		m.WriteString(line + "\n")
	}
}

func (m *markdown) fits(line string) bool { return m.Len()+len(line)+reserve < m.limit }

// markdown is the text with its code as code.
func (t Text) markdown() string {
	var b strings.Builder
	for _, s := range t {
		text := s.Text
		switch {
		case s.Code:
			text = codeSpan(s.Text)
		case s.Quoted:
			text = escaped(s.Text)
		}
		if s.URL != "" {
			text = "[" + text + "](<" + linkTarget(s.URL) + ">)"
		}
		b.WriteString(text)
	}
	return b.String()
}

// codeSpan is text from outside between as many backticks as it takes.
func codeSpan(s string) string {
	s = Visible(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if s == "" || strings.TrimSpace(s) == "" {
		return "(nothing)"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// cell is a code span in a table, where a bar would end it.
func cell(s string) string { return strings.ReplaceAll(codeSpan(s), "|", `\|`) }

// linkTarget is an address without what would end it in "<…>".
func linkTarget(s string) string {
	return strings.NewReplacer("<", "%3C", ">", "%3E", `\`, "%5C", "\n", "", "\r", "", " ", "%20").Replace(Visible(s))
}

// harmless is text that Markdown shows as it is, or else a code span.
func harmless(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.+ -]*[A-Za-z0-9])?$`).MatchString(s) {
		return s
	}
	return codeSpan(s)
}

// seenLines are to be pasted below the line that approves, or are flags where that is
// a command.
func (f Facts) seenLines() (lines []string) {
	seen := f.seen()
	if len(seen) == 0 || f.closed() != "" {
		return nil
	}
	said := "Below the line above, one of these for each that you have looked at:"
	if !f.onGitHub() {
		said = "With `--acknowledge RULE` for each that you have looked at:"
	}
	var block strings.Builder
	for _, line := range seen {
		block.WriteString(strings.ReplaceAll(Visible(line), "`", "'") + "\n")
	}
	return []string{said, "", "```text\n" + block.String() + "```"}
}

func (f Facts) findingLines() (lines []string) {
	found := f.found()
	if !found.Done {
		found.Gaps = nil
		lines = append(lines, "- The contents of the files were not looked into, so nothing here says that they are harmless.")
	}
	for _, g := range found.Gaps {
		lines = append(lines, gapLine(g.What, g.Why))
	}
	for _, g := range found.groups() {
		id := codeSpan(string(g.Rule))
		lines = append(lines, fmt.Sprintf("- **%s** %s %s", severityWord(g.Severity), id, g.Rule.Why()))
		for _, t := range g.Things {
			lines = append(lines, "  - "+t.markdown())
		}
		if g.More > 0 {
			lines = append(lines, fmt.Sprintf("  - and %d more", g.More))
		}
	}
	return lines
}

func gapLine(what, why string) string { return "- Not known: " + escaped(what) + ": " + escaped(why) }

// severityWord is what a finding asks for.
func severityWord(s rule.Severity) string {
	return []string{"Refused", "Look", "Note"}[rank(s)]
}

func (t thing) markdown() string {
	var parts []string
	if t.Where != "" {
		parts = append(parts, codeSpan(t.Where)+":")
	}
	parts = append(parts, escaped(t.What))
	switch len(t.Files) {
	case 0:
	case 1:
		parts = append(parts, "in "+codeSpan(t.Files[0]))
	default:
		parts = append(parts, "in "+count(len(t.Files), "file"))
	}
	return strings.Join(parts, " ")
}

func (f Facts) changeLines() (lines []string) {
	c := f.Changes
	if c == nil {
		return []string{"- This release was not compared with an earlier one."}
	}
	if c.First {
		lines = append(lines, "- The index says that it has no release of the project yet.")
	}
	for _, g := range c.Gaps {
		lines = append(lines, gapLine(g.What, g.Why))
	}
	for _, s := range c.Since {
		lines = append(lines, "- Beside "+codeSpan(s.Version)+": "+differences(s)+".")
		for _, d := range s.Metadata {
			lines = append(lines, "  - "+wasIs(d.Field, d.Was, d.Now))
		}
		for _, d := range s.EntryPoints {
			lines = append(lines, "  - "+wasIs(d.Field, d.Was, d.Now))
		}
		for _, m := range s.Members {
			lines = append(lines, fmt.Sprintf("  - %s: %s, was %s, in %s", codeSpan(m.Name), sizeOrNone(m.Now), sizeOrNone(m.Was), holders(m)))
		}
		for _, name := range s.Gone {
			lines = append(lines, "  - gone: "+codeSpan(name))
		}
	}
	for _, d := range c.Policy.Differences {
		lines = append(lines, "- Policy: "+wasIs(d.Field, d.Was, d.Now))
	}
	return lines
}

// holders are the files that have a member.
func holders(m approval.MemberChange) string {
	if m.Sdist {
		return "the sdist"
	}
	return count(m.Files, "wheel")
}

func wasIs(field, was, is string) string {
	return fmt.Sprintf("%s: %s, was %s", codeSpan(field), codeSpan(is), codeSpan(was))
}

func (f Facts) matrixLines() (lines []string) {
	m := f.matrix()
	if m.Wheels == 0 {
		return nil
	}
	head, rule := "| platform |", "|---|"
	for _, python := range m.Pythons {
		head, rule = head+" "+cell(python)+" |", rule+"--:|"
	}
	lines = append(lines, head, rule)
	for _, row := range m.Platforms {
		line := "| " + cell(strings.Join(strings.Fields(row.Family+" "+row.Arch+" "+row.From), " ")) + " |"
		for _, size := range row.Cells {
			if size == "" {
				size = "–"
			}
			line += " " + size + " |"
		}
		lines = append(lines, line)
	}
	return lines
}

func (f Facts) unexplainedLines() (lines []string) {
	for _, one := range stranges(f.Match) {
		lines = append(lines, "- "+thing{Where: one.Path, What: "nothing explains it", Files: one.Files}.markdown())
	}
	if f.Match != nil && f.Match.More > 0 {
		lines = append(lines, fmt.Sprintf("- and %d more", f.Match.More))
	}
	return lines
}

func (f Facts) fileLines() (lines []string) {
	for _, file := range f.Review.Files {
		line := "- " + codeSpan(file.Name) + ", " + size(file.Size)
		if match := f.MatchOf(file.Name); match != "" {
			line += ", " + match
		}
		if len(file.Evidence) > 0 {
			line += ", signed " + signed(file.Evidence[0])
		}
		lines = append(lines, line+"<br>"+codeSpan(file.Digest.String()))
	}
	return lines
}

func (f Facts) servedLines() (lines []string) {
	if len(f.Served.Files) > 0 {
		lines = append(lines, "Each file was downloaded at "+utc(f.Served.Time)+" and is, byte for byte, what was approved.", "")
	}
	for _, file := range f.Served.Files {
		served := Text{{Text: file.Name, Code: true, URL: secure(file.URL)}}
		lines = append(lines, "- "+served.markdown()+", "+size(file.Size)+"<br>"+codeSpan(file.Digest.String()))
	}
	return lines
}

func (f Facts) voterLines() (lines []string) {
	for _, v := range f.Votes.Voters {
		may := "may approve"
		if v.Why != "" {
			may = "may not: " + v.Why
		}
		lines = append(lines, "- "+codeSpan(v.Name())+" "+may)
	}
	for _, b := range f.Votes.By {
		lines = append(lines, "- approved by "+codeSpan(b.By)+", until "+utc(b.Expires))
	}
	for _, r := range f.Votes.Refused {
		lines = append(lines, refusalLine(r))
	}
	for _, text := range f.Votes.Beware {
		lines = append(lines, "- **Beware** "+escaped(text))
	}
	return lines
}

// noteLines are sentences of distgate's own, which name things from outside.
func noteLines(notes []approval.Note) (lines []string) {
	for _, n := range notes {
		lines = append(lines, "- "+escaped(n.Text))
	}
	return lines
}

// escaped is text with no markup in it, as Markdown shows it: no emphasis, no
// link, no mention.
func escaped(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.;:()/'\"-+=%?"
	var b strings.Builder
	for _, r := range Visible(s) {
		switch {
		case r == '@':
			b.WriteString("@<!-- -->")
		case r < 0x80 && !strings.ContainsRune(plain, r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("www.", "www&#46;", "://", "&#58;//").Replace(b.String())
}

// Cell is text from outside in a cell of a table of Markdown.
func Cell(s string) string { return escaped(s) }
