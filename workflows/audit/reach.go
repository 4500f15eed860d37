package audit

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/distgate/distgate/workflows"
)

// Content gives a file of any repository at a commit, as [workflows.Client.Content]
// does.
type Content func(ctx context.Context, repository, path, commit string) ([]byte, error)

// origin is another repository than the one that is read, at a commit.
type origin struct{ repository, commit string }

// maxReached is how many workflows and actions of other repositories are read.
const maxReached = 50

// remote is a workflow of another repository, as a job calls it. The owner can be an
// account that a company manages, which has an underscore.
var remote = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+)/(\.github/workflows/[^@]+)@(.+)$`)

// reach reads the workflows of other repositories that are called, with what they
// call, each at the commit that it is pinned to; those that the release calls come
// first. What is not read is a gap of who calls it: without anybody to ask, all of
// them.
func (f *Files) reach(ctx context.Context, content Content) error {
	reached := 0
	for _, release := range []bool{true, false} {
		for i := 0; i < len(f.all); i++ {
			if file := f.all[i]; file.release == release {
				file.unread = nil
				for _, j := range file.jobs {
					f.reachFrom(ctx, content, j, &reached)
				}
				file.unread = append(file.unread, file.borrowed()...)
			}
		}
	}
	return ctx.Err()
}

// reachFrom reads the workflow of another repository that a job calls, if it does.
func (f *Files) reachFrom(ctx context.Context, content Content, j *job, reached *int) {
	from, at, gap := j.file.called(value(j.uses))
	if at == "" && gap == "" {
		return
	}
	unread := Gap{File: j.file.path, Line: lineOf(j.uses), What: "what it calls of another repository was not read", Needs: AskGitHub}
	if gap == "" && content == nil {
		j.file.unread = append(j.file.unread, unread)
		return
	}
	if *reached++; gap == "" && *reached > maxReached {
		gap = fmt.Sprintf("more than %d workflows of other repositories are called", maxReached)
	}
	if gap == "" {
		j.calls, gap = f.far(ctx, content, from, at, j.file)
	}
	if gap != "" {
		unread.What, unread.Needs = value(j.uses)+": "+gap, "contents: read"
		j.file.unread = append(j.file.unread, unread)
	}
}

// called says what of another repository a job calls, or why that cannot be known.
func (f *file) called(uses string) (from origin, at, gap string) {
	if local, ok := localPath(uses); ok {
		if f.origin == (origin{}) {
			return origin{}, "", ""
		}
		return f.origin, local, ""
	}
	m := remote.FindStringSubmatch(uses)
	switch {
	case uses == "":
		return origin{}, "", ""
	case m == nil:
		return origin{}, "", "want OWNER/NAME/.github/workflows/FILE@COMMIT"
	case !commitForm.MatchString(m[3]):
		return origin{}, "", "nobody knows which commit the name means when it runs"
	}
	return origin{m[1], m[3]}, m[2], ""
}

// far reads a workflow of another repository, each once. It is judged with the
// settings of who calls it, as GitHub runs it.
func (f *Files) far(ctx context.Context, content Content, from origin, at string, caller *file) (*file, string) {
	key := from.repository + "/" + at + "@" + from.commit
	if known := f.byKey[key]; known != nil {
		return known, ""
	}
	raw, err := content(ctx, from.repository, at, from.commit)
	if err != nil {
		return nil, "it cannot be read: " + err.Error()
	}
	got := parseWorkflow(at+" "+At{Repository: from.repository, Commit: from.commit}.where(), raw)
	got.origin, got.release, got.elsewhere = from, caller.release, caller.elsewhere
	f.all = append(f.all, got)
	f.byKey[key] = got
	return got, ""
}

// borrowed are the actions that a workflow of another repository takes by a path:
// they are whatever lies there when it runs.
func (f *file) borrowed() (gaps []Gap) {
	if f.origin == (origin{}) {
		return nil
	}
	for _, j := range f.jobs {
		for _, s := range j.steps {
			if local, ok := localPath(s.uses()); ok {
				gaps = append(gaps, Gap{File: f.path, Line: s.line(), What: "the action in " + local + " was not read"})
			}
		}
	}
	return gaps
}

var nestedUses = Rule{
	ID:    "nested-uses",
	Title: "what a pinned action uses is pinned, too",
	Why: "The pin of an action holds its own files, and not the actions that those use by a tag. The tag of reviewdog's action, " +
		"which tj-actions used, was moved first (2025): who had pinned tj-actions ran the thief's code all the same.",
	Looks: InAction,
	Fix:   "Take a version of the action that pins what it uses, or use something else; ask its maintainers to pin.",
	judge: func(f Facts) judgement {
		_, gaps := f.seen(releaseGraph)
		j := judgement{gaps: gaps}
		for _, n := range f.Files.nested() {
			j.applies = true
			known := f.Nested[n.spot.Got]
			if !known.Known() {
				j.gaps = append(j.gaps, unseen(n.spot.Got, known.Gap, known.Needs))
			}
			for _, inner := range known.Value {
				spot := n.spot
				spot.Got += " uses " + inner
				j.spots = append(j.spots, spot)
			}
		}
		return j
	},
}

// nested are the places where the release graph uses a pinned action of another
// repository.
func (f Files) nested() (all []use) {
	for _, file := range f.all {
		for _, j := range file.jobs {
			for _, s := range j.steps {
				if file.release && s.uses() != "" {
					all = file.use(all, s.uses(), s.spot(s.uses()))
				}
			}
		}
	}
	return all
}

// lookInside reads each pinned action of the release graph, for what it uses
// itself that is not pinned.
func lookInside(ctx context.Context, content Content, f Files) map[string]workflows.Seen[[]string] {
	var all []string
	for _, n := range f.nested() {
		if !slices.Contains(all, n.spot.Got) {
			all = append(all, n.spot.Got)
		}
	}
	known := map[string]workflows.Seen[[]string]{}
	var mu sync.Mutex
	var work sync.WaitGroup
	free := make(chan struct{}, 4)
	for _, uses := range all[:min(len(all), maxReached)] {
		work.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			seen := workflows.See("contents: read", func() ([]string, error) { return inside(ctx, content, uses) })
			mu.Lock()
			defer mu.Unlock()
			known[uses] = seen
		})
	}
	work.Wait()
	return known
}

// inside are what an action at a commit uses that is not pinned.
func inside(ctx context.Context, content Content, uses string) (names []string, err error) {
	name, commit, _ := strings.Cut(uses, "@")
	parts := append(strings.SplitN(name, "/", 3), "")
	repository := parts[0] + "/" + parts[1]
	var raw []byte
	for _, file := range []string{"action.yml", "action.yaml"} {
		if raw, err = content(ctx, repository, path.Join(parts[2], file), commit); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	f := parseAction(name, raw)
	if len(f.gaps) > 0 {
		return nil, fmt.Errorf("%s", f.gaps[0].What)
	}
	for _, j := range f.jobs {
		for _, s := range j.steps {
			image := strings.HasPrefix(s.uses(), "docker://")
			if s.uses() != "" && (unpinned(s.uses()) || image && !digestForm.MatchString(s.uses())) {
				names = append(names, s.uses())
			}
		}
	}
	return names, nil
}
