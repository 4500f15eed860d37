package approval_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

func TestPolicyCheck(t *testing.T) {
	w := newWorld(t)
	people := func(list ...approval.Person) func(*approval.Policy) {
		return func(p *approval.Policy) { p.People = list }
	}
	alice := approval.Person{GitHub: 1, Principals: []string{"alice@example.org"}}
	bob := approval.Person{GitHub: 2, Principals: []string{"bob@example.org"}}
	for _, test := range []struct {
		name   string
		change func(*approval.Policy)
		want   string // part of what a refusal wants; nothing: the policy holds
	}{
		{"two of three", func(*approval.Policy) {}, ""},
		{"all of three", func(p *approval.Policy) { p.Need = 3 }, ""},
		{"one of two", func(p *approval.Policy) { p.Need = 1; p.People = []approval.Person{alice, bob} }, ""},
		{"one person who says so", func(p *approval.Policy) { p.Need, p.Solo, p.People = 1, true, []approval.Person{alice} }, ""},
		{"nothing", func(p *approval.Policy) { *p = approval.Policy{} }, "at least 1 approval"},
		{"nobody needed", func(p *approval.Policy) { p.Need = 0 }, "at least 1 approval"},
		{"less than nobody needed", func(p *approval.Policy) { p.Need = -1 }, "at least 1 approval"},
		{"more needed than there are", func(p *approval.Policy) { p.Need = 4 }, "4 people or more"},
		{"nobody on the list", people(), "1 to 100 people"},
		{"no age", func(p *approval.Policy) { p.MaxAge = 0 }, "a time for which an approval holds"},
		{"an endless age", func(p *approval.Policy) { p.MaxAge = 91 * 24 * time.Hour }, "at most 90 days"},
		{"one person who does not say so", func(p *approval.Policy) { p.Need, p.People = 1, []approval.Person{alice} }, "two people"},
		{"solo and two needed", func(p *approval.Policy) { p.Solo = true }, "1 approval where one person builds"},
		{"no road", func(p *approval.Policy) { p.Roads = nil }, "roads signed, environment, or both"},
		{"a road that nobody knows", func(p *approval.Policy) { p.Roads = []approval.Road{"signed", "phone"} }, "roads signed"},
		{"a road twice", func(p *approval.Policy) { p.Roads = []approval.Road{"signed", "signed"} }, "each once"},
		{"both roads", func(p *approval.Policy) { p.Roads = []approval.Road{"environment", "signed"} }, ""},
		{"two by the environment alone", func(p *approval.Policy) { p.Roads = []approval.Road{"environment"} }, "1 approval where environment"},
		{"one by the environment alone", func(p *approval.Policy) {
			p.Need, p.Roads, p.Signers = 1, []approval.Road{"environment"}, approval.AllowedSigners{}
		}, ""},
		{"no signers, by both roads", func(p *approval.Policy) {
			p.Roads, p.Signers = []approval.Road{"environment", "signed"}, approval.AllowedSigners{}
		}, "a key for"},
		{"no signers", func(p *approval.Policy) { p.Signers = approval.AllowedSigners{} }, "a key for"},
		{"a person without a principal", people(alice, approval.Person{GitHub: 2}), "a principal for GitHub id 2"},
		{"a person without an id", people(alice, approval.Person{Principals: bob.Principals}), "a GitHub id"},
		{"two people with one id", people(alice, approval.Person{GitHub: 1, Principals: bob.Principals}), "a GitHub id"},
		{"two people with one address", people(alice, bob, approval.Person{GitHub: 3, Principals: bob.Principals}), "each principal once"},
		{"two people with one key", people(alice, bob, approval.Person{GitHub: 3, Principals: []string{"alice@example.com"}}), "a key of one person"},
		{"a slip of the pen", people(alice, bob, approval.Person{GitHub: 3, Principals: []string{"carol@exmaple.org"}}), "carol@exmaple.org"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := w.policy
			test.change(&p)
			err := p.Check(noon)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var no rule.Refusals
			if !errors.As(err, &no) || !strings.Contains(no.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
			for _, r := range no {
				if r.Rule != rule.ApprovalPolicy || r.Hint == "" {
					t.Errorf("got %+v", r)
				}
			}
			if a, err := approval.Check(w.staged, nil, theRun, p, noon); err == nil || !a.IsZero() {
				t.Error("approved under it")
			}
		})
	}
}

