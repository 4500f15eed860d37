package workflows

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/distgate/distgate/attest"
)

// NewPublicClient is a client without a token, for what everybody may see.
// GitHub answers it sixty times an hour.
func NewPublicClient(api string, tell func(Event)) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(api, "/") + "/")
	if err != nil || base.Host == "" || base.User != nil || !attest.IsPrivate(base) {
		return nil, errors.New("the GitHub API: want an address as https://api.github.com")
	}
	return &Client{
		base:  base,
		api:   &http.Client{CheckRedirect: within(base), Transport: bounded{newTransport()}},
		blob:  &http.Client{CheckRedirect: privately(base), Transport: newTransport()},
		tell:  oneByOne(tell),
		spent: new(spent), anonymous: true,
	}, nil
}

// bounded is a transport whose answers are.
type bounded struct{ next http.RoundTripper }

func (t bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// Remembering is the client with a folder in which it keeps answers. It asks
// GitHub each time whether an answer is still the same, which costs nothing of
// the rate limit where it is. An answer in the folder counts only under a seal
// that takes the token to make.
func (c *Client) Remembering(dir string) *Client {
	token := ""
	if t, ok := c.api.Transport.(authorized); ok {
		token = t.token
	}
	key := sha256.Sum256([]byte("distgate answers\x00" + token))
	api := *c.api
	api.Transport = remembering{dir: dir, key: key[:], next: c.api.Transport}
	kept := *c
	kept.api = &api
	return &kept
}

// maxRemembered is the size of the largest answer that is kept.
const maxRemembered = 1 << 20

// remembering is a transport that keeps answers with their ETags.
type remembering struct {
	dir  string
	key  []byte
	next http.RoundTripper
}

// remembered is one answer as it is kept.
type remembered struct {
	URL, Accept, ETag, ContentType string
	Body                           []byte
	Seal                           []byte
}

// seal is what only who has the token can make of an answer.
func (t remembering) seal(m remembered) []byte {
	mac := hmac.New(sha256.New, t.key)
	m.Seal = nil
	raw, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	mac.Write(raw)
	return mac.Sum(nil)
}

// file is where the answer to a request is kept. Two tokens see different things.
func (t remembering) file(r *http.Request) string {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(r.URL.String() + "\n" + r.Header.Get("Accept")))
	return filepath.Join(t.dir, hex.EncodeToString(mac.Sum(nil))+".json")
}

func (t remembering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.Body != nil && r.Body != http.NoBody {
		return t.next.RoundTrip(r)
	}
	have := t.read(r)
	if have.ETag != "" {
		r = r.Clone(r.Context())
		r.Header.Set("If-None-Match", have.ETag)
	}
	response, err := t.next.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotModified && have.ETag != "":
		response.Body.Close()
		response.StatusCode, response.Status = http.StatusOK, "200 OK"
		response.Header.Set("Content-Type", have.ContentType)
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(have.Body)), int64(len(have.Body))
		return response, nil
	case response.StatusCode == http.StatusOK && response.Header.Get("ETag") != "":
		return t.keep(r, response)
	}
	return response, nil
}

// read is the answer that is kept for a request, the zero value if there is none
// that counts.
func (t remembering) read(r *http.Request) (m remembered) {
	file, err := os.Open(t.file(r))
	if err != nil {
		return remembered{}
	}
	defer file.Close()
	err = json.NewDecoder(io.LimitReader(file, 2*maxRemembered)).Decode(&m)
	if err != nil || m.URL != r.URL.String() || m.Accept != r.Header.Get("Accept") || !hmac.Equal(m.Seal, t.seal(m)) {
		return remembered{}
	}
	return m
}

// keep keeps an answer while it is handed on. One that cannot be kept is handed
// on all the same.
func (t remembering) keep(r *http.Request, response *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRemembered+1))
	if err != nil {
		response.Body.Close()
		return nil, err
	}
	if len(body) > maxRemembered {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), response.Body), response.Body}
		return response, nil
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	m := remembered{URL: r.URL.String(), Accept: r.Header.Get("Accept"), ETag: response.Header.Get("ETag"),
		ContentType: response.Header.Get("Content-Type"), Body: body}
	m.Seal = t.seal(m)
	_ = t.write(t.file(r), m)
	return response, nil
}

func (t remembering) write(path string, m remembered) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(t.dir, "answer-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(raw)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
