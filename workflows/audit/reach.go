package audit

import (
	"context"
	"fmt"
	"regexp"
	"sync"

	"github.com/distgate/distgate/workflows"
)

// Content gives a file of any repository at a commit, as [workflows.Client.Content]
// does.
type Content func(ctx context.Context, repository, path, commit string) ([]byte, error)

// asked is the content that is asked for once, whatever comes of it.
func asked(content Content) Content {
	type answer struct {
		once sync.Once
		raw  []byte
		err  error
	}
	var answers sync.Map
	return func(ctx context.Context, repository, path, commit string) ([]byte, error) {
		kept, _ := answers.LoadOrStore([3]string{repository, path, commit}, new(answer))
		a := kept.(*answer)
		a.once.Do(func() { a.raw, a.err = content(ctx, repository, path, commit) })
		return a.raw, a.err
	}
}

// remotes are other repositories, and how they are asked.
type remotes struct {
	content Content
	pinned  func(ctx context.Context, repository, commit, version string) (bool, error)
	many    func(context.Context, []workflows.ActionAt) map[workflows.ActionAt]workflows.ActionSaid
	tags    map[string]string // commits at which workflows may be called by tag, by how they are called
	at      func(ctx context.Context, repository, commit, tag string) (bool, error)
}

// remotes are what GitHub shows of other repositories, each thing asked for once.
func (f Facts) remotes(c *workflows.Client) *remotes {
	return &remotes{content: asked(c.Content), pinned: c.Pinned, many: c.Actions, tags: f.Tags, at: c.Tagged}
}

// accepted is "" where a workflow that is called by a name is at the commit at which
// the policy takes it, unread, or why it is not.
func (r *remotes) accepted(ctx context.Context, uses string, from origin) (gap string) {
	commit, ok := r.tags[uses]
	if !ok {
		return "nobody knows which commit the name means when it runs"
	}
	switch is, err := r.at(ctx, from.repository, commit, from.commit); {
	case err != nil:
		return "which commit the tag is at cannot be seen: " + err.Error()
	case !is:
		return movedTag + commit
	}
	return ""
}

const movedTag = "the tag is not at "

// origin is another repository than the one that is read, at a commit.
type origin struct{ repository, commit string } // the commit may be a name

// maxReached is how many workflows and actions of other repositories are read.
const maxReached = 50

// remote is a workflow of another repository, as a job calls it. The owner can be an
// account that a company manages, which has an underscore.
var remote = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+)/(\.github/workflows/[^@]+)@(.+)$`)

// reach reads the workflows of other repositories that are called, with what they
// call, each at the commit that it is pinned to; those that the release calls come
// first. What is not read is a gap of who calls it: without anybody to ask, all of
// them.
func (f *Files) reach(ctx context.Context, r *remotes) error {
	reached := 0
	for _, release := range []bool{true, false} {
		for i := 0; i < len(f.all); i++ {
			if file := f.all[i]; file.release == release {
				file.unread = nil
				for _, j := range file.jobs {
					f.reachFrom(ctx, r, j, &reached)
				}
				file.unread = append(file.unread, file.borrowed()...)
			}
		}
	}
	return ctx.Err()
}

// reachFrom reads the workflow of another repository that a job calls, if it does.
func (f *Files) reachFrom(ctx context.Context, r *remotes, j *job, reached *int) {
	from, at, gap := j.file.called(value(j.uses))
	if at == "" && gap == "" {
		return
	}
	unread := Gap{File: j.file.path, Line: lineOf(j.uses), What: "what it calls of another repository was not read", Needs: AskGitHub}
	if gap == "" && r == nil {
		j.file.unread = append(j.file.unread, unread)
		return
	}
	if *reached++; gap == "" && *reached > maxReached {
		gap = fmt.Sprintf("more than %d workflows of other repositories are called", maxReached)
	}
	switch {
	case gap != "":
	case commitForm.MatchString(from.commit):
		j.calls, gap = f.far(ctx, r.content, from, at, j.file)
	default:
		gap = r.accepted(ctx, value(j.uses), from)
		j.fault = gap
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
