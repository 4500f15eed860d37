package dist

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/distgate/distgate/staging/rule"
)

// MaxSize is the size beyond which a distribution is not taken in, in bytes.
// PyPI's own cap for one file is 1 GiB; other indexes take larger ones.
const MaxSize int64 = 4 << 30

// File is a file whose bytes were hashed here. Only [Copy] makes one, so
// whoever holds a File knows that some bytes had this name, size and digest.
// It is comparable, and encodes as {}: a proof does not survive a process.
type File struct {
	name   string
	digest Digest
	size   int64
}

// Name is the file's base name, as it came.
func (f File) Name() string { return f.name }

// Digest is the SHA-256 of the file's bytes.
func (f File) Digest() Digest { return f.digest }

// Size is the number of the file's bytes.
func (f File) Size() int64 { return f.size }

// IsZero tells whether f proves nothing.
func (f File) IsZero() bool { return f == File{} }

// copyBuffer is small enough to stay in a core's own cache while it is read,
// hashed and written, which with 1 MiB costs measurably more.
const copyBuffer = 128 << 10

// Copy writes src to dst and hashes what it writes, in one pass. With
// [io.Discard] it only hashes.
//
// The name must be a plain base name, and src must have at least one byte and
// at most max: anything else is refused, and dst then holds a part of the file
// that is worth nothing. Errors of src and dst come back as they are.
func Copy(dst io.Writer, src io.Reader, name string, max int64) (File, error) {
	if err := checkName(name); err != nil {
		return File{}, err
	}
	var (
		hash = sha256.New()
		buf  = make([]byte, copyBuffer)
		size int64
	)
	for {
		n, err := fill(src, buf)
		if size += int64(n); size > max {
			return File{}, tooLarge(name, max)
		}
		hash.Write(buf[:n])
		if err := write(dst, buf[:n]); err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if size == 0 {
		return File{}, no(name, rule.FileSize, "at least one byte", "an empty file",
			"Check that the build or the download came to its end.")
	}
	return File{name: name, digest: Digest(hash.Sum(nil)), size: size}, nil
}

func tooLarge(name string, max int64) error {
	return no(name, rule.FileSize, fmt.Sprintf("at most %d bytes", max), "more",
		"Check that this is the file that was meant.")
}

// fill reads until buf is full or src ends or fails. It is not [io.ReadFull],
// which says ErrUnexpectedEOF both of a short file and of a source that broke
// off, and only one of them is a file.
func fill(src io.Reader, buf []byte) (n int, err error) {
	for empty := 0; n < len(buf) && err == nil; {
		var m int
		m, err = src.Read(buf[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

func write(dst io.Writer, b []byte) error {
	n, err := dst.Write(b)
	if err == nil && n < len(b) {
		err = errors.New("short write")
	}
	return err
}
