package dist_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// block is a header of a tar file, as text at offsets over what tar writes.
type block map[int]string

// Offsets in a header.
const (
	atMode, atOwner, atSize, atTime, atSum = 100, 108, 124, 136, 148
	atType, atLink, atMagic, atDevice      = 156, 157, 257, 329
	atPrefix, atRest                       = 345, 500
)

const gnuMagic = "ustar  \x00"

// raw is a member with its padding. The header has its checksum, unless it is
// given another.
func raw(name, body string, over block) string {
	h := make([]byte, 512)
	for at, text := range (block{
		0: name, atMode: "0000644\x00", atOwner: "0000000\x000000000\x00", atSize: fmt.Sprintf("%011o\x00", len(body)),
		atTime: "00000000000\x00", atSum: "        ", atType: "0", atMagic: "ustar\x0000",
	}) {
		copy(h[at:], text)
	}
	for at, text := range over {
		copy(h[at:], text)
	}
	if over[atSum] == "" {
		copy(h[atSum:], fmt.Sprintf("%06o\x00 ", sumOf(h)))
	}
	return string(h) + body + strings.Repeat("\x00", -len(body)&511)
}

func sumOf(header []byte) (sum int) {
	for _, b := range header {
		sum += int(b)
	}
	return sum
}

// record is one PAX record.
func record(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	size := len(rest) + 1
	for len(fmt.Sprint(size))+len(rest) != size {
		size++
	}
	return fmt.Sprint(size) + rest
}

func pax(records ...string) string {
	return raw("PaxHeaders/x", strings.Join(records, ""), block{atType: "x"})
}

func global(records ...string) string {
	return raw("pax_global_header", strings.Join(records, ""), block{atType: "g"})
}

func longName(name string) string {
	return raw("././@LongLink", name, block{atType: "L", atMagic: gnuMagic})
}

func longLink(name string) string {
	return raw("././@LongLink", name, block{atType: "K", atMagic: gnuMagic})
}

const (
	pkgInfo  = "widget-1.0/PKG-INFO"
	file     = "widget-1.0/a.py"
	whatever = "print()\n"
)

// sdistOf is an sdist of PKG-INFO and these blocks.
func sdistOf(t testing.TB, blocks ...string) []byte {
	t.Helper()
	end := strings.Repeat("\x00", 1024)
	return gzipped(t, []byte(raw(pkgInfo, metadata, nil)+strings.Join(blocks, "")+end))
}

