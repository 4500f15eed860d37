package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

const (
	simpleJSON    = "application/vnd.pypi.simple.v1+json"
	integrityJSON = "application/vnd.pypi.integrity.v1+json"
)

// Bounds on a page of the simple API. PyPI's largest is some 30 MB.
const (
	maxPage   = 64 << 20 // bytes
	maxEntry  = 64 << 10 // bytes of what is said of one file
	maxAround = 4 << 20  // bytes of all that is said before the files, and after them
	maxListed = 100_000  // files
	maxOurs   = 10_000   // files that are kept, as of one release
)

// page is a project's page of the simple API (PEP 691, 700 and 792), as far as
// somebody asked for it.
type page struct {
	version  string // of the API
	name     string
	status   string   // of the project
	versions []string // that the project has, from version 1.1
	listed   bool     // whether it lists files, be it none; where it does not, the index knows no such project
	files    []served // that were kept
}

// keeper takes an entry of the page at a URL, adds its file to those that were
// kept if it is one to keep, and returns them.
type keeper func(kept []served, at *url.URL, e entry) ([]served, error)

// entry is what a page says of one file.
type entry struct {
	filename string
	url      string
	hashes   json.RawMessage
	size     *int64          // from version 1.1
	yanked   json.RawMessage // false, true or the reason
	python   *string         // Requires-Python
	uploaded *string         // from version 1.1
	attested *string         // URL of its provenance (PEP 740), from version 1.3
	metadata [3]json.RawMessage
}

// fields are the keys that are read of an entry. Where a page says nothing of
// core-metadata, pip looks for what that key was called before (PEP 714).
func (e *entry) fields() map[string]any {
	return map[string]any{
		"filename": &e.filename, "url": &e.url, "hashes": &e.hashes, "size": &e.size,
		"yanked": &e.yanked, "requires-python": &e.python, "core-metadata": &e.metadata[0],
		"dist-info-metadata": &e.metadata[1], "data-dist-info-metadata": &e.metadata[2],
		"upload-time": &e.uploaded, "provenance": &e.attested,
	}
}

// served is one file that the index offers, and what an installer is told of
// it before it has the file.
type served struct {
	name     string
	url      *url.URL
	digest   dist.Digest
	size     *int64   // bytes, or nil where the index does not say
	yanked   string   // the reason, or nothing
	python   *string  // Requires-Python, or nil where the index does not say
	metadata []string // digests of the core metadata beside the file, as they are given
	uploaded string   // when, as the index says it, or nothing
	attested *url.URL // where its provenance is, or nil where it has none
}

// page asks for the files of a release. A project that the index does not know
// has none.
func (x *Index) page(ctx context.Context, r release) (page, error) {
	return x.list(ctx, r.project, r.keep)
}

// list asks for the page of a project, and keeps of its files what keep does. A
// project that the index does not know has a page without files.
func (x *Index) list(ctx context.Context, project string, keep keeper) (p page, err error) {
	at := x.simple.JoinPath(project + "/")
	err = x.visit(ctx, at, simpleJSON, func(response *http.Response) error {
		switch got := mediaType(response); {
		case response.StatusCode == http.StatusNotFound:
			return nil
		case response.StatusCode != http.StatusOK || got != simpleJSON:
			a, err := x.read(response, maxAnswer)
			if err != nil {
				return err
			}
			return x.unreadable(at, "status 200 and "+simpleJSON, a.says()+" and "+orNothing(got))
		}
		in := &bounded{r: response.Body, page: maxPage, value: maxAround}
		if p, err = readPage(project, at, in, keep); in.err != nil {
			return fmt.Errorf("%s: %w", at.Redacted(), in.err)
		}
		if err != nil {
			return x.unreadable(at, "the page of "+project+", as version 1 of the simple API has it", err.Error())
		}
		return x.aged(project, response)
	})
	return p, err
}

// readPage takes a page file by file.
func readPage(project string, at *url.URL, in *bounded, keep keeper) (page, error) {
	var p page
	d := json.NewDecoder(in)
	err := object(d, map[string]any{
		"name":           &p.name,
		"meta":           func() error { return object(d, map[string]any{"api-version": &p.version}) },
		"project-status": func() error { return object(d, map[string]any{"status": &p.status}) },
		"versions":       &p.versions,
		"files": func() (err error) {
			p.listed = true
			p.files, err = entries(at, d, in, keep)
			in.value = maxAround
			return err
		},
	})
	if err == nil {
		err = ended(d)
	}
	switch {
	case err != nil:
		return page{}, err
	case p.name != project || !strings.HasPrefix(p.version, "1."):
		return page{}, fmt.Errorf("the page of %s in version %s", orNothing(p.name), orNothing(p.version))
	case !p.listed:
		return page{}, errors.New("no list of files")
	}
	return p, nil
}

