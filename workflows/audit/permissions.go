package audit

import (
	"fmt"
	"slices"

	"github.com/rhysd/actionlint"
)

var excessivePermissions = Rule{
	ID:    "excessive-permissions",
	Title: "a workflow's token can do nothing, but for what a job asks for by name",
	Why: "Whatever runs in a job can use its token. A workflow that says nothing gets what the repository gives by default, " +
		"which may be everything, and one that asks for all has nothing left to lose. The memory scraper of tj-actions (2025) " +
		"took every token that it found.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor excessive-permissions"},
	Fix:    "Write permissions: {} at the top of the workflow, and in each job the few that it needs.",
	judge:  judgePermissions,
}

func judgePermissions(f Facts) judgement {
	files, gaps := f.seen(everyFile)
	j := judgement{gaps: gaps}
	for _, file := range files {
		if file.ast != nil {
			j.applies = true
			j.spots = append(j.spots, file.broadly()...)
		}
	}
	return j
}

// broadly are the places where a workflow asks for more than it names. A
// workflow that is only called has the permissions of who calls it.
func (f *file) broadly() (spots []Spot) {
	top := f.ast.Permissions
	called := len(f.ast.On) == 1 && f.starts("workflow_call")
	if top != nil && top.All != nil {
		spots = append(spots, f.spot(top.Pos, "permissions: "+top.All.Value))
	}
	if top != nil && len(f.jobs) > 1 {
		for _, s := range top.Scopes {
			if value(s.Value) == "write" {
				spots = append(spots, f.spot(s.Name.Pos, fmt.Sprintf("every job gets %s: write", value(s.Name))))
			}
		}
	}
	for _, j := range f.jobs {
		switch own := j.ast.Permissions; {
		case own != nil && own.All != nil:
			spots = append(spots, j.spot(own.All, "permissions: "+own.All.Value))
		case own == nil && top == nil && (!called || j.uses != nil):
			spots = append(spots, j.spot(j.ast.ID, "neither the job nor the workflow says which permissions it has"))
		}
	}
	return spots
}

var idTokenElsewhere = Rule{
	ID:    "id-token-elsewhere",
	Title: "only jobs that attest, publish, withdraw, or are the canary may ask for an ID token",
	Why: "With an ID token a job is the workflow, to Sigstore and to PyPI. In May 2026 TanStack's build was made to read its " +
		"own token from the runner's memory, and signed 84 bad releases with true provenance.",
	Looks: InWorkflow,
	Fix: "Take id-token: write away from the workflow and from every job that only builds or tests. " +
		"The canary and withdraw use the action at the commit by which the policy's workflow publishes; another's may have its name.",
	judge: func(f Facts) judgement {
		gates := f.gates()
		return jobs(everyFile, func(j *job) ([]Spot, []Gap) {
			if j.releases(gates) {
				return nil, nil
			}
			return j.tokenElsewhere(gates)
		})(f)
	},
}

// tokenElsewhere is where a job that has no part in the release may ask for a token.
func (j *job) tokenElsewhere(gates []string) ([]Spot, []Gap) {
	switch {
	case !j.mayTakeToken(), j.calls != nil && j.calls.signs(gates, map[*file]bool{}):
		return nil, nil
	case j.uses != nil && j.calls == nil:
		return nil, []Gap{j.gap(j.uses, "id-token: write goes to "+j.uses.Value+", which was not read")}
	}
	return []Spot{j.spot(j.tokenAt(), "id-token: write, in a job that neither attests nor publishes")}, nil
}

// signs tells whether a job of the workflow, or of one that it calls, has a part in
// the release.
func (f *file) signs(gates []string, seen map[*file]bool) bool {
	if seen[f] {
		return false
	}
	seen[f] = true
	return slices.ContainsFunc(f.jobs, func(j *job) bool {
		return j.releases(gates) || j.calls != nil && j.calls.signs(gates, seen)
	})
}

// tokenAt is where the job is given its ID token.
func (j *job) tokenAt() *actionlint.String {
	if p := j.ast.Permissions; p != nil {
		if s := p.Scopes["id-token"]; s != nil {
			return s.Name
		}
		if p.All != nil {
			return p.All
		}
	}
	return j.ast.ID
}
