package dist

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/distgate/distgate/staging/rule"
)

// placed is a member, and where an installer puts it.
type placed struct {
	Member
	scheme scheme
	below  string // its path below the scheme's folder
}

// scheme is a folder that an installer fills. Those of a wheel are PEP 427's
// names for them.
type scheme string

const (
	inSource  scheme = "source"  // the top folder of an sdist, which is not installed
	inModules scheme = "modules" // what Python imports from; purelib and platlib
	inInfo    scheme = "info"    // a wheel's .dist-info folder
	inScripts scheme = "scripts"
	inHeaders scheme = "headers"
	inData    scheme = "data"    // the root of the environment
	inUnknown scheme = "unknown" // a name that installers do not know
)

// place says where a member goes. The stem is how the folders of a wheel begin,
// NAME-VERSION, and nothing of an sdist.
func place(m Member, stem string) placed {
	top, rest, _ := strings.Cut(m.Path, "/")
	switch {
	case stem == "":
		return placed{m, inSource, rest}
	case top == stem+".dist-info":
		return placed{m, inInfo, rest}
	case top != stem+".data":
		return placed{m, inModules, m.Path}
	}
	key, below, _ := strings.Cut(rest, "/")
	at, known := map[string]scheme{
		"purelib": inModules, "platlib": inModules, "scripts": inScripts, "headers": inHeaders, "data": inData,
	}[key]
	if !known {
		return placed{m, inUnknown, rest}
	}
	return placed{m, at, below}
}

// memberRows are the rules by which each member is judged alone.
func memberRows() []row[placed] {
	return []row[placed]{
		{rule.ArchiveLink, rule.Refuse, "links that stay below the top folder", outwardLink},
		{rule.MemberLink, rule.Look, "", func(p placed) string {
			if p.Kind != Symlink && p.Kind != HardLink {
				return ""
			}
			return fmt.Sprintf("a %s to %s", p.Kind, p.Link)
		}},
		{rule.StartupCode, rule.Look, "", startup},
		{rule.OutsideCode, rule.Look, "", outside},
		{rule.PrivateFile, rule.Look, "", private},
		{rule.MemberName, rule.Look, "", obscure},
		{rule.MemberMode, rule.Look, "", func(p placed) string {
			if p.Mode&^0o777 == 0 || p.Kind != PlainFile {
				return ""
			}
			return "the mode " + p.Mode.String()
		}},
		{rule.InstallCode, rule.Remark, "", fileIn(inSource, func(below string) string {
			if below != "setup.py" {
				return ""
			}
			return "code that runs when the sdist is installed"
		})},
		{rule.ScriptFile, rule.Remark, "", fileIn(inScripts, func(below string) string { return "the command " + below })},
		{rule.OutsideFile, rule.Remark, "", fileIn(inData, func(below string) string {
			return "a file for " + below + " of the environment"
		})},
	}
}

// fileIn is a rule for the files of one scheme.
func fileIn(s scheme, what func(below string) string) func(placed) string {
	return func(p placed) string {
		if p.scheme != s || p.Kind != PlainFile {
			return ""
		}
		return what(p.below)
	}
}

// outside says that a file goes among programs, or where no installer says.
func outside(p placed) string {
	code := []string{"bin", "sbin", "scripts", "lib", "lib64", "lib32", "include", "dlls"}
	switch {
	case p.Kind != PlainFile:
		return ""
	case p.scheme == inUnknown:
		return "a file for a scheme that installers do not know"
	case p.scheme == inData && slices.Contains(code, strings.ToLower(topOf(p.below))):
		return "a file for " + topOf(p.below) + "/ of the environment"
	}
	return ""
}

// outwardLink says why a link could lead out of the archive, or nothing. A ".."
// is taken at the beginning of a path alone, because after a name it leads where
// that name leads, which can be a link.
func outwardLink(p placed) string {
	top, from := topOf(p.Path), path.Dir(p.Path)
	switch p.Kind {
	case Symlink:
	case HardLink: // is written from the top of the archive
		from = "."
	default:
		return ""
	}
	target := p.Link
	if fault := memberFault(target); target != "." && fault != "" && !strings.HasPrefix(fault, "the path element ..") {
		return fmt.Sprintf("a link to %s, with %s", target, fault)
	}
	for strings.HasPrefix(target, "../") && from != "." && p.Kind == Symlink {
		target, from = target[3:], path.Dir(from)
	}
	if target == ".." && p.Kind == Symlink {
		target, from = ".", path.Dir(from)
	}
	end := path.Join(from, target)
	if slices.Contains(strings.Split(target, "/"), "..") || topOf(end) != top {
		return "a link to " + p.Link
	}
	return ""
}

// startup says how a member runs when Python starts, or nothing.
func startup(p placed) string {
	base := path.Base(p.below)
	stem, _, _ := strings.Cut(base, ".")
	ext := strings.ToLower(path.Ext(base))
	importable := p.scheme == inModules && !strings.Contains(p.below, "/") ||
		p.scheme == inData && strings.HasPrefix(strings.ToLower(p.below), "lib")
	hook := func(name string) bool { return name == "sitecustomize" || name == "usercustomize" }
	switch {
	case p.Kind != PlainFile:
		return ""
	case importable && (ext == ".pth" || ext == ".start"):
		return "a file that Python reads when it starts"
	case importable && hook(stem), p.scheme == inModules && hook(topOf(p.below)):
		return "code that Python imports when it starts"
	}
	return ""
}

// private says that a file has a name for secrets, or is version control's.
func private(p placed) string {
	names := []string{
		".pypirc", ".netrc", ".npmrc", ".env", ".git-credentials", ".htpasswd",
		"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
	}
	folders := []string{".git", ".hg", ".svn", ".ssh", ".aws", ".gnupg"}
	elements := strings.Split(strings.ToLower(p.below), "/")
	last := elements[len(elements)-1]
	if p.Kind == PlainFile && slices.Contains(names, last) {
		return "a file named as secrets are"
	}
	for _, element := range elements[:len(elements)-1] {
		if slices.Contains(folders, element) {
			return "a file of a folder " + element
		}
	}
	return ""
}

// obscure says why a name is not what a person, or Windows, takes it for.
func obscure(p placed) string {
	for _, r := range p.Path {
		if unicode.In(r, unicode.Cf, unicode.Zs, unicode.Co) && r != ' ' || r == '\u034f' || r == '\u3164' {
			return fmt.Sprintf("the invisible character U+%04X", r)
		}
	}
	for element := range strings.SplitSeq(p.Path, "/") {
		stem, _, _ := strings.Cut(strings.ToUpper(element), ".")
		device := slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, stem) ||
			len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && '1' <= stem[3] && stem[3] <= '9'
		switch {
		case device:
			return "a name that is a device on Windows"
		case strings.HasSuffix(element, " ") || strings.HasSuffix(element, "."):
			return "a name that Windows shortens"
		case strings.ContainsAny(element, `<>:"|?*`):
			return "a name that Windows does not take"
		}
	}
	return ""
}
