package audit

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distgate/distgate/workflows"
)

// composite is an action of these steps.
func composite(steps ...string) string {
	return "runs:\n  using: composite\n  steps:\n    " + strings.Join(steps, "\n    ") + "\n"
}

// inRun is how two rules judge a release that uses acme/outer/sub, where other
// repositories have these files.
func inRun(t *testing.T, content Content) (nested, fetched Answer) {
	t.Helper()
	files := read(t, tree{releaseYML: inRelease(stepsOf("- uses: acme/outer/sub@" + commit))}, releaseYML)
	_, inside := (&remotes{content: content}).look(t.Context(), files, false)
	r := Judge(Facts{Files: files, Actions: inside})
	return answer(r, nestedUses.ID), answer(r, actionsFetchNothing.ID)
}

const (
	outer    = "acme/outer/sub/action.yaml@" + commit
	inner1   = "acme/inner/action.yml@" + other
	usesIt   = "- uses: acme/inner@" + other
	tomorrow = "{run: 'curl -LO https://example.org/releases/latest/tool', shell: bash}"
)

// A pin holds an action, and not what that uses or fetches.
func TestInsideActions(t *testing.T) {
	clean := composite("- {run: echo hello, shell: bash}")
	for name, c := range map[string]struct {
		files           map[string]string
		nested, fetched Verdict
		says            string // the first place or gap, at its end
	}{
		"its own steps":      {map[string]string{outer: clean}, Holds, Holds, ""},
		"a program":          {map[string]string{outer: "runs: {using: node24, main: index.js}\n"}, Holds, Question, "runs a program (node24), which was not read"},
		"a Dockerfile":       {map[string]string{outer: "runs: {using: docker, image: Dockerfile}\n"}, Holds, Question, "runs a program (docker), which was not read"},
		"an image, a digest": {map[string]string{outer: "runs: {using: docker, image: \"docker://python@sha256:" + strings.Repeat("0", 64) + "\"}\n"}, Holds, Question, "runs a program (a container image), which was not read"},
		"an image, a tag":    {map[string]string{outer: "runs: {using: docker, image: \"docker://python:3\"}\n"}, Broken, Question, "uses docker://python:3"},
		"a file of its own":  {map[string]string{outer: composite("- {run: '\"$GITHUB_ACTION_PATH/install.sh\"', shell: bash}")}, Holds, Question, "runs a file of its own, which was not read"},
		"a file that a script is given": {map[string]string{outer: composite("- {run: '\"$P/install.sh\"', shell: bash, env: {P: '${{ github.action_path }}'}}")}, Holds, Question,
			"runs a file of its own, which was not read"},
		"a file by another name": {map[string]string{outer: composite("- {run: \"${{ GitHub['action_path'] }}/x\", shell: bash}")}, Holds, Question, "runs a file of its own, which was not read"},
		"a file by its folder":   {map[string]string{outer: composite("- {run: '$RUNNER_WORKSPACE/../_actions/acme/outer/x', shell: bash}")}, Holds, Question, "runs a file of its own, which was not read"},
		"all that GitHub says":   {map[string]string{outer: composite("- {run: './x', shell: bash, env: {G: '${{ toJSON( github ) }}'}}")}, Holds, Question, "runs a file of its own, which was not read"},
		"a tag within":           {map[string]string{outer: composite("- uses: acme/inner@v1")}, Broken, Holds, "sub@" + commit + " uses acme/inner@v1"},
		"pinned within":          {map[string]string{outer: composite(usesIt), inner1: clean}, Holds, Holds, ""},
		"a tag further within": {map[string]string{outer: composite(usesIt), inner1: composite("- uses: acme/last@main")}, Broken, Holds,
			"sub@" + commit + " uses acme/inner@" + other + " which uses acme/last@main"},
		"a program within": {map[string]string{outer: composite(usesIt), inner1: "runs: {using: node24, main: x.js}"}, Holds, Question,
			"acme/inner@" + other + " runs a program (node24), which was not read"},
		"by its own path":       {map[string]string{outer: composite("- uses: $/other"), "acme/outer/other/action.yml@" + commit: composite("- uses: acme/last@main")}, Broken, Holds, "which uses acme/last@main"},
		"of the job's folder":   {map[string]string{outer: composite("- uses: ./tools")}, CannotSee, Holds, "uses ./tools of the job's folder, which was not read"},
		"the latest":            {map[string]string{outer: composite("- " + tomorrow)}, Holds, Broken, "sub@" + commit + " fetches by curl -LO https://example.org/releases/latest/tool"},
		"into a shell":          {map[string]string{outer: composite("- {run: 'curl https://example.org/x | sh', shell: bash}")}, Holds, Broken, "fetches by a download that goes straight into a shell"},
		"a package":             {map[string]string{outer: composite("- {run: pip install tool, shell: bash}")}, Holds, Broken, "fetches by pip install tool"},
		"one with a version":    {map[string]string{outer: composite("- {run: pip install tool==1.0, shell: bash}")}, Holds, Holds, ""},
		"the latest, within":    {map[string]string{outer: composite(usesIt), inner1: composite("- " + tomorrow)}, Holds, Broken, "uses acme/inner@" + other + " which fetches by curl -LO https://example.org/releases/latest/tool"},
		"in a circle":           {map[string]string{outer: composite(usesIt), inner1: composite("- uses: acme/outer/sub@"+commit, usesIt)}, Holds, Holds, ""},
		"not understood":        {map[string]string{outer: "runs: ["}, CannotSee, CannotSee, "did not find expected node content"},
		"not there":             {nil, CannotSee, CannotSee, "file does not exist"},
		"not there, within":     {map[string]string{outer: composite(usesIt)}, CannotSee, CannotSee, "file does not exist"},
		"neither of them holds": {map[string]string{outer: composite("- uses: acme/a@v1", "- "+tomorrow)}, Broken, Broken, "uses acme/a@v1"},
	} {
		t.Run(name, func(t *testing.T) {
			nested, fetched := inRun(t, elsewhere(c.files))
			if nested.Verdict != c.nested || fetched.Verdict != c.fetched {
				t.Errorf("want %s and %s, got %s %v %v and %s %v %v", c.nested, c.fetched,
					nested.Verdict, nested.Spots, nested.Gaps, fetched.Verdict, fetched.Spots, fetched.Gaps)
			}
			says := ""
			for _, a := range []Answer{fetched, nested} {
				for _, s := range a.Spots {
					says = s.Got
				}
				if len(a.Spots) == 0 && len(a.Gaps) > 0 {
					says = a.Gaps[0].What
				}
			}
			if !strings.HasSuffix(says, c.says) {
				t.Errorf("want %q, got %q", c.says, says)
			}
		})
	}
}

