package command

import (
	"cmp"
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
	Before  *approval.Waiting `json:"before,omitempty"` // what the people of the policy before are waited for with
	May     []string          `json:"may"`              // who could still approve
	Refused rule.Refusals     `json:"refused"`
	Today   rule.Refusals     `json:"today"`             // why the policy as it is now refuses what was published
	Error   string            `json:"error,omitempty"`   // why it is undecided
	Unasked string            `json:"unasked,omitempty"` // why it is not known who decided on the release before
	Next    string            `json:"next,omitempty"`
}

func status(ctx context.Context, s Streams, f shared, args []string) (standings []standing, store string, err error) {
	p, at, err := openStored(ctx, s, f)
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
	var silent error // of the index, once it gave no answer
	for _, listed := range releases {
		var st standing
		st, silent = p.standing(ctx, s, f, at, listed, silent)
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
		Need: need, May: []string{}, By: []approval.Ballot{}, Refused: rule.Refusals{}, Today: rule.Refusals{}}
}

// standing is where a release stands. One that is broken does not hide the others. Where
// the index was silent before, it is not asked again, and stays so.
func (p policy) standing(
	ctx context.Context, s Streams, f shared, store *staging.Store, listed staging.Release, silent error,
) (standing, error) {
	r, err := p.open(ctx, s, f, store, listed.Digest)
	if err != nil {
		return p.unopened(ctx, s, store, listed, err), silent
	}
	if out, err := p.published(ctx, store, listed, r.index); err == nil && !out {
		r = r.askedWho(ctx, s, silent)
	}
	st, err := r.standing(ctx, s)
	if err != nil {
		return newStanding(listed.Digest, listed.Manifest, p.approval.Need).failed(err), r.unasked
	}
	return st, cmp.Or(r.unasked, silent)
}

// askedWho is the release with the people who must vote on it as the index knows them
// too, or with why it was not asked.
func (r release) askedWho(ctx context.Context, s Streams, silent error) release {
	if r.unasked = silent; silent != nil {
		return r
	}
	witness, err := r.witness()
	if err == nil {
		var was policyThen
		if was, err = r.policyThen(ctx, s, witness); err == nil {
			var former *approval.Policy
			if former, err = r.former(ctx, was); err == nil {
				r.policy.approval.Former = former
			}
		}
	}
	r.unasked = err
	return r
}

// unopened is where a release stands that could not be proven again, by its
// records alone: the policy that it was published under may have changed since.
func (p policy) unopened(ctx context.Context, s Streams, store *staging.Store, r staging.Release, why error) standing {
	st := newStanding(r.Digest, r.Manifest, p.approval.Need).failed(why)
	index, err := p.indexName(r.Manifest.Index)
	if err != nil {
		return st
	}
	if published, err := p.published(ctx, store, r, index); err == nil && published {
		st.State, st.Today, st.Refused = "published", st.Refused, st.Today
		st.Next = "nothing; it is out"
	}
	back, err := p.withdrawals(ctx, s, store, index, r)
	if err != nil {
		st.Error = err.Error()
	}
	if len(back) > 0 {
		st = st.withdrawn(back)
	}
	return st
}

// withdrawn is the standing of a release that was taken back.
func (st standing) withdrawn(back []publish.Withdrawn) standing {
	st.Refused = append(st.Refused, takenBack(back, st.Project+" "+st.Version)...)
	st.State, st.Next = "withdrawn", "distgate withdraw "+st.Version+" --reason … shows what the index serves"
	return st
}

// failed is the standing of a release that could not be opened or judged.
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
	m := staging.Release{Digest: r.staged.Digest(), Manifest: r.staged.Manifest()}
	published, err := r.policy.published(ctx, r.store, m, r.index)
	if err != nil {
		return newStanding(r.staged.Digest(), r.staged.Manifest(), r.policy.approval.Need), err
	}
	ballots, refused, err := r.count(ctx, s)
	st, err := r.stands(published, ballots, refused, err)
	if err != nil {
		return st, err
	}
	back, err := r.policy.withdrawals(ctx, s, r.store, r.index, m)
	if err == nil && len(back) > 0 {
		st = st.withdrawn(back)
	}
	return st, err
}

// stands is where the release stands by a count of its votes.
func (r release) stands(published bool, ballots []approval.Ballot, refused rule.Refusals, err error) (standing, error) {
	st := newStanding(r.staged.Digest(), r.staged.Manifest(), r.policy.approval.Need)
	if r.unasked != nil && !published {
		st.Unasked = r.unasked.Error()
	}
	var waiting approval.Waiting
	var rejected rule.Refusals
	name := short(st.Release)
	switch {
	case errors.As(err, &waiting):
		st.State, st.May, st.Need, st.Former = "waiting", waiting.May, waiting.Need, waiting.Former
		st.Before = waiting.Before
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
	p.ballots(st.By, st.State == "published" || st.State == "withdrawn")
	if st.State == "published" && st.Have < st.Need && len(st.Today) == 0 {
		p.field("counted", fmt.Sprintf("publish counted %d approvals; distgate reconcile reads those on GitHub again", st.Need))
	}
	if st.Former {
		p.field("by", formerPeople)
	}
	if st.State == "waiting" {
		for _, may := range st.May {
			p.field("may vote", may)
		}
		p.beside(st.Before)
	}
	if st.Error != "" {
		p.field("error", st.Error)
	}
	if st.Unasked != "" {
		p.field("not asked", "who decided on the release before, as the index has it, so that publish may wait for more people: "+st.Unasked)
	}
	if st.Next != "" {
		p.field("next", st.Next)
	}
	p.refusals(st.Refused)
	if len(st.Today) > 0 {
		p.field("today", "the policy and the store as they are now would refuse it:")
	}
	p.refusals(st.Today)
}