// Whose keys have all run out cannot vote, and so cannot be waited for.
func TestPolicyCheckAsksForKeysThatAreValidNow(t *testing.T) {
	keys := newWorld(t).keys
	old := strings.ReplaceAll(signers(keys), `bob@example.org namespaces="distgate"`,
		`bob@example.org namespaces="distgate",valid-before="20261119Z"`)
	allowed, err := approval.ParseAllowedSigners("allowed_signers", strings.NewReader(old))
	check(t, err)
	p := approval.Policy{Need: 2, Roads: []approval.Road{approval.Signed}, MaxAge: time.Hour, Signers: allowed, People: []approval.Person{
		{GitHub: 1, Principals: []string{"alice@example.org"}}, {GitHub: 2, Principals: []string{"bob@example.org"}},
	}}
	check(t, p.Check(noon.AddDate(0, 0, -2)))
	if err := p.Check(noon); err == nil || !strings.Contains(err.Error(), "2 people who can vote now, got 1") {
		t.Errorf("got %v", err)
	}
}

func TestSolo(t *testing.T) {
	w := newWorld(t)
	w.policy.Need, w.policy.Solo, w.policy.People = 1, true, w.policy.People[:1]
	review := w.review(t)
	if last := review.NotProven[len(review.NotProven)-1]; !review.Voting.Solo || last.ID != "one-person" {
		t.Errorf("the review does not say that there is one person: %+v", review.NotProven)
	}
	a, err := approval.Check(w.staged, records(t, w, "alice"), theRun, w.policy, noon)
	check(t, err)
	if !a.Solo() {
		t.Error("the approval does not say that there is one person")
	}
}

// Alone, with no key on the list but a security key: the pages say that it was touched.
func TestSoloWithATouch(t *testing.T) {
	w := newWorld(t, func(p *staging.Policy) {
		var lines []string
		for line := range strings.Lines(string(p.Files[1].Raw)) {
			if strings.Contains(line, " sk-ssh-ed25519") {
				lines = append(lines, line)
			}
		}
		p.Files[1].Raw = []byte(strings.Join(lines, ""))
	})
	allowed, err := approval.ParseAllowedSigners("allowed_signers", bytes.NewReader(w.staging.Files[1].Raw))
	check(t, err)
	w.policy.Need, w.policy.Solo, w.policy.People, w.policy.Signers = 1, true, w.policy.People[:1], allowed
	if said := w.review(t).NotProven; !strings.Contains(said[len(said)-1].Text, "by the touch of a security key") {
		t.Errorf("the review does not say that it takes a touch: %+v", said)
	}
	if _, err := approval.Check(w.staged, records(t, w, "alice's token"), theRun, w.policy, noon); err != nil {
		t.Errorf("a touch alone: got %v", err)
	}
	if _, err := approval.Check(w.staged, records(t, w, "alice"), theRun, w.policy, noon); !waits(err) {
		t.Errorf("a key that is a file: want to wait, got %v", err)
	}
	w.policy.Roads = []approval.Road{approval.Environment, approval.Signed}
	if said := w.review(t).NotProven; !strings.Contains(said[len(said)-1].Text, "no touch of a security key") {
		t.Errorf("a review on GitHub takes no touch, and nobody says so: %+v", said)
	}
}

func waits(err error) bool {
	var waiting approval.Waiting
	return errors.As(err, &waiting)
}

func TestVotersSayWhyNot(t *testing.T) {
	signed := newWorld(t).policy // 1, 2 and 3, all of whom have a key
	solo, gone, byReview := signed, signed, signed
	solo.Solo = true
	gone.People = append(slices.Clone(signed.People), approval.Person{GitHub: 9, Principals: []string{"gone@example.org"}})
	byReview.Roads, byReview.People = []approval.Road{approval.Environment}, gone.People
	started := approval.Run{Starters: []int64{signed.People[0].GitHub}}
	for _, test := range []struct {
		name   string
		policy approval.Policy
		run    approval.Run
		want   []string // why not, in the order of ids
	}{
		{"no run is known", signed, approval.Run{}, []string{"", "", ""}},
		{"who started the run", signed, started, []string{"started the build or the run that publishes", "", ""}},
		{"alone", solo, started, []string{"", "", ""}},
		{"without a key", gone, approval.Run{}, []string{"", "", "", "has no key that is valid now"}},
		{"without a key, on GitHub", byReview, approval.Run{}, []string{"", "", "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, v := range test.policy.Voters(test.run, noon) {
				got = append(got, v.Why)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
