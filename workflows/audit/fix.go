package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// Fixed is a workflow as it is and as it would be, every byte the same but for
// what a rule wants otherwise.
type Fixed struct {
	Path   string    `json:"path"`
	Was    string    `json:"was"`
	Text   string    `json:"text"`
	Change []Changed `json:"changes"`
}

// Changed is one change of a file.
type Changed struct {
	Line int    `json:"line"` // of the file as it is
	What string `json:"what"`
}

// Named is a tag or branch of another repository, as a workflow uses it.
type Named struct{ Repository, Ref string }

// Found is what a name stands for: a commit, and the version that it is.
type Found struct{ Commit, Version string }

// Resolver finds the commit that a name stands for now.
type Resolver func(context.Context, Named) (Found, error)

// Fix changes workflows where that is safe: it pins what is used by a name, as
// far as resolve finds it, lets checkout leave no credential, and writes down
// permissions. Triggers, scripts and secrets are left to a person. A file that
// is not understood is left as it is, and so is one that would not be understood
// afterwards. With no resolver nothing is pinned.
func (f Files) Fix(ctx context.Context, resolve Resolver) (fixed []Fixed, err error) {
	for _, file := range f.all {
		if len(file.gaps) > 0 || strings.Contains(file.path, " on ") {
			continue
		}
		var e edits
		for _, j := range file.jobs {
			if err := e.pins(ctx, j, resolve); err != nil {
				return nil, err
			}
			e.checkouts(j)
		}
		e.permissions(file)
		was, text := strings.Join(file.lines, "\n"), e.apply(file.lines)
		if text == was || !understood(file, text) {
			continue
		}
		slices.SortStableFunc(e.changes, func(a, b Changed) int { return cmp.Compare(a.Line, b.Line) })
		fixed = append(fixed, Fixed{Path: file.path, Was: was, Text: text, Change: e.changes})
	}
	return fixed, nil
}

// understood tells whether the changed file is parsed whole, with the same jobs
// and steps.
func understood(was *file, text string) bool {
	parse := parseWorkflow
	if was.ast == nil {
		parse = parseAction
	}
	is := parse(was.path, []byte(text))
	if len(is.gaps) > 0 || len(is.jobs) != len(was.jobs) {
		return false
	}
	for i, j := range is.jobs {
		if j.id != was.jobs[i].id || len(j.steps) != len(was.jobs[i].steps) {
			return false
		}
	}
	return true
}

// edits are changes of one file, by its lines as they are.
type edits struct {
	replaced []replacement
	inserted []insertion
	changes  []Changed
}

// replacement puts a text in another's place, on one line.
type replacement struct {
	line, column int // from 1
	old, new     string
}

// insertion puts lines behind a line; behind line 0 is at the top.
type insertion struct {
	after int
	lines []string
}

// replace and insert do once what several jobs ask for, as of an anchor.
func (e *edits) replace(at *actionlint.Pos, old, new, what string) {
	r := replacement{at.Line, at.Col, old, new}
	if slices.Contains(e.replaced, r) {
		return
	}
	e.replaced = append(e.replaced, r)
	e.changes = append(e.changes, Changed{at.Line, what})
}

func (e *edits) insert(after int, what string, lines ...string) {
	same := func(in insertion) bool { return in.after == after && slices.Equal(in.lines, lines) }
	if slices.ContainsFunc(e.inserted, same) {
		return
	}
	e.inserted = append(e.inserted, insertion{after, lines})
	e.changes = append(e.changes, Changed{after, what})
}

// apply makes the changes, from the end to the beginning, so that lines keep
// their numbers until their turn. A replacement whose old text is not in its
// place is left out.
func (e *edits) apply(lines []string) string {
	lines = slices.Clone(lines)
	for _, r := range e.replaced {
		line := lines[r.line-1]
		if i := strings.Index(line, r.old); i >= 0 && i >= r.column-1 && i <= r.column {
			lines[r.line-1] = line[:i] + r.new + line[i+len(r.old):]
		}
	}
	slices.SortStableFunc(e.inserted, func(a, b insertion) int { return cmp.Compare(b.after, a.after) })
	for _, in := range e.inserted {
		end := ""
		if len(lines) > 0 && strings.HasSuffix(lines[0], "\r") {
			end = "\r"
		}
		for i := range in.lines {
			in.lines[i] += end
		}
		lines = slices.Insert(lines, in.after, in.lines...)
	}
	return strings.Join(lines, "\n")
}

// byTag are workflows that find themselves by the tag by which they are called, and
// run by no other name.
var byTag = []string{"slsa-framework/slsa-github-generator/"}

