package workflows

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strconv"
)

// Built is a run that ended well, as a list of runs tells of it.
type Built struct {
	ID     int64
	Event  string
	Commit string
	Ref    string // name of the branch or tag, without what it is
}

// maxBuilt is how many runs are looked through for the one of a version.
const maxBuilt = 50

// Built lists the newest runs of a workflow that ended well, the newest first, at
// most fifty. It is for finding a run: what a run is says [Client.Run].
func (c *Client) Built(ctx context.Context, repository, workflow string) ([]Built, error) {
	at, err := pathOf(repository)
	if err != nil {
		return nil, err
	}
	said, err := get[struct {
		Runs *[]struct {
			ID     int64  `json:"id"`
			Event  string `json:"event"`
			SHA    string `json:"head_sha"`
			Branch string `json:"head_branch"`
		} `json:"workflow_runs"`
	}](ctx, c, question{path: at + "/actions/workflows/" + url.PathEscape(path.Base(workflow)) + "/runs",
		query: url.Values{"status": {"success"}, "per_page": {strconv.Itoa(maxBuilt)}}, needs: readActions, about: repository})
	if err != nil {
		return nil, err
	}
	if said.Runs == nil || len(*said.Runs) > maxBuilt {
		return nil, fmt.Errorf("GitHub, %s: want at most %d runs, got something else", at, maxBuilt)
	}
	var built []Built
	for _, r := range *said.Runs {
		if r.ID <= 0 || !commitSHA.MatchString(r.SHA) {
			return nil, fmt.Errorf("GitHub, %s: want a run and its commit, got %d of %.100q", at, r.ID, r.SHA)
		}
		built = append(built, Built{r.ID, r.Event, r.SHA, clip(r.Branch)})
	}
	return built, nil
}
