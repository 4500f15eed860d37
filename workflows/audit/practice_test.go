package audit

import (
	"fmt"
	"slices"
	"testing"

	"github.com/distgate/distgate/staging/rule"
)

// Every practice is answered by rules that there are, or says why by none; and
// every rule answers some practice.
func TestPractices(t *testing.T) {
	answers := map[rule.ID]bool{}
	for _, s := range Sources() {
		for i, p := range s.Practices {
			if want := fmt.Sprintf("%c%d", s.Practices[0].ID[0], i+1); p.ID != want {
				t.Errorf("%s: want %s", p.ID, want)
			}
			if (len(p.Rules) == 0) != (p.None != "") {
				t.Errorf("%s: want rules, or why there is none", p.ID)
			}
			for _, id := range p.Rules {
				if _, ok := Lookup(id); !ok {
					t.Errorf("%s: no rule is called %s", p.ID, id)
				}
				answers[id] = true
			}
		}
	}
	beyond := []rule.ID{"template-injection", "insecure-commands", "artipacked", "secrets-inherit", "overprovisioned-secrets", "no-writing-keys", "oidc-subject"}
	for _, r := range Rules() {
		if answers[r.ID] == slices.Contains(beyond, r.ID) {
			t.Errorf("%s: answers a practice: %t", r.ID, answers[r.ID])
		}
	}
	if n := len(astral.Practices); n != 31 {
		t.Errorf("Astral published 31, got %d", n)
	}
}

func TestShares(t *testing.T) {
	for _, share := range Judge(Facts{}).Shares() {
		if share.Hold != 0 || share.Of == 0 {
			t.Errorf("%s: %d of %d hold, of nothing", share.Source, share.Hold, share.Of)
		}
	}
}
