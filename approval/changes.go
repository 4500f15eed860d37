package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Changes are what is other in a release than in earlier ones on its index, and
// in its policy than in that of the release that was published last. They are
// plain facts, and what an index says: it can say otherwise a minute later, so
// they are no part of a [Review], which everybody sees alike. What could not be
// compared stands in Gaps; no change and no gap is what "nothing changed" means.
type Changes struct {
	Index    string         `json:"index"`
	Asked    bool           `json:"asked"`             // the index answered which releases it has
	First    bool           `json:"first"`             // and that it has none of the project
	Absent   bool           `json:"absent"`            // and has no such project, which it says of what is hidden, too
	Emptied  string         `json:"emptied,omitempty"` // the version that was published last, of which the index has none any more
	Closes   time.Time      `json:"closes,omitzero"`   // when the index takes no new files of this version, at the latest; zero where it has none, or is not known to close
	Since    []Since        `json:"since"`             // the newest earlier release, and of a final the last candidate
	By       Publisher      `json:"by"`                // who will publish this one, as the policy has it
	Policy   PolicyChange   `json:"policy"`            // since the release that was published last
	Findings []rule.Finding `json:"findings"`
	Gaps     []Gap          `json:"gaps"`
}

// Relation is what an earlier release is to this one.
type Relation string

const (
	Earlier   Relation = "earlier"   // the newest before it that is not yanked
	Candidate Relation = "candidate" // the last pre-release of a final
)

// Since is what changed since one release on the index. Files are compared with
// those of the same kind and tags, wheels by what is in them. Lists are sorted.
type Since struct {
	Version     string         `json:"version"`
	Relation    Relation       `json:"relation"`
	Uploaded    string         `json:"uploaded"` // time of its last file, RFC 3339, as the index says; or nothing
	Bytes       int64          `json:"bytes"`    // of all its files
	Wheels      int            `json:"wheels"`   // pairs of wheels whose members were compared
	Sdist       bool           `json:"sdist"`    // whether the members of the sdists were
	Metadata    []Difference   `json:"metadata"` // Requires-Dist, Requires-Python, …
	EntryPoints []Difference   `json:"entryPoints"`
	Members     []MemberChange `json:"members"`
	Unlisted    int            `json:"unlisted"`   // changed members beyond those in Members
	Uncompared  int            `json:"uncompared"` // things that could not be compared, each a gap
	Files       []FileChange   `json:"files"`      // of this release, by name
	Gone        []string       `json:"gone"`       // files of that release that this one has no counterpart for
	Provenance  Attested       `json:"provenance"`
	Before      Attested       `json:"before"`     // the release before that one; none where there is none
	Publishers  []Publisher    `json:"publishers"` // of its files, as the index says
	Notes       []Note         `json:"notes"`      // how far all of this can be believed
}

// Difference is one value that came (Was is empty), went (Now is empty) or
// changed.
type Difference struct {
	Field string `json:"field"` // "Requires-Dist", "console_scripts", "approval.need"
	Was   string `json:"was"`
	Now   string `json:"now"`
	Files int    `json:"files"` // distributions in which it is so; 0 of a policy
	In    string `json:"in"`    // the first of them
}

// MemberKind is why a member of a wheel matters.
type MemberKind string

const (
	Startup MemberKind = "startup" // runs when Python starts: .pth, sitecustomize
	Native  MemberKind = "native"  // machine code
	Script  MemberKind = "script"  // is put on the PATH
	Other   MemberKind = "other"
)

// MemberChange is a file in wheels, or in the sdist, that came (Was is -1), went
// (Now is -1) or changed.
type MemberChange struct {
	Name  string     `json:"name"`
	Kind  MemberKind `json:"kind"`
	Was   int64      `json:"was"` // bytes, in the first of the wheels
	Now   int64      `json:"now"`
	Like  string     `json:"like"`  // of a new native library: the old one that it seems to take the place of
	Files int        `json:"files"` // wheels in which it is so
	In    string     `json:"in"`    // the first of them, or the sdist
	Sdist bool       `json:"sdist"`
}

