//go:build linux

package command

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wheels makes 72 wheels of 12.7 MB, each of 256 members that do not compress.
func (s *scene) wheels(b *testing.B) {
	const size, members = 12_700_000, 256
	for _, python := range []string{"cp39", "cp310", "cp311", "cp312", "cp313", "cp314"} {
		for _, platform := range []string{
			"manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "manylinux_2_28_i686", "manylinux_2_28_ppc64le",
			"manylinux_2_28_s390x", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64", "macosx_10_13_x86_64",
			"macosx_11_0_arm64", "win32", "win_amd64", "win_arm64",
		} {
			tag := python + "-" + python + "-" + platform
			var list []member
			for i := range members {
				list = append(list, noise(tag, fmt.Sprintf("widget/%03d.bin", i), size/members))
			}
			s.wheel(b, tag, list...)
		}
	}
	syscall.Sync() // or the rounds wait for the disk to have the files
}

// expectWheels makes the policy one for the 72 wheels.
func expectWheels(b *testing.B, policy string) {
	raw, err := os.ReadFile(policy)
	check(b, err)
	before, rest, _ := strings.Cut(string(raw), "[files]")
	_, after, _ := strings.Cut(rest, "\n[")
	check(b, os.WriteFile(policy, []byte(before+`[files]
sdist = false
python = ["cp39", "cp310", "cp311", "cp312", "cp313", "cp314"]
platform = [
    "manylinux_x86_64", "manylinux_aarch64", "manylinux_i686", "manylinux_ppc64le", "manylinux_s390x",
    "musllinux_x86_64", "musllinux_aarch64", "macosx_x86_64", "macosx_arm64", "win32", "win_amd64", "win_arm64",
]

[`+after), 0o600))
}

// wheel writes a wheel into dist, and beside it the bundle of the build job.
func (s *scene) wheel(b *testing.B, tag string, members ...member) {
	path := filepath.Join(s.dist, "widget-1.0-"+tag+".whl")
	file, err := os.Create(path)
	check(b, err)
	z := zip.NewWriter(sparse{file})
	const info = "widget-1.0.dist-info/"
	members = append(members,
		text(info+"METADATA", "Metadata-Version: 2.4\nName: widget\nVersion: 1.0\n"),
		text(info+"WHEEL", "Wheel-Version: 1.0\nGenerator: widget 1\nRoot-Is-Purelib: false\nTag: "+tag+"\n"),
	)
	var record strings.Builder
	for _, m := range members {
		check(b, m.write(z, &record))
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", info)
	check(b, text(info+"RECORD", record.String()).write(z, io.Discard))
	check(b, z.Close())
	check(b, file.Close())
	job := s.world.BuildJob("1.0")
	check(b, s.world.Attest(path, job, job))
	s.files = append(s.files, path)
}

// member is a file in a wheel: the first size bytes of what open returns.
type member struct {
	name string
	size int64
	open func() io.Reader
}

func text(name, body string) member {
	return member{name, int64(len(body)), func() io.Reader { return strings.NewReader(body) }}
}

// noise is other bytes for each wheel and each member, and the same in each run.
func noise(wheel, name string, size int64) member {
	seed := sha256.Sum256([]byte(wheel + name))
	return member{name, size, func() io.Reader { return rand.NewChaCha8(seed) }}
}

// write stores the member uncompressed, with its sizes and checksum in front of
// it, and adds its line to RECORD.
func (m member) write(z *zip.Writer, record io.Writer) error {
	digest, sum := sha256.New(), crc32.NewIEEE()
	if _, err := io.CopyN(io.MultiWriter(digest, sum), m.open(), m.size); err != nil {
		return err
	}
	fmt.Fprintf(record, "%s,sha256=%s,%d\n", m.name, base64.RawURLEncoding.EncodeToString(digest.Sum(nil)), m.size)
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: m.name, CRC32: sum.Sum32(), CompressedSize64: uint64(m.size), UncompressedSize64: uint64(m.size),
	})
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, m.open(), m.size)
	return err
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sparse is a file that leaves a hole where only zeros are written.
type sparse struct{ *os.File }

func (s sparse) Write(p []byte) (int, error) {
	if len(bytes.TrimLeft(p, "\x00")) > 0 {
		return s.File.Write(p)
	}
	_, err := s.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
