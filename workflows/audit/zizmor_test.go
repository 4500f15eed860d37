package audit

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/rule"
)

// difference is where zizmor and we find other lines in a fixture of zizmor's.
type difference struct {
	rule         rule.ID
	file         string
	theirs, ours []int
	reason       string
}

const (
	otherIndex  = "the upload is to another index than PyPI, which distgate does not publish to"
	ignored     = "a comment in the fixture tells zizmor to ignore it; ours has waivers in the policy, with an end date"
	lowerPlace  = "theirs is the place of the step or the list, ours of the value in it; an alias has the place of its anchor"
	notAsked    = "theirs finds it with a stricter persona only, and runs this fixture without"
	notParsed   = "the part is not understood by actionlint, so ours says that it cannot see it"
	onlyWriters = "theirs, with a stricter persona, finds every expression; nobody without write access writes this one"
	everyCache  = "whatever starts the release, and whatever a condition says, ours has no cache in it"
)

// differences are all of them. A row that is not true any more fails.
var differences = []difference{
	{"use-trusted-publishing", "use-trusted-publishing/bun-publish.yml", []int{12, 15, 20, 27}, nil, otherIndex},
	{"use-trusted-publishing", "use-trusted-publishing/cargo-publish.yml", []int{13, 18, 25, 50, 55, 62}, nil, otherIndex},
	{"use-trusted-publishing", "use-trusted-publishing/gem-push.yml", []int{12, 15, 20}, nil, otherIndex},
	{"use-trusted-publishing", "use-trusted-publishing/nuget-push.yml", []int{12, 15, 18}, nil, otherIndex},

	{"dangerous-triggers", "anchors/trigger-block-alias.yml", []int{2}, []int{7}, lowerPlace},
	{"dangerous-triggers", "dangerous-triggers/actions-labeler.yml", nil, []int{5},
		"theirs lets a workflow be that only labels pull requests; ours leaves that to a waiver"},
	{"dangerous-triggers", "github-env/github-path.yml", nil, []int{2}, ignored},
	{"dangerous-triggers", "github-env/issue-397-repro.yml", nil, []int{2}, ignored},

	{"template-injection", "parallel-steps/basic.yml", []int{16}, nil, notParsed},
	{"template-injection", "template-injection/issue-1664-repro.yml", []int{17}, nil, onlyWriters},
	{"template-injection", "template-injection/issue-1802-repro.yml", []int{20, 21, 22}, nil, onlyWriters},
	{"template-injection", "template-injection/issue-988-repro.yml", []int{19, 30}, nil, onlyWriters},
	{"template-injection", "template-injection/multiline-expression.yml", []int{19, 20, 26}, []int{17},
		"theirs is the place of each name, ours of the expression; the condition of an && is not part of what it comes out as"},

	{"insecure-commands", "insecure-commands.yml", []int{15, 30}, []int{16},
		lowerPlace + "; of variables that an expression sets, ours says that it cannot see them"},

	{"unpinned-uses", "ref-confusion/issue-518-repro.yml", nil, []int{13}, ignored},
	{"unpinned-uses", "stale-action-refs.yml", nil, []int{15, 18, 21}, ignored},
	{"unpinned-uses", "use-trusted-publishing/demo-action/action.yml", nil, []int{9}, ignored},
	{"impostor-commit", "impostor-commit/.pre-commit-config.yml", []int{4}, nil, "theirs reads the file of pre-commit too, which no workflow runs"},
	{"dependabot-cooldown", "dependabot-cooldown/no-default-days/dependabot.yml", []int{6}, []int{4}, "ours is the place of the entry"},
	{"unpinned-images", "unpinned-images.yml", []int{23, 32, 40, 49, 57, 66, 101, 118, 126, 127, 128},
		[]int{23, 32, 40, 49, 57, 66, 101, 110, 118, 126, 127, 128}, "ours wants a whole digest; the fixture's is three dots"},

	{"excessive-permissions", "excessive-permissions/reusable-workflow-other-triggers.yml", []int{1, 11, 19}, []int{11, 19},
		"theirs also points to the workflow as a whole, ours to the jobs alone"},
	{"excessive-permissions", "excessive-permissions/workflow-default-perms.yml", []int{5, 14}, []int{14},
		"theirs also points to the workflow as a whole, ours to the jobs alone"},
	{"excessive-permissions", "undocumented-permissions/contents-read-with-other.yml", []int{8}, nil,
		"theirs, with a stricter persona, wants permissions in the job also where there is one job"},
	{"excessive-permissions", "undocumented-permissions/partially-documented.yml", nil, []int{7, 9}, ignored},
	{"excessive-permissions", "invalid/issue-1395-repro-duplicate-mapping-keys.yml", nil, []int{6},
		"theirs refuses the file as a whole"},
	{"excessive-permissions", "parallel-steps/basic.yml", nil, []int{5},
		"theirs lets the workflow's permissions be where each job has its own; ours says it for the next job"},

	{"artipacked", "anchors/dummy-job-anchors.yml", []int{9, 14}, []int{10}, lowerPlace},
	{"artipacked", "anchors/flow-mapping-step.yml", []int{8, 9}, []int{8}, lowerPlace},
	{"artipacked", "artipacked/demo-action/action.yml", []int{9, 12}, []int{10, 13}, lowerPlace},
	{"artipacked", "obfuscation/issue-1769-repro.yml", nil, []int{18},
		"theirs takes inputs that an expression gives for safe"},

	{"secrets-outside-env", "secrets-inherit.yml", nil, []int{19}, notAsked},
	{"secrets-outside-env", "secrets-outside-env/issue-2157-repro.yml", nil, []int{24}, ignored},
	{"secrets-outside-env", "template-injection/issue-1664-repro.yml", nil, []int{17}, ignored},
	{"secrets-outside-env", "use-trusted-publishing/cargo-publish.yml", nil, []int{52}, notAsked},
	{"secrets-outside-env", "use-trusted-publishing/demo-action/action.yml", nil, []int{11},
		"theirs does not look into actions; ours says that one cannot name a secret's environment"},
	{"overprovisioned-secrets", "overprovisioned-secrets.yml", []int{16, 25}, []int{16, 25, 31}, ignored},

	{"cache-poisoning", "cache-poisoning/issue-642-repro.yml", []int{15}, []int{15, 21, 31, 38}, everyCache},
	{"cache-poisoning", "cache-poisoning/trigger-heuristics/tag-and-release.yml", nil, []int{22, 26}, everyCache},
	{"cache-poisoning", "ref-version-mismatch.yml", nil, []int{13, 16, 19, 22, 25, 28, 31}, everyCache},
}

