package audit

import "slices"

var attestBesideCode = Rule{
	ID:    "attest-beside-code",
	Title: "a job that attests runs no code of the project",
	Why: "Code that runs in the job can ask for its ID token, and sign what it likes: the provenance is true of the job and " +
		"says nothing about the file. TanStack (May 2026) published 84 versions that way, each with valid provenance.",
	Looks: InWorkflow,
	Fix: "Build in one job, upload the files as an artifact, and attest in another job that downloads the artifact and does " +
		"nothing else.",
	judge: jobsThat((*job).attests, func(j *job) ([]Spot, []Gap) { return j.runsCode(), nil }),
}

// runsCode are the places where a job runs what is not part of the workflow:
// the project's own files, and what it installs. A job that has the project's
// files may use only commands that are known not to run them.
func (j *job) runsCode() []Spot {
	spots, has := j.overlaid(), j.checksOut()
	for _, s := range j.all() {
		uses := s.uses()
		if local, ok := localPath(uses); ok && (s.action == nil || !s.action.isComposite()) {
			spots = append(spots, s.spot("the action in "+local+" of the repository"))
		}
		if fits(uses, building) {
			spots = append(spots, s.spot(uses))
		}
		for _, c := range s.commands() {
			if c.runsCode() || has && !c.is(harmless) && !c.is(uploading) && !c.is(signing) {
				spots = append(spots, s.spotOf(c))
			}
		}
	}
	return spots
}

func (c command) runsCode() bool {
	return c.is(installing) || c.is(executing) || c.isFile()
}

// isComposite tells whether the action is made of steps that were read.
func (f *file) isComposite() bool {
	return slices.ContainsFunc(f.jobs, func(j *job) bool { return len(j.steps) > 0 })
}
