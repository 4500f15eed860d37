package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/distgate/distgate/attest"
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
// is an error if a job ended as a rejected one does and no rejection is listed:
// absence proves nothing.
func (c *Client) Reviews(ctx context.Context, r Run) ([]Review, error) {
	reviews, err := c.reviews(ctx, r)
	rejected := func(v Review) bool { return v.State == Rejected }
	if err != nil || slices.ContainsFunc(reviews, rejected) {
		return reviews, err
	}
	return reviews, c.noneForgotten(ctx, r)
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

// noneForgotten is an error where a job failed before it had a runner, as one
// does whose environment was rejected.
func (c *Client) noneForgotten(ctx context.Context, r Run) error {
	jobs, err := c.Jobs(ctx, r.URL())
	if err != nil {
		return err
	}
	ended := func(j attest.Job) bool { return j.Conclusion == "failure" && j.RunnerID == 0 && j.Steps == 0 }
	if i := slices.IndexFunc(jobs, ended); i >= 0 {
		return errors.New("job " + clip(jobs[i].Name) + fmt.Sprintf(" of attempt %d of %s failed before it began, "+
			"as one does that was rejected, and GitHub lists no rejection; start a new run", jobs[i].Attempt, r.URL()))
	}
	return nil
}
