package staging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/rule"
)

// places are repositories with what is asked of them, by "owner/name".
type places map[string]*place

type place struct {
	id       string
	tags     []Tag
	signed   map[string]Signature // commits
	branches map[string][]string  // protected ones, and what they have
	bare     map[string][]string
	files    map[string]string // by commit and name
	takes    []string
	broken   bool
}

var errBroken = errors.New("GitHub does not answer")

func (p places) at(repository string) (*place, error) {
	if at := p[repository]; at != nil && !at.broken {
		return at, nil
	}
	return nil, errBroken
}

func (p places) RepositoryID(_ context.Context, repository string) (string, error) {
	at, err := p.at(repository)
	if err != nil {
		return "", err
	}
	return at.id, nil
}

func (p places) Tags(_ context.Context, repository, prefix string, wanted func(string) bool) (tags []Tag, err error) {
	at, err := p.at(repository)
	if err != nil {
		return nil, err
	}
	for _, t := range at.tags {
		if strings.HasPrefix(t.Name, prefix) && wanted(t.Name) {
			tags = append(tags, t)
		}
	}
	return tags, nil
}

func (p places) Signature(_ context.Context, repository, commit string) (Signature, error) {
	at, err := p.at(repository)
	if err != nil {
		return Signature{}, err
	}
	if s, ok := at.signed[commit]; ok {
		return s, nil
	}
	return unsigned, nil
}

var unsigned = Signature{Reason: "unsigned"}

func (p places) Branch(_ context.Context, repository string, patterns []string, commit, known string) (string, []string, error) {
	at, err := p.at(repository)
	if err != nil {
		return "", nil, err
	}
	find := func(branches map[string][]string) (found []string) {
		for name, commits := range branches {
			fits := slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok })
			if fits && slices.Contains(commits, commit) {
				found = append(found, name)
			}
		}
		slices.Sort(found)
		return found
	}
	protected := find(at.branches)
	if slices.Contains(protected, known) {
		return known, nil, nil
	}
	return append(protected, "")[0], find(at.bare), nil
}

func (p places) File(_ context.Context, repository, name, commit string) ([]byte, error) {
	at, err := p.at(repository)
	if err != nil {
		return nil, err
	}
	raw, ok := at.files[commit+" "+name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return []byte(raw), nil
}

func (p places) Inputs(_ context.Context, repository, workflow, _ string) ([]string, error) {
	at, err := p.at(repository)
	if err != nil {
		return nil, err
	}
	if workflow != ".github/workflows/release.yml" {
		return nil, fmt.Errorf("no workflow %s", workflow)
	}
	return at.takes, nil
}

const other = "00000000000000000000000000000000000000ff"

// sourced is the world with rules for its source, which hold.
func sourced(t *testing.T) (world, *place) {
	w := newWorld(t)
	commit := w.claims.SHA
	at := &place{id: w.claims.RepositoryID, signed: map[string]Signature{}, branches: map[string][]string{"main": {commit}},
		tags: []Tag{{Name: "v1.0", Commit: commit, Object: other, Signature: Signature{true, "valid", "alice@example.org"}}}}
	w.policy.Source = SourceRules{Repository: "acme/widget", RepositoryID: at.id, Tag: "v{version}", Tagged: Before, Signed: true,
		Branches: []string{"main", "maintenance/*"}, Inputs: []string{"vars.FLAGS"}, Keeper: places{"acme/widget": at}}
	return w, at
}

func (w world) stage(t *testing.T) (*Store, Release, error) {
	s := w.empty(t)
	staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
	return s, staged, err
}

// The manifest says what was asked of the source, and Open asks it again.
func TestTheOriginIsAskedAgain(t *testing.T) {
	w, at := sourced(t)
	at.takes = []string{"vars.flags"}
	s, staged, err := w.stage(t)
	check(t, err)
	want := &Upstream{Repository: "acme/widget", RepositoryID: at.id, Commit: w.claims.SHA, Branch: "main", BuildBranch: "main",
		Tag: "v1.0", Tagged: Before, TagObject: other, Signed: "tag", Signature: Signature{true, "valid", "alice@example.org"}, Inputs: []string{"vars.flags"}}
	if diff := cmp.Diff(want, staged.Manifest.Source.Upstream); diff != "" {
		t.Error(diff)
	}
	at.branches["another"] = at.branches["main"] // more branches have it today
	at.branches["maintenance/0"] = at.branches["main"]
	_, err = w.open(t, s, staged.Digest)
	check(t, err)

	at.broken = true
	if _, err := w.open(t, s, staged.Digest); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want that nobody answers", err)
	}
	at.broken = false
	at.tags[0].Commit = other
	_, err = w.open(t, s, staged.Digest)
	refusedBy(t, err, "tag v1.0", rule.SourceTag, w.claims.SHA, other)
	at.tags[0].Commit, at.tags[0].Object = w.claims.SHA, strings.Repeat("1", 40)
	_, err = w.open(t, s, staged.Digest)
	refusedBy(t, err, staged.Digest.String(), rule.ReleaseSame, "tagObject")
	at.tags = nil
	_, err = w.open(t, s, staged.Digest)
	refusedBy(t, err, "v1.0", rule.SourceTag, "nothing")
}

