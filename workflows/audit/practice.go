package audit

import (
	"slices"

	"github.com/distgate/distgate/staging/rule"
)

// Practice is something that somebody published as good practice, and the rules
// that say whether a repository keeps it.
type Practice struct {
	ID    string    `json:"id"` // "A3"
	Title string    `json:"title"`
	Rules []rule.ID `json:"rules"`
	None  string    `json:"none,omitempty"` // why no rule answers it
}

// Source is who published practices.
type Source struct {
	Name      string     `json:"name"`
	Practices []Practice `json:"practices"`
}

// Sources are all of them.
func Sources() []Source { return []Source{astral, numpy, pypi, slsa} }

var astral = Source{"Astral, Open source security at Astral (April 2026)", []Practice{
	{"A1", "no pull_request_target or workflow_run", ids("dangerous-triggers"), ""},
	{"A2", "comments on pull requests by an App", ids("dangerous-triggers", "automation-has-own-account"), ""},
	{"A3", "actions pinned by commit", ids("unpinned-uses", "unpinned-images"), ""},
	{"A4", "no impostor commits", ids("impostor-commit"), ""},
	{"A5", "GitHub requires pins, nested ones too", ids("actions-require-pins", "nested-uses", "actions-allowed"), ""},
	{"A6", "nothing mutable within actions", ids("actions-fetch-nothing", "mutable-downloads"), ""},
	{"A7", "default token reads only", ids("default-token-reads"), ""},
	{"A8", "permissions: {} and widened by job", ids("excessive-permissions", "id-token-elsewhere"), ""},
	{"A9", "secrets in environments", ids("secrets-outside-env", "no-repository-secrets"), ""},
	{"A10", "few administrators", ids("few-admins"), ""},
	{"A11", "strong second factor", ids("second-factor-required", "strong-second-factor"), ""},
	{"A12", "no force push, pull requests on main", ids("branch-protected"), ""},
	{"A13", "no advisory-* or internal-* branches", ids("branch-names"), ""},
	{"A14", "release tags only after the deployment", ids("tags-after-release"), ""},
	{"A15", "tags are never changed or deleted", ids("tags-immutable"), ""},
	{"A16", "release deployments only from main", ids("environment-from-branch"), ""},
	{"A17", "no bypass by administrators", ids("no-bypass", "environment-no-bypass"), ""},
	{"A18", "privileged automation is isolated", ids("few-apps", "automation-has-own-account"), ""},
	{"A19", "trusted publishing everywhere", ids("use-trusted-publishing", "no-index-tokens", "tokens-revoked"), ""},
	{"A20", "attestations", nil, "distgate verify and stage demand provenance of every file, before anything is published"},
	{"A21", "immutable releases", ids("immutable-releases"), ""},
	{"A22", "no caching in releases", ids("cache-poisoning", "caches-empty"), ""},
	{"A23", "a dedicated environment", ids("publish-environment", "environment-exists"), ""},
	{"A24", "another person approves", ids("environment-reviewed"), ""},
	{"A25", "a gate by a deployment protection rule", nil, "distgate publish is this gate: it counts votes for the bytes, where the App saw a commit"},
	{"A26", "the installer carries checksums", nil, "wheels have no installer; the receipt names the digest of every file"},
	{"A27", "later writes by bots with narrow tokens", ids("automation-has-own-account", "no-repository-secrets"), ""},
	{"A28", "code signing", nil, "wheels are not signed for an operating system; attestations are their signatures"},
	{"A29", "Dependabot or Renovate, and alerts", ids("dependencies-updated"), ""},
	{"A30", "cooldowns", ids("dependabot-cooldown"), ""},
	{"A31", "few dependencies, good relations upstream", ids("dependencies-are-known"), ""},
}}

