package report

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/rule"
)

var update = flag.Bool("update", false, "write the golden files")

// The first ten lines that a reader sees are what a phone shows.
func TestSummaryBegins(t *testing.T) {
	for name, facts := range samples(t) {
		if name == "hostile" {
			continue
		}
		got, _, _ := strings.Cut(string(facts.Markdown(1<<20)), "\n### ")
		if n := shownLines(got); n != 10 {
			t.Errorf("%s: want ten lines, got %d:\n%s", name, n, got)
		}
		golden := filepath.Join("testdata", "summary-"+name+".md")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// A vote must have a line for each thing to look at, so none may be left out where
// they are pasted from, however many there are.
func TestEveryLookHasItsLine(t *testing.T) {
	facts := looked(t)
	var want strings.Builder
	for _, id := range []rule.ID{rule.Bytecode, rule.LongText, rule.MemberCase, rule.MemberLink, rule.MemberMode, rule.MemberName,
		rule.NativeAny, rule.NativeMachine, rule.NativeMinimum, rule.NativeNeeds, rule.NativePath, rule.NativeSource,
		rule.NativeUnread, rule.OutsideCode, rule.PrivateFile, rule.SBOMUnread, rule.StartupCode} {
		facts.find(0, rule.Finding{Rule: id, Severity: rule.Look, Where: "x", What: "is to be looked at"})
		want.WriteString("seen " + string(id) + "\n")
	}
	if got := string(facts.Markdown(1 << 20)); !strings.Contains(got, "\n```text\n"+want.String()+"```\n") {
		t.Errorf("want\n%s\nin %s", want.String(), got)
	}
	page, err := facts.HTML()
	for line := range strings.Lines(want.String()) {
		if line = strings.TrimSpace(line); !strings.Contains(string(page), "<li><code>"+line+"</code></li>") {
			t.Errorf("want %s in the page, %v", line, err)
		}
	}
}

// The job that publishes has the same head, and what the index serves.
func TestTheSummaryOfWhatWasPublished(t *testing.T) {
	facts := samples(t)["published"]
	facts.find(71, rule.Finding{Rule: rule.NewDependency, Severity: rule.Look, What: "new: gadgett"})
	got := string(facts.Outcome(1 << 20))
	head, _, _ := strings.Cut(string(facts.Markdown(1<<20)), "\n### ")
	for _, want := range []string{
		head, "`seberg@example.org` does not say to have seen `new-dependency`", "### What the index serves",
		"Each file was downloaded at 2026-01-31 12:00 UTC", "](<https://files.pythonhosted.org/packages/numpy-2.4.2.tar.gz>), ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s\nin %s", want, got)
		}
	}
}

// shownLines counts lines as they are rendered: neither blanks nor fences.
func shownLines(markdown string) (n int) {
	for line := range strings.Lines(markdown) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "```") {
			n++
		}
	}
	return n
}

func TestSummaryIsBounded(t *testing.T) {
	facts := tampered(t)
	whole := facts.Markdown(1 << 20)
	if strings.Contains(string(whole), "cut here") {
		t.Errorf("%d bytes of a release of numpy's size were cut", len(whole))
	}
	for _, limit := range []int{0, 4 << 10, 8 << 10, 16 << 10} {
		cut := facts.Markdown(limit)
		head, _, _ := strings.Cut(string(whole), "\n### ")
		if !strings.HasPrefix(string(cut), head) {
			t.Errorf("%d: the head is cut:\n%s", limit, cut)
		}
		if len(cut) > max(limit, len(head)) {
			t.Errorf("want at most %d bytes, got %d", limit, len(cut))
		}
		if limit == 8<<10 && !strings.Contains(string(cut), "more are cut here") {
			t.Errorf("%d: nobody says what was cut:\n%s", limit, cut)
		}
	}
}

// Whatever stands in the facts, it is text in the summary and nothing else.
func TestHostileTextIsNoMarkdown(t *testing.T) {
	raw := withoutCode(string(hostile(t).Markdown(1 << 20)))
	for _, bad := range []string{"<img", "</script", "](javascript", "@everyone", "[x]", "\u202e", "\x1b"} {
		if strings.Contains(raw, bad) {
			t.Errorf("%q stands outside of code:\n%s", bad, raw)
		}
	}
}

// withoutCode takes out code spans as CommonMark has them: between two runs of
// as many backticks, in one paragraph.
func withoutCode(markdown string) string {
	ticks := regexp.MustCompile("`+")
	var out strings.Builder
	for line := range strings.Lines(markdown) {
		for {
			open := ticks.FindStringIndex(line)
			if open == nil {
				break
			}
			end := -1
			for _, run := range ticks.FindAllStringIndex(line[open[1]:], -1) {
				if run[1]-run[0] == open[1]-open[0] {
					end = open[1] + run[1]
					break
				}
			}
			if end < 0 {
				break
			}
			out.WriteString(line[:open[0]] + "·")
			line = line[end:]
		}
		out.WriteString(line)
	}
	return out.String()
}

func FuzzCodeSpan(f *testing.F) {
	for _, seed := range []string{"", "`", "``x`", " ", "a|b", "\\", "x\n`y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span := codeSpan(s)
		if strings.ContainsAny(span, "\r\n") {
			t.Fatalf("%q has line ends", span)
		}
		if span == "(nothing)" {
			return
		}
		fence := span[:len(span)-len(strings.TrimLeft(span, "`"))]
		inside, ok := strings.CutSuffix(strings.TrimPrefix(span, fence), fence)
		for _, run := range regexp.MustCompile("`+").FindAllString(inside, -1) {
			if run == fence {
				t.Errorf("%q ends early", span)
			}
		}
		if !ok || fence == "" || strings.HasPrefix(inside, "`") || strings.HasSuffix(inside, "`") {
			t.Errorf("%q is no code span of %q", span, s)
		}
	})
}

func FuzzEscaped(f *testing.F) {
	for _, seed := range []string{"a *b* _c_ `d` [e](f) <g> &lt; | ~~h~~ #1 !i $j$", "see www.example.org or https://example.org", "@alice, a@b.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := strings.NewReplacer("<!-- -->", "").Replace(escaped(s))
		if strings.ContainsAny(text, "<>`*_[]|~!$\\\r\n") || strings.Contains(text, "://") || strings.Contains(text, "www.") {
			t.Errorf("%q is markup", text)
		}
	})
}
