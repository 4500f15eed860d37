package pypitest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// distName is what a distribution's file name says.
type distName struct {
	project string // normalised
	version pep440.Version
	build   string   // of a wheel: without leading zeros
	tags    []string // of a wheel: every combination, "py3-none-any", sorted
}

// equal compares names as pypi-attestations does: 1.0 is 1.0.0, Widget is
// widget, and the order of compressed tags is nothing.
func (d distName) equal(e distName) bool {
	return d.project == e.project && d.version.Equal(e.version) && d.build == e.build &&
		slices.Equal(d.tags, e.tags)
}

// platforms of a wheel's tags.
func (d distName) platforms() []string {
	set := map[string]bool{}
	for _, tag := range d.tags {
		set[tag[strings.LastIndex(tag, "-")+1:]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// parseDistName reads the name of a wheel or an sdist.
func parseDistName(filename string) (distName, error) {
	if strings.HasSuffix(filename, ".whl") {
		return parseWheelName(filename)
	}
	if strings.HasSuffix(filename, ".tar.gz") || strings.HasSuffix(filename, ".zip") {
		return parseSdistName(filename)
	}
	return distName{}, fmt.Errorf("unknown distribution format: %s", filename)
}

func parseWheelName(filename string) (distName, error) {
	stem := strings.TrimSuffix(filename, ".whl")
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return distName{}, say("Invalid wheel filename (wrong number of parts): %s", repr(stem))
	}
	if strings.Contains(parts[0], "__") || !regexp.MustCompile(`^[\pL\pN_.]*$`).MatchString(parts[0]) {
		return distName{}, say("Invalid project name: %s", repr(stem))
	}
	version, err := pep440.Parse(parts[1])
	if err != nil {
		return distName{}, say("Invalid wheel filename (invalid version): %s", repr(stem))
	}
	d := distName{project: normalizeName(parts[0]), version: version}
	if len(parts) == 6 {
		build := regexp.MustCompile(`^0*(\d+.*)`).FindStringSubmatch(parts[2])
		if build == nil {
			return distName{}, say("Invalid build number: %s in %s", parts[2], repr(stem))
		}
		d.build = build[1]
	}
	d.tags = expandTags(parts[len(parts)-3:])
	return d, nil
}

// expandTags lists what a compressed tag set stands for.
func expandTags(sets []string) []string {
	tags := strings.Split(strings.ToLower(sets[0]), ".")
	for _, set := range sets[1:] {
		var longer []string
		for _, tag := range tags {
			for part := range strings.SplitSeq(strings.ToLower(set), ".") {
				longer = append(longer, tag+"-"+part)
			}
		}
		tags = longer
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func parseSdistName(filename string) (distName, error) {
	stem := strings.TrimSuffix(strings.TrimSuffix(filename, ".tar.gz"), ".zip")
	i := strings.LastIndex(stem, "-")
	if i < 0 {
		return distName{}, say("Invalid sdist filename: %s", repr(filename))
	}
	version, err := pep440.Parse(stem[i+1:])
	if err != nil {
		return distName{}, say("Invalid sdist filename (invalid version): %s", repr(filename))
	}
	return distName{project: normalizeName(stem[:i]), version: version}, nil
}

// isPlatform says whether PyPI takes wheels for a platform tag. What its
// patterns leave open at the end is open there too.
func isPlatform(tag string) bool {
	const linux = `x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64`
	const mac = `ppc|ppc64|i386|x86_64|arm64|intel|fat|fat3|fat64|universal|universal2`
	for _, pattern := range []string{
		`^(?:any|win32|win_arm64|win_amd64|win_ia64|linux_armv6l|linux_armv7l)$`,
		`^(?:manylinux1|manylinux2010)_(?:x86_64|i686)$`,
		`^manylinux2014_(?:x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)$`,
		`^manylinux_\d+_\d+_(?:` + linux + `|ppc64)$`,
		`^musllinux_\d+_\d+_(?:` + linux + `)$`,
		`^macosx_10_\d+_(?:` + mac + `)$`,
		`^macosx_(?:11|12|13|14|15|26)_0_(?:` + mac + `)$`,
		`^ios_\d+_\d+_(?:arm64|x86_64)_(?:iphoneos|iphonesimulator)`,
		`^android_\d+_(?:armeabi_v7a|arm64_v8a|x86|x86_64)$`,
		`^pyemscripten_\d+_\d+_wasm32`,
	} {
		if regexp.MustCompile(pattern).MatchString(tag) {
			return true
		}
	}
	return false
}
