package world

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/distgate/distgate/workflows/githubtest"
)

// BuildRun is the run that builds a version: one job for each distribution, each
// on a runner of its own, and each with an artifact that holds the distribution
// and its bundle. It returns the run's id.
func (w *World) BuildRun(version string, runners ...githubtest.Runner) (int64, error) {
	return w.buildRun(w.BuildJob(version), runners, func(dir string) error { return w.Build(dir, version) })
}

// BranchRun is [World.BuildRun] of the main branch, whose commit for the version need
// not have a tag.
func (w *World) BranchRun(version string) (int64, error) {
	job := githubtest.ReleaseJob(Repository, workflow, "refs/heads/main", "")
	job.SHA = w.Source(version).SHA
	job.WorkflowSHA, job.JobWorkflowSHA = job.SHA, job.SHA
	job.RunID += strings.ReplaceAll(version, ".", "")
	job = started(job)
	return w.buildRun(job, nil, func(dir string) error { return w.build(job, dir, version) })
}

// OwnBuild builds a version in the very run that publishes it, as a project does whose
// one workflow does all: an artifact "dist", and an attestation for each file. It leaves
// the files in the folder.
func (w *World) OwnBuild(dir, version string) error {
	job := w.PublishJob()
	job.Environment, job.EnvironmentNodeID = "", ""
	run, err := strconv.ParseInt(job.RunID, 10, 64)
	if err != nil {
		return err
	}
	if err := w.build(job, dir, version); err != nil {
		return err
	}
	bundles, err := filepath.Glob(filepath.Join(dir, "*.sigstore.json"))
	if err != nil {
		return err
	}
	var files []string
	for _, bundle := range bundles {
		raw, err := os.ReadFile(bundle)
		if err != nil {
			return err
		}
		if _, err := w.github.PutAttestation(githubtest.Attestation{Repository: job.Repository, Bundle: raw}); err != nil {
			return err
		}
		if err := os.Remove(bundle); err != nil {
			return err
		}
		files = append(files, strings.TrimSuffix(bundle, ".sigstore.json"))
	}
	return w.upload(run, "dist", files...)
}

// LateRun is another run at the version's commit, which builds one wheel more, of
// a tag such as "cp313-cp313-win_amd64".
func (w *World) LateRun(version, tag string) (int64, error) {
	job := w.BuildJob(version)
	job.RunID += "1"
	return w.buildRun(job, nil, func(dir string) error { return w.buildWheel(job, dir, version, tag) })
}

func (w *World) buildRun(job githubtest.Claims, runners []githubtest.Runner, build func(dir string) error) (int64, error) {
	dir, err := os.MkdirTemp("", "widget-build-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	run, err := w.uploadedRun(job, dir, runners, build)
	return run.ID, err
}

// BuildRunIn is [World.BuildRun] with the files in a folder, where they stay.
func (w *World) BuildRunIn(dir, version string) (githubtest.Run, error) {
	return w.uploadedRun(w.BuildJob(version), dir, nil, func(dir string) error { return w.Build(dir, version) })
}

// checks are the jobs of a build that make nothing.
func checks() []string {
	return []string{"lint", "test (3.8, ubuntu)", "test (3.14, ubuntu)", "test (3.8, macos)", "test (3.14, macos)",
		"test (3.8, windows)", "test (3.14, windows)", "docs"}
}

func (w *World) uploadedRun(job githubtest.Claims, dir string, runners []githubtest.Runner, build func(dir string) error) (run githubtest.Run, err error) {
	w.runs[job.RunID] = true
	if err := build(dir); err != nil {
		return run, err
	}
	bundles, err := filepath.Glob(filepath.Join(dir, "*.sigstore.json"))
	if err != nil {
		return run, err
	}
	var jobs []githubtest.Job
	for i := range bundles {
		one := githubtest.Job{Name: "build (" + strconv.Itoa(i) + ")", Runner: githubtest.Hosted(int64(1000018028 + i))}
		if i < len(runners) {
			one.Runner = runners[i]
		}
		jobs = append(jobs, one)
	}
	for i, name := range checks() {
		jobs = append(jobs, githubtest.Job{Name: name, Runner: githubtest.Hosted(int64(1000019000 + i))})
	}
	run = w.github.PutRun(githubtest.RunOf(job, jobs...))
	for i, bundle := range bundles {
		if err := w.upload(run.ID, "dist-"+strconv.Itoa(i), strings.TrimSuffix(bundle, ".sigstore.json"), bundle); err != nil {
			return run, err
		}
	}
	return run, nil
}

// upload makes an artifact of files, as upload-artifact does.
func (w *World) upload(run int64, name string, paths ...string) error {
	var members []githubtest.Member
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		members = append(members, githubtest.Member{Name: filepath.Base(path), Content: string(raw)})
	}
	zip, err := githubtest.Zip(members...)
	if err != nil {
		return err
	}
	_, err = w.github.PutArtifact(githubtest.Artifact{Run: run, Name: name, Blob: zip, Size: zip.Size()})
	return err
}
