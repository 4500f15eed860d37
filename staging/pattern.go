package staging

import (
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

// pattern says which tags a wheel has (PEP 425). The policy writes it short:
//
//	cp313-win_amd64                 cp313-cp313-win_amd64
//	cp313t-manylinux_x86_64         cp313-cp313t-manylinux_*_x86_64
//	cp313t-manylinux_2_28_x86_64    cp313-cp313t-manylinux_2_28_x86_64
//	cp311-abi3-macosx_arm64         cp311-abi3-macosx_*_arm64
//	pp311-win_amd64                 pp311-pypy311_pp*-win_amd64
//	py3-any                         py3-none-any
//	1-cp313-win_amd64               cp313-cp313-win_amd64, with the build tag 1
//
// A star is for the numbers of a glibc, musl, macOS or PyPy: any will do. Where
// they are written, the tag is pinned, and a wheel has just this one, whatever
// others it has beside it. A file's name is a pattern without a star.
type pattern struct {
	build, python, abi string
	platform           []string // sorted
}

// parsePattern reads [BUILD-]PYTHON[-ABI]-PLATFORM.
func parsePattern(s string) (pattern, bool) {
	dash := strings.LastIndexByte(s, '-')
	if dash < 0 {
		return pattern{}, false
	}
	python, ok := parsePython(s[:dash])
	platform, known := parsePlatform(s[dash+1:])
	return python.on(platform), ok && known
}

// parsePython reads [BUILD-]PYTHON[-ABI].
func parsePython(s string) (p pattern, ok bool) {
	parts := strings.Split(s, "-")
	if startsWithDigit(parts[0]) {
		p.build, parts = parts[0], parts[1:]
	}
	switch len(parts) {
	case 1:
		p.python, p.abi, ok = ownABI(parts[0])
	case 2:
		p.python, p.abi = tagSet(parts[0]), tagSet(parts[1])
		ok = isTagSet(parts[0]) && isTagSet(parts[1])
	}
	// The set is sorted: a tag of it that begins with a digit is the first, and
	// would be read as a build tag.
	return p, ok && !startsWithDigit(p.python) && (p.build == "" || isTagSet(p.build))
}

// parsePlatform reads one platform, or several that a wheel has at once, with
// dots between them.
func parsePlatform(s string) (p pattern, ok bool) {
	for _, tag := range strings.Split(s, ".") {
		tag, _, ok := platformTag(tag)
		if !ok || strings.Contains(s, "*") {
			return pattern{}, false
		}
		p.platform = append(p.platform, tag)
	}
	return p.pinned(func(string) bool { return true }), true
}

// wheelPattern is a wheel's own pattern, without a star.
func wheelPattern(f dist.Filename) (pattern, bool) {
	tags := strings.ToLower(f.Python + "-" + f.ABI + "-" + f.Platform)
	if f.Build != "" {
		tags = strings.ToLower(f.Build) + "-" + tags
	}
	return parsePattern(tags)
}

// on joins a pattern that has but a Python with one that has but a platform.
func (p pattern) on(platform pattern) pattern {
	p.platform = platform.platform
	return p
}

// fits tells whether the wheel, a pattern without a star, has the tags that p wants.
func (p pattern) fits(wheel pattern) bool {
	if p.open() != wheel.open() {
		return false
	}
	has := wheel.pins()
	return !slices.ContainsFunc(p.pins(), func(tag string) bool { return !slices.Contains(has, tag) })
}

// pins are the tags whose numbers are written.
func (p pattern) pins() (tags []string) {
	if p.openABI() != p.abi {
		tags = append(tags, p.abi)
	}
	for _, tag := range p.platform {
		if _, star, _ := platformTag(tag); star != tag {
			tags = append(tags, tag)
		}
	}
	return tags
}

// pinned is p with no pins but those that keep says.
func (p pattern) pinned(keep func(tag string) bool) pattern {
	if !keep(p.abi) {
		p.abi = p.openABI()
	}
	tags, kept := []string(nil), map[string]bool{}
	for _, tag := range p.platform {
		if _, star, _ := platformTag(tag); star != tag && keep(tag) {
			tags, kept[star] = append(tags, tag), true
		}
	}
	for _, tag := range p.platform {
		if _, star, _ := platformTag(tag); !kept[star] {
			tags = append(tags, star)
		}
	}
	p.platform = distinctTags(tags)
	return p
}

// open is p without pins, as one word: what a pattern and the wheels that fit it
// have in common.
func (p pattern) open() string {
	return p.pinned(func(string) bool { return false }).word()
}

// word is p as the policy writes it.
func (p pattern) word() string { return p.pythonWord() + "-" + p.platformWord() }

func (p pattern) pythonWord() string {
	word := p.python + "-" + p.abi
	for _, short := range []string{p.abi, p.python} {
		if python, abi, ok := ownABI(short); ok && python == p.python && abi == p.abi && abi != "none" {
			word = short
		}
	}
	if p.build != "" {
		return p.build + "-" + word
	}
	return word
}

func (p pattern) platformWord() string {
	return strings.ReplaceAll(strings.Join(p.platform, "."), "_*", "")
}

// example is what a file name ends with that fits p.
func (p pattern) example() string {
	name := p.python + "-" + p.abi + "-" + strings.Join(p.platform, ".") + ".whl"
	if p.build != "" {
		return p.build + "-" + name
	}
	return name
}

// ownABI is the Python tag and the ABI of an interpreter that is written without
// its ABI: cp313, cp313t, pp311, graalpy311, py3, py2.py3.
func ownABI(s string) (python, abi string, ok bool) {
	name := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	switch version := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz"); {
	case isNumber(version) && name == "cp"+version:
		return name, s, true
	case isNumber(version) && s == "pp"+version:
		return s, "pypy" + version + "_pp*", true
	case isNumber(version) && s == "graalpy"+version:
		return s, "graalpy*_" + version + "_native", true
	}
	for _, tag := range strings.Split(s, ".") {
		if version, py := strings.CutPrefix(tag, "py"); !py || !isNumber(version) {
			return "", "", false
		}
	}
	return tagSet(s), "none", true
}

