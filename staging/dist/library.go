package dist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Library is machine code in a distribution: an extension module, a shared
// library or a program. What is not there, or cannot be told, is empty.
type Library struct {
	Path     string   `json:"path"`
	Format   string   `json:"format"`   // "ELF", "Mach-O", "PE", "WebAssembly"
	Machines []string `json:"machines"` // "x86_64", "aarch64", …; of a fat file, several
	Needs    []string `json:"needs"`    // libraries that must be found when it is loaded
	RunPath  []string `json:"runPath"`  // where it says they are to be looked for
	Minimum  string   `json:"minimum"`  // "glibc 2.17", "macOS 11.0": the oldest system that it says it runs on
	Size     int64    `json:"size"`

	oldest release // of Minimum
}

// release is a version of a system or its C library, such as 2.17.
type release struct{ major, minor int }

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

func (r release) String() string { return fmt.Sprintf("%d.%d", r.major, r.minor) }

const (
	formatELF   = "ELF"
	formatMachO = "Mach-O"
	formatPE    = "PE"
	formatWASM  = "WebAssembly"
)

// libraryFormat tells from its first bytes what kind of machine code a file is,
// if it is any.
func libraryFormat(head []byte) string {
	for magic, format := range map[string]string{
		"\x7fELF": formatELF, "MZ": formatPE, "\x00asm": formatWASM,
		"\xfe\xed\xfa\xce": formatMachO, "\xfe\xed\xfa\xcf": formatMachO,
		"\xce\xfa\xed\xfe": formatMachO, "\xcf\xfa\xed\xfe": formatMachO,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return format
		}
	}
	// Java's classes begin like fat files, and have their version, 45 or more, where those have their count.
	if len(head) >= 8 && bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")) && binary.BigEndian.Uint32(head[4:]) < 45 {
		return formatMachO
	}
	return ""
}

// readLibrary reads what a loader would read of the machine code in r. It reads
// at most maxLibrary bytes, wherever in the file they are.
func readLibrary(path string, size int64, format string, r io.ReaderAt) (Library, error) {
	l := Library{Path: path, Format: format, Machines: []string{}, Needs: []string{}, RunPath: []string{}, Size: size}
	i := &image{r: r, size: size, left: maxLibrary, order: binary.LittleEndian}
	var err error
	switch format {
	case formatELF:
		err = l.readELF(i)
	case formatMachO:
		err = l.readMachO(i)
	case formatPE:
		err = l.readPE(i)
	case formatWASM:
		l.Machines = append(l.Machines, "wasm32")
	}
	return l, err
}

// Bounds of one library.
const (
	maxLibrary = 8 << 20 // bytes that are read of it
	maxNeeds   = 256     // libraries that it needs, paths, versions
	maxText    = 1024    // bytes of one name
)

// errMachine is of machine code that is not what its first bytes say.
var errMachine = errors.New("headers that lead nowhere")

// image is a file of machine code, of which so many bytes may still be read.
type image struct {
	r     io.ReaderAt
	size  int64
	left  int
	order binary.ByteOrder
}

// bytes reads n bytes at off.
func (i *image) bytes(n int, off int64) ([]byte, error) {
	if n < 0 || n > i.left || off < 0 || off > i.size-int64(n) {
		return nil, errMachine
	}
	i.left -= n
	b := make([]byte, n)
	if _, err := i.r.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// read reads a record of fixed size at off.
func (i *image) read(into any, off int64) error {
	b, err := i.bytes(binary.Size(into), off)
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, i.order, into)
	return err
}

// text reads what stands at off up to a NUL.
func (i *image) text(off int64) (string, error) {
	b, err := i.bytes(int(min(maxText, max(i.size-off, 0))), off)
	if err != nil {
		return "", err
	}
	text, _, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return "", errMachine
	}
	return string(text), nil
}

// reopened serves a file of which the beginning is in memory, and which can be
// read again from its start for what is behind. It does not do so for ever.
type reopened struct {
	head  []byte
	open  func() (io.Reader, error)
	times int
	r     io.Reader
	at    int64
}

// errTooLarge is of a library that was not looked into for its size.
var errTooLarge = errors.New("it is too large to be looked into")

func (f *reopened) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) <= int64(len(f.head)) {
		return copy(b, f.head[off:]), nil
	}
	if f.open == nil {
		return 0, errTooLarge
	}
	if f.r == nil || off < f.at {
		const most = 6 // headers, tables and names lie in a few places
		if f.times++; f.times > most {
			return 0, errTooLarge
		}
		var err error
		if f.r, err = f.open(); err != nil {
			return 0, err
		}
		f.at = 0
	}
	n, err := io.CopyN(io.Discard, f.r, off-f.at)
	if f.at += n; err != nil {
		return 0, err
	}
	m, err := io.ReadFull(f.r, b)
	f.at += int64(m)
	return m, err
}
