package attest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/verify"
	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Candidate is a distribution as it arrived, with the bundles found for it. One
// that could not even be read carries its refusals and nothing else.
type Candidate struct {
	File    dist.File
	Info    dist.Info
	Bundles []Bundle
	Refused rule.Refusals
}

// Evidence is what one verified bundle proves of one distribution: facts of
// the certificate, in the certificate's own words. It is comparable with ==.
// A field is "" where the certificate has no such extension.
type Evidence struct {
	Bundle        dist.Digest `json:"bundle"` // of the bundle's bytes
	Root          dist.Digest `json:"root"`   // the trusted root under which it verified
	PredicateType string      `json:"predicateType"`
	BuildType     string      `json:"buildType"`
	SAN           string      `json:"san"`
	Issuer        string      `json:"issuer"`
	Signer        string      `json:"signer"`
	SignerDigest  string      `json:"signerDigest"`
	Runner        string      `json:"runner"`
	Repository    string      `json:"repository"`
	Commit        string      `json:"commit"`
	Ref           string      `json:"ref"`
	RepositoryID  string      `json:"repositoryId"`
	OwnerID       string      `json:"ownerId"`
	Workflow      string      `json:"workflow"`
	Trigger       string      `json:"trigger"`
	Run           string      `json:"run"`
	Visibility    string      `json:"visibility"`
	Environment   string      `json:"environment"`
	Subject       string      `json:"subject"`
	Hosted        Hosted      `json:"hosted"`              // how far the runner was proven
	Elsewhere     string      `json:"elsewhere,omitempty"` // the runner groups that built too and that GitHub does not vouch for
	SignedAt      int64       `json:"signedAt"`            // seconds since 1970, from the log or the timestamp
}

// Verified is the proof that a distribution's bytes were built as the policy
// demands. Only [Verifier.Verify] makes one.
type Verified struct {
	file     dist.File
	info     dist.Info
	bundles  []Bundle
	evidence []Evidence
	others   rule.Refusals
}

// File is the distribution whose bytes were hashed.
func (v Verified) File() dist.File { return v.file }

// Info is what the distribution says of itself.
func (v Verified) Info() dist.Info { return v.info }

// Bundles are those that met the policy, by digest.
func (v Verified) Bundles() []Bundle { return slices.Clone(v.bundles) }

// Evidence is what each of Bundles proves, in the same order. There is at
// least one.
func (v Verified) Evidence() []Evidence { return slices.Clone(v.evidence) }

// Others says why each further bundle did not count. It decides nothing.
func (v Verified) Others() rule.Refusals { return slices.Clone(v.others) }

// Verdict is the judgement over all candidates of one call, so that nobody can
// go on with a subset.
type Verdict struct {
	policy   Policy
	verified []Verified
	refused  rule.Refusals
}

// By reports whether the verdict was reached under just this policy.
func (v Verdict) By(p Policy) bool { return reflect.DeepEqual(v.policy, p) }

// Verified are the candidates that met the policy, by file name.
func (v Verdict) Verified() []Verified { return slices.Clone(v.verified) }

// Refused says which rules did not hold, file by file.
func (v Verdict) Refused() rule.Refusals { return slices.Clone(v.refused) }

// Err is nil only if there were candidates and every one was verified.
func (v Verdict) Err() error {
	if len(v.verified) == 0 && len(v.refused) == 0 {
		return nothingToJudge().Err()
	}
	return v.refused.Err()
}

func nothingToJudge() rule.Refusals {
	return rule.Refusals{{File: "candidates", Rule: rule.CandidateMissing,
		Want: "at least one wheel or sdist", Got: "nothing", Hint: "name the files, or the folder that holds them"}}
}

// Verifier verifies bundles under trusted roots, each root for itself.
type Verifier struct {
	roots []Root
	jobs  JobsOf // nil where nobody can be asked
}

// NewVerifier takes the roots in the order in which they are asked. Without a
// root there is no verifier.
func NewVerifier(roots ...Root) (*Verifier, error) {
	for _, r := range roots {
		if r.verifier == nil {
			return nil, errors.New("a trusted root that was not loaded")
		}
	}
	if len(roots) == 0 {
		return nil, errors.New("no trusted root: nothing could be verified")
	}
	return &Verifier{roots: slices.Clone(roots)}, nil
}

