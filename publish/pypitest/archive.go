package pypitest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	maxMember   = 64 << 20 // bytes of a member that is read whole
	maxUnpacked = 8 << 30  // bytes of a tar that is walked through
	maxRatio    = 50       // of a zip, unpacked to packed …
	ratioCounts = 64 << 20 // … if it unpacks to more bytes than these

	endRecordSize = 22
	maxZipComment = 1<<16 - 1
)

// noReason is what Warehouse says of an archive that breaks while it is read.
const noReason = "None"

// archive is an opened distribution. The zero archive is none.
type archive struct {
	file  *os.File
	size  int64
	zip   *zip.Reader // of a wheel, or of an sdist that is a zip
	names []string    // of the members, as they are written
}

func (a archive) close() {
	if a.file != nil {
		a.file.Close()
	}
}

// openArchive opens a received file and judges whether it is the distribution
// that its name says. The message is "" if it is.
func openArchive(c *content) (a archive, message string, err error) {
	if a.file, err = os.Open(c.path); err != nil {
		return archive{}, "", err
	}
	a.size = c.size
	return a, a.judge(c.filename), nil
}

func (a *archive) judge(filename string) string {
	begin, isZip := findZip(a.file, a.size)
	isTar := isTarFile(a.file)
	switch wantTar := strings.HasSuffix(filename, ".tar.gz"); {
	case isZip && isTar:
		return "File is both a zip and a tar file"
	case wantTar && isTar:
		return a.judgeTar()
	case wantTar:
		return "File is not a tarfile"
	case !isZip:
		return "File is not a zipfile"
	}
	var err error
	if a.zip, err = openZip(a.file, begin, a.size); err != nil {
		return noReason
	}
	return a.judgeZip(filename)
}

// findZip looks for the record at the end of a zip, as Python does, and says
// where the zip begins: the place of its directory is counted from there.
func findZip(file io.ReaderAt, size int64) (begin int64, ok bool) {
	tail := make([]byte, min(size, endRecordSize+maxZipComment))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, false
	}
	at := len(tail) - endRecordSize
	if at < 0 {
		return 0, false
	}
	last := tail[at:]
	if !bytes.HasPrefix(last, []byte(endRecord)) || !bytes.HasSuffix(last, []byte{0, 0}) {
		at = bytes.LastIndex(tail[:at+len(endRecord)], []byte(endRecord))
	}
	if at < 0 {
		return 0, false
	}
	length := binary.LittleEndian.Uint32(tail[at+12:])
	offset := binary.LittleEndian.Uint32(tail[at+16:])
	if length == sizeIsInExtra || offset == sizeIsInExtra {
		return 0, true
	}
	begin = size - int64(len(tail)) + int64(at) - int64(length) - int64(offset)
	return max(begin, 0), true
}

// openZip reads the directory of a zip that begins somewhere in a file. Python
// reads as many entries as the directory is long, Go as many as are counted:
// where the two disagree, the file as a whole may still be read, and is judged.
func openZip(file io.ReaderAt, begin, size int64) (*zip.Reader, error) {
	directory, err := zip.NewReader(io.NewSectionReader(file, begin, size-begin), size-begin)
	if err != nil && begin > 0 {
		return zip.NewReader(file, size)
	}
	return directory, err
}

// isTarFile says whether a file begins as a tar does, packed by gzip or not.
func isTarFile(file io.ReaderAt) bool {
	beginning := func() io.Reader { return io.NewSectionReader(file, 0, maxMember) }
	if unpacked, err := gzip.NewReader(beginning()); err == nil {
		_, err := tar.NewReader(io.LimitReader(unpacked, maxMember)).Next()
		return err == nil
	}
	_, err := tar.NewReader(beginning()).Next()
	return err == nil
}

