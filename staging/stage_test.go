package staging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestWhatIsStagedIsOpened(t *testing.T) { everywhere(t, testWhatIsStagedIsOpened) }

func testWhatIsStagedIsOpened(t *testing.T, w world) {
	s, staged := w.staged(t)
	opened, err := w.open(t, s, staged.Digest)
	check(t, err)
	if opened.Digest() != staged.Digest || opened.IsZero() {
		t.Errorf("got %s, want %s", opened.Digest(), staged.Digest)
	}
	if diff := cmp.Diff(staged.Manifest, opened.Manifest()); diff != "" {
		t.Errorf("opened differs from staged:\n%s", diff)
	}
	for _, b := range release(t) {
		r, err := opened.Reader(b.name)
		check(t, err)
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, b.raw) {
			t.Errorf("%s: got %d bytes, %v", b.name, len(got), err)
		}
		r.Close()
	}
	for _, f := range opened.Files() {
		if f.Info().Metadata.Name() != "widget" || len(f.Bundles()) != 1 {
			t.Errorf("%s came back without what was proven of it", f.File().Name())
		}
	}
	if _, err := opened.Reader("widget-2.0.tar.gz"); err == nil {
		t.Error("read a file that is not in the release")
	}
}

func TestTheManifestSaysWhatWasProven(t *testing.T) {
	w := newWorld(t)
	w.policy.LeaveOut = []LeaveOut{{"*-win32.whl", "nobody tests it"}}
	s := emptyStore(t)
	list := w.candidates(t, s, release(t)...)
	verdict := w.verdict(t, list...)
	staged, err := Stage(t.Context(), s, w.policy, verdict)
	check(t, err)
	m, verified := staged.Manifest, verdict.Verified()
	slices.SortFunc(verified, func(a, b attest.Verified) int { return strings.Compare(a.File().Name(), b.File().Name()) })

	var names []string
	for i, f := range m.Files {
		names = append(names, f.Name)
		if e := verified[i].Evidence(); len(f.Evidence) != 1 || f.Evidence[0] != e[0] {
			t.Errorf("%s: got evidence %v, want %v", f.Name, f.Evidence, e)
		}
	}
	wantNames := []string{"widget-1.0-cp313-cp313-musllinux_1_2_x86_64.whl", "widget-1.0-py3-none-any.whl", "widget-1.0.tar.gz"}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("files:\n%s", diff)
	}
	signers, toml := dist.Sum(w.policy.Files[0].Raw), dist.Sum(w.policy.Files[1].Raw)
	want := Manifest{
		Project: "widget", Version: "1.0", Index: "https://upload.pypi.org/legacy/", Environment: "pypi",
		Source: Source{"https://github.com/acme/widget", w.claims.RepositoryID, w.claims.SHA, "refs/tags/v1.0", nil},
		Hosted: attest.Certificate, LeftOut: w.policy.LeaveOut,
		Origin: Origin{Artifacts: []Artifact{}, Replaced: []Replacement{}},
		Policy: PolicyLock{
			Digest: dist.Sum([]byte(toml.Hex() + "  distgate.toml\n" + signers.Hex() + "  keys/allowed_signers\n")),
			Files:  []PolicyLockFile{{"distgate.toml", toml, 19}, {"keys/allowed_signers", signers, 35}},
		},
		Roots: w.verifier.Roots(),
	}
	m.Files = nil
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestTheSameFilesGiveTheSameDigest(t *testing.T) {
	w := newWorld(t)
	first, second := emptyStore(t), emptyStore(t)
	list := w.candidates(t, first, release(t)...)
	one, err := Stage(t.Context(), first, w.policy, w.verdict(t, list...))
	check(t, err)
	before, err := os.ReadFile(dirOf(first) + "/index.json")
	check(t, err)

	slices.Reverse(list)
	for _, b := range release(t) {
		candidate(t, second, b)
	}
	slices.Reverse(w.policy.Files)
	for _, s := range []*Store{first, second} {
		again, err := Stage(t.Context(), s, w.policy, w.verdict(t, list...))
		check(t, err)
		if again.Digest != one.Digest {
			t.Errorf("got %s, want %s", again.Digest, one.Digest)
		}
		after, err := os.ReadFile(dirOf(s) + "/index.json")
		if err != nil || !bytes.Equal(after, before) {
			t.Errorf("index.json differs: %v", err)
		}
	}
}

