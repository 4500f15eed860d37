package rule

// The rules that dist judges the inside of a distribution by.
const (
	ArchiveLink ID = "archive-link"

	IndexPlatform ID = "index-platform"
	IndexMetadata ID = "index-metadata"

	IndexClassifier   ID = "index-classifier"
	IndexDescription  ID = "index-description"
	LicenseExpression ID = "license-expression"

	RecordForm     ID = "record-form"
	RecordComplete ID = "record-complete"
	RecordTrue     ID = "record-true"
	WheelFile      ID = "wheel-file"
	WheelTags      ID = "wheel-tags"
	EntryPoints    ID = "entry-points"
	LicenseFile    ID = "license-file"

	MemberLink  ID = "member-link"
	MemberName  ID = "member-name"
	MemberCase  ID = "member-case"
	MemberMode  ID = "member-mode"
	StartupCode ID = "startup-code"
	InstallCode ID = "install-code"
	OutsideCode ID = "outside-code"
	OutsideFile ID = "outside-file"
	ScriptFile  ID = "script-file"
	Bytecode    ID = "bytecode"

	EncryptedCode ID = "encrypted-code"

	PrivateFile ID = "private-file"
	NoLicense   ID = "no-license"

	NativeSource  ID = "native-source"
	NativeUnread  ID = "native-unread"
	NativeAny     ID = "native-any"
	NativeMachine ID = "native-machine"
	NativeMinimum ID = "native-minimum"
	NativePath    ID = "native-path"
	NativeNeeds   ID = "native-needs"
	SBOMUnread    ID = "sbom-unread"
	LongText      ID = "long-text"
)

