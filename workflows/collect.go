package workflows

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// parallel is how many artifacts are fetched and opened at once.
const parallel = 4

// maxBundleBytes bounds the bundles of all artifacts together, which are in
// memory at once.
const maxBundleBytes = 256 << 20

// Selection says what of some runs belongs to a release.
type Selection struct {
	Artifacts []string               // patterns of artifact names, as [path.Match] has them
	LeaveOut  func(name string) bool // files that must not ship, by base name; nil is none
}

// Collected is what some runs left behind for a release.
type Collected struct {
	Candidates []attest.Candidate // distributions with the bundles found for them, and refusals
	Artifacts  []Artifact         // that were opened, in the order of runs and names
	Superseded []Artifact         // that were not: a newer one of the same run has their name
	Replaced   []Replacement      // distributions of earlier runs that a later one has too
	Others     []Member           // that are neither a distribution nor a bundle; nobody looked into them
	LeftOut    []Member           // that must not ship; nobody looked into them
	Archives   []dist.File        // zips in the store that nothing names; remove them when they are staged
}

// Member is a file of an artifact.
type Member struct {
	Run      int64  `json:"run"`
	Artifact string `json:"artifact"`
	Path     string `json:"path"` // in the artifact
}

// Name is the file's base name.
func (m Member) Name() string { return path.Base(m.Path) }

// key is where the member lies, among all members. Artifacts of one unzipped
// file lie beside each other.
func (m Member) key(zipped bool) string {
	folder := ""
	if zipped {
		folder = m.Artifact
	}
	return fmt.Sprintf("%d/%s/%s", m.Run, folder, m.Path)
}

// Replacement is a distribution of which a later run has another.
type Replacement struct {
	Name   string      `json:"name"`
	Was    dist.Digest `json:"was"`
	WasRun int64       `json:"wasRun"`
	Is     dist.Digest `json:"is"`
	IsRun  int64       `json:"isRun"`
}

// collector is one call of Collect.
type collector struct {
	client   *Client
	what     Selection
	into     *blob.Store
	progress func(Event)
	bundles  atomic.Int64 // bytes
}

// Collect fetches the artifacts that are wanted of the runs, four at a time,
// puts every distribution in them into the store and joins it with its bundles.
// Where several runs have a file of one name, the run that is named later wins.
// Whatever cannot be taken for what it should be becomes a candidate that is
// refused. The error is for what could not be read or reached; what has come so
// far stays in the store, and the next call does not fetch it again.
func (c *Client) Collect(
	ctx context.Context, runs []Run, what Selection, into *blob.Store, progress func(Event),
) (Collected, error) {
	if len(runs) == 0 || into == nil {
		return Collected{}, errors.New("collect: no run, or no store")
	}
	listed := make([][]Artifact, len(runs))
	for i, r := range runs {
		if slices.ContainsFunc(runs[:i], func(other Run) bool { return other.ID == r.ID }) {
			return Collected{}, fmt.Errorf("collect: run %d is named twice", r.ID)
		}
		var err error
		if listed[i], err = c.Artifacts(ctx, r); err != nil {
			return Collected{}, err
		}
	}
	chosen := choose(runs, listed, what.Artifacts)
	got, err := c.Fetch(ctx, chosen.chosen, what, into, progress)
	if err != nil {
		return Collected{}, err
	}
	got.Superseded = chosen.superseded
	if len(chosen.refused) > 0 {
		got.Candidates = append(got.Candidates, attest.Candidate{Refused: chosen.refused})
	}
	return got, nil
}

// Fetch is [Client.Collect] of artifacts that are known by id and digest: what an
// artifact is now called, and whether a newer one has its name, is not asked.
func (c *Client) Fetch(
	ctx context.Context, artifacts []Artifact, what Selection, into *blob.Store, progress func(Event),
) (Collected, error) {
	if into == nil {
		return Collected{}, errors.New("fetch: no store")
	}
	work := &collector{client: c, what: what, into: into, progress: oneByOne(progress)}
	contents, err := work.all(ctx, artifacts)
	if err != nil {
		return Collected{}, err
	}
	got := merge(contents)
	got.Artifacts = artifacts
	return got, nil
}

// contents is what one artifact held.
type contents struct {
	archive dist.File // the zip; zero for one unzipped file
	files   []distribution
	bundles attest.BundleFiles
	others  []Member
	leftOut []Member
	refused rule.Refusals
}

// distribution is a file that was taken in and opened.
type distribution struct {
	member Member
	key    string
	file   dist.File
	info   dist.Info
}

