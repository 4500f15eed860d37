package dist_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// program is an ELF library of one segment.
type program struct {
	machine elf.Machine
	needs   []string
	runpath string
	glibc   string
}

// bytes lays the library out: header, two program headers, dynamic entries,
// versions, names.
func (p program) bytes() string {
	const segments, dynamic = 64, 64 + 2*56
	texts := "\x00"
	text := func(s string) uint64 {
		at := len(texts)
		texts += s + "\x00"
		return uint64(at)
	}
	var tags []uint64
	for _, need := range p.needs {
		tags = append(tags, uint64(elf.DT_NEEDED), text(need))
	}
	if p.runpath != "" {
		tags = append(tags, uint64(elf.DT_RUNPATH), text(p.runpath))
	}
	versions := dynamic + 8*(len(tags)+6)
	tags = append(tags, uint64(elf.DT_VERNEED), uint64(versions), uint64(elf.DT_STRTAB), uint64(versions+32), 0, 0)
	var out bytes.Buffer
	put := func(v any) { binary.Write(&out, binary.LittleEndian, v) }
	glibc := uint32(text(p.glibc))
	whole := uint64(versions + 32 + len(texts))
	put(elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_DYN), Machine: uint16(p.machine),
		Phoff: segments, Phnum: 2, Phentsize: 56})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: whole})
	put(elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: dynamic, Filesz: uint64(8 * len(tags))})
	put(tags)
	put(struct {
		Version, Count  uint16
		File, Aux, Next uint32
	}{1, 1, 0, 16, 0})
	put([]uint32{0, 0, glibc, 0})
	out.WriteString(texts)
	return out.String()
}

// machO is a library of one machine, with one load command of each kind.
func machO(cpu uint32, minimum uint32, needs, path string) string {
	var out bytes.Buffer
	put := func(v any) { binary.Write(&out, binary.LittleEndian, v) }
	command := func(kind uint32, text string) []byte {
		var c bytes.Buffer
		body := append([]byte(text), 0)
		binary.Write(&c, binary.LittleEndian, []uint32{kind, uint32(24 + len(body)), 24, 0, 0, 0})
		c.Write(body)
		return c.Bytes()
	}
	library, rpath := command(0xc, needs), []byte(nil)
	count := uint32(2)
	if path != "" {
		body := append([]byte(path), 0)
		rpath = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(
			binary.LittleEndian.AppendUint32(nil, 0x8000001c), uint32(12+len(body))), 12)
		rpath, count = append(rpath, body...), 3
	}
	put([]uint32{0xfeedfacf, cpu, 0, 6, count, uint32(24 + len(library) + len(rpath)), 0, 0})
	put([]uint32{0x32, 24, 1, minimum, 0, 0})
	out.Write(library)
	out.Write(rpath)
	return out.String()
}

