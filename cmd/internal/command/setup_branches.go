package command

import (
	"context"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows/template"
)

// others are the branches, here and on origin, that have the workflow with
// something left to edit. Of many branches the 1000 count that moved last.
func (c checkout) others(ctx context.Context, at string) ([]string, error) {
	refs, err := git(ctx, "for-each-ref", "--count=1000", "--sort=-committerdate", "--format=%(refname)", "refs/heads", "refs/remotes/origin")
	if err != nil {
		return nil, err
	}
	here, _ := git(ctx, "symbolic-ref", "--short", "HEAD") // no branch, if none is checked out
	var names []string
	for _, ref := range strings.Fields(refs) {
		name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/remotes/origin/")
		if name == here || ref == "refs/remotes/origin/HEAD" || slices.Contains(names, name) {
			continue
		}
		text, err := git(ctx, "show", ref+":"+at)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && !edited(at, text+"\n") {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if series(a) != series(b) {
			return map[bool]int{true: -1, false: 1}[series(a)]
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// edited tells whether a workflow attests already, and publishes nothing.
func edited(at, text string) bool {
	w, err := template.Read(at, []byte(text))
	if err != nil {
		return false
	}
	e, err := w.Edit()
	return err == nil && string(e.Text) == text
}

// seriesForm is a version or a series, alone or in a folder that is called what
// projects call it: fix/1.2 is somebody's work, and not for releases.
var seriesForm = regexp.MustCompile(
	`^((maintenance|maint|release|releases|stable|backport|backports|support|series|branches)/)?v?[0-9]+\.([0-9]+|x)(\.([0-9]+|x))*$`)

// series tells whether a branch is for the releases of a series, as maintenance/2.4.x.
func series(branch string) bool { return seriesForm.MatchString(branch) }

// maintained are the branches that are for a series, as patterns: maintenance/*.
func maintained(branches []string) (patterns []string) {
	for _, name := range branches {
		if !series(name) {
			continue
		}
		if dir := path.Dir(name); dir != "." {
			name = dir + "/*"
		}
		patterns = append(patterns, name)
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// noWorkflow says that there is no such file, and which there are.
func (c checkout) noWorkflow(name string) error {
	found, _ := filepath.Glob(filepath.Join(c.top, ".github/workflows/*.y*ml")) // the pattern is a good one
	for i, at := range found {
		found[i] = filepath.Base(at)
	}
	there := "and no workflow at all in .github/workflows"
	if len(found) > 0 {
		there = "there is " + some(found)
	}
	return usagef("--into: no such workflow: " + name + "; " + there)
}