func entries(at *url.URL, d *json.Decoder, in *bounded, keep keeper) (files []served, err error) {
	if err := delimiter(d, '['); err != nil {
		return nil, err
	}
	var e entry
	fields := e.fields()
	for n := 0; d.More(); n++ {
		e = entry{}
		in.value = maxEntry
		if err := object(d, fields); err != nil {
			return nil, err
		}
		if files, err = keep(files, at, e); err != nil {
			return nil, fmt.Errorf("%s: %w", brief(e.filename), err)
		}
		if n == maxListed || len(files) > maxOurs {
			return nil, fmt.Errorf("more than %d files, or than %d to keep", maxListed, maxOurs)
		}
	}
	return files, delimiter(d, ']')
}

// keep adds the entry, if its file is of the release. An installer may go by
// the end of the URL as well as by the name, so the two must be one.
func (r release) keep(files []served, at *url.URL, e entry) ([]served, error) {
	to, err := at.Parse(e.url)
	if err != nil {
		return nil, errors.New("no URL")
	}
	base := path.Base(to.Path)
	if !r.holds(e.filename) && (base == e.filename || !r.holds(base)) {
		return files, nil
	}
	if e.filename != base || to.Fragment != "" {
		return nil, fmt.Errorf("a URL that does not end in the file's name but in %s", base+to.Fragment)
	}
	s, err := e.served(to)
	return append(files, s), err
}

func (e entry) served(to *url.URL) (served, error) {
	s := served{name: e.filename, url: to, size: e.size, python: e.python}
	hashes, err := digests(e.hashes)
	if err != nil {
		return s, err
	}
	if s.digest, err = dist.ParseDigest("sha256:" + hashes["sha256"]); err != nil {
		return s, errors.New("no SHA-256")
	}
	for _, said := range e.metadata {
		if text, err := beside(said); err != nil {
			return s, err
		} else if text != "" {
			s.metadata = append(s.metadata, text)
		}
	}
	if e.uploaded != nil {
		s.uploaded = *e.uploaded
	}
	if e.attested != nil {
		if s.attested, err = to.Parse(*e.attested); err != nil {
			return s, errors.New("no URL of its provenance")
		}
	}
	s.yanked, err = reason(e.yanked)
	return s, err
}

// reason is why a file is yanked, or nothing.
func reason(yanked json.RawMessage) (why string, err error) {
	switch string(yanked) {
	case "", "false", "null":
		return "", nil
	case "true":
		return "no reason given", nil
	}
	if err := json.Unmarshal(yanked, &why); err != nil {
		return "", errors.New("neither yanked nor not")
	}
	return orNothing(why), nil
}

// beside is what a page says of the core metadata that it has beside a file:
// nothing, or their one digest. pip takes metadata without a digest as they
// come, and of several digests is content with any, so both are said as they
// are, and equal to no digest.
func beside(said json.RawMessage) (string, error) {
	switch string(said) {
	case "", "false", "null":
		return "", nil
	case "true":
		return "no digest", nil
	}
	hashes, err := digests(said)
	if err != nil {
		return "", err
	}
	if sha256, ok := hashes["sha256"]; ok && len(hashes) == 1 {
		return "sha256:" + sha256, nil
	}
	return fmt.Sprintf("%d digests, where SHA-256 alone is one", len(hashes)), nil
}

// digests reads an object of digests by their algorithm.
func digests(raw json.RawMessage) (map[string]string, error) {
	if raw == nil {
		return nil, nil
	}
	hashes := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := delimiter(d, '{'); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		algorithm, _ := name.(string)
		digest, isText := value.(string)
		if _, twice := hashes[algorithm]; twice || !isText {
			return nil, fmt.Errorf("the digest %q twice, or none", brief(algorithm))
		}
		hashes[algorithm] = digest
	}
	return hashes, delimiter(d, '}')
}

// object reads a JSON object. Each key in fields is read into what it points
// to, or by a function; others are passed over. Keys are what is written, and
// each comes once: encoding/json would take FILES for files, and of two the
// last, and installers do otherwise.
func object(d *json.Decoder, fields map[string]any) error {
	if err := delimiter(d, '{'); err != nil {
		return err
	}
	var seen []string
	var other json.RawMessage
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		to, known := fields[key]
		if slices.Contains(seen, key) {
			return fmt.Errorf("the key %q twice", key)
		}
		if known {
			seen = append(seen, key)
		}
		switch read, isFunc := to.(func() error); {
		case isFunc:
			err = read()
		case known:
			err = d.Decode(to)
		default:
			err = d.Decode(&other)
		}
		if err != nil {
			return err
		}
	}
	return delimiter(d, '}')
}

func delimiter(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v in the place of %v", got, want)
	}
	return err
}

// ended wants nothing more.
func ended(d *json.Decoder) error {
	_, err := d.Token()
	if err == io.EOF {
		return nil
	}
	if err == nil {
		err = errors.New("something after the end")
	}
	return err
}

// bounded is a page on its way in.
type bounded struct {
	r     io.Reader
	page  int64 // bytes that may still come
	value int64 // bytes that may still come before another value is begun
	err   error // why r could not be read
}

func (b *bounded) Read(p []byte) (int, error) {
	left := min(b.page, b.value)
	if left <= 0 {
		return 0, fmt.Errorf("more than %d bytes, or than %d for one file", maxPage, maxEntry)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), left)])
	b.page -= int64(n)
	b.value -= int64(n)
	if err != io.EOF {
		b.err = err
	}
	return n, err
}
