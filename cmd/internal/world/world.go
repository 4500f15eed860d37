// Package world is everything around distgate on one machine: a GitHub, a
// Sigstore and a package index on loopback addresses, and a small Python
// project, widget, whose people release with them.
//
//	w, err := world.Start(ctx)
//	defer w.Close()
//	err = w.WriteProject(dir)      // distgate.toml and the files it names, keys/
//	err = w.Build(dist, "1.0")     // wheels, sdist, a bundle beside each
//	env := w.Env(w.PublishJob())   // what the job that may publish finds around it
//
// The parts are the emulators, over real HTTP and with real cryptography, and
// they trust each other as the real ones do: Fulcio certifies whoever holds an
// ID token of this GitHub, and the index takes files from whoever holds one and
// is widget's trusted publisher, with attestations that this Sigstore vouches
// for. Nobody else in the world trusts any of it, and it all ends with Close.
//
// What an attacker would make is made here too: World.Forge signs for a file
// in a job that the policy does not allow, or one that lies about itself.
package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/publish/pypitest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// The project and where it lives on GitHub. It is built in one repository and
// released from another, as numpy is.
const (
	Project           = "widget"
	Repository        = "acme/widget"
	ReleaseRepository = "acme/widget-release"
	Environment       = "pypi"
	IndexName         = "local" // in distgate.toml, and the audience of the index

	workflow  = "release.yml"
	workflows = ".github/workflows/"
)

// World is the emulators, running, and the people of the project.
type World struct {
	github   *githubtest.GitHub
	sigstore *sigstoretest.Sigstore
	index    *pypitest.Index

	testIndex *pypitest.Index // nil until it is started
	people    []person
	runs      map[string]bool // that are on GitHub, by id
	head      string          // commit of the release repository's main branch
	source    source

	dispatched int    // runs of the release workflow
	began      string // head of the release repository when the last of them was
	servers    []*http.Server
	at         addresses
	watch      atomic.Pointer[Watcher]
	answer     atomic.Pointer[func(*http.Request, []byte) []byte]
}

// addresses are the base URLs, without a slash at the end.
type addresses struct{ github, sigstore, index, switchboard string }

// Start brings up a world in which widget has never been released. Requests
// end with ctx.
func Start(ctx context.Context) (*World, error) {
	people, err := newPeople()
	if err != nil {
		return nil, err
	}
	w := &World{people: people, runs: map[string]bool{}, source: source{commits: map[string]githubtest.Commit{}}}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) start(ctx context.Context) (err error) {
	if w.at.github, err = w.serve(ctx, func(base string) (http.Handler, error) {
		w.github, err = githubtest.New(base, time.Now)
		return w.github, err
	}); err != nil {
		return err
	}
	w.populate()
	if _, err = w.serve(ctx, func(base string) (http.Handler, error) {
		return w.github.Storage(base), nil
	}); err != nil {
		return err
	}
	if w.at.sigstore, err = w.serve(ctx, func(string) (http.Handler, error) {
		if w.sigstore, err = sigstoretest.New(); err != nil {
			return nil, err
		}
		return w.sigstore.Handler(w.github.Issuer()), nil
	}); err != nil {
		return err
	}
	if w.at.index, err = w.serve(ctx, func(string) (http.Handler, error) {
		w.index, err = w.newIndex()
		return w.index, err
	}); err != nil {
		return err
	}
	w.at.switchboard, err = w.serve(ctx, func(string) (http.Handler, error) { return w.index.Switchboard(), nil })
	return err
}

// populate gives GitHub the people, the release workflow, and the environment
// that only they let publish.
func (w *World) populate() {
	w.commit("Release with distgate")
	gate := githubtest.Environment{Repository: ReleaseRepository, Name: Environment, PreventSelfReview: true,
		AdminBypass: githubtest.BypassForbidden, Policies: []githubtest.BranchPolicy{{Name: "main"}}}
	for _, p := range append(w.people, dave) {
		w.github.PutUser(githubtest.User{Login: p.Name, ID: p.GitHub})
		if p.May {
			gate.Reviewers = append(gate.Reviewers, p.Name)
		}
	}
	w.github.PutEnvironment(gate)
	w.putAudited()
}

// commit puts files on the main branch of the release repository, beside the
// release workflow.
func (w *World) commit(message string, files ...githubtest.File) {
	if !slices.ContainsFunc(files, func(f githubtest.File) bool { return f.Path == workflows+workflow }) {
		files = append(files, githubtest.File{Path: workflows + workflow, Content: "on: workflow_dispatch\n"})
	}
	c := githubtest.Commit{Repository: ReleaseRepository, Message: message, Files: files}
	if w.head != "" {
		c.Parents = []string{w.head}
	}
	w.head = w.github.PutCommit(c).SHA
	w.github.PutBranch(githubtest.Branch{Repository: ReleaseRepository, Name: "main", SHA: w.head, Protected: true})
}

// newIndex is an index where widget has its trusted publisher, and no files.
func (w *World) newIndex() (*pypitest.Index, error) {
	index, err := pypitest.New(pypitest.Config{
		Audience:     IndexName,
		Issuers:      []string{w.github.Issuer()},
		TrustedRoots: [][]byte{w.sigstore.TrustedRoot()},
		YankAPI:      true,
	})
	if err != nil {
		return nil, err
	}
	return index, index.AddProject(Project, w.Publisher())
}

// Publisher is the index's side of PublishJob: whom a project takes files from.
func (w *World) Publisher() pypitest.Publisher {
	job := w.PublishJob()
	return pypitest.Publisher{
		Repository:  job.Repository,
		OwnerID:     job.RepositoryOwnerID,
		Workflow:    workflow,
		Environment: Environment,
	}
}

// serve listens on a free port of this machine, and then serves what is made
// for that address.
func (w *World) serve(
	ctx context.Context, handler func(base string) (http.Handler, error),
) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	base := "http://" + listener.Addr().String()
	h, err := handler(base)
	if err != nil {
		return "", errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           w.watched(h),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	w.servers = append(w.servers, server)
	go server.Serve(listener)
	return base, nil
}

// Close ends the world. Files that were written elsewhere stay.
func (w *World) Close() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	for _, index := range []*pypitest.Index{w.index, w.testIndex} {
		if index != nil {
			errs = append(errs, index.Close())
		}
	}
	return errors.Join(errs...)
}

// GitHubURL is the address of GitHub, and the issuer of its ID tokens.
func (w *World) GitHubURL() string { return w.at.github }

// SigstoreURL is the address of Fulcio, Rekor and the timestamp authority.
func (w *World) SigstoreURL() string { return w.at.sigstore }

// SimpleURL is what pip takes as its --index-url.
func (w *World) SimpleURL() string { return w.at.index + "/simple/" }

// SwitchboardURL is where a person makes the index misbehave.
func (w *World) SwitchboardURL() string { return w.at.switchboard }

// GitHub is GitHub as everything in it comes to be: runs, artifacts, reviews.
func (w *World) GitHub() *githubtest.GitHub { return w.github }

// Index is the index as its administrators see it.
func (w *World) Index() *pypitest.Index { return w.index }

// describe names the file in an error that speaks of its content alone.
func describe(file string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
