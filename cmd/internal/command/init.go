package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func newInit(s Streams) *cobra.Command {
	var file, source string
	var asJSON bool
	c := &cobra.Command{
		Use:   "init --files-from SOURCE",
		Short: "Print the policy's [files] table for the files of a release",
		Long: `Init prints the table of the policy that says which files a release has, for
files that are there: to be read, and put into distgate.toml. SOURCE is a folder
of distributions, or a release on an index:

    distgate init --files-from dist
    distgate init --files-from pypi:numpy==2.4.2

An index other than pypi and testpypi is one of the policy's, by its name there.
The names alone are read. They prove nothing: the table is what you say.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			names, err := namesFrom(c.Context(), file, source)
			if err != nil {
				return err
			}
			files, err := parseNames(names)
			if err != nil {
				return err
			}
			set, text, err := describeFiles(files)
			if err != nil {
				return err
			}
			if asJSON {
				return emit(s.Out, set)
			}
			_, err = s.Out.Write(text)
			return err
		},
	}
	c.Flags().StringVar(&source, "files-from", "", "a `SOURCE` of file names: DIR, or INDEX:PROJECT==VERSION")
	c.Flags().StringVar(&file, "policy", defaultPolicy, "the policy `FILE`, for an index that it names")
	c.Flags().BoolVar(&asJSON, "json", false, "print the table as JSON")
	return c
}

// namesFrom lists the distributions of a folder, or of a release on an index.
func namesFrom(ctx context.Context, file, source string) (names []string, err error) {
	if index, release, ok := strings.Cut(source, ":"); ok {
		if project, version, ok := strings.Cut(release, "=="); ok {
			return namesOn(ctx, file, index, project, version)
		}
	}
	if source == "" {
		return nil, usagef("name the files with --files-from: a folder, or pypi:PROJECT==VERSION")
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() {
		return nil, usagef(source + " is a file; name the folder of all the release's files")
	}
	found, err := attest.Find([]string{source}, nil)
	if err != nil {
		return nil, err
	}
	for _, path := range found.Distributions {
		names = append(names, filepath.Base(path))
	}
	return names, nil
}

// namesOn asks an index. PyPI and TestPyPI need no policy, so that one can begin
// with their releases.
func namesOn(ctx context.Context, file, name, project, version string) ([]string, error) {
	p := policy{file: file, from: inFolder(filepath.Dir(file))}
	if name != "pypi" && name != "testpypi" {
		raw, err := p.read(ctx, filepath.Base(file))
		if err != nil {
			return nil, policyFault(err)
		}
		if err := decodePolicy(file, raw, &p.table); err != nil {
			return nil, usageError{err}
		}
		if name, err = p.indexName(name); err != nil {
			return nil, err
		}
	}
	index, err := p.index(name)
	if err != nil {
		return nil, err
	}
	normal, err := dist.NormalizeName(project)
	if err != nil {
		return nil, usageError{err}
	}
	v, err := dist.ParseVersion(version)
	if err != nil {
		return nil, usageError{err}
	}
	return publish.Names(ctx, index, normal, v)
}

// parseNames reads all of the names, and refuses all that are none.
func parseNames(names []string) (files []dist.Filename, err error) {
	var no rule.Refusals
	for _, name := range names {
		f, err := dist.ParseFilename(name)
		var refused rule.Refusals
		if errors.As(err, &refused) {
			no = append(no, refused...)
		} else if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, no.Err()
}
