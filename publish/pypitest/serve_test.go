package pypitest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish/pypitest"
)

const (
	simpleJSON = "application/vnd.pypi.simple.v1+json"
	wheelName  = "widget-1.0-py3-none-any.whl"
)

// published is a world in which widget 1.0 was released with attestations.
func published(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	token := w.mint(releaseJob())
	for _, r := range []*request{wheel(token, "widget", "1.0"), sdist(token, "widget", "1.0")} {
		r.set("requires_python", ">= 3.9, <4")
		r.set("attestations", w.attest(signerClaims(), sigstoretest.Publish(r.filename, r.sha256())))
		w.accepted(r)
	}
	return w
}

// path is the address without the index's own.
func (w *world) path(url any) string { return strings.TrimPrefix(url.(string), w.url) }

func TestSimpleJSON(t *testing.T) {
	w := published(t)
	page := w.getJSON("/simple/widget/", simpleJSON)
	files := page["files"].([]any)
	delete(page, "files")
	want := map[string]any{
		"meta": map[string]any{"api-version": "1.4", "_last-serial": 3.0}, "name": "widget",
		"project-status": map[string]any{"status": "active"}, "versions": []any{"1.0"},
	}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := wheel("", "widget", "1.0")
	first := files[0].(map[string]any)
	for _, member := range []string{"url", "upload-time"} {
		if s, ok := first[member].(string); !ok || s == "" {
			t.Errorf("%s: got %v", member, first[member])
		}
		delete(first, member)
	}
	metadata := sha256.Sum256([]byte(coreMetadata("widget", "1.0")))
	digest := map[string]any{"sha256": hex.EncodeToString(metadata[:])}
	wantFile := map[string]any{
		"filename": wheelName, "hashes": map[string]any{"sha256": r.sha256()}, "requires-python": "<4,>=3.9",
		"size": float64(len(r.content)), "yanked": false, "core-metadata": digest, "data-dist-info-metadata": digest,
		"provenance": w.url + "/integrity/widget/1.0/" + wheelName + "/provenance",
	}
	if diff := cmp.Diff(wantFile, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if second := files[1].(map[string]any); second["core-metadata"] != false || second["filename"] != "widget-1.0.tar.gz" {
		t.Errorf("the sdist: got %v", second)
	}
}

func TestSimpleFormats(t *testing.T) {
	w := published(t)
	for _, test := range []struct{ accept, want string }{
		{"", "text/html; charset=UTF-8"},
		{"*/*", "text/html; charset=UTF-8"},
		{"image/png", "text/html; charset=UTF-8"},
		{simpleJSON, simpleJSON},
		{"application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01", "application/vnd.pypi.simple.v1+html; charset=UTF-8"},
		{"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", simpleJSON},
		{"text/*, application/vnd.pypi.simple.v1+json;q=0.9", "text/html; charset=UTF-8"},
		{"text/html;q=0, */*;q=0.1", "application/vnd.pypi.simple.v1+html; charset=UTF-8"},
	} {
		for _, path := range []string{"/simple/widget/", "/simple/"} {
			response, _ := w.get(path, test.accept)
			if got := response.Header.Get("Content-Type"); got != test.want {
				t.Errorf("%s %s: want %s, got %s", path, test.accept, test.want, got)
			}
			if response.Header.Get("X-PyPI-Last-Serial") != "3" || response.Header.Get("ETag") == "" {
				t.Errorf("%s: headers: %v", path, response.Header)
			}
		}
	}
}

func TestSimpleHTML(t *testing.T) {
	w := published(t)
	w.must(w.index.Yank("widget", "1.0", `broken <"on"> Windows`))
	_, page := w.get("/simple/widget/", "")
	for _, want := range []string{
		`<meta name="pypi:repository-version" content="1.4">`,
		`<meta name="pypi:project-status" content="active">`,
		`#sha256=` + wheel("", "widget", "1.0").sha256() + `"`,
		` data-requires-python="&lt;4,&gt;=3.9"`,
		` data-yanked="broken &lt;&#34;on&#34;&gt; Windows"`,
		` data-core-metadata="sha256=`,
		` data-provenance="` + w.url + "/integrity/widget/1.0/" + wheelName + `/provenance">` + wheelName + "</a><br />",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %s in\n%s", want, page)
		}
	}
}

