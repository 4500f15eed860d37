package world

import (
	"github.com/distgate/distgate/workflows/githubtest"
)

// Two repositories to audit. Both build and publish; the one keeps the practices
// of the field, and the other began in an afternoon.
const (
	Locked = "acme/locked"
	Loose  = "acme/loose"
)

// looseWorkflow is as many are.
const looseWorkflow = `name: release
on:
  push: {tags: ["v*"]}
  pull_request_target:
jobs:
  release:
    runs-on: ubuntu-latest
    permissions: write-all
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.13", cache: pip}
      - run: pip install -U build twine && python -m build
      - run: echo "${{ github.event.pull_request.title }}"
      - run: twine upload dist/*
        env: {TWINE_PASSWORD: "${{ secrets.PYPI_API_TOKEN }}"}
`

const dependabotFile = `version: 2
updates:
  - package-ecosystem: github-actions
    directory: /
    schedule: {interval: weekly}
    cooldown: {default-days: 7}
`

// lockedWorkflow builds in one job, attests in another and publishes in a third.
func lockedWorkflow(pin func(action string) string) string {
	return `name: release
on: workflow_dispatch
permissions: {}
jobs:
  build:
    runs-on: ubuntu-24.04
    permissions: {contents: read}
    steps:
      - uses: ` + pin("actions/checkout") + `
        with: {persist-credentials: false}
      - run: pip install --require-hashes -r build.txt && python -m build
      - uses: ` + pin("actions/upload-artifact") + `
  attest:
    needs: build
    runs-on: ubuntu-24.04
    permissions: {id-token: write, attestations: write}
    steps:
      - uses: ` + pin("actions/download-artifact") + `
      - uses: ` + pin("actions/attest") + `
  publish:
    needs: attest
    runs-on: ubuntu-24.04
    environment: pypi
    permissions: {id-token: write, actions: read}
    steps:
      - run: distgate publish 1.0
`
}

// putAudited puts the two repositories on GitHub, with all of their settings.
func (w *World) putAudited() {
	g := w.github
	g.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, RequirePins: false, Owners: []string{"alice"}})
	w.putFiles(Loose, githubtest.File{Path: ".github/workflows/release.yml", Content: looseWorkflow})
	g.PutSettings(githubtest.Settings{Repository: Loose, TokenWrites: true, TokenApproves: true, Secrets: []string{"PYPI_API_TOKEN"},
		Runners: []string{"box-under-the-desk"}, Caches: 12, DeployKeys: []githubtest.DeployKey{{Title: "ci"}},
		Collaborators: []githubtest.Collaborator{{Login: "alice", Role: "admin"}, {Login: "bob", Role: "admin"},
			{Login: "carol", Role: "admin"}, {Login: "dave", Role: "admin"}}})

	pin := func(action string) string {
		c := g.PutCommit(githubtest.Commit{Repository: action, Message: action + " v1.0.0",
			Files: []githubtest.File{{Path: "action.yml", Content: "runs: {using: node24, main: index.js}\n"}}})
		g.PutBranch(githubtest.Branch{Repository: action, Name: "main", SHA: c.SHA})
		g.PutRef(action, "refs/tags/v1.0.0", c.SHA)
		return action + "@" + c.SHA + " # v1.0.0"
	}
	g.PutRepository(githubtest.Repository{Name: Locked, ImmutableReleases: true})
	w.putFiles(Locked, githubtest.File{Path: ".github/workflows/release.yml", Content: lockedWorkflow(pin)},
		githubtest.File{Path: ".github/dependabot.yml", Content: dependabotFile})
	g.PutSettings(githubtest.Settings{Repository: Locked, AllowedActions: "selected", RequirePins: true, Alerts: true,
		ForkApproval:  "all_external_contributors",
		Collaborators: []githubtest.Collaborator{{Login: "alice", Role: "admin"}, {Login: "bob", Role: "write"}}})
	g.PutEnvironment(githubtest.Environment{Repository: Locked, Name: "pypi", Reviewers: []string{"alice", "bob"}, PreventSelfReview: true,
		AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}})
	w.putLockedRulesets()
}

func (w *World) putLockedRulesets() {
	for _, r := range []githubtest.Ruleset{
		{Name: "branches", Include: []string{"~ALL"}, Rules: []githubtest.Rule{
			{Type: "deletion"}, {Type: "non_fast_forward"}, {Type: "pull_request"}, {Type: "required_linear_history"}}},
		{Name: "branch names", Include: []string{"refs/heads/advisory-*", "refs/heads/internal-*"}, Rules: []githubtest.Rule{{Type: "creation"}}},
		{Name: "tags", Target: "tag", Include: []string{"~ALL"}, Rules: []githubtest.Rule{{Type: "update"}, {Type: "deletion"},
			{Type: "required_deployments", Parameters: map[string]any{"required_deployment_environments": []string{"pypi"}}}}},
	} {
		r.Repository = Locked
		w.github.PutRuleset(r)
	}
}

func (w *World) putFiles(repository string, files ...githubtest.File) {
	c := w.github.PutCommit(githubtest.Commit{Repository: repository, Message: "Release", Files: files})
	w.github.PutBranch(githubtest.Branch{Repository: repository, Name: "main", SHA: c.SHA})
}

// AdminToken is the token of alice, who administers everything, and only reads.
func (w *World) AdminToken() string {
	return w.github.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{"administration": "write", "secrets": "read",
		"environments": "read", "actions": "read", "contents": "write", "organization_administration": "read", "members": "read"}})
}
