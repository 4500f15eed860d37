package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// vector is a case of the manifests under DISTGATE_VECTORS.
type vector struct {
	ID       string
	Artifact string
	Digest   string `json:"artifact_digest"`
	Name     string `json:"artifact_name"`
	Bundle   string
	Root     string `json:"trusted_root"`
	Expected string
	Layer    string `json:"fail_layer"`
	Reason   string
	Identity struct {
		SAN       string
		SANRegexp string `json:"san_regex"`
		Issuer    string
		RepoURI   string `json:"source_repo_uri"`
		Repo      string `json:"source_repo"`
		Workflow  string
		Ref       string `json:"source_ref"`
		Runner    string `json:"runner_environment"`
	}
	group string
}

// ours are the cases that pass elsewhere and that distgate refuses by its own
// policy: rule, reason, prefixes of case ids.
var ours = []struct {
	rule   rule.ID
	reason string
	cases  []string
}{
	{rule.BundleStatement, "a signature over bare bytes names no file and no predicate",
		[]string{"spy-bundle", "spy-rekor-v2", "sg-othername"}},
	{rule.BundleMalformed, "npm's documents and keys are not evidence for a Python distribution",
		[]string{"npm-tuf-js", "npm-playwright-cli-0.1.1-publish", "pacote-valid", "sv-npm-"}},
	{rule.BundleMalformed, "a bare DSSE envelope carries no certificate and no log entry",
		[]string{"sv-bazel-trusted"}},
	{rule.SubjectMissing, "npm, and GitHub for a tag, sign a subject without SHA-256",
		[]string{"cli-sjs210", "npm-sigstore", "npm-playwright-cli-0.1.1-prov", "sg-sigstorejs", "sjs-"}},
	{rule.SubjectName, "a file counts only under the name that was signed, to the byte",
		[]string{"pa-spt3g-tag-order", "cli-release-attestation", "cli-reusable"}},
	{rule.PredicateBuildType, "a build type outside the table cannot be compared with the certificate",
		[]string{"sv-byob-", "spy-dsse-rekor-v2"}},
	{rule.PredicateType, "neither SLSA provenance nor publish/v1",
		[]string{"srs-conda"}},
	{rule.IdentityRepository, "a certificate from before OID .12 does not name its repository",
		[]string{"sv-bundle-valid"}},
}

func TestVectors(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	used := map[int]bool{}
	for _, group := range []string{"pypi-attestations", "cli-npm", "sigstore-go", "slsa-verifier"} {
		t.Run(group, func(t *testing.T) {
			cases := vectors(t, filepath.Join(dir, group))
			t.Logf("%d cases", len(cases))
			for _, c := range cases {
				t.Run(c.ID, func(t *testing.T) { c.run(t, used) })
			}
		})
	}
	for i, o := range ours {
		if !used[i] {
			t.Errorf("no case is refused by %s (%s) any more: take the row out", o.rule, o.reason)
		}
	}
}

func vectors(t *testing.T, group string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(group, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Cases []vector }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Cases {
		manifest.Cases[i].group = group
	}
	return manifest.Cases
}

// run holds the verdict against the expectation. Where distgate refuses what
// others accept, the case must be listed, and Sigstore's own step must still
// agree; where a step is expected to fail, that step must fail.
func (c vector) run(t *testing.T, used map[int]bool) {
	got := c.judge(t)
	switch {
	case c.Expected == "fail" && len(got.evidence) > 0:
		t.Fatalf("accepted, want a refusal: %s", c.Reason)
	case c.Expected == "pass" && len(got.evidence) == 0:
		c.excused(t, got, used)
	case c.Expected == "fail" && got.parsed && got.sigstore != nil:
		return
	case c.Expected == "fail" && got.parsed && strings.HasPrefix(c.Layer, "identity") && got.identity == nil:
		t.Errorf("the identity was accepted: %s", c.Reason)
	case c.Expected == "fail" && got.parsed && sigstoreLayers[c.Layer]:
		t.Errorf("Sigstore's step accepted it: %s", c.Reason)
	}
}

var sigstoreLayers = map[string]bool{"chain/log": true, "crypto": true, "log": true, "time": true, "time/tsa-stale-root": true}

