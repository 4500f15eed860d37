package approval

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Match says how far the files of a release are explained by the tree of their
// source commit. It is plain data. That a member is explained says that the
// source has it, not that it is good.
type Match struct {
	Repository  string         `json:"repository"` // "owner/name"; "" where nothing was compared
	Commit      string         `json:"commit"`
	Files       []Matched      `json:"files"`
	Unexplained []MemberOf     `json:"unexplained"` // at most maxUnexplained of them
	More        int            `json:"more"`        // that are unexplained too
	Findings    []rule.Finding `json:"findings"`
	Gaps        []Gap          `json:"gaps"`
}

// Matched counts the members of one distribution by what explains them, each
// once: by the first of these that does.
type Matched struct {
	File        string `json:"file"`
	Members     int    `json:"members"`     // files and links; folders hold nothing
	Identical   int    `json:"identical"`   // the source has it, at this path below some folder
	Moved       int    `json:"moved"`       // the source has it, elsewhere
	Known       int    `json:"known"`       // it differs in line ends, or where git archive writes the commit
	Format      int    `json:"format"`      // the format of distributions has it: METADATA, RECORD, PKG-INFO
	Generated   int    `json:"generated"`   // the policy says that the build makes it
	Native      int    `json:"native"`      // machine code, in a wheel
	Unexplained int    `json:"unexplained"` // nothing does
}

// Percent is how much of the distribution the source has, at its path or another:
// whole percent of its members, rounded down; 0 where it has none.
func (m Matched) Percent() int { return 100 * (m.Identical + m.Moved) / max(m.Members, 1) }

// MemberOf is a member of a distribution.
type MemberOf struct {
	File string `json:"file"`
	Path string `json:"path"`
}

const (
	maxUnexplained = 500
	commonBlob     = 32   // paths of one content beyond which their ends are looked up
	maxSubstituted = 1000 // bytes that git archive writes in one place
)

// Tree is the source at a commit.
type Tree struct {
	Repository  string
	Commit      string
	Blobs       map[string]dist.BlobID // by path
	Substituted map[string][]byte      // files in which git archive replaces $Format:…$, as the commit has them
	Missing     []string               // what is not in Blobs, though the commit has it
}

// Matcher looks for the members of distributions in a tree. It may be used by
// many goroutines.
type Matcher struct {
	tree      Tree
	generated []string
	paths     map[dist.BlobID][]string
	ends      map[dist.BlobID]map[string]bool // of contents with many paths: every way in which one ends
	texts     map[string]*regexp.Regexp       // of substituted files, by path
}

// NewMatcher makes one. Members whose path fits a pattern of generated are what
// the build makes; ** crosses slashes.
func NewMatcher(t Tree, generated []string) *Matcher {
	m := &Matcher{tree: t, generated: generated, paths: make(map[dist.BlobID][]string, len(t.Blobs)),
		ends: map[dist.BlobID]map[string]bool{}, texts: map[string]*regexp.Regexp{}}
	for at, blob := range t.Blobs {
		m.paths[blob] = append(m.paths[blob], at)
	}
	for blob, paths := range m.paths {
		if len(paths) > commonBlob {
			m.ends[blob] = endsOf(paths)
		}
	}
	for at, text := range t.Substituted {
		if expression := substituted(text); expression != nil {
			m.texts[at] = expression
		}
	}
	return m
}

// endsOf are the paths, and each without the folders that it begins with.
func endsOf(paths []string) map[string]bool {
	ends := map[string]bool{}
	for _, at := range paths {
		for more := true; more; _, at, more = strings.Cut(at, "/") {
			ends[at] = true
		}
	}
	return ends
}

// substitution is what git archive replaces in a file with export-subst.
var substitution = regexp.MustCompile(`\$Format:[^$\n]*\$`)

// substituted is a text as git archive may have written it. What it wrote has no
// quotes and no line ends, so that it ends no string of a program.
func substituted(text []byte) *regexp.Regexp {
	var expression strings.Builder
	expression.WriteString(`\A`)
	from := 0
	for _, at := range substitution.FindAllIndex(text, -1) {
		fmt.Fprintf(&expression, `%s[^"'\\\n]{0,%d}`, regexp.QuoteMeta(string(text[from:at[0]])), maxSubstituted)
		from = at[1]
	}
	expression.WriteString(regexp.QuoteMeta(string(text[from:])) + `\z`)
	compiled, err := regexp.Compile(expression.String())
	if err != nil || from == 0 {
		return nil
	}
	return compiled
}

// Wants tells whether the text of a member must be seen, by its path in the
// source.
func (m *Matcher) Wants(below string) bool { return m.texts[below] != nil }

// Tally counts the members of one distribution, as they pass.
type Tally struct {
	m           *Matcher
	kind        dist.Kind
	matched     Matched
	unexplained []string
	blobs       map[string]dist.BlobID // of an sdist's files, which hard links are of
}

// Tally begins to count.
func (m *Matcher) Tally(file string, kind dist.Kind) *Tally {
	return &Tally{m: m, kind: kind, matched: Matched{File: file}, blobs: map[string]dist.BlobID{}}
}

// Add counts one member more.
func (t *Tally) Add(member dist.Traced) {
	if member.Kind == dist.HardLink {
		member.Blob = t.blobs[member.Link]
	} else if t.kind == dist.Sdist {
		t.blobs[member.Path] = member.Blob
	}
	t.matched.Members++
	for _, row := range t.rows() {
		if row.explains(member) {
			*row.count++
			return
		}
	}
	if t.matched.Unexplained++; len(t.unexplained) < maxUnexplained {
		t.unexplained = append(t.unexplained, member.Path)
	}
}