func TestYankedAndStatus(t *testing.T) {
	w := published(t)
	yanked := func() any {
		return w.getJSON("/simple/widget/", simpleJSON)["files"].([]any)[0].(map[string]any)["yanked"]
	}
	w.must(w.index.Yank("widget", "1", "broken"))
	if got := yanked(); got != "broken" {
		t.Errorf("with a reason: got %v", got)
	}
	w.must(w.index.Yank("widget", "1.0", ""))
	if got := yanked(); got != true {
		t.Errorf("without: got %v", got)
	}
	w.must(w.index.Unyank("widget", "1.0"))
	if got := yanked(); got != false {
		t.Errorf("unyanked: got %v", got)
	}
	w.must(w.index.SetStatus("widget", pypitest.Quarantined))
	page := w.getJSON("/simple/widget/", simpleJSON)
	want := map[string]any{"status": "quarantined"}
	if !cmp.Equal(want, page["project-status"]) || len(page["files"].([]any)) != 0 {
		t.Errorf("quarantined: got %v", page)
	}
	for _, err := range []error{
		w.index.Yank("widget", "2.0", ""), w.index.Yank("gadget", "1.0", ""), w.index.Yank("widget", "x", ""),
		w.index.DeleteFile("widget", "x.whl"), w.index.SetStatus("gadget", pypitest.Archived),
	} {
		if err == nil {
			t.Error("want an error for what is not there")
		}
	}
}

func TestRedirects(t *testing.T) {
	w := published(t)
	for from, to := range map[string]string{
		"/simple/Widget/":       "/simple/widget/",
		"/simple/widget":        "/simple/widget/",
		"/pypi/WIDGET/json":     "/pypi/widget/json",
		"/pypi/WIDGET/1.0/json": "/pypi/widget/1.0/json",
	} {
		response, _ := w.get(from, "")
		moved := response.StatusCode == http.StatusMovedPermanently || response.StatusCode == http.StatusTemporaryRedirect
		if !moved || response.Header.Get("Location") != to {
			t.Errorf("%s: got %s to %s", from, response.Status, response.Header.Get("Location"))
		}
	}
}

func TestFilesAreServedByHash(t *testing.T) {
	w := published(t)
	for i, r := range []*request{wheel("", "widget", "1.0"), sdist("", "widget", "1.0")} {
		file := w.getJSON("/simple/widget/", simpleJSON)["files"].([]any)[i].(map[string]any)
		_, body := w.get(w.path(file["url"]), "")
		if body != string(r.content) {
			t.Errorf("%s: got %d other bytes", r.filename, len(body))
		}
		response, metadata := w.get(w.path(file["url"])+".metadata", "")
		if i == 0 && metadata != coreMetadata("widget", "1.0") || i == 1 && response.StatusCode != http.StatusNotFound {
			t.Errorf("%s.metadata: got %s %s", r.filename, response.Status, metadata)
		}
	}
	for _, path := range []string{"/packages/", "/packages/aa/bb/" + strings.Repeat("c", 60) + "/" + wheelName,
		"/packages/..%2f..%2fetc%2fpasswd"} {
		if response, _ := w.get(path, ""); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %s", path, response.Status)
		}
	}
}

