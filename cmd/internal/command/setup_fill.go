package command

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distgate/distgate/workflows/template"
)

// fillIns are the lines of the policy that a person fills in: of those that are
// marked, the ones that have no value yet.
func fillIns(policy template.File) (open []string) {
	lines := strings.Split(string(policy.Text), "\n")
	for i, line := range lines {
		before, what, marked := strings.Cut(line, "# "+template.FillIn)
		key, value, _ := strings.Cut(before, "=")
		if key = strings.TrimSpace(key); !marked || strings.TrimSpace(value) != "" && strings.TrimSpace(value) != `""` {
			continue
		}
		table, hasKeys := tableAround(lines, i)
		switch {
		case key == "" && hasKeys:
			continue
		case key == "":
			key = "[" + table + "]"
		case table != "":
			key = table + "." + key
		}
		open = append(open, fmt.Sprintf("%s:%d %s%s", policy.Path, i+1, key, what))
	}
	return open
}

// tableAround is the table that a line stands in, and whether it has a key.
func tableAround(lines []string, at int) (name string, hasKeys bool) {
	header := regexp.MustCompile(`^\s*\[+([^\[\]]+)\]`)
	first := at
	for first > 0 && !header.MatchString(lines[first]) {
		first--
	}
	if m := header.FindStringSubmatch(lines[first]); m != nil {
		name = m[1]
	}
	for _, line := range lines[first+1:] {
		text := strings.TrimSpace(line)
		if header.MatchString(line) {
			break
		}
		hasKeys = hasKeys || text != "" && !strings.HasPrefix(text, "#")
	}
	return name, hasKeys
}
