// Package approval decides whether people said yes to a staged release. It is
// pure: it gathers and judges, and reads and writes nothing itself.
//
// [Show] turns a staged release into a [Review], the facts that a person is
// shown: every file with its digest and evidence, what was proven, what was
// not, and who decides. From the review comes a [Vote], an in-toto statement
// whose subject is the release digest and which repeats what was shown:
//
//	review, err := approval.Show(staged, policy)
//	statement, err := review.Statement(approval.Opinion{Decision: approval.Approve, …})
//	signature, err := approval.Sign(statement, key)
//
// Any SSH key signs it, a security key too, and ssh-keygen -Y sign -n distgate
// makes the same signature. Statement and signature are a record of the
// release, which anybody may store and nobody has to believe.
//
// [Check] believes a vote for its signer. [AllowedSigners] maps keys to
// principals, a file that ssh-keygen -Y verify reads as well; the [Policy] maps
// principals to people and says how many must approve. A person counts once,
// with however many keys. Approvals age out and rejections do not: a no stands
// until the person who said it takes it back, by an approval that names it.
//
// A vote can also be a review of the environment that the publishing run waits
// for: an [EnvironmentReview] by somebody on the list, whose comment has a line
// that names the release. The policy says which of the two [Road]s count. A
// person counts once over both, and who started a run by neither: the [Run]
// brings what GitHub says of that.
//
//	approved, err := approval.Check(staged, records, run, policy, time.Now())
//
// [Approved] is the proof that publishing asks for. Short of it there are two
// answers: [Waiting], too few people have approved yet, and [rule.Refusals],
// somebody said no or the policy is none. A vote that does not count is listed
// with the rule that it broke; it neither helps nor hinders the others.
package approval
