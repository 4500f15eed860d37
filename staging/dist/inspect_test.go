package dist_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestADistributionIsWhatItsNameSays(t *testing.T) {
	for name, b := range map[string][]byte{
		wheelName: makeZip(t, wheelEntries()...),
		sdistName: gzipped(t, makeTar(t, sdistEntries()...)),
	} {
		info, err := inspect(t, name, b)
		if err != nil {
			t.Fatal(err)
		}
		if info.Filename.String() != name || info.Metadata.Name() != "widget" ||
			info.Metadata.Description() != "A widget.\n" {
			t.Errorf("%s: got %+v", name, info)
		}
	}
}

func TestTheInsideIsOfTheSameProjectAndVersion(t *testing.T) {
	for _, c := range []struct {
		metadata string
		want     rule.ID
	}{
		{"Metadata-Version: 2.4\nName: WID_GET\nVersion: 1\n", rule.MetadataMatch},
		{"Metadata-Version: 2.4\nName: Widget\nVersion: v1.0.0\n", ""},
		{"Metadata-Version: 2.4\nName: gadget\nVersion: 1.0\n", rule.MetadataMatch},
		{"Metadata-Version: 2.4\nName: widget\nVersion: 1.0.1\n", rule.MetadataMatch},
		{"Metadata-Version: 2.4\nName: widget\nVersion: 1.0+local\n", rule.MetadataMatch},
		{"Metadata-Version: 2.4\nName: widget\nName: widget\nVersion: 1.0\n", rule.MetadataForm},
		{"", rule.MetadataForm},
	} {
		wheel, sdist := wheelEntries(), sdistEntries()
		wheel[1].body, sdist[0].body = c.metadata, c.metadata
		for name, b := range map[string][]byte{
			wheelName: makeZip(t, wheel...), sdistName: gzipped(t, makeTar(t, sdist...)),
		} {
			if _, err := inspect(t, name, b); refused(t, err) != c.want {
				t.Errorf("%s with %q: want %q, got %v", name, c.metadata, c.want, err)
			}
		}
	}
}

