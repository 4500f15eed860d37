package command

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/distgate/distgate/staging"
)

// storeTable says where releases and their records are, if not in a folder.
type storeTable struct {
	Registry string `toml:"registry"`
	Files    bool   `toml:"files"`
}

// checkStore judges the table. What is wrong is the policy's fault, whichever
// verb is called.
func (p policy) checkStore() error {
	t := p.table.Store
	if t.Registry == "" && t.Files {
		return p.refuse("store.registry", "the registry that keeps the files", "")
	}
	if t.Registry == "" {
		return nil
	}
	if fault := (staging.Registry{Address: t.Registry}).Fault(); fault != "" {
		return p.refuse("store.registry", `a repository as "ghcr.io/acme/staging"`, fault)
	}
	return nil
}

// openStore opens the store, and begins one where there is none. In a registry
// are the releases and the records; what is in the folder then are the files.
func (p policy) openStore(s Streams, f shared) (*staging.Store, error) {
	folder, err := staging.OpenStore(f.store)
	if err != nil || p.table.Store.Registry == "" {
		return folder, err
	}
	return staging.OpenRegistry(p.registry(s), folder.Blobs())
}

// openStored reads the policy and opens the store, for the verbs that do not begin
// one: a misspelled name must not look like a store without releases. That there is
// none is said before any root is fetched.
func openStored(ctx context.Context, s Streams, f shared) (policy, *staging.Store, error) {
	if here := f.policyHere(s); here != "" {
		p, err := rootless(ctx, here, inFolder(filepath.Dir(here)), s.Now())
		if err == nil {
			err = p.table.Store.begun(f)
		}
		if err != nil {
			return policy{}, nil, err
		}
	}
	p, err := openPolicy(ctx, s, f)
	if err == nil {
		err = p.table.Store.begun(f)
	}
	if err != nil {
		return policy{}, nil, err
	}
	store, err := p.openStore(s, f)
	return p, store, err
}

// begun says what to do where there is no store.
func (t storeTable) begun(f shared) error {
	_, err := os.Stat(filepath.Join(f.store, "oci-layout"))
	if errors.Is(err, fs.ErrNotExist) { // it died at its beginning, or lost that file alone
		_, err = os.Stat(filepath.Join(f.store, "index.json"))
	}
	if t.Registry == "" && errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no store at " + f.store + ": nothing was staged here. " +
			"Begin one with distgate stage, or name another with --store DIR")
	}
	return nil
}

// registry is the registry of the policy, with the credentials that docker
// login left, or in a job the token for GitHub's own.
func (p policy) registry(s Streams) staging.Registry {
	return staging.Registry{Address: p.table.Store.Registry, Files: p.table.Store.Files,
		Config: dockerConfig(s),
		Tokens: map[string]staging.Token{"ghcr.io": staging.Token(s.Env("GITHUB_TOKEN"))}}
}

// dockerConfig is where docker login left what it was told; nowhere for who has
// no home, for a file of the working directory is anybody's.
func dockerConfig(s Streams) string {
	if folder := s.Env("DOCKER_CONFIG"); folder != "" {
		return filepath.Join(folder, "config.json")
	}
	if home := s.Env("HOME"); home != "" {
		return filepath.Join(home, ".docker", "config.json")
	}
	return ""
}

// storeName is the store as people know it.
func (p policy) storeName(f shared) string {
	if p.table.Store.Registry != "" {
		return p.table.Store.Registry
	}
	return f.store
}
