package publish

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
)

// changesLimit is how long the index may take to tell of earlier releases.
const changesLimit = 3 * time.Minute

// Changes compares a staged release with the newest earlier one that the index
// offers, and a final with its last candidate too. It reads the simple API, the
// metadata beside wheels (PEP 658), the directory at the end of each wheel and
// what stands in it about entry points (by range requests), the whole of the sdist,
// and who published. Whatever cannot be had is a gap in the facts, and
// no error; that ends them where ctx ends, or the release is none. Which releases the
// index has at all is waited for as long as the witness has patience.
func (w Witness) Changes(ctx context.Context, s staging.Staged, blobs *blob.Store) (approval.Changes, error) {
	if err := w.check(s); err != nil {
		return approval.Changes{}, err
	}
	m := s.Manifest()
	version, err := dist.ParseVersion(m.Version)
	if err != nil {
		return approval.Changes{}, err
	}
	c := approval.Changes{Index: m.Index, By: w.Publisher.shown()}
	h, err := w.Index.history(ctx, w.forAnswer(), m.Project, version)
	within, cancel := context.WithTimeout(ctx, changesLimit)
	defer cancel()
	c.Asked = err == nil
	var list []relation
	switch {
	case err != nil:
		c.Gaps = append(c.Gaps, approval.Gap{What: "what changed since the release before", Why: brief(err.Error())})
	case h.first():
		c.First, c.Absent = true, !h.page.listed
	default:
		if list = h.since(); len(list) == 0 {
			c.Gaps = append(c.Gaps, approval.Gap{What: "what changed since the release before", Why: h.none()})
		}
	}
	if err == nil {
		c.Closes = w.Index.closes(h.came)
	}
	for _, earlier := range list {
		since, gaps := comparing{w.Index, blobs, newMetadataOf(w.Index), len(s.Files()) == 1}.release(within, s, earlier)
		since.Provenance, since.Before = h.attestedOf(earlier.version), h.attestedOf(h.before(earlier.version))
		since.Uncompared = len(gaps)
		c.Since, c.Gaps = append(c.Since, since), append(c.Gaps, gaps...)
	}
	c.Judge()
	return c, ctx.Err()
}

// shown is the publisher as an index would call it.
func (p Publisher) shown() approval.Publisher {
	return approval.Publisher{Kind: "GitHub", Repository: p.Repository,
		Workflow: strings.TrimPrefix(p.Workflow, ".github/workflows/"), Environment: p.Environment}
}

// comparing is how a release is compared with an earlier one.
type comparing struct {
	index    *Index
	blobs    *blob.Store // that the staged files are in
	metadata *metadataOf

	sdistAlone bool // the release has no wheels, whose metadata could be compared
}

// match is a staged file and its counterpart, or one of the two.
type match struct {
	ours   attest.Verified
	theirs *served
}

// matches joins what has the same tags, and of the rest what has the same slot.
func matches(ours []attest.Verified, theirs []served) (list []match) {
	left := slices.SortedFunc(slices.Values(theirs), func(a, b served) int { return strings.Compare(a.name, b.name) })
	for _, f := range ours {
		list = append(list, match{ours: f})
	}
	for _, same := range []func(a, b dist.Filename) bool{sameTags, sameSlot} {
		for i, m := range list {
			at := slices.IndexFunc(left, func(s served) bool {
				name, err := dist.ParseFilename(s.name)
				return err == nil && same(m.ours.Info().Filename, name)
			})
			if m.theirs == nil && at >= 0 {
				s := left[at]
				list[i].theirs, left = &s, slices.Delete(left, at, at+1)
			}
		}
	}
	for _, s := range left {
		list = append(list, match{theirs: &s})
	}
	return list
}

func sameTags(a, b dist.Filename) bool {
	return a.Kind == b.Kind && a.Build == b.Build && a.Python == b.Python && a.ABI == b.ABI && a.Platform == b.Platform
}

func sameSlot(a, b dist.Filename) bool {
	return staging.Slot(a) != "" && staging.Slot(a) == staging.Slot(b)
}

