package audit

import (
	"regexp"
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
	Title: "every pinned commit is in the history of the repository that it is taken from, also within actions",
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
			f.judgePin(u.Pin, u.spot, &j)
		}
		within := actions(func(a pinned, inner Action, found *judgement) {
			for _, in := range inner.Pinned {
				if in.Pin != (Pin{}) {
					f.judgePin(in.Pin, a.spot("uses "+in.Name), found)
				}
			}
		})
		return both(j, within(f))
	},
}

// judgePin judges a pin that is used at a place.
func (f Facts) judgePin(pin Pin, at Spot, found *judgement) {
	switch known := f.Pins[pin]; {
	case !known.Known():
		found.gaps = append(found.gaps, unseen(pin.Repository+"@"+pin.Commit[:12], known.Gap, known.Needs))
	case !known.Value:
		found.spots = append(found.spots, at)
	}
}

// use is a place where a pin is used.
type use struct {
	Pin
	spot   Spot
	inside bool // it is an action that the release runs, and is read
}

var versionComment = regexp.MustCompile(`#\s*(?:tag=)?v?(\d+(?:\.\d+)*\S*)`)

// uses are all places where something is taken from a commit of another
// repository.
func (f Files) uses() (all []use) {
	for _, file := range f.all {
		for _, j := range file.jobs {
			if j.uses != nil {
				all = file.use(all, j.uses.Value, j.spot(j.uses, j.uses.Value), false)
			}
			for _, s := range j.steps {
				if s.uses() != "" {
					all = file.use(all, s.uses(), s.spot(s.uses()), file.release)
				}
			}
		}
	}
	return all
}

func (f *file) use(all []use, uses string, at Spot, inside bool) []use {
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
	return append(all, use{pin, at, inside})
}
