package command

import (
	"regexp"
	"strconv"
	"time"

	"github.com/distgate/distgate/publish"
)

// limits are what the index takes at the most: what is known of it, unless the
// policy says otherwise.
func (p policy) limits(index string, l publish.Limits) (publish.Limits, error) {
	t := p.table.Index[index]
	for _, row := range []struct {
		key, value string
		to         *int64
	}{
		{"max-file", t.MaxFile, &l.File},
		{"max-project", t.MaxProject, &l.Project},
	} {
		if row.value == "" {
			continue
		}
		n, ok := sizeOf(row.value)
		if !ok {
			return l, usageError{p.refuse("index."+index+"."+row.key, `a size as "100 MB" or "10 GB"`, row.value)}
		}
		*row.to = n
	}
	if t.Open != "" {
		open, err := time.ParseDuration(t.Open)
		if err != nil || open <= 0 {
			return l, usageError{p.refuse("index."+index+".open", `a time as "336h"`, t.Open)}
		}
		l.Open = open
	}
	return l, nil
}

// sizeOf reads a size as PyPI says them: its MB have 2^20 bytes.
func sizeOf(text string) (bytes int64, ok bool) {
	parts := regexp.MustCompile(`^([1-9][0-9]{0,5}) (MB|GB)$`).FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	return n << map[string]int{"MB": 20, "GB": 30}[parts[2]], err == nil
}