func TestProofsDoNotTravel(t *testing.T) {
	w := newWorld(t)
	s, release := w.staged(t)
	staged, err := w.open(t, s, release.Digest)
	check(t, err)
	raw, err := json.Marshal([]any{staged})
	if err != nil || string(raw) != "[{}]" {
		t.Errorf("got %s, %v", raw, err)
	}
	m := staged.Manifest()
	m.Files[0].Evidence[0].Repository = "https://github.com/mallory/widget"
	m.Roots[0], m.Policy.Files[0].Name = dist.Digest{}, "other"
	if diff := cmp.Diff(m, staged.Manifest()); diff == "" {
		t.Error("the manifest that was handed out changes the proof")
	}
}

func TestNothingIsRefused(t *testing.T) { everywhere(t, testNothingIsRefused) }

func testNothingIsRefused(t *testing.T, w world) {
	s, staged := w.staged(t)
	ctx := t.Context()
	type made interface{ IsZero() bool }
	calls := map[string]func() (made, error){
		"stage without a store":     func() (made, error) { r, err := Stage(ctx, nil, w.policy, attest.Verdict{}); return r.Digest, err },
		"stage without a policy":    func() (made, error) { r, err := Stage(ctx, s, Policy{}, attest.Verdict{}); return r.Digest, err },
		"stage an empty verdict":    func() (made, error) { r, err := Stage(ctx, s, w.policy, attest.Verdict{}); return r.Digest, err },
		"open without a store":      func() (made, error) { return Open(ctx, nil, staged.Digest, w.policy, w.verifier) },
		"open without a release":    func() (made, error) { return Open(ctx, s, dist.Digest{}, w.policy, w.verifier) },
		"open without a policy":     func() (made, error) { return Open(ctx, s, staged.Digest, Policy{}, w.verifier) },
		"open without a verifier":   func() (made, error) { return Open(ctx, s, staged.Digest, w.policy, nil) },
		"open what is not there":    func() (made, error) { return w.open(t, s, dist.Sum([]byte("another"))) },
		"read from nothing, staged": func() (made, error) { _, err := Staged{}.Reader("widget-1.0.tar.gz"); return Staged{}, err },
	}
	for what, call := range calls {
		if got, err := call(); err == nil || !got.IsZero() {
			t.Errorf("%s: got %v, %v", what, got, err)
		}
	}
}

func TestAPolicyLeavesNothingOpen(t *testing.T) {
	expected, err := Expect(FileSet{Sdist: true})
	check(t, err)
	for what, change := range map[string]func(*Policy){
		"no project":             func(p *Policy) { p.Project = "" },
		"a name not normalised":  func(p *Policy) { p.Project = "Widget" },
		"no index":               func(p *Policy) { p.Index = "" },
		"an index over lines":    func(p *Policy) { p.Index = "a\nb" },
		"no environment":         func(p *Policy) { p.Environment = "" },
		"no answer to hosted":    func(p *Policy) { p.Build.Hosted = "" },
		"no files":               func(p *Policy) { p.Files = nil },
		"no expected files":      func(p *Policy) { p.Expected = Expected{} },
		"an empty file":          func(p *Policy) { p.Files[0].Raw = nil },
		"a huge file":            func(p *Policy) { p.Files[0].Raw = make([]byte, maxPolicyFile+1) },
		"a file outside":         func(p *Policy) { p.Files[0].Name = "../distgate.toml" },
		"an absolute path":       func(p *Policy) { p.Files[0].Name = "/etc/distgate.toml" },
		"a file without a name":  func(p *Policy) { p.Files[0].Name = "" },
		"a name with a line end": func(p *Policy) { p.Files[0].Name = "a\nb" },
		"one name twice":         func(p *Policy) { p.Files[0].Name = p.Files[1].Name },
		"too many files":         func(p *Policy) { p.Files = make([]PolicyFile, maxPolicyFiles+1) },
		"a pattern that is none": func(p *Policy) { p.LeaveOut = []LeaveOut{{"[", "why"}} },
		"no reason to leave out": func(p *Policy) { p.LeaveOut = []LeaveOut{{"*.whl", ""}} },
	} {
		t.Run(what, func(t *testing.T) {
			p := Policy{Project: "widget", Index: "pypi", Environment: "pypi",
				Build: attest.Policy{Hosted: attest.Certificate}, Expected: expected,
				Files: []PolicyFile{{"distgate.toml", []byte("x")}, {"roots.json", []byte("y")}}}
			check(t, p.check())
			change(&p)
			refusedBy(t, p.check(), "policy", rule.PolicyFiles)
		})
	}
}

