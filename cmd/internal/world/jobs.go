package world

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// BuildJob is the job that builds and attests a version: of the tag, in the
// project's own repository, on a machine of GitHub's.
func (w *World) BuildJob(version string) githubtest.Claims {
	job := githubtest.ReleaseJob(Repository, workflow, "refs/tags/v"+version, "")
	job.SHA = w.Source(version).SHA
	job.WorkflowSHA, job.JobWorkflowSHA = job.SHA, job.SHA
	return started(job)
}

// started is a job of a run that dave started, who is asked for no vote.
func started(job githubtest.Claims) githubtest.Claims {
	job.Actor, job.ActorID = dave.Name, strconv.FormatInt(dave.GitHub, 10)
	return job
}

// PublishJob is the one job that the index takes files from: of the release
// repository's main branch, in the environment.
func (w *World) PublishJob() githubtest.Claims {
	job := githubtest.ReleaseJob(ReleaseRepository, workflow, "refs/heads/main", Environment)
	job.EventName = "workflow_dispatch"
	job.SHA, job.WorkflowSHA, job.JobWorkflowSHA = w.head, w.head, w.head
	if w.dispatched > 0 {
		job.SHA, job.WorkflowSHA, job.JobWorkflowSHA = w.began, w.began, w.began
		job.RunNumber = strconv.Itoa(w.dispatched)
		job.RunID += job.RunNumber
	}
	return started(job)
}

// WithdrawJob is the job that records withdrawals: of the release repository's main
// branch too, and of a workflow and an environment of its own.
func (w *World) WithdrawJob() githubtest.Claims {
	job := githubtest.ReleaseJob(ReleaseRepository, "withdraw.yml", "refs/heads/main", "withdraw")
	job.EventName = "workflow_dispatch"
	job.SHA, job.WorkflowSHA, job.JobWorkflowSHA = w.head, w.head, w.head
	job.RunID += "9"
	return started(job)
}

// Dispatch starts a new run of the release workflow, whose publishing job waits
// for the environment, and names the release as release.yml does.
// [World.PublishJob] is of that run from now on.
func (w *World) Dispatch(release ...string) githubtest.Run {
	w.dispatched, w.began = w.dispatched+1, w.head
	job := w.PublishJob()
	w.runs[job.RunID] = true
	return w.github.PutRun(githubtest.RunOf(job, githubtest.Job{Name: "gate"},
		githubtest.Job{Name: strings.Join(append([]string{"publish"}, release...), " "), Environment: job.Environment, Status: "waiting"}))
}

// Env starts a job and returns what it finds in its environment, as NAME=value.
// Its token may read what "permissions: actions: read, contents: read" lets it. If nobody put the
// job's run on GitHub, it is there from now on.
func (w *World) Env(job githubtest.Claims) []string {
	w.run(job)
	url, token := w.github.Job(job)
	return []string{
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + url,
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + token,
		"GITHUB_ACTIONS=true",
		"GITHUB_API_URL=" + w.at.github,
		"GITHUB_REPOSITORY=" + job.Repository,
		"GITHUB_RUN_ID=" + job.RunID,
		"GITHUB_TOKEN=" + w.github.AccessToken(githubtest.Access{Permissions: map[string]string{"actions": "read", "contents": "read", "issues": "write"}}),
	}
}

// run puts the run of a job on GitHub, once. A job with an environment has not
// ended.
func (w *World) run(job githubtest.Claims) {
	if w.runs[job.RunID] {
		return
	}
	w.runs[job.RunID] = true
	one := githubtest.Job{Name: "build"}
	if job.Environment != "" {
		one = githubtest.Job{Name: "publish", Environment: job.Environment, Status: "in_progress"}
	}
	w.github.PutRun(githubtest.RunOf(job, one))
}

// Build writes the distributions of a version into the folder, and beside each
// the bundle that the build job gets for it from actions/attest.
func (w *World) Build(dir, version string) error {
	return w.build(w.BuildJob(version), dir, version)
}

func (w *World) build(job githubtest.Claims, dir, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, err := Release(version)
	if err != nil {
		return err
	}
	return w.write(dir, job, files...)
}

// BuildWheel is [World.Build] for one wheel more, of a tag such as
// "cp313-cp313-win_amd64".
func (w *World) BuildWheel(dir, version, tag string) error {
	return w.buildWheel(w.BuildJob(version), dir, version, tag)
}

func (w *World) buildWheel(job githubtest.Claims, dir, version, tag string) error {
	f, err := wheel(version, tag)
	if err != nil {
		return err
	}
	return w.write(dir, job, f)
}

func (w *World) write(dir string, job githubtest.Claims, files ...File) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.WriteFile(path, f.Raw, 0o644); err != nil {
			return err
		}
		if err := w.Attest(path, job, job); err != nil {
			return err
		}
	}
	return nil
}

