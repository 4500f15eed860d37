// Package pypitest is a PyPI to try things on: an http.Handler that takes
// uploads and serves what it took, as Warehouse, the software of pypi.org,
// does. pip installs from it and twine uploads to it.
//
//	index, err := pypitest.New(pypitest.Config{
//		Audience:     "pypi",
//		Issuers:      []string{github.Issuer()},
//		TrustedRoots: [][]byte{sigstore.TrustedRoot()},
//	})
//	err = index.AddProject("widget", pypitest.Publisher{
//		Repository: "acme/widget", OwnerID: "1", Workflow: "release.yml", Environment: "pypi",
//	})
//	go http.ListenAndServe("127.0.0.1:8080", index)
//
// An upload is by trusted publishing, as on pypi.org: a job's ID token of one
// of the issuers is exchanged for an API token of fifteen minutes, which is
// good for the projects of the job's publisher. Or it is by a person's token
// ([Index.AddToken]). Below the address:
//
//	/_/oidc/audience, mint-token, burn-token   trusted publishing
//	/legacy/                                   the upload API
//	/simple/ and /simple/{project}/            HTML, and JSON as of PEP 691, version 1.4
//	/packages/…                                the files and their metadata (PEP 658)
//	/integrity/{project}/{version}/{file}/provenance   PEP 740
//	/pypi/{project}/json, /pypi/{project}/{version}/json
//
// What an index is asked to judge it judges for itself: ID tokens by their
// issuer's keys, attestations with sigstore-go under the trusted roots,
// distributions by opening them. It does so in Warehouse's order, with
// Warehouse's statuses and messages, from one list of checks, so
// that a client meets here what it would meet there. The rules are those of
// pypi/warehouse at commit 6b62157 (August 2026).
//
// It can misbehave as an index on a bad day does ([Index.Misbehave]): lose
// answers, serve stale pages or wrong bytes, let tokens end early. A person
// does so by the [Index.Switchboard].
//
// Not here: web pages, accounts, mail, organisations, caches, malware rules;
// rendering of descriptions; the lists of classifiers and of SPDX licences
// (only their form is judged); publishers other than GitHub; macaroons that
// their holder narrows.
package pypitest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sigstore/sigstore-go/pkg/verify"
)

// Limits of PyPI that no project has had raised.
const (
	maxFile    = 100 << 20 // bytes of one file
	maxProject = 10 << 30  // bytes of all files of a project
)

// Config is what an index has to be told.
type Config struct {
	Audience     string           // of ID tokens: "pypi" on pypi.org, "testpypi" on test.pypi.org
	Issuers      []string         // addresses that count as GitHub Actions' OIDC issuer
	TrustedRoots [][]byte         // trusted_root.json of each Sigstore that attestations may come from
	Dir          string           // folder to keep files in; "" is a temporary one, gone with Close
	Now          func() time.Time // nil is time.Now
	MaxFile      int64            // bytes of one file; 0 is PyPI's limit, 100 MiB
	MaxProject   int64            // bytes of all files of a project; 0 is PyPI's limit, 10 GiB
	YankAPI      bool             // PATCH /api/projects/NAME/VERSION yanks, which PyPI does not have
}

// Index is one package index. It is an http.Handler, and the methods are what
// its people can do in a browser.
type Index struct {
	config    Config
	temporary bool // Dir is ours to remove
	serve     *http.ServeMux
	keys      *keyring
	sigstores []*verify.Verifier
	faults    faults
	ahead     atomic.Int64 // by which the clock goes wrong, in nanoseconds

	mu        sync.Mutex
	projects  map[string]*project // by normalised name
	pending   []pendingPublisher
	tokens    map[string]*token
	used      map[string]time.Time // ID tokens that were exchanged, by issuer and jti, until they expire
	filenames map[string]bool      // every file name that ever was
	creations map[string][]time.Time
	flags     map[Flag]bool
	serial    int // of the last change
}

// New makes an empty index.
func New(config Config) (*Index, error) {
	if config.Audience == "" || len(config.Issuers) == 0 {
		return nil, errors.New("pypitest: want an audience and an issuer")
	}
	x := &Index{
		config:    config,
		keys:      newKeyring(),
		projects:  map[string]*project{},
		tokens:    map[string]*token{},
		used:      map[string]time.Time{},
		filenames: map[string]bool{},
		creations: map[string][]time.Time{},
		flags:     map[Flag]bool{},
	}
	x.config.fill()
	for _, raw := range config.TrustedRoots {
		verifier, err := newSigstore(raw)
		if err != nil {
			return nil, fmt.Errorf("pypitest: trusted root: %w", err)
		}
		x.sigstores = append(x.sigstores, verifier)
	}
	if err := x.openDir(); err != nil {
		return nil, fmt.Errorf("pypitest: %w", err)
	}
	x.serve = x.routes()
	return x, nil
}

// fill puts PyPI's own values where none was given.
func (c *Config) fill() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxFile == 0 {
		c.MaxFile = maxFile
	}
	if c.MaxProject == 0 {
		c.MaxProject = maxProject
	}
}

func (x *Index) openDir() error {
	if x.config.Dir == "" {
		dir, err := os.MkdirTemp("", "pypitest-")
		if err != nil {
			return err
		}
		x.config.Dir, x.temporary = dir, true
	}
	for _, name := range []string{"incoming", "packages"} {
		if err := os.MkdirAll(filepath.Join(x.config.Dir, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the files of an index that was given no folder for them.
func (x *Index) Close() error {
	if !x.temporary {
		return nil
	}
	return os.RemoveAll(x.config.Dir)
}

// ServeHTTP serves the index. Absolute links lead to the host of the request.
func (x *Index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f, ok := x.faults.next(r); ok {
		troubles()[f.Do](x, f, w, r)
		return
	}
	x.serve.ServeHTTP(w, r)
}

func (x *Index) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /_/oidc/audience":           x.serveAudience,
		"POST /_/oidc/mint-token":        x.serveMint,
		"POST /_/oidc/github/mint-token": x.serveMint,
		"POST /_/oidc/burn-token":        x.serveBurn,

		"POST /legacy":     x.serveLegacyWithoutSlash,
		"/legacy/{$}":      x.serveLegacy,
		"GET /simple/{$}":  x.serveProjects,
		"GET /packages/":   x.serveFile,
		"GET /{$}":         x.serveFront,
		"/":                x.serveNotFound,
		"GET /simple/{p}/": x.serveProject,

		"GET /integrity/{p}/{v}/{f}/provenance": x.serveProvenance,
		"GET /pypi/{p}/json":                    x.serveProjectJSON,
		"GET /pypi/{p}/{v}/json":                x.serveReleaseJSON,
		"PATCH /api/projects/{p}/{v}":           x.serveYank,
	} {
		mux.HandleFunc(pattern, handler)
	}
	return mux
}

// address is where the index is, as its client sees it.
func address(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