// Asking is the same verifier, which asks for the jobs of a run where a policy
// wants every job proven.
func (v *Verifier) Asking(jobs JobsOf) *Verifier {
	return &Verifier{roots: v.roots, jobs: jobs}
}

// Roots are the digests of the roots, in order.
func (v *Verifier) Roots() []dist.Digest {
	digests := make([]dist.Digest, len(v.roots))
	for i, r := range v.roots {
		digests[i] = r.digest
	}
	return digests
}

// Verify judges every candidate by the policy. The error is for what could not
// be decided (a root too old, a policy that asks what cannot be answered here,
// ctx ended); what was decided is in the Verdict. Bundles verify in parallel.
func (v *Verifier) Verify(ctx context.Context, p Policy, candidates []Candidate) (Verdict, error) {
	if len(candidates) == 0 {
		return Verdict{policy: p, refused: nothingToJudge()}, nil
	}
	if err := p.check(v.jobs); err != nil {
		return Verdict{}, err
	}
	proofs, err := v.proveAll(ctx, candidates)
	if err != nil {
		return Verdict{}, err
	}
	verdict := Verdict{policy: p.clone(), refused: doubled(candidates)}
	judging := judging{Policy: p, jobs: once(ctx, v.jobs)}
	for _, c := range candidates {
		verified, refused, err := judging.candidate(c, proofs)
		if err != nil {
			return Verdict{}, err
		}
		if verdict.refused = append(verdict.refused, refused...); len(refused) == 0 {
			verdict.verified = append(verdict.verified, verified)
		}
	}
	slices.SortFunc(verdict.verified, func(a, b Verified) int {
		return strings.Compare(a.file.Name(), b.file.Name())
	})
	return verdict, nil
}

func (p Policy) clone() Policy {
	p.Accept, p.Runners = slices.Clone(p.Accept), slices.Clone(p.Runners)
	return p
}

// check refuses a policy that could not decide.
func (p Policy) check(jobs JobsOf) error {
	switch {
	case len(p.Accept) == 0:
		return errors.New("the policy accepts no predicate type, so nothing could be verified")
	case p.Hosted == EveryJob:
		return p.checkMachines(jobs)
	case p.Hosted != Certificate:
		return errors.New("the policy does not say how far hosted runners must be proven")
	}
	return nil
}

// doubled refuses candidates that share a name or bytes.
func doubled(candidates []Candidate) (no rule.Refusals) {
	names, digests := map[string]bool{}, map[dist.Digest]string{}
	for _, c := range candidates {
		name := c.File.Name()
		if c.File.IsZero() {
			continue
		}
		if other, ok := digests[c.File.Digest()]; names[name] || ok {
			got := "two files of this name"
			if ok && other != name {
				got = "the same bytes as " + other
			}
			no = append(no, rule.Refusal{File: name, Rule: rule.CandidateDoubled,
				Want: "each name and each file once", Got: got, Hint: "leave one of them out"})
		}
		names[name], digests[c.File.Digest()] = true, name
	}
	return no
}

// proof is what Sigstore's verification made of one bundle.
type proof struct {
	certificate certificate
	root        dist.Digest
	signedAt    int64
	refused     rule.Refusals
	undecided   error
}

