package audit

import "strings"

var foreignArtifacts = Rule{
	ID:    "artifacts-from-elsewhere",
	Title: "the release takes files only from its own run",
	Why: "An artifact of another run was built by whatever started that run, a pull request too. What a release is made of " +
		"must be what its own jobs made.",
	Looks: InWorkflow,
	Fix: "Build in the same run and download by name, without run-id, repository or github-token. Files of another " +
		"repository's run come in through distgate stage --run, which proves where they are from.",
	judge: steps(releaseGraph, func(s *step) (spots []Spot) {
		if got := s.fetchesArtifacts(); got != "" {
			spots = append(spots, s.spot(got))
		}
		for _, c := range s.commands() {
			if c.is([]string{"gh run download", "gh release download", "aws s3 cp", "aws s3 sync", "gsutil cp", "gcloud storage cp", "rclone copy"}) {
				spots = append(spots, s.spotOf(c))
			}
		}
		return spots
	}),
}

// fetchesArtifacts says how a step takes files of another run.
func (s *step) fetchesArtifacts() string {
	uses := s.uses()
	if fits(uses, []string{"dawidd6/action-download-artifact", "robinraju/release-downloader", "actions/download-release-asset"}) {
		return uses
	}
	if !fits(uses, []string{"actions/download-artifact"}) {
		return ""
	}
	for _, name := range []string{"run-id", "repository", "github-token"} {
		v, ok := s.with(name)
		own := strings.ReplaceAll(value(v), " ", "")
		if ok && own != "" && own != "${{github.run_id}}" && own != "${{github.repository}}" {
			return uses + ", " + name + ": " + value(v)
		}
	}
	return ""
}
