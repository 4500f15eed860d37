package staging

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Describe is the shortest file set that expects exactly these files, all of one
// version of one project, in the words that people use: platforms without
// numbers where a number does not tell two files apart. What is returned was
// expanded again and held against the files.
//
// Shortest is counted as a reader takes it in: a Python or a platform is one, an
// addition, which stands for itself alone, four, and an exception, which is read
// against the product that it is taken from, seven. So numpy 2.4.2 comes out as
// its people count it: 6 × 11 − 2 + 7.
func Describe(files []dist.Filename) (FileSet, error) {
	if err := oneRelease(files); err != nil {
		return FileSet{}, err
	}
	set, wheels := FileSet{}, []pattern(nil)
	for _, f := range files {
		p, ok := wheelPattern(f)
		switch {
		case f.Kind == dist.Sdist:
			set.Sdist = true
		case !ok:
			return FileSet{}, refused(f.String(), rule.ExpectedForm, "tags that a word of the policy is for (PEP 425)",
				f.Python+"-"+f.ABI+"-"+f.Platform, "leave it out, and build it with tags that installers know")
		default:
			wheels = append(wheels, p)
		}
	}
	var err error
	for _, words := range [][]pattern{named(wheels), wheels} {
		short := newGrid(words).shortest()
		short.Sdist = set.Sdist
		var expected Expected
		if expected, err = Expect(short); err == nil {
			err = expected.Check(files[0].Version, files)
		}
		if err == nil {
			return short, nil
		}
	}
	return FileSet{}, err
}

func oneRelease(files []dist.Filename) error {
	if len(files) == 0 || len(files) > maxFiles {
		return refused("release", rule.StageEmpty, fmt.Sprintf("1 to %d files", maxFiles),
			fmt.Sprint(len(files)), "name the files of one release, or their folder")
	}
	first, no := files[0], rule.Refusals(nil)
	for _, f := range files {
		if f.Project != first.Project {
			no = append(no, rule.Refusal{File: f.String(), Rule: rule.OneProject, Want: "project " + first.Project,
				Got: orNothing(f.Project), Hint: "leave it out; it belongs to another release"})
		} else if !f.Version.Equal(first.Version) {
			no = append(no, rule.Refusal{File: f.String(), Rule: rule.OneVersion, Want: "version " + first.Version.String(),
				Got: orNothing(f.Version.String()), Hint: "leave it out; it belongs to another release"})
		}
	}
	return no.Err()
}

// named are the wheels in the words that people use: with a number where two
// wheels would else be the same, and then wherever that number is. Of those that
// would be the same the lowest goes without.
func named(wheels []pattern) []pattern {
	alike := map[string][]pattern{}
	for _, p := range wheels {
		alike[p.open()] = append(alike[p.open()], p)
	}
	needed := map[string]bool{}
	for _, group := range alike {
		slices.SortFunc(group, func(a, b pattern) int { return natural(a.word(), b.word()) })
		for _, p := range group[1:] {
			for _, tag := range p.apart(group).pins() {
				needed[tag] = true
			}
		}
	}
	words := make([]pattern, len(wheels))
	for i, p := range wheels {
		words[i] = p.pinned(func(tag string) bool { return needed[tag] })
	}
	return words
}

// apart is p with just the pin that no other of the group has, or with all
// of its pins where there is no such.
func (p pattern) apart(group []pattern) pattern {
	own := slices.DeleteFunc(p.pins(), func(tag string) bool {
		return slices.ContainsFunc(group, func(o pattern) bool { return !o.equal(p) && slices.Contains(o.pins(), tag) })
	})
	if len(own) == 0 {
		return p
	}
	highest := slices.MaxFunc(own, natural)
	return p.pinned(func(tag string) bool { return tag == highest })
}

func (p pattern) equal(o pattern) bool { return p.word() == o.word() }

// grid is wheels by their Python and platform.
type grid struct {
	pythons, platforms []string // in the order in which they are written
	has                [][]bool // whether there is a wheel, by Python and platform
}

