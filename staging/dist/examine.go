package dist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/distgate/distgate/staging/rule"
)

// Examine is [Inspect], and looks at everything that is inside: it reads the
// distribution to its end, and judges each member, what the members say of each
// other, and the metadata. Everything that the rules refuse is refused at once;
// what a person should know besides is in the [Contents].
func Examine(r io.ReaderAt, f File) (Info, error) {
	name, err := ParseFilename(f.Name())
	if err != nil {
		return Info{}, err
	}
	src := &source{r: r, size: f.Size()}
	e := newExaminer(name)
	m, err := e.read(src)
	if err := src.or(f, err); err != nil {
		return Info{}, e.all(err)
	}
	e.finish(m)
	if err := e.all(match(name, m)); err != nil {
		return Info{}, err
	}
	e.contents.Findings = e.report.sorted()
	return Info{Filename: name, Metadata: m, Contents: e.contents}, nil
}

// examiner looks at the members of one distribution as they pass.
type examiner struct {
	name     Filename
	stem     string // NAME-VERSION of a wheel, as its folders begin; nothing of an sdist
	top      string // of the first member
	report   *report
	contents Contents
	rows     []row[placed]
	record   *record // of a wheel
	paths    *roster // of files
	folded   *roster // of names in lower case
	parents  *roster // of folders that something lies in
	links    map[string]bool
	compiled []string // bytecode whose source was not there yet

	platforms []platform // of a wheel
	libraries int
	bundled   map[string]bool // names of libraries
	licenses  bool
}

func newExaminer(name Filename) *examiner {
	file := name.String()
	e := &examiner{name: name, report: newReport(file), rows: memberRows(), links: map[string]bool{},
		paths: newRoster(file), folded: newRoster(file), parents: newRoster(file)}
	if name.Kind == Wheel {
		e.platforms = name.platforms()
		e.stem = strings.TrimSuffix(newInfoFolder(name).folder, ".dist-info")
	}
	e.bundled = map[string]bool{}
	e.contents.EntryPoints, e.contents.Startup = []EntryPoint{}, []string{}
	e.contents.Native, e.contents.SBOMs = []Library{}, []SBOM{}
	return e
}

// all are the refusals of err and those that were gathered. An error of another
// kind, by which nothing was decided, stays alone.
func (e *examiner) all(err error) error {
	var no rule.Refusals
	if err != nil && !errors.As(err, &no) {
		return err
	}
	return append(no, e.report.all()...).Err()
}

// read reads the distribution to its end, and returns its metadata.
func (e *examiner) read(src *source) (Metadata, error) {
	v := &visitor{keep: e.keep}
	v.visit = func(m Member, kept []byte) error { return e.visit(v, m, kept) }
	if e.name.Kind == Sdist {
		raw, err := walkSdist(src, e.name, v)
		if err != nil {
			return Metadata{}, err
		}
		return ReadMetadata(e.name.String(), bytes.NewReader(raw))
	}
	w, err := openWheel(src, e.name)
	if err != nil {
		return Metadata{}, err
	}
	for _, part := range []struct {
		name string
		read func(raw []byte)
	}{
		{"WHEEL", func(raw []byte) {
			judge(e.report, wheelRows(), readWheelFile(e.name, raw), w.info.folder+"/WHEEL")
		}},
		{"RECORD", func(raw []byte) { e.record = readRecord(e.report, w.info.folder, raw) }},
	} {
		raw, err := w.small(part.name)
		if err != nil {
			return Metadata{}, err
		}
		part.read(raw)
	}
	if err := w.walk(v); err != nil {
		return Metadata{}, err
	}
	e.record.finish(e.report)
	return w.metadata()
}

// keep says how much of a file is looked at.
func (e *examiner) keep(m Member, head []byte) int64 {
	switch p := place(m, e.stem); {
	case p.scheme == inInfo && p.below == "entry_points.txt":
		return maxEntryPoints + 1
	case isSBOM(p):
		return maxSBOM + 1
	case libraryFormat(head) != "":
		return maxHead
	case mayBeEncrypted(m):
		return m.Size
	}
	return 0
}

