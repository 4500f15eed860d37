package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/audit"
)

// The audit record and its signature, beside distgate.toml on the default branch.
const (
	auditFile      = "audit.json"
	auditSignature = auditFile + ".sig"
)

// guard judges what the policy requires of the repositories that a release comes
// by: what was built, at each commit that is certified, and the repository that
// publishes, at the commit of the run that publishes; "" is the run of this job, or
// the default branch. What the token here cannot see is as a person on the policy's
// list saw and signed it.
// How it stands is told also where the error is not nil.
func (p policy) guard(ctx context.Context, s Streams, commit string, built []attest.Evidence) (approval.Audited, error) {
	all := approval.Audited{Repository: p.table.Publish.Repository, Broken: []string{}, Unseen: []approval.Gap{}}
	demand, err := p.table.Audit.demand(p.file)
	if err != nil {
		return all, err
	}
	all.Required = len(demand.Require)
	client, err := p.github(s)
	if err != nil {
		return all, err
	}
	if commit == "" {
		if commit, err = p.runHere(ctx, s, client); err != nil {
			return all, err
		}
	}
	run := audit.At{Repository: p.table.Publish.Repository, Commit: commit, Workflows: p.table.releasedBy(p.table.Publish.Repository).Workflows}
	facts := p.table.auditFacts()
	facts.Tags = demand.Tags(s.Now())
	facts, err = facts.LookAt(ctx, client, demand, run, p.builtAt(built))
	if err != nil {
		return all, err
	}
	report := audit.Judge(facts).Waive(demand.Waivers, s.Now())
	record, by, fault := p.auditRecord(ctx, report, demand, s.Now())
	if by != "" {
		report = report.Believe(record)
		all.By, all.Issued, all.Expires = by, record.Issued, record.Expires
	}
	tally(&all, report, demand)
	var wrong rule.Refusals
	errors.As(fault, &wrong)
	for _, r := range wrong {
		all.Unseen = append(all.Unseen, approval.Gap{What: auditFile, Why: "wanted " + r.Want + ", got " + r.Got})
	}
	return all, faults(report.Check(demand), fault)
}

// builtAt are the commits of the build that certificates name.
func (p policy) builtAt(built []attest.Evidence) (all []audit.At) {
	for _, e := range built {
		known := func(at audit.At) bool { return at.Commit == e.Commit }
		if !slices.ContainsFunc(all, known) {
			all = append(all, audit.At{Repository: p.table.Build.Repository, Commit: e.Commit, Workflows: []string{p.table.Build.Workflow}})
		}
	}
	return all
}

// evidenceOf is all evidence of a release.
func evidenceOf(m staging.Manifest) (all []attest.Evidence) {
	for _, f := range m.Files {
		all = append(all, f.Evidence...)
	}
	return all
}

// faults are what is broken and what is wrong with the record, all at once; or
// else why something could not be decided.
func faults(judged, record error) error {
	var broken, wrong rule.Refusals
	errors.As(judged, &broken)
	errors.As(record, &wrong)
	switch no := slices.Concat(broken, wrong); {
	case len(no) > 0:
		return no
	case record != nil:
		return record
	}
	return judged
}

// tally counts how the rules stand that are required, and keeps what of them is waived.
func tally(all *approval.Audited, report audit.Report, demand audit.Demand) {
	for _, a := range report.Answers {
		if !slices.Contains(demand.Require, a.Rule.ID) {
			continue
		}
		for _, w := range a.Waived {
			all.Waived = append(all.Waived, approval.Waived{Rule: string(a.Rule.ID), Where: w.Place() + ": " + w.Found(),
				Reason: w.Reason, Until: w.Until.String()})
		}
		switch {
		case a.Verdict == audit.Broken:
			all.Broken = append(all.Broken, string(a.Rule.ID))
		case a.Verdict == audit.CannotSee:
			all.Unseen = append(all.Unseen, approval.Gap{What: string(a.Rule.ID), Why: a.Unseen()})
		default:
			all.Hold++
		}
	}
}

