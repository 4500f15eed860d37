package pypitest

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// Signatures of the records of a zip (APPNOTE.TXT 4.3).
const (
	localHeader       = "PK\x03\x04"
	centralHeader     = "PK\x01\x02"
	endRecord         = "PK\x05\x06"
	end64Record       = "PK\x06\x06"
	end64Locator      = "PK\x06\x07"
	extraZIP64        = 0x0001
	extraUnicodePath  = 0x7075
	sizeIsInExtra     = 0xffffffff
	hasDataDescriptor = 1 << 3
)

var errMalformedZip = say("Malformed zip file")

// checkFraming wants a zip that reads the same from its beginning, record by
// record, as from the directory at its end, so that no two installers unpack
// different files from it.
func checkFraming(file io.ReaderAt, size int64, directory *zip.Reader) error {
	f := &framing{
		in:      bufio.NewReader(io.NewSectionReader(file, 0, size)),
		size:    size,
		members: map[string]memberSize{},
		local:   map[string]bool{}, central: map[string]bool{},
		directoryAt: -1, end64At: -1, located64: -1,
	}
	for _, m := range directory.File {
		f.members[m.Name] = memberSize{int64(m.CompressedSize64), int64(m.UncompressedSize64)}
	}
	for !f.ended {
		if err := f.record(); err != nil {
			return err
		}
	}
	if len(f.central) != len(f.local) {
		return say("Mis-matched local headers and central directory")
	}
	if f.at != size {
		return say("Trailing data")
	}
	return nil
}

type memberSize struct{ packed, unpacked int64 }

// framing is where the walk through a zip has got to.
type framing struct {
	in       *bufio.Reader
	at, size int64
	members  map[string]memberSize // by the directory, as readers see it

	local, central map[string]bool // names seen
	records        int64           // of the directory
	directoryAt    int64           // where the directory begins; -1 before it was seen
	directorySize  int64
	end64At        int64 // where the ZIP64 end record was; -1 without
	located64      int64 // where its locator says it is; -1 without
	end            endOfDirectory
	ended          bool
}

// endOfDirectory is what an end record says of the directory.
type endOfDirectory struct{ records, size, at int64 }

func (f *framing) record() error {
	signature, err := f.read(4)
	if err != nil {
		return err
	}
	if string(signature) == endRecord && f.end64At >= 0 && f.located64 < 0 {
		return errMalformedZip
	}
	switch string(signature) {
	case localHeader:
		return f.localFile()
	case centralHeader:
		return f.centralFile()
	case end64Record:
		f.end64At = f.at - 4
		return f.readEnd64()
	case end64Locator:
		raw, err := f.read(16)
		if err == nil {
			f.located64 = int64(binary.LittleEndian.Uint64(raw[4:]))
		}
		return err
	case endRecord:
		return f.readEnd()
	}
	return say("Unknown record signature")
}

// read takes the next n bytes.
func (f *framing) read(n int64) ([]byte, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(f.in, raw); err != nil {
		return nil, errMalformedZip
	}
	f.at += n
	return raw, nil
}

// skip passes n bytes, and ends at the end of the file if there are fewer.
func (f *framing) skip(n int64) error {
	if n < 0 {
		return say("Negative offset")
	}
	passed, err := io.CopyN(io.Discard, f.in, n)
	f.at += passed
	if err == io.EOF {
		f.at += n - passed
		return nil
	}
	return err
}

func (f *framing) localFile() error {
	head, err := f.read(26)
	if err != nil {
		return err
	}
	flags, method := binary.LittleEndian.Uint16(head[2:]), binary.LittleEndian.Uint16(head[4:])
	said := memberSize{
		packed:   int64(binary.LittleEndian.Uint32(head[14:])),
		unpacked: int64(binary.LittleEndian.Uint32(head[18:])),
	}
	name, extra, err := f.nameAndExtra(head[22:])
	if err != nil {
		return err
	}
	if said, err = readExtras(extra, method, said); err != nil {
		return err
	}
	if flags&hasDataDescriptor != 0 {
		return say("ZIP contains a data descriptor")
	}
	if !utf8.ValidString(name) {
		return say("Filename not unicode")
	}
	want, ok := f.members[name]
	switch {
	case !ok:
		return say("Filename not in central directory")
	case want.packed != said.packed:
		return say("Mis-matched data size")
	case want.unpacked != said.unpacked:
		return say("Mis-matched file size")
	}
	if err := f.skip(said.packed); err != nil {
		return err
	}
	if f.local[name] {
		return say("Duplicate filename in local headers")
	}
	f.local[name] = true
	return nil
}

