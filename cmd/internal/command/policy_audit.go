package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows/audit"
)

// auditTable is what the repository that releases must keep.
type auditTable struct {
	Require []string     `toml:"require"` // rules of the audit; without the table, those that break the gate
	Admins  int          `toml:"admins"`  // at most
	Writers int          `toml:"writers"` // at most, administrators among them
	MaxAge  string       `toml:"max-age"` // of an audit record, where a rule needs one
	Waive   []waiveTable `toml:"waive"`
}

// waiveTable lets a place of a rule be, until a day.
type waiveTable struct {
	Rule   string `toml:"rule"`
	Where  string `toml:"where"`
	Commit string `toml:"commit"` // what a tag is at that must be called by
	Reason string `toml:"reason"`
	Until  string `toml:"until"`
}

// demand is what the table asks of an audit.
func (t auditTable) demand(file string) (audit.Demand, error) {
	d := audit.Demand{Require: audit.MostImportant()}
	if t.Require != nil {
		d.Require = nil
		for _, id := range t.Require {
			d.Require = append(d.Require, rule.ID(id))
		}
	}
	for i, w := range t.Waive {
		until, err := audit.ParseDay(w.Until)
		if err != nil {
			return d, rule.Refusals{{File: file, Rule: rule.PolicyValue, Want: fmt.Sprintf("audit.waive[%d].until: a day as 2027-01-31", i),
				Got: orNothing(w.Until), Hint: "say until when it may be"}}
		}
		d.Waivers = append(d.Waivers, audit.Waiver{Rule: rule.ID(w.Rule), Where: w.Where, Commit: w.Commit, Reason: w.Reason, Until: until})
	}
	return d, d.Check()
}

// wantsAudit tells whether a release must keep rules of the audit to go on. Where
// the policy says nothing of them, it need not.
func (p policy) wantsAudit() bool { return p.table.Audit.Require != nil }

// checkAudit judges the table, where a release must keep it.
func (p policy) checkAudit() error {
	if !p.wantsAudit() {
		return nil
	}
	demand, err := p.table.Audit.demand(p.file)
	if err != nil {
		return err
	}
	age, err := p.auditAge()
	if err != nil {
		return err
	}
	for _, r := range demand.NeedsRecord() {
		switch {
		case age == 0:
			return p.refuse("audit.max-age", fmt.Sprintf(`how old an audit may be, as "720h": no job's token shows %s`, r.ID), "")
		case p.table.Approval.Signers == "":
			return p.refuse("approval.signers", fmt.Sprintf("an allowed_signers file: an audit is signed, and no job's token shows %s", r.ID), "")
		}
	}
	return nil
}

// auditAge is how old an audit record may be; 0 where none counts.
func (p policy) auditAge() (time.Duration, error) {
	if p.table.Audit.MaxAge == "" {
		return 0, nil
	}
	age, err := time.ParseDuration(p.table.Audit.MaxAge)
	if err != nil || age <= 0 || age > maxAuditAge {
		return 0, p.refuse("audit.max-age", `how old an audit may be, as "720h", at most a year`, p.table.Audit.MaxAge)
	}
	return age, nil
}

const maxAuditAge = 366 * 24 * time.Hour

// auditPolicy reads of a policy what an audit needs. It asks nobody for roots,
// since nothing is verified by them. Where there is no file, and none was named,
// the demand is what a policy starts with.
func auditPolicy(ctx context.Context, file string, from policySource, named bool) (policyFile, audit.Demand, error) {
	p := policy{file: file, from: from}
	raw, err := p.read(ctx, filepath.Base(file))
	if errors.Is(err, fs.ErrNotExist) && !named {
		d, err := auditTable{}.demand(file)
		return policyFile{}, d, err
	}
	if err != nil {
		return policyFile{}, audit.Demand{}, policyFault(err)
	}
	if err := decodePolicy(file, raw, &p.table); err != nil {
		return policyFile{}, audit.Demand{}, usageError{err}
	}
	d, err := p.table.Audit.demand(file)
	if err != nil {
		err = usageError{err}
	}
	return p.table, d, err
}

// auditFacts are what the policy says to an audit.
func (t policyFile) auditFacts() audit.Facts {
	f := audit.Facts{Labels: t.labels(), Refs: t.Publish.Refs, Solo: t.Approval.People == "solo",
		Gate: t.Publish.Workflow, Ungated: t.Project == "", // every policy names its project
		Limits: audit.Limits{Admins: t.Audit.Admins, Writers: t.Audit.Writers}}
	for name, index := range t.Index {
		f.Environments = append(f.Environments, cmp.Or(index.Environment, name))
	}
	slices.Sort(f.Environments)
	f.Environments = slices.Compact(f.Environments)
	return f
}

// names tells whether the policy is about a repository: people write there, or it
// builds or publishes.
func (t policyFile) names(repository string) bool {
	named := []string{t.Build.Repository, t.Publish.Repository}
	if t.Source != nil {
		named = append(named, t.Source.Repository)
	}
	return slices.ContainsFunc(named, func(name string) bool { return strings.EqualFold(name, repository) })
}

// releasedBy are the policy's workflows that are of a repository: of the build,
// of publishing, or both.
func (t policyFile) releasedBy(repository string) (r audit.Release) {
	for _, row := range []struct{ repository, workflow string }{
		{t.Build.Repository, t.Build.Workflow}, {cmp.Or(t.Publish.Repository, t.Build.Repository), t.Publish.Workflow},
	} {
		if strings.EqualFold(row.repository, repository) && row.workflow != "" && !slices.Contains(r.Workflows, row.workflow) {
			r.Workflows = append(r.Workflows, row.workflow)
		}
	}
	return r
}