func TestATarFileIsReadInOneWay(t *testing.T) {
	header := func(at int, text string) string { return raw(file, "", block{at: text}) }
	plain := raw(file, whatever, nil)
	for name, c := range map[string]struct {
		blocks []string
		want   rule.ID
	}{
		// Python ends a number at its first NUL, and takes what is no number for the
		// end of the archive. Go trims NULs and blanks at both ends.
		"a size after a NUL":      {[]string{header(atSize, "\x000000000000\x00")}, rule.ArchiveTwoWays},
		"a size after a blank":    {[]string{header(atSize, " 0000000000\x00")}, rule.ArchiveTwoWays},
		"a size between NULs":     {[]string{header(atSize, "000\x0000000000")}, rule.ArchiveTwoWays},
		"a size without an end":   {[]string{header(atSize, "000000000000")}, rule.ArchiveTwoWays},
		"a size with underscores": {[]string{header(atSize, "0000000_000\x00")}, rule.ArchiveTwoWays},
		"a size with a prefix":    {[]string{header(atSize, "0o000000000\x00")}, rule.ArchiveTwoWays},
		"a size with a sign":      {[]string{header(atSize, "+0000000000\x00")}, rule.ArchiveTwoWays},
		"a decimal size":          {[]string{header(atSize, "00000000008\x00")}, rule.ArchiveTwoWays},
		"a binary size":           {[]string{header(atSize, "\x80"+strings.Repeat("\x00", 11))}, rule.ArchiveTwoWays},
		"a negative size":         {[]string{header(atSize, strings.Repeat("\xff", 12))}, rule.ArchiveTwoWays},
		"no size":                 {[]string{header(atSize, strings.Repeat("\x00", 12))}, rule.ArchiveTwoWays},
		"no mode":                 {[]string{header(atMode, strings.Repeat("\x00", 8))}, rule.ArchiveTwoWays},
		"an odd mode":             {[]string{header(atMode, "rw-r--r-")}, rule.ArchiveTwoWays},
		"an odd owner":            {[]string{header(atOwner, "alice\x00")}, rule.ArchiveTwoWays},
		"an odd time":             {[]string{header(atTime, "-0000000001\x00")}, rule.ArchiveTwoWays},
		"an odd device":           {[]string{header(atDevice, "000000x\x00")}, rule.ArchiveTwoWays},

		"a wrong checksum":   {[]string{header(atSum, "0000000\x00")}, rule.Archive},
		"no checksum":        {[]string{header(atSum, "\x00\x00\x00\x00\x00\x00\x00\x00")}, rule.Archive},
		"a signed checksum":  {[]string{signed()}, rule.Archive},
		"no magic":           {[]string{header(atMagic, strings.Repeat("\x00", 8))}, rule.Archive},
		"a magic of another": {[]string{header(atMagic, "ustar\x00\x00\x00")}, rule.Archive},
		"a prefix without a magic": {[]string{raw(file, "", block{
			atMagic: strings.Repeat("\x00", 8), atPrefix: "../../etc"})}, rule.Archive},
		"a prefix in GNU's format": {[]string{raw(file, "", block{atMagic: gnuMagic, atPrefix: "etc"})}, rule.ArchiveTwoWays},
		"a time after the prefix":  {[]string{header(atPrefix+131, "00000000000\x00")}, rule.ArchiveTwoWays},
		"bytes after the fields":   {[]string{header(atRest, "tar")}, rule.ArchiveTwoWays},

		"a name that goes on after a NUL": {[]string{raw(file+"\x00.txt", "", nil)}, rule.ArchiveTwoWays},
		"a link that goes on after a NUL": {[]string{raw(file, "", block{atType: "2", atLink: "b\x00c"})}, rule.ArchiveTwoWays},
		"a file with a folder's name":     {[]string{raw("widget-1.0/a/", whatever, nil)}, rule.ArchiveTwoWays},
		"an old file with a folder's name": {
			[]string{raw("widget-1.0/a/", "", block{atType: "\x00"})}, rule.ArchiveTwoWays},
		"a link with a folder's name": {[]string{raw("widget-1.0/a/", "", block{atType: "2"})}, rule.ArchiveTwoWays},
		"a folder with content":       {[]string{raw("widget-1.0/a/", plain, block{atType: "5"})}, rule.ArchiveTwoWays},
		"a link with content":         {[]string{raw(file, plain, block{atType: "1", atLink: pkgInfo})}, rule.ArchiveTwoWays},
		"no name":                     {[]string{raw("", "", nil)}, rule.ArchiveMember},
		"two slashes":                 {[]string{raw("widget-1.0//", "", block{atType: "5"})}, rule.ArchiveMember},

		"a PAX path and a long name":      {[]string{pax(record("path", file)), longName("widget-1.0/b\x00"), plain}, rule.ArchiveTwoWays},
		"a long name and a PAX path":      {[]string{longName("widget-1.0/b\x00"), pax(record("path", file)), plain}, rule.ArchiveTwoWays},
		"a long name and PAX records":     {[]string{longName(file), pax(record("mtime", "1.5")), plain}, rule.ArchiveTwoWays},
		"PAX records twice":               {[]string{pax(record("path", file)), pax(record("mtime", "1")), plain}, rule.ArchiveTwoWays},
		"two long names":                  {[]string{longName(file), longName(file), plain}, rule.ArchiveTwoWays},
		"a global header after a name":    {[]string{longName(file), global(record("comment", "x")), plain}, rule.ArchiveTwoWays},
		"a long name that goes on":        {[]string{longName(file + "\x00.txt\x00"), plain}, rule.ArchiveTwoWays},
		"a long name with two NULs":       {[]string{longName(file + "\x00\x00"), plain}, rule.ArchiveTwoWays},
		"an empty long name":              {[]string{longName("\x00"), plain}, rule.ArchiveTwoWays},
		"a long name of nothing":          {[]string{longName(""), plain}, rule.ArchiveTwoWays},
		"a long name at the end":          {[]string{longName(file)}, rule.Archive},
		"a global header at the end":      {[]string{global(record("comment", "0123"))}, rule.Archive},
		"a very long name":                {[]string{longName(file + strings.Repeat("a", 1<<20)), plain}, rule.ArchiveSize},
		"a folder's long name for a file": {[]string{longName("widget-1.0/a/"), plain}, rule.ArchiveTwoWays},

		"an empty PAX path":            {[]string{pax(record("path", "")), plain}, rule.ArchiveTwoWays},
		"another empty PAX value":      {[]string{pax(record("uname", "")), plain}, rule.ArchiveTwoWays},
		"two PAX paths":                {[]string{pax(record("path", file), record("path", file)), plain}, rule.ArchiveTwoWays},
		"a PAX path with a NUL":        {[]string{pax(record("path", file+"\x00.txt")), plain}, rule.ArchiveTwoWays},
		"a PAX path ending in a NUL":   {[]string{pax(record("path", file+"\x00")), plain}, rule.ArchiveTwoWays},
		"a PAX path of a folder":       {[]string{pax(record("path", "widget-1.0/a/")), plain}, rule.ArchiveTwoWays},
		"another PAX size":             {[]string{pax(record("size", "1024")), plain}, rule.ArchiveTwoWays},
		"an odd PAX size":              {[]string{pax(record("size", "0_8")), plain}, rule.ArchiveTwoWays},
		"a PAX character set":          {[]string{pax(record("hdrcharset", "BINARY")), plain}, rule.ArchiveTwoWays},
		"a record in a record":         {[]string{pax(record("comment", "x\n21 hdrcharset=BINARY")), plain}, rule.ArchiveTwoWays},
		"PAX records that are no text": {[]string{pax(record("comment", "\xff")), plain}, rule.ArchiveTwoWays},
		"a PAX record without a value": {[]string{pax("7 path\n"), plain}, rule.ArchiveTwoWays},
		"a PAX record without a key":   {[]string{pax("5 =x\n"), plain}, rule.ArchiveTwoWays},
		"a PAX record without an end":  {[]string{pax("9 path=abc"), plain}, rule.ArchiveTwoWays},
		"a longer PAX record":          {[]string{pax("99 path=a\n"), plain}, rule.ArchiveTwoWays},
		"a shorter PAX record":         {[]string{pax("1 path=a\n"), plain}, rule.ArchiveTwoWays},
		"a PAX length with a zero":     {[]string{pax("010 path=a\n"), plain}, rule.ArchiveTwoWays},
		"bytes after PAX records":      {[]string{pax(record("mtime", "1"), "\x00"), plain}, rule.ArchiveTwoWays},
		"PAX records in the padding":   {[]string{padded(pax(record("mtime", "1")), record("path", "evil")), plain}, rule.ArchiveTwoWays},
		"bytes in the padding":         {[]string{padded(plain, "x")}, rule.ArchiveTwoWays},
		"a sparse file":                {[]string{pax(record("GNU.sparse.major", "1")), plain}, rule.ArchiveMember},
		"a global path":                {[]string{global(record("path", file)), plain}, rule.ArchiveMember},
		"Solaris' records":             {[]string{raw("x", record("path", file), block{atType: "X"}), plain}, rule.ArchiveMember},
		"a contiguous file":            {[]string{raw(file, whatever, block{atType: "7"})}, rule.ArchiveMember},
		"an unknown member":            {[]string{raw(file, whatever, block{atType: "Z"})}, rule.ArchiveMember},
	} {
		if _, err := inspect(t, sdistName, sdistOf(t, c.blocks...)); refused(t, err) != c.want {
			t.Errorf("%s: want %s, got %v", name, c.want, err)
		}
	}
}

