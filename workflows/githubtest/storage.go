package githubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// blob is something in the blob storage.
type blob struct {
	path     string
	Content  io.ReaderAt
	Size     int64
	Type     string // Content-Type
	File     string // for Content-Disposition; "" is none
	Modified time.Time
}

// Storage is the blob storage that artifacts and bundles are kept in, reached
// at base, which has another host or port than the API. It knows no tokens: an
// address that the API hands out is good for whoever has it until it expires,
// and a request with an Authorization header is refused.
//
// Until it is called there is nothing to download.
func (g *GitHub) Storage(base string) http.Handler {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.storage = strings.TrimSuffix(base, "/")
	return http.HandlerFunc(g.serveBlob)
}

// signed is the layout of the times in a shared access signature.
const signed = "2006-01-02T15:04:05Z"

// sign keeps the blob and makes an address for it that is good for a while.
func (g *GitHub) sign(b blob, good time.Duration) (string, error) {
	if g.storage == "" {
		return "", errors.New("githubtest: there is no blob storage")
	}
	g.blobs[b.path] = b
	now := g.now().UTC()
	query := url.Values{
		"se": {now.Add(good).Format(signed)}, "st": {now.Add(-time.Minute).Format(signed)},
		"sp": {"r"}, "sr": {"b"}, "spr": {"https,http"}, "sv": {"2024-08-04"}, "rsct": {b.Type},
	}
	if b.File != "" {
		query.Set("rscd", fmt.Sprintf("attachment; filename=%q", b.File))
	}
	query.Set("sig", g.signature(b.path, query))
	return g.storage + b.path + "?" + query.Encode(), nil
}

// sendTo sends the caller to a blob.
func (g *GitHub) sendTo(b blob, good time.Duration) (answer, error) {
	to, err := g.sign(b, good)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusFound, header: http.Header{
		"Location": {to}, "Content-Type": {"text/html;charset=utf-8"},
	}}, nil
}

// signature covers the path and every other parameter.
func (g *GitHub) signature(path string, query url.Values) string {
	query = url.Values(http.Header(query).Clone())
	query.Del("sig")
	mac := hmac.New(sha256.New, g.storageKey)
	io.WriteString(mac, path+"\n"+query.Encode())
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// azureError is an error in the words of the real storage.
type azureError struct {
	status        int
	code, message string
}

func (e *azureError) Error() string { return e.code + ": " + e.message }

func (g *GitHub) serveBlob(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	b, err := g.openBlob(r)
	fault := g.fault(r, true)
	g.mu.Unlock()
	w.Header().Set("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
	w.Header().Set("x-ms-version", "2024-08-04")
	w.Header().Set("x-ms-request-id", newUUID())
	var broken *failure
	if errors.As(fault, &broken) && broken.status != cutOff {
		err = &azureError{broken.status, "ServerBusy", broken.message}
		for name, values := range broken.header {
			w.Header()[name] = values
		}
	}
	if err != nil {
		refuseBlob(w, err)
		return
	}
	b.headers(w.Header())
	if fault != nil {
		b.breakOff(w)
	}
	http.ServeContent(w, r, "", b.Modified, io.NewSectionReader(b.Content, 0, b.Size))
}

// openBlob is the blob that a request may have.
func (g *GitHub) openBlob(r *http.Request) (blob, error) {
	switch header := r.Header.Get("Authorization"); {
	case header == "":
	case len(header) > 7 && strings.EqualFold(header[:7], "bearer "):
		return blob{}, &azureError{http.StatusUnauthorized, "InvalidAuthenticationInfo",
			"Server failed to authenticate the request. " +
				"Please refer to the information in the www-authenticate header."}
	default:
		return blob{}, &azureError{http.StatusBadRequest, "InvalidAuthenticationInfo",
			"Authentication information is not given in the correct format. " +
				"Check the value of Authorization header."}
	}
	query := r.URL.Query()
	ends, err := time.Parse(signed, query.Get("se"))
	same := hmac.Equal([]byte(query.Get("sig")), []byte(g.signature(r.URL.Path, query)))
	if err != nil || !same || !g.now().Before(ends) {
		return blob{}, &azureError{http.StatusForbidden, "AuthenticationFailed",
			"Server failed to authenticate the request. " +
				"Make sure the value of Authorization header is formed correctly including the signature."}
	}
	b, known := g.blobs[r.URL.Path]
	if !known {
		return blob{}, &azureError{http.StatusNotFound, "BlobNotFound",
			"The specified blob does not exist."}
	}
	return b, nil
}

func (b blob) headers(h http.Header) {
	h.Set("Content-Type", b.Type)
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("ETag", fmt.Sprintf(`"0x%X"`, b.Modified.UnixNano()))
	if b.File != "" {
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", b.File))
	}
}

// breakOff sends half of the blob and then no more.
func (b blob) breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", fmt.Sprint(b.Size))
	io.Copy(w, io.NewSectionReader(b.Content, 0, b.Size/2))
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func refuseBlob(w http.ResponseWriter, err error) {
	var e *azureError
	if !errors.As(err, &e) {
		e = &azureError{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-ms-error-code", e.code)
	w.WriteHeader(e.status)
	fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>"+
		"<Error><Code>%s</Code><Message>%s\nRequestId:%s\nTime:%s</Message></Error>", e.code, e.message,
		w.Header().Get("x-ms-request-id"), time.Now().UTC().Format(time.RFC3339Nano))
}
