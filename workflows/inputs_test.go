package workflows

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a workflow takes that no provenance has, in every way of writing it.
func TestWhatAWorkflowTakes(t *testing.T) {
	for text, want := range map[string]string{
		"run: make ${{ inputs.python }}":                         "inputs.python",
		"run: make ${{ inputs['Python'] }}":                      "inputs.python",
		"run: make ${{ inputs[matrix.x] }}":                      "inputs.*",
		"run: echo '${{ toJSON(inputs) }}'":                      "inputs.*",
		"run: make ${{ github.event.inputs.python }}":            "github.event.inputs.python",
		"run: make ${{ github['event']['inputs'].python }}":      "github.event.inputs.python",
		"run: make ${{ github.event.inputs }}":                   "github.event.inputs.*",
		"run: cat ${{ github.event_path }}":                      "github.event",
		"run: cat ${{ github['Event_Path'] }}":                   "github.event",
		"run: cat $env:GitHub_Event_Path":                        "github.event",
		"env: {A: &a inputs.x}\n    if: *a":                      "inputs.x",
		"env: {A: &a if}\n    *a : inputs.x":                     "inputs.x",
		"run: echo ${{ toJSON(github.event) }}":                  "github.event",
		"run: echo ${{ toJSON(github) }}":                        "github.event",
		"run: echo ${{ github[format('event')].x }}":             "github.event",
		"run: echo ${{ github.event.client_payload.x }}":         "github.event",
		`run: jq .inputs.python < "$GITHUB_EVENT_PATH"`:          "github.event",
		"run: make ${{ vars.FLAGS }} ${{ VARS.other }}":          "vars.flags vars.other",
		"if: vars.ON == 'yes'":                                   "vars.on",
		"if: ${{ inputs.python && 'a }} b' || vars.X }}":         "inputs.python vars.x",
		"env: {A: &a '${{ vars.A }}', B: *a}":                    "vars.a",
		"newer: {than: [distgate, '${{ vars.A }}']}":             "vars.a",
		"run: echo inputs.python vars.A '${{ steps.vars.A }}'":   "",
		"run: echo ${{ github.event.release.tag_name }}":         "",
		"run: echo ${{ github.event.repository.default_branch}}": "",
		"run: echo ${{ needs.inputs.outputs.vars }}":             "",
	} {
		takes, _, err := readWorkflow("build.yml", []byte("on: push\njobs:\n  build:\n    "+text+"\n"))
		if err != nil || strings.Join(takes, " ") != want {
			t.Errorf("%s: got %q, %v, want %q", text, takes, err, want)
		}
	}
}

func TestTheWholeWorkflowIsRead(t *testing.T) {
	takes, uses, err := readWorkflow("build.yml", []byte(`
on: {workflow_dispatch: {inputs: {python: {default: "${{ vars.DEFAULT }}"}}}}
env: {FLAGS: "${{ vars.FLAGS }}"}
jobs:
  one: {uses: ./.github/workflows/wheels.yml, with: {python: "${{ inputs.python }}"}}
  two: {uses: acme/shared/.github/workflows/sdist.yml@main}
  three: {steps: [{uses: actions/checkout@v7}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"vars.flags", "inputs.python"}, takes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"./.github/workflows/wheels.yml", "acme/shared/.github/workflows/sdist.yml@main"}, uses); diff != "" {
		t.Error(diff)
	}
}

// What cannot be read is no workflow that takes nothing.
func TestAWorkflowThatCannotBeReadDecidesNothing(t *testing.T) {
	for _, text := range []string{"", "on: push", "jobs: {}", "jobs: [a]", "jobs:\n\tbuild", "jobs: {a: {run: '${{ inputs. }}'}}",
		"jobs: {a: {run: '${{ inputs.x'}}", "jobs: {a: {run: x}} # \u0085"} {
		if takes, _, err := readWorkflow("build.yml", []byte(text)); err == nil {
			t.Errorf("%q: got %q", text, takes)
		}
	}
}

func FuzzReadWorkflow(f *testing.F) {
	f.Add([]byte("env: &x {A: *x}\njobs: {build: {if: 'vars.A', run: '${{ inputs[0] }}'}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if takes, uses, err := readWorkflow("build.yml", raw); err != nil && len(takes)+len(uses) > 0 {
			t.Error("an error and a result")
		}
	})
}

// An expression that is longer than GitHub takes, or has no end, is an error, and no
// end of the process.
func TestAnExpressionHasAnEnd(t *testing.T) {
	for _, c := range []string{"(", "!", "a[", "a("} {
		_, err := Taken("build.yml", []byte("jobs:\n  build:\n    if: "+"${{ "+strings.Repeat(c, 900_000/len(c))+"a }}\n"))
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: got %v", c, err)
		}
	}
}
