package report

import (
	"fmt"
	"strings"
)

// road is the way of the bytes as a picture: five stations, and between each two
// what makes one the other.
type road struct {
	Class         string
	Width, Height int
	Stations      []station
	Links         []roadLink
}

// station is a box with a title and two lines.
type station struct {
	Title, First, Second string
	X, Y, Width, Height  int
}

// Text is where the box's text begins.
func (s station) Text() int { return s.X + 12 }

// Line is where the nth line stands.
func (s station) Line(n int) int { return s.Y + 22 + n*20 }

// roadLink is the step from one station to the next.
type roadLink struct {
	Kind           string // of its line: "proven", "matched", "said", "open" or "broken"
	Word           string
	X1, Y1, X2, Y2 int
	X, Y           int    // of its mark
	TextX, TextY   int    // of its word
	Anchor         string // of the word
}

// Mark says the kind without colour and without a line.
func (l roadLink) Mark() string {
	return map[string]string{"proven": "=", "matched": "≈", "said": "?", "open": "…", "broken": "×"}[l.Kind]
}

func (f Facts) stations() []station {
	r := f.Review
	runs := f.runs()
	built := station{Title: "Build", First: count(len(runs), "run"), Second: count(len(r.Files), "file") + " signed"}
	if len(runs) == 1 {
		built.First = elide("run " + runs[0].name)
	}
	index := station{Title: "Index", First: elide(r.Index), Second: "not uploaded yet"}
	if f.Votes.State == Published {
		index.Second = "served"
	}
	tag, commit := r.Source.Ref[strings.LastIndexByte(r.Source.Ref, '/')+1:], r.Source.Commit
	if up := r.Source.Upstream; up != nil {
		tag, commit = up.Tag, up.Commit
	}
	return []station{
		{Title: "Source", First: elide(tag), Second: elide(cut(commit, 12))},
		built,
		{Title: "Stage", First: cut(r.Release.Hex(), 12) + "…", Second: count(len(r.Files), "file") + ", " + size(r.Bytes)},
		{Title: "Votes", First: fmt.Sprintf("%d of %d approved", len(f.Votes.By), f.Votes.Need), Second: f.Votes.State},
		index,
	}
}

// elide keeps text from outside inside of its box.
func elide(s string) string {
	const most = 16
	if r := []rune(Visible(s)); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return Visible(s)
}

func (f Facts) steps() []roadLink {
	voted, sent := roadLink{Kind: "open", Word: "not voted"}, roadLink{Kind: "open", Word: "not sent"}
	switch f.Votes.State {
	case Published:
		voted, sent = roadLink{Kind: "proven", Word: "approved"}, roadLink{Kind: "proven", Word: "uploaded"}
	case Approved:
		voted = roadLink{Kind: "proven", Word: "approved"}
	case Refused:
		voted = roadLink{Kind: "broken", Word: "refused"}
	}
	source := roadLink{Kind: "said", Word: "claimed"}
	if up := f.Review.Source.Upstream; up != nil && up.Declared {
		source.Word = "declared"
	}
	switch {
	case f.matched() && f.unexplained() > 0:
		source = roadLink{Kind: "broken", Word: "differs"}
	case f.matched() && len(f.Match.Gaps) == 0:
		source = roadLink{Kind: "matched", Word: "matched"}
	}
	return []roadLink{source, {Kind: "proven", Word: "verified"}, voted, sent}
}

// The measures of the picture, in the units of its view box.
const (
	wideBox, wideGap   = 140, 65
	wideHigh           = 76
	lowBox, lowGap     = 54, 34
	narrowWidth, inset = 340, 28
)

// wide is the road from left to right.
func (f Facts) wide() road {
	stations, links := f.stations(), f.steps()
	for i := range stations {
		s := &stations[i]
		s.X, s.Y, s.Width, s.Height = 1+i*(wideBox+wideGap), 1, wideBox, wideHigh
		if i < len(links) {
			l, x, y := &links[i], s.X+wideBox, s.Y+wideHigh/2
			l.X1, l.X2, l.Y1, l.Y2, l.X, l.Y = x, x+wideGap, y, y, x+wideGap/2, y
			l.TextX, l.TextY, l.Anchor = l.X, l.Y+30, "middle"
		}
	}
	return road{"wide", 5*wideBox + 4*wideGap + 2, wideHigh + 2, stations, links}
}

// narrow is the road from top to bottom, for a phone.
func (f Facts) narrow() road {
	stations, links := f.stations(), f.steps()
	for i := range stations {
		s := &stations[i]
		s.X, s.Y, s.Width, s.Height = 1, 1+i*(lowBox+lowGap), narrowWidth-2, lowBox
		s.First, s.Second = s.First+" · "+s.Second, ""
		if i < len(links) {
			l, x, y := &links[i], s.X+inset, s.Y+lowBox
			l.X1, l.X2, l.Y1, l.Y2, l.X, l.Y = x, x, y, y+lowGap, x, y+lowGap/2
			l.TextX, l.TextY, l.Anchor = x+20, l.Y+4, "start"
		}
	}
	return road{"narrow", narrowWidth, 5*lowBox + 4*lowGap + 2, stations, links}
}

// told is the picture in words.
func (f Facts) told() string {
	stations, links := f.stations(), f.steps()
	var parts []string
	for i, s := range stations {
		parts = append(parts, fmt.Sprintf("%s: %s, %s", s.Title, s.First, s.Second))
		if i < len(links) {
			parts = append(parts, links[i].Word)
		}
	}
	return strings.Join(parts, "; ")
}
