package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// signerFlags say who must have signed, where no policy file does.
type signerFlags struct {
	policy, repository, workflow, ref, signer, issuer, runner string
	roots                                                     []string
}

// fromIndex are the flags about releases on an index.
type fromIndex struct {
	requirements, index, download string
	files                         []string // further hosts
}

// verifyFlags are all flags of verify: about signers, about an index, about a
// release of the store.
type verifyFlags struct {
	signer  signerFlags
	from    fromIndex
	custody layoutFlags
	bundles []string
	json    bool
}

const verifyLong = `Verify hashes and opens every wheel and sdist at the paths, finds the bundles
that lie beside them (NAME.sigstore.json, NAME.*.attestation, NAME.provenance,
*.jsonl), and says for each file what was proven, or which rule refused it.

Who must have signed stands in a policy, --policy FILE, or on the command line:

    distgate verify dist --repository OWNER/REPO \
        --workflow .github/workflows/release.yml
    distgate verify FILE --signer alice@example.org \
        --issuer https://accounts.example.org --runner none

Of a release on an index it asks for the files, their hashes and their provenance
(PEP 740), and downloads and hashes every file that has some. With -r it takes the
files alone whose hashes stand in the requirements file. The index is believed in
nothing; --download keeps what was verified.

    distgate verify numpy==2.4.0 --repository numpy/numpy-release \
        --workflow .github/workflows/wheels.yml
    distgate verify -r requirements.txt numpy --policy distgate.toml

Of a release in the store, by its version or digest, --layout verifies the chain of
custody from the build to the index (see distgate layout).

It takes SLSA provenance (how a file was built) and publish/v1 attestations (who
published it) as evidence, and says which it has. Without --trusted-root, the
root of Sigstore's public-good instance is fetched by TUF.`

func newVerify(s Streams) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify (PATH… | PROJECT==VERSION… | -r FILE [PROJECT…])",
		Short: "What do these files and their bundles prove?",
		Long:  verifyLong,
		Args: func(c *cobra.Command, args []string) error {
			if f.from.requirements != "" {
				return nil
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, named []string) error { return f.verify(c.Context(), s, named) },
	}
	f.register(c)
	return c
}

func (f *verifyFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.signer.policy, "policy", "", "take signer and roots from this policy `FILE`")
	flags.StringVar(&f.signer.repository, "repository", "", "the `OWNER/REPO` that built")
	flags.StringVar(&f.signer.workflow, "workflow", "", "the `PATH` of the workflow that built")
	flags.StringVar(&f.signer.ref, "ref", "", "the only `REF` to accept (default: any, and it is shown)")
	flags.StringVar(&f.signer.signer, "signer", "", "the signer's whole `URI` or address (default: the workflow)")
	flags.StringVar(&f.signer.issuer, "issuer", "", "the `URL` that vouches for the signer (default: GitHub Actions')")
	flags.StringVar(&f.signer.runner, "runner", "", "the runner environment, a `VALUE` or none (default: github-hosted)")
	flags.StringArrayVar(&f.signer.roots, "trusted-root", nil, "a trusted_root.json `FILE` (repeatable)")
	flags.StringArrayVar(&f.bundles, "bundle", nil, "a further bundle `FILE` (repeatable)")
	flags.StringVarP(&f.from.requirements, "requirement", "r", "", "the files whose hashes stand in this requirements `FILE`")
	flags.StringVar(&f.from.index, "index", "", "an index: the `URL` of its simple API, or its name in the policy (default: pypi)")
	flags.StringArrayVar(&f.from.files, "index-files", nil, "a further `URL` whose host serves the index's files (repeatable)")
	flags.StringVar(&f.from.download, "download", "", "keep the verified files and their provenance in this `DIR`")
	flags.StringVar(&f.custody.file, "layout", "", "hold a staged release against this in-toto layout `FILE`")
	flags.StringArrayVar(&f.custody.steps, "step", nil, "the bundle of a further step of the layout, `NAME=FILE` (repeatable)")
	flags.StringVar(&f.custody.store, "store", defaultStore, "the store's `DIR`, with --layout")
	flags.BoolVar(&f.json, "json", false, "print the facts as JSON")
}

