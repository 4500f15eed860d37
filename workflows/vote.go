package workflows

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Wait is an environment that jobs of a run wait for.
type Wait struct {
	Environment int64 // its id
	May         bool  // whoever asks may review
}

// Waits lists the environments that jobs of a run's last attempt wait for.
func (c *Client) Waits(ctx context.Context, r Run) ([]Wait, error) {
	q, err := r.question(pendingDeployments)
	if err != nil {
		return nil, err
	}
	said, err := get[[]struct {
		Environment struct {
			ID int64 `json:"id"`
		} `json:"environment"`
		May bool `json:"current_user_can_approve"`
	}](ctx, c, q)
	if err != nil {
		return nil, err
	}
	waits := []Wait{}
	for _, w := range said {
		waits = append(waits, Wait{Environment: w.Environment.ID, May: w.May})
	}
	return waits, nil
}

const pendingDeployments = "/pending_deployments"

// Me is whose token this is. A job's token is nobody's.
func (c *Client) Me(ctx context.Context) (Account, error) {
	q := question{path: "user", needs: "a person's token, as gh auth token prints it", about: "this"}
	said, err := get[struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	}](ctx, c, q)
	if err == nil && said.ID <= 0 {
		err = fmt.Errorf("GitHub, %s: want whose token this is, got nobody", q.path)
	}
	return Account{ID: said.ID, Login: said.Login, Bot: said.Type != "User"}, err
}

// Post reviews the environment for the jobs of the run that wait for it, as the
// person whose token this is. It is posted once, whatever happens: where the
// answer is lost, GitHub is asked whether it came. A review that is there
// already, with no job that waits, is as good as posted.
func (c *Client) Post(ctx context.Context, r Run, e Environment, by Account, state, comment string) error {
	before, err := c.posted(ctx, r, e, by, state, comment)
	if err != nil {
		return err
	}
	waits, err := c.Waits(ctx, r)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(waits, func(w Wait) bool { return w.Environment == e.ID })
	switch {
	case i < 0 && before > 0:
		return nil
	case i < 0:
		return fmt.Errorf("%s: no job waits for the environment %s; if it was approved without a digest, run it again", r.URL(), e.Name)
	case !waits[i].May:
		return fmt.Errorf("%s: %s may not review the environment %s; its reviewers are named at %s", r.URL(), clip(by.Login), e.Name, e.settings())
	}
	q, err := r.question(pendingDeployments)
	if err != nil {
		return err
	}
	q.needs = "deployments: write"
	q.body = struct {
		Environments []int64 `json:"environment_ids"`
		State        string  `json:"state"`
		Comment      string  `json:"comment"`
	}{[]int64{e.ID}, state, comment}
	if _, err = c.once(ctx, q); err == nil {
		return nil
	}
	after, asked := c.posted(ctx, r, e, by, state, comment)
	switch {
	case asked != nil:
		return fmt.Errorf("the review may have been posted or not: %w; and then: %w", err, asked)
	case after > before:
		return nil
	}
	return fmt.Errorf("the review was not posted, as far as GitHub says: %w", err)
}

// posted counts the reviews of that person that say just this.
func (c *Client) posted(ctx context.Context, r Run, e Environment, by Account, state, comment string) (n int, err error) {
	reviews, err := c.reviews(ctx, r)
	for _, v := range reviews {
		if v.Of(e) && v.By.ID == by.ID && v.State == state && strings.TrimSpace(v.Comment) == strings.TrimSpace(comment) {
			n++
		}
	}
	return n, err
}

// Content is what a file of a repository holds at a commit or branch. It is the
// bytes that count: a symbolic link or a submodule is none.
func (c *Client) Content(ctx context.Context, repository, path, ref string) ([]byte, error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	q := question{path: at + "/contents/" + strings.Join(parts, "/"), query: url.Values{"ref": {ref}},
		needs: "contents: read", about: repository}
	a, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	var said struct {
		Type, Path, Encoding, Content string
	}
	if json.Unmarshal(a.body, &said) != nil || said.Type != "file" || said.Path != path || said.Encoding != "base64" {
		return nil, fmt.Errorf("GitHub, %s: want a file of at most a megabyte, got something else", q.path)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(said.Content, "\n", ""))
	if err != nil {
		return nil, fmt.Errorf("GitHub, %s: want base64, got %w", q.path, err)
	}
	return raw, nil
}
