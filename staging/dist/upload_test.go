package dist_test

import (
	"testing"

	"github.com/distgate/distgate/staging/rule"
)

// What PyPI says no to in an upload, in the order in which it looks
// (warehouse/forklift/legacy.py), and the rule by which that is found before it, or
// why it is not.
func TestEveryRefusalOfPyPIHasARuleOrIsAStatedGap(t *testing.T) {
	for _, c := range []struct {
		says string
		rule rule.ID
		gap  string
	}{
		{says: "Read-only mode; New uploads are temporarily disabled", gap: "only PyPI knows; the upload waits or ends unfinished"},
		{says: "Username/Password authentication is no longer supported", gap: "no password exists"},
		{says: "Invalid or non-existent authentication information", rule: rule.TokenRefused},
		{says: "… is an invalid value for …; Use a known file type; Include at least one message digest", gap: "the form is written here"},
		{says: "is not a valid metadata version", rule: rule.MetadataVersion},
		{says: "is invalid for 'name', 'version', 'summary', 'description-content-type', 'provides-extra'", rule: rule.MetadataForm},
		{says: "is invalid for 'requires-dist', 'requires-python', 'import-name'", rule: rule.IndexMetadata},
		{says: "is invalid for 'license-expression'", rule: rule.LicenseExpression},
		{says: "is invalid for 'license-file'", rule: rule.MetadataForm},
		{says: "The use of local versions is not allowed", rule: rule.LocalVersion},
		{says: "'summary' field must be 512 characters or less", rule: rule.MetadataForm},
		{says: "is not a valid email address", rule: rule.IndexMetadata},
		{says: "is not a valid classifier; has been deprecated", rule: rule.IndexClassifier},
		{says: "is not a valid url; must be 32 characters or less; 'project_urls' has invalid data", rule: rule.IndexMetadata},
		{says: "Can't have direct dependency", rule: rule.IndexMetadata},
		{says: "is not a valid dynamic field", rule: rule.MetadataForm},
		{says: "License is deprecated when License-Expression is present", rule: rule.IndexMetadata},
		{says: "Upload payload does not have a file", rule: rule.FileSize},
		{says: "Non-user identities cannot create new projects; isn't allowed to upload to project", rule: rule.PublisherOpen},
		{says: "Too many new projects created", gap: "of users alone, and a job is none"},
		{says: "Organization account owning this project is inactive", gap: "only PyPI knows"},
		{says: "This project has been archived, quarantined", rule: rule.ProjectStatus},
		{says: "The description failed to render", rule: rule.IndexDescription},
		{says: "Cannot upload a file with non-printable characters, '/' or '\\' in the name", rule: rule.FileName},
		{says: "Invalid file extension", rule: rule.FileName},
		{says: "Invalid distribution file (content type)", gap: "the form is written here"},
		{says: "File too large; Project size too large", rule: rule.IndexLimit},
		{says: "The digest supplied does not match", gap: "it is that of the bytes sent"},
		{says: "File already exists", rule: rule.IndexDuplicate},
		{says: "This filename was previously used by a file that has since been deleted", rule: rule.FileDeleted},
		{says: "Uploading new files to releases older than 14 days is not allowed", rule: rule.ReleaseClosed},
		{says: "Only one sdist may be uploaded per release", rule: rule.IndexDuplicate},
		{says: "File is both a zip and a tar file", rule: rule.ArchiveTwoWays},
		{says: "File is not a zipfile; is not a tarfile; does not use a supported compression type", rule: rule.Archive},
		{says: "File exceeds compression ratio of 50", rule: rule.ArchiveSize},
		{says: "Unable to parse name and version from wheel filename", rule: rule.FileName},
		{says: "WHEEL not found; PKG-INFO not found; Incorrect number of top-level directories in sdist", rule: rule.DistInfo},
		{says: "Sparse members are not allowed", rule: rule.ArchiveMember},
		{says: "PyArmor-encrypted content, SourceDefender-encrypted content is not allowed", rule: rule.EncryptedCode},
		{says: "ZIP archive not accepted", rule: rule.Archive},
		{says: "Start filename for …; Filename … is invalid, should be …; Version in filename should be …", rule: rule.IndexName},
		{says: "License-File does not exist in distribution file", rule: rule.LicenseFile},
		{says: "Binary wheel has an unsupported platform tag", rule: rule.IndexPlatform},
		{says: "does not contain the required RECORD file, METADATA file", rule: rule.DistInfo},
		{says: "has invalid entry points", rule: rule.EntryPoints},
		{says: "Filename is too long", rule: rule.FileName},
		{says: "RECORD does not match (by mail alone)", rule: rule.RecordTrue},
		{says: "Invalid attestations supplied during upload", gap: "they are made and verified in the moment before"},
	} {
		if c.rule.Story() == "" && c.gap == "" {
			t.Errorf("%s: want a rule or why there is none", c.says)
		}
	}
}
