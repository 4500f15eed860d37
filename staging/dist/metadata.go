package dist

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distgate/distgate/staging/rule"
)

// maxMetadata bounds METADATA and PKG-INFO, in bytes. The description is in it,
// and those with pictures inlined reach a few MiB.
const maxMetadata = 16 << 20

// Field is one field of core metadata with all of its values, as they are
// written: trimmed, with "\n" and the white space after it where a value goes
// on over several lines.
type Field struct {
	Name   string // as the specification writes it, "Requires-Dist"
	Values []string
}

// Metadata are the core metadata of a distribution (METADATA in a wheel,
// PKG-INFO in an sdist), versions 1.0 to 2.5.
type Metadata struct {
	fields  []Field
	version Version
	digest  Digest
}

// Fields are all the fields, in the order in which they first appear. The
// description is the field "Description", wherever it stood. Fields that the
// specification does not define keep the name that they came with.
func (m Metadata) Fields() []Field {
	fields := slices.Clone(m.fields)
	for i := range fields {
		fields[i].Values = slices.Clone(fields[i].Values)
	}
	return fields
}

// Values are the values of the field with this name (as the specification
// writes it), or nil.
func (m Metadata) Values(name string) []string {
	for _, f := range m.fields {
		if f.Name == name {
			return slices.Clone(f.Values)
		}
	}
	return nil
}

func (m Metadata) value(name string) string {
	for _, f := range m.fields {
		if f.Name == name {
			return f.Values[0]
		}
	}
	return ""
}

// MetadataVersion is the version of the specification, "2.4".
func (m Metadata) MetadataVersion() string { return m.value("Metadata-Version") }

// Name is the project's name as it is written inside.
func (m Metadata) Name() string { return m.value("Name") }

// Version is the release's version.
func (m Metadata) Version() Version { return m.version }

// Summary is the one line about the project, or "".
func (m Metadata) Summary() string { return m.value("Summary") }

// RequiresPython is the specifier of Python versions, or "".
func (m Metadata) RequiresPython() string { return m.value("Requires-Python") }

// RequiresDist are the dependencies, as they are written.
func (m Metadata) RequiresDist() []string { return m.Values("Requires-Dist") }

// Description is the long description: the body, or before metadata 2.1 the
// header without its indentation.
func (m Metadata) Description() string { return m.value("Description") }

// Digest is the SHA-256 of the very bytes that were read, the METADATA or
// PKG-INFO as it is in the archive. An index gives the same of a wheel, as its
// core-metadata (PEP 714).
func (m Metadata) Digest() Digest { return m.digest }

// bytesBeside is how long all values are together but those of one field.
func (m Metadata) bytesBeside(name string) (n int) {
	for _, f := range m.fields {
		for _, value := range f.Values {
			if f.Name != name {
				n += len(value)
			}
		}
	}
	return n
}

// IsZero tells whether m was never read.
func (m Metadata) IsZero() bool { return m.fields == nil }

// metadataVersions are those that the index takes, oldest first. (2.0 was never
// accepted, 1.3 and 2.6 are nobody's yet.)
func metadataVersions() []string {
	return []string{"1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5"}
}

// ReadMetadata reads METADATA or PKG-INFO. The file is what a refusal names.
//
// It refuses whatever tools read differently: text that is not UTF-8, a line
// before the description that is neither a field nor a continuation, control
// characters in a field, a second value of a field that has one, a field from
// a later version than the one declared, and more than 16 MiB.
func ReadMetadata(file string, r io.Reader) (Metadata, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: %w", file, err)
	}
	p := metadataParser{file: file, rules: map[string]fieldRule{}, at: map[string]int{}}
	for _, f := range fieldRules() {
		p.rules[strings.ToLower(f.name)] = f
	}
	if err := p.parse(raw); err != nil {
		return Metadata{}, err
	}
	m, err := p.finish()
	if err != nil {
		return Metadata{}, err
	}
	m.digest = Sum(raw)
	return m, nil
}

// metadataParser collects the fields of one file.
type metadataParser struct {
	file   string
	rules  map[string]fieldRule // by lower case name
	at     map[string]int       // index in fields by lower case name
	fields []Field
	count  int             // values
	name   string          // the field whose lines are being read, "" before the first
	value  strings.Builder // its value so far
}

