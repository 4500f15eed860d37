package dist

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// walkSdist reads an sdist to its end, in one pass and with bounded memory, hands
// every member to the visitor, if there is one, and returns the metadata: PKG-INFO
// in the one folder at the top, which is named for the project and version. A
// second PKG-INFO may be the last member.
func walkSdist(src *source, name Filename, v *visitor) (info []byte, err error) {
	file := name.String()
	packed := bufio.NewReaderSize(io.NewSectionReader(src, 0, src.size), 64<<10)
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, notSdist(file, err)
	}
	unzipped.Multistream(false)
	if err := notZip(file, src); err != nil {
		return nil, err
	}
	limit := maxUnpacked(src.size)
	stream := &bounded{r: unzipped, left: limit + 1}
	s := &sdistReader{name: name, file: file, visitor: v, members: newRoster(file)}
	err = s.walk(&tarReader{file: file, r: stream})
	if stream.spent {
		return nil, no(file, rule.ArchiveSize, fmt.Sprintf("at most %d bytes unpacked", limit), "more", rebuild)
	}
	if err != nil {
		return nil, err
	}
	if _, err := packed.ReadByte(); err != io.EOF {
		return nil, no(file, rule.Archive, "nothing after the end of the gzip file", "more bytes", rebuild)
	}
	if s.info == nil {
		return nil, no(file, rule.DistInfo, "PKG-INFO in the folder at the top", "nothing", rebuild)
	}
	return s.info, nil
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
	visitor *visitor // or nil
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
	if err := s.judgeInfo(m); err != nil {
		return err
	}
	if m.kind == tar.TypeReg {
		return s.content(m, archive)
	}
	if s.visitor == nil {
		return nil
	}
	found := m.member()
	if found.Kind == Symlink {
		found.Blob = blobOf(found.Link)
	}
	return s.visitor.visit(found, nil)
}

// content reads a file, keeps it if it is PKG-INFO, and hands it on.
func (s *sdistReader) content(m tarMember, archive *tarReader) error {
	isInfo := m.name == s.top+"/PKG-INFO"
	if s.visitor == nil && !isInfo {
		return nil // it is passed over
	}
	if isInfo {
		raw, err := archive.content()
		if s.info = raw; err != nil || s.visitor == nil {
			return err
		}
		c := s.visitor.begin(m.member())
		c.Write(raw)
		return c.end()
	}
	c := s.visitor.begin(m.member())
	if err := archive.copy(c); err != nil {
		return err
	}
	return c.end()
}

// isTop tells whether a folder is named for the sdist's project and version.
func (s *sdistReader) isTop(folder string) bool {
	f, err := parseSdist(folder+".tar.gz", folder)
	return err == nil && f.Project == s.name.Project && f.Version.Equal(s.name.Version)
}

// judgeInfo judges what is PKG-INFO, or could be taken for it.
func (s *sdistReader) judgeInfo(m tarMember) error {
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
	return nil
}
