package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
)

// The lines of the head, in their order.

func (f Facts) files() Text {
	n := len(f.Review.Files)
	t := say(fmt.Sprintf("%d of %s, %s", n, count(n, "file"), size(f.Review.Bytes)))
	if o := f.Review.Origin; len(o.Replaced) > 0 {
		t = t.and(say("; " + count(len(o.Replaced), "file") + " of a later run instead of an earlier one's"))
	}
	if onto := f.Review.Origin.Onto; onto != "" {
		t = t.and(say("; added to %s", cut(onto, 19)))
	}
	if c := f.Changes; c != nil && !c.Closes.IsZero() && f.Votes.State != Published {
		t = t.and(say("; the index " + Window(c.Closes, f.Time)))
	}
	if len(f.Review.LeftOut) == 0 {
		return t.and(say("; nothing is left out"))
	}
	var out []string
	for _, l := range f.Review.LeftOut {
		out = append(out, l.Files)
	}
	return t.and(say("; left out: "), codes(out, 3))
}

func (f Facts) source() Text {
	s := f.Review.Source
	if up := s.Upstream; up != nil {
		return upstream(*up).and(f.explained())
	}
	tag, name := strings.CutPrefix(s.Ref, "refs/tags/")
	signed := "; whether the tag is signed was not asked"
	if !name {
		tag, signed = strings.TrimPrefix(s.Ref, "refs/heads/"), "; it is of a branch, and no tag was asked for"
	}
	return say("%s → ", tag).and(link(cut(s.Commit, 12), s.Repository+"/commit/"+s.Commit),
		say(" of %s"+signed, strings.TrimPrefix(s.Repository, "https://")), f.explained())
}

// upstream is the source as the keeper of its repository says it is.
func upstream(up staging.Upstream) Text {
	commit := link(cut(up.Commit, 12), "https://github.com/"+up.Repository+"/commit/"+up.Commit)
	t := say("%s → ", up.Tag).and(commit, say(" of %s", up.Repository))
	if up.Tagged == staging.After {
		t = commit.and(say(" of %s, to be tagged %s", up.Repository, up.Tag))
	}
	t = t.and(say("; "), quote(up.Signed))
	if up.Signature.Verified {
		t = t.and(say(" signed"))
		if up.Signature.By != "" {
			t = t.and(say(" by %s", up.Signature.By))
		}
		t = t.and(say(", as GitHub verified"))
	} else {
		t = t.and(say(" not verified: %s", up.Signature.Reason))
	}
	t = t.and(say("; on protected %s", up.Branch))
	if up.Declared {
		t = t.and(say("; declared by distgate.lock"))
	}
	if len(up.Inputs) > 0 {
		t = t.and(say("; unproven inputs: "), codes(up.Inputs, 3))
	}
	return t
}

// explained is how far the source explains the files.
func (f Facts) explained() Text {
	if !f.matched() {
		return say("; the files were not compared with it")
	}
	if n := f.unexplained(); n > 0 {
		return say("; it does not explain " + count(n, "member")).and(gaps(f.Match.Gaps))
	}
	return say("; it explains every member of every file").and(gaps(f.Match.Gaps))
}