func (p *metadataParser) parse(raw []byte) error {
	switch {
	case len(raw) == 0:
		return p.refuse("core metadata", "nothing")
	case len(raw) > maxMetadata:
		return p.refuse(fmt.Sprintf("at most %d bytes", maxMetadata), "more")
	case !utf8.Valid(raw):
		return p.refuse("UTF-8", "other bytes")
	}
	header, body := splitBody(string(raw))
	for line := range strings.Lines(header) {
		if err := p.line(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")); err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.body(body)
}

// splitBody cuts the text at its first empty line.
func splitBody(text string) (header, body string) {
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		next := min(at+len(line)+1, len(text))
		if line == "" || line == "\r" {
			return text[:at], text[next:]
		}
		at = next
	}
	return text, ""
}

func (p *metadataParser) line(line string) error {
	if strings.IndexFunc(line, breaksLine) >= 0 {
		return p.refuse("fields without control characters", line)
	}
	if line[0] == ' ' || line[0] == '\t' {
		if p.name == "" {
			return p.refuse("a field in the first line", line)
		}
		p.value.WriteString("\n" + line)
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isFieldName(name) {
		return p.refuse("a line NAME: VALUE, or an empty line before the description", line)
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.name = name
	p.value.WriteString(strings.Trim(value, " \t"))
	return nil
}

// breaksLine tells whether some reader could take r for the end of a line or of
// the text.
func breaksLine(r rune) bool {
	return r != '\t' && unicode.Is(unicode.Cc, r) || unicode.In(r, unicode.Zl, unicode.Zp)
}

// isFieldName tells whether s is one or more ASCII letters, digits and '-'.
func isFieldName(s string) bool {
	return only(s, func(c byte) bool { return isAlnum(c) || c == '-' })
}

// flush adds the field whose lines were read.
func (p *metadataParser) flush() error {
	if p.name == "" {
		return nil
	}
	value := strings.TrimRight(p.value.String(), " \t\n")
	if strings.EqualFold(p.name, "Description") {
		value = dedent(value)
	}
	p.value.Reset()
	return p.add(p.name, value)
}

// dedent takes away what PEP 345 (7 blanks and '|') and distutils (8 blanks) put
// before each line but the first of a description in the header.
func dedent(value string) string {
	return strings.NewReplacer("\n       |", "\n", "\n        ", "\n").Replace(value)
}

func (p *metadataParser) add(name, value string) error {
	const most = 1 << 16
	if p.count++; p.count > most {
		return p.refuse(fmt.Sprintf("at most %d fields", most), "more")
	}
	key := strings.ToLower(name)
	known, ok := p.rules[key]
	if ok {
		name = known.name
	} else if strings.HasPrefix(key, "content-") || key == "mime-version" {
		return p.refuse("a description that is not encoded", name)
	}
	i, again := p.at[key]
	if !again {
		p.at[key] = len(p.fields)
		p.fields = append(p.fields, Field{Name: name, Values: []string{value}})
		return nil
	}
	if ok && !known.many {
		return p.refuse("one "+name, "two: "+p.fields[i].Values[0]+" and "+value)
	}
	p.fields[i].Values = append(p.fields[i].Values, value)
	return nil
}

// body adds what follows the first empty line as the description.
func (p *metadataParser) body(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return p.add("Description", text)
}

// finish judges the fields together.
func (p *metadataParser) finish() (Metadata, error) {
	m := Metadata{fields: p.fields}
	if err := p.judgeVersions(m); err != nil {
		return Metadata{}, err
	}
	for _, want := range []string{"Name", "Version"} {
		if m.value(want) == "" {
			return Metadata{}, p.refuse("a "+want, "nothing")
		}
	}
	var refused rule.Refusals
	for _, f := range p.fields {
		refused = append(refused, p.judge(f)...)
	}
	if err := refused.Err(); err != nil {
		return Metadata{}, err
	}
	version, err := ParseVersion(m.value("Version"))
	m.version = version
	return m, err
}

// judgeVersions demands a version of the specification that there is, and no
// field of a later one.
func (p *metadataParser) judgeVersions(m Metadata) error {
	versions := metadataVersions()
	declared := slices.Index(versions, m.MetadataVersion())
	if declared < 0 {
		return no(p.file, rule.MetadataVersion, "Metadata-Version "+strings.Join(versions, ", "),
			orNothing(m.MetadataVersion()), rebuild)
	}
	for _, f := range p.fields {
		known, ok := p.rules[strings.ToLower(f.Name)]
		if ok && !known.early && slices.Index(versions, known.since) > declared {
			return no(p.file, rule.MetadataVersion, "fields of metadata "+m.MetadataVersion(),
				f.Name+" of "+known.since, rebuild)
		}
	}
	return nil
}

// judge applies a field's own rule to its values.
func (p *metadataParser) judge(f Field) (refused rule.Refusals) {
	known := p.rules[strings.ToLower(f.Name)]
	if known.fault == nil {
		return nil
	}
	for _, value := range f.Values {
		if want := known.fault(value); want != "" {
			refused = append(refused, rule.Refusal{
				File: clip(p.file), Rule: rule.MetadataForm, Want: want + " in " + f.Name,
				Got: clip(orNothing(value)), Hint: rebuild,
			})
		}
	}
	return refused
}

func (p *metadataParser) refuse(want, got string) error {
	return no(p.file, rule.MetadataForm, want, got, rebuild)
}
