package template_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"

	"github.com/distgate/distgate/workflows/template"
)

const action = "distgate/distgate@0123456789abcdef0123456789abcdef01234567"

func setup() template.Setup {
	return template.Setup{Action: action, Project: "widget", Repository: "acme/widget-release", Branch: "main",
		Workflow: ".github/workflows/release.yml", Indexes: []string{"pypi", "testpypi"},
		Build: template.Build{Repository: "acme/widget", Workflow: ".github/workflows/wheels.yml",
			Refs: []string{"refs/tags/v*"}, Labels: []string{"ubuntu-24.04"}, Source: "acme/widget"}}
}

// setups are all the ways to begin.
func setups() map[string]template.Setup {
	one, single, registry, unknown := setup(), setup(), setup(), setup()
	single.Single, single.Indexes = true, []string{"pypi"}
	registry.Registry, registry.Mirror = "ghcr.io/acme/staging", true
	one.Mirror = true
	unknown.Project = ""
	return map[string]template.Setup{"release": one, "single": single, "registry": registry, "unknown": unknown}
}

func write(t *testing.T, s template.Setup) (workflow, policy []byte) {
	t.Helper()
	files, err := s.Write()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files[0].Path != s.Workflow || files[1].Path != template.Policy {
		t.Fatalf("got %v", files)
	}
	return files[0].Text, files[1].Text
}

func lint(t *testing.T, path string, text []byte) {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	faults, err := linter.Lint(path, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// job is a job as the rules below look at it.
type job struct {
	Name        string
	Permissions map[string]string
	Environment struct{ Name, URL string }
	Steps       []struct {
		Uses, Run string
		With      map[string]string
	}
}

func TestWhatIsWrittenIsLockedDown(t *testing.T) {
	pinned := regexp.MustCompile(`(?m)^ +(?:- )?(?:id: [a-z]+\n +)?uses: (actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|` + regexp.QuoteMeta(action) + `)$`)
	for name, s := range setups() {
		t.Run(name, func(t *testing.T) {
			raw, _ := write(t, s)
			lint(t, s.Workflow, raw)
			if uses := strings.Count(string(raw), "uses:"); uses == 0 || uses != len(pinned.FindAll(raw, -1)) {
				t.Errorf("an action is not pinned in\n%s", raw)
			}
			var w struct {
				Permissions map[string]string
				Jobs        map[string]job
			}
			if err := yaml.Unmarshal(raw, &w); err != nil {
				t.Fatal(err)
			}
			if w.Permissions == nil || len(w.Permissions) > 0 {
				t.Errorf("permissions: got %v, want {}", w.Permissions)
			}
			for _, word := range []string{"cache", "pull_request", "secrets.", "write-all", "inherit"} {
				if strings.Contains(string(raw), word) {
					t.Errorf("the workflow has the word %s", word)
				}
			}
			for name, j := range w.Jobs {
				judge(t, name, j)
			}
			if _, mirrors := w.Jobs["mirror"]; mirrors != s.Mirror {
				t.Errorf("a job mirror: got %v, want %v", mirrors, s.Mirror)
			}
			publish := w.Jobs["publish"]
			if publish.Name != "publish ${{ needs.gate.outputs.title }}" || publish.Environment.Name == "" || publish.Environment.URL == "" {
				t.Errorf("got %+v", publish)
			}
		})
	}
}

// judge holds a job to its permissions: what signs runs no script.
func judge(t *testing.T, name string, j job) {
	want := map[string]map[string]string{
		"build":   {"contents": "read"},
		"attest":  {"attestations": "write", "contents": "read", "id-token": "write"},
		"gate":    {"actions": "read", "attestations": "read", "contents": "read"},
		"canary":  {"contents": "read", "id-token": "write"},
		"publish": {"actions": "read", "contents": "read", "id-token": "write"},
		"mirror":  {"actions": "read", "contents": "write"},
	}[name]
	got := j.Permissions
	delete(got, "packages")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("job %s: %s", name, diff)
	}
	if inside := j.Environment.Name != ""; inside != (name == "publish") {
		t.Errorf("job %s is in the environment %q", name, j.Environment.Name)
	}
	for _, s := range j.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("job %s puts an expression into a script: %s", name, s.Run)
		}
		if name != "build" && (s.Run != "" || strings.HasPrefix(s.Uses, "actions/checkout")) {
			t.Errorf("job %s runs %s%s", name, s.Run, s.Uses)
		}
	}
}

