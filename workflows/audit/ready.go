package audit

import (
	"encoding/json"
	"strings"
)

// Ready is one setting as it should be: a file of JSON, and the command by which
// an administrator applies it. Nothing is applied here.
type Ready struct {
	File    string // its name
	JSON    []byte
	Command string // takes the file with --input
	Note    string // what to know before
}

// ReadySettings are the settings of a repository that the rules want, as far as
// they can be written down for every repository alike. Refs are those that may
// publish; environments, those in which it is published, and withdrawing the one in
// which a release is taken back, or nothing. Who reviews an environment is left to
// fill in; who takes a release back does not wait.
func ReadySettings(repository string, refs, environments []string, withdrawing string) []Ready {
	if len(refs) == 0 {
		refs = []string{"~DEFAULT_BRANCH"}
	}
	r := ready{at: "repos/" + repository, refs: refs}
	r.rulesets(environments)
	for _, name := range environments {
		r.environment(name, "fill in who reviews, by id; not while a release waits, whose run would end. Then",
			object{"prevent_self_review": true, "reviewers": []object{{"type": "User", "id": 0}}})
	}
	if withdrawing != "" {
		r.environment(withdrawing, "no reviewers: who takes a release back does not wait. Then",
			object{"reviewers": []object{}})
	}
	r.actions()
	return append(r.all, Ready{Command: "gh api -X PUT " + r.at + "/immutable-releases"})
}

// ready are settings that are being written down.
type ready struct {
	at   string // of the repository, in the API
	refs []string
	all  []Ready
}

func (r *ready) add(file, method, below, note string, body any) {
	raw, _ := json.MarshalIndent(body, "", "  ") // text and numbers, which always can
	r.all = append(r.all, Ready{File: file, JSON: append(raw, '\n'), Note: note,
		Command: "gh api -X " + method + " " + r.at + below})
}

// rulesets are those for branches, their names and tags. Where nothing is published, no
// deployment comes before a tag.
func (r *ready) rulesets(environments []string) {
	r.add("branches.json", "POST", "/rulesets", "", ruleset{"release branches", "branch", "active", include(r.refs),
		[]object{}, []object{{"type": "deletion"}, {"type": "non_fast_forward"}, {"type": "required_linear_history"},
			{"type": "pull_request", "parameters": object{"required_approving_review_count": 1,
				"dismiss_stale_reviews_on_push": true, "require_code_owner_review": true,
				"require_last_push_approval": true, "required_review_thread_resolution": false}}}})
	r.add("branch-names.json", "POST", "/rulesets", "", ruleset{"names that no branch has", "branch", "active",
		include([]string{"refs/heads/advisory-*", "refs/heads/internal-*"}), []object{}, []object{{"type": "creation"}}})
	tags := []object{{"type": "update"}, {"type": "deletion"}, {"type": "non_fast_forward"}}
	note := "where a tag starts the build, take required_deployments out, and restrict creations to who releases"
	if len(environments) > 0 {
		tags = append(tags, object{"type": "required_deployments",
			"parameters": object{"required_deployment_environments": environments}})
	} else {
		tags, note = append(tags, object{"type": "creation"}), "nobody can make a tag then, but for who is put above it"
	}
	r.add("tags.json", "POST", "/rulesets", note,
		ruleset{"tags", "tag", "active", include([]string{"~ALL"}), []object{}, tags})
}

// environment admits the branches that may publish, and no others.
func (r *ready) environment(name, note string, body object) {
	at := "/environments/" + name
	body["deployment_branch_policy"] = object{"protected_branches": false, "custom_branch_policies": true}
	r.add("environment-"+name+".json", "PUT", at, note+", on the environment's page, "+
		"untick that administrators can bypass the rules: the API does not document it", body)
	for _, ref := range r.refs {
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			r.all = append(r.all, Ready{Command: "gh api -X POST " + r.at + at +
				"/deployment-branch-policies -f name='" + branch + "' -f type=branch"})
		}
	}
}

// actions says what may run, and what it may do.
func (r *ready) actions() {
	const at = "/actions/permissions"
	r.add("actions.json", "PUT", at, "then list the actions that the workflows use, at "+r.at+at+"/selected-actions",
		object{"enabled": true, "allowed_actions": "selected", "sha_pinning_required": true})
	r.add("workflow-token.json", "PUT", at+"/workflow", "",
		object{"default_workflow_permissions": "read", "can_approve_pull_request_reviews": false})
	r.add("forks.json", "PUT", at+"/fork-pr-contributor-approval", "",
		object{"approval_policy": "all_external_contributors"})
}

type object = map[string]any

type ruleset struct {
	Name        string   `json:"name"`
	Target      string   `json:"target"`
	Enforcement string   `json:"enforcement"`
	Conditions  object   `json:"conditions"`
	Bypass      []object `json:"bypass_actors"`
	Rules       []object `json:"rules"`
}

func include(refs []string) object {
	return object{"ref_name": object{"include": refs, "exclude": []string{}}}
}