func TestFilesThatAreNotOneRelease(t *testing.T) {
	w := newWorld(t)
	wheel, sdist := wheelOf(t, "widget", "1.0", "py3-none-any"), sdistOf(t, "widget", "1.0")
	other := func(change func(*sigstoretest.Claims)) sigstoretest.Claims {
		c := w.claims
		change(&c)
		return c
	}
	for _, test := range []struct {
		what   string
		claims sigstoretest.Claims // of the second file; the first is wheel
		second built
		policy func(*Policy)
		file   string
		id     rule.ID
		words  []string
	}{
		{what: "another project", claims: w.claims, second: wheelOf(t, "gadget", "1.0", "py3-none-any"),
			file: "gadget-1.0-py3-none-any.whl", id: rule.OneProject, words: []string{"want project widget", "got gadget"}},
		{what: "another version", claims: w.claims, second: sdistOf(t, "widget", "1.1"),
			file: "widget-1.1.tar.gz", id: rule.OneVersion, words: []string{"want version 1.0", "got 1.1"}},
		{what: "another commit", claims: other(func(c *sigstoretest.Claims) { from(c, strings.Repeat("b", 40)) }), second: sdist,
			file: sdist.name, id: rule.OneSource, words: []string{"want commit " + w.claims.SHA, "got bbbb"}},
		{what: "another ref", claims: otherRef(w.claims), second: sdist,
			file: sdist.name, id: rule.OneSource, words: []string{"want ref refs/tags/v1.0", "got refs/heads/main"}},
		{what: "a repository made again", claims: other(func(c *sigstoretest.Claims) { c.RepositoryID = "999" }), second: sdist,
			file: sdist.name, id: rule.OneSource, words: []string{"want repository id " + w.claims.RepositoryID, "got 999"}},
		{what: "one wheel under two names", claims: w.claims, second: built{wheelOf(t, "widget", "1.0.0", "py3-none-any").name,
			wheelOf(t, "widget", "1.0.0", "py3-none-any").raw},
			file: "widget-1.0.0-py3-none-any.whl", id: rule.OneOfEach, words: []string{"also " + wheel.name}},
		{what: "a file that the policy leaves out", claims: w.claims, second: sdist,
			policy: func(p *Policy) { p.LeaveOut = []LeaveOut{{"*.tar.gz", "wheels only"}} },
			file:   sdist.name, id: rule.StageLeftOut, words: []string{"*.tar.gz (wheels only)"}},
		{what: "a policy for another project", claims: w.claims, second: sdist, policy: func(p *Policy) { p.Project = "gadget" },
			file: wheel.name, id: rule.OneProject, words: []string{"want project gadget"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := emptyStore(t)
			p := w.policy
			if test.policy != nil {
				test.policy(&p)
			}
			v := w.verdict(t, w.attested(t, s, w.claims, wheel), w.attested(t, s, test.claims, test.second))
			check(t, v.Err())
			staged, err := Stage(t.Context(), s, p, v)
			refusedBy(t, err, test.file, test.id, test.words...)
			nothingStaged(t, s, staged)
		})
	}
}

// otherRef is a job of a branch at the same commit.
func otherRef(c sigstoretest.Claims) sigstoretest.Claims {
	branch := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/heads/main")
	from(&branch, c.SHA)
	return branch
}

// from is the job at another commit.
func from(c *sigstoretest.Claims, commit string) {
	c.SHA, c.WorkflowSHA, c.JobWorkflowSHA = commit, commit, commit
}

func TestOneRefusalRefusesAll(t *testing.T) { everywhere(t, testOneRefusalRefusesAll) }

func testOneRefusalRefusesAll(t *testing.T, w world) {
	s := w.empty(t)
	c := w.claims
	c.RunnerEnvironment = "self-hosted"
	list := append(w.candidates(t, s, release(t)[:2]...), w.attested(t, s, c, release(t)[2]))
	staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, list...))
	refusedBy(t, err, release(t)[2].name, rule.IdentityRunner, "self-hosted")
	nothingStaged(t, s, staged)
}

