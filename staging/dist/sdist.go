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
	unzipped.Multistream(false)
	if err := notZip(file, src); err != nil {
		return Metadata{}, err
	}
	limit := maxUnpacked(src.size)
	stream := &bounded{r: unzipped, left: limit + 1}
	s := &sdistReader{name: name, file: file, members: newRoster(file)}
	err = s.walk(&tarReader{file: file, r: stream})
	if stream.spent {
		return Metadata{}, no(file, rule.ArchiveSize, fmt.Sprintf("at most %d bytes unpacked", limit), "more", rebuild)
	}
	if err != nil {
		return Metadata{}, err
	}
	if _, err := packed.ReadByte(); err != io.EOF {
		return Metadata{}, no(file, rule.Archive, "nothing after the end of the gzip file", "more bytes", rebuild)
	}
	if s.info == nil {
		return Metadata{}, no(file, rule.DistInfo, "PKG-INFO in the folder at the top", "nothing", rebuild)
	}
	return ReadMetadata(file, bytes.NewReader(s.info))
}

func notSdist(file string, err error) error {
	return no(file, rule.Archive, "a whole gzipped tar file", err.Error(), rebuild)
}

// bounded breaks off when as many bytes as were left have been read.
type bounded struct {
	r     io.Reader
	left  int64
	spent bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.spent = true
		return 0, errors.New("too many bytes")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// sdistReader judges the members of an sdist one by one.
type sdistReader struct {
	name    Filename
	file    string
	members *roster
	top     string
	info    []byte
}

func (s *sdistReader) walk(archive *tarReader) error {
	for {
		m, err := archive.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.member(m, archive); err != nil {
			return err
		}
	}
}

// member judges one member, and keeps it if it is PKG-INFO.
func (s *sdistReader) member(m tarMember, archive *tarReader) error {
	if err := s.members.add(m.name); err != nil {
		return err
	}
	top := topOf(m.name)
	if s.top == "" {
		s.top = top
	}
	if top != s.top || !s.isTop(top) {
		return no(s.file, rule.DistInfo, "one folder at the top, "+strings.TrimSuffix(s.file, ".tar.gz"), top, rebuild)
	}
	return s.pkgInfo(m, archive)
}

// isTop tells whether a folder is named for the sdist's project and version.
func (s *sdistReader) isTop(folder string) bool {
	f, err := parseSdist(folder+".tar.gz", folder)
	return err == nil && f.Project == s.name.Project && f.Version.Equal(s.name.Version)
}

func (s *sdistReader) pkgInfo(m tarMember, archive *tarReader) (err error) {
	want := s.top + "/PKG-INFO"
	if !strings.EqualFold(m.name, want) {
		return nil
	}
	if m.name != want || m.kind != tar.TypeReg {
		return no(s.file, rule.DistInfo, "the file "+want, m.name, rebuild)
	}
	if m.size > maxMetadata {
		return no(s.file, rule.ArchiveSize, "metadata of at most 16 MiB", "more", rebuild)
	}
	s.info, err = archive.content()
	return err
}
