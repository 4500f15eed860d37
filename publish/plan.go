package publish

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Extent is how much of a version the index has.
type Extent string

const (
	NotThere  Extent = "nothing"   // no file of it
	Partly    Extent = "partly"    // some files of the release
	All       Extent = "all"       // every file of the release
	Receipted Extent = "confirmed" // every file, and a receipt says so
	Foreign   Extent = "foreign"   // a file that no release here has
)

// Remedy is one thing that can be done about a release.
type Remedy string

const (
	Stop       Remedy = "stop"
	Resume     Remedy = "resume"
	Yank       Remedy = "yank"
	Unyank     Remedy = "un-yank"
	FixForward Remedy = "forward"
)

// Plan is what can be done about a version of a project on an index. It changes
// nothing by itself.
type Plan struct {
	Index   string     `json:"index"`
	Project string     `json:"project"`
	Version string     `json:"version"`
	Extent  Extent     `json:"extent"`
	Files   []PlanFile `json:"files"` // by name: what is there, and what a release has
	Yanked  int        `json:"yanked"`
	Next    string     `json:"next"` // the next version that the index does not have
	Steps   []PlanStep `json:"steps"`
}

// PlanFile is one file of the version.
type PlanFile struct {
	Name   string      `json:"name"`
	Digest dist.Digest `json:"digest"`
	There  bool        `json:"there"` // on the index
	Ours   bool        `json:"ours"`  // of a release in the store, by name and digest
	Yanked string      `json:"yanked,omitempty"`
}

// PlanStep is something to do, and what it does to users.
type PlanStep struct {
	Remedy Remedy `json:"remedy"`
	Do     string `json:"do"`
	Effect string `json:"effect"`
}

// PlanWithdrawal asks the index what it has of a version and judges what can be
// done about it, or with undo, how it is put back. The releases are those of the
// version in the store, with or without receipts.
func (w Witness) PlanWithdrawal(
	ctx context.Context, project string, version dist.Version, releases []staging.Release, receipts []Believed, undo bool,
) (Plan, error) {
	w.Progress = oneByOne(w.Progress)
	p := Plan{Index: w.Index.Name(), Project: project, Version: version.String()}
	page, err := again(ctx, w.patience().atMost(reconcileLimit), func() (page, error) {
		return w.Index.page(ctx, release{project: project, version: version})
	})
	if err != nil {
		return Plan{}, err
	}
	for _, s := range page.files {
		p.Files = append(p.Files, PlanFile{Name: s.name, Digest: s.digest, There: true, Yanked: s.yanked})
	}
	for _, r := range releases {
		for _, f := range r.Manifest.Files {
			p.claim(f)
		}
	}
	slices.SortFunc(p.Files, func(a, b PlanFile) int { return strings.Compare(a.Name, b.Name) })
	p.judge(len(receipts) > 0)
	p.Next = next(version, page.versions)
	p.Steps = p.steps(undo)
	return p, nil
}

// claim notes a file of a release.
func (p *Plan) claim(f staging.File) {
	for i, there := range p.Files {
		if there.Name == f.Name && there.Digest == f.Digest {
			p.Files[i].Ours = true
			return
		}
	}
	p.Files = append(p.Files, PlanFile{Name: f.Name, Digest: f.Digest, Ours: true})
}

// judge counts how much there is. A file of ours that is there under other bytes
// stands there twice, once as foreign.
func (p *Plan) judge(receipt bool) {
	there, foreign, missing := 0, 0, 0
	for _, f := range p.Files {
		switch {
		case f.There && !f.Ours:
			foreign++
		case f.There:
			there++
		default:
			missing++
		}
		if f.Yanked != "" {
			p.Yanked++
		}
	}
	switch {
	case foreign > 0:
		p.Extent = Foreign
	case there == 0:
		p.Extent = NotThere
	case missing > 0:
		p.Extent = Partly
	case receipt:
		p.Extent = Receipted
	default:
		p.Extent = All
	}
}

// There is how many files of the version the index has.
func (p Plan) There() (n int) {
	for _, f := range p.Files {
		if f.There {
			n++
		}
	}
	return n
}

