package publish_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

// preflight judges the release for a job, whose address of the index may be
// changed.
func (w *world) preflight(claims githubtest.Claims, change ...func(*publish.Address)) (publish.Preflight, error) {
	w.t.Helper()
	j, address := w.job(claims), w.address()
	for _, c := range change {
		c(&address)
	}
	var err error
	j.Index, err = publish.NewIndex(address)
	w.must(err)
	return j.Preflight(context.Background(), w.approved.Staged())
}

// ours is the wheel of the release as an index lists it, with some of it changed.
func ours(change map[string]any) map[string]any {
	raw := wheel("1.0")
	f := map[string]any{"filename": wheelName, "url": "/packages/" + wheelName, "yanked": false,
		"hashes": map[string]string{"sha256": dist.Sum(raw).Hex()}, "size": len(raw),
		"upload-time": time.Now().UTC().Format(time.RFC3339), "provenance": nil}
	for key, value := range change {
		f[key] = value
	}
	return f
}

// What a release can be refused for before its first byte, and in which row it
// stands.
func TestPreflight(t *testing.T) {
	add := func(files ...map[string]any) func(*world) {
		return listing(true, func(list []map[string]any) []map[string]any { return append(list, files...) })
	}
	renamed := ours(map[string]any{"filename": "widget-0.9-py3-none-any.whl", "url": "/packages/widget-0.9-py3-none-any.whl"})
	old := time.Now().Add(-15 * 24 * time.Hour).UTC().Format(time.RFC3339)
	for _, test := range []struct {
		name    string
		world   func(*world)
		change  func(*publish.Address)
		claims  func(*githubtest.Claims)
		row     string
		refused []rule.ID
	}{
		{name: "nothing is wrong"},
		{name: "the project is archived", world: func(w *world) {}, row: "project", refused: []rule.ID{rule.ProjectStatus}},
		{name: "a file of the release without attestations", world: add(ours(nil)),
			row: "attested", refused: []rule.ID{rule.ServedProvenance}},
		{name: "other bytes under a name of the release", world: add(foreign(wheelName)),
			row: "there", refused: []rule.ID{rule.ServedBytes, rule.ServedProvenance}[:1]},
		{name: "its bytes under another name", world: add(renamed),
			row: "duplicates", refused: []rule.ID{rule.IndexDuplicate}},
		{name: "a file too large", change: func(a *publish.Address) { a.Limits.File = 700 },
			row: "sizes", refused: []rule.ID{rule.IndexLimit}},
		{name: "a project too large", world: add(map[string]any{"filename": "widget-0.1.tar.gz", "url": "/packages/widget-0.1.tar.gz",
			"hashes": map[string]string{"sha256": dist.Sum(nil).Hex()}, "size": 9000}),
			change: func(a *publish.Address) { a.Limits.Project = 9000 }, row: "sizes", refused: []rule.ID{rule.IndexLimit}},
		{name: "a release that is closed", world: add(ours(map[string]any{"upload-time": old, "provenance": "/integrity/x"})),
			change: func(a *publish.Address) { a.Limits.Open = 14 * 24 * time.Hour },
			row:    "open until", refused: []rule.ID{rule.ServedProvenance, rule.ReleaseClosed}},
		{name: "a job on another ref", claims: func(c *githubtest.Claims) { c.Ref = "refs/heads/evil" },
			row: "publisher", refused: []rule.ID{rule.PublisherClaims, rule.PublisherClaims}},
		{name: "a job of a reusable workflow", claims: func(c *githubtest.Claims) {
			c.JobWorkflowRef = "acme/widget/.github/workflows/reusable.yml@refs/tags/v1.0"
		}, row: "publisher", refused: []rule.ID{rule.PublisherClaims}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var change []func(*world)
			if test.world != nil {
				change = append(change, test.world)
			}
			w := newWorld(t, change...)
			if test.row == "project" {
				w.must(w.index.SetStatus("widget", pypitest.Archived))
			}
			claims := job()
			if test.claims != nil {
				test.claims(&claims)
			}
			address := test.change
			if address == nil {
				address = func(*publish.Address) {}
			}
			found, err := w.preflight(claims, address)
			if test.refused == nil {
				w.must(err)
			} else {
				refused(t, err, test.refused...)
			}
			i := slices.IndexFunc(found.Rows, func(r publish.Row) bool { return r.State == publish.Refused })
			if got := i >= 0; got != (test.row != "") || got && !slices.Contains(refusedRows(found), test.row) {
				t.Errorf("refused are %v, want %q", refusedRows(found), test.row)
			}
			if n := w.requests("POST "); n != 0 {
				t.Errorf("%d times something was sent", n)
			}
		})
	}
}

func refusedRows(p publish.Preflight) (names []string) {
	for _, row := range p.Rows {
		if row.State == publish.Refused {
			names = append(names, row.What)
		}
	}
	return names
}

// All that is wrong is said at once.
func TestPreflightSaysAllAtOnce(t *testing.T) {
	w := newWorld(t, listing(true, func(list []map[string]any) []map[string]any {
		return append(list, foreign("widget-1.0-cp313-cp313-win_amd64.whl"))
	}))
	w.must(w.index.SetStatus("widget", pypitest.Archived))
	claims := job()
	claims.RunnerEnvironment = "self-hosted"
	found, err := w.preflight(claims, func(a *publish.Address) { a.Limits.File = 10 })
	refused(t, err, rule.PublisherClaims, rule.ProjectStatus, rule.ServedExtra, rule.IndexLimit, rule.IndexLimit)
	if diff := cmp.Diff([]string{"publisher", "project", "there", "sizes"}, refusedRows(found)); diff != "" {
		t.Error(diff)
	}
}

