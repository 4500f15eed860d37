package audit

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

var unpinnedUses = Rule{
	ID:    "unpinned-uses",
	Title: "every action and called workflow is named by a whole commit",
	Why: "A tag or branch of an action is whatever its owner, or a thief of the owner's token, says today. In 2025 the tags " +
		"of tj-actions/changed-files were moved to a commit that printed secrets, in 23,000 repositories; in 2026 those of Trivy.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor unpinned-uses"},
	Fix: "Write the 40 digits of the commit behind the @, and the version in a comment: uses: actions/checkout@<commit> # v6.0.1. " +
		"Check nothing out over an action of the repository. A workflow that must be called by tag can be waived with its commit.",
	judge: jobs(everyFile, func(j *job) (spots []Spot, _ []Gap) {
		if j.uses != nil && unpinned(j.uses.Value) {
			got := j.uses.Value
			if strings.HasPrefix(j.fault, movedTag) { // no waiver is for that
				got += ", " + j.fault
			}
			spots = append(spots, j.spot(j.uses, got))
		}
		for _, s := range j.steps {
			if uses := s.uses(); uses != "" && unpinned(uses) {
				spots = append(spots, s.spot(uses))
			}
		}
		return append(spots, j.overlaid()...), nil
	}),
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// unpinned tells whether something is used by a name that may come to mean
// another commit. Images have a rule of their own.
func unpinned(uses string) bool {
	if strings.HasPrefix(uses, "docker://") || strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, "$/") {
		return false
	}
	_, ref, _ := strings.Cut(uses, "@")
	return !commitForm.MatchString(ref)
}

var unpinnedImages = Rule{
	ID:    "unpinned-images",
	Title: "every container image is named by its digest",
	Why: "The tag of an image is moved as easily as that of an action: whoever can push to the registry puts other tools " +
		"below the build, and nothing in the repository changes.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor unpinned-images"},
	Fix:    "Write the digest behind the image: image: python:3.13@sha256:<64 digits>",
	judge: jobs(everyFile, func(j *job) (spots []Spot, _ []Gap) {
		for _, image := range j.images() {
			if !j.pinned(image) {
				spots = append(spots, j.spot(image, image.Value))
			}
		}
		return spots, nil
	}),
}

// images are those that a job names.
func (j *job) images() (all []*actionlint.String) {
	if j.ast != nil && j.ast.Container != nil && j.ast.Container.Image != nil {
		all = append(all, j.ast.Container.Image)
	}
	if j.ast != nil && j.ast.Services != nil {
		for _, s := range j.ast.Services.Value {
			if s.Container != nil && s.Container.Image != nil {
				all = append(all, s.Container.Image)
			}
		}
	}
	for _, s := range j.steps {
		if strings.HasPrefix(s.uses(), "docker://") {
			all = append(all, s.at())
		}
	}
	return all
}

var digestForm = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// pinned tells whether an image is named by a digest, whatever its expression
// comes out as. An empty name is no image.
func (j *job) pinned(image *actionlint.String) bool {
	values, whole := j.values(image)
	return whole && !slices.ContainsFunc(values, func(v string) bool { return v != "" && !digestForm.MatchString(v) })
}
