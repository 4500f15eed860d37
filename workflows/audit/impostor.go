package audit

import (
	"regexp"
	"slices"
	"strings"
)

// Pin is a commit of another repository that something is taken from.
type Pin struct {
	Repository string // "owner/name"
	Commit     string
	Version    string // what a comment beside it says, as "v4.2.2"
}

var impostorCommit = Rule{
	ID:    "impostor-commit",
	Title: "every pinned commit is in the history of the repository that it is taken from",
	Why: "GitHub shows the commits of all forks under the name of the repository. A stranger's commit, pinned as the action's own, " +
		"looks like any other forty digits.",
	Looks:  InAction,
	Theirs: []string{"zizmor impostor-commit"},
	Fix:    "Find the commit of the version's tag in the action's own repository, and pin that, with the version in a comment.",
	judge: func(f Facts) judgement {
		_, gaps := f.seen(everyFile)
		j := judgement{gaps: gaps}
		for _, u := range f.Files.uses() {
			j.applies = true
			switch known := f.Pins[u.Pin]; {
			case !known.Known():
				j.gaps = append(j.gaps, unseen(u.Repository+"@"+u.Commit[:12], known.Gap, known.Needs))
			case !known.Value:
				j.spots = append(j.spots, u.spot)
			}
		}
		return j
	},
}

// use is a place where a pin is used.
type use struct {
	Pin
	spot Spot
}

var versionComment = regexp.MustCompile(`#\s*(?:tag=)?v?(\d+(?:\.\d+)*\S*)`)

// uses are all places where something is taken from a commit of another
// repository.
func (f Files) uses() (all []use) {
	for _, file := range f.all {
		for _, j := range file.jobs {
			if j.uses != nil {
				all = file.use(all, j.uses.Value, j.spot(j.uses, j.uses.Value))
			}
			for _, s := range j.steps {
				if s.uses() != "" {
					all = file.use(all, s.uses(), s.spot(s.uses()))
				}
			}
		}
	}
	return all
}

func (f *file) use(all []use, uses string, at Spot) []use {
	name, commit, _ := strings.Cut(uses, "@")
	parts := strings.SplitN(name, "/", 3)
	if !commitForm.MatchString(commit) || len(parts) < 2 || strings.HasPrefix(uses, "docker://") {
		return all
	}
	pin := Pin{Repository: parts[0] + "/" + parts[1], Commit: commit}
	if at.Line > 0 && at.Line <= len(f.lines) {
		if m := versionComment.FindString(f.lines[at.Line-1]); m != "" {
			pin.Version = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(m, "#")), "tag=")
		}
	}
	return append(all, use{pin, at})
}

// Pins are all commits of other repositories that something is taken from.
func (f Files) Pins() (pins []Pin) {
	for _, u := range f.uses() {
		if !slices.Contains(pins, u.Pin) {
			pins = append(pins, u.Pin)
		}
	}
	return pins
}
