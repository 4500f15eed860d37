package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Bounds on what is read of a file that is not downloaded whole.
const (
	window    = 256 << 10 // bytes asked for at once; nearly all wheels' directories fit
	maxRanged = 16 << 20  // bytes of one file, all requests together
)

// briefly is how long an index is waited for where a gap in the facts is no harm.
func briefly() patience { return patience{outage: 5 * time.Second} }

// ranged reads pieces of a file on an index, by range requests (RFC 9110, 14).
// It is an io.ReaderAt. No digest covers a piece, so what is read here is what
// the index says of the file, and not the file.
type ranged struct {
	ctx  context.Context // of the one comparison that it is made for
	x    *Index
	file served
	size int64
	left int64 // bytes that may still be asked for
	etag string
	have []byte // the last piece
	from int64  // where it begins
}

// newRanged wants an index that says how large the file is: a range is asked for
// by its first and last byte, since not every host takes "the last bytes".
func newRanged(ctx context.Context, x *Index, s served) (*ranged, error) {
	if s.size == nil || *s.size <= 0 {
		return nil, errors.New("the index does not say how large the file is")
	}
	return &ranged{ctx: ctx, x: x, file: s, size: *s.size, left: maxRanged}, nil
}

// ReadAt is io.ReaderAt, of one goroutine at a time.
func (r *ranged) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= r.size {
			return n, io.EOF
		}
		if at < r.from || at >= r.from+int64(len(r.have)) {
			if err := r.fetch(at, int64(len(p)-n)); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], r.have[at-r.from:])
	}
	return n, nil
}

// fetch asks for the piece at an offset. A piece at the end of the file begins
// earlier, so that one answer has the whole end.
func (r *ranged) fetch(at, want int64) error {
	size := min(max(want, window), r.size)
	at = min(at, r.size-size)
	if r.left -= size; r.left < 0 {
		return fmt.Errorf("more than %d bytes would have to be read", maxRanged)
	}
	piece, err := again(r.ctx, briefly(), func() ([]byte, error) { return r.ask(at, size) })
	if err == nil {
		r.have, r.from = piece, at
	}
	return err
}

// ask sends one range request. The answer must be just that range of a file of
// that size, and of the same file as the answers before it.
func (r *ranged) ask(at, size int64) (piece []byte, err error) {
	request, err := http.NewRequest(http.MethodGet, r.file.url.String(), nil)
	if err != nil {
		return nil, err
	}
	last := at + size - 1
	request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, last))
	request.Header.Set("Accept-Encoding", "identity")
	err = r.x.ask(r.ctx, request, func(response *http.Response) error {
		got, want := response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", at, last, r.size)
		switch etag := response.Header.Get("ETag"); {
		case response.StatusCode == http.StatusOK:
			return permanently("the index serves the whole file where a part was asked for")
		case response.StatusCode != http.StatusPartialContent:
			return permanently(fmt.Sprintf("status %d where a part of the file was asked for", response.StatusCode))
		case got != want:
			return permanently(fmt.Sprintf("%q where %q was asked for", brief(got), want))
		case r.etag != "" && etag != r.etag:
			return permanently("the file changed while it was read")
		default:
			r.etag = etag
		}
		piece = make([]byte, size)
		_, err := io.ReadFull(response.Body, piece)
		return err
	})
	return piece, err
}

// permanently is an error that asking again does not mend.
func permanently(text string) error { return backoff.Permanent(errors.New(text)) }