// nameAndExtra reads the two fields whose lengths stand in head.
func (f *framing) nameAndExtra(head []byte) (name string, extra []byte, err error) {
	raw, err := f.read(int64(binary.LittleEndian.Uint16(head)))
	if err != nil {
		return "", nil, err
	}
	extra, err = f.read(int64(binary.LittleEndian.Uint16(head[2:])))
	if err == nil && hasControl(raw) {
		err = say("Invalid character in filename")
	}
	return string(raw), extra, err
}

func hasControl(name []byte) bool {
	for _, b := range name {
		if b < 0x20 || b == 0x7f {
			return true
		}
	}
	return false
}

// readExtras reads the extra fields of a local header: the sizes of a ZIP64
// member, and a second name.
func readExtras(extra []byte, method uint16, said memberSize) (memberSize, error) {
	seen := map[uint16]bool{}
	for len(extra) > 0 {
		if len(extra) < 4 {
			return said, errMalformedZip
		}
		id, length := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if len(extra) < 4+length {
			return said, errMalformedZip
		}
		if seen[id] && (id == extraZIP64 || id == extraUnicodePath) {
			return said, say("Invalid duplicate extra in local file")
		}
		seen[id] = true
		data := extra[4 : 4+length]
		var err error
		switch id {
		case extraZIP64:
			said, err = readZIP64(data, method, said)
		case extraUnicodePath:
			err = checkUnicodePath(data)
		}
		if err != nil {
			return said, err
		}
		extra = extra[4+length:]
	}
	return said, nil
}

func readZIP64(data []byte, method uint16, said memberSize) (memberSize, error) {
	switch len(data) {
	case 0:
		if said.packed == sizeIsInExtra || said.unpacked == sizeIsInExtra {
			return said, errMalformedZip
		}
	case 8:
		if method != zip.Store {
			return said, errMalformedZip
		}
		said.packed = int64(binary.LittleEndian.Uint64(data))
		if said.unpacked == sizeIsInExtra {
			said.unpacked = said.packed
		}
	case 16, 24, 28:
		if said.unpacked == sizeIsInExtra {
			said.unpacked = int64(binary.LittleEndian.Uint64(data))
		}
		said.packed = int64(binary.LittleEndian.Uint64(data[8:]))
	default:
		return said, errMalformedZip
	}
	return said, nil
}

func checkUnicodePath(data []byte) error {
	if len(data) < 5 {
		return nil
	}
	if hasControl(data[5:]) {
		return say("Invalid character in filename")
	}
	if !utf8.Valid(data[5:]) {
		return say("Filename not valid UTF-8")
	}
	return nil
}

func (f *framing) centralFile() error {
	if f.directoryAt < 0 {
		f.directoryAt = f.at - 4
	}
	f.records++
	head, err := f.read(42)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint16(head[28:]) != 0 {
		return say("Comment in central directory")
	}
	name, extra, err := f.nameAndExtra(head[24:])
	if err != nil {
		return err
	}
	f.directorySize += 46 + int64(len(name)) + int64(len(extra))
	if f.central[name] {
		return say("Duplicate filename in central directory")
	}
	if !f.local[name] {
		return say("Missing filename in local headers")
	}
	f.central[name] = true
	return nil
}

func (f *framing) readEnd64() error {
	raw, err := f.read(52)
	if err != nil {
		return err
	}
	f.end = endOfDirectory{
		records: int64(binary.LittleEndian.Uint64(raw[28:])),
		size:    int64(binary.LittleEndian.Uint64(raw[36:])),
		at:      int64(binary.LittleEndian.Uint64(raw[44:])),
	}
	if binary.LittleEndian.Uint64(raw[20:]) != binary.LittleEndian.Uint64(raw[28:]) {
		return errMalformedZip
	}
	if binary.LittleEndian.Uint64(raw) != 44 {
		return say("ZIP64 extensible data not allowed")
	}
	return nil
}

func (f *framing) readEnd() error {
	if f.directoryAt < 0 {
		f.directoryAt = f.at - 4
	}
	raw, err := f.read(18)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint16(raw[4:]) != binary.LittleEndian.Uint16(raw[6:]) {
		return errMalformedZip
	}
	if f.end64At < 0 || f.located64 < 0 {
		f.end = endOfDirectory{
			records: int64(binary.LittleEndian.Uint16(raw[6:])),
			size:    int64(binary.LittleEndian.Uint32(raw[8:])),
			at:      int64(binary.LittleEndian.Uint32(raw[12:])),
		}
	}
	if err := f.skip(int64(binary.LittleEndian.Uint16(raw[16:]))); err != nil {
		return err
	}
	f.ended = true
	switch {
	case f.end.records != f.records:
		return say("Mismatched central directory records")
	case f.end.at != f.directoryAt:
		return say("Mismatched central directory offset")
	case f.end.size != f.directorySize:
		return say("Mismatched central directory size")
	}
	return nil
}
