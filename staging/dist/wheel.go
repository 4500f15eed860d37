package dist

import (
	"bufio"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// readWheel reads the metadata of a wheel: {name}-{version}.dist-info/METADATA,
// where name and version are written as in the file's name (as Warehouse has it).
// Beside it must be WHEEL and RECORD, and no second .dist-info folder.
func readWheel(src *source, name Filename) (Metadata, error) {
	file := name.String()
	info := newInfoFolder(name)
	if err := walkZip(file, src, info.add); err != nil {
		return Metadata{}, err
	}
	for _, want := range []string{"METADATA", "WHEEL", "RECORD"} {
		if !info.has[want] {
			return Metadata{}, no(file, rule.DistInfo, info.folder+"/"+want, "nothing", rebuild)
		}
	}
	if err := notTar(file, src); err != nil {
		return Metadata{}, err
	}
	raw, err := unpack(file, src, info.metadata)
	if err != nil {
		return Metadata{}, err
	}
	return ReadMetadata(file, bytes.NewReader(raw))
}

// infoFolder gathers what a wheel has in its .dist-info folder.
type infoFolder struct {
	file     string
	folder   string // what it must be called
	has      map[string]bool
	folded   map[string]string // path below the folder, by its lower case form
	metadata member
}

func newInfoFolder(name Filename) *infoFolder {
	parts := strings.SplitN(name.String(), "-", 3)
	return &infoFolder{
		file:   name.String(),
		folder: parts[0] + "-" + parts[1] + ".dist-info",
		has:    map[string]bool{},
		folded: map[string]string{},
	}
}

// add looks at one member of the wheel.
func (i *infoFolder) add(m member) error {
	top := topOf(m.name)
	if !strings.HasSuffix(strings.ToLower(top), ".dist-info") {
		return nil
	}
	if top != i.folder {
		return no(i.file, rule.DistInfo, "one .dist-info folder, "+i.folder, top, rebuild)
	}
	path := strings.TrimPrefix(m.name[len(top):], "/")
	key := strings.ToLower(path)
	if other, ok := i.folded[key]; ok {
		return no(i.file, rule.DistInfo, "names in "+top+" that differ by more than case",
			other+" and "+path, rebuild)
	}
	i.folded[key] = path
	i.has[path] = true
	if path == "METADATA" {
		i.metadata = m
	}
	return nil
}

// unpack reads one small member whole and demands the size and the checksum
// that the archive gives.
func unpack(file string, src *source, m member) ([]byte, error) {
	if m.size > maxMetadata {
		return nil, no(file, rule.ArchiveSize, "metadata of at most 16 MiB", "more", rebuild)
	}
	var r io.Reader = bufio.NewReader(io.NewSectionReader(src, m.data, m.packed))
	if m.method == methodDeflated {
		r = flate.NewReader(r)
	}
	raw, err := io.ReadAll(io.LimitReader(r, m.size+1))
	if err != nil || int64(len(raw)) != m.size || crc32.ChecksumIEEE(raw) != m.crc {
		return nil, no(file, rule.Archive, m.name+" with the size and checksum that the archive gives",
			"other bytes", rebuild)
	}
	return raw, nil
}