// verify judges a release of the store, releases on an index, or files.
func (f verifyFlags) verify(ctx context.Context, s Streams, named []string) error {
	if f.custody.file != "" {
		if len(named) != 1 {
			return usagef("--layout judges one release of the store")
		}
		return f.custody.verify(ctx, s, f.signer.policy, named[0], f.json)
	}
	if len(f.custody.steps) > 0 {
		return usagef("--step goes with --layout")
	}
	result, err := f.verified(ctx, s, named)
	var refused rule.Refusals
	if f.json && errors.As(err, &refused) && !errors.As(err, new(usageError)) {
		result, err = verification{Verified: []verifiedFile{}, Refused: refused, err: err}, nil
	}
	if err != nil {
		return err
	}
	return result.show(s, f.json)
}

// given are the flags about the signer that are set, but for the policy.
func (f signerFlags) given() (names []string) {
	for _, flag := range []struct{ name, value string }{{"--repository", f.repository}, {"--workflow", f.workflow}, {"--ref", f.ref},
		{"--signer", f.signer}, {"--issuer", f.issuer}, {"--runner", f.runner}, {"--trusted-root", strings.Join(f.roots, "")}} {
		if flag.value != "" {
			names = append(names, flag.name)
		}
	}
	return names
}

// noPath says what to type where a release is named, and files are wanted.
func noPath(named []string) error {
	digest := regexp.MustCompile(`^(sha256:)?[0-9a-f]{8,64}$`)
	for _, name := range named {
		_, err := os.Stat(name)
		_, other := dist.ParseVersion(name)
		if errors.Is(err, fs.ErrNotExist) && (other == nil || digest.MatchString(name)) {
			return usagef(name + " is no file or folder here. A staged release is proven by distgate review " + name +
				", a published one by distgate verify PROJECT==VERSION")
		}
	}
	return nil
}

func (f verifyFlags) verified(ctx context.Context, s Streams, named []string) (verification, error) {
	if f.from.means(named) {
		return f.signer.verifyReleases(ctx, s, f.from, named)
	}
	if err := noPath(named); err != nil {
		return verification{}, err
	}
	found, err := attest.Find(named, f.bundles)
	if err != nil {
		return verification{}, err
	}
	j, err := f.signer.judge(ctx, s)
	if err != nil {
		return verification{}, err
	}
	return j.verify(ctx, s, found)
}

// judge is by what the files are judged: who must have signed, under which
// roots, and for which project ("" where nobody said).
type judge struct {
	build    attest.Policy
	verifier *attest.Verifier
	project  string
	back     []indexed // releases that were taken back
}

// judge is what the flags describe.
func (f signerFlags) judge(ctx context.Context, s Streams) (judge, error) {
	if f.policy != "" {
		if flags := f.given(); len(flags) > 0 {
			return judge{}, usagef("both --policy " + f.policy + " and " + strings.Join(flags, ", ") + " say who must have signed: leave out " +
				"the latter, or leave out --policy and give --repository, --workflow and what else there is to say")
		}
		p, err := loadPolicy(ctx, f.policy, cacheDir(s), s.Now())
		if err != nil {
			return judge{}, err
		}
		p.build.Accept = append(p.build.Accept, attest.PublishV1)
		verifier, err := p.judging(s)
		return judge{p.build, verifier, p.project, p.withdrawn}, err
	}
	build, err := f.identity()
	if err != nil {
		return judge{}, err
	}
	verifier, err := f.verifier(ctx, s)
	return judge{build: build, verifier: verifier}, err
}

// identity is who must have signed: a workflow of a repository, or a person or
// another CI by its whole name.
func (f signerFlags) identity() (attest.Policy, error) {
	workflow := f.repository != "" || f.workflow != ""
	switch {
	case workflow && (f.repository == "" || f.workflow == ""):
		return attest.Policy{}, usagef("--repository and --workflow go together")
	case workflow && strings.Count(f.repository, "/") != 1:
		return attest.Policy{}, usagef("--repository is OWNER/REPO")
	case !workflow && (f.signer == "" || f.issuer == "" || f.runner == ""):
		return attest.Policy{}, usagef("say who must have signed: --policy distgate.toml, if that file is yours, or --repository and --workflow, " +
			"or --signer, --issuer and --runner together")
	case !workflow && f.ref != "":
		return attest.Policy{}, usagef("--ref goes with --repository")
	case f.ref != "" && (isNoRef(f.ref) || strings.ContainsAny(f.ref, "*?[")):
		return attest.Policy{}, usagef("--ref is one whole ref, as refs/tags/v1.0")
	case !workflow:
		return attest.SignedBy(f.signer, f.issuer, f.runnerMatch()), nil
	}
	p := attest.Workflow(f.repository, f.workflow)
	if f.signer != "" {
		p.SAN, p.Signer = attest.Exactly(f.signer), attest.Exactly(f.signer)
	}
	if f.issuer != "" {
		p.Issuer = attest.Exactly(f.issuer)
	}
	if f.ref != "" {
		p.Ref = attest.Exactly(f.ref)
	}
	if f.runner != "" {
		p.Runner = f.runnerMatch()
	}
	return p, nil
}