// auditRecord reads the audit that somebody signed, where a rule is required that
// could not be seen here. It counts for this repository, under distgate.toml as it
// is, while it is fresh, by a person on the list. Where there is none, by is "".
func (p policy) auditRecord(ctx context.Context, report audit.Report, demand audit.Demand, now time.Time) (rec audit.Record, by string, err error) {
	age, err := p.auditAge()
	if err != nil || age == 0 || !report.WantsRecord(demand) {
		return rec, "", err
	}
	raw, err := p.from(ctx, auditFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err = report.Check(demand); err != nil {
			err = fmt.Errorf("%w; there is no %s: %s", err, auditFile, audit.RecordHint)
		}
		return rec, "", err
	}
	if err != nil {
		return rec, "", err
	}
	signature, err := p.from(ctx, auditSignature)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rec, "", err
	}
	rec, policy, err := audit.DecodeRecord(auditFile, raw)
	if err != nil {
		return rec, "", err
	}
	person, err := p.approval.Author(raw, signature, rec.Issued, now)
	if err != nil {
		return rec, "", err
	}
	if is := dist.Sum(p.files[0].Raw); policy != is {
		return rec, "", rule.Refusals{{File: auditFile, Rule: rule.AuditRecord, Want: "an audit under " + defaultPolicy + " as it is, " + is.String(),
			Got: "one under " + policy.String(), Hint: audit.RecordHint}}
	}
	if err := rec.Check(auditFile, p.table.Publish.Repository, p.table.Publish.RepositoryID, now, age); err != nil {
		return rec, "", err
	}
	return rec, person.Name(), nil
}

// guardBuilt refuses what is about to be staged where the policy requires something
// that its builds, or the repository that publishes, do not keep.
func (p policy) guardBuilt(ctx context.Context, s Streams, verdict attest.Verdict) error {
	if !p.wantsAudit() || verdict.Err() != nil {
		return nil // staging refuses such a verdict itself
	}
	var built []attest.Evidence
	for _, v := range verdict.Verified() {
		built = append(built, v.Evidence()...)
	}
	_, err := p.guard(ctx, s, "", built)
	return err
}

// runHere is the commit of the run that this job is of, if that is one of the
// repository that publishes, and else the head of its default branch. That it is
// this run is the runner's word; when the release is published, it is the ID
// token's.
func (p policy) runHere(ctx context.Context, s Streams, client *workflows.Client) (string, error) {
	repository := p.table.Publish.Repository
	id, err := strconv.ParseInt(s.Env("GITHUB_RUN_ID"), 10, 64)
	if err == nil && s.Env("GITHUB_ACTIONS") == "true" && strings.EqualFold(s.Env("GITHUB_REPOSITORY"), repository) {
		run, err := client.Run(ctx, repository, id)
		if err != nil {
			return "", err
		}
		return run.Latest().HeadSHA, nil
	}
	r, err := client.Repository(ctx, repository)
	return r.Head, err
}

// guarded refuses a release, in its run, whose repositories do not keep what the
// policy requires of them: nil where that is nothing.
func (r release) guarded(ctx context.Context, s Streams, own releaseRun) (*approval.Audited, error) {
	if !r.policy.wantsAudit() {
		return nil, nil
	}
	all, err := r.policy.guard(ctx, s, own.run.Latest().HeadSHA, evidenceOf(r.staged.Manifest()))
	return &all, err
}

// audited is how the repositories stand, to be shown: nil where the policy requires
// nothing of them. What could not be asked is a gap.
func (r release) audited(ctx context.Context, s Streams) (*approval.Audited, error) {
	if !r.policy.wantsAudit() {
		return nil, nil
	}
	all, err := r.policy.guard(ctx, s, "", evidenceOf(r.staged.Manifest()))
	if err != nil && len(all.Broken)+len(all.Unseen) == 0 {
		all.Unseen = append(all.Unseen, approval.Gap{What: "the audit", Why: err.Error()})
	}
	return &all, ctx.Err()
}

// auditOf says how the repositories stand to what the policy requires of them.
func (p printer) auditOf(a *approval.Audited) {
	if a == nil {
		return
	}
	p.line("\nwhat the policy requires of %s", a.Repository)
	p.field("holds", fmt.Sprintf("%d of %s", a.Hold, plural(a.Required, "rule")))
	if a.By != "" {
		p.field("audited", fmt.Sprintf("by %s on %s, counts until %s", a.By, utc(a.Issued), utc(a.Expires)))
	}
	for _, id := range a.Broken {
		p.field("broken", id)
	}
	for _, g := range a.Unseen {
		p.field("unseen", g.What+": "+g.Why)
	}
	for _, w := range a.Waived {
		p.field("waived", fmt.Sprintf("%s at %s, until %s: %s", w.Rule, w.Where, w.Until, w.Reason))
	}
}
