package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// rebuilt compares the release with a second build of it in a folder, or is nil
// where no folder is named.
func (r release) rebuilt(ctx context.Context, dir string) (*approval.Rebuild, error) {
	if dir == "" {
		return nil, nil
	}
	found, err := attest.Find([]string{dir}, nil)
	if err != nil {
		return nil, err
	}
	staged := r.staged.Files()
	b := &approval.Rebuild{Files: make([]approval.Rebuilt, len(staged))}
	for _, path := range found.Distributions {
		same := func(f attest.Verified) bool { return f.File().Name() == filepath.Base(path) }
		if !slices.ContainsFunc(staged, same) {
			b.Extra = append(b.Extra, filepath.Base(path))
		}
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range staged {
		work.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			b.Files[i], err = r.again(f, filepath.Join(dir, f.File().Name()))
			return err
		})
	}
	err = work.Wait()
	b.Judge()
	return b, err
}

// again compares one staged file with its second build. A second build that is
// not there, or is no distribution, is not compared.
func (r release) again(f attest.Verified, path string) (approval.Rebuilt, error) {
	result := approval.Rebuilt{Name: f.File().Name()}
	second, err := attest.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		result.Gap = "the second build has no such file"
		return result, nil
	}
	if err == nil {
		defer second.Close()
		err = r.compare(&result, f, second)
	}
	var no rule.Refusals
	if errors.As(err, &no) {
		result.Gap, err = fmt.Sprintf("%s: want %s, got %s", no[0].Rule, no[0].Want, no[0].Got), nil
	}
	return result, err
}

func (r release) compare(result *approval.Rebuilt, f attest.Verified, second interface {
	io.Reader
	io.ReaderAt
}) error {
	file, err := dist.Copy(io.Discard, second, f.File().Name(), dist.MaxSize)
	if err != nil {
		return err
	}
	result.Digest = file.Digest()
	first, err := r.store.Blobs().ReaderAt(f.File())
	if err != nil {
		return err
	}
	defer first.Close()
	likeness, members, err := dist.Compare(first, f.File(), second, file)
	if err == nil {
		result.Differ(likeness, members)
	}
	return err
}

// rebuilt says how the second build came out.
func (p printer) rebuilt(b *approval.Rebuild) {
	if b == nil {
		return
	}
	p.line("built again")
	count := map[dist.Likeness]int{}
	for _, f := range b.Files {
		count[f.Result]++
	}
	p.field("identical", fmt.Sprintf("%s, and %d more but for times, order, ownership and compression",
		plural(count[dist.Identical], "file"), count[dist.Normalised]))
	for _, f := range b.Findings {
		p.finding(f)
	}
	for _, f := range b.Files {
		for _, m := range f.Members {
			p.line("  %s: %s", f.Name, m.Path)
			p.field("release", m.One)
			p.field("again", m.Two)
		}
		if f.More > 0 {
			p.line("  %s: %s more", f.Name, plural(f.More, "member"))
		}
	}
	p.line("")
}