func TestTheSourceIsJudged(t *testing.T) {
	valid := Signature{true, "valid", "alice@example.org"}
	for name, test := range map[string]struct {
		change  func(w *world, at *place)
		refused rule.ID // "" is good
		file    string
	}{
		"as it must be":         {func(*world, *place) {}, "", ""},
		"no tag":                {func(_ *world, at *place) { at.tags = nil }, rule.SourceTag, "v1.0"},
		"a tag of another one":  {func(_ *world, at *place) { at.tags[0].Commit = other }, rule.SourceTag, "tag v1.0"},
		"a tag of no commit":    {func(_ *world, at *place) { at.tags[0].Commit = "" }, rule.SourceTag, "tag v1.0"},
		"another name of it":    {func(_ *world, at *place) { at.tags[0].Name = "v1.0.0" }, rule.SourceTag, "tag v1.0"},
		"two names, one commit": {func(_ *world, at *place) { at.tags = append(at.tags, Tag{Name: "v1.0.0", Commit: at.tags[0].Commit}) }, "", ""},
		"two names, two commits": {func(_ *world, at *place) { at.tags = append(at.tags, Tag{Name: "v1.0.0", Commit: other}) },
			rule.SourceTag, "tag v1.0.0"},
		"a tag of another version": {func(_ *world, at *place) { at.tags = append(at.tags, Tag{Name: "v1.0.1", Commit: other}) }, "", ""},
		"unsigned":                 {func(_ *world, at *place) { at.tags[0].Signature = unsigned }, rule.SourceSigned, "tag v1.0"},
		"a signature that does not hold": {func(_ *world, at *place) { at.tags[0].Signature = Signature{false, "bad_email", ""} },
			rule.SourceSigned, "tag v1.0"},
		"lightweight": {func(_ *world, at *place) { at.tags[0].Object, at.tags[0].Signature = "", unsigned }, rule.SourceSigned, "tag v1.0"},
		"lightweight, of a signed commit": {func(w *world, at *place) {
			at.tags[0].Object, at.signed[w.claims.SHA] = "", valid
		}, rule.SourceSigned, "tag v1.0"},
		"unsigned, and it need not be": {func(w *world, at *place) {
			at.tags[0].Signature, w.policy.Source.Signed = unsigned, false
		}, "", ""},
		"no branch has it":    {func(_ *world, at *place) { at.branches["main"] = nil }, rule.SourceBranch, "commit "},
		"nothing protects it": {func(_ *world, at *place) { at.branches, at.bare = at.bare, at.branches }, rule.SourceBranch, "commit "},
		"another branch":      {func(w *world, at *place) { at.branches = map[string][]string{"evil": {w.claims.SHA}} }, rule.SourceBranch, "commit "},
		"another repository":  {func(_ *world, at *place) { at.id = "666" }, rule.SourceRepository, "acme/widget"},
		"an undeclared input": {func(_ *world, at *place) { at.takes = []string{"inputs.python", "vars.flags"} }, rule.SourceInputs, "release.yml"},
		"tagged after": {func(w *world, at *place) {
			w.policy.Source.Tagged, at.tags, at.signed[w.claims.SHA] = After, nil, valid
		}, "", ""},
		"tagged after, before": {func(w *world, at *place) { w.policy.Source.Tagged, at.signed[w.claims.SHA] = After, valid }, "", ""},
		"tagged after, elsewhere": {func(w *world, at *place) {
			w.policy.Source.Tagged, at.tags[0].Commit, at.signed[w.claims.SHA] = After, other, valid
		}, rule.SourceTag, "tag v1.0"},
		"tagged after, of an unsigned commit": {func(w *world, at *place) { w.policy.Source.Tagged, at.tags = After, nil }, rule.SourceSigned, "commit "},
	} {
		t.Run(name, func(t *testing.T) {
			w, at := sourced(t)
			test.change(&w, at)
			s, staged, err := w.stage(t)
			if test.refused != "" {
				refusedBy(t, err, test.file, test.refused)
				return
			}
			check(t, err)
			_, err = w.open(t, s, staged.Digest)
			check(t, err)
		})
	}
}

