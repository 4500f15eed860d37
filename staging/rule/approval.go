package rule

// The rules that approval judges by.
const (
	AllowedSigners  ID = "allowed-signers"
	ApprovalPolicy  ID = "approval-policy"
	VoteRecord      ID = "vote-record"
	VoteSignature   ID = "vote-signature"
	VoteSigner      ID = "vote-signer"
	VoteRelease     ID = "vote-release"
	VoteBinding     ID = "vote-binding"
	VoteTime        ID = "vote-time"
	ReleaseRejected ID = "release-rejected"

	RunForeign        ID = "run-foreign"
	VoteRoad          ID = "vote-road"
	VoteStranger      ID = "vote-stranger"
	VoteSelf          ID = "vote-self"
	VoteBot           ID = "vote-bot"
	VoteUnclear       ID = "vote-unclear"
	VoteDigestMissing ID = "vote-digest-missing"
	VoteDigests       ID = "vote-digests"
	VoteUnseen        ID = "vote-unseen"
)

var approvalStories = map[ID]string{
	AllowedSigners: "The allowed_signers file says whose SSH keys may vote. " +
		"A pattern, a certificate authority, a short key, or a time that each machine reads in its own zone " +
		"would let in somebody whom no reader of the file sees, so one such line refuses the whole file. " +
		"Write one line for each key: the person's address, namespaces=\"distgate\", and the public key.",
	ApprovalPolicy: "The policy says how many people must approve, who they are, and for how long an approval holds. " +
		"A policy that asks for nobody, for more people than can vote, or that lets one key or one address " +
		"stand for two people would make the gate open by itself or never. " +
		"Correct [approval] and [people] in distgate.toml, and stage again.",
	VoteRecord: "A vote is a statement in one exact encoding, and a signature over it. " +
		"A record that is anything else was damaged, or made by hand to be read in two ways, and it does not count. " +
		"It takes nothing away from the votes beside it. Vote again with distgate approve or distgate reject.",
	VoteSignature: "A vote is signed with SSH in the namespace distgate, over the exact bytes of its statement, " +
		"and with a touch where the key is a security key. " +
		"A signature made for git or for a file was never meant as a vote, and one over other bytes " +
		"shows that the vote was changed after it was signed. Sign it again.",
	VoteSigner: "A vote counts for the person whose key signed it: the key is in allowed_signers, " +
		"it was valid when the vote was made and still is, and its address belongs to somebody in [people]. " +
		"A stolen key is taken out of the file, and what it signed stops counting. " +
		"To let somebody vote, add the key and the person to the policy and stage again.",
	VoteRelease: "A vote names the digest of one whole release: every file, its evidence and the policy. " +
		"A vote for other bytes says nothing about these, even if project and version are the same. " +
		"Look at this release with distgate review and vote for what you saw.",
	VoteBinding: "A vote repeats what its signer was shown: project, version, index, environment, the policy " +
		"and the facts of the review. Where one of them differs, the signer saw another page than the one that " +
		"this release shows, perhaps of another version of distgate. Review the release again and vote anew.",
	VoteTime: "An approval holds for a limited time, so that a forgotten yes does not release something months later. " +
		"It must not have expired, must not be older than the policy allows, and must not come from the future. " +
		"Approve again; if the vote comes from the future, correct the clock of the machine that signed it.",
	ReleaseRejected: "One person's no is enough to end a release, and it does not age out or expire, " +
		"because a no that could be waited out would not protect anybody. " +
		"Either the same person takes it back by an approval that names it, or the build is repaired and staged as another release.",

	RunForeign: "An approval on GitHub starts the job that waits, whatever that job is. So before a vote is posted the run " +
		"must be one that the policy lets publish: its workflow file, as the branch has it, its event and its branch. " +
		"A run of a branch copy, a fork or another workflow waits for the same environment and asks for the same click.",
	VoteRoad: "The policy says by which roads approvals count: statements signed with SSH, reviews of the environment " +
		"on GitHub, or both. A yes by another road is shown and decides nothing. A no counts by either.",
	VoteStranger: "A review counts for the person whose numeric GitHub id stands in [people]; a login can change hands. " +
		"An environment's reviewers can be more people than the policy names, and those start the job but decide nothing. " +
		"To let somebody vote, add the person to the policy and stage again.",
	VoteSelf: "Who started the build or the run that publishes does not approve it, in whichever attempt, or one stolen " +
		"account would be enough. Let somebody else on the list approve; a project of one person says so in its policy " +
		"with people = \"solo\".",
	VoteBot: "A vote is a person's. An app or a bot that approves has looked at nothing, and whoever can make it approve " +
		"would be the one who decides.",
	VoteUnclear: "A comment that approves a digest in one line and speaks otherwise of a digest in another can be read " +
		"in two ways, and what is quoted from somebody else is not a vote. Approve again, with the one line that distgate " +
		"shows; other lines that name no digest may stand beside it.",
	VoteDigestMissing: "Who only clicks approves a job, and not bytes: nobody can tell afterwards what was looked at. " +
		"So the comment names the release digest, in a line of its own: approve sha256: and 64 digits. " +
		"A click without it burns nothing; run the publishing job again and approve with the line.",
	VoteUnseen: "Some findings are not wrong in themselves, but are how an attack would look: code that runs when Python " +
		"starts, a library that was not there before. Who approves says of each such rule that it was seen, so that " +
		"nobody approves what was never looked at. Read the review, then approve with --acknowledge RULE, " +
		"or write a line seen RULE into the comment.",
	VoteDigests: "A comment that approves two digests approves whichever comes, and so none. " +
		"Approve again with the line of the one release that was looked at.",
}
