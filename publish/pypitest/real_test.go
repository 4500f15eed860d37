package pypitest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// Why a real attestation is not uploaded.
const (
	noFile         leftOut = "the file that it is about is not at hand"
	otherPublisher leftOut = "only GitHub Actions is a publisher here"
)

// realCase is an attestation that was published with a file.
type realCase struct {
	ID       string
	Artifact *string
	Bundle   string
	Root     string `json:"trusted_root"`
	Expected string
	Identity *struct {
		Issuer     string
		Repository string `json:"source_repo"`
		Workflow   string
	}
}

func (c realCase) leftOut() leftOut {
	switch {
	case c.Artifact == nil:
		return noFile
	case c.Identity == nil || c.Identity.Issuer != sigstoretest.GitHubIssuer ||
		strings.Count(c.Identity.Repository, "/") != 1:
		return otherPublisher
	}
	return ""
}

// attestations turns what was published into what is uploaded.
func (c realCase) attestations(t *testing.T, raw []byte) string {
	t.Helper()
	list := "[" + string(raw) + "]"
	switch filepath.Ext(c.Bundle) {
	case ".sigstore":
		one, err := json.Marshal(asAttestation(t, raw))
		if err != nil {
			t.Fatal(err)
		}
		list = "[" + string(one) + "]"
	case ".provenance":
		var provenance struct {
			Bundles []struct {
				Attestations json.RawMessage
			} `json:"attestation_bundles"`
		}
		if err := json.Unmarshal(raw, &provenance); err != nil {
			t.Fatal(err)
		}
		list = string(provenance.Bundles[0].Attestations)
	}
	return list
}

// TestRealAttestations uploads files that are on PyPI with the attestations
// that PyPI took them with, and by publishers that it would not have taken
// them from.
func TestRealAttestations(t *testing.T) {
	var file struct{ Cases []realCase }
	vectors(t, "../pypi-attestations/manifest.json", &file)
	dir := filepath.Join(os.Getenv("DISTGATE_VECTORS"), "pypi-attestations")
	read := func(t *testing.T, name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	uploaded := 0
	for _, c := range file.Cases {
		if c.leftOut() != "" {
			continue
		}
		uploaded++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(config *pypitest.Config) { config.TrustedRoots = [][]byte{read(t, c.Root)} })
			// Some of the files lie under their name behind a hash.
			name := filepath.Base(*c.Artifact)
			if before, after, ok := strings.Cut(name, "."); ok && len(before) == 10 && !strings.Contains(before, "-") {
				name = after
			}
			project, version, _ := strings.Cut(strings.TrimSuffix(name, ".tar.gz"), "-")
			job := githubtest.ReleaseJob(c.Identity.Repository, c.Identity.Workflow, "refs/heads/main", "")
			w.must(w.index.AddProject(project, pypitest.Publisher{Repository: c.Identity.Repository,
				OwnerID: job.RepositoryOwnerID, Workflow: c.Identity.Workflow}))
			r := newRequest(w.mint(job), project, version, "sdist")
			r.replace(name, read(t, *c.Artifact))
			r.set("attestations", c.attestations(t, read(t, c.Bundle)))
			want := map[string]int{"pass": http.StatusOK, "fail": http.StatusBadRequest}[c.Expected]
			if got := w.upload(r); got.status != want || want != http.StatusOK &&
				!strings.HasPrefix(got.message, "Invalid attestations supplied during upload: Could not verify") {
				t.Errorf("want %d, got %d %s", want, got.status, got.message)
			}
		})
	}
	if uploaded == 0 {
		t.Error("nothing was uploaded")
	}
}
