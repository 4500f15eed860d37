package audit

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What is ready to apply is what GitHub's own description takes.
func TestReadySettingsFitTheDescription(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(filepath.Dir(vectors(t)), "github", "openapi-slice.json"))
	if err != nil {
		t.Fatal(err)
	}
	described := 0
	for _, environments := range [][]string{{"pypi", "testpypi"}, nil} {
		for _, r := range ReadySettings("acme/widget", []string{"refs/heads/main"}, environments, "withdraw") {
			words := strings.Fields(r.Command)
			path := strings.NewReplacer("repos/acme/widget", "/repos/{owner}/{repo}", "environments/testpypi", "environments/{environment_name}",
				"environments/withdraw", "environments/{environment_name}",
				"environments/pypi", "environments/{environment_name}").Replace(words[4])
			item := doc.Paths.Value(path)
			if item == nil || r.File == "" {
				continue
			}
			body := item.GetOperation(words[3]).RequestBody.Value.Content["application/json"].Schema.Value
			var value any
			if err := json.NewDecoder(bytes.NewReader(r.JSON)).Decode(&value); err != nil {
				t.Fatal(err)
			}
			if err := body.VisitJSON(value, openapi3.MultiErrors()); err != nil {
				t.Errorf("%s: %v", r.File, err)
			}
			described++
		}
	}
	if described < 8 {
		t.Errorf("%d bodies are described", described)
	}
}
