package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/template"
)

// setupFlags are what init takes to begin a release repository. Of into, builtBy
// and allInOne one is given: where the files are built.
type setupFlags struct {
	into       string // a workflow of this repository
	releasedBy string // another repository, where the workflow into is not of the one that publishes
	builtBy    string // OWNER/REPO/.github/workflows/NAME.yml, of another repository
	allInOne   bool
	action     string
	repository string
	project    string
	indexes    []string
	registry   string
	mirror     bool
	owners     []string
	write      bool
}

// begins tells whether a repository is to be set up.
func (f setupFlags) begins() bool { return f.into != "" || f.builtBy != "" || f.allInOne }

func (f setupFlags) check() error {
	modes := 0
	for _, given := range []bool{f.into != "", f.builtBy != "", f.allInOne} {
		if given {
			modes++
		}
	}
	switch {
	case modes > 1:
		return usagef("the files are built in one place: give --into, --built-by or --all-in-one, one of them")
	case f.releasedBy != "" && f.into == "":
		return usagef("--released-by goes with --into: it is for the repository that builds and does not publish")
	}
	return nil
}

// fileChange is one file of the repository, as it is and as it is to be.
type fileChange struct {
	Path string `json:"path"` // with slashes, below the top of the repository
	Was  string `json:"was,omitempty"`
	Text string `json:"text"`
}

// addition are lines that a file lacks that is there already, and that people put in.
type addition struct {
	Path  string `json:"path"`
	Where string `json:"where"`
	Lines string `json:"lines"`
}

// beginning is what init has to say: what it writes, and what people do then.
type beginning struct {
	Changes     []fileChange `json:"changes"`
	Kept        []fileChange `json:"kept,omitempty"` // that init would write so, and are there already
	ToAdd       []addition   `json:"toAdd,omitempty"`
	FillIn      []string     `json:"fillIn,omitempty"`
	Removed     []string     `json:"removedJobs,omitempty"`
	Unused      []string     `json:"unusedInputs,omitempty"`    // of the workflow that builds
	Idle        []string     `json:"idleJobs,omitempty"`        // of it, that only those that published waited for
	Unpinned    []string     `json:"unpinnedUses,omitempty"`    // of it, which the policy's audit refuses
	Dropped     []string     `json:"droppedIndexes,omitempty"`  // that were published to, and are not any more
	Others      []string     `json:"otherBranches,omitempty"`   // that have the workflow as it was
	There       string       `json:"onOtherBranches,omitempty"` // the command to run on each
	Past        []pastGate   `json:"pastTheGate,omitempty"`     // jobs of other workflows
	Unread      []string     `json:"unread,omitempty"`          // other workflows that may publish, and why they were not read
	Maintained  []string     `json:"releaseBranches,omitempty"` // of these, as patterns
	Publishers  []publisher  `json:"publishers,omitempty"`
	Old         []publisher  `json:"oldPublishers,omitempty"` // to be removed
	Environment []gateOf     `json:"environments,omitempty"`
	Elsewhere   *elsewhere   `json:"elsewhere,omitempty"`
	Lock        string       `json:"lock,omitempty"` // the workflow that needs one: it builds another repository's source
	Gate        string       `json:"gate,omitempty"` // the branch of this repository that releases are started on
	Written     bool         `json:"written"`
}

// elsewhere is what is to be done in the other of two repositories.
type elsewhere struct {
	Repository string `json:"repository"`
	Command    string `json:"command"`
}

// publisher is what an index is told of the job that publishes: its four fields.
type publisher struct {
	At          string `json:"at"` // the page to fill in
	Owner       string `json:"owner"`
	Repository  string `json:"repository"`
	Workflow    string `json:"workflow"`
	Environment string `json:"environment"`
}

// gateOf is how an environment is set.
type gateOf struct {
	At         string   `json:"at"`
	Name       string   `json:"name"`
	Unreviewed string   `json:"unreviewed,omitempty"` // why nobody looks before a job in it starts
	Branches   []string `json:"branches"`
}