// visit judges one member.
func (e *examiner) visit(v *visitor, m Member, kept []byte) error {
	p := place(m, e.stem)
	if e.contents.Members++; e.contents.Members == 1 {
		e.top = topOf(m.Path)
	}
	e.contents.Unpacked += m.Size
	judge(e.report, e.rows, p, m.Path)
	e.crossing(p)
	if startup(p) != "" && len(e.contents.Startup) < maxFindings {
		e.contents.Startup = append(e.contents.Startup, m.Path)
	}
	if m.Kind != PlainFile {
		return nil
	}
	if e.record != nil {
		e.record.check(e.report, m)
	}
	if ext := path.Ext(m.Path); ext == ".pyc" || ext == ".pyo" {
		e.compiled = append(e.compiled, m.Path)
	}
	if mayBeEncrypted(m) {
		if what := encryptedFault(kept); what != "" {
			e.report.refuse(rule.EncryptedCode, m.Path, "code that can be read", what)
		}
	}
	if p.scheme == inInfo && p.below == "entry_points.txt" {
		e.entryPoints(m, kept)
	} else if isSBOM(p) {
		e.sbom(p, kept)
	} else {
		e.library(p, kept, v)
	}
	e.licenses = e.licenses || isLicense(p)
	return nil
}

func (e *examiner) entryPoints(m Member, raw []byte) {
	points, fault := readEntryPoints(raw)
	if fault != "" {
		e.report.refuse(rule.EntryPoints, m.Path, "an INI file of NAME = OBJECT lines", fault)
	}
	e.contents.EntryPoints = append(e.contents.EntryPoints, points...)
}

// crossing judges a member against those before it: no member lies behind a
// link, no hard link leads to what did not come yet, and names differ by more
// than case.
func (e *examiner) crossing(p placed) {
	refuse := func(what string) {
		e.report.refuse(rule.ArchiveLink, p.Path, "members that are not behind links", what)
	}
	for at := path.Dir(p.Path); at != "." && e.name.Kind == Sdist; at = path.Dir(at) {
		if e.links[at] {
			refuse("a member behind the link " + at)
		}
		e.parents.once(at)
	}
	switch p.Kind {
	case Symlink:
		if e.links[p.Path] = true; !e.parents.once(p.Path) {
			refuse("a link in the place of a folder")
		}
	case HardLink:
		if e.paths.once(strings.TrimSuffix(p.Link, "/")) {
			refuse("a hard link to what did not come before it")
		}
	}
	if p.Kind != Folder {
		e.paths.once(p.Path)
	}
	if !e.folded.once(strings.ToLower(p.Path)) {
		e.report.add(rule.MemberCase, rule.Look, p.Path, "a name that another member has but for case", "")
	}
}

// isLicense tells whether a file is a licence by where it is or by its name.
func isLicense(p placed) bool {
	if p.scheme == inInfo && strings.HasPrefix(p.below, "licenses/") {
		return true
	}
	name := strings.ToUpper(path.Base(p.below))
	for _, start := range []string{"LICEN", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// maxJudged is how many bytes of fields are held against the index's rules: ten times
// what the longest metadata there have, and some seconds of work.
const maxJudged = 2 << 20

// finish judges what shows only when everything was seen.
func (e *examiner) finish(m Metadata) {
	for _, file := range e.compiled {
		e.bytecode(file)
	}
	e.needs()
	if size := m.bytesBeside("Description"); size <= maxJudged {
		judge(e.report, indexRows(), m, "")
	} else {
		e.report.add(rule.LongText, rule.Look, "METADATA", fmt.Sprintf("%d bytes of fields beside the description: "+
			"whether the index takes them was not looked at", size), "")
	}
	e.report.describe(m)
	if !e.licenses {
		e.report.add(rule.NoLicense, rule.Remark, "", "no licence file", "")
	}
	if size := len(m.Description()); size > 1<<20 {
		e.report.add(rule.LongText, rule.Look, "Description", fmt.Sprintf("%d bytes", size), "")
	}
	if m.MetadataVersion() < "2.4" {
		return // License-File is not of these versions, though some tools write it
	}
	folder := e.top + "/"
	if e.name.Kind == Wheel {
		folder = e.stem + ".dist-info/licenses/"
	}
	for _, file := range m.Values("License-File") {
		if !e.paths.has(folder + file) {
			e.report.refuse(rule.LicenseFile, folder+file, "the files that License-File names", "nothing")
		}
	}
}

// bytecode judges a compiled file, whose source lies beside it or beside its
// __pycache__ folder.
func (e *examiner) bytecode(file string) {
	folder, base := path.Split(file)
	stem, _, _ := strings.Cut(base, ".")
	severity, what := rule.Look, "bytecode without its source"
	if e.paths.has(strings.TrimSuffix(folder, "__pycache__/") + stem + ".py") {
		severity, what = rule.Remark, "bytecode beside its source"
	}
	e.report.add(rule.Bytecode, severity, file, what, "")
}
