package pypitest_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
)

// incompressible is text that gzip cannot shorten much.
func incompressible(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return string(raw)
}

// bomb is a zip that unpacks to much more than its size.
func bomb() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("zeros")
	if err != nil {
		panic(err)
	}
	f.Write(make([]byte, 65<<20))
	w.Close()
	return out.Bytes()
}

// trailing is a zip whose comment is longer than it says, so that bytes are
// left behind its end.
func trailing(content []byte) []byte { return append(bytes.Clone(content), "more"...) }

// zipInGzip is a gzip of nothing with a zip in the extra field of its header.
// What follows the zip is the zip's comment.
func zipInGzip(members ...member) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Extra = zipOf(members...)
	const deflated = 5 + 8 // of nothing: a block, the checksum, the size
	binary.LittleEndian.PutUint16(z.Extra[len(z.Extra)-2:], deflated)
	z.Close()
	return out.Bytes()
}

// zipInTar is a zip whose first member has the rest of a tar header in its name
// and extra field: a checksum without a magic, which is a tar to Python.
func zipInTar(members ...member) []byte {
	const block, sumAt, localHeader = 512, 148, 30
	before := localHeader + len("x")
	extra := make([]byte, block-before)
	binary.LittleEndian.PutUint16(extra, 0x9999)
	binary.LittleEndian.PutUint16(extra[2:], uint16(len(extra)-4))
	copy(extra[sumAt-before:], "        ")
	write := func() []byte {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		w.CreateRaw(&zip.FileHeader{Name: "x", Extra: extra})
		for _, m := range members {
			f, _ := w.CreateRaw(&zip.FileHeader{Name: m.name, CRC32: crc32.ChecksumIEEE([]byte(m.text)),
				CompressedSize64: uint64(len(m.text)), UncompressedSize64: uint64(len(m.text))})
			io.WriteString(f, m.text)
		}
		w.Close()
		return out.Bytes()
	}
	sum := 0
	for _, b := range write()[:block] {
		sum += int(b)
	}
	copy(extra[sumAt-before:], fmt.Sprintf("%06o\x00 ", sum))
	return write()
}
