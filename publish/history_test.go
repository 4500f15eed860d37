package publish

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/dist"
)

// parseVersion is a version that the test knows to be one.
func parseVersion(t testing.TB, text string) dist.Version {
	t.Helper()
	v, err := dist.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// past reads a page of these versions, one wheel of each, "-" before the yanked.
func pastOf(t testing.TB, version, status string, versions ...string) *history {
	t.Helper()
	h := &history{project: "widget", version: parseVersion(t, version), known: map[string]*past{}}
	var entries, listed []string
	for _, v := range versions {
		v, yanked := strings.CutPrefix(v, "-")
		name := "widget-" + v + "-py3-none-any.whl"
		entries = append(entries, fmt.Sprintf(`{"filename":%q,"url":%q,"hashes":{"sha256":"%s"},"yanked":%t}`,
			name, "../"+name, dist.Sum([]byte(name)).Hex(), yanked))
		listed = append(listed, fmt.Sprintf("%q", v))
	}
	raw := fmt.Sprintf(`{"meta":{"api-version":"1.4"},"name":"widget","project-status":{"status":%q},"versions":[%s],"files":[%s]}`,
		status, strings.Join(listed, ","), strings.Join(entries, ","))
	var err error
	h.page, err = readPage("widget", &url.URL{Scheme: "https", Host: "pypi.org", Path: "/simple/widget/"},
		&bounded{r: strings.NewReader(raw), page: maxPage, value: maxAround}, h.keep)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWithWhatAReleaseIsCompared(t *testing.T) {
	for _, test := range []struct {
		version string
		listed  string
		want    string
		first   bool
	}{
		{"2.4.1", "1.0 2.3.5 2.4.0 2.4.0rc1 2.5.0", "earlier 2.4.0", false},
		{"2.3.6", "2.3.5 2.4.0 2.4.1", "earlier 2.3.5", false},
		{"2.4.0", "2.3.5 2.4.0rc1 2.4.0rc2 2.4.0b1", "earlier 2.3.5, candidate 2.4.0rc2", false},
		{"2.4.0", "2.4.0rc1 2.4.0rc2", "earlier 2.4.0rc2", false},
		{"2.4.0", "2.3.5 2.3.0rc1", "earlier 2.3.5", false},
		{"2.4.0", "-2.3.6 2.3.5", "earlier 2.3.5", false},
		{"2.4.0rc2", "2.3.5 2.4.0rc1", "earlier 2.4.0rc1", false},
		{"2.4.0rc1", "2.3.5 2.3.0rc1", "earlier 2.3.5", false},
		{"2.4.0.post1", "2.4.0 2.4.0rc1", "earlier 2.4.0", false},
		{"10.0", "9.0 2.0", "earlier 9.0", false},
		{"1!1.0", "2024.1", "earlier 2024.1", false},
		{"1.0", "", "", true},
		{"1.0", "1.0", "", true},
		{"1.0", "2.0", "", false},
		{"2.0", "-1.0", "", false},
	} {
		h := pastOf(t, test.version, "active", strings.Fields(test.listed)...)
		var got []string
		for _, r := range h.since() {
			got = append(got, string(r.Relation)+" "+r.version.String())
		}
		if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s after %s:\n%s", test.version, test.listed, diff)
		}
		if h.first() != test.first {
			t.Errorf("%s after %q: first is %t", test.version, test.listed, h.first())
		}
	}
}

// An index that offers nothing has not said that there is nothing.
func TestWhatIsNotAFirstRelease(t *testing.T) {
	for _, status := range []string{"quarantined", "archived", "new"} {
		if pastOf(t, "1.0", status).first() {
			t.Errorf("%s: a first release", status)
		}
	}
	h := pastOf(t, "1.0", "active")
	if h.page.versions = []string{"0.9"}; h.first() {
		t.Error("an index that names 0.9 and offers no file of it has a release")
	}
	h = pastOf(t, "1.0", "active")
	if h.unread = 1; h.first() {
		t.Error("a file that nobody can read is a file")
	}
	if !(&history{version: parseVersion(t, "1.0")}).first() {
		t.Error("404 is no project")
	}
}

// A listed file that is not what its URL ends in could be another one.
func TestHistoryTakesNoOtherFile(t *testing.T) {
	h := &history{project: "widget", version: parseVersion(t, "2.0"), known: map[string]*past{}}
	at := &url.URL{Scheme: "https", Host: "pypi.org"}
	entry := entry{filename: "widget-1.0.tar.gz", url: "/gadget-1.0.tar.gz",
		hashes: json.RawMessage(`{"sha256":"` + dist.Sum(nil).Hex() + `"}`)}
	if _, err := h.keep(nil, at, entry); err == nil {
		t.Error("it is taken")
	}
}
