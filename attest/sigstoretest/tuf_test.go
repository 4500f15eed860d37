package sigstoretest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/distgate/distgate/attest/sigstoretest"
)

func TestTUF(t *testing.T) {
	s := instance(t, sigstoretest.New)
	url := serve(t, s) + "/tuf"
	client, err := tuf.New(&tuf.Options{
		Root: s.TUFRoot(), RepositoryBaseURL: url, CachePath: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetTarget("trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.TrustedRoot(), got); diff != "" {
		t.Errorf("trusted_root.json (-want +got):\n%s", diff)
	}
	if got, err := client.GetTarget("artifact.pub"); err == nil {
		t.Errorf("got %q for a target that is not there", got)
	}
}

// A client that starts from another root believes nothing of the repository.
func TestTUFOfAnother(t *testing.T) {
	url := serve(t, instance(t, sigstoretest.New)) + "/tuf"
	_, err := tuf.New(&tuf.Options{
		Root:              instance(t, sigstoretest.New).TUFRoot(),
		RepositoryBaseURL: url, CachePath: t.TempDir(),
	})
	if err == nil {
		t.Error("want an error")
	}
}