func TestWhatTarWritersMakeIsRead(t *testing.T) {
	plain := raw(file, whatever, nil)
	long := "widget-1.0/" + strings.Repeat("long/", 60) + "é"
	for name, blocks := range map[string][]string{
		"numbers before blanks": {raw(file, "", block{atMode: "000644 \x00", atOwner: "000000 \x00000000 \x00",
			atSize: "00000000000 ", atTime: "00000000000 ", atDevice: "000000 \x00000000 \x00"})},
		"no owner":                   {raw(file, "", block{atOwner: strings.Repeat("\x00", 16)})},
		"an owner of a large number": {raw(file, "", block{atOwner: "\x80\x00\x00\x00\x40\x00\x00\x00", atMagic: gnuMagic})},
		"a time before 1970":         {raw(file, "", block{atTime: strings.Repeat("\xff", 12), atMagic: gnuMagic})},
		"an old file":                {raw(file, whatever, block{atType: "\x00"})},
		"a folder without a slash":   {raw("widget-1.0/a", "", block{atType: "5"}), raw("widget-1.0/a/b", "", nil)},
		"a prefix":                   {raw("a.py", whatever, block{atPrefix: "widget-1.0/widget"})},
		"a name of 100 bytes":        {raw("widget-1.0/"+strings.Repeat("a", 89), "", nil)},
		"a long name":                {longName(long + "\x00"), raw(long[:100], whatever, block{atMagic: gnuMagic})},
		"a long name without a NUL":  {longName(long), plain},
		"a long link and name": {longLink(long + "\x00"), longName(long + "\x00"),
			raw(long[:100], "", block{atType: "2", atLink: long[:100], atMagic: gnuMagic})},
		"a PAX path":              {pax(record("path", long), record("mtime", "1.5")), plain},
		"a PAX size again":        {pax(record("size", "8")), plain},
		"a commit":                {global(record("comment", "0123")), plain},
		"a commit and a PAX path": {global(record("comment", "0123")), pax(record("path", long)), plain},
	} {
		if _, err := inspect(t, sdistName, sdistOf(t, blocks...)); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// signed is a member with a checksum of signed bytes, as Sun's tar wrote them.
func signed() string {
	h := []byte(raw("widget-1.0/é", "", block{atSum: "        "}))
	return raw("widget-1.0/é", "", block{atSum: fmt.Sprintf("%06o\x00 ", sumOf(h)-2*256)})
}

// padded is a member with a text at the end of its padding.
func padded(member, text string) string {
	size := len(strings.TrimRight(member, "\x00"))
	return member[:size] + text + member[size+len(text):]
}

// zipInGzip is an empty gzip member that has a zip file in its header's extra
// field. The zip file's comment is what follows it.
func zipInGzip(t *testing.T, deflated []byte) []byte {
	zip := makeZip(t, entry{name: "widget-1.0/setup.py", body: "evil()"})
	binary.LittleEndian.PutUint16(zip[len(zip)-2:], uint16(len(deflated)))
	out := []byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(zip)))
	return append(append(out, zip...), deflated...)
}

