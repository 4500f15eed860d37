package pypitest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish/pypitest"
)

// refusal is an upload that is not taken, and what the index says.
type refusal struct {
	name   string
	oracle string // the test in Warehouse's own suite that asks the same
	want   string // status and message
	config func(*pypitest.Config)
	play   func(w *world) *request
}

// spoiled is a wheel of widget 1.0 by alice with one thing changed.
func spoiled(change func(r *request)) func(w *world) *request {
	return func(w *world) *request {
		r := wheel(w.alice, "widget", "1.0")
		change(r)
		return r
	}
}

// field is a wheel with one field changed.
func field(name string, values ...string) func(w *world) *request {
	return spoiled(func(r *request) { r.set(name, values...) })
}

// fields is a wheel with metadata of another version and more fields.
func fields(metadataVersion string, more ...[2]string) func(w *world) *request {
	return spoiled(func(r *request) {
		r.set("metadata_version", metadataVersion)
		for _, f := range more {
			r.set(f[0], f[1])
		}
	})
}

// named is a wheel under another name.
func named(filename string) func(w *world) *request {
	return spoiled(func(r *request) { r.replace(filename, r.content) })
}

// members is a wheel with other members.
func members(change ...member) func(w *world) *request {
	return func(w *world) *request { return wheel(w.alice, "widget", "1.0", change...) }
}

const (
	info        = "widget-1.0.dist-info/"
	seeCore     = " See https://packaging.python.org/specifications/core-metadata for more information."
	seeProject  = " See https://pypi.org/help/#project-name for more information."
	seeReuse    = " See https://pypi.org/help/#file-name-reuse for more information."
	seeArchives = " See https://docs.pypi.org/archives for more information"
	badExt      = "400 Invalid file extension: Use .tar.gz, .whl or .zip extension. See https://www.python.org/dev/peps/pep-0527 " +
		"and https://peps.python.org/pep-0715/ for more information"
)

