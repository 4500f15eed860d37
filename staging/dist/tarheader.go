package dist

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// tarHeader is the first block of a member.
type tarHeader [tarBlock]byte

// The fields of a header, as POSIX.1-1988 lays them out.
const (
	nameField = iota
	modeField
	uidField
	gidField
	sizeField
	timeField
	sumField
	kindField
	linkField
	magicField
	userField
	groupField
	majorField
	minorField
	prefixField
	restField
)

// tarField is where a field is, and which forms it comes in. A new rule is one
// new row.
type tarField struct {
	name     string
	from, to int
	forms    form
}

// form is a set of ways to write a field.
type form uint8

const (
	asOctal   form = 1 << iota // octal digits, and then blanks or NULs to its end
	asNothing                  // NULs
	asBinary                   // big-endian after a byte 0x80 or 0xff, where octal is too short
	asText                     // a text without NUL, and then NULs to its end
)

// layout is of which form each field must be. Sizes of 8 GiB, which would need
// the binary form, are beyond what a distribution has.
func layout() [restField + 1]tarField {
	return [...]tarField{
		nameField:   {"the name", 0, 100, asText | asNothing},
		modeField:   {"the mode", 100, 108, asOctal},
		uidField:    {"the owner", 108, 116, asOctal | asNothing | asBinary},
		gidField:    {"the group", 116, 124, asOctal | asNothing | asBinary},
		sizeField:   {"the size", 124, 136, asOctal},
		timeField:   {"the time", 136, 148, asOctal | asBinary},
		sumField:    {"the checksum", 148, 156, asOctal},
		kindField:   {"the type", 156, 157, asText | asNothing},
		linkField:   {"the link", 157, 257, asText | asNothing},
		magicField:  {"the magic", 257, 265, 0}, // judged by isTar
		userField:   {"the owner's name", 265, 297, asText | asNothing},
		groupField:  {"the group's name", 297, 329, asText | asNothing},
		majorField:  {"the device", 329, 337, asOctal | asNothing},
		minorField:  {"the device", 337, 345, asOctal | asNothing},
		prefixField: {"the prefix", 345, 500, asText | asNothing},
		restField:   {"the rest", 500, tarBlock, asNothing},
	}
}

// The magic of GNU's format has no prefix: it lays out other fields there.
const (
	magicPOSIX = "ustar\x0000"
	magicGNU   = "ustar  \x00"
)

func (h *tarHeader) field(i int) []byte {
	f := layout()[i]
	return h[f.from:f.to]
}

// isTar tells whether the block is a tar header at all: one with a magic, which
// those from before 1988 have not, and with its checksum.
func (h *tarHeader) isTar() bool {
	magic := string(h.field(magicField))
	sum, ok := parseOctal(h.field(sumField))
	unsigned, _ := h.sums()
	return ok && sum == unsigned && (magic == magicPOSIX || magic == magicGNU)
}

// sums is the sum of the block's bytes with blanks for the checksum, and the
// same with signed bytes, which Sun's tar took and readers still admit.
func (h *tarHeader) sums() (unsigned, signed int64) {
	sum := layout()[sumField]
	for i, b := range h {
		if sum.from <= i && i < sum.to {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return unsigned, signed
}

// member is what the header says of its member, but for its size.
func (h *tarHeader) member() tarMember {
	m := tarMember{name: cString(h.field(nameField)), kind: h.field(kindField)[0], link: cString(h.field(linkField))}
	if mode, ok := parseOctal(h.field(modeField)); ok {
		m.mode = uint32(mode)
	}
	if prefix := cString(h.field(prefixField)); prefix != "" {
		m.name = prefix + "/" + m.name
	}
	if m.kind == 0 { // of old files
		m.kind = tar.TypeReg
	}
	return m
}

func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// fault says which field is of none of its forms, or nothing.
func (h *tarHeader) fault() string {
	for i, f := range layout() {
		b := h[f.from:f.to]
		if i == prefixField && string(h.field(magicField)) == magicGNU {
			f.forms = asNothing
		}
		if i != magicField && !f.forms.fits(b) {
			return fmt.Sprintf("%s %q", f.name, b[:min(len(b), 12)])
		}
	}
	return ""
}

// fits tells whether b is of one of the forms.
func (f form) fits(b []byte) bool {
	_, isOctal := parseOctal(b)
	body := bytes.TrimRight(b, "\x00")
	return f&asOctal != 0 && isOctal ||
		f&asNothing != 0 && len(body) == 0 ||
		f&asBinary != 0 && (b[0] == 0x80 || b[0] == 0xff) ||
		f&asText != 0 && len(body) > 0 && !slices.Contains(body, 0)
}

// parseOctal reads octal digits that end before their field does. Blanks or NULs
// before them are read by some and end the number for others.
func parseOctal(b []byte) (n int64, ok bool) {
	end := len(b) - len(bytes.TrimLeft(b, "01234567"))
	if end == 0 || end == len(b) || len(bytes.Trim(b[end:], " \x00")) > 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b[:end]), 8, 64)
	return n, err == nil
}
