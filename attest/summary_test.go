package attest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	vsa "github.com/in-toto/attestation/go/predicates/vsa/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
)

func summary() attest.Summary {
	return attest.Summary{
		Verifier: "https://github.com/acme/widget/.github/workflows/release.yml",
		Verified: time.Unix(1_790_000_000, 0), Resource: "pkg:pypi/widget@1.0", Level: 2,
		Policy:       attest.Resource{URI: "https://github.com/acme/widget", Digest: dist.Sum([]byte("policy"))},
		Attestations: []attest.Resource{{URI: "https://github.com/acme/widget/actions/runs/1", Digest: dist.Sum([]byte("bundle"))}},
		Release:      attest.Subject{Name: "widget-1.0", Digest: dist.Sum([]byte("release"))},
		Files:        []attest.Subject{{Name: "widget-1.0.tar.gz", Digest: dist.Sum([]byte("sdist"))}},
	}
}

// The summary is one by in-toto's own description, and says what was verified.
func TestASummaryIsOneOfSLSA(t *testing.T) {
	raw, err := summary().Statement()
	if err != nil {
		t.Fatal(err)
	}
	var statement struct {
		Subject   []struct{ Name string }
		Predicate json.RawMessage
	}
	if err := json.Unmarshal(raw, &statement); err != nil {
		t.Fatal(err)
	}
	var theirs vsa.VerificationSummary
	if err := (protojson.UnmarshalOptions{}).Unmarshal(statement.Predicate, &theirs); err != nil {
		t.Fatal(err)
	}
	if theirs.GetVerificationResult() != "PASSED" || theirs.GetVerifier().GetId() != summary().Verifier ||
		strings.Join(theirs.GetVerifiedLevels(), " ") != "SLSA_BUILD_LEVEL_2" || theirs.GetSlsaVersion() != "1.2" ||
		len(theirs.GetInputAttestations()) != 1 || len(statement.Subject) != 2 {
		t.Errorf("it says %v about %v", &theirs, statement.Subject)
	}
}

func TestASummaryOfNothing(t *testing.T) {
	for name, change := range map[string]func(*attest.Summary){
		"nobody":           func(s *attest.Summary) { s.Verifier = "" },
		"never":            func(s *attest.Summary) { s.Verified = time.Time{} },
		"nothing":          func(s *attest.Summary) { s.Files = nil },
		"no release":       func(s *attest.Summary) { s.Release = attest.Subject{} },
		"no name":          func(s *attest.Summary) { s.Files[0].Name = "" },
		"no policy":        func(s *attest.Summary) { s.Policy = attest.Resource{} },
		"no attestations":  func(s *attest.Summary) { s.Attestations = nil },
		"no level":         func(s *attest.Summary) { s.Level = 0 },
		"a level too high": func(s *attest.Summary) { s.Level = 4 },
	} {
		s := summary()
		change(&s)
		if _, err := s.Statement(); err == nil {
			t.Errorf("%s is a summary", name)
		}
	}
}
