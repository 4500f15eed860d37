package audit

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// faulty is a GitHub on which something happens once so many calls are over.
type faulty struct {
	*githubtest.GitHub
	left   atomic.Int64
	happen func(*githubtest.GitHub) // nil: all further answers are of this status
	status int
}

// troubled is one with a repository of which some practices hold and some do not.
func troubled(t *testing.T) *faulty {
	t.Helper()
	f := new(faulty)
	f.left.Store(1000)
	f.GitHub = serveWith(t, func(g *githubtest.GitHub, w http.ResponseWriter, r *http.Request) {
		switch left := f.left.Add(-1); {
		case left < 0 && f.happen == nil:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(f.status)
			w.Write([]byte(`{"message":"` + http.StatusText(f.status) + `"}`))
			return
		case left == -1:
			f.happen(g)
		}
		g.ServeHTTP(w, r)
	})
	s := locked(f.GitHub)
	s.RequirePins, s.Secrets, s.Caches, s.TokenWrites = false, []string{"PYPI_TOKEN"}, 3, true
	f.PutSettings(s)
	f.DeleteEnvironment(releases, "pypi")
	return f
}

// look audits the repository, with trouble after so many calls; an error is that
// nothing was judged.
func (f *faulty) look(t *testing.T, access githubtest.Access, calls int64) (Report, error) {
	t.Helper()
	f.left.Store(calls)
	c, err := workflows.NewClient(f.Issuer(), f.AccessToken(access), nil)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Environments: []string{"pypi"}, Refs: []string{"refs/heads/main"}, Gate: releaseYML}
	facts, err = facts.Look(t.Context(), c, releases, Release{Workflows: []string{releaseYML}})
	return Judge(facts), err
}

func verdictsOf(r Report) map[rule.ID]Verdict {
	all := map[rule.ID]Verdict{}
	for _, a := range r.Answers {
		all[a.Rule.ID] = a.Verdict
	}
	return all
}

// lessSeen tells of each rule of which something else is said than of the whole, and
// not that it cannot be seen.
func lessSeen(t *testing.T, when any, whole map[rule.ID]Verdict, r Report) (unseen int) {
	t.Helper()
	for id, got := range verdictsOf(r) {
		if got == CannotSee {
			unseen++
		} else if got != whole[id] {
			t.Errorf("%s: %s, when %v; it is %s", id, got, when, whole[id])
		}
	}
	return unseen
}

var owner = githubtest.Access{User: "alice", Permissions: rights}

// A repository is deleted, or made private, at any moment of an audit: what is said is
// true, or that it was not seen.
func TestWhatGoesAwayDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		status int
		happen func(*githubtest.GitHub)
	}{
		{status: http.StatusNotFound},
		{status: http.StatusForbidden},
		{happen: func(g *githubtest.GitHub) { g.DeleteRepository(releases) }},
	} {
		f := troubled(t)
		whole, err := f.look(t, owner, 1000)
		if err != nil {
			t.Fatal(err)
		}
		repository := f.PutRepository(githubtest.Repository{Name: releases, ImmutableReleases: true})
		f.status, f.happen = c.status, c.happen
		for calls := range int64(40) {
			f.PutRepository(repository)
			if r, err := f.look(t, owner, calls); err == nil {
				lessSeen(t, calls, verdictsOf(whole), r)
			}
		}
	}
}

// A repository gets another name at any moment: it is followed there.
func TestWhatIsRenamedIsFollowed(t *testing.T) {
	f := troubled(t)
	whole, err := f.look(t, owner, 1000)
	if err != nil {
		t.Fatal(err)
	}
	repository := f.PutRepository(githubtest.Repository{Name: releases, ImmutableReleases: true})
	f.happen = func(g *githubtest.GitHub) {
		moved := repository
		moved.Name = "acme/moved"
		g.PutRepository(moved)
	}
	for calls := range int64(40) {
		f.PutRepository(repository)
		r, err := f.look(t, owner, calls)
		if err != nil {
			t.Fatal(err)
		}
		if unseen := lessSeen(t, calls, verdictsOf(whole), r); unseen > 0 {
			t.Errorf("%d rules could not be seen, renamed after %d calls", unseen, calls)
		}
	}
}

