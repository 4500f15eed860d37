package publish_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/githubtest"
)

func noEnvironment() githubtest.Claims {
	return githubtest.ReleaseJob("acme/widget", "release.yml", "refs/tags/v1.0", "")
}

func (w *world) release() staging.Release {
	staged := w.approved.Staged()
	return staging.Release{Digest: staged.Digest(), Manifest: staged.Manifest()}
}

// receipts are those that are believed, of the world's publisher or another.
func (w *world) receipts(other ...publish.Publisher) []publish.Believed {
	w.t.Helper()
	believed, _, err := publish.Receipts(context.Background(), w.store, w.release(), append(other, w.publisher())[0], w.verifier)
	w.must(err)
	return believed
}

// forget takes all records out of the store, as whoever can write to it may.
func (w *world) forget() {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.dir, "index.json"), w.bare, 0o644))
}

// plant signs a statement as a job with these claims would, and stores it.
func (w *world) plant(claims githubtest.Claims, statement attest.Statement[publish.Receipt], change ...func(*staging.Record)) {
	w.t.Helper()
	raw, err := attest.Encode(statement)
	w.must(err)
	bundle, err := w.job(claims).Signer.Sign(context.Background(), "receipt", raw)
	w.must(err)
	record := staging.Record{Kind: publish.ReceiptKind, Statement: raw, Bundle: bundle.Raw()}
	for _, c := range change {
		c(&record)
	}
	w.must(w.store.Attach(context.Background(), w.release().Digest, record))
}

// honest is the receipt that the publishing job would write.
func (w *world) honest() attest.Statement[publish.Receipt] {
	m := w.release().Manifest
	receipt := publish.Receipt{Index: m.Index, Project: m.Project, Version: m.Version}
	for _, f := range m.Files {
		receipt.Files = append(receipt.Files, publish.ReceiptFile{Name: f.Name, Digest: f.Digest, Size: f.Size,
			URL: "https://files.example/" + f.Name, Attestation: dist.Sum([]byte(f.Name))})
	}
	return attest.Statement[publish.Receipt]{Name: "widget-1.0", Subject: w.release().Digest, Type: publish.ReceiptType, Predicate: receipt}
}

// forged is a bundle with a certificate that nobody issued but that names the
// issuer of the real one.
func forged(t *testing.T, bundle []byte) []byte {
	t.Helper()
	var whole map[string]any
	err := json.Unmarshal(bundle, &whole)
	material := whole["verificationMaterial"].(map[string]any)
	der, err2 := base64.StdEncoding.DecodeString(material["certificate"].(map[string]any)["rawBytes"].(string))
	real, err3 := x509.ParseCertificate(der)
	key, err4 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	self := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	parent := &x509.Certificate{SubjectKeyId: []byte("nobody"),
		Subject: pkix.Name{Organization: real.Issuer.Organization, CommonName: "nobody"}}
	der, err = x509.CreateCertificate(rand.Reader, self, parent, key.Public(), key)
	material["certificate"] = map[string]any{"rawBytes": der}
	raw, err2 := json.Marshal(whole)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return raw
}

