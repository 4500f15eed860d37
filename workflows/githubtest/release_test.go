package githubtest_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/distgate/distgate/workflows/githubtest"
)

// A release as `gh release create --draft` and its upload make it, held against
// GitHub's own description.
func TestAReleaseIsMade(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget", ImmutableReleases: true})
	c := w.PutCommit(githubtest.Commit{Repository: "acme/widget", Message: "1.0"})
	w.PutBranch(githubtest.Branch{Repository: "acme/widget", Name: "main", SHA: c.SHA})
	may := w.may("alice", "contents", "write")
	do := func(status int, method, at, body string) (said struct {
		ID        int64
		Upload    string `json:"upload_url"`
		Draft     bool
		Immutable bool
		Digest    string
	}) {
		t.Helper()
		g := w.do(method, at, body, may)
		if g.status != status {
			t.Fatalf("%s %s: got %d %s, want %d", method, at, g.status, g.raw, status)
		}
		_ = json.Unmarshal(g.raw, &said)
		return said
	}
	made := do(201, "POST", widget+"/releases", `{"tag_name":"v1.0","name":"widget 1.0","draft":true}`)
	at := fmt.Sprintf("%s/releases/%d", widget, made.ID)
	asset := do(201, "POST", "/uploads"+at+"/assets?name=widget-1.0.tar.gz", "sdist")
	if !made.Draft || len(asset.Digest) != len("sha256:")+64 {
		t.Errorf("got %+v, %+v", made, asset)
	}
	do(422, "POST", "/uploads"+at+"/assets?name=widget-1.0.tar.gz", "sdist")
	do(204, "DELETE", fmt.Sprintf("%s/releases/assets/%d", widget, asset.ID), "")
	asset = do(201, "POST", "/uploads"+at+"/assets?name=widget-1.0.tar.gz", "sdist")
	if published := do(200, "PATCH", at, `{"draft":false}`); published.Draft || !published.Immutable {
		t.Errorf("got %+v", published)
	}
	// From now on nobody changes it, and there is one of the tag.
	do(422, "POST", "/uploads"+at+"/assets?name=other", "x")
	do(422, "DELETE", fmt.Sprintf("%s/releases/assets/%d", widget, asset.ID), "")
	do(422, "POST", widget+"/releases", `{"tag_name":"v1.0"}`)
	do(200, "GET", widget+"/git/ref/tags/v1.0", "")
}