func TestIntegrity(t *testing.T) {
	w := published(t)
	const v1 = "application/vnd.pypi.integrity.v1+json"
	at := "/integrity/Widget/1.0.0/" + wheelName + "/provenance"
	w.accepted(wheel(w.alice, "widget", "2.0"))
	for _, test := range []struct {
		name, path, accept string
		status             int
		contentType, body  string
	}{
		{"by default", at, "", 200, v1, ""},
		{"in its own type", at, v1, 200, v1, ""},
		{"as JSON", at, "application/json", 200, "application/json", ""},
		{"anything", at, "*/*", 200, v1, ""},
		{"as a page", at, "text/html", 406, "application/json", `{"message":"Request not acceptable"}`},
		{"none", "/integrity/widget/2.0/widget-2.0-py3-none-any.whl/provenance", "", 404, "application/json",
			`{"message":"No provenance available for widget-2.0-py3-none-any.whl"}`},
		{"no such file", "/integrity/widget/1.0/x.whl/provenance", "", 404, "text/plain; charset=utf-8", "404 Not Found"},
		{"no such release", "/integrity/widget/3.0/" + wheelName + "/provenance", "", 404, "text/plain; charset=utf-8",
			"404 Not Found"},
		{"no such project", "/integrity/gadget/1.0/" + wheelName + "/provenance", "", 404, "text/plain; charset=utf-8",
			"404 Not Found"},
	} {
		response, body := w.get(test.path, test.accept)
		if response.StatusCode != test.status || response.Header.Get("Content-Type") != test.contentType ||
			test.body != "" && strings.TrimSpace(body) != test.body {
			t.Errorf("%s: got %s %s\n%s", test.name, response.Status, response.Header.Get("Content-Type"), body)
		}
	}
	var provenance struct {
		Version int
		Bundles []struct {
			Publisher    map[string]any
			Attestations []struct {
				Version  int
				Envelope struct{ Statement []byte }
			}
		} `json:"attestation_bundles"`
	}
	_, body := w.get(at, "")
	w.must(json.Unmarshal([]byte(body), &provenance))
	want := map[string]any{"kind": "GitHub", "repository": "acme/widget", "workflow": "release.yml", "environment": "pypi"}
	if provenance.Version != 1 || len(provenance.Bundles) != 1 || !cmp.Equal(want, provenance.Bundles[0].Publisher) ||
		len(provenance.Bundles[0].Attestations) != 1 {
		t.Errorf("got %s", body)
	}
	w.index.Switch(pypitest.DisableAttestations, true)
	response, body := w.get(at, "")
	if response.StatusCode != 403 || body != `{"message":"Attestations temporarily disabled"}`+"\n" {
		t.Errorf("switched off: got %s %s", response.Status, body)
	}
}

func TestJSONAPI(t *testing.T) {
	w := published(t)
	r := wheel(w.alice, "widget", "2.0rc1")
	r.set("keywords", "a,b , c")
	r.set("project_urls", "Home, https://example.org")
	w.accepted(r)
	page := w.getJSON("/pypi/widget/1.0.0/json", "")
	info, first := page["info"].(map[string]any), page["urls"].([]any)[0].(map[string]any)
	if info["version"] != "1.0" || info["yanked"] != false || info["requires_python"] != "<4,>=3.9" ||
		first["digests"].(map[string]any)["sha256"] != wheel("", "widget", "1.0").sha256() ||
		first["packagetype"] != "bdist_wheel" || first["python_version"] != "py3" || page["releases"] != nil {
		t.Errorf("got %v", page)
	}
	latest := w.getJSON("/pypi/widget/json", "")
	if latest["info"].(map[string]any)["version"] != "1.0" || len(latest["releases"].(map[string]any)) != 2 {
		t.Errorf("the latest release: got %v", latest["info"])
	}
	w.must(w.index.Yank("widget", "1.0", "broken"))
	latest = w.getJSON("/pypi/widget/json", "")
	if info := latest["info"].(map[string]any); info["version"] != "2.0rc1" || info["keywords"] != "a, b, c" ||
		!cmp.Equal(info["project_urls"], map[string]any{"Home": "https://example.org"}) {
		t.Errorf("after the yank: got %v", info)
	}
	for _, path := range []string{"/pypi/gadget/json", "/pypi/widget/3.0/json", "/pypi/widget/x/json"} {
		response, body := w.get(path, "")
		if response.StatusCode != http.StatusNotFound || body != `{"message":"Not Found"}`+"\n" {
			t.Errorf("%s: got %s %s", path, response.Status, body)
		}
	}
}

// TestUnchangedPage is that who has a page need not get it again.
func TestUnchangedPage(t *testing.T) {
	w := published(t)
	response, _ := w.get("/simple/widget/", "")
	request, err := http.NewRequest(http.MethodGet, w.url+"/simple/widget/", nil)
	w.must(err)
	request.Header.Set("If-None-Match", response.Header.Get("ETag"))
	again, err := http.DefaultClient.Do(request)
	w.must(err)
	again.Body.Close()
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("want 304, got %s", again.Status)
	}
}
