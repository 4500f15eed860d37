package command

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// findRun finds the run that built the version: of those that ended well, the
// newest that is of a tag of the version, or of a commit whose lock file declares
// it. It only chooses: what the run made is judged like that of any other, and
// must be of the version.
func (p policy) findRun(ctx context.Context, s Streams, version dist.Version) ([]string, error) {
	client, err := p.github(s)
	if err != nil {
		return nil, err
	}
	t := p.table.Build
	built, err := client.Built(ctx, t.Repository, t.Workflow)
	if err != nil {
		return nil, err
	}
	for _, run := range built {
		is, err := p.isOfVersion(ctx, client, run, version)
		if err != nil {
			return nil, err
		}
		if is {
			url := workflows.Run{Repository: t.Repository, ID: run.ID}.URL()
			printer{s.Err}.outcome("found", url+", of "+run.Ref+" ("+run.Commit+")")
			return []string{strconv.FormatInt(run.ID, 10)}, nil
		}
	}
	return nil, rule.Refusals{{File: t.Workflow + " of " + t.Repository, Rule: rule.RunMissing,
		Want: "a run that ended well, of a tag of " + version.String() + " or of a commit whose " + staging.LockFile + " declares it",
		Got:  "none among the newest " + plural(len(built), "run"),
		Hint: "start the build, or wait for its end; name a run of another kind by its number, with --run"}}
}

func (p policy) isOfVersion(ctx context.Context, client *workflows.Client, run workflows.Built, version dist.Version) (bool, error) {
	for _, pattern := range p.table.Build.Refs {
		name, tag := strings.CutPrefix(pattern, "refs/tags/")
		prefix, _, _ := strings.Cut(name, "*")
		if admitted, _ := path.Match(name, run.Ref); !tag || !admitted {
			continue
		}
		if v, err := dist.ParseVersion(strings.TrimPrefix(run.Ref, prefix)); err == nil && v.Equal(version) {
			return true, nil
		}
	}
	if !admits(p.table.Build.Refs, "refs/heads/"+run.Ref) {
		return false, nil
	}
	raw, err := client.File(ctx, workflows.Repository{Name: p.table.Build.Repository, Head: run.Commit}, staging.LockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	lock, err := staging.DecodeLock(staging.LockFile, raw)
	if err != nil {
		return false, nil // no lock of this version; a run that is named is judged by it
	}
	v, err := dist.ParseVersion(lock.Version)
	return err == nil && v.Equal(version), nil
}

// mustBe refuses a release of another version than was asked for.
func (from source) mustBe(m staging.Manifest) error {
	got, err := dist.ParseVersion(m.Version)
	if err != nil || from.version.IsZero() || got.Equal(from.version) {
		return err
	}
	return rule.Refusals{{File: m.Project, Rule: rule.VersionAsked, Want: "version " + from.version.String(), Got: m.Version,
		Hint: "name the run that built " + from.version.String() + " with --run, or ask for the version that was built"}}
}