// What comes after a release is locked down alike, and written only where a later
// run can know of it.
func TestWhatComesAfterwardsIsLockedDown(t *testing.T) {
	s := setups()["registry"]
	files, err := s.Afterwards()
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	want := map[string]map[string]string{
		"watch":    {"actions": "read", "contents": "read", "issues": "write", "packages": "read"},
		"withdraw": {"actions": "read", "contents": "read", "id-token": "write", "packages": "write"},
	}
	raw, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Inputs map[string]map[string]any }
	if err := yaml.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		lint(t, f.Path, f.Text)
		var w struct {
			Permissions map[string]string
			Jobs        map[string]job
		}
		if err := yaml.Unmarshal(f.Text, &w); err != nil {
			t.Fatal(err)
		}
		if w.Permissions == nil || len(w.Permissions) > 0 || len(w.Jobs) != 1 {
			t.Errorf("%s: %+v", f.Path, w)
		}
		for name, j := range w.Jobs {
			if diff := cmp.Diff(want[name], j.Permissions); diff != "" {
				t.Errorf("job %s: %s", name, diff)
			}
			for _, step := range j.Steps {
				for input := range step.With {
					if _, ok := a.Inputs[input]; step.Uses == action && !ok {
						t.Errorf("%s: the action has no input %s", name, input)
					}
				}
				if step.Run != "" {
					t.Errorf("job %s runs %s", name, step.Run)
				}
			}
		}
	}
	if files, err := setup().Afterwards(); err != nil || len(files) != 0 {
		t.Errorf("without a registry: %d files, %v", len(files), err)
	}
}

