package dist

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// readSdist reads the metadata of an sdist: PKG-INFO in the one folder at the
// top, which is named for the project and version. The whole archive is read,
// as Warehouse does, in one pass and with bounded memory: a second PKG-INFO may
// be the last member.
func readSdist(src *source, name Filename) (Metadata, error) {
	file := name.String()
	packed := bufio.NewReaderSize(io.NewSectionReader(src, 0, src.size), 64<<10)
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return Metadata{}, notSdist(file, err)
	}
	limit := maxUnpacked(src.size)
	stream := &tarStream{r: unzipped, left: limit + 1}
	s := &sdistReader{name: name, file: file, members: newRoster(file)}
	err = s.walk(stream)
	if stream.spent {
		return Metadata{}, no(file, rule.ArchiveSize, fmt.Sprintf("at most %d bytes unpacked", limit), "more", rebuild)
	}
	if err != nil {
		return Metadata{}, err
	}
	if s.info == nil {
		return Metadata{}, no(file, rule.DistInfo, "PKG-INFO in the folder at the top", "nothing", rebuild)
	}
	return ReadMetadata(file, bytes.NewReader(s.info))
}

func notSdist(file string, err error) error {
	return no(file, rule.Archive, "a whole gzipped tar file", err.Error(), rebuild)
}

// tarStream is an unzipped tar file. It breaks off when as many bytes as were
// left have been read, and counts what an end is known by.
type tarStream struct {
	r     io.Reader
	left  int64
	spent bool
	size  int64
	zeros int64 // those at the end of what was read
}

func (t *tarStream) Read(p []byte) (int, error) {
	if t.left <= 0 {
		t.spent = true
		return 0, errors.New("too many bytes")
	}
	n, err := t.r.Read(p[:min(int64(len(p)), t.left)])
	t.left -= int64(n)
	t.size += int64(n)
	if rest := bytes.TrimRight(p[:n], "\x00"); len(rest) > 0 {
		t.zeros = int64(n - len(rest))
	} else {
		t.zeros += int64(n)
	}
	return n, err
}

// ended tells whether the stream is whole blocks, of which the last two are zeros.
func (t *tarStream) ended() bool {
	const block = 512
	return t.size%block == 0 && t.zeros >= 2*block
}

// sdistReader judges the members of an sdist one by one.
type sdistReader struct {
	name    Filename
	file    string
	members *roster
	top     string
	info    []byte
}

func (s *sdistReader) walk(stream *tarStream) error {
	archive := tar.NewReader(stream)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return notSdist(s.file, err)
		}
		if err := s.member(h, archive); err != nil {
			return err
		}
	}
	return s.end(stream)
}

// end demands that the archive ends, and that nothing but zeros follows: some
// tools stop there, and some go on.
func (s *sdistReader) end(stream *tarStream) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := stream.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return no(s.file, rule.Archive, "nothing after the end of the tar file", "more bytes", rebuild)
		}
		if err == io.EOF && stream.ended() {
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return notSdist(s.file, err)
		}
	}
}

// member judges one member, and keeps it if it is PKG-INFO.
func (s *sdistReader) member(h *tar.Header, content io.Reader) error {
	if fault := typeFault(h); fault != "" {
		return no(s.file, rule.ArchiveMember, "files, folders and links", fault+" "+clip(h.Name), rebuild)
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if err := s.members.add(h.Name); err != nil {
		return err
	}
	top := topOf(h.Name)
	if s.top == "" {
		s.top = top
	}
	if top != s.top || !s.isTop(top) {
		return no(s.file, rule.DistInfo, "one folder at the top, "+strings.TrimSuffix(s.file, ".tar.gz"), top, rebuild)
	}
	return s.pkgInfo(h, content)
}

// isTop tells whether a folder is named for the sdist's project and version.
func (s *sdistReader) isTop(folder string) bool {
	f, err := parseSdist(folder+".tar.gz", folder)
	return err == nil && f.Project == s.name.Project && f.Version.Equal(s.name.Version)
}

func (s *sdistReader) pkgInfo(h *tar.Header, content io.Reader) error {
	want := s.top + "/PKG-INFO"
	if !strings.EqualFold(h.Name, want) {
		return nil
	}
	if h.Name != want || h.Typeflag != tar.TypeReg {
		return no(s.file, rule.DistInfo, "the file "+want, h.Name, rebuild)
	}
	if h.Size > maxMetadata {
		return no(s.file, rule.ArchiveSize, "metadata of at most 16 MiB", "more", rebuild)
	}
	raw, err := io.ReadAll(content)
	if err != nil {
		return notSdist(s.file, err)
	}
	s.info = raw
	return nil
}

// typeFault says why a member is of a kind that has no place in an sdist, or
// nothing. Warehouse refuses sparse members; devices and pipes are refused by
// every installer (PEP 721). A global header may carry the commit that git
// archive writes, and nothing that would rename what comes after it.
func typeFault(h *tar.Header) string {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return "a sparse file"
		}
		if h.Typeflag == tar.TypeXGlobalHeader && key != "comment" {
			return "a global header with " + key
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeXGlobalHeader:
		return ""
	}
	return fmt.Sprintf("a member of type %q", h.Typeflag)
}
