package approval

import "time"

// Audited is how the repository that publishes, and what was built, stand to what
// the policy requires of them, at the time of looking.
type Audited struct {
	Repository string   `json:"repository"` // "owner/name", that publishes
	Required   int      `json:"required"`   // rules
	Hold       int      `json:"hold"`       // of them, those among them that do not apply or are waived
	Broken     []string `json:"broken"`     // rules
	Unseen     []Gap    `json:"unseen"`     // rules that could not be judged, and why

	Waived []Waived `json:"waived,omitempty"` // places of required rules that the policy lets be

	By      string    `json:"by,omitempty"`     // who signed the audit of what a job cannot see; "" where none counts
	Issued  time.Time `json:"issued,omitzero"`  // when
	Expires time.Time `json:"expires,omitzero"` // when it stops counting, by what it says itself
}

// Waived is a place where a required rule is broken and the policy lets it be.
type Waived struct {
	Rule   string `json:"rule"`
	Where  string `json:"where"` // the place, and what was found
	Reason string `json:"reason"`
	Until  string `json:"until"` // the last day, as 2027-01-31
}
