package staging

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// world is a project that builds, a Sigstore that its build signs with, and a
// release repository with a policy.
type world struct {
	verifier *attest.Verifier
	sigstore *sigstoretest.Sigstore
	claims   sigstoretest.Claims
	policy   Policy
	empty    func(testing.TB) *Store
}

func newWorld(t testing.TB) world {
	t.Helper()
	s, err := sigstoretest.New()
	check(t, err)
	v, err := attest.NewVerifier(rootOf(t, s))
	check(t, err)
	build := attest.Workflow("acme/widget", ".github/workflows/release.yml")
	expected, err := Expect(FileSet{Sdist: true, Also: []string{"py3-any", "cp313-musllinux_x86_64"}})
	check(t, err)
	return world{v, s, sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0"), Policy{
		Project: "widget", Index: "https://upload.pypi.org/legacy/", Environment: "pypi", Build: build, Expected: expected,
		Files: []PolicyFile{
			{"keys/allowed_signers", []byte("alice@example.org ssh-ed25519 AAAA\n")},
			{"distgate.toml", []byte("project = \"widget\"\n")},
		},
	}, emptyStore}
}

func rootOf(t testing.TB, s *sigstoretest.Sigstore) attest.Root {
	t.Helper()
	root, err := attest.LoadRoot("trusted_root.json", bytes.NewReader(s.TrustedRoot()))
	check(t, err)
	return root
}

func emptyStore(t testing.TB) *Store {
	t.Helper()
	s, err := OpenStore(t.TempDir())
	check(t, err)
	return s
}

// built is one file as the build made it.
type built struct {
	name string
	raw  []byte
}

const metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n"

// wheelOf is a small valid wheel for the tags, such as "py3-none-any".
func wheelOf(t testing.TB, project, version, tags string) built {
	t.Helper()
	info := project + "-" + version + ".dist-info/"
	var raw bytes.Buffer
	z := zip.NewWriter(&raw)
	members := [][2]string{
		{project + "/__init__.py", "tags = " + fmt.Sprintf("%q\n", tags)},
		{info + "METADATA", fmt.Sprintf(metadata, project, version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: " + tags + "\n"},
	}
	for _, file := range append(members, [2]string{info + "RECORD", record(members)}) {
		w, err := z.CreateRaw(&zip.FileHeader{Name: file[0], CRC32: crc32.ChecksumIEEE([]byte(file[1])),
			UncompressedSize64: uint64(len(file[1])), CompressedSize64: uint64(len(file[1]))})
		check(t, err)
		_, err = io.WriteString(w, file[1])
		check(t, err)
	}
	check(t, z.Close())
	return built{project + "-" + version + "-" + tags + ".whl", raw.Bytes()}
}

// record is RECORD without a line for itself, which it need not have.
func record(members [][2]string) (lines string) {
	for _, m := range members {
		digest := dist.Sum([]byte(m[1]))
		lines += fmt.Sprintf("%s,sha256=%s,%d\n", m[0], base64.RawURLEncoding.EncodeToString(digest[:]), len(m[1]))
	}
	return lines
}

// sdistOf is a small valid sdist.
func sdistOf(t testing.TB, project, version string) built {
	t.Helper()
	var raw bytes.Buffer
	g := gzip.NewWriter(&raw)
	w := tar.NewWriter(g)
	for _, file := range [][2]string{
		{"PKG-INFO", fmt.Sprintf(metadata, project, version)},
		{"pyproject.toml", "[build-system]\nrequires = []\n"},
	} {
		check(t, w.WriteHeader(&tar.Header{Name: project + "-" + version + "/" + file[0], Mode: 0o644, Size: int64(len(file[1]))}))
		_, err := io.WriteString(w, file[1])
		check(t, err)
	}
	check(t, errors.Join(w.Close(), g.Close()))
	return built{project + "-" + version + ".tar.gz", raw.Bytes()}
}

func release(t testing.TB) []built {
	return []built{
		wheelOf(t, "widget", "1.0", "py3-none-any"),
		sdistOf(t, "widget", "1.0"),
		wheelOf(t, "widget", "1.0", "cp313-cp313-musllinux_1_2_x86_64"),
	}
}

// attested takes a file into the store, with the bundle that a job with the
// claims made for it.
func (w world) attested(t testing.TB, s *Store, c sigstoretest.Claims, b built) attest.Candidate {
	t.Helper()
	return w.signed(t, s, c, b, sigstoretest.Provenance(c, sigstoretest.Subject{Name: b.name, SHA256: dist.Sum(b.raw).Hex()}))
}

func (w world) signed(t testing.TB, s *Store, c sigstoretest.Claims, b built, statement []byte) attest.Candidate {
	t.Helper()
	raw, err := w.sigstore.Sign(c, statement)
	check(t, err)
	bundles, err := attest.ParseBundles(b.name+".sigstore.json", bytes.NewReader(raw))
	check(t, err)
	return candidate(t, s, b, bundles...)
}

// candidate takes a file into the store and opens it.
func candidate(t testing.TB, s *Store, b built, bundles ...attest.Bundle) attest.Candidate {
	t.Helper()
	f, err := s.Blobs().Put(t.Context(), bytes.NewReader(b.raw), b.name, dist.MaxSize)
	check(t, err)
	info, err := dist.Inspect(bytes.NewReader(b.raw), f)
	check(t, err)
	return attest.Candidate{File: f, Info: info, Bundles: bundles}
}

func (w world) candidates(t testing.TB, s *Store, files ...built) (list []attest.Candidate) {
	t.Helper()
	for _, b := range files {
		list = append(list, w.attested(t, s, w.claims, b))
	}
	return list
}

func (w world) verdict(t testing.TB, list ...attest.Candidate) attest.Verdict {
	t.Helper()
	v, err := w.verifier.Verify(t.Context(), w.policy.Build, list)
	check(t, err)
	return v
}

// staged is a whole release in a store of its own.
func (w world) staged(t testing.TB) (*Store, Release) {
	t.Helper()
	s := w.empty(t)
	staged, err := Stage(t.Context(), s, w.policy, w.verdict(t, w.candidates(t, s, release(t)...)...))
	check(t, err)
	return s, staged
}

func (w world) open(t testing.TB, s *Store, release dist.Digest) (Staged, error) {
	t.Helper()
	return Open(t.Context(), s, release, w.policy, w.verifier)
}

func folderOf(s *Store) *folder { return s.at.(*folder) }

func dirOf(s *Store) string { return folderOf(s).dir }

func (s *Store) blobPath(d dist.Digest) string {
	return filepath.Join(dirOf(s), "blobs", "sha256", d.Hex())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusedBy demands a refusal by one rule, of one file, that says all the words.
func refusedBy(t testing.TB, err error, file string, id rule.ID, words ...string) {
	t.Helper()
	var no rule.Refusals
	if !errors.As(err, &no) {
		t.Errorf("got %v, want a refusal by %s", err, id)
		return
	}
	for _, r := range no {
		if r.Rule != id || !strings.Contains(r.File, file) {
			continue
		}
		if r.Want == "" || r.Got == "" || r.Hint == "" {
			t.Errorf("a refusal with a gap: %+v", r)
		}
		for _, word := range words {
			if !strings.Contains(r.Error(), word) {
				t.Errorf("got %q, want the word %q in it", r.Error(), word)
			}
		}
		return
	}
	t.Errorf("got %v, want %s refused by %s", err, file, id)
}

func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	check(t, os.WriteFile(path, raw, 0o644))
}
