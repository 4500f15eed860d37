package workflows

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// Bounds on the zip that an artifact is stored as.
const (
	maxMembers   = 10_000
	maxDirectory = 4 << 20  // bytes of its list of members
	maxRatio     = 50       // unpacked size to stored size
	freeSize     = 64 << 20 // bytes that may be unpacked whatever the ratio is
)

// openZip reads the list of members of an artifact's zip, and judges it as a
// whole: a file is opened only if nothing is wrong with any of them. Unlike in
// a wheel, bytes that no member accounts for do no harm: the zip is a parcel,
// which is thrown away, and what counts is what was taken out of it.
func openZip(artifact string, r io.ReaderAt, size int64) ([]*zip.File, error) {
	if err := checkDirectory(artifact, r, size); err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, broken(artifact, err)
	}
	if err := checkMembers(artifact, size, archive.File); err != nil {
		return nil, err
	}
	var files []*zip.File
	for _, f := range archive.File {
		if !f.Mode().IsDir() {
			files = append(files, f)
		}
	}
	return files, nil
}

// checkDirectory bounds the list of members before it is read: archive/zip
// makes room for as many as the zip says that it has, and reads as many as it
// finds. ZIP64 is for files that are larger than an artifact may be.
func checkDirectory(artifact string, r io.ReaderAt, size int64) error {
	const end, locator, comment = 22, 20, 1<<16 - 1
	tail := make([]byte, min(size, end+locator+comment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < end || int(binary.LittleEndian.Uint16(tail[at+20:])) != len(tail)-at-end {
		return broken(artifact, zip.ErrFormat)
	}
	members := binary.LittleEndian.Uint16(tail[at+10:])
	directory, offset := binary.LittleEndian.Uint32(tail[at+12:]), binary.LittleEndian.Uint32(tail[at+16:])
	large := at >= locator && bytes.HasPrefix(tail[at-locator:], []byte("PK\x06\x07"))
	if large || members > maxMembers || directory > maxDirectory {
		return tooLarge(artifact, fmt.Sprintf("at most %d members, and a list of %d bytes", maxMembers, maxDirectory))
	}
	if int64(offset)+int64(directory) != size-int64(len(tail)-at) {
		return broken(artifact, zip.ErrFormat)
	}
	return nil
}

func tooLarge(artifact, want string) error {
	return rule.Refusals{{File: artifact, Rule: rule.ArtifactSize, Want: want, Got: "more",
		Hint: "upload nothing but the distributions and their bundles"}}
}

// broken refuses a zip that cannot be read as one. A disk that cannot be read
// refuses nothing.
func broken(artifact string, err error) error {
	var corrupt flate.CorruptInputError
	for _, fault := range []error{zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, fault) || errors.As(err, &corrupt) {
			return rule.Refusals{{File: artifact, Rule: rule.ArtifactArchive, Want: "a whole zip file", Got: err.Error(),
				Hint: "upload it again with a current actions/upload-artifact"}}
		}
	}
	return err
}

// checkMembers judges what the members say of themselves.
func checkMembers(artifact string, size int64, files []*zip.File) error {
	var no rule.Refusals
	var unpacked uint64
	if len(files) > maxMembers {
		return tooLarge(artifact, fmt.Sprintf("at most %d members", maxMembers))
	}
	seen := map[string]bool{}
	for _, f := range files {
		fault := memberFault(f)
		if name := strings.TrimSuffix(f.Name, "/"); fault == "" && seen[name] {
			fault = "two members of one name"
		} else {
			seen[name] = true
		}
		if fault != "" {
			no = append(no, rule.Refusal{File: artifact, Rule: rule.ArtifactArchive,
				Want: "members that are plain files with relative paths, each name once", Got: fault + ": " + clip(f.Name),
				Hint: "upload plain files with actions/upload-artifact"})
		}
		unpacked += min(f.UncompressedSize64, 1<<48)
	}
	if len(no) > 0 {
		return no
	}
	if limit := max(freeSize, maxRatio*size); unpacked > uint64(limit) {
		return tooLarge(artifact, fmt.Sprintf("at most %d bytes unpacked", limit))
	}
	return nil
}

// memberFault says why a member has no place in an artifact, or nothing.
func memberFault(f *zip.File) string {
	const encrypted = 1
	mode := f.Mode()
	switch name := strings.TrimSuffix(f.Name, "/"); {
	case !utf8.ValidString(name):
		return "bytes that are not UTF-8"
	case strings.ContainsFunc(name, hidden):
		return "an invisible or control character"
	case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`):
		return "a path that leads elsewhere"
	case !mode.IsRegular() && !mode.IsDir():
		return "a link or a device"
	case f.Flags&encrypted != 0:
		return "an encrypted member"
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Sprintf("the compression method %d", f.Method)
	}
	return ""
}

// hidden tells whether a character is shown as something other than itself.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
