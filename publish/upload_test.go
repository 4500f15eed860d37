package publish_test

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// uploads does something to the n-th upload, from 1 on, in the index's stead.
func uploads(do func(n int, next http.Handler, w http.ResponseWriter, r *http.Request)) func(*world) {
	n := 0
	return between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/legacy/" {
				next.ServeHTTP(w, r)
				return
			}
			n++
			do(n, next, w, r)
		})
	})
}

// kept lets the index have the upload and keeps the answer from us.
func kept(next http.Handler, r *http.Request) { next.ServeHTTP(httptest.NewRecorder(), r) }

// Whatever happens to one request, the release is published whole, and no file
// is sent once more than it must be.
func TestFaultsOnTheWay(t *testing.T) {
	fault := func(answer func(http.Handler, http.ResponseWriter, *http.Request)) func(*world) {
		return uploads(func(n int, next http.Handler, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				answer(next, w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	for _, test := range []struct {
		name  string
		fault func(http.Handler, http.ResponseWriter, *http.Request)
		sent  int
	}{
		{"500 after the file was kept", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			kept(next, r)
			w.WriteHeader(http.StatusInternalServerError)
		}, 2},
		{"201 after the file was kept", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			kept(next, r)
			w.WriteHeader(http.StatusCreated)
		}, 2},
		{"409 after the file was kept", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			kept(next, r)
			w.WriteHeader(http.StatusConflict)
		}, 2},
		{"an answer that is lost", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			kept(next, r)
			panic(http.ErrAbortHandler)
		}, 2},
		{"502 before the file was read", func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
		}, 3},
		{"429", func(_ http.Handler, w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusTooManyRequests)
		}, 3},
		{"a broken connection", func(http.Handler, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, fault(test.fault))
			j := w.job(job())
			j.Patience = time.Minute
			_, err := j.Publish(t.Context(), w.approved)
			w.must(err)
			if n := w.requests("POST /legacy/"); n != test.sent {
				t.Errorf("%d uploads of 2 files, want %d", n, test.sent)
			}
		})
	}
}

// A redirect would turn an upload into a question whose answer is 200, or send
// the token to somebody else.
func TestAnUploadFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		w := newWorld(t, uploads(func(_ int, _ http.Handler, w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, "/simple/", status)
		}))
		_, err := w.publish()
		refused(t, err, rule.IndexElsewhere)
		says(t, err, "/simple/")
		if w.requests("/simple/widget/") == 0 || w.requests("GET /simple/") != w.requests("GET /simple/widget/") {
			t.Error("the redirect was followed")
		}
	}
}

// A success that is none: nothing was kept.
func TestAnIndexThatOnlySaysYes(t *testing.T) {
	w := newWorld(t, uploads(func(_ int, _ http.Handler, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	confirmed, err := w.publish()
	refused(t, err, rule.ServedMissing, rule.ServedMissing)
	if !confirmed.IsZero() || len(w.receipts()) != 0 {
		t.Error("it is confirmed all the same")
	}
}

func TestTheIndexRefusesAFile(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*pypitest.Index)
		says   string
	}{
		{"it is read-only", func(x *pypitest.Index) { x.Switch(pypitest.ReadOnly, true) }, "Read-only mode"},
		{"it takes no uploads", func(x *pypitest.Index) { x.Switch(pypitest.DisallowNewUpload, true) }, "New uploads are temporarily disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w.index)
			_, err := w.publish()
			no := refused(t, err, rule.UploadRefused)
			says(t, err, test.says)
			if no[0].File != wheelName {
				t.Errorf("refused is %s", no[0].File)
			}
		})
	}
	for _, status := range []pypitest.Status{pypitest.Archived, pypitest.Quarantined} {
		t.Run("the project is "+string(status), func(t *testing.T) {
			w := newWorld(t)
			w.must(w.index.SetStatus("widget", status))
			_, err := w.publish()
			refused(t, err, rule.ProjectStatus)
			if w.requests("POST ") != 0 {
				t.Error("something was sent all the same")
			}
		})
	}
}

