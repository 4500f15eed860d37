package rule

// The rules by which staging judges where a release comes from.
const (
	SourceRepository ID = "source-repository"
	SourceTag        ID = "source-tag"
	SourceSigned     ID = "source-signed"
	SourceBranch     ID = "source-branch"
	SourceLock       ID = "source-lock"
	SourceInputs     ID = "source-inputs"

	SourceUnexplained ID = "source-unexplained"
)

var sourceStories = map[ID]string{
	SourceRepository: "The policy names the source's repository by its name and by its number. A name can be given " +
		"to somebody else, after a rename or once an account is gone; the number cannot. If the two do not belong " +
		"together any more, somebody else answers under that name.",
	SourceTag: "The tag of the version must come down to the very commit that was built, when the release is staged and " +
		"again when it is published: every tag of that version, however it is written. A tag can be moved with one " +
		"command, so a release of a tag that has moved is not what the tag's readers get. Where a project makes its " +
		"tags after the release, the policy says tagged = \"after\": then there need be none, and one that is there " +
		"must be right all the same.",
	SourceSigned: "The policy wants the source to be signed: the tag, or, where tags are made after the release, the " +
		"commit. GitHub checks the signature against the keys of its author, and what it found is what counts. A " +
		"lightweight tag has no signature: make tags with `git tag -s`.",
	SourceBranch: "What is released comes from a branch that its people look after: one that the policy names, that " +
		"nobody can delete or push to by force, and that has the commit. distgate asks GitHub for the rules that are " +
		"in force for it, by rulesets of the repository or its organization, or by branch protection, and does not " +
		"take a branch for protected by its name. A commit that is only on somebody's own branch, or on none, " +
		"was looked at by nobody.",
	SourceLock: "Where one repository builds the source of another, its distgate.lock says which commit that is: " +
		"repository, tag, commit and version, at the very commit that the build's certificate names. So the source " +
		"is written down before the build, goes through review as every change does, and does not move while " +
		"seventy jobs start one after the other. `distgate lock TAG` writes it, in the one form that is read.",
	SourceInputs: "The provenance says which commit was built, and not what somebody typed when starting the build, nor " +
		"which variables the repository's settings had. So the jobs of a build take neither: everything stands in " +
		"the workflow file. What cannot be avoided is named in the policy, under build.inputs, and the review then " +
		"shows it as unproven.",
	SourceUnexplained: "Every file and link in a distribution is looked for in the tree of the source commit, by git's " +
		"name for its content. This one is not there, at any path; it is no known difference, as line ends are; the format " +
		"of distributions does not have it; it is no machine code of a wheel; and the policy does not say that the build " +
		"makes it. What a build adds unseen stands in this list: the back door of xz did not stand in its repository " +
		"either. Look at it. If the build makes it, name its path under source.generated.",
}
