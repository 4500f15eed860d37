package command

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/cmd/internal/report"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func newStage(s Streams) *cobra.Command {
	var f shared
	var from source
	var index, version string
	c := &cobra.Command{
		Use:   "stage [DIR]",
		Short: "Put a verified release into the store",
		Long: `Stage takes the distributions of a folder, or with --run those that workflow
runs uploaded as artifacts, hashes them into the store, verifies their SLSA
provenance under the policy, and makes one release of all of them: an OCI artifact
whose digest is what people vote for. One file that is refused refuses the
release; nothing is left out unless the policy says so.

    distgate stage dist
    distgate stage --run 12169989787
    distgate stage --run 12169989787 --run 12170000001
    distgate stage --onto 2.4.0 --run 12170000001

Of several runs the later wins where both have a file, and all must be of one
source commit. With --onto the files of the runs are added to a release that is
published: its files stay as they are, and all are voted for again. With --version
the release must be of that version, and where neither a folder nor a run is named,
the newest run is taken that built it: of its tag, or of a commit whose distgate.lock
declares it. Otherwise, in a job of the build repository, the job's own run is taken.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			from.dirs = args
			if version != "" {
				var err error
				if from.version, err = dist.ParseVersion(version); err != nil {
					return usageError{err}
				}
			}
			return runStage(c.Context(), s, f, from, index)
		},
	}
	f.bind(c)
	c.Flags().StringArrayVar(&from.runs, "run", nil, "take the artifacts of this run, by its `ID` or address (repeatable)")
	c.Flags().StringVar(&version, "version", "", "the `VERSION` that the release must be of")
	c.Flags().StringVar(&from.onto, "onto", "", "add the runs' files to this published `RELEASE`")
	c.Flags().StringVar(&index, "index", "", "the index to release to, by its `NAME` in the policy")
	return c
}

// source is where the files of a release come from: a folder, or workflow runs.
type source struct {
	dirs, runs []string
	version    dist.Version // that they must be of; zero is any
	onto       string       // the published release that the runs' files are added to
}

// in is the source, which is found where none is named: by the version, or else
// it is the own run of a job of the build repository.
func (from source) in(ctx context.Context, s Streams, p policy) (_ source, err error) {
	switch {
	case len(from.dirs)+len(from.runs) > 0:
	case !from.version.IsZero():
		if from.runs, err = p.findRun(ctx, s, from.version); err != nil {
			return from, err
		}
	case s.Env("GITHUB_REPOSITORY") == p.table.Build.Repository && s.Env("GITHUB_RUN_ID") != "":
		from.runs = []string{s.Env("GITHUB_RUN_ID")}
	}
	if len(from.dirs) > 0 && len(from.runs) > 0 {
		return from, usagef("stage takes a folder, or runs with --run, and not both")
	}
	if len(from.dirs)+len(from.runs) == 0 {
		return from, usagef("say what to stage: a folder, or runs with --run, or the run of a version with --version")
	}
	if from.onto != "" && len(from.runs) == 0 {
		return from, usagef("--onto adds files of runs: name them with --run")
	}
	return from, nil
}

func runStage(ctx context.Context, s Streams, f shared, from source, index string) error {
	p, err := openPolicy(ctx, s, f)
	if err != nil {
		return err
	}
	if from, err = from.in(ctx, s, p); err != nil {
		return err
	}
	if index, err = p.indexName(index); err != nil {
		return err
	}
	must, err := p.demands(s, index)
	if err != nil {
		return err
	}
	store, err := p.openStore(s, f)
	if err != nil {
		return err
	}
	verifier, err := p.judging(s)
	if err != nil {
		return err
	}
	var staged staging.Release
	var old onto
	if len(from.runs) > 0 {
		staged, old, err = p.stageRuns(ctx, s, store, must, verifier, from)
	} else {
		staged, err = p.stageFolder(ctx, s, store, must, verifier, from.dirs[0])
	}
	if err == nil {
		err = from.mustBe(staged.Manifest)
	}
	if err != nil {
		return err
	}
	p.warnOfEnvironment(ctx, s, index)
	p.warnOfRun(ctx, s)
	if err := inActions(s).outputs(releaseOutputs(staged.Digest, staged.Manifest)); err != nil {
		return err
	}
	return showStaged(s, f, staged, old)
}

func (p policy) stageFolder(ctx context.Context, s Streams, store *staging.Store, must staging.Policy, v *attest.Verifier, dir string) (staging.Release, error) {
	if info, err := os.Stat(dir); err != nil {
		return staging.Release{}, err
	} else if !info.IsDir() {
		return staging.Release{}, usagef("stage takes a folder, so that nothing of a release is forgotten")
	}
	found, err := attest.Find([]string{dir}, nil)
	if err != nil {
		return staging.Release{}, err
	}
	found, refused := leaveOut(found, must)
	bar := startProgress(s, "copied", totalSize(found.Distributions))
	candidates, err := found.Collect(ctx, func(ctx context.Context, path string) (dist.File, dist.Info, error) {
		return putFile(ctx, store, path, bar)
	})
	if err != nil {
		return staging.Release{}, err
	}
	if len(refused) > 0 {
		candidates = append(candidates, attest.Candidate{Refused: refused})
	}
	verdict, err := v.Verify(ctx, must.Build, candidates)
	if err != nil {
		return staging.Release{}, err
	}
	if err := p.guardBuilt(ctx, s, verdict); err != nil {
		return staging.Release{}, err
	}
	staged, err := staging.Stage(ctx, store, must, verdict)
	if err == nil {
		bar.finish()
	}
	return staged, err
}

// leaveOut takes out what the policy names, and refuses every other file that
// is neither a distribution nor a bundle.
func leaveOut(found *attest.Found, must staging.Policy) (*attest.Found, rule.Refusals) {
	keep, no := *found, rule.Refusals(nil)
	keep.Distributions = slices.DeleteFunc(slices.Clone(found.Distributions), func(path string) bool {
		_, out := must.LeavesOut(filepath.Base(path))
		return out
	})
	for _, path := range found.Others {
		name := filepath.Base(path)
		if _, out := must.LeavesOut(name); !out {
			no = append(no, rule.Refusal{File: name, Rule: rule.FileUnknown, Want: "wheels, sdists and their bundles alone",
				Got: "a file that is neither", Hint: "take it out of the folder, or add a [[build.leave-out]] to the policy, with files = " +
					strconv.Quote(literal(name)) + " and a reason"})
		}
	}
	return &keep, no
}

// literal is a pattern that matches the name alone, whatever is in it.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// putFile copies a distribution into the store, and opens it there.
func putFile(ctx context.Context, store *staging.Store, path string, bar *progress) (dist.File, dist.Info, error) {
	source, err := attest.OpenRegular(path)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	defer source.Close()
	file, err := store.Blobs().Put(ctx, bar.reader(source), filepath.Base(path), dist.MaxSize)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	blob, err := store.Blobs().ReaderAt(file)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	defer blob.Close()
	info, err := dist.Inspect(blob, file)
	return file, info, err
}

// showStaged says what was staged, and of a published release that files were added
// to, how long the index takes them.
func showStaged(s Streams, f shared, staged staging.Release, old onto) error {
	m := staged.Manifest
	if f.json {
		return emit(s.Out, struct {
			Release  dist.Digest      `json:"release"`
			Manifest staging.Manifest `json:"manifest"`
			Closes   time.Time        `json:"closes,omitzero"`
		}{staged.Digest, m, old.closes})
	}
	p := printer{s.Out}
	p.line("staged     %s %s for index %s: %s, %s", m.Project, m.Version, m.Index, plural(len(m.Files), "file"), bytesText(bytesOf(m.Files)))
	p.field("release", staged.Digest.String())
	p.field("source", m.Source.Repository)
	p.field("commit", m.Source.Commit+" ("+m.Source.Ref+")")
	if m.Origin.Onto != "" {
		p.field("added to", m.Origin.Onto)
		p.field("the index", report.Window(old.closes, s.Now()))
	}
	p.field("next", "distgate review "+short(staged.Digest)+f.again())
	return nil
}

// bytesOf is how many bytes the files have together.
func bytesOf(files []staging.File) (total int64) {
	for _, f := range files {
		total += f.Size
	}
	return total
}
