package command

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// maxPolicyFile bounds distgate.toml and every file that it names.
const maxPolicyFile = 1 << 20

// Schema is the JSON Schema of distgate.toml, for editors.
//
//go:embed distgate.schema.json
var Schema []byte

// policyFile is distgate.toml as it is written: one table for each room.
type policyFile struct {
	Project   string                `toml:"project"`
	Build     buildTable            `toml:"build"`
	Source    *sourceTable          `toml:"source"`
	Files     filesTable            `toml:"files"`
	Series    map[string]filesTable `toml:"series"`
	Roots     []rootTable           `toml:"root"`
	Index     map[string]indexTable `toml:"index"`
	Publish   publishTable          `toml:"publish"`
	Sigstore  sigstoreTable         `toml:"sigstore"`
	GitHub    githubTable           `toml:"github"`
	Store     storeTable            `toml:"store"`
	Withdraw  withdrawTable         `toml:"withdraw"`
	Reconcile reconcileTable        `toml:"reconcile"`
	Approval  approvalTable         `toml:"approval"`
	Audit     auditTable            `toml:"audit"`
	People    map[string][]string   `toml:"people"`
}

type buildTable struct {
	Repository   string          `toml:"repository"`
	RepositoryID string          `toml:"repository-id"`
	OwnerID      string          `toml:"owner-id"`
	Workflow     string          `toml:"workflow"`
	Refs         []string        `toml:"refs"`
	Hosted       string          `toml:"hosted"`
	Runner       string          `toml:"runner"`
	Signer       string          `toml:"signer"`
	Triggers     []string        `toml:"triggers"`
	Environment  string          `toml:"environment"`
	Issuer       string          `toml:"issuer"`
	Artifacts    []string        `toml:"artifacts"`
	Inputs       []string        `toml:"inputs"`
	Labels       []string        `toml:"labels"`
	Runners      []runnersTable  `toml:"runners"`
	LeaveOut     []leaveOutTable `toml:"leave-out"`
}

// runnersTable is a group of runners that are not GitHub's own.
type runnersTable struct {
	Group  string   `toml:"group"`
	Labels []string `toml:"labels"`
	Reason string   `toml:"reason"`
}

type leaveOutTable struct {
	Files  string `toml:"files"`
	Reason string `toml:"reason"`
}

type rootTable struct {
	File string `toml:"file"`
	TUF  string `toml:"tuf"`
	Root string `toml:"root"`
}

type indexTable struct {
	Upload      string   `toml:"upload"`
	Simple      string   `toml:"simple"`
	Integrity   string   `toml:"integrity"`
	Files       []string `toml:"files"`
	Audience    string   `toml:"audience"`
	Environment string   `toml:"environment"`
	Patience    string   `toml:"patience"`
	MaxFile     string   `toml:"max-file"`
	MaxProject  string   `toml:"max-project"`
	Open        string   `toml:"open"`
	Votes       *int     `toml:"votes"`
	Manage      string   `toml:"manage"`
	Yank        string   `toml:"yank"`
}

type publishTable struct {
	Repository   string   `toml:"repository"`
	RepositoryID string   `toml:"repository-id"`
	OwnerID      string   `toml:"owner-id"`
	Workflow     string   `toml:"workflow"`
	Refs         []string `toml:"refs"`
	Triggers     []string `toml:"triggers"`
	Issuer       string   `toml:"issuer"`
}

type sigstoreTable struct {
	Fulcio string `toml:"fulcio"`
	Rekor  string `toml:"rekor"`
	TSA    string `toml:"tsa"`
	Root   string `toml:"root"`
}

type githubTable struct {
	API     string `toml:"api"`
	Release string `toml:"release"`
}

type approvalTable struct {
	Need    int             `toml:"need"`
	Roads   []approval.Road `toml:"roads"`
	MaxAge  string          `toml:"max-age"`
	Signers string          `toml:"signers"`
	People  string          `toml:"people"`
}

