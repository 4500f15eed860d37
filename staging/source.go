package staging

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Tagged says when the tag of a release is made.
type Tagged string

const (
	Before Tagged = "before" // the release is built from it
	After  Tagged = "after"  // once the release is published
)

// SourceRules are what must hold of the commit that a release comes from, in
// the repository that its people write. The zero value asks nothing, and the
// manifest then says so.
type SourceRules struct {
	Repository   string   // "owner/name"
	RepositoryID string   // survives a rename
	Tag          string   // how tags are called, with one "{version}" in it: "v{version}"
	Tagged       Tagged   // when they are made
	Signed       bool     // the tag must be signed; where it is made after, the commit
	Branches     []string // protected branches that may have the commit, as [path.Match] has them
	Inputs       []string // what the build may take from outside: "inputs.NAME", "vars.NAME"
	Keeper       Keeper   // who is asked
}

// Keeper keeps repositories: GitHub. What it cannot or does not say is an error,
// and so neither yes nor no.
type Keeper interface {
	// RepositoryID is the id of the repository that has the name now.
	RepositoryID(ctx context.Context, repository string) (string, error)
	// Tags are the tags whose names begin with prefix and are wanted, peeled.
	Tags(ctx context.Context, repository, prefix string, wanted func(name string) bool) ([]Tag, error)
	// Signature is what was found of a commit's signature.
	Signature(ctx context.Context, repository, commit string) (Signature, error)
	// Branch looks for a protected branch that has the commit, for the known one
	// first. It returns "" where there is none, and those that are not protected.
	Branch(ctx context.Context, repository string, patterns []string, commit, known string) (branch string, bare []string, err error)
	// File is a file of the repository's top folder at a commit. It is an
	// [fs.ErrNotExist] only if the commit is known not to have it.
	File(ctx context.Context, repository, name, commit string) ([]byte, error)
	// Inputs are what a workflow file takes at a commit from outside of it.
	Inputs(ctx context.Context, repository, workflow, commit string) ([]string, error)
}

// Tag is a tag, and the commit that it comes down to.
type Tag struct {
	Name      string
	Commit    string // empty where it is of something else
	Object    string // the name of an annotated tag in git; empty of another
	Signature Signature
}

// Signature is what the keeper of a repository found of a signature.
type Signature struct {
	Verified bool   `json:"verified"`
	Reason   string `json:"reason"`       // "valid", "unsigned", or why it is not verified
	By       string `json:"by,omitempty"` // whose it is, by the address of the tagger or committer; of a verified one
}

// Upstream is what the keeper of the repositories said of where a release comes
// from, when it was staged and each time that it is opened.
type Upstream struct {
	Repository   string    `json:"repository"` // "owner/name"
	RepositoryID string    `json:"repositoryId"`
	Commit       string    `json:"commit"`
	Declared     bool      `json:"declared"` // by distgate.lock, and not by a certificate
	Branch       string    `json:"branch"`   // a protected one that has the commit
	Tag          string    `json:"tag"`
	Tagged       Tagged    `json:"tagged"`    // after: there need not be a tag
	TagObject    string    `json:"tagObject"` // of an annotated tag; empty of another
	Signed       string    `json:"signed"`    // what the signature is of: "tag" or "commit"
	Signature    Signature `json:"signature"`
	BuildBranch  string    `json:"buildBranch"` // a protected one that has the certified commit
	Inputs       []string  `json:"inputs"`      // what the build took from outside, sorted
}

func (o *Upstream) check() error {
	switch {
	case o == nil:
		return nil
	case o.Repository == "" || o.RepositoryID == "" || !isCommit(o.Commit) || o.Branch == "" || o.BuildBranch == "":
		return errors.New("no upstream")
	case o.Tag == "" || o.Tagged != Before && o.Tagged != After || o.Tagged == After && o.TagObject != "":
		return errors.New("no tag of its upstream")
	case o.Signed != "tag" && o.Signed != "commit" || o.Signature.Reason == "" || o.Signed == "tag" && o.TagObject == "":
		return errors.New("no word on the signature of its upstream")
	case o.Inputs == nil || len(o.Inputs) > 0 && !ascending(o.Inputs, func(s string) string { return s }):
		return errors.New("inputs that are not sorted")
	}
	return nil
}

