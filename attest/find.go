package attest

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Found is what lies at some paths: distributions, bundle files, and the rest.
// Nothing has been opened yet.
type Found struct {
	Distributions []string // paths of wheels and sdists
	Others        []string // paths of files that are neither, which nobody looked at

	bundles []string        // paths of bundle files
	named   map[string]bool // of those, the ones that the user named
	strays  map[string]bool // and those that only lie in the same folder as a file that was named
}

// bundleSuffixes are the endings by which bundle files are known: Sigstore's,
// PEP 740's (as twine and uv find them), and JSON lines as gh downloads them.
var bundleSuffixes = []string{".sigstore.json", ".sigstore", ".attestation", ".provenance", ".jsonl"}

// IsBundleFile tells from the ending alone whether a file means to hold bundles.
func IsBundleFile(name string) bool {
	return slices.ContainsFunc(bundleSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// BundleFiles are bundle files by their paths, each with the bundles in it.
type BundleFiles map[string][]Bundle

// About picks the bundles of the file at the path: all that lie beside it under
// its name (PATH.sigstore.json and the like), which must answer for it, and of
// the others those that claim to be about it.
func (files BundleFiles) About(path string, f dist.File) (chosen []Bundle) {
	for _, source := range slices.Sorted(maps.Keys(files)) {
		for _, b := range files[source] {
			if strings.HasPrefix(source, path+".") || b.Names(f) {
				chosen = append(chosen, b)
			}
		}
	}
	return chosen
}

// changed refuses a file of which some bundle knows other bytes. It is what is
// wrong with a damaged file, before how that shows inside.
func (files BundleFiles) changed(f dist.File) rule.Refusals {
	for _, source := range slices.Sorted(maps.Keys(files)) {
		for _, b := range files[source] {
			if no := b.covers(f.Name(), f.Digest()); !f.IsZero() && len(no) > 0 && no[0].Rule == rule.SubjectDigest {
				return no
			}
		}
	}
	return nil
}

// Find lists the distributions at the paths: a file, or every file of a folder
// (not of folders in it), with the bundle files that lie in the same folders
// and those that are named as bundles. Any file named is taken for a
// distribution, unless it ends as a bundle does; in a folder the others are
// listed.
func Find(paths, bundles []string) (*Found, error) {
	f := &Found{named: map[string]bool{}, strays: map[string]bool{}}
	folders := map[string]bool{}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, rule.Refusals{{File: path, Rule: rule.CandidateMissing,
				Want: "a wheel, an sdist, or a folder of them", Got: "nothing", Hint: "correct the path"}}
		case err != nil:
			return nil, err
		case info.IsDir():
			err = f.folder(path)
			folders[filepath.Clean(path)] = true
		case IsBundleFile(path):
			bundles = append(bundles, path)
		default:
			f.Distributions = append(f.Distributions, filepath.Clean(path))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, path := range f.Distributions {
		if dir := filepath.Dir(path); !folders[dir] {
			folders[dir] = true
			if err := f.besides(dir); err != nil {
				return nil, err
			}
		}
	}
	for _, path := range bundles {
		path = filepath.Clean(path)
		f.bundles, f.named[path] = append(f.bundles, path), true
		delete(f.strays, path)
	}
	for _, list := range []*[]string{&f.Distributions, &f.bundles, &f.Others} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return f, nil
}

func (f *Found) folder(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case IsBundleFile(e.Name()):
			f.bundles = append(f.bundles, path)
		case dist.IsDistribution(e.Name()):
			f.Distributions = append(f.Distributions, path)
		default:
			f.Others = append(f.Others, path)
		}
	}
	return err
}

// besides adds the bundle files of a folder whose distributions were named one
// by one.
func (f *Found) besides(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !IsBundleFile(path) {
			continue
		}
		f.bundles = append(f.bundles, path)
		f.strays[path] = !slices.ContainsFunc(f.Distributions, func(d string) bool {
			return strings.HasPrefix(path, d+".")
		})
	}
	return err
}