// release compares all files, several at once.
func (c comparing) release(ctx context.Context, s staging.Staged, earlier relation) (approval.Since, []approval.Gap) {
	since := approval.Since{Version: earlier.version.String(), Relation: earlier.Relation, Uploaded: earlier.uploaded()}
	list := matches(s.Files(), earlier.files)
	results := make([]compared, len(list))
	var work errgroup.Group
	work.SetLimit(parallel)
	for i, m := range list {
		work.Go(func() error {
			results[i] = c.match(ctx, m)
			return nil
		})
	}
	_ = work.Wait() // none fails: what it could not do is a gap
	var all gathered
	for i, r := range results {
		if s := list[i].theirs; s != nil && s.size != nil {
			since.Bytes += *s.size
		}
		all.add(&since, r)
	}
	all.fill(&since)
	return since, all.gaps
}

// compared is what was found out about one match.
type compared struct {
	change     *approval.FileChange // nil of a file that is gone
	gone       string
	wheel      bool // members of a wheel were compared
	sdist      bool // members of an sdist were
	guessed    bool // metadata were read out of the wheel, which no digest covers
	metadata   []approval.Difference
	entries    []approval.Difference
	members    []approval.MemberChange
	listed     map[bool]int // of members, whether they matter by themselves
	publishers []approval.Publisher
	gaps       []approval.Gap
}

func (r *compared) gap(what string, err error) {
	r.gaps = append(r.gaps, approval.Gap{What: what, Why: brief(err.Error())})
}

// match compares one file with its counterpart.
func (c comparing) match(ctx context.Context, m match) (r compared) {
	if m.theirs != nil && m.theirs.attested != nil {
		var err error
		if r.publishers, err = c.index.publishers(ctx, *m.theirs); err != nil {
			r.gap("who published", err)
		}
	}
	ours := m.ours.File()
	if ours.IsZero() {
		r.gone = m.theirs.name
		return r
	}
	r.change = &approval.FileChange{Name: ours.Name(), Size: ours.Size(), WasSize: -1}
	if m.theirs == nil {
		return r
	}
	r.change.Was = m.theirs.name
	if m.theirs.size != nil {
		r.change.WasSize = *m.theirs.size
	}
	if m.ours.Info().Filename.Kind == dist.Sdist {
		c.sdist(ctx, m, &r)
		return r
	}
	c.wheel(ctx, m, &r)
	return r
}

// wheel compares the members of two wheels, their metadata and entry points.
func (c comparing) wheel(ctx context.Context, m match, r *compared) {
	theirs, err := c.index.archive(ctx, *m.theirs)
	if err != nil {
		r.gap("what changed in wheels", err)
	}
	ours, closer, err := c.archive(m.ours)
	if err != nil {
		r.gap("what changed in staged wheels", err)
		return
	}
	defer closer.Close()
	if theirs != nil {
		r.wheel = true
		r.compare(contents(theirs), contents(ours))
		if r.entries, err = compareEntries(theirs, ours); err != nil {
			r.wheel = false
			r.gap("what changed in entry points", err)
		}
	}
	metadata, guessed, err := c.metadata.of(ctx, *m.theirs, theirs)
	if err != nil {
		r.gap("what changed in metadata", err)
		return
	}
	r.guessed = guessed
	r.metadata = compareMetadata(metadata, m.ours.Info().Metadata)
}

// archive opens a staged wheel, which was inspected when the release was opened.
func (c comparing) archive(f attest.Verified) (*zip.Reader, blob.ReadAtCloser, error) {
	at, err := c.blobs.ReaderAt(f.File())
	if err != nil {
		return nil, nil, err
	}
	z, err := zip.NewReader(at, f.File().Size())
	if err != nil {
		return nil, nil, errors.Join(err, at.Close())
	}
	return z, at, nil
}

// archive reads the directory at the end of a wheel on the index.
func (x *Index) archive(ctx context.Context, s served) (*zip.Reader, error) {
	r, err := newRanged(ctx, x, s)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, r.size)
	if err != nil {
		return nil, err
	}
	return z, nil
}

// gathered is what all files have in common, counted.
type gathered struct {
	metadata, entries counted[approval.Difference]
	members           counted[memberKey]
	sizes             map[memberKey]approval.MemberChange
	publishers        counted[approval.Publisher]
	reasons           counted[approval.Gap]
	gaps              []approval.Gap
	guessed           bool
}

// memberKey is what makes changes of members in several wheels one change.
type memberKey struct {
	name  string
	kind  approval.MemberKind
	isNew bool
	gone  bool
	sdist bool
}

// counted counts equal values, in the order in which they first came, and knows
// in which file each came first.
type counted[T comparable] struct {
	order []T
	times map[T]int
	first map[T]string
}

