package command

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/rule"
)

// played are the rules of collecting, of evidence, of the set of files, of the source,
// of the environment and of votes, by how their ids begin. A user meets each in a story.
var played = []string{"allowed-", "approval-", "artifact-", "build-", "bundle-", "candidate-", "environment-", "expected-", "file-unknown",
	"hosted-", "identity-", "local-", "one-", "onto-", "policy-branch", "policy-same", "predicate-", "release-rejected", "run-", "signature-",
	"source-", "stage-", "subject-", "tag-", "version-asked", "vote-"}

// untold are those of them that no user comes to by the verbs, each with the test that
// holds it.
var untold = map[rule.ID]struct{ test, why string }{
	"bundle-statement":     {"attest/vectors_test.go", "real bundles over bare bytes; what actions/attest signs is a statement"},
	"subject-ambiguous":    {"attest/verify_test.go", "a statement that the build's own job signed with two digests for one name"},
	"identity-subject":     {"attest/verify_test.go", "a certificate that contradicts itself; Fulcio issues none"},
	"predicate-build-type": {"attest/vectors_test.go", "real provenance of other builders"},
	"predicate-parameter":  {"attest/verify_test.go", "written by the build's own job"},
	"predicate-malformed":  {"attest/verify_test.go", "written by the build's own job"},
	"stage-empty":          {"staging/expected_test.go", "a folder without distributions is refused as candidate-missing before"},
	"stage-provenance":     {"staging/stage_test.go", "stage takes provenance alone as evidence, so that other evidence is refused as predicate-type before"},
	"stage-left-out":       {"staging/stage_test.go", "what the policy leaves out is not taken from a folder or an artifact"},
}

// TestEveryRefusalIsTold holds every rule that a release can be refused by to a story
// that names it, or else to a test.
func TestEveryRefusalIsTold(t *testing.T) {
	stories, tests, constants := words(t, "testdata/*.txtar"), words(t, testFiles...), constants(t)
	for _, id := range rule.IDs() {
		exception, listed := untold[id]
		must := slices.ContainsFunc(played, func(prefix string) bool { return strings.HasPrefix(string(id), prefix) })
		named := func(words map[string]bool) bool { return words[string(id)] || words["rule."+constants[id]] }
		switch {
		case named(stories) && listed:
			t.Errorf("%s has a story now: take it out of the list", id)
		case named(stories):
		case must && !listed:
			t.Errorf("%s: no story names it", id)
		case listed && !named(words(t, "../../../"+exception.test)):
			t.Errorf("%s: %s does not name it", id, exception.test)
		case !named(tests):
			t.Errorf("%s: neither a story nor a test names it", id)
		}
	}
}

// testFiles are those of all rooms but the rules' own.
var testFiles = []string{"../../../approval/*_test.go", "../../../attest/*_test.go", "../../../publish/*_test.go", "../../../staging/*_test.go",
	"../../../staging/[bd]*/*_test.go", "../../../workflows/*_test.go", "../../../workflows/[at]*/*_test.go", "*_test.go"}

// words are the ids, and the constants as rule.Name, that stand in the files.
func words(t *testing.T, patterns ...string) map[string]bool {
	t.Helper()
	word, found := regexp.MustCompile(`rule\.\w+|[a-z0-9]+(?:-[a-z0-9]+)*`), map[string]bool{}
	for _, raw := range contents(t, patterns...) {
		for _, w := range word.FindAllString(raw, -1) {
			found[w] = true
		}
	}
	return found
}

// constants are the names under which the rooms know the rules.
func constants(t *testing.T) map[rule.ID]string {
	t.Helper()
	declared, names := regexp.MustCompile(`(?m)^\t(\w+)\s+ID = "(.*)"$`), map[rule.ID]string{}
	for _, raw := range contents(t, "../../../staging/rule/*.go") {
		for _, found := range declared.FindAllStringSubmatch(raw, -1) {
			names[rule.ID(found[2])] = found[1]
		}
	}
	return names
}

// contents are what the files hold that match.
func contents(t *testing.T, patterns ...string) (all []string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no file, %v", pattern, err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(raw))
		}
	}
	return all
}
