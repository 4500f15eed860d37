package approval

import (
	"strings"

	"github.com/distgate/distgate/staging"
)

// sourceNotes say what was proven of where the release comes from.
func (r *Review) sourceNotes() []noteRow {
	asked := r.Source.Upstream != nil
	var o staging.Upstream
	if asked {
		o = *r.Source.Upstream
	}
	declared := asked && o.Declared
	after := asked && o.Tagged == staging.After
	signed := asked && o.Signature.Verified
	return []noteRow{
		{false, !asked, Note{"protected-branch", "That the source commit is on a protected branch was not asked."}},
		{true, asked, Note{"protected-branch", "The source commit is on the branch " + o.Branch + " of " + o.Repository +
			", which is protected: GitHub was asked for the rules that are in force for it."}},
		{true, declared, Note{"build-branch", "The commit that the certificates name is on the branch " + o.BuildBranch +
			" of the repository that built, which is protected too."}},
		{true, asked && !after, Note{"tag", "The tag " + o.Tag + " comes down to the source commit."}},
		{false, after, Note{"tag", "The tag " + o.Tag + " is made after the release. If there is one by now, it comes " +
			"down to the source commit."}},
		{true, signed, Note{"signature", "GitHub verified the signature of the " + o.Signed + "."}},
		{false, asked && !signed, Note{"signature", "No signature of the " + o.Signed + " was verified; GitHub says " +
			o.Signature.Reason + "."}},
		{true, asked && len(o.Inputs) == 0, Note{"inputs", "The jobs of the build take nothing from outside of their commit: " +
			"no input of whoever started it, and no variable of the repository's settings."}},
		{false, len(o.Inputs) > 0, Note{"inputs", "The build takes " + strings.Join(o.Inputs, ", ") +
			", which the policy allows. Which values they had is in no provenance."}},
		{false, !asked, Note{"inputs", "Whether somebody typed something when starting the build, and whether it takes " +
			"variables of the repository's settings, was not asked."}},
		{false, declared, Note{"source", "The source commit is the one that " + staging.LockFile + " declares, at the commit " +
			"that the certificates name. That the build took it and nothing else is the build's own word."}},
		{false, !declared, Note{"source", "The source commit is what the certificate says of the run. " +
			"That the files come from that commit and nothing else is the build's own word."}},
	}
}