func (c vector) excused(t *testing.T, got outcome, used map[int]bool) {
	if got.parsed && got.sigstore != nil {
		t.Errorf("Sigstore's step refused: %v", got.sigstore)
	}
	for i, o := range ours {
		if slices.ContainsFunc(o.cases, func(prefix string) bool { return strings.HasPrefix(c.ID, prefix) }) {
			if used[i] = true; got.refused[0].Rule != o.rule {
				t.Errorf("refused by %v, want %s", got.refused, o.rule)
			}
			return
		}
	}
	t.Errorf("refused, want a pass: %v", got.refused)
}

// outcome is what each step made of a case.
type outcome struct {
	parsed   bool
	sigstore error // why Sigstore's step did not pass
	identity rule.Refusals
	refused  rule.Refusals
	evidence []Evidence
}

func (c vector) judge(t *testing.T) (got outcome) {
	bundles, err := ParseBundles(filepath.Base(c.Bundle), open(t, filepath.Join(c.group, c.Bundle)))
	if errors.As(err, &got.refused) {
		return got
	}
	if err != nil {
		t.Fatal(err)
	}
	got.parsed = true
	root, err := LoadRoot(filepath.Base(c.Root), open(t, filepath.Join(c.group, c.Root)))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bundles {
		p := v.prove(b)
		if got.sigstore = errors.Join(p.undecided, p.refused.Err()); got.sigstore != nil {
			got.refused = append(got.refused, p.refused...)
			continue
		}
		name, digest := c.target(b)
		policy := c.policy(p.certificate)
		evidence, refused, _ := judging{Policy: policy}.bundle(name, digest, b, &p)
		got.identity = append(got.identity, policy.judge(name, p.certificate)...)
		if got.refused = append(got.refused, refused...); len(refused) == 0 {
			got.evidence = append(got.evidence, evidence)
		}
	}
	return got
}

func open(t *testing.T, path string) *bytes.Reader {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(raw)
}

// target is the file that the case asks about. Where the artifact is not
// shipped its digest stands for it, and where that is not given either the
// bundle's first subject does.
func (c vector) target(b Bundle) (string, dist.Digest) {
	name, hex := c.Name, strings.TrimPrefix(c.Digest, "sha256:")
	first := b.statement.Subject[0]
	if name == "" {
		name = first.Name
	}
	if hex == "" {
		hex = first.Digest["sha256"]
	}
	digest, err := dist.ParseDigest("sha256:" + hex)
	if err != nil {
		return name, dist.Digest{}
	}
	return name, digest
}

func (c vector) policy(cert certificate) Policy {
	p := SignedBy(c.Identity.SAN, c.Identity.Issuer, Any())
	id := c.Identity
	if id.SAN == "" {
		p.SAN = Any()
	}
	if id.SANRegexp != "" && !regexp.MustCompile(id.SANRegexp).MatchString(cert.SAN) {
		p.SAN = Exactly(id.SANRegexp)
	}
	if id.Issuer == "" {
		p.Issuer = Any()
	}
	if id.RepoURI != "" {
		p.Repository = Exactly(id.RepoURI)
	}
	if id.Ref != "" {
		p.Ref = Exactly(id.Ref)
	}
	if id.Runner != "" {
		p.Runner = Exactly(id.Runner)
	}
	if id.Repo != "" && id.Workflow != "" {
		p.Repository = Exactly("https://github.com/" + id.Repo)
		p.Workflow = AtOwnRef("https://github.com/" + id.Repo + "/.github/workflows/" + id.Workflow)
	}
	return p
}

// Provenance from before Sigstore bundles is a bare DSSE envelope: a verifier
// would have to search a log for it. Offline that is a refusal.
func TestLegacyVectorsAreRefused(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	var manifest struct {
		Legacy []struct{ ID, Provenance string } `json:"legacy_cases"`
	}
	group := filepath.Join(dir, "slsa-verifier")
	if err := json.NewDecoder(open(t, filepath.Join(group, "manifest.json"))).Decode(&manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Legacy) == 0 {
		t.Fatal("no legacy cases")
	}
	for _, c := range manifest.Legacy {
		_, err := ParseBundles(c.Provenance, open(t, filepath.Join(group, c.Provenance)))
		var refused rule.Refusals
		if !errors.As(err, &refused) || refused[0].Rule != rule.BundleMalformed {
			t.Errorf("%s: got %v, want %s", c.ID, err, rule.BundleMalformed)
		}
	}
}
