package staging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestAStoreIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	for range 2 {
		s, err := OpenStore(dir)
		check(t, err)
		if list, malformed, err := s.Releases(t.Context()); list != nil || malformed != nil || err != nil {
			t.Errorf("a new store has %v, %v, %v", list, malformed, err)
		}
	}
}

func TestAStoreThatWasNotFinished(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	check(t, os.Remove(filepath.Join(dirOf(s), layoutFile)))
	again, err := OpenStore(dirOf(s))
	check(t, err)
	_, err = w.open(t, again, staged.Digest)
	check(t, err)
	if list, _, err := again.Releases(t.Context()); len(list) != 1 || err != nil {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestAFolderThatIsNoStore(t *testing.T) {
	for what, make := range map[string]func(dir string) error{
		"other things":         func(dir string) error { return os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o644) },
		"another layout":       layoutOf(`{"imageLayoutVersion":"2.0.0"}`),
		"an empty layout file": layoutOf(""),
		"a huge layout file":   layoutOf(strings.Repeat("x", 1<<20)),
		"a layout folder":      func(dir string) error { return os.Mkdir(filepath.Join(dir, layoutFile), 0o755) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			check(t, make(dir))
			before := ls(t, dir)
			s, err := OpenStore(dir)
			refusedBy(t, err, dir, rule.StoreLayout)
			if s != nil {
				t.Error("there is a store all the same")
			}
			if diff := cmp.Diff(before, ls(t, dir)); diff != "" {
				t.Errorf("the folder was touched:\n%s", diff)
			}
		})
	}
}

func layoutOf(content string) func(string) error {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, layoutFile), []byte(content), 0o644) }
}