func (o *Upstream) clone() *Upstream {
	if o == nil {
		return nil
	}
	c := *o
	c.Inputs = append([]string{}, o.Inputs...)
	return &c
}

const placeholder = "{version}"

// isZero tells whether nothing is asked.
func (r SourceRules) isZero() bool {
	return r.Repository == "" && r.RepositoryID == "" && r.Tag == "" && r.Tagged == "" && !r.Signed &&
		len(r.Branches)+len(r.Inputs) == 0 && r.Keeper == nil
}

// Check refuses rules that leave something open. Who is asked need not be known
// yet.
func (r SourceRules) Check() error {
	var no rule.Refusals
	for _, f := range r.faults() {
		no = append(no, rule.Refusal{File: "policy", Rule: rule.PolicyValue, Want: "[source]: " + f.want, Got: orNothing(f.got),
			Hint: "correct the table"})
	}
	return no.Err()
}

// faults are what is left open in the rules.
func (r SourceRules) faults() (list []fault) {
	owner, name, _ := strings.Cut(r.Repository, "/")
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{owner != "" && name != "" && !strings.Contains(name, "/") && printable(r.Repository), "a source repository as owner/name", r.Repository},
		{printable(r.RepositoryID), "the id of the source repository", r.RepositoryID},
		{strings.Count(r.Tag, placeholder) == 1 && printable(r.Tag) && !strings.ContainsAny(r.Tag, " ~^:?*[\\"), "how tags are called, as v{version}", r.Tag},
		{r.Tagged == Before || r.Tagged == After, `"before" or "after", when the tag is made`, string(r.Tagged)},
		{len(r.Branches) > 0 && !slices.ContainsFunc(r.Branches, badBranch), "names or patterns of protected branches", strings.Join(r.Branches, ", ")},
		{!slices.ContainsFunc(r.Inputs, func(s string) bool { return !printable(s) }), "what the build takes, by name", strings.Join(r.Inputs, ", ")},
	} {
		if !row.holds {
			list = append(list, fault{row.want, row.got})
		}
	}
	return list
}

// badBranch tells whether a pattern is none, or stands for every branch.
func badBranch(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil || !printable(pattern) || strings.Trim(pattern, "*?/") == "" || strings.HasPrefix(pattern, "refs/")
}

// versionOf is the version that a tag's name has in it.
func (r SourceRules) versionOf(tag string) (dist.Version, bool) {
	before, after, _ := strings.Cut(r.Tag, placeholder)
	text, ok := strings.CutPrefix(tag, before)
	if ok {
		text, ok = strings.CutSuffix(text, after)
	}
	v, err := dist.ParseVersion(text)
	return v, ok && err == nil && strings.TrimSpace(text) == text
}

// tagOf is how the tag of a version is called, unless it is written otherwise.
func (r SourceRules) tagOf(v dist.Version) string {
	return strings.Replace(r.Tag, placeholder, v.String(), 1)
}

// ask asks for the upstream of a release and judges it. Everything that is wrong
// comes back at once. What was known of it before says where to look first, and
// is not believed.
func (r SourceRules) ask(ctx context.Context, v dist.Version, b certified, known *Upstream) (*Upstream, error) {
	if r.isZero() {
		return nil, nil
	}
	if known == nil {
		known = &Upstream{}
	}
	from := Lock{Repository: r.Repository, Tag: b.tagName(), Commit: b.Commit}
	declared := !strings.EqualFold(r.Repository, b.repository)
	if declared {
		var err error
		if from, err = r.declared(ctx, b, v); err != nil {
			return nil, err
		}
	}
	o, no, err := r.upstream(ctx, v, from, known.Branch)
	if err != nil {
		return nil, err
	}
	o.Declared, o.BuildBranch = declared, o.Branch
	if declared {
		refused, err := r.buildBranch(ctx, b, known.BuildBranch, o)
		if err != nil {
			return nil, err
		}
		no = append(no, refused...)
	}
	if o.Inputs, err = r.Keeper.Inputs(ctx, b.repository, b.workflow, b.Commit); err != nil {
		return nil, err
	}
	o.Inputs = append([]string{}, o.Inputs...)
	slices.Sort(o.Inputs)
	return o, append(no, r.inputs(b, o.Inputs)...).Err()
}

