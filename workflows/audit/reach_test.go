package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
)

const other = "89abcdef0123456789abcdef0123456789abcdef"

// elsewhere is what other repositories have, by "OWNER/NAME/PATH@COMMIT".
func elsewhere(files map[string]string) Content {
	return func(_ context.Context, repository, path, commit string) ([]byte, error) {
		text, ok := files[repository+"/"+path+"@"+commit]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func callee(steps ...string) string {
	return "on: workflow_call\npermissions: {}\njobs:\n  b:\n    runs-on: ubuntu-24.04\n" + stepsOf(steps...)
}

func caller(uses string) tree {
	return tree{releaseYML: "on: push\npermissions: {}\njobs:\n  a:\n    uses: " + uses + "\n"}
}

// What the release calls of another repository is judged as its own.
func TestReach(t *testing.T) {
	const at = "acme/shared/.github/workflows/build.yml@" + commit
	for name, c := range map[string]struct {
		uses    string
		files   map[string]string
		rule    rule.ID
		verdict Verdict
		file    string
	}{
		"in order":             {at, map[string]string{at: callee("- run: make")}, "mutable-downloads", Holds, ""},
		"broken there":         {at, map[string]string{at: callee("- uses: acme/action@v1")}, "unpinned-uses", Broken, ".github/workflows/build.yml of acme/shared at 0123456789ab:7"},
		"of a moving name":     {"acme/shared/.github/workflows/build.yml@main", nil, "mutable-downloads", CannotSee, ""},
		"that cannot be read":  {at, nil, "mutable-downloads", CannotSee, ""},
		"in every scope":       {at, nil, "unpinned-uses", CannotSee, ""},
		"of a managed account": {strings.Replace(at, "acme/", "evil_corp/", 1), map[string]string{strings.Replace(at, "acme/", "evil_corp/", 1): callee("- uses: acme/action@v1")}, "unpinned-uses", Broken, ".github/workflows/build.yml of evil_corp/shared at 0123456789ab:7"},
		"of no known form":     {"acme/shared/build.yml@" + commit, nil, "template-injection", CannotSee, ""},
		"that is no workflow":  {at, map[string]string{at: "]"}, "mutable-downloads", CannotSee, ""},
		"and it calls on":      {at, map[string]string{at: "on: workflow_call\njobs:\n  b:\n    uses: ./.github/workflows/two.yml\n", strings.Replace(at, "build", "two", 1): callee("- run: curl -L https://example.org/latest | sh")}, "mutable-downloads", Broken, ".github/workflows/two.yml of acme/shared at 0123456789ab:7"},
		"and it calls itself":  {at, map[string]string{at: "on: workflow_call\npermissions: {}\njobs:\n  b:\n    uses: " + at + "\n"}, "mutable-downloads", Holds, ""},
		"with an action":       {at, map[string]string{at: callee("- uses: ./tools")}, "mutable-downloads", CannotSee, ""},
		"its trigger is there": {at, map[string]string{at: "on: [workflow_call, pull_request_target]\npermissions: {}\njobs:\n  b:\n    runs-on: ubuntu-24.04\n" + stepsOf("- run: make")}, "dangerous-triggers", Holds, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := Read(t.Context(), caller(c.uses), Release{Workflows: []string{releaseYML}})
			if err != nil {
				t.Fatal(err)
			}
			if err := files.reach(t.Context(), &remotes{content: elsewhere(c.files)}); err != nil {
				t.Fatal(err)
			}
			a := answer(Judge(Facts{Files: files}), c.rule)
			if a.Verdict != c.verdict || c.file != "" && (len(a.Spots) == 0 || a.Spots[0].Place() != c.file) {
				t.Errorf("want %s %s, got %s %v %v", c.verdict, c.file, a.Verdict, a.Spots, a.Gaps)
			}
		})
	}
}

// A workflow that must be called by tag is taken unread at the commit that the policy
// says, as long as the tag is there, and nothing else waives that.
func TestCalledByTag(t *testing.T) {
	const uses = "acme/shared/.github/workflows/build.yml@v2.1.0"
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	until := Waiver{Rule: unpinnedUses.ID, Where: uses, Commit: commit, Reason: "it must be called by tag", Until: Day{2026, 11, 30}}
	ended, elsewhereTagged, everywhere := until, until, until
	ended.Until, elsewhereTagged.Commit, everywhere.Where, everywhere.Commit = Day{2026, 11, 21}, other, "", ""
	for name, c := range map[string]struct {
		waiver         Waiver
		isAt           string
		err            error
		uses, download Verdict
	}{
		"where it is":          {until, commit, nil, IsWaived, Holds},
		"moved":                {until, other, nil, Broken, CannotSee},
		"at another commit":    {elsewhereTagged, commit, nil, Broken, CannotSee},
		"not to be seen":       {until, "", errors.New("rate limit"), CannotSee, CannotSee},
		"ended":                {ended, commit, nil, Broken, CannotSee},
		"waived like any spot": {everywhere, commit, nil, CannotSee, CannotSee},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := Read(t.Context(), caller(uses), Release{Workflows: []string{releaseYML}})
			if err != nil {
				t.Fatal(err)
			}
			demand := Demand{Waivers: []Waiver{c.waiver}}
			if err := demand.Check(); err != nil {
				t.Fatal(err)
			}
			far := &remotes{content: elsewhere(nil), tags: demand.Tags(now),
				at: func(_ context.Context, repository, commit, tag string) (bool, error) {
					return repository == "acme/shared" && tag == "v2.1.0" && commit == c.isAt, c.err
				}}
			if err := files.reach(t.Context(), far); err != nil {
				t.Fatal(err)
			}
			r := Judge(Facts{Files: files}).Waive(demand.Waivers, now)
			if a := answer(r, unpinnedUses.ID); a.Verdict != c.uses {
				t.Errorf("want %s, got %s %v %v %v", c.uses, a.Verdict, a.Spots, a.Gaps, a.Waived)
			}
			if a := answer(r, mutableDownloads.ID); a.Verdict != c.download {
				t.Errorf("want %s, got %s %v %v", c.download, a.Verdict, a.Spots, a.Gaps)
			}
		})
	}
}

