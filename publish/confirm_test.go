package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// listing changes what the simple API says of the project, once files are on
// it, or always.
func listing(always bool, change func(files []map[string]any) []map[string]any) func(*world) {
	return between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/simple/") {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			var page map[string]any
			if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
				panic(err)
			}
			var files []map[string]any
			for _, f := range page["files"].([]any) {
				files = append(files, f.(map[string]any))
			}
			if always || len(files) == 2 {
				page["files"] = change(files)
			}
			w.Header().Set("Content-Type", simpleJSON)
			json.NewEncoder(w).Encode(page)
		})
	})
}

// foreign is a file that the index lists, of bytes that nobody approved.
func foreign(name string) map[string]any {
	return map[string]any{"filename": name, "url": "/packages/" + name,
		"hashes": map[string]string{"sha256": dist.Sum([]byte(name)).Hex()}, "size": 7, "yanked": false}
}

// What is on the index before anything is sent decides whether anything is.
func TestWhatTheIndexHasAlready(t *testing.T) {
	for _, test := range []struct {
		name    string
		file    map[string]any
		refused []rule.ID // nil: it is no business of this release
	}{
		{"other bytes under a name of the release", foreign(wheelName), []rule.ID{rule.ServedBytes}},
		{"another wheel of the release", foreign("widget-1.0-cp312-cp312-win_amd64.whl"), []rule.ID{rule.ServedExtra}},
		{"one of the same version in another spelling", foreign("Widget-1.0.0-py3-none-any.whl"), []rule.ID{rule.ServedExtra}},
		{"another sdist of it", foreign("widget-1.0.zip"), []rule.ID{rule.ServedExtra}},
		{"an installer of it", foreign("widget-1.0.win-amd64.exe"), []rule.ID{rule.ServedExtra}},
		{"an egg of it", foreign("widget-1.0-py2.7.egg"), []rule.ID{rule.ServedExtra}},
		{"a tarball of another kind", foreign("widget-1.0.tar.bz2"), []rule.ID{rule.ServedExtra}},
		{"one that only its URL names", func() map[string]any {
			f := foreign("widget-1.0.zip")
			f["filename"] = "readme.txt"
			return f
		}(), []rule.ID{rule.IndexAnswer}},
		{"a file of another release", foreign("widget-1.0.1-py3-none-any.whl"), nil},
		{"an egg of another release", foreign("widget-1.0.1-py2.7.egg"), nil},
		{"a file whose name says nothing", foreign("readme.txt"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, listing(true, func(files []map[string]any) []map[string]any { return append(files, test.file) }))
			_, err := w.publish()
			if test.refused == nil {
				w.must(err)
				return
			}
			refused(t, err, test.refused...)
			if w.requests("POST ") != 0 {
				t.Error("something was sent all the same")
			}
		})
	}
}