// TestTheActionIsCalledAsItIs holds what the workflows say to distgate's own
// action.yml, and that to what it promises.
func TestTheActionIsCalledAsItIs(t *testing.T) {
	raw, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Inputs, Outputs map[string]map[string]any
		Runs            struct {
			Using string
			Steps []struct {
				Run, Uses string
				Env       map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	for _, s := range a.Runs.Steps {
		if strings.Contains(s.Run, "${{") || s.Uses != "" {
			t.Errorf("a step interpolates into its script, or uses another action: %s%s", s.Run, s.Uses)
		}
	}
	for _, s := range a.Runs.Steps {
		for name, value := range a.Runs.Steps[0].Env {
			if name != "VERB" && strings.Contains(s.Run, "go build") && s.Env[name] != value {
				t.Errorf("a program is built with %s=%s, want %s", name, s.Env[name], value)
			}
		}
	}
	build := a.Runs.Steps[0].Env
	if build["CGO_ENABLED"] != "0" || !strings.Contains(build["GOFLAGS"], "-mod=readonly") || build["GOSUMDB"] != "sum.golang.org" {
		t.Errorf("the binary is built with %v", build)
	}
	for name, s := range setups() {
		workflow, _ := write(t, s)
		var w struct{ Jobs map[string]job }
		if err := yaml.Unmarshal(workflow, &w); err != nil {
			t.Fatal(err)
		}
		for _, j := range w.Jobs {
			for _, step := range j.Steps {
				for input := range step.With {
					if _, ok := a.Inputs[input]; step.Uses == action && !ok {
						t.Errorf("%s: the action has no input %s", name, input)
					}
				}
			}
		}
		for _, used := range regexp.MustCompile(`steps\.gate\.outputs\.(\w+)`).FindAllSubmatch(workflow, -1) {
			if _, ok := a.Outputs[string(used[1])]; !ok {
				t.Errorf("%s: the action has no output %s", name, used[1])
			}
		}
	}
}

// What is chosen to rehearse is no index, and publishes nothing.
func TestARehearsalIsChosenLikeAnIndex(t *testing.T) {
	for _, c := range []struct {
		indexes []string
		want    string
	}{{[]string{"pypi"}, "rehearse"}, {[]string{"pypi", "testpypi"}, "rehearse/pypi"}} {
		s := setup()
		s.Indexes = c.indexes
		raw, _ := write(t, s)
		var w struct {
			On struct {
				Dispatch struct {
					Inputs map[string]struct{ Options []string }
				} `yaml:"workflow_dispatch"`
			}
			Jobs map[string]struct {
				If    string
				Steps []struct{ If string }
			}
		}
		if err := yaml.Unmarshal(raw, &w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append(c.indexes, c.want), w.On.Dispatch.Inputs["index"].Options); diff != "" {
			t.Error(diff)
		}
		not := "inputs.index != '" + c.want + "'"
		if got := w.Jobs["publish"].If; got != not {
			t.Errorf("publish if %s", got)
		}
		if got := w.Jobs["canary"].Steps[0].If; got != not {
			t.Errorf("canary if %s", got)
		}
	}
}

func TestPinsAreKeptUpToDate(t *testing.T) {
	f, err := template.Updates()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Version int
		Updates []struct {
			Ecosystem string `yaml:"package-ecosystem"`
			Directory string
			Schedule  struct{ Interval string }
			Cooldown  struct {
				Days int `yaml:"default-days"`
			}
		}
	}
	if err := yaml.Unmarshal(f.Text, &d); err != nil {
		t.Fatal(err)
	}
	if u := d.Updates; f.Path != ".github/dependabot.yml" || d.Version != 2 || len(u) != 1 || u[0].Ecosystem != "github-actions" ||
		u[0].Directory != "/" || u[0].Schedule.Interval == "" || u[0].Cooldown.Days < 7 {
		t.Errorf("%s: %+v", f.Path, d)
	}
}

func TestNamesAreHeldToTheirForms(t *testing.T) {
	for name, change := range map[string]func(*template.Setup){
		"no action":             func(s *template.Setup) { s.Action = "" },
		"an action at a tag":    func(s *template.Setup) { s.Action = "distgate/distgate@v1" },
		"no repository":         func(s *template.Setup) { s.Repository = "" },
		"another's markup":      func(s *template.Setup) { s.Repository = "acme/widget\"\nfoo" },
		"a workflow elsewhere":  func(s *template.Setup) { s.Workflow = "release.yml" },
		"a branch with a quote": func(s *template.Setup) { s.Branch = `ma"in` },
		"a project of two":      func(s *template.Setup) { s.Project = "a b" },
		"a label of two lines":  func(s *template.Setup) { s.Build.Labels = []string{"a\nb"} },
		"no label":              func(s *template.Setup) { s.Build.Labels = nil },
		"no ref":                func(s *template.Setup) { s.Build.Refs = nil },
		"no index":              func(s *template.Setup) { s.Indexes = nil },
		"an index to rehearse":  func(s *template.Setup) { s.Indexes = []string{"rehearse"} },
		"a registry with words": func(s *template.Setup) { s.Registry = "ghcr.io/Acme Staging" },
	} {
		s := setup()
		change(&s)
		if files, err := s.Write(); err == nil || len(files) > 0 {
			t.Errorf("%s was written", name)
		}
	}
}

// golden are the build workflows of testdata, each NAME.yml with NAME.edited.yml.
func golden(t *testing.T) map[string][2][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.edited.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err, paths)
	}
	all := map[string][2][]byte{}
	for _, path := range paths {
		edited, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		was, err := os.ReadFile(strings.Replace(path, ".edited", "", 1))
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".edited.yml")] = [2][]byte{was, edited}
	}
	return all
}

