package approval

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Set is what the files of a release are together: which Pythons and platforms
// have a wheel and which have none, and in what the files differ that one release
// should have in common. One project, version and source they have, or the
// release could not have been staged. Lists are sorted.
type Set struct {
	Wheels    int            `json:"wheels"`
	Sdists    int            `json:"sdists"`
	Pythons   []string       `json:"pythons"`   // "cp313", "cp313-abi3", "py3"
	Platforms []string       `json:"platforms"` // "any", "manylinux_x86_64", "macosx_arm64"
	Matrix    [][]int        `json:"matrix"`    // wheels for each platform, in a row, and each Python
	Varied    []Variation    `json:"varied"`    // what is not the same in all files
	Findings  []rule.Finding `json:"findings"`  // looks, then notes
}

// Variation is a field that files of one release have otherwise.
type Variation struct {
	Field  string    `json:"field"`  // "Requires-Dist", "entry points"
	Values []Variant `json:"values"` // that of the most files first
}

// Variant is one of the values, and the files that have it.
type Variant struct {
	Values []string `json:"values"`
	Files  []string `json:"files"`
}

// What PyPI takes unless it raised a project's limit (Warehouse's MAX_FILESIZE and
// MAX_PROJECT_SIZE), in bytes.
const (
	maxIndexFile    int64 = 100 << 20
	maxIndexProject int64 = 10 << 30
)

// shipped is a file of a release.
type shipped struct {
	name string
	size int64
	info dist.Info
}

func ships(files []attest.Verified) (list []shipped) {
	for _, f := range files {
		list = append(list, shipped{f.File().Name(), f.File().Size(), f.Info()})
	}
	return list
}

// newSet looks at all files of a release, which are at least one.
func newSet(files []shipped) Set {
	s := Set{Pythons: []string{}, Platforms: []string{}, Matrix: [][]int{},
		Varied: []Variation{}, Findings: []rule.Finding{}}
	var spots [][2]string
	for _, f := range files {
		name := f.info.Filename
		if name.Kind != dist.Wheel {
			s.Sdists++
			continue
		}
		s.Wheels++
		spot := [2]string{pythonWord(name), platformWord(name)}
		s.Pythons, s.Platforms = append(s.Pythons, spot[0]), append(s.Platforms, spot[1])
		spots = append(spots, spot)
	}
	slices.SortFunc(s.Pythons, natural)
	s.Pythons = slices.Compact(s.Pythons)
	slices.Sort(s.Platforms)
	s.Platforms = slices.Compact(s.Platforms)
	for range s.Platforms {
		s.Matrix = append(s.Matrix, make([]int, len(s.Pythons)))
	}
	for _, spot := range spots {
		s.Matrix[slices.Index(s.Platforms, spot[1])][slices.Index(s.Pythons, spot[0])]++
	}
	s.compare(files)
	s.judge(files)
	return s
}

// pythonWord is the interpreter and, where it is not the interpreter's own, the
// ABI.
func pythonWord(name dist.Filename) string {
	python, abi := strings.ToLower(name.Python), strings.ToLower(name.ABI)
	switch {
	case abi == "none" || abi == python || strings.HasPrefix(python, "pp") && strings.HasPrefix(abi, "pypy"):
		return python
	case abi == python+"t":
		return abi
	}
	return python + "-" + abi
}

// platformWord is the first platform without the numbers of its system.
func platformWord(name dist.Filename) string {
	first, _, _ := strings.Cut(strings.ToLower(name.Platform), ".")
	return regexp.MustCompile(`^(manylinux|musllinux|macosx)(?:\d+|_\d+_\d+)_`).ReplaceAllString(first, "${1}_")
}

// natural orders cp39 before cp311.
func natural(a, b string) int {
	digits := regexp.MustCompile(`^([a-z]*)(\d*)(.*)$`)
	x, y := digits.FindStringSubmatch(a), digits.FindStringSubmatch(b)
	if x == nil || y == nil {
		return cmp.Compare(a, b)
	}
	return cmp.Or(cmp.Compare(x[1], y[1]), cmp.Compare(len(x[2]), len(y[2])), cmp.Compare(x[2], y[2]),
		cmp.Compare(x[3], y[3]))
}

// common are the fields that all files of a release should have alike: a new one
// is a new row. An sdist may leave open what it says is dynamic (PEP 643), and
// has no entry points of its own.
func common() []struct {
	field string
	of    func(dist.Info) []string
} {
	metadata := func(field string) func(dist.Info) []string {
		return func(i dist.Info) []string { return i.Metadata.Values(field) }
	}
	return []struct {
		field string
		of    func(dist.Info) []string
	}{
		{"Requires-Dist", metadata("Requires-Dist")},
		{"Requires-Python", metadata("Requires-Python")},
		{"Provides-Extra", metadata("Provides-Extra")},
		{"License-Expression", metadata("License-Expression")},
		{entryPointField, func(i dist.Info) (lines []string) {
			for _, p := range i.Contents.EntryPoints {
				lines = append(lines, fmt.Sprintf("[%s] %s = %s", p.Group, p.Name, p.Object))
			}
			return lines
		}},
	}
}

