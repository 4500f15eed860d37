package workflows_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// forge is a GitHub with its blob storage, and a Sigstore that its jobs sign
// with. The API and the storage have an address each.
type forge struct {
	*githubtest.GitHub
	t        testing.TB
	api      string
	sigstore *sigstoretest.Sigstore
	claims   sigstoretest.Claims
	files    []distribution // a release of widget 1.0
	waiting  func()         // called when the client waits

	mu    sync.Mutex
	asked []string // the paths of requests to the API
	told  []workflows.Event
}

const (
	repository = "acme/widget"
	build      = ".github/workflows/wheels.yml"
	runID      = 4242
)

func newForge(t testing.TB) *forge { return newForgeAt(t, time.Now) }

func newForgeAt(t testing.TB, now func() time.Time) *forge {
	t.Helper()
	api, storage := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	f := &forge{t: t, api: "http://" + api.Listener.Addr().String()}
	var err error
	f.GitHub, err = githubtest.New(f.api, now)
	f.check(err)
	f.sigstore, err = sigstoretest.New()
	f.check(err)
	f.files, err = release()
	f.check(err)
	f.claims = sigstoretest.GitHubClaims(repository, build, "refs/heads/main")
	f.claims.RunID, f.claims.RunAttempt = fmt.Sprint(runID), "1"
	storage.Config.Handler = f.Storage("http://" + storage.Listener.Addr().String())
	api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.URL.Path)
		f.mu.Unlock()
		f.GitHub.ServeHTTP(w, r)
	})
	for _, server := range []*httptest.Server{api, storage} {
		server.Start()
		t.Cleanup(server.Close)
	}
	return f
}

func (f *forge) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// client may read what a job with "actions: read, attestations: read" may.
func (f *forge) client() *workflows.Client {
	f.t.Helper()
	return f.clientWith(githubtest.Access{Permissions: map[string]string{"actions": "read", "attestations": "read"}})
}

func (f *forge) clientWith(a githubtest.Access) *workflows.Client {
	f.t.Helper()
	c, err := workflows.NewClient(f.api, f.AccessToken(a), f.tell)
	f.check(err)
	return c
}

func (f *forge) tell(e workflows.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, e)
	if e.Step == workflows.Waiting && f.waiting != nil {
		f.waiting()
	}
}

// requests counts the requests to the API whose path has the part.
func (f *forge) requests(part string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.asked {
		if strings.Contains(path, part) {
			n++
		}
	}
	return n
}

// run is the build run, of one job if no attempts are given.
func (f *forge) run(attempts ...githubtest.Attempt) githubtest.Run {
	if attempts == nil {
		attempts = []githubtest.Attempt{{Jobs: []githubtest.Job{{Name: "build"}}}}
	}
	return f.PutRun(githubtest.Run{Repository: repository, ID: runID, Workflow: build, Event: "push",
		Branch: "main", SHA: f.claims.SHA, Attempts: attempts})
}

// upload makes an artifact of the run.
func (f *forge) upload(name string, members ...githubtest.Member) githubtest.Artifact {
	f.t.Helper()
	zip, err := githubtest.Zip(members...)
	f.check(err)
	return f.put(githubtest.Artifact{Run: runID, Name: name, Blob: zip, Size: zip.Size()})
}

func (f *forge) put(a githubtest.Artifact) githubtest.Artifact {
	f.t.Helper()
	a, err := f.PutArtifact(a)
	f.check(err)
	return a
}

// raw makes an artifact of one file as it is.
func (f *forge) raw(m githubtest.Member) githubtest.Artifact {
	f.t.Helper()
	return f.put(githubtest.Artifact{Run: runID, Name: m.Name, File: m.Name, Blob: strings.NewReader(m.Content), Size: int64(len(m.Content))})
}

// member is a file of the release, in the folder.
func (f *forge) member(i int, folder string) githubtest.Member {
	return githubtest.Member{Name: folder + f.files[i].Name, Content: string(f.files[i].Raw)}
}

// provenance is a bundle about files of the release.
func (f *forge) provenance(files ...distribution) []byte {
	f.t.Helper()
	var subjects []sigstoretest.Subject
	for _, file := range files {
		subjects = append(subjects, sigstoretest.Subject{Name: file.Name, SHA256: dist.Sum(file.Raw).Hex()})
	}
	raw, err := f.sigstore.Sign(f.claims, sigstoretest.Provenance(f.claims, subjects...))
	f.check(err)
	return raw
}

func (f *forge) store() *blob.Store {
	f.t.Helper()
	s, err := blob.Open(f.t.TempDir())
	f.check(err)
	return s
}

// collect collects from the run, or from those given.
func (f *forge) collect(s *blob.Store, what workflows.Selection, ids ...int64) (workflows.Collected, error) {
	f.t.Helper()
	if ids == nil {
		ids = []int64{runID}
	}
	c := f.client()
	var runs []workflows.Run
	for _, id := range ids {
		r, err := c.Run(f.t.Context(), repository, id)
		f.check(err)
		runs = append(runs, r)
	}
	return c.Collect(f.t.Context(), runs, what, s, f.tell)
}

func wanted(patterns ...string) workflows.Selection { return workflows.Selection{Artifacts: patterns} }

// verify judges candidates by a policy for the build run.
func (f *forge) verify(hosted attest.Hosted, candidates []attest.Candidate) (attest.Verdict, error) {
	f.t.Helper()
	root, err := attest.LoadRoot("trusted_root.json", bytes.NewReader(f.sigstore.TrustedRoot()))
	f.check(err)
	v, err := attest.NewVerifier(root)
	f.check(err)
	p := attest.Workflow(repository, build)
	p.Accept, p.Hosted, p.Labels = attest.Provenance(), hosted, attest.Glob("ubuntu-*", "macos-*", "windows-*")
	return v.Asking(f.client().Jobs).Verify(f.t.Context(), p, candidates)
}

// names are the files of the candidates, and the rules by which others were refused.
func names(candidates []attest.Candidate) (list []string) {
	for _, c := range candidates {
		if !c.File.IsZero() {
			list = append(list, c.File.Name())
		}
		for _, no := range c.Refused {
			list = append(list, string(no.Rule))
		}
	}
	return list
}

func refused(candidates []attest.Candidate) (no rule.Refusals) {
	for _, c := range candidates {
		no = append(no, c.Refused...)
	}
	return no
}
