package rule

// The rules by which an index is held against what was released.
const (
	ReconcileNothing    ID = "reconcile-nothing"
	ReconcileForeign    ID = "reconcile-foreign"
	ReconcileMissing    ID = "reconcile-missing"
	ReconcileBytes      ID = "reconcile-bytes"
	ReconcileProvenance ID = "reconcile-provenance"
	ReconcileReceipts   ID = "reconcile-receipts"
	ReconcileYanked     ID = "reconcile-yanked"
	ReconcileWithdrawn  ID = "reconcile-withdrawn"
	ReconcileVotes      ID = "reconcile-votes"
	ReleaseWithdrawn    ID = "release-withdrawn"
	WithdrawalRecord    ID = "withdrawal-record"
	YankRefused         ID = "yank-refused"
)

var reconcileStories = map[ID]string{
	ReconcileNothing: "There was nothing to compare: the index offers no file of the project, and the store has no " +
		"receipt. That proves nothing. A wrong project, index or store in the policy looks just like it.",
	ReconcileForeign: "The index offers a file for which there is no receipt, so it did not come through distgate. That " +
		"is how a stolen upload token shows: LiteLLM and num2words were uploaded by one, past every check of their " +
		"release workflow. Yank the release, revoke all API tokens of the project, look at its trusted publishers and " +
		"at its owners' accounts, and tell the users. Files from the time before distgate are left out by the day " +
		"that [reconcile] since names.",
	ReconcileMissing: "A receipt says that the index served a file, and the index lists it no longer. Somebody who may " +
		"delete files did, or the index's administrators hold the project or the release in quarantine. Users who " +
		"pinned the file by its hash can no longer install it, and its name can never be used again.",
	ReconcileBytes: "The index lists a file of a release with another digest or size than its receipt has. PyPI never " +
		"changes a file, so either something else answers as the index, or somebody with power over it changed the file. " +
		"Users with pinned hashes are safe; tell the others.",
	ReconcileProvenance: "When the release was confirmed, the index had a publish attestation for each of its files, and " +
		"the receipt has its digest. Now there is none, or another. Whoever verifies the file where it is installed would " +
		"learn nothing of where it is from, or something else. The attestation in the store is still the true one.",
	ReconcileReceipts: "Two receipts, both signed by the publishing job, name one file of one version with two digests. " +
		"An index serves one file under a name, so one of them was signed for something that was never served.",
	ReconcileYanked: "The release is yanked, and nobody who may decide has written down why. An owner's account may have " +
		"been used by somebody else, to push users from a sound release to an older one. If it was meant, record it with " +
		"distgate withdraw, so that it cannot be published again; if not, an owner un-yanks it.",
	ReconcileWithdrawn: "The release was withdrawn, and the index offers it all the same: nobody pressed the button yet, or " +
		"somebody took the yank back. Installers still choose it.",
	ReconcileVotes: "A receipt is signed by the publishing job, and the votes on its release, counted again as of that " +
		"time, were not enough, or not by people who may vote. Whoever can change the publishing workflow can make it " +
		"publish without asking anybody, and this is where it shows. Find out who started the run that the receipt " +
		"names and what it ran. Who has left the project stays in allowed_signers, with valid-before.",
	ReleaseWithdrawn: "The release was taken back. A signed record in the store says so, or an entry in withdrawn.toml on the " +
		"release repository's default branch, which nobody can drop from a registry. No file of it is published again, " +
		"under this release digest or another, and verify refuses it. If the withdrawal was a mistake, a person on the " +
		"list puts the release back with distgate withdraw --undo, and the entry is taken out by a reviewed change.",
	YankRefused: "The index has an API to yank by, and did not let this job. It goes by who the job is, as for an upload: see " +
		"which workflows and environments it knows as trusted publishers of the project.",
	WithdrawalRecord: "A record says that a release was taken back or put back, and does not count: it is about another " +
		"release, malformed, or signed by nobody who may. It is shown, so that people know that somebody tried.",
}
