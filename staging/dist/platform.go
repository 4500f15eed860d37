package dist

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// platform is what a platform tag says of the machines that a wheel is for.
type platform struct {
	system   system
	machines []string // as [Library] names them; nothing where the tag leaves them open
	oldest   release  // glibc or macOS; zero where the tag does not say
}

type system string

const (
	anySystem system = "any"
	glibc     system = "glibc"
	musl      system = "musl"
	linux     system = "linux" // with some C library
	macOS     system = "macOS"
	windows   system = "Windows"
	other     system = "another system"
)

// format is how machine code comes on a system; nothing where any does.
func (s system) format() string {
	return map[system]string{
		glibc: formatELF, musl: formatELF, linux: formatELF, macOS: formatMachO, windows: formatPE,
	}[s]
}

// platforms are those of a wheel's platform tags.
func (f Filename) platforms() (list []platform) {
	for tag := range strings.SplitSeq(strings.ToLower(f.Platform), ".") {
		list = append(list, readPlatform(tag))
	}
	return list
}

// tagForms are the forms of platform tags, with what they stand for. In each the
// last group is the machine, and those before it the version.
func tagForms() []struct {
	form   *regexp.Regexp
	system system
	oldest release
} {
	return []struct {
		form   *regexp.Regexp
		system system
		oldest release
	}{
		{regexp.MustCompile(`^manylinux1_(.+)$`), glibc, release{2, 5}},
		{regexp.MustCompile(`^manylinux2010_(.+)$`), glibc, release{2, 12}},
		{regexp.MustCompile(`^manylinux2014_(.+)$`), glibc, release{2, 17}},
		{regexp.MustCompile(`^manylinux_(\d{1,3})_(\d{1,3})_(.+)$`), glibc, release{}},
		{regexp.MustCompile(`^musllinux_(\d{1,3})_(\d{1,3})_(.+)$`), musl, release{}},
		{regexp.MustCompile(`^linux_(.+)$`), linux, release{}},
		{regexp.MustCompile(`^macosx_(\d{1,3})_(\d{1,3})_(.+)$`), macOS, release{}},
		{regexp.MustCompile(`^win_?(32|amd64|arm64)$`), windows, release{}},
	}
}

func readPlatform(tag string) platform {
	if tag == "any" {
		return platform{system: anySystem}
	}
	for _, t := range tagForms() {
		parts := t.form.FindStringSubmatch(tag)
		if parts == nil {
			continue
		}
		p := platform{t.system, machines(parts[len(parts)-1]), t.oldest}
		if len(parts) == 4 {
			p.oldest.major, _ = strconv.Atoi(parts[1])
			p.oldest.minor, _ = strconv.Atoi(parts[2])
		}
		return p
	}
	return platform{system: other}
}

// machines are the machines that a tag's last part stands for.
func machines(name string) []string {
	several := map[string][]string{
		"universal2": {"x86_64", "aarch64"}, "intel": {"x86_64", "i686"},
		"universal": {}, "fat": {}, "fat3": {}, "fat64": {}, // of machines that nobody builds for any more
		"amd64": {"x86_64"}, "arm64": {"aarch64"}, "32": {"i686"}, "i386": {"i686"},
	}
	if list, ok := several[name]; ok {
		return list
	}
	return []string{name}
}

// strange says how machine code does not fit any of the platforms, or nothing. A
// fat file may be for more machines than the tag; a plain one must be for one of
// them.
func (l Library) strange(on []platform) string {
	fits := func(p platform) bool {
		if p.system == anySystem || p.system == other {
			return true
		}
		common := 0
		for _, m := range p.machines {
			if slices.Contains(l.Machines, m) {
				common++
			}
		}
		every := common == len(p.machines)
		return l.Format == p.system.format() && (every || common > 0 && p.system != macOS || len(l.Machines) == 0)
	}
	if slices.ContainsFunc(on, fits) {
		return ""
	}
	return fmt.Sprintf("%s for %s", l.Format, strings.Join(l.Machines, " and "))
}

// tooNew says that machine code needs a newer system than each of the platforms
// promises, or nothing.
func (l Library) tooNew(on []platform) string {
	for _, p := range on {
		if p.system != glibc && p.system != macOS || p.system.format() != l.Format || !p.oldest.before(l.oldest) {
			return ""
		}
	}
	return "what needs " + l.Minimum
}
