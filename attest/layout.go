package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	intoto "github.com/in-toto/in-toto-golang/in_toto"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// The steps that distgate itself proves of a release.
const (
	StepBuild   = "build"   // products: what provenance names
	StepStage   = "stage"   // materials: what was verified; products: what the release digest covers
	StepVote    = "vote"    // what people approved
	StepPublish = "publish" // products: what the index took and serves
)

// Step is one step of a release as it was proven in this process: which files
// went in and which came out, by name and SHA-256.
type Step struct {
	Name      string                 `json:"name"`
	Materials map[string]dist.Digest `json:"materials"`
	Products  map[string]dist.Digest `json:"products"`

	bundle dist.Digest // that attests it, of a further step
}

// Layout says which steps a release takes, and what may pass between them: an
// in-toto layout (in-toto specification 1.0, section 4.3). It is one that
// distgate can judge: it runs no inspections, and its functionaries are not keys.
// The four steps above are distgate's own; a further one names by a certificate
// constraint the one workflow that attests it.
type Layout struct {
	file   string
	layout intoto.Layout
}

const (
	maxLayout = 1 << 20 // bytes
	maxSteps  = 64
)

// ParseLayout reads a layout, as JSON without an envelope. What it says and
// distgate would not judge is refused.
func ParseLayout(file string, r io.Reader, now time.Time) (Layout, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxLayout+1))
	if err != nil {
		return Layout{}, err
	}
	l := Layout{file: file}
	if len(raw) > maxLayout {
		return Layout{}, l.refused(fmt.Sprintf("at most %d bytes", maxLayout), "more")
	}
	if err := decodeStrictly(raw, &l.layout); err != nil {
		return Layout{}, l.refused("an in-toto layout as JSON, without an envelope", err.Error())
	}
	if err := l.check(now); err != nil {
		return Layout{}, err
	}
	return l, nil
}

func (l Layout) refused(want, got string) error {
	return rule.Refusals{{File: l.file, Rule: rule.LayoutForm, Want: want, Got: got,
		Hint: "begin with the layout that `distgate layout RELEASE` prints"}}
}

func (l Layout) check(now time.Time) error {
	expires, err := time.Parse(intoto.ISO8601DateSchema, l.layout.Expires)
	switch {
	case l.layout.Type != "layout":
		return l.refused(`"_type": "layout"`, orNothing(l.layout.Type))
	case err != nil || !now.Before(expires):
		return l.refused("an expiry in the future", orNothing(l.layout.Expires))
	case len(l.layout.Inspect) > 0:
		return l.refused("no inspections: they are commands", fmt.Sprintf("%d of them", len(l.layout.Inspect)))
	case len(l.layout.Keys)+len(l.layout.RootCas)+len(l.layout.IntermediateCas) > 0:
		return l.refused("no keys and no certificate authorities: who signs is a workflow", "some")
	case len(l.layout.Steps) > maxSteps:
		return l.refused(fmt.Sprintf("at most %d steps", maxSteps), fmt.Sprint(len(l.layout.Steps)))
	}
	seen := map[string]bool{}
	for _, s := range l.layout.Steps {
		if fault := stepFault(s); fault != "" || seen[s.Name] {
			return l.refused("step "+s.Name+" once, with rules that end with DISALLOW *", orNothing(fault))
		}
		seen[s.Name] = true
	}
	for _, name := range []string{StepBuild, StepStage, StepVote} {
		if !seen[name] {
			return l.refused("a step "+name, "none")
		}
	}
	return nil
}

// stepFault is what is wrong with a step.
func stepFault(s intoto.Step) string {
	switch {
	case s.Name == "" || s.Type != "step":
		return "no name, or another type than step"
	case len(s.PubKeys) > 0 || s.Threshold > 1 || len(s.ExpectedCommand) > 0:
		return "keys, a threshold or a command, which distgate does not judge"
	case own(s.Name) != (len(s.CertificateConstraints) == 0):
		return "a certificate constraint for distgate's own step, or none for another"
	case !own(s.Name) && signerOf(s) == "":
		return "a certificate constraint that is not the whole address of one workflow"
	}
	for _, rules := range [][][]string{s.ExpectedMaterials, s.ExpectedProducts} {
		for _, r := range rules {
			if len(r) == 0 {
				return "an empty rule"
			}
			if _, err := intoto.UnpackRule(r); err != nil {
				return fmt.Sprintf("the rule %q", r)
			}
		}
		if len(rules) == 0 || !slices.Equal(rules[len(rules)-1], []string{"DISALLOW", "*"}) {
			return "rules that let the rest pass"
		}
	}
	return ""
}

