package dist

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// A zip file says everything twice: each member has a header before its data,
// and the directory at the end says the same again. Some tools believe the one
// and some the other. zipReader reads both, a member at a time, and refuses the
// file where they differ, where they leave a byte unaccounted for, and where
// Warehouse's utils/zipfiles.py would.
type zipReader struct {
	file    string
	src     *source
	names   *roster
	members []member
	total   int64         // unpacked size
	buf     []byte        // a name and an extra
	header  *bufio.Reader // of one local header: it, its name and its extra in one read
}

// span is the bytes from start up to end.
type span struct{ start, end int64 }

// member is one file or folder in a zip file.
type member struct {
	name         string
	flags        uint16
	method       uint16
	needed       uint16 // version of the format, times ten
	crc          uint32
	packed, size int64  // bytes in the file, and unpacked
	header       int64  // where its local header begins
	data         int64  // where its data begin
	mode         uint32 // of the system that made it, as POSIX has it; 0 if that had none
}

// maxDirectory bounds the directory of a zip file, in bytes. The largest wheels
// have some 15,000 members and 2 MiB.
const maxDirectory = 32 << 20

const (
	methodStored   = 0
	methodDeflated = 8

	flagLevels = 1<<1 | 1<<2 // how hard deflate tried
	flagLater  = 1 << 3      // size and checksum follow the data
	flagUTF8   = 1 << 11     // the name is UTF-8

	madeOnUnix = 3 // in the upper byte of the version that made it
	madeOnMac  = 19

	extraZip64   = 0x0001
	extraUnicode = 0x7075 // another name for the member
)

// The records of APPNOTE.TXT, sections 4.3.7 and 4.3.12 to 4.3.16.
type (
	localRecord struct {
		Signature                         uint32
		Needed, Flags, Method, Time, Date uint16
		CRC, Packed, Size                 uint32
		Name, Extra                       uint16
	}
	entryRecord struct {
		Signature                               uint32
		Made, Needed, Flags, Method, Time, Date uint16
		CRC, Packed, Size                       uint32
		Name, Extra, Comment, Disk, Internal    uint16
		External, Header                        uint32
	}
	endRecord struct {
		Signature                           uint32
		Disk, DirDisk, DiskRecords, Records uint16
		DirSize, DirOffset                  uint32
		Comment                             uint16
	}
	locatorRecord struct {
		Signature, Disk uint32
		Offset          uint64
		Disks           uint32
	}
	end64Record struct {
		Signature                                uint32
		Size                                     uint64
		Made, Needed                             uint16
		Disk, DirDisk                            uint32
		DiskRecords, Records, DirSize, DirOffset uint64
	}
)

const (
	localSize, localSignature     = 30, 0x04034b50
	entrySize, entrySignature     = 46, 0x02014b50
	endSize, endSignature         = 22, 0x06054b50
	locatorSize, locatorSignature = 20, 0x07064b50
	end64Size, end64Signature     = 56, 0x06064b50
)

// readZip reads every member's headers, without its content, and demands that
// the members account for every byte of the file. They are in the order in which
// they lie there.
func readZip(file string, src *source) ([]member, error) {
	z := &zipReader{file: file, src: src, names: newRoster(file), header: bufio.NewReaderSize(nil, 256)}
	records, dir, err := z.directory()
	if err != nil {
		return nil, err
	}
	section := bufio.NewReaderSize(io.NewSectionReader(src, dir.start, dir.end-dir.start), 64<<10)
	for range records {
		m, err := z.member(section)
		if err != nil {
			return nil, err
		}
		z.members = append(z.members, m)
	}
	if _, err := section.ReadByte(); err != io.EOF {
		return nil, z.refuse("a directory of as many members as it counts", "bytes after the last one")
	}
	return z.members, z.account(dir.start)
}

func (z *zipReader) refuse(want, got string) error {
	return no(z.file, rule.Archive, want, got, rebuild)
}

// record reads one of the records above, of size bytes, at off.
func (z *zipReader) record(into any, size int, off int64) error {
	return z.decode(into, size, io.NewSectionReader(z.src, off, int64(size)))
}

func (z *zipReader) decode(into any, size int, r io.Reader) error {
	b, err := z.bytes(size, r)
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, binary.LittleEndian, into)
	return err
}

// bytes reads n bytes, which stay good until the next call.
func (z *zipReader) bytes(n int, r io.Reader) ([]byte, error) {
	z.buf = slices.Grow(z.buf[:0], n)[:n]
	if _, err := io.ReadFull(r, z.buf); err != nil {
		return nil, z.refuse("a whole zip file", "a truncated one")
	}
	return z.buf, nil
}