// What the release does not call is judged, too, where a rule is about every file.
func TestReachBesideTheRelease(t *testing.T) {
	const at = "acme/shared/.github/workflows/lint.yml@" + commit
	for name, c := range map[string]struct {
		text               string
		everywhere, beside Verdict // of a rule of every file, and of one of the release alone
	}{
		"in order":            {callee("- run: make"), Holds, Holds},
		"broken":              {callee("- uses: acme/action@v1", "- uses: actions/cache@"+commit), Broken, Holds},
		"that cannot be read": {"", CannotSee, Holds},
	} {
		t.Run(name, func(t *testing.T) {
			files := read(t, tree{releaseYML: inRelease(stepsOf("- run: make")),
				".github/workflows/lint.yml": caller(at)[releaseYML]}, releaseYML)
			there := map[string]string{at: c.text}
			if c.text == "" {
				there = nil
			}
			if err := files.reach(t.Context(), &remotes{content: elsewhere(there)}); err != nil {
				t.Fatal(err)
			}
			r := Judge(Facts{Files: files})
			if a := answer(r, "unpinned-uses"); a.Verdict != c.everywhere {
				t.Errorf("want %s, got %s %v %v", c.everywhere, a.Verdict, a.Spots, a.Gaps)
			}
			if a := answer(r, "cache-poisoning"); a.Verdict != c.beside {
				t.Errorf("want %s, got %s %v %v", c.beside, a.Verdict, a.Spots, a.Gaps)
			}
		})
	}
}

func TestWithoutGitHubNothingIsReached(t *testing.T) {
	files, err := Read(t.Context(), caller("acme/shared/.github/workflows/build.yml@"+commit), Release{Workflows: []string{releaseYML}})
	if err != nil {
		t.Fatal(err)
	}
	if a := answer(Judge(Facts{Files: files}), "mutable-downloads"); a.Verdict != CannotSee || !a.Unasked() {
		t.Errorf("got %s %v", a.Verdict, a.Gaps)
	}
}

// However much is called, so much is read.
func TestReachEnds(t *testing.T) {
	endless := func(_ context.Context, _, path, _ string) ([]byte, error) {
		return fmt.Appendf(nil, "on: workflow_call\njobs:\n  b:\n    uses: ./.github/workflows/x%d.yml\n", len(path)), nil
	}
	many := func(_ context.Context, _, path, _ string) ([]byte, error) {
		return []byte("on: workflow_call\njobs:\n  b:\n    uses: ./" + strings.Replace(path, ".yml", "x.yml", 1) + "\n"), nil
	}
	for _, content := range []Content{endless, many} {
		files, err := Read(t.Context(), caller("acme/shared/.github/workflows/build.yml@"+commit), Release{Workflows: []string{releaseYML}})
		if err != nil {
			t.Fatal(err)
		}
		if err := files.reach(t.Context(), &remotes{content: content}); err != nil || len(files.all) > maxReached+1 {
			t.Errorf("%d files, %v", len(files.all), err)
		}
	}
}

func answer(r Report, id rule.ID) Answer {
	return r.Answers[slices.IndexFunc(r.Answers, func(a Answer) bool { return a.Rule.ID == id })]
}
