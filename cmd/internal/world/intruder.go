package world

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"mime/multipart"
	"net/http"

	"github.com/distgate/distgate/publish/pypitest"
)

// Intrude uploads a wheel of a version with an API token that somebody once made
// and that was stolen since: past the build, the votes and GitHub. The tag is the
// wheel's, as in [World.BuildWheel].
func (w *World) Intrude(ctx context.Context, version, tag string) (name string, err error) {
	token, err := w.index.AddToken(pypitest.User{Name: "carol"}, Project)
	if err != nil {
		return "", err
	}
	f, err := wheel(version, tag)
	if err != nil {
		return "", err
	}
	return f.Name, w.send(ctx, token, version, f)
}

// send sends one wheel in the legacy upload API's form, as twine does.
func (w *World) send(ctx context.Context, token, version string, f File) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{
		":action": "file_upload", "protocol_version": "1", "metadata_version": "2.4",
		"name": Project, "version": version, "filetype": "bdist_wheel", "pyversion": "py3",
		"sha256_digest": fmt.Sprintf("%x", sha256.Sum256(f.Raw)),
	} {
		if err := form.WriteField(name, value); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("content", f.Name)
	if err != nil {
		return err
	}
	if _, err := part.Write(f.Raw); err != nil {
		return err
	}
	if err := form.Close(); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.at.index+"/legacy/", &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.SetBasicAuth("__token__", token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the index did not take %s: %s", f.Name, answer.Status)
	}
	return nil
}