// What the index serves after it took everything is what counts. Each of these
// is refused, and no receipt says otherwise.
func TestAnIndexThatServesSomethingElse(t *testing.T) {
	set := func(key string, value any) func([]map[string]any) []map[string]any {
		return func(files []map[string]any) []map[string]any {
			files[0][key] = value
			return files
		}
	}
	other := map[string]string{"sha256": dist.Sum([]byte("Requires-Dist: evil")).Hex()}
	for _, test := range []struct {
		name    string
		change  func(*world)
		refused []rule.ID
	}{
		{"right JSON and wrong bytes", before(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, wheelName) || !strings.HasPrefix(r.URL.Path, "/packages/") {
				return false
			}
			raw := wheel("1.0")
			raw[len(raw)/2] ^= 1
			w.Write(raw)
			return true
		}), []rule.ID{rule.ServedBytes}},
		{"a byte more", before(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, wheelName) || !strings.HasPrefix(r.URL.Path, "/packages/") {
				return false
			}
			w.Write(append(wheel("1.0"), 0))
			return true
		}), []rule.ID{rule.ServedBytes}},
		{"the bytes of another", before(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, sdistName) || !strings.HasPrefix(r.URL.Path, "/packages/") {
				return false
			}
			w.Write(wheel("1.0"))
			return true
		}), []rule.ID{rule.ServedBytes}},
		{"another digest", listing(false, set("hashes", map[string]string{"sha256": dist.Sum([]byte("x")).Hex()})), []rule.ID{rule.ServedBytes}},
		{"another size", listing(false, set("size", 1)), []rule.ID{rule.ServedBytes}},
		{"a size below nothing", listing(false, set("size", -1)), []rule.ID{rule.ServedBytes}},
		{"a file that is yanked", listing(false, set("yanked", "broken")), []rule.ID{rule.ServedYanked}},
		{"a file that is yanked without a reason", listing(false, set("yanked", true)), []rule.ID{rule.ServedYanked}},
		{"another Requires-Python", listing(false, set("requires-python", "<3")), []rule.ID{rule.ServedMetadata}},
		{"a Requires-Python of nothing", listing(false, set("requires-python", "")), []rule.ID{rule.ServedMetadata}},
		{"other metadata", listing(false, set("core-metadata", other)), []rule.ID{rule.ServedMetadata}},
		{"other metadata under the old key", listing(false, set("data-dist-info-metadata", other)), []rule.ID{rule.ServedMetadata}},
		{"other metadata under pip's old key", listing(false, set("dist-info-metadata", other)), []rule.ID{rule.ServedMetadata}},
		{"metadata without a digest", listing(false, set("core-metadata", true)), []rule.ID{rule.ServedMetadata}},
		{"metadata with no digests", listing(false, set("core-metadata", map[string]string{})), []rule.ID{rule.ServedMetadata}},
		{"metadata with another digest alone", listing(false, set("core-metadata", map[string]string{"md5": "00"})), []rule.ID{rule.ServedMetadata}},
		{"metadata with another digest too", listing(false, func(files []map[string]any) []map[string]any {
			files[0]["core-metadata"].(map[string]any)["sha512"] = "00"
			return files
		}), []rule.ID{rule.ServedMetadata}},
		{"another name at the end of the URL", listing(false, set("url", "/packages/widget-2.0-py3-none-any.whl")), []rule.ID{rule.IndexAnswer}},
		{"a file on another host", listing(false, set("url", "https://files.example/"+wheelName)), []rule.ID{rule.IndexElsewhere}},
		{"one file twice", listing(false, func(files []map[string]any) []map[string]any { return append(files, files[0]) }), []rule.ID{rule.ServedBytes}},
		{"one file less", listing(false, func(files []map[string]any) []map[string]any { return files[:1] }), []rule.ID{rule.ServedMissing}},
		{"one file more", listing(false, func(files []map[string]any) []map[string]any {
			return append(files, foreign("widget-1.0-cp312-cp312-win_amd64.whl"))
		}), []rule.ID{rule.ServedExtra}},
		{"a file that is gone", before(func(w http.ResponseWriter, r *http.Request) bool {
			gone := strings.HasPrefix(r.URL.Path, "/packages/")
			if gone {
				http.NotFound(w, r)
			}
			return gone
		}), []rule.ID{rule.ServedMissing, rule.ServedMissing}},
		{"no provenance", before(func(w http.ResponseWriter, r *http.Request) bool {
			none := strings.HasPrefix(r.URL.Path, "/integrity/") && strings.Contains(r.URL.Path, wheelName)
			if none {
				http.NotFound(w, r)
			}
			return none
		}), []rule.ID{rule.ServedProvenance}},
		{"the other file's provenance", between(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/integrity/") {
					r.URL.Path = strings.Replace(r.URL.Path, wheelName, sdistName, 1)
				}
				next.ServeHTTP(w, r)
			})
		}), []rule.ID{rule.SubjectMissing}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.change)
			confirmed, err := w.publish()
			refused(t, err, test.refused...)
			if !confirmed.IsZero() || len(w.receipts()) != 0 {
				t.Error("it is confirmed all the same")
			}
		})
	}
}

// What an index says in other words, or not at all, is no fault of it.
func TestAnIndexThatSaysItItsOwnWay(t *testing.T) {
	for name, change := range map[string]func(file map[string]any){
		"Requires-Python with blanks": func(f map[string]any) { f["requires-python"] = " >= 3.9 " },
		"nothing but what it must say": func(f map[string]any) {
			for _, key := range []string{"requires-python", "size", "yanked", "core-metadata", "data-dist-info-metadata"} {
				delete(f, key)
			}
		},
		"nulls": func(f map[string]any) {
			for _, key := range []string{"requires-python", "size", "yanked", "core-metadata", "data-dist-info-metadata"} {
				f[key] = nil
			}
		},
		"no metadata beside the file": func(f map[string]any) { f["core-metadata"], f["data-dist-info-metadata"] = false, false },
		"keys of later versions":      func(f map[string]any) { f["x"], f["Filename"] = []int{1}, "readme.txt" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, listing(false, func(files []map[string]any) []map[string]any {
				for _, f := range files {
					change(f)
				}
				return files
			}))
			_, err := w.publish()
			w.must(err)
		})
	}
}

