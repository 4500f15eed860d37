package sigstoretest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Handler serves the instance:
//
//	POST /api/v2/signingCert                Fulcio
//	POST /api/v1/log/entries                Rekor, where there is a log: dsse 0.0.1 only
//	GET  /api/v1/log/entries/{uuid}
//	GET  /api/v1/log/entries?logIndex=N
//	GET  /api/v1/log
//	GET  /api/v1/log/publicKey
//	POST /api/v1/timestamp                  the timestamp authority
//	GET  /api/v1/timestamp/certchain
//	GET  /trusted_root.json
//	GET  /tuf/…                             a TUF repository with the target trusted_root.json
//
// Fulcio certifies holders of ID tokens for the audience "sigstore" of the issuers, whose keys it
// finds by OpenID Connect discovery: a person by the e-mail address in the token, a job by the
// claims of GitHub Actions.
func (s *Sigstore) Handler(issuers ...string) http.Handler {
	f := &fulcio{
		ca:        s.ca,
		ct:        s.ct,
		client:    &http.Client{Timeout: 10 * time.Second},
		issuers:   issuers,
		verifiers: make(map[string]*oidc.IDTokenVerifier),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", f.serve)
	if s.log != nil {
		mux.HandleFunc("POST /api/v1/log/entries", s.log.serveCreate)
		mux.HandleFunc("GET /api/v1/log/entries", s.log.serveByIndex)
		mux.HandleFunc("GET /api/v1/log/entries/{uuid}", s.log.serveByUUID)
		mux.HandleFunc("GET /api/v1/log", s.log.serveInfo)
		mux.HandleFunc("GET /api/v1/log/publicKey", s.log.serveKey)
	}
	mux.HandleFunc("POST /api/v1/timestamp", s.tsa.serve)
	mux.HandleFunc("GET /api/v1/timestamp/certchain", s.tsa.serveChain)
	mux.HandleFunc("GET /trusted_root.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.root)
	})
	mux.Handle("GET /tuf/{file...}", s.tuf)
	return mux
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body)
}

// refuse answers with an error in the form of Rekor and of the timestamp authority.
func refuse(w http.ResponseWriter, status int, message string) {
	answerJSON(w, status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{status, message})
}
