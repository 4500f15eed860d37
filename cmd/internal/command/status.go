package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
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
says where it stands, who is waited for, and the exact next command.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			standings, err := status(c.Context(), s, f, args)
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
				p.line("the store %s holds no release", f.store)
				p.field("next", "distgate stage DIR")
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
	State   string            `json:"state"`          // published, approved, waiting, refused or undecided
	Have    int               `json:"have,omitempty"` // approvals that count; not asked once it is published
	Need    int               `json:"need"`
	May     []string          `json:"may"` // who could still approve
	By      []approval.Ballot `json:"by"`
	Refused rule.Refusals     `json:"refused"`
	Error   string            `json:"error"` // why it is undecided
	Next    string            `json:"next"`
}

func status(ctx context.Context, s Streams, f shared, args []string) ([]standing, error) {
	p, err := loadPolicy(ctx, f.policy, cacheDir(s), s.Now())
	if err != nil {
		return nil, err
	}
	store, err := staging.OpenStore(f.store)
	if err != nil {
		return nil, err
	}
	releases, malformed, err := store.Releases(ctx)
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		digest, err := store.Resolve(ctx, args[0])
		if err != nil {
			return nil, err
		}
		releases, malformed = only(releases, digest), nil
	}
	printer{s.Err}.refusals(malformed)
	standings := []standing{}
	for _, r := range releases {
		standings = append(standings, p.standing(ctx, s, store, r))
	}
	return standings, nil
}

func only(releases []staging.Release, digest dist.Digest) []staging.Release {
	for _, r := range releases {
		if r.Digest == digest {
			return []staging.Release{r}
		}
	}
	return nil
}

// standing opens one release and asks the records where it stands. An error is
// a standing too: one broken release does not hide the others.
func (p policy) standing(ctx context.Context, s Streams, store *staging.Store, listed staging.Release) standing {
	m := listed.Manifest
	st := standing{Release: listed.Digest, Project: m.Project, Version: m.Version, Index: m.Index,
		Need: p.approval.Need, May: []string{}, By: []approval.Ballot{}, Refused: rule.Refusals{}}
	r, err := p.open(ctx, store, listed.Digest)
	if err != nil {
		return st.failed(err)
	}
	published, err := r.receipts(ctx, listed)
	if err != nil {
		return st.failed(err)
	}
	if published {
		st.State, st.Next = "published", "nothing; `distgate publish "+st.name()+"` confirms it again"
		return st
	}
	approved, err := r.check(ctx, s)
	var waiting approval.Waiting
	switch {
	case errors.As(err, &waiting):
		st.State, st.Have, st.May, st.By = "waiting", waiting.Have, waiting.May, append(st.By, waiting.Ballots...)
		st.Refused = append(st.Refused, waiting.Refused...)
		st.Next = "distgate approve " + st.name() + " --key FILE"
	case err != nil:
		return st.failed(err)
	default:
		st.State, st.By = "approved", approved.Ballots()
		st.Have, st.Refused = len(st.By), append(st.Refused, approved.Refused()...)
		st.Next = "distgate publish " + st.name()
	}
	return st
}

// receipts reports whether a receipt of the publisher is under the release.
func (r release) receipts(ctx context.Context, listed staging.Release) (bool, error) {
	publisher, err := r.policy.publisher(r.index)
	if err != nil {
		return false, err
	}
	believed, _, err := publish.Receipts(ctx, r.store, listed, publisher, r.policy.verifier)
	return len(believed) > 0, err
}

// name is how the next command calls the release.
func (st standing) name() string { return short(st.Release) }

func (st standing) failed(err error) standing {
	var refused rule.Refusals
	if errors.As(err, &refused) {
		st.State, st.Refused = "refused", refused
		st.Next = "read the refusals; stage again once they are mended"
		return st
	}
	st.State, st.Error, st.Next = "undecided", err.Error(), "mend what the error says, and ask again"
	return st
}

func (p printer) standing(st standing) {
	p.line("%s %s for %s", fmt.Sprintf("%-10s", st.State), st.Project+" "+st.Version, st.Index)
	p.field("release", st.Release.String())
	for _, b := range st.By {
		p.field("approved", fmt.Sprintf("%s, until %s", b.By, utc(b.Expires)))
	}
	if st.State == "waiting" {
		p.field("votes", fmt.Sprintf("%d of %d people", st.Have, st.Need))
		for _, may := range st.May {
			p.field("may vote", may)
		}
	}
	p.refusals(st.Refused)
	if st.Error != "" {
		p.field("error", st.Error)
	}
	p.field("next", st.Next)
}
