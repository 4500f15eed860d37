package world

import (
	"bytes"
	"maps"
	"net/http"
)

// Watcher sees each request to anybody in the world twice: before it is done, and
// when it is done and its answer not yet sent. Where it returns false, the
// connection ends there and then.
type Watcher func(r *http.Request, done bool) (goOn bool)

// Watch lets a watcher see all requests from now on; nil ends that.
func (w *World) Watch(see Watcher) {
	if see == nil {
		w.watch.Store(nil)
		return
	}
	w.watch.Store(&see)
}

func (w *World) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		see := w.watch.Load()
		if see == nil {
			next.ServeHTTP(rw, r)
			return
		}
		if !(*see)(r, false) {
			panic(http.ErrAbortHandler)
		}
		a := &held{status: http.StatusOK, header: http.Header{}}
		next.ServeHTTP(a, r)
		if !(*see)(r, true) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(rw.Header(), a.header)
		rw.WriteHeader(a.status)
		rw.Write(a.body.Bytes())
	})
}

// held is an answer that was not sent yet.
type held struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }
func (h *held) WriteHeader(status int)      { h.status = status }
