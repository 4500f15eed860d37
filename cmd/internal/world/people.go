package world

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// person is somebody with an SSH key.
type person struct {
	Name   string // "alice", also the file name of the key
	GitHub int64  // numeric user id
	May    bool   // vote: is listed in distgate.toml and allowed_signers
	key    ed25519.PrivateKey
}

// dave starts all runs. He may not vote, and has no key.
var dave = person{Name: "dave", GitHub: 1004}

// newPeople are three who may vote, of whom two must, and one who may not.
func newPeople() ([]person, error) {
	people := []person{
		{Name: "alice", GitHub: 1001, May: true},
		{Name: "bob", GitHub: 1002, May: true},
		{Name: "carol", GitHub: 1003, May: true},
		{Name: "mallory", GitHub: 6666},
	}
	for i := range people {
		var err error
		if _, people[i].key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// Principal is the person's name in allowed_signers.
func (p person) Principal() string { return p.Name + "@example.org" }

// authorized is the public key as one line of OpenSSH.
func (p person) authorized() (string, error) {
	key, err := ssh.NewPublicKey(p.key.Public())
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// writeKey writes the key as ssh-keygen does: the private key without a
// passphrase at the path, the public one beside it as .pub.
func (p person) writeKey(path string) error {
	block, err := ssh.MarshalPrivateKey(p.key, p.Principal())
	if err != nil {
		return describe(path, err)
	}
	public, err := p.authorized()
	if err != nil {
		return describe(path, err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".pub", []byte(public+" "+p.Principal()+"\n"), 0o644)
}

// writeKeys writes everybody's key into the folder, under their names.
func (w *World) writeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range w.people {
		if err := p.writeKey(filepath.Join(dir, p.Name)); err != nil {
			return err
		}
	}
	return nil
}

// allowedSigners is the file that says whose keys may vote.
func (w *World) allowedSigners() ([]byte, error) {
	var out strings.Builder
	for _, p := range w.people {
		if !p.May {
			continue
		}
		key, err := p.authorized()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s namespaces=\"distgate\" %s\n", p.Principal(), key)
	}
	return []byte(out.String()), nil
}