func TestAWheelIsOneZipFileAndNothingElse(t *testing.T) {
	plain := makeZip(t, wheelEntries()...)
	with := func(more ...entry) []byte { return makeZip(t, append(wheelEntries(), more...)...) }
	without := func(i int) []byte { return makeZip(t, append(wheelEntries()[:i], wheelEntries()[i+1:]...)...) }
	const info = "widget-1.0.dist-info/"
	utf8Name := zip.FileHeader{Flags: 1 << 11}
	extra := func(b ...byte) zip.FileHeader { return zip.FileHeader{Extra: b} }
	for name, c := range map[string]struct {
		wheel []byte
		want  rule.ID
	}{
		"bytes in front":        {append([]byte("#!/bin/sh\n"), plain...), rule.Archive},
		"bytes behind":          {append(bytes.Clone(plain), 0), rule.Archive},
		"another zip behind":    {append(bytes.Clone(plain), with(entry{name: "evil.py"})...), rule.Archive},
		"an archive comment":    {commented(t), rule.Archive},
		"truncated":             {plain[:len(plain)-1], rule.Archive},
		"no directory":          {plain[:60], rule.Archive},
		"a text":                {[]byte("<html>not found</html> but long enough for an end"), rule.Archive},
		"an sdist":              {gzipped(t, makeTar(t, sdistEntries()...)), rule.Archive},
		"zeros":                 {make([]byte, 1000), rule.Archive},
		"an empty zip":          {makeZip(t), rule.DistInfo},
		"no METADATA":           {without(1), rule.DistInfo},
		"no WHEEL":              {without(2), rule.DistInfo},
		"no RECORD":             {without(3), rule.DistInfo},
		"two METADATA":          {with(entry{name: info + "METADATA", body: metadata}), rule.ArchiveMember},
		"METADATA by case":      {with(entry{name: info + "metadata", body: metadata}), rule.DistInfo},
		"two dist-info":         {with(entry{name: "gadget-1.0.dist-info/METADATA"}), rule.DistInfo},
		"dist-info by case":     {with(entry{name: "widget-1.0.DIST-INFO/METADATA"}), rule.DistInfo},
		"dist-info of another":  {with(entry{name: "widget-2.0.dist-info/RECORD"}), rule.DistInfo},
		"a doubled member":      {with(entry{name: "widget.py"}), rule.ArchiveMember},
		"a folder and a file":   {with(entry{name: "widget.py/"}), rule.ArchiveMember},
		"a path out":            {with(entry{name: "../evil.py"}), rule.ArchiveMember},
		"a path out inside":     {with(entry{name: "a/../../evil.py"}), rule.ArchiveMember},
		"an absolute path":      {with(entry{name: "/etc/passwd"}), rule.ArchiveMember},
		"a Windows path":        {with(entry{name: `a\..\evil.py`}), rule.ArchiveMember},
		"a drive":               {with(entry{name: "C:evil.py"}), rule.ArchiveMember},
		"an escape":             {with(entry{name: "\x1b[2Jevil.py"}), rule.ArchiveMember},
		"a bidi control":        {with(entry{name: "\u202eyp.live", header: utf8Name}), rule.ArchiveMember},
		"a NUL":                 {with(entry{name: "a.py\x00.txt"}), rule.ArchiveMember},
		"not UTF-8":             {with(entry{name: "\xff.py", header: utf8Name}), rule.ArchiveMember},
		"unmarked UTF-8":        {with(entry{name: "é.py"}), rule.Archive},
		"encrypted":             {with(entry{name: "a.py", header: zip.FileHeader{Flags: 1}}), rule.Archive},
		"lzma":                  {with(entry{name: "a.py", header: zip.FileHeader{Method: 14}}), rule.Archive},
		"a member comment":      {with(entry{name: "a.py", header: zip.FileHeader{Comment: "hello"}}), rule.Archive},
		"a second name":         {with(entry{name: "a.py", header: extra(unicodeName("evil.py")...)}), rule.Archive},
		"a doubled extra":       {with(entry{name: "a.py", header: extra(9, 9, 0, 0, 9, 9, 0, 0)}), rule.Archive},
		"half an extra":         {with(entry{name: "a.py", header: extra(9, 9, 5, 0)}), rule.Archive},
		"a link":                {with(entry{name: "a.py", body: "/etc/passwd", header: ofMode(fs.ModeSymlink | 0o777)}), rule.Archive},
		"a device":              {with(entry{name: "null", header: ofMode(fs.ModeDevice | 0o666)}), rule.Archive},
		"data descriptors":      {streamed(t), rule.Archive},
		"a wrong checksum":      {replaced(t, plain, crc(metadata), crc("other")), rule.Archive},
		"other local names":     {replaceFirst(t, plain, "widget.py", "gadget.py"), rule.Archive},
		"an unlisted member":    {hidden(t, plain), rule.Archive},
		"a bomb":                {bomb(t), rule.ArchiveSize},
		"huge metadata":         {hugeMetadata(t), rule.ArchiveSize},
		"too many members":      {records(t, plain, 60_000, 4<<30-2), rule.ArchiveSize},
		"a huge directory":      {records(t, plain, 4, 33<<20), rule.ArchiveSize},
		"more members counted":  {records(t, plain, 5, 0), rule.Archive},
		"fewer members counted": {records(t, plain, 3, 0), rule.Archive},
	} {
		if _, err := inspect(t, wheelName, c.wheel); refused(t, err) != c.want {
			t.Errorf("%s: want %s, got %v", name, c.want, err)
		} else if !strings.HasPrefix(err.Error(), wheelName+": ") {
			t.Errorf("%s: the refusal does not name the file: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"folders":        with(entry{name: "widget/"}, entry{name: "widget/a.py"}),
		"UTF-8":          with(entry{name: "é.py", header: utf8Name}),
		"names by case":  with(entry{name: "include/xt_DSCP.h"}, entry{name: "include/xt_dscp.h"}),
		"inner metadata": with(entry{name: "widget/_vendor/gadget-1.0.dist-info/METADATA"}),
	} {
		if _, err := inspect(t, wheelName, b); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func ofMode(mode fs.FileMode) (h zip.FileHeader) {
	h.SetMode(mode)
	return h
}

func crc(s string) string {
	return string(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

func replaced(t *testing.T, b []byte, from, to string) []byte {
	t.Helper()
	if bytes.Count(b, []byte(from)) != 2 {
		t.Fatalf("want %q twice", from)
	}
	return bytes.ReplaceAll(b, []byte(from), []byte(to))
}

func replaceFirst(t *testing.T, b []byte, from, to string) []byte {
	t.Helper()
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("want %q", from)
	}
	return bytes.Replace(b, []byte(from), []byte(to), 1)
}

// commented is a wheel with a comment on the archive.
func commented(t *testing.T) []byte {
	b := makeZip(t, wheelEntries()...)
	b[len(b)-2] = 5
	return append(b, "hello"...)
}

// streamed is a wheel whose sizes follow the data.
func streamed(t *testing.T) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range wheelEntries() {
		f, err := w.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// hidden puts a member before the directory that the directory does not list:
// what streams finds it.
func hidden(t *testing.T, wheel []byte) []byte {
	one := makeZip(t, entry{name: "evil.py", body: "evil"})
	member := one[:binary.LittleEndian.Uint32(one[len(one)-6:])]
	at := binary.LittleEndian.Uint32(wheel[len(wheel)-6:])
	out := append(bytes.Clone(wheel[:at]), member...)
	out = append(out, wheel[at:]...)
	binary.LittleEndian.PutUint32(out[len(out)-6:], at+uint32(len(member)))
	return out
}

// records rewrites the counts at the end of a zip file, and the size of its
// directory if it is not 0.
func records(t *testing.T, wheel []byte, count uint16, size uint32) []byte {
	out := bytes.Clone(wheel)
	end := out[len(out)-22:]
	binary.LittleEndian.PutUint16(end[8:], count)
	binary.LittleEndian.PutUint16(end[10:], count)
	if size != 0 {
		binary.LittleEndian.PutUint32(end[12:], size)
	}
	return out
}

func unicodeName(name string) []byte {
	extra := binary.LittleEndian.AppendUint16(nil, 0x7075)
	extra = binary.LittleEndian.AppendUint16(extra, uint16(5+len(name)))
	return append(append(extra, 1, 0, 0, 0, 0), name...)
}

// bomb is a wheel of some KiB that unpacks to more than 64 MiB.
func bomb(t *testing.T) []byte {
	return makeZip(t, append(wheelEntries(), entry{name: "zeros", body: strings.Repeat("\x00", 65<<20)})...)
}

func hugeMetadata(t *testing.T) []byte {
	entries := wheelEntries()
	entries[1].body += strings.Repeat("x", 17<<20)
	return makeZip(t, entries...)
}

func TestAnSdistIsOneTarFileAndNothingElse(t *testing.T) {
	plain := makeTar(t, sdistEntries()...)
	only := func(entries ...entry) []byte { return gzipped(t, makeTar(t, entries...)) }
	with := func(more ...entry) []byte { return only(append(sdistEntries(), more...)...) }
	special := func(name string, kind byte) []byte {
		return with(entry{name: "widget-1.0/" + name, tar: tar.Header{Typeflag: kind}})
	}
	for name, c := range map[string]struct {
		sdist []byte
		want  rule.ID
	}{
		"not gzipped":          {plain, rule.Archive},
		"a wheel":              {makeZip(t, wheelEntries()...), rule.Archive},
		"a text":               {[]byte("<html>not found</html>"), rule.Archive},
		"truncated":            {gzipped(t, plain)[:100], rule.Archive},
		"truncated at the end": {gzipped(t, plain)[:len(gzipped(t, plain))-1], rule.Archive},
		"truncated inside":     {gzipped(t, plain[:700]), rule.Archive},
		"bytes behind":         {append(gzipped(t, plain), "evil"...), rule.Archive},
		"zeros behind":         {append(gzipped(t, plain), 0, 0, 0, 0), rule.Archive},
		"a tar behind":         {gzipped(t, append(bytes.Clone(plain), plain...)), rule.Archive},
		"a gzip behind":        {append(gzipped(t, plain), gzipped(t, plain)...), rule.Archive},
		"not a tar":            {gzipped(t, bytes.Repeat([]byte("x"), 2000)), rule.Archive},
		"truncated blocks":     {gzipped(t, plain[:len(plain)-1024]), rule.Archive},
		"nothing in it":        {gzipped(t, nil), rule.Archive},
		"no members":           {gzipped(t, makeTar(t)), rule.DistInfo},
		"no PKG-INFO":          {gzipped(t, makeTar(t, sdistEntries()[1:]...)), rule.DistInfo},
		"PKG-INFO deeper":      {only(entry{name: "widget-1.0/a/PKG-INFO", body: metadata}), rule.DistInfo},
		"two PKG-INFO":         {with(entry{name: "widget-1.0/PKG-INFO", body: metadata}), rule.ArchiveMember},
		"PKG-INFO by case":     {with(entry{name: "widget-1.0/pkg-info", body: metadata}), rule.DistInfo},
		"two top folders":      {with(entry{name: "widget-1.0.0/a", body: "x"}), rule.DistInfo},
		"a file at the top":    {with(entry{name: "setup.py", body: "x"}), rule.DistInfo},
		"a top of another":     {only(entry{name: "gadget-1.0/PKG-INFO", body: metadata}), rule.DistInfo},
		"a doubled member":     {with(entry{name: "widget-1.0/pyproject.toml"}), rule.ArchiveMember},
		"a path out":           {with(entry{name: "widget-1.0/../evil.py"}), rule.ArchiveMember},
		"an absolute path":     {with(entry{name: "/widget-1.0/evil.py"}), rule.ArchiveMember},
		"a bidi control":       {with(entry{name: "widget-1.0/\u202eyp.live"}), rule.ArchiveMember},
		"a device":             {special("null", tar.TypeChar), rule.ArchiveMember},
		"a sparse file":        {gzipped(t, sparseTar(t)), rule.ArchiveMember},
		"a pipe":               {special("pipe", tar.TypeFifo), rule.ArchiveMember},
		"a global rename": {with(entry{tar: tar.Header{Typeflag: tar.TypeXGlobalHeader,
			PAXRecords: map[string]string{"path": "evil"}}}), rule.ArchiveMember},
		"PKG-INFO as a link": {only(entry{name: "widget-1.0/PKG-INFO",
			tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}), rule.DistInfo},
		"huge metadata": {only(entry{name: "widget-1.0/PKG-INFO",
			body: metadata + strings.Repeat("x", 17<<20)}), rule.ArchiveSize},
		"a bomb": {with(entry{name: "widget-1.0/zeros", body: strings.Repeat("\x00", 65<<20)}), rule.ArchiveSize},
	} {
		if _, err := inspect(t, sdistName, c.sdist); refused(t, err) != c.want {
			t.Errorf("%s: want %s, got %v", name, c.want, err)
		} else if !strings.HasPrefix(err.Error(), sdistName+": ") {
			t.Errorf("%s: the refusal does not name the file: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"folders and links": with(entry{name: "widget-1.0/", tar: tar.Header{Typeflag: tar.TypeDir}},
			entry{name: "widget-1.0/a", tar: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "b"}}),
		"a commit": only(append([]entry{{tar: tar.Header{Typeflag: tar.TypeXGlobalHeader,
			PAXRecords: map[string]string{"comment": "0123"}}}}, sdistEntries()...)...),
		"long names":      with(entry{name: "widget-1.0/" + strings.Repeat("long/", 60) + "é"}),
		"padding":         gzipped(t, append(bytes.Clone(plain), make([]byte, 10240)...)),
		"other spellings": only(entry{name: "Widget-v1.0.0/PKG-INFO", body: metadata}),
	} {
		if _, err := inspect(t, sdistName, b); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// sparseTar is an sdist with a member of GNU's old sparse format.
func sparseTar(t *testing.T) []byte {
	out := makeTar(t, entry{name: "widget-1.0/zeros", tar: tar.Header{Format: tar.FormatGNU}})
	header := out[:512]
	header[156] = tar.TypeGNUSparse
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return out
}

func TestTooManyMembersAreRefused(t *testing.T) {
	tarball := makeTar(t, entry{name: "widget-1.0/000000"})
	template, end := tarball[:512], tarball[512:]
	var before int
	if _, err := fmt.Sscanf(string(template[148:154]), "%o", &before); err != nil {
		t.Fatal(err)
	}
	var many []byte
	for i := range 100_001 {
		header := bytes.Clone(template)
		sum := 0
		for place, digit := range fmt.Sprintf("%06d", i) {
			header[len("widget-1.0/")+place] = byte(digit)
			sum += int(digit - '0')
		}
		copy(header[148:], fmt.Sprintf("%06o", before+sum))
		many = append(many, header...)
	}
	_, err := inspect(t, sdistName, gzipped(t, append(many, end...)))
	if refused(t, err) != rule.ArchiveSize {
		t.Errorf("got %v", err)
	}
}

// A disk that breaks is not a wheel that is broken.
func TestWhatCannotBeReadIsNotRefused(t *testing.T) {
	broken := errors.New("disk")
	for name, b := range map[string][]byte{
		wheelName: makeZip(t, wheelEntries()...), sdistName: gzipped(t, makeTar(t, sdistEntries()...)),
	} {
		f, err := dist.Copy(io.Discard, bytes.NewReader(b), name, dist.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		for after := range int64(len(b)) {
			_, err := dist.Inspect(failing{bytes.NewReader(b), after, broken}, f)
			if !errors.Is(err, broken) || errors.As(err, new(rule.Refusals)) {
				t.Errorf("%s, broken after %d bytes: got %v", name, after, err)
			}
			_, err = dist.Inspect(bytes.NewReader(b[:after]), f)
			if err == nil || errors.As(err, new(rule.Refusals)) {
				t.Errorf("%s, of which only %d bytes are there: got %v", name, after, err)
			}
		}
	}
	if _, err := dist.Inspect(unread{}, dist.File{}); refused(t, err) != rule.FileName {
		t.Errorf("no file: got %v", err)
	}
}

type unread struct{}

func (unread) ReadAt(b []byte, off int64) (int, error) {
	return iotest.ErrReader(errors.New("read")).Read(b)
}

// failing serves r up to an offset.
type failing struct {
	r     io.ReaderAt
	after int64
	err   error
}

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.after {
		return 0, f.err
	}
	return f.r.ReadAt(b, off)
}

// counting counts the bytes that are asked for.
type counting struct {
	r    io.ReaderAt
	read int64
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(b, off)
	c.read += int64(n)
	return n, err
}

// hole is the size of a write of zeros.
const hole = 1 << 20

// sparse is a file that is zeros but for some pieces.
type sparse struct {
	pieces map[int64][]byte
	size   int64
}

func (s *sparse) Write(b []byte) (int, error) {
	if len(b) != hole {
		s.pieces[s.size] = bytes.Clone(b)
	}
	s.size += int64(len(b))
	return len(b), nil
}

func (s *sparse) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), max(s.size-off, 0)))
	clear(b[:n])
	for at, piece := range s.pieces {
		if at < off+int64(n) && off < at+int64(len(piece)) {
			copy(b[max(at-off, 0):n], piece[max(off-at, 0):])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// sparseWheel is a wheel with one stored member of so many zeros.
func sparseWheel(t *testing.T, size int64) *sparse {
	t.Helper()
	out := &sparse{pieces: map[int64][]byte{}}
	w := zip.NewWriter(out)
	big, err := w.CreateRaw(&zip.FileHeader{Name: "zeros", CompressedSize64: uint64(size), UncompressedSize64: uint64(size)})
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, hole)
	for range size / hole {
		if _, err := big.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range wheelEntries() {
		f, err := w.CreateRaw(&zip.FileHeader{Name: e.name, CRC32: crc32.ChecksumIEEE([]byte(e.body)),
			CompressedSize64: uint64(len(e.body)), UncompressedSize64: uint64(len(e.body))})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAFileOfTwoGigabytesIsNeverInMemory(t *testing.T) {
	wheel := sparseWheel(t, 2<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := dist.Copy(io.Discard, io.NewSectionReader(wheel, 0, wheel.size), wheelName, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	source := &counting{r: wheel}
	if _, err := dist.Inspect(source, f); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("want less than 4 MiB of memory, got %d bytes", allocated)
	}
	if source.read > 4<<10 {
		t.Errorf("want a few KiB read of %d bytes, got %d", wheel.size, source.read)
	}
}

func TestAnSdistIsReadOnceInBoundedMemory(t *testing.T) {
	noise := make([]byte, 2<<20)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	b := gzipped(t, makeTar(t, append(sdistEntries(), entry{name: "widget-1.0/noise", body: string(noise)})...))
	f, err := dist.Copy(io.Discard, bytes.NewReader(b), sdistName, dist.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	source := &counting{r: bytes.NewReader(b)}
	runtime.ReadMemStats(&before)
	if _, err := dist.Inspect(source, f); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const tail = 1<<16 + 22 // in which a zip file's end would be
	if source.read != f.Size()+tail {
		t.Errorf("want %d bytes read, each once but for the last ones, got %d", f.Size()+tail, source.read)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("want less than 1 MiB of memory, got %d bytes", allocated)
	}
}

func TestRealDistributions(t *testing.T) {
	var (
		old      = "metadata 1.3 and 2.0, which the index does not take"
		newer    = "a field of a later metadata version, which the index does not take"
		damaged  = "not what its name says"
		empty    = "an empty file"
		refusals = map[string]rule.ID{
			old: rule.MetadataVersion, newer: rule.MetadataVersion, empty: rule.FileSize,
		}
		stricter = exceptions{
			"colander-0.9.9-py2.py3-none-any.whl": old, "compilewheel-1.0-py2.py3-none-any.whl": old,
			"complex_dist-0.1-py2.py3-none-any.whl": old, "console_scripts_uppercase-1.0-py2.py3-none-any.whl": old,
			"has.script-1.0-py2.py3-none-any.whl": old, "meta-1.0-py2.py3-none-any.whl": old,
			"prjwithdatafile-1.0-py2.py3-none-any.whl": old, "requires_simple_extra-0.1-py2.py3-none-any.whl": old,
			"script.wheel1-0.1-py2.py3-none-any.whl": old, "script.wheel1a-0.1-py2.py3-none-any.whl": old,
			"script.wheel2-0.1-py2.py3-none-any.whl": old, "script.wheel2a-0.1-py2.py3-none-any.whl": old,
			"script.wheel3-0.1-py2.py3-none-any.whl": old, "simplewheel-1.0-py2.py3-none-any.whl": old,
			"simplewheel-2.0-1-py2.py3-none-any.whl": old, "simplewheel-2.0-py2.py3-none-any.whl": old,
			"simplewheel-2.0-py3-fakeabi-fakeplat.whl": old, "test-1.0-py2.py3-none-any.whl": old,

			"INITools-0.1.tar.gz": newer, "INITools-0.2.tar.gz": newer, "argparse-1.2.1.tar.gz": newer,
			"pep518-3.0.tar.gz": newer, "pep518_twin_forkbombs_first-234.tar.gz": newer,
			"pep518_twin_forkbombs_second-238.tar.gz": newer, "simple.dist-0.1-py1-none-invalid.whl": newer,
			"simple.dist-0.1-py2.py3-none-any.whl": newer, "translationstring-1.1.tar.gz": newer,
			"tqdm-999.0.0.tar.gz": newer,

			"broken-0.2+broken.tar.gz": damaged, "brokenwheel-1.0-py2.py3-none-any.whl": damaged,
			"corruptwheel-1.0-py2.py3-none-any.whl": damaged, "invalid_version-2010i-py3-none-any.whl": damaged,
			"validation-3.0.0-py3-none-any.whl": damaged,

			"duplicate-1.0.tar.gz": empty, "gmpy-1.15.tar.gz": empty, "gmpy2-2.0.tar.gz": empty, "invalid.whl": empty,
			"pkgwithmpkg-1.0.tar.gz": empty, "priority-1.0-py2.py3-none-any.whl": empty, "priority-1.0.tar.gz": empty,
		}
		used  = exceptions{}
		count int
	)
	for _, path := range realDistributions(t) {
		name := filepath.Base(path)
		_, err := inspect(t, name, read(t, path))
		why, listed := stricter[name]
		if no := refused(t, err); (err != nil) != listed {
			t.Errorf("%s: got %v", path, err)
		} else if listed && refusals[why] != "" && no != refusals[why] {
			t.Errorf("%s: %s: got %v", path, why, err)
		}
		used[name] = "used"
		count++
	}
	stricter.stale(t, used)
	if count < 110 {
		t.Errorf("want 110 distributions or more, got %d", count)
	}
}

// realDistributions are all small wheels and sdists of the vectors, but the zip
// files of their own test, and one that was renamed.
func realDistributions(t testing.TB) (paths []string) {
	t.Helper()
	for _, group := range []string{"python-dists", "pypi-attestations", "cli-npm"} {
		err := filepath.WalkDir(vectors(t, group), func(path string, d fs.DirEntry, err error) error {
			if d != nil && (d.Name() == "zipdata" || d.Name() == "assets-history") {
				return fs.SkipDir
			}
			if err == nil && dist.IsDistribution(path) && d.Type().IsRegular() {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func TestSampleDistributionsAreTheFilesThatTheyWere(t *testing.T) {
	var samples []struct {
		File   string
		Size   int64
		SHA256 string
	}
	decode(t, &samples, "python-dists", "sample_dists.json")
	for _, s := range samples {
		if s.Size == 0 {
			continue // refused: TestRealDistributions
		}
		content, err := os.Open(vectors(t, "python-dists", s.File))
		if err != nil {
			t.Fatal(err)
		}
		f, err := dist.Copy(io.Discard, content, filepath.Base(s.File), dist.MaxSize)
		content.Close()
		if err != nil || f.Size() != s.Size || f.Digest().Hex() != s.SHA256 {
			t.Errorf("%s: got %d bytes, %s: %v", s.File, f.Size(), f.Digest(), err)
		}
	}
}

// What Warehouse says of a zip file. Those that it accepts are no wheels, and
// must be refused for that alone.
func TestZipVectors(t *testing.T) {
	var vector struct {
		Cases []struct {
			ID, File, Expected string
			Why                string `json:"warehouse_error"`
		}
	}
	decode(t, &vector, "python-dists", "zip_cases.json")
	stricter := exceptions{
		"zip-accept-short_usize_zip64.zip": "a stored member of two sizes; uv refuses it too",
	}
	used := exceptions{}
	for _, c := range vector.Cases {
		name := wheelName
		if dist.IsDistribution(c.File) {
			name = filepath.Base(c.File)
		}
		_, err := inspect(t, name, read(t, vectors(t, "python-dists", c.File)))
		no := refused(t, err)
		if stricter[c.ID] != "" {
			used[c.ID] = "used"
			c.Expected = "reject"
		}
		if (no == rule.Archive || no == rule.ArchiveMember) != (c.Expected == "reject") || no == "" {
			t.Errorf("%s: Warehouse would %s (%s), got %v", c.ID, c.Expected, c.Why, err)
		}
	}
	stricter.stale(t, used)
}

func BenchmarkInspectWheel(b *testing.B) {
	entries := wheelEntries()
	for i := range 500 {
		entries = append(entries, entry{name: fmt.Sprintf("widget/%d.py", i), body: strings.Repeat("print()\n", 100)})
	}
	wheel := makeZip(b, entries...)
	f, err := dist.Copy(io.Discard, bytes.NewReader(wheel), wheelName, dist.MaxSize)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dist.Inspect(bytes.NewReader(wheel), f); err != nil {
			b.Fatal(err)
		}
	}
}