// openABI is the ABI with a star for the number that a PyPy or GraalPy has of its own.
func (p pattern) openABI() string {
	_, own, _ := ownABI(p.python)
	if before, after, star := strings.Cut(own, "*"); star {
		number, ok := strings.CutPrefix(p.abi, before)
		number, is := strings.CutSuffix(number, after)
		if ok && is && isNumber(number) {
			return own
		}
	}
	return p.abi
}

// platformTag reads a platform with or without numbers: the tag as patterns
// have it, and the one with a star for the numbers. manylinux1, 2010 and 2014
// are names of manylinux_2_5, _2_12 and _2_17 (PEP 600).
func platformTag(s string) (tag, star string, ok bool) {
	family, rest, _ := strings.Cut(strings.Replace(s, "_*_", "_", 1), "_")
	if glibc := legacyManylinux(family); glibc != "" {
		family, rest = "manylinux", glibc+"_"+rest
	}
	tag = family
	if rest != "" {
		tag += "_" + rest
	}
	want, have := numbers(family), 0
	for {
		number, after, more := strings.Cut(rest, "_")
		if want == 0 || !more || !isNumber(number) {
			break
		}
		rest, have = after, have+1
	}
	if want == 0 {
		return tag, tag, isLowerTag(tag) && (tag == "any" || tag == "win32" || rest != "")
	}
	star = family + "_*_" + rest
	if have == 0 {
		tag = star
	}
	return tag, star, isLowerTag(family+rest) && rest != "" && !startsWithDigit(rest) && (have == 0 || have == want)
}

func legacyManylinux(family string) (glibc string) {
	switch family {
	case "manylinux1":
		return "2_5"
	case "manylinux2010":
		return "2_12"
	case "manylinux2014":
		return "2_17"
	}
	return ""
}

// numbers is how many numbers a platform has between its name and its machine.
func numbers(family string) int {
	switch family {
	case "manylinux", "musllinux", "macosx", "ios", "pyodide", "pyemscripten":
		return 2
	case "emscripten":
		return 3
	case "android":
		return 1
	}
	return 0
}

// tagSet is a compressed tag set in the one order in which they are compared.
func tagSet(s string) string { return strings.Join(distinctTags(strings.Split(s, ".")), ".") }

func distinctTags(tags []string) []string {
	slices.Sort(tags)
	return slices.Compact(tags)
}

func isTagSet(s string) bool {
	return !slices.ContainsFunc(strings.Split(s, "."), func(tag string) bool { return !isLowerTag(tag) })
}

// isLowerTag tells whether s is some lower case letters, digits and '_'.
func isLowerTag(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// isNumber tells whether s is a number without a sign and without zeros before it.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

func startsWithDigit(s string) bool { return s != "" && isNumber(s[:1]) }
