package workflows

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// Release is a release on GitHub as it must be: a tag, a text, and just these files.
type Release struct {
	Repository string // "owner/name"
	Tag        string
	Commit     string // that the tag is of; "" leaves a tag that is not there to the default branch
	Name, Body string
	Prerelease bool
	Files      []ReleaseFile
}

// ReleaseFile is one of its files.
type ReleaseFile struct {
	Name   string
	Digest dist.Digest
	Size   int64 // bytes
	Open   func() (io.ReadCloser, error)
}

const (
	maxAssets   = 1000 // of a release, as GitHub has it
	uploadTries = 3    // of one file
)

// githubRelease is one as GitHub tells of it.
type githubRelease struct {
	ID      int64   `json:"id"`
	Tag     string  `json:"tag_name"`
	Draft   bool    `json:"draft"`
	URL     string  `json:"html_url"`
	Uploads string  `json:"upload_url"`
	Assets  []asset `json:"assets"`
}

type asset struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	State  string `json:"state"`  // "uploaded", or "starter" of one that broke off
	Digest string `json:"digest"` // as GitHub hashed it
}

// Publish makes the release on GitHub, and returns its page. It is a draft until
// every file is there and has the digest that GitHub keeps of it; only then is it
// published, so that one which can be changed no more is never half. Run again, it
// goes on where it ended. A release that is published already must be just this
// one, and a draft must hold nothing else: what somebody else put there is refused.
func (c *Client) Publish(ctx context.Context, r Release, progress func(Event)) (string, error) {
	tell := oneByOne(progress)
	at, err := pathOf(r.Repository)
	if err != nil {
		return "", err
	}
	if r.Tag == "" || len(r.Files) == 0 || len(r.Files) > maxAssets {
		return "", fmt.Errorf("a release on GitHub: want a tag and 1 to %d files, got %d", maxAssets, len(r.Files))
	}
	if err := c.tagIsOf(ctx, at, r); err != nil {
		return "", err
	}
	found, err := c.draft(ctx, at, r)
	if err != nil {
		return "", err
	}
	if err := r.foreign(found); err != nil || !found.Draft {
		return found.URL, errors.Join(err, r.complete(found, !found.Draft))
	}
	for _, f := range r.Files {
		if err := c.put(ctx, at, r, &found, f, tell); err != nil {
			return "", err
		}
	}
	if found, err = c.release(ctx, at, r, found.ID); err != nil {
		return "", err
	}
	if err := errors.Join(r.foreign(found), r.complete(found, true)); err != nil {
		return "", err
	}
	q := r.question(at+"/releases/"+strconv.FormatInt(found.ID, 10), http.MethodPatch)
	q.body = map[string]bool{"draft": false}
	published, err := get[githubRelease](ctx, c, q)
	if err == nil && published.Draft {
		err = fmt.Errorf("GitHub, %s: want a release that is published, got a draft", q.path)
	}
	return published.URL, err
}

func (r Release) question(path, method string) question {
	return question{path: path, needs: "contents: write", about: r.Repository, method: method}
}

// tagIsOf refuses a tag that is there already and is of another commit.
func (c *Client) tagIsOf(ctx context.Context, at string, r Release) error {
	if r.Commit == "" {
		return nil
	}
	q := question{path: at + "/compare/" + url.PathEscape("refs/tags/"+r.Tag) + "..." + r.Commit,
		query: url.Values{"per_page": {"1"}}, needs: "contents: read", about: r.Repository}
	said, err := get[struct {
		Status string `json:"status"`
	}](ctx, c, q)
	switch {
	case failed(err, http.StatusNotFound): // there is no such tag yet; or the commit is not there, and then no release
		return nil
	case err != nil:
		return err
	case said.Status != "identical":
		return r.refuse("tag "+r.Tag, "the tag of commit "+r.Commit, "one of another commit ("+clip(said.Status)+")",
			"find out who moved the tag")
	}
	return nil
}

func (r Release) refuse(file, want, got, hint string) error {
	return rule.Refusals{{File: file, Rule: rule.GitHubRelease, Want: want, Got: got, Hint: hint}}
}

// draft is the release of the tag, published or not; where there is none, a new
// draft. Drafts have no address by their tag.
func (c *Client) draft(ctx context.Context, at string, r Release) (githubRelease, error) {
	var of []githubRelease
	for page := 1; page <= maxPages; page++ {
		q := r.question(at+"/releases", http.MethodGet)
		q.query = url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		releases, err := get[[]githubRelease](ctx, c, q)
		if err != nil {
			return githubRelease{}, err
		}
		for _, found := range releases {
			if found.Tag == r.Tag {
				of = append(of, found)
			}
		}
		if len(releases) < perPage {
			break
		}
	}
	switch len(of) {
	case 1:
		return c.release(ctx, at, r, of[0].ID)
	case 0:
		return c.create(ctx, at, r)
	}
	return githubRelease{}, r.refuse(r.Tag, "one release of the tag", fmt.Sprintf("%d, drafts among them", len(of)),
		"delete the drafts that are not wanted, on the repository's page of releases")
}

func (c *Client) create(ctx context.Context, at string, r Release) (githubRelease, error) {
	q := r.question(at+"/releases", http.MethodPost)
	body := map[string]any{"tag_name": r.Tag, "name": r.Name, "body": r.Body, "draft": true, "prerelease": r.Prerelease}
	if r.Commit != "" {
		body["target_commitish"] = r.Commit
	}
	q.body = body
	a, err := c.once(ctx, q) // once: a second try could make a second draft
	if err != nil {
		return githubRelease{}, fmt.Errorf("GitHub, %s: %w", q.path, err)
	}
	var made githubRelease
	err = a.decode(q, &made)
	return made, err
}

