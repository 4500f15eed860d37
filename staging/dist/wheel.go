package dist

import (
	"bytes"
	"io"
	"io/fs"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// wheel is a zip file whose members were judged by their headers.
type wheel struct {
	file    string
	src     *source
	members []member // in the order of the file
	info    *infoFolder
}

// openWheel judges the headers of a wheel. There must be
// {name}-{version}.dist-info/METADATA, where name and version are written as in
// the file's name (as Warehouse has it), beside it WHEEL and RECORD, and no second
// .dist-info folder.
func openWheel(src *source, name Filename) (*wheel, error) {
	file := name.String()
	members, err := readZip(file, src)
	if err != nil {
		return nil, err
	}
	w := &wheel{file, src, members, newInfoFolder(name)}
	for _, m := range members {
		if err := w.info.add(m); err != nil {
			return nil, err
		}
	}
	for _, want := range []string{"METADATA", "WHEEL", "RECORD"} {
		if _, ok := w.info.has[want]; !ok {
			return nil, no(file, rule.DistInfo, w.info.folder+"/"+want, "nothing", rebuild)
		}
	}
	return w, notTar(file, src)
}

// walk hands every member to the visitor.
func (w *wheel) walk(v *visitor) error {
	u := newUnpacker(w.file, w.src)
	for _, m := range w.members {
		found := Member{Path: strings.TrimSuffix(m.name, "/"), Mode: permissions(m.mode), Size: m.size, Kind: PlainFile}
		if strings.HasSuffix(m.name, "/") {
			found.Kind = Folder
			if err := v.visit(found, nil); err != nil {
				return err
			}
			continue
		}
		v.again = func() (io.Reader, error) { return newUnpacker(w.file, w.src).open(m) }
		c := v.begin(found)
		if err := u.unpack(m, c); err != nil {
			return err
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	return nil
}

// permissions are the bits of a POSIX mode that say who may do what.
func permissions(mode uint32) fs.FileMode {
	m := fs.FileMode(mode) & fs.ModePerm
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= flag
		}
	}
	return m
}

// small reads one member of the .dist-info folder whole.
func (w *wheel) small(name string) ([]byte, error) {
	m := w.info.has[name]
	if m.size > maxMetadata {
		return nil, no(w.file, rule.ArchiveSize, "a "+name+" of at most 16 MiB", "more", rebuild)
	}
	v := &visitor{keep: func(m Member, _ []byte) int64 { return m.Size }}
	c := v.begin(Member{Path: m.name, Size: m.size})
	err := newUnpacker(w.file, w.src).unpack(m, c)
	return c.kept, err
}

func (w *wheel) metadata() (Metadata, error) {
	raw, err := w.small("METADATA")
	if err != nil {
		return Metadata{}, err
	}
	return ReadMetadata(w.file, bytes.NewReader(raw))
}

// infoFolder gathers what a wheel has in its .dist-info folder.
type infoFolder struct {
	file   string
	folder string // what it must be called
	has    map[string]member
	folded map[string]string // path below the folder, by its lower case form
}

func newInfoFolder(name Filename) *infoFolder {
	parts := strings.SplitN(name.String(), "-", 3)
	return &infoFolder{
		file:   name.String(),
		folder: parts[0] + "-" + parts[1] + ".dist-info",
		has:    map[string]member{},
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
	i.has[path] = m
	return nil
}