// Served tells whether the index serves the version as it should be: yanked,
// every file of it, or with undo none.
func (p Plan) Served(undo bool) bool {
	if undo {
		return p.Yanked == 0
	}
	return p.Yanked == p.There()
}

const yankEffect = "installers no longer choose it; who pinned it with == or a lock file still gets it, with the reason as a " +
	"warning; nothing is lost, and it can be undone"

// steps are the remedies that the state allows, the first to be done first.
func (p Plan) steps(undo bool) []PlanStep {
	if undo {
		return []PlanStep{{Unyank, "an owner un-yanks it on the index",
			"installers choose it again as before; nobody has to do anything"}}
	}
	stop := PlanStep{Stop, "reject the deployment that waits in the release run, and reject the release digest (distgate reject)",
		"nobody has any of it; the version's name is still free"}
	resume := PlanStep{Resume, `if the release is sound: who started the release run presses "Re-run failed jobs", and publish goes on where it ended`,
		"users who got a file already keep it; the others get the rest"}
	yank := PlanStep{Yank, "an owner yanks it on the index", yankEffect}
	forward := PlanStep{FixForward, "fix forward: release " + p.Next, "who has not pinned gets it by itself; who pinned " + p.Version + " has to change the pin"}
	switch p.Extent {
	case NotThere:
		return []PlanStep{stop}
	case Partly:
		return []PlanStep{stop, yank, forward, resume}
	}
	return []PlanStep{yank, forward}
}

// next is the smallest version that repairs this one and that nobody used: the
// last number one higher, be it of a candidate, a post-release or the release.
func next(v dist.Version, used []string) string {
	for text := bump(v.String()); ; text = bump(text) {
		candidate, err := dist.ParseVersion(text)
		if err != nil {
			return ""
		}
		if !slices.ContainsFunc(used, func(u string) bool {
			other, err := dist.ParseVersion(u)
			return err == nil && other.Equal(candidate)
		}) {
			return text
		}
	}
}

// bump raises the last number of a normalised version. A release of one or two
// numbers gets the third that it had not.
func bump(text string) string {
	text, _, _ = strings.Cut(text, "+")
	if numbers := strings.Count(text, ".") + 1; numbers < 3 && strings.Trim(text, "0123456789.") == "" {
		return text + strings.Repeat(".0", 2-numbers) + ".1"
	}
	at := strings.LastIndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }) + 1
	n, err := strconv.ParseUint(text[at:], 10, 64)
	if err != nil {
		return ""
	}
	return text[:at] + strconv.FormatUint(n+1, 10)
}

// YankPage is where an owner yanks a version in a browser, or nothing where the
// policy names no such page. Warehouse's is /manage/project/NAME/release/VERSION/.
func (a Address) YankPage(project string, version dist.Version) string {
	if a.Manage == "" {
		return ""
	}
	return a.Manage + url.PathEscape(project) + "/release/" + url.PathEscape(version.String()) + "/"
}

// Await polls the index until it serves a version as yanked, or with undo as not
// yanked, until the witness's patience ends: a person has to press a button. Without
// patience it looks once. What is not so then is refused.
func (w Witness) Await(ctx context.Context, p Plan, undo bool) error {
	w.Progress = oneByOne(w.Progress)
	version, err := dist.ParseVersion(p.Version)
	if err != nil {
		return err
	}
	want, id := "all of it yanked", rule.ReconcileWithdrawn
	if undo {
		want, id = "none of it yanked", rule.ReconcileYanked
	}
	_, err = again(ctx, patience{outage: w.Patience, report: w.Progress}, func() (struct{}, error) {
		now, err := w.PlanWithdrawal(ctx, p.Project, version, nil, nil, undo)
		if err != nil || now.Served(undo) {
			return struct{}{}, err
		}
		got := fmt.Sprintf("%d of %d files yanked", now.Yanked, now.There())
		return struct{}{}, notYet{no: rule.Refusals{{File: p.Project + " " + p.Version, Rule: id, Want: want, Got: got,
			Hint: "an owner presses the button; run withdraw again to wait for it"}}}
	})
	return err
}
