package publish_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/staging/rule"
)

// tap keeps what secrets went over the wire, and what became of them.
type tap struct {
	mu     sync.Mutex
	ids    []string // ID tokens that were shown
	minted []string
	burned []string
}

func (t *tap) between(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/_/oidc/") || r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		t.note(r.URL.Path, tokenIn(raw), tokenIn(answer.Body.Bytes()))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
}

func (t *tap) note(path, sent, got string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if strings.HasSuffix(path, "burn-token") {
		t.burned = append(t.burned, sent)
		return
	}
	t.ids = append(t.ids, sent)
	if got != "" {
		t.minted = append(t.minted, got)
	}
}

func tokenIn(raw []byte) string {
	var object struct{ Token string }
	json.Unmarshal(raw, &object)
	return object.Token
}

// dead wants every token that was minted to be good for nothing any more.
func (t *tap) dead(test *testing.T, w *world) {
	test.Helper()
	if len(t.minted) == 0 || fmt.Sprint(t.minted) != fmt.Sprint(t.burned) {
		test.Errorf("%d tokens were minted and %d burned", len(t.minted), len(t.burned))
	}
	for _, token := range t.minted {
		r, err := http.NewRequest(http.MethodPost, w.url+"/legacy/?:action=file_upload", nil)
		w.must(err)
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("__token__:"+token)))
		response, err := http.DefaultClient.Do(r)
		w.must(err)
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			test.Errorf("a token is still good for an upload: status %d", response.StatusCode)
		}
	}
}

// silent wants no secret in what people are shown.
func (t *tap) silent(test *testing.T, w *world, err error) {
	test.Helper()
	shown := fmt.Sprintf("%v %+v %#v", err, w.events, err)
	whole := strings.Join(strings.Fields(strings.ReplaceAll(shown, `\n`, " ")), "")
	for _, secret := range append(t.ids, t.minted...) {
		basic := base64.StdEncoding.EncodeToString([]byte("__token__:" + secret))
		if strings.Contains(whole, secret) || strings.Contains(whole, basic) {
			test.Error("a token is shown")
		}
	}
}

func TestNoUploadTokenStaysBehind(t *testing.T) {
	for _, test := range []struct {
		name   string
		legacy http.HandlerFunc // what becomes of uploads; nil is what should
		cancel bool
	}{
		{name: "after success"},
		{name: "after a refusal", legacy: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
		}},
		{name: "after a broken connection", legacy: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, cancel: true},
		{name: "when it is given up", legacy: func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, cancel: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			spy := &tap{}
			w := newWorld(t, between(func(next http.Handler) http.Handler {
				return spy.between(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if test.legacy == nil || r.URL.Path != "/legacy/" || r.URL.RawQuery != "" {
						next.ServeHTTP(rw, r)
						return
					}
					if test.cancel {
						time.AfterFunc(50*time.Millisecond, cancel)
					}
					test.legacy(rw, r)
				}))
			}))
			_, err := w.job(job()).Publish(ctx, w.approved)
			if (err == nil) != (test.legacy == nil) {
				t.Errorf("got %v", err)
			}
			spy.dead(t, w)
			spy.silent(t, w, err)
		})
	}
}

// An index that cannot burn tokens, or does not answer, changes nothing else.
func TestATokenThatCannotBeBurned(t *testing.T) {
	w := newWorld(t, before(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/_/oidc/burn-token" {
			http.NotFound(rw, r)
		}
		return r.URL.Path == "/_/oidc/burn-token"
	}))
	_, err := w.publish()
	w.must(err)
	if n := w.steps(publish.NotBurned); n != 1 {
		t.Errorf("it was said %d times that a token was not burned", n)
	}
}

func (w *world) steps(s publish.Step) (n int) {
	for _, e := range w.events {
		if e.Step == s {
			n++
		}
	}
	return n
}

