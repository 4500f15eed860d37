package staging

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// member is a file as the rules of a release look at it.
type member struct {
	file       dist.File
	name       dist.Filename
	provenance []attest.Evidence // of its build; publish attestations say nothing of that
}

func newMember(v attest.Verified) (member, error) {
	name, err := dist.ParseFilename(v.File().Name())
	if err != nil {
		return member{}, err
	}
	inside := v.Info().Filename
	if inside.Project != name.Project || !inside.Version.Equal(name.Version) {
		return member{}, fmt.Errorf("%s: verified without being opened", v.File().Name())
	}
	m := member{file: v.File(), name: name}
	for _, e := range v.Evidence() {
		if slices.Contains(attest.Provenance(), e.PredicateType) {
			m.provenance = append(m.provenance, e)
		}
	}
	return m, nil
}

// row is one rule about one file: a new rule is a new row.
type row struct {
	id        rule.ID
	label     string
	want, got string
	hint      string
}

const rebuild = "build all files of the release again, from the one commit that is to be released"

// rows compares a file with the policy and with the first file of the release.
func (m member) rows(p Policy, first member) []row {
	rows := []row{
		{rule.OneProject, "project", p.Project, m.name.Project,
			"leave it out; it belongs to another release"},
		{rule.OneVersion, "version", first.name.Version.String(), first.sameVersion(m), rebuild},
		{rule.StageProvenance, "SLSA provenance,", "yes", yes(len(m.provenance) > 0),
			"let the build attest it with actions/attest"},
		{rule.LocalVersion, "version,", "one that an index takes", m.published(),
			"build it without a local version (what follows the +)"},
		{rule.StageLeftOut, "left out by", "no line of the policy", m.leftOut(p),
			"take the file, or the policy's line, away"},
	}
	if len(first.provenance) == 0 {
		return rows
	}
	want := first.provenance[0]
	for _, e := range m.provenance {
		rows = append(rows,
			row{rule.OneSource, "repository", want.Repository, e.Repository, rebuild},
			row{rule.OneSource, "repository id", want.RepositoryID, e.RepositoryID, rebuild},
			row{rule.OneSource, "commit", want.Commit, e.Commit, rebuild},
			row{rule.OneSource, "ref", want.Ref, e.Ref, rebuild},
			row{rule.TagVersion, "version of the tag", m.name.Version.String(), m.tagVersion(e.Ref),
				"build from the tag of this version"},
		)
	}
	return rows
}

// sameVersion is other's version, written as m's where the two are equal: 1.0
// and 1.0.0 are.
func (m member) sameVersion(other member) string {
	if m.name.Version.Equal(other.name.Version) {
		return m.name.Version.String()
	}
	return other.name.Version.String()
}

// published tells a version that an index takes from a local one (PEP 440: those
// are not to be published, and PyPI refuses them).
func (m member) published() string {
	if m.name.Version.IsLocal() {
		return "the local version " + m.name.Version.String()
	}
	return "one that an index takes"
}

func (m member) leftOut(p Policy) string {
	if line, ok := p.LeavesOut(m.file.Name()); ok {
		return line.Files + " (" + line.Reason + ")"
	}
	return "no line of the policy"
}

// tagVersion is the version that a tag names, written as m's where the two are
// equal. Projects write tags as 1.0, v1.0, widget-1.0 or release/v1.0: the
// version is the longest end that is one, from the start or after a separator
// or a v. Where the ref is no tag there is nothing to compare.
func (m member) tagVersion(ref string) string {
	tag, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok {
		return m.name.Version.String()
	}
	for i := range len(tag) {
		if i > 0 && !strings.ContainsRune("-_/@v", rune(tag[i-1])) {
			continue
		}
		if v, err := dist.ParseVersion(tag[i:]); err == nil {
			return m.sameVersion(member{name: dist.Filename{Version: v}})
		}
	}
	return "none in " + tag
}

func yes(holds bool) string {
	if holds {
		return "yes"
	}
	return "no"
}

// judge holds the files against the policy and against each other. It refuses
// everything that is wrong with them at once; without a refusal there is a
// member for each file, with provenance.
func judge(p Policy, files []attest.Verified) ([]member, error) {
	if len(files) == 0 || len(files) > maxFiles {
		return nil, refused("release", rule.StageEmpty, fmt.Sprintf("1 to %d files", maxFiles),
			fmt.Sprint(len(files)), "name the files of one release, or their folder")
	}
	members, names := make([]member, len(files)), make([]dist.Filename, len(files))
	for i, f := range files {
		var err error
		if members[i], err = newMember(f); err != nil {
			return nil, err
		}
		names[i] = members[i].name
	}
	var no rule.Refusals
	for _, m := range members {
		if refused := (rule.Refusals)(nil); errors.As(m.name.CheckIndex(), &refused) {
			no = append(no, refused...)
		}
		for _, r := range m.rows(p, members[0]) {
			if r.got != r.want {
				no = append(no, rule.Refusal{File: m.file.Name(), Rule: r.id,
					Want: r.label + " " + orNothing(r.want), Got: orNothing(r.got), Hint: r.hint})
			}
		}
	}
	no = append(no, doubled(members)...)
	return members, append(no, p.Expected.judge(names[0].Version, names)...).Err()
}

// doubled refuses files of which an index would take only one.
func doubled(members []member) (no rule.Refusals) {
	seen := map[string]string{}
	for _, m := range members {
		n := m.name
		var tags []string
		for _, tag := range n.Tags() {
			tags = append(tags, tag.Python+"-"+tag.ABI+"-"+tag.Platform)
		}
		slices.Sort(tags)
		fits := string(n.Kind) + " " + n.Build + " " + strings.Join(tags, " ")
		for _, key := range []string{m.file.Name(), m.file.Digest().String(), fits} {
			if other, ok := seen[key]; ok {
				no = append(no, rule.Refusal{File: m.file.Name(), Rule: rule.OneOfEach,
					Want: "one file of its name, bytes, kind and tags", Got: "also " + other,
					Hint: "leave one of them out"})
				break
			}
			seen[key] = m.file.Name()
		}
	}
	return no
}
