package rule

// The rules that the command judges by itself.
const (
	PolicyKey     ID = "policy-key"
	PolicyValue   ID = "policy-value"
	PolicyBranch  ID = "policy-branch"
	PolicyRun     ID = "policy-run"
	FileUnknown   ID = "file-unknown"
	FileThere     ID = "file-there"
	RunMissing    ID = "run-missing"
	VersionAsked  ID = "version-asked"
	OntoPublished ID = "onto-published"
	OntoReplaced  ID = "onto-replaced"
	AuditRecord   ID = "audit-record"
)

var commandStories = map[ID]string{
	PolicyKey: `distgate.toml has a key that distgate does not know. A key that was misspelled would
otherwise be a rule that nobody enforces.`,
	PolicyValue: `A value of distgate.toml is missing or is not what its key takes. No part of the policy
has a default that lets more through, so the release is not looked at before this is right.`,
	PolicyBranch: `What a vote and an upload are judged by is the policy on the default branch of the release
repository, where a change of it is reviewed. Another one, in somebody's folder or from another branch, could
name other people or a lower number of them. Bring it to the branch, or take the branch's, and stage again.`,
	PolicyRun: `The provenance that an index keeps names the commit of the run that published, and the policy at
that commit is what a later change of people is held against. So it must be the policy that people voted under: the
one that the default branch has. A weaker one that stood on the branch when the run began, and was taken back since,
would otherwise be the past that a second attempt is measured by. A run that began before the policy changed is not
run again: start the release workflow anew, on the branch as it is. A release that is published from a tag or from
another branch needs the same distgate.toml there.`,
	FileUnknown: `The folder holds something that is neither a distribution nor a bundle. distgate does
not guess what belongs to a release: take it out of the folder, or name it under build.leave-out with a
reason, which the review then shows.`,
	OntoPublished: `Files are added to a release that people already install, of which a signed receipt says
that it was published to this index. To a release that nobody has yet, nothing is added: stage all of its runs
together, so that it is voted for as a whole. It is asked again whenever such a release is opened: whoever writes
to the store could else name a rejected one, and have it looked at as what was only added to.`,
	OntoReplaced: `A run that is to add files has another file under the name of a published one. An index takes
a file name once, so the release would be two: what users have, and what was approved. Leave the file out of the
run, or release another version.`,
	AuditRecord: `The policy requires something of the repository that a job's token cannot see, and so believes
an audit by a person of its list who can. That one counts only as it was signed, for this repository, for
distgate.toml as it is now, and not for long: what was locked last year may be open today. One that does not
count is as bad as none, since whoever wants a gate to look locked would leave an old one there. An
administrator runs distgate audit --sign KEY again, and brings audit.json and audit.json.sig to the branch.`,
	FileThere: `Where a staged file would be written, there is a file of that name with other bytes. It is
not written over: it could be all that somebody has of it, and whoever tries it must know which of the two
it was. Move it out of the way, or have the files written to another folder.`,
	RunMissing: `A version was asked for and no run was named, so the run that built it is looked for: one of
the build workflow that ended well, of a tag of that version, or of a commit whose distgate.lock declares it.
Nothing is guessed from times or names of branches. Where a build has neither, its number is given with --run.`,
	VersionAsked: `Whoever starts a release says which version. If the files are of another, either the wrong
run was named or the build made something else than its tag says, as when an sdist is built of a branch.`,
}
