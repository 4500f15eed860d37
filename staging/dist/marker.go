package dist

import (
	"regexp"
	"strings"
)

// markerWord is a word of an environment marker as packaging reads it: a bracket, a
// joint, a comparison, or what is compared, which is a quoted text or the name of a
// variable (PEP 508).
var markerWord = regexp.MustCompile(`^\s*(?:(\()|(\))|(and\b|or\b)|(===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b)|` +
	`('[^']*'|"[^"]*"|(?:python_version|python_full_version|os[._]name|sys[._]platform|platform_(?:release|system)|` +
	`platform[._](?:version|machine|python_implementation)|python_implementation|implementation_(?:name|version)|` +
	`extras?|dependency_groups)\b))`)

// markerFault reads a marker: VALUE OP VALUE, joined by and, or and brackets.
func markerFault(text string) string {
	const open, closed, joint, comparison, value = 1, 2, 3, 4, 5
	// What may come next, and where it leads: before a value, between two, before
	// the second one, behind it.
	const first, between, second, behind = 0, 1, 2, 3
	next := map[[2]int]int{
		{first, open}: first, {first, value}: between, {between, comparison}: second, {second, value}: behind,
		{behind, joint}: first, {behind, closed}: behind,
	}
	state, depth := first, 0
	for rest := text; strings.TrimSpace(rest) != ""; {
		found := markerWord.FindStringSubmatchIndex(rest)
		if found == nil {
			return text
		}
		word := open
		for found[2*word] < 0 {
			word++
		}
		to, ok := next[[2]int{state, word}]
		switch word {
		case open:
			depth++
		case closed:
			depth--
		}
		if !ok || depth < 0 {
			return text
		}
		state, rest = to, rest[found[1]:]
	}
	if state != behind || depth != 0 {
		return text
	}
	return ""
}
