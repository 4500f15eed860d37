package staging

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/registrytest"
	"github.com/distgate/distgate/staging/rule"
)

func TestARegistryHasOneAddress(t *testing.T) {
	for address, want := range map[string]string{
		"ghcr.io/acme/staging":            "ghcr.io/acme/staging",
		"registry.example.org:5000/s":     "registry.example.org:5000/s",
		"http://127.0.0.1:5000/staging":   "127.0.0.1:5000/staging",
		"http://localhost/staging":        "localhost/staging",
		"http://[::1]:5000/staging":       "[::1]:5000/staging",
		"":                                "",
		"staging":                         "",
		"acme/staging":                    "",
		"http://ghcr.io/acme/staging":     "",
		"http://127.0.0.1.example.org/s":  "",
		"https://ghcr.io/acme/staging":    "",
		"ftp://ghcr.io/acme/staging":      "",
		"ghcr.io/acme/staging:latest":     "",
		"ghcr.io/Acme/staging":            "",
		"ghcr.io/acme/../staging":         "",
		"user:password@ghcr.io/staging":   "",
		"ghcr.io/acme/staging?x=1":        "",
		"ghcr.io/staging@" + digestOfNone: "",
	} {
		s, err := OpenRegistry(Registry{Address: address}, emptyStore(t).Blobs())
		if want == "" {
			refusedBy(t, err, orNothing(address), rule.StoreAddress)
			continue
		}
		check(t, err)
		if s.name != want {
			t.Errorf("%s: got %s, want %s", address, s.name, want)
		}
	}
	if _, err := OpenRegistry(Registry{Address: "ghcr.io/acme/staging"}, nil); err == nil {
		t.Error("opened without a place for distributions")
	}
}

const digestOfNone = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Votes are for a digest, wherever it is staged.
func TestTheReleaseDigestIsTheSameEverywhere(t *testing.T) {
	w := newWorld(t)
	s := emptyStore(t)
	v := w.verdict(t, w.candidates(t, s, release(t)...)...)
	want, err := Stage(t.Context(), s, w.policy, v)
	check(t, err)
	for what, files := range map[string]bool{"with the files": true, "without them": false} {
		t.Run(what, func(t *testing.T) {
			far, _ := emptyRegistry(t)
			far.at.(*registry).files = files
			for _, b := range release(t) {
				candidate(t, far, b)
			}
			for range 2 {
				got, err := Stage(t.Context(), far, w.policy, v)
				check(t, err)
				if got.Digest != want.Digest {
					t.Errorf("got %s, want %s", got.Digest, want.Digest)
				}
			}
			opened, err := w.open(t, far, want.Digest)
			check(t, err)
			if diff := cmp.Diff(want.Manifest, opened.Manifest()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// elsewhere is the same repository, seen from a machine without the files.
func elsewhere(t *testing.T, s *Store) *Store {
	t.Helper()
	again, err := openPlace(placeOf(s), t.TempDir())
	check(t, err)
	return again
}

func TestTheFilesAreBroughtAgain(t *testing.T) {
	w := newWorld(t)
	s, _ := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	there := elsewhere(t, s)
	_, err := w.open(t, there, staged.Digest)
	for _, b := range release(t) {
		refusedBy(t, err, b.name, rule.StoredBytes, "nothing, on this machine and in "+there.name)
	}
	for i, b := range release(t) { // filled again, the last time with other bytes
		if i == 0 {
			b.raw = append(bytes.Clone(b.raw), 0)
		}
		_, err := there.Blobs().Put(t.Context(), bytes.NewReader(b.raw), b.name, dist.MaxSize)
		check(t, err)
	}
	_, err = w.open(t, there, staged.Digest)
	refusedBy(t, err, release(t)[0].name, rule.StoredBytes)
	candidate(t, there, release(t)[0])
	opened, err := w.open(t, there, staged.Digest)
	check(t, err)
	sameBytes(t, opened)
}

func TestTheFilesCanBeKeptInTheRegistry(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	s.at.(*registry).files = true
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	there := elsewhere(t, s)
	opened, err := w.open(t, there, staged.Digest)
	check(t, err)
	sameBytes(t, opened)

	b := release(t)[0]
	at := filepath.Join(blobsOf(t, there), "blobs", "sha256", dist.Sum(b.raw).Hex())
	write(t, at, []byte("damaged"))
	_, err = w.open(t, there, staged.Digest) // it heals
	check(t, err)

	check(t, os.Remove(at))
	f.lie("blobs/"+dist.Sum(b.raw).String(), func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw })
	_, err = w.open(t, there, staged.Digest)
	refusedBy(t, err, b.name, rule.StoredBytes, dist.Sum(b.raw).String())
	f.lie("blobs/"+dist.Sum(b.raw).String(), func(raw []byte) []byte { return append(raw, 0) })
	_, err = w.open(t, there, staged.Digest)
	refusedBy(t, err, b.name, rule.StoredBytes, fmt.Sprintf("want %d bytes", len(b.raw)))
}

func sameBytes(t *testing.T, s Staged) {
	t.Helper()
	for _, b := range release(t) {
		r, err := s.Reader(b.name)
		check(t, err)
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, b.raw) {
			t.Errorf("%s: got %d bytes, %v", b.name, len(got), err)
		}
		check(t, r.Close())
	}
}

// blobsOf is the folder of the distributions of a store in a registry.
func blobsOf(t *testing.T, s *Store) string {
	t.Helper()
	dir := t.TempDir()
	blobs, err := blob.Open(dir)
	check(t, err)
	for _, b := range release(t) {
		_, err := blobs.Put(t.Context(), bytes.NewReader(b.raw), b.name, dist.MaxSize)
		check(t, err)
	}
	s.blobs, s.at.(*registry).blobs = blobs, blobs
	return dir
}

// lie changes what the registry says of something.
func (f *front) lie(key string, change func(raw []byte) []byte) {
	f.meddleWith(key, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		raw := answer.Body.Bytes()
		if r.Method == http.MethodGet && answer.Code == http.StatusOK {
			raw = change(raw)
		}
		for _, key := range []string{"Content-Type", "Location", "Docker-Content-Digest"} {
			if value := answer.Header().Get(key); value != "" {
				w.Header().Set(key, value)
			}
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(raw)
	})
}

// meddleWith puts somebody in the way of requests whose path ends so.
func (f *front) meddleWith(suffix string, do func(http.ResponseWriter, *http.Request, http.Handler)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meddle = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, suffix) {
				next.ServeHTTP(w, r)
				return
			}
			do(w, r, next)
		})
	}
}