// directory finds the directory from the records at the end of the file. They
// must be the last bytes, without a comment, and the directory must lie right
// before them.
func (z *zipReader) directory() (records int, dir span, err error) {
	at := z.src.size - endSize
	if at < 0 {
		return 0, span{}, z.refuse("a zip file", fmt.Sprintf("%d bytes", z.src.size))
	}
	var end endRecord
	if err := z.record(&end, endSize, at); err != nil {
		return 0, span{}, err
	}
	if end.Signature != endSignature || end.Comment != 0 {
		return 0, span{}, z.refuse("a zip file that ends with its directory", "other bytes at the end")
	}
	full := end64Record{
		Disk: uint32(end.Disk), DirDisk: uint32(end.DirDisk), DiskRecords: uint64(end.DiskRecords),
		Records: uint64(end.Records), DirSize: uint64(end.DirSize), DirOffset: uint64(end.DirOffset),
	}
	if at, err = z.directory64(&full, at); err != nil {
		return 0, span{}, err
	}
	switch {
	case full.Disk != 0 || full.DirDisk != 0 || full.DiskRecords != full.Records:
		return 0, span{}, z.refuse("a zip file in one part", "one of many")
	case full.Records > maxMembers || full.DirSize > maxDirectory:
		return 0, span{}, no(z.file, rule.ArchiveSize,
			fmt.Sprintf("at most %d members and a directory of %d bytes", maxMembers, maxDirectory),
			fmt.Sprintf("%d and %d", full.Records, full.DirSize), rebuild)
	case full.DirOffset > uint64(at) || full.DirOffset+full.DirSize != uint64(at):
		return 0, span{}, z.refuse("a directory right before the end of the file",
			fmt.Sprintf("%d bytes at %d of %d", full.DirSize, full.DirOffset, z.src.size))
	}
	return int(full.Records), span{int64(full.DirOffset), at}, nil
}

// directory64 replaces short by the ZIP64 record, if there is one before at,
// and returns where the records at the end begin.
func (z *zipReader) directory64(short *end64Record, at int64) (int64, error) {
	if at < locatorSize+end64Size {
		return at, nil
	}
	var locator locatorRecord
	if err := z.record(&locator, locatorSize, at-locatorSize); err != nil {
		return 0, err
	}
	if locator.Signature != locatorSignature {
		return at, nil
	}
	at -= locatorSize + end64Size
	var full end64Record
	if err := z.record(&full, end64Size, at); err != nil {
		return 0, err
	}
	const rest = end64Size - 12 // the size that the record gives leaves out its first 12 bytes
	if locator.Disk != 0 || locator.Disks != 1 || locator.Offset != uint64(at) ||
		full.Signature != end64Signature || full.Size != rest {
		return 0, z.refuse("one ZIP64 record without extensions", "another")
	}
	if !agrees(short.Records, full.Records, math.MaxUint16) ||
		!agrees(short.DirSize, full.DirSize, math.MaxUint32) ||
		!agrees(short.DirOffset, full.DirOffset, math.MaxUint32) {
		return 0, z.refuse("one directory", "two that differ")
	}
	*short = full
	return at, nil
}

// agrees tells whether a short field says the same as its long one, or that it
// is too short to say it.
func agrees(short, full, limit uint64) bool { return short == full || short == limit }

// member reads the next entry of the directory and the local header that it
// points to.
func (z *zipReader) member(directory io.Reader) (member, error) {
	var e entryRecord
	if err := z.decode(&e, entrySize, directory); err != nil {
		return member{}, err
	}
	if e.Signature != entrySignature || e.Comment != 0 || e.Disk != 0 {
		return member{}, z.refuse("directory entries of one file without comments", "another record")
	}
	b, err := z.bytes(int(e.Name)+int(e.Extra), directory)
	if err != nil {
		return member{}, err
	}
	m := member{
		name: string(b[:e.Name]), flags: e.Flags, method: e.Method, needed: e.Needed & 0xff, crc: e.CRC,
		packed: int64(e.Packed), size: int64(e.Size), header: int64(e.Header),
	}
	if e.Made>>8 == madeOnUnix || e.Made>>8 == madeOnMac {
		m.mode = e.External >> 16
	}
	field, err := z.zip64(b[e.Name:], m.name)
	if err != nil {
		return member{}, err
	}
	if err := z.widen(&m, field); err != nil {
		return member{}, err
	}
	if err := z.judge(m); err != nil {
		return member{}, err
	}
	if err := z.local(&m); err != nil {
		return member{}, err
	}
	return m, nil
}

// zip64 is the ZIP64 field among the extra fields of a record. A field that is
// there twice, or that gives the member another name, is refused.
func (z *zipReader) zip64(extra []byte, name string) (field []byte, err error) {
	seen := map[uint16]bool{}
	for len(extra) > 0 {
		if len(extra) < 4 {
			return nil, z.refuse("whole extra fields", "a part of one in "+clip(name))
		}
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if len(extra) < n || seen[id] || id == extraUnicode {
			return nil, z.refuse("each extra field once, and whole, and no second name",
				fmt.Sprintf("a field 0x%04x in %s", id, clip(name)))
		}
		if seen[id] = true; id == extraZip64 {
			field = extra[:n]
		}
		extra = extra[n:]
	}
	return field, nil
}