// judgeZip judges a zip in Warehouse's order.
func (a *archive) judgeZip(filename string) string {
	var unpacked uint64
	for _, f := range a.zip.File {
		unpacked += f.UncompressedSize64
		a.names = append(a.names, f.Name)
	}
	if unpacked > ratioCounts && unpacked/uint64(max(a.size, 1)) >= maxRatio {
		return "File exceeds compression ratio of 50"
	}
	for _, f := range a.zip.File {
		if f.Method != zip.Store && f.Method != zip.Deflate {
			return "File does not use a supported compression type"
		}
	}
	if message := a.hasMarker(filename); message != "" {
		return message
	}
	if err := checkFraming(a.file, a.size, a.zip); err != nil {
		return "ZIP archive not accepted: " + err.Error() + ". See " + archiveGuide + " for more information"
	}
	return ""
}

// hasMarker wants the file that makes a wheel a wheel, or an sdist an sdist.
func (a *archive) hasMarker(filename string) string {
	marker := "PKG-INFO"
	var path string
	if strings.HasSuffix(filename, ".whl") {
		info, ok := distInfo(filename)
		if !ok {
			return "Unable to parse name and version from wheel filename"
		}
		marker, path = "WHEEL", info+"/WHEEL"
	} else {
		top := commonPath(a.names)
		if top == "" || top == "/" {
			return "Incorrect number of top-level directories in sdist"
		}
		path = top + "/PKG-INFO"
	}
	_, found, err := a.read(path)
	if !found {
		return marker + " not found at " + path
	}
	if err != nil {
		return noReason
	}
	return ""
}

// judgeTar walks through the whole of an sdist.
func (a *archive) judgeTar() string {
	unpacked, err := gzip.NewReader(io.NewSectionReader(a.file, 0, a.size))
	if err != nil {
		return noReason
	}
	sparse := false
	members := tar.NewReader(io.LimitReader(unpacked, maxUnpacked))
	for {
		header, err := members.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return noReason
		}
		sparse = sparse || isSparse(header)
		a.names = append(a.names, strings.TrimRight(header.Name, "/"))
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(unpacked, maxUnpacked)); err != nil {
		return noReason
	}
	top := commonPath(a.names)
	switch {
	case sparse:
		return "tar archive not accepted: Sparse members are not allowed. See " + archiveGuide +
			" for more information"
	case top == "" || top == "/":
		return "Incorrect number of top-level directories in sdist"
	case !slices.Contains(a.names, top+"/PKG-INFO"):
		return "PKG-INFO not found at " + top + "/PKG-INFO"
	}
	return ""
}

func isSparse(header *tar.Header) bool {
	if header.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for name := range header.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// read reads a member of a zip. A member that is too large is not read, and
// counts as one that is not there.
func (a *archive) read(name string) (raw []byte, found bool, err error) {
	// Of several members of one name Python reads the last.
	for _, f := range slices.Backward(a.zip.File) {
		if f.Name != name || f.UncompressedSize64 > maxMember {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, true, err
		}
		defer r.Close()
		raw, err = io.ReadAll(io.LimitReader(r, maxMember))
		return raw, true, err
	}
	return nil, false, nil
}

// distInfo is the name of the folder of a wheel's metadata.
func distInfo(filename string) (folder string, ok bool) {
	parts := strings.SplitN(filename, "-", 3)
	if len(parts) != 3 {
		return "", false
	}
	return parts[0] + "-" + parts[1] + ".dist-info", true
}

// commonPath is the longest path that all names begin with.
func commonPath(names []string) string {
	var common []string
	for i, name := range names {
		nothing := func(part string) bool { return part == "" || part == "." }
		parts := slices.DeleteFunc(strings.Split(name, "/"), nothing)
		if i == 0 {
			common = parts
		}
		n := 0
		for n < min(len(common), len(parts)) && common[n] == parts[n] {
			n++
		}
		common = common[:n]
	}
	joined := strings.Join(common, "/")
	if len(names) > 0 && strings.HasPrefix(names[0], "/") {
		return "/" + joined
	}
	return joined
}