func TestARegistryThatAnswersWithOtherBytes(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	img, _, err := s.manifest(t.Context(), staged.Digest)
	check(t, err)
	kept := map[dist.Digest]string{staged.Digest: staged.Digest.String(), img.Config.Digest: "manifest"}
	for _, layer := range img.Layers {
		if !layer.isFile() {
			kept[layer.Digest] = layer.Annotations.Title
		}
	}
	for d, name := range kept {
		for what, change := range map[string]func([]byte) []byte{
			"changed":   func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw },
			"truncated": func(raw []byte) []byte { return raw[:len(raw)/2] },
			"empty":     func(raw []byte) []byte { return nil },
			"longer":    func(raw []byte) []byte { return append(raw, '\n') },
			"huge":      func(raw []byte) []byte { return make([]byte, maxPolicyFile+1) },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				f.lie("blobs/"+d.String(), change)
				opened, err := w.open(t, s, staged.Digest)
				refusedBy(t, err, name, rule.StoredBytes)
				if !opened.IsZero() {
					t.Error("opened")
				}
			})
		}
		t.Run(name+"/missing", func(t *testing.T) {
			f.meddleWith("blobs/"+d.String(), func(w http.ResponseWriter, r *http.Request, _ http.Handler) { http.NotFound(w, r) })
			_, err := w.open(t, s, staged.Digest)
			refusedBy(t, err, name, rule.StoredBytes, "got nothing")
		})
	}
}

