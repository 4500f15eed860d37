package audit

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Action is what is inside an action of another repository, at the commit that it is
// pinned to, as far as its action.yml says it.
type Action struct {
	Uses    []string // what it uses itself, as it says it
	Pinned  []Inner  // that of it which is at a commit
	Fetches []string // commands of its scripts that fetch what may be another thing tomorrow
	Unread  string   // what it runs and its action.yml does not say: "a program (node24)"
}

// Inner is an action that another uses, at a commit.
type Inner struct {
	Name string // OWNER/NAME[/PATH]@COMMIT
	Pin  Pin    // zero: it is at the commit of the action that uses it
}

var nestedUses = Rule{
	ID:    "nested-uses",
	Title: "what a pinned action uses is pinned, too, and so on to the last one",
	Why: "The pin of an action holds its own files, and not the actions that those use by a tag. The tag of reviewdog's action, " +
		"which tj-actions used, was moved first (2025): who had pinned tj-actions ran the thief's code all the same.",
	Looks: InAction,
	Fix:   "Take a version of the action that pins what it uses, or use something else; ask its maintainers to pin.",
	judge: actions(func(a pinned, inner Action, found *judgement) {
		for _, uses := range inner.Uses {
			image := strings.HasPrefix(uses, "docker://")
			switch {
			case strings.HasPrefix(uses, "./"):
				found.gaps = append(found.gaps, a.gap("uses "+uses+" of the job's folder, which was not read"))
			case image && !digestForm.MatchString(uses), !image && unpinned(uses):
				found.spots = append(found.spots, a.spot("uses "+uses))
			}
		}
	}),
}

var actionsFetchNothing = Rule{
	ID:    "actions-fetch-nothing",
	Title: "the actions in use do not fetch \"the latest\" of something themselves",
	Why: "The pin of an action holds its scripts, and not what those download: a tool without a version is another one whenever " +
		"its server says so. Scripts of composite actions are read, also of those that they use. A program (JavaScript, a " +
		"container) is not: Astral looked through those by hand, for neither GitHub nor other tools find it well.",
	Looks: InAction,
	Fix:   "Use a version of the action that names what it fetches, by version and digest, or one that carries it; ask its maintainers.",
	judge: actions(func(a pinned, inner Action, found *judgement) {
		for _, what := range inner.Fetches {
			found.spots = append(found.spots, a.spot("fetches by "+what))
		}
		if inner.Unread != "" {
			found.asks = append(found.asks, Gap{What: a.name + " runs " + inner.Unread + ", which was not read"})
		}
	}),
}

// pinned is an action, and by which others the release comes to it.
type pinned struct {
	name string // OWNER/NAME[/PATH]@COMMIT
	from use
	by   string // "OUTER uses INNER which"
}

func (a pinned) spot(what string) Spot {
	spot := a.from.spot
	spot.Got = a.by + " " + what
	return spot
}

func (a pinned) gap(what string) Gap {
	return Gap{File: a.from.spot.File, Line: a.from.spot.Line, What: a.by + " " + what}
}

// actions judges each action that the release runs, and those that they use, at each
// place from which the release comes to it.
func actions(look func(pinned, Action, *judgement)) func(Facts) judgement {
	return func(f Facts) judgement {
		_, gaps := f.seen(releaseGraph)
		j := judgement{gaps: gaps}
		for _, n := range f.Files.nested() {
			j.applies = true
			f.within(pinned{name: n.spot.Got, from: n, by: n.spot.Got}, map[string]bool{}, func(a pinned) {
				inner := f.Actions[a.name]
				if !inner.Known() {
					j.gaps = append(j.gaps, unseen(a.name, inner.Gap, inner.Needs))
					return
				}
				look(a, inner.Value, &j)
			})
		}
		j.gaps, j.asks = once(j.gaps), once(j.asks)
		return j
	}
}

// within visits an action and those that it uses, each once.
func (f Facts) within(a pinned, seen map[string]bool, visit func(pinned)) {
	if seen[a.name] {
		return
	}
	seen[a.name] = true
	visit(a)
	for _, in := range f.Actions[a.name].Value.Pinned {
		f.within(pinned{name: in.Name, from: a.from, by: a.by + " uses " + in.Name + " which"}, seen, visit)
	}
}

// once are the gaps in their order, each once.
func once(gaps []Gap) (left []Gap) {
	for _, g := range gaps {
		if !slices.Contains(left, g) {
			left = append(left, g)
		}
	}
	return left
}

// pinnedBy is what an action uses of a commit of another repository, or of its own
// one as "$/path".
func pinnedBy(action, uses string) (string, bool) {
	if own, ok := strings.CutPrefix(uses, "$/"); ok {
		repository, _, commit := partsOf(action)
		return path.Join(repository, own) + "@" + commit, fs.ValidPath(path.Clean(own))
	}
	repository, _, commit := partsOf(uses)
	return uses, repository != "" && commitForm.MatchString(commit)
}

// partsOf takes OWNER/NAME[/PATH]@REF apart. Nothing else has a repository.
func partsOf(uses string) (repository, folder, ref string) {
	name, ref, _ := strings.Cut(uses, "@")
	parts := append(strings.SplitN(name, "/", 3), "", "")
	if parts[0] == "" || parts[1] == "" || strings.HasPrefix(parts[0], ".") || strings.HasPrefix(uses, "docker://") {
		return "", "", ""
	}
	return parts[0] + "/" + parts[1], parts[2], ref
}

// nested are the places where the release graph uses a pinned action of another
// repository.
func (f Files) nested() []use {
	return slices.DeleteFunc(f.uses(), func(u use) bool { return !u.inside })
}

// ownFile is how an action names its folder, in a script or in what a script is given.
var ownFile = regexp.MustCompile(`(?i)action_path|\b_actions[/\\]|tojson\(\s*github\s*\)`)