// policy is distgate.toml and every file that it names, read and judged: what
// each room takes, and no more of the file.
type policy struct {
	file     string       // path of distgate.toml
	from     policySource // where it and what it names is read
	table    policyFile
	files    []staging.PolicyFile // all that was read
	fetched  []string             // those of them that come by TUF
	project  string
	roots    map[string]attest.Root // by the name in [[root]]
	verifier *attest.Verifier
	build    attest.Policy
	expected staging.Expected
	approval approval.Policy

	withdrawn    []indexed // of withdrawn.toml
	withdrawnRaw []byte
}

// loadPolicy reads and judges the policy. Everything that is wrong with it is a
// usage error, since no release was judged; what cannot be read is not.
func loadPolicy(ctx context.Context, file, cache string, now time.Time) (policy, error) {
	return readPolicy(ctx, file, inFolder(filepath.Dir(file)), cache, now)
}

func readPolicy(ctx context.Context, file string, source policySource, cache string, now time.Time) (policy, error) {
	p, err := rootless(ctx, file, source, now)
	if err == nil {
		err = malformed(p.loadRoots(ctx, cache))
	}
	return p, err
}

// rootless is a policy that is judged but for its roots, which may have to be fetched.
func rootless(ctx context.Context, file string, source policySource, now time.Time) (policy, error) {
	p := policy{file: file, from: source, roots: map[string]attest.Root{}}
	err := p.load(ctx, now)
	return p, malformed(err)
}

// malformed makes a refusal of the policy a usage error.
func malformed(err error) error {
	if errors.As(err, new(rule.Refusals)) {
		return usageError{err}
	}
	return err
}

func (p *policy) load(ctx context.Context, now time.Time) error {
	raw, err := p.read(ctx, filepath.Base(p.file))
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no policy " + p.file + "; name it with --policy FILE or its repository with --repository, " +
			"or write one (README, The policy)")
	}
	if err != nil {
		return err
	}
	if err := decodePolicy(p.file, raw, &p.table); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	if p.project, err = dist.NormalizeName(p.table.Project); err != nil {
		return p.refuse("project", "the project's name on the index", p.table.Project)
	}
	if p.build, err = p.table.Build.policy(p); err != nil {
		return err
	}
	if p.expected, err = p.expectedFiles(); err != nil {
		return err
	}
	if p.approval, err = p.voting(ctx); err != nil {
		return err
	}
	if err := p.approval.Check(now); err != nil {
		return err
	}
	if err := errors.Join(p.checkStore(), p.checkSource(), p.checkPublishers(), p.checkOrigins(), p.checkRehearsals(), p.checkAudit()); err != nil {
		return err
	}
	if _, err := p.booksBegin(); err != nil {
		return err
	}
	return p.loadWithdrawn(ctx)
}

// read reads a file of the policy, by its path relative to distgate.toml, and
// keeps its bytes: they are part of what is approved.
func (p *policy) read(ctx context.Context, name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, p.refuse(name, "a path beside "+filepath.Base(p.file), name)
	}
	name = filepath.ToSlash(filepath.Clean(name))
	for _, f := range p.files {
		if f.Name == name {
			return f.Raw, nil
		}
	}
	raw, err := p.from(ctx, name)
	if errors.Is(err, fs.ErrNotExist) && name != filepath.Base(p.file) {
		return nil, p.refuse(name, "a file that "+filepath.Base(p.file)+" names", "nothing")
	}
	if err != nil {
		return nil, err
	}
	if len(raw) > maxPolicyFile || len(raw) == 0 {
		got := "an empty file"
		if len(raw) > 0 {
			got = "more"
		}
		return nil, rule.Refusals{{File: name, Rule: rule.PolicyValue, Want: fmt.Sprintf("1 to %d bytes", maxPolicyFile),
			Got: got, Hint: "restore it; " + filepath.Base(p.file) + " names it as a part of the policy"}}
	}
	p.files = append(p.files, staging.PolicyFile{Name: name, Raw: raw})
	return raw, nil
}

