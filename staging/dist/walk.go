package dist

import (
	"bufio"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"

	"github.com/klauspost/compress/flate"

	"github.com/distgate/distgate/staging/rule"
)

// Member is one file, folder or link in a distribution, after all of its content
// was read and found to be as long, and to have the checksum, that the archive
// says.
type Member struct {
	Path   string      // below the top of the archive, without a slash at the end
	Kind   MemberKind  //
	Mode   fs.FileMode // permissions, with setuid, setgid and sticky; 0 where the archive has none
	Size   int64       // bytes of content; 0 of what is no plain file
	Digest Digest      // of the content; zero of what is no plain file
	Blob   BlobID      // of the content, or of where a symbolic link leads; zero of folders and hard links
	Link   string      // where a link leads, as it is written
}

// MemberKind is what a member is. Nothing else has a place in a distribution.
type MemberKind string

const (
	PlainFile MemberKind = "file"
	Folder    MemberKind = "folder"
	Symlink   MemberKind = "symlink"  // in sdists alone
	HardLink  MemberKind = "hardlink" // in sdists alone: another name of the member that Link names
)

// BlobID is the name that git has for some content: the SHA-1 of "blob SIZE",
// NUL and the content. It finds a file in a tree. That it is the same file, a
// SHA-256 says.
type BlobID [sha1.Size]byte

// Hex is the 40 digits by which git shows it.
func (b BlobID) Hex() string { return hex.EncodeToString(b[:]) }

// IsZero tells whether b was never set.
func (b BlobID) IsZero() bool { return b == BlobID{} }

// MarshalText is [BlobID.Hex].
func (b BlobID) MarshalText() ([]byte, error) { return []byte(b.Hex()), nil }

// Walk reads the distribution f, whose bytes r serves, to its end, and hands
// every member to visit, each once and in the order of the file. All that
// [Inspect] demands of an archive holds for what was visited only if Walk returns
// nil. It needs the same memory for any size of members. An error of visit ends
// the walk and comes back as it is.
func Walk(r io.ReaderAt, f File, visit func(Member) error) error {
	name, err := ParseFilename(f.Name())
	if err != nil {
		return err
	}
	src := &source{r: r, size: f.Size()}
	v := &visitor{blobs: true, visit: func(m Member, _ []byte) error { return visit(m) }}
	if name.Kind == Wheel {
		err = walkWheel(src, name, v)
	} else {
		_, err = walkSdist(src, name, v)
	}
	return src.or(f, err)
}

func walkWheel(src *source, name Filename, v *visitor) error {
	w, err := openWheel(src, name)
	if err != nil {
		return err
	}
	return w.walk(v)
}

// visitor looks at members as they pass.
type visitor struct {
	blobs bool                              // whether git's names for them are wanted
	again func() (io.Reader, error)         // reads the file that passes once more; nil in an sdist
	keep  func(m Member, head []byte) int64 // how much of a file to keep, by its first bytes; nil is none
	visit func(m Member, kept []byte) error // what was kept is good until it returns
	taken content                           // of the member that passes
}

// content takes in what a file holds, chunk by chunk: it counts and hashes all
// of it, and keeps of it what is wanted.
type content struct {
	v    *visitor
	m    Member
	left int64 // bytes that are still to come
	crc  uint32
	sum  hash.Hash
	git  hash.Hash
	kept []byte
	keep int64 // how many bytes; -1 before the first have come
}

// errLonger is of content that goes on beyond its size.
var errLonger = errors.New("more bytes than the archive says")

// begin makes ready for the content of m, whose size is known.
func (v *visitor) begin(m Member) *content {
	c := &v.taken
	if c.sum == nil {
		c.v, c.sum, c.git = v, sha256.New(), sha1.New()
	}
	c.m, c.left, c.crc, c.kept, c.keep = m, m.Size, 0, c.kept[:0], -1
	c.sum.Reset()
	c.git.Reset()
	c.git.Write(append(strconv.AppendInt([]byte("blob "), m.Size, 10), 0))
	return c
}

// headSize is how much of a file is there before it is asked what to keep.
const headSize = 16

// Write takes in the next chunk. Content that is longer than it should be is an
// error before it is looked at.
func (c *content) Write(b []byte) (int, error) {
	if c.left -= int64(len(b)); c.left < 0 {
		return 0, errLonger
	}
	rest := b
	if c.keep < 0 {
		rest = c.choose(b)
	}
	if more := min(c.keep-int64(len(c.kept)), int64(len(rest))); more > 0 {
		c.kept = append(c.kept, rest[:more]...)
	}
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b)
	c.sum.Write(b)
	if c.v.blobs {
		c.git.Write(b)
	}
	return len(b), nil
}

// choose takes the first bytes from b, and once it has all of them asks how much
// to keep. It returns what it did not take.
func (c *content) choose(b []byte) []byte {
	take := min(int64(len(b)), min(headSize, c.m.Size)-int64(len(c.kept)))
	c.kept = append(c.kept, b[:take]...)
	if int64(len(c.kept)) == min(headSize, c.m.Size) {
		c.keep = 0
		if c.v.keep != nil {
			c.keep = c.v.keep(c.m, c.kept)
		}
		c.kept = c.kept[:min(c.keep, int64(len(c.kept)))]
	}
	return b[take:]
}

// end hands on the file that was read.
func (c *content) end() error {
	c.m.Digest = Digest(c.sum.Sum(nil))
	if c.v.blobs {
		c.m.Blob = BlobID(c.git.Sum(nil))
	}
	return c.v.visit(c.m, c.kept)
}

// blobOf is git's name for some bytes.
func blobOf(text string) BlobID {
	return sha1.Sum([]byte("blob " + strconv.Itoa(len(text)) + "\x00" + text))
}

// unpacker reads the content of a zip file's members, one after the other.
type unpacker struct {
	file   string
	src    *source
	packed *bufio.Reader
	flate  io.ReadCloser
}

func newUnpacker(file string, src *source) *unpacker {
	packed := bufio.NewReaderSize(nil, 64<<10)
	return &unpacker{file: file, src: src, packed: packed, flate: flate.NewReader(packed)}
}

// open reads the content of m, as the archive has it.
func (u *unpacker) open(m member) (io.Reader, error) {
	u.packed.Reset(io.NewSectionReader(u.src, m.data, m.packed))
	if m.method != methodDeflated {
		return u.packed, nil
	}
	return u.flate, u.flate.(flate.Resetter).Reset(u.packed, nil)
}

// unpack writes the content of m to c, and demands the size and the checksum
// that the archive gives, and that nothing else lies in the member's place.
func (u *unpacker) unpack(m member, c *content) error {
	r, err := u.open(m)
	if err != nil {
		return err
	}
	_, err = io.Copy(c, r)
	if err == nil {
		_, err = u.packed.ReadByte()
	}
	if err != io.EOF || c.left != 0 || c.crc != m.crc {
		return no(u.file, rule.Archive, clip(m.name)+" with the size and checksum that the archive gives",
			"other bytes", rebuild)
	}
	return nil
}
