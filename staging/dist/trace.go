package dist

import (
	"bytes"
	"io"
	"strings"
)

// Traced is a file or a link of a distribution, with what helps to find it in
// the tree of the source.
type Traced struct {
	Member
	Below  string // its path in the source, as far as the format tells: below the top folder, or where modules go
	Info   bool   // it is in the folder that describes a wheel, .dist-info
	Unix   BlobID // of the content with LF for each CR LF; zero where that is the same, or was not looked at
	Native bool   // its first bytes are those of machine code: ELF, Mach-O, PE or an archive of objects
	Text   []byte // the content, of what was asked for and is not too long; good until the visit returns
}

const (
	maxTraced = 1 << 20 // bytes of a file whose line ends are looked at, or that is asked for
	traceHead = 8       // bytes that tell machine code
)

// Trace is [Walk] for whoever looks for the members in a tree: the texts of the
// paths that texts names are handed along.
func Trace(r io.ReaderAt, f File, texts func(below string) bool, visit func(Traced) error) error {
	name, err := ParseFilename(f.Name())
	if err != nil {
		return err
	}
	stem := ""
	if name.Kind == Wheel {
		stem = strings.TrimSuffix(newInfoFolder(name).folder, ".dist-info")
	}
	src := &source{r: r, size: f.Size()}
	v := &visitor{blobs: true, keep: func(m Member, head []byte) int64 {
		if texts(place(m, stem).below) || bytes.Contains(head, []byte("\r\n")) {
			return min(m.Size, maxTraced)
		}
		return traceHead
	}, visit: func(m Member, kept []byte) error {
		if m.Kind == Folder {
			return nil
		}
		t := traced(place(m, stem), kept)
		if !texts(t.Below) {
			t.Text = nil
		}
		return visit(t)
	}}
	if name.Kind == Wheel {
		err = walkWheel(src, name, v)
	} else {
		_, err = walkSdist(src, name, v)
	}
	return src.or(f, err)
}

func traced(p placed, kept []byte) Traced {
	t := Traced{Member: p.Member, Below: p.below, Info: p.scheme == inInfo, Native: isNative(kept)}
	if p.Kind != PlainFile || int64(len(kept)) != p.Size {
		return t
	}
	t.Text = kept
	if unix := bytes.ReplaceAll(kept, []byte("\r\n"), []byte("\n")); len(unix) != len(kept) {
		t.Unix = blobOf(string(unix))
	}
	return t
}

// isNative tells machine code by how it begins.
func isNative(head []byte) bool {
	for _, magic := range []string{
		"\x7fELF", "MZ", "!<arch>\n", // ELF; PE, and a program of DOS; objects in an archive
		"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", // Mach-O
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}
