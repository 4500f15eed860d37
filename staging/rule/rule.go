// Package rule says no, in one form for the whole of distgate.
//
// A rule has an [ID]. Where it does not hold, the room that judges it makes a
// [Refusal]: which file, which rule, what was wanted, what was there, and the
// next step to take. A step collects all of its refusals and returns them at
// once as [Refusals], which is the only error that means "no". Every other
// error means "could not decide", which is not a yes either.
//
//	var no rule.Refusals
//	for _, row := range rows {
//		if !row.want.Match(row.got) {
//			no = append(no, rule.Refusal{File: name, Rule: row.id, …})
//		}
//	}
//	return no.Err()
//
// Refusals are data. They hold text from outside as it came; whoever shows
// them escapes it.
//
// The ids stand in one file for each room that judges by them, each beside the
// story that explains it to the person who was refused ([ID.Story]).
package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ID names a rule, in lower case with hyphens, like "subject-digest".
// Scripts and people quote it, so an id is never reused for another meaning.
type ID string

// Story tells, in a few sentences, what the rule wants, why it exists and what
// can be done about it. It is empty for an id that no room judges by.
func (id ID) Story() string {
	for _, stories := range rooms() {
		if story, ok := stories[id]; ok {
			return story
		}
	}
	return ""
}

// IDs are all the rules, in the order of the alphabet.
func IDs() (ids []ID) {
	for _, stories := range rooms() {
		ids = slices.AppendSeq(ids, maps.Keys(stories))
	}
	slices.Sort(ids)
	return ids
}

// rooms are the stories of each room that judges.
func rooms() []map[ID]string {
	return []map[ID]string{
		distStories, contentsStories, setStories, attestStories, stagingStories, approvalStories, publishStories, workflowsStories, commandStories, layoutStories,
		changesStories, reconcileStories, templateStories, sourceStories,
	}
}

// Refusal is one rule that did not hold for one file.
type Refusal struct {
	File string `json:"file"` // file name, or the name of the thing that was judged
	Rule ID     `json:"rule"`
	Want string `json:"want"` // what the rule demands
	Got  string `json:"got"`  // what was there; "nothing" where it was absent
	Hint string `json:"hint"` // the next step: the line to paste, the command to type
}

// Error is the refusal on one line, without the hint.
func (r Refusal) Error() string {
	return fmt.Sprintf("%s: %s: want %s, got %s", r.File, r.Rule, r.Want, r.Got)
}

// Refusals are all the rules that did not hold in one step, in the order in
// which they were judged.
type Refusals []Refusal

// Err is nil when nothing was refused, and r otherwise. It keeps an empty list
// from becoming a non-nil error.
func (r Refusals) Err() error {
	if len(r) == 0 {
		return nil
	}
	return r
}

// Error is one line for each refusal.
func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, refusal := range r {
		lines[i] = refusal.Error()
	}
	return strings.Join(lines, "\n")
}
