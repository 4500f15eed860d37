package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func newStatus(s Streams) *cobra.Command {
	var f shared
	c := &cobra.Command{
		Use:   "status [RELEASE]",
		Short: "Where every release stands, and the next command",
		Long: `Status proves every release of the store again (or the one that is named) and
says where it stands, who is waited for, and the exact next command. It ends
with 0 whatever it finds; publish is the verb that decides.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			standings, store, err := status(c.Context(), s, f, args)
			if err != nil {
				return err
			}
			if f.json {
				return emit(s.Out, standings)
			}
			p := printer{s.Out}
			for _, st := range standings {
				p.standing(st)
			}
			if len(standings) == 0 {
				p.line("the store %s holds no release", store)
				p.field("next", "distgate stage DIR"+f.again())
			}
			return nil
		},
	}
	f.bind(c)
	return c
}

// standing is where one release stands.
type standing struct {
	Release dist.Digest       `json:"release"`
	Project string            `json:"project"`
	Version string            `json:"version"`
	Index   string            `json:"index"`
	State   string            `json:"state"` // published, approved, waiting, withdrawn, refused or undecided
	Have    int               `json:"have"`  // approvals that count
	Need    int               `json:"need"`
	Former  bool              `json:"former"` // the people of the policy before this one are waited for
	By      []approval.Ballot `json:"by"`
	May     []string          `json:"may"` // who could still approve
	Refused rule.Refusals     `json:"refused"`
	Error   string            `json:"error,omitempty"` // why it is undecided
	Next    string            `json:"next,omitempty"`
}

func status(ctx context.Context, s Streams, f shared, args []string) (standings []standing, store string, err error) {
	p, err := openPolicy(ctx, s, f)
	if err != nil {
		return nil, "", err
	}
	at, err := p.existingStore(s, f)
	if err != nil {
		return nil, "", err
	}
	releases, malformed, err := at.Releases(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(args) == 1 {
		digest, err := at.Resolve(ctx, args[0])
		if err != nil {
			return nil, "", err
		}
		releases, malformed = only(releases, digest), nil
	}
	printer{s.Err}.refusals(malformed)
	standings = []standing{}
	for _, listed := range releases {
		st := newStanding(listed.Digest, listed.Manifest, p.approval.Need)
		r, err := p.open(ctx, s, f, at, listed.Digest)
		if err == nil {
			st, err = r.standing(ctx, s)
		}
		if err != nil {
			st = st.failed(err)
		}
		standings = append(standings, st)
	}
	return standings, p.storeName(f), nil
}

func only(releases []staging.Release, digest dist.Digest) []staging.Release {
	for _, r := range releases {
		if r.Digest == digest {
			return []staging.Release{r}
		}
	}
	return nil
}

func newStanding(release dist.Digest, m staging.Manifest, need int) standing {
	return standing{Release: release, Project: m.Project, Version: m.Version, Index: m.Index,
		Need: need, May: []string{}, By: []approval.Ballot{}, Refused: rule.Refusals{}}
}

// failed is the standing of a release that could not be opened or judged: one
// broken release does not hide the others.
func (st standing) failed(err error) standing {
	var refused rule.Refusals
	if errors.As(err, &refused) {
		st.State, st.Refused = "refused", refused
		return st
	}
	st.State, st.Error = "undecided", err.Error()
	return st
}

// standing asks the records where the release stands, and what comes next.
func (r release) standing(ctx context.Context, s Streams) (standing, error) {
	published, err := r.published(ctx)
	if err != nil {
		return newStanding(r.staged.Digest(), r.staged.Manifest(), r.policy.approval.Need), err
	}
	ballots, refused, err := r.count(ctx, s)
	st, err := r.stands(published, ballots, refused, err)
	if err != nil {
		return st, err
	}
	var back rule.Refusals
	if err := r.withdrawn(ctx, s); errors.As(err, &back) {
		st.State, st.Refused = "withdrawn", append(st.Refused, back...)
		st.Next = "distgate withdraw " + st.Version + " --reason … shows what the index serves"
	} else if err != nil {
		return st, err
	}
	return st, nil
}

// stands is where the release stands by a count of its votes.
func (r release) stands(published bool, ballots []approval.Ballot, refused rule.Refusals, err error) (standing, error) {
	st := newStanding(r.staged.Digest(), r.staged.Manifest(), r.policy.approval.Need)
	var waiting approval.Waiting
	var rejected rule.Refusals
	name := short(st.Release)
	switch {
	case errors.As(err, &waiting):
		st.State, st.May, st.Need, st.Former = "waiting", waiting.May, waiting.Need, waiting.Former
		st.By, st.Refused = append(st.By, waiting.Ballots...), append(st.Refused, waiting.Refused...)
		st.Next = "distgate approve " + name + r.votingFlag() + r.flags.again()
	case errors.As(err, &rejected):
		st.State, st.Refused = "refused", rejected
	case err != nil:
		return st, err
	default:
		st.State = "approved"
		st.By, st.Refused = append(st.By, ballots...), append(st.Refused, refused...)
		st.Next = "in the job that publishes: distgate publish " + name + r.flags.again()
	}
	st.Have = len(st.By)
	if published {
		st.State, st.Next = "published", "nothing; publish would send nothing and confirm it again"
	}
	return st, nil
}

func (p printer) standing(st standing) {
	p.line("%s %s %s for index %s", fmt.Sprintf("%-10s", st.State), st.Project, st.Version, st.Index)
	p.field("release", st.Release.String())
	if st.State == "waiting" || st.State == "approved" {
		p.field("votes", fmt.Sprintf("%d of %d people approved", st.Have, st.Need))
	}
	p.ballots(st.By)
	if st.Former {
		p.field("by", formerPeople)
	}
	if st.State == "waiting" {
		for _, may := range st.May {
			p.field("may vote", may)
		}
	}
	if st.Error != "" {
		p.field("error", st.Error)
	}
	if st.Next != "" {
		p.field("next", st.Next)
	}
	p.refusals(st.Refused)
}