// refusals are in the order in which the index judges.
func refusals() []refusal {
	return []refusal{
		{name: "a field sent as a file", want: "400 summary: Should not be a tuple.",
			play: spoiled(func(r *request) { r.files = []string{"gpg_signature", "summary"} })},
		{name: "read-only", want: "403 Read-only mode: Uploads are temporarily disabled.",
			play: func(w *world) *request {
				w.index.Switch(pypitest.ReadOnly, true)
				return wheel(w.alice, "widget", "1.0")
			}},
		{name: "uploads disabled", want: "403 New uploads are temporarily disabled. " +
			"See https://pypi.org/help/#admin-intervention for more information.",
			play: func(w *world) *request {
				w.index.Switch(pypitest.DisallowNewUpload, true)
				return wheel(w.alice, "widget", "1.0")
			}},
		{name: "a password", want: "403 Username/Password authentication is no longer supported. " +
			"Migrate to API Tokens or Trusted Publishers instead. " +
			"See https://pypi.org/help/#apitoken and https://pypi.org/help/#trusted-publishers",
			play: spoiled(func(r *request) {
				r.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("alice:hunter2")))
			})},
		{name: "an unknown token", want: "403 Invalid or non-existent authentication information. " +
			"See https://pypi.org/help/#invalid-auth for more information.",
			play: spoiled(func(r *request) { r.token = "pypi-unknown" })},
		{name: "no token", want: "403 Invalid or non-existent authentication information. " +
			"See https://pypi.org/help/#invalid-auth for more information.",
			play: spoiled(func(r *request) { r.token = "" })},
		{name: "a burned token", want: "403 Invalid or non-existent authentication information. " +
			"See https://pypi.org/help/#invalid-auth for more information.",
			play: func(w *world) *request {
				token := w.mint(releaseJob())
				w.postJSON("/_/oidc/burn-token", map[string]string{"token": token})
				return wheel(token, "widget", "1.0")
			}},
		{name: "another protocol", oracle: "test_fails_invalid_version", want: "400 Unknown protocol version.",
			play: field("protocol_version", "2")},

		{name: "no name", want: "400 '' is an invalid value for Name. Error: This field is required." + seeCore,
			play: field("name")},
		{name: "a bad name", oracle: "test_fails_invalid_post_data",
			want: "400 'foo-' is an invalid value for Name. Error: Start and end with a letter or numeral containing " +
				"only ASCII numeric and '.', '_' and '-'." + seeCore, play: field("name", "foo-")},
		{name: "a long bad name", want: "400 '" + strings.Repeat("a", 30) + "..." + strings.Repeat("b", 29) + "-' is an " +
			"invalid value for Name. Error: Start and end with a letter or numeral containing only ASCII numeric and " +
			"'.', '_' and '-'." + seeCore, play: field("name", strings.Repeat("a", 40)+strings.Repeat("b", 40)+"-")},
		{name: "no file type", want: "400 Invalid value for filetype. Error: This field is required.", play: field("filetype")},
		{name: "an unknown file type", oracle: "test_upload_fails_with_legacy_type",
			want: "400 Invalid value for filetype. Error: Use a known file type.", play: field("filetype", "bdist_wininst")},
		{name: "a wheel without a Python version",
			want: "400 Invalid value for pyversion. Error: Python version is required for binary distribution uploads.",
			play: field("pyversion")},
		{name: "an sdist with a Python version",
			want: "400 Invalid value for pyversion. Error: Use 'source' as Python version for an sdist.",
			play: field("filetype", "sdist")},
		{name: "a digest that is none",
			want: "400 Invalid value for sha256_digest. Error: Use a valid, hex-encoded, SHA256 message digest.",
			play: field("sha256_digest", "an invalid sha256 digest")},
		{name: "a BLAKE2 digest that is none",
			want: "400 Invalid value for blake2_256_digest. Error: Use a valid, hex-encoded, BLAKE2 message digest.",
			play: field("blake2_256_digest", "x")},
		{name: "no digest", want: "400 Error: Include at least one message digest.",
			play: spoiled(func(r *request) {
				r.set("md5_digest")
				r.set("sha256_digest")
				r.set("blake2_256_digest")
			})},

		{name: "no metadata version", want: "400 None is not a valid metadata version." + seeCore,
			play: field("metadata_version")},
		{name: "a metadata version to come", want: "400 '9.9' is not a valid metadata version." + seeCore,
			play: field("metadata_version", "9.9")},
		{name: "UNKNOWN is nothing", want: "400 'version' is a required field." + seeCore, play: field("version", " UNKNOWN\n")},
		{name: "no version", want: "400 'version' is a required field." + seeCore, play: field("version", "")},
		{name: "a version that is none", want: "400 '1.0.dev.a1' is invalid for 'version'." + seeCore,
			play: field("version", "1.0.dev.a1")},
		{name: "a local version", want: "400 The use of local versions in '1.0+local' is not allowed. " +
			"See https://packaging.python.org/en/latest/specifications/version-specifiers/#local-version-identifiers " +
			"for more information.", play: field("version", "1.0+local")},
		{name: "two summaries", want: "400 'summary' has invalid data." + seeCore, play: field("summary", "a", "b")},
		{name: "a long summary", want: "400 'summary' field must be 512 characters or less." + seeCore,
			play: field("summary", strings.Repeat("A", 513))},
		{name: "a summary of two lines", want: "400 'summary' must be a single line." + seeCore, play: field("summary", "A\nB")},
		{name: "a field of a later metadata version",
			want: "400 license-expression introduced in metadata version 2.4, not 2.1." + seeCore,
			play: field("license_expression", "MIT")},
		{name: "both licences", oracle: "test_upload_fails_when_license_and_license_expression_are_present",
			want: "400 License is deprecated when License-Expression is present. " +
				"Only License-Expression should be present." + seeCore,
			play: fields("2.4", [2]string{"license", "MIT"}, [2]string{"license_expression", "MIT"})},
		{name: "a licence expression that is none", want: "400 'MIT OR' is invalid for 'license-expression'." + seeCore,
			play: fields("2.4", [2]string{"license_expression", "MIT OR"})},
		{name: "a licence file above", want: "400 '../LICENSE' is invalid for 'license-file', " +
			"parent directory indicators are not allowed." + seeCore,
			play: fields("2.4", [2]string{"license_file", "../LICENSE"})},
		{name: "a bad e-mail address",
			want: "400 'alice' is not a valid email address: An email address must have an @-sign." + seeCore,
			play: field("author_email", "alice")},
		{name: "a classifier that is none", oracle: "test_upload_fails_with_invalid_classifier",
			want: "400 'Invalid :: Classifier' is not a valid classifier." + seeCore,
			play: field("classifiers", "Invalid :: Classifier", "Typing :: Typed")},
		{name: "a private classifier", want: "400 'Private :: Do Not Upload' is not a valid classifier." + seeCore,
			play: field("classifiers", "Private :: Do Not Upload")},
		{name: "a home page that is none", want: "400 'ftp://example.org' is not a valid url." + seeCore,
			play: field("home_page", "ftp://example.org")},
		{name: "a URL without a label", want: "400 Must have a label." + seeCore,
			play: field("project_urls", ", https://example.org")},
		{name: "a long label", want: "400 '" + strings.Repeat("a", 33) + "' must be 32 characters or less." + seeCore,
			play: field("project_urls", strings.Repeat("a", 33)+", https://example.org")},
		{name: "one label twice", want: "400 'project_urls' has invalid data." + seeCore,
			play: field("project_urls", "Home, https://example.org", "Home, https://example.com")},
		{name: "a dependency that is none", want: "400 'a>>1' is invalid for 'requires-dist'." + seeCore,
			play: field("requires_dist", "b>=1; python_version<'3.9' and extra == 'x'", "a>>1")},
		{name: "a dependency by URL", want: "400 Can't have direct dependency: a @ https://example.org/a.whl." + seeCore,
			play: field("requires_dist", "a @ https://example.org/a.whl")},
		{name: "a Python requirement that is none", want: "400 '>=3.*' is invalid for 'requires-python'." + seeCore,
			play: field("requires_python", ">=3.*")},
		{name: "a dynamic field that is none", want: "400 'wat' is not a valid dynamic field." + seeCore,
			play: fields("2.2", [2]string{"dynamic", "Wat"})},
		{name: "a content type that is none", want: "400 'description-content-type' must be one of " +
			"['text/markdown', 'text/plain', 'text/x-rst'], not 'text/html'." + seeCore,
			play: field("description_content_type", "text/html")},
		{name: "an import name that is none",
			want: "400 'a-b' is invalid for 'import-name'; 'a-b' is not a valid identifier." + seeCore,
			play: fields("2.5", [2]string{"import_name", "a-b"})},
		{name: "the version is told before others", want: "400 'x' is invalid for 'version'." + seeCore,
			play: spoiled(func(r *request) { r.set("version", "x"); r.set("author_email", "alice") })},

		{name: "no file", oracle: "test_upload_fails_without_file", want: "400 Upload payload does not have a file.",
			play: spoiled(func(r *request) { r.filename = "" })},
		{name: "a publisher's new project", want: "400 Non-user identities cannot create new projects. " +
			"This was probably caused by successfully using a pending publisher but specifying the project name " +
			"incorrectly (either in the publisher or in your project's metadata). Please ensure that both match. " +
			"See: https://docs.pypi.org/trusted-publishers/troubleshooting/",
			play: func(w *world) *request { return wheel(w.mint(releaseJob()), "gadget", "1.0") }},
		{name: "an unverified person's new project", oracle: "test_upload_new_project_fails_with_unverified_email",
			want: "403 User 'bob', associated with the API token used, does not have a verified primary email address. " +
				"Please add a verified primary email before attempting to upload to PyPI. " +
				"See https://pypi.org/help/#verified-email for more information.",
			play: func(w *world) *request {
				return wheel(w.token(pypitest.User{Name: "bob", Unverified: true}), "gadget", "1.0")
			}},
		{name: "too many new projects", oracle: "test_upload_new_project_fails_ratelimited",
			want: "429 Too many new projects created",
			play: func(w *world) *request {
				bob := w.token(pypitest.User{Name: "bob"})
				for i := range 20 {
					w.accepted(wheel(bob, fmt.Sprintf("gadget%d", i+20), "1.0"))
				}
				return wheel(bob, "gadget", "1.0")
			}},
		{name: "a new project whose name looks like another's",
			want: "400 The name 'wldget' is too similar to an existing project." + seeProject,
			play: func(w *world) *request { return wheel(w.token(pypitest.User{Name: "bob"}), "wldget", "1.0") }},
		{name: "another's project", oracle: "test_upload_fails_without_user_permission",
			want: "403 The user 'bob' isn't allowed to upload to project 'widget'." + seeProject,
			play: func(w *world) *request { return wheel(w.token(pypitest.User{Name: "bob"}), "widget", "1.0") }},
		{name: "a token of another project",
			want: "403 Invalid API Token: project-scoped token is not valid for project: 'gadget'",
			play: func(w *world) *request {
				w.must(w.index.AddProject("gadget"))
				return wheel(w.alice, "gadget", "1.0")
			}},
		{name: "a minted token of another project",
			want: "403 Invalid API Token: OIDC scoped token is not valid for project 'gadget'",
			play: func(w *world) *request {
				w.must(w.index.AddProject("gadget"))
				return wheel(w.mint(releaseJob()), "gadget", "1.0")
			}},
		{name: "a publisher that was removed",
			want: "403 Invalid API Token: OIDC scoped token is not valid for project 'widget'",
			play: func(w *world) *request {
				token := w.mint(releaseJob())
				w.must(w.index.RemovePublisher("widget", publisher()))
				return wheel(token, "widget", "1.0")
			}},
		{name: "a publisher that came to the project later",
			want: "403 Invalid API Token: project-scoped token is not valid for project: 'gadget'",
			play: func(w *world) *request {
				token := w.mint(releaseJob())
				w.must(w.index.AddProject("gadget", publisher()))
				return wheel(token, "gadget", "1.0")
			}},
		{name: "after fifteen minutes", want: "403 Invalid API Token: token is expired",
			play: func(w *world) *request {
				token := w.mint(releaseJob())
				w.now = w.now.Add(15 * time.Minute)
				return wheel(token, "widget", "1.0")
			}},
		{name: "an archived project", oracle: "test_upload_fails_without_oidc_publisher_permission",
			want: "403 The given token isn't allowed to upload to project 'widget'." + seeProject,
			play: func(w *world) *request {
				w.must(w.index.SetStatus("widget", pypitest.Archived))
				return wheel(w.mint(releaseJob()), "widget", "1.0")
			}},
		{name: "a person without a second factor",
			oracle: "test_upload_fails_without_two_factor_after_permission_check",
			want: "403 User 'bob', associated with the API token used, does not have two-factor authentication enabled. " +
				"Please enable two-factor authentication before attempting to upload to PyPI. " +
				"See https://pypi.org/help/#two-factor-authentication for more information.",
			play: func(w *world) *request {
				return wheel(w.token(pypitest.User{Name: "bob", NoTwoFactor: true}, "widget"), "widget", "1.0")
			}},

		{name: "a control character in the name", oracle: "test_upload_fails_with_disallowed_in_filename",
			want: "400 Cannot upload a file with non-printable characters (ordinals 0-31) " +
				"or the DEL character (ordinal 127) in the name.", play: named("widget\x1f-1.0-py3-none-any.whl")},
		{name: "a folder in the name", oracle: "test_upload_fails_with_unsafe_filename",
			want: `400 Cannot upload a file with '/' or '\' in the name.`, play: named("x/widget-1.0-py3-none-any.whl")},
		{name: "a backslash in the name", want: `400 Cannot upload a file with '/' or '\' in the name.`,
			play: named(`x\widget-1.0-py3-none-any.whl`)},
		{name: "no extension", oracle: "test_upload_fails_with_invalid_extension", want: badExt, play: named("widget-1.0.wat")},
		{name: "an old extension", oracle: "test_upload_fails_with_legacy_ext", want: badExt, play: named("widget-1.0.exe")},
		{name: "another type's extension", oracle: "test_upload_fails_with_invalid_filetype",
			want: "400 Invalid file extension: Extension .tar.gz is invalid for filetype bdist_wheel. " +
				"See https://www.python.org/dev/peps/pep-0527 for more information.", play: named("widget-1.0.tar.gz")},
		{name: "an image", want: "400 Invalid distribution file.",
			play: spoiled(func(r *request) { r.mediaType = "image/png" })},
		{name: "no media type", want: "400 Invalid distribution file.",
			play: spoiled(func(r *request) { r.mediaType = "" })},
		{name: "a large file", oracle: "test_upload_fails_with_too_large_file",
			want: "400 File too large. Limit for project 'widget' is 100 MB. See https://docs.pypi.org/project-management/" +
				"storage-limits#requesting-a-file-size-limit-increase for more information.",
			play: spoiled(func(r *request) { r.padding = 100 << 20 })},
		{name: "a large project", want: "400 Project size too large. Limit for project 'widget' total size is 0 GB. " +
			"See https://docs.pypi.org/project-management/storage-limits#requesting-a-project-size-limit-increase",
			config: func(c *pypitest.Config) { c.MaxProject = 1 << 20 },
			play:   spoiled(func(r *request) { r.padding = 1 << 20 })},
		{name: "a wrong digest", oracle: "test_upload_fails_with_invalid_digest",
			want: "400 The digest supplied does not match a digest calculated from the uploaded file.",
			play: field("md5_digest", strings.Repeat("0", 32))},
		{name: "one wrong digest of three",
			want: "400 The digest supplied does not match a digest calculated from the uploaded file.",
			play: field("blake2_256_digest", strings.Repeat("0", 64))},
		{name: "another file of the same name", oracle: "test_upload_fails_with_existing_filename_diff_content",
			want: "400 File already exists ('widget-1.0-py3-none-any.whl', with blake2_256 hash " +
				"'…')." + seeReuse,
			play: func(w *world) *request {
				w.accepted(wheel(w.alice, "widget", "1.0"))
				r := wheel(w.alice, "widget", "1.0", member{"more.py", "x"})
				return r
			}},
		{name: "the same file under another name",
			want: "400 File already exists ('widget-1.0-py2.py3-none-any.whl', with blake2_256 hash '…')." + seeReuse,
			play: func(w *world) *request {
				w.accepted(wheel(w.alice, "widget", "1.0"))
				return named("widget-1.0-py2.py3-none-any.whl")(w)
			}},
		{name: "the name of a deleted file", want: "400 This filename was previously used by a file that has since been deleted. " +
			"Use a different version." + seeReuse,
			play: func(w *world) *request {
				w.accepted(wheel(w.alice, "widget", "1.0"))
				w.must(w.index.DeleteFile("widget", "widget-1.0-py3-none-any.whl"))
				return wheel(w.alice, "widget", "1.0")
			}},
		{name: "fourteen days later", oracle: "test_upload_fails_release_is_closed",
			want: "400 Uploading new files to releases older than 14 days is not allowed.",
			play: func(w *world) *request {
				w.accepted(wheel(w.alice, "widget", "1.0"))
				w.now = w.now.Add(14*24*time.Hour + time.Second)
				return sdist(w.alice, "widget", "1.0")
			}},
		{name: "a second sdist", oracle: "test_upload_fails_for_second_sdist",
			want: "400 Only one sdist may be uploaded per release.",
			play: func(w *world) *request {
				w.accepted(sdist(w.alice, "widget", "1.0"))
				r := sdist(w.alice, "widget", "1.0", member{"widget-1.0/more.py", "x"})
				r.filename = "widget-1.0.zip"
				return r
			}},

		{name: "not a zip", want: "400 Invalid distribution file. File is not a zipfile",
			play: spoiled(func(r *request) { r.replace(r.filename, []byte("hello")) })},
		{name: "not a tar", want: "400 Invalid distribution file. File is not a tarfile",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.replace(r.filename, []byte("hello"))
				return r
			}},
		{name: "a zip behind a tar", want: "400 Invalid distribution file. File is both a zip and a tar file",
			play: spoiled(func(r *request) { r.replace(r.filename, append(tarOf(member{"a", "b"}), r.content...)) })},
		{name: "a zip in the header of a second gzip member",
			want: "400 Invalid distribution file. File is both a zip and a tar file",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.replace(r.filename, append(r.content, zipInGzip(member{"widget-1.0/setup.py", "x"})...))
				return r
			}},
		{name: "a zip whose first member lies in a tar header",
			want: "400 Invalid distribution file. File is both a zip and a tar file",
			play: spoiled(func(r *request) { r.replace(r.filename, zipInTar(wheelMembers("widget", "1.0")...)) })},
		{name: "a truncated tar", want: "400 Invalid distribution file. None",
			play: func(w *world) *request {
				// Zeros would be too short, packed, to be cut.
				r := sdist(w.alice, "widget", "1.0", member{"widget-1.0/x", incompressible(1 << 16)})
				r.replace(r.filename, r.content[:len(r.content)/2])
				return r
			}},
		{name: "two folders in an sdist", want: "400 Invalid distribution file. Incorrect number of top-level directories in sdist",
			play: func(w *world) *request { return sdist(w.alice, "widget", "1.0", member{"other/x", "y"}) }},
		{name: "no PKG-INFO", want: "400 Invalid distribution file. PKG-INFO not found at widget-1.0/PKG-INFO",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.replace(r.filename, tarOf(member{"widget-1.0/x", "y"}, member{"widget-1.0/z", "y"}))
				return r
			}},
		{name: "no WHEEL", want: "400 Invalid distribution file. WHEEL not found at widget-1.0.dist-info/WHEEL",
			play: members(member{info + "WHEEL", ""})},
		{name: "a wheel without a version in its name",
			want: "400 Invalid distribution file. Unable to parse name and version from wheel filename", play: named("widget.whl")},
		{name: "a bomb", want: "400 Invalid distribution file. File exceeds compression ratio of 50",
			play: spoiled(func(r *request) { r.replace(r.filename, bomb()) })},
		{name: "bytes behind the zip", want: "400 Invalid distribution file. ZIP archive not accepted: Trailing data." + seeArchives,
			play: spoiled(func(r *request) { r.replace(r.filename, trailing(r.content)) })},
		{name: "one member twice", want: "400 Invalid distribution file. ZIP archive not accepted: " +
			"Duplicate filename in local headers." + seeArchives,
			play: spoiled(func(r *request) {
				r.replace(r.filename, zipOf(append(wheelMembers("widget", "1.0"), member{"widget.py", "x = '1.0'\n"})...))
			})},

		{name: "an sdist of another project", oracle: "test_upload_fails_with_wrong_filename_project_name",
			want: "400 Start filename for 'widget' with 'widget'.",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.filename = "nope-1.0.tar.gz"
				return r
			}},
		{name: "an sdist of another version", oracle: "test_upload_fails_with_wrong_filename_version",
			want: "400 Filename 'widget-6.6.6.tar.gz' is invalid, should be 'widget-1.0.tar.gz'.",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.filename = "widget-6.6.6.tar.gz"
				return r
			}},
		{name: "an sdist without a version", want: "400 Invalid source distribution filename: widget.tar.gz",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.filename = "widget.tar.gz"
				return r
			}},
		{name: "an sdist's licence is missing", oracle: "test_upload_fails_missing_license_file_metadata_2_4",
			want: "400 License-File LICENSE does not exist in distribution file widget-1.0.tar.gz at widget-1.0/LICENSE",
			play: func(w *world) *request {
				r := sdist(w.alice, "widget", "1.0")
				r.set("metadata_version", "2.4")
				r.set("license_file", "LICENSE")
				return r
			}},
		{name: "a wheel's licence is missing",
			want: "400 License-File LICENSE does not exist in distribution file widget-1.0-py3-none-any.whl " +
				"at widget-1.0.dist-info/licenses/LICENSE", play: fields("2.4", [2]string{"license_file", "LICENSE"})},
		{name: "a wheel with a wrong build number", oracle: "test_upload_fails_with_invalid_filename",
			want: "400 Invalid build number: x in 'widget-1.0-x-py3-none-any'", play: named("widget-1.0-x-py3-none-any.whl")},
		{name: "a wheel with too few parts", want: "400 Invalid wheel filename (wrong number of parts): 'widget-1.0-none-any'",
			play: named("widget-1.0-none-any.whl")},
		{name: "a platform that PyPI does not take", oracle: "test_upload_fails_with_unsupported_wheel_plat",
			want: "400 Binary wheel 'widget-1.0-py3-none-linux_x86_64.whl' has an unsupported platform tag 'linux_x86_64'.",
			play: named("widget-1.0-py3-none-linux_x86_64.whl")},
		{name: "a wheel of another project", want: "400 Start filename for 'widget' with 'widget'.",
			play: spoiled(func(r *request) {
				r.replace("gadget-1.0-py3-none-any.whl", zipOf(wheelMembers("gadget", "1.0")...))
			})},
		{name: "a wheel's name not normalised", oracle: "test_upload_fails_pep427",
			want: "400 Filename 'Widget-1.0-py3-none-any.whl' should contain the normalized project name 'widget', not 'Widget'.",
			play: spoiled(func(r *request) {
				r.replace("Widget-1.0-py3-none-any.whl", zipOf(wheelMembers("Widget", "1.0")...))
			})},
		{name: "a wheel of another version", want: "400 Version in filename should be '1.0' not '6.6.6'.",
			play: spoiled(func(r *request) {
				r.replace("widget-6.6.6-py3-none-any.whl", zipOf(wheelMembers("widget", "6.6.6")...))
			})},
		{name: "no RECORD", oracle: "test_upload_fails_with_missing_record_wheel",
			want: "400 Wheel 'widget-1.0-py3-none-any.whl' does not contain the required RECORD file: " +
				"widget-1.0.dist-info/RECORD", play: members(member{info + "RECORD", ""})},
		{name: "a script that is a path", oracle: "test_upload_fails_with_invalid_entrypoints_wheel",
			want: "400 Wheel 'widget-1.0-py3-none-any.whl' has invalid entry points defined in the entry_points.txt file",
			play: members(member{info + "entry_points.txt", "[console_scripts]\n../x = widget:main\n"})},
		{name: "no METADATA", oracle: "test_upload_fails_with_missing_metadata_wheel",
			want: "400 Wheel 'widget-1.0-py3-none-any.whl' does not contain the required METADATA file: " +
				"widget-1.0.dist-info/METADATA", play: members(member{info + "METADATA", ""})},
		{name: "a name that is too long", want: "400 Filename is too long: 'widget-1.0-1" + strings.Repeat("x", 220) + "-py3-none-any.whl'",
			play: named("widget-1.0-1" + strings.Repeat("x", 220) + "-py3-none-any.whl")},

		{name: "a person's attestations", oracle: "test_upload_attestation_fails_without_oidc_publisher",
			want: "400 Invalid attestations supplied during upload: " +
				"Attestations are only supported when using Trusted Publishing", play: field("attestations", "[]")},
		attested("attestations that are none", "test_upload_fails_attestation_error",
			"Malformed attestations: invalid character 'x' looking for beginning of value",
			func(w *world, r *request) string { return "x" }),
		attested("no attestations", "", "Malformed attestations: an empty attestation set is not permitted",
			func(w *world, r *request) string { return "[]" }),
		attested("three attestations", "", "A maximum of 2 attestations per file are supported",
			func(w *world, r *request) string {
				one := sigstoretest.Publish(r.filename, r.sha256())
				return w.attest(signerClaims(), one, one, one)
			}),
		attested("two of a kind", "", "Multiple attestations for the same file with the same predicate type "+
			"(https://docs.pypi.org/attestations/publish/v1) are not supported",
			func(w *world, r *request) string {
				one := sigstoretest.Publish(r.filename, r.sha256())
				return w.attest(signerClaims(), one, one)
			}),
		attested("an attestation of another file's bytes", "", couldNotVerify+"subject does not match distribution digest",
			func(w *world, r *request) string {
				return w.attest(signerClaims(), sigstoretest.Publish(r.filename, strings.Repeat("0", 64)))
			}),
		attested("an attestation of another name", "", couldNotVerify+"subject does not match distribution name: "+
			"widget-1.0-py2-none-any.whl != widget-1.0-py3-none-any.whl",
			func(w *world, r *request) string {
				return w.attest(signerClaims(), sigstoretest.Publish("widget-1.0-py2-none-any.whl", r.sha256()))
			}),
		attested("an attestation of two files", "", couldNotVerify+"too many subjects in statement (must be exactly one)",
			func(w *world, r *request) string {
				return w.attest(signerClaims(), sigstoretest.Provenance(signerClaims(),
					sigstoretest.Subject{Name: r.filename, SHA256: r.sha256()},
					sigstoretest.Subject{Name: "widget-1.0.tar.gz", SHA256: r.sha256()}))
			}),
		attested("an attestation of another kind", "", couldNotVerify+"unknown attestation type: https://example.org/v1",
			func(w *world, r *request) string {
				return w.attest(signerClaims(), []byte(strings.Replace(string(sigstoretest.Publish(r.filename, r.sha256())),
					"https://docs.pypi.org/attestations/publish/v1", "https://example.org/v1", 1)))
			}),
		attested("an attestation by another repository", "", couldNotVerify+"Certificate's OIDCSourceRepositoryURI "+
			"does not match (got 'https://github.com/evil/widget', expected 'https://github.com/acme/widget')",
			func(w *world, r *request) string {
				claims := sigstoretest.GitHubClaims("evil/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
				return w.attest(claims, sigstoretest.Publish(r.filename, r.sha256()))
			}),
		attested("an attestation by another workflow", "", couldNotVerify+"Certificate's Build Config URI "+
			"(https://github.com/acme/widget/.github/workflows/evil.yml@refs/tags/v1.0) does not match expected "+
			"Trusted Publisher (release.yml @ acme/widget)",
			func(w *world, r *request) string {
				claims := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/evil.yml", "refs/tags/v1.0")
				return w.attest(claims, sigstoretest.Publish(r.filename, r.sha256()))
			}),
		attested("an attestation of another issuer's job", "", couldNotVerify+"Certificate's OIDCIssuerV2 does not match "+
			"(got 'https://evil.example.org', expected '…')",
			func(w *world, r *request) string {
				claims := signerClaims()
				claims.Issuer = "https://evil.example.org"
				return w.attest(claims, sigstoretest.Publish(r.filename, r.sha256()))
			}),
		attested("an attestation of another Sigstore", "", couldNotVerify+"…",
			func(w *world, r *request) string {
				other, err := sigstoretest.New()
				w.must(err)
				w.sigstore = other
				return w.attest(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()))
			}),
		attested("an attestation signed too late", "", couldNotVerify+"…",
			func(w *world, r *request) string {
				raw, err := w.sigstore.SignLate(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()))
				w.must(err)
				return encoded(w, asAttestation(w.t, raw))
			}),
		attested("an attestation without a promise of the CT log", "", couldNotVerify+"…",
			func(w *world, r *request) string {
				raw, err := w.sigstore.SignWithoutSCT(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()))
				w.must(err)
				return encoded(w, asAttestation(w.t, raw))
			}),
		attested("an attestation whose statement was changed", "", couldNotVerify+"…",
			func(w *world, r *request) string {
				raw, err := w.sigstore.Sign(signerClaims(), sigstoretest.Publish("other-1.0.tar.gz", r.sha256()))
				w.must(err)
				a := asAttestation(w.t, raw)
				a["envelope"].(map[string]any)["statement"] =
					base64.StdEncoding.EncodeToString(sigstoretest.Publish(r.filename, r.sha256()))
				return encoded(w, a)
			}),
		attested("an attestation without a log entry", "", "Malformed attestations: want version 1, a certificate, "+
			"a transparency log entry, a statement and a signature",
			func(w *world, r *request) string {
				raw, err := w.sigstore.SignUnlogged(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()))
				w.must(err)
				return encoded(w, asAttestation(w.t, raw))
			}),
		attested("a log entry that is none", "",
			"Unknown error while trying to verify included attestations: invalid transparency log entry: …",
			func(w *world, r *request) string {
				raw, err := w.sigstore.Sign(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()))
				w.must(err)
				a := asAttestation(w.t, raw)
				a["verification_material"].(map[string]any)["transparency_entries"] = []any{map[string]string{"logIndex": "x"}}
				return encoded(w, a)
			}),
	}
}

