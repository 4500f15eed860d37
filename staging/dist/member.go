package dist

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// Bounds of an archive, zip or tar.
const (
	maxMembers = 100_000  // members
	maxRatio   = 50       // unpacked size to file size, as Warehouse has it for wheels
	freeSize   = 64 << 20 // bytes that may be unpacked whatever the ratio is
)

// maxUnpacked is how many bytes an archive of size bytes may unpack to.
func maxUnpacked(size int64) int64 { return max(freeSize, maxRatio*size) }

// roster judges the names of an archive's members, each against those before
// it. It keeps their digests alone, so that long names cost nothing.
type roster struct {
	file string
	seen map[Digest]bool
}

func newRoster(file string) *roster { return &roster{file: file, seen: map[Digest]bool{}} }

// add takes one more member, or refuses it.
func (r *roster) add(name string) error {
	if len(r.seen) == maxMembers {
		return no(r.file, rule.ArchiveSize, fmt.Sprintf("at most %d members", maxMembers), "more", rebuild)
	}
	if fault := memberFault(name); fault != "" {
		return no(r.file, rule.ArchiveMember, "members with relative paths in UTF-8",
			fault+" in "+clip(name), rebuild)
	}
	if !r.once(strings.TrimSuffix(name, "/")) {
		return no(r.file, rule.ArchiveMember, "one member of each name", "two named "+clip(name), rebuild)
	}
	return nil
}

// once tells whether this is the first time that it is asked for key.
func (r *roster) once(key string) bool {
	digest := Sum([]byte(key))
	if r.seen[digest] {
		return false
	}
	r.seen[digest] = true
	return true
}

// has tells whether key was there before.
func (r *roster) has(key string) bool { return r.seen[Sum([]byte(key))] }

// memberFault says why a member's name is not a relative path that stays inside
// the archive and is shown as what it is, or nothing.
func memberFault(name string) string {
	if !utf8.ValidString(name) {
		return "bytes that are not UTF-8"
	}
	for _, r := range name {
		if breaksLine(r) || r == '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return fmt.Sprintf("the control character U+%04X", r)
		}
	}
	if strings.Contains(name, `\`) || len(name) > 1 && name[1] == ':' {
		return "a Windows path"
	}
	for _, element := range strings.Split(strings.TrimSuffix(name, "/"), "/") {
		switch element {
		case "":
			return "an empty path element"
		case ".", "..":
			return "the path element " + element
		}
	}
	return ""
}

// topOf is the first element of a member's path.
func topOf(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}
