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

	By      string    `json:"by,omitempty"`     // who signed the audit of what a job cannot see; "" where none counts
	Issued  time.Time `json:"issued,omitzero"`  // when
	Expires time.Time `json:"expires,omitzero"` // when it stops counting, by what it says itself
}
