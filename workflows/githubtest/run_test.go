package githubtest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/workflows/githubtest"
)

// wheels is a run of two attempts: the second runs again only what failed.
func wheels() githubtest.Run {
	return githubtest.Run{
		Repository: "acme/widget", ID: 77, Workflow: ".github/workflows/wheels.yml",
		Event: "workflow_dispatch", Branch: "main", SHA: strings.Repeat("a", 40), Actor: "alice",
		Called: []githubtest.Called{{Path: "acme/ci/.github/workflows/build.yml@refs/tags/v2",
			SHA: strings.Repeat("b", 40), Ref: "refs/tags/v2"}},
		Attempts: []githubtest.Attempt{
			{Jobs: []githubtest.Job{
				{Name: "linux / build (cp313)", Runner: githubtest.Hosted(18028), Steps: []string{"Set up job", "Build"}},
				{Name: "mac", Conclusion: "failure", Labels: []string{"macos-14"}},
				{Name: "docs", Conclusion: "skipped", Labels: []string{}},
				{Name: "gone", Conclusion: "cancelled", Runner: githubtest.NeverAssigned()},
			}},
			{Actor: "bob", Jobs: []githubtest.Job{
				{Name: "mac", Labels: []string{"ubuntu-latest"}, Runner: githubtest.Runner{ID: 3,
					Name: "GitHub Actions 1000018028", Group: 4, GroupName: "GitHub Actions"}},
				{Name: "gone", Status: "queued"},
			}},
		},
	}
}

// jobFacts is what of a job is looked at.
type jobFacts struct {
	Name       string
	Attempt    int `json:"run_attempt"`
	Status     string
	Conclusion *string
	Runner     any `json:"runner_id"`
	RunnerName any `json:"runner_name"`
	Group      any `json:"runner_group_id"`
	GroupName  any `json:"runner_group_name"`
	Labels     []string
}

func TestJobs(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	str := func(s string) *string { return &s }
	linux := jobFacts{"linux / build (cp313)", 1, "completed", str("success"), 1000018028.0, "GitHub Actions 1000018028",
		0.0, "GitHub Actions", []string{"ubuntu-latest"}}
	docs := jobFacts{"docs", 1, "completed", str("skipped"), nil, nil, nil, nil, []string{}}
	gone := jobFacts{"gone", 1, "completed", str("cancelled"), 0.0, "", 0.0, "", []string{"ubuntu-latest"}}
	forged := jobFacts{"mac", 2, "completed", str("success"), 3.0, "GitHub Actions 1000018028", 4.0, "GitHub Actions",
		[]string{"ubuntu-latest"}}
	queued := jobFacts{"gone", 2, "queued", nil, nil, nil, nil, nil, []string{"ubuntu-latest"}}
	mac := jobFacts{"mac", 1, "completed", str("failure"), nil, nil, 0.0, "GitHub Actions", []string{"macos-14"}}
	const at = "/repos/acme/widget/actions/runs/77"
	for _, test := range []struct {
		at   string
		want []jobFacts
	}{
		{at + "/attempts/1/jobs", []jobFacts{linux, mac, docs, gone}},
		{at + "/attempts/2/jobs", []jobFacts{forged, queued}},
		{at + "/jobs", []jobFacts{forged, queued}},
		{at + "/jobs?filter=latest", []jobFacts{forged, queued}},
		{at + "/jobs?filter=all", []jobFacts{linux, mac, docs, gone, forged, queued}},
	} {
		var body struct{ Jobs []jobFacts }
		w.read(test.at, &body)
		for i := range body.Jobs {
			if body.Jobs[i].Name == "mac" && body.Jobs[i].Attempt == 1 {
				body.Jobs[i].Runner, body.Jobs[i].RunnerName = nil, nil
			}
		}
		if diff := cmp.Diff(test.want, body.Jobs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.at, diff)
		}
	}
	for _, nowhere := range []string{at + "/attempts/3/jobs", at + "/attempts/0", "/repos/acme/other/actions/runs/77",
		"/repos/acme/widget/actions/runs/78", "/repos/acme/widget/actions/runs/x"} {
		w.PutRepository(githubtest.Repository{Name: "acme/other"})
		if g := w.get(nowhere); g.status != 404 {
			t.Errorf("%s: got %d", nowhere, g.status)
		}
	}
}

