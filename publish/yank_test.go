package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// yanker is a world with a release on the index, and a job that may yank it by API.
func yanker(t *testing.T, spy *tap) (*world, publish.Job) {
	t.Helper()
	w := newWorld(t, between(spy.between))
	_, err := w.publish()
	w.must(err)
	w.events = nil
	j := w.job(job())
	address := w.address()
	address.Yank = w.url + "/api/projects/"
	j.Index, err = publish.NewIndex(address)
	w.must(err)
	j.Patience = 300 * time.Millisecond
	return w, j
}

// yanked tells whether the release is yanked on the index, past all faults.
func (w *world) yanked() bool {
	r := httptest.NewRequest(http.MethodGet, "/simple/widget/", nil)
	r.Header.Set("Accept", "application/vnd.pypi.simple.v1+json")
	answer := httptest.NewRecorder()
	w.index.Honest().ServeHTTP(answer, r)
	var page struct {
		Files []struct{ Yanked any }
	}
	w.must(json.Unmarshal(answer.Body.Bytes(), &page))
	return len(page.Files) == 2 && page.Files[0].Yanked == "broken" && page.Files[1].Yanked == "broken"
}

// TestFaultsOfYanking lets every fault happen at every request by which a job yanks.
// It says that the index took it only if the index did, and a second try ends well.
func TestFaultsOfYanking(t *testing.T) {
	version, err := dist.ParseVersion("1.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"/_/oidc/audience", "/_/oidc/mint-token", "/api/projects/", "/_/oidc/burn-token"} {
		for _, fault := range []pypitest.Fault{
			{Do: pypitest.Drop, Times: 1}, {Do: pypitest.Drop}, {Do: pypitest.DropAfter, Times: 1},
			{Do: pypitest.Fail, Code: 503}, {Do: pypitest.FailAfter, Code: 500, Times: 1}, {Do: pypitest.Fail, Code: 403},
			{Do: pypitest.Fail, Code: 302}, {Do: pypitest.Truncate}, {Do: pypitest.Expire}, {Do: pypitest.Audience, Text: "pypi"},
		} {
			fault.Path = step
			t.Run(fmt.Sprintf("%s: %s %d, %d times", step, fault.Do, fault.Code, fault.Times), func(t *testing.T) {
				t.Parallel()
				spy := &tap{}
				w, j := yanker(t, spy)
				w.must(w.index.Misbehave(fault))
				err := j.Yank(context.Background(), "widget", version, "broken", false)
				w.index.Behave()
				switch {
				case err == nil && !w.yanked():
					t.Error("it is said to be yanked, and is not")
				case err != nil:
					w.explained(err)
					w.must(j.Yank(context.Background(), "widget", version, "broken", false))
				}
				if !w.yanked() {
					t.Error("it is not yanked in the end")
				}
				w.noToken(spy)
			})
		}
	}
}

// Without an address in the policy nothing is asked, and an index that has no such
// API, or does not let this job, refuses.
func TestWhereAJobCannotYank(t *testing.T) {
	version, err := dist.ParseVersion("1.0")
	if err != nil {
		t.Fatal(err)
	}
	w, j := yanker(t, &tap{})
	before := w.requests("")
	plain := w.job(job())
	undecided(t, plain.Yank(context.Background(), "widget", version, "broken", false))
	if plain.Index.CanYank() || w.requests("") != before {
		t.Error("an index was asked that the policy names no API of")
	}
	refused(t, j.Yank(context.Background(), "gadget", version, "broken", false), rule.YankRefused)
	stranger := w.job(job())
	stranger.Index, stranger.Publisher.Environment = j.Index, "withdraw"
	refused(t, stranger.Yank(context.Background(), "widget", version, "broken", false), rule.PublisherClaims)
	if w.yanked() {
		t.Error("it is yanked all the same")
	}
}