func own(step string) bool {
	return slices.Contains([]string{StepBuild, StepStage, StepVote, StepPublish}, step)
}

// signerOf is the workflow that attests a step: the one URI of its one
// constraint, which says nothing else.
func signerOf(s intoto.Step) string {
	if len(s.CertificateConstraints) != 1 {
		return ""
	}
	c := s.CertificateConstraints[0]
	if len(c.URIs) != 1 || strings.Contains(c.URIs[0], "*") || !slices.Contains([]string{"", "*"}, c.CommonName) ||
		len(c.DNSNames)+len(c.Emails)+len(c.Organizations)+len(c.Roots) > 0 {
		return ""
	}
	return c.URIs[0]
}

// Further are the names of the steps that are not distgate's own, each with the
// whole address of the workflow that attests it.
func (l Layout) Further() map[string]string {
	further := map[string]string{}
	for _, s := range l.layout.Steps {
		if !own(s.Name) {
			further[s.Name] = signerOf(s)
		}
	}
	return further
}

// DefaultLayout is the layout of a release of these files: every one is built,
// staged, voted on and published, unchanged, and none beside them. Until a release
// is published, that step has not happened and is left out.
func DefaultLayout(names []string, published bool, expires time.Time) Layout {
	steps := []intoto.Step{step(StepBuild, names, "", ""), step(StepStage, names, StepBuild, StepBuild),
		step(StepVote, names, StepStage, StepStage)}
	if published {
		steps = append(steps, step(StepPublish, names, StepVote, StepVote))
	}
	return Layout{file: "the default layout", layout: intoto.Layout{Type: "layout", Expires: expires.UTC().Format(intoto.ISO8601DateSchema),
		Steps: steps, Inspect: []intoto.Inspection{}, Keys: map[string]intoto.Key{},
		Readme: "Every file is built, staged, voted on and published, unchanged; none is missing and none comes from nowhere."}}
}

// step passes on the products of another. The one that comes from nowhere allows
// its files by name.
func step(name string, files []string, materials, products string) intoto.Step {
	s := intoto.Step{Type: "step", Threshold: 1, PubKeys: []string{}, ExpectedCommand: []string{}}
	s.Name = name
	s.ExpectedMaterials, s.ExpectedProducts = passing(files, materials), passing(files, products)
	if materials == "" {
		s.ExpectedMaterials = [][]string{{"DISALLOW", "*"}}
	}
	return s
}

// passing wants every file, and each as the other step left it. A missing file
// passes unless it is required by name.
func passing(files []string, from string) (rules [][]string) {
	for _, f := range files {
		rules = append(rules, []string{"REQUIRE", f})
	}
	for _, f := range files {
		if from == "" {
			rules = append(rules, []string{"ALLOW", f})
		}
	}
	if from != "" {
		rules = append(rules, []string{"MATCH", "*", "WITH", "PRODUCTS", "FROM", from})
	}
	return append(rules, []string{"DISALLOW", "*"})
}

// Encode is the layout as JSON, ready to be edited.
func (l Layout) Encode() ([]byte, error) {
	raw, err := json.MarshalIndent(l.layout, "", "  ")
	return append(raw, '\n'), err
}

// Verify holds the steps against the layout, with in-toto's own rules. Each step
// of the layout must be there. The links are made here, of what was proven in this
// process, so that no key signs them.
func (l Layout) Verify(steps []Step) error {
	if len(l.layout.Steps) == 0 {
		return errors.New("a layout that was never read")
	}
	links, items, attests := map[string]intoto.Metadata{}, []any{}, map[dist.Digest]string{}
	for _, s := range steps {
		if other := attests[s.bundle]; other != "" {
			return rule.Refusals{{File: l.file, Rule: rule.LayoutStep, Want: "a bundle of its own for step " + s.Name,
				Got: "that of step " + other, Hint: "name the bundle that attests it with --step " + s.Name + "=FILE"}}
		}
		if !s.bundle.IsZero() {
			attests[s.bundle] = s.Name
		}
		links[s.Name] = &intoto.Metablock{Signed: intoto.Link{Type: "link", Name: s.Name,
			Materials: hashed(s.Materials), Products: hashed(s.Products)}}
	}
	for _, s := range l.layout.Steps {
		if links[s.Name] == nil {
			return rule.Refusals{{File: l.file, Rule: rule.LayoutStep, Want: "step " + s.Name, Got: "nothing",
				Hint: "name the bundle that attests it with --step " + s.Name + "=FILE"}}
		}
		items = append(items, s)
	}
	if err := intoto.VerifyArtifacts(items, links); err != nil {
		return rule.Refusals{{File: l.file, Rule: rule.LayoutArtifacts, Want: "what the layout lets pass", Got: err.Error(),
			Hint: "find out which step changed, added or lost the file"}}
	}
	return nil
}

