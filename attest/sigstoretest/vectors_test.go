package sigstoretest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/distgate/distgate/attest/sigstoretest"
)

// A realBundle is one that actions/attest made on GitHub.
type realBundle struct {
	VerificationMaterial struct {
		TlogEntries []struct{ CanonicalizedBody []byte }
	}
	DSSEEnvelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig   []byte `json:"sig"`
			KeyID string `json:"keyid"`
		} `json:"signatures"`
	}
}

func realOne(t *testing.T, attestation string) (realBundle, *x509.Certificate) {
	t.Helper()
	dir := os.Getenv("DISTGATE_VECTORS")
	if dir == "" {
		t.Skip("DISTGATE_VECTORS is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "sigstore-go/github-instance",
		"actions-attest-build-provenance-attestation-"+attestation+".sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	var b realBundle
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	return b, leaf(t, raw)
}

// claimed are the claims that a job must have made to get the extensions.
func claimed(ext map[int]string) sigstoretest.Claims {
	name := func(n int) string { return strings.TrimPrefix(ext[n], "https://github.com/") }
	run := strings.Split(name(21), "/") // owner name "actions" "runs" id "attempts" number
	return sigstoretest.Claims{
		Issuer: ext[8], Subject: ext[24],
		Repository: name(12), RepositoryID: ext[15],
		RepositoryOwner: name(16), RepositoryOwnerID: ext[17], RepositoryVisibility: ext[22],
		SHA: ext[13], Ref: ext[14], EventName: ext[20],
		Workflow: ext[4], WorkflowRef: name(18), WorkflowSHA: ext[19],
		JobWorkflowRef: name(9), JobWorkflowSHA: ext[10],
		RunID: run[4], RunAttempt: run[6], RunnerEnvironment: ext[11], Environment: ext[23],
	}
}

// The same claims give the certificate and the provenance that they gave on GitHub.
func TestLikeTheRealOnes(t *testing.T) {
	tests := []struct {
		attestation string
		make        func() (*sigstoretest.Sigstore, error)
	}{
		{"13532655", sigstoretest.New}, // by the public-good instance
		{"13739985", sigstoretest.NewGitHub},
	}
	for _, test := range tests {
		t.Run(test.attestation, func(t *testing.T) {
			b, certificate := realOne(t, test.attestation)
			extensions := fulcioExtensions(t, certificate)
			c := claimed(extensions)

			var statement struct {
				Subject []struct {
					Name   string
					Digest struct{ SHA256 string }
				}
			}
			if err := json.Unmarshal(b.DSSEEnvelope.Payload, &statement); err != nil {
				t.Fatal(err)
			}
			subject := statement.Subject[0]
			got := sigstoretest.Provenance(c,
				sigstoretest.Subject{Name: subject.Name, SHA256: subject.Digest.SHA256})
			if diff := cmp.Diff(string(b.DSSEEnvelope.Payload), string(got)); diff != "" {
				t.Errorf("provenance (-real +ours):\n%s", diff)
			}

			raw, err := instance(t, test.make).Sign(c, got)
			if err != nil {
				t.Fatal(err)
			}
			ours := leaf(t, raw)
			if diff := cmp.Diff(extensions, fulcioExtensions(t, ours)); diff != "" {
				t.Errorf("extensions (-real +ours):\n%s", diff)
			}
			// Keys, times and numbers differ, and signatures are of another curve.
			if diff := cmp.Diff(plain(certificate), plain(ours)); diff != "" {
				t.Errorf("certificate (-real +ours):\n%s", diff)
			}
		})
	}
}

// A plainCertificate is what does not differ between two certificates for the same claims.
type plainCertificate struct {
	Issuer, Subject string
	SAN, Layout     []string
	KeyUsage        x509.KeyUsage
	ExtKeyUsage     []x509.ExtKeyUsage
	Lifetime        string
}

func plain(c *x509.Certificate) plainCertificate {
	p := plainCertificate{
		Issuer: c.Issuer.String(), Subject: c.Subject.String(), SAN: uris(c),
		KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage,
		Lifetime: c.NotAfter.Sub(c.NotBefore).String(),
	}
	for _, e := range c.Extensions {
		critical := ""
		if e.Critical {
			critical = " critical"
		}
		p.Layout = append(p.Layout, e.Id.String()+critical)
	}
	return p
}

// Rekor logs of a real envelope, sent as actions/attest sends it, what the real Rekor logged.
func TestRekorLogsLikeTheRealOne(t *testing.T) {
	b, certificate := realOne(t, "13532655")
	verifier := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	url := serve(t, instance(t, sigstoretest.New)) + "/api/v1/log/entries"
	_, answer := post(t, url, "application/json", "", encoded(t, map[string]any{
		"kind":       "dsse",
		"apiVersion": "0.0.1",
		"spec": map[string]any{"proposedContent": map[string]any{
			"envelope":  string(encoded(t, b.DSSEEnvelope)),
			"verifiers": [][]byte{verifier},
		}},
	}))
	var entries map[string]loggedEntry
	if err := json.Unmarshal([]byte(answer), &entries); err != nil || len(entries) != 1 {
		t.Fatalf("%v: %s", err, answer)
	}
	want := string(b.VerificationMaterial.TlogEntries[0].CanonicalizedBody)
	for _, e := range entries {
		if diff := cmp.Diff(want, string(e.Body)); diff != "" {
			t.Errorf("entry (-real +ours):\n%s", diff)
		}
	}
}
