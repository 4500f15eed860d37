package rule

// The rules that dist judges by.

const (
	FileName        ID = "file-name"
	FileSize        ID = "file-size"
	IndexName       ID = "index-name"
	DigestForm      ID = "digest-form"
	ProjectName     ID = "project-name"
	VersionForm     ID = "version-form"
	Archive         ID = "archive"
	ArchiveSize     ID = "archive-size"
	ArchiveMember   ID = "archive-member"
	ArchiveTwoWays  ID = "archive-two-ways"
	DistInfo        ID = "dist-info"
	MetadataForm    ID = "metadata-form"
	MetadataVersion ID = "metadata-version"
	MetadataMatch   ID = "metadata-match"
)

var distStories = map[ID]string{
	FileName: "A file's name must be a plain base name: no separators, no control or invisible " +
		"characters, at most 255 bytes. A distribution's name must also say what it is: a wheel's as " +
		"PEP 427 has it, an sdist's as NAME-VERSION.tar.gz. Installers choose files by name alone, so " +
		"a name that two tools could read in two ways is no name. Build the file again with a current " +
		"build backend.",
	FileSize: "An empty file is never a distribution, a bundle or a policy, and a file without bound " +
		"would fill the disk before anybody looked at it. Check that the build or the download came " +
		"to its end.",
	IndexName: "PyPI takes a wheel only if its name begins with the normalised project name, and an " +
		"sdist only under exactly NAME-VERSION.tar.gz with both normalised (PEP 625). A release that " +
		"learns this in the middle of its upload is left half done. Build again with a current build " +
		"backend; renaming the file would part it from its attestation.",
	DigestForm: "A digest is written sha256: and 64 lower case hexadecimal digits, and in no other " +
		"way, so that equal digests are equal texts. Copy the whole of it.",
	ProjectName: "A project's name is ASCII letters, digits, '-', '_' and '.', beginning and ending " +
		"with a letter or digit (PEP 508). Names are compared in their normalised form (PEP 503). A " +
		"name outside this alphabet cannot be on the index, but can look like one that is.",
	VersionForm: "A version is one that PEP 440 defines. Installers order versions by these rules " +
		"alone; what they cannot read they ignore or refuse.",
	Archive: "A wheel is one zip file and an sdist is one gzipped tar file, from the first byte to " +
		"the last. Bytes before, between or after what the archive lists, members that its directory " +
		"and its contents tell differently, and doubled entries are how one file shows different " +
		"contents to a reviewer and to an installer. PyPI refuses them too. Build the file again with " +
		"a current build backend.",
	ArchiveSize: "An archive is read only within bounds: number of members, size of its directory, " +
		"size when unpacked and its ratio to the file's size. Beyond them it is a bomb, or PyPI would " +
		"take it for one.",
	ArchiveMember: "A member's name is a relative path in UTF-8 that stays inside the archive, and no " +
		"two members have the same one. Anything else lands where nobody looked when it is unpacked.",
	ArchiveTwoWays: "An archive must be the same to every reader. A tar file that is also a zip file, a " +
		"number that one library reads and another takes for 0, and a member with two names show one " +
		"tree to whoever reviews it and another to whoever installs it. No build backend writes such " +
		"an archive, so find out who did before you build again.",
	DistInfo: "A wheel has exactly one .dist-info folder, named as the file is, with METADATA, WHEEL " +
		"and RECORD in it; an sdist has exactly one top folder with a PKG-INFO in it. Two of one, or " +
		"one that differs only by case, would let two tools read two different answers.",
	MetadataForm: "Core metadata are header lines in UTF-8 and then the description. A field that " +
		"may stand once and stands twice, a line that is neither a field nor the continuation of one, " +
		"and control characters are read differently by different tools, so none of them is read here.",
	MetadataVersion: "The index takes core metadata 1.0, 1.1, 1.2 and 2.1 to 2.5, and each version " +
		"defines which fields there are. A version that nobody defined, or a field from a later one, " +
		"cannot be read with certainty. Build the file again with a current build backend.",
	MetadataMatch: "The name and version inside a distribution must be those in its file name, compared " +
		"as PEP 503 and PEP 440 compare them. Installers choose by the outside and install the inside.",
}
