package rule

// The rules that publish judges by.
const (
	IndexAddress     ID = "index-address"
	IndexOrigin      ID = "index-origin"
	IndexAudience    ID = "index-audience"
	IndexAnswer      ID = "index-answer"
	IndexElsewhere   ID = "index-elsewhere"
	PublisherPolicy  ID = "publisher-policy"
	PublisherToken   ID = "publisher-token"
	PublisherClaims  ID = "publisher-claims"
	TokenRefused     ID = "token-refused"
	ReleaseForIndex  ID = "release-for-index"
	ReleasePython    ID = "release-python"
	ProjectStatus    ID = "project-status"
	UploadRefused    ID = "upload-refused"
	FileDeleted      ID = "file-deleted"
	IndexDuplicate   ID = "index-duplicate"
	IndexLimit       ID = "index-limit"
	ReleaseClosed    ID = "release-closed"
	PublisherOpen    ID = "publisher-open"
	ServedBytes      ID = "served-bytes"
	ServedExtra      ID = "served-extra"
	ServedMissing    ID = "served-missing"
	ServedYanked     ID = "served-yanked"
	ServedMetadata   ID = "served-metadata"
	ServedProvenance ID = "served-provenance"
	ReceiptRecord    ID = "receipt-record"
)

var publishStories = map[ID]string{
	IndexAddress: "Tokens, files and answers go to and come from the addresses that the policy names for the " +
		"index, and to no others. Each is https, or http on this machine alone, and holds no password, query or " +
		"fragment. The addresses of pypi.org and test.pypi.org belong together and are not mixed with others.",
	IndexOrigin: "Whoever answers for an index says which releases it has, and by that who decided on the last one. " +
		"So uploads, the simple API, the integrity API and an API to yank by lie at one origin: the same scheme, host " +
		"and port. One line of a policy that points the simple API elsewhere would hide every earlier release. Files " +
		"can lie on other hosts, for each is known by its SHA-256, and so can the owners' pages. Correct the " +
		"line; an index of several hosts can be put behind one by a proxy.",
	IndexAudience: "An ID token is made out to one audience, and whoever it is shown to can use it there. So the " +
		"audience is pinned: pypi for pypi.org, testpypi for test.pypi.org, another one for every other index, and " +
		"none by which another service, such as Sigstore, believes the job. " +
		"An index that asks for a token of another audience wants to publish in your name somewhere else. " +
		"It gets none.",
	IndexAnswer: "The index answered with something that its protocol does not have: another type, broken or " +
		"oversized JSON, a digest that is none. Nothing is read into such an answer. Look at the address in the " +
		"policy, and at what answers there.",
	IndexElsewhere: "The index sent us to another host than the policy names for it, by a redirect or by the " +
		"address of a file. If it really keeps its files there, name that host in the policy.",
	PublisherPolicy: "The policy names the one job that publishes: issuer, repository, both numeric ids, workflow, " +
		"refs, triggers and environment. One that is left open would be open to everybody, so none may be.",
	PublisherToken: "The job's ID token is GitHub's word on which job is running. It must be signed by the issuer " +
		"in the policy, be made out to this index alone, and be valid now. If it is not, run the job again; if it " +
		"stays so, look at the clock and at the issuer in the policy.",
	PublisherClaims: "Only one job may publish: the workflow file, repository, ids, ref, environment and runner " +
		"that the policy names, as GitHub's signed ID token shows them. A copy of the workflow on another branch, " +
		"a repository made anew under the old name, or a self-hosted runner is another job. Each line shows what " +
		"the policy wants and what the token says.",
	TokenRefused: "The index did not exchange the ID token for an upload token. It compares the token with the " +
		"trusted publisher that is registered for the project: owner, repository, workflow file name and " +
		"environment. Compare what the token says with what is registered there, letter by letter.",
	ReleaseForIndex: "A release is approved for one index and one environment. Publishing it elsewhere is another " +
		"decision: stage it for that index, and let that be approved.",
	ReleasePython: "An index keeps one Requires-Python for a release, that of the file it got first, and shows it " +
		"for all of its files. If they differ, installers are told something that was approved for another file. " +
		"Build wheels and sdist from the same metadata.",
	ProjectStatus: "The index has archived or quarantined the project, and takes or offers no files of it. " +
		"An owner of the project, or the index's administrators, can say why.",
	UploadRefused: "The index did not take the file, and said why. Nothing that it has taken before is lost: " +
		"running publish again goes on with the files that are missing. What an index has once taken under a " +
		"name can never be replaced, so a file that must change needs a new version.",
	FileDeleted: "A receipt says that the index served this file, and now it does not list it: somebody deleted it " +
		"there. An index never gives a name free again, so the release cannot be made whole. Find out who deleted " +
		"it, and release a new version.",
	IndexDuplicate: "PyPI takes the same bytes once, under one name, and one sdist of a release. Whatever is sent " +
		"a second time is refused, in the middle of the upload if it is not noticed before.",
	IndexLimit: "PyPI takes files of up to 100 MiB, and 10 GiB of a project, unless it was asked for more. Where it " +
		"agreed to more, the policy's [index] says so.",
	ReleaseClosed: "PyPI takes new files of a release for 14 days after it was made there. What came too late can " +
		"only be released under a new version.",
	PublisherOpen: "The index gave an upload token to a job that runs in no environment. So a trusted publisher is " +
		"registered there that names none, and whoever can change a branch of the repository can upload, without " +
		"any review. On the index, under the project's publishing settings, remove it, and add one that names the " +
		"environment. The token was ended at once.",
	ServedBytes: "What the index serves under a file's name must be the bytes that were approved: the same size " +
		"and the same SHA-256, in its own listing and after downloading. If it serves others, somebody uploaded " +
		"another file, or changed it. Tell the users, yank the release, and find out who could upload.",
	ServedExtra: "The index offers a file in this release that nobody approved. Somebody can upload to the project " +
		"by another road. Remove the file on the index, and take away that road: old API tokens, other trusted " +
		"publishers, accounts of owners.",
	ServedMissing: "A file of the release is not offered by the index, although it was waited for as long as " +
		"the index's caches may take. Run publish again: it uploads what is missing.",
	ServedYanked: "The index offers a file of the release as yanked, so the release was taken back. Publishing " +
		"does not undo that. If it was a mistake, an owner can un-yank it on the index.",
	ServedMetadata: "Installers choose what to install by what the index says of a file before they have it: its " +
		"Requires-Python, and the dependencies in the core metadata beside it. Both must be those inside the file " +
		"that was approved, the metadata by their one SHA-256. If they are not, the index brings users to install " +
		"something else than was looked at.",
	ServedProvenance: "For each file the index must serve a publish attestation that was signed by the publish " +
		"job in the policy, so that anybody can see who uploaded it. An index keeps the attestations that came " +
		"with the first upload of a file and drops later ones: a file that came by another road stays without.",
	ReceiptRecord: "A receipt says what the index served when a release was confirmed, file by file. It counts " +
		"if the publish job in the policy signed it and it agrees with the release; anything else is shown and " +
		"decides nothing.",
}
