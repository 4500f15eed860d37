package audit

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSince(t *testing.T) {
	look := func(uses ...string) Report {
		return Judge(Facts{Files: read(t, tree{releaseYML: inRelease(stepsOf(uses...))})})
	}
	before := look("- uses: a/b@v1", "- run: make")
	for name, c := range map[string]struct {
		now  Report
		want []string
	}{
		"nothing":            {look("- uses: a/b@v1", "- run: make"), nil},
		"a line moved":       {look("- run: make", "- uses: a/b@v1"), nil},
		"one place more":     {look("- uses: a/b@v1", "- uses: a/c@v1"), []string{"unpinned-uses: broken before, broken now; new: .github/workflows/release.yml:8 a/c@v1"}},
		"the same once more": {look("- uses: a/b@v1", "- uses: a/b@v1"), []string{"unpinned-uses: broken before, broken now; new: .github/workflows/release.yml:8 a/b@v1"}},
		"mended, and one worse": {look("- run: echo ${{ github.head_ref }}"), []string{
			"template-injection: holds before, broken now; new: .github/workflows/release.yml:7 ${{ github.head_ref }}",
			"unpinned-uses: broken before, holds now"}},
	} {
		var got []string
		for _, d := range c.now.Since(before) {
			got = append(got, d.Text())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %s", name, cmp.Diff(c.want, got))
		}
	}
}
