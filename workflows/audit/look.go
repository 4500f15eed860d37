package audit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/distgate/distgate/workflows"
)

// Look gathers everything that GitHub shows of a repository into the facts,
// which have what the policy says already: its settings, the workflows of every
// branch that releases, and whether pinned commits are what they seem. What
// cannot be seen is a gap of the facts; an error is that the repository itself
// cannot.
func (f Facts) Look(ctx context.Context, c *workflows.Client, repository string, release Release) (Facts, error) {
	r, err := c.Repository(ctx, repository)
	if err != nil {
		return f, err
	}
	var settings, files error
	var both sync.WaitGroup
	both.Go(func() { f.Settings, settings = c.Settings(ctx, r.Name) })
	both.Go(func() { f.Files, files = readBranches(ctx, c, r, f.Refs, release) })
	both.Wait()
	if settings != nil {
		return f, settings
	}
	if files != nil {
		return f, files
	}
	f.Pins = lookAtPins(ctx, c, f.Files.Pins())
	f.Actions = lookInside(ctx, c.Content, f.Files)
	return f, ctx.Err()
}

// maxBranches is how many branches are read: each costs some calls.
const maxBranches = 10

// readBranches reads the workflows of the default branch, and what differs from
// them on other branches from which the policy lets jobs publish.
func readBranches(ctx context.Context, c *workflows.Client, r workflows.Repository, refs []string, release Release) (Files, error) {
	files, err := readAt(ctx, c, r.Name, r.Head, release)
	if err != nil {
		return Files{}, err
	}
	branches, err := c.Branches(ctx, r.Name)
	if err != nil {
		files.gaps = append(files.gaps, Gap{What: "the branches: " + err.Error(), Needs: "contents: read"})
		return files, nil
	}
	read := 0
	for _, b := range branches {
		releases := func(ref string) bool {
			ok, err := path.Match(ref, "refs/heads/"+b.Name)
			return err == nil && ok
		}
		if b.Name == r.DefaultBranch || !slices.ContainsFunc(refs, releases) {
			continue
		}
		if read++; read > maxBranches {
			files.gaps = append(files.gaps, Gap{What: fmt.Sprintf("more than %d branches release; branch %s was not read", maxBranches, b.Name)})
			continue
		}
		other, err := readAt(ctx, c, r.Name, b.Head, release)
		if err != nil {
			files.gaps = append(files.gaps, Gap{What: "branch " + b.Name + ": " + err.Error(), Needs: "contents: read"})
			continue
		}
		files.add(other, "on "+b.Name)
	}
	return files, nil
}

func readAt(ctx context.Context, c *workflows.Client, repository, commit string, release Release) (Files, error) {
	tree, err := c.Tree(ctx, repository, commit)
	if err != nil {
		return Files{}, err
	}
	files, err := Read(ctx, tree, release)
	if err == nil {
		err = files.reach(ctx, c.Content)
	}
	return files, err
}

// add takes in the files of another commit that are not the same already, as
// "on BRANCH" or "of OWNER/NAME at COMMIT".
func (f *Files) add(other Files, where string) {
	for _, file := range other.all {
		if f.covered(file) {
			continue
		}
		file.path += " " + where
		for i := range file.gaps {
			file.gaps[i].File = file.path
		}
		for i := range file.unread {
			file.unread[i].File = file.path
		}
		f.all = append(f.all, file)
	}
	for _, gap := range other.gaps {
		gap.What = where + ": " + gap.What
		f.gaps = append(f.gaps, gap)
	}
}

// covered tells whether a file of another commit is among the files already.
func (f *Files) covered(other *file) bool { return f.byKey[other.path].covers(other, map[*file]bool{}) }

// covers tells whether another file says nothing that this one does not: it has the
// same text, and so has everything that it calls. An action of the repository is
// called by its path, and lies there at each commit as it is at that commit.
func (f *file) covers(other *file, seen map[*file]bool) bool {
	if f == other || seen[other] {
		return true
	}
	if f == nil || other == nil || !slices.Equal(f.lines, other.lines) || other.release && !f.release || len(f.jobs) != len(other.jobs) {
		return false
	}
	seen[other] = true
	for i, j := range f.jobs {
		if len(j.steps) != len(other.jobs[i].steps) || !j.calls.covers(other.jobs[i].calls, seen) {
			return false
		}
		for k, s := range j.steps {
			if !s.action.covers(other.jobs[i].steps[k].action, seen) {
				return false
			}
		}
	}
	return true
}

// maxPins is how many pinned commits are asked about.
const maxPins = 200

// lookAtPins asks of each pinned commit whether it is in its repository's
// history.
func lookAtPins(ctx context.Context, c *workflows.Client, pins []Pin) map[Pin]workflows.Seen[bool] {
	known := each(pins[:min(len(pins), maxPins)], func(pin Pin) (bool, error) {
		return c.Pinned(ctx, pin.Repository, pin.Commit, strings.TrimSpace(pin.Version))
	})
	for _, pin := range pins[len(known):] {
		known[pin] = workflows.Seen[bool]{Gap: fmt.Sprintf("at most %d pins are asked about", maxPins)}
	}
	return known
}

// each asks for several things of other repositories, a few at the same time.
func each[K comparable, V any](all []K, ask func(K) (V, error)) map[K]workflows.Seen[V] {
	known := map[K]workflows.Seen[V]{}
	var mu sync.Mutex
	var work sync.WaitGroup
	free := make(chan struct{}, 4)
	for _, k := range all {
		work.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			seen := workflows.See("contents: read", func() (V, error) { return ask(k) })
			mu.Lock()
			defer mu.Unlock()
			known[k] = seen
		})
	}
	work.Wait()
	return known
}
