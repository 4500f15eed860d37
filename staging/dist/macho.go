package dist

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
)

// The load commands that are read, beside those that debug/macho names.
const (
	loadWeak     = 0x80000018
	loadReexport = 0x8000001f
	loadUpward   = 0x80000023
	loadLazy     = 0x20
	loadMinMacOS = 0x24
	loadBuild    = 0x32
	buildMacOS   = 1 // platform of a build
)

// readMachO reads the load commands of a Mach-O file, or of each slice of a fat
// one.
func (l *Library) readMachO(i *image) error {
	head, err := i.bytes(8, 0)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(head) != macho.MagicFat {
		return l.readSlice(i, 0)
	}
	for n := range int64(binary.BigEndian.Uint32(head[4:])) {
		arch, err := i.bytes(20, 8+20*n)
		if err != nil {
			return err
		}
		if err := l.readSlice(i, int64(binary.BigEndian.Uint32(arch[8:]))); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) readSlice(i *image, at int64) error {
	magic, err := i.bytes(4, at)
	if err != nil {
		return err
	}
	i.order = binary.LittleEndian
	if magic[0] == 0xfe {
		i.order = binary.BigEndian
	}
	var h macho.FileHeader
	if err := i.read(&h, at); err != nil {
		return err
	}
	size := int64(28)
	switch h.Magic {
	case macho.Magic64:
		size = 32
	case macho.Magic32:
	default:
		return errMachine
	}
	l.Machines = append(l.Machines, machoMachine(h.Cpu))
	commands, err := i.bytes(int(min(h.Cmdsz, maxLibrary)), at+size)
	if err != nil {
		return err
	}
	for range h.Ncmd {
		if len(commands) < 8 {
			return errMachine
		}
		n := i.order.Uint32(commands[4:])
		if n < 8 || int64(n) > int64(len(commands)) {
			return errMachine
		}
		l.readCommand(i.order, h.Cpu, commands[:n])
		commands = commands[n:]
	}
	return nil
}

// readCommand reads one load command, of 8 bytes or more.
func (l *Library) readCommand(order binary.ByteOrder, cpu macho.Cpu, c []byte) {
	number := func(at int) uint32 {
		if len(c) < at+4 {
			return 0
		}
		return order.Uint32(c[at:])
	}
	switch order.Uint32(c) {
	case uint32(macho.LoadCmdDylib), loadWeak, loadReexport, loadUpward, loadLazy:
		l.Needs = addText(l.Needs, c, number(8))
	case uint32(macho.LoadCmdRpath):
		l.RunPath = addText(l.RunPath, c, number(8))
	case loadMinMacOS:
		l.needsMacOS(cpu, number(8))
	case loadBuild:
		if number(8) == buildMacOS {
			l.needsMacOS(cpu, number(12))
		}
	}
}

// addText adds the text that begins at a place of a command, once.
func addText(list []string, c []byte, at uint32) []string {
	if int64(at) >= int64(len(c)) || len(list) >= maxNeeds {
		return list
	}
	text, _, _ := bytes.Cut(c[at:], []byte{0})
	for _, other := range list {
		if other == string(text) {
			return list
		}
	}
	return append(list, string(text))
}

// needsMacOS takes a version as X.Y.Z in 16, 8 and 8 bits. That a slice for Apple's
// own processors needs the first system that ran on them says nothing of the
// others, for which the tag may promise an older one.
func (l *Library) needsMacOS(cpu macho.Cpu, version uint32) {
	r, first := release{int(version >> 16), int(version >> 8 & 0xff)}, release{11, 0}
	if cpu == macho.CpuArm64 && len(l.Machines) > 1 && !first.before(r) {
		return
	}
	if l.oldest.before(r) {
		l.oldest, l.Minimum = r, "macOS "+r.String()
	}
}

func machoMachine(c macho.Cpu) string {
	names := map[macho.Cpu]string{
		macho.CpuAmd64: "x86_64", macho.CpuArm64: "aarch64", macho.Cpu386: "i686", macho.CpuArm: "arm",
		macho.CpuPpc: "ppc", macho.CpuPpc64: "ppc64",
	}
	if name, ok := names[c]; ok {
		return name
	}
	return c.String()
}
