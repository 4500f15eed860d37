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

// Answer lets somebody change the bodies of answers from now on; nil ends that. What
// it returns nil for is sent as it is.
func (w *World) Answer(change func(r *http.Request, body []byte) []byte) {
	if change == nil {
		w.answer.Store(nil)
		return
	}
	w.answer.Store(&change)
}

func (w *World) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		see, change := w.watch.Load(), w.answer.Load()
		if see == nil && change == nil {
			next.ServeHTTP(rw, r)
			return
		}
		if see != nil && !(*see)(r, false) {
			panic(http.ErrAbortHandler)
		}
		a := &held{status: http.StatusOK, header: http.Header{}}
		next.ServeHTTP(a, r)
		if see != nil && !(*see)(r, true) {
			panic(http.ErrAbortHandler)
		}
		body := a.body.Bytes()
		if change != nil {
			if other := (*change)(r, body); other != nil {
				body = other
				a.header.Del("Content-Length")
			}
		}
		maps.Copy(rw.Header(), a.header)
		rw.WriteHeader(a.status)
		rw.Write(body)
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
