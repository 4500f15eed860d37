package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// downloads is how many files are fetched from an index at once.
const downloads = 4

// means tells whether releases on an index are meant, and not files.
func (f fromIndex) means(args []string) bool {
	return f.requirements+f.index+f.download != "" || len(f.files) > 0 || slices.ContainsFunc(args, func(arg string) bool {
		_, err := os.Stat(arg)
		return strings.Contains(arg, "==") && errors.Is(err, fs.ErrNotExist)
	})
}

// verifyReleases verifies files of releases as an index serves them.
func (f signerFlags) verifyReleases(ctx context.Context, s Streams, from fromIndex, args []string) (verification, error) {
	j, index, err := f.judgeIndex(ctx, s, from)
	if err != nil {
		return verification{}, err
	}
	wanted, others, err := from.wanted(args, j.project)
	if err != nil {
		return verification{}, err
	}
	files, missing, err := offered(ctx, index, wanted)
	if err != nil {
		return verification{}, err
	}
	return index.verify(ctx, s, j, files, missing, others, from.download)
}

// onIndex is an index that is read.
type onIndex struct{ *publish.Index }

// judgeIndex is who must have published, and where the files are asked for. By a
// policy that is the one job that publishes; its index is the policy's too, unless
// another is named.
func (f signerFlags) judgeIndex(ctx context.Context, s Streams, from fromIndex) (judge, onIndex, error) {
	j, err := f.judge(ctx, s)
	if err != nil {
		return judge{}, onIndex{}, err
	}
	url := strings.Contains(from.index, "://")
	if f.policy == "" {
		simple := map[string]string{"": publish.PyPI().Simple, "pypi": publish.PyPI().Simple, "testpypi": publish.TestPyPI().Simple}
		if !url && simple[from.index] == "" {
			return judge{}, onIndex{}, usagef("--index is pypi, testpypi, or the URL of a simple API; other names need --policy")
		}
		if !url {
			from.index = simple[from.index]
		}
		index, err := from.reader()
		return j, index, err
	}
	p, err := loadPolicy(ctx, f.policy, cacheDir(s), s.Now())
	if err != nil {
		return judge{}, onIndex{}, err
	}
	named := from.index
	if url {
		named = ""
	}
	if named, err = p.indexName(named); err != nil {
		return judge{}, onIndex{}, err
	}
	publisher, err := p.publisher(named)
	if err != nil {
		return judge{}, onIndex{}, err
	}
	j.build = publisher.Policy()
	if url {
		index, err := from.reader()
		return j, index, err
	}
	index, err := p.index(named)
	return j, onIndex{index}, err
}

// reader is the index at a URL of the command line.
func (f fromIndex) reader() (onIndex, error) {
	index, err := publish.NewReader(f.index, f.files...)
	if no := (rule.Refusals)(nil); errors.As(err, &no) {
		return onIndex{}, usagef("--index and --index-files are https URLs, got " + no[0].Got)
	}
	return onIndex{index}, err
}

// offeredFile is a file that the index offers and that was asked for.
type offeredFile struct {
	publish.Offered
	project string
}

// offered are the files of the wanted releases. Whatever was asked for and is not
// on the index is refused.
func offered(ctx context.Context, index onIndex, wanted []requirement) (files []offeredFile, no rule.Refusals, err error) {
	for _, w := range wanted {
		list, err := publish.Offers(ctx, index.Index, w.project, w.version)
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 0 {
			no = append(no, notOffered(index, w.String(), "files of this release", w.hint()))
			continue
		}
		for i, o := range list {
			at := slices.IndexFunc(files, func(f offeredFile) bool { return f.Name == o.Name }) // a release can be asked for twice
			if i > 0 && o.Name == list[i-1].Name || at >= 0 && files[at].Digest != o.Digest {
				no = append(no, rule.Refusal{File: o.Name, Rule: rule.IndexAnswer, Want: "one file of this name on " + index.Name(),
					Got: "another, " + o.Digest.String(), Hint: "look at what answers as the index"})
				continue
			}
			if at < 0 && (len(w.hashes) == 0 || slices.Contains(w.hashes, o.Digest)) {
				files = append(files, offeredFile{o, w.project})
			}
		}
		for _, hash := range w.hashes {
			if !slices.ContainsFunc(list, func(o publish.Offered) bool { return o.Digest == hash }) {
				no = append(no, notOffered(index, w.String(), "a file of "+hash.String(), w.hint()))
			}
		}
	}
	return files, no, nil
}

