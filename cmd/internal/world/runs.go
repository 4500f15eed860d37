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
	dir, err := os.MkdirTemp("", "widget-build-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	job := w.BuildJob(version)
	w.runs[job.RunID] = true
	if err := w.Build(dir, version); err != nil {
		return 0, err
	}
	bundles, err := filepath.Glob(filepath.Join(dir, "*.sigstore.json"))
	if err != nil {
		return 0, err
	}
	var jobs []githubtest.Job
	for i := range bundles {
		one := githubtest.Job{Name: "build (" + strconv.Itoa(i) + ")", Runner: githubtest.Hosted(int64(1000018028 + i))}
		if i < len(runners) {
			one.Runner = runners[i]
		}
		jobs = append(jobs, one)
	}
	run := w.github.PutRun(githubtest.RunOf(job, jobs...))
	for i, bundle := range bundles {
		if err := w.upload(run.ID, "dist-"+strconv.Itoa(i), strings.TrimSuffix(bundle, ".sigstore.json"), bundle); err != nil {
			return 0, err
		}
	}
	return run.ID, nil
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
