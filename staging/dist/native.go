package dist

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// Bounds of machine code in one distribution.
const (
	maxHead      = 16 << 20 // bytes of a library that are in memory at once
	maxLibraries = 2000     // libraries that are listed
)

// native is a library, and what it is in.
type native struct {
	Library
	kind Kind
	on   []platform
	err  error // why it could not be read
}

// nativeRows are the rules by which machine code is judged.
func nativeRows() []row[native] {
	wheels := func(what func(native) string) func(native) string {
		return func(n native) string {
			if n.kind != Wheel || n.Format == formatWASM || n.err != nil {
				return ""
			}
			return what(n)
		}
	}
	return []row[native]{
		{rule.NativeSource, rule.Look, "", func(n native) string {
			if n.kind != Sdist {
				return ""
			}
			return fmt.Sprintf("machine code (%s) in an sdist", n.Format)
		}},
		{rule.NativeUnread, rule.Look, "", func(n native) string {
			if n.err == nil || n.kind != Wheel {
				return ""
			}
			return fmt.Sprintf("machine code (%s) that was not read: %v", n.Format, n.err)
		}},
		{rule.NativeAny, rule.Look, "", wheels(func(n native) string {
			if !slices.ContainsFunc(n.on, func(p platform) bool { return p.system == anySystem }) {
				return ""
			}
			return fmt.Sprintf("%s for %s in a wheel for any platform", n.Format, orNothing(strings.Join(n.Machines, " and ")))
		})},
		{rule.NativeMachine, rule.Look, "", wheels(func(n native) string { return n.strange(n.on) })},
		{rule.NativeMinimum, rule.Look, "", wheels(func(n native) string { return n.tooNew(n.on) })},
		{rule.NativePath, rule.Look, "", wheels(func(n native) string {
			for _, at := range n.RunPath {
				if n.leadsOut(at) {
					return "libraries looked for in " + orNothing(at)
				}
			}
			return ""
		})},
	}
}

// leadsOut tells whether a loader that follows a path of the library can end
// outside of the wheel.
func (l Library) leadsOut(at string) bool {
	for _, start := range []string{"$ORIGIN", "${ORIGIN}", "@loader_path", "@executable_path"} {
		if rest, ok := strings.CutPrefix(at, start); ok {
			inside := path.Join(path.Dir(l.Path), rest)
			return rest != "" && rest[0] != '/' || inside == ".." || strings.HasPrefix(inside, "../")
		}
	}
	return !strings.HasPrefix(at, "@rpath")
}

// library looks at a file that is machine code.
func (e *examiner) library(p placed, head []byte, v *visitor) {
	format := libraryFormat(head)
	if format == "" {
		return
	}
	file := &reopened{head: head}
	if e.name.Kind == Wheel {
		file.open = v.again
	}
	l, err := readLibrary(p.Path, p.Size, format, file)
	programs := []string{".exe", ".dll", ".pyd", ".sys"}
	if err != nil && format == formatPE && !slices.Contains(programs, strings.ToLower(path.Ext(p.Path))) {
		return // some text that begins with MZ
	}
	judge(e.report, nativeRows(), native{l, e.name.Kind, e.platforms, err}, p.Path)
	if e.libraries++; len(e.contents.Native) < maxLibraries {
		e.contents.Native = append(e.contents.Native, l)
	}
	e.bundled[path.Base(p.Path)] = true
}

// needs judges which libraries must come from somewhere else, once it is known
// which are in the wheel.
func (e *examiner) needs() {
	promises := func(p platform) bool { return p.system == glibc || p.system == musl }
	promised, everywhere := slices.ContainsFunc(e.platforms, promises), onEveryLinux()
	for _, l := range e.contents.Native {
		for _, need := range l.Needs {
			if e.bundled[path.Base(need)] {
				continue
			}
			switch {
			case l.Format == formatELF && promised && !everywhere.MatchString(need):
				e.report.add(rule.NativeNeeds, rule.Look, l.Path, need+", which the platform does not promise", "")
			case l.Format == formatMachO && strings.HasPrefix(need, "/") && !ofMacOS(need):
				e.report.add(rule.NativeNeeds, rule.Look, l.Path, need+", which is no part of macOS", "")
			}
		}
	}
	if more := e.libraries - len(e.contents.Native); more > 0 {
		e.report.add(rule.NativeUnread, rule.Look, "",
			fmt.Sprintf("%d more files of machine code than are listed", more), "")
	}
}

// onEveryLinux matches the libraries that manylinux and musllinux count on
// (auditwheel's policies, PEP 513, 600 and 656).
func onEveryLinux() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(?:ld-linux.*|ld64|libc|libm|libmvec|libdl|librt|libpthread|libutil|libnsl|` +
		`libresolv|libcrypt|libanl|libgcc_s|libstdc\+\+|libatomic|libz|libexpat|libGL|libX11|libXext|libXrender|` +
		`libICE|libSM|libgobject-2\.0|libgthread-2\.0|libglib-2\.0)\.so(?:\.\d+)*|` +
		`(?:libc\.musl|ld-musl)-[a-z0-9_]+\.so\.1)$`)
}

func ofMacOS(path string) bool {
	return strings.HasPrefix(path, "/usr/lib/") || strings.HasPrefix(path, "/System/Library/")
}