func TestMachineCodeFitsItsWheel(t *testing.T) {
	const cpuAMD64, cpuARM64 = 0x01000007, 0x0100000c
	fine := program{machine: elf.EM_X86_64, needs: []string{"libc.so.6", "libm.so.6"}, glibc: "GLIBC_2.17", runpath: "$ORIGIN/../widget.libs"}
	with := func(change func(*program)) string {
		p := fine
		change(&p)
		return p.bytes()
	}
	mac := machO(cpuARM64, 11<<16, "/usr/lib/libSystem.B.dylib", "@loader_path/.dylibs")
	const linux, darwin = "manylinux_2_17_x86_64", "macosx_11_0_arm64"
	for name, c := range map[string]struct {
		platform, code string
		want           rule.ID // nothing, if all is in order
	}{
		"a library":            {linux, fine.bytes(), ""},
		"of another machine":   {linux, with(func(p *program) { p.machine = elf.EM_AARCH64 }), rule.NativeMachine},
		"of another system":    {linux, mac, rule.NativeMachine},
		"for any":              {"any", fine.bytes(), rule.NativeAny},
		"newer glibc":          {linux, with(func(p *program) { p.glibc = "GLIBC_2.28" }), rule.NativeMinimum},
		"glibc of a newer tag": {"manylinux_2_28_x86_64", with(func(p *program) { p.glibc = "GLIBC_2.28" }), ""},
		"two tags, one true":   {linux + ".manylinux_2_28_x86_64", with(func(p *program) { p.glibc = "GLIBC_2.28" }), ""},
		"one's own glibc":      {linux, with(func(p *program) { p.glibc = "GLIBC_PRIVATE" }), ""},
		"absolute path":        {linux, with(func(p *program) { p.runpath = "$ORIGIN:/home/runner/lib" }), rule.NativePath},
		"path out":             {linux, with(func(p *program) { p.runpath = "$ORIGIN/../../x" }), rule.NativePath},
		"an empty path":        {linux, with(func(p *program) { p.runpath = "$ORIGIN:" }), rule.NativePath},
		"a path beside":        {linux, with(func(p *program) { p.runpath = "$ORIGINevil" }), rule.NativePath},
		"needs another":        {linux, with(func(p *program) { p.needs = []string{"libevil.so.1"} }), rule.NativeNeeds},
		"needs Python":         {linux, with(func(p *program) { p.needs = []string{"libpython3.13.so.1.0"} }), rule.NativeNeeds},
		"needs its own":        {linux, with(func(p *program) { p.needs = []string{"lib.so"} }), ""},
		"anything on linux":    {"linux_armv7l", with(func(p *program) { p.machine = elf.EM_ARM; p.needs = []string{"libx.so"} }), ""},
		"musl":                 {"musllinux_1_2_x86_64", with(func(p *program) { p.needs = []string{"libc.musl-x86_64.so.1"}; p.glibc = "" }), ""},

		"macOS":                  {darwin, mac, ""},
		"macOS, another":         {darwin, machO(cpuAMD64, 11<<16, "/usr/lib/libSystem.B.dylib", ""), rule.NativeMachine},
		"half of universal2":     {"macosx_11_0_universal2", mac, rule.NativeMachine},
		"a newer macOS":          {darwin, machO(cpuARM64, 14<<16, "/usr/lib/libSystem.B.dylib", ""), rule.NativeMinimum},
		"needs from brew":        {darwin, machO(cpuARM64, 11<<16, "/opt/homebrew/lib/libomp.dylib", ""), rule.NativeNeeds},
		"an absolute rpath":      {darwin, machO(cpuARM64, 11<<16, "/usr/lib/libSystem.B.dylib", "/opt/lib"), rule.NativePath},
		"headers to nowhere":     {linux, fine.bytes()[:100], rule.NativeUnread},
		"a program that is none": {"win_amd64", "MZ" + strings.Repeat("x", 100), rule.NativeUnread},
	} {
		tag := "py3-none-" + c.platform
		tags := ""
		for _, one := range strings.Split(c.platform, ".") {
			tags += "Tag: py3-none-" + one + "\n"
		}
		got, err := examine(t, "widget-1.0-"+tag+".whl", wheelWith(t,
			entry{name: "widget/lib.exe", body: c.code}, entry{name: "widget/lib.so", body: fine.bytes()[:64]},
			entry{name: "widget-1.0.dist-info/WHEEL", body: "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n" + tags}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		about := slices.DeleteFunc(got.Findings, func(f rule.Finding) bool { return f.Where != "widget/lib.exe" })
		if len(about) > 1 || (len(about) == 1) != (c.want != "") || len(about) == 1 && about[0].Rule != c.want {
			t.Errorf("%s: want %q, got %+v", name, c.want, about)
		}
		if len(got.Native) == 0 || got.Native[0].Path != "widget/lib.exe" {
			t.Errorf("%s: it is not listed: %+v", name, got.Native)
		}
	}
}

func TestMachineCodeInAnSdistIsLookedAt(t *testing.T) {
	code := program{machine: elf.EM_X86_64}.bytes()
	got, err := examine(t, sdistName, sdistWith(t, entry{name: "widget-1.0/tests/bad-3-corrupt_lzma2.xz", body: code}))
	if err != nil || !finds(got, rule.NativeSource, rule.Look) {
		t.Errorf("got %+v, %v", got.Findings, err)
	}
}

// A library that is larger than what is kept of it is read again for the rest.
func TestALargeLibraryIsReadAgain(t *testing.T) {
	p := program{machine: elf.EM_X86_64, needs: []string{"libevil.so"}, glibc: "GLIBC_2.17"}
	small := p.bytes()
	// The dynamic segment and all behind it move to the end of 20 MiB.
	const dynamic, gap = 64 + 2*56, 20 << 20
	head := []byte(small[:dynamic])
	binary.LittleEndian.PutUint64(head[64+8:], gap)            // where what is loaded lies
	binary.LittleEndian.PutUint64(head[64+56+8:], dynamic+gap) // where its entries lie
	noise := strings.Repeat("0123456789abcdef", gap/16)
	body := string(head) + noise + small[dynamic:]
	got, err := examine(t, "widget-1.0-py3-none-manylinux_2_17_x86_64.whl", wheelWith(t,
		entry{name: "widget/lib.so", body: body},
		entry{name: "widget-1.0.dist-info/WHEEL", body: strings.Replace(wheelFile, "any", "manylinux_2_17_x86_64", 1)}))
	if err != nil || len(got.Native) != 1 || !slices.Equal(got.Native[0].Needs, p.needs) {
		t.Errorf("got %+v, %v", got.Native, err)
	}
}

func TestBundledSBOMsAreListed(t *testing.T) {
	const folder = "widget-1.0.dist-info/sboms/"
	for name, c := range map[string]struct {
		body string
		want *dist.SBOM // nil of one that cannot be read
	}{
		"cyclonedx.json": {`{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components":
			[{"type": "library", "name": "openblas", "version": "0.3.30"}]}`,
			&dist.SBOM{Format: "CycloneDX", Version: "1.6", Components: 1, Names: []string{"openblas 0.3.30"}}},
		"cyclonedx.xml": {`<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1">
			<components><component type="library"><name>zlib</name><version>1.3</version></component></components></bom>`,
			&dist.SBOM{Format: "CycloneDX", Version: "1.5", Components: 1, Names: []string{"zlib 1.3"}}},
		"spdx.json": {`{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "widget",
			"packages": [{"name": "libpng", "SPDXID": "SPDXRef-a", "versionInfo": "1.6", "downloadLocation": "NONE"}]}`,
			&dist.SBOM{Format: "SPDX", Version: "2.3", Components: 1, Names: []string{"libpng 1.6"}}},
		"a.spdx": {"SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: widget\n" +
			"DocumentNamespace: https://example.org/a\nPackageName: libpng\nSPDXID: SPDXRef-b\nPackageVersion: 1.6\n",
			&dist.SBOM{Format: "SPDX", Version: "2.3", Components: 1, Names: []string{"libpng 1.6"}}},
		"other.json":  {`{"bomFormat": "Other"}`, nil},
		"broken.json": {`{"bomFormat": "CycloneDX", `, nil},
		"empty":       {"", nil},
		"text":        {"openblas 0.3.30\n", nil},
		"deep.json":   {`{"bomFormat":` + strings.Repeat("[", 100_000), nil},
		"huge.json":   {`{"bomFormat": "CycloneDX", "specVersion": "1.6"}` + strings.Repeat(" ", 5<<20), nil},
	} {
		got, err := examine(t, wheelName, wheelWith(t, entry{name: folder + name, body: c.body}))
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == nil:
			if len(got.SBOMs) > 0 || !finds(got, rule.SBOMUnread, rule.Look) {
				t.Errorf("%s: got %+v", name, got)
			}
		default:
			c.want.Path = folder + name
			if len(got.SBOMs) != 1 || fmt.Sprint(got.SBOMs[0]) != fmt.Sprint(*c.want) || len(got.Findings) > 0 {
				t.Errorf("%s: want %+v, got %+v %+v", name, *c.want, got.SBOMs, got.Findings)
			}
		}
	}
}
