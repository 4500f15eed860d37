package staging

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/staging/dist"
)

// Media types: OCI image-spec 1.1's, and those of what distgate puts in.
const (
	typeIndex = "application/vnd.oci.image.index.v1+json"
	typeImage = "application/vnd.oci.image.manifest.v1+json"
	typeEmpty = "application/vnd.oci.empty.v1+json"

	typeRelease   = "application/vnd.distgate.release.v1"       // artifact type
	typeHolding   = "application/vnd.distgate.holding.v1"       // artifact type: see holding
	typeHeld      = "application/vnd.distgate.release.v1+json"  // its config: a release's image manifest, as a blob
	typeManifest  = "application/vnd.distgate.manifest.v1+json" // a release's config
	typeWheel     = "application/vnd.distgate.wheel.v1+zip"
	typeSdist     = "application/vnd.distgate.sdist.v1.tar+gzip"
	typeBundle    = "application/vnd.distgate.bundle.v1+json" // Sigstore bundle or PEP 740 attestation
	typePolicy    = "application/vnd.distgate.policy.v1"
	typeSSHSIG    = "application/vnd.distgate.sshsig.v1"
	typeStatement = "application/vnd.in-toto+json"
)

// descriptor points to a blob. Fields stand in the order of image-spec's own
// Go types.
type descriptor struct {
	MediaType    string      `json:"mediaType"`
	Digest       dist.Digest `json:"digest"`
	Size         int64       `json:"size"`
	Annotations  annotations `json:"annotations,omitzero"`
	ArtifactType string      `json:"artifactType,omitempty"`
}

type annotations struct {
	Tag   string `json:"org.opencontainers.image.ref.name,omitempty"` // in index.json
	Title string `json:"org.opencontainers.image.title,omitempty"`    // of a layer
}

// image is an OCI image manifest that carries an artifact.
type image struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	Subject       descriptor   `json:"subject,omitzero"`
}

// maxImage is the size of the largest image manifest, in bytes; registries take
// no larger one.
const maxImage = 4 << 20

func newImage(artifactType string, config descriptor, layers ...descriptor) image {
	return image{SchemaVersion: 2, MediaType: typeImage, ArtifactType: artifactType, Config: config, Layers: layers}
}

// encode returns the one encoding: compact JSON, a newline at the end.
func (m image) encode() ([]byte, error) {
	if m.SchemaVersion != 2 || m.MediaType != typeImage || len(m.Layers) == 0 {
		return nil, errors.New("no image manifest with layers")
	}
	return encode(m, "", maxImage)
}

// index is index.json.
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"` // by tag
}

// maxIndex is the size of the largest index.json, in bytes: some 40,000 records.
const maxIndex = 16 << 20

func newIndex() index {
	return index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{}}
}

func (x index) encode() ([]byte, error) {
	if x.SchemaVersion != 2 || x.MediaType != typeIndex || x.Manifests == nil {
		return nil, errors.New("no image index")
	}
	if !ascending(x.Manifests, descriptor.tag) {
		return nil, errors.New("entries that are not sorted by tag")
	}
	if slices.ContainsFunc(x.Manifests, func(d descriptor) bool { return !isTag(d.tag()) }) {
		return nil, errors.New("a tag that is none")
	}
	return encode(x, "", maxIndex)
}

// words are the descriptor as a refusal shows it.
func (d descriptor) words() string {
	return fmt.Sprintf("%s, %d bytes, %s%s", d.MediaType, d.Size, d.Digest, d.Annotations.Title+d.ArtifactType)
}

// isTag is distribution-spec's [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func isTag(s string) bool {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	return s != "" && len(s) <= 128 && strings.Trim(s, alphabet) == "" && s[0] != '.' && s[0] != '-'
}

func (d descriptor) tag() string { return d.Annotations.Tag }

// find returns the entry under a tag.
func (x index) find(tag string) (descriptor, bool) {
	i, ok := slices.BinarySearchFunc(x.Manifests, tag, byTag)
	if !ok {
		return descriptor{}, false
	}
	return x.Manifests[i], true
}

// with returns the index with one more entry.
func (x index) with(entry descriptor) index {
	i, _ := slices.BinarySearchFunc(x.Manifests, entry.tag(), byTag)
	x.Manifests = slices.Insert(slices.Clone(x.Manifests), i, entry)
	return x
}

func byTag(d descriptor, tag string) int { return strings.Compare(d.tag(), tag) }

// releases returns the entries whose tags are a release's.
func (x index) releases() (list []descriptor) {
	for _, entry := range x.Manifests {
		if _, err := dist.ParseDigest("sha256:" + entry.tag()); err == nil {
			list = append(list, entry)
		}
	}
	return list
}

// under returns the entries whose tags begin so.
func (x index) under(prefix string) (list []descriptor) {
	i, _ := slices.BinarySearchFunc(x.Manifests, prefix, byTag)
	for _, entry := range x.Manifests[i:] {
		if !strings.HasPrefix(entry.tag(), prefix) {
			break
		}
		list = append(list, entry)
	}
	return list
}
