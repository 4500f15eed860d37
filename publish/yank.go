package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

// CanYank tells whether the policy names an API of the index by which a job can
// yank. PyPI has none: there an owner does it in a browser.
func (x *Index) CanYank() bool { return x.yank != nil }

// Yank takes a version back on an index that has an API for it, or with undo puts
// it back. The job shows who it is as it would to upload; the token ends with it.
// The form is the one that Warehouse once proposed: PATCH PROJECT/VERSION.
func (j Job) Yank(ctx context.Context, project string, version dist.Version, reason string, undo bool) error {
	if j.Index == nil || j.Token == nil || !j.Index.CanYank() {
		return errors.New("publish: no index with an API to yank, or no token")
	}
	j.Progress = oneByOne(j.Progress)
	s, err := j.open(ctx)
	if err != nil {
		return err
	}
	defer s.burn(ctx)
	token, err := s.bearer(ctx)
	if err != nil {
		return err
	}
	said := map[string]any{"yanked": !undo, "yanked_reason": reason}
	if undo {
		said["yanked_reason"] = nil
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return err
	}
	at := j.Index.yank.JoinPath(project, version.String())
	r, err := http.NewRequest(http.MethodPatch, at.String(), bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", token.authorization())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	return j.Index.ask(ctx, r, func(response *http.Response) error {
		a, err := j.Index.read(response, maxAnswer)
		if err == nil && a.status != http.StatusOK {
			err = rule.Refusals{{File: project + " " + version.String(), Rule: rule.YankRefused,
				Want: "the index to take it", Got: a.says(s.secrets()...),
				Hint: "see who may yank on the index; an owner can always do it in a browser"}}
		}
		return err
	})
}