// FileChange is one distribution beside its counterpart.
type FileChange struct {
	Name    string `json:"name"`
	Was     string `json:"was"` // name of its counterpart, or nothing
	Size    int64  `json:"size"`
	WasSize int64  `json:"wasSize"` // or -1, where the index does not say
	Added   int    `json:"added"`   // members
	Removed int    `json:"removed"`
	Changed int    `json:"changed"` // by size or CRC-32, in an sdist by content
}

// Attested counts the files of a release that the index has provenance for.
type Attested struct {
	Version  string `json:"version"`
	Files    int    `json:"files"`
	Attested int    `json:"attested"`
}

// Publisher is who uploaded files with provenance.
type Publisher struct {
	Kind        string `json:"kind"` // "GitHub", "GitLab", "Google"
	Repository  string `json:"repository"`
	Workflow    string `json:"workflow"`
	Environment string `json:"environment"`
	Files       int    `json:"files"` // of theirs; 0 of who will publish
}

// String is the publisher in one line.
func (p Publisher) String() string {
	text := p.Kind + " " + p.Repository
	if p.Workflow != "" {
		text += ", workflow " + p.Workflow
	}
	if p.Environment != "" {
		text += ", environment " + p.Environment
	}
	return text
}

// same leaves out how many files, and the case in which GitHub takes a name.
func (p Publisher) same(o Publisher) bool {
	return p.Kind == o.Kind && strings.EqualFold(p.Repository, o.Repository) && p.Workflow == o.Workflow &&
		strings.EqualFold(p.Environment, o.Environment)
}

// PolicyChange is what is other in the policy than in that of the release that
// was published last: of the release that the store holds or, where it holds none
// that is believed, of the commit that the index's provenance names.
type PolicyChange struct {
	Release     dist.Digest  `json:"release"`
	Version     string       `json:"version"`
	Commit      string       `json:"commit,omitempty"`
	Differences []Difference `json:"differences"`
}

// Since names the release in words; it is "" where there is none to compare with.
func (c PolicyChange) Since() string {
	if c.Commit != "" {
		return "the release of commit " + c.Commit
	}
	return c.Version
}

// Gap is something that was not compared, and why.
type Gap struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Judge fills in the findings. A list that is empty is so from here on, and is
// not null.
func (c *Changes) Judge() {
	c.Findings = append(c.nothing(), c.Policy.findings()...)
	for i := range c.Since {
		c.Since[i].fill()
		c.Findings = append(c.Findings, c.Since[i].findings(c.By)...)
	}
	slices.SortStableFunc(c.Findings, func(a, b rule.Finding) int {
		return cmp.Compare(rank(a.Severity), rank(b.Severity))
	})
	c.Since, c.Gaps = orEmpty(c.Since), orEmpty(c.Gaps)
	c.Findings, c.Policy.Differences = orEmpty(c.Findings), orEmpty(c.Policy.Differences)
}

// nothing is the finding that nothing can be compared, because the index says that it
// has nothing: who hides the releases of a project from a gate has it say that. That it
// has the project and no release of it is an answer, unless one is known.
func (c *Changes) nothing() []rule.Finding {
	switch {
	case c.Absent:
		return []rule.Finding{since(rule.FirstRelease, "", "the first release of this project on index %s, which answers that "+
			"it has no such project", c.Index)}
	case c.Emptied != "":
		return []rule.Finding{since(rule.NotCompared, "", "index %s has no release of this project, and the store has a receipt for %s",
			c.Index, c.Emptied)}
	}
	return nil
}

func rank(s rule.Severity) int {
	return slices.Index([]rule.Severity{rule.Refuse, rule.Look, rule.Remark}, s)
}

func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

