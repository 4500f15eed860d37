package staging

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/distgate/distgate/staging/dist"
)

// Origin is by which way the files of a release came: what was taken from which
// workflow run, and what was passed over for it. It is what [StageFrom] was told.
// Nothing of it proves a file, whose digest and evidence do; it says where the
// bytes can be had again, and what a reviewer may ask about.
type Origin struct {
	Artifacts []Artifact    `json:"artifacts"` // by run and id; none of a folder
	Replaced  []Replacement `json:"replaced"`  // by name
	Onto      string        `json:"onto"`      // release digest of the release that files were added to
}

// Artifact is an artifact of a workflow run, pinned by its id and its digest.
type Artifact struct {
	Repository string `json:"repository"` // owner/name
	Run        int64  `json:"run"`
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Digest     string `json:"digest"`     // "sha256:…" of the stored blob; empty only where GitHub said none of a superseded one
	Size       int64  `json:"size"`       // bytes of the blob, as GitHub says
	Superseded bool   `json:"superseded"` // not opened: a newer one of the run has its name
}

// Replacement is a file of which a later run had another.
type Replacement struct {
	Name   string      `json:"name"`
	Was    dist.Digest `json:"was"`
	WasRun int64       `json:"wasRun"`
	Is     dist.Digest `json:"is"`
	IsRun  int64       `json:"isRun"`
}

func (a Artifact) pinned() bool {
	_, err := dist.ParseDigest(a.Digest)
	return err == nil || a.Digest == "" && a.Superseded
}

const maxArtifacts = 8192

// sorted is the origin in the order of its encoding.
func (o Origin) sorted() Origin {
	o.Artifacts = append([]Artifact{}, o.Artifacts...)
	slices.SortFunc(o.Artifacts, func(a, b Artifact) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.ID, b.ID))
	})
	o.Replaced = append([]Replacement{}, o.Replaced...)
	slices.SortFunc(o.Replaced, func(a, b Replacement) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.WasRun, b.WasRun))
	})
	return o
}

func (o Origin) check() error {
	switch {
	case len(o.Artifacts) > maxArtifacts || len(o.Replaced) > maxFiles:
		return fmt.Errorf("%d artifacts and %d replacements", len(o.Artifacts), len(o.Replaced))
	case !ascending(o.Artifacts, func(a Artifact) string { return fmt.Sprintf("%020d.%020d", a.Run, a.ID) }):
		return errors.New("artifacts that are not sorted by run and id")
	case !ascending(o.Replaced, func(r Replacement) string { return fmt.Sprintf("%s\x00%020d", r.Name, r.WasRun) }):
		return errors.New("replacements that are not sorted by name")
	}
	for _, r := range o.Replaced {
		if r.Was.IsZero() || r.Is.IsZero() || r.WasRun <= 0 || r.IsRun <= 0 {
			return fmt.Errorf("%s: replaced by nothing", r.Name)
		}
	}
	for _, a := range o.Artifacts {
		if a.Repository == "" || a.Run <= 0 || a.ID <= 0 || a.Name == "" || a.Size < 0 || !a.pinned() {
			return fmt.Errorf("an artifact that is not pinned, %d of run %d", a.ID, a.Run)
		}
	}
	if _, err := dist.ParseDigest(o.Onto); o.Onto != "" && err != nil {
		return errors.New("files added to what is no release digest")
	}
	return nil
}