func TestRunInItsAttempts(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	type facts struct {
		ID         int64
		Attempt    int `json:"run_attempt"`
		Status     string
		Conclusion any
		Actor      struct{ Login string }
		Triggering struct{ Login string } `json:"triggering_actor"`
		Path       string
		Branch     string              `json:"head_branch"`
		Called     []map[string]string `json:"referenced_workflows"`
	}
	called := []map[string]string{{"path": "acme/ci/.github/workflows/build.yml@refs/tags/v2",
		"sha": strings.Repeat("b", 40), "ref": "refs/tags/v2"}}
	alice, bob := struct{ Login string }{"alice"}, struct{ Login string }{"bob"}
	first := facts{77, 1, "completed", "failure", alice, alice, ".github/workflows/wheels.yml", "main", called}
	second := facts{77, 2, "queued", nil, alice, bob, ".github/workflows/wheels.yml", "main", called}
	for at, want := range map[string]facts{"": second, "/attempts/1": first, "/attempts/2": second} {
		var got facts
		w.read("/repos/acme/widget/actions/runs/77"+at, &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", at, diff)
		}
	}
}

func TestRunsAreFound(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	w.clock.at = w.clock.at.Add(24 * time.Hour)
	w.PutRun(githubtest.Run{Repository: "acme/widget", ID: 78, Workflow: ".github/workflows/docs.yml", Branch: "v1.0"})
	var workflow struct{ ID int64 }
	w.read("/repos/acme/widget/actions/workflows/wheels.yml", &workflow)
	w.read("/repos/acme/widget/actions/workflows", new(any))
	for query, want := range map[string][]int64{
		"/runs":             {78, 77},
		"/runs?event=push":  {78},
		"/runs?branch=main": {77},
		"/runs?head_sha=" + strings.Repeat("a", 40):                  {77},
		"/runs?status=queued":                                        {77},
		"/runs?status=success":                                       {78},
		"/runs?created=>=2026-11-03":                                 {78},
		"/runs?created=<2026-11-03":                                  {77},
		"/runs?created=2026-11-01..2026-11-02":                       {77},
		"/runs?created=2026-11-03":                                   {78},
		"/runs?actor=nobody":                                         nil,
		"/workflows/wheels.yml/runs":                                 {77},
		"/workflows/" + strconv.FormatInt(workflow.ID, 10) + "/runs": {77},
	} {
		var body struct {
			Runs []struct{ ID int64 } `json:"workflow_runs"`
		}
		w.read("/repos/acme/widget/actions"+query, &body)
		var got []int64
		for _, r := range body.Runs {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// artifactFacts is what of an artifact is looked at.
type artifactFacts struct {
	ID      int64
	Name    string
	Size    int64 `json:"size_in_bytes"`
	Digest  *string
	Expired bool
	URL     string `json:"archive_download_url"`
}

func (w *world) put(a githubtest.Artifact, content string) githubtest.Artifact {
	w.t.Helper()
	a.Run, a.Blob, a.Size = 77, strings.NewReader(content), int64(len(content))
	a, err := w.PutArtifact(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) artifacts(query string) (found []artifactFacts) {
	w.t.Helper()
	var body struct{ Artifacts []artifactFacts }
	w.read("/repos/acme/widget/actions/runs/77/artifacts"+query, &body)
	return body.Artifacts
}

func TestArtifactIsDownloaded(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	zip, err := githubtest.Zip(githubtest.Member{Name: "a.whl", Content: "wheel"})
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	zip.WriteTo(&raw)
	zipped := w.put(githubtest.Artifact{Name: "wheels"}, raw.String())
	plain := w.put(githubtest.Artifact{Name: "sdist", File: "widget-1.0.tar.gz"}, "sdist")
	token := w.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read"}})
	for _, test := range []struct {
		artifact                   githubtest.Artifact
		kind, disposition, content string
	}{
		{zipped, "application/zip", `attachment; filename="wheels.zip"`, raw.String()},
		{plain, "application/octet-stream", `attachment; filename="widget-1.0.tar.gz"`, "sdist"},
	} {
		found := w.artifacts("?name=" + test.artifact.Name)
		sum := sha256.Sum256([]byte(test.content))
		if len(found) != 1 || *found[0].Digest != "sha256:"+hex.EncodeToString(sum[:]) ||
			found[0].Size != int64(len(test.content)) {
			t.Fatalf("got %+v", found)
		}
		redirect := w.get(found[0].URL, wants(token))
		to := redirect.header.Get("Location")
		if redirect.status != 302 || len(redirect.raw) != 0 || strings.HasPrefix(to, w.Issuer()) {
			t.Fatalf("got %d %s to %s", redirect.status, redirect.raw, to)
		}
		g := w.get(to)
		if g.status != 200 || string(g.raw) != test.content || g.header.Get("Content-Type") != test.kind ||
			g.header.Get("Content-Disposition") != test.disposition {
			t.Errorf("got %d %q %v", g.status, g.raw, g.header)
		}
		if g := w.get(to, "Range: bytes=1-2"); g.status != 206 || string(g.raw) != test.content[1:3] {
			t.Errorf("a part: got %d %q", g.status, g.raw)
		}
	}
}

func TestStorageKnowsNoTokens(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	a := w.put(githubtest.Artifact{Name: "sdist"}, "content")
	token := w.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read"}})
	at := "/repos/acme/widget/actions/artifacts/" + strconv.FormatInt(a.ID, 10) + "/zip"
	to := w.get(at, wants(token)).header.Get("Location")
	for _, test := range []struct {
		name, at, header string
		status           int
		code             string
	}{
		{"a token of GitHub's", to, "Authorization: Bearer " + token, 401, "InvalidAuthenticationInfo"},
		{"a token in the old way", to, "Authorization: token " + token, 400, "InvalidAuthenticationInfo"},
		{"another signature", strings.Replace(to, "sig=", "sig=x", 1), "", 403, "AuthenticationFailed"},
		{"a longer time", strings.Replace(to, "se=2026", "se=2027", 1), "", 403, "AuthenticationFailed"},
		{"another blob", strings.Replace(to, "/artifacts/", "/artifacts/1", 1), "", 403, "AuthenticationFailed"},
		{"no signature", to[:strings.Index(to, "?")], "", 403, "AuthenticationFailed"},
		{"too late", to, "", 403, "AuthenticationFailed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "too late" {
				w.clock.at = w.clock.at.Add(time.Minute)
			}
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			g := w.get(test.at, headers...)
			if g.status != test.status || g.header.Get("x-ms-error-code") != test.code ||
				!strings.Contains(string(g.raw), "<Code>"+test.code+"</Code>") {
				t.Errorf("want %d %s, got %d %s", test.status, test.code, g.status, g.raw)
			}
		})
	}
	w.Play(githubtest.Fault{Storage: true, Status: 503, RetryAfter: time.Second})
	to = w.get(at, wants(token)).header.Get("Location")
	if g := w.get(to); g.status != 503 || g.header.Get("Retry-After") != "1" {
		t.Errorf("busy: got %d %v", g.status, g.header)
	}
	half := githubtest.Broken()
	half.Storage = true
	w.Play(half)
	if g := w.get(to); g.err == nil || string(g.raw) != "con" {
		t.Errorf("want half of it, got %q, %v", g.raw, g.err)
	}
}

func TestArtifactsComeAndGo(t *testing.T) {
	w := start(t)
	w.PutRun(wheels())
	names := func() (names []string) {
		for _, a := range w.artifacts("") {
			digest := "null"
			if a.Digest != nil {
				digest = (*a.Digest)[:10]
			}
			expired := ""
			if a.Expired {
				expired = " expired"
			}
			names = append(names, a.Name+" "+digest+expired)
		}
		return names
	}
	first := w.put(githubtest.Artifact{Name: "a"}, "one")
	second := w.put(githubtest.Artifact{Name: "a"}, "two")
	w.put(githubtest.Artifact{Name: "old", Digest: githubtest.NoDigest}, "old")
	w.put(githubtest.Artifact{Name: "lie", Digest: "sha256:" + strings.Repeat("0", 64)}, "lie")
	want := []string{"lie sha256:000", "old null", "a sha256:3fc", "a sha256:769"}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("the newest first (-want +got):\n%s", diff)
	}
	third := w.put(githubtest.Artifact{Name: "a", Overwrite: true}, "three")
	if third.ID <= second.ID || second.ID <= first.ID {
		t.Errorf("want rising ids, got %d %d %d", first.ID, second.ID, third.ID)
	}
	token := w.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read"}})
	zip := func(id int64) got {
		return w.get("/repos/acme/widget/actions/artifacts/"+strconv.FormatInt(id, 10)+"/zip", wants(token))
	}
	if g := zip(second.ID); g.status != 404 {
		t.Errorf("overwritten: got %d", g.status)
	}
	w.DeleteArtifact(third.ID)
	w.clock.at = w.clock.at.AddDate(0, 0, 90)
	last := w.put(githubtest.Artifact{Name: "new"}, "new")
	want = []string{"new sha256:11", "lie sha256:000 expired", "old null expired"}
	got := names()
	got[0] = got[0][:len(want[0])]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if g := zip(w.artifacts("")[1].ID); g.status != 410 || g.message() != "Artifact has expired" {
		t.Errorf("expired: got %d %s", g.status, g.raw)
	}
	var one json.RawMessage
	w.read("/repos/acme/widget/actions/artifacts/"+strconv.FormatInt(last.ID, 10), &one)
}
