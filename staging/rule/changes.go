package rule

// The rules by which a release is compared with the one before it, and with a
// second build of itself. They refuse nothing: each is a finding that a person
// looks at.
const (
	FirstRelease       ID = "first-release"
	NotCompared        ID = "not-compared"
	NewDependency      ID = "new-dependency"
	NewStartupCode     ID = "new-startup-code"
	NewScript          ID = "new-script"
	NewNative          ID = "new-native-library"
	LostProvenance     ID = "lost-provenance"
	ChangedPublisher   ID = "changed-publisher"
	ChangedPolicy      ID = "changed-policy"
	ChangedFileSet     ID = "changed-file-set"
	ChangedMetadata    ID = "changed-metadata"
	ChangedEntryPoints ID = "changed-entry-points"
	ChangedMembers     ID = "changed-members"
	ChangedNative      ID = "changed-native-library"
	ChangedFiles       ID = "changed-files"
	ChangedSize        ID = "changed-size"

	RebuildDifferent ID = "rebuild-different"
	RebuildMissing   ID = "rebuild-missing"
	RebuildExtra     ID = "rebuild-extra"
)

var changesStories = map[ID]string{
	FirstRelease: "The index answers that it has no such project, so the release is compared with nothing, and nobody " +
		"decided on one before. It answers the same where the project is hidden from the gate: at a wrong address, or by " +
		"somebody who stands in between. See that the project is new, or find out who answers. Where the store knows of " +
		"an earlier release on this index, such an answer decides nothing.",
	NotCompared: "Part of the earlier release could not be had from the index, so that nobody knows what changed in it: a " +
		"wheel that takes no range requests, provenance that is listed and not there. Nothing is concluded from that, and " +
		"least of all that nothing changed. The gaps say what it was, and why; look at that part by yourself.",
	NewDependency: "A dependency that the earlier release did not have is installed on every user's machine with the " +
		"next upgrade. A hidden one is how the npm package axios was made to bring malware in March 2026. " +
		"Find the change that added it, and look at the project that it names, letter by letter.",
	NewStartupCode: "A .pth file, sitecustomize or usercustomize in a wheel runs whenever Python starts, whether the " +
		"project is imported or not. Hardly a project needs one, and stolen releases often have one. " +
		"Read what is in it, and find the change that brought it.",
	NewScript: "A script is a command on the PATH of everybody who installs the release. " +
		"A new one can stand in the place of a command that people trust. Look at its name and at what it calls.",
	NewNative: "A native library that the earlier release has nothing like is machine code that no reader of the source " +
		"sees. Find out where it was built and from what, or ask why it is there.",
	LostProvenance: "Files of the earlier release have no provenance on the index, where files before them have: they came " +
		"by another road than the trusted publisher, perhaps with a token that should not exist any more. " +
		"Find out who uploaded them before you release after them.",
	ChangedPublisher: "The index says that earlier files were published by another repository, workflow or environment than " +
		"the policy names for this one. A project moves seldom. If it did, its trusted publishers on the index should " +
		"say so; if it did not, somebody else can publish.",
	ChangedPolicy: "The policy decides who must have built and who may say yes, so whoever can loosen it needs no other way " +
		"in. Each change of people, thresholds, roots, indexes and identities since the last published release is shown. " +
		"Find the change in the repository's history, and who approved it.",
	ChangedFileSet: "The files that a release must have, or where it is kept, are set otherwise than for the last published " +
		"release. A line too few here is a wheel that nobody misses.",
	ChangedMetadata: "Installers choose by the metadata: which Python it is for, what else must be there. " +
		"A bound that moved keeps some users on the old release or lets others in; see that it was meant.",
	ChangedEntryPoints: "Entry points are how other programs find code of this one, and what its commands call. " +
		"One that changed or went can break them; one that is new can be loaded by programs that never asked.",
	ChangedMembers: "The files in the wheels were compared by name, size and CRC-32, those in the sdist by " +
		"content. Nearly every release changes some; " +
		"a count that does not go with the list of changes is worth a look at the names.",
	ChangedNative: "A native library has another name than the earlier release's, such as another version or digest in it, " +
		"and seems to take its place. Bundled libraries change when they are updated; see that it was meant.",
	ChangedFiles: "A distribution has no counterpart in the other release: a platform or a Python came or went. " +
		"Users of one that went get the sdist, or nothing.",
	ChangedSize: "A file is much larger or smaller than its counterpart in the earlier release. Debug symbols, a library " +
		"that was bundled or lost, and test data do that, and so does code that was put in.",
	RebuildDifferent: "A second build of the same source gave other contents, even with times, order, ownership and " +
		"compression left aside. One of the two builds has something in it that the source does not explain, or the " +
		"build is not reproducible yet. Look at each member that differs, and find out which of the two it is.",
	RebuildMissing: "The second build has no such file, or one that could not be compared, so nothing is known of " +
		"whether this file can be built again.",
	RebuildExtra: "The second build made a file that the release does not have. See whether it was left out on purpose.",
}
