package dist

import (
	"bytes"
	"io"
	"strconv"

	"github.com/distgate/distgate/staging/rule"
)

// distrust is the hint for what no build backend writes.
const distrust = "No build backend writes this. Look into the build before you build again."

// zipReach is how far from its end a zip file's last record can begin, in bytes:
// the record and the longest comment.
const zipReach = endSize + 1<<16

// notZip refuses a gzipped tar file that is a zip file too. pip asks Python's
// zipfile.is_zipfile before it looks for a tar file, and Warehouse refuses what
// is both.
func notZip(file string, src *source) error {
	tail := make([]byte, min(src.size, zipReach))
	if _, err := src.ReadAt(tail, src.size-int64(len(tail))); err != nil {
		return err
	}
	if bytes.Contains(tail, []byte("PK\x05\x06")) {
		return no(file, rule.ArchiveTwoWays, "a tar file that is not a zip file too", "a zip file's end in it", distrust)
	}
	return nil
}

// notTar refuses a zip file that is a tar file too. A zip file here begins with
// its first member, so that no reader takes it for a compressed tar file; but
// that member can lie so that the first block is a tar header.
func notTar(file string, src *source) error {
	var h tarHeader
	if _, err := src.ReadAt(h[:], 0); err == io.EOF {
		return nil // shorter than a tar file
	} else if err != nil {
		return err
	}
	if h.canBeTar() {
		return no(file, rule.ArchiveTwoWays, "a zip file that is not a tar file too", "a tar header in it", distrust)
	}
	return nil
}

// canBeTar tells whether the most forgiving reader could take the block for a
// header. Python wants no magic, and lets a checksum be signed, binary, and
// written with blanks, NULs, signs and underscores.
func (h *tarHeader) canBeTar() bool {
	field := h.field(sumField)
	plain := bytes.ReplaceAll(field, []byte("_"), nil)
	low := int64(int8(field[5]))<<16 | int64(field[6])<<8 | int64(field[7])
	unsigned, signed := h.sums()
	for _, sum := range []int64{unsigned, signed} {
		digits := strconv.AppendInt(nil, max(sum, -sum), 8)
		if sum != 0 && bytes.Contains(plain, digits) || field[0] >= 0x80 && low == sum {
			return true
		}
	}
	before, _, _ := bytes.Cut(plain, []byte{0})
	return signed == 0 && len(bytes.Trim(before, " \t\n\v\f\r+-0oO")) == 0
}