// explanation is a way in which a member is explained: a new one is a new row.
type explanation struct {
	count    *int
	explains func(dist.Traced) bool
}

func (t *Tally) rows() [6]explanation {
	m := t.m
	return [...]explanation{
		{&t.matched.Identical, func(f dist.Traced) bool { return m.has(f.Blob, f.Below) }},
		{&t.matched.Moved, func(f dist.Traced) bool { return len(m.paths[f.Blob]) > 0 }},
		{&t.matched.Known, func(f dist.Traced) bool {
			return !f.Unix.IsZero() && len(m.paths[f.Unix]) > 0 || f.Text != nil && m.Wants(f.Below) && m.texts[f.Below].Match(f.Text)
		}},
		{&t.matched.Format, t.format},
		{&t.matched.Generated, func(f dist.Traced) bool {
			return slices.ContainsFunc(m.generated, func(p string) bool { ok, err := doublestar.Match(p, f.Below); return ok && err == nil })
		}},
		{&t.matched.Native, func(f dist.Traced) bool { return t.kind == dist.Wheel && f.Native }},
	}
}

// has tells whether the tree has the content at the path, below some folder.
func (m *Matcher) has(blob dist.BlobID, below string) bool {
	if ends := m.ends[blob]; ends != nil {
		return ends[below]
	}
	return slices.ContainsFunc(m.paths[blob], func(at string) bool {
		return at == below || strings.HasSuffix(at, "/"+below)
	})
}

// What the formats of distributions have beside the source: of wheels, PEP 427
// and the entry points; of sdists, PEP 625 and what setuptools has always added.
var (
	inDistInfo = []string{"METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt"}
	inEggInfo  = []string{"PKG-INFO", "SOURCES.txt", "requires.txt", "top_level.txt", "dependency_links.txt", "entry_points.txt",
		"not-zip-safe", "zip-safe", "namespace_packages.txt"}
	// setupCfg is what setuptools writes where the source has no setup.cfg: git's
	// name for "[egg_info]\ntag_build = \ntag_date = 0\n\n".
	setupCfg = "8bfd5a12f85b8fbb6c058cf67dd23da690835ea0"
)

func (t *Tally) format(f dist.Traced) bool {
	dir, base := path.Split(f.Below)
	if t.kind == dist.Wheel {
		_, inside, _ := strings.Cut(f.Path, "/")
		return f.Info && slices.Contains(inDistInfo, inside)
	}
	egg := strings.HasSuffix(dir, ".egg-info/") && slices.Contains(inEggInfo, base)
	return f.Below == "PKG-INFO" || egg || f.Below == "setup.cfg" && f.Blob.Hex() == setupCfg
}

// Match puts the counts of all files together. Where the policy wants every
// member explained, one that is not is a refusal, and else something to look at.
func (m *Matcher) Match(refuse bool, tallies ...*Tally) Match {
	all := Match{Repository: m.tree.Repository, Commit: m.tree.Commit, Files: []Matched{}, Unexplained: []MemberOf{},
		Findings: []rule.Finding{}, Gaps: []Gap{}}
	for _, why := range m.tree.Missing {
		all.Gaps = append(all.Gaps, Gap{What: "a part of the source", Why: why})
	}
	severity := rule.Look
	if refuse {
		severity = rule.Refuse
	}
	for _, t := range tallies {
		all.Files = append(all.Files, t.matched)
		listed := t.unexplained[:min(len(t.unexplained), maxUnexplained-len(all.Unexplained))]
		for _, at := range listed {
			all.Unexplained = append(all.Unexplained, MemberOf{t.matched.File, at})
		}
		n := t.matched.Unexplained
		if all.More += n - len(listed); n > 0 {
			what := "nothing in the source commit explains it"
			if n > 1 {
				what += fmt.Sprintf(", nor %d more of this file", n-1)
			}
			all.Findings = append(all.Findings, rule.Finding{Rule: rule.SourceUnexplained, Severity: severity, File: t.matched.File,
				Where: t.unexplained[0], What: what})
		}
	}
	return all
}

// Unmatched is a match that could not be had.
func Unmatched(why string) Match {
	return Match{Files: []Matched{}, Unexplained: []MemberOf{}, Findings: []rule.Finding{},
		Gaps: []Gap{{What: "the files and the source commit", Why: why}}}
}

// Err refuses what the policy wants explained and is not. A match with gaps that
// has to be whole decides nothing.
func (m Match) Err() error {
	var no rule.Refusals
	for _, f := range m.Findings {
		if f.Severity == rule.Refuse {
			no = append(no, rule.Refusal{File: f.File, Rule: f.Rule, Want: "members that the source commit has, or that the policy calls generated",
				Got: f.Where + ": " + f.What, Hint: "look at it (distgate review); if the build makes it, add its path to source.generated"})
		}
	}
	if len(no) > 0 {
		return no
	}
	if len(m.Gaps) > 0 || len(m.Files) == 0 {
		why := "nothing was compared"
		if len(m.Gaps) > 0 {
			why = m.Gaps[0].What + ": " + m.Gaps[0].Why
		}
		return fmt.Errorf("whether the source explains every member is not known: %s", why)
	}
	return nil
}
