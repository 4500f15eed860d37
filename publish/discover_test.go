package publish_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/rule"
)

const pytpJSON = "application/vnd.pypi.pytp.v1+json"

// discovery is an index that says where it exchanges tokens, as PEP 807 has it.
// Its endpoints are at /x/; what it says of them may be changed.
func discovery(change func(said map[string]any, base string)) func(*world) {
	return between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			base := "http://" + r.Host
			switch {
			case r.URL.Path == "/.well-known/pytp" && r.URL.Query().Get("discover") == "/legacy/":
				said := map[string]any{"audience-endpoint": base + "/x/audience", "token-mint-endpoint": base + "/x/mint-token"}
				change(said, base)
				w.Header().Set("Content-Type", pytpJSON)
				json.NewEncoder(w).Encode(said)
				return
			case strings.HasPrefix(r.URL.Path, "/x/"):
				r.URL.Path = "/_/oidc/" + strings.TrimPrefix(r.URL.Path, "/x/")
			}
			next.ServeHTTP(w, r)
		})
	})
}

func TestAnIndexThatSaysWhereItsEndpointsAre(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(said map[string]any, base string)
		mints   int
		refused []rule.ID
	}{
		{"on its own host", func(map[string]any, string) {}, 1, nil},
		{"a token for each upload", func(said map[string]any, _ string) {
			said["default-features"] = []string{"single-use-token"}
		}, 2, nil},
		{"on another host", func(said map[string]any, _ string) {
			said["token-mint-endpoint"] = "https://tokens.example.org/mint"
		}, 0, []rule.ID{rule.IndexAnswer}},
		{"on another port", func(said map[string]any, base string) {
			said["audience-endpoint"] = base + "1/audience"
		}, 0, []rule.ID{rule.IndexAnswer}},
		{"not in private", func(said map[string]any, _ string) {
			said["audience-endpoint"] = "http://tokens.example.org/audience"
		}, 0, []rule.ID{rule.IndexAnswer}},
		{"not at all", func(said map[string]any, _ string) { delete(said, "token-mint-endpoint") }, 0, []rule.ID{rule.IndexAnswer}},
		{"as something else", func(said map[string]any, _ string) { said["audience-endpoint"] = 7 }, 0, []rule.ID{rule.IndexAnswer}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, discovery(test.change))
			_, err := w.publish()
			if test.refused == nil {
				w.must(err)
			} else {
				refused(t, err, test.refused...)
			}
			if n := w.requests("POST /x/mint-token"); n != test.mints || w.requests("POST /_/oidc/mint-token") != 0 {
				t.Errorf("%d tokens, want %d", n, test.mints)
			}
		})
	}
}

// A page for everybody who asks for something unknown is no discovery.
func TestAnIndexThatAnswersEverything(t *testing.T) {
	w := newWorld(t, before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/.well-known/pytp" {
			fmt.Fprint(w, "<html>welcome</html>")
		}
		return r.URL.Path == "/.well-known/pytp"
	}))
	_, err := w.publish()
	w.must(err)
}

// An index that says when to come again is asked then, and not before.
func TestAnIndexThatSaysWhen(t *testing.T) {
	w := newWorld(t)
	w.must(w.index.Misbehave(pypitest.Fault{Do: pypitest.Fail, Code: http.StatusTooManyRequests, Wait: time.Second,
		Path: "/legacy/", Times: 1}))
	j := w.job(job())
	j.Patience = 20 * time.Second
	began := time.Now()
	_, err := j.Publish(t.Context(), w.approved)
	w.must(err)
	if took := time.Since(began); took < time.Second {
		t.Errorf("it was asked again within %v", took)
	}
	if w.steps(publish.Waiting) != 1 {
		t.Error("nobody was told why it takes a while")
	}
}

// A CDN that serves what it served before is not believed, once a newer page was
// seen.
func TestAPageThatIsOlderThanOneBefore(t *testing.T) {
	stale := false
	w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
		old := stale && strings.HasPrefix(r.URL.Path, "/simple/")
		if old {
			rw.Header().Set("Content-Type", simpleJSON)
			rw.Header().Set("X-PyPI-Last-Serial", "1")
			fmt.Fprint(rw, `{"meta":{"api-version":"1.4"},"name":"widget","files":[]}`)
		}
		return old
	}))
	j := w.job(job())
	_, err := j.Publish(t.Context(), w.approved)
	w.must(err)
	stale = true
	_, err = j.Confirm(t.Context(), w.approved.Staged())
	undecided(t, err)
	says(t, err, "older than one")
}
