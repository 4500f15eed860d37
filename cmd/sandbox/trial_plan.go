package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
)

// ownPolicy is what a trial takes from distgate.toml. Whether the rest of it is
// right says distgate.
type ownPolicy struct {
	Project        string
	Build, Publish jobTable
	Source         sourceTable
	Files          fileSet
	Series         map[string]fileSet
	Index          map[string]indexTable
	People         map[string][]string
	Approval       struct {
		Need  int
		Roads []string
	}
}

type indexTable struct {
	Environment string
	Votes       *int // 0: nobody is asked
}

// jobTable is [build] or [publish].
type jobTable struct {
	Repository, Workflow    string
	RepositoryID            string `toml:"repository-id"`
	OwnerID                 string `toml:"owner-id"`
	Refs, Labels, Artifacts []string
}

type sourceTable struct {
	Repository   string
	RepositoryID string `toml:"repository-id"`
	Tag          string
	Branches     []string
}

type fileSet struct {
	Sdist                          bool
	Python, Platform, Except, Also []string
}

// plan is the release of the version that the policy describes.
func (p ownPolicy) plan(version, index string) (r world.Trial, err error) {
	v, err := dist.ParseVersion(version)
	if err != nil {
		return r, err
	}
	version = v.String()
	if err := errors.Join(p.complete(version, index), p.numbered()); err != nil {
		return r, err
	}
	r = world.Trial{Project: p.Project, Version: version, Environment: p.Index[index].Environment,
		Labels: append(p.Build.Labels, "ubuntu-latest"), Artifacts: p.Build.Artifacts,
		People: map[string]int64{}}
	set, _ := p.set(version)
	r.Names = set.names(p.Project, version)
	r.Build, r.Publish = p.Build.role(version), p.Publish.role(version)
	p.source(&r)
	for id, names := range p.People {
		login := strings.Split(append(names, "user"+id)[0], "@")[0]
		if r.People[login], err = strconv.ParseInt(id, 10, 64); err != nil {
			return r, err
		}
	}
	return r, nil
}

// numbered demands one number for each repository, and another for another: a stand-in
// for GitHub knows no other than these.
func (p ownPolicy) numbered() error {
	type named struct{ key, name, id string }
	all := []named{{"build", p.Build.Repository, p.Build.RepositoryID}, {"source", p.Source.Repository, p.Source.RepositoryID},
		{"publish", p.Publish.Repository, p.Publish.RepositoryID}}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.id != "" && b.id != "" && strings.EqualFold(a.name, b.name) != (a.id == b.id) {
				return fmt.Errorf("distgate.toml: %s.repository-id is %s, of %s, and %s.repository-id is %s, of %s; one of them is wrong",
					b.key, b.id, b.name, a.key, a.id, a.name)
			}
		}
	}
	return nil
}

