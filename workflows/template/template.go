// Package template writes what a project begins with: the workflow that releases
// it, a policy with lines to fill in, and the one job that a build workflow needs.
//
//	w, err := template.Read(".github/workflows/wheels.yml", raw)
//	edit, err := w.Edit()              // attest job in, old publish jobs out
//	s := template.Setup{…, Build: w.Build("acme/widget", "main")}
//	files, err := s.Files()            // release.yml, distgate.toml
//
// The workflows are the same for everybody but for names: each job has only the
// permissions that it needs, every action is pinned by its commit, the project's
// code runs in no job that can sign or publish, and no text of a dispatch or of a
// release stands in a script. What a [Setup] cannot know is a line of the policy that
// ends in [FillIn], without a value, so that the policy is refused until it has one.
//
// A build workflow is edited as text ([Workflow.Edit]): whole jobs go out, one comes
// in, and every other byte stays. The result is read again, and must say what the
// original said of everything else.
package template

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// FillIn marks a line of the policy that has no value yet.
const FillIn = "FILL IN"

// Setup is what the files are written for. Its names go into YAML and TOML, and are
// held to what GitHub allows.
type Setup struct {
	Project    string   // its name on the index; "" leaves a line to fill in
	Action     string   // distgate itself, "OWNER/REPO@SHA"
	Repository string   // that publishes, "owner/name"
	Branch     string   // of it, that releases are started on
	Workflow   string   // path of the workflow that publishes
	Indexes    []string // their names; each has an environment of that name
	Registry   string   // where releases are stored; "" hands them on as an artifact
	Mirror     bool     // releases to the first index are copied to GitHub
	Single     bool     // the workflow that publishes builds as well
	Maintained []string // patterns of further branches that releases are built of
	Build      Build
	Files      string // the policy's [files] table; "" leaves a line to fill in
}

// Build is what a policy says of the workflow that builds.
type Build struct {
	Repository string   // "owner/name"
	Workflow   string   // path of the workflow
	Refs       []string // "refs/heads/main"
	Labels     []string // of GitHub's runners
	Artifacts  []string // patterns of names; none is all
	LeaveOut   []string // patterns of files that are never released
	Inputs     []string // that it takes from outside: "inputs.NAME", "vars.NAME"
	Source     string   // the repository that it checks out, "owner/name"
}

// Policy is the path of the policy.
const Policy = "distgate.toml"

// File is one file of the repository.
type File struct {
	Path string
	Text []byte
}

//go:embed *.tmpl dependabot.yml
var templates embed.FS

// pins are the actions that the workflows use, each at a commit.
var pins = map[string]string{
	"actions/checkout":          "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
	"actions/upload-artifact":   "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
	"actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
	"actions/attest":            "1e69f48acb82d1966a394da916b4c1698aa569d6 # v4.2.2",
}

// Write writes the workflow that publishes, and a policy to begin with.
func (s Setup) Write() ([]File, error) {
	s = s.whole()
	if err := s.check(); err != nil {
		return nil, err
	}
	workflow, err := execute("release.yml.tmpl", s)
	if err != nil {
		return nil, err
	}
	policy, err := execute("distgate.toml.tmpl", s)
	if err != nil {
		return nil, err
	}
	return []File{{s.Workflow, workflow}, {Policy, policy}}, nil
}

// whole is the setup with its build, where the workflow that publishes is that too.
func (s Setup) whole() Setup {
	if s.Single {
		s.Build = Build{Repository: s.Repository, Workflow: s.Workflow, Refs: []string{"refs/heads/" + s.Branch},
			Labels: []string{attestLabel}, Artifacts: []string{"dist"}, Inputs: []string{"inputs.index", "inputs.version"},
			Source: s.Repository}
	}
	return s
}

// Afterwards are the workflows for what comes after a release: one that watches the
// index, and one that takes a release back. They are for releases that are kept in
// a registry: where they are handed on as artifacts, no later run knows of them.
func (s Setup) Afterwards() (files []File, err error) {
	if s.Registry == "" {
		return nil, nil
	}
	s = s.whole()
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, name := range []string{"watch.yml", "withdraw.yml"} {
		text, err := execute(name+".tmpl", s)
		if err != nil {
			return nil, err
		}
		files = append(files, File{".github/workflows/" + name, text})
	}
	return files, nil
}

// Withdrawing is the environment in which the job runs that takes a release back.
const Withdrawing = "withdraw"

// Updates lets Dependabot propose newer pins of the actions.
func Updates() (File, error) {
	text, err := templates.ReadFile("dependabot.yml")
	return File{".github/dependabot.yml", text}, err
}

