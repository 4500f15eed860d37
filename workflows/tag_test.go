package workflows_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

var valid = githubtest.Verification{Verified: true, Signature: "-----BEGIN SSH SIGNATURE-----", Payload: "object …"}

func (f *forge) commit(message string, parents ...string) string {
	return f.PutCommit(githubtest.Commit{Repository: repository, Message: message, Parents: parents}).SHA
}

func anyTag(string) bool { return true }

func TestTagsArePeeled(t *testing.T) {
	f := newForge(t)
	commit := f.commit("first")
	tree := f.PutCommit(githubtest.Commit{Repository: repository, Files: []githubtest.File{{Path: "a", Content: "b"}}})
	f.PutRef(repository, "refs/tags/v1.0", commit)
	annotated := f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.1", Target: commit})
	signed := f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.2", Target: commit, Tagger: "alice", Verification: valid})
	twice := f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.3", Target: signed.SHA})
	f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.4", Target: commit,
		Verification: githubtest.Verification{Reason: "unknown_key", Signature: "x", Payload: "y"}})
	f.PutRef(repository, "refs/tags/other", tree.SHA)
	f.PutRef(repository, "refs/heads/v1.5", commit)

	unsigned := workflows.Signature{Reason: "unsigned"}
	got, err := f.client().Tags(t.Context(), repository, "v", func(name string) bool { return name != "v1.4" })
	f.check(err)
	if diff := cmp.Diff([]workflows.Tag{
		{Name: "v1.0", Commit: commit, Signature: unsigned},
		{Name: "v1.1", Commit: commit, Object: annotated.SHA, Signature: unsigned},
		{Name: "v1.2", Commit: commit, Object: signed.SHA, Signature: workflows.Signature{Verified: true, Reason: "valid", By: "alice@users.noreply.github.com"}},
		{Name: "v1.3", Commit: commit, Object: twice.SHA, Signature: unsigned},
	}, got); diff != "" {
		t.Error(diff)
	}
	bad, err := f.client().Tags(t.Context(), repository, "v1.4", anyTag)
	f.check(err)
	if len(bad) != 1 || bad[0].Signature != (workflows.Signature{Reason: "unknown_key"}) {
		t.Errorf("a signature by an unknown key: got %+v", bad)
	}
	none, err := f.client().Tags(t.Context(), repository, "w", anyTag)
	if err != nil || len(none) != 0 {
		t.Errorf("no such tag: got %v, %v", none, err)
	}
}

