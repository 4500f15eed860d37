package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/rule"
)

// project writes the policy of a local project and returns its folder.
func project(t *testing.T) string {
	t.Helper()
	w, err := world.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	dir := t.TempDir()
	if err := w.WriteProject(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSchemaAndDecoderAgree holds the schema that editors use against the
// structs that decode: the same keys, and the same word on real files.
func TestSchemaAndDecoderAgree(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range knownKeys(reflect.TypeFor[policyFile](), "") {
		if !describes(schema, strings.Split(key, ".")) {
			t.Errorf("the schema does not know %s", key)
		}
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("distgate.schema.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("distgate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(project(t), "distgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, new string
		good     bool
	}{
		"as written":               {"", "", true},
		"an unknown key":           {"owner-id", "ownr-id", false},
		"no hosted":                {`hosted = "certificate"`, "", false},
		"hosted unknown":           {`"certificate"`, `"some"`, false},
		"no word on the sdist":     {"sdist = true", "", false},
		"a Python alone":           {`platform = ["any", "macosx_arm64", "manylinux_x86_64"]`, "", false},
		"a platform with a dash":   {`"manylinux_x86_64"`, `"manylinux_x86-64"`, false},
		"additions":                {"sdist = true", `sdist = false` + "\nalso = [\"pp311-win32\", \"1-py3-none-win32\"]", true},
		"another table":            {"[files]", `[series."2.4"]`, true},
		"a series of letters":      {"[files]", `[series.main]`, false},
		"both tables":              {"[files]", "[series.2]\nsdist = true\n[files]", false},
		"nobody":                   {"need = 2", "need = 0", false},
		"no road":                  {`roads = ["signed"]`, "", false},
		"a road that nobody knows": {`["signed"]`, `["phone"]`, false},
		"both roads":               {`["signed"]`, `["environment", "signed"]`, true},
		"two by the environment":   {`["signed"]`, `["environment"]`, false},
		"a name for an id":         {`1001 =`, `alice =`, false},
		"a store in a registry":    {"[github]", "[store]\nregistry = \"ghcr.io/acme/staging\"\nfiles = true\n[github]", true},
		"a store of files alone":   {"[github]", "[store]\nfiles = true\n[github]", false},
		"a store that has a tag":   {"[github]", "[store]\nregistry = \"ghcr.io/acme/staging:latest\"\n[github]", false},
		"books from a day on":      {"[github]", "[reconcile]\nsince = \"2026-11-21\"\n[github]", true},
		"books from some time on":  {"[github]", "[reconcile]\nsince = \"yesterday\"\n[github]", false},
		"an index without votes":   {"patience = \"30s\"", "patience = \"30s\"\nvotes = 0", true},
		"an index with a vote":     {"patience = \"30s\"", "patience = \"30s\"\nvotes = 1", false},
		"two forms of root":        {`file = "trusted_root.json"`, `file = "trusted_root.json"` + "\ntuf = \"https://example.org\"", false},
		"a source":                 {"[github]", aSource + "[github]", true},
		"a source, tagged later":   {"[github]", strings.Replace(aSource, "before", "later", 1) + "[github]", false},
		"signatures not mentioned": {"[github]", strings.Replace(aSource, "signed = true", "", 1) + "[github]", false},
		"a tag of no version":      {"[github]", strings.Replace(aSource, "v{version}", "v1.0", 1) + "[github]", false},
	} {
		var value map[string]any
		if err := toml.Unmarshal(bytes.Replace(raw, []byte(c.old), []byte(c.new), 1), &value); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(instance); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const aSource = `[source]
repository = "acme/widget"
repository-id = "1"
tag = "v{version}"
tagged = "before"
signed = true
branches = ["main"]

`

// describes follows a key through the schema.
func describes(schema map[string]any, key []string) bool {
	if items, ok := schema["items"].(map[string]any); ok && schema["type"] == "array" {
		return len(key) == 0 || describes(items, key)
	}
	if len(key) == 0 {
		return schema["description"] != nil
	}
	if next, ok := schema["additionalProperties"].(map[string]any); ok && key[0] == "NAME" {
		return describes(next, key[1:])
	}
	properties, _ := schema["properties"].(map[string]any)
	next, ok := properties[key[0]].(map[string]any)
	return ok && describes(next, key[1:])
}

// Whatever stands in the policy and the files that it names, there is one clear
// refusal that names the file, and never a panic or a yes.
func TestAMalformedPolicyIsRefusedByName(t *testing.T) {
	dir := project(t)
	for _, file := range []string{"distgate.toml", "allowed_signers", "trusted_root.json"} {
		path := filepath.Join(dir, file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for how, raw := range map[string][]byte{
			"truncated": good[:len(good)/2], "empty": {}, "huge": bytes.Repeat([]byte("#"), maxPolicyFile+1),
			"another type": []byte("\x00\x01\x02"), "JSON": []byte(`{"a":[1]}`),
		} {
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := loadPolicy(context.Background(), filepath.Join(dir, "distgate.toml"), t.TempDir(), time.Now())
			var refused rule.Refusals
			if exitCode(err) != exitUsage || !errors.As(err, &refused) || !strings.Contains(refused.Error(), file) {
				t.Errorf("%s %s: got %v", file, how, err)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A key has one spelling: the decoder would take the last of NEED and need.
func TestKeysAndValuesAreWrittenInOneWay(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(project(t), "distgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new string }{
		{"need = 2", "need = 2\nNEED = 1"},
		{"[people]", "[Approval]\nneed = 1\n[people]"},
		{"[people]", "[People]\n999 = [\"mallory@example.org\"]\n[people]"},
		{"[[root]]", "[[ROOT]]\nfile = \"other.json\"\n[[root]]"},
		{"[index.", "[Index.other]\nenvironment = \"x\"\n[index."},
		{"[build]", "[build]\nRunner = \"self-hosted\""},
		{`["refs/tags/v*"]`, `["refs/tags/v*\nrefs/heads/*"]`},
	} {
		changed := bytes.Replace(raw, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, raw) {
			t.Fatalf("the policy does not hold %q", c.old)
		}
		var refused rule.Refusals
		if err := decodePolicy("distgate.toml", changed, new(policyFile)); !errors.As(err, &refused) {
			t.Errorf("%q: got %v, want a refusal", c.new, err)
		}
	}
	if err := decodePolicy("distgate.toml", raw, new(policyFile)); err != nil {
		t.Errorf("as written: %v", err)
	}
}

func TestNearestKey(t *testing.T) {
	for unknown, want := range map[string]string{
		"projct": "project", "build.repositry": "build.repository", "approval.maxage": "approval.max-age",
		"index.pypi.enviroment": "index.pypi.environment", "sigstore.url": "sigstore.tsa",
		"build.leave-out.file": "build.leave-out.files", "peeple": "people",
		"files.pyton": "files.python", "series.2.4.exept": "series.2.4.except",
	} {
		if got := nearestKey(unknown); got != want {
			t.Errorf("%s: got %s, want %s", unknown, got, want)
		}
	}
}
