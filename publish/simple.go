package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// release is what is to be on the index, taken from a proof.
type release struct {
	project string
	version dist.Version
	files   []file
}

// file is one of a release, and what an installer is to be told of it.
type file struct {
	name     string
	digest   dist.Digest
	size     int64       // bytes
	python   string      // Requires-Python
	metadata dist.Digest // of METADATA or PKG-INFO
}

// newRelease takes a release apart. It refuses one whose files are for
// different Pythons: the index would tell them all what it was told first.
func newRelease(s staging.Staged) (release, error) {
	m := s.Manifest()
	v, err := dist.ParseVersion(m.Version)
	if err != nil {
		return release{}, err
	}
	r := release{project: m.Project, version: v}
	for _, f := range s.Files() {
		outside, inside := f.File(), f.Info().Metadata
		r.files = append(r.files, file{outside.Name(), outside.Digest(), outside.Size(),
			inside.RequiresPython(), inside.Digest()})
	}
	return r, r.onePython()
}

func (r release) onePython() error {
	var no rule.Refusals
	for _, f := range r.files {
		if want := r.files[0]; specifiers(f.python) != specifiers(want.python) {
			no = append(no, rule.Refusal{File: f.name, Rule: rule.ReleasePython,
				Want: "Requires-Python " + orNothing(want.python) + ", as " + want.name + " has it",
				Got:  orNothing(f.python), Hint: "build all files of a release from the same metadata"})
		}
	}
	return no.Err()
}

// specifiers are a Requires-Python without blanks and in order: an index may
// write it anew, as PyPI does.
func specifiers(text string) string {
	parts := strings.Split(strings.Join(strings.Fields(text), ""), ",")
	slices.Sort(parts)
	return strings.Trim(strings.Join(slices.Compact(parts), ","), ",")
}

func (r release) name() string { return r.project + "-" + r.version.String() }

// holds tells whether a file of that name is of the release, for any installer.
// Old forms that nothing builds any more (.zip, .egg, .exe, 1.0-1 for
// 1.0.post1) count too.
func (r release) holds(name string) bool {
	f, err := dist.ParseFilename(name)
	if err == nil && f.Project == r.project {
		return f.Version.Equal(r.version)
	}
	for i, c := range name {
		if c != '-' {
			continue
		}
		// In lower case, as pip compares: the Kelvin sign is a k then.
		project, err := dist.NormalizeName(strings.ToLower(name[:i]))
		if err != nil || project != r.project {
			continue
		}
		part, _, _ := strings.Cut(name[i+1:], "-")
		if r.version.Equal(leading(name[i+1:])) || r.version.Equal(leading(part)) {
			return true
		}
	}
	return false
}

// leading is the longest version that s begins with, up to a dash or a dot. In
// a wheel's name a _ stands for a dash.
func leading(s string) dist.Version {
	for s = strings.ReplaceAll(s, "_", "-"); s != ""; {
		if v, err := dist.ParseVersion(s); err == nil {
			return v
		}
		s = s[:max(strings.LastIndexAny(s, "-."), 0)]
	}
	return dist.Version{}
}

// told is one rule about what the index says of a file: a new rule is a new row.
type told struct {
	rule      rule.ID
	holds     bool
	want, got string
	hint      string
}

// rules are held against what the index says of the file, in this order.
func (f file) rules(s served) []told {
	const look = "look at what answers as the index"
	size, python := f.size, f.python
	if s.size != nil {
		size = *s.size
	}
	if s.python != nil {
		python = *s.python
	}
	rows := []told{
		{rule.ServedBytes, s.digest == f.digest, f.digest.String(), s.digest.String(),
			"the name is taken on the index for good: find out who uploaded it, and release a new version"},
		{rule.ServedBytes, size == f.size, fmt.Sprintf("%d bytes", f.size), fmt.Sprintf("%d bytes", size), look},
		{rule.ServedYanked, s.yanked == "", "a file that is not yanked", "yanked: " + s.yanked,
			"the release was taken back; release a new version instead"},
		{rule.ServedMetadata, specifiers(python) == specifiers(f.python),
			"Requires-Python " + orNothing(f.python), orNothing(python), look},
	}
	for _, digest := range s.metadata {
		rows = append(rows, told{rule.ServedMetadata, digest == f.metadata.String(),
			"core metadata " + f.metadata.String(), digest, look})
	}
	return rows
}

// compare holds what the index offers of a release against what was approved:
// the files that are there, and refusals for all that should not be. What is
// missing is neither.
func (r release) compare(files []served) (there map[string]served, no rule.Refusals) {
	there = map[string]served{}
	for _, s := range files {
		if broken := r.broken(s, there); broken != nil {
			no = append(no, rule.Refusal{File: brief(s.name), Rule: broken.rule,
				Want: broken.want, Got: brief(broken.got), Hint: broken.hint})
			continue
		}
		there[s.name] = s
	}
	return there, no
}

// broken is the first rule that a file breaks, or nil.
func (r release) broken(s served, there map[string]served) *told {
	i := slices.IndexFunc(r.files, func(f file) bool { return f.name == s.name })
	if i < 0 {
		return &told{rule: rule.ServedExtra, want: "only files that were approved in release " + r.name(),
			got: s.digest.String(), hint: "find out who uploaded it, and by which road"}
	}
	if _, twice := there[s.name]; twice {
		return &told{rule: rule.ServedBytes, want: "one file of this name", got: "another, " + s.digest.String(),
			hint: "look at what answers as the index"}
	}
	for _, row := range r.files[i].rules(s) {
		if !row.holds {
			return &row
		}
	}
	return nil
}

// offer is what the index has of a release: only files that were approved.
type offer struct {
	there  map[string]served // by name
	status string            // of the project, PEP 792
}

// Names lists the files that the index offers of a version of a project, whose
// name is normalised (PEP 503), as the index calls them. It lists none where the
// index knows no such version. Nothing is proven by a name.
func Names(ctx context.Context, x *Index, project string, version dist.Version) (names []string, err error) {
	p, err := x.page(ctx, release{project: project, version: version})
	for _, f := range p.files {
		names = append(names, f.name)
	}
	return names, err
}

// look asks the index what it offers of the release.
func (r release) look(ctx context.Context, x *Index) (offer, error) {
	p, err := x.page(ctx, r)
	if err != nil {
		return offer{}, err
	}
	there, no := r.compare(p.files)
	return offer{there, p.status}, no.Err()
}

// takes refuses a project that takes no uploads. An index that knows no
// statuses has active projects only.
func (o offer) takes(project string) error {
	if slices.Contains([]string{"", "active", "deprecated"}, o.status) {
		return nil
	}
	return rule.Refusals{{File: project, Rule: rule.ProjectStatus,
		Want: "an active project", Got: brief(o.status),
		Hint: "an owner can say why, on the project's page on the index"}}
}
