package world

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Amend puts text at the end of a member of a wheel that Build wrote, or a new
// member into it, and has the build job attest the wheel again: it is what the
// build would have made of a changed source. NAME in a path below .dist-info is
// written as "dist-info/NAME"; what goes into METADATA goes among its fields.
func (w *World) Amend(wheel, path, text string) error {
	members, err := unzipped(wheel)
	if err != nil {
		return describe(wheel, err)
	}
	version := strings.Split(filepath.Base(wheel), "-")[1]
	info := Project + "-" + version + ".dist-info/"
	if below, ok := strings.CutPrefix(path, "dist-info/"); ok {
		path = info + below
	}
	amended := []member{}
	for _, m := range members {
		switch m.path {
		case path:
			text = m.body + text
			if first, rest, ok := strings.Cut(m.body, "\n"); ok && path == info+"METADATA" {
				text = first + "\n" + strings.TrimPrefix(text, m.body) + rest
			}
		case info + "RECORD":
		default:
			amended = append(amended, m)
		}
	}
	amended = append(amended, member{path, text})
	amended = append(amended, member{info + "RECORD", record(amended, info+"RECORD")})
	raw, err := zipped(amended)
	if err != nil {
		return describe(wheel, err)
	}
	return w.write(filepath.Dir(wheel), w.BuildJob(version), File{filepath.Base(wheel), raw})
}

// unzipped are the members of a wheel.
func unzipped(path string) (members []member, err error) {
	raw, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	info, err := raw.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(raw, info.Size())
	if err != nil {
		return nil, err
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return nil, err
		}
		members = append(members, member{f.Name, string(body)})
	}
	return members, nil
}

// Repack writes a wheel's members anew, as another machine would: the last one
// first, with another time, and deflated.
func Repack(wheel string) error {
	members, err := unzipped(wheel)
	if err != nil {
		return describe(wheel, err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range slices.Backward(members) {
		var packed bytes.Buffer
		deflate, err := flate.NewWriter(&packed, flate.BestCompression)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(deflate, m.body); err != nil {
			return err
		}
		if err := deflate.Close(); err != nil {
			return err
		}
		h := &zip.FileHeader{Name: m.path, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(m.body)),
			CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(m.body))}
		h.SetMode(0o644)
		w, err := z.CreateRaw(h)
		if err != nil {
			return err
		}
		if _, err := w.Write(packed.Bytes()); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(wheel, out.Bytes(), 0o644)
}
