package dist_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func TestVersionsAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"1.0": "1.0", "v1.0-ALPHA_1": "1.0a1", "1.0-1": "1.0.post1", "1.0c1": "1.0rc1", " 1.0\n": "1.0",
		"01.002": "1.2", "1!1.0.dev": "1!1.0.dev0", "1.0+Ubuntu-01_A.0": "1.0+ubuntu.1.a.0", "1.0+000": "1.0+0",
		"1.0+2f": "1.0+2f", "1.0+0a": "1.0+0a",
	} {
		if got, err := dist.ParseVersion(in); err != nil || got.String() != want {
			t.Errorf("%q: want %s, got %s, %v", in, want, got, err)
		}
	}
	for _, in := range []string{
		"", "1.0+", "+1", "1.0+a+b", "1.0+a..b", "1.0+-a", "1.0+a-", "1.0 1", "latest", "1.0*", "1.po\u017ft1", "1.0+\u212a",
		"1.0.post99999999999999999999", "1.0+99999999999999999999", strings.Repeat("1.", 200) + "1", "1.0\x00",
	} {
		if got, err := dist.ParseVersion(in); refused(t, err) != rule.VersionForm || !got.IsZero() {
			t.Errorf("%.40q: got %s, %v", in, got, err)
		}
	}
}

func TestVersionsAreComparedByMeaning(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0.0", 0}, {"1", "1.0.1", -1}, {"1.0.1", "1", 1}, {"1.0+a.1", "1.0+A-01", 0}, {"1.0", "1.0+a", -1},
		{"1.0+a", "1.0+1", -1}, {"1.0+2", "1.0+10", -1}, {"1.0.dev1", "1.0a1", -1}, {"1!0", "2", 1},
		{"1.0.post1", "1.0", 1}, {"1.0rc1", "1.0", -1}, {"0", "0.0.0", 0}, {"1.0+1.1", "1.0+1", 1},
	} {
		a, b := version(t, c.a), version(t, c.b)
		if got := a.Compare(b); got != c.want || b.Compare(a) != -c.want || a.Equal(b) != (c.want == 0) {
			t.Errorf("%s and %s: want %d, got %d", c.a, c.b, c.want, got)
		}
	}
	var zero dist.Version
	if zero.Equal(zero) || zero.Compare(version(t, "0.dev0")) != -1 || version(t, "0").Compare(zero) != 1 {
		t.Error("the zero version is equal to something, or not before everything")
	}
}

// The parser writes into the versions that it compares; ours are values.
func TestVersionsAreComparedFromManyGoroutines(t *testing.T) {
	a, b := version(t, "1.0.0.0"), version(t, "1.0.0.0.0.1")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if a.Compare(b) != -1 || b.Compare(a) != 1 {
				t.Error("the order is wrong")
			}
		})
	}
	all.Wait()
}