func (p *policy) refuse(key, want, got string) rule.Refusals {
	return rule.Refusals{{File: p.file, Rule: rule.PolicyValue, Want: key + ": " + want,
		Got: orNothing(got), Hint: "correct it in " + p.file}}
}

// decodePolicy is strict: an unknown key is refused, with the nearest known one.
func decodePolicy(file string, raw []byte, into *policyFile) error {
	var written map[string]any
	err := toml.Unmarshal(raw, &written)
	if err == nil {
		err = exactKeys(file, written, "")
	}
	if err == nil {
		err = toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(into)
	}
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, new(rule.Refusals)):
		return err
	case errors.As(err, &unknown):
		var no rule.Refusals
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			key := strings.Join(e.Key(), ".")
			no = append(no, rule.Refusal{File: fmt.Sprintf("%s:%d", file, row), Rule: rule.PolicyKey,
				Want: "a key that distgate knows", Got: key, Hint: "did you mean " + nearestKey(key) + "?"})
		}
		return no
	case errors.As(err, &wrong):
		row, column := wrong.Position()
		return rule.Refusals{{File: fmt.Sprintf("%s:%d:%d", file, row, column), Rule: rule.PolicyValue,
			Want: strings.TrimPrefix(strings.Join(wrong.Key(), ".")+": ", ": ") + "TOML as the schema has it",
			Got:  beforeStruct(wrong.Error()), Hint: "correct this line"}}
	case err != nil:
		return rule.Refusals{{File: file, Rule: rule.PolicyValue,
			Want: "TOML as the README shows it", Got: err.Error(), Hint: "correct the file"}}
	}
	return nil
}

// exactKeys refuses keys that are written otherwise than the schema has them:
// the decoder takes NEED for need, and the last one wins. No value has a control
// character, either, for a value is one line of what people read.
func exactKeys(file string, table map[string]any, prefix string) error {
	known := knownKeys(reflect.TypeFor[policyFile](), "")
	for key, value := range table {
		path := prefix + key
		if named := prefix + "NAME"; slices.ContainsFunc(known, func(ours string) bool { return strings.HasPrefix(ours, named+".") }) {
			path = named
		}
		i := slices.IndexFunc(known, func(ours string) bool { return strings.EqualFold(ours, path) })
		if i >= 0 && known[i] != path && prefix != "people." {
			return rule.Refusals{{File: file, Rule: rule.PolicyKey, Want: "the key " + known[i], Got: path,
				Hint: "write it as the schema has it"}}
		}
		if err := exactValue(file, path+".", value); err != nil {
			return err
		}
	}
	return nil
}

func exactValue(file, path string, value any) error {
	switch value := value.(type) {
	case map[string]any:
		return exactKeys(file, value, path)
	case []any:
		for _, v := range value {
			if err := exactValue(file, path, v); err != nil {
				return err
			}
		}
	case string:
		if strings.ContainsFunc(value, unicode.IsControl) {
			return rule.Refusals{{File: file, Rule: rule.PolicyValue, Want: strings.TrimSuffix(path, ".") + ": one line of text",
				Got: value, Hint: "write each value by itself"}}
		}
	}
	return nil
}

// beforeStruct cuts the name of a Go type off the decoder's words.
func beforeStruct(text string) string {
	text, _, _ = strings.Cut(text, " into struct field")
	return text
}

