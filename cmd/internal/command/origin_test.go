package command

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// A published file keeps its bytes, and what a run has to say against that is
// refused; a refusal of the run stays one.
func TestFilesAreAddedToAPublishedRelease(t *testing.T) {
	candidate := func(name, body string) attest.Candidate {
		file, err := dist.Copy(io.Discard, strings.NewReader(body), name, 100)
		if err != nil {
			t.Fatal(err)
		}
		return attest.Candidate{File: file}
	}
	published := onto{candidates: []attest.Candidate{candidate("a.whl", "a"), candidate("b.whl", "b")}}
	refused := attest.Candidate{Refused: rule.Refusals{{File: "x", Rule: rule.FileUnknown}}}
	for name, row := range map[string]struct {
		added []attest.Candidate
		files int
		rules []rule.ID
	}{
		"a file more":                {[]attest.Candidate{candidate("c.whl", "c")}, 3, nil},
		"the same file again":        {[]attest.Candidate{candidate("a.whl", "a")}, 2, nil},
		"another file of its name":   {[]attest.Candidate{candidate("a.whl", "other")}, 2, []rule.ID{rule.OntoReplaced}},
		"a file and what is refused": {[]attest.Candidate{candidate("c.whl", "c"), refused}, 3, []rule.ID{rule.FileUnknown}},
	} {
		files, no := 0, rule.Refusals(nil)
		for _, c := range published.join(row.added) {
			if !c.File.IsZero() {
				files++
			}
			var r rule.Refusals
			if errors.As(error(c.Refused), &r) {
				no = append(no, r...)
			}
		}
		if files != row.files || len(no) != len(row.rules) || len(no) > 0 && no[0].Rule != row.rules[0] {
			t.Errorf("%s: got %d files and %v", name, files, no)
		}
	}
}

// Who can write to a store has no other repository's artifacts fetched.
func TestFilesAreFetchedFromTheRepositoryThatBuilds(t *testing.T) {
	p := policy{table: policyFile{Build: buildTable{Repository: "acme/widget"}}}
	for repository, want := range map[string]bool{"acme/widget": true, "Acme/Widget": true, "acme/secret": false, "": false} {
		m := staging.Manifest{Origin: staging.Origin{Artifacts: []staging.Artifact{{Repository: repository, Run: 1, ID: 2, Name: "dist",
			Digest: "sha256:" + strings.Repeat("1", 64)}}}}
		list, err := p.toFetch(m)
		if got := len(list) == 1 && err == nil; got != want || !want && !errors.As(err, new(rule.Refusals)) {
			t.Errorf("%q: got %v, %v", repository, list, err)
		}
	}
}

// Who can write to a store says which artifacts a release came in, and has none of its
// files removed by calling it one of them.
func TestAFileOfTheReleaseIsNoArchiveToRemove(t *testing.T) {
	store, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var both []dist.File
	for _, name := range []string{"widget-1.0-py3-none-any.whl", "artifact.zip"} {
		f, err := store.Put(t.Context(), strings.NewReader(name), name, 100)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, f)
	}
	m := staging.Manifest{Files: []staging.File{{Name: both[0].Name(), Digest: both[0].Digest(), Size: both[0].Size()}}}
	if err := removeArchives(store, both, m); err != nil {
		t.Fatal(err)
	}
	for i, kept := range []bool{true, false} {
		if _, err := store.File(t.Context(), both[i].Digest(), both[i].Size(), both[i].Name()); (err == nil) != kept {
			t.Errorf("%s: want it there %t, got %v", both[i].Name(), kept, err)
		}
	}
}