func TestAHoldingIsWorkedOut(t *testing.T) {
	w := newWorld(t)
	s, _ := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	raw, err := s.at.read(t.Context(), staged.Digest, maxImage, "release")
	check(t, err)
	other := newWorld(t)
	other.empty = w.empty
	_, another := other.staged(t)
	theirs, err := s.at.read(t.Context(), another.Digest, maxImage, "release")
	check(t, err)
	encoded := func(release []byte, change func(*image)) []byte {
		t.Helper()
		outside, err := holding("release", release, false)
		check(t, err)
		m, err := strict("holding", rule.ManifestEncoding, outside, maxImage, image.encode)
		check(t, err)
		change(&m)
		outside, err = m.encode()
		check(t, err)
		return outside
	}
	for what, test := range map[string]struct {
		artifact []byte
		id       rule.ID
	}{
		"of another release":    {encoded(theirs, func(*image) {}), rule.StoreTag},
		"the release itself":    {raw, rule.StoreTag},
		"with a layer less":     {encoded(raw, func(m *image) { m.Layers = m.Layers[1:] }), rule.ManifestEncoding},
		"with a layer twice":    {encoded(raw, func(m *image) { m.Layers = append(m.Layers, m.Layers[0]) }), rule.ManifestEncoding},
		"with a subject":        {encoded(raw, func(m *image) { m.Subject = m.Config }), rule.ManifestEncoding},
		"of another media type": {encoded(raw, func(m *image) { m.Config.MediaType = typeImage }), rule.ManifestEncoding},
		"of a wrong size":       {encoded(raw, func(m *image) { m.Config.Size++ }), rule.ManifestEncoding},
		"in another encoding":   {append(encoded(raw, func(*image) {}), '\n'), rule.ManifestEncoding},
		"garbage":               {[]byte("garbage"), rule.ManifestEncoding},
		"huge":                  {make([]byte, maxImage+1), rule.ManifestEncoding},
	} {
		t.Run(what, func(t *testing.T) {
			plant(t, s, map[string][]byte{staged.Digest.Hex(): test.artifact})
			list, malformed, err := s.Releases(t.Context())
			check(t, err)
			refusedBy(t, malformed.Err(), "", test.id)
			if len(list) != 1 || list[0].Digest != another.Digest || len(malformed) != 1 {
				t.Errorf("got %d releases and %v", len(list), malformed)
			}
			_, err = s.Resolve(t.Context(), staged.Digest.String())
			refusedBy(t, err, "", test.id)
			refusedBy(t, s.Attach(t.Context(), staged.Digest, vote("alice")), "", test.id)
		})
	}
}

