package attest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

const wheel = "widget-1.0-py3-none-any.whl"

// world is a local Sigstore with what distgate needs to verify under it.
type world struct {
	sigstore *sigstoretest.Sigstore
	verifier *attest.Verifier
	claims   sigstoretest.Claims
	policy   attest.Policy
}

func newWorld(t testing.TB) world {
	t.Helper()
	s, err := sigstoretest.New()
	check(t, err)
	return worldOf(t, s)
}

func worldOf(t testing.TB, s *sigstoretest.Sigstore) world {
	v, err := attest.NewVerifier(rootOf(t, s))
	check(t, err)
	claims := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
	policy := attest.Workflow("acme/widget", ".github/workflows/release.yml")
	policy.RepositoryID = attest.Exactly(claims.RepositoryID)
	policy.OwnerID = attest.Exactly(claims.RepositoryOwnerID)
	policy.Ref = attest.Glob("refs/tags/v*")
	policy.Environment = attest.Absent()
	return world{s, v, claims, policy}
}

func rootOf(t testing.TB, s *sigstoretest.Sigstore) attest.Root {
	t.Helper()
	root, err := attest.LoadRoot("trusted_root.json", bytes.NewReader(s.TrustedRoot()))
	check(t, err)
	return root
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t testing.TB, name, content string) dist.File {
	t.Helper()
	f, err := dist.Copy(io.Discard, strings.NewReader(content), name, dist.MaxSize)
	check(t, err)
	return f
}

func subjects(files ...dist.File) (s []sigstoretest.Subject) {
	for _, f := range files {
		s = append(s, sigstoretest.Subject{Name: f.Name(), SHA256: f.Digest().Hex()})
	}
	return s
}

func parse(t testing.TB, raw []byte) []attest.Bundle {
	t.Helper()
	bundles, err := attest.ParseBundles("bundle.json", bytes.NewReader(raw))
	check(t, err)
	return bundles
}

func (w world) sign(t testing.TB, c sigstoretest.Claims, statement []byte) []attest.Bundle {
	t.Helper()
	raw, err := w.sigstore.Sign(c, statement)
	check(t, err)
	return parse(t, raw)
}

func (w world) verify(t testing.TB, candidates ...attest.Candidate) attest.Verdict {
	t.Helper()
	verdict, err := w.verifier.Verify(context.Background(), w.policy, candidates)
	check(t, err)
	return verdict
}

func rules(refused rule.Refusals) (ids []rule.ID) {
	for _, r := range refused {
		ids = append(ids, r.Rule)
	}
	return ids
}