func (f signerFlags) runnerMatch() attest.Match {
	if f.runner == "none" {
		return attest.Absent()
	}
	return attest.Exactly(f.runner)
}

func (f signerFlags) verifier(ctx context.Context, s Streams) (*attest.Verifier, error) {
	if len(f.roots) == 0 {
		repository, trust := attest.PublicGoodTUF()
		root, _, err := attest.FetchRoot(ctx, repository, trust, cacheDir(s))
		if err != nil {
			return nil, fmt.Errorf("%w; name a trusted root with --trusted-root", err)
		}
		return attest.NewVerifier(root)
	}
	var roots []attest.Root
	for _, path := range f.roots {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		root, err := attest.LoadRoot(path, file)
		file.Close()
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	return attest.NewVerifier(roots...)
}

// cacheDir keeps TUF metadata between runs.
func cacheDir(s Streams) string {
	if dir := s.Env("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "distgate", "tuf")
	}
	return filepath.Join(s.Env("HOME"), ".cache", "distgate", "tuf")
}

// verification is the result of verify.
type verification struct {
	Verified []verifiedFile `json:"verified"`
	Refused  rule.Refusals  `json:"refused"`
	Others   []string       `json:"notLookedAt"`
	err      error
}

type verifiedFile struct {
	File     string            `json:"file"`
	Digest   dist.Digest       `json:"digest"`
	Size     int64             `json:"size"`
	Project  string            `json:"project"`
	Version  string            `json:"version"`
	Evidence []attest.Evidence `json:"evidence"`
	Others   rule.Refusals     `json:"passedOver"`
	Yanked   string            `json:"yanked,omitempty"` // why, of a file on an index
}

func (j judge) verify(ctx context.Context, s Streams, found *attest.Found) (verification, error) {
	bar := startProgress(s, "hashed", totalSize(found.Distributions))
	candidates, err := found.Collect(ctx, func(_ context.Context, path string) (dist.File, dist.Info, error) {
		file, info, err := inspectFile(path, bar)
		if err == nil {
			err = j.ofProject(file.Name(), info.Filename.Project)
		}
		return file, info, err
	})
	if err != nil {
		return verification{}, err
	}
	bar.finish()
	return j.judged(ctx, candidates, found.Others)
}

// ofProject refuses a file of another project than the policy's.
func (j judge) ofProject(file, project string) error {
	if j.project == "" || project == j.project {
		return nil
	}
	return rule.Refusals{{File: file, Rule: rule.OneProject, Want: "project " + j.project,
		Got: project, Hint: "it belongs to another project than the policy"}}
}

// judged is what is proven of the candidates.
func (j judge) judged(ctx context.Context, candidates []attest.Candidate, others []string) (verification, error) {
	verdict, err := j.verifier.Verify(ctx, j.build, candidates)
	if err != nil {
		return verification{}, err
	}
	result := verification{Verified: []verifiedFile{}, Refused: verdict.Refused(), Others: others, err: verdict.Err()}
	for _, d := range verdict.Verified() {
		if no := j.takenBack(d.File()); len(no) > 0 {
			result.Refused, result.err = append(result.Refused, no...), errors.Join(result.err, no)
			continue
		}
		result.Verified = append(result.Verified, verifiedFile{File: d.File().Name(), Digest: d.File().Digest(), Size: d.File().Size(),
			Project: d.Info().Filename.Project, Version: d.Info().Filename.Version.String(),
			Evidence: d.Evidence(), Others: d.Others()})
	}
	return result, nil
}

// takenBack refuses a file of a release that was withdrawn.
func (j judge) takenBack(f dist.File) (no rule.Refusals) {
	for _, w := range j.back {
		if slices.Contains(w.Files, f.Digest()) {
			return rule.Refusals{w.Refusal(f.Name())}
		}
	}
	return nil
}

// inspectFile hashes a distribution where it lies, and opens it.
func inspectFile(path string, bar *progress) (dist.File, dist.Info, error) {
	source, err := attest.OpenRegular(path)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	defer source.Close()
	file, err := dist.Copy(io.Discard, bar.reader(source), filepath.Base(path), dist.MaxSize)
	if err != nil {
		return dist.File{}, dist.Info{}, err
	}
	info, err := dist.Inspect(source, file)
	return file, info, err
}

func totalSize(paths []string) (total int64) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			total += info.Size()
		}
	}
	return total
}

