package workflows

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Review is what somebody said about jobs of a run that waited for
// environments. GitHub tells of it neither when nor in which attempt it was.
type Review struct {
	Environments []int64 `json:"environments"` // ids: a name can be given to another
	By           Account `json:"by"`
	State        string  `json:"state"` // "approved" or "rejected"
	Comment      string  `json:"comment"`
}

// The states of a review.
const (
	Approved = "approved"
	Rejected = "rejected"
)

// Of tells whether the review is about the environment.
func (r Review) Of(e Environment) bool { return e.ID > 0 && slices.Contains(r.Environments, e.ID) }

type reviewAnswer struct {
	Environments []struct {
		ID int64 `json:"id"`
	} `json:"environments"`
	State   string `json:"state"`
	Comment string `json:"comment"`
	User    *struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"`
}

// Reviews lists the reviews of a run, of all attempts that GitHub remembers. It
// is an error if in more attempts a job ended as a rejected one does than there
// are rejections in the list: absence proves nothing.
func (c *Client) Reviews(ctx context.Context, r Run) ([]Review, error) {
	reviews, err := c.reviews(ctx, r)
	if err != nil {
		return nil, err
	}
	return reviews, c.noneForgotten(ctx, r, reviews)
}

func (c *Client) reviews(ctx context.Context, r Run) ([]Review, error) {
	q, err := r.question("/approvals")
	if err != nil {
		return nil, err
	}
	said, err := get[[]reviewAnswer](ctx, c, q)
	if err != nil {
		return nil, err
	}
	reviews := make([]Review, len(said))
	for i, a := range said {
		if a.User == nil || a.User.ID <= 0 || a.State == "" || len(a.Environments) == 0 {
			return nil, fmt.Errorf("GitHub, %s: want reviews with who, of which environment and what; got one without", q.path)
		}
		reviews[i] = Review{State: a.State, Comment: a.Comment,
			By: Account{ID: a.User.ID, Login: a.User.Login, Bot: a.User.Type != "User"}}
		for _, e := range a.Environments {
			reviews[i].Environments = append(reviews[i].Environments, e.ID)
		}
	}
	return reviews, nil
}

// noneForgotten is an error where jobs failed before they had a runner, as they
// do whose environment was rejected, and too few rejections are listed.
func (c *Client) noneForgotten(ctx context.Context, r Run, reviews []Review) error {
	jobs, err := c.Jobs(ctx, r.URL())
	if err != nil {
		return err
	}
	ended := map[int]string{} // a job's name, by attempt
	for _, j := range jobs {
		if j.Conclusion == "failure" && j.RunnerID == 0 && j.Steps == 0 {
			ended[j.Attempt] = j.Name
		}
	}
	rejections := 0
	for _, v := range reviews {
		if v.State == Rejected {
			rejections++
		}
	}
	if len(ended) <= rejections {
		return nil
	}
	attempts := slices.Sorted(maps.Keys(ended))
	return fmt.Errorf("%s: in attempts %v a job failed before it began, as %s in attempt %d, which one does that was rejected; "+
		"GitHub lists %d rejections; start a new run", r.URL(), attempts, clip(ended[attempts[0]]), attempts[0], rejections)
}