// proveAll verifies each distinct bundle once, however many files it is about,
// and none that is about no file: whatever Sigstore says of it, it cannot count.
func (v *Verifier) proveAll(ctx context.Context, candidates []Candidate) (map[dist.Digest]*proof, error) {
	proofs := map[dist.Digest]*proof{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, c := range candidates {
		for _, b := range c.Bundles {
			if proofs[b.digest] != nil || b.covers(c.File.Name(), c.File.Digest()) != nil {
				continue
			}
			p := new(proof)
			proofs[b.digest] = p
			group.Go(func() error {
				*p = v.prove(b)
				return ctx.Err()
			})
		}
	}
	return proofs, group.Wait()
}

// prove runs Sigstore's verification under the roots that issued the leaf.
func (v *Verifier) prove(b Bundle) proof {
	if b.entity == nil {
		return proof{undecided: errors.New("a bundle that was not parsed")}
	}
	issued := slices.DeleteFunc(slices.Clone(v.roots), func(r Root) bool { return !r.issued(b.leaf) })
	if len(issued) == 0 {
		return v.unissued(b)
	}
	var last error
	for _, r := range issued {
		result, err := r.verifier.Verify(b.entity,
			verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
		if err == nil {
			return proven(b, r, result)
		}
		last = err
	}
	if unknownTimestampSigner(last) {
		return proof{undecided: v.tooOld(b, issued)}
	}
	return proof{refused: rule.Refusals{{File: b.file, Rule: rule.SignatureInvalid,
		Want: "a bundle that verifies under " + names(issued), Got: firstLine(last),
		Hint: "fetch the bundle again from where it was made; if it stays so, do not use the file"}}}
}

// proven keeps the facts of a verification. The subject is not judged here:
// Verify does, by name and digest, for each file.
func proven(b Bundle, r Root, result *verify.VerificationResult) proof {
	c, err := readCertificate(b.leaf)
	if err != nil {
		return proof{refused: rule.Refusals{{File: b.file, Rule: rule.SignatureInvalid,
			Want: "a certificate as Fulcio issues it", Got: firstLine(err), Hint: "do not use the file"}}}
	}
	p := proof{certificate: c, root: r.digest}
	for _, t := range result.VerifiedTimestamps {
		if at := t.Timestamp.Unix(); p.signedAt == 0 || at < p.signedAt {
			p.signedAt = at
		}
	}
	return p
}

// unissued tells a root that is too old from an organisation nobody trusts.
func (v *Verifier) unissued(b Bundle) proof {
	known := slices.DeleteFunc(slices.Clone(v.roots), func(r Root) bool { return !r.knows(b.leaf) })
	if len(known) > 0 {
		return proof{undecided: v.tooOld(b, known)}
	}
	return proof{refused: rule.Refusals{{File: b.file, Rule: rule.RootUnknown,
		Want: "a certificate issued under " + names(v.roots), Got: "issued by " + b.leaf.Issuer.String(),
		Hint: "a private repository's attestations are issued under GitHub's own root"}}}
}

func (v *Verifier) tooOld(b Bundle, roots []Root) error {
	e := RootTooOld{Bundle: b.file, Issuer: b.leaf.Issuer.String()}
	for _, r := range roots {
		e.Roots = append(e.Roots, r.file)
	}
	return e
}

// unknownTimestampSigner recognises the one failure that a rotated timestamp
// authority gives under a root without logs.
func unknownTimestampSigner(err error) bool {
	return strings.Contains(err.Error(), "No certificate for signer")
}

func names(roots []Root) string {
	list := make([]string, len(roots))
	for i, r := range roots {
		list[i] = r.file
	}
	return strings.Join(list, " or ")
}

// judging is a policy and whom to ask for what no certificate says.
type judging struct {
	Policy
	jobs func(run string) ([]Job, error)
}

// candidate makes the proof, or says which rules did not hold.
func (j judging) candidate(c Candidate, proofs map[dist.Digest]*proof) (Verified, rule.Refusals, error) {
	if len(c.Refused) > 0 {
		return Verified{}, c.Refused, nil
	}
	if c.File.IsZero() {
		return Verified{}, nil, errors.New("a candidate whose file was never hashed")
	}
	if len(c.Bundles) == 0 {
		return Verified{}, rule.Refusals{{File: c.File.Name(), Rule: rule.BundleMissing,
			Want: "a bundle for this file", Got: "nothing",
			Hint: "put " + c.File.Name() + ".sigstore.json beside it, or name the bundle with --bundle"}}, nil
	}
	v := Verified{file: c.File, info: c.Info}
	var undecided error
	for _, b := range sorted(c.Bundles) {
		evidence, refused, err := j.bundle(c.File.Name(), c.File.Digest(), b, proofs[b.digest])
		switch {
		case err != nil:
			undecided = errors.Join(undecided, err)
		case len(refused) > 0:
			v.others = append(v.others, refused...)
		default:
			v.bundles, v.evidence = append(v.bundles, b), append(v.evidence, evidence)
		}
	}
	if len(v.evidence) > 0 {
		return v, nil, nil
	}
	return Verified{}, distinct(v.others), undecided
}

// distinct leaves out what several bundles are refused for in the same words.
func distinct(refused rule.Refusals) (list rule.Refusals) {
	for _, r := range refused {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

func sorted(bundles []Bundle) []Bundle {
	byDigest := slices.Clone(bundles)
	slices.SortFunc(byDigest, func(a, b Bundle) int { return strings.Compare(a.digest.Hex(), b.digest.Hex()) })
	return slices.CompactFunc(byDigest, func(a, b Bundle) bool { return a.digest == b.digest })
}

// bundle runs the three steps for one file and one bundle, and then asks where
// the run's jobs ran.
func (j judging) bundle(file string, d dist.Digest, b Bundle, proven *proof) (Evidence, rule.Refusals, error) {
	if no := b.covers(file, d); no != nil {
		return Evidence{}, no, nil
	}
	if proven.undecided != nil {
		return Evidence{}, nil, fmt.Errorf("%s: %w", file, proven.undecided)
	}
	if proven.refused != nil {
		return Evidence{}, about(file, proven.refused), nil
	}
	no := j.judge(file, proven.certificate)
	if !slices.Contains(j.Accept, b.statement.PredicateType) {
		no = append(no, rule.Refusal{File: file, Rule: rule.PredicateType,
			Want: strings.Join(j.Accept, " or "), Got: orNothing(b.statement.PredicateType),
			Hint: "attest the build with actions/attest, which writes SLSA provenance"})
		return Evidence{}, no, nil
	}
	buildType, contradicted := b.statement.agrees(file, proven.certificate)
	if no = append(no, contradicted...); len(no) > 0 {
		return Evidence{}, no, nil
	}
	evidence := proven.evidence(b, buildType, j.Hosted)
	if j.Hosted != EveryJob {
		return evidence, nil, nil
	}
	jobs, err := j.jobs(proven.certificate.Run)
	if err == nil {
		evidence.Elsewhere, no, err = j.machines(file, proven.certificate, jobs)
	}
	if err != nil || len(no) > 0 {
		return Evidence{}, no, err
	}
	return evidence, nil, nil
}

// about names the distribution in refusals that were made for the bundle.
func about(file string, refused rule.Refusals) rule.Refusals {
	named := slices.Clone(refused)
	for i := range named {
		named[i].Got += " (" + named[i].File + ")"
		named[i].File = file
	}
	return named
}

func (p proof) evidence(b Bundle, buildType string, hosted Hosted) Evidence {
	c := p.certificate
	return Evidence{
		Bundle: b.digest, Root: p.root, PredicateType: b.statement.PredicateType, BuildType: buildType,
		SAN: c.SAN, Issuer: c.Issuer, Signer: c.Signer, SignerDigest: c.SignerDigest, Runner: c.Runner,
		Repository: c.Repository, Commit: c.Commit, Ref: c.Ref, RepositoryID: c.RepositoryID, OwnerID: c.OwnerID,
		Workflow: c.Workflow, Trigger: c.Trigger, Run: c.Run, Visibility: c.Visibility,
		Environment: c.Environment, Subject: c.Subject, Hosted: hosted, SignedAt: p.signedAt,
	}
}

// VerifyStatement verifies a bundle that speaks about a release instead of a
// file: the statement must have exactly this subject digest and predicate
// type, and the signer must meet the policy. It returns the signed bytes.
// The predicate is the caller's to judge.
func (v *Verifier) VerifyStatement(p Policy, b Bundle, release dist.Digest, typ string) ([]byte, Evidence, error) {
	if p.Hosted != Certificate {
		return nil, Evidence{}, errors.New("a statement about a release is judged by its certificate alone; " +
			"the policy asks for more")
	}
	proven := v.prove(b)
	if proven.undecided != nil {
		return nil, Evidence{}, proven.undecided
	}
	if proven.refused != nil {
		return nil, Evidence{}, proven.refused
	}
	s := b.statement
	if s.PredicateType != typ || len(s.Subject) != 1 || s.Subject[0].Digest["sha256"] != release.Hex() {
		return nil, Evidence{}, rule.Refusals{{File: b.file, Rule: rule.SubjectMissing,
			Want: "a statement of type " + typ + " about " + release.String(),
			Got:  "type " + s.PredicateType + " about " + s.about(), Hint: "find the record that was made for this release"}}
	}
	if no := p.judge(b.file, proven.certificate); len(no) > 0 {
		return nil, Evidence{}, no
	}
	return slices.Clone(b.entity.GetDsseEnvelope().GetPayload()), proven.evidence(b, "", p.Hosted), nil
}
