package audit

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

var audited = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const month = 30 * 24 * time.Hour

// A record is of one repository, and counts for some time.
func TestRecordCounts(t *testing.T) {
	for name, c := range map[string]struct {
		repository, id string
		at             time.Time
		counts         bool
	}{
		"the same day":            {"acme/release", "7", audited.Add(time.Hour), true},
		"spelled otherwise":       {"Acme/Release", "7", audited, true},
		"by a clock ahead":        {"acme/release", "7", audited.Add(-time.Minute), true},
		"of the future":           {"acme/release", "7", audited.Add(-time.Hour), false},
		"on the last second":      {"acme/release", "7", audited.Add(month - time.Second), true},
		"too late":                {"acme/release", "7", audited.Add(month), false},
		"of another repository":   {"acme/other", "7", audited, false},
		"of one that was remade":  {"acme/release", "8", audited, false},
		"of nobody's, on no time": {"", "", time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			rec := Judge(Facts{}).Record("acme/release", "7", audited, month)
			raw, err := rec.Statement(dist.Sum([]byte("policy")))
			if err != nil {
				t.Fatal(err)
			}
			read, policy, err := DecodeRecord("audit.json", raw)
			if err != nil || policy != dist.Sum([]byte("policy")) {
				t.Fatal(policy, err)
			}
			err = read.Check("audit.json", c.repository, c.id, c.at, month)
			if (err == nil) != c.counts || err != nil && !errors.As(err, new(rule.Refusals)) {
				t.Errorf("counts is %v: %v", !c.counts, err)
			}
		})
	}
	if (Record{}).Check("audit.json", "acme/release", "7", audited, month) == nil {
		t.Error("no record counts")
	}
}

// The policy can have become stricter than the record was.
func TestRecordIsNoOlderThanThePolicySays(t *testing.T) {
	rec := Judge(Facts{}).Record("acme/release", "7", audited, month)
	if rec.Check("audit.json", "acme/release", "7", audited.Add(2*time.Hour), time.Hour) == nil {
		t.Error("a record of two hours ago counts for an hour")
	}
}

// A record that needed a waiver ends with it.
func TestRecordEndsWithItsWaivers(t *testing.T) {
	r := Report{Answers: []Answer{{Rule: rules(t, "few-admins"), Verdict: IsWaived, Waived: []Waived{{Until: Day{2026, 11, 21}}}}}}
	if rec := r.Record("acme/release", "7", audited, month); !rec.Expires.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("it ends %s", rec.Expires)
	}
}

// What is believed is what could not be seen, of settings alone.
func TestBelieve(t *testing.T) {
	for name, c := range map[string]struct {
		rule             rule.ID
		seen, said, want Verdict
	}{
		"not seen here, and in order":    {"few-admins", CannotSee, Holds, Holds},
		"not seen here, and waived":      {"few-admins", CannotSee, IsWaived, IsWaived},
		"not seen here, and broken":      {"few-admins", CannotSee, Broken, Broken},
		"not seen by anybody":            {"few-admins", CannotSee, CannotSee, CannotSee},
		"something that is no verdict":   {"few-admins", CannotSee, "fine", CannotSee},
		"broken here":                    {"few-admins", Broken, Holds, Broken},
		"a rule of files, not read here": {"unpinned-uses", CannotSee, Holds, CannotSee},
		"a pin that was not asked about": {"impostor-commit", CannotSee, Holds, CannotSee},
		"what a job could have seen":     {"environment-reviewed", CannotSee, Holds, CannotSee},
	} {
		t.Run(name, func(t *testing.T) {
			r := Report{Answers: []Answer{{Rule: rules(t, c.rule), Verdict: c.seen, Gaps: []Gap{{What: "people", Needs: "metadata: read"}}}}}
			got := r.Believe(Record{Issued: audited, Rules: []Noted{{c.rule, c.said}}}).Answers[0]
			if got.Verdict != c.want {
				t.Errorf("want %s, got %s", c.want, got.Verdict)
			}
			left := Report{Answers: []Answer{got}}.Check(Demand{Require: []rule.ID{c.rule}})
			if ok := c.want == Holds || c.want == IsWaived; (left == nil) != ok {
				t.Errorf("check: %v", left)
			}
			if none := r.Believe(Record{}).Answers[0]; none.Verdict != c.seen {
				t.Errorf("an empty record makes it %s", none.Verdict)
			}
		})
	}
}

// GitHub has shown a job nothing while it limits the rate, and what it would have
// shown may be worse than what is on record.
func TestRateLimitIsNotLeftToTheRecord(t *testing.T) {
	block := ""
	g := serveWith(t, func(g *githubtest.GitHub, w http.ResponseWriter, r *http.Request) {
		if block != "" && strings.Contains(r.URL.Path, block) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte(`{"message":"API rate limit exceeded for installation"}`))
			return
		}
		g.ServeHTTP(w, r)
	})
	locked(g)
	demand := Demand{Require: ids("environment-reviewed", "few-admins", "no-index-tokens")}
	job := map[string]string{"actions": "read", "contents": "read", "metadata": "read"}
	look := func(rights map[string]string) Report {
		c, err := workflows.NewClient(g.Issuer(), g.AccessToken(githubtest.Access{User: "alice", Permissions: rights}), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Repository(t.Context(), releases)
		if err != nil {
			t.Fatal(err)
		}
		at := At{releases, r.Head, []string{releaseYML}}
		f, err := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main"}}.LookAt(t.Context(), c, demand, at, []At{at})
		if err != nil {
			t.Fatal(err)
		}
		return Judge(f)
	}
	record := look(rights).Record(releases, "1", time.Now(), time.Hour)
	if err := look(job).Believe(record).Check(demand); err != nil {
		t.Errorf("a job that sees what it can: %v", err)
	}
	for _, block = range []string{"/environments", "/collaborators", "/actions/secrets"} {
		r := look(job)
		err := r.Believe(record).Check(demand)
		if err == nil || errors.As(err, new(rule.Refusals)) {
			t.Errorf("%s is limited: want that it cannot be decided, got %v", block, err)
		}
	}
}

func rules(t *testing.T, id rule.ID) Rule {
	t.Helper()
	r, ok := Lookup(id)
	if !ok {
		t.Fatalf("there is no rule %s", id)
	}
	return r
}
