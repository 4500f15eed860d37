package dist

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Likeness is how like two builds of one distribution are.
type Likeness string

const (
	Identical  Likeness = "identical"  // byte for byte
	Normalised Likeness = "normalised" // but for times, order, ownership and compression
	Different  Likeness = "different"
)

// Unlike is a member in which two builds differ. A build that has it not says
// "nothing".
type Unlike struct {
	Path string `json:"path"`
	One  string `json:"one"` // "file, 12 bytes, mode 0644, sha256:…"
	Two  string `json:"two"`
}

// Compare reads two builds of one distribution to their ends, and lists every
// member in which they differ: in kind, content, permissions, or where a link
// leads. Folders count as nothing by themselves. A wheel's RECORD, which differs
// where anything does, comes last. It needs memory for the members'
// names, and none for what is in them.
func Compare(a io.ReaderAt, one File, b io.ReaderAt, two File) (Likeness, []Unlike, error) {
	if one.Digest() == two.Digest() && one.Size() == two.Size() {
		return Identical, nil, nil
	}
	was, err := memberLines(a, one)
	if err != nil {
		return "", nil, err
	}
	is, err := memberLines(b, two)
	if err != nil {
		return "", nil, err
	}
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	var list []Unlike
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] != is[path] {
			list = append(list, Unlike{path, orNothing(was[path].String()), orNothing(is[path].String())})
		}
	}
	slices.SortStableFunc(list, func(a, b Unlike) int { return consequence(a.Path) - consequence(b.Path) })
	if len(list) == 0 {
		return Normalised, nil, nil
	}
	return Different, list, nil
}

// consequence is 1 of a member that differs because others do.
func consequence(path string) int {
	if top, name, _ := strings.Cut(path, "/"); name == "RECORD" && strings.HasSuffix(top, ".dist-info") {
		return 1
	}
	return 0
}

// memberLines are the members by their paths, without what a build may choose.
func memberLines(r io.ReaderAt, f File) (map[string]Member, error) {
	lines := map[string]Member{}
	err := Walk(r, f, func(m Member) error {
		if m.Kind != Folder {
			m.Blob = BlobID{}
			if m.Kind != PlainFile {
				m.Mode = 0 // of a link, which has none of its own
			}
			lines[m.Path] = m
		}
		return nil
	})
	return lines, err
}

// String is the member without its path.
func (m Member) String() string {
	switch m.Kind {
	case "":
		return ""
	case PlainFile:
		return fmt.Sprintf("%s, %d bytes, mode %04o, %s", m.Kind, m.Size, m.Mode, m.Digest)
	}
	return fmt.Sprintf("%s to %s", m.Kind, clip(m.Link))
}
