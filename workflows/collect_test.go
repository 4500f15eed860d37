package workflows_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

type member = githubtest.Member

// Whatever way a build lays out its artifacts, its files come out of them with
// their evidence.
func TestArtifactsBecomeCandidates(t *testing.T) {
	for name, upload := range map[string]func(f *forge, bundle string){
		"one artifact": func(f *forge, bundle string) {
			f.upload("wheels", f.member(0, ""), f.member(1, ""), f.member(2, ""), member{Name: "all.jsonl", Content: bundle})
		},
		"one for each file": func(f *forge, bundle string) {
			for i := range f.files {
				f.upload(fmt.Sprint("wheels-", i), f.member(i, ""))
			}
			f.upload("wheels-bundle", member{Name: "all.sigstore.json", Content: bundle})
		},
		"in folders": func(f *forge, bundle string) {
			f.upload("wheels", member{Name: "dist/"}, f.member(0, "dist/"), f.member(1, "dist/"), f.member(2, "sdist/deep/"),
				member{Name: "attestations/a.jsonl", Content: bundle})
		},
		"unzipped": func(f *forge, bundle string) {
			for i := range f.files {
				f.raw(f.member(i, ""))
			}
			f.raw(member{Name: "widget.sigstore.json", Content: bundle})
		},
		"zipped and unzipped": func(f *forge, bundle string) {
			f.upload("wheels", f.member(0, ""), f.member(1, ""))
			f.raw(f.member(2, ""))
			f.upload("wheels-bundle", member{Name: "all.sigstore", Content: bundle})
		},
		"beside each": func(f *forge, bundle string) {
			var members []member
			for i := range f.files {
				members = append(members, f.member(i, "dist/"), member{Name: "dist/" + f.files[i].Name + ".sigstore.json", Content: bundle})
			}
			f.upload("wheels", members...)
		},
		"among others": func(f *forge, bundle string) {
			f.upload("coverage", member{Name: ".coverage", Content: "x"})
			f.upload("wheels", f.member(0, ""), f.member(1, ""), f.member(2, ""), member{Name: "all.jsonl", Content: bundle})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.run()
			upload(f, string(f.provenance(f.files...)))
			got, err := f.collect(f.store(), wanted("w*"))
			f.check(err)
			verdict, err := f.verify(attest.EveryJob, got.Candidates)
			f.check(err)
			f.check(verdict.Err())
			var list []string
			for i, v := range verdict.Verified() {
				list = append(list, v.File().Name())
				if v.File().Digest() != dist.Sum(f.files[i].Raw) || v.Info().Filename.Project != "widget" {
					t.Errorf("%s is %s of %s", v.File().Name(), v.File().Digest(), v.Info().Filename.Project)
				}
			}
			want := []string{f.files[0].Name, f.files[1].Name, f.files[2].Name}
			if diff := cmp.Diff(want, list); diff != "" {
				t.Error(diff)
			}
			if got.Others != nil || got.LeftOut != nil || got.Replaced != nil || got.Superseded != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// What an artifact must not be: each is refused by its rule, and nothing that
// could be staged is left of it.
func TestArtifactsThatAreRefused(t *testing.T) {
	t.Parallel()
	type artifact = githubtest.Artifact
	blob := func(raw []byte) artifact {
		return artifact{Run: runID, Name: "wheels", Blob: bytes.NewReader(raw), Size: int64(len(raw))}
	}
	with := func(a artifact, change func(*artifact)) artifact {
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		make func(f *forge) artifact
		want rule.ID
		got  string
	}{
		"no digest": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Digest = githubtest.NoDigest })
		}, rule.ArtifactDigest, "nothing"},
		"a digest that is none": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Digest = "md5:abc" })
		}, rule.ArtifactDigest, "md5:abc"},
		"another digest": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Digest = dist.Sum([]byte("x")).String() })
		}, rule.ArtifactDigest, "sha256:"},
		"expired": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Expires = time.Now().Add(-time.Hour) })
		}, rule.ArtifactExpired, "one that expired"},
		"too large": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Size, a.Digest = 5<<30, dist.Sum(nil).String() })
		}, rule.ArtifactSize, "5368709120"},
		"another name": {func(f *forge) artifact {
			return with(blob(f.zip(f.member(0, ""))), func(a *artifact) { a.Name = "docs" })
		}, rule.ArtifactMissing, "docs"},
		"no zip":               {func(*forge) artifact { return blob([]byte("not a zip")) }, rule.ArtifactArchive, "zip"},
		"empty":                {func(*forge) artifact { return blob(nil) }, rule.FileSize, "an empty file"},
		"half a zip":           {func(f *forge) artifact { z := f.zip(f.member(0, "")); return blob(z[:len(z)/2]) }, rule.ArtifactArchive, "zip"},
		"more at its end":      {func(f *forge) artifact { return blob(append(f.zip(f.member(0, "")), 0)) }, rule.ArtifactArchive, "zip"},
		"two of a name":        {func(f *forge) artifact { return blob(f.zip(f.member(0, ""), f.member(0, ""))) }, rule.ArtifactArchive, "two members of one name"},
		"a way out":            {func(f *forge) artifact { return blob(f.zip(f.member(0, "../"))) }, rule.ArtifactArchive, "a path that leads elsewhere"},
		"a way through":        {func(f *forge) artifact { return blob(f.zip(f.member(0, "a/../"))) }, rule.ArtifactArchive, "a path that leads elsewhere"},
		"an absolute path":     {func(f *forge) artifact { return blob(f.zip(f.member(0, "/dist/"))) }, rule.ArtifactArchive, "a path that leads elsewhere"},
		"a Windows path":       {func(f *forge) artifact { return blob(f.zip(f.member(0, `dist\`))) }, rule.ArtifactArchive, "a path that leads elsewhere"},
		"a drive":              {func(f *forge) artifact { return blob(f.zip(f.member(0, `C:`))) }, rule.ArtifactArchive, "a path that leads elsewhere"},
		"a right-to-left mark": {func(f *forge) artifact { return blob(f.zip(f.member(0, "\u202e"))) }, rule.ArtifactArchive, "an invisible"},
		"an escape":            {func(f *forge) artifact { return blob(f.zip(f.member(0, "\x1b[2J"))) }, rule.ArtifactArchive, "an invisible or control"},
		"no UTF-8":             {func(f *forge) artifact { return blob(f.zip(f.member(0, "\xff"))) }, rule.ArtifactArchive, "not UTF-8"},
		"a changed byte": {func(f *forge) artifact {
			z := f.zip(f.member(2, ""))
			z[len(f.files[2].Name)+60] ^= 0xff
			return blob(z)
		}, rule.ArtifactArchive, "zip"},
		"a bomb": {func(f *forge) artifact {
			return blob(f.zip(member{Name: "widget-1.0.tar.gz", Content: strings.Repeat("\x00", 80<<20)}))
		}, rule.ArtifactSize, "more"},
		"a wheel that is none": {func(f *forge) artifact {
			return blob(f.zip(member{Name: f.files[0].Name, Content: "not a wheel"}))
		}, rule.Archive, ""},
		"a wheel of another name": {func(f *forge) artifact {
			return blob(f.zip(member{Name: "gadget-1.0-py3-none-any.whl", Content: string(f.files[0].Raw)}))
		}, rule.DistInfo, ""},
		"a bundle that is none": {func(f *forge) artifact {
			return blob(f.zip(member{Name: "all.sigstore.json", Content: "{"}))
		}, rule.BundleMalformed, ""},
		"an unzipped wheel that is none": {func(f *forge) artifact {
			return with(blob([]byte("not a wheel")), func(a *artifact) { a.File = f.files[0].Name })
		}, rule.Archive, ""},
		"an unzipped file with a path": {func(f *forge) artifact {
			return with(blob(f.files[0].Raw), func(a *artifact) { a.File = "../" + f.files[0].Name })
		}, rule.FileName, "a path separator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.run()
			f.put(c.make(f))
			got, err := f.collect(f.store(), wanted("wheels"))
			f.check(err)
			no := refused(got.Candidates)
			if len(no) != 1 || no[0].Rule != c.want || !strings.Contains(no[0].Got, c.got) || no[0].Hint == "" {
				t.Errorf("got %v, want %s … %s", no, c.want, c.got)
			}
			verdict, err := f.verify(attest.Certificate, got.Candidates)
			f.check(err)
			if verdict.Err() == nil || len(verdict.Verified()) > 0 {
				t.Errorf("verified %v", verdict.Verified())
			}
		})
	}
}

// zip is what the members are stored as.
func (f *forge) zip(members ...member) []byte {
	f.t.Helper()
	r, err := githubtest.Zip(members...)
	f.check(err)
	raw := make([]byte, r.Size())
	_, err = r.ReadAt(raw, 0)
	f.check(err)
	return raw
}

// One bad file refuses the set, and the others are looked at all the same.
func TestEverythingIsReportedAtOnce(t *testing.T) {
	f := newForge(t)
	f.run()
	f.upload("wheels-a", f.member(0, ""), member{Name: "bad.jsonl", Content: "{"}, member{Name: "bad-1.0-py3-none-any.whl", Content: "x"})
	f.upload("wheels-b", f.member(1, ""), member{Name: "../x", Content: "x"})
	f.put(githubtest.Artifact{Run: runID, Name: "wheels-c", Blob: bytes.NewReader(nil), Size: 0, Digest: githubtest.NoDigest})
	f.upload("wheels-d", f.member(2, ""), member{Name: "notes.txt", Content: "hello"}, member{Name: "more.zip", Content: "PK"})
	got, err := f.collect(f.store(), wanted("wheels-*", "sdist"))
	f.check(err)
	want := []string{"bundle-malformed", "archive", "artifact-archive", f.files[0].Name, f.files[2].Name, "artifact-digest", "artifact-missing"}
	if diff := cmp.Diff(want, names(got.Candidates)); diff != "" {
		t.Error(diff)
	}
	others := []workflows.Member{{Run: runID, Artifact: "wheels-d", Path: "notes.txt"}, {Run: runID, Artifact: "wheels-d", Path: "more.zip"}}
	if diff := cmp.Diff(others, got.Others); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsChosen(t *testing.T) {
	for name, patterns := range map[string][]string{"no pattern": nil, "no pattern that matches": {"sdist"}, "a pattern that is none": {"[", "\\"}} {
		f := newForge(t)
		f.run()
		f.upload("wheels", f.member(0, ""))
		got, err := f.collect(f.store(), wanted(patterns...))
		f.check(err)
		no := refused(got.Candidates)
		if len(no) == 0 || no[0].Rule != rule.ArtifactMissing || no[0].Got != "wheels" || len(names(got.Candidates)) != len(no) {
			t.Errorf("%s: got %v", name, names(got.Candidates))
		}
	}
}

// Of several artifacts of one name the newest counts, even if it cannot be used.
func TestTheNewestArtifactCounts(t *testing.T) {
	old, later := time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	put := func(f *forge, i int, at time.Time, digest string) githubtest.Artifact {
		raw := f.zip(f.member(i, ""))
		return f.put(githubtest.Artifact{Run: runID, Name: "wheels", Blob: bytes.NewReader(raw), Size: int64(len(raw)), Created: at, Digest: digest})
	}
	for name, c := range map[string]struct {
		prepare func(f *forge) (superseded githubtest.Artifact)
		want    []string
	}{
		"by time": {func(f *forge) githubtest.Artifact { a := put(f, 0, old, ""); put(f, 1, later, ""); return a },
			[]string{"widget-1.0-py3-none-manylinux_2_17_x86_64.whl"}},
		"by id": {func(f *forge) githubtest.Artifact { a := put(f, 0, old, ""); put(f, 1, old, ""); return a },
			[]string{"widget-1.0-py3-none-manylinux_2_17_x86_64.whl"}},
		"which has no digest": {func(f *forge) githubtest.Artifact {
			a := put(f, 0, old, "")
			put(f, 1, later, githubtest.NoDigest)
			return a
		}, []string{"artifact-digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.run()
			superseded := c.prepare(f)
			got, err := f.collect(f.store(), wanted("wheels"))
			f.check(err)
			if diff := cmp.Diff(c.want, names(got.Candidates)); diff != "" {
				t.Error(diff)
			}
			if len(got.Superseded) != 1 || got.Superseded[0].ID != superseded.ID || got.Superseded[0].Digest.String() != superseded.Digest {
				t.Errorf("superseded %+v", got.Superseded)
			}
		})
	}
}

// The run that is named later wins by file name, and the review can show it.
func TestALaterRunReplaces(t *testing.T) {
	f := newForge(t)
	f.run()
	again := f.PutRun(githubtest.Run{Repository: repository, ID: 5000, Workflow: build, SHA: f.claims.SHA, Branch: "main",
		Attempts: []githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "sdist"}}}}})
	f.upload("wheels", f.member(0, ""), f.member(1, ""), f.member(2, ""), member{Name: "a.jsonl", Content: string(f.provenance(f.files...))})
	first := f.files[2]
	raw, err := sdist("1.0", "the source, again")
	f.check(err)
	f.files[2].Raw = raw
	f.claims.RunID = "5000"
	zip := f.zip(f.member(2, ""), member{Name: "a.jsonl", Content: string(f.provenance(f.files[2]))})
	f.put(githubtest.Artifact{Run: again.ID, Name: "sdist", Blob: bytes.NewReader(zip), Size: int64(len(zip))})

	got, err := f.collect(f.store(), wanted("wheels", "sdist"), runID, again.ID)
	f.check(err)
	want := []workflows.Replacement{{Name: "widget-1.0.tar.gz", Was: dist.Sum(first.Raw), WasRun: runID, Is: dist.Sum(raw), IsRun: 5000}}
	if diff := cmp.Diff(want, got.Replaced); diff != "" {
		t.Error(diff)
	}
	verdict, err := f.verify(attest.EveryJob, got.Candidates)
	f.check(err)
	f.check(verdict.Err())
	if len(verdict.Verified()) != 3 {
		t.Errorf("verified %d files", len(verdict.Verified()))
	}

	got, err = f.collect(f.store(), wanted("wheels", "sdist"), again.ID, runID)
	f.check(err)
	if len(got.Replaced) != 1 || got.Replaced[0].Is != dist.Sum(first.Raw) {
		t.Errorf("the other way round: replaced %+v", got.Replaced)
	}
	got, err = f.collect(f.store(), wanted("wheels"), runID, again.ID)
	f.check(err)
	if no := refused(got.Candidates); len(no) != 1 || no[0].Rule != rule.ArtifactMissing || no[0].File != "run 5000" {
		t.Errorf("a run without an artifact: %v", no)
	}
	if _, err := f.collect(f.store(), wanted("wheels"), runID, runID); err == nil {
		t.Error("one run twice")
	}
}

// Two files of one name in one run are nobody's to choose from.
func TestTwoFilesOfOneName(t *testing.T) {
	f := newForge(t)
	f.run()
	bundle := member{Name: "a.jsonl", Content: string(f.provenance(f.files...))}
	f.upload("wheels-a", f.member(0, ""), bundle)
	f.upload("wheels-b", f.member(0, "again/"))
	got, err := f.collect(f.store(), wanted("wheels-*"))
	f.check(err)
	verdict, err := f.verify(attest.Certificate, got.Candidates)
	f.check(err)
	if no := verdict.Refused(); len(no) != 1 || no[0].Rule != rule.CandidateDoubled {
		t.Errorf("got %v", no)
	}
}

// What must not ship is neither fetched nor opened, nor judged.
func TestFilesAreLeftOut(t *testing.T) {
	f := newForge(t)
	f.run()
	wasm := member{Name: "widget-1.0-py3-none-wasm32.whl", Content: "nothing that anybody could open"}
	f.upload("wheels", f.member(0, ""), wasm, member{Name: "notes/README.md", Content: "x"})
	f.raw(member{Name: "widget-2.0-py3-none-wasm32.whl", Content: "neither"})
	what := wanted("wheels", "*.whl")
	what.LeaveOut = func(name string) bool { return strings.Contains(name, "wasm32") || name == "README.md" }
	store := f.store()
	got, err := f.collect(store, what)
	f.check(err)
	if diff := cmp.Diff([]string{f.files[0].Name}, names(got.Candidates)); diff != "" {
		t.Error(diff)
	}
	var left []string
	for _, m := range got.LeftOut {
		left = append(left, m.Artifact+" "+m.Path+" "+m.Name())
	}
	want := []string{
		"wheels widget-1.0-py3-none-wasm32.whl widget-1.0-py3-none-wasm32.whl", "wheels notes/README.md README.md",
		"widget-2.0-py3-none-wasm32.whl widget-2.0-py3-none-wasm32.whl widget-2.0-py3-none-wasm32.whl"}
	slices.Sort(left)
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
	for _, m := range []string{wasm.Content, "neither"} {
		if _, err := store.Read(dist.Sum([]byte(m)), 1<<20, "x"); err == nil {
			t.Errorf("%q is in the store", m)
		}
	}
}

// A download that breaks is tried again; what has come is not fetched twice.
func TestDownloadsResume(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.run()
	for i := range f.files {
		f.upload(fmt.Sprint("wheels-", i), f.member(i, ""))
	}
	for _, fault := range []githubtest.Fault{githubtest.Broken(), githubtest.ServerError(503)} {
		fault.Storage, fault.Path = true, "/artifacts/"
		f.Play(fault)
	}
	limited := githubtest.SecondaryLimit(403, time.Second)
	limited.Path = "/zip"
	f.Play(limited)
	store := f.store()
	first, err := f.collect(store, wanted("wheels-*"))
	f.check(err)
	if len(first.Candidates) != 3 || f.steps(workflows.Waiting) != 3 || f.steps(workflows.Opened) != 3 {
		t.Errorf("got %d candidates after %d pauses", len(first.Candidates), f.steps(workflows.Waiting))
	}
	f.told = nil
	again, err := f.collect(store, wanted("wheels-*"))
	f.check(err)
	if f.steps(workflows.Present) != 3 || f.steps(workflows.Fetching) != 0 || len(again.Candidates) != 3 {
		t.Errorf("told %v", f.told)
	}
	if len(first.Archives) != 3 {
		t.Fatalf("archives %v", first.Archives)
	}
	for _, archive := range first.Archives {
		f.check(store.Remove(archive.Digest()))
	}
	for _, c := range first.Candidates {
		if _, err := store.File(t.Context(), c.File.Digest(), c.File.Size(), c.File.Name()); err != nil {
			t.Errorf("removing archives took a file: %v", err)
		}
	}
	if f.told = nil; f.steps(workflows.Fetching) != 0 {
		t.Error("told")
	}
	_, err = f.collect(store, wanted("wheels-*"))
	f.check(err)
	if f.steps(workflows.Present) != 0 || f.steps(workflows.Fetching) == 0 {
		t.Error("what was removed was not fetched again")
	}
}

func (f *forge) steps(step workflows.Step) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.told {
		if e.Step == step {
			n++
		}
	}
	return n
}

// A zip that has the very bytes of a wheel is that wheel, and is not removed.
func TestAnArchiveThatIsADistribution(t *testing.T) {
	f := newForge(t)
	f.run()
	f.raw(f.member(0, ""))
	wheel := f.files[0].Raw
	f.put(githubtest.Artifact{Run: runID, Name: "parcel", Blob: bytes.NewReader(wheel), Size: int64(len(wheel))})
	got, err := f.collect(f.store(), wanted("*"))
	f.check(err)
	if len(got.Archives) != 0 || len(got.Others) == 0 {
		t.Errorf("archives %v, others %v", got.Archives, got.Others)
	}
}

// Artifacts that expire between the list and the download are refused by name.
func TestAnArtifactThatIsGone(t *testing.T) {
	f := newForge(t)
	f.run()
	f.upload("wheels", f.member(0, ""))
	f.Play(githubtest.Fault{Path: "/zip", Status: 410, Message: "Artifact has expired"})
	got, err := f.collect(f.store(), wanted("wheels"))
	f.check(err)
	if no := refused(got.Candidates); len(no) != 1 || no[0].Rule != rule.ArtifactExpired || no[0].File != "wheels" {
		t.Errorf("got %v", no)
	}
}

// What cannot be reached is neither a yes nor a no.
func TestAStorageThatIsDown(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.run()
	f.upload("wheels", f.member(0, ""))
	f.Play(githubtest.Fault{Storage: true, Times: -1, Status: 500, Message: "down"})
	got, err := f.collect(f.store(), wanted("wheels"))
	if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), "got 500") || strings.Contains(err.Error(), "sig=") {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := f.client().Collect(t.Context(), nil, wanted("*"), f.store(), nil); err == nil {
		t.Error("collected from no run")
	}
}

// The calls to the API grow with pages and artifacts, not with files.
func TestCallsAreFew(t *testing.T) {
	f := newForge(t)
	f.run()
	var members []member
	for i := range 300 {
		members = append(members, member{Name: fmt.Sprintf("%03d.txt", i), Content: "x"})
		if i < 120 {
			f.upload(fmt.Sprint("logs-", i), member{Name: "log", Content: "x"})
		}
	}
	f.upload("wheels", append(members, f.member(0, ""))...)
	got, err := f.collect(f.store(), wanted("wheels"))
	f.check(err)
	if len(got.Others) != 300 || f.requests("") != 4 { // the run, two pages of artifacts, one download
		t.Errorf("%d requests", f.requests(""))
	}
}