func (s *Since) fill() {
	s.Metadata, s.EntryPoints, s.Members = orEmpty(s.Metadata), orEmpty(s.EntryPoints), orEmpty(s.Members)
	s.Files, s.Gone, s.Publishers, s.Notes = orEmpty(s.Files), orEmpty(s.Gone), orEmpty(s.Publishers), orEmpty(s.Notes)
}

// since makes a finding of what changed. How grave it is stands in one place.
func since(id rule.ID, where, format string, args ...any) rule.Finding {
	severity := rule.Remark
	switch id {
	case rule.FirstRelease, rule.NotCompared, rule.NewDependency, rule.NewStartupCode, rule.NewScript, rule.NewNative, rule.LostProvenance,
		rule.ChangedPublisher, rule.ChangedPolicy:
		severity = rule.Look
	}
	return rule.Finding{Rule: id, Severity: severity, Where: where, What: fmt.Sprintf(format, args...)}
}

func (s Since) findings(by Publisher) (found []rule.Finding) {
	for _, d := range s.Metadata {
		id := rule.ChangedMetadata
		if d.Field == "Requires-Dist" && d.Was == "" {
			id = rule.NewDependency
		}
		found = append(found, s.in(d.Files, d.In, since(id, d.Field, "%s", d)))
	}
	for _, d := range s.EntryPoints {
		id := rule.ChangedEntryPoints
		if d.Was == "" && (d.Field == "console_scripts" || d.Field == "gui_scripts") {
			id = rule.NewScript
		}
		found = append(found, s.in(d.Files, d.In, since(id, d.Field, "%s", d)))
	}
	if s.Uncompared > 0 {
		found = append(found, since(rule.NotCompared, "", "%d of what is compared with %s could not be: the gaps say what, and why",
			s.Uncompared, s.Version))
	}
	found = append(found, s.members()...)
	found = append(found, s.files()...)
	return append(found, s.provenance(by)...)
}

// in says since when, and in which wheels.
func (s Since) in(files int, first string, f rule.Finding) rule.Finding {
	switch {
	case files == 1 && s.Wheels != 1:
		f.File = first
		f.What += " (since " + s.Version + ")"
	case files == s.Wheels:
		f.What += " (since " + s.Version + ", in every wheel)"
	default:
		f.What += fmt.Sprintf(" (since %s, in %d of %d wheels, %s first)", s.Version, files, s.Wheels, first)
	}
	return f
}

// inMember says since when, and in which files.
func (s Since) inMember(m MemberChange, f rule.Finding) rule.Finding {
	if !m.Sdist {
		return s.in(m.Files, m.In, f)
	}
	f.File = m.In
	f.What += " (since " + s.Version + ")"
	return f
}

// String is the difference in one line, without its field.
func (d Difference) String() string {
	switch {
	case d.Was == "":
		return "new: " + d.Now
	case d.Now == "":
		return "gone: " + d.Was
	}
	return d.Now + ", was " + d.Was
}

// members makes a finding of each member that runs by itself or on a machine, and
// one of all others.
func (s Since) members() (found []rule.Finding) {
	for _, m := range s.Members {
		if id := m.rule(); id != "" {
			found = append(found, s.inMember(m, since(id, m.Name, "%s", m)))
		}
	}
	return append(found, s.counted()...)
}

// counted are the members that came, went and changed, in the wheels and in the
// sdist, whose new ones are named: what is put into it goes into every build.
func (s Since) counted() (found []rule.Finding) {
	var wheels, sdist FileChange
	for _, f := range s.Files {
		all := &wheels
		if strings.HasSuffix(f.Name, ".tar.gz") {
			all = &sdist
		}
		all.Added, all.Removed, all.Changed = all.Added+f.Added, all.Removed+f.Removed, all.Changed+f.Changed
	}
	for _, row := range []struct {
		in, more string
		FileChange
	}{{"in all wheels together", "", wheels}, {"in the sdist", s.newInSdist(), sdist}} {
		if row.Added+row.Removed+row.Changed > 0 {
			found = append(found, since(rule.ChangedMembers, "", "%s %d new, %d gone and %d changed (since %s)%s",
				row.in, row.Added, row.Removed, row.Changed, s.Version, row.more))
		}
	}
	return found
}

