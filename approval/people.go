package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/staging/rule"
)

const (
	maxPeople = 100
	maxMaxAge = 90 * 24 * time.Hour
	maxSkew   = 5 * time.Minute // how far a signer's clock may run ahead
)

// Road is the way by which a vote comes.
type Road string

const (
	Signed      Road = "signed"      // a statement with an SSH signature, kept with the release
	Environment Road = "environment" // a review of the environment that the publishing run waits for
)

// Policy says whose votes open the gate.
type Policy struct {
	Need    int           // how many people must approve, one or more; none for a Rehearsal
	Roads   []Road        // by which approvals count, one or both
	MaxAge  time.Duration // how long an approval holds at most, up to 90 days
	Solo    bool          // one person builds and approves, and every page says so
	People  []Person
	Signers AllowedSigners

	// Rehearsal asks nobody: Need is 0, for an index that a release is tried on.
	Rehearsal bool

	// Former is the policy of the release that was published last, where this one
	// changed it: who may change the rules is decided by the rules before.
	// The votes must satisfy both.
	Former *Policy
}

// Person is somebody on the list. Who has several keys or addresses is still
// one person and counts once.
type Person struct {
	GitHub     int64    `json:"github"`     // numeric user id, which outlives a renamed account
	Principals []string `json:"principals"` // as in allowed_signers; the first is how the person is called
}

// Name is what messages call the person.
func (p Person) Name() string { return p.Principals[0] }

// Check refuses a policy that nobody could satisfy at that time, or that more
// or fewer people could satisfy than it seems to say.
func (p Policy) Check(now time.Time) error {
	no := p.checkNumbers()
	no = append(no, p.checkPeople()...)
	no = append(no, p.checkKeys()...)
	if len(no) > 0 {
		return no
	}
	if voters := p.voters(Run{}, now); len(voters) < p.Need {
		no = append(no, policyRefusal(fmt.Sprintf("%d people who can vote now", p.Need),
			fmt.Sprintf("%d", len(voters)), "add people and keys, or lower the number of approvals, and stage again"))
	}
	return no.Err()
}

func policyRefusal(want, got, hint string) rule.Refusal {
	return rule.Refusal{File: "policy", Rule: rule.ApprovalPolicy, Want: want, Got: got, Hint: hint}
}

func (p Policy) checkNumbers() (no rule.Refusals) {
	for _, row := range []struct {
		holds           bool
		want, got, hint string
	}{
		{
			p.Need >= 1 && !p.Rehearsal || p.Need == 0 && p.Rehearsal, "at least 1 approval, or none for a rehearsal", fmt.Sprint(p.Need),
			"say how many people must approve",
		},
		{
			p.roadsKnown(), "roads signed, environment, or both, each once", fmt.Sprintf("%q", p.Roads),
			`say by which roads approvals count: roads = ["signed"], ["environment"] or both`,
		},
		{
			p.Need <= 1 || len(p.Roads) != 1 || !p.Counts(Environment),
			"1 approval where environment reviews alone count: GitHub starts the job at the first", fmt.Sprint(p.Need),
			`ask for 1 approval, or let signed statements count too: roads = ["signed", "environment"]`,
		},
		{
			p.MaxAge > 0 && p.MaxAge <= maxMaxAge, "a time for which an approval holds, at most 90 days",
			p.MaxAge.String(), "say how long an approval holds, like 168h",
		},
		{
			len(p.People) >= 1 && len(p.People) <= maxPeople, fmt.Sprintf("1 to %d people", maxPeople),
			fmt.Sprint(len(p.People)), "list the people who may approve",
		},
		{
			p.Need <= len(p.People), fmt.Sprintf("%d people or more", p.Need), fmt.Sprint(len(p.People)),
			"list more people, or ask for fewer approvals",
		},
		{
			!p.Solo || p.Need == 1 || p.Rehearsal, "1 approval where one person builds and approves", fmt.Sprint(p.Need),
			`ask for 1 approval, or take out people = "solo"`,
		},
		{
			p.Solo || len(p.People) != 1, "two people on the list or more", "1",
			`list another person, or say openly that there is only one: people = "solo"`,
		},
	} {
		if !row.holds {
			no = append(no, policyRefusal(row.want, row.got, row.hint))
		}
	}
	return no
}

func (p Policy) roadsKnown() bool {
	for i, r := range p.Roads {
		if r != Signed && r != Environment || slices.Contains(p.Roads[:i], r) {
			return false
		}
	}
	return len(p.Roads) > 0
}

// Counts tells whether approvals by the road count.
func (p Policy) Counts(r Road) bool { return slices.Contains(p.Roads, r) }

