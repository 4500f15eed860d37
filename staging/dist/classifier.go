package dist

import (
	_ "embed"
	"strings"
)

// The classifiers that PyPI takes, and those that it took once: NAME, a tab and
// what to use instead. New ones come every few weeks, so that one which is not
// here is looked at and not refused.
//
//go:embed classifiers.txt
var classifiers string

const classifiersOf = "trove-classifiers 2026.1.14.14"

func privateClassifier(value string) string {
	if strings.HasPrefix(value, "Private ::") {
		return value + ", which keeps a project off the index"
	}
	return ""
}

func deprecatedClassifier(value string) string {
	note, _ := entryOf(classifiers, value)
	instead, ok := strings.CutPrefix(note, "deprecated")
	if !ok {
		return ""
	}
	if instead = strings.TrimSpace(instead); instead != "" {
		return value + ", which is now " + instead
	}
	return value + ", which nothing takes the place of"
}

func unknownClassifier(value string) string {
	if _, known := entryOf(classifiers, value); known || privateClassifier(value) != "" {
		return ""
	}
	return value + " is not in " + classifiersOf + "; PyPI refuses what it does not know"
}

// entryOf finds a line of a list. Note is what stands behind a tab in it.
func entryOf(list, name string) (note string, known bool) {
	if _, rest, found := strings.Cut(list, "\n"+name+"\t"); found {
		note, _, _ = strings.Cut(rest, "\n")
		return note, true
	}
	return "", !strings.HasPrefix(name, "#") && strings.Contains(list, "\n"+name+"\n")
}
