package command

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
)

// demanded is the word by which the policy refuses members that the source does
// not explain; else they are something to look at.
const demanded = "refuse"

// checkMatch judges what the table says of members that the source does not have.
func (t sourceTable) checkMatch(p policy) error {
	if t.Unexplained != "" && t.Unexplained != "look" && t.Unexplained != demanded {
		return p.refuse("source.unexplained", `"look" or "refuse"`, t.Unexplained)
	}
	for _, pattern := range t.Generated {
		if !doublestar.ValidatePattern(pattern) || strings.Trim(pattern, "*?/.") == "" {
			return p.refuse("source.generated", "patterns of what the build makes, as widget/_version.py or **/*.c", pattern)
		}
	}
	return nil
}

// match looks for every member of the release in the tree of its source commit.
// What GitHub does not say is a gap in it.
func (r release) match(ctx context.Context, s Streams) (approval.Match, error) {
	from := r.staged.Manifest().Source.Upstream
	if from == nil {
		return approval.Unmatched("the policy has no [source]"), nil
	}
	client, err := r.policy.github(s)
	if err != nil {
		return approval.Match{}, err
	}
	source, err := client.Source(ctx, from.Repository, from.Commit)
	if err != nil {
		return approval.Unmatched(err.Error()), ctx.Err()
	}
	t := r.policy.table.Source
	matcher := approval.NewMatcher(approval.Tree{Repository: from.Repository, Commit: from.Commit, Blobs: source.Blobs,
		Substituted: source.Substituted, Missing: source.Missing}, t.Generated)
	tallies := make([]*approval.Tally, len(r.staged.Files()))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range r.staged.Files() {
		tallies[i] = matcher.Tally(f.File().Name(), f.Info().Filename.Kind)
		work.Go(func() error { return r.trace(ctx, f, matcher, tallies[i]) })
	}
	if err := work.Wait(); err != nil {
		return approval.Match{}, err
	}
	return matcher.Match(t.Unexplained == demanded, tallies...), nil
}

func (r release) trace(ctx context.Context, f attest.Verified, matcher *approval.Matcher, tally *approval.Tally) error {
	blob, err := r.store.Blobs().ReaderAt(f.File())
	if err != nil {
		return err
	}
	defer blob.Close()
	return dist.Trace(blob, f.File(), matcher.Wants, func(m dist.Traced) error {
		tally.Add(m)
		return ctx.Err()
	})
}

// wantsMatch tells whether the policy refuses what the source does not explain.
func (p policy) wantsMatch() bool {
	return p.table.Source != nil && p.table.Source.Unexplained == demanded
}

// explained is what votes are counted with: they say that what the source does not
// explain was seen. It refuses a release where the policy wants all explained.
func (r release) explained(ctx context.Context, s Streams) (approval.Match, error) {
	m, err := r.match(ctx, s)
	switch {
	case err != nil:
		return m, err
	case r.policy.wantsMatch():
		return m, m.Err()
	case r.staged.Manifest().Source.Upstream != nil && len(m.Files) == 0:
		return m, fmt.Errorf("whether votes saw what the source does not explain is not known: %s", m.Gaps[0].Why)
	}
	return m, nil
}

// listed is how many unexplained paths a terminal is shown.
const listed = 20

// match says how far the source explains the files together, and what it does
// not: a path that is in many files once.
func (p printer) match(m approval.Match) {
	p.line("\nwhat the source explains")
	if m.Repository != "" {
		p.field("source", m.Repository+" at "+m.Commit)
		p.field("explained", tallied(together(m.Files)))
		p.percents(m.Files)
	}
	files := map[string][]string{}
	var paths []string
	for _, member := range m.Unexplained {
		if files[member.Path] == nil {
			paths = append(paths, member.Path)
		}
		files[member.Path] = append(files[member.Path], member.File)
	}
	for i, path := range paths {
		if i == listed {
			p.field("look", fmt.Sprintf("%d more paths that nothing explains; --json has them", len(paths)-listed))
			break
		}
		in := files[path][0]
		if n := len(files[path]); n > 1 {
			in += fmt.Sprintf(" and %d more", n-1)
		}
		p.field("look", "nothing explains "+path+" in "+in)
	}
	for _, g := range m.Gaps {
		p.field("gap", g.What+": "+g.Why)
	}
	if len(m.Gaps) == 0 && len(m.Unexplained) == 0 && len(m.Files) > 0 {
		p.field("all", "that is in the files is explained")
	}
}

// percents say how much of each file the source has, the least first.
func (p printer) percents(files []approval.Matched) {
	files = slices.SortedStableFunc(slices.Values(files), func(a, b approval.Matched) int { return cmp.Compare(a.Percent(), b.Percent()) })
	for i, f := range files {
		if i == listed {
			p.field(fmt.Sprintf("%d %% up", f.Percent()), fmt.Sprintf("%d files more; --json has them", len(files)-listed))
			break
		}
		p.field(fmt.Sprintf("%d %%", f.Percent()), "as in the source: "+f.File)
	}
}

// together is the sum over files.
func together(files []approval.Matched) (all approval.Matched) {
	for _, f := range files {
		all.Members, all.Identical, all.Moved = all.Members+f.Members, all.Identical+f.Identical, all.Moved+f.Moved
		all.Known, all.Format, all.Generated = all.Known+f.Known, all.Format+f.Format, all.Generated+f.Generated
		all.Native, all.Unexplained = all.Native+f.Native, all.Unexplained+f.Unexplained
	}
	return all
}

// tallied says what explains members, the surest first.
func tallied(f approval.Matched) string {
	var parts []string
	for _, c := range []struct {
		n    int
		text string
	}{
		{f.Identical, "as in the source"}, {f.Moved, "moved"}, {f.Known, "with known differences"}, {f.Format, "of the format"},
		{f.Generated, "generated"}, {f.Native, "native"}, {f.Unexplained, "by nothing"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.text))
		}
	}
	return fmt.Sprintf("of %s %s", plural(f.Members, "member"), strings.Join(parts, ", "))
}
