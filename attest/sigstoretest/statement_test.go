package sigstoretest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest/sigstoretest"
)

// compact is the JSON without its white space: what is written in these tests over many lines.
func compact(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestProvenance(t *testing.T) {
	c := release()
	c.SHA, c.RepositoryID, c.RepositoryOwnerID, c.RunID = "abc", "1", "2", "123"
	c.JobWorkflowRef = "acme/shared/.github/workflows/build.yml@refs/heads/main"
	got := sigstoretest.Provenance(c, sigstoretest.Subject{Name: "x.whl", SHA256: "00"})
	want := compact(t, `{
		"_type": "https://in-toto.io/Statement/v1",
		"subject": [{"name": "x.whl", "digest": {"sha256": "00"}}],
		"predicateType": "https://slsa.dev/provenance/v1",
		"predicate": {
			"buildDefinition": {
				"buildType": "https://actions.github.io/buildtypes/workflow/v1",
				"externalParameters": {
					"workflow": {
						"ref": "refs/tags/v1.0",
						"repository": "https://github.com/acme/widget",
						"path": ".github/workflows/release.yml"
					}
				},
				"internalParameters": {
					"github": {
						"event_name": "push",
						"repository_id": "1",
						"repository_owner_id": "2",
						"runner_environment": "github-hosted"
					}
				},
				"resolvedDependencies": [
					{
						"uri": "git+https://github.com/acme/widget@refs/tags/v1.0",
						"digest": {"gitCommit": "abc"}
					}
				]
			},
			"runDetails": {
				"builder": {"id": "https://github.com/acme/shared/.github/workflows/build.yml@refs/heads/main"},
				"metadata": {"invocationId": "https://github.com/acme/widget/actions/runs/123/attempts/1"}
			}
		}
	}`)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
}

func TestPublish(t *testing.T) {
	want := compact(t, `{
		"_type": "https://in-toto.io/Statement/v1",
		"subject": [{"name": "x.whl", "digest": {"sha256": "00"}}],
		"predicateType": "https://docs.pypi.org/attestations/publish/v1",
		"predicate": null
	}`)
	if diff := cmp.Diff(want, string(sigstoretest.Publish("x.whl", "00"))); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
}
