package command

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/distgate/distgate/workflows/audit"
)

// The SARIF is valid by OASIS's own schema, and says nothing that a reader of
// SARIF does not know.
func TestSARIFIsValid(t *testing.T) {
	var a audited
	for _, r := range audit.Rules() {
		a.Report.Answers = append(a.Report.Answers, audit.Answer{Rule: r, Verdict: audit.Broken,
			Spots: []audit.Spot{{File: ".github/workflows/a b.yml", Line: 3, Column: 1, Got: evil}, {Setting: "rulesets", Got: "x"}},
			Gaps:  []audit.Gap{{File: "a.yml", Line: 1, What: "y"}, {What: "z", Needs: "administration: read"}}})
	}
	a.Report.Answers[0].Verdict = audit.Question
	raw, err := json.Marshal(a.sarif())
	if err != nil {
		t.Fatal(err)
	}
	known, err := sarif.FromBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	run := known.Runs[0] // of what is left out, the library writes some as empty
	run.Language, run.Tool.Driver.Language, run.NewlineSequences = "en-US", "en-US", []string{"\n"}
	if err := known.Validate(); err != nil {
		t.Error(err)
	}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(new(sarif.Report)); err != nil {
		t.Error(err)
	}
	known.Version = "2.0.0"
	if known.Validate() == nil {
		t.Error("the schema takes everything")
	}
	if len(known.Runs[0].Results) != 4*len(audit.Rules())+1 {
		t.Errorf("got %d results", len(known.Runs[0].Results))
	}
}