// A run that ended half-way is gone on with, and a release that has a receipt
// is confirmed again and never sent.
func TestRunningAgain(t *testing.T) {
	full := false
	w := newWorld(t, uploads(func(n int, next http.Handler, w http.ResponseWriter, r *http.Request) {
		if n == 2 && !full {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	}))
	_, err := w.publish()
	no := refused(t, err, rule.UploadRefused)
	if no[0].File != sdistName || len(w.receipts()) != 0 {
		t.Fatalf("got %v", no)
	}

	full = true
	first, err := w.publish()
	w.must(err)
	if n := w.requests("POST /legacy/"); n != 3 {
		t.Errorf("%d uploads, want the wheel once and the sdist twice", n)
	}
	if w.steps(publish.Present) != 1 {
		t.Error("nobody was told that the wheel was there")
	}

	posts := w.requests("POST ")
	again, err := w.publish()
	w.must(err)
	if w.requests("POST ") != posts || len(w.receipts()) != 1 {
		t.Errorf("something was sent again, or there are %d receipts", len(w.receipts()))
	}
	if diff := cmp.Diff(first.Receipt().Files, again.Receipt().Files); diff != "" {
		t.Error(diff)
	}
}

// A signer that is another job than the publisher would give every file an
// attestation that nobody believes, for good: an index keeps the first.
func TestASignerThatIsAnotherJob(t *testing.T) {
	w := newWorld(t)
	broken := w.job(job())
	broken.Signer = w.job(noEnvironment()).Signer
	_, err := broken.Publish(context.Background(), w.approved)
	refused(t, err, rule.IdentityEnvironment)
	if w.requests("POST ") != 0 {
		t.Error("something was sent all the same")
	}
}

// The process dies between the last upload and the receipt.
func TestAReceiptThatWasNotWritten(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish()
	w.must(err)
	w.forget()
	_, err = w.publish()
	w.must(err)
	if n := w.requests("POST /legacy/"); n != 2 || len(w.receipts()) != 1 {
		t.Errorf("%d uploads and %d receipts", n, len(w.receipts()))
	}
}

// The bytes in the store change after the release was opened and approved.
func TestAFileThatChangesInTheStore(t *testing.T) {
	change := func(w *world, name string) {
		raw := map[string][]byte{wheelName: wheel("1.0"), sdistName: sdist("1.0")}[name]
		path := filepath.Join(w.dir, "blobs", "sha256", dist.Sum(raw).Hex())
		w.must(os.WriteFile(path, append(bytes.Clone(raw[:len(raw)-1]), raw[len(raw)-1]^1), 0o644))
	}
	for when, path := range map[string]string{"before it is signed": "/_/oidc/audience", "after it was signed": "/_/oidc/mint-token"} {
		t.Run(when, func(t *testing.T) {
			var w *world
			whole := 0
			w = newWorld(t, between(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case path:
						change(w, wheelName)
					case "/legacy/":
						if n, err := io.Copy(io.Discard, r.Body); err == nil && n == r.ContentLength {
							whole++
						}
						return
					}
					next.ServeHTTP(rw, r)
				})
			}))
			_, err := w.publish()
			refused(t, err, rule.StoredBytes)
			if whole != 0 || w.requests("POST /legacy/") > 1 {
				t.Errorf("%d requests, %d of them whole", w.requests("POST /legacy/"), whole)
			}
			if w.requests("POST /_/oidc/burn-token") != 1 {
				t.Error("the upload token stays behind")
			}
		})
	}
}

// The form is what twine would send: all of the metadata, under the names that
// Warehouse has for them, and the file last.
func TestTheUploadForm(t *testing.T) {
	got := map[string]map[string][]string{}
	w := newWorld(t, uploads(func(_ int, next http.Handler, rw http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 {
			t.Error("an upload of unknown length")
		}
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		form, err := multipart.NewReader(bytes.NewReader(raw), params["boundary"]).ReadForm(1 << 20)
		if err != nil {
			t.Error(err)
		}
		got[form.File["content"][0].Filename] = form.Value
		next.ServeHTTP(rw, r)
	}))
	_, err := w.publish()
	w.must(err)
	same := map[string][]string{
		":action": {"file_upload"}, "protocol_version": {"1"}, "metadata_version": {"2.1"},
		"name": {"widget"}, "version": {"1.0"}, "summary": {"A widget"}, "description": {"A long text.\n"},
		"classifiers":   {"Programming Language :: Python :: 3", "Typing :: Typed"},
		"requires_dist": {"gadget>=2"}, "requires_python": {">=3.9"}, "project_urls": {"Home, https://example.org/"},
	}
	for name, file := range map[string]struct {
		raw                 []byte
		filetype, pyversion string
	}{wheelName: {wheel("1.0"), "bdist_wheel", "py3"}, sdistName: {sdist("1.0"), "sdist", "source"}} {
		want := map[string][]string{"filetype": {file.filetype}, "pyversion": {file.pyversion},
			"sha256_digest": {dist.Sum(file.raw).Hex()}}
		for field, values := range same {
			want[field] = values
		}
		attestations := got[name]["attestations"]
		delete(got[name], "attestations")
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(attestations) != 1 || !strings.HasPrefix(attestations[0], `[{"version":1,`) {
			t.Errorf("%s: attestations %.60v", name, attestations)
		}
	}
}

func TestEventsTellTheWay(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish()
	w.must(err)
	var steps []publish.Step
	for _, e := range w.events {
		steps = append(steps, e.Step)
	}
	want := []publish.Step{publish.Planned, publish.Signed, publish.Sending, publish.Uploaded,
		publish.Signed, publish.Sending, publish.Uploaded, publish.Served, publish.Served}
	if !slices.Equal(want, steps) {
		t.Fatalf("got %v, want %v", steps, want)
	}
	for _, two := range [][]publish.Event{{w.events[1], w.events[4]}, w.events[7:]} {
		if two[0].File != wheelName || two[1].File != sdistName {
			t.Errorf("in another order: %v", two)
		}
	}
	quiet := newWorld(t)
	job := quiet.job(job())
	job.Progress = nil
	_, err = job.Publish(context.Background(), quiet.approved)
	quiet.must(err)
}
