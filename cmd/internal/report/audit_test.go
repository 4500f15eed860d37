package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/audit"
)

const looseWorkflow = `name: release
on: {push: {tags: ["v*"]}, pull_request_target: {}}
jobs:
  release:
    runs-on: ubuntu-latest
    permissions: write-all
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.13", cache: pip}
      - run: pip install -U build twine && python -m build
      - run: echo "${{ github.event.pull_request.title }}"
      - run: twine upload dist/*
        env: {TWINE_PASSWORD: "${{ secrets.PYPI_API_TOKEN }}"}
`

// looseAudit is of a folder that does everything wrong.
func looseAudit(t *testing.T) Audit {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, ".github", "workflows")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, "release.yml"), []byte(looseWorkflow), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files, err := audit.Read(t.Context(), audit.Checkout(root), audit.Release{})
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Judge(audit.Facts{Files: files})
	return Audit{Of: "acme/loose", Report: r, Require: audit.MostImportant(), Time: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC),
		Since: true, Drift: r.Since(audit.Judge(audit.Facts{}))}
}

// hostileAudit is of a repository whose names are markup, with a gap, a waiver and
// more places than are shown.
func hostileAudit() Audit {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e\x1b[2J" + strings.Repeat("W", 300)
	r := audit.Judge(audit.Facts{})
	for i := range r.Answers {
		a := &r.Answers[i]
		switch a.Rule.ID {
		case "unpinned-uses":
			a.Verdict, a.Spots = audit.Broken, slices.Repeat([]audit.Spot{{File: evil, Line: 3, Got: evil}}, maxSpots+7)
		case "dangerous-triggers":
			a.Verdict, a.Gaps = audit.CannotSee, []audit.Gap{{File: evil, What: evil, Needs: evil}}
		case "actions-fetch-nothing":
			a.Verdict, a.Gaps = audit.Question, []audit.Gap{{What: evil}}
		case "few-admins":
			a.Verdict, a.Waived = audit.IsWaived, []audit.Waived{{Spot: audit.Spot{Setting: evil, Got: evil}, Reason: evil, Until: audit.Day{Year: 2027, Month: 1, Date: 1}}}
		}
	}
	return Audit{Of: evil, Report: r, Require: []rule.ID{"unpinned-uses"}, Time: time.Unix(0, 0)}
}

func TestAuditPage(t *testing.T) {
	for name, c := range map[string]struct {
		audit Audit
		has   []string
	}{
		"loose": {looseAudit(t), []string{"<h1>acme/loose</h1>", "Refused", "actions/checkout@v4", "pull_request_target", "Is it so that",
			"of 25</dt>", "GitHub was not asked", "no rule: wheels", "Worse", "Also found by zizmor"}},
		"hostile": {hostileAudit(), []string{"7 more places are not shown", "until 2027-01-01", `\u{1b}[2J`, `\u{202e}`}},
		"nothing": {Audit{Of: "acme/none"}, []string{"0 rules broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := c.audit.HTML()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.has {
				if !strings.Contains(string(raw), want) {
					t.Errorf("want %q in the page", want)
				}
			}
			for _, never := range []string{"<script", "<img", "\x1b", "\u202e"} {
				if strings.Contains(string(raw), never) {
					t.Errorf("the page has %q", never)
				}
			}
		})
	}
}

func TestAuditPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	faultsOf, err := os.ReadFile(filepath.Join("testdata", "audit.js"))
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]Audit{"loose": looseAudit(t), "hostile": hostileAudit()} {
		path := writePage(t, name, a)
		for _, l := range []look{{1280, "light"}, {390, "dark"}, {390, "light"}, {794, "print"}} {
			b.open(path, l)
			var faults []string
			b.eval(&faults, string(faultsOf))
			for _, fault := range append(faults, b.noise()...) {
				t.Errorf("%s at %s: %s", name, l, fault)
			}
		}
	}
}
