package command

import (
	"testing"

	"github.com/distgate/distgate/publish"
)

// A withdrawal binds its index whatever that is called now, and every index where
// it cannot be told which one it was.
func TestAWithdrawalBindsItsIndex(t *testing.T) {
	const here, there = "https://a.example/simple/", "https://b.example/simple/"
	for name, c := range map[string]struct {
		entry         indexed
		local, mirror bool // whether it binds [index.local] at here, and [index.mirror] at there
	}{
		"as it was written":           {indexed{index: "local", simple: here}, true, false},
		"without an address":          {indexed{index: "local"}, true, false},
		"of the other one":            {indexed{index: "mirror", simple: there}, false, true},
		"of a former name":            {indexed{index: "main", simple: here}, true, false},
		"of a name that is gone":      {indexed{index: "main"}, true, true},
		"the other has the name now":  {indexed{index: "mirror", simple: here}, true, false},
		"moved to another address":    {indexed{index: "local", simple: "https://old.example/simple/"}, true, true},
		"of an index nobody knows":    {indexed{index: "main", simple: "https://old.example/simple/"}, true, true},
		"of PyPI, which has no table": {indexed{index: "pypi", simple: publish.PyPI().Simple}, true, true},
	} {
		p := policy{table: policyFile{Index: map[string]indexTable{"local": {Simple: here}, "mirror": {Simple: there}}},
			withdrawn: []indexed{c.entry}}
		for index, want := range map[string]bool{"local": c.local, "mirror": c.mirror} {
			if got := len(p.withdrawnOn(index)) == 1; got != want {
				t.Errorf("%s: binds %s: %v, want %v", name, index, got, want)
			}
		}
	}
}
