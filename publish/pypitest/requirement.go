package pypitest

import (
	"regexp"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// requirement is what an index wants to know of a PEP 508 dependency.
type requirement struct {
	name   string
	direct bool // names a URL to get it from, which PyPI does not take
}

// parseRequirement reads "name[extras] (specifiers); marker" or
// "name[extras] @ url ; marker".
func parseRequirement(s string) (requirement, error) {
	form := regexp.MustCompile(`^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*(.*)$`)
	head := form.FindStringSubmatch(s)
	if head == nil || !isProjectName(head[1]) {
		return requirement{}, say("Expected package name at the start of dependency specifier")
	}
	if extras := strings.TrimSpace(head[2]); extras != "" {
		for extra := range strings.SplitSeq(extras, ",") {
			if !isProjectName(strings.TrimSpace(extra)) {
				return requirement{}, say("Expected extra name")
			}
		}
	}
	r := requirement{name: head[1]}
	specifiers, marker, marked := strings.Cut(head[3], ";")
	if address, ok := strings.CutPrefix(head[3], "@"); ok {
		address, marker, marked = strings.Cut(address, " ;")
		if strings.TrimSpace(address) == "" {
			return requirement{}, say("Expected URL after @")
		}
		r.direct, specifiers = true, ""
	}
	specifiers = strings.TrimSpace(specifiers)
	if inner, ok := strings.CutPrefix(specifiers, "("); ok && strings.HasSuffix(inner, ")") {
		specifiers = strings.TrimSuffix(inner, ")")
	}
	if _, ok := normalizeSpecifiers(specifiers); !ok {
		return requirement{}, say("Expected semicolon (after name and no version specifier) or end")
	}
	if marked {
		return r, parseMarker(marker)
	}
	return r, nil
}

// normalizeSpecifiers is a set of version specifiers (PEP 440) without blanks,
// in the order that Python shows it in. The empty set is one.
func normalizeSpecifiers(s string) (normal string, ok bool) {
	form := regexp.MustCompile(`^(~=|===|==|!=|<=|>=|<|>)\s*(\S+)$`)
	var set []string
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		parts := form.FindStringSubmatch(one)
		if parts == nil || !isSpecifier(parts[1], parts[2]) {
			return "", false
		}
		set = append(set, parts[1]+parts[2])
	}
	slices.Sort(set)
	return strings.Join(slices.Compact(set), ","), true
}

// isSpecifier says whether an operator goes with a version: prefixes and local
// versions with == and != only, and ~= wants a second number to keep.
func isSpecifier(operator, version string) bool {
	if operator == "===" {
		return true
	}
	equality := operator == "==" || operator == "!="
	bare, prefix := strings.CutSuffix(version, ".*")
	v, err := pep440.Parse(bare)
	if err != nil || !equality && (prefix || v.Local() != "") || prefix && v.Local() != "" {
		return false
	}
	return operator != "~=" || strings.Contains(v.BaseVersion(), ".")
}

// parseMarker reads an environment marker: comparisons, joined by "and" and
// "or", in parentheses or not.
func parseMarker(s string) error {
	token := regexp.MustCompile(`^\s*(?:("[^"]*"|'[^']*')|([a-z_.]+)|(<=|>=|===|==|!=|~=|<|>)|([()]))`)
	var kinds []byte // q quoted, v variable, o operator, n "not", b "and" and "or"
	for rest := strings.TrimSpace(s); rest != ""; rest = strings.TrimSpace(rest) {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			return say("Expected a marker variable or quoted string: %s", rest)
		}
		kinds = append(kinds, markerKind(m))
		rest = rest[len(m[0]):]
	}
	shape := regexp.MustCompile(`no`).ReplaceAllString(string(kinds), "o")
	for comparison := regexp.MustCompile(`[qv]o[qv]|\(c\)|cbc`); comparison.MatchString(shape); {
		shape = comparison.ReplaceAllString(shape, "c")
	}
	if shape != "c" {
		return say("Expected a marker")
	}
	return nil
}

func markerKind(m []string) byte {
	switch {
	case m[1] != "":
		return 'q'
	case m[2] == "and" || m[2] == "or":
		return 'b'
	case m[2] == "in":
		return 'o'
	case m[2] == "not":
		return 'n'
	case m[2] != "":
		return 'v'
	case m[3] != "":
		return 'o'
	}
	return m[4][0]
}
