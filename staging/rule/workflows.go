package rule

// The rules that workflows judges by.
const (
	ArtifactMissing ID = "artifact-missing"
	ArtifactExpired ID = "artifact-expired"
	ArtifactDigest  ID = "artifact-digest"
	ArtifactForm    ID = "artifact-form"
	ArtifactArchive ID = "artifact-archive"
	ArtifactSize    ID = "artifact-size"
	ArtifactForeign ID = "artifact-foreign"

	EnvironmentMissing    ID = "environment-missing"
	EnvironmentReviewers  ID = "environment-reviewers"
	EnvironmentSelfReview ID = "environment-self-review"
	EnvironmentBypass     ID = "environment-bypass"
	EnvironmentRefs       ID = "environment-refs"
	GitHubRelease         ID = "github-release"
)

var workflowsStories = map[ID]string{
	ArtifactMissing: "The policy names the artifacts that a release is made of. A name that no artifact of the run " +
		"has, or a run that has none of them, means that a part of the release is somewhere else or was never " +
		"built. A release without it would look whole.",
	ArtifactExpired: "GitHub keeps artifacts for some days, 90 at most, and this one is gone. What it held cannot be " +
		"looked at any more, and an older artifact of the same name is not it. Build again, and stage in time.",
	ArtifactDigest: "GitHub keeps the SHA-256 of each artifact as it was uploaded, and the download must hash to it. " +
		"Artifacts from old versions of upload-artifact have none: nothing says what they were when the job " +
		"uploaded them. Upload with actions/upload-artifact v4 or later.",
	ArtifactForm: "An artifact is a zip of files, or one file that was uploaded as it is, and the headers of its " +
		"download say which and how the file is called. Without them nobody knows what the bytes are meant to be.",
	ArtifactArchive: "An artifact's zip is opened only if all of it is in order: plain files with relative paths, no " +
		"links, no two of one name, nothing encrypted, checksums that fit. Anything else was not made by " +
		"upload-artifact, and is refused as a whole, whatever else is in it.",
	ArtifactSize: "Artifacts are opened within bounds: size, number of members, size of the list of members, and " +
		"unpacked size against stored size. A zip beyond them is a bomb, or holds much that belongs to no release.",
	ArtifactForeign: "Where a store keeps no files, they are fetched again from the artifacts that the release names. " +
		"Those are of the repository that the policy builds in. Whoever can write to the store could name others, " +
		"and have them read with the token of whoever looks.",

	EnvironmentMissing: "The job that publishes runs in an environment, and the index takes files from that " +
		"environment alone. One that nobody made is no gate: GitHub makes it when a job names it, without a single " +
		"rule. Make it in the repository's settings, with its rules, before anything is published.",
	EnvironmentReviewers: "Required reviewers are what holds the publishing job until a person lets it start. " +
		"Without them whoever can start the workflow publishes, and distgate can only stop a job that calls it.",
	EnvironmentSelfReview: "Who started a run must not be the one who lets it publish, or one stolen account is " +
		"enough. Tick \"Prevent self-review\" in the environment, or say openly in the policy that there is one " +
		"person: people = \"solo\".",
	EnvironmentBypass: "Unless it is forbidden, an administrator can start all waiting jobs with one click and " +
		"without being asked anything. An account of an administrator is what an attacker looks for first. " +
		"Untick the box in the environment; whoever has to bypass it can tick it again, and that is logged.",
	EnvironmentRefs: "The environment admits only the branches whose workflow file the policy trusts. One that " +
		"admits every branch, or every tag, runs a copy of the workflow that somebody changed on a branch of their " +
		"own. \"Protected branches\" is no such list: it admits whatever is protected later, and everything where " +
		"nothing is. Name the branches one by one.",
	GitHubRelease: "A release on GitHub has the files that were published on the index, their bundles, their digests and the " +
		"receipt, and nothing else, and its tag is of the commit that was built. It is a draft until all of that is so, because " +
		"many repositories let nobody change a release that is published. What somebody else put there is not written over.",
}
