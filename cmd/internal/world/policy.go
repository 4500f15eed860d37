package world

import (
	"bytes"
	_ "embed"
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
	return w.writeKeys(filepath.Join(dir, "keys"))
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
		w.BuildJob("1.0"), w.PublishJob(), w.people,
		".github/workflows/" + workflow,
	})
	return out.Bytes(), err
}