// widen takes the fields that do not fit into an entry of the directory from its
// ZIP64 field, which has those alone and in this order.
func (z *zipReader) widen(m *member, field []byte) error {
	for _, narrow := range []*int64{&m.size, &m.packed, &m.header} {
		if *narrow == math.MaxUint32 && len(field) >= 8 {
			*narrow = int64(binary.LittleEndian.Uint64(field))
			field = field[8:]
		}
	}
	if len(field) > 0 {
		return z.refuse("a ZIP64 field of what does not fit, and no more", "another in "+clip(m.name))
	}
	return nil
}

// widenLocal does so for a local header, whose ZIP64 field has both sizes, even
// where they would fit.
func (z *zipReader) widenLocal(m *member, field []byte) error {
	if len(field) == 0 {
		return nil
	}
	if len(field) != 16 {
		return z.refuse("a ZIP64 field of both sizes", "another in "+clip(m.name))
	}
	size, packed := binary.LittleEndian.Uint64(field), binary.LittleEndian.Uint64(field[8:])
	if !agrees(uint64(m.size), size, math.MaxUint32) || !agrees(uint64(m.packed), packed, math.MaxUint32) {
		return z.refuse("one size", "two that differ in "+clip(m.name))
	}
	m.size, m.packed = int64(size), int64(packed)
	return nil
}

const sizesFirst = "sizes and checksums before the data, not in data descriptors after them"

// judge applies the rules of one entry. A new rule is one new row.
func (z *zipReader) judge(m member) error {
	ascii := !slices.ContainsFunc([]byte(m.name), func(c byte) bool { return c >= utf8.RuneSelf })
	rows := []struct {
		want string
		ok   bool
		got  string
	}{
		{sizesFirst, m.flags&flagLater == 0, "a data descriptor"},
		{"members that are neither encrypted nor patched",
			m.flags&^(flagLevels|flagLater|flagUTF8) == 0, "another flag"},
		{"names that are ASCII or marked as UTF-8", ascii || m.flags&flagUTF8 != 0, "an unmarked one"},
		{"members that are stored or deflated",
			m.method == methodStored || m.method == methodDeflated, "another method"},
		{"files and folders, not links or devices", slices.Contains([]uint32{0, 0o100000, 0o040000}, m.mode&0o170000),
			"another kind of member"},
		{"folders without content", !strings.HasSuffix(m.name, "/") || m.size == 0, "content"},
		{"members of at most version 6.3, as Python reads", m.needed <= 63, "a later version"},
		{"stored members of one size", m.method != methodStored || m.packed == m.size, "two sizes"},
		{"members within the file", 0 <= m.size && 0 <= m.packed && m.packed <= z.src.size &&
			0 <= m.header && m.header <= z.src.size, "sizes beyond it"},
	}
	for _, row := range rows {
		if !row.ok {
			return z.refuse(row.want, row.got+" in "+clip(m.name))
		}
	}
	if limit := maxUnpacked(z.src.size); m.size > limit-z.total {
		return no(z.file, rule.ArchiveSize, fmt.Sprintf("at most %d bytes unpacked", limit), "more", rebuild)
	}
	z.total += m.size
	return z.names.add(m.name)
}

// local reads the header before the member's data, which must say what the
// directory says.
func (z *zipReader) local(m *member) error {
	z.header.Reset(io.NewSectionReader(z.src, m.header, z.src.size-m.header))
	var h localRecord
	if err := z.decode(&h, localSize, z.header); err != nil {
		return err
	}
	b, err := z.bytes(int(h.Name)+int(h.Extra), z.header)
	if err != nil {
		return err
	}
	again := member{
		name: string(b[:h.Name]), flags: h.Flags, method: h.Method, needed: m.needed, crc: h.CRC,
		packed: int64(h.Packed), size: int64(h.Size), header: m.header, mode: m.mode,
	}
	field, err := z.zip64(b[h.Name:], again.name)
	if err != nil {
		return err
	}
	if err := z.widenLocal(&again, field); err != nil {
		return err
	}
	if again.flags&flagLater != 0 {
		return z.refuse(sizesFirst, "a data descriptor after "+clip(again.name))
	}
	if h.Signature != localSignature || again != *m {
		return z.refuse("a header before "+clip(m.name)+" that says what the directory says", "another")
	}
	m.data = m.header + localSize + int64(len(b))
	return nil
}

// account demands that the members fill the file from its first byte up to the
// directory: nothing before, between or after them, and no byte in two of them.
func (z *zipReader) account(directory int64) error {
	slices.SortFunc(z.members, func(a, b member) int { return cmp.Compare(a.header, b.header) })
	var at int64
	for i := range len(z.members) + 1 {
		next := span{directory, directory}
		if i < len(z.members) {
			m := z.members[i]
			next = span{m.header, m.data + m.packed}
		}
		if next.start != at {
			return z.refuse("members that account for every byte of the file",
				fmt.Sprintf("bytes %d to %d of no member or of two", min(at, next.start), max(at, next.start)))
		}
		at = next.end
	}
	return nil
}
