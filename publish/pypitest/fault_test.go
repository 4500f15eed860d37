package pypitest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/publish/pypitest"
)

// try sends an upload that may come to no answer: its status, or 0.
func (w *world) try(r *request) int {
	w.t.Helper()
	contentType, body := r.encode()
	sent, err := http.NewRequest(http.MethodPost, w.url+"/legacy/", body)
	w.must(err)
	sent.Header.Set("Content-Type", contentType)
	sent.Header.Set("Authorization", "Bearer "+r.token)
	response, err := http.DefaultClient.Do(sent)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// What an upload comes to, and whether the index has the file then.
func TestFaultsOfAnUpload(t *testing.T) {
	for _, test := range []struct {
		fault  pypitest.Fault
		status int // 0 where there is no answer
		kept   bool
	}{
		{pypitest.Fault{Do: pypitest.Drop}, 0, false},
		{pypitest.Fault{Do: pypitest.DropAfter}, 0, true},
		{pypitest.Fault{Do: pypitest.Fail, Code: 503}, 503, false},
		{pypitest.Fault{Do: pypitest.FailAfter, Code: 500}, 500, true},
		{pypitest.Fault{Do: pypitest.Slow, Wait: time.Millisecond}, 200, true},
		{pypitest.Fault{Do: pypitest.Expire}, 403, false},
		{pypitest.Fault{Do: pypitest.Skew, Wait: time.Hour}, 403, false},
		{pypitest.Fault{Do: pypitest.Archive}, 403, false},
		{pypitest.Fault{Do: pypitest.Quarantine}, 403, false},
	} {
		t.Run(string(test.fault.Do), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			token := w.mint(releaseJob())
			test.fault.Method, test.fault.Path, test.fault.Times = http.MethodPost, "/legacy/", 1
			w.must(w.index.Misbehave(test.fault))
			if got := w.try(wheel(token, "widget", "1.0")); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			w.must(w.index.SetStatus("widget", pypitest.Active))
			page := w.getJSON("/simple/widget/", simpleJSON)
			if kept := len(page["files"].([]any)) == 1; kept != test.kept {
				t.Errorf("kept is %v, want %v", kept, test.kept)
			}
		})
	}
}

// What somebody reads who reads the same page twice, with an upload between.
func TestFaultsOfAPage(t *testing.T) {
	read := func(w *world, path string) (string, string) {
		t.Helper()
		response, err := http.Get(w.url + path)
		w.must(err)
		defer response.Body.Close()
		raw, err := io.ReadAll(response.Body)
		return string(raw), fmt.Sprint(err)
	}
	w := newWorld(t)
	w.accepted(wheel(w.alice, "widget", "1.0"))
	whole, _ := read(w, "/simple/widget/")

	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Truncate, Path: "/simple/", Times: 1}))
	if half, err := read(w, "/simple/widget/"); err != "unexpected EOF" || !strings.HasPrefix(whole, half) || half == whole {
		t.Errorf("truncated: %d of %d bytes, %s", len(half), len(whole), err)
	}
	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Flip, Path: "/simple/", Times: 1}))
	if other, _ := read(w, "/simple/widget/"); other == whole || len(other) != len(whole) {
		t.Error("no bit is another")
	}
	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Stale, Path: "/simple/"}))
	first, _ := read(w, "/simple/widget/")
	w.accepted(sdist(w.alice, "widget", "1.0"))
	if stale, _ := read(w, "/simple/widget/?anew=1"); first != whole || stale != whole {
		t.Error("the page is not what it was")
	}
	w.index.Behave()
	if fresh, _ := read(w, "/simple/widget/"); fresh == whole {
		t.Error("the page is what it was")
	}
	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Audience, Text: "testpypi"}))
	if audience := w.getJSON("/_/oidc/audience", "")["audience"]; audience != "testpypi" {
		t.Errorf("the audience is %v", audience)
	}
}

// A fault happens to the requests that it is for, and to so many of them.
func TestFaultsByRule(t *testing.T) {
	w := newWorld(t)
	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Fail, Code: 429, Wait: 7 * time.Second,
		Method: http.MethodGet, Path: "/simple/", Skip: 1, Times: 2}))
	var got []string
	for _, path := range []string{"/simple/", "/_/oidc/audience", "/simple/", "/simple/widget/", "/simple/"} {
		response, _ := w.get(path, "")
		got = append(got, fmt.Sprint(response.StatusCode, response.Header.Get("Retry-After")))
	}
	if want := "[200 200 4297 4297 200]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A person does the same from a shell.
func TestSwitchboard(t *testing.T) {
	w := newWorld(t)
	board := httptest.NewServer(w.index.Switchboard())
	defer board.Close()
	send := func(method, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(method, board.URL, strings.NewReader(body))
		w.must(err)
		response, err := http.DefaultClient.Do(request)
		w.must(err)
		defer response.Body.Close()
		raw, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(raw)
	}
	for _, bad := range []string{"", "{}", `{"do": "explode"}`, `{"do": "drop", "paht": "/"}`, `{"do": "fail"}`,
		`{"do": "slow", "wait": "soon"}`, `{"do": "audience"}`, `{"do": "drop", "times": -1}`} {
		if status, _ := send(http.MethodPost, bad); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, status)
		}
	}
	if status, said := send(http.MethodPost, `{"do": "fail", "code": 503, "text": "Backend is unhealthy", "wait": "30s"}`); status != 204 {
		t.Fatalf("status %d: %s", status, said)
	}
	if response, body := w.get("/simple/", ""); response.StatusCode != 503 || response.Header.Get("Retry-After") != "30" ||
		!strings.Contains(body, "Backend is unhealthy") {
		t.Errorf("got %s, %s", response.Status, body)
	}
	if _, list := send(http.MethodGet, ""); !strings.Contains(list, `"do":"fail"`) {
		t.Errorf("the list is %s", list)
	}
	send(http.MethodDelete, "")
	if response, _ := w.get("/simple/", ""); response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
}
