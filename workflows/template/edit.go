package template

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// Edit is what became of a build workflow.
type Edit struct {
	Text     []byte      // of all of it
	Removed  []string    // jobs that published
	Old      []Published // the same, as their indexes know them
	Unused   []string    // inputs that only they used
	Idle     []string    // jobs that only they waited for
	Unpinned []string    // actions and workflows that the jobs which stay name by a tag or branch
	Attest   string      // the job that attests
	Attested []string    // the jobs whose artifacts it attests
	Added    bool        // it is new
}

// Edit takes out the jobs that publish, and adds the one that attests. A workflow
// that has both right already stays as it is. It refuses what would leave a hole,
// and what only a person can take apart: a job that builds and publishes, one that
// builds and may sign.
func (w *Workflow) Edit() (Edit, error) {
	if err := w.judge(); err != nil {
		return Edit{}, err
	}
	e := Edit{Attested: names(w.jobs, job.builds), Removed: names(w.jobs, job.publishes), Old: w.Published(), Idle: w.idle(),
		Unpinned: w.unpinned()}
	out := map[int]bool{} // lines, by their numbers from 0
	end := 0              // of the last job that stays
	for _, j := range w.jobs {
		if !j.publishes() {
			end = j.end
			continue
		}
		for line := j.end - 1; line >= j.first || w.blank(line); line-- {
			out[line] = true
		}
	}
	var in []string
	if attesting := names(w.jobs, job.attests); len(attesting) > 0 {
		e.Attest = attesting[0]
	} else {
		e.Attest, e.Added = w.free("attest"), true
		var err error
		if in, err = w.attest(attestJob{e.Attest, e.Attested}); err != nil {
			return Edit{}, err
		}
	}
	e.Text = w.cut(out, end, in)
	e.Unused = w.unused(e.Text)
	if err := w.same(e); err != nil {
		return Edit{}, err
	}
	return e, nil
}

// cut is the text without some lines, and with others in front of the line at.
func (w *Workflow) cut(out map[int]bool, at int, in []string) []byte {
	var text strings.Builder
	for i, line := range w.lines {
		if i == at {
			text.WriteString(strings.Join(in, ""))
		}
		if !out[i] {
			text.WriteString(line)
		}
	}
	if at == len(w.lines) {
		text.WriteString(strings.Join(in, ""))
	}
	return []byte(text.String())
}

func (w *Workflow) blank(line int) bool { return strings.TrimSpace(w.lines[line]) == "" }

// attestJob is the job that attests what others uploaded.
type attestJob struct {
	Name  string
	Needs []string
}

// attest is the job that attests, in lines that fit the workflow.
func (w *Workflow) attest(job attestJob) ([]string, error) {
	raw, err := execute("attest", job)
	if err != nil {
		return nil, err
	}
	lines := strings.Split("\n"+strings.TrimSuffix(string(raw), "\n"), "\n")
	for i, line := range lines {
		if deeper, ok := strings.CutPrefix(line, "  "); ok {
			line = strings.Repeat(" ", w.indent) + deeper
		}
		lines[i] = line + w.newline
	}
	return lines, nil
}

// free is a name that no job has, in whatever case.
func (w *Workflow) free(name string) string {
	for slices.ContainsFunc(w.jobs, func(j job) bool { return strings.EqualFold(j.name, name) }) {
		name = "distgate-" + name
	}
	return name
}

// same demands that the edited text says what the original said, but for the jobs
// that went and the one that came.
func (w *Workflow) same(e Edit) error {
	var was, is map[string]any
	if err := yaml.Unmarshal(w.raw, &was); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	broken := yaml.Unmarshal(e.Text, &is)
	jobs, _ := was["jobs"].(map[string]any)
	for _, name := range e.Removed {
		delete(jobs, name)
	}
	if now, ok := is["jobs"].(map[string]any); ok && e.Added {
		delete(now, e.Attest)
	}
	if broken != nil || !reflect.DeepEqual(was, is) {
		return w.refuse("jobs written one below the other", "a text that cannot be cut by lines",
			"write each job as a block of lines of its own, or make the change by hand").Err()
	}
	return nil
}