// What a registry can say instead of an answer, and what is made of it.
func TestARegistryThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	w.staged(t)
	var asked atomic.Int64
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if len(header) == 2 {
				w.Header().Set(header[0], header[1])
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"no %s"}]}`, strings.Repeat("!", 4000))
		}
	}
	for _, test := range []struct {
		what   string
		do     func(http.ResponseWriter, *http.Request, http.Handler)
		says   string
		atMost int64
	}{
		{"401", status(401), "docker login", 1},
		{"401 for a password", status(401, "WWW-Authenticate", `Basic realm="x"`), "docker login", 1},
		{"403", status(403), "packages: write", 1},
		{"404 without a reason", status(404), "status 404", 1},
		{"400", status(400), "status 400", 1},
		{"500", status(500), "status 500", tries},
		{"503 and a date", status(503, "Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), "status 503", tries},
		{"429 for an hour", status(429, "Retry-After", "3600"), "to be asked again in 1h0m0s", 1},
		{"a hang", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }, "no answer within", tries},
		{"a broken line", func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, "EOF", tries},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"tags":["`)
		}, "unexpected EOF", tries},
		{"a page of another kind", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = io.WriteString(w, "<html>")
		}, "invalid character", 1},
		{"more than fits", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = io.WriteString(w, `{"tags":["`)
			_, _ = w.Write(bytes.Repeat([]byte("x"), maxImage))
		}, "unexpected EOF", tries},
		{"a way to nowhere", status(307, "Location", "http://registry.example.org/"), "which is not https", tries},
		{"a way round", status(307, "Location", "?again"), "more than", tries},
		{"a page elsewhere", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Link", `<http://registry.example.org/v2/>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":[]}`)
		}, "not the same origin", 1},
	} {
		t.Run(test.what, func(t *testing.T) {
			s.at.(*registry).patience = 2 * time.Second
			if test.what == "a hang" {
				s.at.(*registry).patience = 50 * time.Millisecond
			}
			asked.Store(0)
			f.meddleWith("tags/list", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.URL.RawQuery == "" {
					asked.Add(1)
				}
				test.do(w, r, next)
			})
			_, _, err := s.Releases(t.Context())
			if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), test.says) ||
				!strings.Contains(err.Error(), s.name) || len(err.Error()) > 1000 {
				t.Errorf("got %v, want neither yes nor no, and %q", err, test.says)
			}
			if n := asked.Load(); n > test.atMost {
				t.Errorf("it was asked %d times, want %d", n, test.atMost)
			}
		})
	}
}

func TestARegistryThatIsBusyForAMoment(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	var known sync.Map
	f.meddleWith("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		what := path.Base(r.URL.Path)
		if d := r.URL.Query().Get("digest"); d != "" {
			what = d // each upload has a path of its own
		}
		n, _ := known.LoadOrStore(r.Method+what, new(atomic.Int64))
		switch n.(*atomic.Int64).Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			next.ServeHTTP(w, r)
		}
	})
	var asked atomic.Int64
	_, staged := w.staged(t)
	check(t, s.Attach(t.Context(), staged.Digest, vote("alice")))
	f.meddleWith("tags/list", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if asked.Add(1)%2 == 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	for range 2 {
		if got := found(t, s, staged.Digest); !got["alice"] {
			t.Errorf("got %v", got)
		}
	}
}

func TestARegistryThatLists(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	for what, page := range map[string]func(r *http.Request) (tags []string, more bool){
		"no tags":       func(*http.Request) ([]string, bool) { return []string{"ok", "../" + staged.Digest.Hex()}, false },
		"without end":   func(*http.Request) ([]string, bool) { return slices.Repeat([]string{"t"}, 100), true },
		"too many":      func(*http.Request) ([]string, bool) { return slices.Repeat([]string{"t"}, maxTags+1), false },
		"nothing, ever": func(*http.Request) ([]string, bool) { return nil, true },
	} {
		t.Run(what, func(t *testing.T) {
			f.meddleWith("tags/list", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				tags, more := page(r)
				if more {
					w.Header().Set("Link", fmt.Sprintf("<%s?last=t>; rel=\"next\"", r.URL.Path))
				}
				fmt.Fprintf(w, `{"tags":["%s"]}`, strings.Join(tags, `","`))
			})
			_, _, err := s.Releases(t.Context())
			refusedBy(t, err, s.name, rule.StoreIndex)
		})
	}
}

func TestARegistryThatLosesWhatItTook(t *testing.T) {
	created := func(w http.ResponseWriter, d string) {
		w.Header().Set("Docker-Content-Digest", d)
		w.WriteHeader(http.StatusCreated)
	}
	for what, meddle := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"the tag": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
				raw, _ := io.ReadAll(r.Body)
				created(w, dist.Sum(raw).String())
				return
			}
			next.ServeHTTP(w, r)
		},
		"an upload": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") {
				_, _ = io.Copy(io.Discard, r.Body)
				created(w, r.URL.Query().Get("digest"))
				return
			}
			next.ServeHTTP(w, r)
		},
		"the tag from its list": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/tags/list") {
				_, _ = io.WriteString(w, `{"tags":[]}`)
				return
			}
			next.ServeHTTP(w, r)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			s, f := emptyRegistry(t)
			v := w.verdict(t, w.candidates(t, s, release(t)...)...)
			f.meddleWith("", meddle)
			staged, err := Stage(t.Context(), s, w.policy, v)
			refusedBy(t, err, s.name, rule.StoreKept)
			if !staged.Digest.IsZero() {
				t.Error("staged all the same")
			}
			f.meddleWith("", func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
			staged, err = Stage(t.Context(), s, w.policy, v)
			check(t, err)
			f.meddleWith("", meddle)
			err = s.Attach(t.Context(), staged.Digest, vote("alice"))
			if !errors.As(err, new(rule.Refusals)) {
				t.Errorf("got %v, want to hear that the vote is not there", err)
			}
		})
	}
}

// An answer that gets lost is no reason to fail, or to do it twice.
func TestARegistryWhoseAnswerIsLost(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	f.meddleWith("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusBadGateway)
	})
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	check(t, s.Attach(t.Context(), staged.Digest, vote("alice")))
	if got := found(t, s, staged.Digest); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestARegistryThatMovesATag(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	w.empty = func(testing.TB) *Store { return s }
	_, staged := w.staged(t)
	f.meddleWith("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, "/manifests/"+staged.Digest.Hex()+".") && r.Method == http.MethodGet {
			w.Header().Set("Content-Type", typeImage)
			_, _ = io.WriteString(w, "{}")
			return
		}
		next.ServeHTTP(w, r)
	})
	refusedBy(t, s.Attach(t.Context(), staged.Digest, vote("alice")), s.name, rule.StoreTag)
}

func TestAStoreThatNobodyMayWriteTo(t *testing.T) {
	w := newWorld(t)
	s, f := emptyRegistry(t)
	v := w.verdict(t, w.candidates(t, s, release(t)...)...)
	f.meddleWith("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}`)
	})
	_, staged := Stage(t.Context(), s, w.policy, v)
	for _, err := range []error{staged, s.Writable(t.Context())} {
		if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), "permission_denied: write_package") {
			t.Errorf("got %v", err)
		}
	}
}

func TestToTryAStoreLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		s, staged := w.staged(t)
		check(t, s.Attach(t.Context(), staged.Digest, vote("alice")))
		blobs := func() []string {
			if _, registry := s.at.(*registry); registry {
				return nil // which says of no blob that it has it before it is named
			}
			return ls(t, filepath.Join(dirOf(s), "blobs", "sha256"))
		}
		before := blobs()
		for range 2 {
			check(t, s.Writable(t.Context()))
		}
		if got := found(t, s, staged.Digest); len(got) != 1 {
			t.Errorf("got %v", got)
		}
		if diff := cmp.Diff(before, blobs()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLoggingInToARegistry(t *testing.T) {
	const password = "correct horse"
	real, err := registrytest.Start("", password)
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("docker-registry is not installed")
	}
	check(t, err)
	t.Cleanup(func() { check(t, real.Close()) })
	server := httptest.NewServer(real)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	config := func(password string) string {
		path := filepath.Join(t.TempDir(), "config.json")
		login := base64.StdEncoding.EncodeToString([]byte(registrytest.User + ":" + password))
		write(t, path, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, login))
		return path
	}
	for what, test := range map[string]struct {
		r    Registry
		says string
	}{
		"Docker's config":           {Registry{Config: config(password)}, ""},
		"a token":                   {Registry{Tokens: map[string]Token{host: password}}, ""},
		"the config first":          {Registry{Config: config(password), Tokens: map[string]Token{host: "wrong"}}, ""},
		"a config that is not":      {Registry{Config: filepath.Join(t.TempDir(), "none"), Tokens: map[string]Token{host: password}}, ""},
		"nothing":                   {Registry{}, "docker login " + host},
		"a token for somebody else": {Registry{Tokens: map[string]Token{"ghcr.io": password}}, "docker login " + host},
		"a wrong password":          {Registry{Config: config("wrong")}, "status 401"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			test.r.Address = server.URL + "/acme/staging"
			s, err := OpenRegistry(test.r, emptyStore(t).Blobs())
			check(t, err)
			_, err = Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
			if test.says == "" {
				check(t, err)
			} else if err == nil || errors.As(err, new(rule.Refusals)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
	if got := fmt.Sprintf("%v %+v %#v", Registry{Tokens: map[string]Token{host: password}}, Token(password), Token(password)); strings.Contains(got, password) {
		t.Errorf("got %s", got)
	}
}

// A registry as ghcr.io asks for a token, and says where to get one for what.
func TestLoggingInByABearerToken(t *testing.T) {
	const password, token = "correct horse", "battery staple"
	real, err := realRegistry()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("DISTGATE_PEERS") != "required" {
		t.Skip("docker-registry is not installed")
	}
	check(t, err)
	var scopes sync.Map
	var url string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, got, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && got == password:
			scopes.Store(r.URL.Query().Get("scope"), true)
			fmt.Fprintf(w, `{"token":%q}`, token)
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusForbidden)
		case r.Header.Get("Authorization") == "Bearer "+token:
			real.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=\"x\"", url+"/token"))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	url = server.URL
	host := strings.TrimPrefix(url, "http://")
	w := newWorld(t)
	for given, says := range map[Token]string{password: "", "wrong": "packages: write"} {
		s, err := OpenRegistry(Registry{Address: url + "/acme/bearer", Tokens: map[string]Token{host: given}}, emptyStore(t).Blobs())
		check(t, err)
		_, err = Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
		if says == "" {
			check(t, err)
		} else if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), password) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	if _, ok := scopes.Load("repository:acme/bearer:pull,push"); !ok {
		t.Error("it did not ask for leave to push")
	}
}

// Registries keep blobs elsewhere: there the credentials do not go.
func TestCredentialsStayWithTheirHost(t *testing.T) {
	const password = "correct horse"
	var stray atomic.Pointer[http.Header]
	blobs := map[string][]byte{}
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		stray.Store(&header)
		_, _ = w.Write(blobs[r.URL.Path])
	}))
	t.Cleanup(storage.Close)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, storage.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(front.Close)
	raw := []byte("bytes")
	blobs["/v2/acme/staging/blobs/"+dist.Sum(raw).String()] = raw
	host := strings.TrimPrefix(front.URL, "http://")
	s, err := OpenRegistry(Registry{Address: front.URL + "/acme/staging", Tokens: map[string]Token{host: password}}, emptyStore(t).Blobs())
	check(t, err)
	got, err := s.at.read(t.Context(), dist.Sum(raw), 100, "blob")
	if err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("got %q, %v", got, err)
	}
	if headers := slices.Collect(maps.Keys(*stray.Load())); slices.Contains(headers, "Authorization") {
		t.Errorf("it was shown %v", headers)
	}
}
