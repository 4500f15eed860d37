package workflows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

func (f *forge) attest(a githubtest.Attestation) githubtest.Attestation {
	f.t.Helper()
	a.Repository = repository
	a, err := f.PutAttestation(a)
	f.check(err)
	return a
}

func TestBundlesAreFetched(t *testing.T) {
	for _, encoding := range []githubtest.Encoding{githubtest.SnappyBlock, githubtest.SnappyFramed, githubtest.PlainJSON} {
		f := newForge(t)
		raw := f.provenance(f.files...)
		f.attest(githubtest.Attestation{Bundle: raw, Encoding: encoding})
		got, err := f.client().Attestations(t.Context(), repository, dist.Sum(f.files[1].Raw))
		f.check(err)
		if len(got) != 1 || !bytes.Equal(got[0].Raw(), raw) {
			t.Errorf("%q: got %d bundles", encoding, len(got))
		}
	}
}

// What is stored for a digest and is not provenance is passed over, whatever it
// looks like.
func TestOtherAttestations(t *testing.T) {
	f := newForge(t)
	f.attest(githubtest.Attestation{Bundle: f.provenance(f.files...)})
	digest := dist.Sum(f.files[0].Raw)
	for _, typ := range []string{"https://in-toto.io/attestation/release/v0.2", "https://spdx.dev/Document/v2.3"} {
		payload, err := json.Marshal(map[string]any{"_type": "https://in-toto.io/Statement/v1", "predicateType": typ,
			"subject": []any{map[string]any{"name": "x", "digest": map[string]string{"sha256": digest.Hex()}}}})
		f.check(err)
		bundle, err := json.Marshal(map[string]any{"dsseEnvelope": map[string]any{"payload": payload}, "more": strings.Repeat("x", 5<<20)})
		f.check(err)
		f.attest(githubtest.Attestation{Bundle: bundle, Initiator: "github"})
	}
	got, err := f.client().Attestations(t.Context(), repository, digest)
	f.check(err)
	if len(got) != 1 || got[0].PredicateType() != attest.ProvenanceV1 {
		t.Errorf("got %d bundles", len(got))
	}
}

