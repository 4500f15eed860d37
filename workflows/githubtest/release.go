package githubtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"
)

// Release is a release with its files.
type Release struct {
	Repository string // "owner/name"
	Tag        string
	ID         int64  // 0 is made up
	Target     string // "" is the default branch
	Name       string // "" is the tag
	Body       string
	Author     string // login; "" is alice
	Draft      bool   // seen by those who may write
	Prerelease bool
	Immutable  bool
	Created    time.Time // the zero time is now
	Assets     []Asset
}

// Asset is a file of a release.
type Asset struct {
	Name   string
	ID     int64 // 0 is made up
	Blob   io.ReaderAt
	Size   int64
	Digest string // as an artifact's
}

// PutRelease adds a release, or changes the one of that id.
func (g *GitHub) PutRelease(r Release) (Release, error) {
	r.Assets = slices.Clone(r.Assets)
	for i, a := range r.Assets {
		if a.Digest == "" {
			digest := sha256.New()
			if _, err := io.Copy(digest, io.NewSectionReader(a.Blob, 0, a.Size)); err != nil {
				return Release{}, fmt.Errorf("asset %s: %w", a.Name, err)
			}
			r.Assets[i].Digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
		}
		if a.ID == 0 {
			r.Assets[i].ID = id("asset " + r.Repository + " " + r.Tag + " " + a.Name)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	repo := g.repository(r.Repository)
	r.ID = cmp.Or(r.ID, id("release "+r.Repository+" "+r.Tag))
	r.Target, r.Name = cmp.Or(r.Target, repo.DefaultBranch), cmp.Or(r.Name, r.Tag)
	r.Author = cmp.Or(r.Author, "alice")
	g.user(r.Author)
	if r.Created.IsZero() {
		r.Created = g.now()
	}
	g.releases = slices.DeleteFunc(g.releases, func(old Release) bool { return old.ID == r.ID })
	g.releases = append(g.releases, r)
	return r, nil
}

const releaseAt = "/repos/{owner}/{repo}/releases"

var releaseRoutes = []route{
	{"GET " + releaseAt, "contents=read", "releases/releases#list-releases", (*GitHub).listReleases},
	{"GET " + releaseAt + "/latest", "contents=read", "releases/releases#get-the-latest-release",
		func(g *GitHub, c call) (answer, error) {
			return g.release(c, func(r Release) bool { return !r.Draft && !r.Prerelease })
		}},
	{"GET " + releaseAt + "/tags/{tag}", "contents=read", "releases/releases#get-a-release-by-tag-name",
		func(g *GitHub, c call) (answer, error) {
			return g.release(c, func(r Release) bool { return !r.Draft && r.Tag == c.PathValue("tag") })
		}},
	{"GET " + releaseAt + "/{release}", "contents=read", "releases/releases#get-a-release",
		func(g *GitHub, c call) (answer, error) {
			return g.release(c, func(r Release) bool { return r.is(c) })
		}},
	{"GET " + releaseAt + "/{release}/{part}", "contents=read", "releases/assets#list-release-assets",
		(*GitHub).listAssets},
	{"GET " + releaseAt + "/assets/{asset}", "contents=read", "releases/assets#get-a-release-asset",
		(*GitHub).getAsset},
	{"POST " + releaseAt, "contents=write", "releases/releases#create-a-release", (*GitHub).createRelease},
	{"PATCH " + releaseAt + "/{release}", "contents=write", "releases/releases#update-a-release", (*GitHub).updateRelease},
	{"POST /uploads" + releaseAt + "/{release}/assets", "contents=write", "releases/assets#upload-a-release-asset",
		(*GitHub).uploadAsset},
	{"DELETE " + releaseAt + "/assets/{asset}", "contents=write", "releases/assets#delete-a-release-asset", (*GitHub).deleteAsset},
	{"GET /repos/{owner}/{repo}/immutable-releases", "administration=read!",
		"repos/repos#check-if-immutable-releases-are-enabled-for-a-repository", (*GitHub).getImmutable},
}

// releasesOf are a repository's that the caller may see, the newest first.
func (g *GitHub) releasesOf(c call) (found []Release) {
	writes := c.access.sees(c.repo) && c.access.Permissions["contents"] == "write"
	for _, r := range g.releases {
		if g.repository(r.Repository) == c.repo && (!r.Draft || writes) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Release) int { return b.Created.Compare(a.Created) })
	return found
}

// is tells whether the path names the release.
func (r Release) is(c call) bool { return fmt.Sprint(r.ID) == c.PathValue("release") }

func (g *GitHub) listReleases(c call) (answer, error) {
	var items []any
	for _, r := range g.releasesOf(c) {
		items = append(items, g.releaseJSON(c.repo, r))
	}
	return listed("", items)
}

// release is the newest release that is wanted.
func (g *GitHub) release(c call, wanted func(Release) bool) (answer, error) {
	for _, r := range g.releasesOf(c) {
		if wanted(r) {
			return ok(g.releaseJSON(c.repo, r))
		}
	}
	return answer{}, errNotFound
}

// listAssets is the only part of a release that has an address of its own.
func (g *GitHub) listAssets(c call) (answer, error) {
	for _, r := range g.releasesOf(c) {
		if c.PathValue("part") == "assets" && r.is(c) {
			return listed("", g.assetsJSON(c.repo, r))
		}
	}
	return answer{}, errNotFound
}

// getAsset tells of a file, or sends the caller to it if they accept its bytes.
func (g *GitHub) getAsset(c call) (answer, error) {
	for _, r := range g.releasesOf(c) {
		for _, a := range r.Assets {
			if fmt.Sprint(a.ID) != c.PathValue("asset") {
				continue
			}
			if c.Header.Get("Accept") != "application/octet-stream" {
				return ok(g.assetJSON(c.repo, r, a))
			}
			return g.sendTo(blob{
				path:    fmt.Sprintf("/github-production-release-asset/%d/%d", c.repo.ID, a.ID),
				Content: a.Blob, Size: a.Size, Type: "application/octet-stream", File: a.Name,
				Modified: r.Created,
			}, time.Hour)
		}
	}
	return answer{}, errNotFound
}

func (g *GitHub) getImmutable(c call) (answer, error) {
	if !c.repo.ImmutableReleases {
		return answer{}, errNotFound
	}
	return ok(object{"enabled": true, "enforced_by_owner": false})
}

func (g *GitHub) releaseJSON(repo *Repository, r Release) object {
	at := fmt.Sprintf("/releases/%d", r.ID)
	o := object{
		"id": r.ID, "node_id": node("RE", r.ID),
		"url": g.at(repo, at), "assets_url": g.at(repo, at+"/assets"),
		"upload_url":  g.base + "/uploads/repos/" + repo.Name + at + "/assets{?name,label}",
		"html_url":    pageOf(repo, "/releases/tag/"+escapePath(r.Tag)),
		"tarball_url": g.at(repo, "/tarball/"+escapePath(r.Tag)),
		"zipball_url": g.at(repo, "/zipball/"+escapePath(r.Tag)),
		"tag_name":    r.Tag, "target_commitish": r.Target, "name": r.Name, "body": r.Body, "draft": r.Draft,
		"prerelease": r.Prerelease, "immutable": r.Immutable, "author": g.userJSON(r.Author),
		"created_at": stamp(r.Created), "updated_at": stamp(r.Created), "published_at": stamp(r.Created),
		"assets": g.assetsJSON(repo, r),
	}
	if r.Draft {
		o["published_at"] = nil
	}
	return o
}

func (g *GitHub) assetsJSON(repo *Repository, r Release) []any {
	assets := []any{}
	for _, a := range r.Assets {
		assets = append(assets, g.assetJSON(repo, r, a))
	}
	return assets
}

func (g *GitHub) assetJSON(repo *Repository, r Release, a Asset) object {
	o := object{
		"id": a.ID, "node_id": node("RA", a.ID), "name": a.Name, "label": "", "state": "uploaded",
		"size": a.Size, "content_type": "application/octet-stream", "digest": a.Digest,
		"download_count": 0, "url": g.at(repo, fmt.Sprintf("/releases/assets/%d", a.ID)),
		"browser_download_url": pageOf(repo, "/releases/download/"+escapePath(r.Tag+"/"+a.Name)),
		"created_at":           stamp(r.Created), "updated_at": stamp(r.Created),
		"uploader": g.userJSON(r.Author),
	}
	if a.Digest == NoDigest {
		o["digest"] = nil
	}
	return o
}