// Take makes a distribution ours: it hashes the file at the path, and opens it.
// A file that was hashed is returned even where opening it is refused.
type Take func(ctx context.Context, path string) (dist.File, dist.Info, error)

// Collect takes every distribution found and joins it with its bundles: those
// beside it under its name, and of the others those that claim to be about it.
// What cannot be read as what it is becomes a candidate with its refusals, so
// that no verdict can leave it out; where its own bundle knows other bytes under
// its name, that is said first. A file that has no bundle but one beside it that
// cannot be read is refused for that. Files are taken in parallel.
func (f *Found) Collect(ctx context.Context, take Take) ([]Candidate, error) {
	bundles, bad, err := f.parse()
	if err != nil {
		return nil, err
	}
	taken := make([]Candidate, len(f.Distributions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range f.Distributions {
		group.Go(func() error {
			file, info, err := take(ctx, path)
			if errors.As(err, &taken[i].Refused) {
				taken[i].Refused = append(bundles.changed(file), taken[i].Refused...)
				return nil
			}
			taken[i].File, taken[i].Info = file, info
			taken[i].Bundles = f.about(path, file, bundles)
			return err
		})
	}
	err = group.Wait()
	return append(f.unread(taken, bad), taken...), err
}

// unread are candidates for the bundle files that could not be read, with nothing but
// their refusals. One that is all that a distribution has beside it is that one's own.
func (f *Found) unread(taken []Candidate, bad map[string]rule.Refusals) (candidates []Candidate) {
	for i, path := range f.Distributions {
		c := &taken[i]
		for _, source := range slices.Sorted(maps.Keys(bad)) {
			if len(c.Bundles)+len(c.Refused) == 0 && strings.HasPrefix(source, path+".") {
				c.Refused = about(filepath.Base(path), bad[source])
				delete(bad, source)
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(bad)) {
		candidates = append(candidates, Candidate{Refused: bad[source]})
	}
	return candidates
}

// parse reads every bundle file, and says of the bad ones why they are refused.
func (f *Found) parse() (BundleFiles, map[string]rule.Refusals, error) {
	parsed := make([][]Bundle, len(f.bundles))
	refused := make([]rule.Refusals, len(f.bundles))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range f.bundles {
		group.Go(func() error {
			var err error
			if parsed[i], err = readBundles(path); errors.As(err, &refused[i]) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	bundles, bad := BundleFiles{}, map[string]rule.Refusals{}
	for i, path := range f.bundles {
		bundles[path] = parsed[i]
		if f.strays[path] && len(refused[i]) > 0 {
			f.Others = append(f.Others, path)
		} else if len(refused[i]) > 0 {
			bad[path] = refused[i]
		}
	}
	return bundles, bad, nil
}

// OpenRegular opens a file to be judged. What is no regular file, where opening
// could wait for ever or reading never end, is refused.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, rule.Refusals{{File: filepath.Base(path), Rule: rule.CandidateRegular, Want: "a regular file",
			Got: info.Mode().Type().String(), Hint: "take it out of the folder"}}
	}
	return os.Open(path)
}

func readBundles(path string) ([]Bundle, error) {
	file, err := OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, rule.Refusals{{File: path, Rule: rule.BundleMissing, Want: "a bundle", Got: "nothing", Hint: "correct the path"}}
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ParseBundles(filepath.Base(path), file)
}

// about picks a file's bundles. One that the user named must answer for it
// where no other does.
func (f *Found) about(path string, file dist.File, bundles BundleFiles) []Bundle {
	chosen := bundles.About(path, file)
	if len(chosen) > 0 {
		return chosen
	}
	for _, source := range slices.Sorted(maps.Keys(bundles)) {
		if f.named[source] {
			chosen = append(chosen, bundles[source]...)
		}
	}
	return chosen
}
