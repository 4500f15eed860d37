package dist

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEntryPoints bounds entry_points.txt, in bytes.
const maxEntryPoints = 1 << 20

// readEntryPoints reads entry_points.txt as Python's configparser does, or says
// what is wrong with it: sections of NAME = OBJECT lines, more indented lines
// going on with the one before.
//
// https://packaging.python.org/specifications/entry-points
func readEntryPoints(raw []byte) (points []EntryPoint, fault string) {
	if len(raw) > maxEntryPoints {
		return nil, fmt.Sprintf("more than %d bytes", maxEntryPoints)
	}
	if !utf8.Valid(raw) {
		return nil, "bytes that are not UTF-8"
	}
	group, seen := "", map[[2]string]bool{}
	for line := range strings.Lines(string(raw)) {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if last := len(points) - 1; last >= 0 && points[last].Group == group && (line[0] == ' ' || line[0] == '\t') {
			points[last].Object += " " + text
			continue
		}
		point := EntryPoint{}
		if header, ok := sectionHeader(text); ok {
			group = header
		} else if point, fault = entryPoint(group, text); fault != "" {
			return nil, fault
		} else {
			points = append(points, point)
		}
		key := [2]string{group, point.Name}
		if seen[key] {
			return nil, "two of " + clip(text)
		}
		seen[key] = true
	}
	return points, ""
}

func sectionHeader(text string) (group string, ok bool) {
	if text[0] != '[' {
		return "", false
	}
	group, _, ok = strings.Cut(text[1:], "]")
	return group, ok && group != ""
}

func entryPoint(group, text string) (p EntryPoint, fault string) {
	name, object, ok := strings.Cut(text, "=")
	p = EntryPoint{Group: group, Name: strings.TrimSpace(name), Object: strings.TrimSpace(object)}
	switch {
	case group == "":
		return p, "a line before the first section"
	case !ok || p.Name == "" || p.Object == "":
		return p, "a line without NAME = OBJECT: " + clip(text)
	case p.isCommand() && strings.ContainsFunc(p.Name, notInName):
		return p, "a command with a name that is none: " + clip(p.Name)
	}
	return p, ""
}

func (p EntryPoint) isCommand() bool { return p.Group == "console_scripts" || p.Group == "gui_scripts" }

// notInName is what Warehouse does not take in the name of a command.
func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-", r)
}
