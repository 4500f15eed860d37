package staging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Manifest is the release manifest: what is released, from where, by which
// evidence and under which policy. It is plain data. That it is true is proven
// by [Staged] alone.
type Manifest struct {
	Project     string        `json:"project"` // normalised as PEP 503 has it
	Version     string        `json:"version"` // normalised as PEP 440 has it
	Index       string        `json:"index"`
	Environment string        `json:"environment"`
	Source      Source        `json:"source"`
	Hosted      attest.Hosted `json:"hosted"` // what was proven of the machines
	Files       []File        `json:"files"`  // by name
	LeftOut     []LeaveOut    `json:"leftOut"`
	Origin      Origin        `json:"origin"`
	Policy      PolicyLock    `json:"policy"`
	Roots       []dist.Digest `json:"roots"` // the trusted roots that the evidence stands on
}

// Source is what every file was built from, as the builds' certificates say,
// and where that is from.
type Source struct {
	Repository   string    `json:"repository"`   // URI
	RepositoryID string    `json:"repositoryId"` // survives a rename; empty where the issuer says none
	Commit       string    `json:"commit"`
	Ref          string    `json:"ref"`
	Upstream     *Upstream `json:"upstream"` // nil where the policy does not want it asked
}

// File is one distribution of a release.
type File struct {
	Name     string            `json:"name"`
	Kind     dist.Kind         `json:"kind"`
	Digest   dist.Digest       `json:"digest"`
	Size     int64             `json:"size"`     // bytes
	Metadata dist.Digest       `json:"metadata"` // of METADATA or PKG-INFO, which the index is told
	Evidence []attest.Evidence `json:"evidence"` // by bundle digest
}

// PolicyLock names the policy. Its digest is the SHA-256 of what
// `sha256sum FILE…` prints of the files in the order of their names.
type PolicyLock struct {
	Digest dist.Digest      `json:"digest"`
	Files  []PolicyLockFile `json:"files"` // by name
}

// PolicyLockFile is one file of the policy.
type PolicyLockFile struct {
	Name   string      `json:"name"` // path relative to distgate.toml
	Digest dist.Digest `json:"digest"`
	Size   int64       `json:"size"` // bytes
}

func (p PolicyLock) sum() dist.Digest {
	var list strings.Builder
	for _, f := range p.Files {
		fmt.Fprintf(&list, "%s  %s\n", f.Digest.Hex(), f.Name)
	}
	return dist.Sum([]byte(list.String()))
}

const (
	maxManifest = 8 << 20 // bytes; 1,000 files with two bundles each are about 3 MiB
	maxFiles    = 4096
)

// Encode returns the manifest's one encoding: JSON in UTF-8, fields in the
// order above, two blanks of indent, a newline at the end. It fails for what
// is not a manifest of some release.
func (m Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if m.LeftOut == nil {
		m.LeftOut = []LeaveOut{}
	}
	m.Origin = m.Origin.sorted()
	return encode(m, "  ", maxManifest)
}

// Decode reads what [Manifest.Encode] wrote. Any other bytes are refused, and
// so is anything that could not be the manifest of a release.
func Decode(file string, raw []byte) (Manifest, error) {
	return strict(file, rule.ManifestEncoding, raw, maxManifest, Manifest.Encode)
}

