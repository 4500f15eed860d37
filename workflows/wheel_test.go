package workflows_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

// release is widget 1.0: two wheels and the sdist.
func release() ([]distribution, error) {
	var files []distribution
	for _, tag := range []string{"py3-none-any", "py3-none-manylinux_2_17_x86_64"} {
		raw, err := wheel("1.0", tag)
		if err != nil {
			return nil, err
		}
		files = append(files, distribution{"widget-1.0-" + tag + ".whl", raw})
	}
	raw, err := sdist("1.0", "the source")
	return append(files, distribution{"widget-1.0.tar.gz", raw}), err
}

// distribution is a file as it comes out of a build.
type distribution struct {
	Name string
	Raw  []byte
}

func metadata(version string) string {
	return "Metadata-Version: 2.1\nName: widget\nVersion: " + version + "\n"
}

func wheel(version, tag string) ([]byte, error) {
	info := "widget-" + version + ".dist-info/"
	return zipped(withRecord(info, [][2]string{
		{"widget.py", strings.Repeat("# "+tag+"\n", 500)},
		{info + "METADATA", metadata(version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + tag + "\n"},
	}))
}

// withRecord adds RECORD, without a line for itself, which it need not have.
func withRecord(info string, members [][2]string) [][2]string {
	lines := ""
	for _, m := range members {
		digest := dist.Sum([]byte(m[1]))
		lines += fmt.Sprintf("%s,sha256=%s,%d\n", m[0], base64.RawURLEncoding.EncodeToString(digest[:]), len(m[1]))
	}
	return append(members, [2]string{info + "RECORD", lines})
}

// zipped stores the members with their sizes before them.
func zipped(members [][2]string) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range members {
		body := []byte(m[1])
		w, err := z.CreateRaw(&zip.FileHeader{Name: m[0], CRC32: crc32.ChecksumIEEE(body),
			CompressedSize64: uint64(len(body)), UncompressedSize64: uint64(len(body))})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

func sdist(version, source string) ([]byte, error) {
	var out bytes.Buffer
	g := gzip.NewWriter(&out)
	t := tar.NewWriter(g)
	top := "widget-" + version + "/"
	for _, m := range [][2]string{{top + "PKG-INFO", metadata(version)}, {top + "widget.py", source}} {
		if err := t.WriteHeader(&tar.Header{Name: m[0], Mode: 0o644, Size: int64(len(m[1]))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(t, m[1]); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err := g.Close()
	return out.Bytes(), err
}
