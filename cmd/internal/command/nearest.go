package command

import (
	"reflect"
	"slices"
	"strings"
)

// nearestKey is the known key of distgate.toml that takes the fewest changed
// letters.
func nearestKey(unknown string) string {
	known := knownKeys(reflect.TypeFor[policyFile](), "")
	if parts := strings.Split(unknown, "."); len(parts) > 2 {
		name := strings.Join(parts[1:len(parts)-1], ".")
		for i := range known {
			known[i] = strings.Replace(known[i], "NAME", name, 1)
		}
	}
	return slices.MinFunc(known, func(a, b string) int { return distance(a, unknown) - distance(b, unknown) })
}

// knownKeys reads the keys off the structs, so that there is one list of them.
func knownKeys(t reflect.Type, prefix string) (keys []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if name := strings.TrimSuffix(prefix, "."); name != "" && !strings.HasSuffix(name, "NAME") {
		keys = append(keys, name)
	}
	if t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct {
		return append(keys, knownKeys(t.Elem(), prefix+"NAME.")...)
	}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		keys = append(keys, knownKeys(t.Field(i).Type, prefix+t.Field(i).Tag.Get("toml")+".")...)
	}
	return keys
}

// distance is Levenshtein's: the letters to insert, delete or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
