package world

import (
	"context"
	"fmt"
	"net/http"

	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// The index to rehearse on, what TestPyPI is to PyPI: its name and audience, and
// the environment that publishes to it, which asks nobody.
const (
	TestIndexName   = "rehearsal"
	TestEnvironment = "testpypi"
)

// StartTestIndex starts the index to rehearse on, and returns its table of
// distgate.toml.
func (w *World) StartTestIndex(ctx context.Context) (table string, err error) {
	w.github.PutEnvironment(githubtest.Environment{Repository: ReleaseRepository, Name: TestEnvironment,
		AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}})
	base, err := w.serve(ctx, func(string) (http.Handler, error) {
		index, err := pypitest.New(pypitest.Config{Audience: TestIndexName,
			Issuers: []string{w.github.Issuer()}, TrustedRoots: [][]byte{w.sigstore.TrustedRoot()}})
		if err != nil {
			return nil, err
		}
		w.testIndex = index
		publisher := w.Publisher()
		publisher.Environment = TestEnvironment
		return index, index.AddProject(Project, publisher)
	})
	return fmt.Sprintf(`
[index.%[1]s]
upload = "%[2]s/legacy/"
simple = "%[2]s/simple/"
integrity = "%[2]s/integrity/"
audience = "%[1]s"
environment = "%[3]s"
patience = "30s"
votes = 0
`, TestIndexName, base, TestEnvironment), err
}
