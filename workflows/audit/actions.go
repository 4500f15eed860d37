package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/workflows"
)

// plural is "1 cache", "2 caches".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

var actionsRules = []Rule{
	{
		ID:    "actions-require-pins",
		Admin: true,
		Title: "GitHub refuses to run an action that is not pinned, also within other actions",
		Why: "A workflow that pins every action still runs what those actions use, by whatever name they use it. The tag of " +
			"reviewdog's action that tj-actions used was moved first (2025). Only GitHub's own setting reaches there.",
		Looks: InRepository,
		Fix:   "Settings, Actions, General: tick \"Require actions to be pinned to a full-length commit SHA\"; better for the whole organisation.",
		judge: func(f Facts) judgement {
			if org := f.Settings.OrgPolicy; org.Known() && org.Value.PinRequired != nil && *org.Value.PinRequired {
				return judgement{applies: true}
			}
			return setting("Actions permissions", policyOf, func(_ Facts, p workflows.ActionsPolicy) []Spot {
				return found(p.PinRequired == nil || !*p.PinRequired, "sha_pinning_required is false")
			})(f)
		},
	},
	{
		ID:    "actions-allowed",
		Admin: true,
		Title: "only listed actions may run",
		Why:   "An action that nobody listed is one that nobody looked at. numpy lists those that its release repository may use.",
		Looks: InRepository,
		Fix:   "Settings, Actions, General: choose \"Allow OWNER, and select non-OWNER, actions\" and list what the workflows use.",
		judge: setting("Actions permissions", policyOf, func(f Facts, p workflows.ActionsPolicy) []Spot {
			org := f.Settings.OrgPolicy.Value.Allowed
			limits := p.Allowed == "selected" || p.Allowed == "local_only" || org == "selected" || org == "local_only"
			return found(!limits, "allowed_actions is "+p.Allowed)
		}),
	},
	{
		ID:    "default-token-reads",
		Admin: true,
		Title: "a job's token can only read where nobody says more",
		Why: "A workflow without permissions gets the default. Where that is write, one forgotten line lets every step change the " +
			"source, the releases and the workflows.",
		Looks: InRepository,
		Fix:   "Settings, Actions, General, Workflow permissions: \"Read repository contents\", and untick that Actions may approve pull requests.",
		judge: setting("workflow permissions", func(s workflows.Settings) workflows.Seen[workflows.TokenDefaults] { return s.Token },
			func(_ Facts, t workflows.TokenDefaults) []Spot {
				return append(found(t.Permissions != "read", "default_workflow_permissions is "+t.Permissions),
					found(t.Approves == nil || *t.Approves, "workflows can approve pull requests")...)
			}),
	},
	{
		ID:    "fork-approval",
		Admin: true,
		Title: "no workflow runs on a stranger's pull request before somebody allows it",
		Why: "The default asks once: who had a spelling mistake corrected may run workflows from then on. That is how the PyTorch " +
			"runners were reached (January 2024).",
		Looks: InRepository,
		Fix:   "Settings, Actions, General, Approval for running fork pull request workflows: \"Require approval for all external contributors\".",
		judge: setting("fork pull requests", func(s workflows.Settings) workflows.Seen[string] { return s.ForkApproval },
			func(_ Facts, p string) []Spot {
				return found(p != "all_external_contributors", "approval_policy is "+p)
			}),
	},
	{
		ID:    "no-registered-runners",
		Admin: true,
		Title: "no machine of one's own is registered",
		Why: "A registered machine takes any job that asks for its labels, from any branch, and keeps what the job leaves " +
			"(PyTorch, January 2024).",
		Looks: InRepository,
		Fix:   "Settings, Actions, Runners: remove them; keep the organisation's runner groups away from this repository.",
		judge: setting("runners", func(s workflows.Settings) workflows.Seen[[]string] { return s.Runners },
			func(_ Facts, names []string) (spots []Spot) {
				for _, n := range names {
					spots = append(spots, Spot{Setting: "runner " + n, Got: "it is registered"})
				}
				return spots
			}),
	},
	{
		ID:    "oidc-subject",
		Title: "the subject of ID tokens names the repository",
		Why: "A subject of one's own that leaves the repository out is the same for each repository of the organisation, and whoever " +
			"trusts it trusts all of them.",
		Looks: InRepository,
		Fix:   "gh api -X PUT repos/OWNER/NAME/actions/oidc/customization/sub -F use_default=true",
		judge: setting("OIDC subject", func(s workflows.Settings) workflows.Seen[workflows.Subject] { return s.Subject },
			func(_ Facts, s workflows.Subject) []Spot {
				names := func(k string) bool {
					return slices.Contains([]string{"repo", "repository", "repository_id", "job_workflow_ref"}, k)
				}
				return found(!s.Default && !slices.ContainsFunc(s.Keys, names), "include_claim_keys is "+strings.Join(s.Keys, ", "))
			}),
	},
}

func policyOf(s workflows.Settings) workflows.Seen[workflows.ActionsPolicy] { return s.Policy }
