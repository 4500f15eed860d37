package workflows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// slowest is the rate, in bytes a second, below which a download is given up.
const slowest = 64 << 10

// parcel is an artifact's blob in the store.
type parcel struct {
	file    dist.File
	name    string // of the one file that was uploaded as it is; "" for a zip
	leftOut bool   // nothing was fetched
}

// fetch brings an artifact into the store under the digest that GitHub keeps of
// it. A blob that the store has already is not fetched again, but GitHub is
// asked all the same what it is.
func (c *collector) fetch(ctx context.Context, a Artifact) (parcel, error) {
	p, err := again(ctx, c.client.tell, func() (parcel, error) {
		p, err := c.fetchOnce(ctx, a)
		if errors.As(err, new(rule.Refusals)) || failed(err, http.StatusGone) {
			return p, backoff.Permanent(err)
		}
		return p, err
	})
	if failed(err, http.StatusGone) {
		a.Expired = true
		err = a.faults()
	}
	return p, err
}

func (c *collector) fetchOnce(ctx context.Context, a Artifact) (parcel, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait+time.Duration(a.Size/slowest)*time.Second)
	defer cancel()
	to, err := c.client.blobOf(ctx, a)
	if err != nil {
		return parcel{}, backoff.Permanent(err) // it has been tried again
	}
	response, err := c.client.open(ctx, to)
	if err != nil {
		return parcel{}, fmt.Errorf("artifact %s: %w", a.Name, err)
	}
	defer response.Body.Close()
	p := parcel{}
	if p.name, err = formOf(a.Name, response.Header); err != nil {
		return parcel{}, err
	}
	if p.name != "" && c.leftOut(p.name) {
		p.leftOut = true
		return p, nil
	}
	p.file, err = c.keep(ctx, a, p.title(a), response.Body)
	return p, err
}

// title is the name under which the blob is kept.
func (p parcel) title(a Artifact) string {
	if p.name != "" {
		return p.name
	}
	return a.Name
}

// keep hashes the blob into the store, if it is not there.
func (c *collector) keep(ctx context.Context, a Artifact, name string, body io.Reader) (dist.File, error) {
	if file, err := c.into.File(ctx, a.Digest, a.Size, name); err == nil {
		c.progress(Event{Step: Present, Artifact: a.Name, Done: a.Size, Size: a.Size})
		return file, nil
	}
	file, err := c.into.Put(ctx, &counted{body, a, 0, c.progress}, name, maxArtifact)
	if err != nil {
		return dist.File{}, err
	}
	if file.Digest() != a.Digest {
		return dist.File{}, rule.Refusals{{File: a.Name, Rule: rule.ArtifactDigest,
			Want: a.Digest.String() + " (as GitHub lists it)", Got: file.Digest().String(),
			Hint: "what was downloaded is not what was uploaded; try again, and if it stays so, build again"}}
	}
	return file, nil
}

// counted tells of what is read through it.
type counted struct {
	io.Reader
	artifact Artifact
	done     int64
	progress func(Event)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done += int64(n)
	c.progress(Event{Step: Fetching, Artifact: c.artifact.Name, Done: c.done, Size: c.artifact.Size})
	return n, err
}

// blobOf asks where an artifact's blob is. The address is good for a minute,
// for whoever has it.
func (c *Client) blobOf(ctx context.Context, a Artifact) (*url.URL, error) {
	path, err := pathOf(a.Repository)
	if err != nil {
		return nil, err
	}
	path = fmt.Sprintf("%s/actions/artifacts/%d/zip", path, a.ID)
	q := question{path: path, needs: readActions, about: a.Repository, sends: true}
	said, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(said.header.Get("Location"))
	if err != nil || !isBlob(to, c.base) {
		return nil, fmt.Errorf("GitHub, %s: want an https address of the artifact, got another", q.path)
	}
	return to, nil
}

// open asks for a blob, without the token. Errors do not quote the address:
// whoever has it can download.
func (c *Client) open(ctx context.Context, at *url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: not an address", at.Host)
	}
	request.Header.Set("User-Agent", "distgate")
	response, err := c.blob.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.Host, withoutURL(err))
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s: want status 200, got %d", at.Host, response.StatusCode)
	}
	return response, nil
}

// zipTypes are the media types under which artifacts that are zip files come,
// without "application/".
var zipTypes = map[string]bool{"zip": true, "x-zip-compressed": true, "zip-compressed": true}

// formOf tells a zip of files, for which it returns "", from one file that was
// uploaded as it is (skipArchive), for which it returns the file's name. Both
// come from the same endpoint, and their headers alone tell them apart: a zip
// is called ARTIFACT.zip.
func formOf(artifact string, header http.Header) (file string, err error) {
	_, params, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	name := params["filename"]
	switch {
	case strings.HasSuffix(strings.ToLower(name), ".zip"):
		return "", nil
	case name != "":
		return name, nil
	case zipTypes[strings.TrimPrefix(kind, "application/")]:
		return "", nil
	}
	return "", rule.Refusals{{File: artifact, Rule: rule.ArtifactForm,
		Want: "a zip, or one file with its name in Content-Disposition",
		Got: fmt.Sprintf("Content-Type %q, Content-Disposition %q",
			clip(header.Get("Content-Type")), clip(header.Get("Content-Disposition"))),
		Hint: "upload it with a current actions/upload-artifact"}}
}
