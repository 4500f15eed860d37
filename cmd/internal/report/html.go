package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

//go:embed page.html audit.html style.css
var files embed.FS

// HTML is the page: one file that loads nothing, runs nothing and can be kept.
func (f Facts) HTML() ([]byte, error) {
	return written("page.html", func(s sheet) any { return page{Facts: f, Top: f.Head(), sheet: s} })
}

// sheet is the style of a page, and the hash by which the page allows it.
type sheet struct {
	Style     template.CSS
	StyleHash string
}

// written is a page by its template.
func written(name string, with func(sheet) any) ([]byte, error) {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Funcs(template.FuncMap{
		"visible": Visible, "size": size, "utc": utc, "count": count, "groups": digestGroups,
		"differences": differences, "day": day, "likeness": likeness, "bytes": sizeOrNone, "kind": kindWords, "holders": holders, "signed": signed,
		"why": func(id rule.ID) string { return id.Why() },
	}).ParseFS(files, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	var out bytes.Buffer
	err = t.Execute(&out, with(sheet{template.CSS(style), base64.StdEncoding.EncodeToString(sum[:])}))
	return out.Bytes(), err
}

// page is what the template shows.
type page struct {
	Facts
	sheet
	Top Head
}

func (p page) Roads() []road   { return []road{p.wide(), p.narrow()} }
func (p page) Told() string    { return p.told() }
func (p page) Matrix() matrix  { return p.matrix() }
func (p page) Found() findings { return p.found() }
func (p page) Seen() []string  { return p.seen() }
func (p page) OnGitHub() bool  { return p.onGitHub() }
func (p page) Runs() []run     { return p.runs() }

// Groups are what a person has to see, and Remarks what is worth knowing.
func (p page) Groups() []group  { return p.grouped(false) }
func (p page) Remarks() []group { return p.grouped(true) }

// Noted counts what is worth knowing, as the head does.
func (p page) Noted() int { return p.found().number(rule.Remark) }

func (p page) grouped(remarks bool) []group {
	return slices.DeleteFunc(p.found().groups(), func(g group) bool { return (g.Severity == rule.Remark) != remarks })
}

// VoteRoads are the roads that votes come by, in words.
func (p page) VoteRoads() (words []string) {
	for _, r := range p.Review.Voting.Roads {
		words = append(words, roadWords(r))
	}
	return words
}

func roadWords(r approval.Road) string {
	if r == approval.Environment {
		return "a review of the environment on GitHub, with the line above in its comment"
	}
	return "a vote signed with SSH, by distgate approve"
}

// Hours is for how long an approval holds.
func (p page) Hours() int64 { return p.Review.Voting.MaxAge / 3600 }

// likeness counts how a second build came out.
func likeness(b approval.Rebuild) string {
	n := map[dist.Likeness]int{}
	for _, f := range b.Files {
		n[f.Result]++
	}
	return fmt.Sprintf("Of %s, %d are identical, %d but for times, order, ownership and compression, %d differ, %d could not be compared",
		count(len(b.Files), "file"), n[dist.Identical], n[dist.Normalised], n[dist.Different], n[""])
}

// day is the date of a time as RFC 3339 has it.
func day(s string) string { return cut(s, len("2006-01-02")) }

// sizeOrNone is the size of a member, or a dash where there is none.
func sizeOrNone(n int64) string {
	if n < 0 {
		return "–"
	}
	return size(n)
}

// kindWords say why a member matters.
func kindWords(k approval.MemberKind) string {
	return map[approval.MemberKind]string{
		approval.Startup: "runs when Python starts", approval.Native: "machine code", approval.Script: "a command on the PATH",
	}[k]
}

// digestGroups cuts a digest where a reader may rest. Together they are the digest.
func digestGroups(d dist.Digest) []string {
	groups := []string{"sha256:"}
	for rest := d.Hex(); rest != ""; rest = rest[8:] {
		groups = append(groups, rest[:8])
	}
	return groups
}

// sized is a file beside its counterpart in the earlier release.
type sized struct {
	Name    string
	Was, Is int64  // Was is 0 where there is none, or where nobody knows
	Percent string // "+2 %"; "new"
	weight  float64
	Bar     bar
}

// bar is a size and the earlier one, as parts of a thousand.
type bar struct{ Was, Is int }

// Sizes are the files, those first whose size changed the most. There are none
// where nothing was compared.
func (p page) Sizes() (sizes []sized) {
	if p.Facts.Changes == nil || len(p.Facts.Changes.Since) == 0 {
		return nil
	}
	most := int64(1)
	for _, f := range p.Facts.Changes.Since[0].Files {
		most = max(most, f.Size, f.WasSize)
	}
	for _, f := range p.Facts.Changes.Since[0].Files {
		sizes = append(sizes, beside(f, most))
	}
	slices.SortStableFunc(sizes, func(a, b sized) int { return cmp.Compare(b.weight, a.weight) })
	return sizes
}

func beside(f approval.FileChange, most int64) sized {
	s := sized{Name: f.Name, Is: f.Size, Bar: bar{Is: int(f.Size * 1000 / most)}}
	switch {
	case f.Was == "":
		s.Percent, s.weight = "new", 1e9
	case f.WasSize <= 0:
		s.Percent, s.weight = "not known", 1e6
	default:
		ratio := float64(f.Size-f.WasSize) / float64(f.WasSize)
		s.Was, s.Bar.Was, s.weight = f.WasSize, int(f.WasSize*1000/most), max(ratio, -ratio)
		s.Percent = strings.Replace(fmt.Sprintf("%+.1f %%", 100*ratio), "-", "−", 1)
	}
	return s
}

// fewSizes is how many sizes are shown before the others are folded.
const fewSizes = 8

// FirstSizes changed the most.
func (p page) FirstSizes() []sized { s := p.Sizes(); return s[:min(len(s), fewSizes)] }

// MoreSizes are the others.
func (p page) MoreSizes() []sized { s := p.Sizes(); return s[min(len(s), fewSizes):] }

// MatchOf is how far the source explains one file, in words; "" where nobody asked.
func (f Facts) MatchOf(name string) string {
	if !f.matched() {
		return ""
	}
	for _, m := range f.Match.Files {
		if m.File == name && m.Members > 0 {
			return matchWords(m)
		}
	}
	return ""
}

func matchWords(m approval.Matched) string {
	parts := []string{fmt.Sprintf("%d %% as in the source", m.Percent())}
	if m.Moved > 0 {
		parts[0] += fmt.Sprintf(" (%d moved)", m.Moved)
	}
	for _, row := range []struct {
		n    int
		what string
	}{{m.Unexplained, "UNEXPLAINED"}, {m.Known, "with known differences"}, {m.Generated, "generated"}, {m.Native, "native"}, {m.Format, "of the format"}} {
		if row.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", row.n, row.what))
		}
	}
	return strings.Join(parts, ", ")
}

// Matched tells whether the files were compared with the source.
func (p page) Matched() bool { return p.matched() }

// strange is a path that nothing explains, and the files that have it.
type strange struct {
	Path  string
	Files []string
}

// Strange are the paths that nothing explains, each once.
func (p page) Strange() (paths []strange) { return stranges(p.Facts.Match) }

func stranges(m *approval.Match) (paths []strange) {
	if m == nil {
		return nil
	}
	at := map[string]int{}
	for _, member := range m.Unexplained {
		i, known := at[member.Path]
		if !known {
			i = len(paths)
			at[member.Path], paths = i, append(paths, strange{Path: member.Path})
		}
		paths[i].Files = append(paths[i].Files, member.File)
	}
	return paths
}

// Hosted is what was proven of the machines, in words.
func (p page) Hosted() string { return p.runners() }
