package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// books are what the world knows of its release.
func (w *world) books(change ...func(*publish.Books)) publish.Books {
	b := publish.Books{Project: "widget", Receipts: w.receipts()}
	for _, c := range change {
		c(&b)
	}
	return b
}

func (w *world) reconcile(b publish.Books) publish.Reconciliation {
	w.t.Helper()
	r, err := w.job(job()).Reconcile(context.Background(), b)
	w.must(err)
	return r
}

// each change of a listed file, and what it is refused by.
func TestWhatAnIndexOffersIsHeldAgainstTheReceipts(t *testing.T) {
	version, err := dist.ParseVersion("1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	withdrawn := func(b *publish.Books) { b.Withdrawn = []publish.Withdrawn{{Version: version}} }
	set := func(key string, value any) func([]map[string]any) []map[string]any {
		return func(files []map[string]any) []map[string]any {
			for _, f := range files {
				f[key] = value
			}
			return files
		}
	}
	more := func(name string, also map[string]any) func([]map[string]any) []map[string]any {
		return func(files []map[string]any) []map[string]any {
			f := foreign(name)
			for key, value := range also {
				f[key] = value
			}
			return append(files, f)
		}
	}
	for _, test := range []struct {
		name    string
		change  func([]map[string]any) []map[string]any
		books   func(*publish.Books)
		refused []rule.ID
	}{
		{"nothing", set("size", nil), nil, nil},
		{"a wheel more", more("widget-1.0-py3-none-win_amd64.whl", nil), nil, []rule.ID{rule.ReconcileForeign}},
		{"another version", more("widget-1.1.tar.gz", nil), nil, []rule.ID{rule.ReconcileForeign}},
		{"a file that no installer reads", more("readme.txt", nil), nil, []rule.ID{rule.ReconcileForeign}},
		{"a file of a name twice", more(wheelName, nil), nil, []rule.ID{rule.ReconcileBytes}},
		{"a file from before the books", more("widget-0.9.tar.gz", map[string]any{"upload-time": "2020-01-01T00:00:00.123456Z"}),
			func(b *publish.Books) { b.Since = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }, nil},
		{"a file that could be from before", more("widget-0.9.tar.gz", nil),
			func(b *publish.Books) { b.Since = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }, []rule.ID{rule.ReconcileForeign}},
		{"a version that nobody asked for", more("widget-1.1.tar.gz", nil),
			func(b *publish.Books) { b.Versions = []dist.Version{version} }, nil},
		{"no sdist any more", func(files []map[string]any) []map[string]any { return files[:1] }, nil, []rule.ID{rule.ReconcileMissing}},
		{"no sdist any more, withdrawn", func(files []map[string]any) []map[string]any {
			return set("yanked", "bad")(files[:1])
		}, withdrawn, nil},
		{"other bytes", set("hashes", map[string]string{"sha256": dist.Sum([]byte("other")).Hex()}), nil,
			[]rule.ID{rule.ReconcileBytes, rule.ReconcileBytes}},
		{"another size", set("size", 7), nil, []rule.ID{rule.ReconcileBytes, rule.ReconcileBytes}},
		{"no attestation any more", set("provenance", nil), nil, []rule.ID{rule.ReconcileProvenance, rule.ReconcileProvenance}},
		{"yanked", set("yanked", true), nil, []rule.ID{rule.ReconcileYanked}},
		{"yanked and withdrawn", set("yanked", "bad"), withdrawn, nil},
		{"withdrawn and not yanked", set("yanked", false), withdrawn, []rule.ID{rule.ReconcileWithdrawn}},
		{"no receipt", set("yanked", false), func(b *publish.Books) { b.Receipts = nil }, []rule.ID{rule.ReconcileForeign}},
		{"a receipt for another index", set("yanked", false), func(b *publish.Books) { b.Receipts[0].Receipt.Index = "testpypi" },
			[]rule.ID{rule.ReconcileForeign}},
		{"a receipt with another attestation", set("yanked", false), func(b *publish.Books) {
			b.Receipts[0].Receipt.Files[0].Attestation = dist.Sum(nil)
		}, []rule.ID{rule.ReconcileProvenance}},
		{"two receipts that differ", set("yanked", false), func(b *publish.Books) {
			other := b.Receipts[0]
			other.Receipt.Files = []publish.ReceiptFile{{Name: wheelName, Digest: dist.Sum(nil)}}
			b.Receipts = append(b.Receipts, other)
		}, []rule.ID{rule.ReconcileReceipts}},
		{"two receipts that agree", set("yanked", false), func(b *publish.Books) {
			b.Receipts = append(b.Receipts, b.Receipts[0])
		}, nil},
		{"a foreign file that was taken back", more("widget-1.1.tar.gz", map[string]any{"yanked": "stolen token"}), func(b *publish.Books) {
			v, _ := dist.ParseVersion("1.1")
			b.Withdrawn = []publish.Withdrawn{{Version: v, Files: []dist.Digest{dist.Sum([]byte("widget-1.1.tar.gz"))}}}
		}, nil},
		{"a foreign file beside one that was taken back", more("widget-1.1.tar.gz", map[string]any{"yanked": "stolen token"}), func(b *publish.Books) {
			v, _ := dist.ParseVersion("1.1")
			b.Withdrawn = []publish.Withdrawn{{Version: v, Files: []dist.Digest{dist.Sum(nil)}}}
		}, []rule.ID{rule.ReconcileForeign}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := false
			w := newWorld(t, listing(true, func(files []map[string]any) []map[string]any {
				if !changed {
					return append([]map[string]any{}, files...)
				}
				return test.change(files)
			}))
			_, err := w.publish()
			w.must(err)
			changed = true
			b := w.books()
			if test.books != nil {
				test.books(&b)
			}
			var got []rule.ID
			r := w.reconcile(b)
			for _, no := range r.Refused {
				got = append(got, no.Rule)
				if no.File == "" || no.Want == "" || no.Got == "" || no.Hint == "" {
					t.Errorf("a refusal with something left out: %+v", no)
				}
			}
			if diff := cmp.Diff(test.refused, got); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, r.Refused)
			}
			if (r.Err() == nil) != (len(got) == 0) {
				t.Errorf("Err is %v", r.Err())
			}
		})
	}
}