// release is a release with all of its files: the list in itself may be cut.
func (c *Client) release(ctx context.Context, at string, r Release, id int64) (githubRelease, error) {
	path := at + "/releases/" + strconv.FormatInt(id, 10)
	found, err := get[githubRelease](ctx, c, r.question(path, http.MethodGet))
	if err != nil {
		return githubRelease{}, err
	}
	found.Assets = nil
	for page := 1; page <= maxAssets/perPage+1; page++ {
		q := r.question(path+"/assets", http.MethodGet)
		q.query = url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		assets, err := get[[]asset](ctx, c, q)
		if err != nil {
			return githubRelease{}, err
		}
		found.Assets = append(found.Assets, assets...)
		if len(assets) < perPage {
			break
		}
	}
	return found, nil
}

// foreign refuses files that are not of the release.
func (r Release) foreign(found githubRelease) error {
	var no rule.Refusals
	for _, a := range found.Assets {
		if !slices.ContainsFunc(r.Files, func(f ReleaseFile) bool { return f.Name == a.Name }) {
			no = append(no, rule.Refusal{File: clip(a.Name), Rule: rule.GitHubRelease,
				Want: "only files of release " + r.Tag, Got: "another file", Hint: "find out who put it there, and take it out of the release"})
		}
	}
	return no.Err()
}

// complete refuses a release in which a file is missing or is another.
func (r Release) complete(found githubRelease, all bool) error {
	var no rule.Refusals
	for _, f := range r.Files {
		i := slices.IndexFunc(found.Assets, func(a asset) bool { return a.Name == f.Name })
		got := "nothing"
		if i >= 0 {
			got = clip(found.Assets[i].State + " " + found.Assets[i].Digest)
		}
		if all && (i < 0 || !f.is(found.Assets[i])) {
			no = append(no, rule.Refusal{File: f.Name, Rule: rule.GitHubRelease, Want: "uploaded " + f.Digest.String(), Got: got,
				Hint: "look at " + found.URL + ": a release that is published cannot be completed, and a draft can be deleted"})
		}
	}
	return no.Err()
}

func (f ReleaseFile) is(a asset) bool {
	return a.Name == f.Name && a.State == "uploaded" && a.Digest == f.Digest.String() && a.Size == f.Size
}

// put uploads a file, unless it is there. What broke off is taken out first.
func (c *Client) put(ctx context.Context, at string, r Release, found *githubRelease, f ReleaseFile, tell func(Event)) (err error) {
	for range uploadTries {
		i := slices.IndexFunc(found.Assets, func(a asset) bool { return a.Name == f.Name })
		if i >= 0 && f.is(found.Assets[i]) {
			tell(Event{Step: Present, Artifact: f.Name, Done: f.Size, Size: f.Size})
			return nil
		}
		if i >= 0 {
			q := r.question(at+"/releases/assets/"+strconv.FormatInt(found.Assets[i].ID, 10), http.MethodDelete)
			if _, err := c.ask(ctx, q); err != nil && !failed(err, http.StatusNotFound) {
				return err
			}
		}
		err = c.upload(ctx, *found, f)
		again, asked := c.release(ctx, at, r, found.ID)
		if asked != nil {
			return errors.Join(err, asked)
		}
		found.Assets = again.Assets
		if slices.ContainsFunc(found.Assets, f.is) {
			tell(Event{Step: Uploaded, Artifact: f.Name, Done: f.Size, Size: f.Size})
			return nil
		}
		if failed(err, http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized) {
			break
		}
	}
	return fmt.Errorf("upload %s to %s: %w", f.Name, r.Repository, cmp.Or(err, errors.New("GitHub does not have it as it was sent")))
}

// upload sends a file, to the host that GitHub takes files at.
func (c *Client) upload(ctx context.Context, found githubRelease, f ReleaseFile) error {
	address, _, _ := strings.Cut(found.Uploads, "{")
	to, err := url.Parse(address)
	if err != nil || !c.takesFiles(to) {
		return fmt.Errorf("want an address of %s to upload to, got %.100q", c.base.Host, found.Uploads)
	}
	to.RawQuery = url.Values{"name": {f.Name}}.Encode()
	body, err := f.Open()
	if err != nil {
		return err
	}
	defer body.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(f.Size/slowest)*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), body)
	if err != nil {
		return err
	}
	request.ContentLength = f.Size
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("User-Agent", "distgate")
	response, err := c.uploads(to).Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusCreated {
		return nil
	}
	raw, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	response.Body = io.NopCloser(bytes.NewReader(raw))
	q := question{path: to.Path, needs: "contents: write", about: "the repository"}
	return judge(q, response, messageOf(github.CheckResponse(response)), time.Now())
}

// takesFiles tells whether the token may go to the host: the API's own, and of
// api.github.com the one beside it.
func (c *Client) takesFiles(to *url.URL) bool {
	beside := c.base.Scheme == "https" && c.base.Host == "api.github.com" && to.Scheme == "https" && to.Host == "uploads.github.com"
	return to.User == nil && (sameOrigin(to, c.base) || beside)
}

// uploads is a client with the token, for that host alone, which follows nothing.
func (c *Client) uploads(to *url.URL) *http.Client {
	transport, _ := c.api.Transport.(authorized)
	transport.base = to
	return &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
