package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging"
)

func newInit(s Streams) *cobra.Command {
	var file, source string
	var asJSON bool
	var f setupFlags
	c := &cobra.Command{
		Use:   "init",
		Short: "Begin: the workflows and the policy of a release repository",
		Long: `Init writes what a release repository needs: the workflow that releases, a policy
with lines to fill in, CODEOWNERS, dependabot.yml; and it edits the workflow that builds. It shows
the change as one diff, and makes it with --write. Then it says what only people
can do: the settings of PyPI and of the environment. It asks nothing, and needs no
network. One of these says where the files are built:

    distgate init --into .github/workflows/wheels.yml  in this repository
    distgate init --built-by acme/widget/.github/workflows/wheels.yml
    distgate init --all-in-one                         where they are released

In a repository that builds and does not publish, only the build is edited:

    distgate init --into .github/workflows/wheels.yml --released-by acme/release

With --files-from it finds out which files a release has, from the files that are
there: a folder's, those of a release on an index, or those that a workflow run
left behind. Alone it prints the policy's [files] table and writes nothing.

    distgate init --files-from dist
    distgate init --files-from pypi:numpy==2.4.2
    distgate init --files-from https://github.com/acme/widget/actions/runs/1216

An index other than pypi and testpypi is one of the policy's, by its name there.
The names alone are read. They prove nothing: the table is what you say.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runInit(c.Context(), s, f, file, source, asJSON)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&source, "files-from", "", "a `SOURCE` of file names: DIR, INDEX:PROJECT==VERSION, or a run's address")
	c.Flags().StringVar(&file, "policy", defaultPolicy, "the policy `FILE`, for what it says of indexes and GitHub")
	c.Flags().BoolVar(&asJSON, "json", false, "print the facts as JSON")
	return c
}

func (f *setupFlags) bind(c *cobra.Command) {
	c.Flags().StringVar(&f.into, "into", "", "edit this `WORKFLOW`, which builds: it attests, and publishes no more")
	c.Flags().StringVar(&f.releasedBy, "released-by", "", "the `REPOSITORY` that publishes, if it is not this one")
	c.Flags().StringVar(&f.builtBy, "built-by", "", "the `WORKFLOW` of another repository that builds, as OWNER/NAME/.github/workflows/FILE")
	c.Flags().BoolVar(&f.allInOne, "all-in-one", false, "one workflow builds and publishes")
	c.Flags().StringVar(&f.action, "action", "", "distgate's `ACTION` at a commit, as OWNER/NAME@COMMIT (default: what this binary was built of)")
	c.Flags().StringVar(&f.repository, "repository", "", "this `REPOSITORY` on GitHub (default: what the remote origin says)")
	c.Flags().StringVar(&f.project, "project", "", "the project's `NAME` on the index (default: what pyproject.toml says)")
	c.Flags().StringArrayVar(&f.indexes, "index", []string{"pypi"}, "an index to release to, by `NAME` (repeatable)")
	c.Flags().StringVar(&f.registry, "registry", "", "keep releases in this OCI `REGISTRY`, as ghcr.io/acme/staging")
	c.Flags().BoolVar(&f.mirror, "mirror", false, "copy each release to GitHub too")
	c.Flags().StringArrayVar(&f.owners, "owner", nil, "`WHO` must look at changes of the gate, as @acme/release (repeatable)")
	c.Flags().BoolVar(&f.write, "write", false, "write the files, and not the diff alone")
}

func runInit(ctx context.Context, s Streams, f setupFlags, file, source string, asJSON bool) error {
	if source == "" && !f.begins() {
		return usagef("say where the files are built, with --into, --built-by or --all-in-one; or with --files-from whose files they are")
	}
	set, table, err := tableOf(ctx, s, file, source)
	switch {
	case err != nil:
		return err
	case f.begins():
		return runBegin(ctx, s, f, string(table), asJSON)
	case asJSON:
		return emit(s.Out, set)
	}
	_, err = s.Out.Write(table)
	return err
}

// tableOf is the [files] table of what the source has; nothing of no source.
func tableOf(ctx context.Context, s Streams, file, source string) (staging.FileSet, []byte, error) {
	if source == "" {
		return staging.FileSet{}, nil, nil
	}
	names, err := namesFrom(ctx, s, file, source)
	if err != nil {
		return staging.FileSet{}, nil, err
	}
	files, err := parseNames(names)
	if err != nil {
		return staging.FileSet{}, nil, err
	}
	return describeFiles(files)
}

func runBegin(ctx context.Context, s Streams, f setupFlags, files string, asJSON bool) error {
	b, err := begin(ctx, f, files)
	if err != nil {
		return err
	}
	if asJSON {
		return emit(s.Out, b)
	}
	printer{s.Out}.beginning(b)
	return nil
}
