package approval_test

import (
	"errors"
	"testing"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// Who may change the rules is decided by the rules before: a policy that names
// other people, or asks for fewer, needs votes that satisfy the one it replaces.
func TestAChangedPolicyNeedsTheVotesOfTheOneBefore(t *testing.T) {
	w := newWorld(t)
	former := w.policy
	w.policy.Need, w.policy.Former = 1, &former
	w.policy.People = []approval.Person{former.People[0], former.People[1], {GitHub: 4, Principals: []string{"dave@example.org"}}}
	alice, bob, carol, dave := ballot{by: "alice"}, ballot{by: "bob"}, ballot{by: "carol"}, ballot{by: "dave"}
	no := ballot{by: "carol", reject: true}
	for _, test := range []struct {
		name   string
		votes  []ballot
		what   string
		former bool
	}{
		{"nobody", nil, waiting, false},
		{"who was added", []ballot{dave}, waiting, true},
		{"who was added, and one of before", []ballot{dave, alice}, waiting, true},
		{"those of before", []ballot{alice, bob}, approved, false},
		{"who was taken off the list has a yes", []ballot{alice, carol}, approved, false},
		{"who was taken off the list has a no", []ballot{alice, bob, no}, rejected, false},
	} {
		var records []staging.Record
		for _, b := range test.votes {
			records = append(records, w.cast(t, b))
		}
		_, err := approval.Check(w.staged, records, theRun, w.policy, noon)
		var wait approval.Waiting
		var refused rule.Refusals
		got := approved
		switch {
		case errors.As(err, &wait):
			got = waiting
		case errors.As(err, &refused):
			got = rejected
		}
		if got != test.what || wait.Former != test.former {
			t.Errorf("%s: got %v", test.name, err)
		}
	}

	// What was removed and said no has to be taken back, so approve must name it.
	names, err := approval.Rejections(w.staged, []staging.Record{w.cast(t, no)}, w.policy, noon)
	if err != nil || len(names) != 1 {
		t.Errorf("got %v, %v", names, err)
	}
}

// Where the list becomes another one, those who leave and those who come vote on one
// release, by either road. Each vote counts on the list that has its voter, and is no
// stranger's; what is still wanted of both is said at once.
func TestWhoLeavesVotesOnIt(t *testing.T) {
	w := newWorld(t)
	former := w.policy
	w.policy.Need, w.policy.Former = 1, &former
	w.policy.Roads = []approval.Road{approval.Signed, approval.Environment}
	former.Roads = w.policy.Roads
	w.policy.People = []approval.Person{{GitHub: 4, Principals: []string{"dave@example.org"}}, former.People[2]}
	alice, dave := w.cast(t, ballot{by: "alice"}), w.cast(t, ballot{by: "dave"})
	bob := approval.EnvironmentReview{GitHub: 2, Login: "bob", State: "approved", Comment: "approve RELEASE"}

	_, err := approval.Check(w.staged, nil, theRun, w.policy, noon)
	var wait approval.Waiting
	if !errors.As(err, &wait) || wait.Former || wait.Before == nil || wait.Before.Need != 2 || wait.Before.Have != 0 ||
		len(wait.Before.May) != 3 {
		t.Errorf("nobody voted: got %+v", wait)
	}
	_, err = approval.Check(w.staged, []staging.Record{alice}, theRun, w.policy, noon)
	wait = approval.Waiting{}
	if !errors.As(err, &wait) || wait.Have != 0 || wait.Before == nil || wait.Before.Have != 1 || len(wait.Refused) > 0 {
		t.Errorf("one who leaves voted: got %+v", wait)
	}
	a, err := approval.Check(w.staged, []staging.Record{alice, dave}, w.reviews(bob), w.policy, noon)
	if err != nil || len(a.Refused()) > 0 {
		t.Errorf("all voted: got %v, and %v", err, a.Refused())
	}

	run := w.reviews(bob)
	for _, judge := range []func() (approval.Ballot, error){
		func() (approval.Ballot, error) { return approval.Judge(w.staged, alice, w.policy, noon) },
		func() (approval.Ballot, error) {
			return approval.JudgeReview(w.staged, run.Reviews[0], run, w.policy, noon)
		},
	} {
		if b, err := judge(); err != nil || b.GitHub == 0 {
			t.Errorf("of who leaves: got %+v, %v", b, err)
		}
	}
	w.keys["eve"] = approval.NewKey(t, "eve")
	if _, err := approval.Judge(w.staged, w.cast(t, ballot{by: "eve"}), w.policy, noon); !errors.As(err, new(rule.Refusals)) {
		t.Errorf("of a stranger to both: got %v", err)
	}
}