// UpdatesEntry are the lines of it that another file of Dependabot's needs, below
// "updates:".
func UpdatesEntry() (string, error) {
	file, err := Updates()
	_, entry, _ := strings.Cut(string(file.Text), "updates:\n")
	return entry, err
}

// Name is the project, as a comment has it.
func (s Setup) Name() string {
	if s.Project == "" {
		return "the project"
	}
	return s.Project
}

// Branches are those that may have the commit that is released.
func (s Setup) Branches() []string { return append([]string{s.Branch}, s.Maintained...) }

// Rehearsal is what is chosen in the place of an index to play a release to the first
// one, and to publish nothing.
func (s Setup) Rehearsal() string {
	if len(s.Indexes) == 1 {
		return rehearse
	}
	return rehearse + "/" + s.Indexes[0]
}

const rehearse = "rehearse"

// Attest is the job that attests, where the same workflow publishes.
func (s Setup) Attest() attestJob { return attestJob{"attest", []string{"build"}} }

// FilesTable is the [files] table, or where it goes.
func (s Setup) FilesTable() string {
	if s.Files == "" {
		name := cmp.Or(s.Project, "NAME")
		return "[files]                                  # what a release has: this, and no more\n" +
			"# " + FillIn + ": distgate init --files-from FOLDER prints it, or --files-from pypi:" + name + "==VERSION\n"
	}
	return s.Files
}

var (
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	workflowForm   = regexp.MustCompile(`^\.github/workflows/[A-Za-z0-9._-]+\.ya?ml$`)
	refForm        = regexp.MustCompile(`^refs/(heads|tags)/[A-Za-z0-9._/*?-]+$`)
	branchForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*\*?$`)
	actionForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+@[0-9a-f]{40}$`)
	nameForm       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	registryForm   = regexp.MustCompile(`^[a-z0-9.:/_-]+$`)
	inputForm      = regexp.MustCompile(`^[A-Za-z0-9 _./@*-]+$`)
	labelForm      = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// IsAction reports whether the text is an action at a whole commit.
func IsAction(text string) bool { return actionForm.MatchString(text) }

// IsRepository reports whether the text is "owner/name".
func IsRepository(text string) bool { return repositoryForm.MatchString(text) }

// check holds every name to its form. What is not known yet is "" and left out.
func (s Setup) check() error {
	for _, row := range []struct {
		form  *regexp.Regexp
		want  string
		texts []string
	}{
		{actionForm, "the action as OWNER/REPO@ and the 40 digits of its commit", []string{s.Action}},
		{repositoryForm, "a repository as OWNER/NAME", []string{s.Repository, s.Build.Repository, s.Build.Source}},
		{workflowForm, "a workflow as .github/workflows/NAME.yml", []string{s.Workflow, s.Build.Workflow}},
		{refForm, "a branch as main", []string{"refs/heads/" + s.Branch}},
		{refForm, "a ref as refs/heads/main", s.Build.Refs},
		{branchForm, "a branch as maintenance/*", s.Maintained},
		{pattern, "a pattern of file names as *wasm*", s.Build.LeaveOut},
		{labelForm, "the label of a runner as ubuntu-24.04", s.Build.Labels},
		{nameForm, "the name of an index", s.Indexes},
		{inputForm, "what a build takes, as inputs.NAME", s.Build.Inputs},
		{nameForm, "the name of a project", known(s.Project)},
		{registryForm, "a repository of a registry as ghcr.io/OWNER/NAME", known(s.Registry)},
	} {
		for _, text := range row.texts {
			if !row.form.MatchString(text) {
				return fmt.Errorf("want %s, got %.200q", row.want, text)
			}
		}
	}
	switch {
	case len(s.Build.Refs) == 0 || len(s.Build.Labels) == 0 || len(s.Indexes) == 0:
		return errors.New("want a ref that is built, the label of a runner and an index, got none")
	case slices.Contains(s.Indexes, rehearse):
		return errors.New("want an index by another name than " + rehearse + ", which publishes nothing")
	}
	return nil
}

func known(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func execute(name string, data any) ([]byte, error) {
	all, err := template.New(name).Delims("<%", "%>").Funcs(template.FuncMap{
		"join": strings.Join, "list": list, "pin": pin, "quote": strconv.Quote,
	}).ParseFS(templates, "*.tmpl")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = all.ExecuteTemplate(&out, name, data)
	return out.Bytes(), err
}

func pin(action string) (string, error) {
	at, ok := pins[action]
	if !ok {
		return "", fmt.Errorf("no pin for %s", action)
	}
	return action + "@" + at, nil
}

// list is an array of TOML.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
