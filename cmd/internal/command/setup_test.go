package command

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/template"
)

func TestADistgateKnowsItsCommit(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	built := func(path string, settings ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{Main: debug.Module{Path: path}}
		for i := 0; i < len(settings); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return info
	}
	const module = "github.com/distgate/distgate"
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"a clean checkout": {built(module, "vcs.revision", commit, "vcs.modified", "false"), "distgate/distgate@" + commit},
		"a changed one":    {built(module, "vcs.revision", commit, "vcs.modified", "true"), ""},
		"no word on it":    {built(module, "vcs.revision", commit), ""},
		"no commit":        {built(module, "vcs.modified", "false"), ""},
		"a short commit":   {built(module, "vcs.revision", commit[:12], "vcs.modified", "false"), ""},
		"not on GitHub":    {built("example.org/distgate", "vcs.revision", commit, "vcs.modified", "false"), ""},
		"nothing":          {nil, ""},
	} {
		if at, ok := pinOf(c.info); ok != (c.want != "") || ok && at != c.want {
			t.Errorf("%s: got %q, %t", name, at, ok)
		}
	}
}

func TestRemotesOfGitHub(t *testing.T) {
	for remote, want := range map[string]string{
		"https://github.com/acme/widget":               "acme/widget",
		"https://github.com/acme/widget.git":           "acme/widget",
		"https://x-token@github.com/acme/widget.py/":   "acme/widget.py",
		"git@github.com:acme/widget.git":               "acme/widget",
		"ssh://git@github.com/acme/widget.git":         "acme/widget",
		"https://gitlab.com/acme/widget":               "",
		"https://github.com/acme":                      "",
		"https://github.com/acme/widget/more":          "",
		"https://evil.example/https://github.com/a/b":  "",
		"https://github.com.example.org/acme/widget":   "",
		"https://evil@example.org@github.com/acme/w":   "",
		"git@github.com:acme/widget.git\nhttps://evil": "",
	} {
		if got := githubName(remote); got != want {
			t.Errorf("%q: got %q, want %q", remote, got, want)
		}
	}
}

// begun is a policy as init begins it, for each way to begin.
func begun(t *testing.T, single bool, registry, project, files string) string {
	t.Helper()
	s := template.Setup{Action: "distgate/distgate@" + strings.Repeat("0", 40), Project: project, Repository: world.ReleaseRepository,
		Branch: "main", Workflow: ".github/workflows/release.yml", Indexes: []string{"pypi", "testpypi"}, Registry: registry,
		Single: single, Files: files, Build: template.Build{Repository: world.Repository, Workflow: ".github/workflows/wheels.yml",
			Refs: []string{"refs/tags/v*"}, Labels: []string{"ubuntu-24.04"}, Inputs: []string{"inputs.flags"}, Source: "numpy/numpy"}}
	written, err := s.Write()
	if err != nil {
		t.Fatal(err)
	}
	if single {
		taken, err := workflows.Taken("release.yml", written[0].Text)
		if err != nil || !slices.Equal(taken, []string{"inputs.index", "inputs.version"}) {
			t.Errorf("the workflow takes %v, which is not what the policy admits (%v)", taken, err)
		}
	}
	return string(written[1].Text)
}

// values are what a person fills in, by what stands in front of the mark.
var values = strings.NewReplacer(
	`project = ""`, `project = "widget"`, `-id = ""`, `-id = "1"`,
	"# FILL IN two or more", "1 = [\"alice\"]\n2 = [\"bob\"]\n# filled in", "# FILL IN: distgate init", "sdist = true\n# distgate init")

// TestABegunPolicyIsRefusedUntilItIsFilledIn takes each line that is marked, and
// leaves it alone open.
func TestABegunPolicyIsRefusedUntilItIsFilledIn(t *testing.T) {
	w, err := world.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	dir := t.TempDir()
	if err := w.WriteProject(dir); err != nil {
		t.Fatal(err)
	}
	root := regexp.MustCompile(`tuf = .*`)
	load := func(text string) error {
		path := filepath.Join(dir, "distgate.toml")
		if err := os.WriteFile(path, []byte(root.ReplaceAllString(text, `file = "trusted_root.json"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadPolicy(t.Context(), path, "", time.Now())
		return err
	}
	for name, text := range map[string]string{
		"another builds": begun(t, false, "", "", ""), "all in one": begun(t, true, "", "", ""), "a registry": begun(t, false, "ghcr.io/acme/staging", "", ""),
	} {
		lines := strings.SplitAfter(text, "\n")
		var open []int
		for i, line := range lines {
			if strings.Contains(line, template.FillIn) && i > 3 {
				open = append(open, i)
			}
		}
		if len(open) < 8 {
			t.Fatalf("%s: %d lines to fill in", name, len(open))
		}
		for _, left := range open {
			one := slices.Clone(lines)
			for _, i := range open {
				if i != left {
					one[i] = values.Replace(one[i])
				}
			}
			if err := load(strings.Join(one, "")); exitCode(err) != exitUsage {
				t.Errorf("%s: without %q: got %v", name, lines[left], err)
			}
		}
		if err := load(values.Replace(text)); err != nil {
			t.Errorf("%s: filled in: %v\n%s", name, err, values.Replace(text))
		}
	}
	filled := begun(t, false, "", "widget", "[files]\nsdist = true\n\n")
	if diff := cmp.Diff(6, strings.Count(filled, template.FillIn)-1); diff != "" {
		t.Errorf("lines to fill in where project and files are known: %s\n%s", diff, filled)
	}
}

// A branch that people work on is not for releases because its name ends like a version.
func TestBranchesThatReleasesAreBuiltOf(t *testing.T) {
	for _, c := range []struct{ branches, want string }{
		{"maintenance/2.3.x maintenance/2.4.x topic", "maintenance/*"},
		{"1.x 1.2.x v1.2 2.0", "1.2.x 1.x 2.0 v1.2"},
		{"release/1.2 releases/v1.2 stable/1.2.x", "release/* releases/* stable/*"},
		{"fix/1.2 alice/1.2.x dependabot/pip/2.0 release/alice/1.2 1", ""},
	} {
		if got := strings.Join(maintained(strings.Fields(c.branches)), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.branches, got, c.want)
		}
	}
}
