package approval

import (
	"fmt"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Rebuild is how a staged release compares with a second build of it, which
// somebody made elsewhere. The second build proves nothing by itself: it is worth
// as much as the machine that made it is independent of the first.
type Rebuild struct {
	Files    []Rebuilt      `json:"files"` // of the release, by name
	Extra    []string       `json:"extra"` // distributions of the second build that the release has not
	Findings []rule.Finding `json:"findings"`
}

// Rebuilt is one distribution of the release beside its second build.
type Rebuilt struct {
	Name    string        `json:"name"`
	Digest  dist.Digest   `json:"digest"`  // of the second build; zero where there is none
	Result  dist.Likeness `json:"result"`  // nothing where it could not be compared
	Members []dist.Unlike `json:"members"` // that differ, at most maxUnlike
	More    int           `json:"more"`    // that differ and are not listed
	Gap     string        `json:"gap"`     // why it could not be compared
}

// maxUnlike bounds the members that are listed of one file.
const maxUnlike = 100

// Differ sets down the result of a comparison.
func (r *Rebuilt) Differ(result dist.Likeness, members []dist.Unlike) {
	r.Result = result
	r.Members = orEmpty(members[:min(len(members), maxUnlike)])
	r.More = len(members) - len(r.Members)
}

// Judge fills in the findings: each file that was built otherwise, or not at all.
func (r *Rebuild) Judge() {
	r.Files, r.Extra, r.Findings = orEmpty(r.Files), orEmpty(r.Extra), []rule.Finding{}
	for i, f := range r.Files {
		r.Files[i].Members = orEmpty(f.Members)
		switch {
		case f.Result == dist.Different:
			what := f.Members[0].Path + " differs"
			if n := len(f.Members) - 1 + f.More; n > 0 {
				what += fmt.Sprintf(", and %d more of this file", n)
			}
			r.find(rule.RebuildDifferent, rule.Look, f.Name, what)
		case f.Result == "":
			r.find(rule.RebuildMissing, rule.Look, f.Name, f.Gap)
		}
	}
	for _, name := range r.Extra {
		r.find(rule.RebuildExtra, rule.Remark, name, "only the second build has it")
	}
}

func (r *Rebuild) find(id rule.ID, severity rule.Severity, file, what string) {
	r.Findings = append(r.Findings, rule.Finding{Rule: id, Severity: severity, File: file, What: what})
}