// A tag that is made after the release changes nothing of it.
func TestATagThatComesAfterIsNoOtherRelease(t *testing.T) {
	w, at := sourced(t)
	tags := at.tags
	w.policy.Source.Tagged, w.policy.Source.Signed, at.tags = After, false, nil
	s, staged, err := w.stage(t)
	check(t, err)
	at.tags = tags
	_, err = w.open(t, s, staged.Digest)
	check(t, err)
}

// Where the source is another repository, distgate.lock names its commit.
func TestTheLockDeclaresTheSource(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	lock := Lock{Repository: "acme/source", Tag: "v1.0", Commit: commit, Version: "1.0"}
	text := func(change func(*Lock)) string {
		l := lock
		change(&l)
		raw, err := l.Encode()
		check(t, err)
		return string(raw)
	}
	for name, test := range map[string]struct {
		lock    string
		change  func(build, source *place)
		refused rule.ID
		file    string
	}{
		"as it must be":         {lock: text(func(*Lock) {})},
		"none":                  {lock: "", refused: rule.SourceLock, file: LockFile},
		"of another version":    {lock: text(func(l *Lock) { l.Version, l.Tag = "1.1", "v1.1" }), refused: rule.SourceLock, file: LockFile},
		"of another repository": {lock: text(func(l *Lock) { l.Repository = "mallory/source" }), refused: rule.SourceLock, file: LockFile},
		"of another tag":        {lock: text(func(l *Lock) { l.Tag = "v1.0rc1" }), refused: rule.SourceLock, file: LockFile},
		"of another commit":     {lock: text(func(l *Lock) { l.Commit = other }), refused: rule.SourceTag, file: "tag v1.0"},
		"in another encoding":   {lock: text(func(*Lock) {}) + "\n", refused: rule.SourceLock, file: LockFile},
		"equal, otherwise written": {lock: text(func(l *Lock) { l.Version, l.Tag = "1.0.0", "v1.0.0" }),
			change: func(_, source *place) { source.tags[0].Name = "v1.0.0" }},
		"the source is on no branch": {lock: text(func(*Lock) {}), change: func(_, source *place) { source.branches = nil },
			refused: rule.SourceBranch, file: commit},
		"the build is on no branch": {lock: text(func(*Lock) {}), change: func(build, _ *place) { build.branches = nil },
			refused: rule.SourceBranch, file: "commit"},
		"somebody else builds": {lock: text(func(*Lock) {}), change: func(build, _ *place) { build.id = "666" },
			refused: rule.SourceRepository, file: "acme/widget"},
	} {
		t.Run(name, func(t *testing.T) {
			w, build := sourced(t)
			build.tags = nil
			source := &place{id: "77", branches: map[string][]string{"maintenance/1": {commit, other}},
				tags: []Tag{{Name: "v1.0", Commit: commit, Object: other, Signature: Signature{true, "valid", "alice@example.org"}}}}
			w.policy.Source.Repository, w.policy.Source.RepositoryID = "acme/source", "77"
			w.policy.Source.Keeper = places{"acme/widget": build, "acme/source": source}
			if test.lock != "" {
				build.files = map[string]string{w.claims.SHA + " " + LockFile: test.lock}
			}
			if test.change != nil {
				test.change(build, source)
			}
			_, staged, err := w.stage(t)
			if test.refused != "" {
				refusedBy(t, err, test.file, test.refused)
				return
			}
			check(t, err)
			o := staged.Manifest.Source.Upstream
			if !o.Declared || o.Commit != commit || o.Branch != "maintenance/1" || o.BuildBranch != "main" {
				t.Errorf("got %+v", o)
			}
		})
	}
}

