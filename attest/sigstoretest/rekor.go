package sigstoretest

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	sigdsse "github.com/sigstore/sigstore/pkg/signature/dsse"
)

// maxEntry is how much of a proposed entry is read, in bytes.
const maxEntry = 32 << 20

// A proposal is an envelope that somebody wants in the log, as the text that it came in as, and
// the certificates or keys (PEM) that its signatures are to be verified with.
type proposal struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Spec       struct {
		ProposedContent *struct {
			Envelope  string   `json:"envelope"`
			Verifiers [][]byte `json:"verifiers"`
		} `json:"proposedContent"`
	} `json:"spec"`
}

// A signedBy is a signature, in base64 as in its envelope, and the PEM of what verifies it.
type signedBy struct {
	Signature string `json:"signature"`
	Verifier  []byte `json:"verifier"`
}

// dsseEntry is what Rekor logs of an envelope, of kind dsse 0.0.1: hashes of the envelope as it
// came in and of its payload, and the signatures. Its canonical JSON (RFC 8785) is the plain
// encoding of these members in this order.
func dsseEntry(envelope, payload []byte, signatures ...signedBy) ([]byte, error) {
	type hash struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
	type spec struct {
		EnvelopeHash hash       `json:"envelopeHash"`
		PayloadHash  hash       `json:"payloadHash"`
		Signatures   []signedBy `json:"signatures"`
	}
	sha := func(b []byte) hash {
		sum := sha256.Sum256(b)
		return hash{"sha256", hex.EncodeToString(sum[:])}
	}
	slices.SortFunc(signatures, func(a, b signedBy) int {
		return strings.Compare(a.Signature, b.Signature)
	})
	return json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       spec   `json:"spec"`
	}{"0.0.1", "dsse", spec{sha(envelope), sha(payload), signatures}})
}

// body verifies the proposal and returns what is to be logged of it.
func (p proposal) body() ([]byte, error) {
	if p.Kind != "dsse" || p.APIVersion != "0.0.1" {
		return nil, fmt.Errorf("only dsse 0.0.1 is logged here, not %q %q", p.Kind, p.APIVersion)
	}
	content := p.Spec.ProposedContent
	if content == nil {
		return nil, errors.New("proposedContent is missing")
	}
	var envelope dsse.Envelope
	if err := json.Unmarshal([]byte(content.Envelope), &envelope); err != nil {
		return nil, err
	}
	if len(envelope.Signatures) == 0 {
		return nil, errors.New("DSSE envelope must contain 1 or more signatures")
	}
	signatures, err := verifyEnvelope(&envelope, content.Verifiers)
	if err != nil {
		return nil, err
	}
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return nil, err
	}
	return dsseEntry([]byte(content.Envelope), payload, signatures...)
}

// verifyEnvelope returns the envelope's signatures with what verifies them. Each verifier must
// verify one of them, and each of them must be verified.
func verifyEnvelope(envelope *dsse.Envelope, verifiers [][]byte) ([]signedBy, error) {
	by := make(map[string][]byte)
	for _, raw := range verifiers {
		key, canonical, err := parseVerifier(raw)
		if err != nil {
			return nil, fmt.Errorf("could not parse public key as x509: %w", err)
		}
		verifier, err := signature.LoadVerifier(key, crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("could not load verifier: %w", err)
		}
		one, err := dsse.NewEnvelopeVerifier(&sigdsse.VerifierAdapter{SignatureVerifier: verifier})
		if err != nil {
			return nil, fmt.Errorf("could not use public key as a dsse verifier: %w", err)
		}
		accepted, err := one.Verify(context.Background(), envelope)
		if err != nil {
			return nil, fmt.Errorf("could not verify envelope: %w", err)
		}
		for _, a := range accepted {
			by[a.Sig.Sig] = canonical
		}
	}
	var out []signedBy
	for _, s := range envelope.Signatures {
		verifier, verified := by[s.Sig]
		if !verified {
			return nil, errors.New("all signatures must have a key that verifies it")
		}
		out = append(out, signedBy{s.Sig, verifier})
	}
	return out, nil
}

// parseVerifier reads a certificate or a public key and returns its key and its own PEM.
func parseVerifier(raw []byte) (key crypto.PublicKey, canonical []byte, err error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, nil, errors.New("no PEM")
	}
	canonical = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	if block.Type == "CERTIFICATE" {
		certificates, err := cryptoutils.UnmarshalCertificatesFromPEM(canonical)
		if err != nil {
			return nil, nil, err
		}
		return certificates[0].PublicKey, canonical, nil
	}
	key, err = cryptoutils.UnmarshalPEMToPublicKey(canonical)
	return key, canonical, err
}

