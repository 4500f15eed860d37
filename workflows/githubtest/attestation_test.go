package githubtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"

	"github.com/distgate/distgate/workflows/githubtest"
)

const (
	provenance = "https://slsa.dev/provenance/v1"
	released   = "https://in-toto.io/attestation/release/v0.2"
)

// digest is of a file that is called by a digit.
func digest(name string) string { return "sha256:" + strings.Repeat(name, 64) }

// bundle is one whose statement has these subjects.
func bundle(predicate string, names ...string) []byte {
	var subjects []string
	for _, name := range names {
		subjects = append(subjects, fmt.Sprintf(`{"name":%q,"digest":{"sha256":%q}}`, name, digest(name)[7:]))
	}
	payload := fmt.Sprintf(`{"predicateType":%q,"subject":[%s]}`, predicate, strings.Join(subjects, ","))
	return fmt.Appendf(nil, `{"dsseEnvelope":{"payload":%q}}`, base64.StdEncoding.EncodeToString([]byte(payload)))
}

func (w *world) attest(a githubtest.Attestation) githubtest.Attestation {
	w.t.Helper()
	a, err := w.PutAttestation(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

type attestation struct {
	Repository int64  `json:"repository_id"`
	URL        string `json:"bundle_url"`
	Initiator  string
	Bundle     json.RawMessage
}

// attestations are those that an address lists, and the links there.
func (w *world) attestations(at string, headers ...string) ([]attestation, string) {
	w.t.Helper()
	var body struct{ Attestations []attestation }
	header := w.read(at, &body, headers...)
	return body.Attestations, header.Get("Link")
}

func TestBundleIsFetched(t *testing.T) {
	w := start(t)
	raw := bundle(provenance, "1")
	for _, test := range []struct {
		encoding githubtest.Encoding
		kind     string
		decode   func([]byte) ([]byte, error)
	}{
		{githubtest.SnappyBlock, "application/x-snappy", func(b []byte) ([]byte, error) { return snappy.Decode(nil, b) }},
		{githubtest.SnappyFramed, "application/x-snappy-framed", func(b []byte) ([]byte, error) {
			return io.ReadAll(snappy.NewReader(bytes.NewReader(b)))
		}},
		{githubtest.PlainJSON, "application/json", func(b []byte) ([]byte, error) { return b, nil }},
	} {
		w.attest(githubtest.Attestation{ID: 1, Repository: "acme/widget", Bundle: raw, Encoding: test.encoding})
		found, _ := w.attestations("/repos/acme/widget/attestations/" + digest("1"))
		if len(found) != 1 || string(found[0].Bundle) != "null" || found[0].Initiator != "user" {
			t.Fatalf("got %+v", found)
		}
		g := w.get(found[0].URL)
		content, err := test.decode(g.raw)
		if g.header.Get("Content-Type") != test.kind || err != nil || !bytes.Equal(content, raw) {
			t.Errorf("%q: got %v %q, %v", test.encoding, g.header, content, err)
		}
		if g := w.get(found[0].URL, "Authorization: Bearer x"); g.status != 401 {
			t.Errorf("with a token: got %d", g.status)
		}
	}
	found, _ := w.attestations("/repos/acme/widget/attestations/"+digest("1"),
		"X-GitHub-Api-Version: "+githubtest.Version2026)
	if len(found) != 1 || found[0].Bundle != nil {
		t.Errorf("want no bundle in the newer version, got %s", found[0].Bundle)
	}
	w.clock.at = w.clock.at.Add(time.Hour)
	if g := w.get(found[0].URL); g.status != 403 {
		t.Errorf("too late: got %d", g.status)
	}
}

func TestAttestationsAreFound(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/secret", Private: true})
	w.attest(githubtest.Attestation{Repository: "acme/widget", Bundle: bundle(provenance, "1", "2")})
	w.attest(githubtest.Attestation{Repository: "acme/widget", Bundle: bundle(released, "1"), Initiator: "github"})
	w.attest(githubtest.Attestation{Repository: "acme/secret", Bundle: bundle(provenance, "1")})
	w.attest(githubtest.Attestation{Repository: "mallory/widget", Bundle: bundle(provenance, "1")})
	token := w.may("alice", "attestations", "read")
	for _, test := range []struct {
		at    string
		count int
	}{
		{"/repos/acme/widget/attestations/" + digest("1"), 2},
		{"/repos/acme/widget/attestations/" + digest("2"), 1},
		{"/repos/acme/widget/attestations/" + digest("1") + "?predicate_type=provenance", 1},
		{"/repos/acme/widget/attestations/" + digest("1") + "?predicate_type=release", 1},
		{"/repos/acme/widget/attestations/" + digest("1") + "?predicate_type=" + provenance, 1},
		{"/repos/acme/widget/attestations/" + digest("2") + "?predicate_type=sbom", 0},
		{"/repos/acme/widget/attestations/" + digest("3"), 0},
		{"/orgs/acme/attestations/" + digest("1"), 2},
		{"/users/mallory/attestations/" + digest("1"), 1},
		{"/orgs/nobody/attestations/" + digest("1"), 0},
	} {
		if test.count == 0 {
			if g := w.get(test.at); g.status != 404 {
				t.Errorf("%s: want 404, got %d %s", test.at, g.status, g.raw)
			}
			continue
		}
		if found, _ := w.attestations(test.at); len(found) != test.count {
			t.Errorf("%s: want %d, got %+v", test.at, test.count, found)
		}
	}
	if found, _ := w.attestations("/orgs/acme/attestations/"+digest("1"), token); len(found) != 3 {
		t.Errorf("want the private repository's too, got %+v", found)
	}
	if g := w.get("/repos/acme/widget/attestations/sha256:zz"); g.status != 422 {
		t.Errorf("no digest: got %d", g.status)
	}
	w.Behave(githubtest.Behaviour{ListsNoAttestations: true})
	if found, _ := w.attestations("/repos/acme/widget/attestations/" + digest("3")); len(found) != 0 {
		t.Errorf("want none, got %+v", found)
	}
}

func TestAttestationsByCursor(t *testing.T) {
	w := start(t)
	for range 5 {
		w.attest(githubtest.Attestation{Repository: "acme/widget", Bundle: bundle(provenance, "1")})
	}
	// urls without their signatures.
	names := func(found []attestation) (names []string) {
		for _, a := range found {
			name, _, _ := strings.Cut(filepath.Base(a.URL), ".")
			names = append(names, name)
		}
		return names
	}
	link := func(links, rel string) string {
		for l := range strings.SplitSeq(links, ", ") {
			if address, has := strings.CutSuffix(l, `>; rel="`+rel+`"`); has {
				return address[1:]
			}
		}
		return ""
	}
	at := "/repos/acme/widget/attestations/" + digest("1") + "?per_page=2&predicate_type=provenance"
	var pages [][]string
	var last string
	for at != "" {
		found, links := w.attestations(at)
		pages, last, at = append(pages, names(found)), at, link(links, "next")
	}
	want := [][]string{{"5", "4"}, {"3", "2"}, {"1"}}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	_, links := w.attestations(last)
	found, links := w.attestations(link(links, "prev"))
	if diff := cmp.Diff(want[1], names(found)); diff != "" || link(links, "prev") == "" {
		t.Errorf("back again (-want +got):\n%s%s", diff, links)
	}
	if g := w.get("/repos/acme/widget/attestations/" + digest("1") + "?after=x"); g.status != 422 {
		t.Errorf("no cursor: got %d", g.status)
	}
}

func TestAttestationsOfManyDigests(t *testing.T) {
	w := start(t)
	for _, name := range []string{"1", "2"} {
		w.attest(githubtest.Attestation{Repository: "acme/widget", Bundle: bundle(provenance, name)})
	}
	g := w.do("POST", "/orgs/acme/attestations/bulk-list?per_page=1", fmt.Sprintf(
		`{"subject_digests":[%q,%q,%q],"predicate_type":"provenance"}`, digest("1"), digest("2"), digest("3")))
	var body struct {
		Of   map[string][]attestation `json:"attestations_subject_digests"`
		Info struct {
			Next    string
			HasNext bool `json:"has_next"`
		} `json:"page_info"`
	}
	if err := json.Unmarshal(g.raw, &body); err != nil || g.status != 200 {
		t.Fatalf("got %d %s", g.status, g.raw)
	}
	if len(body.Of) != 3 || len(body.Of[digest("2")]) != 1 || body.Of[digest("1")] != nil || !body.Info.HasNext {
		t.Errorf("got %s", g.raw)
	}
	if g := w.do("POST", "/orgs/acme/attestations/bulk-list", `{"subject_digests":[]}`); g.status != 422 {
		t.Errorf("none: got %d", g.status)
	}
}

func TestAttestationIsStored(t *testing.T) {
	w := start(t)
	w.PutRepository(githubtest.Repository{Name: "acme/widget"})
	body := fmt.Sprintf(`{"bundle":%s}`, bundle(provenance, "1"))
	const at = "/repos/acme/widget/attestations"
	reader := w.AccessToken(githubtest.Access{Permissions: map[string]string{"attestations": "read"}})
	writer := w.AccessToken(githubtest.Access{Permissions: map[string]string{"attestations": "write"}})
	for _, test := range []struct {
		body, token string
		status      int
	}{{body, "", 401}, {body, reader, 403}, {body, writer, 201}, {`{`, writer, 400}, {`{}`, writer, 422}} {
		var headers []string
		if test.token != "" {
			headers = append(headers, wants(test.token))
		}
		if g := w.do("POST", at, test.body, headers...); g.status != test.status {
			t.Errorf("%+v: got %d %s", test, g.status, g.raw)
		}
	}
	if found, _ := w.attestations(at + "/" + digest("1")); len(found) != 1 {
		t.Errorf("got %+v", found)
	}
}

// Bundles of others are found by what their statements say.
func TestRealBundles(t *testing.T) {
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "sigstore-go", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	w, found := start(t), 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, err := w.PutAttestation(githubtest.Attestation{Repository: "acme/widget", Bundle: raw})
		if err != nil || len(a.Subjects) == 0 {
			continue
		}
		found++
		listed, _ := w.attestations("/repos/acme/widget/attestations/" + a.Subjects[0])
		if len(listed) == 0 {
			t.Errorf("%s: not found by %s", path, a.Subjects[0])
		}
	}
	if found == 0 {
		t.Errorf("want bundles with a statement in %s", dir)
	}
}
