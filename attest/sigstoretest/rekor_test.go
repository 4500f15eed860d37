package sigstoretest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/distgate/distgate/attest/sigstoretest"
)

// proposed is an entry for Rekor of the statement, signed by the key and with the verifier.
func proposed(t *testing.T, key *ecdsa.PrivateKey, verifier []byte, payload string) []byte {
	t.Helper()
	const kind = "application/vnd.in-toto+json"
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	envelope := encoded(t, map[string]any{
		"payloadType": kind,
		"payload":     []byte(payload),
		"signatures":  []any{map[string]any{"sig": signature}},
	})
	return encoded(t, map[string]any{
		"kind":       "dsse",
		"apiVersion": "0.0.1",
		"spec": map[string]any{"proposedContent": map[string]any{
			"envelope": string(envelope), "verifiers": [][]byte{verifier},
		}},
	})
}

func publicPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

func TestRekor(t *testing.T) {
	entries := serve(t, instance(t, sigstoretest.New)) + "/api/v1/log/entries"
	key := newKey(t, elliptic.P256())
	good := proposed(t, key, publicPEM(t, key), "{}")

	created, body := post(t, entries, "application/json", "", good)
	if created.StatusCode != 201 {
		t.Fatalf("got %d %s, want 201", created.StatusCode, body)
	}
	uuid := created.Header.Get("ETag")
	var logged map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &logged); err != nil || logged[uuid] == nil {
		t.Errorf("answer is %s, want a map with the entry %s", body, uuid)
	}
	if got, want := created.Header.Get("Location"), "/api/v1/log/entries/"+uuid; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}

	tests := []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"an equal entry", good, 409,
			"an equivalent entry already exists in the transparency log with UUID " + uuid},
		{"another's key", proposed(t, key, publicPEM(t, newKey(t, elliptic.P256())), "{}"), 400,
			"error processing entry: could not verify envelope"},
		{"no PEM", proposed(t, key, []byte("x"), "{}"), 400,
			"error processing entry: could not parse public key"},
		{"changed payload", bytes.Replace(good, []byte("e30="), []byte("W10="), 1), 400,
			"error processing entry: could not verify envelope"},
		{"another kind", []byte(`{"kind":"rekord","apiVersion":"0.0.1","spec":{}}`), 400,
			"error processing entry: "},
		{"no envelope", []byte(`{"kind":"dsse","apiVersion":"0.0.1","spec":{}}`), 400,
			"proposedContent is missing"},
		{"no signature", []byte(
			`{"kind":"dsse","apiVersion":"0.0.1","spec":{"proposedContent":{"envelope":"{}"}}}`), 400,
			"DSSE envelope must contain 1 or more signatures"},
		{"not JSON", []byte(`{`), 400, "parsing proposedEntry body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, body := post(t, entries, "application/json", "", test.body)
			var got struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("answer %s: %v", body, err)
			}
			if response.StatusCode != test.status || got.Code != test.status ||
				!strings.Contains(got.Message, test.want) {
				t.Errorf("got %d %s, want %d … %s", response.StatusCode, body, test.status, test.want)
			}
		})
	}
}

func TestNoLog(t *testing.T) {
	url := serve(t, instance(t, sigstoretest.NewGitHub))
	response, _ := post(t, url+"/api/v1/log/entries", "application/json", "", []byte("{}"))
	if response.StatusCode != 404 {
		t.Errorf("an instance without a log answers %d, want 404", response.StatusCode)
	}
}

// loggedEntry is what Rekor says of an entry.
type loggedEntry struct {
	Body         []byte
	LogIndex     uint64
	Verification struct {
		InclusionProof struct {
			Hashes   []string
			LogIndex uint64
			RootHash string
			TreeSize uint64
		}
	}
}

// Signing over HTTP and Sign share the log, and every entry stays provable while it grows.
func TestLogGrows(t *testing.T) {
	const size = 11
	s := instance(t, sigstoretest.New)
	url := serve(t, s)
	for range size {
		if _, err := s.Sign(release(), provenance(release())); err != nil {
			t.Fatal(err)
		}
	}
	var head struct {
		RootHash       string
		SignedTreeHead string
		TreeSize       uint64
	}
	if status := get(t, url+"/api/v1/log", &head); status != 200 || head.TreeSize != size {
		t.Fatalf("log answers %d with a tree of %d, want %d", status, head.TreeSize, size)
	}
	for index := range uint64(size) {
		var found map[string]loggedEntry
		get(t, fmt.Sprintf("%s/api/v1/log/entries?logIndex=%d", url, index), &found)
		for uuid, e := range found {
			p := e.Verification.InclusionProof
			if e.LogIndex != index || p.LogIndex != index || p.RootHash != head.RootHash {
				t.Errorf("entry %d is %d in the log, %d in the tree of root %s",
					index, e.LogIndex, p.LogIndex, p.RootHash)
			}
			hashes := make([][]byte, len(p.Hashes))
			for i, h := range p.Hashes {
				hashes[i] = unhex(t, h)
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(e.Body)
			err := proof.VerifyInclusion(
				rfc6962.DefaultHasher, index, size, leaf, hashes, unhex(t, head.RootHash))
			if err != nil {
				t.Errorf("entry %d: %v", index, err)
			}
			var same map[string]loggedEntry
			get(t, url+"/api/v1/log/entries/"+uuid, &same)
			if diff := cmp.Diff(found, same); diff != "" {
				t.Errorf("entry %d by index (-) and by id (+):\n%s", index, diff)
			}
		}
		if len(found) != 1 {
			t.Errorf("%d entries at %d", len(found), index)
		}
	}
	for _, unknown := range []string{"?logIndex=11", "?logIndex=-1", "/" + strings.Repeat("ab", 32)} {
		if status := get(t, url+"/api/v1/log/entries"+unknown, nil); status != 404 {
			t.Errorf("%s: got %d, want 404", unknown, status)
		}
	}
	if status := get(t, url+"/api/v1/log/entries/abc", nil); status != 422 {
		t.Errorf("malformed id: got %d, want 422", status)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
