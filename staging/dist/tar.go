package dist

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// A tar file is blocks of 512 bytes: of each member a header, the content, and
// zeros up to the next block, and after the last member two blocks of zeros.
// Its readers forgive much, and not the same: a size that one reads is 0 to the
// next, which then finds members inside of a member. tarReader forgives nothing.
// It takes headers in the forms that tar writers make (POSIX's ustar with PAX
// records, and GNU's with long names), which every reader reads in one way.
type tarReader struct {
	file string
	r    io.Reader
	left int64 // content of this member that was not read yet
	pad  int64 // zeros after it
}

// tarMember is one file, folder or link in a tar file.
type tarMember struct {
	name string
	kind byte // a type flag of archive/tar, TypeReg of all files
	size int64
	mode uint32
	link string // where a link leads
}

// member is m as it is shown to those who walk.
func (m tarMember) member() Member {
	kinds := map[byte]MemberKind{
		tar.TypeReg: PlainFile, tar.TypeDir: Folder, tar.TypeSymlink: Symlink, tar.TypeLink: HardLink,
	}
	found := Member{Path: strings.TrimSuffix(m.name, "/"), Kind: kinds[m.kind], Mode: permissions(m.mode), Size: m.size}
	if found.Kind == Symlink || found.Kind == HardLink {
		found.Link = m.link
	}
	return found
}

const (
	tarBlock     = 512
	maxExtension = 1 << 20 // bytes of a long name, or of the PAX records of one member
)

// next is the next member. After the last one it is io.EOF, once nothing but
// zeros has followed.
func (t *tarReader) next() (tarMember, error) {
	var ext extension
	for {
		var h tarHeader
		if err := t.skip(); err != nil {
			return tarMember{}, err
		}
		if _, err := io.ReadFull(t.r, h[:]); err != nil {
			return tarMember{}, t.broken(err)
		}
		if h == (tarHeader{}) {
			return tarMember{}, t.end(ext)
		}
		m, err := t.read(&h)
		if err != nil {
			return tarMember{}, err
		}
		if !isExtension(m.kind) {
			return t.apply(ext, m)
		}
		if err := t.extend(&ext, m); err != nil {
			return tarMember{}, err
		}
	}
}

// read judges one header, and makes what follows it the content.
func (t *tarReader) read(h *tarHeader) (tarMember, error) {
	if !h.isTar() {
		return tarMember{}, no(t.file, rule.Archive, "tar headers with their checksums, as POSIX or GNU has them",
			"another block", rebuild)
	}
	m := h.member()
	if fault := kindFault(m.kind); fault != "" {
		return tarMember{}, t.misplaced(fault, m)
	}
	if fault := h.fault(); fault != "" {
		return tarMember{}, t.ambiguous("tar headers in the forms that tar writers make", fault, m)
	}
	m.size, _ = parseOctal(h.field(sizeField))
	t.left, t.pad = m.size, -m.size&(tarBlock-1)
	return m, nil
}

// content is the content of the member that next gave.
func (t *tarReader) content() ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(t.r, t.left))
	if err == nil && int64(len(raw)) < t.left {
		err = io.EOF
	}
	t.left = 0
	if err != nil {
		return nil, t.broken(err)
	}
	return raw, nil
}

// copy writes the content of the member that next gave.
func (t *tarReader) copy(w io.Writer) error {
	n, err := io.CopyN(w, t.r, t.left)
	if t.left -= n; err != nil {
		return t.broken(err)
	}
	return nil
}

// skip passes what is left of a member. Python reads PAX records and long names
// on into the padding, so that must be zeros.
func (t *tarReader) skip() error {
	if _, err := io.CopyN(io.Discard, t.r, t.left); err != nil {
		return t.broken(err)
	}
	var zeros [tarBlock]byte
	if _, err := io.ReadFull(t.r, zeros[:t.pad]); err != nil {
		return t.broken(err)
	}
	t.left, t.pad = 0, 0
	if zeros != [tarBlock]byte{} {
		return no(t.file, rule.ArchiveTwoWays, "zeros between the members", "other bytes", distrust)
	}
	return nil
}

// end demands a second block of zeros, and nothing but zeros after it: some
// tools stop at the first, and some go on.
func (t *tarReader) end(ext extension) error {
	if ext.kinds != "" {
		return no(t.file, rule.Archive, "a member after what is said of one", "the end", rebuild)
	}
	buf := make([]byte, 32<<10)
	for size := 0; ; {
		n, err := t.r.Read(buf)
		size += n
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return no(t.file, rule.Archive, "nothing after the end of the tar file", "more bytes", rebuild)
		}
		if err == io.EOF && size >= tarBlock && size%tarBlock == 0 {
			return io.EOF
		}
		if err != nil {
			return t.broken(err)
		}
	}
}

