package world

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Subversion is a way in which a build makes something else than its source says,
// and attests it as its own.
type Subversion string

// Subversions. The first two are of wheels, the others of sdists, but for the
// library, which is of a wheel for x86_64.
const (
	LyingRecord  Subversion = "lying-record"  // a module that RECORD says something else of
	Unrecorded   Subversion = "unrecorded"    // a module that RECORD does not list
	OtherMachine Subversion = "other-machine" // a native library for another machine
	OtherVersion Subversion = "other-version" // metadata of another version
	LinkOut      Subversion = "link-out"      // a symbolic link to a file outside
	LinkInside   Subversion = "link-inside"   // a symbolic link to a file inside
	TestFile     Subversion = "test-file"     // a compressed file among the tests, of no source
)

// Subversions lists them all.
func Subversions() []Subversion { return slices.Sorted(maps.Keys(subversions)) }

var subversions = map[Subversion]func(version, path string) ([]byte, error){
	LyingRecord: func(version, path string) ([]byte, error) {
		return rezipped(version, path, func(members []member, record string) ([]member, string) {
			members[0].body += "import evil\n"
			return members, record
		})
	},
	Unrecorded: func(version, path string) ([]byte, error) {
		return rezipped(version, path, func(members []member, record string) ([]member, string) {
			return append(members, member{"evil.py", "print('evil')\n"}), record
		})
	},
	OtherMachine: func(version, path string) ([]byte, error) {
		return rezipped(version, path, func(members []member, own string) ([]member, string) {
			members = append(members, member{"widget/_speed.so", library(elf.EM_AARCH64)})
			return members, record(members, Project+"-"+version+".dist-info/RECORD")
		})
	},
	OtherVersion: func(version, path string) ([]byte, error) {
		return retarred(version, path, func(name, body string) string {
			if strings.HasSuffix(name, "/PKG-INFO") {
				return strings.Replace(body, "\nVersion: "+version, "\nVersion: "+version+".dev0", 1)
			}
			return body
		})
	},
	LinkOut: func(version, path string) ([]byte, error) {
		return retarred(version, path, nil, link(version, "../../../.ssh/id_ed25519"))
	},
	LinkInside: func(version, path string) ([]byte, error) {
		return retarred(version, path, nil, link(version, "README.md"))
	},
	TestFile: func(version, path string) ([]byte, error) {
		return retarred(version, path, nil, tar.Header{Name: Project + "-" + version + "/tests/corrupt.xz", Size: 512, Mode: 0o644})
	},
}

func link(version, to string) tar.Header {
	return tar.Header{Name: Project + "-" + version + "/NOTES.md", Linkname: to, Typeflag: tar.TypeSymlink, Mode: 0o777}
}

// library is a shared library of nothing but its first header.
func library(machine elf.Machine) string {
	var out bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT)}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	_ = binary.Write(&out, binary.LittleEndian, h) // into memory
	return out.String()
}

// Subvert makes one of the distributions that Build wrote anew, and has the build
// job attest it.
func (w *World) Subvert(path string, how Subversion) error {
	make, ok := subversions[how]
	if !ok {
		return fmt.Errorf("no subversion is called %q", how)
	}
	version, err := versionOf(path)
	if err != nil {
		return err
	}
	raw, err := make(version, path)
	if err != nil {
		return describe(path, err)
	}
	return w.write(filepath.Dir(path), w.BuildJob(version), File{filepath.Base(path), raw})
}

// rezipped is the wheel with other members, and RECORD as it comes back.
func rezipped(version, path string, change func(members []member, record string) ([]member, string)) ([]byte, error) {
	members, err := unzipped(path)
	if err != nil {
		return nil, err
	}
	self := Project + "-" + version + ".dist-info/RECORD"
	i := slices.IndexFunc(members, func(m member) bool { return m.path == self })
	if i < 0 {
		return nil, fmt.Errorf("no %s", self)
	}
	changed, lines := change(slices.Delete(slices.Clone(members), i, i+1), members[i].body)
	return zipped(append(changed, member{self, lines}))
}

// retarred is the sdist with other contents, and with more members, of zeros.
func retarred(version, path string, change func(name, body string) string, more ...tar.Header) ([]byte, error) {
	packed, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	g := gzip.NewWriter(&out)
	w := tar.NewWriter(g)
	for from := tar.NewReader(unpacked); ; {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(from)
		if err != nil {
			return nil, err
		}
		if change != nil {
			body = []byte(change(h.Name, string(body)))
		}
		h.Size = int64(len(body))
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
	}
	for _, h := range more {
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err = g.Close()
	return out.Bytes(), err
}
