package dist

import (
	"fmt"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// Filename is what the name of a distribution says.
type Filename struct {
	Kind    Kind
	Project string  // normalised (PEP 503)
	Version Version // normalised (PEP 440)

	// Wheels only.
	Build    string // build tag, "" if there is none; begins with a digit
	Python   string // compressed tag sets as they are written: "py2.py3"
	ABI      string // "none"
	Platform string // "manylinux_2_17_x86_64.manylinux2014_x86_64"

	raw string // the name as it came
}

// Tag is one combination that a wheel can be installed on, in lower case.
type Tag struct{ Python, ABI, Platform string }

// IsDistribution tells from the ending alone whether a file means to be a wheel
// or an sdist, so that folders can be sorted before anything is judged.
func IsDistribution(name string) bool {
	return strings.HasSuffix(name, ".whl") || strings.HasSuffix(name, ".tar.gz")
}

// ParseFilename reads a distribution's file name: a wheel's as PEP 427 and
// packaging.utils.parse_wheel_filename have it, an sdist's as NAME-VERSION.tar.gz.
// Everything else is refused, names that are not ASCII among it: PyPI has no
// project of such a name. What PyPI asks of a name beyond this is
// [Filename.CheckIndex].
func ParseFilename(name string) (Filename, error) {
	if err := checkName(name); err != nil {
		return Filename{}, err
	}
	if stem, ok := strings.CutSuffix(name, ".whl"); ok {
		return parseWheel(name, stem)
	}
	if stem, ok := strings.CutSuffix(name, ".tar.gz"); ok {
		return parseSdist(name, stem)
	}
	return Filename{}, no(name, rule.FileName, "a wheel (.whl) or an sdist (.tar.gz)", "another ending",
		"Only wheels and .tar.gz sdists are released; build the sdist with a current build backend (PEP 625).")
}

const rebuild = "Build the file again with a current build backend; do not rename it."

// parseWheel reads NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.
func parseWheel(name, stem string) (Filename, error) {
	const want = "NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl"
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return Filename{}, no(name, rule.FileName, want, fmt.Sprintf("%d parts", len(parts)), rebuild)
	}
	if strings.Contains(parts[0], "__") {
		return Filename{}, no(name, rule.FileName, "a project name without __", parts[0], rebuild)
	}
	f, err := parseProject(name, parts[0], parts[1])
	if err != nil {
		return Filename{}, err
	}
	f.Kind = Wheel
	tags := parts[len(parts)-3:]
	f.Python, f.ABI, f.Platform = tags[0], tags[1], tags[2]
	if len(parts) == 6 {
		f.Build = parts[2]
	}
	if fault := f.tagFault(len(parts) == 6); fault != "" {
		return Filename{}, no(name, rule.FileName, want, fault, rebuild)
	}
	return f, nil
}

// parseSdist reads NAME-VERSION. The name may have dashes in it, as it had
// before PEP 625; a version has none.
func parseSdist(name, stem string) (Filename, error) {
	dash := strings.LastIndexByte(stem, '-')
	if dash < 0 {
		return Filename{}, no(name, rule.FileName, "NAME-VERSION.tar.gz", "no dash", rebuild)
	}
	f, err := parseProject(name, stem[:dash], stem[dash+1:])
	if err != nil {
		return Filename{}, err
	}
	f.Kind = Sdist
	return f, nil
}

func parseProject(name, project, version string) (Filename, error) {
	normal, err := NormalizeName(project)
	if err != nil {
		return Filename{}, no(name, rule.FileName, "a project name (PEP 508)", orNothing(project), rebuild)
	}
	v, err := ParseVersion(version)
	if err != nil {
		return Filename{}, no(name, rule.FileName, "a version (PEP 440)", orNothing(version), rebuild)
	}
	return Filename{Project: normal, Version: v, raw: name}, nil
}

// tagFault says what is wrong with the build tag or the tag sets, or nothing.
func (f Filename) tagFault(hasBuild bool) string {
	if hasBuild && !isBuild(f.Build) {
		return "the build tag " + orNothing(f.Build)
	}
	for _, interpreter := range strings.Split(f.Python, ".") {
		if !isTag(interpreter) || isDigit(interpreter[0]) {
			return "the python tag " + orNothing(f.Python)
		}
	}
	for _, part := range strings.Split(f.ABI+"."+f.Platform, ".") {
		if !isTag(part) {
			return "the tags " + f.ABI + "-" + f.Platform
		}
	}
	return ""
}

// isBuild tells whether s can be a build tag, which begins with a digit.
func isBuild(s string) bool {
	return s != "" && isDigit(s[0]) && isTag(strings.ReplaceAll(s, ".", "_"))
}

// isTag tells whether s is one or more ASCII letters, digits and '_'.
func isTag(s string) bool {
	return only(s, func(c byte) bool { return isAlnum(c) || c == '_' })
}

// String is the name as it came.
func (f Filename) String() string { return f.raw }

// IsZero tells whether f was never parsed.
func (f Filename) IsZero() bool { return f == Filename{} }

// Tags are all the combinations that a wheel's compressed tag sets stand for,
// in the order in which they are written and each once. An sdist has none.
func (f Filename) Tags() []Tag {
	if f.Kind != Wheel {
		return nil
	}
	var tags []Tag
	seen := map[Tag]bool{}
	for _, python := range strings.Split(strings.ToLower(f.Python), ".") {
		for _, abi := range strings.Split(strings.ToLower(f.ABI), ".") {
			for _, platform := range strings.Split(strings.ToLower(f.Platform), ".") {
				if tag := (Tag{python, abi, platform}); !seen[tag] {
					seen[tag] = true
					tags = append(tags, tag)
				}
			}
		}
	}
	return tags
}

// IndexName is the name under which PyPI takes the file: an sdist's is
// NAME-VERSION.tar.gz with both normalised (PEP 625), a wheel's begins with the
// normalised name (PEP 427) and goes on as it is.
func (f Filename) IndexName() string {
	project := strings.ReplaceAll(f.Project, "-", "_")
	if f.Kind == Sdist {
		return project + "-" + f.Version.String() + ".tar.gz"
	}
	_, rest, _ := strings.Cut(f.raw, "-")
	return project + "-" + rest
}

// CheckIndex refuses a name under which PyPI would not take the file, and
// platforms that it does not know.
func (f Filename) CheckIndex() error {
	if want := f.IndexName(); f.IsZero() || f.raw != want {
		return no(f.raw, rule.IndexName, want, orNothing(f.raw), rebuild)
	}
	if f.Kind == Sdist {
		return nil
	}
	for tag := range strings.SplitSeq(f.Platform, ".") {
		if !isIndexPlatform(tag) {
			return no(f.raw, rule.IndexPlatform, "platforms that PyPI knows, such as manylinux_2_28_x86_64", tag,
				"Repair the wheel with auditwheel, which finds its platform, and build it so from now on.")
		}
	}
	return nil
}