// Of many files that no receipt has the first are asked after, and those speak for
// no other.
func TestAttestationsThatWereNotReadAreSaidToBe(t *testing.T) {
	w := newWorld(t, listing(true, func(files []map[string]any) []map[string]any {
		for n := range 25 {
			f := foreign(fmt.Sprintf("widget-1.1-py3-none-manylinux_2_%d_x86_64.whl", n))
			f["provenance"] = "https://index.example/provenance"
			files = append(files, f)
		}
		return files
	}))
	no := w.reconcile(w.books()).Refused
	if len(no) != 2 || !strings.HasPrefix(no[0].Got, "20 files") || !strings.HasPrefix(no[1].Got, "5 files") ||
		!strings.HasSuffix(no[1].Got, "that was not read") {
		t.Errorf("%v", no)
	}
}

// An index that says nothing of attestations has not lost one.
func TestAnOlderIndexHasNoAttestationsToLose(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish()
	w.must(err)
	b := w.books()
	old := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/simple/widget/" {
			return false
		}
		page := map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": "widget"}
		var files []map[string]any
		for _, f := range b.Receipts[0].Receipt.Files {
			files = append(files, map[string]any{"filename": f.Name, "url": "/packages/" + f.Name,
				"hashes": map[string]string{"sha256": f.Digest.Hex()}})
		}
		page["files"] = files
		rw.Header().Set("Content-Type", simpleJSON)
		json.NewEncoder(rw).Encode(page)
		return true
	}))
	if r := old.reconcile(b); r.Err() != nil || r.Versions[0].Same != 2 {
		t.Errorf("%+v", r)
	}
}

// A project with 5,000 files is one page, and a request for each attestation of
// the release that is named.
func TestAProjectWithManyFilesIsOnePage(t *testing.T) {
	index, books, requests := large(t, 100, 50)
	w := publish.Witness{Index: index}
	r, err := w.Reconcile(context.Background(), books)
	if err != nil || r.Err() != nil || len(r.Versions) != 100 {
		t.Fatalf("%d versions, %v, %v", len(r.Versions), r.Err(), err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func BenchmarkReconcile(b *testing.B) {
	index, books, _ := large(b, 100, 50)
	w := publish.Witness{Index: index}
	for b.Loop() {
		if r, err := w.Reconcile(context.Background(), books); err != nil || r.Err() != nil {
			b.Fatal(err, r.Err())
		}
	}
}

// large is an index with many files, without attestations, and their receipts.
func large(t testing.TB, versions, wheels int) (*publish.Index, publish.Books, *atomic.Int64) {
	t.Helper()
	books := publish.Books{Project: "widget"}
	var files []map[string]any
	for v := range versions {
		receipt := publish.Receipt{Index: "local", Project: "widget", Version: fmt.Sprintf("1.%d", v)}
		for n := range wheels {
			name := fmt.Sprintf("widget-1.%d-py3-none-manylinux_2_%d_x86_64.whl", v, n)
			digest := dist.Sum([]byte(name))
			receipt.Files = append(receipt.Files, publish.ReceiptFile{Name: name, Digest: digest, Size: 7})
			files = append(files, map[string]any{"filename": name, "url": "/packages/" + name, "size": 7, "yanked": false,
				"hashes": map[string]string{"sha256": digest.Hex()}, "upload-time": "2026-11-21T00:00:00.123456Z",
				"requires-python": ">=3.11", "core-metadata": map[string]string{"sha256": digest.Hex()}})
		}
		books.Receipts = append(books.Receipts, publish.Believed{Receipt: receipt})
	}
	raw, err := json.Marshal(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": "widget", "files": files})
	if err != nil {
		t.Fatal(err)
	}
	requests := new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", simpleJSON)
		w.Write(raw)
	}))
	t.Cleanup(server.Close)
	index, err := publish.NewIndex(publish.Address{Name: "local", Audience: "local", Patience: time.Second,
		Upload: server.URL + "/legacy/", Simple: server.URL + "/simple/", Integrity: server.URL + "/integrity/"})
	if err != nil {
		t.Fatal(err)
	}
	return index, books, requests
}
