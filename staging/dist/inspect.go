package dist

import (
	"bytes"
	"fmt"
	"io"

	"github.com/distgate/distgate/staging/rule"
)

// Inspect opens the distribution f, whose bytes r serves, and demands that it
// is what its name says.
func Inspect(r io.ReaderAt, f File) (Info, error) {
	name, err := ParseFilename(f.Name())
	if err != nil {
		return Info{}, err
	}
	src := &source{r: r, size: f.Size()}
	m, err := inspect(src, name)
	if err := src.or(f, err); err != nil {
		return Info{}, err
	}
	if err := match(name, m); err != nil {
		return Info{}, err
	}
	return Info{Filename: name, Metadata: m}, nil
}

func inspect(src *source, name Filename) (Metadata, error) {
	if name.Kind == Wheel {
		w, err := openWheel(src, name)
		if err != nil {
			return Metadata{}, err
		}
		return w.metadata()
	}
	raw, err := walkSdist(src, name, nil)
	if err != nil {
		return Metadata{}, err
	}
	return ReadMetadata(name.String(), bytes.NewReader(raw))
}

// match demands that the inside and the outside are of one project and version.
func match(name Filename, m Metadata) error {
	project, err := NormalizeName(m.Name())
	if err != nil {
		return err
	}
	if project != name.Project {
		return no(name.String(), rule.MetadataMatch, "metadata of the project "+name.Project, m.Name(), rebuild)
	}
	if !m.Version().Equal(name.Version) {
		return no(name.String(), rule.MetadataMatch, "metadata of the version "+name.Version.String(),
			m.Version().String(), rebuild)
	}
	return nil
}

// source is the bytes of one file. It remembers why they could not be read, so
// that a broken disk is never taken for a broken archive.
type source struct {
	r    io.ReaderAt
	size int64
	err  error
}

// or is why the bytes of f could not be read, if that was so, and err otherwise.
func (s *source) or(f File, err error) error {
	if s.err != nil {
		return fmt.Errorf("%s: %w", f.Name(), s.err)
	}
	return err
}

// ReadAt reads within the file. A reader that ends before the file's size does
// not serve the file that was hashed, which is an error too.
func (s *source) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	short := false
	if left := s.size - off; int64(len(b)) > left {
		b, short = b[:left], true
	}
	n, err := s.r.ReadAt(b, off)
	if n < len(b) {
		if err == nil || err == io.EOF {
			err = fmt.Errorf("bytes end at %d of %d", off+int64(n), s.size)
		}
		s.err = err
		return n, err
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}
