package sigstoretest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A repository is a TUF repository with consistent snapshots and one target, trusted_root.json:
// what a TUF client sees at the address of Sigstore's, in its first version.
type repository struct {
	root  []byte            // where a client starts
	files map[string][]byte // by path below the repository's address
}

// Every role has a key of its own. The periods are about those of the real repositories.
const (
	timestampLifetime = 7 * 24 * time.Hour
	metadataLifetime  = 180 * 24 * time.Hour
)

func newRepository(trustedRoot []byte) (*repository, error) {
	const name = "trusted_root.json"
	now := time.Now().UTC()
	root := metadata.Root(now.Add(metadataLifetime))
	targets := metadata.Targets(now.Add(metadataLifetime))
	snapshot := metadata.Snapshot(now.Add(metadataLifetime))
	timestamp := metadata.Timestamp(now.Add(timestampLifetime))

	target, err := metadata.TargetFile().FromBytes(name, trustedRoot, "sha256")
	if err != nil {
		return nil, err
	}
	targets.Signed.Targets[name] = target

	signers := make(map[string]signature.Signer)
	for _, role := range []string{
		metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP,
	} {
		if signers[role], err = newRole(root, role); err != nil {
			return nil, err
		}
	}
	r := &repository{files: make(map[string][]byte)}
	if r.root, err = signed(root, signers[metadata.ROOT]); err != nil {
		return nil, err
	}
	r.files["1.root.json"] = r.root
	if r.files["1.targets.json"], err = signed(targets, signers[metadata.TARGETS]); err != nil {
		return nil, err
	}
	if r.files["1.snapshot.json"], err = signed(snapshot, signers[metadata.SNAPSHOT]); err != nil {
		return nil, err
	}
	if r.files["timestamp.json"], err = signed(timestamp, signers[metadata.TIMESTAMP]); err != nil {
		return nil, err
	}
	hash := hex.EncodeToString(target.Hashes["sha256"])
	r.files["targets/"+hash+"."+name] = trustedRoot
	return r, nil
}

// newRole makes a key and enters it into the root as the role's.
func newRole(root *metadata.Metadata[metadata.RootType], role string) (signature.Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return nil, err
	}
	if err := root.Signed.AddKey(key, role); err != nil {
		return nil, err
	}
	return signature.LoadSigner(private, crypto.Hash(0))
}

func signed[T metadata.Roles](m *metadata.Metadata[T], by signature.Signer) ([]byte, error) {
	if _, err := m.Sign(by); err != nil {
		return nil, err
	}
	return m.ToBytes(false)
}

// ServeHTTP answers as a file server would.
func (r *repository) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	content, found := r.files[q.PathValue("file")]
	if !found {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(content)
}
