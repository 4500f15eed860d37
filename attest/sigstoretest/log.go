package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// A merkleLog is the transparency log of Rekor v1: a Merkle tree (RFC 6962 section 2) of entries,
// each with the time at which it came in. It only grows, and equal entries are one entry.
type merkleLog struct {
	host string // what checkpoints are signed as
	tree uint64 // the log's number in checkpoints and entry ids
	key  *ecdsa.PrivateKey
	id   [sha256.Size]byte

	mu      sync.Mutex
	entries []entry
	byHash  map[[sha256.Size]byte]int // leaf hash → index
	edge    *compact.Range            // of the whole tree
	nodes   map[compact.NodeID][]byte // of every perfect subtree
}

// An entry is a leaf of the tree and when it was taken in.
type entry struct {
	body []byte
	leaf [sha256.Size]byte
	time int64 // seconds since 1970
}

// A receipt is what the log says of one of its entries. promise is its signature over the entry
// and its time; the rest is the entry's way to the root of a tree of size entries.
type receipt struct {
	uuid       string // the tree's number and the leaf hash in hex, as Rekor names entries
	entry      entry
	index      int
	promise    []byte
	size       int
	root       []byte
	hashes     [][]byte
	checkpoint string
}

func newMerkleLog(host string) (*merkleLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	ranges := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return &merkleLog{
		host:   host,
		tree:   binary.BigEndian.Uint64(id[:]) >> 1, // Trillian's ids are positive int64s
		key:    key,
		id:     id,
		byHash: make(map[[sha256.Size]byte]int),
		edge:   ranges.NewEmptyRange(0),
		nodes:  make(map[compact.NodeID][]byte),
	}, nil
}

// add takes an entry in at a time. If the log has one with the same body already, added is false
// and the receipt is that one's.
func (l *merkleLog) add(body []byte, at time.Time) (r receipt, added bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leaf := [sha256.Size]byte(rfc6962.DefaultHasher.HashLeaf(body))
	index, known := l.byHash[leaf]
	if !known {
		index = len(l.entries)
		if err := l.edge.Append(leaf[:], l.remember); err != nil {
			return receipt{}, false, err
		}
		l.entries = append(l.entries, entry{body, leaf, at.Unix()})
		l.byHash[leaf] = index
	}
	r, err = l.receipt(index)
	return r, !known, err
}

// find returns the receipt of the entry with the leaf hash, as of now.
func (l *merkleLog) find(leaf [sha256.Size]byte) (r receipt, found bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	index, found := l.byHash[leaf]
	if !found {
		return receipt{}, false, nil
	}
	r, err = l.receipt(index)
	return r, true, err
}

// at returns the receipt of the entry with the index, as of now.
func (l *merkleLog) at(index int) (r receipt, found bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < 0 || index >= len(l.entries) {
		return receipt{}, false, nil
	}
	r, err = l.receipt(index)
	return r, true, err
}

// head returns the size and the root of the tree and the log's signature over both.
func (l *merkleLog) head() (size int, root []byte, checkpoint string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if root, err = l.rootHash(); err != nil {
		return 0, nil, "", err
	}
	checkpoint, err = l.checkpoint(root)
	return len(l.entries), root, checkpoint, err
}

func (l *merkleLog) receipt(index int) (receipt, error) {
	r := receipt{entry: l.entries[index], index: index, size: len(l.entries)}
	r.uuid = l.uuid(r.entry.leaf)
	var err error
	if r.promise, err = l.promise(r.entry, index); err != nil {
		return receipt{}, err
	}
	if r.root, err = l.rootHash(); err != nil {
		return receipt{}, err
	}
	if r.hashes, err = l.path(index); err != nil {
		return receipt{}, err
	}
	r.checkpoint, err = l.checkpoint(r.root)
	return r, err
}

// promise is the signed entry timestamp: a signature over the canonical JSON (RFC 8785) of the
// entry, which for these members is their plain encoding in this order.
func (l *merkleLog) promise(e entry, index int) ([]byte, error) {
	payload, err := json.Marshal(struct {
		Body           []byte `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogID          string `json:"logID"`
		LogIndex       int    `json:"logIndex"`
	}{e.body, e.time, hex.EncodeToString(l.id[:]), index})
	if err != nil {
		return nil, err
	}
	return signASN1(l.key, payload)
}

// checkpoint is the signed note (c2sp.org/signed-note) of the tree's size and root, with the
// first four bytes of the log's id for the hash of its key, as Rekor v1 has it.
func (l *merkleLog) checkpoint(root []byte) (string, error) {
	text := fmt.Sprintf("%s - %d\n%d\n%s\n",
		l.host, l.tree, len(l.entries), base64.StdEncoding.EncodeToString(root))
	signature, err := signASN1(l.key, []byte(text))
	if err != nil {
		return "", err
	}
	signed := base64.StdEncoding.EncodeToString(append(l.id[:4:4], signature...))
	return text + "\n— " + l.host + " " + signed + "\n", nil
}

// rootHash is the hash of the tree; of the empty one, the hash of nothing.
func (l *merkleLog) rootHash() ([]byte, error) {
	if len(l.entries) == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	return l.edge.GetRootHash(nil)
}

// path is the inclusion proof of an entry in the tree as it is.
func (l *merkleLog) path(index int) ([][]byte, error) {
	nodes, err := proof.Inclusion(uint64(index), uint64(len(l.entries)))
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		hashes[i] = l.nodes[id]
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}

func (l *merkleLog) remember(id compact.NodeID, hash []byte) { l.nodes[id] = hash }

func (l *merkleLog) uuid(leaf [sha256.Size]byte) string {
	return fmt.Sprintf("%016x%x", l.tree, leaf)
}