// serveCreate logs an entry: 201 and the entry, 409 where the log has an equal one already.
func (l *merkleLog) serveCreate(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEntry))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	var p proposal
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		message := fmt.Sprintf("parsing proposedEntry body from \"\" failed, because %v", err)
		refuse(w, http.StatusBadRequest, message)
		return
	}
	body, err := p.body()
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("error processing entry: %v", err))
		return
	}
	logged, added, err := l.add(body, time.Now())
	if err != nil {
		refuse(w, http.StatusInternalServerError, "unexpected result from transparency log")
		return
	}
	w.Header().Set("Location", r.URL.Path+"/"+logged.uuid)
	if !added {
		refuse(w, http.StatusConflict, "an equivalent entry already exists in the transparency log"+
			" with UUID "+logged.uuid)
		return
	}
	w.Header().Set("ETag", logged.uuid)
	answerJSON(w, http.StatusCreated, l.entryJSON(logged))
}

// entryJSON is an entry in Rekor's form: a map of its one id to what is known of it.
func (l *merkleLog) entryJSON(r receipt) any {
	type inclusionProof struct {
		Checkpoint string   `json:"checkpoint"`
		Hashes     []string `json:"hashes"`
		LogIndex   int      `json:"logIndex"`
		RootHash   string   `json:"rootHash"`
		TreeSize   int      `json:"treeSize"`
	}
	type verification struct {
		InclusionProof       inclusionProof `json:"inclusionProof"`
		SignedEntryTimestamp []byte         `json:"signedEntryTimestamp"`
	}
	type logEntry struct {
		Body           []byte       `json:"body"`
		IntegratedTime int64        `json:"integratedTime"`
		LogID          string       `json:"logID"`
		LogIndex       int          `json:"logIndex"`
		Verification   verification `json:"verification"`
	}
	hashes := []string{}
	for _, h := range r.hashes {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	return map[string]logEntry{r.uuid: {
		Body:           r.entry.body,
		IntegratedTime: r.entry.time,
		LogID:          hex.EncodeToString(l.id[:]),
		LogIndex:       r.index,
		Verification: verification{
			InclusionProof: inclusionProof{
				r.checkpoint, hashes, r.index, hex.EncodeToString(r.root), r.size,
			},
			SignedEntryTimestamp: r.promise,
		},
	}}
}

// serveByUUID finds an entry by its id, with or without the tree's number before it.
func (l *merkleLog) serveByUUID(w http.ResponseWriter, r *http.Request) {
	uuid := r.PathValue("uuid")
	raw, err := hex.DecodeString(uuid)
	if err != nil || len(raw) != sha256.Size && len(raw) != sha256.Size+8 {
		// 422 and 605 are go-openapi's for a parameter that its pattern does not match.
		answerJSON(w, http.StatusUnprocessableEntity, map[string]any{
			"code":    605,
			"message": "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'",
		})
		return
	}
	leaf := [sha256.Size]byte(raw[len(raw)-sha256.Size:])
	found, ok, err := l.find(leaf)
	ok = ok && strings.HasSuffix(found.uuid, strings.ToLower(uuid))
	l.serveFound(w, found, ok, err)
}

func (l *merkleLog) serveByIndex(w http.ResponseWriter, r *http.Request) {
	index, err := strconv.Atoi(r.URL.Query().Get("logIndex"))
	if err != nil {
		answerJSON(w, http.StatusUnprocessableEntity, map[string]any{
			"code":    602,
			"message": "logIndex in query is required",
		})
		return
	}
	found, ok, err := l.at(index)
	l.serveFound(w, found, ok, err)
}

func (l *merkleLog) serveFound(w http.ResponseWriter, found receipt, ok bool, err error) {
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, "unexpected error communicating with transparency log")
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		answerJSON(w, http.StatusOK, l.entryJSON(found))
	}
}

// serveInfo says how large the log is and signs it.
func (l *merkleLog) serveInfo(w http.ResponseWriter, _ *http.Request) {
	size, root, checkpoint, err := l.head()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "error generating signed tree head")
		return
	}
	answerJSON(w, http.StatusOK, struct {
		InactiveShards []any  `json:"inactiveShards"`
		RootHash       string `json:"rootHash"`
		SignedTreeHead string `json:"signedTreeHead"`
		TreeID         string `json:"treeID"`
		TreeSize       int    `json:"treeSize"`
	}{[]any{}, hex.EncodeToString(root), checkpoint, strconv.FormatUint(l.tree, 10), size})
}

func (l *merkleLog) serveKey(w http.ResponseWriter, _ *http.Request) {
	key, err := cryptoutils.MarshalPublicKeyToPEM(l.key.Public())
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(key)
}
