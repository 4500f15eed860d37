package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/distgate/distgate/workflows"
)

const (
	// maxNesting is how deep actions may use actions: GitHub's runner goes no deeper.
	maxNesting = 10
	// maxActions is how many actions are read, and how many pins are asked about: at
	// most a call for each, where GitHub does not answer for many at once.
	maxActions = 200
)

// asking is what is learned of the actions in use.
type asking struct {
	*remotes
	pins    map[Pin]workflows.Seen[bool] // nil: nobody asks for it
	actions map[string]workflows.Seen[Action]
}

// wanted is an action that is asked about.
type wanted struct {
	Inner
	inside bool // what it uses and fetches is asked for, too
}

// look asks whether each pinned commit is in its repository's history, if that is
// wanted, and reads each pinned action of the release graph, and each that those use,
// once, all of a depth at the same time.
func (r *remotes) look(ctx context.Context, f Files, pins bool) (
	map[Pin]workflows.Seen[bool], map[string]workflows.Seen[Action]) {
	a := asking{remotes: r, actions: map[string]workflows.Seen[Action]{}}
	if pins {
		a.pins = map[Pin]workflows.Seen[bool]{}
	}
	var level []wanted
	for _, u := range f.uses() {
		level = append(level, wanted{Inner{u.spot.Got, u.Pin}, u.inside})
	}
	for depth := 0; len(level) > 0; depth++ {
		level = a.level(ctx, level, depth)
	}
	return a.pins, a.actions
}

// level asks about the actions of a depth, and gives those that they use.
func (a *asking) level(ctx context.Context, level []wanted, depth int) (next []wanted) {
	level = slices.DeleteFunc(level, a.known)
	said := map[workflows.ActionAt]workflows.ActionSaid{}
	if a.many != nil && depth < maxNesting {
		said = a.many(ctx, places(level))
	}
	files, tagged := map[string]map[string][]byte{}, map[Pin]bool{}
	for _, w := range level {
		if s, ok := said[w.at()]; ok {
			files[w.Name] = s.Files
			tagged[w.Pin] = tagged[w.Pin] || s.Tagged
		}
	}
	a.askPins(ctx, level, tagged)
	for _, name := range a.askActions(ctx, level, files, depth) {
		for _, in := range a.actions[name].Value.Pinned {
			next = append(next, wanted{in, true})
		}
	}
	return next
}

// known tells whether nothing is left to ask about an action.
func (a *asking) known(w wanted) bool {
	_, pin := a.pins[w.Pin]
	_, action := a.actions[w.Name]
	return (pin || a.pins == nil || w.Pin == (Pin{})) && (action || !w.inside)
}

// at is the action as GitHub is asked about it.
func (w wanted) at() workflows.ActionAt {
	repository, folder, commit := partsOf(w.Name)
	return workflows.ActionAt{Repository: repository, Folder: folder, Commit: commit, Version: w.Pin.Version}
}

// places are those of which the files are wanted, each once.
func places(level []wanted) (all []workflows.ActionAt) {
	for _, w := range level {
		if at := w.at(); w.inside && !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all[:min(len(all), maxActions)]
}

// askPins asks of each pin that is not known whether it is in its repository's
// history: what the version's tag is at, is.
func (a *asking) askPins(ctx context.Context, level []wanted, tagged map[Pin]bool) {
	var pins []Pin
	for _, w := range level {
		if _, known := a.pins[w.Pin]; !known && w.Pin != (Pin{}) && !slices.Contains(pins, w.Pin) {
			pins = append(pins, w.Pin)
		}
	}
	if a.pins == nil {
		return
	}
	now := min(len(pins), max(0, maxActions-len(a.pins)))
	maps.Copy(a.pins, each(pins[:now], func(pin Pin) (bool, error) {
		if tagged[pin] {
			return true, nil
		}
		return a.pinned(ctx, pin.Repository, pin.Commit, pin.Version)
	}))
	for _, pin := range pins[now:] {
		a.pins[pin] = workflows.Seen[bool]{Gap: fmt.Sprintf("at most %d pins are asked about", maxActions)}
	}
}

// askActions reads each action that is not known, from its files where they came
// already, and names those.
func (a *asking) askActions(ctx context.Context, level []wanted,
	files map[string]map[string][]byte, depth int) []string {
	var names []string
	for _, w := range level {
		if _, known := a.actions[w.Name]; w.inside && !known {
			names = append(names, w.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	now := 0
	if depth < maxNesting {
		now = min(len(names), max(0, maxActions-len(a.actions)))
	}
	maps.Copy(a.actions, each(names[:now], func(name string) (Action, error) {
		return inside(ctx, a.content, name, files[name])
	}))
	for _, name := range names[now:] {
		a.actions[name] = workflows.Seen[Action]{
			Gap: fmt.Sprintf("at most %d actions are read, %d within each other", maxActions, maxNesting)}
	}
	return names
}

// inside reads an action at a commit, from its files as far as they are known.
func inside(ctx context.Context, content Content, name string, files map[string][]byte) (a Action, err error) {
	repository, folder, commit := partsOf(name)
	raw, err := []byte(nil), error(fs.ErrNotExist)
	for _, file := range []string{"action.yml", "action.yaml"} {
		if known, is := files[file]; known != nil {
			raw, err = known, nil
		} else if files == nil || is {
			raw, err = content(ctx, repository, path.Join(folder, file), commit)
		}
		if !errors.Is(err, fs.ErrNotExist) && !workflows.Missing(err) {
			break
		}
	}
	if err != nil {
		return a, err
	}
	f := parseAction(name, raw)
	if len(f.gaps) > 0 {
		return a, errors.New(f.gaps[0].What)
	}
	if f.runs != "composite" {
		a.Unread = "a program (" + f.runs + ")"
	} else if ownFile.Match(raw) {
		a.Unread = "a file of its own"
	}
	for _, s := range f.steps() {
		if s.uses() != "" {
			a.add(f, name, s)
		}
		for _, spot := range s.downloads() {
			a.Fetches = append(a.Fetches, spot.Got)
		}
	}
	return a, nil
}

// add takes in what a step of the action's file uses.
func (a *Action) add(f *file, name string, s *step) {
	a.Uses = append(a.Uses, s.uses())
	inner, ok := pinnedBy(name, s.uses())
	if !ok {
		return
	}
	in := Inner{Name: inner}
	for _, u := range f.use(nil, s.uses(), s.spot(s.uses()), true) {
		in.Pin = u.Pin
	}
	a.Pinned = append(a.Pinned, in)
}
