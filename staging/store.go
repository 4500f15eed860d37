package staging

import (
	"context"
	"strings"

	"github.com/distgate/distgate/staging/blob"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Store is where releases and their records lie: an OCI image layout in a
// folder ([OpenStore]), or a repository of an OCI registry ([OpenRegistry]). Any
// number of processes may use one at once.
type Store struct {
	at    medium
	name  string      // of what lists the tags, in refusals
	width int         // how much is read at once
	blobs *blob.Store // distributions; in a folder everything
}

// Blobs is where the store keeps distributions on this machine. What is staged
// must be there; what is opened is looked for there first.
func (s *Store) Blobs() *blob.Store { return s.blobs }

// Writable tries whether a record could be attached now, before something is done that
// the record is to tell of. It leaves nothing behind, and proves nothing of later.
func (s *Store) Writable(ctx context.Context) error { return s.at.writable(ctx) }

// medium is what a store is kept in. In all media blobs are written once, and a
// tag leads to one artifact for ever. What comes out of a medium is hashed and
// judged by whoever asked.
type medium interface {
	// index lists all tags. Where the medium does not say what a tag leads to,
	// the entry has no digest.
	index(ctx context.Context) (index, error)

	// artifact reads the release or record that an entry of the index leads to,
	// at most max bytes of it, under its name in refusals.
	artifact(ctx context.Context, entry descriptor, max int64, name string) ([]byte, error)

	// read returns a small blob, at most max bytes of it, that hashes to d.
	read(ctx context.Context, d dist.Digest, max int64, name string) ([]byte, error)

	// file hashes a distribution and leaves it in the store's blobs.
	file(ctx context.Context, f File) (dist.File, error)

	// enter puts an artifact under its tag, with all that it points to. When it
	// returns, all of it is durable and will be found. To enter the same again
	// changes nothing; another artifact under the tag is refused.
	enter(ctx context.Context, t tagged) error

	// writable does what enter does, for an artifact as large as a record can be,
	// as far as that can be undone.
	writable(ctx context.Context) error
}

// tagged is an artifact on its way into a store.
type tagged struct {
	tag   string
	kind  string   // its artifact type
	raw   []byte   // its image manifest
	blobs [][]byte // what that points to, but for
	files []dist.File
}

func (t tagged) entry() descriptor {
	entry := point(typeImage, t.raw, "")
	entry.ArtifactType, entry.Annotations = t.kind, annotations{Tag: t.tag}
	return entry
}

// leads tells whether a tag names the artifact: a release's is its digest, a
// record's its release and the beginning of its own digest.
func leads(tag string, artifact dist.Digest) bool {
	release, _, isRecord := strings.Cut(tag, ".")
	if !isRecord {
		return tag == artifact.Hex()
	}
	d, err := dist.ParseDigest("sha256:" + release)
	return err == nil && tag == recordTag(d, artifact)
}

// artifact reads what an entry leads to, which must be what its tag names.
func (s *Store) artifact(ctx context.Context, entry descriptor, max int64, name string) ([]byte, error) {
	raw, err := s.at.artifact(ctx, entry, max, name)
	if err != nil {
		return nil, err
	}
	if got := dist.Sum(raw); !leads(entry.tag(), got) {
		return nil, tagElsewhere(s.name, entry.tag(), got)
	}
	return raw, nil
}

func refused(file string, id rule.ID, want, got, hint string) error {
	return rule.Refusals{{File: file, Rule: id, Want: want, Got: got, Hint: hint}}
}

func tagElsewhere(store, tag string, got dist.Digest) error {
	return refused(store, rule.StoreTag, "what the tag "+tag+" names", got.String(),
		"somebody moved the tag: see who may write to the store, and put it back from a copy")
}
