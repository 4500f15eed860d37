package audit

import "strings"

var secretsOutsideEnv = Rule{
	ID:    "secrets-outside-env",
	Title: "secrets are used only by jobs in an environment",
	Why: "A secret of the repository is there for every workflow on every branch, so whoever can push a branch can read it. " +
		"GhostAction (2025) pushed one workflow file and had 3,325 secrets.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor secrets-outside-env"},
	Fix: "Move the secret into an environment that admits only the branches that need it, and write environment: NAME into " +
		"the job. Then delete the secret of the repository.",
	judge: func(f Facts) judgement {
		j := jobs(everyFile, func(j *job) (spots []Spot, _ []Gap) {
			if j.ast != nil && j.ast.Environment != nil && j.ast.Environment.Name != nil {
				return nil, nil
			}
			return secretsIn(j.id, j.texts), nil
		})(f)
		for _, file := range f.Files.all {
			j.spots = append(j.spots, secretsIn("", file.texts)...)
		}
		return j
	},
}

// secretsIn are the places where a secret other than the job's own token is
// used, each secret once.
func secretsIn(job string, texts []text) (spots []Spot) {
	seen := map[string]bool{}
	for _, t := range texts {
		for _, e := range t.expressions {
			for _, at := range e.references() {
				name, ok := strings.CutPrefix(at, "secrets.")
				if !ok || name == "github_token" || name == "*" || seen[name] {
					continue
				}
				seen[name] = true
				spots = append(spots, Spot{File: t.file.path, Line: e.line, Job: job, Got: "secrets." + strings.ToUpper(name)})
			}
		}
	}
	return spots
}

var secretsInherit = Rule{
	ID:    "secrets-inherit",
	Title: "a called workflow gets the secrets that it needs, by name",
	Why: "secrets: inherit hands over everything that the repository has, also what is added later and what nobody thought of. " +
		"What the called workflow runs can read all of it.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor secrets-inherit"},
	Fix:    "Name each secret that the called workflow needs: secrets: NAME: ${{ secrets.NAME }}",
	judge: jobs(everyFile, func(j *job) (spots []Spot, _ []Gap) {
		if j.ast != nil && j.ast.WorkflowCall != nil && j.ast.WorkflowCall.InheritSecrets {
			spots = append(spots, j.spot(j.uses, "secrets: inherit"))
		}
		return spots, nil
	}),
}

var overprovisionedSecrets = Rule{
	ID:     "overprovisioned-secrets",
	Title:  "no step gets all secrets at once",
	Why:    "toJSON(secrets), or a secret chosen by a computed name, puts every secret of the job into the runner's memory. GhostAction (2025) and Shai-Hulud (2025) took what they found there.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor overprovisioned-secrets"},
	Fix:    "Name the one secret that the step needs.",
	judge: func(f Facts) judgement {
		j := jobs(everyFile, func(j *job) ([]Spot, []Gap) { return allSecretsIn(j.id, j.texts), nil })(f)
		for _, file := range f.Files.all {
			j.spots = append(j.spots, allSecretsIn("", file.texts)...)
		}
		return j
	},
}

func allSecretsIn(job string, texts []text) (spots []Spot) {
	for _, t := range texts {
		for _, e := range t.expressions {
			for _, at := range e.references() {
				if at == "secrets" || at == "secrets.*" {
					spots = append(spots, Spot{File: t.file.path, Line: e.line, Job: job, Got: "${{ " + e.source + " }}"})
				}
			}
		}
	}
	return spots
}
