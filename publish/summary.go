package publish

import (
	"context"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
)

// SummaryKind is the kind of the record that holds a release's SLSA verification
// summary, see [attest.Summary].
const SummaryKind = "summary"

// summarize stores a verification summary, signed by this job, for those who do
// not know distgate. The level is what the certificates show: files that were
// built and attested on GitHub's own machines are at level 2, others at level 1.
// Whether a build was isolated from what it built, as level 3 wants, no
// certificate says.
func (j Job) summarize(ctx context.Context, c Confirmed, staged staging.Staged) error {
	m := staged.Manifest()
	s := attest.Summary{
		Verifier: "https://github.com/" + j.Publisher.Repository + "/" + j.Publisher.Workflow,
		Verified: c.receipt.Confirmed,
		Resource: "pkg:pypi/" + m.Project + "@" + m.Version,
		Policy:   attest.Resource{URI: "https://github.com/" + j.Publisher.Repository, Digest: m.Policy.Digest},
		Level:    2,
		Release:  attest.Subject{Name: m.Project + "-" + m.Version, Digest: staged.Digest()},
	}
	for _, f := range m.Files {
		s.Files = append(s.Files, attest.Subject{Name: f.Name, Digest: f.Digest})
		for _, e := range f.Evidence {
			s.Attestations = append(s.Attestations, attest.Resource{URI: e.Run, Digest: e.Bundle})
			if e.Runner != hosted || e.Elsewhere != "" {
				s.Level = 1
			}
		}
	}
	statement, err := s.Statement()
	if err != nil {
		return err
	}
	bundle, err := j.signed(ctx, SummaryKind, statement)
	if err != nil {
		return err
	}
	return j.Store.Attach(ctx, staged.Digest(),
		staging.Record{Kind: SummaryKind, Statement: statement, Bundle: bundle.Raw()})
}