func TestAnSdistIsNotAZipFileToo(t *testing.T) {
	const headerSize = 10
	plain := sdistOf(t)
	nothing := gzipped(t, nil)
	stored := makeZip(t, entry{name: "widget-1.0/setup.py", body: "evil()"})
	for name, c := range map[string]struct {
		sdist []byte
		want  rule.ID
	}{
		"a zip in a second gzip member":  {append(bytes.Clone(plain), zipInGzip(t, nothing[headerSize:])...), rule.ArchiveTwoWays},
		"a zip in the only gzip header":  {zipInGzip(t, plain[headerSize:]), rule.ArchiveTwoWays},
		"a zip after the gzip":           {append(bytes.Clone(plain), stored...), rule.ArchiveTwoWays},
		"a zip's end alone":              {append(bytes.Clone(plain), stored[len(stored)-22:]...), rule.ArchiveTwoWays},
		"a second gzip member":           {append(bytes.Clone(plain), nothing...), rule.Archive},
		"zeros after the gzip":           {append(bytes.Clone(plain), make([]byte, 512)...), rule.Archive},
		"a zip whose name is an sdist's": {stored, rule.Archive},
	} {
		if _, err := inspect(t, sdistName, c.sdist); refused(t, err) != c.want {
			t.Errorf("%s: want %s, got %v", name, c.want, err)
		}
	}
}