func edit(t *testing.T, raw []byte) (template.Edit, error) {
	t.Helper()
	w, err := template.Read(".github/workflows/wheels.yml", raw)
	if err != nil {
		return template.Edit{}, err
	}
	return w.Edit()
}

func TestABuildWorkflowIsEditedByWholeJobs(t *testing.T) {
	for name, c := range golden(t) {
		t.Run(name, func(t *testing.T) {
			lint(t, name, c[0])
			lint(t, name, c[1])
			e, err := edit(t, c[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(c[1]), string(e.Text)); diff != "" {
				t.Error(diff)
			}
			again, err := edit(t, e.Text)
			if err != nil || again.Added || len(again.Removed) > 0 || string(again.Text) != string(e.Text) {
				t.Errorf("edited twice it is another: %+v, %v", again, err)
			}
			windows := strings.ReplaceAll(string(c[0]), "\n", "\r\n")
			if e, err := edit(t, []byte(windows)); err != nil || string(e.Text) != strings.ReplaceAll(string(c[1]), "\n", "\r\n") {
				t.Errorf("with CRLF: %v\n%q", err, e.Text)
			}
			if e, err := edit(t, c[0][:len(c[0])-1]); err != nil || strings.TrimSuffix(string(e.Text), "\n") != strings.TrimSuffix(string(c[1]), "\n") {
				t.Errorf("without the last line end: %v\n%s", err, e.Text)
			}
		})
	}
}

func TestWhatAPolicySaysOfABuildWorkflow(t *testing.T) {
	w, err := template.Read(".github/workflows/wheels.yml", golden(t)["numpy"][0])
	if err != nil {
		t.Fatal(err)
	}
	want := template.Build{Repository: "acme/widget", Workflow: ".github/workflows/wheels.yml", Refs: []string{"refs/heads/main"},
		Labels:    []string{"macos-14", "ubuntu-22.04", "ubuntu-22.04-arm", "ubuntu-24.04", "ubuntu-latest", "windows-2022"},
		Artifacts: []string{"*-*-*", "sdist"}, LeaveOut: []string{"*wasm*"}, Source: "numpy/numpy"}
	if diff := cmp.Diff(want, w.Build("acme/widget", "main")); diff != "" {
		t.Error(diff)
	}
}

const upload = "    steps:\n      - uses: actions/upload-artifact@v7\n"

func TestWhatOnlyAPersonCanTakeApartIsRefused(t *testing.T) {
	const publish = "    steps:\n      - run: uv publish\n"
	for name, c := range map[string]struct{ text, says string }{
		"nothing":                       {"", "1 to"},
		"no YAML":                       {"jobs: [", "as GitHub reads it"},
		"no jobs":                       {"on: push\n", "none"},
		"a line for some":               {"on: push # \u2028\njobs:\n  build:\n" + upload, "line 1"},
		"jobs in a line":                {"jobs: {build: {steps: []}}\n", "one below the other"},
		"nobody builds":                 {"jobs:\n  test:\n    steps: []\n", "none"},
		"one builds and publishes":      {"jobs:\n  all:\n" + upload + "      - run: twine upload dist/*\n", "job all, which does both"},
		"one waits for who publishes":   {"jobs:\n  build:\n" + upload + "  out:\n    needs: build\n" + publish + "  tell:\n    needs: [out]\n    steps: []\n", "job tell, which needs out"},
		"whoever builds may sign":       {"jobs:\n  build:\n    permissions: {id-token: write}\n" + upload, "id-token: write for job build"},
		"whoever builds may everything": {"jobs:\n  build:\n    permissions: write-all\n" + upload, "id-token: write for job build"},
		"all may sign":                  {"permissions: {id-token: write}\njobs:\n  build:\n" + upload, "the whole workflow"},
		"who builds attests":            {"jobs:\n  build:\n    permissions: {id-token: write}\n" + upload + "      - uses: actions/attest@v4\n", "job build"},
		"all may, by an alias":          {"env: {A: &x write-all}\npermissions: *x\njobs:\n  build:\n" + upload, "the whole workflow"},
		"who builds may, by an alias":   {"env: {A: &x write-all}\njobs:\n  build:\n    permissions: *x\n" + upload, "job build"},
		"it waits in another case":      {"jobs:\n  build:\n" + upload + "  out:\n" + publish + "  tell:\n    needs: OUT\n    steps: []\n", "job tell, which needs OUT"},
		"lines that cannot be cut":      {"jobs:\n  build:\n" + upload + "  out:\n    needs: [build,\n\"build\"]\n" + publish, "cut by lines"},
	} {
		e, err := edit(t, []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) || len(e.Text) > 0 {
			t.Errorf("%s: want %q, got %v", name, c.says, err)
		}
	}
}

// TestWhatAnEditLeavesForPeople names the publishers of the jobs that went, and the
// inputs that only they used.
func TestWhatAnEditLeavesForPeople(t *testing.T) {
	const gone = "    environment: {name: \"${{ inputs.where }}\"}\n    if: github.event.inputs['one'] && inputs.two && inputs.three-a\n"
	const on = "on:\n  workflow_dispatch:\n    inputs: {where: {}, one: {}, two: {}, three: {}, never: {}}\njobs:\n  build:\n    if: inputs.two\n" + upload + "  out:\n" + gone
	type left struct {
		Old    []template.Published
		Unused []string
		Idle   []string
	}
	to := func(environment string, indexes ...string) []template.Published {
		return []template.Published{{Job: "out", Environment: environment, Indexes: indexes}}
	}
	for name, c := range map[string]struct {
		steps string
		want  left
	}{
		"a script":         {"      - run: |\n          ls\n          uv publish dist/*\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"on two lines":     {"      - run: |\n          twine \\\n            upload -r testpypi dist/*\n", left{to("${{ inputs.where }}", "testpypi"), []string{"one", "where"}, nil}},
		"in a folder":      {"      - run: uv --directory dist publish\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"at a version":     {"      - run: uvx twine@5 upload dist/*\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"as an image":      {"      - uses: docker://ghcr.io/pypa/gh-action-pypi-publish:release-v1\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"by maturin":       {"      - uses: PyO3/maturin-action@v1\n        with: {command: upload}\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"by an alias":      {"      - uses: PyO3/maturin-action@v1\n        with: {args: &x upload, command: *x}\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"maturin builds":   {"      - uses: PyO3/maturin-action@v1\n        with: {command: build}\n", left{nil, nil, nil}},
		"by poetry":        {"      - uses: JRubics/poetry-publish@v2\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"to rehearse":      {"      - run: twine upload -r testpypi dist/*\n", left{to("${{ inputs.where }}", "testpypi"), []string{"one", "where"}, nil}},
		"to both":          {"      - run: twine upload -r testpypi dist/*\n      - run: twine upload dist/*\n", left{to("${{ inputs.where }}", "pypi", "testpypi"), []string{"one", "where"}, nil}},
		"to one of both":   {"      - uses: pypa/gh-action-pypi-publish@v1\n        with: {repository-url: \"${{ inputs.two && 'https://test.pypi.org/legacy/' || '' }}\"}\n", left{to("${{ inputs.where }}", "pypi", "testpypi"), []string{"one", "where"}, nil}},
		"to another":       {"      - uses: pypa/gh-action-pypi-publish@v1\n        with: {repository-url: https://index.example.org/}\n", left{to("${{ inputs.where }}"), []string{"one", "where"}, nil}},
		"to PyPI by name":  {"      - uses: pypa/gh-action-pypi-publish@v1\n        with: {repository-url: https://upload.pypi.org/legacy/}\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
		"with what it was": {"      - uses: pypa/gh-action-pypi-publish@v1\n", left{to("${{ inputs.where }}", "pypi"), []string{"one", "where"}, nil}},
	} {
		e, err := edit(t, []byte(on+"    steps:\n"+c.steps))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, left{e.Old, e.Unused, e.Idle}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, want := range map[string]left{
		"numpy": {[]template.Published{
			{"testpypi-publish", "testpypi", []string{"testpypi"}, "numpy", nil},
			{"pypi-publish", "pypi", []string{"pypi"}, "numpy", []string{"*wasm*"}},
		}, []string{"environment"}, []string{"check_version"}},
		"small": {[]template.Published{{"publish-to-pypi", "pypi", []string{"pypi"}, "", nil}}, nil, nil},
	} {
		e, err := edit(t, golden(t)[name][0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, left{e.Old, e.Unused, e.Idle}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What anybody can move is named, but for what goes, is local or is an image.
func TestAnEditNamesWhatIsNotPinned(t *testing.T) {
	commit := "actions/setup-python@" + strings.Repeat("a", 40)
	e, err := edit(t, []byte("jobs:\n  build:\n    steps:\n      - uses: actions/checkout@v5\n      - uses: actions/cache@abc1234\n      - uses: "+commit+
		" # v6\n      - uses: ./own\n      - uses: docker://alpine:3\n      - uses: actions/checkout@v5\n      - uses: actions/upload-artifact@v4\n"+
		"  called:\n    uses: acme/shared/.github/workflows/wheels.yml@main\n  out:\n    steps: [{uses: pypa/gh-action-pypi-publish@v1}]\n"))
	want := []string{"acme/shared/.github/workflows/wheels.yml@main", "actions/cache@abc1234", "actions/checkout@v5", "actions/upload-artifact@v4"}
	if diff := cmp.Diff(want, e.Unpinned); diff != "" || err != nil {
		t.Errorf("%s%v", diff, err)
	}
}

// The job that attests has a name that no other has, whatever its case; inputs without
// number are looked at once.
func TestAnEditedWorkflowIsOneForGitHub(t *testing.T) {
	e, err := edit(t, []byte("jobs:\n  build:\n"+upload+"  Attest:\n    steps: [{run: ls}]\n"))
	if err != nil || e.Attest != "distgate-attest" {
		t.Errorf("want another name than Attest, got %q, %v", e.Attest, err)
	}
	var text strings.Builder
	text.WriteString("on:\n  workflow_dispatch:\n    inputs:\n")
	for i := range 20000 {
		fmt.Fprintf(&text, "      i%d: {}\n", i)
	}
	text.WriteString("jobs:\n  build:\n" + upload + "  out:\n    env: {A: \"${{ inputs.I7 }}\"}\n    steps: [{run: uv publish}]\n" +
		"# " + strings.Repeat("inputs.", 50000))
	if e, err = edit(t, []byte(text.String())); err != nil || !slices.Equal(e.Unused, []string{"i7"}) {
		t.Errorf("want i7, got %q, %v", e.Unused, err)
	}
}

// FuzzEdit demands that an edited workflow is one that needs no edit any more, and
// that each of its lines but the new job's is one of the original.
func FuzzEdit(f *testing.F) {
	for _, path := range []string{"testdata/numpy.yml", "testdata/small.yml"} {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("jobs:\n a:\n" + upload + "\n b: {needs: a}"))
	f.Add([]byte("jobs:\r a:\r" + upload + "\r\r b: {needs: a}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := edit(t, raw)
		if err != nil {
			return
		}
		again, err := edit(t, e.Text)
		if err != nil || string(again.Text) != string(e.Text) {
			t.Fatalf("%v\n%s", err, e.Text)
		}
		was := strings.Split(string(raw), "\n")
		if lost := slices.IndexFunc(strings.Split(string(e.Text), "\n"), func(line string) bool {
			return !slices.Contains(was, line)
		}); lost >= 0 && !e.Added {
			t.Fatalf("line %d is new in\n%s", lost, e.Text)
		}
	})
}