// judge refuses what the edit cannot make right.
func (w *Workflow) judge() error {
	var no rule.Refusals
	builds, gone := names(w.jobs, job.builds), names(w.jobs, job.publishes)
	if len(builds) == 0 {
		got, hint := "none", "name the workflow that builds with --into"
		if len(gone) > 0 {
			got = "none; job " + gone[0] + " publishes"
			hint = "let a job build and upload its files with actions/upload-artifact, and publish nothing; " +
				"or begin anew, with distgate init --all-in-one"
		}
		no = append(no, w.refuse("a job that builds and uploads its files with actions/upload-artifact", got, hint)...)
	}
	if mayMint(w.permissions) {
		no = append(no, w.token("the whole workflow")...)
	}
	for _, j := range w.jobs {
		switch {
		case j.publishes() && j.uploads():
			no = append(no, w.refuse("jobs that build, and none of them that publishes", "job "+j.name+", which does both",
				"let it upload its files with actions/upload-artifact, and publish nothing")...)
		case j.publishes() || j.attests():
		case mayMint(j.Permissions):
			no = append(no, w.token("job "+j.name)...)
		}
		if lost := slices.IndexFunc(j.Needs, func(name string) bool { return has(gone, name) }); lost >= 0 && !j.publishes() {
			no = append(no, w.refuse("no job that waits for one that publishes", "job "+j.name+", which needs "+j.Needs[lost],
				"take the job out, or let it need the builds alone: this workflow does not publish any more")...)
		}
	}
	return no.Err()
}

func (w *Workflow) refuse(want, got, hint string) rule.Refusals {
	return rule.Refusals{{File: w.path, Rule: rule.BuildWorkflow, Want: want, Got: got, Hint: hint}}
}

func (w *Workflow) token(who string) rule.Refusals {
	return rule.Refusals{{File: w.path, Rule: rule.BuildToken, Want: "id-token in the job that attests alone", Got: "id-token: write for " + who,
		Hint: "take it out there; where the job attests, that becomes the work of a job of its own, which init writes"}}
}

// has tells whether the name of a job is among others. GitHub takes no heed of its case.
func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(other, name) })
}

func names(jobs []job, which func(job) bool) (list []string) {
	for _, j := range jobs {
		if which(j) {
			list = append(list, j.name)
		}
	}
	return list
}

// Read reads a workflow. It must have its jobs as a block of lines each.
func Read(path string, raw []byte) (*Workflow, error) {
	w := &Workflow{path: path, raw: raw, newline: "\n"}
	if len(raw) > maxWorkflow || len(raw) == 0 {
		return nil, w.refuse(fmt.Sprintf("1 to %d bytes", maxWorkflow), "a file of another size", "name the workflow that builds with --into")
	}
	if err := workflows.CheckReading(raw); err != nil {
		return nil, w.refuse("a workflow as GitHub reads it", err.Error(), "correct the file")
	}
	if bytes.Contains(raw, []byte("\r\n")) {
		w.newline = "\r\n"
	}
	w.lines = strings.SplitAfter(string(raw), "\n")
	if last := len(w.lines) - 1; w.lines[last] == "" {
		w.lines = w.lines[:last]
	}
	var file document
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, w.refuse("a workflow as GitHub reads it", err.Error(), "correct the file")
	}
	w.on, w.permissions = file.On, file.Permissions
	if file.Jobs.Kind != yaml.MappingNode || file.Jobs.Style&yaml.FlowStyle != 0 || len(file.Jobs.Content) == 0 {
		return nil, w.refuse("jobs, written one below the other", "none", "name the workflow that builds with --into")
	}
	return w, w.readJobs(file.Jobs.Content)
}

// maxWorkflow bounds a workflow, in bytes.
const maxWorkflow = 1 << 20

func (w *Workflow) readJobs(pairs []*yaml.Node) error {
	w.indent = pairs[0].Column - 1
	for i := 0; i+1 < len(pairs); i += 2 {
		j := job{name: pairs[i].Value}
		if err := pairs[i+1].Decode(&j); err != nil {
			return w.refuse("a job as GitHub reads it", "job "+j.name+": "+err.Error(), "correct the file")
		}
		j.first, j.end = w.span(pairs[i].Line - 1)
		w.jobs = append(w.jobs, j)
	}
	return nil
}

// span is the range of lines of the job whose name stands in a line: with the
// comments right above it, to the last line that is further in.
func (w *Workflow) span(at int) (first, end int) {
	for first = at; first > 0 && strings.HasPrefix(strings.TrimSpace(w.lines[first-1]), "#") && depth(w.lines[first-1]) == w.indent; first-- {
	}
	end = at + 1
	for i := at + 1; i < len(w.lines); i++ {
		text := strings.TrimSpace(w.lines[i])
		deeper := depth(w.lines[i]) > w.indent
		switch {
		case text == "" || strings.HasPrefix(text, "#") && !deeper:
		case deeper:
			end = i + 1
		default:
			return first, end
		}
	}
	return first, end
}

func depth(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