const couldNotVerify = "Could not verify the uploaded artifact using the included attestation: Verification failed: "

// attested is a trusted publisher's upload with attestations that are refused.
func attested(name, oracle, want string, attestations func(w *world, r *request) string) refusal {
	return refusal{name: name, oracle: oracle, want: "400 Invalid attestations supplied during upload: " + want,
		play: func(w *world) *request {
			r := wheel(w.mint(releaseJob()), "widget", "1.0")
			r.set("attestations", attestations(w, r))
			return r
		}}
}

func encoded(w *world, attestations ...map[string]any) string {
	w.t.Helper()
	raw, err := json.Marshal(attestations)
	w.must(err)
	return string(raw)
}

// like turns an expectation into a pattern: "…" stands for anything.
func like(want string) *regexp.Regexp {
	return regexp.MustCompile("^(?s)" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".+") + "$")
}

// play uploads what a refusal is about, in a world of its own.
func (r refusal) run(t *testing.T) reply {
	t.Helper()
	w := newWorld(t)
	if r.config != nil {
		w = newWorld(t, r.config)
	}
	return w.upload(r.play(w))
}

func TestUploadIsRefused(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			got := r.run(t)
			if said := fmt.Sprintf("%d %s", got.status, got.message); !like(r.want).MatchString(said) {
				t.Errorf("want %s\n got %s", r.want, said)
			}
			var body struct{ Message, Code, Title string }
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatal(err)
			}
			if !like(r.want).MatchString(body.Code) || body.Title != http.StatusText(got.status) ||
				!strings.HasSuffix(body.Message, ".\n\n\n"+strings.SplitN(body.Code, " ", 2)[1]+"\n\n") &&
					got.status != http.StatusTooManyRequests {
				t.Errorf("body: got %+v", body)
			}
		})
	}
}

