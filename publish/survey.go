package publish

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/distgate/distgate/staging/dist"
)

// survey is what one page of the simple API says that matters to a release
// which is to be uploaded: of its own files, and of the project's others.
type survey struct {
	release
	known    bool              // the index knows the project
	offer    offer             // of the release's files
	refused  error             // those that must not be there
	bare     []string          // files of the release that are listed without provenance
	twins    map[string]string // file of the release: another name under which its bytes are there
	size     int64             // bytes of all files
	first    time.Time         // when the release's first file came; zero where there is none
	earlier  dist.Filename     // the newest attested file of another release; zero where there is none
	uploaded time.Time         // when that came
}

// survey asks the index what it has of the project.
func (r release) survey(ctx context.Context, x *Index) (survey, error) {
	s := survey{release: r, twins: map[string]string{}}
	p, err := x.list(ctx, r.project, s.keep)
	if err != nil {
		return survey{}, err
	}
	there, no := r.compare(p.files)
	s.known, s.offer, s.refused = p.listed, offer{there, p.status}, no.Err()
	return s, nil
}

// keep takes notes of an entry, and keeps it if its file is of the release.
func (s *survey) keep(kept []served, at *url.URL, e entry) ([]served, error) {
	before := len(kept)
	kept, err := s.release.keep(kept, at, e)
	if err != nil {
		return nil, err
	}
	if e.size != nil && *e.size > 0 {
		if s.size += *e.size; s.size < 0 {
			return nil, errors.New("more bytes than can be counted")
		}
	}
	uploaded := uploadTime(e)
	if len(kept) > before {
		s.first = earlier(s.first, uploaded)
		if e.attested == nil {
			s.bare = append(s.bare, e.filename)
		}
	} else if name, err := dist.ParseFilename(e.filename); err == nil && e.attested != nil && !uploaded.Before(s.uploaded) {
		s.earlier, s.uploaded = name, uploaded
	}
	return kept, s.twin(e)
}

// twin notes an entry whose bytes are those of a file of the release under
// another name: Warehouse takes the same bytes once.
func (s *survey) twin(e entry) error {
	hashes, err := digests(e.hashes)
	if err != nil {
		return nil // of a file that is no business of the release
	}
	digest, err := dist.ParseDigest("sha256:" + hashes["sha256"])
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(s.files, func(f file) bool { return f.digest == digest && f.name != e.filename })
	if i >= 0 {
		s.twins[s.files[i].name] = e.filename
	}
	return nil
}

// uploadTime is when a file came, or the zero time where the page does not say.
func uploadTime(e entry) time.Time {
	if e.uploaded == nil {
		return time.Time{}
	}
	return parseTime(*e.uploaded)
}

// parseTime reads a time as the simple API has it, or is the zero time.
func parseTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
