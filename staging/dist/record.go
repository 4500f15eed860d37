package dist

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// record is RECORD: what every file of a wheel must be. Lines of files that
// were seen are taken out of it.
type record struct {
	folder string // the .dist-info folder
	lines  map[string]recorded
}

// recorded is the line of one file. Those of RECORD and of its signatures may be
// without a digest (PEP 427).
type recorded struct {
	digest Digest
	size   int64 // or -1
}

// readRecord reads RECORD, or says in the report what is wrong with it.
func readRecord(r *report, folder string, raw []byte) *record {
	rec := &record{folder: folder, lines: map[string]recorded{}}
	refuse := func(fault string) {
		r.refuse(rule.RecordForm, folder+"/RECORD", "lines PATH,sha256=DIGEST,SIZE, each path once", fault)
	}
	if !utf8.Valid(raw) {
		refuse("bytes that are not UTF-8")
		return rec
	}
	table := csv.NewReader(bytes.NewReader(raw))
	table.FieldsPerRecord, table.ReuseRecord = 3, true
	for {
		fields, err := table.Read()
		if err == io.EOF {
			return rec
		}
		if err != nil {
			refuse(err.Error())
			return rec
		}
		// Tools on Windows wrote their own separators; Warehouse takes them.
		path := strings.ReplaceAll(fields[0], `\`, "/")
		line, fault := rec.parse(path, fields[1], fields[2])
		if _, again := rec.lines[path]; again {
			fault = "a second line"
		}
		if fault != "" {
			refuse(fault + " for " + path)
		}
		rec.lines[path] = line
	}
}

// parse reads the digest and the size of one line.
func (rec *record) parse(path, digest, size string) (line recorded, fault string) {
	if rec.exempt(path) && digest == "" {
		return recorded{size: -1}, ""
	}
	algorithm, text, _ := strings.Cut(digest, "=")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if len(text) == hex.EncodedLen(len(line.digest)) { // as some backends once wrote it, and installers let pass
		raw, err = hex.DecodeString(text)
	}
	if algorithm != "sha256" || err != nil || len(raw) != len(line.digest) {
		return recorded{size: -1}, "no SHA-256, but " + orNothing(clip(digest)) + ","
	}
	line = recorded{Digest(raw), -1}
	if size != "" {
		if line.size, err = strconv.ParseInt(size, 10, 64); err != nil || line.size < 0 {
			return recorded{size: -1}, "the size " + clip(size)
		}
	}
	return line, ""
}

// exempt tells whether a file is RECORD or a signature of it.
func (rec *record) exempt(path string) bool {
	name, ok := strings.CutPrefix(path, rec.folder+"/")
	return ok && slices.Contains([]string{"RECORD", "RECORD.jws", "RECORD.p7s"}, name)
}

// check holds a file against its line.
func (rec *record) check(r *report, m Member) {
	line, ok := rec.lines[m.Path]
	delete(rec.lines, m.Path)
	switch {
	case m.Path == rec.folder+"/RECORD" || !ok && rec.exempt(m.Path):
	case !ok:
		r.refuse(rule.RecordComplete, m.Path, "a line of RECORD for each file", "none")
	case line.digest != m.Digest && !line.digest.IsZero():
		r.refuse(rule.RecordTrue, m.Path, "the content that RECORD says, "+line.digest.String(), m.Digest.String())
	case line.size >= 0 && line.size != m.Size:
		r.refuse(rule.RecordTrue, m.Path, fmt.Sprintf("the size that RECORD says, %d", line.size),
			fmt.Sprintf("%d bytes", m.Size))
	}
}

// finish refuses lines of files that were not there.
func (rec *record) finish(r *report) {
	for _, path := range slices.Sorted(maps.Keys(rec.lines)) {
		if !rec.exempt(path) {
			r.refuse(rule.RecordComplete, path, "a file for each line of RECORD", "none")
		}
	}
}
