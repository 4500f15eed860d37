package rule

import "strings"

// Severity says what a finding asks of people.
type Severity string

const (
	Refuse Severity = "refuse" // the release cannot go on
	Look   Severity = "look"   // a person must say that it was seen
	Remark Severity = "note"   // worth knowing
)

// Finding is something in a distribution, or in a release as a whole, that a
// person should know before voting. It is plain data; text from the
// distribution in it is as it stood there, and is escaped where it is shown.
type Finding struct {
	Rule     ID       `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`  // the distribution; empty for the release as a whole
	Where    string   `json:"where"` // the member, field or place in it; empty for all of it
	What     string   `json:"what"`  // what is there
}

// Why is the first sentence of the story: why the rule exists, in one line.
func (id ID) Why() string {
	story := id.Story()
	if first, _, more := strings.Cut(story, ". "); more {
		return first + "."
	}
	return story
}
