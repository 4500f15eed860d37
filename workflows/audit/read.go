package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Bounds on what is read of a repository.
const (
	maxFile  = 1 << 20 // bytes of a workflow or action
	maxFiles = 2000    // of a repository
)

const workflowDir = ".github/workflows"

// Tree gives the files of a repository at one commit. A path has slashes and
// begins at the repository's root.
type Tree interface {
	// List gives the names in a folder, or none if there is no such folder.
	List(ctx context.Context, dir string) ([]string, error)
	// Read gives a file of at most maxFile bytes, or [fs.ErrNotExist].
	Read(ctx context.Context, path string) ([]byte, error)
}

// Release says where the release graph begins.
type Release struct {
	Workflows []string // paths, as the policy has them; none: see the package
	Alone     bool     // nothing is read but those, with what they call
}

// Files are the workflow files of a repository with what they call. The zero
// value was not read, and nothing holds of it.
type Files struct {
	read  bool
	named bool    // somebody said where the release begins
	all   []*file // by path
	byKey map[string]*file
	gaps  []Gap // of the whole

	beside  []Gap // of what is not of the release
	updates updates
}

// Read reads the workflow files of a repository, and the local actions that
// they use. What cannot be read or understood is kept as such: an error is one
// of the tree as a whole.
func Read(ctx context.Context, tree Tree, release Release) (Files, error) {
	begin, err := release.files(ctx, tree)
	if err != nil {
		return Files{}, err
	}
	r := reader{tree: tree, files: Files{read: true, named: len(release.Workflows) > 0, byKey: map[string]*file{}}}
	for _, at := range begin {
		if _, err := r.load(ctx, at, parseWorkflow); err != nil {
			return Files{}, err
		}
	}
	if len(r.files.all) == 0 {
		r.files.gaps = append(r.files.gaps, Gap{What: "there is no workflow in " + workflowDir})
	}
	for _, at := range release.Workflows {
		if r.files.byKey[at] == nil {
			r.files.gaps = append(r.files.gaps, Gap{File: at, What: "the policy names this workflow, and it is not there"})
		}
	}
	if err := r.follow(ctx); err != nil {
		return Files{}, err
	}
	r.files.mark(release.Workflows)
	if err := r.files.reach(ctx, nil); err != nil {
		return Files{}, err
	}
	r.files.updates = readUpdates(ctx, tree)
	return r.files, nil
}

// files are the workflow files that reading begins with.
func (r Release) files(ctx context.Context, tree Tree) (all []string, err error) {
	if r.Alone {
		return r.Workflows, nil
	}
	names, err := tree.List(ctx, workflowDir)
	slices.Sort(names)
	for _, name := range names {
		if ext := strings.ToLower(path.Ext(name)); ext == ".yml" || ext == ".yaml" {
			all = append(all, workflowDir+"/"+name)
		}
	}
	return all, err
}

// reader reads each file once.
type reader struct {
	tree  Tree
	files Files
}

// load reads and parses one file; nil is one that is not there.
func (r *reader) load(ctx context.Context, at string, parse func(string, []byte) *file) (*file, error) {
	if f, known := r.files.byKey[at]; known {
		return f, nil
	}
	if len(r.files.all) >= maxFiles {
		return nil, fmt.Errorf("want at most %d workflows and actions, got more", maxFiles)
	}
	raw, err := r.tree.Read(ctx, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	f := &file{path: at, own: at}
	switch {
	case err == nil:
		f = parse(at, raw)
	case ctx.Err() != nil:
		return nil, err
	default:
		f.gaps = []Gap{{File: at, What: "it cannot be read: " + err.Error(), Needs: "contents: read"}}
	}
	r.files.all = append(r.files.all, f)
	r.files.byKey[at] = f
	return f, nil
}

// follow reads the actions and workflows that the files use, and theirs.
func (r *reader) follow(ctx context.Context) error {
	for i := 0; i < len(r.files.all); i++ {
		for _, j := range r.files.all[i].jobs {
			if err := r.connect(ctx, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// connect finds what a job and its steps use of the same repository.
func (r *reader) connect(ctx context.Context, j *job) (err error) {
	if at, ok := localPath(value(j.uses)); ok {
		if j.calls, err = r.load(ctx, at, parseWorkflow); err != nil {
			return err
		}
		if j.calls == nil {
			j.file.gaps = append(j.file.gaps, Gap{File: j.file.path, Line: lineOf(j.uses), What: "it calls " + at + ", which is not there"})
		}
	}
	for _, s := range j.steps {
		at, ok := localPath(s.uses())
		if !ok {
			continue
		}
		if s.action, err = r.action(ctx, at); err != nil {
			return err
		}
		if s.action == nil {
			j.file.gaps = append(j.file.gaps, Gap{File: j.file.path, Line: s.line(), What: "it uses the action in " + at + ", which is not there"})
		}
	}
	return nil
}

// action reads the action of a folder.
func (r *reader) action(ctx context.Context, dir string) (*file, error) {
	for _, name := range []string{"action.yml", "action.yaml"} {
		if f, err := r.load(ctx, path.Join(dir, name), parseAction); f != nil || err != nil {
			return f, err
		}
	}
	return nil, nil
}

// localPath is the path of something that is used from the same repository, at
// the same commit: "./path", or "$/path".
func localPath(uses string) (string, bool) {
	for _, before := range []string{"./", "$/"} {
		if rest, ok := strings.CutPrefix(uses, before); ok {
			at := path.Clean(rest)
			return at, at == "." || fs.ValidPath(at)
		}
	}
	return "", false
}

// Checkout is the tree of a folder on disk. Nothing outside the folder is read.
func Checkout(root *os.Root) Tree { return checkout{root} }

type checkout struct{ root *os.Root }

func (c checkout) List(_ context.Context, dir string) ([]string, error) {
	entries, err := fs.ReadDir(c.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (c checkout) Read(_ context.Context, at string) ([]byte, error) {
	info, err := c.root.Stat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("want a file, got a %s", info.Mode().Type())
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("want at most %d bytes, got %d", maxFile, info.Size())
	}
	f, err := c.root.Open(at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("want at most %d bytes, got more", maxFile)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}
