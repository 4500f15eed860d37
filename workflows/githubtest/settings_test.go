package githubtest_test

import (
	"net/http"
	"testing"

	"github.com/distgate/distgate/workflows/githubtest"
)

// Settings are shown to whom may see them, in GitHub's form, and to nobody else.
func TestSettingsAreForThoseWithRights(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget", ImmutableReleases: true})
	w.PutEnvironment(githubtest.Environment{Repository: "acme/widget", Name: "pypi"})
	w.PutSettings(githubtest.Settings{Repository: "acme/widget", Secrets: []string{"A"}, Runners: []string{"box"},
		EnvSecrets: map[string][]string{"pypi": {"B"}}, Collaborators: []githubtest.Collaborator{{Login: "alice", Role: "admin"}},
		DeployKeys: []githubtest.DeployKey{{Title: "deploy"}}, SubjectKeys: []string{"repo", "context"}, Alerts: true,
		Protection: &githubtest.Protection{Reviews: true, Admins: true}})
	w.PutOrganization(githubtest.Organization{Name: "acme", SecondFactor: true, Owners: []string{"alice"},
		Apps: []githubtest.Installation{{App: "bot", Repositories: "all"}}})
	w.PutCommit(githubtest.Commit{Repository: "acme/widget"})
	head := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "x"})
	w.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "main", SHA: head.SHA})
	admin := wants(w.AccessToken(githubtest.Access{User: "alice", Permissions: map[string]string{"administration": "write", "secrets": "read",
		"environments": "read", "actions": "read", "contents": "write", "organization_administration": "read", "members": "read"}}))
	reader := wants(w.AccessToken(githubtest.Access{User: "bob", Permissions: map[string]string{"contents": "read", "actions": "read"}}))
	repo := "/repos/acme/widget"
	for at, readers := range map[string]bool{
		repo + "/actions/permissions": false, repo + "/actions/permissions/workflow": false,
		repo + "/actions/permissions/fork-pr-contributor-approval": false, repo + "/actions/runners": false,
		repo + "/actions/secrets": false, repo + "/actions/organization-secrets": false, repo + "/environments/pypi/secrets": false,
		repo + "/actions/cache/usage": true, repo + "/actions/oidc/customization/sub": true, repo + "/collaborators": false,
		repo + "/keys": false, repo + "/immutable-releases": false, repo + "/branches/main/protection": false,
		"/orgs/acme/actions/permissions": false, "/orgs/acme/actions/permissions/workflow": false,
		"/orgs/acme/installations": false, "/orgs/acme/members?role=admin": false,
	} {
		if got := w.get(at, admin); got.status != http.StatusOK {
			t.Errorf("%s, an administrator: %d %s", at, got.status, got.message())
		}
		if got := w.get(at, reader); (got.status == http.StatusOK) != readers {
			t.Errorf("%s, a reader: %d", at, got.status)
		}
	}
	if got := w.get(repo+"/vulnerability-alerts", admin); got.status != http.StatusNoContent {
		t.Errorf("alerts: %d", got.status)
	}
	for token, shown := range map[string]bool{admin: true, reader: false} {
		var org struct {
			Second *bool `json:"two_factor_requirement_enabled"`
		}
		w.read("/orgs/acme", &org, token)
		if (org.Second != nil) != shown {
			t.Errorf("the second factor is shown: %t, want %t", org.Second != nil, shown)
		}
	}
	w.PutSettings(githubtest.Settings{Repository: "acme/widget"})
	for at, message := range map[string]string{
		repo + "/branches/main/protection": "Branch not protected",
	} {
		if got := w.get(at, admin); got.status != http.StatusNotFound || got.message() != message {
			t.Errorf("%s: %d %s", at, got.status, got.message())
		}
	}
}
