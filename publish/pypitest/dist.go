package pypitest

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// longestName is what fits into a folder's entry, in bytes.
const longestName = 255

// distribution opens the file and wants an archive of its kind.
func (u *upload) distribution() *answer {
	if len(u.form.content.filename) > longestName {
		return &answer{status: http.StatusInternalServerError, message: "Internal Server Error"}
	}
	var message string
	var err error
	if u.archive, message, err = openArchive(u.form.content); err != nil {
		return &answer{status: http.StatusInternalServerError, message: err.Error()}
	}
	if message != "" {
		return refuse("Invalid distribution file. %s", message)
	}
	return nil
}

func (u *upload) isWheel() bool { return u.kind() == "bdist_wheel" }

// sdistFilename wants exactly the name of PEP 625.
func (u *upload) sdistFilename() *answer {
	if u.isWheel() {
		return nil
	}
	filename, project := u.form.content.filename, underscored(u.project.normalized)
	said, err := parseSdistName(filename)
	if err != nil {
		return refuse("Invalid source distribution filename: %s", filename)
	}
	if u.meta.version.IsPostRelease() && said.project != u.project.normalized &&
		strings.Count(filename, "-") >= 2 {
		said.project = beforePostRelease(filename)
	}
	if said.project != u.project.normalized {
		return refuse("Start filename for %s with %s.", repr(u.meta.name), repr(project))
	}
	if want := project + "-" + u.meta.version.String() + ".tar.gz"; filename != want {
		return refuse("Filename %s is invalid, should be %s.", repr(filename), repr(want))
	}
	return nil
}

// beforePostRelease is the project of a name like widget-1.0-1.tar.gz, whose
// version has a hyphen.
func beforePostRelease(filename string) string {
	name := filename[:strings.LastIndex(filename, "-")]
	return normalizeName(name[:strings.LastIndex(name, "-")])
}

func (u *upload) sdistLicenses() *answer {
	if u.isWheel() {
		return nil
	}
	top := commonPath(u.archive.names)
	for _, license := range u.meta.values["license_file"] {
		if at := top + "/" + license; !slices.Contains(u.archive.names, at) {
			return u.missingLicense(license, at)
		}
	}
	return nil
}

func (u *upload) missingLicense(license, at string) *answer {
	return refuse("License-File %s does not exist in distribution file %s at %s",
		license, u.form.content.filename, at)
}

// wheelFilename wants the project's normalised name, the version, and
// platforms that PyPI knows.
func (u *upload) wheelFilename() *answer {
	if !u.isWheel() {
		return nil
	}
	filename := u.form.content.filename
	said, err := parseWheelName(filename)
	if err != nil {
		return refuse("%s", err)
	}
	for _, platform := range said.platforms() {
		if !isPlatform(platform) {
			return refuse("Binary wheel '%s' has an unsupported platform tag '%s'.", filename, platform)
		}
	}
	project := underscored(u.project.normalized)
	if said.project != u.project.normalized {
		return refuse("Start filename for %s with %s.", repr(u.meta.name), repr(project))
	}
	if start, _, _ := strings.Cut(filename, "-"); start != project {
		return refuse("Filename %s should contain the normalized project name %s, not %s.",
			repr(filename), repr(project), repr(start))
	}
	if !said.version.Equal(u.meta.version) {
		return refuse("Version in filename should be %s not %s.",
			repr(u.meta.version.String()), repr(said.version.String()))
	}
	return nil
}

func (u *upload) wheelLicenses() *answer {
	if !u.isWheel() {
		return nil
	}
	for _, license := range u.meta.values["license_file"] {
		at := u.distInfo() + "/licenses/" + license
		if _, found, _ := u.archive.read(at); !found {
			return u.missingLicense(license, at)
		}
	}
	return nil
}

func (u *upload) distInfo() string {
	folder, _ := distInfo(u.form.content.filename)
	return folder
}

// wheelRecord wants a RECORD. What it lists is not compared with what is in
// the wheel: PyPI only writes a mail about that.
func (u *upload) wheelRecord() *answer {
	if !u.isWheel() {
		return nil
	}
	at := u.distInfo() + "/RECORD"
	raw, found, err := u.archive.read(at)
	if !found || err != nil || !isTable(raw) {
		return refuse("Wheel '%s' does not contain the required RECORD file: %s", u.form.content.filename, at)
	}
	return nil
}

// isTable says whether text is comma-separated values.
func isTable(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	rows := csv.NewReader(strings.NewReader(string(raw)))
	rows.FieldsPerRecord, rows.LazyQuotes = -1, true
	for {
		if _, err := rows.Read(); err == io.EOF {
			return true
		} else if err != nil {
			return false
		}
	}
}

// wheelEntryPoints wants scripts whose names are not paths.
func (u *upload) wheelEntryPoints() *answer {
	if !u.isWheel() {
		return nil
	}
	raw, found, err := u.archive.read(u.distInfo() + "/entry_points.txt")
	if found && (err != nil || !isEntryPoints(raw)) {
		return refuse("Wheel '%s' has invalid entry points defined in the entry_points.txt file",
			u.form.content.filename)
	}
	return nil
}

// isEntryPoints reads entry_points.txt as Python's configparser does: sections
// of "name = value", a more indented line going on with the value.
func isEntryPoints(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	name := regexp.MustCompile(`^[\pL\pN_.-]+$`)
	section, option := "", false
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if option && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		key := ""
		if header := regexp.MustCompile(`^\[([^\]]+)\]`).FindStringSubmatch(text); header != nil {
			section, option, key = header[1], false, "["+header[1]
		} else {
			entry, _, ok := strings.Cut(text, "=")
			entry = strings.TrimSpace(entry)
			scripts := section == "console_scripts" || section == "gui_scripts" || section == "DEFAULT"
			if !ok || section == "" || entry == "" || scripts && !name.MatchString(entry) {
				return false
			}
			option, key = true, section+"]"+entry
		}
		if seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// wheelMetadata takes METADATA out, to be served beside the wheel (PEP 658).
func (u *upload) wheelMetadata() *answer {
	if !u.isWheel() {
		return nil
	}
	filename := u.form.content.filename
	at := u.distInfo() + "/METADATA"
	raw, found, err := u.archive.read(at)
	if !found || err != nil {
		return refuse("Wheel '%s' does not contain the required METADATA file: %s", filename, at)
	}
	if len(filename+".metadata") > longestName {
		return refuse("Filename is too long: '%s'", filename)
	}
	u.metadataOf = raw
	return nil
}

func sha256Hex(raw []byte) string {
	digest := sha256.Sum256(raw)
	return hex.EncodeToString(digest[:])
}
