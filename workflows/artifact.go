package workflows

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Bounds on artifacts. GitHub's own for one artifact is some ten GiB.
const (
	maxArtifact  = dist.MaxSize // bytes of one
	maxArtifacts = 64 << 30     // bytes of all that are chosen
	maxName      = 1 << 10      // bytes of a name
)

// Artifact is what a job of a run uploaded, as GitHub lists it. It belongs to
// the run and to no attempt. One that is uploaded again under its name is
// another artifact, with another id.
type Artifact struct {
	Repository string      `json:"repository"`
	Run        int64       `json:"run"`
	ID         int64       `json:"id"`
	Name       string      `json:"name"`
	Digest     dist.Digest `json:"digest"` // of the stored blob; zero where GitHub has none
	Size       int64       `json:"size"`   // of the blob, in bytes, as GitHub says
	Created    time.Time   `json:"created"`
	Expired    bool        `json:"expired"`

	digest string // as it came
}

// listedArtifact is an artifact with the digest that go-github v62 leaves out.
type listedArtifact struct {
	github.Artifact
	Digest string `json:"digest"`
}

// Artifacts lists all artifacts of a run, of each name the newest first.
func (c *Client) Artifacts(ctx context.Context, r Run) ([]Artifact, error) {
	q, err := r.question("/artifacts")
	if err != nil {
		return nil, err
	}
	said, err := list(ctx, c, q, func(a listedArtifact) int64 { return a.GetID() })
	if err != nil {
		return nil, err
	}
	artifacts := make([]Artifact, len(said))
	for i, a := range said {
		if a.GetID() <= 0 || a.GetName() == "" || len(a.GetName()) > maxName ||
			a.GetSizeInBytes() < 0 || a.GetWorkflowRun().GetID() != r.ID {
			return nil, fmt.Errorf("GitHub, %s: want artifacts of run %d, got %d %.200q of run %d",
				q.path, r.ID, a.GetID(), a.GetName(), a.GetWorkflowRun().GetID())
		}
		artifacts[i] = Artifact{Repository: r.Repository, Run: r.ID, ID: a.GetID(), Name: a.GetName(),
			Size: a.GetSizeInBytes(), Created: a.GetCreatedAt().Time, Expired: a.GetExpired(), digest: a.Digest}
		artifacts[i].Digest, _ = dist.ParseDigest(a.Digest)
	}
	slices.SortFunc(artifacts, func(a, b Artifact) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return artifacts, nil
}

// choice is which artifacts of some runs are opened.
type choice struct {
	chosen     []Artifact
	superseded []Artifact // older ones of the same run and name
	refused    rule.Refusals
}

// choose takes the newest artifact of each name that a pattern matches, and
// refuses those that cannot be what was built.
func choose(runs []Run, listed [][]Artifact, patterns []string) (c choice) {
	used := map[string]bool{}
	var total int64
	for i, r := range runs {
		before := len(c.chosen) + len(c.refused)
		last := ""
		for _, a := range listed[i] {
			matching := a.matches(patterns, used)
			switch {
			case !matching:
			case a.Name == last:
				c.superseded = append(c.superseded, a)
			case len(a.faults()) > 0:
				c.refused = append(c.refused, a.faults()...)
			default:
				c.chosen = append(c.chosen, a)
				total += a.Size
			}
			if matching {
				last = a.Name
			}
		}
		if len(c.chosen)+len(c.refused) == before && (len(runs) > 1 || len(patterns) == 0) {
			c.refused = append(c.refused, missing(r, patterns, listed[i]))
		}
	}
	for _, pattern := range patterns {
		if !used[pattern] {
			c.refused = append(c.refused, missing(runs[len(runs)-1], []string{pattern}, slices.Concat(listed...)))
		}
	}
	if total > maxArtifacts {
		c.chosen = nil
		c.refused = append(c.refused, rule.Refusal{File: "artifacts", Rule: rule.ArtifactSize,
			Want: fmt.Sprintf("at most %d bytes in all", int64(maxArtifacts)), Got: fmt.Sprint(total),
			Hint: "name fewer artifacts in build.artifacts"})
	}
	return c
}

// matches tells whether a pattern matches the artifact's name, and marks all
// that do.
func (a Artifact) matches(patterns []string, used map[string]bool) (matches bool) {
	for _, pattern := range patterns {
		if ok, err := path.Match(pattern, a.Name); ok && err == nil {
			used[pattern], matches = true, true
		}
	}
	return matches
}

// faults says why an artifact cannot be collected: a new reason is a new row.
func (a Artifact) faults() (no rule.Refusals) {
	for _, row := range []struct {
		id              rule.ID
		holds           bool
		want, got, hint string
	}{
		{rule.ArtifactExpired, !a.Expired, "an artifact that is still there", "one that expired",
			"build again, and stage within the days that artifacts are kept"},
		{rule.ArtifactDigest, !a.Digest.IsZero(), "a SHA-256 of the stored blob", orNothing(clip(a.digest)),
			"upload it with actions/upload-artifact v4 or later"},
		{rule.ArtifactSize, a.Size <= maxArtifact, fmt.Sprintf("at most %d bytes", maxArtifact), fmt.Sprint(a.Size),
			"upload the files in several artifacts"},
	} {
		if !row.holds {
			no = append(no, rule.Refusal{File: a.Name, Rule: row.id, Want: row.want, Got: row.got, Hint: row.hint})
		}
	}
	return no
}

// missing refuses a run without any of the artifacts that were named.
func missing(r Run, patterns []string, listed []Artifact) rule.Refusal {
	const shown = 10
	var names []string
	for _, a := range listed {
		names = append(names, clip(a.Name))
	}
	names = slices.Compact(names)
	got := orNothing(strings.Join(names[:min(shown, len(names))], ", "))
	if more := len(names) - shown; more > 0 {
		got += fmt.Sprintf(" and %d more", more)
	}
	hint := "name the artifacts that hold the release in build.artifacts; see them at " + r.URL()
	if len(names) == 0 {
		hint = "the run has no artifacts, or none any more: GitHub drops them after 90 days at most; build again"
	}
	return rule.Refusal{File: fmt.Sprintf("run %d", r.ID), Rule: rule.ArtifactMissing,
		Want: "an artifact named " + orNothing(strings.Join(patterns, " or ")), Got: got, Hint: hint}
}
