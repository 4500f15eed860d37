package staging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/registrytest"
)

// everywhere runs a test over each medium that a store can be kept in.
func everywhere(t *testing.T, test func(*testing.T, world)) {
	for place, empty := range map[string]func(testing.TB) *Store{
		"folder":   emptyStore,
		"registry": func(t testing.TB) *Store { s, _ := emptyRegistry(t); return s },
	} {
		t.Run(place, func(t *testing.T) {
			w := newWorld(t)
			w.empty = empty
			test(t, w)
		})
	}
}

// realRegistry is Debian's docker-registry, one for all tests: each has a
// repository of its own in it.
var realRegistry = sync.OnceValues(func() (*registrytest.Registry, error) {
	return registrytest.Start("", "")
})

var repositories atomic.Int64

// emptyRegistry is a store in a new repository of the real registry, with
// somebody before it who can lie.
func emptyRegistry(t testing.TB) (*Store, *front) {
	t.Helper()
	r, err := realRegistry()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("docker-registry is not installed")
	}
	check(t, err)
	f := &front{real: r, planted: map[string][]byte{}, hidden: map[string]bool{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s, err := openPlace(fmt.Sprintf("%s/acme/staging%d", server.URL, repositories.Add(1)), t.TempDir())
	check(t, err)
	s.at.(*registry).pause = 20 * time.Millisecond
	fronts.Store(s, f)
	return s, f
}

// fronts are who stands before the registry of a store.
var fronts sync.Map

func frontOf(s *Store) *front { f, _ := fronts.Load(s); return f.(*front) }

// openPlace opens the store in a folder, or at an address with the
// distributions in the folder files.
func openPlace(place, files string) (*Store, error) {
	if !strings.HasPrefix(place, "http://") {
		return OpenStore(place)
	}
	blobs, err := blob.Open(files)
	if err != nil {
		return nil, err
	}
	return OpenRegistry(Registry{Address: place}, blobs)
}

// placeOf is how another process opens the same store.
func placeOf(s *Store) string {
	if at, ok := s.at.(*registry); ok {
		return "http://" + at.address
	}
	return dirOf(s)
}

// front stands before a registry, as whoever owns it does.
type front struct {
	real http.Handler

	mu      sync.Mutex
	planted map[string][]byte // "manifests/TAG" and "blobs/DIGEST" that the real one was not given
	hidden  map[string]bool   // likewise, what is taken away
	meddle  func(next http.Handler) http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := path.Base(path.Dir(r.URL.Path)) + "/" + path.Base(r.URL.Path)
	f.mu.Lock()
	raw, planted := f.planted[key]
	hidden := f.hidden[key]
	f.mu.Unlock()
	switch {
	case hidden:
		http.NotFound(w, r)
	case planted && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", typeImage)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
	case key == "tags/list":
		f.list(w, r)
	default:
		f.next().ServeHTTP(w, r)
	}
}

func (f *front) next() http.Handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.meddle != nil {
		return f.meddle(f.real)
	}
	return f.real
}

// list is the real list of tags, with those that were planted and without those
// that are hidden.
func (f *front) list(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	f.next().ServeHTTP(answer, r)
	var page struct {
		Tags []string `json:"tags"`
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &page) == nil {
		for key := range maps.Keys(f.planted) {
			if tag, ok := strings.CutPrefix(key, "manifests/"); ok {
				page.Tags = append(page.Tags, tag)
			}
		}
		page.Tags = slices.DeleteFunc(page.Tags, func(tag string) bool { return f.hidden["manifests/"+tag] })
		answer.Body.Reset()
		_ = json.NewEncoder(answer.Body).Encode(page)
	}
	answer.Header().Del("Content-Length")
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = answer.Body.WriteTo(w)
}

// plant puts any bytes under tags, as whoever can write to the store can.
func plant(t *testing.T, s *Store, artifacts map[string][]byte) {
	t.Helper()
	if _, ok := s.at.(*registry); ok {
		f := frontOf(s)
		f.mu.Lock()
		defer f.mu.Unlock()
		for tag, raw := range artifacts {
			f.planted["manifests/"+tag] = raw
		}
		return
	}
	x, err := s.at.index(t.Context())
	check(t, err)
	for tag, raw := range artifacts {
		plantBlobs(t, s, raw)
		x = x.with(tagged{tag: tag, raw: raw}.entry())
	}
	check(t, folderOf(s).write(x))
}

// plantBlobs writes blobs that no artifact points to, yet.
func plantBlobs(t *testing.T, s *Store, blobs ...[]byte) {
	t.Helper()
	if at, ok := s.at.(*registry); ok {
		check(t, at.all(t.Context(), at.uploads(tagged{blobs: blobs}), at.push))
		return
	}
	for _, raw := range blobs {
		_, err := s.blobs.Write(raw)
		check(t, err)
	}
}

// flood is [plant] for more than one wants to push: with all that the artifacts
// point to.
func flood(t *testing.T, s *Store, artifacts map[string][]byte, blobs ...[]byte) {
	t.Helper()
	if _, ok := s.at.(*registry); !ok {
		plantBlobs(t, s, blobs...)
	} else {
		f := frontOf(s)
		f.mu.Lock()
		for _, raw := range blobs {
			f.planted["blobs/"+dist.Sum(raw).String()] = raw
		}
		f.mu.Unlock()
	}
	plant(t, s, artifacts)
}

// move lets a tag lead elsewhere.
func move(t *testing.T, s *Store, tag string, artifact []byte) {
	t.Helper()
	if _, ok := s.at.(*folder); ok {
		untag(t, s, tag)
	}
	plant(t, s, map[string][]byte{tag: artifact})
}

// untag takes a tag away.
func untag(t *testing.T, s *Store, tag string) {
	t.Helper()
	if _, ok := s.at.(*registry); ok {
		f := frontOf(s)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hidden["manifests/"+tag] = true
		return
	}
	x, err := s.at.index(t.Context())
	check(t, err)
	x.Manifests = slices.DeleteFunc(x.Manifests, func(d descriptor) bool { return d.tag() == tag })
	check(t, folderOf(s).write(x))
}
