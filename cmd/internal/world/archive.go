package world

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"
)

// wheel makes the wheel for one tag, such as "py3-none-any".
func wheel(version, tag string) (File, error) {
	name := Project + "-" + version + "-" + tag + ".whl"
	raw, err := zipped(recorded(wheelOf(version, tag)))
	return File{name, raw}, describe(name, err)
}

// wheelOf is what is in a wheel, but for RECORD.
func wheelOf(version, tag string) []member {
	platform := tag[strings.LastIndex(tag, "-")+1:]
	info := Project + "-" + version + ".dist-info/"
	return append(module(version, platform),
		member{info + "METADATA", metadata(version)},
		member{info + "WHEEL", fmt.Sprintf(wheelFile, platform == "any", tag)},
		member{info + "entry_points.txt", entryPoints},
		member{info + "licenses/LICENSE", license},
	)
}

// recorded adds RECORD, beside METADATA.
func recorded(members []member) []member {
	at := slices.IndexFunc(members, func(m member) bool { return strings.HasSuffix(m.path, ".dist-info/METADATA") })
	self := strings.TrimSuffix(members[at].path, "METADATA") + "RECORD"
	return append(members, member{self, record(members, self)})
}

const wheelFile = `Wheel-Version: 1.0
Generator: widget 1
Root-Is-Purelib: %t
Tag: %s
`

// record is RECORD: every member with its digest and size, and itself without.
func record(members []member, self string) string {
	var out strings.Builder
	for _, m := range members {
		digest := sha256.Sum256([]byte(m.body))
		fmt.Fprintf(&out, "%s,sha256=%s,%d\n", m.path,
			base64.RawURLEncoding.EncodeToString(digest[:]), len(m.body))
	}
	fmt.Fprintf(&out, "%s,,\n", self)
	return out.String()
}

// firstDay is 1980-01-01, the first that zip knows.
const firstDay = 1<<5 | 1

// zipped stores the members uncompressed, so that the bytes do not depend on a
// compressor, and with their sizes in front of them.
func zipped(members []member) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range members {
		h := &zip.FileHeader{
			Name:               m.path,
			CRC32:              crc32.ChecksumIEEE([]byte(m.body)),
			CompressedSize64:   uint64(len(m.body)),
			UncompressedSize64: uint64(len(m.body)),
		}
		h.SetMode(0o644)
		//lint:ignore SA1019 CreateRaw takes the time from nowhere else
		h.ModifiedDate = firstDay
		w, err := z.CreateRaw(h)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// sdist makes the source distribution (PEP 625).
func sdist(version string) (File, error) {
	name := Project + "-" + version
	raw, err := tarred(name+"/", sdistOf(version))
	return File{name + ".tar.gz", raw}, describe(name+".tar.gz", err)
}

// sdistOf is what is in an sdist, below its folder.
func sdistOf(version string) []member {
	return append([]member{
		{"PKG-INFO", metadata(version)},
		{"pyproject.toml", pyproject(version)},
		{"README.md", readme},
		{"LICENSE", license},
	}, module(version, "any")...)
}

// tarred puts the members into one folder of a gzipped tar file, uncompressed as
// in zipped.
func tarred(top string, members []member) ([]byte, error) {
	var out bytes.Buffer
	g, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(g)
	for _, m := range members {
		if err := t.WriteHeader(&tar.Header{
			Name: top + m.path, Mode: 0o644, Size: int64(len(m.body)),
			ModTime: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), Format: tar.FormatUSTAR,
		}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(t, m.body); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err = g.Close()
	return out.Bytes(), err
}
