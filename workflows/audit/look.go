package audit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"

	"github.com/distgate/distgate/workflows"
)

// Look gathers everything that GitHub shows of a repository into the facts,
// which have what the policy says already: its settings, the workflows of every
// branch that releases, and whether pinned commits are what they seem. What
// cannot be seen is a gap of the facts; an error is that the repository itself
// cannot.
func (f Facts) Look(ctx context.Context, c *workflows.Client, repository string, release Release) (Facts, error) {
	r, all, err := c.Branched(ctx, repository)
	if err != nil {
		return f, err
	}
	far := f.remotes(c)
	var settings, files error
	var both sync.WaitGroup
	both.Go(func() { f.Settings, settings = c.SettingsOf(ctx, r) })
	both.Go(func() { f.Files, files = readBranches(ctx, c, far, r, all, f.Refs, release) })
	both.Wait()
	if settings != nil {
		return f, settings
	}
	if files != nil {
		return f, files
	}
	f.Pins, f.Actions = far.look(ctx, f.Files, true)
	return f, ctx.Err()
}

// maxBranches is how many branches are read beside the default one: each costs a
// call, and one for each workflow that is not the same.
const maxBranches = 20

// branches reads the workflows of one repository's branches.
type branches struct {
	c       *workflows.Client
	far     *remotes
	release Release
	first   *workflows.Tree // of the default branch
}

// readBranches reads the workflows of the default branch, and what differs from them
// on other branches: those from which the policy lets jobs publish, and those that
// are protected, where no rule is about the release but about what may run.
func readBranches(ctx context.Context, c *workflows.Client, far *remotes, r workflows.Repository,
	all workflows.Seen[[]workflows.Branch], refs []string, release Release) (Files, error) {
	tree, err := c.Tree(ctx, r.Name, r.Head)
	if err != nil {
		return Files{}, err
	}
	b := branches{c, far, release, tree}
	files, err := readTree(ctx, tree, far, release)
	if err != nil {
		return Files{}, err
	}
	if !all.Known() {
		files.gaps = append(files.gaps, unseen("the branches", all.Gap, all.Needs))
		return files, nil
	}
	releasing, guarded := others(all.Value, r, refs)
	read := slices.Concat(releasing, guarded)
	found := each(read[:min(len(read), maxBranches)], func(branch workflows.Branch) (Files, error) {
		return b.read(ctx, r.Name, branch, slices.Contains(releasing, branch))
	})
	for i, branch := range read {
		gaps := &files.gaps
		if i >= len(releasing) {
			gaps = &files.beside
		}
		if i == maxBranches {
			*gaps = append(*gaps, Gap{What: fmt.Sprintf("%d branches beside the default one release or are protected: "+
				"%d are read, and %s is not", len(read), maxBranches, branch.Name)})
			break
		}
		other := found[branch]
		if !other.Known() {
			*gaps = append(*gaps, unseen("branch "+branch.Name, other.Gap, other.Needs))
			continue
		}
		*gaps = append(*gaps, files.add(other.Value, "on "+branch.Name)...)
	}
	return files, ctx.Err()
}

// others are the branches beside the default one that release, and those that are
// protected. Of several protected ones at one commit the first stands for all.
func others(all []workflows.Branch, r workflows.Repository, refs []string) (releasing, guarded []workflows.Branch) {
	known := []string{r.Head}
	for _, b := range all {
		releases := func(ref string) bool {
			ok, err := path.Match(ref, "refs/heads/"+b.Name)
			return err == nil && ok
		}
		switch {
		case b.Name == r.DefaultBranch:
		case slices.ContainsFunc(refs, releases):
			releasing = append(releasing, b)
		case b.Protected && !slices.Contains(known, b.Head):
			known, guarded = append(known, b.Head), append(guarded, b)
		}
	}
	return releasing, guarded
}

// read reads the workflows of a branch. One that does not release need not have any,
// and is no part of the release.
func (b branches) read(ctx context.Context, repository string, branch workflows.Branch, releases bool) (Files, error) {
	tree, err := b.c.Tree(ctx, repository, branch.Head)
	if err != nil {
		return Files{}, err
	}
	tree = tree.Beside(b.first)
	if releases {
		return readTree(ctx, tree, b.far, b.release)
	}
	files, err := readTree(ctx, tree, b.far, Release{})
	if len(files.all) == 0 {
		files.gaps = nil
	}
	for _, file := range files.all {
		file.release = false
	}
	return files, err
}

// readTree reads the files of a tree that keeps what was read, several at once, and
// what they call of other repositories.
func readTree(ctx context.Context, tree *workflows.Tree, far *remotes, release Release) (Files, error) {
	begin, err := release.files(ctx, tree)
	if err != nil {
		return Files{}, err
	}
	each(begin[:min(len(begin), maxFiles)], func(at string) ([]byte, error) { return tree.Read(ctx, at) })
	files, err := Read(ctx, tree, release)
	if err == nil {
		err = files.reach(ctx, far)
	}
	return files, err
}

func readAt(ctx context.Context, c *workflows.Client, far *remotes, repository, commit string, release Release) (Files, error) {
	tree, err := c.Tree(ctx, repository, commit)
	if err != nil {
		return Files{}, err
	}
	return readTree(ctx, tree, far, release)
}

// add takes in the files of another commit that are not the same already, as
// "on BRANCH" or "of OWNER/NAME at COMMIT", and tells what of the whole was not seen.
func (f *Files) add(other Files, where string) (gaps []Gap) {
	for _, file := range other.all {
		if f.covered(file) {
			continue
		}
		if file.origin == (origin{}) { // of others the path says where they are
			file.path += " " + where
		}
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
		gaps = append(gaps, gap)
	}
	return gaps
}

// covered tells whether a file of another commit is among the files already.
func (f *Files) covered(other *file) bool {
	if other.origin == (origin{}) {
		return f.byKey[other.path].covers(other, map[*file]bool{})
	}
	return slices.ContainsFunc(f.all, func(known *file) bool {
		return known.path == other.path && known.elsewhere == other.elsewhere && known.covers(other, map[*file]bool{})
	})
}

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

// each asks for several things, a few at the same time.
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