func (b buildTable) policy(p *policy) (attest.Policy, error) {
	owner, name, _ := strings.Cut(b.Repository, "/")
	for _, row := range []struct {
		holds          bool
		key, want, got string
	}{
		{owner != "" && name != "" && !strings.Contains(name, "/"), "repository", "owner/name", b.Repository},
		{isNumber(b.RepositoryID), "repository-id", "the number that `gh api repos/" + b.Repository + " --jq .id` prints", b.RepositoryID},
		{isNumber(b.OwnerID), "owner-id", "the number that `gh api users/" + owner + " --jq .id` prints", b.OwnerID},
		{strings.HasPrefix(b.Workflow, ".github/workflows/"), "workflow", "a path as .github/workflows/NAME.yml", b.Workflow},
		{len(b.Refs) > 0 && !slices.ContainsFunc(b.Refs, isNoRef), "refs", "whole refs, as refs/tags/v*", strings.Join(b.Refs, ", ")},
		{!slices.ContainsFunc(b.Triggers, func(t string) bool { return t == "" || t == "pull_request_target" }), "triggers",
			"events that no stranger can start with the repository's secrets", strings.Join(b.Triggers, ", ")},
		{b.Hosted == string(attest.Certificate) || b.Hosted == string(attest.EveryJob), "hosted", `"every-job" or "certificate"`, b.Hosted},
		{b.Hosted != string(attest.EveryJob) || len(b.Labels) > 0, "labels", `the labels of GitHub's own runners that the build uses, as "ubuntu-24.04"`, ""},
		{!slices.ContainsFunc(b.Runners, func(r runnersTable) bool { return r.Group == "" || r.Reason == "" || len(r.Labels) == 0 }), "runners",
			"a group, its labels and a reason", ""},
		{!slices.ContainsFunc(b.Artifacts, isNoPattern), "artifacts", "patterns of artifact names", strings.Join(b.Artifacts, ", ")},
	} {
		if !row.holds {
			return attest.Policy{}, p.refuse("build."+row.key, row.want, row.got)
		}
	}
	build := attest.Workflow(b.Repository, b.Workflow)
	build.RepositoryID = attest.Exactly(b.RepositoryID)
	build.OwnerID = attest.Exactly(b.OwnerID)
	build.Ref = attest.Glob(b.Refs...)
	build.Hosted = attest.Hosted(b.Hosted)
	build.Accept = attest.Provenance()
	build.Environment = attest.AbsentOr(b.Environment)
	build.Labels = attest.Exactly(b.Labels...)
	for _, r := range b.Runners {
		build.Runners = append(build.Runners, attest.RunnerGroup{Name: r.Group, Labels: attest.Exactly(r.Labels...), Reason: r.Reason})
	}
	if b.Runner != "" {
		build.Runner = attest.Exactly(b.Runner)
	}
	if b.Signer != "" {
		build.SAN, build.Signer = attest.Exactly(b.Signer), attest.Exactly(b.Signer)
	}
	if len(b.Triggers) > 0 {
		build.Trigger = attest.Exactly(b.Triggers...)
	}
	if b.Issuer != "" {
		build.Issuer = attest.Exactly(b.Issuer)
	}
	return build, nil
}

// isNoRef tells whether a pattern could match what is no branch and no tag.
func isNoRef(ref string) bool {
	name, tag := strings.CutPrefix(ref, "refs/tags/")
	branch, head := strings.CutPrefix(ref, "refs/heads/")
	if head {
		name = branch
	}
	return !tag && !head || strings.Trim(name, "*?/ ") == ""
}

func isNoPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return pattern == "" || err != nil
}

func isNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}

// loadRoots loads every [[root]], in the order of the file.
func (p *policy) loadRoots(ctx context.Context, cache string) error {
	var roots []attest.Root
	for _, r := range p.table.Roots {
		name, root, err := p.loadRoot(ctx, r, cache)
		if err != nil {
			return err
		}
		if _, twice := p.roots[name]; twice {
			return p.refuse("root", "each root once", name)
		}
		p.roots[name], roots = root, append(roots, root)
	}
	if len(roots) == 0 {
		return p.refuse("root", "at least one [[root]] with a file or a TUF repository", "")
	}
	var err error
	p.verifier, err = attest.NewVerifier(roots...)
	return err
}