func TestALockIsMadeOfATagOrACommit(t *testing.T) {
	w, at := sourced(t)
	r, commit := w.policy.Source, w.claims.SHA
	l, o, err := r.Lock(t.Context(), "v1.0")
	check(t, err)
	if want := (Lock{"acme/widget", "v1.0", commit, "1.0"}); l != want || o.Branch != "main" {
		t.Errorf("got %+v, %+v", l, o)
	}
	for _, tag := range []string{"1.0", "v", "v1.1", "v1.0 ", ""} {
		_, _, err := r.Lock(t.Context(), tag)
		refusedBy(t, err, "tag", rule.SourceTag)
	}
	at.tags[0].Signature = unsigned
	_, _, err = r.Lock(t.Context(), "v1.0")
	refusedBy(t, err, "tag v1.0", rule.SourceSigned)

	r.Tagged, r.Signed, at.tags = After, false, nil
	l, _, err = r.LockCommit(t.Context(), commit, version(t, "1.0.0"))
	check(t, err)
	if want := (Lock{"acme/widget", "v1.0.0", commit, "1.0.0"}); l != want {
		t.Errorf("got %+v", l)
	}
	_, _, err = r.LockCommit(t.Context(), commit[:12], version(t, "1.0"))
	refusedBy(t, err, "commit", rule.SourceLock)
	_, _, err = r.LockCommit(t.Context(), other, version(t, "1.0"))
	refusedBy(t, err, "commit", rule.SourceBranch)
}

// Rules that leave something open are no rules.
func TestSourceRulesAreWhole(t *testing.T) {
	for name, change := range map[string]func(*SourceRules){
		"no repository":      func(r *SourceRules) { r.Repository = "" },
		"no owner":           func(r *SourceRules) { r.Repository = "widget" },
		"no id":              func(r *SourceRules) { r.RepositoryID = "" },
		"no tag":             func(r *SourceRules) { r.Tag = "" },
		"no version in it":   func(r *SourceRules) { r.Tag = "v1.0" },
		"two of them":        func(r *SourceRules) { r.Tag = "{version}{version}" },
		"no word on when":    func(r *SourceRules) { r.Tagged = "" },
		"sometimes":          func(r *SourceRules) { r.Tagged = "sometimes" },
		"no branch":          func(r *SourceRules) { r.Branches = nil },
		"every branch":       func(r *SourceRules) { r.Branches = []string{"*"} },
		"a malformed one":    func(r *SourceRules) { r.Branches = []string{"["} },
		"nobody to be asked": func(r *SourceRules) { r.Keeper = nil },
	} {
		w, _ := sourced(t)
		change(&w.policy.Source)
		_, _, err := w.stage(t)
		if err == nil {
			t.Errorf("%s: staged", name)
			continue
		}
		refusedBy(t, err, "policy", rule.PolicyFiles)
	}
}

func FuzzDecodeLock(f *testing.F) {
	raw, err := Lock{"acme/widget", "v1.0", other, "1.0"}.Encode()
	check(f, err)
	f.Add(raw)
	f.Add([]byte(`{"repository":"a/b"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := DecodeLock("lock", raw)
		if err != nil {
			return
		}
		if again, err := l.Encode(); err != nil || string(again) != string(raw) {
			t.Errorf("%q is read and written %q, %v", raw, again, err)
		}
	})
}
