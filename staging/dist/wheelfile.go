package dist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// wheelInfo is WHEEL: its fields by name, and the file's name.
type wheelInfo struct {
	name   Filename
	fields map[string][]string
}

// readWheelFile reads lines NAME: VALUE up to the first empty one.
func readWheelFile(name Filename, raw []byte) wheelInfo {
	w := wheelInfo{name, map[string][]string{}}
	for line := range strings.Lines(string(raw)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if !ok {
			break
		}
		key = strings.ToLower(key)
		w.fields[key] = append(w.fields[key], strings.TrimSpace(value))
	}
	return w
}

// wheelRows are the rules for WHEEL.
func wheelRows() []row[wheelInfo] {
	return []row[wheelInfo]{
		{rule.WheelFile, rule.Refuse, "one Wheel-Version, 1.x", func(w wheelInfo) string {
			got := w.fields["wheel-version"]
			if len(got) == 1 && strings.HasPrefix(got[0], "1.") {
				return ""
			}
			return orNothing(strings.Join(got, " and "))
		}},
		{rule.WheelFile, rule.Refuse, "one Root-Is-Purelib, true or false", func(w wheelInfo) string {
			got := w.fields["root-is-purelib"]
			if len(got) == 1 && slices.Contains([]string{"true", "false"}, strings.ToLower(got[0])) {
				return ""
			}
			return orNothing(strings.Join(got, " and "))
		}},
		{rule.WheelFile, rule.Refuse, "the build tag of the file name", func(w wheelInfo) string {
			got := w.fields["build"]
			if len(got) == 0 || len(got) == 1 && got[0] == w.name.Build {
				return ""
			}
			return strings.Join(got, " and ")
		}},
		{rule.WheelTags, rule.Refuse, "the tags of the file name in WHEEL", wheelTags},
	}
}

// wheelTags says which tags WHEEL has and the file name has not, or the other
// way round. Some backends write the tags as they stand in the name.
func wheelTags(w wheelInfo) string {
	want, got := map[Tag]bool{}, map[Tag]bool{}
	for _, tag := range w.name.Tags() {
		want[tag] = true
	}
	for _, line := range w.fields["tag"] {
		parts := strings.Split(line, "-")
		if len(parts) != 3 || len(line) > maxName {
			return "the tag " + orNothing(line)
		}
		for _, tag := range (Filename{Kind: Wheel, Python: parts[0], ABI: parts[1], Platform: parts[2]}).Tags() {
			if got[tag] = true; !want[tag] {
				return fmt.Sprintf("the tag %s-%s-%s", tag.Python, tag.ABI, tag.Platform)
			}
		}
	}
	for _, tag := range w.name.Tags() {
		if !got[tag] {
			return fmt.Sprintf("no tag %s-%s-%s", tag.Python, tag.ABI, tag.Platform)
		}
	}
	return ""
}