func notOffered(index onIndex, file, want, hint string) rule.Refusal {
	return rule.Refusal{File: file, Rule: rule.ServedMissing, Want: want + " on " + index.Name(), Got: "nothing", Hint: hint}
}

// verify fetches the files, a few at once, and verifies them. Those that were
// verified are kept in a folder, if one is named.
func (x onIndex) verify(ctx context.Context, s Streams, j judge, files []offeredFile, missing rule.Refusals,
	others []string, keep string,
) (result verification, err error) {
	if keep != "" {
		if err := os.MkdirAll(keep, 0o755); err != nil {
			return verification{}, err
		}
	}
	temp, err := os.MkdirTemp(keep, ".distgate-*")
	if err != nil {
		return verification{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	candidates, err := x.candidates(ctx, s, j, files, temp, keep != "")
	if err != nil {
		return verification{}, err
	}
	for _, no := range missing {
		candidates = append(candidates, attest.Candidate{Refused: rule.Refusals{no}})
	}
	if result, err = j.judged(ctx, candidates, others); err != nil {
		return verification{}, err
	}
	for i, v := range result.Verified {
		at := slices.IndexFunc(files, func(f offeredFile) bool { return f.Name == v.File })
		result.Verified[i].Yanked = files[at].Yanked
		if keep == "" {
			continue
		}
		if err := keepFile(temp, keep, v); err != nil {
			return verification{}, err
		}
	}
	return result, nil
}

// candidates are the files with what the index has of provenance for them. One
// without is refused, and not downloaded.
func (x onIndex) candidates(ctx context.Context, s Streams, j judge, files []offeredFile, temp string, keep bool) ([]attest.Candidate, error) {
	total := int64(0)
	for _, f := range files {
		total += max(f.Size, 0)
	}
	bar := startProgress(s, "downloaded", total)
	candidates := make([]attest.Candidate, len(files))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(downloads)
	for i, f := range files {
		work.Go(func() (err error) {
			c := &candidates[i]
			c.File, c.Info, c.Bundles, err = x.candidate(ctx, j, f, filepath.Join(temp, f.Name), keep, bar)
			if errors.As(err, &c.Refused) {
				return nil
			}
			return err
		})
	}
	err := work.Wait()
	bar.finish()
	return candidates, err
}

// candidate fetches one file to a path, and takes it away again unless it is kept.
func (x onIndex) candidate(ctx context.Context, j judge, f offeredFile, path string, keep bool, bar *progress) (
	file dist.File, info dist.Info, bundles []attest.Bundle, err error,
) {
	if err := j.ofProject(f.Name, f.project); err != nil {
		return file, info, nil, err
	}
	if _, err := dist.ParseFilename(f.Name); err != nil {
		return file, info, nil, err
	}
	raw, bundles, err := x.Provenance(ctx, f.Offered)
	if err != nil {
		return file, info, nil, err
	}
	out, err := os.Create(path)
	if err != nil {
		return file, info, nil, err
	}
	defer out.Close()
	file, err = x.Download(ctx, f.Offered, func() (io.Writer, error) {
		_, err := out.Seek(0, io.SeekStart)
		return bar.writer(out), errors.Join(err, out.Truncate(0))
	})
	if err != nil {
		return file, info, nil, err
	}
	if info, err = dist.Inspect(out, file); err != nil {
		return file, info, nil, err
	}
	if !keep {
		return file, info, bundles, os.Remove(path)
	}
	return file, info, bundles, os.WriteFile(path+".provenance", raw, 0o644)
}

// keepFile gives a verified file its name in the folder, with its provenance. No
// other file's place is taken.
func keepFile(temp, keep string, v verifiedFile) error {
	for name, want := range map[string]staging.File{
		v.File:                 {Name: v.File, Digest: v.Digest, Size: v.Size},
		v.File + ".provenance": {},
	} {
		err := os.Link(filepath.Join(temp, name), filepath.Join(keep, name))
		if errors.Is(err, fs.ErrExist) && want.Name != "" {
			err = sameFile(filepath.Join(keep, name), want)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// requirement is one release that somebody wants, and of it the files with these
// hashes; without any, all.
type requirement struct {
	project string
	version dist.Version
	hashes  []dist.Digest
}

func (r requirement) String() string { return r.project + "==" + r.version.String() }

func (r requirement) hint() string {
	if len(r.hashes) > 0 {
		return "the index has no such file any more, or never had; find out where the hash is from"
	}
	return "see that project and version are right, and the index"
}

// wanted are the releases that were named, or the lines of a requirements file
// that are of the named projects, or of the policy's.
func (f fromIndex) wanted(args []string, project string) (wanted []requirement, others []string, err error) {
	if f.requirements == "" {
		for _, arg := range args {
			r, err := parseRequirement(arg)
			if err != nil {
				return nil, nil, err
			}
			wanted = append(wanted, r)
		}
		return wanted, nil, nil
	}
	named := map[string]bool{}
	for _, arg := range args {
		name, err := dist.NormalizeName(arg)
		if err != nil {
			return nil, nil, usagef("with -r, name projects of the file, got " + arg)
		}
		named[name] = true
	}
	if len(named) == 0 && project != "" {
		named[project] = true
	}
	all, err := readRequirements(f.requirements)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range all {
		if len(named) > 0 && !named[r.project] {
			others = append(others, r.String())
			continue
		}
		if len(r.hashes) == 0 {
			return nil, nil, usagef(fmt.Sprintf("%s: %s has no --hash=sha256:…; pip-compile --generate-hashes and uv export write them",
				f.requirements, r))
		}
		wanted = append(wanted, r)
	}
	return wanted, others, nil
}

// parseRequirement reads PROJECT==VERSION; extras and markers are passed over.
func parseRequirement(text string) (requirement, error) {
	before, _, _ := strings.Cut(text, ";")
	name, version, ok := strings.Cut(before, "==")
	name, _, _ = strings.Cut(name, "[")
	project, err := dist.NormalizeName(strings.TrimSpace(name))
	if err == nil {
		var v dist.Version
		if v, err = dist.ParseVersion(strings.TrimPrefix(version, "=")); err == nil && ok {
			return requirement{project: project, version: v}, nil
		}
	}
	return requirement{}, usagef("want PROJECT==VERSION, got " + text)
}

// maxRequirements bounds a requirements file, in bytes.
const maxRequirements = 16 << 20

// readRequirements reads the pinned lines of a requirements file, as pip does.
// Options that stand alone say where pip looks, and what it picks; the hashes say
// what it takes. A file that leads to others is refused.
func readRequirements(path string) (list []requirement, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxRequirements+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRequirements {
		return nil, usagef(path + " is larger than 16 MiB")
	}
	text := strings.NewReplacer("\r\n", "\n", "\\\r\n", " ", "\\\n", " ").Replace(string(raw))
	for n, line := range strings.Split(text, "\n") {
		r, err := requirementLine(line)
		if err != nil {
			return nil, usagef(fmt.Sprintf("%s, requirement %d: %s", path, n+1, err))
		}
		if r.project != "" {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil, usagef(path + " pins nothing: want lines as PROJECT==VERSION --hash=sha256:…")
	}
	return list, nil
}

// requirementLine reads one line, whose continuations were joined. It is no
// requirement where it has no project.
func requirementLine(line string) (requirement, error) {
	if at := strings.Index(" "+line, " #"); at >= 0 {
		line = line[:at]
	}
	line = strings.TrimSpace(line)
	word, _, _ := strings.Cut(line, " ")
	switch option, _, _ := strings.Cut(word, "="); {
	case line == "":
		return requirement{}, nil
	case slices.Contains([]string{"-r", "--requirement", "-c", "--constraint", "-e", "--editable"}, option):
		return requirement{}, errors.New("it leads elsewhere; name each file with pinned requirements by itself")
	case strings.HasPrefix(word, "--"):
		return requirement{}, nil
	}
	text, options, _ := strings.Cut(line, " --")
	r, err := parseRequirement(text)
	if err != nil {
		return requirement{}, err
	}
	for _, option := range strings.Split(options, " --") {
		value, isHash := strings.CutPrefix(strings.TrimSpace(option), "hash")
		algorithm, digest, _ := strings.Cut(strings.TrimLeft(value, "= "), ":")
		if !isHash || algorithm != "sha256" {
			continue
		}
		d, err := dist.ParseDigest("sha256:" + digest)
		if err != nil {
			return requirement{}, errors.New("a --hash that is no SHA-256")
		}
		r.hashes = append(r.hashes, d)
	}
	return r, nil
}
