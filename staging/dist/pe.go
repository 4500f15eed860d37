package dist

import (
	"debug/pe"
	"encoding/binary"
	"fmt"
)

// peFile is a PE file with its sections.
type peFile struct {
	*image
	sections []pe.SectionHeader32
}

// readPE reads the machine and the names of imported DLLs. A file that begins as
// DOS programs do and is no PE file is a program for DOS.
func (l *Library) readPE(i *image) error {
	f := &peFile{image: i}
	var at uint32
	if err := i.read(&at, 0x3c); err != nil {
		return err
	}
	signature, err := i.bytes(4, int64(at))
	if err != nil || string(signature) != "PE\x00\x00" {
		return errMachine
	}
	var h pe.FileHeader
	if err := i.read(&h, int64(at)+4); err != nil {
		return err
	}
	l.Machines = append(l.Machines, peMachine(h.Machine))
	options := int64(at) + 4 + int64(binary.Size(h))
	directories, err := f.directories(options, int(h.SizeOfOptionalHeader))
	if err != nil {
		return err
	}
	f.sections = make([]pe.SectionHeader32, h.NumberOfSections)
	if err := i.read(f.sections, options+int64(h.SizeOfOptionalHeader)); err != nil {
		return err
	}
	if managed := directories[pe.IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR]; managed.Size > 0 {
		l.Machines = []string{} // .NET code runs on any; the header says i386
	}
	return l.readImports(f, directories[pe.IMAGE_DIRECTORY_ENTRY_IMPORT])
}

// directories are the last part of the optional header.
func (f *peFile) directories(at int64, size int) (d [16]pe.DataDirectory, err error) {
	b, err := f.bytes(size, at)
	if err != nil {
		return d, err
	}
	const pe32, pe32plus = 0x10b, 0x20b
	begin := map[uint16]int{pe32: 96, pe32plus: 112}
	if len(b) < 2 || begin[f.order.Uint16(b)] == 0 {
		return d, errMachine
	}
	for i := range d {
		from := begin[f.order.Uint16(b)] + 8*i
		if len(b) < from+8 {
			break
		}
		d[i] = pe.DataDirectory{VirtualAddress: f.order.Uint32(b[from:]), Size: f.order.Uint32(b[from+4:])}
	}
	return d, nil
}

// offset is where in the file an address is, or -1.
func (f *peFile) offset(address uint32) int64 {
	for _, s := range f.sections {
		if at := address - s.VirtualAddress; address >= s.VirtualAddress && at < s.SizeOfRawData {
			return int64(s.PointerToRawData) + int64(at)
		}
	}
	return -1
}

// readImports reads records of 20 bytes, up to one of zeros.
func (l *Library) readImports(f *peFile, d pe.DataDirectory) error {
	if d.VirtualAddress == 0 {
		return nil
	}
	at := f.offset(d.VirtualAddress)
	for range maxNeeds {
		var imported struct{ Lookup, Time, Forwarder, Name, Addresses uint32 }
		if err := f.read(&imported, at); err != nil {
			return err
		}
		if imported.Name == 0 {
			return nil
		}
		name, err := f.text(f.offset(imported.Name))
		if err != nil {
			return err
		}
		l.Needs = append(l.Needs, name)
		at += int64(binary.Size(imported))
	}
	return nil
}

func peMachine(m uint16) string {
	names := map[uint16]string{
		pe.IMAGE_FILE_MACHINE_AMD64: "x86_64", pe.IMAGE_FILE_MACHINE_I386: "i686",
		pe.IMAGE_FILE_MACHINE_ARM64: "aarch64", pe.IMAGE_FILE_MACHINE_ARMNT: "armv7l",
	}
	if name, ok := names[m]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", m)
}