// unexplained counts the members that nothing explains.
func (f Facts) unexplained() (n int) {
	for _, file := range f.Match.Files {
		n += file.Unexplained
	}
	return n
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// run is one attempt of a run that signed for files.
type run struct {
	name, attempt, url string
	files              int
	elsewhere          string
}

// runs are the runs that signed, in the order of their addresses.
func (f Facts) runs() (runs []run) {
	for _, file := range f.Review.Files {
		for _, e := range file.Evidence {
			i := slices.IndexFunc(runs, func(r run) bool { return r.url == e.Run })
			if i < 0 {
				name, attempt, _ := strings.Cut(e.Run[strings.LastIndex(e.Run, "/runs/")+1:], "/attempts/")
				i, runs = len(runs), append(runs, run{name: strings.TrimPrefix(name, "runs/"), attempt: attempt, url: e.Run})
			}
			runs[i].files++
			if e.Elsewhere != "" {
				runs[i].elsewhere = e.Elsewhere
			}
		}
	}
	slices.SortFunc(runs, func(a, b run) int { return strings.Compare(a.url, b.url) })
	return runs
}

func (f Facts) build() Text {
	var texts []Text
	elsewhere := ""
	runs := f.runs()
	for i, r := range runs {
		if i == 3 && len(runs) > 4 {
			texts = append(texts, say(count(len(runs)-i, "run")+" more"))
			break
		}
		t := say("run ").and(link(r.name, r.url))
		if r.attempt != "" {
			t = t.and(say(", attempt %s", r.attempt))
		}
		texts, elsewhere = append(texts, t), cmp.Or(elsewhere, r.elsewhere)
	}
	t := listed(texts).and(say("; " + f.runners()))
	if elsewhere != "" {
		t = t.and(say(", and on %s, not vouched for by GitHub", elsewhere))
	}
	return t
}

func (f Facts) runners() string {
	if f.Review.Hosted == attest.EveryJob {
		return "every job on GitHub's own runners"
	}
	return "the signing job on GitHub's own runner, the others were not asked"
}

func (f Facts) changes() Text {
	c := f.Changes
	switch {
	case c == nil:
		return say("not compared with an earlier release")
	case c.First && len(c.Gaps) == 0:
		return say("this is the first release on the index")
	case len(c.Since) == 0:
		return say("no earlier release was compared").and(gaps(c.Gaps))
	}
	since := c.Since[0]
	return say("since %s: ", since.Version).and(say(differences(since)), gaps(c.Gaps))
}

// differences counts what is other, in words.
func differences(s approval.Since) string {
	var fresh, added, removed, changed int
	for _, file := range s.Files {
		if file.Was == "" {
			fresh++
		}
	}
	for _, m := range s.Members {
		switch {
		case m.Was < 0:
			added++
		case m.Now < 0:
			removed++
		default:
			changed++
		}
	}
	var parts []string
	for _, row := range []struct {
		n    int
		text string
	}{
		{len(s.Metadata), count(len(s.Metadata), "change") + " of the metadata"},
		{len(s.EntryPoints), count(len(s.EntryPoints), "change") + " of entry points"},
		{fresh, count(fresh, "new file")}, {len(s.Gone), count(len(s.Gone), "file") + " gone"},
		{added, count(added, "new member")}, {removed, count(removed, "member") + " gone"}, {changed, count(changed, "changed member")},
		{s.Unlisted, fmt.Sprintf("%d members more", s.Unlisted)},
	} {
		if row.n > 0 {
			parts = append(parts, row.text)
		}
	}
	if len(parts) == 0 {
		return "nothing that was compared is other"
	}
	return strings.Join(parts, ", ")
}

// gaps say what is missing, after what is there.
func gaps(list []approval.Gap) (t Text) {
	for i, g := range list {
		if i == 2 && len(list) > 3 {
			return t.and(say(fmt.Sprintf("; %d gaps more", len(list)-i)))
		}
		t = t.and(say("; not known: "), quote(g.What))
	}
	return t
}

func (f Facts) findings() Text {
	found := f.found()
	var texts []Text
	for _, row := range []struct {
		severity rule.Severity
		form     string
	}{{rule.Refuse, "%d against the release"}, {rule.Look, "%d to look at"}, {rule.Remark, "%d to note"}} {
		if n := found.number(row.severity); n > 0 {
			texts = append(texts, say(fmt.Sprintf(row.form, n)))
		}
	}
	t := say("none")
	if len(texts) > 0 {
		t = listed(texts)
	}
	if rules := found.worst(); len(rules) > 0 {
		t = t.and(say(": "), codes(rules, manyRules))
	}
	if looks := f.seen(); len(looks) > 0 && f.closed() == "" {
		t = t.and(say("; a vote has a line for each that was seen: "), codes(looks, manyRules))
	}
	if !found.Done {
		return t.and(say("; the contents of the files were not looked into"))
	}
	return t.and(gaps(found.Gaps))
}

// manyRules is how many rules a line of the head names: an attack has more than one
// side, and the worst of them must not be behind the others.
const manyRules = 12

// seen are the lines by which a vote says what its voter has looked at.
func (f Facts) seen() (lines []string) {
	for _, g := range f.found().groups() {
		if line := "seen " + string(g.Rule); g.Severity == rule.Look && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// worst are the rules of the findings that a person has to see.
func (f findings) worst() (rules []string) {
	for _, g := range f.groups() {
		if g.Severity != rule.Remark {
			rules = append(rules, string(g.Rule))
		}
	}
	return rules
}

func (f Facts) policy() Text { return f.changedPolicy().and(f.audited()) }

// audited is how the repository stands to what the policy requires of it.
func (f Facts) audited() (t Text) {
	a := f.Audit
	if a == nil {
		return nil
	}
	t = say(fmt.Sprintf("; %d of %s that it requires of %%s hold", a.Hold, count(a.Required, "rule")), a.Repository)
	if len(a.Broken) > 0 {
		t = t.and(say(", broken: "), codes(a.Broken, 4))
	}
	if len(a.Unseen) > 0 {
		var ids []string
		for _, g := range a.Unseen {
			ids = append(ids, g.What)
		}
		t = t.and(say(", not seen: "), codes(ids, 4))
	}
	if len(a.Waived) > 0 {
		t = t.and(say("; waived: "), codes(waivedRules(a.Waived), 4))
	}
	if a.By != "" {
		t = t.and(say("; audited by %s on "+a.Issued.UTC().Format(time.DateOnly), a.By))
	}
	return t
}

// waivedRules are the rules of which a place is waived, each with its last day.
func waivedRules(all []approval.Waived) (names []string) {
	for _, w := range all {
		if name := w.Rule + " until " + w.Until; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// broken counts the required rules that are.
func (f Facts) broken() int {
	if f.Audit == nil {
		return 0
	}
	return len(f.Audit.Broken)
}

func (f Facts) changedPolicy() Text {
	t := say("%s; ", cut(f.Review.Policy.Digest.String(), 19)+"…")
	if f.Changes == nil || f.Changes.Policy.Since() == "" {
		return t.and(say("not compared with that of an earlier release"))
	}
	was := f.Changes.Policy
	if len(was.Differences) == 0 {
		return t.and(say("unchanged since %s", was.Since()))
	}
	var changed []string
	for _, d := range was.Differences {
		if !slices.Contains(changed, d.Field) {
			changed = append(changed, d.Field)
		}
	}
	return t.and(say("changed since %s: ", was.Since()), codes(changed, 4))
}

func (f Facts) votes() Text {
	if f.Votes.Need == 0 {
		return say("none are needed for a rehearsal")
	}
	t := say(fmt.Sprintf("%d of %d approved", len(f.Votes.By), f.Votes.Need)).and(f.voters())
	t = t.and(f.unsaid())
	if f.Votes.Run == "" {
		t = t.and(say("; whoever started the runs may not, and was not asked for here"))
	}
	if f.Votes.Former {
		t = t.and(say("; the policy that this one changes must be satisfied too, and is not"))
	}
	if before := f.Votes.Before; before != nil {
		t = t.and(say(fmt.Sprintf("; the policy that this one changes must be satisfied too: %d of %d approved", before.Have, before.Need)))
		if len(before.May) > 0 {
			t = t.and(say("; of its people may approve: "), codes(before.May, 5))
		}
	}
	if !f.Votes.Until.IsZero() {
		t = t.and(say("; until " + utc(f.Votes.Until)))
	}
	if f.Review.Voting.Solo {
		t = t.and(say("; one person builds and approves"))
	}
	return t
}

// unsaid are the things to look at of which an approval says nothing, so that it will
// not count.
func (f Facts) unsaid() (t Text) {
	found := f.found()
	for _, b := range f.Votes.By {
		var rules []string
		for _, id := range approval.Unseen(found.List, b.Acknowledged) {
			rules = append(rules, string(id))
		}
		if len(rules) > 0 {
			t = t.and(say("; %s does not say to have seen ", b.By), codes(rules, 4))
		}
	}
	return t
}

// voters are who approved, who may, and who may not and why.
func (f Facts) voters() (t Text) {
	var by, may []string
	var barred []Text
	for _, b := range f.Votes.By {
		by = append(by, b.By)
	}
	for _, v := range f.Votes.Voters {
		voted := slices.ContainsFunc(f.Votes.By, func(b approval.Ballot) bool { return b.GitHub == v.GitHub })
		switch {
		case v.Why != "":
			barred = append(barred, say("%s, who "+v.Why, v.Name()))
		case !voted:
			may = append(may, v.Name())
		}
	}
	if len(by) > 0 {
		t = t.and(say(" ("), codes(by, 5), say(")"))
	}
	if len(may) > 0 {
		t = t.and(say("; may approve: "), codes(may, 5))
	}
	if len(barred) > 0 {
		t = t.and(say("; may not: "), listed(barred))
	}
	return t
}

func (f Facts) next() Text {
	var t Text
	if f.Links.Report != "" {
		t = Text{{Text: "the whole report", URL: secure(f.Links.Report)}, {Text: "; "}}
	} else if f.Links.Run != "" {
		t = say("the whole report is an artifact of ").and(Text{{Text: "this run", URL: secure(f.Links.Run)}, {Text: "; "}})
	}
	name := cut(f.Review.Release.String(), len("sha256:")+12)
	t = t.and(say("try the files: %s", "distgate fetch "+name))
	if f.Votes.State == Published || f.Votes.State == Withdrawn {
		return t
	}
	t = t.and(say("; to reject: %s", "distgate reject "+name))
	if f.onGitHub() {
		t = t.and(say(" or “Reject” where the deployment is reviewed"))
	}
	return t.and(say("; to redo: build and stage again"))
}