var numpy = Source{"numpy, NumPy Security roadmap (numpy#29178)", []Practice{
	{"N1", "a second factor for everybody who can write", ids("second-factor-required", "strong-second-factor"), ""},
	{"N2", "GITHUB_TOKEN reads by default", ids("default-token-reads", "excessive-permissions"), ""},
	{"N3", "a release repository of its own, few writers", ids("few-writers", "few-admins"), ""},
	{"N4", "trusted publishing", ids("use-trusted-publishing", "publisher-names-environment"), ""},
	{"N5", "an environment with manual approval", ids("publish-environment", "environment-exists", "environment-reviewed"), ""},
	{"N6", "no anaconda.org token for releases", ids("no-index-tokens"), ""},
	{"N7", "linear history", ids("linear-history"), ""},
	{"N8", "branch protection", ids("branch-protected"), ""},
	{"N9", "only the workflow that releases runs", ids("actions-allowed", "dangerous-triggers", "publish-past-the-gate"), ""},
	{"N10", "every artifact is built in this repository", ids("artifacts-from-elsewhere"), ""},
	{"N11", "no self-hosted runners", ids("self-hosted-runner", "no-registered-runners"), ""},
	{"N12", "SBOMs in wheels (PEP 770)", nil, "an SBOM is in the file and no setting: distgate review shows whether a file has one"},
	{"N13", "reproducible builds", ids("builds-reproduce"), ""},
	{"N14", "no caching", ids("cache-poisoning", "caches-empty"), ""},
	{"N15", "a list of allowed actions", ids("actions-allowed"), ""},
	{"N16", "approval for outside pull requests", ids("fork-approval"), ""},
	{"N17", "attestations", nil, "distgate verify and stage demand provenance of every file, before anything is published"},
}}

var pypi = Source{"PyPI, Security model of trusted publishers", []Practice{
	{"P1", "the publisher names an environment", ids("publisher-names-environment", "publish-environment"), ""},
	{"P2", "the environment has reviewers and few refs", ids("environment-reviewed", "environment-from-branch"), ""},
	{"P3", "id-token: write in the publishing job alone", ids("id-token-elsewhere"), ""},
	{"P4", "building and publishing are two jobs", ids("publish-does-more"), ""},
	{"P5", "few people can write", ids("few-writers"), ""},
	{"P6", "old API tokens are removed", ids("tokens-revoked", "no-index-tokens"), ""},
	{"P7", "tags are protected", ids("tags-immutable", "tags-after-release"), ""},
}}

var slsa = Source{"SLSA 1.0, Build L3", []Practice{
	{"S1", "provenance exists and is authentic", nil, "distgate verify and stage prove it for every file"},
	{"S2", "hosted: no build on a person's machine", ids("self-hosted-runner", "no-registered-runners"), ""},
	{"S3", "the build cannot reach what signs", ids("attest-beside-code", "id-token-elsewhere"), ""},
	{"S4", "one build cannot influence another", ids("cache-poisoning", "artifacts-from-elsewhere"), ""},
	{"S5", "external parameters are complete", ids("inputs-in-builds"), ""},
}}

func ids(names ...rule.ID) []rule.ID { return names }

// Standing is what came of a practice.
type Standing struct {
	Practice
	Verdict Verdict `json:"verdict"` // the worst of its rules; "" where no rule answers it
}

// Share is how a repository stands to what one source published.
type Share struct {
	Source    string     `json:"source"`
	Hold      int        `json:"hold"` // of those that rules answer and that apply
	Of        int        `json:"of"`
	Standings []Standing `json:"practices"`
}

// worst is the order in which one rule's verdict decides over another's.
var worst = []Verdict{Broken, CannotSee, Question, IsWaived, Holds, DoesNotApply}

// Shares says how many of each source's practices hold. One of several rules
// that does not hold, or that is a question, is a practice that does not.
func (r Report) Shares() (shares []Share) {
	verdicts := map[rule.ID]Verdict{}
	for _, a := range r.Answers {
		verdicts[a.Rule.ID] = a.Verdict
	}
	for _, s := range Sources() {
		share := Share{Source: s.Name}
		for _, p := range s.Practices {
			st := Standing{Practice: p, Verdict: worstOf(p.Rules, verdicts)}
			share.Standings = append(share.Standings, st)
			if st.Verdict != "" && st.Verdict != DoesNotApply {
				share.Of++
			}
			if st.Verdict == Holds {
				share.Hold++
			}
		}
		shares = append(shares, share)
	}
	return shares
}

func worstOf(rules []rule.ID, verdicts map[rule.ID]Verdict) Verdict {
	at := -1
	for _, id := range rules {
		i := slices.Index(worst, verdicts[id])
		if i < 0 {
			return ""
		}
		if at < 0 || i < at {
			at = i
		}
	}
	if at < 0 {
		return ""
	}
	return worst[at]
}