func hashed(files map[string]dist.Digest) map[string]intoto.HashObj {
	objects := map[string]intoto.HashObj{}
	for name, d := range files {
		objects[name] = intoto.HashObj{"sha256": d.Hex()}
	}
	return objects
}

// BuildStep is what the provenance of the files says was built.
func BuildStep(files []Verified) Step {
	s := Step{Name: StepBuild, Materials: map[string]dist.Digest{}, Products: map[string]dist.Digest{}}
	for _, v := range files {
		if len(v.evidence) > 0 {
			s.Products[v.file.Name()] = v.file.Digest()
		}
	}
	return s
}

// LinkV03 is the predicate type of an in-toto link that is an attestation.
const LinkV03 = "https://in-toto.io/attestation/link/v0.3"

// TestResultV01 is the predicate type of what came of a test.
const TestResultV01 = "https://in-toto.io/attestation/test-result/v0.1"

// AttestedStep is a further step, as a bundle attests it: signed by just that
// workflow, in the repository and on the ref that the policy wants, at the commit
// of the release. What it is about are its products. An in-toto link says its
// materials; anything else, like a test or a scan, looked at the files and left them
// as they were. A test must have passed.
func (v *Verifier) AttestedStep(name, workflow, commit string, b Bundle, p Policy) (Step, error) {
	proven := v.prove(b)
	if proven.undecided != nil {
		return Step{}, proven.undecided
	}
	if proven.refused != nil {
		return Step{}, proven.refused
	}
	p.SAN, p.Signer, p.Workflow, p.Trigger = Exactly(workflow), Exactly(workflow), Any(), Any()
	if no := p.judge(b.file, proven.certificate); len(no) > 0 {
		return Step{}, no
	}
	if proven.certificate.Commit != commit {
		return Step{}, rule.Refusals{{File: b.file, Rule: rule.LayoutStep, Want: "step " + name + " at commit " + orNothing(commit),
			Got: orNothing(proven.certificate.Commit), Hint: "name the bundle that was made for this release"}}
	}
	products, err := digests(b.file, b.statement.Subject)
	if err != nil {
		return Step{}, err
	}
	s := Step{Name: name, Materials: maps.Clone(products), Products: products, bundle: b.digest}
	switch b.statement.PredicateType {
	case LinkV03:
		s.Materials, err = linkMaterials(b.file, name, b.statement.Predicate)
	case TestResultV01:
		err = passed(b.file, name, b.statement.Predicate)
	}
	return s, err
}

func passed(file, name string, predicate json.RawMessage) error {
	var test struct {
		Result string `json:"result"` // PASSED, WARNED or FAILED
	}
	if err := decode(predicate, &test); err != nil || test.Result != "PASSED" {
		return rule.Refusals{{File: file, Rule: rule.LayoutStep, Want: "step " + name + " with the result PASSED", Got: orNothing(test.Result),
			Hint: "look at the run that made the bundle; repair what failed and build again"}}
	}
	return nil
}

// digests are files, each name with one SHA-256.
func digests(file string, subjects []subject) (map[string]dist.Digest, error) {
	files := map[string]dist.Digest{}
	for _, one := range subjects {
		d, err := dist.ParseDigest("sha256:" + one.Digest["sha256"])
		if _, twice := files[one.Name]; err != nil || one.Name == "" || twice {
			return nil, rule.Refusals{{File: file, Rule: rule.LayoutStep, Want: "files, each with one SHA-256", Got: orNothing(one.Name),
				Hint: "attest the files by name and digest"}}
		}
		files[one.Name] = d
	}
	return files, nil
}

func linkMaterials(file, name string, predicate json.RawMessage) (map[string]dist.Digest, error) {
	var link struct {
		Name      string    `json:"name"`
		Materials []subject `json:"materials"`
	}
	if err := decode(predicate, &link); err != nil || link.Name != name {
		return nil, rule.Refusals{{File: file, Rule: rule.LayoutStep, Want: "a link of step " + name, Got: orNothing(link.Name),
			Hint: "name the bundle of this step"}}
	}
	return digests(file, link.Materials)
}