func newGrid(wheels []pattern) (g grid) {
	opens := map[string]string{}
	for _, p := range wheels {
		opens[p.platformWord()] = pattern{platform: p.platform}.open()
		g.pythons, g.platforms = append(g.pythons, p.pythonWord()), append(g.platforms, p.platformWord())
	}
	slices.SortFunc(g.pythons, natural)
	slices.SortFunc(g.platforms, func(a, b string) int {
		return cmp.Or(natural(opens[a], opens[b]), cmp.Compare(len(a), len(b)), natural(a, b))
	})
	g.pythons, g.platforms = slices.Compact(g.pythons), slices.Compact(g.platforms)
	g.has = make([][]bool, len(g.pythons))
	for i := range g.has {
		g.has[i] = make([]bool, len(g.platforms))
	}
	for _, p := range wheels {
		g.has[slices.Index(g.pythons, p.pythonWord())][slices.Index(g.platforms, p.platformWord())] = true
	}
	return g
}

// split says which Pythons and platforms make the product. All other wheels are
// additions, and what the product has too much are exceptions.
type split struct {
	pythons, platforms []bool
	weight             int // of all words, as a reader takes them in
}

// product is the shortest split with these Pythons: each platform is in it if
// that is shorter than to add its wheels.
func (g grid) product(pythons []int) split {
	const python, platform, addition, exception = 1, 1, 4, 7
	s := split{make([]bool, len(g.pythons)), make([]bool, len(g.platforms)), python * len(pythons)}
	for _, i := range pythons {
		s.pythons[i] = true
	}
	for j := range g.platforms {
		inside, outside := 0, 0
		for i := range g.pythons {
			switch {
			case g.has[i][j] && s.pythons[i]:
				inside++
			case g.has[i][j]:
				outside++
			}
		}
		in, out := platform+exception*(len(pythons)-inside), addition*inside
		s.platforms[j] = in < out
		s.weight += min(in, out) + addition*outside
	}
	return s
}

// single tells whether the product is of one wheel, which is better named by itself.
func (s split) single() bool {
	count := func(in []bool) (n int) {
		for _, yes := range in {
			if yes {
				n++
			}
		}
		return n
	}
	return count(s.pythons)*count(s.platforms) == 1
}

// shortest tries every choice of Pythons for the product. Those that are for the
// same platforms belong together.
func (g grid) shortest() FileSet {
	groups, best := g.groups(), g.product(nil)
	for choice := range 1 << len(groups) {
		var pythons []int
		for i, group := range groups {
			if choice>>i&1 == 1 {
				pythons = append(pythons, group...)
			}
		}
		if s := g.product(pythons); s.weight < best.weight && !s.single() {
			best = s
		}
	}
	return g.set(best)
}

// groups are the Pythons that are for the same platforms, the largest first.
// They are bounded, so that to try all choices takes no more than a second: where
// there are more, which no project has, the small ones are additions.
func (g grid) groups() (groups [][]int) {
	alike := map[string]int{}
	for i, has := range g.has {
		key := fmt.Sprint(has)
		at, ok := alike[key]
		if !ok {
			at, groups = len(groups), append(groups, nil)
			alike[key] = at
		}
		groups[at] = append(groups[at], i)
	}
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	const effort = 1 << 28
	most := 12
	for most > 0 && len(g.pythons)*len(g.platforms)<<most > effort {
		most--
	}
	return groups[:min(len(groups), most)]
}

func (g grid) set(s split) (set FileSet) {
	for i, python := range g.pythons {
		if s.pythons[i] {
			set.Python = append(set.Python, python)
		}
		for j, platform := range g.platforms {
			switch product := s.pythons[i] && s.platforms[j]; {
			case product && !g.has[i][j]:
				set.Except = append(set.Except, python+"-"+platform)
			case !product && g.has[i][j]:
				set.Also = append(set.Also, python+"-"+platform)
			}
		}
	}
	for j, platform := range g.platforms {
		if s.platforms[j] {
			set.Platform = append(set.Platform, platform)
		}
	}
	return set
}

// natural compares texts with their numbers as numbers: cp39 comes before cp310.
func natural(a, b string) int {
	for a != "" && b != "" {
		m, n := len(a)-len(strings.TrimLeft(a, "0123456789")), len(b)-len(strings.TrimLeft(b, "0123456789"))
		if m > 0 && n > 0 {
			if c := cmp.Or(cmp.Compare(m, n), strings.Compare(a[:m], b[:n])); c != 0 {
				return c
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			break
		}
		a, b = a[1:], b[1:]
	}
	return strings.Compare(a, b)
}