// Tokens that are about to end are renewed, each with an ID token of its own.
func TestATokenIsRenewed(t *testing.T) {
	spy := &tap{}
	w := newWorld(t, between(func(next http.Handler) http.Handler {
		return spy.between(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_/oidc/mint-token" {
				next.ServeHTTP(rw, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			json.NewEncoder(rw).Encode(map[string]any{"success": true, "token": tokenIn(answer.Body.Bytes()),
				"expires": time.Now().Add(4 * time.Minute).Unix()})
		}))
	}))
	_, err := w.publish()
	w.must(err)
	if len(spy.minted) != 2 || spy.ids[0] == spy.ids[1] {
		t.Errorf("%d tokens for 2 files", len(spy.minted))
	}
	spy.dead(t, w)
	spy.silent(t, w, err)
}

// Why the index mints nothing is said in its own words, beside the claims.
func TestTheIndexMintsNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*world)
		says   []string
	}{
		{"no publisher is registered", func(w *world) {
			w.must(w.index.RemovePublisher("widget", pypitest.Publisher{Repository: "acme/widget",
				OwnerID: job().RepositoryOwnerID, Workflow: "release.yml", Environment: "release"}))
		}, []string{"invalid-publisher", "no corresponding publisher", "repository acme/widget",
			"workflow acme/widget/.github/workflows/release.yml@refs/tags/v1.0", "environment release"}},
		{"it is switched off", func(w *world) { w.index.Switch(pypitest.DisallowGitHubOIDC, true) },
			[]string{"not-enabled", "functionality not enabled"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spy := &tap{}
			w := newWorld(t, between(spy.between))
			test.change(w)
			_, err := w.publish()
			refused(t, err, rule.TokenRefused)
			says(t, err, test.says...)
			spy.silent(t, w, err)
			if w.requests("POST /legacy/") != 0 {
				t.Error("a file was sent all the same")
			}
		})
	}
}

// An index that repeats what it was sent, to have it in a log that all can read.
func TestAnIndexThatEchoes(t *testing.T) {
	echoes := map[int]func(string) string{
		http.StatusUnprocessableEntity: func(s string) string { return s },
		http.StatusForbidden:           func(s string) string { return s[:len(s)/2] + "\n" + s[len(s)/2:] },
	}
	for _, path := range []string{"/_/oidc/mint-token", "/legacy/", "/_/oidc/burn-token"} {
		for status, echo := range echoes {
			t.Run(fmt.Sprint(path, " ", status), func(t *testing.T) {
				spy := &tap{}
				w := newWorld(t, between(func(next http.Handler) http.Handler {
					return spy.between(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if r.URL.Path != path {
							next.ServeHTTP(rw, r)
							return
						}
						raw, _ := io.ReadAll(r.Body)
						header := r.Header.Get("Authorization")
						said := echo(tokenIn(raw)) + " " + echo(header)
						if decoded, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic ")); err == nil {
							said += " " + echo(string(decoded))
						}
						rw.Header().Set("Content-Type", "application/json")
						rw.WriteHeader(status)
						json.NewEncoder(rw).Encode(map[string]any{"message": said, "code": fmt.Sprint(status, " ", said),
							"errors": []map[string]string{{"code": said, "description": said}}})
					}))
				}))
				_, err := w.publish()
				spy.silent(t, w, err)
				if len(spy.ids) == 0 {
					t.Error("nothing was sent that could have been repeated")
				}
			})
		}
	}
}

// One lost answer does not end a release: the ID token in it may have been
// used, and is not shown again.
func TestAMintWhoseAnswerIsLost(t *testing.T) {
	spy, lost := &tap{}, false
	w := newWorld(t, between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/_/oidc/mint-token" && !lost {
				lost = true
				spy.between(next).ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			spy.between(next).ServeHTTP(rw, r)
		})
	}))
	j := w.job(job())
	j.Patience = time.Minute
	_, err := j.Publish(t.Context(), w.approved)
	w.must(err)
	if len(spy.ids) != 2 || spy.ids[0] == spy.ids[1] {
		t.Errorf("%d ID tokens were shown, the same one twice", len(spy.ids))
	}
}