// begin works out what is written, and writes it if the flags say so.
func begin(ctx context.Context, f setupFlags, files string) (b beginning, err error) {
	if err := f.check(); err != nil {
		return b, err
	}
	repo, err := findCheckout(ctx, f)
	if err != nil {
		return b, err
	}
	s := template.Setup{Project: f.project, Repository: repo.name, Branch: repo.branch, Workflow: ".github/workflows/release.yml",
		Indexes: f.indexes, Registry: f.registry, Mirror: f.mirror, Single: f.allInOne, Files: files}
	if f.into != "" {
		if err := b.edit(ctx, repo, f, &s); err != nil {
			return b, err
		}
	}
	if err := b.past(repo, f, &s); err != nil {
		return b, err
	}
	if f.releasedBy == "" {
		if err := b.gate(repo, f, s); err != nil {
			return b, err
		}
	}
	if f.write {
		b.Written = true
		err = repo.write(b.Changes)
	}
	return b, err
}

// edit is what becomes of the workflow that builds.
func (b *beginning) edit(ctx context.Context, repo checkout, f setupFlags, s *template.Setup) error {
	at, err := repo.below(f.into)
	if err != nil {
		return err
	}
	raw, err := repo.read(at)
	if errors.Is(err, fs.ErrNotExist) {
		return repo.noWorkflow(f.into)
	}
	if err != nil {
		return err
	}
	w, err := template.Read(at, raw)
	if err != nil {
		return err
	}
	edited, err := w.Edit()
	if err != nil {
		return err
	}
	b.Removed, b.Unused, b.Idle, b.Unpinned = edited.Removed, edited.Unused, edited.Idle, edited.Unpinned
	b.change(at, raw, edited.Text)
	b.dropped(f, edited.Old)
	old := edited.Old
	if len(old) == 0 {
		if old, err = repo.formerly(ctx, at); err != nil {
			return err
		}
	}
	for _, job := range old {
		s.Project = cmp.Or(s.Project, repo.project(), job.Project)
	}
	b.leave(repo, f, at, s.Project, old)
	if b.Others, err = repo.others(ctx, at); err != nil {
		return err
	}
	b.Maintained = maintained(b.Others)
	s.Build, s.Maintained = w.Build(repo.name, repo.branch), b.Maintained
	for _, pattern := range b.Maintained {
		s.Build.Refs = append(s.Build.Refs, "refs/heads/"+pattern)
	}
	slices.Sort(s.Build.Refs)
	s.Build.Refs = slices.Compact(s.Build.Refs)
	if s.Build.Inputs, err = workflows.Taken(at, edited.Text); err != nil {
		return err
	}
	if at == s.Workflow {
		s.Workflow = path.Dir(at) + "/distgate.yml"
	}
	return nil
}

// dropped are the indexes of the jobs that go out, that nothing is released to any more.
func (b *beginning) dropped(f setupFlags, old []template.Published) {
	for _, job := range old {
		for _, index := range job.Indexes {
			if f.releasedBy == "" && !slices.Contains(f.indexes, index) && !slices.Contains(b.Dropped, index) {
				b.Dropped = append(b.Dropped, index)
			}
		}
	}
}

// leave says what is left of the jobs that published: the publishers that the
// indexes have of them.
func (b *beginning) leave(repo checkout, f setupFlags, at, project string, old []template.Published) {
	owner, name, _ := strings.Cut(repo.name, "/")
	for _, job := range old {
		for _, index := range job.Indexes {
			page := publishingPage(index, cmp.Or(project, "NAME"))
			b.Old = append(b.Old, publisher{page, owner, name, path.Base(at), job.Environment})
		}
	}
	b.There = "distgate init --into " + at + " --released-by " + cmp.Or(f.releasedBy, repo.name)
	if f.releasedBy != "" && !strings.EqualFold(f.releasedBy, repo.name) {
		b.Elsewhere = &elsewhere{f.releasedBy, "distgate init --built-by " + repo.name + "/" + at}
	}
}

func (b *beginning) change(at string, was, text []byte) {
	if !bytes.Equal(was, text) {
		b.Changes = append(b.Changes, fileChange{at, string(was), string(text)})
	}
}