// TestNothingStaysOfARefusal is that an upload is taken whole or not at all.
func TestNothingStaysOfARefusal(t *testing.T) {
	w := newWorld(t)
	bob := w.token(pypitest.User{Name: "bob"})
	r := wheel(bob, "gadget", "1.0", member{"gadget-1.0.dist-info/RECORD", ""})
	if got := w.upload(r); got.status != http.StatusBadRequest {
		t.Fatalf("want a refusal, got %d", got.status)
	}
	if response, _ := w.get("/simple/gadget/", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("the project stayed: %s", response.Status)
	}
	r = wheel(w.alice, "widget", "1.0", member{info + "RECORD", ""})
	w.upload(r)
	page := w.getJSON("/simple/widget/", "application/vnd.pypi.simple.v1+json")
	if diff := cmp.Diff([]any{}, page["versions"]); diff != "" {
		t.Errorf("a release stayed (-want +got):\n%s", diff)
	}
}

// TestDuplicateChangesNothing is that the same file can be sent again and
// again, after the release was closed too, and that what comes with it then,
// attestations among it, is not even looked at.
func TestDuplicateChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.accepted(wheel(w.alice, "widget", "1.0"))
	before := w.getJSON("/simple/widget/", "application/vnd.pypi.simple.v1+json")
	w.now = w.now.Add(30 * 24 * time.Hour)
	again := wheel(w.alice, "widget", "1.0")
	again.set("attestations", "nonsense")
	w.accepted(again)
	after := w.getJSON("/simple/widget/", "application/vnd.pypi.simple.v1+json")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestUploadIsTaken(t *testing.T) {
	for _, test := range []struct {
		name   string
		oracle string
		play   func(w *world) *request
	}{
		{"by a person", "test_successful_upload", spoiled(func(*request) {})},
		{"by a publisher", "", func(w *world) *request { return wheel(w.mint(releaseJob()), "widget", "1.0") }},
		{"by a bearer token", "", spoiled(func(r *request) { r.header.Set("Authorization", "Bearer "+r.token) })},
		{"with the action in the query", "", spoiled(func(r *request) {
			r.set(":action")
			r.query = "?:action=file_upload"
		})},
		{"an sdist", "test_upload_succeeds_pep625_normalized_filename",
			func(w *world) *request { return sdist(w.alice, "widget", "1.0") }},
		{"a new project of a person's", "", func(w *world) *request {
			return wheel(w.token(pypitest.User{Name: "bob"}), "gadget", "1.0")
		}},
		{"another spelling of the project", "test_upload_updates_existing_project_name", field("name", "WIDGET")},
		{"another spelling of the version", "test_equivalent_version_one_release", field("version", "1.0.0")},
		{"a GPG signature as a file", "test_upload_succeeds_with_gpg_signature_field", spoiled(func(r *request) {
			r.files = []string{"gpg_signature"}
		})},
		{"metadata 2.3", "test_upload_succeeds_creates_release_metadata_2_3", fields("2.3")},
		{"metadata 2.5", "test_upload_succeeds_creates_release_metadata_2_5",
			fields("2.5", [2]string{"import_name", "widget.a ; private"}, [2]string{"license_expression", "MIT OR (Apache-2.0 AND BSD-3-Clause)"})},
		{"a RECORD that lists something else", "test_upload_warns_with_mismatched_wheel_and_zip_contents",
			members(member{"more.py", "x"})},
		{"the same file again", "test_upload_noop_with_existing_filename_same_content", func(w *world) *request {
			w.accepted(wheel(w.alice, "widget", "1.0"))
			return wheel(w.alice, "widget", "1.0")
		}},
		{"fourteen days later, just so", "", func(w *world) *request {
			w.accepted(wheel(w.alice, "widget", "1.0"))
			w.now = w.now.Add(14 * 24 * time.Hour)
			return sdist(w.alice, "widget", "1.0")
		}},
		{"with attestations", "test_upload_succeeds_with_valid_attestation", func(w *world) *request {
			r := wheel(w.mint(releaseJob()), "widget", "1.0")
			r.set("attestations", w.attest(signerClaims(), sigstoretest.Publish(r.filename, r.sha256()),
				sigstoretest.Provenance(signerClaims(), sigstoretest.Subject{Name: r.filename, SHA256: r.sha256()})))
			return r
		}},
		{"with an attestation that spells the name otherwise", "", func(w *world) *request {
			r := wheel(w.mint(releaseJob()), "widget", "1.0")
			r.set("attestations", w.attest(signerClaims(), sigstoretest.Publish("Widget-1-py3-none-any.whl", r.sha256())))
			return r
		}},
		{"with an attestation from a self-hosted runner", "", func(w *world) *request {
			r := wheel(w.mint(releaseJob()), "widget", "1.0")
			claims := signerClaims()
			claims.RunnerEnvironment = "self-hosted"
			r.set("attestations", w.attest(claims, sigstoretest.Publish(r.filename, r.sha256())))
			return r
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.accepted(test.play(w))
		})
	}
}

