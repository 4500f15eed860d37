package report

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/distgate/distgate/attest"
)

// Text is a line of a page: words of ours, and among them names, commands, links
// and what others say. Whatever comes from outside is code or quoted.
type Text []Span

// Span is a part of a text that is set in one way.
type Span struct {
	Text   string
	Code   bool   // a name, a digest, a command
	Quoted bool   // a sentence from outside
	URL    string // where it leads, by https; "" for nowhere
}

// quote is a sentence from outside.
func quote(s string) Text { return Text{{Text: s, Quoted: true}} }

// say is a sentence of ours with code in it: each %s of the format is one.
func say(format string, code ...string) (t Text) {
	for i, words := range strings.Split(format, "%s") {
		if i > 0 {
			t = append(t, Span{Text: code[i-1], Code: true})
		}
		if words != "" {
			t = append(t, Span{Text: words})
		}
	}
	return t
}

// link is code that leads to an address, if that is one by https.
func link(text, address string) Text { return Text{{Text: text, Code: true, URL: secure(address)}} }

// secure is an address by https, or nothing.
func secure(address string) string {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return address
}

// and is t with more behind it.
func (t Text) and(more ...Text) Text {
	for _, m := range more {
		t = append(t[:len(t):len(t)], m...)
	}
	return t
}

// listed are texts with commas between them.
func listed(texts []Text) (t Text) {
	for i, one := range texts {
		if i > 0 {
			t = t.and(say(", "))
		}
		t = t.and(one)
	}
	return t
}

// codes are names, each set as code, at most so many of them.
func codes(names []string, most int) Text {
	var texts []Text
	for i, name := range names {
		if i == most && len(names) > most+1 {
			return listed(texts).and(say(fmt.Sprintf(" and %d more", len(names)-most)))
		}
		texts = append(texts, say("%s", name))
	}
	return listed(texts)
}

// String is the text alone, as it can be seen.
func (t Text) String() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(Visible(s.Text))
	}
	return b.String()
}

// count is "1 file", "2 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size is a number of bytes in the unit that people read.
func size(n int64) string {
	for _, unit := range []struct {
		from float64
		form string
	}{{1e9, "%.2f GB"}, {1e6, "%.1f MB"}, {1e3, "%.1f kB"}} {
		if v := float64(n); v >= unit.from {
			return fmt.Sprintf(unit.form, v/unit.from)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// Window says how long an index takes new files of a release, of which it has some.
func Window(closes, now time.Time) string {
	left := closes.Sub(now)
	switch {
	case closes.IsZero():
		return "takes new files of it for a time that is not known"
	case left <= 0:
		return "took new files of it until " + utc(closes) + " at the latest, which is over"
	case left < 24*time.Hour:
		return "takes new files of it for " + count(int(left.Hours()), "hour") + " more, until " + utc(closes) + " at the latest"
	}
	return "takes new files of it for " + count(int(left.Hours()/24), "day") + " more, until " + utc(closes) + " at the latest"
}

// signed is when a bundle was signed.
func signed(e attest.Evidence) string { return utc(time.Unix(e.SignedAt, 0)) }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