// Publish asks the same questions, after the wait for approval.
func TestPublishIsJudgedBeforeTheFirstByte(t *testing.T) {
	w := newWorld(t, listing(true, func(list []map[string]any) []map[string]any { return append(list, ours(nil)) }))
	_, err := w.publish()
	refused(t, err, rule.ServedProvenance)
	if w.requests("POST ") != 0 {
		t.Error("something was sent all the same")
	}
}

// A store that takes no receipt is found out while nothing is up, and no token made.
func TestPublishWantsRoomForItsReceipt(t *testing.T) {
	w := newWorld(t)
	w.must(os.RemoveAll(filepath.Join(w.dir, "ingest")))
	w.must(os.WriteFile(filepath.Join(w.dir, "ingest"), nil, 0o400))
	_, err := w.publish()
	if err == nil || !strings.Contains(err.Error(), "nothing was sent") || w.requests("POST ") != 0 {
		t.Errorf("got %v, and %d requests", err, w.requests("POST "))
	}
}

// What is up is no fault, and who published before is shown.
func TestPreflightOfAReleaseThatIsUp(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish()
	w.must(err)
	found, err := w.preflight(job())
	w.must(err)
	if len(found.Up) != 2 || len(found.Missing) != 0 || found.Bytes != 0 {
		t.Errorf("%v up, %v missing", found.Up, found.Missing)
	}

	w.must(w.index.DeleteFile("widget", wheelName))
	found, err = w.preflight(job())
	refused(t, err, rule.FileDeleted)
	if diff := cmp.Diff([]string{wheelName}, found.Missing); diff != "" {
		t.Error(diff)
	}
}

// An index without the log that attestations need cannot be published to now.
func TestPreflightWithoutALog(t *testing.T) {
	w := newWorld(t)
	nobody := httptest.NewServer(http.NotFoundHandler())
	defer nobody.Close()
	j := w.job(job())
	services := w.services
	services.Rekor = nobody.URL
	var err error
	j.Signer, err = attest.NewSigner(services, w.root, j.Token)
	w.must(err)
	_, err = j.Preflight(t.Context(), w.approved.Staged())
	undecided(t, err)
	says(t, err, "want a transparency log, Rekor v1, got status 404")
}

// The canary: nothing but "no such publisher" is the right answer.
func TestCanary(t *testing.T) {
	open := pypitest.Publisher{Repository: "acme/widget", OwnerID: job().RepositoryOwnerID, Workflow: "release.yml"}
	for _, test := range []struct {
		name    string
		change  func(*world)
		claims  githubtest.Claims
		project string
		isNew   bool
		refused []rule.ID
		says    string // for what decides nothing
	}{
		{name: "the publisher is closed", claims: noEnvironment()},
		{name: "the publisher is open", claims: noEnvironment(), refused: []rule.ID{rule.PublisherOpen},
			change: func(w *world) { w.must(w.index.AddPublisher("widget", open)) }},
		{name: "another project's publisher is open", claims: noEnvironment(), refused: []rule.ID{rule.PublisherOpen},
			change: func(w *world) { w.must(w.index.AddProject("gadget", open)) }},
		{name: "a job in the environment", claims: job(), refused: []rule.ID{rule.PublisherClaims}},
		{name: "another workflow's job", refused: []rule.ID{rule.PublisherClaims},
			claims: githubtest.ReleaseJob("acme/widget", "other.yml", "refs/tags/v1.0", "")},
		{name: "a project that is not there", claims: noEnvironment(), project: "gadget", isNew: true},
		{name: "a pending publisher that is closed", claims: noEnvironment(), project: "gadget", isNew: true, change: func(w *world) {
			closed := open
			closed.Environment = "pypi"
			w.must(w.index.AddPending("gadget", closed))
		}},
		{name: "a pending publisher that is open", claims: noEnvironment(), project: "gadget", isNew: true, refused: []rule.ID{rule.PublisherOpen},
			change: func(w *world) { w.must(w.index.AddPending("gadget", open)) }},
		{name: "an index that takes nobody", claims: noEnvironment(), refused: []rule.ID{rule.TokenRefused},
			change: func(w *world) { w.index.Switch(pypitest.DisallowGitHubOIDC, true) }},
		{name: "a clock that is wrong", claims: noEnvironment(), says: "for another reason: invalid-token",
			change: func(w *world) { w.index.SetClock(time.Hour) }},
		{name: "another index", claims: noEnvironment(), refused: []rule.ID{rule.IndexAudience}, change: func(w *world) {
			w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Audience, Text: "pypi"}))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spy := &tap{}
			w := newWorld(t, between(spy.between))
			if test.change != nil {
				test.change(w)
			}
			if test.project == "" {
				test.project = "widget"
			}
			j := w.job(test.claims)
			isNew, err := j.Witness.Canary(context.Background(), test.project, j.Token)
			if isNew != test.isNew {
				t.Errorf("new: got %t, want %t", isNew, test.isNew)
			}
			switch {
			case test.refused != nil:
				refused(t, err, test.refused...)
			case test.says != "":
				undecided(t, err)
				says(t, err, test.says)
			default:
				w.must(err)
			}
			spy.silent(t, w, err)
			if len(spy.minted) > 0 {
				spy.dead(t, w)
			}
		})
	}
}
