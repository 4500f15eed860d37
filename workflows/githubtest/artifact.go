package githubtest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// artifactURLGood is how long the address of an artifact's blob is good for.
const artifactURLGood = time.Minute

// Artifact is what a job of a run uploaded. Its blob is what GitHub stores: a
// zip, but for one that was uploaded as it is.
type Artifact struct {
	Run  int64
	Name string
	Blob io.ReaderAt // read whenever somebody downloads it; see [Zip]
	Size int64       // of the blob, in bytes

	ID      int64     // 0 is the next; a later upload has a higher one
	File    string    // the file's name, of one that was uploaded as it is, without a zip
	Digest  string    // of the blob; "" is what it is, NoDigest is null, anything else is a lie
	Created time.Time // the zero time is now
	Expires time.Time // the zero time is 90 days later

	Unnamed bool // the storage does not say what it is, which no upload of today brings about

	// Overwrite takes away what the run has under that name, as
	// upload-artifact's "overwrite: true" does.
	Overwrite bool
}

// NoDigest is the Digest of what an old version of upload-artifact uploaded.
const NoDigest = "null"

// Member is a file in a zip.
type Member struct{ Name, Content string }

// Zip is what upload-artifact makes of files.
func Zip(members ...Member) (*bytes.Reader, error) {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.Name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(f, m.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.NewReader(buffer.Bytes()), nil
}

// PutArtifact uploads an artifact and returns it with its id and digest. It
// belongs to its run, to no attempt.
func (g *GitHub) PutArtifact(a Artifact) (Artifact, error) {
	if a.Digest == "" {
		digest := sha256.New()
		if _, err := io.Copy(digest, io.NewSectionReader(a.Blob, 0, a.Size)); err != nil {
			return Artifact{}, fmt.Errorf("artifact %s: %w", a.Name, err)
		}
		a.Digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs[a.Run] == nil {
		return Artifact{}, fmt.Errorf("artifact %s: want the id of a run, got %d", a.Name, a.Run)
	}
	if a.Created.IsZero() {
		a.Created = g.now()
	}
	if a.Expires.IsZero() {
		a.Expires = a.Created.AddDate(0, 0, 90)
	}
	if a.ID == 0 {
		g.lastArtifact++
		a.ID = g.lastArtifact
	}
	g.lastArtifact = max(g.lastArtifact, a.ID)
	g.artifacts = slices.DeleteFunc(g.artifacts, func(old Artifact) bool {
		return old.ID == a.ID || a.Overwrite && old.Run == a.Run && old.Name == a.Name
	})
	g.artifacts = append(g.artifacts, a)
	return a, nil
}

// DeleteArtifact takes an artifact away.
func (g *GitHub) DeleteArtifact(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.artifacts = slices.DeleteFunc(g.artifacts, func(a Artifact) bool { return a.ID == id })
}

var artifactRoutes = []route{
	{"GET /repos/{owner}/{repo}/actions/artifacts", "actions=read",
		"actions/artifacts#list-artifacts-for-a-repository", (*GitHub).listArtifacts},
	{"GET /repos/{owner}/{repo}/actions/runs/{run}/artifacts", "actions=read",
		"actions/artifacts#list-workflow-run-artifacts", (*GitHub).listRunArtifacts},
	{"GET /repos/{owner}/{repo}/actions/artifacts/{artifact}", "actions=read",
		"actions/artifacts#get-an-artifact", (*GitHub).getArtifact},
	{"GET /repos/{owner}/{repo}/actions/artifacts/{artifact}/{format}", "actions=read!",
		"actions/artifacts#download-an-artifact", (*GitHub).downloadArtifact},
}

// artifactsOf are a repository's artifacts that the query asks for, or one
// run's, the newest first.
func (g *GitHub) artifactsOf(c call, run int64) (answer, error) {
	name := c.URL.Query().Get("name")
	var found []Artifact
	for _, a := range g.artifacts {
		mine := g.repository(g.runs[a.Run].Repository) == c.repo
		if mine && (run == 0 || run == a.Run) && (name == "" || name == a.Name) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b Artifact) int { return cmp.Compare(b.ID, a.ID) })
	if c.URL.Query().Get("direction") == "asc" {
		slices.Reverse(found)
	}
	var items []any
	for _, a := range found {
		items = append(items, g.artifactJSON(c.repo, a))
	}
	return listed("artifacts", items)
}

func (g *GitHub) listArtifacts(c call) (answer, error) { return g.artifactsOf(c, 0) }

func (g *GitHub) listRunArtifacts(c call) (answer, error) {
	r, err := g.run(c)
	if err != nil {
		return answer{}, err
	}
	return g.artifactsOf(c, r.ID)
}

// artifact is the one that the path names.
func (g *GitHub) artifact(c call) (Artifact, error) {
	id, err := c.number64("artifact")
	if err != nil {
		return Artifact{}, err
	}
	for _, a := range g.artifacts {
		if a.ID == id && g.repository(g.runs[a.Run].Repository) == c.repo {
			return a, nil
		}
	}
	return Artifact{}, errNotFound
}

func (g *GitHub) getArtifact(c call) (answer, error) {
	a, err := g.artifact(c)
	if err != nil {
		return answer{}, err
	}
	return ok(g.artifactJSON(c.repo, a))
}

// downloadArtifact sends the caller to the blob. Its address is good for
// whoever has it, and not for long.
func (g *GitHub) downloadArtifact(c call) (answer, error) {
	a, err := g.artifact(c)
	if err != nil {
		return answer{}, err
	}
	if c.PathValue("format") != "zip" {
		return answer{}, errNotFound
	}
	if g.expired(a) {
		return answer{}, &failure{status: http.StatusGone, message: "Artifact has expired"}
	}
	kind, file := "application/zip", a.Name+".zip"
	if a.File != "" {
		kind, file = "application/octet-stream", a.File
	}
	if a.Unnamed {
		kind, file = "application/octet-stream", ""
	}
	return g.sendTo(blob{
		path:    fmt.Sprintf("/actions-results/%d/artifacts/%d", a.Run, a.ID),
		Content: a.Blob, Size: a.Size, Type: kind, File: file, Modified: a.Created,
	}, artifactURLGood)
}

func (g *GitHub) expired(a Artifact) bool { return !g.now().Before(a.Expires) }

func (g *GitHub) artifactJSON(repo *Repository, a Artifact) object {
	r := g.runs[a.Run]
	at := g.at(repo, fmt.Sprintf("/actions/artifacts/%d", a.ID))
	o := object{
		"id": a.ID, "node_id": node("A", a.ID), "name": a.Name, "size_in_bytes": a.Size,
		"url": at, "archive_download_url": at + "/zip", "expired": g.expired(a), "digest": a.Digest,
		"created_at": stamp(a.Created), "updated_at": stamp(a.Created), "expires_at": stamp(a.Expires),
		"workflow_run": object{"id": r.ID, "repository_id": repo.ID,
			"head_repository_id": g.repository(r.Head).ID, "head_branch": r.Branch, "head_sha": r.SHA},
	}
	if a.Digest == NoDigest {
		o["digest"] = nil
	}
	return o
}
