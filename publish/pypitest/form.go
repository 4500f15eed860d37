package pypitest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Bounds of a form; Warehouse leaves them to the servers before it.
const (
	maxBody   = 4 << 30  // bytes of a whole request
	maxText   = 64 << 20 // bytes of all fields but the file
	maxFields = 16 << 10 // fields of a form
)

var errTooMuch = errors.New("the form is too large")

// form is what an upload sends, in the order in which it was sent.
type form struct {
	fields  []field
	content *content // the last field of that name that was sent as a file
}

// field is one value. A name that comes several times is a list.
type field struct {
	name, value string
	file        bool // sent as a file though it should be text
}

// content is the distribution, as it was received.
type content struct {
	filename  string
	mediaType string
	path      string // where its bytes are
	size      int64  // of all that was sent; what is on disk ends behind the limit
	digests   digests
}

// first is how WTForms reads a field.
func (f *form) first(name string) string {
	if i := slices.IndexFunc(f.fields, func(g field) bool { return g.name == name }); i >= 0 {
		return f.fields[i].value
	}
	return ""
}

// last is how WebOb reads a field.
func (f *form) last(name string) (value string, ok bool) {
	for _, g := range slices.Backward(f.fields) {
		if g.name == name {
			return g.value, true
		}
	}
	return "", false
}

// all is every value of a list, nil if there is none.
func (f *form) all(name string) []string {
	var values []string
	for _, g := range f.fields {
		if g.name == name {
			values = append(values, g.value)
		}
	}
	return values
}

// remove takes the file away that nobody wants any more.
func (f *form) remove() {
	if f.content != nil {
		os.Remove(f.content.path)
	}
}

// readForm reads a form. The file goes to a temporary one in dir as it
// arrives, hashed on the way, and is cut off one byte behind limit.
func readForm(w http.ResponseWriter, r *http.Request, dir string, limit int64) (*form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	mediaType, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return &form{}, nil
	}
	switch mediaType {
	case "application/x-www-form-urlencoded":
		return readQuery(r.Body)
	case "multipart/form-data":
		f := &form{}
		if err := f.read(newParts(r.Body, parameters["boundary"]), dir, limit); err != nil {
			f.remove()
			return nil, err
		}
		return f, nil
	}
	return &form{}, nil
}

func readQuery(r io.Reader) (*form, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxText {
		return nil, errTooMuch
	}
	f := &form{}
	for pair := range strings.SplitSeq(string(raw), "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr == nil && valueErr == nil && name != "" {
			f.fields = append(f.fields, field{name: name, value: value})
		}
	}
	return f, nil
}

func (f *form) read(parts *parts, dir string, limit int64) error {
	left := int64(maxText)
	for range maxFields {
		part, err := parts.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.readPart(part, dir, limit, &left); err != nil {
			return err
		}
	}
	return errTooMuch
}

func (f *form) readPart(part *part, dir string, limit int64, left *int64) error {
	if part.name == "content" && part.filename != "" {
		c, err := receive(part, dir, limit)
		if err == nil {
			f.remove()
			f.content = c
		}
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(part, *left+1))
	if err != nil {
		return err
	}
	if *left -= int64(len(raw)); *left < 0 {
		return errTooMuch
	}
	f.fields = append(f.fields, field{name: part.name, value: string(raw), file: part.filename != ""})
	return nil
}

// receive writes a file's bytes to disk and hashes them. What lies behind the
// limit is counted only.
func receive(part *part, dir string, limit int64) (*content, error) {
	out, err := os.CreateTemp(dir, "upload-*")
	if err != nil {
		return nil, err
	}
	c := &content{path: out.Name(), filename: part.filename, mediaType: part.contentType}
	blake2, err := blake2b.New256(nil)
	if err != nil {
		return nil, errors.Join(err, out.Close(), os.Remove(c.path))
	}
	hashes := []hash.Hash{md5.New(), sha256.New(), blake2}
	sink := io.MultiWriter(out, hashes[0], hashes[1], hashes[2])
	buffer := make([]byte, multipartBuffer)
	c.size, err = io.CopyBuffer(struct{ io.Writer }{sink}, io.LimitReader(part, limit+1), buffer)
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, part)
		c.size += rest
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(c.path))
	}
	c.digests = digests{md5: sum(hashes[0]), sha256: sum(hashes[1]), blake2: sum(hashes[2])}
	return c, nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// sanitize drops what distutils once sent for want of a value, and escapes
// what the database does not take.
func (f *form) sanitize() {
	unknown := map[string]bool{}
	for i, g := range f.fields {
		unknown[g.name] = strings.TrimSpace(g.value) == "UNKNOWN"
		f.fields[i].value = strings.ReplaceAll(g.value, "\x00", `\x00`)
	}
	f.fields = slices.DeleteFunc(f.fields, func(g field) bool { return unknown[g.name] })
}

// incoming is where files lie while they are received.
func (x *Index) incoming() string { return filepath.Join(x.config.Dir, "incoming") }
