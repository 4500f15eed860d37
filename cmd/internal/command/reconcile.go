package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

func newReconcile(s Streams) *cobra.Command {
	var f shared
	var index string
	var issue bool
	c := &cobra.Command{
		Use:   "reconcile [VERSION…]",
		Short: "Hold what the index offers against what was released",
		Long: `Reconcile reads everything that the index offers of the project, in one request,
and holds it against the receipts in the store. It lists every file that no receipt
has, every file of a receipt that is missing, has another digest or has lost its
attestation, and every release that is yanked without a withdrawal, or withdrawn
and not yanked. It counts the votes on each release again, as of when it was
published, under the policy that it is given: so it can watch from another
repository, with a policy and a list of people of its own.

Of the versions that are named, or else of the one released last, each attestation
is read again, and GitHub is asked who started and reviewed its run, where there is
a GITHUB_TOKEN. No file is downloaded. It ends with 1 if anything does not agree.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			versions, err := parseVersions(args)
			if err != nil {
				return err
			}
			w, err := openWatch(c.Context(), s, f, index)
			if err != nil {
				return err
			}
			result, err := w.reconcile(c.Context(), s, versions)
			if err != nil {
				return err
			}
			if issue {
				if err := w.keepIssue(c.Context(), s, result); err != nil {
					return err
				}
			}
			return result.show(s, f)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&index, "index", "", "the index, a `NAME` in the policy, where there are several")
	c.Flags().BoolVar(&issue, "issue", false, "in a job, keep one open issue in its repository while anything does not agree")
	return c
}

// keepIssue opens or changes the one issue of this job's repository that says what
// does not agree, or closes it where all does.
func (w watch) keepIssue(ctx context.Context, s Streams, r reconciled) error {
	repository := s.Env("GITHUB_REPOSITORY")
	if s.Env("GITHUB_ACTIONS") != "true" || repository == "" {
		return usagef("--issue is for a job on GitHub: an issue of a person's would be changed by whoever else keeps one")
	}
	client, err := w.policy.github(s)
	if err != nil {
		return err
	}
	var text strings.Builder
	if r.Err() != nil {
		r.text(printer{&text})
	}
	url, err := client.KeepIssue(ctx, repository, "distgate: "+w.policy.project+" on "+w.index+" is not what was released", text.String())
	if err == nil && url != "" {
		printer{s.Err}.line("issue      %s", url)
	}
	return err
}

func parseVersions(args []string) (versions []dist.Version, err error) {
	for _, arg := range args {
		v, err := dist.ParseVersion(arg)
		if err != nil {
			return nil, usagef("want versions as 1.0, got " + arg)
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// watch is a look at an index and a store, by somebody who may read both.
type watch struct {
	policy    policy
	store     *staging.Store
	index     string
	publisher publish.Publisher
	witness   publish.Witness
}

func openWatch(ctx context.Context, s Streams, f shared, index string) (watch, error) {
	p, store, err := openStored(ctx, s, f)
	if err != nil {
		return watch{}, err
	}
	name, err := p.indexName(index)
	if err != nil {
		return watch{}, err
	}
	p.approval = p.votingOn(name)
	at, err := p.index(name)
	if err != nil {
		return watch{}, err
	}
	publisher, err := p.publisher(name)
	witness := publish.Witness{Index: at, Publisher: publisher, Verifier: p.verifier, Progress: newSteps(s).event}
	return watch{p, store, name, publisher, witness}, err
}

// released is a release of the store with the receipts that are believed.
type released struct {
	staging.Release
	receipts []publish.Believed
}

// at is when its first receipt was signed, as the log or the authority says.
func (r released) at() time.Time {
	signed := r.receipts[0].Signer.SignedAt
	for _, other := range r.receipts {
		signed = min(signed, other.Signer.SignedAt)
	}
	return time.Unix(signed, 0)
}

// books are what the store and withdrawn.toml say of every release for the index,
// and the releases that have receipts. What cannot be believed or read is refused:
// whoever wrote it wanted to be believed.
func (w watch) books(ctx context.Context, now time.Time) (b publish.Books, list []released, refused rule.Refusals, err error) {
	withdrawer, err := w.policy.withdrawer(w.index)
	if err != nil {
		return b, nil, nil, err
	}
	releases, refused, err := w.store.Releases(ctx)
	if err != nil {
		return b, nil, nil, err
	}
	b.Project = w.policy.project
	b.Withdrawn = w.policy.withdrawnOn(w.index)
	for _, r := range releases {
		if r.Manifest.Project != w.policy.project || r.Manifest.Index != w.index {
			continue
		}
		believed, no, err := publish.Receipts(ctx, w.store, r, w.publisher, w.policy.verifier)
		if err != nil {
			return b, nil, nil, err
		}
		back, other, err := withdrawer.Withdrawals(ctx, w.store, r, now)
		if err != nil {
			return b, nil, nil, err
		}
		b.Receipts, b.Withdrawn = append(b.Receipts, believed...), append(b.Withdrawn, back...)
		refused = append(append(refused, no...), other...)
		if len(believed) > 0 {
			list = append(list, released{r, believed})
		}
	}
	b.Since, err = w.policy.booksBegin()
	return b, list, refused, policyFault(err)
}

// reconciled is the result of reconcile.
type reconciled struct {
	publish.Reconciliation
	Votes []recount `json:"votes"` // newest release first
}

// recount is who approved one release, counted again.
type recount struct {
	Release dist.Digest `json:"release"`
	Version string      `json:"version"`
	By      []string    `json:"by"`
	Run     bool        `json:"run"` // whether GitHub was asked who started and reviewed its run
}

func (w watch) reconcile(ctx context.Context, s Streams, versions []dist.Version) (reconciled, error) {
	books, list, refused, err := w.books(ctx, s.Now())
	if err != nil {
		return reconciled{}, err
	}
	books.Versions = versions
	result := reconciled{Votes: []recount{}}
	if result.Reconciliation, err = w.witness.Reconcile(ctx, books); err != nil {
		return reconciled{}, err
	}
	slices.SortFunc(list, func(a, b released) int { return b.at().Compare(a.at()) })
	for i, r := range list {
		if v, err := dist.ParseVersion(r.Manifest.Version); len(versions) > 0 && (err != nil || !slices.ContainsFunc(versions, v.Equal)) {
			continue
		}
		votes, no, err := w.recount(ctx, s, r, len(versions) > 0 || i == 0)
		if err != nil {
			return reconciled{}, err
		}
		result.Votes, refused = append(result.Votes, votes), append(refused, no...)
	}
	result.Refused = append(result.Refused, refused...)
	return result, nil
}

// recount counts the votes on a release as of when it was published.
func (w watch) recount(ctx context.Context, s Streams, r released, ask bool) (recount, rule.Refusals, error) {
	votes := recount{Release: r.Digest, Version: r.Manifest.Version, By: []string{}}
	records, malformed, err := w.store.Records(ctx, r.Digest, approval.RecordKind)
	if err != nil {
		return votes, nil, err
	}
	run := approval.Run{}
	if ask && w.mayAsk(s) {
		if run, err = w.publishingRun(ctx, s, r); err != nil {
			return votes, nil, err
		}
		votes.Run = true
	}
	ballots, _, err := approval.Recount(r.Release, records, run, w.policy.approval, r.at())
	for _, b := range ballots {
		votes.By = append(votes.By, b.By)
	}
	if err == nil || !ask && w.policy.approval.Counts(approval.Environment) && errors.As(err, new(approval.Waiting)) {
		return votes, malformed, nil
	}
	no := rule.Refusal{File: w.policy.project + " " + votes.Version, Rule: rule.ReconcileVotes,
		Want: plural(w.policy.approval.Need, "approval") + " of " + r.Digest.String() + " as of " + utc(r.at()),
		Got:  err.Error(), Hint: "find out who started " + r.receipts[0].Signer.Run + ", and what it ran"}
	return votes, append(malformed, no), nil
}

// mayAsk tells whether GitHub can be asked about runs. Where reviews count it
// must be, and is, with or without a token.
func (w watch) mayAsk(s Streams) bool {
	return w.policy.approval.Counts(approval.Environment) || s.Env("GITHUB_TOKEN")+s.Env("GH_TOKEN") != ""
}

// publishingRun is what GitHub knows of the run that signed the receipt.
func (w watch) publishingRun(ctx context.Context, s Streams, r released) (approval.Run, error) {
	client, err := w.policy.github(s)
	if err != nil {
		return approval.Run{}, err
	}
	repository, id, err := workflows.ParseRunURL(r.receipts[0].Signer.Run)
	if err != nil {
		return approval.Run{}, err
	}
	if !strings.EqualFold(repository, w.publisher.Repository) {
		return approval.Run{}, fmt.Errorf("the receipt of %s: want a run of %s, got %s", r.Manifest.Version, w.publisher.Repository, repository)
	}
	asked, err := askRun(ctx, client, w.publisher, id, r.Manifest)
	return asked.facts, err
}

func (r reconciled) show(s Streams, f shared) error {
	err := r.Err()
	if f.json {
		if err := emit(s.Out, r); err != nil {
			return err
		}
	} else {
		r.text(printer{s.Out})
	}
	if err != nil {
		return shown{err}
	}
	return nil
}

func (r reconciled) text(p printer) {
	by := map[string]recount{}
	for _, v := range r.Votes {
		by[v.Version] = v
	}
	for _, v := range r.Versions {
		p.line("%s %s %s: %s", fmt.Sprintf("%-10s", lead(v)), r.Project, v.Version, counts(v))
		if votes, ok := by[v.Version]; ok {
			p.field("approved", strings.Join(votes.By, ", ")+asked(votes.Run))
		}
		if v.Yanked != "" {
			p.field("yanked", v.Yanked)
		}
	}
	var no rule.Refusals
	_ = errors.As(r.Err(), &no)
	p.refusals(no)
	p.line("%s on index %s, %s not in agreement", plural(len(r.Versions), "version"), r.Index, plural(len(no), "thing"))
	if r.Before > 0 {
		p.field("before", plural(r.Before, "file")+" from before the day that [reconcile] since names, not compared")
	}
	p.field("read again", plural(r.Attested, "attestation"))
}

func asked(run bool) string {
	if run {
		return ""
	}
	return " (who started the run was not asked)"
}

// lead is the word that begins a version's line.
func lead(v publish.VersionAccount) string {
	switch {
	case v.Withdrawn:
		return "withdrawn"
	case v.Foreign > 0:
		return "foreign"
	case v.Missing > 0:
		return "missing"
	}
	return "same"
}

// counts says how many files are how.
func counts(v publish.VersionAccount) string {
	parts := []string{plural(v.Same, "file") + " as released"}
	if v.Foreign > 0 {
		parts = append(parts, fmt.Sprintf("%d that no receipt has", v.Foreign))
	}
	if v.Missing > 0 {
		parts = append(parts, fmt.Sprintf("%d missing", v.Missing))
	}
	return strings.Join(parts, ", ")
}