func (c *collector) all(ctx context.Context, artifacts []Artifact) ([]contents, error) {
	var total int64
	for _, a := range artifacts {
		total += a.Size
	}
	c.progress(Event{Step: Chosen, Size: total})
	list := make([]contents, len(artifacts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, a := range artifacts {
		group.Go(func() error {
			list[i].bundles = attest.BundleFiles{}
			err := c.artifact(ctx, a, &list[i])
			var refused rule.Refusals
			if errors.As(err, &refused) {
				list[i].refused = append(list[i].refused, refused...)
				err = nil
			}
			if err == nil {
				c.progress(Event{Step: Opened, Artifact: a.Name, Done: a.Size, Size: a.Size})
			}
			return err
		})
	}
	return list, group.Wait()
}

// artifact fetches one artifact and takes in what is in it. A refusal as the
// error is one of the artifact as a whole.
func (c *collector) artifact(ctx context.Context, a Artifact, into *contents) error {
	p, err := c.fetch(ctx, a)
	if err != nil {
		return err
	}
	if p.name != "" {
		return c.lone(ctx, a, p, into)
	}
	into.archive = p.file
	r, err := c.into.ReaderAt(p.file)
	if err != nil {
		return err
	}
	defer r.Close()
	members, err := openZip(a.Name, r, p.file.Size())
	if err != nil {
		return err
	}
	for _, f := range members {
		m := Member{Run: a.Run, Artifact: a.Name, Path: f.Name}
		if err := into.judge(c.member(ctx, m, f, into)); err != nil {
			return err
		}
	}
	return nil
}

// judge keeps what a step refused, so that the others go on.
func (into *contents) judge(err error) error {
	var refused rule.Refusals
	if errors.As(err, &refused) {
		into.refused = append(into.refused, refused...)
		return nil
	}
	return err
}

// member takes in one file of a zip.
func (c *collector) member(ctx context.Context, m Member, f *zip.File, into *contents) error {
	switch {
	case c.leftOut(m.Name()):
		into.leftOut = append(into.leftOut, m)
		return nil
	case !dist.IsDistribution(m.Name()) && !attest.IsBundleFile(m.Name()):
		into.others = append(into.others, m)
		return nil
	}
	content, err := f.Open()
	if err != nil {
		return broken(m.Artifact, err)
	}
	defer content.Close()
	size := int64(min(f.UncompressedSize64, uint64(dist.MaxSize)))
	if attest.IsBundleFile(m.Name()) {
		err = c.bundle(m, m.key(true), content, into)
	} else {
		var file dist.File
		if file, err = c.into.Put(ctx, content, m.Name(), size); err == nil {
			err = c.distribution(m, m.key(true), file, into)
		}
	}
	if err == nil || errors.As(err, new(rule.Refusals)) {
		return err
	}
	return broken(m.Artifact, err)
}

// lone takes in an artifact that is one file.
func (c *collector) lone(ctx context.Context, a Artifact, p parcel, into *contents) error {
	m := Member{Run: a.Run, Artifact: a.Name, Path: p.name}
	switch {
	case p.leftOut:
		into.leftOut = append(into.leftOut, m)
	case dist.IsDistribution(p.name):
		return c.distribution(m, m.key(false), p.file, into)
	case attest.IsBundleFile(p.name):
		r, err := c.into.Reader(p.file.Digest(), p.file.Size(), p.name)
		if err != nil {
			return err
		}
		defer r.Close()
		return c.bundle(m, m.key(false), r, into)
	default:
		into.others = append(into.others, m)
	}
	return ctx.Err()
}

func (c *collector) leftOut(name string) bool { return c.what.LeaveOut != nil && c.what.LeaveOut(name) }

// distribution opens a file that is in the store.
func (c *collector) distribution(m Member, key string, file dist.File, into *contents) error {
	r, err := c.into.ReaderAt(file)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := dist.Inspect(r, file)
	if err == nil {
		into.files = append(into.files, distribution{m, key, file, info})
	}
	return err
}

// bundle parses a bundle file.
func (c *collector) bundle(m Member, key string, r io.Reader, into *contents) error {
	read := &io.LimitedReader{R: r, N: attest.MaxBundleFile + 1}
	bundles, err := attest.ParseBundles(m.Name(), read)
	if c.bundles.Add(attest.MaxBundleFile+1-read.N) > maxBundleBytes {
		return tooLarge(m.Artifact, fmt.Sprintf("at most %d bytes of bundles in all artifacts", maxBundleBytes))
	}
	into.bundles[key] = bundles
	return err
}

// merge joins what the artifacts held: a file with its bundles, wherever those
// are, and of files of one name in several runs the last run's.
func merge(list []contents) (got Collected) {
	bundles := attest.BundleFiles{}
	last := map[string]distribution{} // by file name: that of the last run
	for _, held := range list {
		maps.Copy(bundles, held.bundles)
		got.Others, got.LeftOut = append(got.Others, held.others...), append(got.LeftOut, held.leftOut...)
		if len(held.refused) > 0 {
			got.Candidates = append(got.Candidates, attest.Candidate{Refused: held.refused})
		}
		for _, d := range held.files {
			last[d.file.Name()] = d
		}
	}
	for _, held := range list {
		for _, d := range held.files {
			if now := last[d.file.Name()]; now.member.Run != d.member.Run {
				got.Replaced = append(got.Replaced, Replacement{Name: d.file.Name(), Was: d.file.Digest(),
					WasRun: d.member.Run, Is: now.file.Digest(), IsRun: now.member.Run})
				continue
			}
			got.Candidates = append(got.Candidates,
				attest.Candidate{File: d.file, Info: d.info, Bundles: bundles.About(d.key, d.file)})
		}
	}
	got.Archives = archives(list)
	return got
}

// archives are the zips that no candidate is: one could have the very bytes of
// a wheel.
func archives(list []contents) (zips []dist.File) {
	named := map[dist.Digest]bool{}
	for _, held := range list {
		for _, d := range held.files {
			named[d.file.Digest()] = true
		}
	}
	for _, held := range list {
		if z := held.archive; !z.IsZero() && !named[z.Digest()] {
			zips = append(zips, z)
		}
	}
	slices.SortFunc(zips, func(a, b dist.File) int { return cmp.Compare(a.Digest().Hex(), b.Digest().Hex()) })
	return slices.CompactFunc(zips, func(a, b dist.File) bool { return a.Digest() == b.Digest() })
}
