package approval

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging"
)

// What is said of the source is what was asked, and nothing more.
func TestSourceNotes(t *testing.T) {
	verified := staging.Signature{Verified: true, Reason: "valid"}
	for name, test := range map[string]struct {
		upstream          *staging.Upstream
		proven, notProven string
	}{
		"nobody asked": {nil, "", "protected-branch inputs source"},
		"a signed tag": {&staging.Upstream{Tagged: staging.Before, Signed: "tag", Signature: verified},
			"protected-branch tag signature inputs", "source"},
		"an unsigned one": {&staging.Upstream{Tagged: staging.Before, Signed: "tag"},
			"protected-branch tag inputs", "signature source"},
		"tagged after": {&staging.Upstream{Tagged: staging.After, Signed: "commit", Signature: verified},
			"protected-branch signature inputs", "tag source"},
		"declared": {&staging.Upstream{Declared: true, Tagged: staging.Before, Signed: "tag", Signature: verified},
			"protected-branch build-branch tag signature inputs", "source"},
		"with inputs": {&staging.Upstream{Tagged: staging.Before, Signed: "tag", Signature: verified, Inputs: []string{"vars.x"}},
			"protected-branch tag signature", "inputs source"},
	} {
		r := Review{Source: staging.Source{Upstream: test.upstream}}
		said := map[bool][]string{}
		for _, row := range r.sourceNotes() {
			if row.when {
				said[row.proven] = append(said[row.proven], row.note.ID)
			}
			if len(row.note.Text) > 200 || !strings.HasSuffix(row.note.Text, ".") {
				t.Errorf("%s: want short sentences, got %q", name, row.note.Text)
			}
		}
		if diff := cmp.Diff([]string{test.proven, test.notProven},
			[]string{strings.Join(said[true], " "), strings.Join(said[false], " ")}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