// Attest writes NAME.sigstore.json beside a file: the SLSA provenance that says
// of the file that the job "says" built it, in a bundle whose certificate is of
// the job "signer". An honest job is both.
func (w *World) Attest(path string, signer, says githubtest.Claims) error {
	w.run(signer)
	digest, err := hashed(path)
	if err != nil {
		return err
	}
	claims, err := w.token(says)
	if err != nil {
		return err
	}
	subject := sigstoretest.Subject{Name: filepath.Base(path), SHA256: digest}
	certified, err := w.token(signer)
	if err != nil {
		return err
	}
	bundle, err := w.sigstore.Sign(certified, sigstoretest.Provenance(claims, subject))
	if err != nil {
		return describe(path, err)
	}
	return os.WriteFile(BundleOf(path), bundle, 0o644)
}

// hashed is the SHA-256 of a file, as hexadecimal digits.
func hashed(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", describe(path, err)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// BundleOf is where the bundle of a file lies.
func BundleOf(path string) string { return path + ".sigstore.json" }

// token is what Sigstore is told of a job: its ID token's claims, by their names
// there.
func (w *World) token(job githubtest.Claims) (c sigstoretest.Claims, err error) {
	raw, err := json.Marshal(job)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(raw, &c)
	c.Issuer, c.Subject = w.github.Issuer(), job.Subject()
	return c, err
}

// Forgery is a way to come by a bundle that verifies and must not count.
type Forgery string

// Forgeries. What the bundle says of itself is true in all but the last two.
const (
	SelfHosted      Forgery = "self-hosted"      // built on somebody's own machine
	OtherRepository Forgery = "other-repository" // by the same workflow in a fork
	OtherWorkflow   Forgery = "other-workflow"   // by another file of the same repository
	OtherIDs        Forgery = "other-ids"        // by a repository that was made anew under the old name
	PullRequest     Forgery = "pull-request"     // before anybody merged it
	Branch          Forgery = "branch"           // of a branch where a tag was asked for

	LyingRunner Forgery = "lying-runner" // self-hosted; the provenance says it was not
	LyingCommit Forgery = "lying-commit" // of another commit than the provenance says
)

// forgeries say how the job that signs differs from the honest one, and whether
// the provenance says so.
var forgeries = map[Forgery]struct {
	signer func(honest githubtest.Claims) githubtest.Claims
	lies   bool
}{
	SelfHosted:      {signer: selfHosted},
	LyingRunner:     {signer: selfHosted, lies: true},
	OtherRepository: {signer: fork},
	PullRequest: {signer: func(c githubtest.Claims) githubtest.Claims {
		c = githubtest.ReleaseJob(c.Repository, workflow, "refs/pull/7/merge", "")
		c.EventName, c.RefProtected = "pull_request", "false"
		return c
	}},
	Branch: {signer: func(c githubtest.Claims) githubtest.Claims {
		return githubtest.ReleaseJob(c.Repository, workflow, "refs/heads/main", "")
	}},
	OtherWorkflow: {signer: func(c githubtest.Claims) githubtest.Claims {
		return githubtest.ReleaseJob(c.Repository, "nightly.yml", c.Ref, "")
	}},
	OtherIDs: {signer: func(c githubtest.Claims) githubtest.Claims {
		c.RepositoryID, c.RepositoryOwnerID = "900000001", "900000002"
		return c
	}},
	LyingCommit: {lies: true, signer: func(c githubtest.Claims) githubtest.Claims {
		c.SHA = strings.Repeat("6", 40)
		return c
	}},
}

func selfHosted(c githubtest.Claims) githubtest.Claims {
	c.RunnerEnvironment = "self-hosted"
	return c
}

func fork(c githubtest.Claims) githubtest.Claims {
	return githubtest.ReleaseJob("mallory/widget", workflow, c.Ref, "")
}

// Forgeries lists them all.
func Forgeries() []Forgery { return slices.Sorted(maps.Keys(forgeries)) }

// Forge replaces the bundle of a file that Build wrote.
func (w *World) Forge(path string, how Forgery) error {
	f, ok := forgeries[how]
	if !ok {
		return fmt.Errorf("no forgery is called %q", how)
	}
	version, err := versionOf(path)
	if err != nil {
		return err
	}
	honest := w.BuildJob(version)
	signer := f.signer(honest)
	if f.lies {
		return w.Attest(path, signer, honest)
	}
	return w.Attest(path, signer, signer)
}

// versionOf is the version in the name of one of the project's distributions.
func versionOf(path string) (string, error) {
	name := strings.TrimSuffix(filepath.Base(path), ".tar.gz")
	parts := strings.Split(name, "-")
	if len(parts) < 2 || parts[0] != Project {
		return "", fmt.Errorf("%s: not a distribution of %s", path, Project)
	}
	return parts[1], nil
}

// Rename gives a file and its bundle another name, as one who hopes that only
// the bytes are looked at.
func Rename(path, name string) error {
	to := filepath.Join(filepath.Dir(path), name)
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return os.Rename(BundleOf(path), BundleOf(to))
}
