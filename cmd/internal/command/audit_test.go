package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/workflows/audit"
)

// Over the workflows that init writes, everything holds that workflows say.
func TestWhatInitWritesHolds(t *testing.T) {
	action := "--action=acme/distgate@0123456789abcdef0123456789abcdef01234567"
	for name, flags := range map[string][]string{
		"all in one":         {"--all-in-one"},
		"in a registry":      {"--all-in-one", "--registry=ghcr.io/acme/staging"},
		"built elsewhere":    {"--built-by=acme/widget/.github/workflows/wheels.yml"},
		"by several indexes": {"--all-in-one", "--index=testpypi", "--index=pypi"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			if out, err := exec.Command("git", "init", "-q").CombinedOutput(); err != nil {
				t.Fatalf("git: %v %s", err, out)
			}
			if err := os.WriteFile("pyproject.toml", []byte("[project]\nname = \"widget\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"init", "--repository=acme/release", "--write", action}, flags...)
			s := Streams{Out: io.Discard, Err: os.Stderr, Env: func(string) string { return "" }, Now: time.Now}
			if code := Main(context.Background(), args, s); code != exitDone {
				t.Fatalf("init ends with %d", code)
			}
			begin := []string{".github/workflows/release.yml"}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			files, err := audit.Read(t.Context(), audit.Checkout(root), audit.Release{Workflows: begin})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range audit.Judge(audit.Facts{Files: files, Gate: ".github/workflows/release.yml"}).Answers {
				if a.Rule.ID == "publish-does-more" && a.Verdict != audit.Holds {
					t.Errorf("the job that publishes is not known as one: %s", a.Verdict)
				}
				if a.Rule.Looks == audit.InWorkflow && (a.Verdict == audit.Broken || a.Verdict == audit.CannotSee) {
					t.Errorf("%s: %s %v %v", a.Rule.ID, a.Verdict, a.Spots, a.Gaps)
				}
			}
			var policy policyFile
			raw, err := os.ReadFile(defaultPolicy)
			if err := errors.Join(err, decodePolicy(defaultPolicy, raw, &policy)); err != nil {
				t.Fatal(err)
			}
			demand, err := policy.Audit.demand(defaultPolicy)
			if err != nil || !slices.Equal(demand.Require, audit.MostImportant()) || len(demand.NeedsRecord()) > 0 {
				t.Errorf("want the rules required that break the gate, got %v %v", demand.Require, err)
			}
			if err := audit.Judge(audit.Facts{Files: files, Gate: ".github/workflows/release.yml"}).Check(demand); err != nil {
				t.Error(err)
			}
		})
	}
}

// The README says of every practice which rules answer it, or why none can.
func TestReadmeNamesEveryPractice(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range audit.Sources() {
		for _, p := range source.Practices {
			if row := practiceRow(p); !strings.Contains(string(readme), row) {
				t.Errorf("the README does not have this row:\n%s", row)
			}
		}
	}
}

func practiceRow(p audit.Practice) string {
	var rules []string
	for _, id := range p.Rules {
		rules = append(rules, "`"+string(id)+"`")
	}
	answer := strings.Join(rules, ", ")
	if p.None != "" {
		answer = "no rule: " + p.None
	}
	return fmt.Sprintf("| %s | %s | %s |\n", p.ID, p.Title, answer)
}