func (p *policy) loadRoot(ctx context.Context, r rootTable, cache string) (string, attest.Root, error) {
	if (r.File == "") == (r.TUF == "") {
		return "", attest.Root{}, p.refuse("root", "file or tuf, one of them", r.File+r.TUF)
	}
	if r.File != "" {
		raw, err := p.read(ctx, r.File)
		if err != nil {
			return "", attest.Root{}, err
		}
		root, err := attest.LoadRoot(r.File, bytes.NewReader(raw))
		return r.File, root, err
	}
	publicGood, trust := attest.PublicGoodTUF()
	if r.Root != "" {
		var err error
		if trust, err = p.read(ctx, r.Root); err != nil {
			return "", attest.Root{}, err
		}
	} else if r.TUF != publicGood {
		return "", attest.Root{}, p.refuse("root.root", "the root.json of "+r.TUF, "")
	}
	root, raw, err := attest.FetchRoot(ctx, r.TUF, trust, cache)
	if err != nil {
		return "", attest.Root{}, fmt.Errorf("%w; a [[root]] with a file needs no network", err)
	}
	_, host, _ := strings.Cut(r.TUF, "://")
	name := "tuf/" + strings.ReplaceAll(host, ":", "_") + "/trusted_root.json"
	p.files = append(p.files, staging.PolicyFile{Name: name, Raw: raw})
	p.fetched = append(p.fetched, name)
	return r.TUF, root, nil
}

func (p *policy) voting(ctx context.Context) (approval.Policy, error) {
	v := p.table.Approval
	age, err := time.ParseDuration(v.MaxAge)
	if err != nil {
		return approval.Policy{}, p.refuse("approval.max-age", `how long an approval holds, as "72h"`, v.MaxAge)
	}
	if v.People != "" && v.People != "solo" {
		return approval.Policy{}, p.refuse("approval.people", `"solo", or no such key`, v.People)
	}
	voting := approval.Policy{Need: v.Need, Roads: v.Roads, MaxAge: age, Solo: v.People == "solo"}
	if voting.Signers, err = p.signers(ctx); err != nil {
		return approval.Policy{}, err
	}
	for _, id := range slices.Sorted(maps.Keys(p.table.People)) {
		if !isNumber(id) {
			return approval.Policy{}, p.refuse("people", "GitHub's numeric user ids", id)
		}
		github, _ := strconv.ParseInt(id, 10, 64)
		voting.People = append(voting.People, approval.Person{GitHub: github, Principals: p.table.People[id]})
	}
	return voting, nil
}

// signers are the keys that may vote. Where signed votes do not count, there may
// be none.
func (p *policy) signers(ctx context.Context) (approval.AllowedSigners, error) {
	v := p.table.Approval
	if v.Signers == "" && slices.Contains(v.Roads, approval.Environment) && !slices.Contains(v.Roads, approval.Signed) {
		return approval.AllowedSigners{}, nil
	}
	if v.Signers == "" {
		return approval.AllowedSigners{}, p.refuse("approval.signers", "the path of an allowed_signers file", "")
	}
	raw, err := p.read(ctx, v.Signers)
	if err != nil {
		return approval.AllowedSigners{}, err
	}
	return approval.ParseAllowedSigners(v.Signers, bytes.NewReader(raw))
}

// indexName is the index that a verb means: the one named, or the only one.
func (p policy) indexName(name string) (string, error) {
	known := slices.Sorted(maps.Keys(p.table.Index))
	switch {
	case name == "" && len(known) == 1:
		return known[0], nil
	case len(known) == 0:
		return "", usageError{p.refuse("index", "at least one [index.NAME]", "")}
	case name == "":
		return "", usagef("name one of the indexes with --index: " + strings.Join(known, ", "))
	case !slices.Contains(known, name):
		return "", usagef("the policy has no [index." + name + "]; it has " + strings.Join(known, ", "))
	}
	return name, nil
}