// TestAnswerInTheFormThatIsAskedFor is Pyramid's page for an exception.
func TestAnswerInTheFormThatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	html := "<html>\n <head>\n  <title>400 summary: Should not be a tuple.</title>\n </head>\n <body>\n" +
		"  <h1>400 summary: Should not be a tuple.</h1>\n" +
		"  The server could not comply with the request since it is either malformed or otherwise incorrect." +
		"<br/><br/>\nsummary: Should not be a tuple.\n\n\n </body>\n</html>"
	plain := "400 summary: Should not be a tuple.\n\nThe server could not comply with the request since it is either " +
		"malformed or otherwise incorrect.\n\n\nsummary: Should not be a tuple.\n\n"
	for _, test := range []struct{ accept, contentType, body string }{
		{"", "text/html; charset=UTF-8", html},
		{"*/*", "text/html; charset=UTF-8", html},
		{"application/json;q=0.1, text/html", "text/html; charset=UTF-8", html},
		{"image/png", "text/plain; charset=UTF-8", plain},
	} {
		r := wheel(w.alice, "widget", "1.0")
		r.files = []string{"summary"}
		r.header.Set("Accept", test.accept)
		got := w.upload(r)
		if got.header.Get("Content-Type") != test.contentType || got.body != test.body {
			t.Errorf("%s: got %s\n%s", test.accept, got.header.Get("Content-Type"), cmp.Diff(test.body, got.body))
		}
	}
}

