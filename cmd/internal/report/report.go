// Package report renders what a person should know of a release before voting.
// Facts in, bytes out: it reads and writes nothing itself.
//
//	facts := report.Facts{Review: review, Votes: votes, …}
//	page, err := facts.HTML()            // one file, which loads nothing
//	summary := facts.Markdown(1 << 20)   // for a job's page on GitHub
//
// All renderings say the same in the same order. What stands at the top is made
// once, by [Facts.Head], of [Text] that each of them writes in its own way:
//
//	verdict · files · source · build · changes · findings · policy · votes · what next
//
// Where facts could not be had, the page says so in their place; nothing is left
// out in silence, and an absence is never shown as a good sign.
//
// Text from outside (file names, metadata, reasons) is made visible by [Visible]
// and then escaped for where it stands. The page runs no script, and its colour
// has one meaning: look here. The same is always said in words too.
package report

import (
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Facts are all that a page says: the review that votes are for, and what was
// so at the time of looking.
type Facts struct {
	Review approval.Review
	Shown  dist.Digest // of the review; what a vote says was shown
	Upload string      // where the files go

	Match   *approval.Match   // nil where nobody asked for the source
	Changes *approval.Changes // nil where nothing was compared
	Rebuild *approval.Rebuild // nil where there is no second build
	Audit   *approval.Audited // nil where the policy requires nothing of the repository

	Votes  Votes
	Served Served
	Time   time.Time // of looking
	Links  Links
}

// Served is what the index served once the release was uploaded: each file was
// downloaded and compared. It is zero before that.
type Served struct {
	Files []File
	Time  time.Time // of comparing
}

// File is one file as the index served it.
type File struct {
	Name   string
	Digest dist.Digest
	Size   int64
	URL    string
}

// Votes are where the release stands.
type Votes struct {
	State   string            // "waiting", "approved", "published", "withdrawn", "refused", "undecided"
	Need    int               // people
	By      []approval.Ballot // approvals that count
	Voters  []approval.Voter  // everybody on the list
	Refused rule.Refusals     // why it cannot be released; or votes that do not count
	Run     string            // whose environment is reviewed; "" where no run is known
	Until   time.Time         // when votes of that run stop counting
	Error   string            // why it is undecided
	Former  bool              // those are people of the policy that this one changes
	Before  *approval.Waiting // what those are waited for with, beside the others
	Beware  []string          // rejected releases that have files of this one, and the like
}

// Links are where more is to be found. Empty ones are left out.
type Links struct {
	Run    string // the job's run, whose page has the summary and the report
	Report string // what this very page is called elsewhere
}

// The states of a release.
const (
	Waiting   = "waiting"
	Approved  = "approved"
	Published = "published"
	Withdrawn = "withdrawn"
	Refused   = "refused"
	Undecided = "undecided"
)
