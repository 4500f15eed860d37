package rule

// The rules that staging judges by.

const (
	StoredBytes      ID = "stored-bytes"
	StoreLayout      ID = "store-layout"
	StoreIndex       ID = "store-index"
	StoreTag         ID = "store-tag"
	StoreAddress     ID = "store-address"
	StoreKept        ID = "store-kept"
	ManifestEncoding ID = "manifest-encoding"
	RecordEncoding   ID = "record-encoding"
	ReleaseKnown     ID = "release-known"
	ReleaseSame      ID = "release-same"
	PolicyFiles      ID = "policy-files"
	PolicySame       ID = "policy-same"
	StageEmpty       ID = "stage-empty"
	StageProvenance  ID = "stage-provenance"
	StageLeftOut     ID = "stage-left-out"
	OneProject       ID = "one-project"
	OneVersion       ID = "one-version"
	OneSource        ID = "one-source"
	OneOfEach        ID = "one-of-each"
	TagVersion       ID = "tag-version"
	LocalVersion     ID = "local-version"
	ExpectedForm     ID = "expected-form"
	ExpectedSeries   ID = "expected-series"
	ExpectedMissing  ID = "expected-missing"
	ExpectedExtra    ID = "expected-extra"
	ExpectedDoubled  ID = "expected-doubled"
)

var stagingStories = map[ID]string{
	LocalVersion: "A local version (PEP 440: what follows a +, as in 1.0+cu118) is for files that are handed " +
		"on by other ways. PyPI takes none, so a release of one could only end half uploaded.",
	StoredBytes: "What is in the store is named by its SHA-256, and is hashed again whenever it is used. " +
		"A file that is missing, has another size or hashes to something else was changed or damaged after " +
		"it was staged, and nothing of it is used. Stage the same files again: the release digest will be " +
		"the same, so every vote and record under it stays.",
	StoreLayout: "A store is a folder that distgate made: an OCI image layout with an oci-layout file. " +
		"A folder with other things in it is not taken for one, so that a mistyped path neither fills " +
		"somebody's folder nor looks like an empty store.",
	StoreIndex: "index.json lists what the store holds, in one encoding: fields in a fixed order, entries " +
		"sorted by tag. An index that is missing, too large or written by another tool is refused as a whole, " +
		"because entries that were dropped from it could not be seen. Restore it from a copy of the store, or " +
		"stage the files again in a new one.",
	StoreTag: "A tag in the store names the digest that it points to, so what it points to is known without " +
		"trusting it. A tag that leads elsewhere was changed by hand, or planted. It is shown and never used. " +
		"Whoever may write to a store can move its tags, and cannot make them lie.",
	StoreAddress: "A store in a registry is named by the host of the registry and the repository there, and is " +
		"spoken to by https, because votes and credentials go over that line. Plain http is for a registry on the " +
		"same machine alone. The address stands in the policy: no flag and no variable leads to another store.",
	StoreKept: "What was pushed to a registry is read back before distgate says that it is there, and the tag must " +
		"be in the list by which others find it. A registry that says yes and keeps nothing, or keeps something " +
		"else, would lose votes and receipts. Run the command again, which changes nothing that is there already.",
	ManifestEncoding: "A release manifest has exactly one encoding, because its bytes are what is hashed, " +
		"stored, shown and approved. Bytes that say the same in another way are another manifest, and were " +
		"not written by distgate.",
	RecordEncoding: "A record under a release is one statement and one signature, in one encoding, at most " +
		"1 MiB each. A record of any other form is listed so that somebody looks at it, and decides nothing: " +
		"not yes, not no.",
	ReleaseKnown: "A release is named by its version, or by its digest or the first eight or more of its " +
		"digits, and the name must fit exactly one release in the store. One version can be staged more than " +
		"once, with other files or under another policy: then only the digest says which is meant.",
	ReleaseSame: "Before a release is used, everything in its manifest is worked out again from the files, " +
		"their bundles and the policy, and the result must have the release digest that was asked for. If it " +
		"has not, what was approved is not what would be published. Stage the files again and let the new " +
		"release digest be approved.",
	PolicyFiles: "A release holds the policy that it was judged by: distgate.toml and every file that it " +
		"names, none of them empty, each under its own relative path. Without them nobody could tell later " +
		"what was demanded.",
	PolicySame: "The policy is part of what is approved. If a file of it has changed since the release was " +
		"staged, the votes are for a release judged by other rules. Stage the files again under the policy of " +
		"today, and let that be approved.",
	StageEmpty: "A release without a file is no release, and a release of which one file was refused is not " +
		"staged without it: what is staged is all that was brought, or nothing.",
	StageProvenance: "Each file needs SLSA provenance of the build that made it. A publish attestation says " +
		"who uploaded a file, not where it came from. Let the build attest its files, for example with " +
		"actions/attest.",
	StageLeftOut: "The policy says that files of this name are not released. Take it out of what is staged, " +
		"or take its line out of the policy; a file cannot be left out and staged at once.",
	OneProject: "A release is of one project: the one in the policy, in every file's name. A file of another " +
		"project would be uploaded under a name that nobody looked at.",
	OneVersion: "A release is of one version: every file's name has the same one. A file of another version " +
		"among them is the left-over of another build, and an index never gives a name back.",
	OneSource: "Every file of a release was built from one repository, one commit and one ref, as the build's " +
		"certificates say. Files from different commits are not one release even if their versions agree. " +
		"Build all of them again from the commit that is to be released.",
	OneOfEach: "No two files of a release have the same bytes, or are for the same thing: an index takes one " +
		"sdist, and one wheel for each build and set of tags. Of two, one was not meant.",
	TagVersion: "A release built from a tag has the tag's version. A tag that says another version, or none, " +
		"means that something else was built than the tag promises.",
	ExpectedForm: "The policy says which files a release has: in [files], or in [series.\"2.4\"] for each series of " +
		"versions. sdist is true or false; python and platform are two lists, and there is a wheel for each of " +
		"one on each of the other, without those in except, and with those in also. A word that cannot be read, " +
		"that stands there twice, or that takes away or adds what is not or already is there, was meant to say " +
		"something else. distgate init --files-from DIR prints the table for files that are right.",
	ExpectedSeries: "Where the policy has a [series] table for each maintenance branch, a version belongs to the " +
		"longest of those that its release begins with: 2.4.2 to \"2.4\". A version that belongs to none has no " +
		"set of files that somebody thought of, so nobody could say whether it is whole.",
	ExpectedMissing: "A file that the policy expects is not there: a job of the build failed, was skipped, or lost " +
		"what it made. People install the release on that platform the day it is out, and get the sdist or an " +
		"older version instead. Let the build make the file; or write into the policy that the release has none.",
	ExpectedExtra: "A file is there that the policy does not expect. It could be left over from another build, " +
		"come from a job that nobody means to release, or be put there by somebody; and what an index took once, " +
		"it keeps the name of for ever. Take it away, or write into the policy that the release has it.",
	ExpectedDoubled: "Two files are there where the policy expects one, for example wheels of two macOS versions for " +
		"one Python. Installers would choose one of them by rules that nobody looked at. Take one away; or, if both " +
		"are meant, write the tag of one with its numbers (macosx_14_0_arm64 beside macosx_arm64).",
}
