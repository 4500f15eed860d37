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