func version(t testing.TB, s string) dist.Version {
	t.Helper()
	v, err := dist.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVersionVectors(t *testing.T) {
	var vector struct {
		Ascending  []string                               `json:"versions_sorted_ascending"`
		Invalid    []struct{ Version string }             `json:"invalid_versions"`
		Normalized []struct{ Version, Normalized string } `json:"normalized_versions"`
		Strings    []struct{ Version, Expected string }   `json:"version_str_repr"`
		Names      []struct{ Name, Expected string }      `json:"canonicalize_name"`
		NotNames   []struct{ Name string }                `json:"canonicalize_name_invalid"`
		Canonical  []struct {
			Version  json.RawMessage
			Expected string
		} `json:"canonicalize_version"`
	}
	decode(t, &vector, "python-dists", "versions.json")

	stricter := exceptions{"\u202f1.0\t\u2029\n ": "blanks are those of ASCII"}
	used := exceptions{}
	for _, c := range vector.Normalized {
		got, err := dist.ParseVersion(c.Version)
		if stricter[c.Version] != "" && err != nil {
			used[c.Version] = "used"
		} else if err != nil || got.String() != c.Normalized {
			t.Errorf("%q: want %s, got %s, %v", c.Version, c.Normalized, got, err)
		}
	}
	stricter.stale(t, used)
	for _, c := range vector.Strings {
		if got := version(t, c.Version); got.String() != c.Expected {
			t.Errorf("%q: want %s, got %s", c.Version, c.Expected, got)
		}
	}
	for _, c := range vector.Invalid {
		if got, err := dist.ParseVersion(c.Version); refused(t, err) != rule.VersionForm {
			t.Errorf("%q: got %s, %v", c.Version, got, err)
		}
	}
	for i, a := range vector.Ascending {
		for j, b := range vector.Ascending {
			if got := version(t, a).Compare(version(t, b)); got != cmp.Compare(i, j) {
				t.Errorf("%s and %s: want %d, got %d", a, b, cmp.Compare(i, j), got)
			}
		}
	}
	for _, c := range vector.Names {
		if got, err := dist.NormalizeName(c.Name); err != nil || got != c.Expected {
			t.Errorf("%q: want %s, got %s, %v", c.Name, c.Expected, got, err)
		}
	}
	for _, c := range vector.NotNames {
		if got, err := dist.NormalizeName(c.Name); refused(t, err) != rule.ProjectName {
			t.Errorf("%q: got %q, %v", c.Name, got, err)
		}
	}
	for _, c := range vector.Canonical {
		var text string
		if json.Unmarshal(c.Version, &text) != nil || c.Expected == text && text == "lolwat" {
			continue // a Python object, or no version
		}
		a, errA := dist.ParseVersion(text)
		b, errB := dist.ParseVersion(c.Expected)
		if (errA == nil) != (errB == nil) || errA == nil && !a.Equal(b) {
			t.Errorf("%s and %s: want one version, got %v and %v", text, c.Expected, errA, errB)
		}
	}
}

// An order is one only if it is antisymmetric and transitive, whatever is compared.
func TestVersionsHaveAnOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	some := func() dist.Version {
		return version(t, pick("", "0!", "1!")+pick("0", "1", "1.0", "1.0.0", "1.1", "1.0.1", "2")+
			pick("", "", "a0", "b1", "rc1")+pick("", "", ".post0", ".post1")+pick("", "", ".dev0", ".dev1")+
			pick("", "", "+a", "+1", "+01", "+a.1", "+1.a", "+10"))
	}
	for range 5000 {
		a, b, c := some(), some(), some()
		if a.Compare(b) != -b.Compare(a) || a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s, %s, %s have no order", a, b, c)
		}
	}
}

func TestASeriesIsTheBeginningOfARelease(t *testing.T) {
	for _, c := range []struct {
		version, series string
		want            bool
	}{
		{"2.4.2", "2.4", true},
		{"2.4", "2.4", true},
		{"2.4.0rc1", "2.4", true},
		{"2.4.dev0", "2.4", true},
		{"2.4.1.post1", "2.4.1", true},
		{"2.4.1+local", "2.4", true},
		{"2.40.1", "2.4", false},
		{"2.5.0", "2.4", false},
		{"2", "2.4", false},
		{"2", "2.0", true},
		{"2.4", "2.4.0", true},
		{"1!2.4", "2.4", false},
		{"1!2.4.1", "1!2.4", true},
		{"0!2.4.1", "2.4", true},
		{"2.4.1", "2.4rc1", false},
	} {
		v, err := dist.ParseVersion(c.version)
		if err != nil {
			t.Fatal(err)
		}
		series, err := dist.ParseVersion(c.series)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.In(series); got != c.want {
			t.Errorf("%s in %s: got %t, want %t", c.version, c.series, got, c.want)
		}
		if (dist.Version{}).In(series) || v.In(dist.Version{}) {
			t.Errorf("%s, %s: the zero version is in a series, or has one in it", c.version, c.series)
		}
	}
}
