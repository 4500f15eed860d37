package command

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// namesFrom lists the distributions of a folder, of a release on an index, or of
// what a workflow run left behind.
func namesFrom(ctx context.Context, s Streams, file, source string) (names []string, err error) {
	if repository, id, err := workflows.ParseRunURL(source); err == nil {
		return namesOfRun(ctx, s, file, repository, id)
	}
	if index, release, ok := strings.Cut(source, ":"); ok {
		if project, version, ok := strings.Cut(release, "=="); ok {
			return namesOn(ctx, file, index, project, version)
		}
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() {
		return nil, usagef(source + " is a file; name the folder of all the release's files")
	}
	found, err := attest.Find([]string{source}, nil)
	if err != nil {
		return nil, err
	}
	for _, path := range found.Distributions {
		names = append(names, filepath.Base(path))
	}
	return names, nil
}

// namesOn asks an index. PyPI and TestPyPI need no policy, so that one can begin
// with their releases.
func namesOn(ctx context.Context, file, name, project, version string) ([]string, error) {
	var p policy
	if name != "pypi" && name != "testpypi" {
		var err error
		if p, err = sketch(ctx, file, false); err != nil {
			return nil, err
		}
		if name, err = p.indexName(name); err != nil {
			return nil, err
		}
	}
	index, err := p.index(name)
	if err != nil {
		return nil, err
	}
	normal, err := dist.NormalizeName(project)
	if err != nil {
		return nil, usageError{err}
	}
	v, err := dist.ParseVersion(version)
	if err != nil {
		return nil, usageError{err}
	}
	return publish.Names(ctx, index, normal, v)
}

// sketch is a policy that is not judged, for where it says things are. Where one
// can do without, it need not be there.
func sketch(ctx context.Context, file string, without bool) (policy, error) {
	p := policy{file: file, from: inFolder(filepath.Dir(file))}
	raw, err := p.read(ctx, filepath.Base(file))
	if errors.Is(err, fs.ErrNotExist) && without {
		return p, nil
	}
	if err != nil {
		return p, policyFault(err)
	}
	if err := decodePolicy(file, raw, &p.table); err != nil {
		return p, usageError{err}
	}
	return p, nil
}

// namesOfRun lists the distributions in a run's artifacts. The names stand inside
// of them, so all are fetched, into a folder that goes again.
func namesOfRun(ctx context.Context, s Streams, file, repository string, id int64) (names []string, err error) {
	p, err := sketch(ctx, file, true)
	if err != nil {
		return nil, err
	}
	client, err := p.github(s)
	if err != nil {
		return nil, err
	}
	run, err := client.Run(ctx, repository, id)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "distgate-init-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := staging.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	fetching := newFetching(s)
	got, err := client.Collect(ctx, []workflows.Run{run}, p.selection(staging.Policy{}), store.Blobs(), fetching.event)
	if err != nil {
		return nil, err
	}
	fetching.bar.finish()
	var no rule.Refusals
	for _, c := range got.Candidates {
		no = append(no, c.Refused...)
		names = append(names, c.File.Name())
	}
	return names, no.Err()
}

// parseNames reads all of the names, and refuses all that are none.
func parseNames(names []string) (files []dist.Filename, err error) {
	var no rule.Refusals
	for _, name := range names {
		f, err := dist.ParseFilename(name)
		var refused rule.Refusals
		if errors.As(err, &refused) {
			no = append(no, refused...)
		} else if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, no.Err()
}
