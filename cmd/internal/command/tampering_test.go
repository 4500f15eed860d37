package command

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// front stands before a story's registry, and does what its owner could.
type front struct {
	mu        sync.Mutex
	how, path string
	registry  http.Handler
}

type theFront struct{}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	how := f.how
	if !strings.Contains(r.URL.Path, f.path) {
		how = ""
	}
	f.mu.Unlock()
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case how == "drops" && reads:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}`)
	case how == "loses" && !reads:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusCreated)
	case how == "flips" && r.Method == http.MethodGet:
		said := httptest.NewRecorder()
		f.registry.ServeHTTP(said, r)
		for name, values := range said.Header() {
			w.Header()[name] = values
		}
		raw := bytes.Clone(said.Body.Bytes())
		if len(raw) > 0 {
			raw[len(raw)/2] ^= 1
		}
		w.WriteHeader(said.Code)
		_, _ = w.Write(raw)
	default:
		f.registry.ServeHTTP(w, r)
	}
}

// tamper HOW PATH: the registry's owner flips a bit of what is read at that part of a
// path, drops it, or loses what is written there; without, nothing.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	f := ts.Value(theFront{}).(*front)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.how, f.path = "", ""
	if len(args) > 0 {
		f.how, f.path = args[0], args[1]
	}
}
