package world

import (
	"bytes"
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"

	"github.com/distgate/distgate/workflows/githubtest"
)

//go:embed distgate.toml.tmpl
var policyText string

// WriteProject writes what the project's people have into the folder:
//
//	distgate.toml       the policy, with the addresses of this world
//	trusted_root.json   whose certificates it believes
//	allowed_signers     who may vote
//	keys/NAME           the SSH key of each of them, and of mallory, who may not
func (w *World) WriteProject(dir string) error {
	policy, err := w.policy()
	if err != nil {
		return err
	}
	signers, err := w.allowedSigners()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, raw := range map[string][]byte{
		"distgate.toml":     policy,
		"trusted_root.json": w.sigstore.TrustedRoot(),
		"allowed_signers":   signers,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return err
		}
	}
	if err := w.writeKeys(filepath.Join(dir, "keys")); err != nil {
		return err
	}
	return w.Push(dir)
}

// Push brings the policy of the folder to the main branch of the release
// repository, where the jobs read it, and the release workflow if it is there.
func (w *World) Push(dir string) error {
	files, err := PolicyFiles(dir)
	if err == nil {
		w.commit("The policy", files...)
	}
	return err
}

// PolicyFiles are distgate.toml and what can stand beside it, as a commit has
// them.
func PolicyFiles(dir string) (files []githubtest.File, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".toml", ".json", ".sig", "":
		default:
			continue
		}
		if !e.Type().IsRegular() {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, githubtest.File{Path: e.Name(), Content: string(raw)})
	}
	raw, err := os.ReadFile(filepath.Join(dir, workflows, workflow))
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	return append(files, githubtest.File{Path: workflows + workflow, Content: string(raw)}), err
}

// policy is distgate.toml.
func (w *World) policy() ([]byte, error) {
	text, err := template.New("distgate.toml").Parse(policyText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = text.Execute(&out, struct {
		Project, Index, Environment      string
		GitHubURL, SigstoreURL, IndexURL string
		Build, Publish                   githubtest.Claims
		People                           []person
		Workflow                         string
	}{
		Project, IndexName, Environment,
		w.at.github, w.at.sigstore, w.at.index,
		githubtest.ReleaseJob(Repository, workflow, "refs/tags/v1.0", ""), w.PublishJob(), w.people,
		workflows + workflow,
	})
	return out.Bytes(), err
}