// Provenance that verifies, of another job than the policy's.
func TestProvenanceOfAnotherJob(t *testing.T) {
	w := newWorld(t)
	_, err := w.publish()
	w.must(err)
	for name, change := range map[string]func(*publish.Publisher){
		"another workflow":   func(p *publish.Publisher) { p.Workflow = ".github/workflows/other.yml" },
		"another repository": func(p *publish.Publisher) { p.Repository = "acme/gadget" },
		"a repository's id":  func(p *publish.Publisher) { p.RepositoryID = "7" },
		"another ref":        func(p *publish.Publisher) { p.Refs = []string{"refs/heads/main"} },
		"another issuer":     func(p *publish.Publisher) { p.Issuer = "https://token.actions.githubusercontent.com" },
	} {
		t.Run(name, func(t *testing.T) {
			witness := w.job(job()).Witness
			change(&witness.Publisher)
			confirmed, err := witness.Confirm(context.Background(), w.approved.Staged())
			refusals(t, err)
			if !confirmed.IsZero() {
				t.Error("it is confirmed all the same")
			}
			if got := w.receipts(witness.Publisher); len(got) != 0 {
				t.Errorf("its receipt is believed: %v", got)
			}
		})
	}
}

// An index that serves what it took only after a while is waited for.
func TestAnIndexThatTakesItsTime(t *testing.T) {
	var since time.Time
	late := 700 * time.Millisecond
	w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/_/oidc/burn-token" {
			since = time.Now()
		}
		waiting := !since.IsZero() && time.Since(since) < late
		switch {
		case strings.HasPrefix(r.URL.Path, "/simple/") && waiting:
			rw.Header().Set("Content-Type", simpleJSON)
			fmt.Fprint(rw, `{"meta":{"api-version":"1.4"},"name":"widget","files":[]}`)
		case strings.HasPrefix(r.URL.Path, "/integrity/") && time.Since(since) < 2*late:
			http.NotFound(rw, r)
		default:
			return false
		}
		return true
	}))
	job := w.job(job())
	address := w.address()
	address.Patience = 20 * time.Second
	var err error
	job.Index, err = publish.NewIndex(address)
	w.must(err)
	_, err = job.Publish(context.Background(), w.approved)
	w.must(err)
	if w.steps(publish.Waiting) == 0 {
		t.Error("nobody was told that it took a while")
	}
}

// An index that cannot be reached has said nothing.
func TestAnIndexThatIsDown(t *testing.T) {
	for _, path := range []string{"/simple/", "/packages/", "/integrity/"} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t, before(func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, path) {
					panic(http.ErrAbortHandler)
				}
				return false
			}))
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_, err := w.job(job()).Publish(ctx, w.approved)
			undecided(t, err)
		})
	}
}

// Zero values prove nothing and are asked for nothing.
func TestNothingIsRefused(t *testing.T) {
	w := newWorld(t)
	whole := w.job(job())
	for name, change := range map[string]func(*publish.Job){
		"no index":    func(j *publish.Job) { j.Index = nil },
		"no verifier": func(j *publish.Job) { j.Verifier = nil },
		"no token":    func(j *publish.Job) { j.Token = nil },
		"no signer":   func(j *publish.Job) { j.Signer = nil },
		"no store":    func(j *publish.Job) { j.Store = nil },
	} {
		t.Run(name, func(t *testing.T) {
			job := whole
			change(&job)
			_, err := job.Publish(context.Background(), w.approved)
			undecided(t, err)
		})
	}
	_, err := whole.Publish(context.Background(), approval.Approved{})
	undecided(t, err)
	_, err = whole.Confirm(context.Background(), staging.Staged{})
	undecided(t, err)
	_, err = (publish.Witness{}).Confirm(context.Background(), w.approved.Staged())
	undecided(t, err)
	_, _, err = publish.Receipts(context.Background(), nil, staging.Release{}, w.publisher(), w.verifier)
	undecided(t, err)
	for _, proof := range []any{publish.Confirmed{}} {
		if raw, err := json.Marshal(proof); err != nil || string(raw) != "{}" {
			t.Errorf("a proof is written as %s, %v", raw, err)
		}
	}
}

// A release is for the index and the environment that people approved.
func TestAReleaseForAnotherIndex(t *testing.T) {
	w := newWorld(t)
	job := w.job(job())
	address := w.address()
	address.Name = "other"
	var err error
	job.Index, err = publish.NewIndex(address)
	w.must(err)
	job.Publisher.Environment = "other"
	_, err = job.Publish(context.Background(), w.approved)
	refused(t, err, rule.ReleaseForIndex, rule.ReleaseForIndex)
}
