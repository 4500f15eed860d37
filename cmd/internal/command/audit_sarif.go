package command

import (
	"net/url"
	"strings"

	"github.com/distgate/distgate/workflows/audit"
)

// SARIF 2.1.0 (OASIS), as far as an audit needs it: what code-scanning pages show
// on the line that is meant.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver struct {
			Name  string      `json:"name"`
			Rules []sarifRule `json:"rules"`
		} `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
	Full  sarifText `json:"fullDescription"`
	Help  sarifText `json:"help"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Kind      string          `json:"kind"`  // "fail", "open" (cannot see) or "review" (a question)
	Level     string          `json:"level"` // "error" where the policy requires it; "none" for what does not fail
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

// settingsFile is where a finding about a setting is shown: a page of code
// scanning shows only what has a file.
const settingsFile = defaultPolicy

func (a audited) sarif() sarifLog {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver.Name, run.Tool.Driver.Rules = "distgate", []sarifRule{}
	for _, answer := range a.Report.Answers {
		r := answer.Rule
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules,
			sarifRule{string(r.ID), sarifText{plain(r.Title)}, sarifText{plain(r.Why)}, sarifText{plain(r.Fix)}})
		run.Results = append(run.Results, a.sarifResults(answer)...)
	}
	return sarifLog{Version: "2.1.0", Runs: []sarifRun{run},
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"}
}

// sarifResults are one for each place that is broken, one for each thing that
// could not be seen, and one for a question.
func (a audited) sarifResults(answer audit.Answer) (results []sarifResult) {
	id, level := string(answer.Rule.ID), "warning"
	for _, required := range a.demand.Require {
		if required == answer.Rule.ID {
			level = "error"
		}
	}
	for _, s := range answer.Spots {
		text := answer.Rule.Title + "; found " + s.Got
		if s.File == "" {
			text = s.Setting + ": " + text
		}
		results = append(results, sarifResult{id, "fail", level, sarifText{plain(text)}, sarifAt(s.File, s.Line, s.Column)})
	}
	for _, g := range answer.Gaps {
		results = append(results, sarifResult{id, "open", "none", sarifText{plain(g.Text())}, sarifAt(g.File, g.Line, 0)})
	}
	if answer.Verdict == audit.Question {
		results = append(results, sarifResult{id, "review", "none", sarifText{plain(answer.Rule.Title)}, sarifAt("", 0, 0)})
	}
	return results
}

func sarifAt(file string, line, column int) []sarifLocation {
	var at sarifPhysical
	file, _, _ = strings.Cut(file, " on ") // another branch
	file, _, _ = strings.Cut(file, " of ") // another repository
	at.Artifact.URI = (&url.URL{Path: file}).EscapedPath()
	if file == "" {
		at.Artifact.URI = settingsFile
	}
	if line > 0 {
		at.Region = &sarifRegion{line, column}
	}
	return []sarifLocation{{at}}
}