// complete names what has no value yet, and that alone.
func (p ownPolicy) complete(version, index string) error {
	var missing []string
	for _, row := range []struct {
		is  bool
		key string
	}{
		{p.Project != "", "project"},
		{p.Build.Repository != "", "build.repository"},
		{p.Build.RepositoryID != "", "build.repository-id"},
		{p.Build.OwnerID != "", "build.owner-id"},
		{len(p.Build.Refs) > 0, "build.refs"},
		{p.Source.Repository == "" || p.Source.RepositoryID != "", "source.repository-id"},
		{len(p.Series) > 0 || len(p.Files.names("", "")) > 0, "[files]"},
		{index != "", "an index"},
		{index == "" || p.Index[index].Environment != "", "index." + index + ".environment"},
		{p.Publish.Repository != "", "publish.repository"},
		{p.Publish.RepositoryID != "", "publish.repository-id"},
		{p.Publish.OwnerID != "", "publish.owner-id"},
		{len(p.Publish.Refs) > 0, "publish.refs"},
		{len(p.People) > 0, "[people]"},
	} {
		if !row.is {
			missing = append(missing, row.key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("distgate.toml has no value yet for these; fill in first\n  %s", strings.Join(missing, "\n  "))
	}
	if _, ok := p.set(version); !ok {
		there := slices.Sorted(maps.Keys(p.Series))
		slices.Reverse(there)
		return fmt.Errorf("distgate.toml: no [series] is for %s; there are %s", version, strings.Join(there, ", "))
	}
	return nil
}

func (t jobTable) role(version string) world.Role {
	return world.Role{Repository: t.Repository, RepositoryID: t.RepositoryID, OwnerID: t.OwnerID,
		Workflow: t.Workflow, Ref: concrete(t.Refs[0], version)}
}

// source is where the files come from: the repository that builds, or another one
// and a lock that declares it.
func (p ownPolicy) source(r *world.Trial) {
	t := p.Source
	if t.Repository == "" {
		t = sourceTable{p.Build.Repository, p.Build.RepositoryID, "v{version}", nil}
	}
	r.Source = world.Role{Repository: t.Repository, RepositoryID: t.RepositoryID, OwnerID: "9",
		Ref: "refs/heads/" + concrete(append(t.Branches, "main")[0], r.Version)}
	if r.Build.Repository == r.Source.Repository {
		r.Source.OwnerID, r.Source.Workflow = r.Build.OwnerID, r.Build.Workflow
	}
	r.Tag = strings.ReplaceAll(t.Tag, "{version}", r.Version)
	r.Lock = fmt.Sprintf(lockText, r.Source.Repository, r.Tag, r.Version)
}

const lockText = `{
  "repository": %q,
  "tag": %q,
  "commit": "COMMIT",
  "version": %q
}
`

// concrete is one ref that a pattern admits.
func concrete(pattern, version string) string { return strings.ReplaceAll(pattern, "*", version) }

// set is the table that counts for the version, if there is one.
func (p ownPolicy) set(version string) (found fileSet, ok bool) {
	if len(p.Series) == 0 {
		return p.Files, true
	}
	longest := ""
	for name, set := range p.Series {
		if (version == name || strings.HasPrefix(version, name+".")) && len(name) > len(longest) {
			longest, found = name, set
		}
	}
	return found, longest != ""
}

// names are one file for each word of the set.
func (s fileSet) names(project, version string) (names []string) {
	stem := strings.NewReplacer("-", "_", ".", "_").Replace(project) + "-" + version
	words := slices.Clone(s.Also)
	for _, python := range s.Python {
		for _, platform := range s.Platform {
			if word := python + "-" + platform; !slices.Contains(s.Except, word) {
				words = append(words, word)
			}
		}
	}
	for _, word := range words {
		python, platform, _ := cutLast(word, "-")
		names = append(names, stem+"-"+tags(python)+"-"+platformTag(platform)+".whl")
	}
	if s.Sdist {
		names = append(names, stem+".tar.gz")
	}
	return names
}

func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(sep):], true
}

var (
	cpython  = regexp.MustCompile(`^(cp\d+)t?$`)
	pypy     = regexp.MustCompile(`^pp(\d+)$`)
	noNumber = regexp.MustCompile(`^(manylinux|musllinux|macosx)_([a-z].*)$`)
)

// tags are the Python and ABI tags of a word.
func tags(word string) string {
	if m := cpython.FindStringSubmatch(word); m != nil {
		return m[1] + "-" + word
	}
	if m := pypy.FindStringSubmatch(word); m != nil {
		return word + "-pypy" + m[1] + "_pp73"
	}
	if !strings.Contains(word, "-") {
		return word + "-none"
	}
	return word
}

// platformTag is a platform with numbers, where a word leaves them open.
func platformTag(word string) string {
	m := noNumber.FindStringSubmatch(word)
	if m == nil {
		return word
	}
	numbers := map[string]string{"manylinux": "2_28", "musllinux": "1_2", "macosx": "11_0"}[m[1]]
	return m[1] + "_" + numbers + "_" + m[2]
}