// newInSdist names some of what is new in the sdist.
func (s Since) newInSdist() string {
	const some = 5
	var names []string
	for _, m := range s.Members {
		if m.Sdist && m.Was < 0 && len(names) < some {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; new: " + strings.Join(names, ", ")
}

// String is the change in one line, without the member.
func (m MemberChange) String() string {
	switch {
	case m.Now < 0:
		return "gone"
	case m.Was >= 0:
		return fmt.Sprintf("changed, %d bytes, was %d", m.Now, m.Was)
	case m.Like != "":
		return fmt.Sprintf("new, %d bytes, it seems in the place of %s", m.Now, m.Like)
	}
	return fmt.Sprintf("new, %d bytes", m.Now)
}

// rule is what a changed member is a finding of by itself, or nothing.
func (m MemberChange) rule() rule.ID {
	switch {
	case m.Now < 0:
		return ""
	case m.Kind == Startup:
		return rule.NewStartupCode
	case m.Kind == Script && m.Was < 0:
		return rule.NewScript
	case m.Kind == Native && m.Was < 0 && m.Like == "":
		return rule.NewNative
	case m.Kind == Native && m.Was < 0:
		return rule.ChangedNative
	}
	return ""
}

// files are findings of distributions that came or went, or whose size did.
func (s Since) files() (found []rule.Finding) {
	for _, f := range s.Files {
		switch {
		case f.Was == "":
			found = append(found, f.in(since(rule.ChangedFiles, "", "new: %s has no counterpart", s.Version)))
		case f.grew():
			found = append(found, f.in(since(rule.ChangedSize, "", "%d bytes, was %d (since %s)", f.Size, f.WasSize, s.Version)))
		}
	}
	for _, name := range s.Gone {
		found = append(found, since(rule.ChangedFiles, "", "gone: %s has no counterpart in this release", name))
	}
	return found
}

func (f FileChange) in(found rule.Finding) rule.Finding {
	found.File = f.Name
	return found
}

// grew tells whether a file is half as large again as it was, or lost a third,
// and it is not a matter of some kilobytes.
func (f FileChange) grew() bool {
	const some = 64 << 10 // bytes
	large, small := max(f.Size, f.WasSize), min(f.Size, f.WasSize)
	return f.WasSize >= 0 && large-small > some && 2*large > 3*small
}

func (s Since) provenance(by Publisher) (found []rule.Finding) {
	p := s.Provenance
	switch {
	case p.Attested < p.Files && s.Before.Attested > 0:
		found = append(found, since(rule.LostProvenance, "", "%d of the %d files of %s have no provenance on the index; "+
			"%d of the %d of %s before it have", p.Files-p.Attested, p.Files, s.Version,
			s.Before.Attested, s.Before.Files, s.Before.Version))
	case p.Attested < p.Files && p.Attested > 0:
		found = append(found, since(rule.LostProvenance, "", "%d of the %d files of %s have no provenance on the index",
			p.Files-p.Attested, p.Files, s.Version))
	}
	for _, was := range s.Publishers {
		if !was.same(by) {
			found = append(found, since(rule.ChangedPublisher, "", "%s, which published %d files of %s, will not be the one: "+
				"this release is published by %s", was, was.Files, s.Version, by))
		}
	}
	return found
}

// findings are one for each change of the policy. Which files are expected and
// where the store is changes with every branch; who may say yes does not.
func (p PolicyChange) findings() (found []rule.Finding) {
	for _, d := range p.Differences {
		id := rule.ChangedPolicy
		switch table, _, _ := strings.Cut(d.Field, "."); table {
		case "files", "series", "store":
			id = rule.ChangedFileSet
		}
		found = append(found, since(id, d.Field, "%s (since %s, published last)", d, p.Since()))
	}
	return found
}
