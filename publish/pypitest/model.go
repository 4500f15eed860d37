package pypitest

import (
	"cmp"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// project is all that the index knows of one.
type project struct {
	name       string // as the last upload spelled it
	normalized string // as PEP 503 has it
	status     Status
	publishers []Publisher
	owners     map[string]bool // by user name
	releases   []*release
	serial     int
}

// release is one version of a project.
type release struct {
	version      pep440.Version
	meta         metadata // of its first file
	created      time.Time
	files        []*file
	yanked       bool
	yankedReason string
}

// file is one distribution.
type file struct {
	name          string
	kind          string // "sdist" or "bdist_wheel"
	pythonVersion string
	comment       string
	size          int64
	digests       digests
	metadata      string // SHA-256 of the wheel's METADATA; "" for an sdist
	uploaded      time.Time
	provenance    []byte // PEP 740 provenance object; nil without attestations
}

// digests are of a file's bytes, in lower-case hex.
type digests struct{ md5, sha256, blake2 string }

func newProject(name string) *project {
	return &project{name: name, normalized: normalizeName(name), status: Active, owners: map[string]bool{}}
}

// path is where the file is below /packages/: its bytes cannot change without
// a change of its path.
func (f *file) path() string {
	h := f.digests.blake2
	return path.Join(h[:2], h[2:4], h[4:], f.name)
}

// release finds the release of a version. 1.0 and 1.0.0 are the same one.
func (p *project) release(version pep440.Version) *release {
	for _, r := range p.releases {
		if r.version.Equal(version) {
			return r
		}
	}
	return nil
}

// size is what all files of the project have together, in bytes.
func (p *project) size() int64 {
	var sum int64
	for _, r := range p.releases {
		for _, f := range r.files {
			sum += f.size
		}
	}
	return sum
}

// listed are the releases that have files to offer, oldest version first.
func (p *project) listed() []*release {
	if p.status == Quarantined {
		return nil
	}
	empty := func(r *release) bool { return len(r.files) == 0 }
	releases := slices.DeleteFunc(slices.Clone(p.releases), empty)
	slices.SortFunc(releases, func(a, b *release) int { return a.version.Compare(b.version) })
	return releases
}

// sorted are the files by name.
func (r *release) sorted() []*file {
	byName := func(a, b *file) int { return cmp.Compare(a.name, b.name) }
	return slices.SortedFunc(slices.Values(r.files), byName)
}

// files are all that the index has.
func (x *Index) files() iter.Seq[*file] {
	return func(yield func(*file) bool) {
		for _, p := range x.projects {
			for _, r := range p.releases {
				for _, f := range r.files {
					if !yield(f) {
						return
					}
				}
			}
		}
	}
}

// changed notes that something about a project is new. The caller holds x.mu.
func (x *Index) changed(p *project) {
	x.serial++
	p.serial = x.serial
}

// change lets one of the people change a project.
func (x *Index) change(name string, do func(*project) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.projects[normalizeName(name)]
	if p == nil {
		return fmt.Errorf("pypitest: there is no project %s", name)
	}
	if err := do(p); err != nil {
		return err
	}
	x.changed(p)
	return nil
}

func (x *Index) changeRelease(name, version string, do func(*release)) error {
	return x.change(name, func(p *project) error {
		v, err := pep440.Parse(version)
		if err != nil {
			return fmt.Errorf("pypitest: %w", err)
		}
		r := p.release(v)
		if r == nil {
			return fmt.Errorf("pypitest: %s has no release %s", name, version)
		}
		do(r)
		return nil
	})
}

// stored is where a file's bytes are on disk.
func (x *Index) stored(f *file) string {
	return filepath.Join(x.config.Dir, "packages", filepath.FromSlash(f.path()))
}

// isProjectName says whether PyPI takes a name for a project's.
func isProjectName(name string) bool {
	return regexp.MustCompile(`(?i)^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$`).MatchString(name)
}

// normalizeName is the name as PEP 503 compares it.
func normalizeName(name string) string {
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))
}

// underscored is a normalised name as file names have it.
func underscored(normalized string) string { return strings.ReplaceAll(normalized, "-", "_") }