// TestStatusLineStaysOneLine is that a message with text of the client's
// cannot become a header.
func TestStatusLineStaysOneLine(t *testing.T) {
	w := newWorld(t)
	r := wheel(w.alice, "widget", "1.0")
	r.set("metadata_version", "2.4")
	r.set("license_file", "A\r\nX-Evil: 1 \u2603")
	got := w.upload(r)
	if got.header.Get("X-Evil") != "" || !strings.Contains(got.message, "License-File A  X-Evil: 1 ? does not exist") {
		t.Errorf("got %q %v", got.message, got.header)
	}
}

// otherActions are requests to the upload API that upload nothing.
func otherActions() []struct{ path, want string } {
	return []struct{ path, want string }{
		{"/legacy/?:action=submit", "410 Project pre-registration is no longer required or supported, upload your files instead."},
		{"/legacy/?:action=submit_pkg_info", "410 Project pre-registration is no longer required or supported, " +
			"upload your files instead."},
		{"/legacy/?:action=doc_upload", "410 Uploading documentation is no longer supported, " +
			"we recommend using https://readthedocs.org/."},
		{"/legacy", "308 An upload was attempted to /legacy but the expected upload URL is /legacy/ (with a trailing slash)"},
		{"/legacy/", "200 OK"},
		{"/legacy/?:action=wat", "200 OK"},
	}
}

func TestOtherActions(t *testing.T) {
	w := newWorld(t)
	for _, test := range otherActions() {
		request, err := http.NewRequest(http.MethodPost, w.url+test.path, io.NopCloser(bytes.NewReader([]byte("a=b"))))
		w.must(err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultTransport.RoundTrip(request)
		w.must(err)
		response.Body.Close()
		if response.Status != test.want {
			t.Errorf("%s: want %s, got %s", test.path, test.want, response.Status)
		}
	}
}