// declared is the source that distgate.lock names at the certified commit.
func (r SourceRules) declared(ctx context.Context, b certified, v dist.Version) (Lock, error) {
	raw, err := r.Keeper.File(ctx, b.repository, LockFile, b.Commit)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, refused(LockFile, rule.SourceLock, LockFile+" at commit "+b.Commit+" of "+b.repository,
			"nothing", "write it with `distgate lock "+r.tagOf(v)+"`, commit it, and build from that commit")
	}
	if err != nil {
		return Lock{}, err
	}
	lock, err := DecodeLock(LockFile, raw)
	if err != nil {
		return Lock{}, err
	}
	return lock, r.checkLock(lock, v).Err()
}

// checkLock refuses a lock of something else than the release.
func (r SourceRules) checkLock(l Lock, v dist.Version) (no rule.Refusals) {
	version, err := dist.ParseVersion(l.Version)
	tagged, ok := r.versionOf(l.Tag)
	for _, row := range []struct {
		holds     bool
		want, got string
	}{
		{strings.EqualFold(l.Repository, r.Repository), "repository " + r.Repository, l.Repository},
		{err == nil && version.Equal(v), "version " + v.String() + ", as the files have it", l.Version},
		{ok && tagged.Equal(v), "a tag as " + r.tagOf(v), l.Tag},
	} {
		if !row.holds {
			no = append(no, rule.Refusal{File: LockFile, Rule: rule.SourceLock, Want: row.want, Got: orNothing(row.got),
				Hint: "write it with `distgate lock " + r.tagOf(v) + "`, commit it, and build from that commit"})
		}
	}
	return no
}

// upstream asks for the source itself: its repository, tag and branch. The tag
// that from names is taken, where several are of the version.
func (r SourceRules) upstream(ctx context.Context, v dist.Version, from Lock, known string) (*Upstream, rule.Refusals, error) {
	o := &Upstream{Repository: r.Repository, RepositoryID: r.RepositoryID, Commit: from.Commit, Tagged: r.Tagged, Tag: r.tagOf(v),
		Signed: "commit"}
	id, err := r.Keeper.RepositoryID(ctx, r.Repository)
	if err != nil {
		return nil, nil, err
	}
	no := row{rule.SourceRepository, "id", r.RepositoryID, id,
		"find out who has that name now; if the repository moved, correct source.repository in the policy"}.refuse(r.Repository)
	refused, err := r.tag(ctx, v, from, o)
	if err != nil {
		return nil, nil, err
	}
	no = append(no, refused...)
	if o.Signed == "commit" {
		if o.Signature, err = r.Keeper.Signature(ctx, r.Repository, from.Commit); err != nil {
			return nil, nil, err
		}
	}
	no = append(no, r.signed(o)...)
	branch, bare, err := r.Keeper.Branch(ctx, r.Repository, r.Branches, from.Commit, known)
	if err != nil {
		return nil, nil, err
	}
	o.Branch = branch
	return o, append(no, r.onBranch(r.Repository, from.Commit, branch, bare)...), nil
}

