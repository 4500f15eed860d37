package staging

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// FileSet says which files a release has, as a [files] table of the policy does:
// the sdist or none, a wheel for each Python on each platform but those in
// Except, and the wheels in Also.
//
//	Python    cp313, cp313t, cp311-abi3, pp311, py3
//	Platform  manylinux_x86_64 for any glibc, manylinux_2_28_x86_64 for this one
//	Except    cp313t-win_arm64
//	Also      pp311-win_amd64, py3-none-any
//
// A wheel belongs to the word that fits it with the most numbers: beside
// macosx_arm64, macosx_14_0_arm64 is a platform of its own.
type FileSet struct {
	Sdist    bool     `json:"sdist"`
	Python   []string `json:"python,omitempty"`
	Platform []string `json:"platform,omitempty"`
	Except   []string `json:"except,omitempty"`
	Also     []string `json:"also,omitempty"`
}

// Expected is the files that releases must have: no other, none twice, and none
// missing. The zero value is refused.
type Expected struct{ series []series }

// series is the file set of some versions.
type series struct {
	table    string       // of the policy: [files], [series."2.4"]
	of       dist.Version // of which versions; zero: of all
	files    FileSet
	wheels   []pattern            // Python × platform but Except, then Also
	product  int                  // how many of the wheels are Python × platform
	excepted []pattern            // Except
	fitting  map[string][]pattern // the wheels by what they have in common with a file
}

// Expect is one file set for every version. In the name of the table [files] it
// refuses whatever is malformed, is said twice, or says nothing.
func Expect(files FileSet) (Expected, error) {
	s, no := newSeries("[files]", files)
	if len(no) > 0 {
		return Expected{}, no
	}
	return Expected{[]series{s}}, nil
}

// ExpectSeries is a file set for each series of versions, by the beginning of
// their release: "2.4" for 2.4.0rc1 and 2.4.2. Of several that a version is in,
// the longest counts. A version that is in none is refused when it is judged.
func ExpectSeries(sets map[string]FileSet) (Expected, error) {
	var list []series
	var no rule.Refusals
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		s, faults := newSeries("[series."+strconv.Quote(name)+"]", sets[name])
		no = append(no, faults...)
		var err error
		if s.of, err = dist.ParseVersion(name); err != nil || !s.of.IsSeries() || s.of.String() != name {
			no = append(no, badTable(s.table, "the beginning of a release, as 2.4", name))
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		no = append(no, badTable("[series]", "a table for each series of versions", ""))
	}
	if len(no) > 0 {
		return Expected{}, no
	}
	return Expected{list}, nil
}

// IsZero tells whether e was never made.
func (e Expected) IsZero() bool { return len(e.series) == 0 }

func badTable(table, want, got string) rule.Refusal {
	return rule.Refusal{File: table, Rule: rule.ExpectedForm, Want: want, Got: orNothing(got),
		Hint: "correct it in distgate.toml"}
}

// newSeries reads a table whole.
func newSeries(table string, files FileSet) (series, rule.Refusals) {
	s := series{table: table, files: files, fitting: map[string][]pattern{}}
	var no rule.Refusals
	read := func(key, examples string, words []string, parse func(string) (pattern, bool), word func(pattern) string) (list []pattern) {
		seen := map[string]bool{}
		for _, w := range words {
			p, ok := parse(w)
			if !ok {
				no = append(no, badTable(table, key+": a word as "+examples, strconv.Quote(w)))
				continue
			}
			if seen[word(p)] {
				no = append(no, badTable(table, key+": each of its words once", strconv.Quote(w)))
			}
			seen[word(p)] = true
			list = append(list, p)
		}
		return list
	}
	pythons := read("python", "cp313, cp313t, cp311-abi3, pp311 or py3", files.Python, parsePython, pattern.pythonWord)
	platforms := read("platform", "manylinux_x86_64, macosx_14_0_arm64, win_amd64 or any", files.Platform,
		parsePlatform, pattern.platformWord)
	s.excepted = read("except", "cp313t-win_arm64", files.Except, parsePattern, pattern.word)
	also := read("also", "pp311-win_amd64 or py3-none-any", files.Also, parsePattern, pattern.word)
	if len(no) > 0 {
		return s, no
	}
	return s, s.expand(pythons, platforms, also)
}

