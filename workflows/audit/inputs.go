package audit

import (
	"slices"
	"strings"
)

var mutableInputs = Rule{
	ID:    "inputs-in-builds",
	Title: "what a build makes depends on its commit alone",
	Why: "An input of a dispatch, or a variable of the repository's settings, changes what is built without a change to the " +
		"source that anybody reviewed. numpy 2.3.3 came with an sdist of another version, because one job of its build " +
		"took another ref than the others.",
	Looks: InWorkflow,
	Fix: "Put the value into a file of the repository, or into the workflow. An input may choose the environment of a job that " +
		"only publishes.",
	judge: jobs(releaseGraph, func(j *job) (spots []Spot, _ []Gap) {
		if !j.builds() {
			return nil, nil
		}
		for _, t := range slices.Concat(j.texts, j.file.env) {
			for _, e := range t.expressions {
				if at := j.settable(e); at != "" {
					spots = append(spots, Spot{File: t.file.path, Line: e.line, Job: j.id, Got: at})
				}
			}
		}
		return spots, nil
	}),
}

// builds tells whether the job makes or attests what is released.
func (j *job) builds() bool {
	return j.ast != nil && !j.publishes() && (j.attests() || len(j.runsCode()) > 0)
}

// settable is a reference of an expression to something that is set from
// outside the commit. The inputs of a workflow that is only called are what its
// caller writes.
func (j *job) settable(e expression) string {
	started := j.file.starts("workflow_dispatch", "repository_dispatch")
	for _, at := range e.references() {
		if strings.HasPrefix(at, "vars.") || at == "vars" || strings.HasPrefix(at, "github.event.inputs") ||
			strings.HasPrefix(at, "github.event.client_payload") || started && (strings.HasPrefix(at, "inputs.") || at == "inputs") {
			return at
		}
	}
	return ""
}
