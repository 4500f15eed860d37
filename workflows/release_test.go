package workflows_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// releasing is a repository with a tag, and a release of two files for it.
func releasing(t *testing.T, immutable bool) (*forge, workflows.Release) {
	f := newForge(t)
	f.PutRepository(githubtest.Repository{Name: repository, ImmutableReleases: immutable})
	c := f.PutCommit(githubtest.Commit{Repository: repository, Message: "1.0"})
	f.PutBranch(githubtest.Branch{Repository: repository, Name: "main", SHA: c.SHA})
	f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.0", Target: c.SHA})
	r := workflows.Release{Repository: repository, Tag: "v1.0", Commit: c.SHA, Name: "widget 1.0", Body: "text"}
	for _, name := range []string{"SHA256SUMS", "widget-1.0.tar.gz"} {
		raw := []byte("bytes of " + name)
		r.Files = append(r.Files, workflows.ReleaseFile{Name: name, Digest: dist.Sum(raw), Size: int64(len(raw)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }})
	}
	return f, r
}

func (f *forge) writer() *workflows.Client {
	return f.clientWith(githubtest.Access{Permissions: map[string]string{"contents": "write"}})
}

// names are the files of the only release, and whether it is a draft.
func (f *forge) assets() (names []string, draft bool) {
	f.t.Helper()
	all := f.Releases(repository)
	if len(all) != 1 {
		f.t.Fatalf("%d releases", len(all))
	}
	for _, a := range all[0].Assets {
		names = append(names, a.Name+" "+a.Digest)
	}
	return names, all[0].Draft
}

func want(r workflows.Release) (names []string) {
	for _, f := range r.Files {
		names = append(names, f.Name+" "+f.Digest.String())
	}
	return names
}

func TestAReleaseIsPublishedWhenItIsComplete(t *testing.T) {
	for _, immutable := range []bool{false, true} {
		f, r := releasing(t, immutable)
		for range 2 { // run again, it changes nothing
			url, err := f.writer().Publish(t.Context(), r, nil)
			f.check(err)
			names, draft := f.assets()
			if diff := cmp.Diff(want(r), names); diff != "" || draft || !strings.HasSuffix(url, "/releases/tag/v1.0") {
				t.Errorf("draft %t, %s: %s", draft, url, diff)
			}
		}
		if got := f.Releases(repository)[0].Immutable; got != immutable {
			t.Errorf("immutable: %t", got)
		}
	}
}

// Whatever breaks off, the next run ends it, and nothing half is published.
func TestAReleaseThatBreaksOffIsResumed(t *testing.T) {
	for name, fault := range map[string]githubtest.Fault{
		"the draft is not made":       {Method: "POST", Path: "/releases", Status: http.StatusBadGateway},
		"an upload fails":             {Method: "POST", Path: "/assets", Status: http.StatusBadGateway, Times: 3},
		"GitHub does not list files":  {Method: "GET", Path: "/assets", Status: http.StatusForbidden, Times: 1},
		"the draft is not published":  {Method: "PATCH", Path: "/releases", Status: http.StatusForbidden, Times: 1},
		"the draft's answer is lost":  {Method: "POST", Path: "/releases", Status: 1},
		"the last answer breaks off":  {Method: "PATCH", Path: "/releases", Status: 1, Times: 1},
		"an upload's answer is lost":  {Method: "POST", Path: "/assets", Status: 1, Times: 1},
		"an upload is refused for us": {Method: "POST", Path: "/assets", Status: http.StatusForbidden, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := releasing(t, true)
			f.Play(fault)
			_, err := f.writer().Publish(t.Context(), r, nil)
			if all := f.Releases(repository); err != nil && len(all) > 0 && !all[0].Draft && len(all[0].Assets) < len(r.Files) {
				t.Fatalf("half a release is published: %v", err)
			}
			_, err = f.writer().Publish(t.Context(), r, nil)
			f.check(err)
			if names, draft := f.assets(); draft || !cmp.Equal(want(r), names) {
				t.Errorf("draft %t: %v", draft, names)
			}
		})
	}
}

func TestWhatSomebodyElsePutThereIsNotWrittenOver(t *testing.T) {
	other := githubtest.Asset{Name: "widget-1.0.tar.gz", Blob: strings.NewReader("other"), Size: 5}
	for name, put := range map[string]githubtest.Release{
		"a file more in the draft":       {Draft: true, Assets: []githubtest.Asset{{Name: "evil.whl", Blob: strings.NewReader("x"), Size: 1}}},
		"published with another file":    {Assets: []githubtest.Asset{other}},
		"published without all files":    {},
		"published with a file too many": {Assets: []githubtest.Asset{other, {Name: "evil.whl", Blob: strings.NewReader("x"), Size: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := releasing(t, false)
			put.Repository, put.Tag = repository, "v1.0"
			_, err := f.PutRelease(put)
			f.check(err)
			_, err = f.writer().Publish(t.Context(), r, nil)
			var no rule.Refusals
			if !errors.As(err, &no) || no[0].Rule != rule.GitHubRelease {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a tag of another commit", func(t *testing.T) {
		f, r := releasing(t, false)
		c := f.PutCommit(githubtest.Commit{Repository: repository, Message: "evil", Parents: []string{r.Commit}})
		f.PutTag(githubtest.Tag{Repository: repository, Name: "v1.0", Target: c.SHA})
		_, err := f.writer().Publish(t.Context(), r, nil)
		if no := (rule.Refusals)(nil); !errors.As(err, &no) || len(f.Releases(repository)) > 0 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("other bytes in a draft of ours", func(t *testing.T) {
		f, r := releasing(t, false)
		_, err := f.PutRelease(githubtest.Release{Repository: repository, Tag: "v1.0", Draft: true, Assets: []githubtest.Asset{other}})
		f.check(err)
		_, err = f.writer().Publish(t.Context(), r, nil)
		f.check(err)
		names, _ := f.assets()
		if len(names) != 2 || strings.Contains(strings.Join(names, " "), dist.Sum([]byte("other")).Hex()) {
			t.Errorf("got %v", names)
		}
	})
}
