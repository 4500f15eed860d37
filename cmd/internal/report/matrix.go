package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
)

// matrix is the wheels by what they can be installed on: a row for each
// platform, a column for each Python, and a hole where there is none.
type matrix struct {
	Pythons   []string
	Platforms []matrixRow
	Wheels    int
	Unit      string // of the sizes
}

type matrixRow struct {
	Family, Arch string   // "manylinux", "x86_64"
	From         string   // the numbers of its tags: "2.27"; "" where they have none
	Cells        []string // a size for each Python, "" for a hole
}

// spot is where a wheel stands.
type spot struct {
	python, family, arch string
	version              [2]int // of glibc, musl or macOS; zero where there is none
	size                 int64
}

func (f Facts) matrix() matrix {
	var spots []spot
	for _, file := range f.Review.Files {
		if file.Kind == dist.Wheel {
			spots = append(spots, place(file))
		}
	}
	m, unit := matrix{Wheels: len(spots), Unit: "kB"}, 1e3
	if slices.ContainsFunc(spots, func(s spot) bool { return s.size >= 1e6 }) {
		m.Unit, unit = "MB", 1e6
	}
	for _, s := range spots {
		if !slices.Contains(m.Pythons, s.python) {
			m.Pythons = append(m.Pythons, s.python)
		}
	}
	slices.SortFunc(m.Pythons, byNumbers)
	for _, class := range classes(spots) {
		m.Platforms = append(m.Platforms, class.row(m.Pythons, unit))
	}
	return m
}

// place reads a wheel's tags. Its file name was parsed before.
func place(file approval.File) spot {
	parts := strings.Split(file.Tags, "-")
	if len(parts) != 3 {
		return spot{python: file.Tags, size: file.Size}
	}
	s := spot{python: python(parts[0], parts[1]), size: file.Size}
	platform, _, _ := strings.Cut(parts[2], ".")
	numbered := regexp.MustCompile(`^(manylinux|musllinux|macosx)_(\d+)_(\d+)_(.+)$`).FindStringSubmatch(platform)
	family, arch, named := strings.Cut(platform, "_")
	switch {
	case numbered != nil:
		major, _ := strconv.Atoi(numbered[2])
		minor, _ := strconv.Atoi(numbered[3])
		s.family, s.arch, s.version = numbered[1], numbered[4], [2]int{major, minor}
	case named:
		s.family, s.arch = family, arch
	default:
		s.family = platform
	}
	return s
}

// python is the short word for an interpreter and its ABI, as a policy has it.
func python(tag, abi string) string {
	switch {
	case abi == tag || abi == "none":
		return tag
	case abi == tag+"t":
		return abi
	case strings.HasPrefix(tag, "pp") && strings.HasPrefix(abi, "pypy"+tag[2:]):
		return tag
	}
	return tag + "-" + abi
}

// class are the wheels of one row: of one platform, whose tags may differ in
// their numbers, but not for one Python.
type class struct{ spots []spot }

// classes sorts wheels into rows. Where one Python has two wheels of a platform,
// as for macOS 11 and 14, their numbers tell the rows apart.
func classes(spots []spot) (classes []class) {
	slices.SortFunc(spots, func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.arch, b.arch), slices.Compare(a.version[:], b.version[:]))
	})
	for start := 0; start < len(spots); {
		end := start
		for end < len(spots) && spots[end].version == spots[start].version && spots[end].on(spots[start]) {
			end++
		}
		same := spots[start:end]
		if n := len(classes); n > 0 && classes[n-1].spots[0].on(same[0]) && !classes[n-1].meets(same) {
			classes[n-1].spots = append(classes[n-1].spots, same...)
		} else {
			classes = append(classes, class{slices.Clone(same)})
		}
		start = end
	}
	return classes
}

// on tells whether two wheels are for one platform, whatever its numbers.
func (s spot) on(other spot) bool { return s.family == other.family && s.arch == other.arch }

// meets tells whether a Python has a wheel in both.
func (c class) meets(others []spot) bool {
	return slices.ContainsFunc(others, func(o spot) bool {
		return slices.ContainsFunc(c.spots, func(s spot) bool { return s.python == o.python })
	})
}

func (c class) row(pythons []string, unit float64) matrixRow {
	first := c.spots[0]
	row := matrixRow{Family: first.family, Arch: first.arch, Cells: make([]string, len(pythons))}
	if first.version != [2]int{} {
		row.From = fmt.Sprintf("%d.%d", first.version[0], first.version[1])
	}
	for _, s := range c.spots {
		row.Cells[slices.Index(pythons, s.python)] = fmt.Sprintf("%.1f", float64(s.size)/unit)
	}
	return row
}

// byNumbers orders cp39 before cp311.
func byNumbers(a, b string) int {
	split := regexp.MustCompile(`^([a-z]*)(\d)(\d*)(.*)$`)
	x, y := split.FindStringSubmatch(a), split.FindStringSubmatch(b)
	if x == nil || y == nil {
		return strings.Compare(a, b)
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	return cmp.Or(cmp.Compare(x[1], y[1]), cmp.Compare(number(x[2]), number(y[2])), cmp.Compare(number(x[3]), number(y[3])),
		cmp.Compare(x[4], y[4]))
}
