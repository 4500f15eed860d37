package world

import (
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// Trial is a release of somebody's own project, by what their policy says. In
// the world it has their names and ids, and files without their code.
type Trial struct {
	Project, Version string
	Names            []string // of the distributions
	Folder           string   // the release repository, with its policy

	Build, Publish Role
	Source         Role   // of it the repository and its branch
	Tag            string // of the version, at the source
	Lock           string // distgate.lock, where another repository builds than has the source

	Environment       string
	People            map[string]int64 // who may vote, GitHub's id by login
	Labels, Artifacts []string         // of the build
}

// Role is a workflow of a repository, and where it runs.
type Role struct{ Repository, RepositoryID, OwnerID, Workflow, Ref string }

// Running is what GitHub runs for a trial: the run that built, and the one that
// publishes, whose second job waits.
type Running struct {
	Build, Release int64
	Job            githubtest.Claims // the one that waits
}

// Stand puts the addresses of this world into a policy, as a table of TOML, and its
// index in the place of the one that is named. No other part of it is touched.
func (w *World) Stand(policy map[string]any, index string) {
	table := func(name string) map[string]any {
		t, ok := policy[name].(map[string]any)
		if !ok {
			t = map[string]any{}
			policy[name] = t
		}
		return t
	}
	table("build")["issuer"], table("publish")["issuer"] = w.at.github, w.at.github
	policy["root"] = []any{map[string]any{"file": "trusted_root.json"}}
	policy["sigstore"] = map[string]any{"fulcio": w.at.sigstore, "rekor": w.at.sigstore,
		"tsa": w.at.sigstore + "/api/v1/timestamp", "root": "trusted_root.json"}
	policy["github"] = map[string]any{"api": w.at.github}
	delete(policy, "store")
	if audit := table("audit"); audit["max-age"] != nil || len(audit) == 0 { // of settings that are not here, signed for another policy
		delete(policy, "audit")
	}
	at, _ := table("index")[index].(map[string]any)
	here := map[string]any{"environment": at["environment"],
		"upload": w.at.index + "/legacy/", "simple": w.at.index + "/simple/", "integrity": w.at.index + "/integrity/",
		"manage": w.at.index + "/manage/project/", "files": []any{}, "audience": IndexName, "patience": "30s",
		"max-file": "100 MB", "open": "336h"}
	if votes, written := at["votes"]; written { // 0: nobody is asked
		here["votes"] = votes
	}
	policy["index"] = map[string]any{IndexName: here}
}

// TrustedRoot is whose certificates are believed in this world.
func (w *World) TrustedRoot() []byte { return w.sigstore.TrustedRoot() }

// Try builds the release and starts the run that publishes it.
func (w *World) Try(r Trial) (Running, error) {
	for _, role := range []Role{r.Source, r.Build, r.Publish} {
		if err := w.own(role); err != nil {
			return Running{}, err
		}
	}
	tree, err := tree(r.Folder)
	if err != nil {
		return Running{}, err
	}
	source := w.land(r.Source, slices.Concat(r.has(tree, r.Source), sourcesOf(r.Project, r.Version)))
	w.github.PutTag(githubtest.Tag{Repository: r.Source.Repository, Name: r.Tag, Target: source, Tagger: "alice", Message: r.Tag, Date: tagged,
		Verification: githubtest.Verification{Verified: true, Signature: "-----BEGIN SSH SIGNATURE-----", Payload: "object " + source}})
	building := source
	if r.Build.Repository != r.Source.Repository {
		building = w.land(r.Build, append(r.has(tree, r.Build),
			githubtest.File{Path: "distgate.lock", Content: strings.ReplaceAll(r.Lock, "COMMIT", source)}))
	}
	publishing := building
	if r.Publish.Repository != r.Build.Repository {
		publishing = w.land(r.Publish, tree)
	}
	w.guard(r)
	if err := w.register(r); err != nil {
		return Running{}, err
	}
	run := Running{Job: r.Publish.job(publishing, r.Environment)}
	if run.Build, err = w.tryBuild(r, r.Build.job(building, "")); err != nil {
		return Running{}, err
	}
	w.runs[run.Job.RunID] = true
	run.Release = w.github.PutRun(githubtest.RunOf(run.Job, githubtest.Job{Name: "gate", Labels: r.Labels[:1]},
		githubtest.Job{Name: "publish " + r.Project + " " + r.Version, Environment: r.Environment, Status: "waiting"})).ID
	return run, nil
}

// has is what a role's repository has of the folder. The folder is the one that
// publishes: in another, a workflow of the same name is another workflow.
func (r Trial) has(tree []githubtest.File, role Role) []githubtest.File {
	return slices.DeleteFunc(slices.Clone(tree), func(f githubtest.File) bool {
		return role.Repository != r.Publish.Repository && strings.HasPrefix(f.Path, workflows)
	})
}

// own puts a repository on GitHub, with the ids that the policy has.
func (w *World) own(r Role) error {
	id, wrong := strconv.ParseInt(r.RepositoryID, 10, 64)
	owner, err := strconv.ParseInt(r.OwnerID, 10, 64)
	if err := errors.Join(wrong, err); err != nil {
		return err
	}
	name, _, _ := strings.Cut(r.Repository, "/")
	w.github.PutUser(githubtest.User{Login: name, ID: owner, Type: "Organization"})
	w.github.PutRepository(githubtest.Repository{Name: r.Repository, ID: id})
	return nil
}

// land commits files to the branch of the role, and to main, which has the policy.
func (w *World) land(r Role, files []githubtest.File) string {
	if !slices.ContainsFunc(files, func(f githubtest.File) bool { return f.Path == r.Workflow }) && r.Workflow != "" {
		files = append(slices.Clone(files), githubtest.File{Path: r.Workflow, Content: buildWorkflow})
	}
	commit := w.github.PutCommit(githubtest.Commit{Repository: r.Repository, Message: "Release", Files: files}).SHA
	for _, branch := range []string{"main", strings.TrimPrefix(r.Ref, "refs/heads/")} {
		if !strings.HasPrefix(branch, "refs/") {
			w.github.PutBranch(githubtest.Branch{Repository: r.Repository, Name: branch, SHA: commit, Protected: true})
		}
	}
	return commit
}

// register makes the publisher of the trial the only one of its project.
func (w *World) register(r Trial) error {
	publisher := pypitest.Publisher{Repository: r.Publish.Repository, OwnerID: r.Publish.OwnerID,
		Workflow: path.Base(r.Publish.Workflow), Environment: r.Environment}
	if stemOf(r.Project) != Project {
		return w.index.AddProject(r.Project, publisher)
	}
	return errors.Join(w.index.RemovePublisher(Project, w.Publisher()), w.index.AddPublisher(Project, publisher))
}

// guard makes the environment as init says that it should be.
func (w *World) guard(r Trial) {
	for _, login := range slices.Sorted(maps.Keys(r.People)) {
		w.github.PutUser(githubtest.User{Login: login, ID: r.People[login]})
	}
	w.github.PutEnvironment(githubtest.Environment{Repository: r.Publish.Repository, Name: r.Environment, PreventSelfReview: true,
		Reviewers: slices.Sorted(maps.Keys(r.People)), AdminBypass: githubtest.BypassForbidden,
		Policies: []githubtest.BranchPolicy{{Name: strings.TrimPrefix(r.Publish.Ref, "refs/heads/")}}})
}

// job is a job of the role's workflow, which nobody who votes started.
func (r Role) job(commit, environment string) githubtest.Claims {
	c := githubtest.ReleaseJob(r.Repository, path.Base(r.Workflow), r.Ref, environment)
	c.RepositoryID, c.RepositoryOwnerID, c.EventName = r.RepositoryID, r.OwnerID, "workflow_dispatch"
	if strings.HasPrefix(r.Ref, "refs/tags/") {
		c.EventName = "push"
	}
	c.SHA, c.WorkflowSHA, c.JobWorkflowSHA = commit, commit, commit
	return started(c)
}

// tryBuild is the run that makes the files, in artifacts of the names that the
// policy takes.
func (w *World) tryBuild(r Trial, job githubtest.Claims) (int64, error) {
	dir, err := os.MkdirTemp("", "trial-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	w.runs[job.RunID] = true
	jobs := []githubtest.Job{}
	artifacts := make([][]string, max(1, len(r.Artifacts)))
	for i, name := range r.Names {
		f, err := imitated(r.Project, r.Version, name)
		if err != nil {
			return 0, err
		}
		if err := w.write(dir, job, f); err != nil {
			return 0, err
		}
		at := filepath.Join(dir, name)
		artifacts[i%len(artifacts)] = append(artifacts[i%len(artifacts)], at, BundleOf(at))
		jobs = append(jobs, githubtest.Job{Name: "build " + name, Labels: r.Labels[:1], Runner: githubtest.Hosted(int64(i + 1))})
	}
	run := w.github.PutRun(githubtest.RunOf(job, jobs...)).ID
	for i, paths := range artifacts {
		name := "dist"
		if len(r.Artifacts) > 0 {
			name = strings.ReplaceAll(r.Artifacts[i], "*", "x")
		}
		if err := w.upload(run, name, paths...); err != nil {
			return 0, err
		}
	}
	return run, nil
}

// imitated is a distribution of that name, with widget's code under another name.
func imitated(project, version, name string) (File, error) {
	stem := stemOf(project) + "-" + version
	if strings.HasSuffix(name, ".tar.gz") {
		raw, err := tarred(stem+"/", renamed(project, sdistOf(version)))
		return File{name, raw}, describe(name, err)
	}
	tag := strings.TrimSuffix(strings.TrimPrefix(name, stem+"-"), ".whl")
	members := overwritten(wheelOf(version, tag), module(version, "any"))
	raw, err := zipped(recorded(renamed(project, members)))
	return File{name, raw}, describe(name, err)
}

// overwritten are the members, as the others of their paths are: what the source
// has, and so explains.
func overwritten(members, others []member) (all []member) {
	for _, m := range members {
		if i := slices.IndexFunc(others, func(o member) bool { return o.path == m.path }); i >= 0 {
			m = others[i]
		}
		all = append(all, m)
	}
	return all
}

// sourcesOf are the files of the project that its distributions are made of.
func sourcesOf(project, version string) (files []githubtest.File) {
	for _, m := range renamed(project, sdistOf(version)) {
		if m.path != "PKG-INFO" {
			files = append(files, githubtest.File{Path: m.path, Content: m.body})
		}
	}
	return files
}

// stemOf is how the names of a project's files begin.
func stemOf(project string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(project) }

func renamed(project string, members []member) (all []member) {
	as := strings.NewReplacer(Project, stemOf(project))
	for _, m := range members {
		all = append(all, member{as.Replace(m.path), as.Replace(m.body)})
	}
	return all
}

// tree is what a folder has for a commit: the policy, what stands beside it, and
// the workflows.
func tree(dir string) ([]githubtest.File, error) {
	files, err := PolicyFiles(dir)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, workflows, "*.y*ml"))
	if err != nil {
		return nil, err
	}
	for _, at := range paths {
		raw, err := os.ReadFile(at)
		if err != nil {
			return nil, err
		}
		files = overlaid(files, []githubtest.File{{Path: workflows + filepath.Base(at), Content: string(raw)}})
	}
	return files, nil
}