func ls(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestAnIndexThatWasChanged(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	check(t, s.Attach(t.Context(), staged.Digest, vote("one")))
	path := filepath.Join(dirOf(s), indexFile)
	whole, err := os.ReadFile(path)
	check(t, err)
	entry := whole[bytes.IndexByte(whole, '[')+1 : bytes.LastIndexByte(whole, ']')]
	for what, raw := range map[string][]byte{
		"empty":               {},
		"truncated":           whole[:len(whole)/2],
		"another type":        []byte(`["x"]`),
		"an empty object":     []byte("{}"),
		"blanks at the end":   append(bytes.Clone(whole), ' '),
		"an entry twice":      bytes.Replace(whole, entry, slices.Concat(entry, []byte(","), entry), 1),
		"an unknown field":    bytes.Replace(whole, []byte(`{`), []byte(`{"x":1,`), 1),
		"no list":             bytes.Replace(whole, slices.Concat([]byte("["), entry, []byte("]")), []byte("null"), 1),
		"a tag that is none":  bytes.Replace(whole, []byte(staged.Digest.Hex()+`.`), []byte("../"), 1),
		"a digest of nothing": bytes.ReplaceAll(whole, []byte(staged.Digest.String()), []byte("sha256:"+strings.Repeat("0", 64))),
		"huge":                append(bytes.Clone(whole), bytes.Repeat([]byte(" "), maxIndex)...),
	} {
		t.Run(what, func(t *testing.T) {
			write(t, path, raw)
			everyDoor(t, s, staged.Digest, func(err error) { refusedBy(t, err, indexFile, rule.StoreIndex) })
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, raw) {
				t.Errorf("it was written over: %v", err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		check(t, os.Remove(path))
		everyDoor(t, s, staged.Digest, func(err error) { refusedBy(t, err, indexFile, rule.StoreIndex, "got nothing") })
	})
	t.Run("a folder", func(t *testing.T) {
		check(t, os.Mkdir(path, 0o755))
		everyDoor(t, s, staged.Digest, func(err error) { refusedBy(t, err, indexFile, rule.StoreIndex) })
	})
}

// everyDoor goes through each function that reads the index.
func everyDoor(t *testing.T, s *Store, release dist.Digest, want func(error)) {
	t.Helper()
	_, _, err := s.Releases(t.Context())
	want(err)
	_, err = s.Resolve(t.Context(), "1.0")
	want(err)
	_, err = s.Resolve(t.Context(), release.String())
	want(err)
	_, _, err = s.Records(t.Context(), release, "vote")
	want(err)
	want(s.Attach(t.Context(), release, vote("two")))
}

func TestATagThatLeadsElsewhere(t *testing.T) { everywhere(t, testATagThatLeadsElsewhere) }

func testATagThatLeadsElsewhere(t *testing.T, w world) {
	s := w.empty(t)
	v := w.verdict(t, w.candidates(t, s, release(t)...)...)
	staged, err := Stage(t.Context(), s, w.policy, v)
	check(t, err)
	elsewhere, err := newImage("application/vnd.example", point(typeEmpty, []byte("{}"), ""), point(typeEmpty, []byte("{}"), "")).encode()
	check(t, err)
	move(t, s, staged.Digest.Hex(), elsewhere)

	_, err = s.Resolve(t.Context(), staged.Digest.String())
	refusedBy(t, err, s.name, rule.StoreTag, staged.Digest.Hex(), dist.Sum(elsewhere).String())
	refusedBy(t, s.Attach(t.Context(), staged.Digest, vote("one")), s.name, rule.StoreTag)
	list, malformed, err := s.Releases(t.Context())
	check(t, err)
	refusedBy(t, malformed, s.name, rule.StoreTag)
	if len(list) != 0 {
		t.Errorf("listed %v", list)
	}
	_, err = Stage(t.Context(), s, w.policy, v)
	refusedBy(t, err, s.name, rule.StoreTag)

	_, err = w.open(t, s, staged.Digest) // by digest, which no tag can change
	check(t, err)
}

func TestResolve(t *testing.T) { everywhere(t, testResolve) }

func testResolve(t *testing.T, w world) {
	s := w.empty(t)
	var releases []dist.Digest
	for _, environment := range []string{"pypi", "testpypi"} { // one version, staged twice
		w.policy.Environment = environment
		staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
		check(t, err)
		releases = append(releases, staged.Digest)
	}
	one, two := releases[0], releases[1]
	for ref, want := range map[string]dist.Digest{
		one.String():                      one,
		one.Hex():                         one,
		one.Hex()[:8]:                     one,
		"sha256:" + two.Hex()[:12]:        two,
		two.String()[:len("sha256:9")+10]: two,
	} {
		if got, err := s.Resolve(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s: got %s, %v", ref, got, err)
		}
	}
	_, err := s.Resolve(t.Context(), "1.0")
	refusedBy(t, err, "1.0", rule.ReleaseKnown, "the one release", "widget 1.0 "+one.String(), "widget 1.0 "+two.String())
	for _, ref := range []string{"", "2.0", one.Hex()[:7], "sha256:", dist.Sum(nil).String(), "../" + one.Hex(), strings.ToUpper(one.Hex())} {
		_, err := s.Resolve(t.Context(), ref)
		refusedBy(t, err, orNothing(ref), rule.ReleaseKnown)
	}

	untag(t, s, two.Hex())
	for _, ref := range []string{"1.0", "v1.0", "1.0.0"} {
		if got, err := s.Resolve(t.Context(), ref); err != nil || got != one {
			t.Errorf("%s: got %s, %v", ref, got, err)
		}
	}
}

func TestReleasesInTheirOrder(t *testing.T) { everywhere(t, testReleasesInTheirOrder) }

func testReleasesInTheirOrder(t *testing.T, w world) {
	s, staged := w.staged(t)
	var want []string
	for _, version := range []string{"1.0rc1", "1.0", "1.9", "1.10"} {
		m := staged.Manifest.clone()
		m.Version = version
		forged := forge(t, s, staged.Digest, m)
		raw, err := s.at.read(t.Context(), forged, maxImage, "forged")
		check(t, err)
		config, err := m.Encode()
		check(t, err)
		check(t, s.at.enter(t.Context(), tagged{tag: forged.Hex(), kind: typeRelease, raw: raw, blobs: [][]byte{config}}))
		want = append(want, version)
	}
	list, malformed, err := s.Releases(t.Context())
	check(t, err)
	var got []string
	for _, r := range list {
		got = append(got, r.Manifest.Version)
	}
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" || malformed != nil {
		t.Errorf("%s%v", diff, malformed)
	}
}

func TestAReleaseThatCannotBeReadHidesNoOther(t *testing.T) {
	everywhere(t, testAReleaseThatCannotBeReadHidesNoOther)
}

func testAReleaseThatCannotBeReadHidesNoOther(t *testing.T, w world) {
	s, staged := w.staged(t)
	for _, raw := range []string{"{}", "", strings.Repeat("[", 1<<20)} {
		plant(t, s, map[string][]byte{dist.Sum([]byte(raw)).Hex(): []byte(raw)})
	}
	list, malformed, err := s.Releases(t.Context())
	check(t, err)
	if len(list) != 1 || len(malformed) != 3 {
		t.Errorf("got %d releases and %d malformed ones, want 1 and 3", len(list), len(malformed))
	}
	if got, err := s.Resolve(t.Context(), staged.Digest.String()); err != nil || got != staged.Digest {
		t.Errorf("by its whole digest: got %s, %v", got, err)
	}
	// Short of that, what cannot be read could be the release that is meant.
	for _, ref := range []string{"1.0", staged.Digest.Hex()[:12]} {
		if _, err := s.Resolve(t.Context(), ref); !errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s: got %v, want a refusal", ref, err)
		}
	}
}

// The layout is not ours alone: whatever reads OCI image layouts reads it.
func TestOrasReadsTheStore(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	for i := range 3 {
		check(t, s.Attach(t.Context(), staged.Digest, vote(fmt.Sprint(i))))
	}
	check(t, s.Attach(t.Context(), staged.Digest, Record{Kind: "receipt", Statement: []byte("{}"), Bundle: []byte("{}")}))

	layout, err := oci.New(dirOf(s))
	check(t, err)
	var tags []string
	check(t, layout.Tags(t.Context(), "", func(list []string) error { tags = append(tags, list...); return nil }))
	if len(tags) != 5 {
		t.Fatalf("got the tags %v, want one release and four records", tags)
	}
	titles := map[string]int{}
	for _, tag := range tags {
		d, err := layout.Resolve(t.Context(), tag)
		check(t, err)
		successors, err := content.Successors(t.Context(), layout, d)
		check(t, err)
		for _, layer := range successors {
			raw, err := content.FetchAll(t.Context(), layout, layer)
			check(t, err)
			if layer.Size != int64(len(raw)) {
				t.Errorf("%s: got %d bytes", layer.Digest, len(raw))
			}
			titles[layer.Annotations[ocispec.AnnotationTitle]]++
		}
	}
	for _, f := range staged.Manifest.Files {
		bundle := "bundles/" + f.Evidence[0].Bundle.Hex() + ".json"
		if titles[f.Name] != 1 || titles[bundle] != 1 {
			t.Errorf("%s and %s: found %d and %d times", f.Name, bundle, titles[f.Name], titles[bundle])
		}
	}
	if titles["policy/distgate.toml"] != 1 || titles["policy/keys/allowed_signers"] != 1 {
		t.Errorf("got the titles %v", titles)
	}

	release, err := layout.Resolve(t.Context(), staged.Digest.Hex())
	check(t, err)
	if release.ArtifactType != typeRelease {
		t.Errorf("got the artifact type %q", release.ArtifactType)
	}
	referrers, err := layout.Predecessors(t.Context(), release)
	if err != nil || len(referrers) != 4 {
		t.Errorf("got %d referrers, %v", len(referrers), err)
	}
}

func TestNoTimeIsInTheStore(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	img, err := os.ReadFile(s.blobPath(staged.Digest))
	check(t, err)
	for _, word := range []string{"created", fmt.Sprint(time.Now().Year()) + "-"} {
		if bytes.Contains(img, []byte(word)) {
			t.Errorf("the artifact says %q:\n%s", word, img)
		}
	}
}

func TestWaitingForTheLockCanBeGivenUp(t *testing.T) {
	w := newWorld(t)
	s, staged := w.staged(t)
	held, done := make(chan bool), make(chan bool)
	go folderOf(s).locked(context.Background(), func() error { held <- true; <-done; return nil })
	<-held
	for wait := 10 * time.Millisecond; ; wait *= 4 { // a slow machine is longer on its way to the lock
		ctx, end := context.WithTimeout(t.Context(), wait)
		err := s.Attach(ctx, staged.Digest, vote("one"))
		end()
		if err != nil && strings.Contains(err.Error(), lockFile) {
			break
		}
		if err == nil || wait > 10*time.Second {
			t.Fatalf("got %v, want to hear of the lock", err)
		}
	}
	close(done)
	check(t, s.Attach(t.Context(), staged.Digest, vote("one")))
}

// BenchmarkOpen is of 72 small files with a bundle each: what is left when the
// hashing of their bytes is taken away.
func BenchmarkOpen(b *testing.B) {
	w, s, staged := benchmarked(b)
	for b.Loop() {
		_, err := Open(b.Context(), s, staged.Digest(), w.policy, w.verifier)
		check(b, err)
	}
}

func BenchmarkStage(b *testing.B) {
	w, s, staged := benchmarked(b)
	candidates, err := s.candidates(b.Context(), staged.Manifest())
	check(b, err)
	v := w.verdict(b, candidates...)
	for b.Loop() {
		b.StopTimer()
		fresh := emptyStore(b)
		for _, f := range staged.Files() {
			r, err := staged.Reader(f.File().Name())
			check(b, err)
			_, err = fresh.Blobs().Put(b.Context(), r, f.File().Name(), dist.MaxSize)
			check(b, err)
			r.Close()
		}
		b.StartTimer()
		_, err := Stage(b.Context(), fresh, w.policy, v)
		check(b, err)
	}
}

// benchmarked is a release of 72 wheels, staged and opened.
func benchmarked(b *testing.B) (world, *Store, Staged) {
	w := newWorld(b)
	s := emptyStore(b)
	var list []attest.Candidate
	files := FileSet{Python: []string{"py3"}}
	for i := range 72 {
		platform := fmt.Sprintf("macosx_%d_0_arm64", 11+i)
		files.Platform = append(files.Platform, platform)
		list = append(list, w.candidates(b, s, wheelOf(b, "widget", "1.0", "py3-none-"+platform))...)
	}
	var err error
	w.policy.Expected, err = Expect(files)
	check(b, err)
	staged, err := Stage(b.Context(), s, w.policy, w.verdict(b, list...))
	check(b, err)
	opened, err := w.open(b, s, staged.Digest)
	check(b, err)
	return w, s, opened
}
