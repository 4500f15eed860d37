package staging

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// The way that files came is part of the release, in one order whatever order it
// was told in, and is read back with it.
func TestOriginIsPartOfTheRelease(t *testing.T) {
	w := newWorld(t)
	s := w.empty(t)
	a := Artifact{Repository: "acme/widget", Run: 7, ID: 2, Name: "dist", Digest: dist.Sum([]byte("a")).String(), Size: 1}
	b := Artifact{Repository: "acme/widget", Run: 7, ID: 1, Name: "dist", Superseded: true}
	r := Replacement{Name: "widget-1.0.tar.gz", Was: dist.Sum([]byte("w")), WasRun: 6, Is: dist.Sum([]byte("i")), IsRun: 7}
	verdict := w.verdict(t, w.candidates(t, s, release(t)...)...)
	var staged []Release
	for _, from := range []Origin{{}, {Artifacts: []Artifact{a, b}, Replaced: []Replacement{r}}, {Artifacts: []Artifact{b, a}, Replaced: []Replacement{r}}} {
		one, err := StageFrom(t.Context(), s, w.policy, verdict, from)
		if err != nil {
			t.Fatal(err)
		}
		staged = append(staged, one)
	}
	if staged[0].Digest == staged[1].Digest || staged[1].Digest != staged[2].Digest {
		t.Errorf("got %s, %s, %s", staged[0].Digest, staged[1].Digest, staged[2].Digest)
	}
	again, err := Open(t.Context(), s, staged[1].Digest, w.policy, w.verifier)
	if err != nil {
		t.Fatal(err)
	}
	want := Origin{Artifacts: []Artifact{b, a}, Replaced: []Replacement{r}}
	if diff := cmp.Diff(want, again.Manifest().Origin); diff != "" {
		t.Error(diff)
	}
}

func TestOriginIsPinned(t *testing.T) {
	w := newWorld(t)
	good := Artifact{Repository: "acme/widget", Run: 7, ID: 2, Name: "dist", Digest: dist.Sum([]byte("a")).String(), Size: 1}
	for name, spoil := range map[string]func(*Origin){
		"an artifact without a digest":     func(o *Origin) { o.Artifacts[0].Digest = "" },
		"an artifact without an id":        func(o *Origin) { o.Artifacts[0].ID = 0 },
		"an artifact of no run":            func(o *Origin) { o.Artifacts[0].Run = 0 },
		"an artifact twice":                func(o *Origin) { o.Artifacts = append(o.Artifacts, o.Artifacts[0]) },
		"a file replaced by nothing":       func(o *Origin) { o.Replaced = []Replacement{{Name: "a", WasRun: 1, IsRun: 2}} },
		"files added to something unnamed": func(o *Origin) { o.Onto = "1.0" },
	} {
		o := Origin{Artifacts: []Artifact{good}}
		spoil(&o)
		s := w.empty(t)
		_, err := StageFrom(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...), o)
		if err == nil || errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