// The hour's calls are used up at any moment of an audit. What was not seen says why,
// and no permission would show it; where it is required, it could not be decided.
func TestPrimaryRateLimit(t *testing.T) {
	f := troubled(t)
	whole, err := f.look(t, owner, 1000)
	if err != nil {
		t.Fatal(err)
	}
	demand := Demand{Require: ids("tags-immutable", "linear-history", "immutable-releases", "unpinned-uses")}
	if err := whole.Check(demand); err != nil {
		t.Fatal(err)
	}
	undecided := 0
	for limit := 1; limit <= 40; limit += 3 {
		access := owner
		access.Limit = limit
		r, err := f.look(t, access, 1000)
		if err != nil {
			if !strings.Contains(err.Error(), "API rate limit exceeded for user ID") {
				t.Errorf("after %d calls: %v", limit, err)
			}
			continue
		}
		unseen := lessSeen(t, limit, verdictsOf(whole), r)
		err = r.Check(demand)
		if errors.As(err, new(rule.Refusals)) || err == nil && unseen > 0 && limit < 20 {
			t.Errorf("after %d calls: want that it cannot be decided, got %v", limit, err)
		}
		if err != nil {
			undecided++
		}
		for _, a := range r.Answers {
			for _, g := range a.Gaps {
				if strings.HasSuffix(g.What, "which was not read") { // GraphQL has a limit of its own
					continue
				}
				if a.Verdict == CannotSee && (g.Needs != "" && g.Needs != "contents: read" || !strings.Contains(g.What, "API rate limit exceeded")) {
					t.Errorf("%s, after %d calls: it does not say why: %s", a.Rule.ID, limit, g.Text())
				}
			}
		}
	}
	if undecided == 0 {
		t.Error("the limit was never met while facts were gathered")
	}
}

// GitHub wants a pause in the middle: it gets it, and all is seen. Where it wants one of
// an hour, what was not seen says so.
func TestSecondaryRateLimit(t *testing.T) {
	f := troubled(t)
	whole, err := f.look(t, owner, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"/rulesets", "/actions/permissions", "/contents/", "/git/trees", "/branches"} {
		for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests} {
			short := githubtest.SecondaryLimit(status, time.Second)
			short.Path = part
			f.Play(short)
		}
	}
	r, err := f.look(t, owner, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if unseen := lessSeen(t, "it pauses", verdictsOf(whole), r); unseen > 0 {
		t.Errorf("%d rules could not be seen", unseen)
	}
	long := githubtest.SecondaryLimit(http.StatusForbidden, time.Hour)
	long.Path, long.Times = "/rulesets", -1
	f.Play(long)
	if r, err = f.look(t, owner, 1000); err != nil {
		t.Fatal(err)
	}
	lessSeen(t, "it wants an hour", verdictsOf(whole), r)
	a := answer(r, "tags-immutable")
	err = r.Check(Demand{Require: ids("tags-immutable")})
	if a.Verdict != CannotSee || !strings.Contains(a.Unseen(), "secondary rate limit") || err == nil || errors.As(err, new(rule.Refusals)) {
		t.Errorf("got %s %v, %v", a.Verdict, a.Gaps, err)
	}
}

// Each permission that is missing hides what it would show, and the answer names it;
// whether GitHub answers 403 or 404.
func TestEachPermission(t *testing.T) {
	f := troubled(t)
	f.PutEnvironment(githubtest.Environment{Repository: releases, Name: "pypi"})
	whole, err := f.look(t, owner, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for permission, needs := range map[string]string{
		"administration":              "administration: read",
		"secrets":                     "secrets: read",
		"environments":                "environments: read",
		"actions":                     "actions: read",
		"organization_administration": "organisation administration: read",
	} {
		for _, hides := range []bool{false, true} {
			f.Behave(githubtest.Behaviour{HidesDenied: hides})
			access := githubtest.Access{User: "alice", Permissions: maps.Clone(rights)}
			delete(access.Permissions, permission)
			r, err := f.look(t, access, 1000)
			if err != nil {
				t.Fatal(err)
			}
			lessSeen(t, "without "+permission, verdictsOf(whole), r)
			named := func(a Answer) bool {
				return slices.ContainsFunc(a.Gaps, func(g Gap) bool { return g.Needs == needs })
			}
			if !slices.ContainsFunc(r.Answers, named) {
				t.Errorf("without %s nothing needs %s", permission, needs)
			}
		}
	}
}