func TestAPublishAttestationIsNoProvenance(t *testing.T) {
	w := newWorld(t)
	s := emptyStore(t)
	b := sdistOf(t, "widget", "1.0")
	v := w.verdict(t, w.signed(t, s, w.claims, b, sigstoretest.Publish(b.name, dist.Sum(b.raw).Hex())))
	check(t, v.Err())
	staged, err := Stage(t.Context(), s, w.policy, v)
	refusedBy(t, err, b.name, rule.StageProvenance)
	nothingStaged(t, s, staged)
}

func TestTheTagIsOfTheVersion(t *testing.T) {
	for ref, fits := range map[string]bool{
		"refs/heads/main":              true, // no tag
		"refs/tags/1.0":                true,
		"refs/tags/v1.0":               true,
		"refs/tags/v1.0.0":             true,
		"refs/tags/widget-1.0":         true,
		"refs/tags/widget-py3-v1.0":    true,
		"refs/tags/release/1.0":        true,
		"refs/tags/widget@1.0":         true,
		"refs/tags/1.1":                false,
		"refs/tags/v11.0":              false,
		"refs/tags/1.0rc1":             false,
		"refs/tags/1.0-1":              false, // 1.0.post1
		"refs/tags/2.0":                false,
		"refs/tags/nightly":            false,
		"refs/tags/":                   false,
		"refs/tags/v1.0-but-not-quite": false,
	} {
		name, err := dist.ParseFilename("widget-1.0.tar.gz")
		check(t, err)
		if got := (member{name: name}).tagVersion(ref); (got == "1.0") != fits {
			t.Errorf("%s: got %q", ref, got)
		}
	}
	w := newWorld(t)
	w.claims = sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v2.0")
	s := emptyStore(t)
	_, err := Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
	refusedBy(t, err, "widget-1.0.tar.gz", rule.TagVersion, "want version of the tag 1.0", "got 2.0")
}

func TestWhatIsNotInTheStoreIsNotStaged(t *testing.T) {
	everywhere(t, testWhatIsNotInTheStoreIsNotStaged)
}

func testWhatIsNotInTheStoreIsNotStaged(t *testing.T, w world) {
	elsewhere, s := emptyStore(t), w.empty(t)
	staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, elsewhere, release(t)...)...))
	for _, b := range release(t) {
		refusedBy(t, err, b.name, rule.StoredBytes, "got nothing")
	}
	nothingStaged(t, s, staged)
}

func TestWhatWasNotOpenedIsNotStaged(t *testing.T) {
	w := newWorld(t)
	s := emptyStore(t)
	c := w.candidates(t, s, release(t)...)
	c[0].Info = dist.Info{}
	staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, c...))
	if err == nil || !strings.Contains(err.Error(), "verified without being opened") {
		t.Errorf("got %v", err)
	}
	nothingStaged(t, s, staged)
}

func TestAVerdictByAnotherPolicy(t *testing.T) {
	w := newWorld(t)
	s := emptyStore(t)
	v := w.verdict(t, w.candidates(t, s, release(t)...)...)
	w.policy.Build.Hosted = attest.EveryJob
	staged, err := Stage(t.Context(), s, w.policy, v)
	if err == nil || !strings.Contains(err.Error(), "verified under another policy") {
		t.Errorf("got %v", err)
	}
	nothingStaged(t, s, staged)
}

func TestAStageThatIsGivenUp(t *testing.T) { everywhere(t, testAStageThatIsGivenUp) }

func testAStageThatIsGivenUp(t *testing.T, w world) {
	s := w.empty(t)
	v := w.verdict(t, w.candidates(t, s, release(t)...)...)
	ctx, end := context.WithCancel(t.Context())
	end()
	staged, err := Stage(ctx, s, w.policy, v)
	if !errors.Is(err, context.Canceled) || errors.As(err, new(rule.Refusals)) {
		t.Errorf("got %v, want what is neither yes nor no", err)
	}
	nothingStaged(t, s, staged)

	_, whole := w.staged(t)
	if _, err := Open(ctx, s, whole.Digest, w.policy, w.verifier); err == nil {
		t.Error("opened after giving up")
	}
}

func nothingStaged(t *testing.T, s *Store, staged Release) {
	t.Helper()
	if !staged.Digest.IsZero() {
		t.Error("there is a release all the same")
	}
	if list, malformed, err := s.Releases(t.Context()); list != nil || malformed != nil || err != nil {
		t.Errorf("the store has %v, %v, %v", list, malformed, err)
	}
}
