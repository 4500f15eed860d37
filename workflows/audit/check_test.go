package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
)

func onDay(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCheck(t *testing.T) {
	loose := Judge(Facts{Files: read(t, tree{releaseYML: inRelease(stepsOf("- uses: acme/a@v1", "- uses: acme/b@v1", signIt, upload))})})
	unseen := Judge(Facts{Files: read(t, tree{releaseYML: "on: ["})})
	until := Day{2026, 11, 30}
	waivers := []Waiver{{Rule: "unpinned-uses", Where: "acme/a@v1", Reason: "no release yet", Until: until},
		{Rule: "unpinned-uses", Where: "acme/b@v1", Reason: "no release yet", Until: until}}
	for _, c := range []struct {
		name    string
		report  Report
		require []rule.ID
		waivers []Waiver
		at      string
		refused int // -1: could not decide
	}{
		{"what holds", loose, []rule.ID{"dangerous-triggers"}, nil, "2026-11-01T00:00:00Z", 0},
		{"what is broken, all at once", loose, []rule.ID{"unpinned-uses", "publish-environment"}, nil, "2026-11-01T00:00:00Z", 3},
		{"what is waived, on the last day", loose, []rule.ID{"unpinned-uses"}, waivers, "2026-11-30T23:59:59Z", 0},
		{"a waiver for one place of two", loose, []rule.ID{"unpinned-uses"}, waivers[:1], "2026-11-01T00:00:00Z", 1},
		{"a waiver that has ended", loose, []rule.ID{"unpinned-uses"}, waivers, "2026-12-01T00:00:00Z", 2},
		{"what was not understood", unseen, []rule.ID{"unpinned-uses"}, nil, "2026-11-01T00:00:00Z", -1},
		{"what only a person knows", loose, []rule.ID{"tokens-revoked"}, nil, "2026-11-01T00:00:00Z", -1},
		{"nothing", loose, nil, nil, "2026-11-01T00:00:00Z", 1},
	} {
		err := c.report.Waive(c.waivers, onDay(t, c.at)).Check(Demand{Require: c.require})
		var no rule.Refusals
		refused := 0
		if errors.As(err, &no) {
			refused = len(no)
		} else if err != nil {
			refused = -1
		}
		if refused != c.refused {
			t.Errorf("%s: want %d refusals, got %d: %v", c.name, c.refused, refused, err)
		}
	}
}

func TestDemandIsMeant(t *testing.T) {
	day := Day{2027, 1, 31}
	for name, c := range map[string]struct {
		demand Demand
		good   bool
	}{
		"what a policy starts with": {Demand{Require: MostImportant()}, true},
		"a rule nobody knows":       {Demand{Require: []rule.ID{"unpined-uses"}}, false},
		"a question":                {Demand{Require: []rule.ID{"tokens-revoked"}}, false},
		"a waiver":                  {Demand{Waivers: []Waiver{{Rule: "artipacked", Reason: "it pushes", Until: day}}}, true},
		"a tag's commit":            {Demand{Waivers: []Waiver{{Rule: "unpinned-uses", Where: "a/b/.github/workflows/x.yml@v1", Commit: commit, Reason: "by tag", Until: day}}}, true},
		"of another rule":           {Demand{Waivers: []Waiver{{Rule: "artipacked", Where: "a/b/.github/workflows/x.yml@v1", Commit: commit, Reason: "by tag", Until: day}}}, false},
		"of an action":              {Demand{Waivers: []Waiver{{Rule: "unpinned-uses", Where: "a/b@v1", Commit: commit, Reason: "by tag", Until: day}}}, false},
		"not a whole commit":        {Demand{Waivers: []Waiver{{Rule: "unpinned-uses", Where: "a/b/.github/workflows/x.yml@v1", Commit: commit[:12], Reason: "by tag", Until: day}}}, false},
		"a waiver without a reason": {Demand{Waivers: []Waiver{{Rule: "artipacked", Reason: " ", Until: day}}}, false},
		"a waiver without an end":   {Demand{Waivers: []Waiver{{Rule: "artipacked", Reason: "it pushes"}}}, false},
	} {
		if err := c.demand.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