// A receipt is believed for its signer, and for nothing else.
func TestReceipts(t *testing.T) {
	type statement = attest.Statement[publish.Receipt]
	says := func(change func(*publish.Receipt)) func(*statement) {
		return func(s *statement) { change(&s.Predicate) }
	}
	selfHosted := job()
	selfHosted.RunnerEnvironment = "self-hosted"
	for _, test := range []struct {
		name    string
		claims  githubtest.Claims
		change  func(*statement)
		record  func(*staging.Record)
		refused rule.ID
	}{
		{name: "of the publishing job", claims: job()},
		{name: "of another workflow", claims: githubtest.ReleaseJob("acme/widget", "test.yml", "refs/tags/v1.0", "release"), refused: rule.IdentityWorkflow},
		{name: "of another repository", claims: githubtest.ReleaseJob("mallory/widget", "release.yml", "refs/tags/v1.0", "release"), refused: rule.IdentityRepository},
		{name: "of a branch", claims: githubtest.ReleaseJob("acme/widget", "release.yml", "refs/heads/evil", "release"), refused: rule.IdentityRef},
		{name: "of a job without the environment", claims: noEnvironment(), refused: rule.IdentityEnvironment},
		{name: "of a self-hosted runner", claims: selfHosted, refused: rule.IdentityRunner},
		{name: "for another release", claims: job(), change: func(s *statement) { s.Subject = dist.Sum([]byte("x")) }, refused: rule.SubjectMissing},
		{name: "of another type", claims: job(), change: func(s *statement) { s.Type = "https://example.org/x" }, refused: rule.SubjectMissing},
		{name: "for another index", claims: job(), change: says(func(r *publish.Receipt) { r.Index = "pypi" }), refused: rule.ReceiptRecord},
		{name: "for another version", claims: job(), change: says(func(r *publish.Receipt) { r.Version = "2.0" }), refused: rule.ReceiptRecord},
		{name: "for a part", claims: job(), change: says(func(r *publish.Receipt) { r.Files = r.Files[:1] }), refused: rule.ReceiptRecord},
		{name: "for nothing", claims: job(), change: says(func(r *publish.Receipt) { r.Files = nil }), refused: rule.ReceiptRecord},
		{name: "for other bytes", claims: job(), change: says(func(r *publish.Receipt) { r.Files[0].Digest = dist.Sum([]byte("x")) }), refused: rule.ReceiptRecord},
		{name: "beside another statement", claims: job(), record: func(r *staging.Record) {
			r.Statement = bytes.Replace(r.Statement, []byte("files.example"), []byte("evil.example"), 1)
		}, refused: rule.ReceiptRecord},
		{name: "with a signature cut off", claims: job(), record: func(r *staging.Record) { r.Bundle = r.Bundle[:100] }, refused: rule.BundleMalformed},
		{name: "with two signatures", claims: job(), record: func(r *staging.Record) {
			r.Bundle = append(append(r.Bundle, '\n'), r.Bundle...)
		}, refused: rule.ReceiptRecord},
		{name: "with a certificate as if of a newer root", claims: job(), record: func(r *staging.Record) {
			r.Bundle = forged(t, r.Bundle)
		}, refused: rule.ReceiptRecord},
		{name: "with an SSH signature", claims: job(), record: func(r *staging.Record) { r.Bundle, r.SSHSIG = nil, []byte("x") }, refused: rule.BundleMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.honest()
			if test.change != nil {
				test.change(&s)
			}
			if test.record == nil {
				test.record = func(*staging.Record) {}
			}
			w.plant(test.claims, s, test.record)
			believed, no, err := publish.Receipts(context.Background(), w.store, w.release(), w.publisher(), w.verifier)
			w.must(err)
			if test.refused == "" {
				if len(no) != 0 || len(believed) != 1 || !strings.HasSuffix(believed[0].Signer.Run, "/attempts/1") {
					t.Errorf("got %+v, refused %v", believed, no)
				}
				return
			}
			if len(believed) != 0 || len(no) == 0 || no[0].Rule != test.refused {
				t.Errorf("got %+v, refused %v, want %s", believed, no, test.refused)
			}
		})
	}
}

// A planted receipt does not keep a release from being published, and an
// honest one does not make up for files that are not there.
func TestAReceiptIsNotTheIndex(t *testing.T) {
	t.Run("planted", func(t *testing.T) {
		w := newWorld(t)
		w.plant(noEnvironment(), w.honest())
		_, err := w.publish()
		w.must(err)
		if w.requests("POST /legacy/") != 2 {
			t.Error("the files were not sent")
		}
	})
	t.Run("planted with a certificate as if of a newer root", func(t *testing.T) {
		w := newWorld(t)
		w.plant(job(), w.honest(), func(r *staging.Record) { r.Bundle = forged(t, r.Bundle) })
		_, err := w.publish()
		w.must(err)
		if w.requests("POST /legacy/") != 2 || len(w.receipts()) != 1 {
			t.Error("the files were not sent, or have no receipt")
		}
	})
	t.Run("honest", func(t *testing.T) {
		w := newWorld(t)
		w.plant(job(), w.honest())
		_, err := w.publish()
		refused(t, err, rule.ServedMissing, rule.ServedMissing)
		if w.requests("POST ") != 0 {
			t.Error("something was sent")
		}
	})
}

// What a job leaves besides its receipt: a summary for others, and each later
// time that it looked.
func TestWhatAJobLeaves(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		_, err := w.publish()
		w.must(err)
	}
	release := w.approved.Staged().Digest()
	for kind, says := range map[string][]string{
		publish.ReceiptKind:      {publish.ReceiptType, release.Hex()},
		publish.ConfirmationKind: {publish.ConfirmationType, release.Hex()},
		publish.SummaryKind: {attest.SummaryType, release.Hex(), dist.Sum(wheel("1.0")).Hex(), "PASSED", "SLSA_BUILD_LEVEL_2",
			"pkg:pypi/widget@1.0", "https://github.com/acme/widget/.github/workflows/release.yml"},
	} {
		records, malformed, err := w.store.Records(t.Context(), release, kind)
		w.must(err)
		if len(records) != 1 || len(malformed) != 0 {
			t.Fatalf("%d records of kind %s, and %v", len(records), kind, malformed)
		}
		for _, text := range says {
			if !bytes.Contains(records[0].Statement, []byte(text)) {
				t.Errorf("the %s does not say %s: %s", kind, text, records[0].Statement)
			}
		}
	}
}