// A tag object that was signed as one version can be put under the name of
// another.
func TestATagIsCalledWhatItCallsItself(t *testing.T) {
	f := newForge(t)
	commit := f.commit("first")
	signed := f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.0", Target: commit, Verification: valid})
	f.PutRef(repository, "refs/tags/v2.0", signed.SHA)
	if got, err := f.client().Tags(t.Context(), repository, "v2.0", anyTag); err == nil || !strings.Contains(err.Error(), "calls itself v1.0") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCommitSignature(t *testing.T) {
	f := newForge(t)
	plain := f.commit("plain")
	signed := f.PutCommit(githubtest.Commit{Repository: repository, Message: "signed", Author: "bob", Verification: valid})
	for commit, want := range map[string]workflows.Signature{
		plain: {Reason: "unsigned"}, signed.SHA: {Verified: true, Reason: "valid", By: "bob@users.noreply.github.com"},
	} {
		got, err := f.client().CommitSignature(t.Context(), repository, commit)
		f.check(err)
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if _, err := f.client().CommitSignature(t.Context(), repository, strings.Repeat("0", 40)); err == nil {
		t.Error("a commit that is not there has a signature")
	}
}

// A branch is protected if GitHub says that its history stays.
func TestACommitIsOnAProtectedBranch(t *testing.T) {
	rules := func(kinds ...string) (list []githubtest.Rule) {
		for _, kind := range kinds {
			list = append(list, githubtest.Rule{Type: kind})
		}
		return list
	}
	for name, test := range map[string]struct {
		patterns []string
		known    string
		classic  string
		ruleset  githubtest.Ruleset
		want     workflows.Held
	}{
		"nothing protects it": {patterns: []string{"main"}, want: workflows.Held{Bare: []string{"main"}}},
		"branch protection":   {patterns: []string{"main"}, classic: "main", want: workflows.Held{Branch: "main"}},
		"a ruleset": {patterns: []string{"main"}, want: workflows.Held{Branch: "main"},
			ruleset: githubtest.Ruleset{Include: []string{"~DEFAULT_BRANCH"}, Rules: rules("deletion", "non_fast_forward", "of_next_year")}},
		"a ruleset of the organization": {patterns: []string{"main"}, want: workflows.Held{Branch: "main"},
			ruleset: githubtest.Ruleset{Repository: "acme", Include: []string{"~ALL"}, Rules: rules("deletion", "non_fast_forward")}},
		"a ruleset that lets it be pushed by force": {patterns: []string{"main"}, want: workflows.Held{Bare: []string{"main"}},
			ruleset: githubtest.Ruleset{Include: []string{"~ALL"}, Rules: rules("deletion", "pull_request")}},
		"a ruleset that is only tried": {patterns: []string{"main"}, want: workflows.Held{Bare: []string{"main"}},
			ruleset: githubtest.Ruleset{Enforcement: "evaluate", Include: []string{"~ALL"}, Rules: rules("deletion", "non_fast_forward")}},
		"another branch is protected": {patterns: []string{"main"}, classic: "maintenance/1.x", want: workflows.Held{Bare: []string{"main"}}},
		"a pattern":                   {patterns: []string{"maintenance/*"}, classic: "maintenance/1.x", want: workflows.Held{Branch: "maintenance/1.x"}},
		"one of several": {patterns: []string{"main", "maintenance/*"}, classic: "main",
			want: workflows.Held{Branch: "main", Bare: []string{"maintenance/1.x"}}},
		"the known one first":            {patterns: []string{"main", "maintenance/*"}, known: "main", classic: "main", want: workflows.Held{Branch: "main"}},
		"a branch that is not there":     {patterns: []string{"master"}},
		"a branch that begins like it":   {patterns: []string{"mai"}, classic: "main"},
		"a branch that has it not":       {patterns: []string{"orphan"}, classic: "orphan"},
		"a star that does not cross a /": {patterns: []string{"*"}, classic: "maintenance/1.x", want: workflows.Held{Bare: []string{"main"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			first := f.commit("first")
			for branch, sha := range map[string]string{"main": f.commit("later", first), "maintenance/1.x": f.commit("fix", first),
				"orphan": f.commit("orphan")} {
				f.PutBranch(githubtest.Branch{Repository: repository, Name: branch, SHA: sha, Protected: branch == test.classic})
			}
			if r := test.ruleset; r.Rules != nil {
				if r.Repository == "" {
					r.Repository = repository
				}
				f.PutRuleset(r)
			}
			got, err := f.client().ProtectedBranch(t.Context(), repository, test.patterns, first, test.known)
			f.check(err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What GitHub does not answer decides nothing.
func TestAskingForTheSourceFailsClosed(t *testing.T) {
	for _, part := range []string{"/matching-refs/", "/compare/", "/rules/branches/", "/branches/"} {
		f := newForge(t)
		first := f.commit("first")
		f.PutBranch(githubtest.Branch{Repository: repository, Name: "main", SHA: first, Protected: true})
		f.Play(githubtest.Fault{Path: part, Times: -1, Status: 404, Message: "Not Found"})
		if got, err := f.client().ProtectedBranch(t.Context(), repository, []string{"main"}, first, ""); err == nil {
			t.Errorf("%s: got %+v", part, got)
		}
	}
}

// The reusable workflows of a build are read where they were at its commit.
func TestInputsOfAWorkflow(t *testing.T) {
	f := newForge(t)
	shared := f.PutCommit(githubtest.Commit{Repository: "acme/shared", Files: []githubtest.File{
		{Path: ".github/workflows/sdist.yml", Content: "jobs: {sdist: {run: '${{ inputs.flags }} ${{ vars.SDIST }} ${{ github.event.inputs.typed }}'}}"}}})
	commit := f.PutCommit(githubtest.Commit{Repository: repository, Files: []githubtest.File{
		{Path: build, Content: `jobs:
  wheels: {uses: ./.github/workflows/one.yml, with: {x: '${{ inputs.python }}'}}
  sdist: {uses: acme/shared/.github/workflows/sdist.yml@` + shared.SHA + `}
  again: {uses: $/.github/workflows/one.yml}
  moves: {uses: acme/shared/.github/workflows/sdist.yml@main}
`},
		{Path: ".github/workflows/one.yml", Content: "jobs: {one: {run: '${{ inputs.x }} ${{ vars.WHEELS }} ${{ toJSON(github) }}', uses: ./.github/workflows/one.yml}}"},
	}})
	got, err := f.client().Inputs(t.Context(), repository, build, commit.SHA)
	f.check(err)
	if diff := cmp.Diff([]string{"github.event", "inputs.python", "inputs.typed", "uses acme/shared/.github/workflows/sdist.yml@main",
		"vars.sdist", "vars.wheels"}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := f.client().Inputs(t.Context(), repository, ".github/workflows/other.yml", commit.SHA); err == nil {
		t.Errorf("a workflow that is not there takes %q", got)
	}
}
