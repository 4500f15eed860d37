package workflows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/githubtest"
)

// serve puts a GitHub on a loopback address, behind a front that may answer
// for it.
func serve(t *testing.T, front func(http.ResponseWriter, *http.Request) (answered bool)) *githubtest.GitHub {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	github, err := githubtest.New("http://"+server.Listener.Addr().String(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front == nil || !front(w, r) {
			github.ServeHTTP(w, r)
		}
	})
	server.Start()
	t.Cleanup(server.Close)
	return github
}

func job() githubtest.Claims {
	return githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "pypi")
}

func TestIDToken(t *testing.T) {
	github := serve(t, nil)
	url, bearer := github.Job(job())
	token, err := workflows.IDToken(http.DefaultClient, url, bearer)(t.Context(), "a b&c")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := oidc.NewProvider(t.Context(), github.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "a b&c"}).Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestIDTokenComesAfterAFewFailures(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	github := serve(t, func(w http.ResponseWriter, _ *http.Request) bool {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	})
	url, bearer := github.Job(job())
	token, err := workflows.IDToken(http.DefaultClient, url, bearer)(t.Context(), "pypi")
	if err != nil || token == "" || asked.Load() != 3 {
		t.Errorf("want a token at the third try, got %q, %v after %d", token, err, asked.Load())
	}
}

func TestNoIDToken(t *testing.T) {
	const secret = "s3cr3t-request-token"
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			w.Write([]byte(body))
			return true
		}
	}
	for _, test := range []struct {
		name  string
		front func(http.ResponseWriter, *http.Request) bool
		tries int32
		want  string
	}{
		{"the request token is wrong", nil, 1, "got 401"},
		{"the job may not", answer(403, secret), 1, "got 403"},
		{"GitHub is down", answer(500, secret), 5, "got 500"},
		{"too many requests", answer(429, secret), 5, "got 429"},
		{"no token in the answer", answer(200, `{"count":0}`), 1, "something else"},
		{"an empty token", answer(200, `{"value":""}`), 1, "something else"},
		{"an answer that is not JSON", answer(200, secret), 1, "something else"},
		{"an empty answer", answer(200, ""), 1, "got 0 bytes"},
		{"an endless answer", answer(200, `{"value":"`+strings.Repeat("a", 65<<10)+`"}`), 1, "something else"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		}, 1, "got 302"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			github := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				asked.Add(1)
				return test.front != nil && test.front(w, r)
			})
			url, _ := github.Job(job())
			token, err := workflows.IDToken(http.DefaultClient, url, secret)(t.Context(), "pypi")
			if err == nil || token != "" {
				t.Fatalf("want an error, got the token %q", token)
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("want %q and no secret, got: %v", test.want, err)
			}
			if asked.Load() != test.tries {
				t.Errorf("want %d tries, got %d", test.tries, asked.Load())
			}
		})
	}
}

func TestIDTokenIsNotAskedFor(t *testing.T) {
	const url, token = "https://192.0.2.1/x?a=b", "s3cr3t"
	for _, test := range []struct {
		name                 string
		client               *http.Client
		url, token, audience string
	}{
		{"no client", nil, url, token, "pypi"},
		{"no URL", http.DefaultClient, "", token, "pypi"},
		{"no request token", http.DefaultClient, url, "", "pypi"},
		{"no audience", http.DefaultClient, url, token, ""},
		{"the URL and the token confused", http.DefaultClient, token, url, "pypi"},
		{"the token as a URL that does not parse", http.DefaultClient, ":" + token, token, "pypi"},
		{"plain http to another machine", http.DefaultClient, "http://192.0.2.1/x?a=b", token, "pypi"},
		{"plain http to a name that only looks local", http.DefaultClient, "http://localhost.example.org/?a=b", token, "pypi"},
		{"a password in the URL", http.DefaultClient, "https://s3cr3t@192.0.2.1/?a=b", token, "pypi"},
		{"a request token with a line break", http.DefaultClient, "http://127.0.0.1:1/?a=b", token + "\r\nX: y", "pypi"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := workflows.IDToken(test.client, test.url, test.token)(t.Context(), test.audience)
			if err == nil || got != "" {
				t.Fatalf("want an error, got %q", got)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestIDTokenStopsWithItsContext(t *testing.T) {
	github := serve(t, func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	url, bearer := github.Job(job())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := workflows.IDToken(http.DefaultClient, url, bearer)(ctx, "pypi"); err == nil {
		t.Error("want an error")
	}
}