func (v verification) show(s Streams, asJSON bool) error {
	if asJSON {
		if v.Refused == nil {
			v.Refused = rule.Refusals{}
		}
		if v.Others == nil {
			v.Others = []string{}
		}
		if err := emit(s.Out, v); err != nil {
			return err
		}
	} else {
		v.text(printer{s.Out})
	}
	if v.err != nil {
		return shown{v.err}
	}
	return nil
}

// text names each file, and says once what several files have in common.
func (v verification) text(p printer) {
	for i, f := range v.Verified {
		p.line("verified   %s (%s)", f.File, bytesText(f.Size))
		p.field("digest", f.Digest.String())
		p.field("project", f.Project+" "+f.Version)
		if f.Yanked != "" {
			p.field("yanked", f.Yanked)
		}
		groups := grouped(f.Evidence)
		if i > 0 && reflect.DeepEqual(groups, grouped(v.Verified[i-1].Evidence)) {
			p.field("evidence", "the same run and signer as the file before")
		} else {
			for _, e := range groups {
				p.evidence(e)
			}
		}
		for _, r := range f.Others {
			p.field("unused", r.Error())
		}
	}
	p.refusals(v.Refused)
	for _, other := range v.Others {
		p.line("ignored    %s", filepath.Base(other))
	}
	p.line("%s verified, %s refused", plural(len(v.Verified), "file"), plural(refusedFiles(v.Refused), "file"))
}

// witnessed is what one signer says, in one or more bundles.
type witnessed struct {
	attest.Evidence
	kinds    []string
	from, to int64 // first and last signed, seconds since 1970
}

// grouped joins evidence that differs only in what kind it is.
func grouped(evidence []attest.Evidence) (groups []witnessed) {
	for _, e := range evidence {
		kind, at := evidenceKind(e), e.SignedAt
		e.Bundle, e.PredicateType, e.BuildType, e.SignedAt = dist.Digest{}, "", "", 0
		i := slices.IndexFunc(groups, func(g witnessed) bool { return g.Evidence == e })
		if i < 0 {
			i, groups = len(groups), append(groups, witnessed{Evidence: e, from: at})
		}
		groups[i].from, groups[i].to = min(groups[i].from, at), max(groups[i].to, at)
		if !slices.Contains(groups[i].kinds, kind) {
			groups[i].kinds = append(groups[i].kinds, kind)
		}
	}
	return groups
}

// evidence says in words what a signer's bundles prove, and how far.
func (p printer) evidence(e witnessed) {
	for _, kind := range e.kinds {
		p.field("evidence", kind)
	}
	if e.Repository == "" {
		p.field("signer", e.SAN+", vouched for by "+e.Issuer)
	} else {
		p.field("repository", strings.TrimPrefix(e.Repository, "https://github.com/"))
		p.field("commit", e.Commit)
		p.field("ref", e.Ref)
		p.field("workflow", e.Workflow)
		if e.Signer != e.Workflow {
			p.field("signer", e.Signer)
		}
		p.field("run", e.Run+" ("+e.Trigger+")")
		p.field("issuer", e.Issuer)
	}
	signed := utc(time.Unix(e.from, 0))
	if last := utc(time.Unix(e.to, 0)); last != signed {
		signed += " to " + last
	}
	p.field("signed", signed)
	if e.Hosted == attest.EveryJob {
		p.field("runner", orNothing(e.Runner)+", and every job of the run was asked for")
	} else {
		p.field("runner", orNothing(e.Runner)+" (certificate only: it speaks of the job that signed)")
	}
	if e.Elsewhere != "" {
		p.field("elsewhere", "not vouched for by GitHub: jobs ran in "+e.Elsewhere)
	}
}

func evidenceKind(e attest.Evidence) string {
	switch e.PredicateType {
	case attest.PublishV1:
		return "publish/v1: who published it, not how it was built"
	case attest.ProvenanceV02:
		return "SLSA provenance v0.2: how it was built"
	}
	return "SLSA provenance v1: how it was built"
}

func refusedFiles(refused rule.Refusals) int {
	files := map[string]bool{}
	for _, r := range refused {
		files[r.File] = true
	}
	return len(files)
}