func TestWithoutGitHubNoActionIsRead(t *testing.T) {
	files := read(t, tree{releaseYML: inRelease(stepsOf("- uses: acme/outer@" + commit))}, releaseYML)
	for _, known := range []map[string]workflows.Seen[Action]{nil, {}} {
		r := Judge(Facts{Files: files, Actions: known})
		for _, id := range ids("nested-uses", "actions-fetch-nothing") {
			if a := answer(r, id); a.Verdict != CannotSee || !a.Unasked() {
				t.Errorf("%s: what nobody asked is %s %v", id, a.Verdict, a.Gaps)
			}
		}
	}
}

// Each action is read once, however often and from wherever it is used; there is an
// end to how many are read, and to how deep, and what was not read does not hold.
func TestActionsAreReadOnce(t *testing.T) {
	for name, c := range map[string]struct {
		inner func(of string) []string // what an action of this name uses
		calls int64
		want  Verdict
	}{
		"a diamond": {func(of string) []string {
			if of == "outer" {
				return []string{"a", "b", "a"}
			}
			return []string{"z"}
		}, 4, Holds},
		"as deep as it goes": {func(of string) []string {
			if len(of) < 5+maxNesting-1 {
				return []string{of + "x"}
			}
			return nil
		}, maxNesting, Holds},
		"deeper":  {func(of string) []string { return []string{of + "x"} }, maxNesting, CannotSee},
		"endless": {func(of string) (all []string) { return []string{of + "x", of + "y", of + "z"} }, maxActions, CannotSee},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			nested, _ := inRun(t, func(_ context.Context, repository, path, _ string) ([]byte, error) {
				if strings.HasSuffix(path, ".yml") != (repository != "acme/outer") {
					return nil, fs.ErrNotExist
				}
				calls.Add(1)
				var steps []string
				for _, uses := range c.inner(strings.TrimPrefix(repository, "acme/")) {
					steps = append(steps, "- uses: acme/"+uses+"@"+other)
				}
				return []byte(composite(append(steps, "- {run: echo, shell: bash}")...)), nil
			})
			if calls.Load() != c.calls || nested.Verdict != c.want {
				t.Errorf("want %s after %d calls, got %s %v after %d", c.want, c.calls, nested.Verdict, nested.Gaps, calls.Load())
			}
			if c.want == CannotSee && !strings.Contains(fmt.Sprint(nested.Gaps), "at most 200 actions are read, 10 within each other") {
				t.Errorf("it does not say why: %v", nested.Gaps)
			}
		})
	}
}
