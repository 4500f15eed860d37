package world

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// Scan writes the bundle in which another workflow of the project, scan.yml, says
// what came of looking at the distributions of a folder, "PASSED" or "FAILED": an
// in-toto test result.
func (w *World) Scan(dir, version, bundle, result string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	subjects := []any{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".sigstore.json") {
			continue
		}
		digest, err := hashed(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		subjects = append(subjects, map[string]any{"name": e.Name(), "digest": map[string]string{"sha256": digest}})
	}
	statement, err := json.Marshal(map[string]any{"_type": "https://in-toto.io/Statement/v1", "subject": subjects,
		"predicateType": "https://in-toto.io/attestation/test-result/v0.1", "predicate": map[string]string{"result": result}})
	if err != nil {
		return err
	}
	job := w.BuildJob(version)
	job.WorkflowRef = strings.Replace(job.WorkflowRef, "/"+workflow+"@", "/scan.yml@", 1)
	job.JobWorkflowRef = job.WorkflowRef
	claims, err := w.token(job)
	if err != nil {
		return err
	}
	raw, err := w.sigstore.Sign(claims, statement)
	if err != nil {
		return err
	}
	return os.WriteFile(bundle, raw, 0o644)
}