// fixture is a file of zizmor's own, with the lines of its findings by audit.
type fixture struct {
	name  string
	lines map[string][]int
}

func vectors(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	return filepath.Join(dir, "workflows")
}

// zizmorFixtures are the fixtures that zizmor judges each by itself. What it
// finds with any of its personas counts.
func zizmorFixtures(t testing.TB, dir string) (all []fixture) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Cases []struct {
			Inputs   []string
			Findings []struct {
				Audit string
				Line  int
			}
		} `json:"zizmor_cases"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string][]int{}
	for _, c := range manifest.Cases {
		if len(c.Inputs) != 1 || filepath.Ext(c.Inputs[0]) != ".yml" || !exists(dir, c.Inputs[0]) {
			continue
		}
		of := found[c.Inputs[0]]
		if of == nil {
			of = map[string][]int{}
			found[c.Inputs[0]] = of
		}
		for _, f := range c.Findings {
			of[f.Audit] = append(of[f.Audit], f.Line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, fixture{name, found[name]})
	}
	return all
}

func exists(dir, input string) bool {
	_, err := os.Stat(filepath.Join(dir, "zizmor", "test-data", input))
	return err == nil
}

// alone are the facts of one file, as the beginning of a release.
func alone(name string, raw []byte) Facts {
	if filepath.Base(name) == "dependabot.yml" {
		return Facts{Files: Files{read: true, updates: dependabot(name, raw)}}
	}
	parse := parseWorkflow
	if filepath.Base(name) == "action.yml" {
		parse = parseAction
	}
	f := parse(name, raw)
	f.release = true
	return Facts{Files: Files{read: true, all: []*file{f}}}
}

func lines(found []Spot) (all []int) {
	for _, s := range found {
		all = append(all, s.Line)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestAgreesWithZizmor(t *testing.T) {
	dir := vectors(t)
	fixtures := zizmorFixtures(t, dir)
	if len(fixtures) < 80 {
		t.Fatalf("got %d fixtures", len(fixtures))
	}
	left := slices.Clone(differences)
	for _, r := range Rules() {
		i := slices.IndexFunc(r.Theirs, func(name string) bool { return strings.HasPrefix(name, "zizmor ") })
		if i < 0 || r.judge == nil {
			continue
		}
		audit := strings.TrimPrefix(r.Theirs[i], "zizmor ")
		agreed := 0
		for _, fix := range fixtures {
			raw, err := os.ReadFile(filepath.Join(dir, "zizmor", "test-data", fix.name))
			if err != nil {
				t.Fatal(err)
			}
			theirs := slices.Clone(fix.lines[audit])
			slices.Sort(theirs)
			got := difference{rule: r.ID, file: fix.name, theirs: slices.Compact(theirs), ours: lines(r.judge(alone(fix.name, raw)).spots)}
			if slices.Equal(got.theirs, got.ours) {
				agreed++
				continue
			}
			left = explain(t, left, got)
		}
		t.Logf("%s: as zizmor in %d of %d fixtures", r.ID, agreed, len(fixtures))
	}
	for _, d := range left {
		t.Errorf("%s, %s: the row is not true any more", d.rule, d.file)
	}
}

// explain takes the row for a difference out of those that are left.
func explain(t *testing.T, left []difference, got difference) []difference {
	t.Helper()
	i := slices.IndexFunc(left, func(d difference) bool { return d.rule == got.rule && d.file == got.file })
	if i < 0 {
		t.Errorf("%s, %s: theirs %v, ours %v, and no reason", got.rule, got.file, got.theirs, got.ours)
		return left
	}
	if !slices.Equal(left[i].theirs, got.theirs) || !slices.Equal(left[i].ours, got.ours) {
		t.Errorf("%s, %s: %s", got.rule, got.file, cmp.Diff([][]int{left[i].theirs, left[i].ours}, [][]int{got.theirs, got.ours}))
	}
	return slices.Delete(slices.Clone(left), i, i+1)
}

// stranger are files that actionlint takes for in order, and we do not.
var stranger = map[string]string{
	"container_syntax.yaml":                "the entrypoint and command of a service, which its next version knows",
	"issue-312_expression_in_env_var.yaml": "an expression is a key: what it comes out as decides what is set",
}

// Whatever actionlint refuses, we neither crash over nor find in order.
func TestActionlintsFiles(t *testing.T) {
	dir := vectors(t)
	for _, kind := range []string{"err", "ok"} {
		paths, err := filepath.Glob(filepath.Join(dir, "actionlint", kind, "*.y*ml"))
		if err != nil || len(paths) < 20 {
			t.Fatalf("%s: got %d files, %v", kind, len(paths), err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			facts := alone(filepath.Base(path), raw)
			understood := len(facts.Files.all[0].gaps) == 0
			for _, a := range Judge(facts).Answers {
				if !understood && a.Verdict == Holds {
					t.Errorf("%s is not understood, and %s holds", path, a.Rule.ID)
				}
			}
			if kind == "ok" && understood == (stranger[filepath.Base(path)] != "") {
				t.Errorf("%s: understood %t: %v", path, understood, facts.Files.all[0].gaps)
			}
		}
	}
}