// gate is what the repository gets that publishes.
func (b *beginning) gate(repo checkout, f setupFlags, s template.Setup) (err error) {
	if s.Action, err = ownPin(f.action); err != nil {
		return err
	}
	if f.builtBy != "" {
		if err := b.builtElsewhere(repo, f.builtBy, &s); err != nil {
			return err
		}
	}
	if s.Project == "" {
		s.Project = repo.project()
	}
	files, err := s.Write()
	if err != nil {
		return usageError{err}
	}
	after, err := s.Afterwards()
	if err != nil {
		return usageError{err}
	}
	files = append(after, files...)
	if err := b.keep(repo, files); err != nil {
		return err
	}
	policy := files[len(files)-1]
	b.lacks(s, policy)
	b.FillIn = fillIns(policy)
	b.Gate = s.Branch
	if s.Build.Source != "" && !strings.EqualFold(s.Build.Source, s.Build.Repository) {
		b.Lock = path.Base(s.Build.Workflow)
	}
	b.tell(s, policy)
	if err := b.updates(repo); err != nil {
		return err
	}
	return b.owners(repo, f.owners)
}

// builtElsewhere is the build in another repository, of which nothing but its name
// is known here.
func (b *beginning) builtElsewhere(repo checkout, workflow string, s *template.Setup) error {
	builder, file, ok := strings.Cut(workflow, "/.github/")
	if !ok {
		return usagef("--built-by: want OWNER/REPO/.github/workflows/NAME.yml, got " + workflow)
	}
	b.Elsewhere = &elsewhere{builder, "distgate init --into .github/" + file + " --released-by " + repo.name}
	s.Build = template.Build{Repository: builder, Workflow: ".github/" + file, Refs: []string{"refs/tags/v*"},
		Labels: []string{"ubuntu-24.04"}, Source: builder}
	return nil
}

// keep leaves each file as it is that is there already, and writes the others.
func (b *beginning) keep(repo checkout, files []template.File) error {
	for i, file := range files {
		was, err := repo.read(file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			b.change(file.Path, nil, file.Text)
		case err != nil:
			return err
		case !bytes.Equal(was, file.Text):
			if file.Path != template.Policy { // which is to be filled in, and then lived with
				b.Kept = append(b.Kept, fileChange{file.Path, string(was), string(file.Text)})
			}
			files[i].Text = was
		}
	}
	return nil
}

