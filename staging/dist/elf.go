package dist

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// elfFile is an ELF file as its loader sees it: by its segments. Sections are for
// debuggers, and can be missing or say something else.
type elfFile struct {
	*image
	wide  bool // 64 bits
	loads []elf.Prog64
}

// readELF reads PT_DYNAMIC: needed libraries, RPATH, RUNPATH, versions of glibc.
func (l *Library) readELF(i *image) error {
	f := &elfFile{image: i}
	ident, err := i.bytes(elf.EI_NIDENT, 0)
	if err != nil {
		return err
	}
	if elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB {
		i.order = binary.BigEndian
	}
	f.wide = elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS64
	h, err := f.header()
	if err != nil {
		return err
	}
	l.Machines = append(l.Machines, elfMachine(elf.Machine(h.Machine), i.order))
	var dynamic elf.Prog64
	for n := range int64(h.Phnum) {
		p, err := f.program(int64(h.Phoff) + n*int64(h.Phentsize))
		if err != nil {
			return err
		}
		switch elf.ProgType(p.Type) {
		case elf.PT_LOAD:
			f.loads = append(f.loads, p)
		case elf.PT_DYNAMIC:
			dynamic = p
		}
	}
	return l.readDynamic(f, dynamic)
}

func (f *elfFile) header() (h elf.Header64, err error) {
	if f.wide {
		return h, f.read(&h, 0)
	}
	var n elf.Header32
	err = f.read(&n, 0)
	return elf.Header64{Machine: n.Machine, Phoff: uint64(n.Phoff), Phnum: n.Phnum, Phentsize: n.Phentsize}, err
}

func (f *elfFile) program(at int64) (p elf.Prog64, err error) {
	if f.wide {
		return p, f.read(&p, at)
	}
	var n elf.Prog32
	err = f.read(&n, at)
	return elf.Prog64{Type: n.Type, Off: uint64(n.Off), Vaddr: uint64(n.Vaddr), Filesz: uint64(n.Filesz)}, err
}

// entries are the values of the dynamic segment, by tag and in their order.
func (f *elfFile) entries(p elf.Prog64) (map[elf.DynTag][]uint64, error) {
	found := map[elf.DynTag][]uint64{}
	width := 8
	if f.wide {
		width = 16
	}
	b, err := f.bytes(int(min(p.Filesz, maxLibrary)), int64(p.Off))
	for ; len(b) >= width; b = b[width:] {
		tag, value := elf.DynTag(int32(f.order.Uint32(b))), uint64(f.order.Uint32(b[4:]))
		if f.wide {
			tag, value = elf.DynTag(f.order.Uint64(b)), f.order.Uint64(b[8:])
		}
		if tag == elf.DT_NULL {
			break
		}
		if len(found[tag]) < maxNeeds {
			found[tag] = append(found[tag], value)
		}
	}
	return found, err
}

// offset is where in the file an address is, or -1.
func (f *elfFile) offset(address uint64) int64 {
	for _, p := range f.loads {
		if at := address - p.Vaddr; address >= p.Vaddr && at < p.Filesz {
			return int64(p.Off + at)
		}
	}
	return -1
}

func (l *Library) readDynamic(f *elfFile, p elf.Prog64) error {
	if p.Filesz == 0 {
		return nil // a program that needs nothing
	}
	tags, err := f.entries(p)
	if err != nil || len(tags[elf.DT_STRTAB]) == 0 {
		return err
	}
	names := tags[elf.DT_STRTAB][0]
	for tag, list := range map[elf.DynTag]*[]string{
		elf.DT_NEEDED: &l.Needs, elf.DT_RPATH: &l.RunPath, elf.DT_RUNPATH: &l.RunPath,
	} {
		for _, at := range tags[tag] {
			text, err := f.text(f.offset(names + at))
			if err != nil {
				return err
			}
			*list = append(*list, text)
		}
	}
	var paths []string
	for _, path := range l.RunPath {
		paths = append(paths, strings.Split(path, ":")...)
	}
	l.RunPath = append([]string{}, paths...)
	if need := tags[elf.DT_VERNEED]; len(need) > 0 {
		return l.readVersions(f, f.offset(need[0]), names)
	}
	return nil
}

// readVersions finds the newest GLIBC_2.x that is needed.
func (l *Library) readVersions(f *elfFile, at int64, names uint64) error {
	for range maxNeeds {
		var need struct {
			Version, Count  uint16
			File, Aux, Next uint32
		}
		if err := f.read(&need, at); err != nil {
			return err
		}
		one := at + int64(need.Aux)
		for range min(need.Count, maxNeeds) {
			var version struct {
				Hash             uint32
				Flags, Other     uint16
				Name, NextOfSame uint32
			}
			if err := f.read(&version, one); err != nil {
				return err
			}
			name, err := f.text(f.offset(names + uint64(version.Name)))
			if err != nil {
				return err
			}
			l.needsGlibc(name)
			one += int64(version.NextOfSame)
		}
		if need.Next == 0 {
			return nil
		}
		at += int64(need.Next)
	}
	return nil
}

func (l *Library) needsGlibc(version string) {
	var r release
	if n, _ := fmt.Sscanf(version, "GLIBC_%d.%d", &r.major, &r.minor); n == 2 && l.oldest.before(r) {
		l.oldest, l.Minimum = r, "glibc "+r.String()
	}
}

// elfMachine is the name that platform tags have for a machine.
func elfMachine(m elf.Machine, order binary.ByteOrder) string {
	if m == elf.EM_PPC64 && order == binary.ByteOrder(binary.LittleEndian) {
		return "ppc64le"
	}
	tags := map[elf.Machine]string{
		elf.EM_X86_64: "x86_64", elf.EM_386: "i686", elf.EM_AARCH64: "aarch64", elf.EM_ARM: "armv7l",
		elf.EM_PPC64: "ppc64", elf.EM_S390: "s390x", elf.EM_RISCV: "riscv64", elf.EM_LOONGARCH: "loongarch64",
	}
	if name, ok := tags[m]; ok {
		return name
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}