// checkPeople wants each id and each principal to stand for one person, and
// each principal to be in allowed_signers, where signed statements count: a slip
// of the pen there would be a voter who is never heard.
func (p Policy) checkPeople() (no rule.Refusals) {
	ids, principals := map[int64]bool{}, map[string]bool{}
	refuse := func(want, got, hint string) { no = append(no, policyRefusal(want, got, hint)) }
	for i, person := range p.People {
		if person.GitHub <= 0 || ids[person.GitHub] {
			refuse(fmt.Sprintf("a GitHub id of its own for person %d", i+1), fmt.Sprint(person.GitHub),
				"see `gh api users/LOGIN --jq .id`")
		}
		ids[person.GitHub] = true
		if len(person.Principals) == 0 {
			refuse(fmt.Sprintf("a principal for GitHub id %d", person.GitHub), "none",
				"name the person's address in allowed_signers")
		}
		for _, principal := range person.Principals {
			if principals[principal] {
				refuse("each principal once", quoted(principal)+" twice", "remove one")
			}
			principals[principal] = true
			if p.Counts(Signed) && !p.Signers.has(principal) {
				refuse(fmt.Sprintf("a key for %s in allowed_signers", quoted(principal)), "none",
					"add a line with the person's key, or correct the principal")
			}
		}
	}
	return no
}

// checkKeys wants no key to speak for two people.
func (p Policy) checkKeys() (no rule.Refusals) {
	for _, key := range p.Signers.keys {
		owners := map[int64]bool{}
		for _, principal := range key.principals {
			if person, ok := p.owner(principal); ok {
				owners[person.GitHub] = true
			}
		}
		if len(owners) > 1 {
			no = append(no, rule.Refusal{File: fmt.Sprintf("%s:%d", p.Signers.file, key.line),
				Rule: rule.ApprovalPolicy, Want: "a key of one person",
				Got:  fmt.Sprintf("one that %d people share: %s", len(owners), strings.Join(key.principals, ", ")),
				Hint: "list a key of their own for each"})
		}
	}
	return no
}

// Person is whose key it is, valid or not. In a policy that [Policy.Check]
// takes there is one at the most.
func (p Policy) Person(key ssh.PublicKey) (Person, bool) {
	if k := p.Signers.find(key); k != nil {
		for _, principal := range k.principals {
			if person, ok := p.owner(principal); ok {
				return person, true
			}
		}
	}
	return Person{}, false
}

// Asked is the person whose key it is, on the list or on that of the policy before,
// whose people must vote on a change of the rules even where it takes them off.
func (p Policy) Asked(key ssh.PublicKey) (Person, bool) {
	person, ok := p.Person(key)
	if !ok && p.Former != nil {
		return p.Former.Person(key)
	}
	return person, ok
}

// owner is the person who is known by the principal.
func (p Policy) owner(principal string) (Person, bool) {
	for _, person := range p.People {
		if slices.Contains(person.Principals, principal) {
			return person, true
		}
	}
	return Person{}, false
}

// known is the person with that GitHub id.
func (p Policy) known(github int64) (Person, bool) {
	i := slices.IndexFunc(p.People, func(person Person) bool { return person.GitHub == github })
	if i < 0 {
		return Person{}, false
	}
	return p.People[i], true
}

// Voter is a person on the list, and why an approval by them would not count.
type Voter struct {
	Person
	Why string `json:"why,omitempty"` // "" where it would count
}

// Voters are the people on the list, by GitHub id. Of a run that is not known
// (the zero value), who started it cannot be told.
func (p Policy) Voters(run Run, now time.Time) []Voter {
	voters := make([]Voter, len(p.People))
	for i, person := range p.People {
		voters[i] = Voter{person, p.bar(person, run, now)}
	}
	slices.SortFunc(voters, func(a, b Voter) int { return cmp.Compare(a.GitHub, b.GitHub) })
	return voters
}

// bar is why an approval by the person would not count: no valid key where only
// that would do, or having started the build or the run.
func (p Policy) bar(person Person, run Run, now time.Time) string {
	can := func(principal string) bool { return p.Signers.has(principal, now) }
	switch {
	case !p.Solo && slices.Contains(run.Starters, person.GitHub):
		return "started the build or the run that publishes"
	case !p.Counts(Environment) && !slices.ContainsFunc(person.Principals, can):
		return "has no key that is valid now"
	}
	return ""
}

// voters are the people who can approve at that time.
func (p Policy) voters(run Run, now time.Time) []Voter {
	return slices.DeleteFunc(p.Voters(run, now), func(v Voter) bool { return v.Why != "" })
}
