package pypitest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// closesAfter is how long after its creation a release takes new files.
const closesAfter = 14 * 24 * time.Hour

// checks are all that is asked of an upload, in Warehouse's order: the first
// that has an answer ends it. One that finds something out leaves it in the
// upload for those behind it.
func checks() []func(*upload) *answer {
	return []func(*upload) *answer{
		(*upload).textFields,
		(*upload).readOnly,
		(*upload).uploadsDisabled,
		(*upload).identity,
		(*upload).protocolVersion,
		(*upload).formData,
		(*upload).metadata,
		(*upload).hasFile,
		(*upload).findProject,
		(*upload).permission,
		(*upload).goodStanding,
		(*upload).findRelease,
		(*upload).filename,
		(*upload).mediaType,
		(*upload).sizes,
		(*upload).digests,
		(*upload).duplicate,
		(*upload).filenameReuse,
		(*upload).closedRelease,
		(*upload).onlyOneSdist,
		(*upload).distribution,
		(*upload).sdistFilename,
		(*upload).sdistLicenses,
		(*upload).wheelFilename,
		(*upload).wheelLicenses,
		(*upload).wheelRecord,
		(*upload).wheelEntryPoints,
		(*upload).wheelMetadata,
		(*upload).attestations,
	}
}

// upload is one request to take a file, and what the checks found out about
// it. Nothing of it is in the index before all of them have passed.
type upload struct {
	index         *Index
	now           time.Time
	authorization authorization
	form          *form

	token      *token
	meta       metadata
	project    *project
	release    *release
	archive    archive
	metadataOf []byte // METADATA of a wheel
	provenance []byte
}

func (x *Index) serveLegacyWithoutSlash(w http.ResponseWriter, r *http.Request) {
	answer{
		status: http.StatusPermanentRedirect,
		message: "An upload was attempted to /legacy but the expected upload URL is /legacy/ " +
			"(with a trailing slash)",
		location: "/legacy/",
	}.send(w, r)
}

// serveLegacy is the upload API. The action stands in the query or the form.
func (x *Index) serveLegacy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		x.serveFront(w, r)
		return
	}
	f, err := readForm(w, r, x.incoming(), x.config.MaxFile)
	if err != nil {
		unreadable(err).send(w, r)
		return
	}
	defer f.remove()
	action := r.URL.Query().Get(":action")
	if action == "" {
		action, _ = f.last(":action")
	}
	switch action {
	case "file_upload":
		x.upload(f, authorize(r)).send(w, r)
	case "submit", "submit_pkg_info":
		gone("Project pre-registration is no longer required or supported, upload your files instead.").send(w, r)
	case "doc_upload":
		gone("Uploading documentation is no longer supported, we recommend using "+
			"https://readthedocs.org/.").send(w, r)
	default:
		x.serveFront(w, r)
	}
}

func gone(message string) answer { return answer{status: http.StatusGone, message: message} }

