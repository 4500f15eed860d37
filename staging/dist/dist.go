// Package dist knows one file: what it is called, what its bytes are, and, if
// it is a distribution, what is inside. It is pure: bytes come in through
// readers, and what goes out are values and refusals.
//
// A file enters once, through [Copy], which hashes what it writes:
//
//	f, err := dist.Copy(w, r, "widget-1.0-py3-none-any.whl", dist.MaxSize)
//
// [File] is the proof that this was done: name, size and [Digest] of bytes
// that passed through our hands. Nothing else makes one.
//
// A distribution is a wheel or an sdist. Its name alone says which project,
// version and platform it is for ([ParseFilename]), its metadata say the same
// again from inside ([ReadMetadata]), and [Inspect] opens the file and demands
// that the two agree:
//
//	info, err := dist.Inspect(blob, f)
//	info.Filename.Project          // "widget", normalised as PEP 503 has it
//	info.Filename.Version          // 1.0, comparable as PEP 440 has it
//	info.Metadata.RequiresPython() // ">=3.12"
//
// [Examine] is Inspect and reads the file to its end: RECORD, WHEEL, entry points,
// links, code that runs by itself. What it does not refuse and a person should
// know is in [Contents]. [Walk] reads a distribution to its end, and shows every [Member] with the
// digest of its content and git's name for it.
//
// All of it comes from outside and is hostile until it is judged. Names with
// separators, control or invisible characters are refused, archives are read
// within bounds of members, bytes and ratio, by offset and never as a whole,
// and whatever two readers could read in two ways is refused: doubled members,
// doubled fields, bytes that the archive's directory does not account for, tar
// headers in forms that no tar writer makes, a tar file that is a zip file too.
// The rules follow Warehouse's, so that a file is refused before its upload and
// not in the middle of one.
//
// "No" is always [rule.Refusals], which name the file. Any other error means
// that the bytes could not be read, and so that nothing was decided.
package dist

import (
	"strings"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// Kind is what a distribution is.
type Kind string

const (
	Wheel Kind = "wheel" // a zip file that is installed by unpacking it, .whl
	Sdist Kind = "sdist" // the source that wheels are built from, .tar.gz
)

// Info is what a distribution says of itself, outside and inside.
type Info struct {
	Filename Filename
	Metadata Metadata
	Contents Contents // what [Examine] found inside; zero from [Inspect]
}

// no is one refusal as an error. The text in it comes from outside and can be
// of any length, so it is cut.
func no(file string, id rule.ID, want, got, hint string) error {
	return rule.Refusals{{File: clip(file), Rule: id, Want: want, Got: clip(got), Hint: hint}}
}

// clip cuts s after 200 bytes, between characters.
func clip(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "\uFFFD") + "…"
}