func TestNoAttestation(t *testing.T) {
	f := newForge(t)
	f.PutRepository(githubtest.Repository{Name: repository})
	for _, lists := range []bool{false, true} {
		f.Behave(githubtest.Behaviour{ListsNoAttestations: lists})
		got, err := f.client().Attestations(t.Context(), repository, dist.Sum(nil))
		if err != nil || got != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestManyAttestationsAreReadByCursor(t *testing.T) {
	f := newForge(t)
	raw := f.provenance(f.files[0])
	for range 230 {
		f.attest(githubtest.Attestation{Bundle: raw, Encoding: githubtest.PlainJSON})
	}
	digest := dist.Sum(f.files[0].Raw)
	got, err := f.client().Attestations(t.Context(), repository, digest)
	f.check(err)
	if len(got) != 230 || f.requests("/attestations/") != 3 {
		t.Errorf("got %d by %d requests", len(got), f.requests("/attestations/"))
	}
	for range 300 {
		f.attest(githubtest.Attestation{Bundle: raw})
	}
	if _, err := f.client().Attestations(t.Context(), repository, digest); err == nil || !strings.Contains(err.Error(), "at most 500") {
		t.Errorf("got %v", err)
	}
}

// A stored bundle that is damaged is refused, and one that cannot be had is
// neither a yes nor a no.
func TestBundlesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, bundle := range map[string]string{
		"no JSON":   "\x00not json",
		"no bundle": `{"a":1}`,
		"nothing":   "",
		"a lie":     `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"e30="}}`,
		"a bomb":    strings.Repeat(" ", 33<<20),
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			digest := dist.Sum(f.files[0].Raw)
			f.attest(githubtest.Attestation{Bundle: []byte(bundle), Subjects: []string{digest.String()}, Predicate: attest.ProvenanceV1})
			got, err := f.client().Attestations(t.Context(), repository, digest)
			if !errors.As(err, new(rule.Refusals)) || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	f := newForge(t)
	f.attest(githubtest.Attestation{Bundle: f.provenance(f.files[0])})
	f.Play(githubtest.Fault{Storage: true, Times: -1, Status: 503, Message: "busy"})
	_, err := f.client().Attestations(t.Context(), repository, dist.Sum(f.files[0].Raw))
	if err == nil || errors.As(err, new(rule.Refusals)) || strings.Contains(err.Error(), "sig=") {
		t.Errorf("got %v", err)
	}
}

// Candidates without a bundle in the artifacts find theirs in the repository,
// by as few calls as may be.
func TestCandidatesFindTheirAttestations(t *testing.T) {
	for name, c := range map[string]struct {
		attested func(f *forge)
		owner    string
		access   githubtest.Access
		calls    int
		want     []rule.ID
	}{
		"one for all": {func(f *forge) { f.attest(githubtest.Attestation{Bundle: f.provenance(f.files...)}) }, "Organization", githubtest.Access{}, 1, nil},
		"one for each": {func(f *forge) {
			for _, file := range f.files {
				f.attest(githubtest.Attestation{Bundle: f.provenance(file)})
			}
		}, "Organization", githubtest.Access{}, 2, nil},
		"one for each, of a person": {func(f *forge) {
			for _, file := range f.files {
				f.attest(githubtest.Attestation{Bundle: f.provenance(file)})
			}
		}, "User", githubtest.Access{}, 2, nil},
		"some for some": {func(f *forge) {
			f.attest(githubtest.Attestation{Bundle: f.provenance(f.files[0])})
			f.attest(githubtest.Attestation{Bundle: f.provenance(f.files[1], f.files[2])})
		}, "Organization", githubtest.Access{}, 2, nil},
		"none for one": {func(f *forge) { f.attest(githubtest.Attestation{Bundle: f.provenance(f.files[0], f.files[1])}) },
			"Organization", githubtest.Access{}, 2, []rule.ID{rule.BundleMissing}},
		"of another file of the name": {func(f *forge) {
			other := f.files[2]
			other.Raw = []byte("other bytes")
			f.attest(githubtest.Attestation{Bundle: f.provenance(f.files[0], f.files[1], other)})
		}, "Organization", githubtest.Access{}, 2, []rule.ID{rule.SubjectDigest}},
		"none": {func(*forge) {}, "Organization", githubtest.Access{}, 1 + 1 + 3, []rule.ID{rule.BundleMissing, rule.BundleMissing, rule.BundleMissing}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t)
			f.run()
			f.PutUser(githubtest.User{Login: "acme", Type: c.owner})
			f.upload("wheels", f.member(0, ""), f.member(1, ""), f.member(2, ""))
			c.attested(f)
			got, err := f.collect(f.store(), wanted("wheels"))
			f.check(err)
			f.check(f.client().AddAttestations(t.Context(), repository, got.Candidates))
			if calls := f.requests("/attestations/"); calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
			verdict, err := f.verify(attest.EveryJob, got.Candidates)
			f.check(err)
			var rules []rule.ID
			for _, no := range verdict.Refused() {
				rules = append(rules, no.Rule)
			}
			if fmt.Sprint(rules) != fmt.Sprint(c.want) || len(verdict.Verified())+len(rules) != 3 {
				t.Errorf("got %v", verdict.Refused())
			}
		})
	}
}

// Whoever may not ask for many digests at once asks for one after the other.
func TestManyAtOnceIsForbidden(t *testing.T) {
	for _, status := range []int{403, 404, 422} {
		f := newForge(t)
		f.run()
		f.upload("wheels", f.member(0, ""), f.member(1, ""), f.member(2, ""))
		for _, file := range f.files {
			f.attest(githubtest.Attestation{Bundle: f.provenance(file)})
		}
		f.Play(githubtest.Fault{Path: "bulk-list", Times: -1, Status: status, Message: "no"})
		got, err := f.collect(f.store(), wanted("wheels"))
		f.check(err)
		f.check(f.client().AddAttestations(t.Context(), repository, got.Candidates))
		verdict, err := f.verify(attest.Certificate, got.Candidates)
		f.check(err)
		f.check(verdict.Err())
	}
}

// An attestation that somebody else stored for our digest decides nothing.
func TestAnAttestationOfAStranger(t *testing.T) {
	f := newForge(t)
	f.run()
	f.upload("wheels", f.member(0, ""))
	honest := f.provenance(f.files...)
	f.claims = sigstoretest.GitHubClaims("evil/widget", build, "refs/heads/main")
	f.attest(githubtest.Attestation{Bundle: f.provenance(f.files...)})
	got, err := f.collect(f.store(), wanted("wheels"))
	f.check(err)
	f.check(f.client().AddAttestations(t.Context(), repository, got.Candidates))
	verdict, err := f.verify(attest.EveryJob, got.Candidates)
	f.check(err)
	if no := verdict.Refused(); len(no) == 0 || no[0].Rule != rule.IdentityRepository {
		t.Errorf("got %v", no)
	}
	f.attest(githubtest.Attestation{Bundle: honest})
	f.check(f.client().AddAttestations(t.Context(), repository, got.Candidates))
	verdict, err = f.verify(attest.EveryJob, got.Candidates)
	f.check(err)
	f.check(verdict.Err())
}