func TestAWheelIsNotATarFileToo(t *testing.T) {
	for name, sum := range map[string]func(unsigned, signed int) string{
		"octal":             func(u, _ int) string { return fmt.Sprintf("%06o\x00 ", u) },
		"octal of signed":   func(_, s int) string { return fmt.Sprintf("%06o\x00 ", s) },
		"after blanks":      func(u, _ int) string { return fmt.Sprintf("  %o\x00", u) },
		"after NULs":        func(u, _ int) string { return fmt.Sprintf("\x00\x00%o\x00", u) },
		"with a prefix":     func(u, _ int) string { return fmt.Sprintf("0o%o\x00", u) },
		"with underscores":  func(u, _ int) string { d := fmt.Sprintf("%o", u); return d[:1] + "_" + d[1:] + "\x00" },
		"binary":            func(u, _ int) string { return "\x80" + string(binary.BigEndian.AppendUint64(nil, uint64(u))[1:]) },
		"binary and signed": func(_, s int) string { return "\xff" + string(binary.BigEndian.AppendUint64(nil, uint64(s))[1:]) },
	} {
		wheel := tarWheel(t, sum)
		if _, err := inspect(t, wheelName, wheel); refused(t, err) != rule.ArchiveTwoWays {
			t.Errorf("%s: want %s, got %v", name, rule.ArchiveTwoWays, err)
		}
	}
	wheel := tarWheel(t, func(int, int) string { return "000000\x00 " })
	if _, err := inspect(t, wheelName, wheel); err != nil {
		t.Errorf("without a checksum it is only a wheel: got %v", err)
	}
}

// tarWheel is a wheel whose first member has a tar header in its extra field.
func tarWheel(t *testing.T, sum func(unsigned, signed int) string) []byte {
	entries := wheelEntries()
	before := 30 + len(entries[0].name)
	extra := make([]byte, 512-before)
	binary.LittleEndian.PutUint16(extra, 0x9999)
	binary.LittleEndian.PutUint16(extra[2:], uint16(len(extra)-4))
	copy(extra[atSize-before:], "00000000000\x00")
	copy(extra[400:], bytes.Repeat([]byte{0xff}, 60))
	copy(extra[atSum-before:], "        ")
	entries[0].header.Extra = extra
	unsigned, signed := 0, 0
	for _, b := range makeZip(t, entries...)[:512] {
		unsigned += int(b)
		signed += int(int8(b))
	}
	copy(extra[atSum-before:], sum(unsigned, signed))
	return makeZip(t, entries...)
}

func TestTheDigestOfMetadataIsOfTheirBytes(t *testing.T) {
	for name, b := range map[string][]byte{
		wheelName: makeZip(t, wheelEntries()...), sdistName: gzipped(t, makeTar(t, sdistEntries()...)),
	} {
		info, err := inspect(t, name, b)
		if err != nil || info.Metadata.Digest() != dist.Sum([]byte(metadata)) {
			t.Errorf("%s: got %s, %v", name, info.Metadata.Digest(), err)
		}
	}
	if _, err := readMetadata(""); err == nil || !(dist.Metadata{}).Digest().IsZero() {
		t.Error("metadata that were not read have a digest")
	}
}