// extend reads the content of an extension.
func (t *tarReader) extend(ext *extension, m tarMember) error {
	if !ext.admits(m.kind) {
		return t.ambiguous("one name of each member", "another", m)
	}
	if m.size > maxExtension {
		return no(t.file, rule.ArchiveSize, fmt.Sprintf("names and records of at most %d bytes", maxExtension),
			"more", rebuild)
	}
	raw, err := t.content()
	if err != nil {
		return err
	}
	ext.kinds += string(m.kind)
	if m.kind == tar.TypeGNULongName || m.kind == tar.TypeGNULongLink {
		return t.long(ext, m, strings.TrimSuffix(string(raw), "\x00"))
	}
	records, fault := paxRecords(string(raw))
	if fault != "" {
		return t.ambiguous("PAX records as POSIX has them, of one value each", fault, m)
	}
	for key := range records {
		if fault := recordFault(m.kind, key); fault != "" {
			return t.misplaced(fault, m)
		}
	}
	if m.kind == tar.TypeXHeader {
		ext.name, ext.size = records["path"], records["size"]
		if link := records["linkpath"]; link != "" {
			ext.link = link
		}
	}
	return nil
}

func (t *tarReader) long(ext *extension, m tarMember, name string) error {
	if name == "" || strings.Contains(name, "\x00") {
		return t.ambiguous("a long name that ends where it ends", "NUL", m)
	}
	if m.kind == tar.TypeGNULongName {
		ext.name = name
	} else {
		ext.link = name
	}
	return nil
}

// apply gives a member the name that stands before it, and judges the whole.
func (t *tarReader) apply(ext extension, m tarMember) (tarMember, error) {
	if ext.name != "" {
		m.name = ext.name
	}
	if ext.link != "" {
		m.link = ext.link
	}
	if ext.size != "" && ext.size != strconv.FormatInt(m.size, 10) {
		return tarMember{}, t.ambiguous("one size of each member", "another in its PAX records", m)
	}
	if m.kind != tar.TypeReg && m.size != 0 {
		return tarMember{}, t.ambiguous("folders and links without content", "content", m)
	}
	if m.kind != tar.TypeDir && strings.HasSuffix(m.name, "/") {
		return tarMember{}, t.ambiguous("folders with names of folders", "another member", m)
	}
	return m, nil
}

func (t *tarReader) ambiguous(want, got string, m tarMember) error {
	return no(t.file, rule.ArchiveTwoWays, want, fmt.Sprintf("%s in %q", got, clip(m.name)), distrust)
}

func (t *tarReader) misplaced(fault string, m tarMember) error {
	return no(t.file, rule.ArchiveMember, "files, folders and links",
		fmt.Sprintf("%s %q", fault, clip(m.name)), rebuild)
}

func (t *tarReader) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return notSdist(t.file, err)
}

// kindFault says why a member is of a kind that has no place in an sdist, or
// nothing. Warehouse refuses sparse members; devices and pipes are refused by
// every installer (PEP 721); what the others are, readers do not agree upon.
func kindFault(kind byte) string {
	switch kind {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
		return ""
	}
	if isExtension(kind) {
		return ""
	}
	return fmt.Sprintf("a member of type %q", kind)
}

// extension is what stands before a member and speaks of it: GNU's long name
// and link, or PAX records, and before these a global header.
type extension struct {
	kinds string // type flags, in their order
	name  string // or ""
	size  string // or ""
	link  string // or ""
}

func isExtension(kind byte) bool {
	switch kind {
	case tar.TypeXHeader, tar.TypeXGlobalHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
		return true
	}
	return false
}

// admits tells whether another extension can follow. Where a long name meets a
// PAX path, archive/tar takes the long name, and tarfile whichever comes first.
func (e extension) admits(kind byte) bool {
	switch kind {
	case tar.TypeXGlobalHeader:
		return e.kinds == ""
	case tar.TypeXHeader:
		return e.kinds == "" || e.kinds == string(tar.TypeXGlobalHeader)
	}
	return !strings.ContainsAny(e.kinds, string(tar.TypeXHeader)+string(kind))
}

// recordFault says why a PAX record has no place in an sdist, or nothing. A
// global header may carry the commit that git archive writes, and nothing that
// would rename what comes after it.
func recordFault(kind byte, key string) string {
	if strings.HasPrefix(key, "GNU.sparse.") {
		return "a sparse file"
	}
	if kind == tar.TypeXGlobalHeader && key != "comment" {
		return "a global header with " + clip(key)
	}
	return ""
}

// paxRecords reads records "LENGTH KEY=VALUE\n" up to the last byte, or says
// what is wrong. An empty value takes the field away, or makes it empty. Python
// finds hdrcharset in the middle of a value too.
func paxRecords(text string) (records map[string]string, fault string) {
	records = map[string]string{}
	for len(text) > 0 {
		digits, _, _ := strings.Cut(text, " ")
		size, err := strconv.Atoi(digits)
		if err != nil || strconv.Itoa(size) != digits || size <= len(digits) || size > len(text) {
			return nil, "another length"
		}
		record, whole := strings.CutSuffix(text[len(digits)+1:size], "\n")
		key, value, ok := strings.Cut(record, "=")
		_, again := records[key]
		switch {
		case !whole || !ok || !only(key, isPrintable) || key == "hdrcharset":
			return nil, "another record"
		case value == "" || !utf8.ValidString(value) || strings.ContainsAny(value, "\x00\n"):
			return nil, "another value of " + clip(key)
		case again:
			return nil, "two values of " + clip(key)
		}
		records[key] = value
		text = text[size:]
	}
	return records, ""
}
