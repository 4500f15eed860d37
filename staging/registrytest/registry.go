// Package registrytest runs a real OCI registry: docker-registry, as Debian
// packages it (CNCF distribution 2.8).
//
//	r, err := registrytest.Start("", "")   // or in a folder, or with a password
//	defer r.Close()
//	front := httptest.NewServer(r)
//
// The registry listens on a socket in a folder of its own, and [Registry] is a
// handler that passes requests on to it: whoever serves it can stand in the way
// and change, hold up or lose what is said.
//
// It behaves as many do that are older than OCI 1.1: it knows no referrers,
// lists tags in no order, takes no manifest that points to what is not there,
// and hands out no manifest as a blob.
package registrytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// User is who may log in where there is a password.
const User = "distgate"

const patience = 10 * time.Second // for it to listen

// Registry is a running registry.
type Registry struct {
	http.Handler
	process *exec.Cmd
	sockets string // a folder with a short path: the kernel takes no long one
}

// Start runs a registry that keeps everything in dir, or without one in a folder
// that ends with it. With a password it lets only [User] in. The error is [exec.ErrNotFound] where there is no
// docker-registry.
func Start(dir, password string) (*Registry, error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return nil, err
	}
	sockets, err := os.MkdirTemp("", "registry")
	if err != nil {
		return nil, err
	}
	r := &Registry{sockets: sockets}
	if err := r.start(program, cmp.Or(dir, filepath.Join(sockets, "data")), password); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Registry) start(program, dir, password string) error {
	socket := filepath.Join(r.sockets, "s")
	config, err := r.configure(dir, socket, password)
	if err != nil {
		return err
	}
	said, err := os.Create(filepath.Join(r.sockets, "log"))
	if err != nil {
		return err
	}
	defer said.Close()
	r.process = exec.Command(program, "serve", config)
	r.process.Stdout, r.process.Stderr = said, said
	if err := r.process.Start(); err != nil {
		return err
	}
	r.Handler = &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // a client that went away is no fault
		Rewrite:  func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", "registry" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(said.Name())
			return fmt.Errorf("%s does not listen: %w: %.1000s", program, err, text)
		}
	}
}

const settings = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {net: unix, addr: %q}
`

func (r *Registry) configure(dir, socket, password string) (string, error) {
	text := fmt.Sprintf(settings, dir, socket)
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		users := filepath.Join(r.sockets, "htpasswd")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", User, hash), 0o600); err != nil {
			return "", err
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: registry, path: %q}}\n", users)
	}
	config := filepath.Join(r.sockets, "config.yml")
	return config, os.WriteFile(config, []byte(text), 0o600)
}

// Close ends the registry. What it kept in a folder that was named stays.
func (r *Registry) Close() error {
	if r.process != nil && r.process.Process != nil {
		_ = r.process.Process.Kill()
		_ = r.process.Wait() // "killed" is what it says
	}
	return os.RemoveAll(r.sockets)
}