const entryPointField = "entry points"

// leavesOpen tells whether a file need not have the field as others have it.
func leavesOpen(i dist.Info, field string) bool {
	if i.Filename.Kind == dist.Wheel {
		return false
	}
	same := func(other string) bool { return strings.EqualFold(other, field) }
	return slices.ContainsFunc(i.Metadata.Values("Dynamic"), same) || field == entryPointField || i.Metadata.MetadataVersion() < "2.2"
}

// compare finds the fields that differ.
func (s *Set) compare(files []shipped) {
	for _, row := range common() {
		variants := map[string]*Variant{}
		for _, f := range files {
			if leavesOpen(f.info, row.field) {
				continue
			}
			values := append([]string{}, slices.Sorted(slices.Values(row.of(f.info)))...)
			key := strings.Join(values, "\n")
			if variants[key] == nil {
				variants[key] = &Variant{Values: values}
			}
			variants[key].Files = append(variants[key].Files, f.name)
		}
		if len(variants) < 2 {
			continue
		}
		v := Variation{Field: row.field}
		for _, one := range variants {
			slices.Sort(one.Files)
			v.Values = append(v.Values, *one)
		}
		slices.SortFunc(v.Values, func(a, b Variant) int {
			return cmp.Or(cmp.Compare(len(b.Files), len(a.Files)), cmp.Compare(a.Files[0], b.Files[0]))
		})
		s.Varied = append(s.Varied, v)
	}
}

// judge adds what a person should know of the whole.
func (s *Set) judge(files []shipped) {
	add := func(id rule.ID, severity rule.Severity, file, where, what string) {
		s.Findings = append(s.Findings, rule.Finding{Rule: id, Severity: severity, File: file, Where: where, What: what})
	}
	for _, v := range s.Varied {
		for _, other := range v.Values[1:] {
			add(rule.SetVaries, rule.Look, "", v.Field, other.apart(v.Values[0]))
		}
	}
	var total int64
	for _, f := range files {
		if total += f.size; f.size > maxIndexFile {
			add(rule.SetSize, rule.Look, f.name, "",
				fmt.Sprintf("%d bytes: PyPI takes %d of one file", f.size, maxIndexFile))
		}
	}
	if total > maxIndexProject {
		add(rule.SetSize, rule.Look, "", "",
			fmt.Sprintf("%d bytes: PyPI takes %d of all files of a project", total, maxIndexProject))
	}
	if s.Sdists == 0 {
		add(rule.SetSdist, rule.Remark, "", "", "no sdist")
	}
	for _, hole := range s.holes() {
		add(rule.SetHole, rule.Remark, "", hole[0], "no wheel for "+hole[1])
	}
}

// holes are the platforms and Pythons that have no wheel together. A Python with
// a wheel for any platform has none.
func (s Set) holes() (list [][2]string) {
	anywhere := slices.Index(s.Platforms, "any")
	for i, platform := range s.Platforms {
		for j, python := range s.Pythons {
			covered := anywhere >= 0 && s.Matrix[anywhere][j] > 0
			if s.Matrix[i][j] == 0 && !covered && i != anywhere {
				list = append(list, [2]string{platform, python})
			}
		}
	}
	return list
}

// apart says in what a variant differs from the one of most files.
func (v Variant) apart(most Variant) string {
	var parts []string
	for _, value := range v.Values {
		if !slices.Contains(most.Values, value) {
			parts = append(parts, "with "+value)
		}
	}
	for _, value := range most.Values {
		if !slices.Contains(v.Values, value) {
			parts = append(parts, "without "+value)
		}
	}
	const shown = 5
	if more := len(parts) - shown; more > 0 {
		parts = append(parts[:shown], fmt.Sprintf("and %d more", more))
	}
	files := v.Files[0]
	if more := len(v.Files) - 1; more > 0 {
		files += fmt.Sprintf(" and %d more", more)
	}
	return files + ": " + strings.Join(parts, ", ")
}

// Findings are what a person should know of the files, together and one by one:
// looks, then notes, by rule.
func (r Review) Findings() []rule.Finding {
	all := slices.Clone(r.Set.Findings)
	for _, f := range r.Files {
		all = append(all, f.Contents.Findings...)
	}
	severity := func(f rule.Finding) int { return slices.Index([]rule.Severity{rule.Look, rule.Remark}, f.Severity) }
	slices.SortStableFunc(all, func(a, b rule.Finding) int {
		return cmp.Or(cmp.Compare(severity(a), severity(b)), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}
