package command

import (
	"strings"
	"unicode/utf8"
)

// beginning shows the change as one diff, and then what only people can do.
func (p printer) beginning(b beginning) {
	for _, ch := range b.Changes {
		p.diff(ch.Path, ch.Was, ch.Text)
	}
	p.line("")
	for _, ch := range b.Changes {
		p.line("%-10s %s", map[bool]string{true: "wrote", false: "to write"}[b.Written], ch.Path)
	}
	for _, ch := range b.Kept {
		p.hanging("kept", ch.Path+", which is there already, and not as init would write it now: see the end")
	}
	switch {
	case len(b.Changes)+len(b.Kept)+len(b.ToAdd) > 0:
	case len(b.FillIn) > 0:
		p.line("done       every file is there; fill in what has no value yet")
	default:
		p.line("done       nothing to do: every file is there")
	}
	if !b.Written && len(b.Changes) > 0 {
		p.field("next", "read it, and run the same again with --write")
	}
	for _, text := range b.FillIn {
		p.fillIn(text)
	}
	p.additions(b.ToAdd)
	p.leftovers(b)
	p.settings(b)
	p.twoRepositories(b)
	p.kept(b.Kept)
}

// kept is what init would make of files that are there already, and never does: what
// is in them can be somebody's work.
func (p printer) kept(all []fileChange) {
	for _, ch := range all {
		p.line("\nkept as it is; init would write it so now. Take over by hand what you want of it,\n"+
			"or move %s away and run this again with --write", ch.Path)
		p.diff(ch.Path, ch.Was, ch.Text)
	}
}

// hanging writes a word at the start of a line, and its value beside it.
func (p printer) hanging(word, value string) {
	for _, line := range wrap(value, width-11) {
		p.line("%-10s %s", word, line)
		word = ""
	}
}

// fillIn writes what is to be filled in, where it is long with the command for it in
// a line of its own.
func (p printer) fillIn(text string) {
	where, how, ok := strings.Cut(text, ": ")
	if !ok || utf8.RuneCountInString(text) <= width-11 {
		p.hanging("fill in", text)
		return
	}
	p.line("fill in    %s", where)
	p.hanging("", how)
}

// additions are what people put into files that are there already, as it is to be
// pasted.
func (p printer) additions(all []addition) {
	for _, a := range all {
		p.line("\nto add     to %s, %s:\n", a.Path, a.Where)
		for line := range strings.Lines(a.Lines) {
			p.line("%s", strings.TrimRight(line, "\r\n"))
		}
	}
}

// leftovers are what the edit of the workflow left for people to judge.
func (p printer) leftovers(b beginning) {
	for _, past := range b.Past {
		p.hanging("left over", past.Workflow+" publishes past the gate, in its job "+past.Job+": take that out, or delete the file")
	}
	for _, why := range b.Unread {
		p.hanging("not read", why+": look whether it publishes")
	}
	for _, name := range b.Unused {
		p.hanging("left over", "inputs."+name+" is used by nothing now; delete it")
	}
	for _, name := range b.Idle {
		p.hanging("left over", "the job "+name+", for which only what published waited; delete it if it was for that alone")
	}
	if len(b.Unpinned) > 0 {
		p.hanging("to pin", some(b.Unpinned)+": the policy wants whole commits here. distgate audit --checkout . --fix shows them, and writes them with --write")
	}
	for _, index := range b.Dropped {
		p.hanging("left out", index+", which was published to as well: add --index pypi --index "+index)
	}
	if len(b.Others) == 0 {
		return
	}
	p.line("\nother branches have this workflow as it was")
	p.field("branches", some(b.Others))
	p.line("  until then they publish past the gate, and their builds have no provenance;\n  run on each\n  %s", b.There)
	if len(b.Maintained) == 0 {
		return
	}
	if b.Elsewhere != nil {
		p.field("policy", "name "+strings.Join(b.Maintained, ", ")+" in build.refs and source.branches, where it is")
	}
	p.field("files", `where a branch has other files, the policy has [series."2.4"] and so on in the place of [files]`)
}

// some are the first of many names.
func some(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", and " + plural(len(names)-most, "other")
}

// settings are what is set where no file can.
func (p printer) settings(b beginning) {
	for _, e := range b.Environment {
		p.line("\nenvironment %s, at\n  %s", e.Name, e.At)
		if e.Unreviewed == "" {
			p.field("reviewers", "required: the people of the policy")
			p.field("self", `tick "Prevent self-review"`)
		} else {
			p.field("reviewers", "none: "+e.Unreviewed)
		}
		p.field("bypass", `untick "Allow administrators to bypass configured protection rules"`)
		p.field("branches", `"Selected branches and tags": `+strings.Join(e.Branches, ", ")+", and no other")
	}
	for _, u := range b.Publishers {
		p.publisher("trusted publisher, at", u)
		if len(b.Old) == 0 {
			p.line("  remove the old publisher: until then it is a side door")
		}
	}
	for _, u := range b.Old {
		p.publisher("the old publisher, to be removed if it is still there: it is a side door", u)
	}
	if b.Gate != "" {
		p.line("\nCODEOWNERS, and a ruleset for the branch %s", b.Gate)
		p.field("owners", "people or teams, as @acme/release; the name of an organization alone is neither")
		p.field("ruleset", "require a pull request and a review by code owners, restrict deletions, block force pushes")
	}
}

func (p printer) publisher(what string, u publisher) {
	p.line("\n%s\n  %s", what, u.At)
	for _, row := range [][2]string{{"Owner", u.Owner}, {"Repository name", u.Repository}, {"Workflow name", u.Workflow},
		{"Environment name", u.Environment}} {
		p.line("  %-18s%s", row[0], orNone(row[1]))
	}
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// twoRepositories is what to do in the other one, and what ties the source to the
// build.
func (p printer) twoRepositories(b beginning) {
	if b.Lock != "" {
		p.line("\ndistgate.lock, for %s builds the source of another repository", b.Lock)
		p.field("each time", "distgate lock v1.0, and commit distgate.lock, before the build")
		p.field("checkout", "in "+b.Lock+", of the commit that distgate.lock names (README, Where a release comes from)")
	}
	if b.Elsewhere != nil {
		p.line("\nin %s, run\n  %s", b.Elsewhere.Repository, b.Elsewhere.Command)
	}
}