// pins writes the commit in the place of each name, and the version behind it.
func (e *edits) pins(ctx context.Context, j *job, resolve Resolver) error {
	all := []*actionlint.String{j.uses}
	for _, s := range j.steps {
		if s.uses() != "" {
			all = append(all, s.at())
		}
	}
	for _, uses := range all {
		if uses == nil || resolve == nil || !unpinned(uses.Value) || uses.ContainsExpression() || uses == j.uses && fits(uses.Value, byTag) {
			continue
		}
		name, ref, _ := strings.Cut(uses.Value, "@")
		parts := strings.SplitN(name, "/", 3)
		if ref == "" || len(parts) < 2 {
			continue
		}
		found, err := resolve(ctx, Named{parts[0] + "/" + parts[1], ref})
		if err != nil {
			return err
		}
		if commitForm.MatchString(found.Commit) {
			e.pin(j.file, uses, name+"@"+found.Commit, cmp.Or(found.Version, ref))
		}
	}
	return nil
}

// pin changes one name, with a comment where the line has none and ends with it.
func (e *edits) pin(f *file, uses *actionlint.String, pinned, version string) {
	line := strings.TrimRight(f.lines[uses.Pos.Line-1], " \t\r")
	if rest := strings.TrimRight(line, `"'`); strings.HasSuffix(rest, uses.Value) && !strings.Contains(line, " #") {
		quote := line[len(rest):]
		e.replace(uses.Pos, uses.Value+quote, pinned+quote+" # "+version, "pin "+uses.Value)
		return
	}
	e.replace(uses.Pos, uses.Value, pinned, "pin "+uses.Value+" ("+version+")")
}

// checkouts lets every checkout leave no credential.
func (e *edits) checkouts(j *job) {
	for _, s := range j.steps {
		a, ok := s.Exec.(*actionlint.ExecAction)
		if !ok || !fits(s.uses(), []string{"actions/checkout"}) {
			continue
		}
		given, there := s.with("persist-credentials")
		switch {
		case there && (value(given) == "true"):
			e.replace(given.Pos, "true", "false", "persist-credentials: false")
		case !there:
			e.addInput(j.file, a)
		}
	}
}

// addInput writes persist-credentials: false into the inputs of a checkout, in
// the form that they have.
func (e *edits) addInput(f *file, a *actionlint.ExecAction) {
	const input, what = "persist-credentials: false", "checkout leaves no credential"
	var first *actionlint.String
	for _, in := range a.Inputs {
		if in.Name.Pos != nil && (first == nil || in.Name.Pos.IsBefore(first.Pos)) {
			first = in.Name
		}
	}
	if first != nil {
		before := f.lines[first.Pos.Line-1][:first.Pos.Col-1]
		if strings.TrimSpace(before) == "" {
			e.insert(first.Pos.Line-1, what, before+input)
		} else if strings.HasSuffix(strings.TrimSpace(before), "{") {
			e.replace(first.Pos, first.Value, input+", "+first.Value, what)
		}
		return
	}
	line := f.lines[a.Uses.Pos.Line-1]
	column := strings.Index(line, "uses:")
	before := strings.TrimLeft(line[:max(column, 0)], " ")
	if column < 0 || before != "" && before != "- " && strings.Trim(before, "- ") != "" {
		return // a step in braces
	}
	indent := strings.Repeat(" ", column)
	e.insert(a.Uses.Pos.Line, what, indent+"with:", indent+"  "+input)
}

// permissions writes down that a job's token only reads, where nothing is said.
// A job that needs more fails, and says what. Where one job cannot be given its
// permissions, none is.
func (e *edits) permissions(f *file) {
	if f.ast == nil || f.ast.Permissions != nil || f.starts("workflow_call") {
		return
	}
	top := slices.IndexFunc(f.lines, func(l string) bool { return strings.HasPrefix(l, "jobs:") })
	if top < 0 {
		return
	}
	var own []insertion
	for _, j := range f.jobs {
		if j.ast.Permissions != nil {
			continue
		}
		at := j.ast.ID.Pos.Line
		indent := indentOf(f.lines, at)
		name, _, _ := strings.Cut(strings.TrimSpace(f.lines[at-1]), " #")
		if j.uses != nil || indent == "" || strings.TrimSpace(name) != j.id+":" {
			return
		}
		own = append(own, insertion{at, []string{indent + "permissions:", indent + "  contents: read"}})
	}
	for _, in := range own {
		e.insert(in.after, "the job reads the source, and no more", in.lines...)
	}
	e.insert(top, "a job has the permissions that it names", "permissions: {}", "")
}

// indentOf is the indentation of the block below a line.
func indentOf(lines []string, line int) string {
	for _, l := range lines[line:] {
		if text := strings.TrimLeft(l, " "); strings.TrimSpace(text) != "" && !strings.HasPrefix(text, "#") {
			return l[:len(l)-len(text)]
		}
	}
	return ""
}