// unreadable is the answer to a request that is not a form.
func unreadable(err error) *answer {
	var large *http.MaxBytesError
	if errors.Is(err, errTooMuch) || errors.As(err, &large) {
		return &answer{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	}
	return refuse("%s", err)
}

// upload judges an upload and takes it, or not.
func (x *Index) upload(f *form, who authorization) answer {
	x.mu.Lock()
	defer x.mu.Unlock()
	f.sanitize()
	u := &upload{index: x, now: x.now(), authorization: who, form: f}
	defer u.archive.close()
	for _, check := range checks() {
		if a := check(u); a != nil {
			return *a
		}
	}
	if err := u.take(); err != nil {
		return answer{status: http.StatusInternalServerError, message: err.Error()}
	}
	return answer{status: http.StatusOK}
}

// take puts the file into the index: its bytes first, then the rest, in one go.
func (u *upload) take() error {
	c := u.form.content
	taken := &file{
		name: c.filename, kind: u.form.first("filetype"), pythonVersion: u.pythonVersion(),
		comment: u.form.first("comment"), size: c.size, digests: c.digests,
		uploaded: u.now.UTC(), provenance: u.provenance,
	}
	path := u.index.stored(taken)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if u.metadataOf != nil {
		taken.metadata = sha256Hex(u.metadataOf)
		if err := os.WriteFile(path+".metadata", u.metadataOf, 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(c.path, path); err != nil {
		return err
	}
	u.project.name = u.meta.name
	u.index.projects[u.project.normalized] = u.project
	if !slices.Contains(u.project.releases, u.release) {
		u.project.releases = append(u.project.releases, u.release)
	}
	u.release.files = append(u.release.files, taken)
	u.index.filenames[taken.name] = true
	u.index.changed(u.project)
	return nil
}

func (u *upload) kind() string { return u.form.first("filetype") }

// pythonVersion of an sdist is "source", said or not.
func (u *upload) pythonVersion() string {
	if v := u.form.first("pyversion"); v != "" || u.kind() != "sdist" {
		return v
	}
	return "source"
}

func (u *upload) textFields() *answer {
	for _, f := range u.form.fields {
		if f.file && f.name != "gpg_signature" {
			return refuse("%s: Should not be a tuple.", f.name)
		}
	}
	return nil
}

func (u *upload) readOnly() *answer {
	if u.index.flags[ReadOnly] {
		return forbid("Read-only mode: Uploads are temporarily disabled.")
	}
	return nil
}

func (u *upload) uploadsDisabled() *answer {
	if u.index.flags[DisallowNewUpload] {
		return forbid("New uploads are temporarily disabled. See %s for more information.", admins)
	}
	return nil
}

func (u *upload) identity() *answer {
	if u.authorization.password {
		return forbid("Username/Password authentication is no longer supported. "+
			"Migrate to API Tokens or Trusted Publishers instead. See %sapitoken and %strusted-publishers",
			helpPage, helpPage)
	}
	u.token = u.index.tokens[u.authorization.token]
	if u.token == nil {
		return forbid("Invalid or non-existent authentication information. "+
			"See %sinvalid-auth for more information.", helpPage)
	}
	return nil
}

func (u *upload) protocolVersion() *answer {
	if v, ok := u.form.last("protocol_version"); ok && v != "1" {
		return refuse("Unknown protocol version.")
	}
	return nil
}

// formData wants what the form itself needs. Of several faults the name's is
// told first, then the first by field.
func (u *upload) formData() *answer {
	f := u.form
	hexDigest := regexp.MustCompile(`(?i)^[A-F0-9]{64}$`)
	kind, python, name := f.first("filetype"), f.first("pyversion"), f.first("name")
	for _, rule := range []struct {
		broken bool
		say    string
	}{
		{name == "", invalidName(name, "This field is required.")},
		{!isProjectName(name), invalidName(name, "Start and end with a letter or numeral containing "+
			"only ASCII numeric and '.', '_' and '-'.")},
		{badDigest(hexDigest, f.first("blake2_256_digest")),
			"Invalid value for blake2_256_digest. Error: Use a valid, hex-encoded, BLAKE2 message digest."},
		{kind == "", "Invalid value for filetype. Error: This field is required."},
		{kind != "sdist" && kind != "bdist_wheel", "Invalid value for filetype. Error: Use a known file type."},
		{badDigest(hexDigest, f.first("sha256_digest")),
			"Invalid value for sha256_digest. Error: Use a valid, hex-encoded, SHA256 message digest."},
		{kind != "sdist" && python == "",
			"Invalid value for pyversion. Error: Python version is required for binary distribution uploads."},
		{kind == "sdist" && python != "" && python != "source",
			"Invalid value for pyversion. Error: Use 'source' as Python version for an sdist."},
		{f.first("md5_digest") == "" && f.first("sha256_digest") == "" && f.first("blake2_256_digest") == "",
			"Error: Include at least one message digest."},
	} {
		if rule.broken {
			return refuse("%s", rule.say)
		}
	}
	return nil
}

func badDigest(form *regexp.Regexp, value string) bool {
	return value != "" && !form.MatchString(value)
}

func invalidName(name, fault string) string {
	if short := []rune(name); len(short) > 60 {
		name = string(short[:30]) + "..." + string(short[len(short)-30:])
	}
	return fmt.Sprintf("%s is an invalid value for Name. Error: %s See %s for more information.",
		repr(name), fault, coreMetadataSpec)
}

func (u *upload) metadata() *answer {
	meta, faults := parseMetadata(u.form)
	if len(faults) == 0 {
		u.meta = meta
		return nil
	}
	fault := mostTelling(faults)
	see := coreMetadataSpec
	if fault.field == "version" && strings.Contains(fault.message, "use of local versions") {
		see = localVersionSpec
	}
	return refuse("%s. See %s for more information.", strings.TrimSuffix(fault.message, "."), see)
}

func (u *upload) hasFile() *answer {
	if u.form.content != nil {
		return nil
	}
	if _, text := u.form.last("content"); text {
		return &answer{status: http.StatusInternalServerError, message: "Internal Server Error"}
	}
	return refuse("Upload payload does not have a file.")
}

// findProject finds the project, or makes one for a person who may.
func (u *upload) findProject() *answer {
	name := u.form.first("name")
	if u.project = u.index.projects[normalizeName(name)]; u.project != nil {
		return nil
	}
	if u.token.minted() {
		return refuse("Non-user identities cannot create new projects. " +
			"This was probably caused by successfully using a pending publisher but specifying the " +
			"project name incorrectly (either in the publisher or in your project's metadata). " +
			"Please ensure that both match. See: " + troubleshooting)
	}
	if a := u.goodStanding(); a != nil {
		return a
	}
	if a := u.index.countCreation(u.token.user, u.now); a != nil {
		return a
	}
	if a := u.index.mayCreate(name); a != nil {
		return a
	}
	u.project = newProject(name)
	u.project.owners[u.token.user.Name] = true
	return nil
}

// countCreation lets a person make twenty projects an hour.
func (x *Index) countCreation(user User, now time.Time) *answer {
	old := func(t time.Time) bool { return now.Sub(t) > time.Hour }
	recent := slices.DeleteFunc(x.creations[user.Name], old)
	if len(recent) >= 20 {
		return &answer{status: http.StatusTooManyRequests, message: "Too many new projects created"}
	}
	x.creations[user.Name] = append(recent, now)
	return nil
}

// mayCreate judges the name of a new project.
func (x *Index) mayCreate(name string) *answer {
	if x.flags[DisallowNewProjects] {
		return forbid("New project registration temporarily disabled. See %s for more information.", admins)
	}
	if !isProjectName(name) {
		return refuse("The name %s is invalid.", repr(name))
	}
	for _, p := range x.projects {
		if lookalike(p.name) == lookalike(name) {
			return refuse("The name %s is too similar to an existing project. See %s for more information.",
				repr(name), naming)
		}
	}
	return nil
}

// lookalike is a name without what the eye may miss.
func lookalike(name string) string {
	return strings.ToLower(strings.NewReplacer(
		".", "", "_", "", "-", "", "l", "1", "L", "1", "i", "1", "I", "1", "o", "0", "O", "0").Replace(name))
}

func (u *upload) permission() *answer {
	if reason := u.token.caveat(u.project, u.now); reason != "" {
		return forbid("Invalid API Token: %s", reason)
	}
	if u.token.minted() {
		if u.project.status != Active {
			return forbid("The given token isn't allowed to upload to project '%s'. "+
				"See %s for more information.", u.project.name, naming)
		}
		return nil
	}
	if !u.project.owners[u.token.user.Name] || u.project.status != Active {
		return forbid("The user '%s' isn't allowed to upload to project '%s'. "+
			"See %s for more information.", u.token.user.Name, u.project.name, naming)
	}
	return nil
}

// goodStanding wants of a person a verified address and a second factor.
func (u *upload) goodStanding() *answer {
	user := u.token.user
	if user.Unverified {
		return forbid("User %s, associated with the API token used, does not have a verified "+
			"primary email address. Please add a verified primary email before attempting to upload to PyPI. "+
			"See %sverified-email for more information.", repr(user.Name), helpPage)
	}
	if user.NoTwoFactor {
		return forbid("User %s, associated with the API token used, does not have two-factor "+
			"authentication enabled. Please enable two-factor authentication before attempting to upload "+
			"to PyPI. See %stwo-factor-authentication for more information.", repr(user.Name), helpPage)
	}
	return nil
}

// findRelease finds the release, or makes one of this file's metadata.
func (u *upload) findRelease() *answer {
	if u.release = u.project.release(u.meta.version); u.release == nil {
		u.release = &release{version: u.meta.version, meta: u.meta, created: u.now}
	}
	return nil
}

func (u *upload) filename() *answer {
	name := u.form.content.filename
	control := func(r rune) bool { return r < 32 || r == 127 }
	if strings.ContainsFunc(name, control) {
		return refuse("Cannot upload a file with non-printable characters (ordinals 0-31) " +
			"or the DEL character (ordinal 127) in the name.")
	}
	if strings.ContainsAny(name, `/\`) {
		return refuse(`Cannot upload a file with '/' or '\' in the name.`)
	}
	extension := regexp.MustCompile(`(?i).+?(\.(?:tar\.gz|zip|whl))$`).FindStringSubmatch(name)
	if extension == nil {
		return refuse("Invalid file extension: Use .tar.gz, .whl or .zip extension. " +
			"See https://www.python.org/dev/peps/pep-0527 and https://peps.python.org/pep-0715/ " +
			"for more information")
	}
	allowed := map[string][]string{"sdist": {".zip", ".tar.gz"}, "bdist_wheel": {".whl"}}
	if !slices.Contains(allowed[u.kind()], extension[1]) {
		return refuse("Invalid file extension: Extension %s is invalid for filetype %s. "+
			"See https://www.python.org/dev/peps/pep-0527 for more information.", extension[1], u.kind())
	}
	return nil
}

func (u *upload) mediaType() *answer {
	if t := u.form.content.mediaType; t == "" || strings.HasPrefix(t, "image/") {
		return refuse("Invalid distribution file.")
	}
	return nil
}

func (u *upload) sizes() *answer {
	limit, total := u.index.config.MaxFile, u.index.config.MaxProject
	if u.form.content.size > limit {
		return refuse("File too large. Limit for project %s is %d MB. "+
			"See %srequesting-a-file-size-limit-increase for more information.",
			repr(u.meta.name), limit>>20, storageLimits)
	}
	if u.form.content.size+u.project.size() > total {
		return refuse("Project size too large. Limit for project %s total size is %d GB. "+
			"See %srequesting-a-project-size-limit-increase", repr(u.meta.name), total>>30, storageLimits)
	}
	return nil
}

// digests wants every digest that was supplied to be right.
func (u *upload) digests() *answer {
	got := u.form.content.digests
	for _, d := range []struct{ field, got string }{
		{"md5_digest", got.md5}, {"sha256_digest", got.sha256}, {"blake2_256_digest", got.blake2},
	} {
		if want := u.form.first(d.field); want != "" && strings.ToLower(want) != d.got {
			return refuse("The digest supplied does not match a digest calculated from the uploaded file.")
		}
	}
	return nil
}

// duplicate takes the same file under the same name once more, and does
// nothing. Any other file of that name, or of those bytes, is refused.
func (u *upload) duplicate() *answer {
	c := u.form.content
	taken := false
	for f := range u.index.files() {
		if f.name == c.filename && f.digests == c.digests {
			return &answer{status: http.StatusOK}
		}
		taken = taken || f.name == c.filename || f.digests.blake2 == c.digests.blake2
	}
	if taken {
		return refuse("File already exists (%s, with blake2_256 hash %s). "+
			"See %sfile-name-reuse for more information.", repr(c.filename), repr(c.digests.blake2), helpPage)
	}
	return nil
}

func (u *upload) filenameReuse() *answer {
	if u.index.filenames[u.form.content.filename] {
		return refuse("This filename was previously used by a file that has since been deleted. "+
			"Use a different version. See %sfile-name-reuse for more information.", helpPage)
	}
	return nil
}

func (u *upload) closedRelease() *answer {
	if u.release.created.Before(u.now.Add(-closesAfter)) {
		return refuse("Uploading new files to releases older than 14 days is not allowed.")
	}
	return nil
}

func (u *upload) onlyOneSdist() *answer {
	isSdist := func(f *file) bool { return f.kind == "sdist" }
	if u.kind() == "sdist" && slices.ContainsFunc(u.release.files, isSdist) {
		return refuse("Only one sdist may be uploaded per release.")
	}
	return nil
}
