package githubtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// maxUpload bounds what is taken of one file, in bytes. GitHub takes 2 GiB.
const maxUpload = 64 << 20

// invalid is an answer that names what is wrong with a field.
func invalid(resource, code, field string) error {
	return &failure{status: http.StatusUnprocessableEntity, message: "Validation Failed",
		errors: []any{object{"resource": resource, "code": code, "field": field}}}
}

func (g *GitHub) createRelease(c call) (answer, error) {
	var said struct {
		Tag        string `json:"tag_name"`
		Target     string `json:"target_commitish"`
		Name, Body string
		Draft      bool
		Prerelease bool
	}
	if err := c.decode(&said); err != nil {
		return answer{}, err
	}
	if said.Tag == "" {
		return answer{}, invalid("Release", "missing_field", "tag_name")
	}
	published := func(r Release) bool { return g.repository(r.Repository) == c.repo && r.Tag == said.Tag && !r.Draft }
	if !said.Draft && slices.ContainsFunc(g.releases, published) {
		return answer{}, invalid("Release", "already_exists", "tag_name")
	}
	r := Release{Repository: c.repo.Name, Tag: said.Tag, Target: cmp.Or(said.Target, c.repo.DefaultBranch), Name: said.Name, Body: said.Body,
		Draft: true, Prerelease: said.Prerelease, Author: c.writer(), Created: g.now(),
		ID: id(fmt.Sprint("release ", c.repo.Name, said.Tag, len(g.releases)))}
	g.user(r.Author)
	g.releases = append(g.releases, r)
	if !said.Draft {
		if err := g.publishRelease(c, &g.releases[len(g.releases)-1]); err != nil {
			return answer{}, err
		}
	}
	return answer{status: http.StatusCreated, body: g.releaseJSON(c.repo, g.releases[len(g.releases)-1])}, nil
}

// writer is whose token the caller has.
func (c call) writer() string { return cmp.Or(c.access.User, keeperBot) }

const keeperBot = "github-actions[bot]"

// publishRelease makes the tag where there is none, and where the repository wants
// it so, nobody changes the release from then on.
func (g *GitHub) publishRelease(c call, r *Release) error {
	if g.refs[c.repo.ID]["refs/tags/"+r.Tag] == "" {
		target := g.resolve(c.repo, r.Target)
		if target == nil {
			return invalid("Release", "invalid", "target_commitish")
		}
		g.refs[c.repo.ID] = withRef(g.refs[c.repo.ID], "refs/tags/"+r.Tag, target.commit.SHA)
	}
	r.Draft, r.Immutable = false, c.repo.ImmutableReleases
	return nil
}

// releaseOf is the release that the path names, to be changed.
func (g *GitHub) releaseOf(c call) (*Release, error) {
	for i := range g.releases {
		if r := &g.releases[i]; g.repository(r.Repository) == c.repo && r.is(c) {
			return r, nil
		}
	}
	return nil, errNotFound
}

func (g *GitHub) updateRelease(c call) (answer, error) {
	r, err := g.releaseOf(c)
	if err != nil {
		return answer{}, err
	}
	var said struct {
		Name, Body *string
		Draft      *bool
	}
	if err := c.decode(&said); err != nil {
		return answer{}, err
	}
	if said.Name != nil {
		r.Name = *said.Name
	}
	if said.Body != nil {
		r.Body = *said.Body
	}
	if said.Draft != nil && !*said.Draft && r.Draft {
		if err := g.publishRelease(c, r); err != nil {
			return answer{}, err
		}
	}
	return ok(g.releaseJSON(c.repo, *r))
}

func (g *GitHub) uploadAsset(c call) (answer, error) {
	r, err := g.releaseOf(c)
	if err != nil {
		return answer{}, err
	}
	name := c.URL.Query().Get("name")
	switch {
	case r.Immutable:
		return answer{}, unprocessable("Cannot upload assets to an immutable release.")
	case name == "":
		return answer{}, &failure{status: http.StatusBadRequest, message: "Invalid name for request"}
	case slices.ContainsFunc(r.Assets, func(a Asset) bool { return a.Name == name }):
		return answer{}, invalid("ReleaseAsset", "already_exists", "name")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxUpload))
	if err != nil {
		return answer{}, &failure{status: http.StatusBadRequest, message: "Bad Content-Length"}
	}
	sum := sha256.Sum256(raw)
	a := Asset{Name: name, Blob: bytes.NewReader(raw), Size: int64(len(raw)), Digest: "sha256:" + hex.EncodeToString(sum[:]),
		ID: id(fmt.Sprint("asset ", r.ID, name, len(r.Assets), g.now().UnixNano()))}
	r.Assets = append(slices.Clone(r.Assets), a)
	return answer{status: http.StatusCreated, body: g.assetJSON(c.repo, *r, a)}, nil
}

func (g *GitHub) deleteAsset(c call) (answer, error) {
	for i := range g.releases {
		r := &g.releases[i]
		n := slices.IndexFunc(r.Assets, func(a Asset) bool { return fmt.Sprint(a.ID) == c.PathValue("asset") })
		if n < 0 || g.repository(r.Repository) != c.repo {
			continue
		}
		if r.Immutable {
			return answer{}, unprocessable("Cannot delete asset from an immutable release.")
		}
		r.Assets = slices.Delete(slices.Clone(r.Assets), n, n+1)
		return answer{status: http.StatusNoContent}, nil
	}
	return answer{}, errNotFound
}

// Releases are those of a repository, drafts among them, the oldest first.
func (g *GitHub) Releases(repository string) (list []Release) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.releases {
		if g.repository(r.Repository) == g.repository(repository) {
			list = append(list, r)
		}
	}
	return list
}