// expand works out the wheels.
func (s *series) expand(pythons, platforms, also []pattern) (no rule.Refusals) {
	if size := len(pythons)*len(platforms) + len(also); size > maxFiles {
		return rule.Refusals{badTable(s.table, fmt.Sprintf("at most %d files", maxFiles), fmt.Sprint(size))}
	}
	excepted, product := map[string]bool{}, map[string]bool{}
	for _, p := range s.excepted {
		excepted[p.word()] = true
	}
	for _, python := range pythons {
		for _, platform := range platforms {
			p := python.on(platform)
			product[p.word()] = true
			if !excepted[p.word()] {
				s.wheels = append(s.wheels, p)
			}
		}
	}
	s.product = len(s.wheels)
	s.wheels = append(s.wheels, also...)
	for _, p := range s.wheels {
		s.fitting[p.open()] = append(s.fitting[p.open()], p)
	}
	return s.contradictions(product, also, (len(pythons) == 0) != (len(platforms) == 0))
}

// contradictions are the words of the table that do nothing, or that undo each
// other: whoever wrote them meant something else.
func (s *series) contradictions(product map[string]bool, also []pattern, half bool) (no rule.Refusals) {
	if half {
		no = append(no, badTable(s.table, "python and platform, both or neither", "one of them"))
	}
	for _, p := range s.excepted {
		if !product[p.word()] {
			no = append(no, badTable(s.table, "except: wheels that python × platform has", p.word()))
		}
	}
	for _, p := range also {
		if product[p.word()] {
			no = append(no, badTable(s.table, "also: wheels that python × platform has not", p.word()))
		}
	}
	if len(s.wheels) == 0 && !s.files.Sdist {
		no = append(no, badTable(s.table, "an sdist, or at least one wheel", ""))
	}
	return no
}

// Check holds the files of a release of that version against what is expected.
// Whatever is missing, is there without being expected, or is there twice for
// one expectation is refused by name, with what to write into the policy if it
// was meant.
func (e Expected) Check(version dist.Version, files []dist.Filename) error {
	return e.judge(version, files).Err()
}

func (e Expected) judge(version dist.Version, files []dist.Filename) rule.Refusals {
	var best series
	var known []string
	for _, s := range e.series {
		known = append(known, s.of.String())
		if s.of.IsZero() || version.In(s.of) && len(s.of.String()) > len(best.of.String()) {
			best = s
		}
	}
	if best.fitting == nil {
		return rule.Refusals{{File: "release " + version.String(), Rule: rule.ExpectedSeries,
			Want: "a version of one of the series " + orNothing(strings.Join(known, ", ")), Got: orNothing(version.String()),
			Hint: "write a [series] table for it; distgate init --files-from DIR prints what goes into it"}}
	}
	return best.judge(files)
}

// sdist is the word for the sdist in what is said of the expected files.
const sdist = "sdist"

func (s series) judge(files []dist.Filename) (no rule.Refusals) {
	has, extra := map[string][]dist.Filename{}, []dist.Filename(nil)
	for _, f := range files {
		if word, ok := s.place(f); ok {
			has[word] = append(has[word], f)
		} else {
			extra = append(extra, f)
		}
	}
	no = append(s.missing(has), s.extra(extra)...)
	for _, word := range slices.Sorted(maps.Keys(has)) {
		no = append(no, s.doubled(word, has[word])...)
	}
	return no
}

// place is the expectation that the file meets: of those that fit, the one with
// the most pins.
func (s series) place(f dist.Filename) (word string, ok bool) {
	if f.Kind == dist.Sdist {
		return sdist, s.files.Sdist
	}
	wheel, ok := wheelPattern(f)
	if !ok {
		return "", false
	}
	var best pattern
	for _, p := range s.fitting[wheel.open()] {
		if p.fits(wheel) && (best.python == "" || len(p.pins()) > len(best.pins())) {
			best = p
		}
	}
	return best.word(), best.python != ""
}

