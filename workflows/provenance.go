package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging/dist"
)

// AddAttestations adds to each candidate the build provenance that the
// repository has for it. One attestation is about many files as a rule, so the
// first file is asked for by itself; those that its bundles do not cover are
// asked for together; and one by one only what is left then, and has no bundle of its
// own that covers it.
func (c *Client) AddAttestations(ctx context.Context, repository string, candidates []attest.Candidate) error {
	s := &search{client: c, repository: repository, fetched: map[string]bool{}}
	for _, candidate := range candidates {
		if !candidate.File.IsZero() {
			s.files = append(s.files, candidate.File)
		}
	}
	for _, step := range []func(context.Context, []dist.File) error{s.first, s.together} {
		if err := step(ctx, s.left()); err != nil {
			return err
		}
	}
	if err := s.each(ctx, without(s.left(), candidates)); err != nil {
		return err
	}
	for i, candidate := range candidates {
		if candidate.File.IsZero() {
			continue
		}
		for _, b := range s.bundles {
			if b.Names(candidate.File) {
				candidates[i].Bundles = append(slices.Clip(candidates[i].Bundles), b)
			}
		}
	}
	return nil
}

// without are the files but for those that a bundle came with that covers them.
func without(files []dist.File, candidates []attest.Candidate) []dist.File {
	has := map[string]bool{}
	for _, c := range candidates {
		if !c.File.IsZero() && slices.ContainsFunc(c.Bundles, func(b attest.Bundle) bool { return b.Covers(c.File) }) {
			has[c.File.Name()] = true
		}
	}
	return slices.DeleteFunc(files, func(f dist.File) bool { return has[f.Name()] })
}

// search is one call of AddAttestations.
type search struct {
	client     *Client
	repository string
	files      []dist.File

	mu      sync.Mutex
	bundles []attest.Bundle
	fetched map[string]bool // addresses of bundles, without their signatures
}

// left are the files that no bundle covers yet.
func (s *search) left() []dist.File {
	return slices.DeleteFunc(slices.Clone(s.files), s.covered)
}

func (s *search) covered(f dist.File) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.bundles, func(b attest.Bundle) bool { return b.Covers(f) })
}

func (s *search) first(ctx context.Context, files []dist.File) error {
	return s.each(ctx, files[:min(1, len(files))])
}

// each asks for one file after the other, a few at a time.
func (s *search) each(ctx context.Context, files []dist.File) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, f := range files {
		group.Go(func() error {
			if s.covered(f) {
				return nil
			}
			listed, err := s.client.attested(ctx, s.repository, f.Digest())
			if err != nil {
				return err
			}
			return s.fetch(ctx, listed, f.Digest())
		})
	}
	return group.Wait()
}

// fetch reads the bundles that were not read before.
func (s *search) fetch(ctx context.Context, listed []attestation, digest dist.Digest) error {
	for _, a := range listed {
		if s.seen(a) {
			continue
		}
		bundles, err := s.client.bundlesOf(ctx, a, digest)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.bundles = append(s.bundles, bundles...)
		s.mu.Unlock()
	}
	return nil
}

// seen tells whether a bundle was fetched before, and remembers it. GitHub
// signs its address anew for each list.
func (s *search) seen(a attestation) bool {
	address, _, _ := strings.Cut(a.BundleURL, "?")
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.fetched[address]
	s.fetched[address] = address != ""
	return before
}

// maxSubjects is how many digests one question may have.
const maxSubjects = 1024

// together asks the owner of the repository, an organisation or a person, for
// all files at once. Whoever may not ask so asks one by one.
func (s *search) together(ctx context.Context, files []dist.File) error {
	if len(files) < 2 {
		return nil
	}
	owner, _, _ := strings.Cut(s.repository, "/")
	for some := range slices.Chunk(files, maxSubjects) {
		err := s.bulk(ctx, "orgs/"+url.PathEscape(owner), some)
		if failed(err, http.StatusNotFound) {
			err = s.bulk(ctx, "users/"+url.PathEscape(owner), some)
		}
		if failed(err, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bulkPage is a page of the attestations of many digests.
type bulkPage struct {
	Of   bySubject `json:"attestations_subject_digests"`
	Info struct {
		Next bool   `json:"has_next"`
		At   string `json:"next"`
	} `json:"page_info"`
}

// bySubject has attestations by digest. GitHub describes it as an object, and
// shows it as a list of them.
type bySubject map[string][]attestation

func (b *bySubject) UnmarshalJSON(raw []byte) error {
	var list []map[string][]attestation
	if json.Unmarshal(raw, &list) != nil {
		list = make([]map[string][]attestation, 1)
		if err := json.Unmarshal(raw, &list[0]); err != nil {
			return err
		}
	}
	*b = bySubject{}
	for _, some := range list {
		for digest, attestations := range some {
			(*b)[digest] = append((*b)[digest], attestations...)
		}
	}
	return nil
}

func (s *search) bulk(ctx context.Context, account string, files []dist.File) error {
	digests := map[string]dist.Digest{}
	body := struct {
		Subjects []string `json:"subject_digests"`
	}{}
	for _, f := range files {
		digests[f.Digest().String()] = f.Digest()
		body.Subjects = append(body.Subjects, f.Digest().String())
	}
	q := question{path: account + "/attestations/bulk-list", needs: readAttestations, about: s.repository, body: body,
		query: url.Values{"per_page": {strconv.Itoa(perPage)}}}
	for range maxPages {
		page, err := get[bulkPage](ctx, s.client, q)
		if err != nil {
			return err
		}
		for digest, listed := range page.Of {
			if err := s.fetch(ctx, listed, digests[digest]); err != nil {
				return err
			}
		}
		if !page.Info.Next || page.Info.At == "" {
			return nil
		}
		q.query.Set("after", page.Info.At)
	}
	return fmt.Errorf("GitHub, %s: want at most %d attestations, got more", q.path, maxPages*perPage)
}
