package sigstoretest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/distgate/distgate/attest/sigstoretest"
)

const wheel = "widget-1.0-py3-none-any.whl"

var wheelDigest = sha256.Sum256([]byte("a wheel"))

func release() sigstoretest.Claims {
	return sigstoretest.GitHubClaims("acme/widget", ".github/workflows/release.yml", "refs/tags/v1.0")
}

func provenance(c sigstoretest.Claims) []byte {
	digest := hex.EncodeToString(wheelDigest[:])
	return sigstoretest.Provenance(c, sigstoretest.Subject{Name: wheel, SHA256: digest})
}

// instance makes a public-good-like or a GitHub-like Sigstore.
func instance(t testing.TB, make func() (*sigstoretest.Sigstore, error)) *sigstoretest.Sigstore {
	t.Helper()
	s, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verified holds a bundle against an instance with sigstore-go alone.
func verified(
	t testing.TB, s *sigstoretest.Sigstore, raw []byte, demands ...verify.VerifierOption,
) (*verify.VerificationResult, error) {
	t.Helper()
	trusted, err := root.NewTrustedRootFromJSON(s.TrustedRoot())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.NewVerifier(trusted, demands...)
	if err != nil {
		t.Fatal(err)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return verifier.Verify(&b, verify.NewPolicy(
		verify.WithArtifactDigest("sha256", wheelDigest[:]), verify.WithoutIdentitiesUnsafe()))
}

// publicGood is what sigstore-go can demand of a bundle of the public-good instance, and github
// of one of GitHub's.
func publicGood() []verify.VerifierOption {
	return []verify.VerifierOption{
		verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1),
		verify.WithObserverTimestamps(1),
	}
}

func github() []verify.VerifierOption {
	return []verify.VerifierOption{verify.WithSignedTimestamps(1)}
}

func TestSign(t *testing.T) {
	public, private := instance(t, sigstoretest.New), instance(t, sigstoretest.NewGitHub)
	statement := provenance(release())
	person := func(c sigstoretest.Claims, statement []byte) ([]byte, error) {
		return public.SignAs("alice@example.org", "https://accounts.example.org", statement)
	}
	tests := []struct {
		name    string
		sign    func(sigstoretest.Claims, []byte) ([]byte, error)
		by      *sigstoretest.Sigstore
		demands []verify.VerifierOption
		refused string // part of the reason, or nothing
	}{
		{"a job", public.Sign, public, publicGood(), ""},
		{"a person", person, public, publicGood(), ""},
		{"log and timestamp", public.SignTimestamped, public,
			append(publicGood(), verify.WithSignedTimestamps(1)), ""},
		{"a private repository's job", private.Sign, private, github(), ""},
		{"the other instance's root", public.Sign, private, github(), "timestamp"},
		{"another instance of the same name", private.Sign,
			instance(t, sigstoretest.NewGitHub), github(), "timestamp"},

		{"late", public.SignLate, public, publicGood(), "integrated time outside certificate"},
		{"late", private.SignLate, private, github(), "leaf certificate verification failed"},
		{"unlogged", public.SignUnlogged, public, publicGood(), "not enough verified log entries"},
		{"unlogged but timestamped", public.SignUnlogged, public, github(), ""},
		{"untimed", public.SignUntimed, public, publicGood(), "threshold not met"},
		{"untimed", private.SignUntimed, private, github(), "threshold not met"},
		{"without SCT", public.SignWithoutSCT, public, publicGood(), "SCT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw, err := test.sign(release(), statement)
			if err != nil {
				t.Fatal(err)
			}
			_, err = verified(t, test.by, raw, test.demands...)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && err == nil:
				t.Errorf("verified, want a refusal for %q", test.refused)
			case test.refused != "" && !strings.Contains(err.Error(), test.refused):
				t.Errorf("refused for %v, want %q", err, test.refused)
			}
		})
	}
}

// What an instance made concurrently is as good as what it made one by one.
func TestConcurrently(t *testing.T) {
	s := instance(t, sigstoretest.New)
	made := make(chan []byte)
	for range 8 {
		go func() {
			raw, _ := s.Sign(release(), provenance(release()))
			made <- raw
		}()
	}
	for range 8 {
		if _, err := verified(t, s, <-made, publicGood()...); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		instance(b, sigstoretest.New)
	}
}

func BenchmarkSign(b *testing.B) {
	s, c := instance(b, sigstoretest.New), release()
	statement := provenance(c)
	for b.Loop() {
		if _, err := s.Sign(c, statement); err != nil {
			b.Fatal(err)
		}
	}
}
