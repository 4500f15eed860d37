package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func newFetch(s Streams) *cobra.Command {
	var f shared
	var to string
	var tags []string
	c := &cobra.Command{
		Use:   "fetch RELEASE",
		Short: "Write out the files of a staged release, to try them",
		Long: `Fetch proves a staged release again, byte by byte, and writes its files into a
folder: the very bytes that a vote is for, to try them before voting. --tag takes
those alone that a word of the policy's [files] is for:

    distgate fetch 1.0 --tag cp313-macosx_arm64
    distgate fetch 1.0 --tag sdist --to ~/try

A file that is there already stays, and if it holds other bytes it is refused.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			files, err := tagged(r.staged.Manifest(), tags)
			if err != nil {
				return err
			}
			if to == "" {
				to = r.staged.Manifest().Project + "-" + r.staged.Manifest().Version
			}
			if err := r.fetch(c.Context(), s, files, to); err != nil {
				return err
			}
			return r.showFetched(s, files, to)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&to, "to", "", "the `DIR` to write to (default PROJECT-VERSION)")
	c.Flags().StringArrayVar(&tags, "tag", nil, "only what this `WORD` is for, as cp313-macosx_arm64 (repeatable)")
	return c
}

// tagged are the files that one of the words is for; without a word all.
func tagged(m staging.Manifest, words []string) ([]staging.File, error) {
	if len(words) == 0 {
		return m.Files, nil
	}
	var files []staging.File
	wanted := map[string]bool{}
	for _, file := range m.Files {
		name, err := dist.ParseFilename(file.Name)
		if err != nil {
			return nil, err
		}
		fits := false
		for _, word := range words {
			one, err := staging.Fits(word, name)
			if err != nil {
				return nil, usageError{err}
			}
			fits, wanted[word] = fits || one, wanted[word] || one
		}
		if fits {
			files = append(files, file)
		}
	}
	for _, word := range words {
		if !wanted[word] {
			return nil, usagef(fmt.Sprintf("no file of %s %s is for %s; see distgate review %s", m.Project, m.Version, word, m.Version))
		}
	}
	return files, nil
}

func (r release) fetch(ctx context.Context, s Streams, files []staging.File, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	bar := startProgress(s, "written", bytesOf(files))
	var no rule.Refusals
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.writeOut(file, to, bar)
		if refused := (rule.Refusals)(nil); errors.As(err, &refused) {
			no = append(no, refused...)
			continue
		}
		if err != nil {
			return err
		}
	}
	bar.finish()
	return no.Err()
}

// writeOut writes a file under a temporary name, and gives it its own when all
// of it is there and was hashed: by a link, which takes no other's place.
func (r release) writeOut(file staging.File, to string, bar *progress) error {
	source, err := r.staged.Reader(file.Name)
	if err != nil {
		return err
	}
	defer source.Close()
	temp, err := os.CreateTemp(to, ".distgate-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if _, err := io.Copy(temp, bar.reader(source)); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	path := filepath.Join(to, file.Name)
	if err := os.Link(temp.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sameFile(path, file)
}

// sameFile demands that what is there holds the bytes of the release.
func sameFile(path string, want staging.File) error {
	got, err := hashFile(path, want)
	if err == nil && got != want.Digest.String() {
		err = rule.Refusals{{File: path, Rule: rule.FileThere, Want: want.Digest.String(), Got: got,
			Hint: "move it out of the way, or name another folder"}}
	}
	return err
}

func hashFile(path string, want staging.File) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "something that is no file", nil
	case info.Size() != want.Size:
		return plural(int(info.Size()), "byte"), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	file, err := dist.Copy(io.Discard, f, want.Name, want.Size)
	return file.Digest().String(), err
}

func (r release) showFetched(s Streams, files []staging.File, to string) error {
	m := r.staged.Manifest()
	if r.flags.json {
		return emit(s.Out, struct {
			Release dist.Digest    `json:"release"`
			Folder  string         `json:"folder"`
			Files   []staging.File `json:"files"`
		}{r.staged.Digest(), to, files})
	}
	p := printer{s.Out}
	p.line("fetched    %s %s: %s of %d, in %s", m.Project, m.Version, plural(len(files), "file"), len(m.Files), to)
	p.field("release", r.staged.Digest().String())
	for _, file := range files {
		p.line("  %s", file.Name)
		p.line("    %s", file.Digest)
	}
	p.field("try", "pip install --no-index --find-links "+quoted(to)+" "+m.Project+"=="+m.Version)
	return nil
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