func TestEvidenceSaysWhatTheCertificateSays(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	bundles := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	verdict := w.verify(t, attest.Candidate{File: f, Bundles: bundles})
	check(t, verdict.Err())
	got := verdict.Verified()[0].Evidence()
	if len(got) != 1 || got[0].SignedAt == 0 {
		t.Fatalf("got evidence %+v", got)
	}
	got[0].SignedAt = 0
	c := w.claims
	want := attest.Evidence{
		Bundle: bundles[0].Digest(), Root: rootOf(t, w.sigstore).Digest(),
		PredicateType: attest.ProvenanceV1, BuildType: "https://actions.github.io/buildtypes/workflow/v1",
		SAN:    "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		Issuer: attest.GitHubIssuer,
		Signer: "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1.0", SignerDigest: c.JobWorkflowSHA,
		Runner: "github-hosted", Repository: "https://github.com/acme/widget", Commit: c.SHA, Ref: "refs/tags/v1.0",
		RepositoryID: c.RepositoryID, OwnerID: c.RepositoryOwnerID,
		Workflow: "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1.0",
		Trigger:  "push", Run: c.RunURI(), Visibility: "public", Subject: c.Subject, Hosted: attest.Certificate,
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	for _, proof := range []any{verdict, verdict.Verified()[0]} {
		if raw, err := json.Marshal(proof); err != nil || string(raw) != "{}" {
			t.Errorf("a proof encodes as %s, %v", raw, err)
		}
	}
}

// A statement that another reader would read as being about something else is no
// evidence: encoding/json takes "SUBJECT" and "ſubject" for "subject", and of two
// keys the last.
func TestKeysAreWrittenInOneWay(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	honest := string(sigstoretest.Provenance(w.claims, subjects(f)...))
	for _, c := range []struct{ old, new string }{
		{`"subject":`, `"subject":[],"subject":`},
		{`"name":`, `"NAME":`},
		{`"sha256":`, `"sha256":"00","sha256":`},
		{`"predicate":{`, `"predicate":{"a":1,"a":2,`},
		{`"predicate":{`, `"predicate":{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + ","},
		{`"subject":`, `"SUBJECT":`},
		{`"subject":`, `"\u017fubject":`},
		{`"subject":`, `"subject":[{"name":"other","digest":{"sha256":"` + f.Digest().Hex() + `"}}],"\u017fubject":`},
		{`"predicateType":`, `"PredicateType":`},
		{`{"_type"`, `{}{"_type"`},
		{`"predicate":{`, `"predicate":{"a":"` + "\xff" + `",`},
	} {
		lie := strings.Replace(honest, c.old, c.new, 1)
		if lie == honest {
			t.Fatalf("%s does not have %s", honest, c.old)
		}
		raw, err := w.sigstore.Sign(w.claims, []byte(lie))
		check(t, err)
		var refused rule.Refusals
		if _, err := attest.ParseBundles("b", bytes.NewReader(raw)); !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want a refusal", c.new, err)
		}
	}
}

// What an attestation of another kind says in its predicate, and in which words, does
// not make its file unreadable: it stands among others in the same JSON lines.
func TestAPredicateThatIsNotReadMayHaveAnyKeys(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	scan := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"` + wheel + `","digest":{"sha256":"` + f.Digest().Hex() +
		`"}}],"predicateType":"https://example.org/scan","predicate":{"Name":"x","ID":1,"id":2,"Digest":1e999,"Ref":[{"URI":"u"}]}}`
	other := w.sign(t, w.claims, []byte(scan))
	bundles := append(other, w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))...)
	verdict := w.verify(t, attest.Candidate{File: f, Bundles: bundles})
	check(t, verdict.Err())
	if diff := cmp.Diff([]rule.ID{rule.PredicateType}, rules(verdict.Verified()[0].Others())); diff != "" {
		t.Error(diff)
	}
}

// A job whose identity differs in one claim is refused by the rule for it.
// Everything else about it, the provenance included, is in order.
func TestIdentityIsComparedWhole(t *testing.T) {
	type claims = sigstoretest.Claims
	for name, c := range map[string]struct {
		change func(*claims)
		want   []rule.ID
	}{
		"self-hosted":                  {func(c *claims) { c.RunnerEnvironment = "self-hosted" }, []rule.ID{rule.IdentityRunner}},
		"no runner":                    {func(c *claims) { c.RunnerEnvironment = "" }, []rule.ID{rule.IdentityRunner, rule.PredicateField}},
		"another issuer":               {func(c *claims) { c.Issuer = "https://token.example.org" }, []rule.ID{rule.IdentityIssuer}},
		"another ref":                  {func(c *claims) { at(c, "refs/heads/main") }, []rule.ID{rule.IdentityRef}},
		"a deeper tag":                 {func(c *claims) { at(c, "refs/tags/v1/evil") }, []rule.ID{rule.IdentityRef}},
		"recreated":                    {func(c *claims) { c.RepositoryID = "1" }, []rule.ID{rule.IdentityID}},
		"another owner id":             {func(c *claims) { c.RepositoryOwnerID = "1" }, []rule.ID{rule.IdentityID}},
		"pull_request":                 {func(c *claims) { c.EventName = "pull_request_target" }, []rule.ID{rule.IdentityTrigger}},
		"in an environment":            {func(c *claims) { *c = c.In("pypi") }, []rule.ID{rule.IdentityEnvironment}},
		"another file":                 {func(c *claims) { c.WorkflowRef = "acme/widget/.github/workflows/ci.yml@refs/tags/v1.0" }, []rule.ID{rule.IdentityWorkflow, rule.IdentitySigner, rule.IdentitySigner}},
		"a reusable signer":            {func(c *claims) { c.JobWorkflowRef = "acme/lib/.github/workflows/b.yml@refs/heads/x" }, []rule.ID{rule.IdentitySigner, rule.IdentitySigner}},
		"a workflow of another commit": {func(c *claims) { c.WorkflowSHA, c.JobWorkflowSHA = "1"+c.SHA[1:], "1"+c.SHA[1:] }, []rule.ID{rule.IdentityWorkflow}},
		"signed at another commit":     {func(c *claims) { c.JobWorkflowSHA = "1" + c.SHA[1:] }, []rule.ID{rule.IdentitySigner}},
		"a workflow of no commit":      {func(c *claims) { c.WorkflowSHA = "" }, []rule.ID{rule.IdentityWorkflow}},
		"signed at no commit":          {func(c *claims) { c.JobWorkflowSHA = "" }, []rule.ID{rule.IdentitySigner}},
		"subject of another":           {func(c *claims) { c.Subject = "repo:acme/widgets:ref:refs/tags/v1.0" }, []rule.ID{rule.IdentitySubject}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := file(t, wheel, "bytes")
			c.change(&w.claims)
			bundles := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
			verdict := w.verify(t, attest.Candidate{File: f, Bundles: bundles})
			if diff := cmp.Diff(c.want, rules(verdict.Refused())); diff != "" || len(verdict.Verified()) > 0 {
				t.Errorf("%s\n%v", diff, verdict.Refused())
			}
		})
	}
}

// at moves a job to another ref, as GitHub would.
func at(c *sigstoretest.Claims, ref string) {
	*c = sigstoretest.GitHubClaims(c.Repository, ".github/workflows/release.yml", ref)
}

// A fork has another repository and so other URIs throughout.
func TestAForkIsRefused(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	fork := sigstoretest.GitHubClaims("evil/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
	verdict := w.verify(t, attest.Candidate{File: f, Bundles: w.sign(t, fork, sigstoretest.Provenance(fork, subjects(f)...))})
	if diff := cmp.Diff([]rule.ID{rule.IdentityRepository}, rules(verdict.Refused())); diff != "" {
		t.Error(diff)
	}
}

// The immutable form of the subject is the same repository's, too.
func TestSubjectInItsImmutableForm(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	w.claims.Subject = "repo:acme@" + w.claims.RepositoryOwnerID + "/widget@" + w.claims.RepositoryID + ":ref:refs/tags/v1.0"
	verdict := w.verify(t, attest.Candidate{File: f, Bundles: w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))})
	check(t, verdict.Err())
}

// The predicate is the job's own word. Wherever it contradicts the certificate
// it is refused, whatever else agrees.
func TestAPredicateThatLies(t *testing.T) {
	other := sigstoretest.GitHubClaims("acme/other", ".github/workflows/release.yml", "refs/tags/v1.0")
	for name, c := range map[string]struct {
		old, new string
		want     rule.ID
	}{
		"repository":                   {`"repository":"https://github.com/acme/widget"`, `"repository":"https://github.com/acme/other"`, rule.PredicateField},
		"commit":                       {"COMMIT", other.SHA, rule.PredicateField},
		"runner":                       {"github-hosted", "self-hosted", rule.PredicateField},
		"path":                         {".github/workflows/release.yml\"}", ".github/workflows/ci.yml\"}", rule.PredicateField},
		"event":                        {`"event_name":"push"`, `"event_name":"release"`, rule.PredicateField},
		"invocation":                   {"/attempts/1", "/attempts/2", rule.PredicateField},
		"no event":                     {`"event_name":"push",`, ``, rule.PredicateField},
		"build type":                   {"actions.github.io/buildtypes/workflow/v1", "example.org/build/v1", rule.PredicateBuildType},
		"parameter":                    {`"externalParameters":{`, `"externalParameters":{"inputs":{"flag":"x"},`, rule.PredicateParameter},
		"predicate type":               {"https://slsa.dev/provenance/v1", "https://slsa.dev/verification_summary/v1", rule.PredicateType},
		"a field in another case":      {`"runDetails":`, `"runDetail\u017f":`, rule.PredicateMalformed},
		"a field twice":                {`"runDetails":{`, `"RunDetails":{},"runDetails":{`, rule.PredicateMalformed},
		"a build type in another case": {`"buildType":`, `"BuildType":`, rule.PredicateMalformed},
		"a parameter in another case":  {`"workflow":{"ref"`, `"Workflow":{"ref"`, rule.PredicateParameter},
		"no predicate":                 {`"runDetails":{`, `"runDetails":[],"ran":{`, rule.PredicateMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := file(t, wheel, "bytes")
			honest := string(sigstoretest.Provenance(w.claims, subjects(f)...))
			old := strings.ReplaceAll(c.old, "COMMIT", w.claims.SHA)
			lie := strings.ReplaceAll(honest, old, c.new)
			if lie == honest {
				t.Fatalf("nothing to change in %s", honest)
			}
			verdict := w.verify(t, attest.Candidate{File: f, Bundles: w.sign(t, w.claims, []byte(lie))})
			if got := rules(verdict.Refused()); len(got) == 0 || got[0] != c.want || len(verdict.Verified()) > 0 {
				t.Errorf("got %v, want %s", verdict.Refused(), c.want)
			}
		})
	}
}

func TestASubjectCountsByNameAndDigest(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	changed := file(t, wheel, "other bytes")
	renamed := file(t, "widget-1.0-py3-none-win_amd64.whl", "bytes")
	stranger := file(t, "gadget-2.0.tar.gz", "gadget")
	attested := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	twice := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f, changed)...))
	aliased := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f, renamed)...))
	many := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f, stranger)...))
	for name, c := range map[string]struct {
		file    dist.File
		bundles []attest.Bundle
		want    []rule.ID
	}{
		"the file itself":           {f, attested, nil},
		"one of many":               {stranger, many, nil},
		"other bytes":               {changed, attested, []rule.ID{rule.SubjectDigest}},
		"another platform's name":   {renamed, attested, []rule.ID{rule.SubjectName}},
		"a stranger":                {stranger, attested, []rule.ID{rule.SubjectMissing}},
		"one name, two digests":     {f, twice, []rule.ID{rule.SubjectAmbiguous}},
		"one digest, two names":     {renamed, aliased, []rule.ID{rule.SubjectAmbiguous}},
		"no bundle":                 {f, nil, []rule.ID{rule.BundleMissing}},
		"a good one beside a wrong": {f, append(twice, attested...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := w.verify(t, attest.Candidate{File: c.file, Bundles: c.bundles})
			if diff := cmp.Diff(c.want, rules(verdict.Refused())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheWholeSetIsJudged(t *testing.T) {
	w := newWorld(t)
	a, b := file(t, wheel, "a"), file(t, "widget-1.0.tar.gz", "b")
	copied := file(t, "widget-1.0-py2-none-any.whl", "a")
	bundle := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(a, b)...))
	lone := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(copied)...))

	verdict := w.verify(t, attest.Candidate{File: b, Bundles: bundle}, attest.Candidate{File: a, Bundles: bundle})
	check(t, verdict.Err())
	if got := verdict.Verified()[0].File().Name(); got != wheel {
		t.Errorf("first is %s, want the files by name", got)
	}
	for name, c := range map[string]struct {
		candidates []attest.Candidate
		want       []rule.ID
	}{
		"nothing":           {nil, []rule.ID{rule.CandidateMissing}},
		"one name twice":    {[]attest.Candidate{{File: a, Bundles: bundle}, {File: a, Bundles: bundle}}, []rule.ID{rule.CandidateDoubled}},
		"two names a file":  {[]attest.Candidate{{File: a, Bundles: bundle}, {File: copied, Bundles: lone}}, []rule.ID{rule.CandidateDoubled}},
		"one without proof": {[]attest.Candidate{{File: a, Bundles: bundle}, {File: b}}, []rule.ID{rule.BundleMissing}},
	} {
		verdict := w.verify(t, c.candidates...)
		if diff := cmp.Diff(c.want, rules(verdict.Refused())); diff != "" || verdict.Err() == nil {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if (attest.Verdict{}).Err() == nil {
		t.Error("a verdict over nothing is a yes")
	}
}

// What a root has it demands.
func TestSigstoreDemandsWhatTheRootHas(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	statement := sigstoretest.Provenance(w.claims, subjects(f)...)
	type sign func(sigstoretest.Claims, []byte) ([]byte, error)
	for name, s := range map[string]sign{
		"no SCT": w.sigstore.SignWithoutSCT, "no log entry": w.sigstore.SignUnlogged,
		"no time": w.sigstore.SignUntimed, "expired": w.sigstore.SignLate,
	} {
		raw, err := s(w.claims, statement)
		check(t, err)
		bundles, err := attest.ParseBundles("bundle.json", bytes.NewReader(raw))
		if err != nil {
			var refused rule.Refusals
			if !errors.As(err, &refused) {
				t.Errorf("%s: got %v, want a refusal", name, err)
			}
			continue
		}
		verdict := w.verify(t, attest.Candidate{File: f, Bundles: bundles})
		if diff := cmp.Diff([]rule.ID{rule.SignatureInvalid}, rules(verdict.Refused())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	raw, err := w.sigstore.SignTimestamped(w.claims, statement)
	check(t, err)
	check(t, w.verify(t, attest.Candidate{File: f, Bundles: parse(t, raw)}).Err())
}

// Every byte of the signed part matters.
func TestAChangedBundleIsRefused(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	raw, err := w.sigstore.Sign(w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))
	check(t, err)
	for i := 0; i < len(raw); i += 97 {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		bundles, err := attest.ParseBundles("bundle.json", bytes.NewReader(changed))
		if err != nil {
			continue
		}
		verdict, err := w.verifier.Verify(context.Background(), w.policy, []attest.Candidate{{File: f, Bundles: bundles}})
		if err == nil && verdict.Err() == nil && !bytes.Equal(normal(t, raw), normal(t, changed)) {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
}

// normal is the bundle without what nobody signs: a key id and log URLs are
// hints, white space is nothing.
func normal(t *testing.T, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	check(t, json.Compact(&out, raw))
	return out.Bytes()
}

// Two roots stay two verifiers, and a root that has been rotated is not a no.
func TestRootsAreNotMerged(t *testing.T) {
	public, err := sigstoretest.New()
	check(t, err)
	rotated, err := sigstoretest.New()
	check(t, err)
	github, err := sigstoretest.NewGitHub()
	check(t, err)
	f := file(t, wheel, "bytes")
	w := worldOf(t, public)
	statement := sigstoretest.Provenance(w.claims, subjects(f)...)

	private := worldOf(t, github)
	private.claims.RepositoryVisibility = "private"
	check(t, private.verify(t, attest.Candidate{File: f, Bundles: private.sign(t, private.claims, statement)}).Err())

	verdict := w.verify(t, attest.Candidate{File: f, Bundles: private.sign(t, private.claims, statement)})
	if diff := cmp.Diff([]rule.ID{rule.RootUnknown}, rules(verdict.Refused())); diff != "" {
		t.Error(diff)
	}
	both, err := attest.NewVerifier(rootOf(t, public), rootOf(t, github))
	check(t, err)
	w.verifier = both
	check(t, w.verify(t, attest.Candidate{File: f, Bundles: private.sign(t, private.claims, statement)}).Err())

	raw, err := rotated.Sign(w.claims, statement)
	check(t, err)
	_, err = w.verifier.Verify(context.Background(), w.policy, []attest.Candidate{{File: f, Bundles: parse(t, raw)}})
	var old attest.RootTooOld
	if !errors.As(err, &old) {
		t.Errorf("a bundle of a rotated instance: got %v, want RootTooOld", err)
	}
}

func TestAPolicyThatCannotDecide(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	candidates := []attest.Candidate{{File: f, Bundles: w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))}}
	for name, change := range map[string]func(*attest.Policy){
		"no predicate type": func(p *attest.Policy) { p.Accept = nil },
		"hosted unsaid":     func(p *attest.Policy) { p.Hosted = "" },
		"every job":         func(p *attest.Policy) { p.Hosted = attest.EveryJob },
	} {
		p := w.policy
		change(&p)
		if _, err := w.verifier.Verify(context.Background(), p, candidates); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	verdict, err := w.verifier.Verify(context.Background(), attest.Policy{Hosted: attest.Certificate, Accept: attest.Provenance()}, candidates)
	check(t, err)
	if len(verdict.Refused()) == 0 || len(verdict.Verified()) > 0 {
		t.Errorf("a policy without values refused only %v", verdict.Refused())
	}
	if _, err := attest.NewVerifier(); err == nil {
		t.Error("a verifier without a root")
	}
	if _, err := attest.NewVerifier(attest.Root{}); err == nil {
		t.Error("a verifier over a root that was not loaded")
	}
}

func TestPEP740RoundTrip(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	b := w.sign(t, w.claims, sigstoretest.Publish(f.Name(), f.Digest().Hex()))[0]
	raw, err := b.PEP740()
	check(t, err)
	provenance := []byte(`{"version":1,"attestation_bundles":[{"publisher":{"kind":"GitHub"},"attestations":[` + string(raw) + `]}]}`)
	for form, raw := range map[string][]byte{"attestation": raw, "provenance object": provenance} {
		again := parse(t, raw)
		check(t, w.verify(t, attest.Candidate{File: f, Bundles: again}).Err())
		same, err := again[0].PEP740()
		check(t, err)
		if !bytes.Equal(same, again[0].Raw()) {
			t.Errorf("%s: converting it changed it", form)
		}
	}
}

// A bundle of a private instance has no log entry, and PEP 740 wants one.
func TestPEP740NeedsALogEntry(t *testing.T) {
	s, err := sigstoretest.NewGitHub()
	check(t, err)
	w := worldOf(t, s)
	f := file(t, wheel, "bytes")
	if _, err := w.sign(t, w.claims, sigstoretest.Publish(f.Name(), f.Digest().Hex()))[0].PEP740(); err == nil {
		t.Error("converted without a log entry")
	}
}

func TestAPersonOrAnotherCI(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	raw, err := w.sigstore.SignAs("alice@example.org", "https://accounts.example.org", sigstoretest.Publish(f.Name(), f.Digest().Hex()))
	check(t, err)
	for name, c := range map[string]struct {
		policy attest.Policy
		want   []rule.ID
	}{
		"alice":          {attest.SignedBy("alice@example.org", "https://accounts.example.org", attest.Absent()), nil},
		"bob":            {attest.SignedBy("bob@example.org", "https://accounts.example.org", attest.Absent()), []rule.ID{rule.IdentitySigner}},
		"another issuer": {attest.SignedBy("alice@example.org", "https://example.org", attest.Absent()), []rule.ID{rule.IdentityIssuer}},
		"on a runner":    {attest.SignedBy("alice@example.org", "https://accounts.example.org", attest.Exactly("github-hosted")), []rule.ID{rule.IdentityRunner}},
	} {
		w.policy = c.policy
		verdict := w.verify(t, attest.Candidate{File: f, Bundles: parse(t, raw)})
		if diff := cmp.Diff(c.want, rules(verdict.Refused())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Whatever stands in the place of a member of a bundle, it is refused, or proves what
// the whole one proved.
func TestVerifierSurvivesEveryBundle(t *testing.T) {
	w := newWorld(t)
	f := file(t, wheel, "bytes")
	bundle := w.sign(t, w.claims, sigstoretest.Provenance(w.claims, subjects(f)...))[0]
	attestation, err := bundle.PEP740()
	check(t, err)
	w.survives(t, f, bundle.Raw(), 1)
	w.survives(t, f, attestation, 1)
}

// So it is with real ones, under their own roots.
func TestVerifierSurvivesEveryRealBundle(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		return raw
	}
	for _, c := range []struct{ repository, workflow, file, bundle string }{
		{"trailofbits/pypi-attestations", "release.yml", "pypi-attestations/assets/pypi_attestations-0.0.19.tar.gz",
			"pypi-attestations/assets/pypi_attestations-0.0.19.tar.gz.slsa.attestation"},
		{"actions/attest-demo", "build-python.yml", "cli-npm/cli/github_provenance_demo-0.0.12-py3-none-any.whl",
			"cli-npm/cli/github_provenance_demo-0.0.12-py3-none-any-bundle.jsonl"},
	} {
		w := world{policy: attest.Workflow(c.repository, ".github/workflows/"+c.workflow)}
		var roots []attest.Root
		for _, name := range []string{"public-good", "github"} {
			root, err := attest.LoadRoot(name, bytes.NewReader(read("roots/"+name+".trusted_root.json")))
			check(t, err)
			roots = append(roots, root)
		}
		var err error
		w.verifier, err = attest.NewVerifier(roots...)
		check(t, err)
		f := file(t, filepath.Base(c.file), string(read(c.file)))
		w.survives(t, f, parse(t, read(c.bundle))[0].Raw(), 3)
	}
}

// survives spoils every step-th member of a good bundle.
func (w world) survives(t *testing.T, f dist.File, good []byte, step int) {
	t.Helper()
	for n := 0; ; n += step {
		var value any
		check(t, json.Unmarshal(good, &value))
		value, left := spoil(value, n)
		raw, err := json.Marshal(value)
		check(t, err)
		w.sameOrRefused(t, f, good, raw)
		if left < 0 {
			continue
		}
		if n < 100 {
			t.Errorf("%d bundles: nothing was tried", n)
		}
		return
	}
}

// sameOrRefused verifies a file by a good bundle, and by one made of it.
func (w world) sameOrRefused(t *testing.T, f dist.File, good, raw []byte) {
	t.Helper()
	bundles, err := attest.ParseBundles("b", bytes.NewReader(raw))
	if err != nil {
		return
	}
	verdict, err := w.verifier.Verify(t.Context(), w.policy, []attest.Candidate{{File: f, Bundles: bundles}})
	if err != nil || verdict.Err() != nil {
		return
	}
	want := w.verify(t, attest.Candidate{File: f, Bundles: parse(t, good)}).Verified()[0].Evidence()[0]
	want.Bundle = bundles[0].Digest()
	if diff := cmp.Diff(want, verdict.Verified()[0].Evidence()[0]); diff != "" {
		t.Errorf("%s\n%s", raw, diff)
	}
}
