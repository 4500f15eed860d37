package approval_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/attest/sigstoretest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
)

// noon is when the votes of these tests are counted.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// world is a release of one wheel, really signed and staged, and the keys of
// people who may vote on it.
type world struct {
	keys     map[string]ssh.Signer
	policy   approval.Policy
	staged   staging.Staged
	store    *staging.Store
	staging  staging.Policy
	verifier *attest.Verifier
}

// signers is the allowed_signers file of the world. Old and next are Alice's
// too; Dave's key is in the file and Dave is not in the policy.
func signers(keys map[string]ssh.Signer) string {
	var file strings.Builder
	for _, line := range []struct{ principal, options, key string }{
		{"alice@example.org", "", "alice"},
		{"alice@example.org,alice@example.com", "", "alice's token"},
		{"alice@example.org", `,valid-before="20261101Z"`, "alice's old"},
		{"alice@example.org", `,valid-after="20261120110000Z"`, "alice's new"},
		{"alice@example.org", `,valid-after="20261201Z"`, "alice's next"},
		{"bob@example.org", "", "bob"},
		{"carol@example.org", "", "carol"},
		{"dave@example.org", "", "dave"},
	} {
		fmt.Fprintf(&file, "%s namespaces=\"distgate\"%s %s", line.principal, line.options,
			ssh.MarshalAuthorizedKey(keys[line.key].PublicKey()))
	}
	return file.String()
}

func newWorld(t testing.TB, change ...func(*staging.Policy)) *world {
	t.Helper()
	w := &world{keys: map[string]ssh.Signer{}}
	for _, name := range []string{"alice", "alice's old", "alice's new", "alice's next", "bob", "carol", "dave", "mallory"} {
		w.keys[name] = approval.NewKey(t, name)
	}
	w.keys["alice's token"] = approval.NewSecurityKey(t, ssh.KeyAlgoSKED25519)
	file := signers(w.keys)
	allowed, err := approval.ParseAllowedSigners("allowed_signers", strings.NewReader(file))
	check(t, err)
	w.policy = approval.Policy{
		Need: 2, Roads: []approval.Road{approval.Signed}, MaxAge: 7 * 24 * time.Hour, Signers: allowed,
		People: []approval.Person{
			{GitHub: 1, Principals: []string{"alice@example.org", "alice@example.com"}},
			{GitHub: 2, Principals: []string{"bob@example.org"}},
			{GitHub: 3, Principals: []string{"carol@example.org"}},
		},
	}
	build := attest.Workflow("acme/widget", ".github/workflows/release.yml")
	build.Accept = attest.Provenance()
	expected, err := staging.Expect(staging.FileSet{Also: []string{"py3-none-any"}})
	check(t, err)
	w.staging = staging.Policy{
		Project: "widget", Index: "https://upload.pypi.org/legacy/", Environment: "pypi", Build: build, Expected: expected,
		Files: []staging.PolicyFile{
			{Name: "distgate.toml", Raw: []byte("project = \"widget\"\n")},
			{Name: "allowed_signers", Raw: []byte(file)},
		},
	}
	for _, c := range change {
		c(&w.staging)
	}
	w.stage(t)
	return w
}

// theRun is one that nobody on the list started.
var theRun = approval.Run{URL: "https://github.com/acme/widget-release/actions/runs/7", Since: noon.Add(-time.Hour), Starters: []int64{9}}

// stage builds and signs a wheel and takes it in.
func (w *world) stage(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	sigstore, err := sigstoretest.New()
	check(t, err)
	root, err := attest.LoadRoot("trusted_root.json", bytes.NewReader(sigstore.TrustedRoot()))
	check(t, err)
	w.verifier, err = attest.NewVerifier(root)
	check(t, err)
	w.store, err = staging.OpenStore(t.TempDir())
	check(t, err)
	raw := wheel(t)
	f, err := w.store.Blobs().Put(ctx, bytes.NewReader(raw), "widget-1.0-py3-none-any.whl", dist.MaxSize)
	check(t, err)
	info, err := dist.Inspect(bytes.NewReader(raw), f)
	check(t, err)
	claims := sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
	signed, err := sigstore.Sign(claims, sigstoretest.Provenance(claims,
		sigstoretest.Subject{Name: f.Name(), SHA256: f.Digest().Hex()}))
	check(t, err)
	bundles, err := attest.ParseBundles("widget.sigstore.json", bytes.NewReader(signed))
	check(t, err)
	verdict, err := w.verifier.Verify(ctx, w.staging.Build, []attest.Candidate{{File: f, Info: info, Bundles: bundles}})
	check(t, err)
	release, err := staging.Stage(ctx, w.store, w.staging, verdict)
	check(t, err)
	w.staged, err = staging.Open(ctx, w.store, release.Digest, w.staging, w.verifier)
	check(t, err)
}

func wheel(t testing.TB) []byte {
	t.Helper()
	var raw bytes.Buffer
	z := zip.NewWriter(&raw)
	type member struct{ name, content string }
	members := []member{
		{"widget/__init__.py", "print('hello')\n"},
		{"widget-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: widget\nVersion: 1.0\n"},
		{"widget-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	record := ""
	for _, m := range members {
		digest := dist.Sum([]byte(m.content))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", m.name, base64.RawURLEncoding.EncodeToString(digest[:]), len(m.content))
	}
	for _, member := range append(members, member{"widget-1.0.dist-info/RECORD", record}) {
		m, err := z.CreateRaw(&zip.FileHeader{
			Name: member.name, CRC32: crc32.ChecksumIEEE([]byte(member.content)),
			CompressedSize64: uint64(len(member.content)), UncompressedSize64: uint64(len(member.content)),
		})
		check(t, err)
		_, err = m.Write([]byte(member.content))
		check(t, err)
	}
	check(t, z.Close())
	return raw.Bytes()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) review(t testing.TB) approval.Review {
	t.Helper()
	r, err := approval.Show(w.staged, w.policy)
	check(t, err)
	return r
}

// ballot is a vote as its signer means it, before anybody meddles with it. The
// zero value of each field but by is what an honest approver sends.
type ballot struct {
	by        string // a key of the world
	reject    bool
	issued    time.Time     // an hour before noon
	holds     time.Duration // a week
	statement func(*attest.Statement[approval.Vote])
	bytes     func([]byte) []byte // what is signed
	namespace string
	record    func(*staging.Record) // after signing
}

func (w *world) cast(t testing.TB, b ballot) staging.Record {
	t.Helper()
	if b.issued.IsZero() {
		b.issued = noon.Add(-time.Hour)
	}
	if b.holds == 0 {
		b.holds = 7 * 24 * time.Hour
	}
	if b.namespace == "" {
		b.namespace = approval.Namespace
	}
	decision := approval.Approve
	if b.reject {
		decision = approval.Reject
	}
	raw, err := w.review(t).Statement(approval.Opinion{Decision: decision, Issued: b.issued, Holds: b.holds})
	check(t, err)
	if b.statement != nil {
		statement, err := attest.Decode[approval.Vote]("vote", raw, approval.VoteType)
		check(t, err)
		b.statement(&statement)
		raw, err = attest.Encode(statement)
		check(t, err)
	}
	if b.bytes != nil {
		raw = b.bytes(raw)
	}
	signature, err := sshsig.Sign(bytes.NewReader(raw), w.keys[b.by], sshsig.HashSHA512, b.namespace)
	check(t, err)
	r := staging.Record{Kind: approval.RecordKind, Statement: raw, SSHSIG: sshsig.Armor(signature)}
	if b.record != nil {
		b.record(&r)
	}
	return r
}