var contentsStories = map[ID]string{
	ArchiveLink: "A link in an sdist that leads out of it lets whoever unpacks the sdist write or read somewhere else. " +
		"So a symbolic link must stay below the top folder, with .. at its beginning alone; a hard link must name a " +
		"file that came before it; and no member may lie behind a link (PEP 721). Replace the link by the file.",
	IndexPlatform: "PyPI takes wheels for platforms that somebody defined: any, Windows, macOS, manylinux, musllinux and some " +
		"more. A tag like linux_x86_64 says nothing of which libraries are there, and a wheel with it runs where it was " +
		"built. Repair the wheel with auditwheel.",
	IndexMetadata: "PyPI refuses some metadata that the specification allows: dependencies by an address of their own, which " +
		"would let a project on the index install anything from anywhere, specifiers and addresses that are none, labels " +
		"beyond 32 characters or of two addresses, and a licence said twice. An upload that meets this half way leaves half " +
		"a release. Of several addresses of mail PyPI reads none; where only Python's parser tells what is one, look.",
	IndexClassifier: "PyPI takes the classifiers of one list and refuses an upload with any other. A deprecated one is refused here " +
		"too. One that is not in the list here may have come to PyPI's since: look whether it stands on pypi.org/classifiers, " +
		"or is spelled wrongly.",
	IndexDescription: "PyPI refuses an upload whose description it cannot render, and in reStructuredText, which a description " +
		"without a type is, that is every warning of docutils: directives and roles of Sphinx, files to include, a line below " +
		"a title that is too short, a reference to what is not there. The description is read by the rules of docutils 0.23. " +
		"What they leave to something else, such as the dialect of a table, is for you to look at: `twine check --strict` " +
		"renders it.",
	LicenseExpression: "License-Expression is an SPDX license expression: ids of licences joined by AND, OR and WITH, or LicenseRef- and a " +
		"name of your own (PEP 639). PyPI refuses others. An id that is not in the list here may be in a newer one: look " +
		"whether it stands on spdx.org/licenses, or is spelled wrongly.",
	RecordForm: "RECORD is comma-separated lines of PATH,sha256=DIGEST,SIZE, each path once, with the digest in " +
		"URL-safe base64 without padding. Installers uninstall and verify by it, and a line that two of them read " +
		"differently is no record. Build the wheel again with a current build backend.",
	RecordComplete: "RECORD lists every file of a wheel, and nothing that is not there. A file that it leaves out is " +
		"installed all the same, is never removed, and nobody who reads RECORD knows of it; PyPI has announced that " +
		"it refuses such wheels. Only RECORD's own line is without a digest, and its signatures need none.",
	RecordTrue: "Each file of a wheel has the SHA-256 and the size that RECORD says. Where one has not, the file was " +
		"changed after the wheel was built, or RECORD was written by something that is not the build. Installers " +
		"differ in whether they look, so the same wheel installs for one and fails for another.",
	WheelFile: "WHEEL says how to install: Wheel-Version 1.x, and Root-Is-Purelib true or false, each once (PEP 427). " +
		"An installer that does not find them guesses, or refuses what others install.",
	WheelTags: "The Tag lines of WHEEL, taken apart, are the tags of the file name and no others. A wheel that says " +
		"inside that it is for another platform or Python was renamed: installers choose by the name, and tools that " +
		"look inside believe the other. Build it for its tags, or retag it with `wheel tags`, which writes both.",
	EntryPoints: "entry_points.txt makes commands and plug-ins of a wheel's functions, so it must be one INI file to " +
		"every reader: UTF-8, sections, NAME = OBJECT lines, nothing twice. The name of a command is letters, digits, " +
		"'_', '.' and '-': with a path in it the command would be written outside of the folder for commands. PyPI " +
		"refuses the same.",
	LicenseFile: "Each License-File of metadata 2.4 or later names a file that is there: below the top folder of an " +
		"sdist, below .dist-info/licenses of a wheel (PEP 639). PyPI refuses the file where it is not.",

	MemberLink: "An sdist with links unpacks differently where links are not supported, and shows a reader one file " +
		"under two names. Look where each leads, or have the build write files.",
	MemberName: "A name with invisible characters, or one that Windows reads as a device or shortens, is not the name " +
		"that a person sees. Another file can look just like it. Look at what is behind it.",
	MemberCase: "Two files whose names differ by case alone are one file on Windows and macOS: the later one replaces " +
		"the other, and who reviewed the one installs the other.",
	MemberMode: "A file with the setuid or setgid bit runs with its owner's rights once somebody unpacks it as root. " +
		"No Python distribution needs one.",
	StartupCode: "A .pth or .start file, sitecustomize or usercustomize runs whenever Python starts, whether anybody " +
		"imports the project or not. It is how several stolen releases began. Look at each line of it, and " +
		"acknowledge it only if it was meant.",
	InstallCode: "setup.py runs on the machine of whoever installs the sdist, before anything of the project is " +
		"imported. That is how sdists work; it is said so that a new one is seen.",
	OutsideCode: "A wheel's data folder can put files anywhere below the installation, among programs and in other " +
		"projects' places. Files in folders that programs or Python itself are loaded from deserve a look.",
	OutsideFile: "A wheel's data folder puts files outside of the project's package, below the root of the " +
		"environment. That is worth knowing, since they can take the place of others' files.",
	ScriptFile: "A file of a wheel's scripts folder becomes a command on the PATH, as it is. Commands can hide others " +
		"of the same name.",
	Bytecode: "Compiled bytecode runs in place of source that nobody reads. A .pyc file without its source beside it " +
		"cannot be reviewed at all; build without it, or look at where it comes from.",
	PrivateFile: "The file has a name under which secrets are kept, or is part of a version control folder. What was " +
		"once on an index stays public for ever. Look whether it was meant to be shipped.",
	NoLicense: "No licence file was found in the distribution. Many licences demand that their text goes with every " +
		"copy; PEP 639's License-File says which files those are.",
	NativeSource: "Machine code in an sdist is what no source explains: it goes from somebody's machine into every build. " +
		"In 2024 a back door came to xz as a test file of its source archive. Look what it is for, and have it made from " +
		"source if it can be.",
	NativeUnread: "Machine code whose headers lead nowhere, or which is too large to be looked into, was not judged: " +
		"neither for which machine it is, nor what it loads. A loader may refuse it, or read it differently.",
	NativeAny: "A wheel for any platform promises that it runs everywhere, and machine code runs on one. Programs that " +
		"are only carried along can be meant; look which they are.",
	NativeMachine: "The wheel's platform tag says for which machine it is, and this code is for another. It cannot be " +
		"loaded where installers put it; a build that took it from elsewhere may have taken more.",
	NativeMinimum: "The platform tag promises that the wheel runs on older systems than this code says it needs. Who has " +
		"such a system installs it, and learns at import that it does not load. auditwheel and delocate choose the tag " +
		"that is true.",
	NativePath: "The library tells the loader to look for others in a folder outside of the wheel. Whoever can write there " +
		"on a user's machine, or nowhere but on the build machine, decides what is loaded.",
	EncryptedCode: "Code that PyArmor or SourceDefender encrypted can be read by nobody, and much malware hides so. PyPI refuses a " +
		"file with a module (.py or .pye, of at most 5 MiB) that has the texts of either in it, such as __pyarmor_enter__ or " +
		"---BEGIN PYE FILE---. Ship the module as it was written.",
	NativeNeeds: "The library needs another that is neither in the wheel nor promised by its platform. Whatever of that " +
		"name lies on a user's machine is loaded, or nothing is. auditwheel and delocate put such libraries into the wheel.",
	SBOMUnread: "A bundled list of components (PEP 770) that is neither CycloneDX nor SPDX, or not whole, tells scanners " +
		"nothing, though it looks as if it did.",
	LongText: "A description of more than 1 MiB is no description. It slows down whoever reads the metadata, and can " +
		"hold what nobody scrolls down to. Fields of more than 2 MiB are not held against the index's rules, so that the " +
		"index may refuse them.",
}
