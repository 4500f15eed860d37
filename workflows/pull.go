package workflows

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Pull is a pull request that was merged, and brought a commit to a branch.
type Pull struct {
	Number   int64    `json:"number"`
	Title    string   `json:"title"`
	Base     string   `json:"base"`     // the branch
	Author   string   `json:"author"`   // login
	MergedBy string   `json:"mergedBy"` // login
	Approved []string `json:"approved"` // logins of those whose last word on it is yes, sorted
}

// Bounds on the pull requests of one commit, and on the pages of reviews of one.
const (
	maxPulls       = 20
	maxReviewPages = 10
)

const readPulls = "pull-requests: read"

// login is an account, as far as it is named. One that is gone is null.
type login struct {
	Login string `json:"login"`
}

func (l *login) name() string {
	if l == nil || l.Login == "" {
		return "ghost" // as GitHub shows it
	}
	return clip(l.Login)
}

// Pulls lists the merged pull requests that GitHub associates with a commit, by
// number. There is none for a commit that was pushed.
func (c *Client) Pulls(ctx context.Context, repository, commit string) (pulls []Pull, err error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	q := question{path: at + "/commits/" + url.PathEscape(commit) + "/pulls", query: onePage(), needs: readPulls, about: repository}
	found, err := get[[]struct {
		Number int64   `json:"number"`
		Merged *string `json:"merged_at"`
	}](ctx, c, q)
	if err != nil {
		return nil, err
	}
	if len(found) > maxPulls {
		return nil, fmt.Errorf("GitHub, %s: want at most %d pull requests, got %d", q.path, maxPulls, len(found))
	}
	for _, f := range found {
		if f.Merged == nil {
			continue
		}
		p, err := c.pull(ctx, at, repository, f.Number)
		if err != nil {
			return nil, err
		}
		pulls = append(pulls, p)
	}
	slices.SortFunc(pulls, func(a, b Pull) int { return int(a.Number - b.Number) })
	return pulls, nil
}

// pull asks for one of them, and who approved it.
func (c *Client) pull(ctx context.Context, at, repository string, number int64) (Pull, error) {
	q := question{path: at + "/pulls/" + strconv.FormatInt(number, 10), needs: readPulls, about: repository}
	said, err := get[struct {
		Number   int64  `json:"number"`
		Title    string `json:"title"`
		Merged   bool   `json:"merged"`
		User     *login `json:"user"`
		MergedBy *login `json:"merged_by"`
		Base     struct {
			Ref string `json:"ref"`
		} `json:"base"`
	}](ctx, c, q)
	if err != nil {
		return Pull{}, err
	}
	if said.Number != number || !said.Merged || said.Base.Ref == "" {
		return Pull{}, fmt.Errorf("GitHub, %s: want the merged pull request %d and its branch, got less", q.path, number)
	}
	p := Pull{Number: number, Title: clip(said.Title), Base: clip(said.Base.Ref), Author: said.User.name(), MergedBy: said.MergedBy.name()}
	p.Approved, err = c.approvedBy(ctx, q)
	return p, err
}

// approvedBy are those whose last review is an approval. A comment takes none back.
func (c *Client) approvedBy(ctx context.Context, q question) (logins []string, err error) {
	q.path, q.query = q.path+"/reviews", onePage()
	last := map[string]string{}
	for page := 1; page <= maxReviewPages; page++ {
		q.query.Set("page", strconv.Itoa(page))
		a, err := c.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		var reviews []struct {
			User  *login `json:"user"`
			State string `json:"state"`
		}
		if err := a.decode(q, &reviews); err != nil {
			return nil, err
		}
		for _, r := range reviews {
			if r.State != "COMMENTED" && r.State != "PENDING" {
				last[r.User.name()] = r.State
			}
		}
		if !strings.Contains(a.header.Get("Link"), `rel="next"`) {
			maps.DeleteFunc(last, func(_, state string) bool { return state != "APPROVED" })
			return slices.Sorted(maps.Keys(last)), nil
		}
	}
	return nil, fmt.Errorf("GitHub, %s: want at most %d pages of reviews, got more", q.path, maxReviewPages)
}