// tag asks for the tags of the version, which must all come down to the commit,
// and notes the one that counts.
func (r SourceRules) tag(ctx context.Context, v dist.Version, from Lock, o *Upstream) (no rule.Refusals, err error) {
	before, _, _ := strings.Cut(r.Tag, placeholder)
	tags, err := r.Keeper.Tags(ctx, r.Repository, before, func(name string) bool {
		tagged, ok := r.versionOf(name)
		return ok && tagged.Equal(v)
	})
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 && r.Tagged == Before {
		return refusal(o.Tag, rule.SourceTag, "a tag of this name in "+r.Repository, "nothing",
			"tag commit "+from.Commit+", or let the policy say that tags are made after: tagged = \"after\""), nil
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range []string{o.Tag, from.Tag} { // the last comes to stand first
		if i := slices.IndexFunc(tags, func(t Tag) bool { return t.Name == name }); i > 0 {
			tags[0], tags[i] = tags[i], tags[0]
		}
	}
	if len(tags) > 0 && from.Tag != "" && tags[0].Name != from.Tag {
		no = append(no, refusal("tag "+from.Tag, rule.SourceTag, "the tag that was built", tags[0].Name,
			"a tag was taken away, or made under another name; put it back, or build from the one that is there")...)
	}
	for _, t := range tags {
		no = append(no, row{rule.SourceTag, "commit", from.Commit, t.Commit,
			"the tag was moved, or the build was of another commit; find out which, and build the tagged commit"}.refuse("tag "+t.Name)...)
	}
	if r.Tagged == Before {
		if o.Tag, o.TagObject = tags[0].Name, tags[0].Object; o.TagObject != "" {
			o.Signed, o.Signature = "tag", tags[0].Signature
		}
	}
	return no, nil
}

// signed refuses a signature that is missing where the policy wants one.
func (r SourceRules) signed(o *Upstream) rule.Refusals {
	what, want := "tag "+o.Tag, "tag"
	if r.Tagged == After {
		what, want = "commit "+o.Commit, "commit"
	}
	switch {
	case !r.Signed || o.Signed == want && o.Signature.Verified:
		return nil
	case o.Signed != want:
		return refusal(what, rule.SourceSigned, "a signed tag", "a lightweight one, which cannot be signed",
			"make it again with `git tag -s`, and build from it")
	}
	return refusal(what, rule.SourceSigned, "a signature that GitHub verifies", o.Signature.Reason,
		"sign it with a key that its author has on GitHub, and build from it")
}

func (r SourceRules) onBranch(repository, commit, branch string, bare []string) rule.Refusals {
	if branch != "" {
		return nil
	}
	got := "none of them has it"
	hint := "merge the commit into a branch of the release, and build from there"
	if len(bare) > 0 {
		got = strings.Join(bare, ", ") + ", which nothing protects"
		hint = "protect the branch, by a ruleset that restricts deletions and blocks force pushes, or by branch protection"
	}
	return refusal("commit "+commit, rule.SourceBranch, "a commit of a protected branch of "+repository+": "+strings.Join(r.Branches, ", "), got, hint)
}

// buildBranch asks for the repository that built, where it is another one.
func (r SourceRules) buildBranch(ctx context.Context, b certified, known string, o *Upstream) (rule.Refusals, error) {
	id, err := r.Keeper.RepositoryID(ctx, b.repository)
	if err != nil {
		return nil, err
	}
	branch, bare, err := r.Keeper.Branch(ctx, b.repository, r.Branches, b.Commit, known)
	o.BuildBranch = branch
	no := row{rule.SourceRepository, "id", b.RepositoryID, id, "find out who has that name now"}.refuse(b.repository)
	return append(no, r.onBranch(b.repository, b.Commit, branch, bare)...), err
}

// inputs refuses what the build took and the policy does not name.
func (r SourceRules) inputs(b certified, taken []string) (no rule.Refusals) {
	for _, what := range taken {
		if slices.ContainsFunc(r.Inputs, func(s string) bool { return strings.EqualFold(s, what) }) {
			continue
		}
		no = append(no, rule.Refusal{File: b.workflow, Rule: rule.SourceInputs, Want: "a build that takes everything from its commit",
			Got: what, Hint: "write the value into the workflow; or name it in the policy, under [build], as inputs = [\"" + what +
				"\"], and the review says that it is unproven"})
	}
	return no
}

// refuse is the row as a refusal of the file, if it does not hold.
func (r row) refuse(file string) rule.Refusals {
	if r.want == r.got {
		return nil
	}
	return refusal(file, r.id, r.label+" "+orNothing(r.want), orNothing(r.got), r.hint)
}

func refusal(file string, id rule.ID, want, got, hint string) rule.Refusals {
	return rule.Refusals{{File: file, Rule: id, Want: want, Got: got, Hint: hint}}
}

// certified is the build as its certificate has it.
type certified struct {
	Source
	repository string // "owner/name"
	workflow   string // path of its file
}

// builtBy is the build that the first file's provenance tells of. All of the
// others are of the same repository and commit.
func builtBy(first member) certified {
	e := first.provenance[0]
	workflow, _, _ := strings.Cut(strings.TrimPrefix(e.Workflow, e.Repository+"/"), "@")
	return certified{
		Source:     Source{Repository: e.Repository, RepositoryID: e.RepositoryID, Commit: e.Commit, Ref: e.Ref},
		repository: strings.TrimPrefix(e.Repository, "https://github.com/"),
		workflow:   workflow,
	}
}

// tagName is the tag that the build was of, if it was of one.
func (b certified) tagName() string {
	if name, ok := strings.CutPrefix(b.Ref, "refs/tags/"); ok {
		return name
	}
	return ""
}