func (c *counted[T]) add(in string, values ...T) {
	if c.times == nil {
		c.times, c.first = map[T]int{}, map[T]string{}
	}
	for _, v := range values {
		if c.times[v]++; c.times[v] == 1 {
			c.order, c.first[v] = append(c.order, v), in
		}
	}
}

func (g *gathered) add(since *approval.Since, r compared) {
	name := r.gone
	if r.change != nil {
		name = r.change.Name
		since.Files = append(since.Files, *r.change)
	} else {
		since.Gone = append(since.Gone, r.gone)
	}
	if r.wheel {
		since.Wheels++
	}
	since.Sdist = since.Sdist || r.sdist
	g.guessed = g.guessed || r.guessed
	g.metadata.add(name, r.metadata...)
	g.entries.add(name, r.entries...)
	g.publishers.add(name, r.publishers...)
	g.reasons.add(name, r.gaps...)
	if g.sizes == nil {
		g.sizes = map[memberKey]approval.MemberChange{}
	}
	for _, m := range r.members {
		key := memberKey{m.Name, m.Kind, m.Was < 0, m.Now < 0, m.Sdist}
		if g.members.add(name, key); g.members.times[key] == 1 {
			g.sizes[key] = m
		}
	}
}

// maxOthers bounds the members that are listed and that nothing makes special.
const maxOthers = 200

// fill writes what was gathered into the facts.
func (g *gathered) fill(since *approval.Since) {
	since.Metadata, since.EntryPoints = differencesOf(g.metadata), differencesOf(g.entries)
	for _, p := range g.publishers.order {
		n := g.publishers.times[p]
		p.Files = n
		since.Publishers = append(since.Publishers, p)
	}
	slices.SortFunc(g.members.order, func(a, b memberKey) int { return strings.Compare(a.name, b.name) })
	others := 0
	for _, key := range g.members.order {
		m := g.sizes[key]
		m.Files, m.In = g.members.times[key], g.members.first[key]
		if m.Kind == approval.Other {
			if others++; others > maxOthers {
				since.Unlisted++
				continue
			}
		}
		since.Members = append(since.Members, m)
	}
	since.Notes = g.notes(since)
	for _, gap := range g.reasons.order {
		in := g.reasons.first[gap]
		if n := g.reasons.times[gap]; n > 1 {
			in = fmt.Sprintf("%d files, %s first", n, in)
		}
		g.gaps = append(g.gaps, approval.Gap{What: gap.What + " since " + since.Version + " (" + in + ")", Why: gap.Why})
	}
}

func differencesOf(c counted[approval.Difference]) (list []approval.Difference) {
	for _, d := range c.order {
		files, in := c.times[d], c.first[d]
		d.Files, d.In = files, in
		list = append(list, d)
	}
	slices.SortStableFunc(list, func(a, b approval.Difference) int { return strings.Compare(a.Field, b.Field) })
	return list
}

// notes say how far the facts can be believed: a new doubt is a new row.
func (g *gathered) notes(since *approval.Since) (notes []approval.Note) {
	for _, row := range []struct {
		when bool
		note approval.Note
	}{
		{since.Wheels > 0, approval.Note{ID: "earlier-members", Text: "Members and entry points of the earlier wheels " +
			"were read out of the directory at each file's end. No digest covers a part of a file: the index could " +
			"tell them otherwise."}},
		{since.Sdist, approval.Note{ID: "earlier-sdist", Text: "The earlier sdist was downloaded whole. Its digest is the " +
			"one that the index lists."}},
		{g.guessed, approval.Note{ID: "earlier-metadata", Text: "Some metadata of the earlier wheels were read out of the " +
			"wheels, since the index names no digest of them."}},
		{len(since.Publishers) > 0, approval.Note{ID: "earlier-publishers", Text: "Who published the earlier files is the " +
			"index's word. Their attestations were not verified here."}},
	} {
		if row.when {
			notes = append(notes, row.note)
		}
	}
	return notes
}

// metadataOf reads the metadata of earlier wheels, each digest once: most wheels
// of a release have the same.
type metadataOf struct {
	index *Index
	mu    sync.Mutex
	known map[string]func() (dist.Metadata, error)
}

func newMetadataOf(x *Index) *metadataOf {
	return &metadataOf{index: x, known: map[string]func() (dist.Metadata, error){}}
}