// updates lets a machine propose newer pins of the actions, unless one does already.
func (b *beginning) updates(repo checkout) error {
	for _, at := range []string{".github/dependabot.yml", ".github/dependabot.yaml", "renovate.json", "renovate.json5", ".renovaterc",
		".renovaterc.json", ".github/renovate.json", ".github/renovate.json5"} {
		was, err := repo.read(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && strings.Contains(at, "dependabot") && !bytes.Contains(was, []byte("github-actions")) {
			var entry string
			entry, err = template.UpdatesEntry()
			b.ToAdd = append(b.ToAdd, addition{at, `below "updates:"`, entry})
		}
		return err
	}
	file, err := template.Updates()
	b.change(file.Path, nil, file.Text)
	return err
}

// tell says what is set where no file can. A policy that is there already has the
// name of the project, and of each environment.
func (b *beginning) tell(s template.Setup, policy template.File) {
	var written policyFile
	if decodePolicy(policy.Path, policy.Text, &written) == nil {
		s.Project = cmp.Or(written.Project, s.Project)
	}
	owner, name, _ := strings.Cut(s.Repository, "/")
	settings := "https://github.com/" + s.Repository + "/settings/environments"
	for _, index := range s.Indexes {
		environment := cmp.Or(written.Index[index].Environment, index)
		b.Publishers = append(b.Publishers, publisher{publishingPage(index, s.Project), owner, name, path.Base(s.Workflow), environment})
		unreviewed := ""
		if written.Index[index].Votes != nil {
			unreviewed = "votes = 0 asks nobody"
		}
		b.Environment = append(b.Environment, gateOf{settings, environment, unreviewed, []string{s.Branch}})
	}
	if s.Registry != "" {
		b.Environment = append(b.Environment, gateOf{settings, cmp.Or(written.Withdraw.Environment, template.Withdrawing),
			"who takes a release back does not wait", []string{s.Branch}})
	}
}

// publishingPage is where an index is told who publishes.
func publishingPage(index, project string) string {
	host, ok := map[string]string{"pypi": "https://pypi.org", "testpypi": "https://test.pypi.org"}[index]
	switch {
	case !ok:
		return "the index " + index
	case project == "":
		return host + "/manage/projects/"
	}
	return host + "/manage/project/" + project + "/settings/publishing/"
}

// ownPin is distgate itself, at the commit that the workflows use: the one that
// is named, or else the one that this binary was built of.
func ownPin(named string) (string, error) {
	if named != "" {
		if !template.IsAction(named) {
			return "", usagef("--action: want OWNER/REPO@ and the 40 digits of a commit, got " + named)
		}
		return named, nil
	}
	info, _ := debug.ReadBuildInfo()
	if at, ok := pinOf(info); ok {
		return at, nil
	}
	return "", usagef("this distgate does not know the commit that it was built of (the checkout had changes, or " +
		"-buildvcs=false is set); name the action that the workflows use with --action OWNER/REPO@COMMIT, all 40 digits of it: " +
		"in a checkout of distgate, git rev-parse HEAD prints them")
}

// pinOf is the commit of a build of a clean checkout.
func pinOf(info *debug.BuildInfo) (string, bool) {
	if info == nil {
		return "", false
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	repository, ok := strings.CutPrefix(info.Main.Path, "github.com/")
	at := repository + "@" + set["vcs.revision"]
	return at, ok && set["vcs.modified"] == "false" && template.IsAction(at)
}

// checkout is the repository that init runs in.
type checkout struct {
	top    string // folder
	name   string // "owner/name" on GitHub
	branch string // that releases are started on
}

// findCheckout asks git where it is, what origin is called, and which branch is
// its default. It needs no network.
func findCheckout(ctx context.Context, f setupFlags) (checkout, error) {
	top, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return checkout{}, usagef("init writes into a git repository, and this folder is of none: git init")
	}
	c := checkout{top: top, name: f.repository, branch: "main"}
	if c.name == "" {
		remote, err := git(ctx, "remote", "get-url", "origin")
		if err != nil {
			return c, usagef("the repository has no remote origin to learn its name from: " +
				"git remote add origin https://github.com/OWNER/NAME, or --repository OWNER/NAME")
		}
		c.name = githubName(remote)
	}
	if !template.IsRepository(c.name) {
		return c, usagef("want a repository on GitHub as OWNER/NAME, got " + orNothing(c.name) + "; name it with --repository")
	}
	if head, err := git(ctx, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"); err == nil {
		c.branch = strings.TrimPrefix(head, "origin/")
	} else if head, err := git(ctx, "symbolic-ref", "--short", "HEAD"); err == nil {
		c.branch = head
	}
	return c, nil
}

// git runs a command of git in this folder, and returns its line.
func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	return strings.TrimSuffix(string(out), "\n"), err
}

var githubRemote = regexp.MustCompile(`^(?:https://(?:[^@/]+@)?github\.com/|ssh://git@github\.com/|git@github\.com:)([^/]+/[^/]+?)(?:\.git)?/?$`)

// githubName is "owner/name" of an address of GitHub, or nothing.
func githubName(remote string) string {
	if m := githubRemote.FindStringSubmatch(remote); m != nil {
		return m[1]
	}
	return ""
}

// below is a path as the repository has it.
func (c checkout) below(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); errors.Is(err, fs.ErrNotExist) {
		return "", c.noWorkflow(name)
	}
	if err != nil {
		return "", err
	}
	at, err := filepath.Rel(c.top, abs)
	if err != nil || !filepath.IsLocal(at) {
		return "", usagef(name + " is not a file of the repository " + c.top)
	}
	return filepath.ToSlash(at), nil
}

// read is what the repository has under a name. A link that leaves it is an error.
func (c checkout) read(at string) ([]byte, error) {
	file, err := os.OpenInRoot(c.top, filepath.FromSlash(at))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxPolicyFile+1))
}

// project is the name in pyproject.toml, if there is one.
func (c checkout) project() string {
	var file struct{ Project struct{ Name string } }
	raw, err := c.read("pyproject.toml")
	if err != nil || toml.Unmarshal(raw, &file) != nil {
		return ""
	}
	return file.Project.Name
}

// write writes each file that is still as it was read.
func (c checkout) write(changes []fileChange) error {
	for _, ch := range changes {
		was, err := c.read(ch.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if string(was) != ch.Was {
			return fmt.Errorf("%s was changed meanwhile; run init again", ch.Path)
		}
		if err := writeIn(c.top, filepath.FromSlash(ch.Path), []byte(ch.Text)); err != nil {
			return err
		}
	}
	return nil
}
