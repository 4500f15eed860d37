// Package audit asks whether a repository is locked down enough to release
// from it: rule by rule, with the place of what is wrong and the fix.
//
//	files, err := audit.Read(ctx, audit.Checkout(root), audit.Release{})
//	report := audit.Judge(audit.Facts{Files: files})
//	for _, a := range report.Answers {
//		fmt.Println(a.Verdict, a.Rule.ID, a.Spots)
//	}
//
// A [Rule] is a value in a file of its own, or of its family: what it wants, why
// (with an incident that it answers), where it looks, and how it judges. The
// practices that people published, and which rules answer each, are a table:
// see [Practices].
//
// # Verdicts
//
// A rule [Holds] only if everything that it looks at was seen and is in order.
// What was seen to be wrong is [Broken], whatever else was not seen. Where
// something could not be read, or was not understood, the verdict is
// [CannotSee], with the permission that would show it. [DoesNotApply] says that
// there is nothing for the rule to judge. A place that the policy waives is
// [IsWaived] until the waiver ends, and broken again from then on. What no machine can
// check is a [Question] for a person, and never holds.
//
// # What is read
//
// The workflow files of a repository, and the whole graph that its release runs:
// called workflows and composite actions of the same repository, also as
// "$/path"; and where GitHub is asked, called workflows of other repositories, at
// the commit that they are pinned to, whoever calls them, the files of branches that
// release or are protected, and of the actions that the release runs what they use and
// fetch. They are parsed by actionlint's library. Some rules judge every file; those
// about building and publishing judge the release graph, which begins at the workflows
// that the policy names, or else at those that attest, publish, or may ask for an ID
// token.
//
// General linting is the work of zizmor and actionlint. Rules that are theirs
// too have their names, see [Rule].
package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// Verdict is what comes of a rule.
type Verdict string

// Verdicts. The zero value is none of them.
const (
	Holds        Verdict = "holds"
	Broken       Verdict = "broken"
	CannotSee    Verdict = "cannot see"
	DoesNotApply Verdict = "does not apply"
	IsWaived     Verdict = "waived"   // broken, and the policy lets it be for some time
	Question     Verdict = "question" // for a person
)

// Place is where a rule looks.
type Place string

// Places.
const (
	InRepository   Place = "repository"
	InOrganisation Place = "organisation"
	InEnvironment  Place = "environment"
	InRuleset      Place = "ruleset"
	InWorkflow     Place = "workflow"
	InAction       Place = "action"
	WithPeople     Place = "people" // no machine sees it
)

// Rule is one thing that a locked-down repository keeps.
type Rule struct {
	ID     rule.ID  `json:"id"`
	Title  string   `json:"title"` // what holds, as half a sentence
	Why    string   `json:"why"`   // and the incident that it answers
	Looks  Place    `json:"looks"`
	Theirs []string `json:"theirs,omitempty"` // "zizmor unpinned-uses", "actionlint expression"
	Fix    string   `json:"fix"`
	Admin  bool     `json:"admin,omitempty"` // it takes an administrator's token to see all that it looks at

	judge func(Facts) judgement // nil: a question for a person
}

// Facts are what is known of a repository, and what the policy says of it. What
// is not known is left out, and nothing holds because of that.
type Facts struct {
	Files    Files
	Settings workflows.Settings // the zero value: GitHub was not asked
	Pins     map[Pin]workflows.Seen[bool]
	Actions  map[string]workflows.Seen[Action] // by "OWNER/NAME[/PATH]@COMMIT": those of the release, and those that they use

	Tags         map[string]string // commits at which workflows may be called by tag: see [Demand.Tags]
	Labels       []string          // of runners that the policy lists, beside GitHub's own
	Refs         []string          // that may publish, as the policy has them
	Environments []string          // in which the policy lets jobs publish
	Limits       Limits
	Solo         bool   // one person builds and approves
	Gate         string // path of the workflow that publishes, as the policy has it; "" where none of this repository may
	Ungated      bool   // no policy says that the repository releases through distgate
}

// Limits are how many people may do what. Zero is the limit that a policy starts
// with.
type Limits struct{ Admins, Writers int }

// Spot is a place where a rule is broken: in a file, or in a setting.
type Spot struct {
	File    string `json:"file,omitempty"` // path in the repository
	Line    int    `json:"line,omitempty"` // from 1
	Column  int    `json:"column,omitempty"`
	Job     string `json:"job,omitempty"`
	Setting string `json:"setting,omitempty"` // "environment pypi", "ruleset tags"
	Got     string `json:"got"`               // text from outside, as it came
}

// Gap is something that could not be seen.
type Gap struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	What  string `json:"what"`
	Needs string `json:"needs,omitempty"` // the permission that would show it
}

// Answer is what came of one rule.
type Answer struct {
	Rule    Rule     `json:"rule"`
	Verdict Verdict  `json:"verdict"`
	Spots   []Spot   `json:"spots"`
	Gaps    []Gap    `json:"gaps"`
	Waived  []Waived `json:"waived,omitempty"`
}

// Report is what came of all rules, in their order.
type Report struct {
	Answers []Answer `json:"answers"`
}

// judgement is what a rule found, before there is a verdict.
type judgement struct {
	spots   []Spot
	gaps    []Gap
	asks    []Gap // what a person must look at, for no machine does
	applies bool  // there was something to judge
}

func (j judgement) verdict() Verdict {
	switch {
	case len(j.spots) > 0:
		return Broken
	case len(j.gaps) > 0:
		return CannotSee
	case len(j.asks) > 0:
		return Question
	case !j.applies:
		return DoesNotApply
	}
	return Holds
}

// Judge asks every rule.
func Judge(f Facts) Report {
	var r Report
	for _, rule := range Rules() {
		a := Answer{Rule: rule, Verdict: Question, Spots: []Spot{}, Gaps: []Gap{}}
		if rule.judge != nil {
			j := rule.judge(f)
			a.Verdict = j.verdict()
			a.Spots = sorted(append(a.Spots, j.spots...))
			a.Gaps = append(a.Gaps, once(append(j.gaps, j.asks...))...)
		}
		r.Answers = append(r.Answers, a)
	}
	return r
}

// Number is how many rules have the verdict.
func (r Report) Number(v Verdict) (n int) {
	for _, a := range r.Answers {
		if a.Verdict == v {
			n++
		}
	}
	return n
}

// Summary is what came of the rules, in a line: "1 rule broken, 0 cannot be seen, 40
// hold, 6 questions".
func (r Report) Summary() string {
	text := fmt.Sprintf("%s broken, %d cannot be seen, %d hold", plural(r.Number(Broken), "rule"), r.Number(CannotSee), r.Number(Holds))
	if n := r.Number(IsWaived); n > 0 {
		text += fmt.Sprintf(", %d waived", n)
	}
	if n := r.Number(Question); n > 0 {
		text += ", " + plural(n, "question")
	}
	return text
}

// sorted are the spots in the order of their places, each once.
func sorted(spots []Spot) []Spot {
	slices.SortStableFunc(spots, func(a, b Spot) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Job, b.Job), cmp.Compare(a.Setting, b.Setting), cmp.Compare(a.Got, b.Got))
	})
	return slices.Compact(spots)
}

// Lookup is the rule with an id.
func Lookup(id rule.ID) (Rule, bool) {
	i := slices.IndexFunc(Rules(), func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return Rules()[i], true
}
