package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/distgate/distgate/staging/dist"
)

// SummaryType is the predicate type of an SLSA verification summary.
const SummaryType = "https://slsa.dev/verification_summary/v1"

const slsaVersion = "1.2"

// Summary is SLSA's verification summary (VSA v1): who verified which files, by
// which policy and attestations, and how far the build is proven. It is for those
// who want a verdict and have no policy of their own; distgate itself decides
// nothing by it.
type Summary struct {
	Verifier     string     // URI of who verified
	Verified     time.Time  // whole seconds
	Resource     string     // URI of what was verified, as pkg:pypi/widget@1.0
	Policy       Resource   // that it was verified by
	Attestations []Resource // all that the verdict stands on
	Level        int        // of the SLSA build track, 1 to 3
	Release      Subject    // the release as a whole
	Files        []Subject  // of the release
}

// Resource is something with an address and a digest.
type Resource struct {
	URI    string
	Digest dist.Digest
}

// Subject is something that a statement is about.
type Subject struct {
	Name   string
	Digest dist.Digest
}

// summaryPredicate is the predicate, in SLSA's words.
type summaryPredicate struct {
	Verifier     summaryVerifier   `json:"verifier"`
	TimeVerified string            `json:"timeVerified"`
	ResourceURI  string            `json:"resourceUri"`
	Policy       summaryResource   `json:"policy"`
	Input        []summaryResource `json:"inputAttestations"`
	Result       string            `json:"verificationResult"`
	Levels       []string          `json:"verifiedLevels"`
	Version      string            `json:"slsaVersion"`
}

type summaryVerifier struct {
	ID string `json:"id"`
}

type summaryResource struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

func (r Resource) summary() summaryResource {
	return summaryResource{r.URI, map[string]string{"sha256": r.Digest.Hex()}}
}

// Statement is the summary as an in-toto statement about the release and each of
// its files.
func (s Summary) Statement() ([]byte, error) {
	if s.Verifier == "" || s.Verified.IsZero() || s.Resource == "" || s.Policy.Digest.IsZero() || len(s.Files) == 0 ||
		len(s.Attestations) == 0 || len(s.Files) >= maxSubjects || s.Level < 1 || s.Level > 3 {
		return nil, errors.New("attest: a verification summary with something left out")
	}
	p := summaryPredicate{Verifier: summaryVerifier{s.Verifier}, TimeVerified: s.Verified.UTC().Format(time.RFC3339),
		ResourceURI: s.Resource, Policy: s.Policy.summary(), Result: "PASSED",
		Levels: []string{fmt.Sprintf("SLSA_BUILD_LEVEL_%d", s.Level)}, Version: slsaVersion}
	for _, a := range s.Attestations {
		p.Input = append(p.Input, a.summary())
	}
	predicate, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	about := statement{Type: statementV1, PredicateType: SummaryType, Predicate: predicate}
	for _, f := range append([]Subject{s.Release}, s.Files...) {
		if f.Name == "" || f.Digest.IsZero() {
			return nil, errors.New("attest: a subject without name or digest")
		}
		about.Subject = append(about.Subject, subject{Name: f.Name, Digest: map[string]string{"sha256": f.Digest.Hex()}})
	}
	raw, err := json.Marshal(about)
	return append(raw, '\n'), err
}