func (m Manifest) check() error {
	switch {
	case m.Project == "" || m.Version == "" || m.Index == "" || m.Environment == "":
		return errors.New("no project, version, index or environment")
	case m.Source.Repository == "" || m.Source.Commit == "" || m.Source.Ref == "":
		return errors.New("no source")
	case m.Hosted != attest.Certificate && m.Hosted != attest.EveryJob:
		return errors.New("no answer to whether its runners were hosted")
	case len(m.Files) == 0 || len(m.Files) > maxFiles:
		return fmt.Errorf("%d files", len(m.Files))
	case !ascending(m.Files, func(f File) string { return f.Name }):
		return errors.New("files that are not sorted by name")
	case len(m.Roots) == 0 || !ascending(m.Roots, dist.Digest.Hex):
		return errors.New("no sorted roots")
	}
	if err := errors.Join(m.Policy.check(), m.Origin.check(), m.Source.Upstream.check()); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := f.check(); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func (p PolicyLock) check() error {
	switch {
	case len(p.Files) == 0 || len(p.Files) > maxPolicyFiles:
		return fmt.Errorf("%d policy files", len(p.Files))
	case !ascending(p.Files, func(f PolicyLockFile) string { return f.Name }):
		return errors.New("policy files that are not sorted by name")
	case p.Digest != p.sum():
		return errors.New("another policy digest than its files give")
	}
	return nil
}

func (f File) check() error {
	switch {
	case f.Size <= 0 || f.Size > dist.MaxSize:
		return fmt.Errorf("%d bytes", f.Size)
	case f.Digest.IsZero() || f.Metadata.IsZero():
		return errors.New("no digest of it, or none of its metadata")
	case f.Kind != dist.Wheel && f.Kind != dist.Sdist:
		return errors.New("neither wheel nor sdist")
	case len(f.Evidence) == 0 || !ascending(f.Evidence, func(e attest.Evidence) string { return e.Bundle.Hex() }):
		return errors.New("no evidence sorted by bundle")
	}
	return nil
}

// ascending tells whether the keys are there, sorted, and each only once.
func ascending[T any](list []T, key func(T) string) bool {
	last := ""
	for _, item := range list {
		if key(item) <= last {
			return false
		}
		last = key(item)
	}
	return true
}

// clone shares nothing with m that can be changed.
func (m Manifest) clone() Manifest {
	m.Source.Upstream = m.Source.Upstream.clone()
	m.Files = slices.Clone(m.Files)
	for i := range m.Files {
		m.Files[i].Evidence = slices.Clone(m.Files[i].Evidence)
	}
	m.LeftOut = slices.Clone(m.LeftOut)
	m.Origin.Artifacts, m.Origin.Replaced = slices.Clone(m.Origin.Artifacts), slices.Clone(m.Origin.Replaced)
	m.Policy.Files = slices.Clone(m.Policy.Files)
	m.Roots = slices.Clone(m.Roots)
	return m
}

// encode writes JSON in the one way that this package knows, at most max bytes.
func encode(v any, indent string, max int) ([]byte, error) {
	var raw bytes.Buffer
	to := json.NewEncoder(&raw)
	to.SetEscapeHTML(false)
	to.SetIndent("", indent)
	if err := to.Encode(v); err != nil {
		return nil, err
	}
	if bytes.Contains(raw.Bytes(), []byte(`\ufffd`)) { // what the encoder puts for broken UTF-8
		return nil, errors.New("text that is not UTF-8")
	}
	if raw.Len() > max {
		return nil, fmt.Errorf("%d bytes, more than %d", raw.Len(), max)
	}
	return raw.Bytes(), nil
}

// strict reads a value that has one encoding: decode, encode again, demand the
// same bytes. Everything else is refused under the given rule.
func strict[T any](file string, id rule.ID, raw []byte, max int, encode func(T) ([]byte, error)) (T, error) {
	value, fault := decode(raw, max, encode)
	if fault == "" {
		return value, nil
	}
	var none T
	return none, rule.Refusals{{File: file, Rule: id, Want: "the bytes that distgate wrote", Got: fault,
		Hint: "it was changed or damaged; see `distgate explain " + string(id) + "`"}}
}

func decode[T any](raw []byte, max int, encode func(T) ([]byte, error)) (value T, fault string) {
	switch {
	case len(raw) == 0:
		return value, "nothing"
	case len(raw) > max:
		return value, fmt.Sprintf("more than %d bytes", max)
	}
	from := json.NewDecoder(bytes.NewReader(raw))
	from.DisallowUnknownFields()
	if err := from.Decode(&value); err != nil {
		return value, err.Error()
	}
	again, err := encode(value)
	if err != nil {
		return value, err.Error()
	}
	if !bytes.Equal(raw, again) {
		return value, "another encoding, from " + line(raw, again)
	}
	return value, ""
}

// line names the first line in which two texts differ.
func line(a, b []byte) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return fmt.Sprintf("line %d, byte %d", 1+bytes.Count(a[:n], []byte("\n")), n)
}