func (s series) missing(has map[string][]dist.Filename) (no rule.Refusals) {
	refuse := func(word, want, hint string) {
		no = append(no, rule.Refusal{File: word, Rule: rule.ExpectedMissing, Want: want, Got: "nothing",
			Hint: "let the build make it; or, if it is meant to be missing, " + hint})
	}
	if s.files.Sdist && has[sdist] == nil {
		refuse(sdist, "the sdist, *.tar.gz", "write in "+s.table+": sdist=false")
	}
	var fromProduct []string
	for _, p := range s.wheels[:s.product] {
		if has[p.word()] == nil {
			fromProduct = append(fromProduct, p.word())
		}
	}
	for i, p := range s.wheels {
		switch word := p.word(); {
		case has[word] != nil:
		case i < s.product:
			refuse(word, "a wheel *-"+p.example(), s.paste("except", s.files.Except, word, fromProduct))
		default:
			refuse(word, "a wheel *-"+p.example(), fmt.Sprintf("take %q out of also in %s", word, s.table))
		}
	}
	return no
}

func (s series) extra(files []dist.Filename) (no rule.Refusals) {
	var wheels []pattern
	for _, f := range files {
		if p, ok := wheelPattern(f); ok && f.Kind == dist.Wheel {
			wheels = append(wheels, p)
		}
	}
	words := named(wheels)
	all := make([]string, len(words))
	for i, p := range words {
		all[i] = p.word()
	}
	slices.SortFunc(all, natural)
	for _, f := range files {
		got, hint := "another: tags that no word of the policy is for", ""
		switch p, ok := wheelPattern(f); {
		case f.Kind == dist.Sdist:
			got, hint = "another: an sdist", "write in "+s.table+": sdist=true"
		case ok:
			word := words[slices.IndexFunc(wheels, p.equal)].word()
			got, hint = "another: "+word, s.paste("also", s.files.Also, word, all)
			if i := slices.IndexFunc(s.excepted, func(e pattern) bool { return e.fits(p) }); i >= 0 {
				hint = fmt.Sprintf("take %q out of except in %s", s.excepted[i].word(), s.table)
			}
		}
		no = append(no, rule.Refusal{File: f.String(), Rule: rule.ExpectedExtra,
			Want: "a file that " + s.table + " expects", Got: got, Hint: orMeant("take it away, or leave it out with [[build.leave-out]]", hint)})
	}
	return no
}

// doubled refuses every file but the first that is there for one expectation.
func (s series) doubled(word string, files []dist.Filename) (no rule.Refusals) {
	slices.SortFunc(files, func(a, b dist.Filename) int { return natural(a.String(), b.String()) })
	wheels := make([]pattern, len(files))
	for i, f := range files {
		wheels[i], _ = wheelPattern(f)
	}
	for i, f := range files[1:] {
		hint, exact := "", wheels[i+1].apart(wheels)
		if f.Kind == dist.Wheel && !slices.ContainsFunc(wheels[:i+1], wheels[i+1].equal) {
			hint = s.paste("also", s.files.Also, exact.word(), []string{exact.word()})
		}
		no = append(no, rule.Refusal{File: f.String(), Rule: rule.ExpectedDoubled, Want: "one file for " + word,
			Got: "also " + files[0].String(), Hint: orMeant("take one of the two away", hint)})
	}
	return no
}

func orMeant(hint, meant string) string {
	if meant == "" {
		return hint
	}
	return hint + "; or, if it was meant, " + meant
}

// paste says where a word goes that is not in a list of the table yet. Where the
// table has no such list, all the words that are to go in make one; where they
// are many, the table is better written anew. There is no blank in what is to be
// pasted, so that it is shown on one line.
func (s series) paste(key string, has []string, word string, all []string) string {
	const many = 8
	switch {
	case len(has) > 0:
		return fmt.Sprintf("add to %s in %s: %q,", key, s.table, word)
	case len(all) > many:
		return "let distgate init --files-from DIR print " + s.table + " as the files are"
	}
	quoted := make([]string, len(all))
	for i, w := range all {
		quoted[i] = strconv.Quote(w)
	}
	return fmt.Sprintf("write in %s: %s=[%s]", s.table, key, strings.Join(quoted, ","))
}