// staging is what must hold of a release for the index.
func (p policy) staging(index string) (staging.Policy, error) {
	s := staging.Policy{Project: p.project, Index: index, Environment: p.table.Index[index].Environment,
		Build: p.build, Expected: p.expected, Files: p.files}
	if s.Environment == "" {
		return s, usageError{p.refuse("index."+index+".environment", "the GitHub environment that publishes to it", "")}
	}
	for _, l := range p.table.Build.LeaveOut {
		if l.Files == "" || l.Reason == "" {
			return s, usageError{p.refuse("build.leave-out", "files and a reason", l.Files)}
		}
		s.LeaveOut = append(s.LeaveOut, staging.LeaveOut{Files: l.Files, Reason: l.Reason})
	}
	return s, nil
}

// address is where an index is. The two that everybody knows need none.
func (p policy) address(name string) publish.Address {
	t := p.table.Index[name]
	address := publish.Address{Name: name, Upload: t.Upload, Simple: t.Simple, Integrity: t.Integrity,
		Files: t.Files, Audience: t.Audience, Patience: 15 * time.Minute}
	switch bare := t.Upload == "" && t.Simple == "" && t.Integrity == "" && t.Audience == ""; {
	case bare && name == "pypi":
		address = publish.PyPI()
	case bare && name == "testpypi":
		address = publish.TestPyPI()
	}
	if t.Manage != "" {
		address.Manage = t.Manage
	}
	address.Yank = t.Yank
	return address
}

// index is the index to publish to.
func (p policy) index(name string) (*publish.Index, error) {
	t, address := p.table.Index[name], p.address(name)
	if t.Patience != "" {
		patience, err := time.ParseDuration(t.Patience)
		if err != nil {
			return nil, usageError{p.refuse("index."+name+".patience", `a time as "15m"`, t.Patience)}
		}
		address.Patience = patience
	}
	var err error
	if address.Limits, err = p.limits(name, address.Limits); err != nil {
		return nil, err
	}
	index, err := publish.NewIndex(address)
	return index, policyFault(err)
}

// checkPublishers judges who may publish, for each index.
func (p policy) checkPublishers() error {
	var errs []error
	for _, index := range slices.Sorted(maps.Keys(p.table.Index)) {
		_, err := p.publisher(index)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// publisher is the one job that may publish to the index.
func (p policy) publisher(index string) (publish.Publisher, error) {
	t := p.table.Publish
	job := publish.Publisher{Issuer: t.Issuer, Repository: t.Repository, RepositoryID: t.RepositoryID, OwnerID: t.OwnerID,
		Workflow: t.Workflow, Refs: t.Refs, Triggers: t.Triggers, Environment: p.table.Index[index].Environment}
	if job.Issuer == "" {
		job.Issuer = attest.GitHubIssuer
	}
	if len(job.Triggers) == 0 {
		job.Triggers = attest.DefaultTriggers()
	}
	return job, policyFault(job.Check())
}

// signer signs as the job that runs distgate, with the public-good instance
// where the policy names no other.
func (p policy) signer(token attest.Token) (*attest.Signer, error) {
	t := p.table.Sigstore
	services := attest.Services{Fulcio: t.Fulcio, Rekor: t.Rekor, TSA: t.TSA}
	if t.Fulcio == "" && t.Rekor == "" && t.TSA == "" {
		services = attest.Services{Fulcio: "https://fulcio.sigstore.dev", Rekor: "https://rekor.sigstore.dev"}
	}
	name := t.Root
	if name == "" && len(p.roots) == 1 {
		for only := range p.roots {
			name = only
		}
	}
	root, ok := p.roots[name]
	if !ok {
		return nil, usageError{p.refuse("sigstore.root", "one of the [[root]]s: the one of the instance that signs", name)}
	}
	return attest.NewSigner(services, root, token)
}

// policyFault makes a refusal of the policy a usage error.
func policyFault(err error) error {
	if refused := (rule.Refusals)(nil); errors.As(err, &refused) {
		return usageError{err}
	}
	return err
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
