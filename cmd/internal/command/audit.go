package command

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
	"github.com/distgate/distgate/workflows/audit"
)

// auditing are the flags of an audit.
type auditing struct {
	policy, checkout, format, baseline string
	settings                           string // a folder to write settings to
	check, fixes, write, record        bool
	key                                string // that signs the record
	repository                         string // "owner/name", "" is the policy's
}

func newAudit(s Streams) *cobra.Command {
	var f auditing
	c := &cobra.Command{
		Use:   "audit [OWNER/NAME]",
		Short: "Say whether a repository is locked down enough to release from it",
		Long:  auditHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.repository = args[0]
			}
			switch {
			case f.fixes:
				return f.fix(c.Context(), s)
			case f.settings != "":
				return f.ready(c.Context(), s)
			case f.record || f.key != "":
				return f.sign(c.Context(), s)
			}
			return runAudit(c.Context(), s, f)
		},
	}
	f.flags(c)
	return c
}

// flags are what an audit can be told.
func (f *auditing) flags(c *cobra.Command) {
	set := c.Flags()
	set.StringVar(&f.checkout, "checkout", "", "judge the workflow files of this `DIR`, and ask nobody")
	set.StringVar(&f.policy, "policy", "", "the policy `FILE` (default "+defaultPolicy+
		", here, in the folder or in the repository)")
	set.BoolVar(&f.check, "check", false, "end with 1 where a rule that the policy requires is broken, "+
		"with 3 where it cannot be judged")
	set.StringVar(&f.format, "format", "text", "the `FORMAT` to write: "+strings.Join(auditFormats, ", "))
	set.BoolVar(&f.fixes, "fix", false, "show as a diff what can be changed safely: pins, permissions, credentials of checkout")
	set.BoolVar(&f.write, "write", false, "with --fix: write the files, and not the diff alone")
	set.StringVar(&f.settings, "settings", "", "write rulesets, environments and Actions settings into this `DIR`, "+
		"with the commands that apply them")
	set.StringVar(&f.key, "sign", "", "keep what holds of the settings, signed with this OpenSSH private key `FILE`, as "+
		auditFile+" and "+auditSignature)
	set.BoolVar(&f.record, "record", false, "keep "+auditFile+" alone, to be signed with ssh-keygen")
	set.StringVar(&f.baseline, "baseline", "", "an earlier audit, a `FILE` of --format json, to compare with")
}

const auditHelp = `Audit judges a repository rule by rule: where each is broken, what could not be
seen and which permission would show it, what only a person can answer, and what
to do. It ends with 0 whatever it finds, unless --check is given: then the rules
in the policy's [audit] require must hold.

    distgate audit                            the repository that publishes
    distgate audit acme/widget --check
    distgate audit --checkout .               a folder, and no settings
    distgate audit --format json > before.json
    distgate audit --baseline before.json     what changed since then first
    distgate audit --checkout . --fix         what can be changed safely, a diff
    distgate audit --settings DIR             settings, for an administrator
    distgate audit --sign keys/alice          audit.json and its signature

GitHub is asked with GITHUB_TOKEN; an administrator's sees the most. Without one
there is only what everybody may see. The policy is the file here, or else the one
on the repository's default branch.`

// audited is one audit as it is shown.
type audited struct {
	Of        string        `json:"of"` // the folder, or "owner/name"
	Practices []audit.Share `json:"practices"`
	Report    audit.Report  `json:"report"`
	Drift     []audit.Drift `json:"drift,omitempty"` // since the baseline
	compared  bool
	demand    audit.Demand
}

func runAudit(ctx context.Context, s Streams, f auditing) error {
	if !slices.Contains(auditFormats, f.format) {
		return usagef("there is no format " + f.format + "; there are " + strings.Join(auditFormats, ", "))
	}
	if f.checkout != "" && f.repository != "" {
		return usagef("audit takes a repository, or a folder with --checkout, and not both")
	}
	look := f.ofRepository
	if f.checkout != "" {
		look = f.ofCheckout
	}
	a, err := look(ctx, s)
	if err != nil {
		return err
	}
	if err := a.compare(f.baseline); err != nil {
		return err
	}
	if err := a.show(s, f.format); err != nil || !f.check {
		return err
	}
	return a.decide(s, f.format)
}

// judged is the audit of what is known, under what the policy demands.
func judged(s Streams, of string, facts audit.Facts, demand audit.Demand) audited {
	report := audit.Judge(facts).Waive(demand.Waivers, s.Now())
	return audited{Of: of, Report: report, Practices: report.Shares(), demand: demand}
}

// ofCheckout audits the workflow files of a folder.
func (f auditing) ofCheckout(ctx context.Context, s Streams) (audited, error) {
	file, named := f.policy, f.policy != ""
	if !named {
		file = filepath.Join(f.checkout, defaultPolicy)
	}
	table, demand, err := auditPolicy(ctx, file, inFolder(filepath.Dir(file)), named)
	if err != nil {
		return audited{}, err
	}
	root, err := os.OpenRoot(f.checkout)
	if err != nil {
		return audited{}, err
	}
	defer root.Close()
	begin, err := workflowsIn(root, table)
	if err != nil {
		return audited{}, err
	}
	facts := table.auditFacts()
	if facts.Files, err = audit.Read(ctx, audit.Checkout(root), audit.Release{Workflows: begin}); err != nil {
		return audited{}, err
	}
	return judged(s, f.checkout, facts, demand), nil
}

// workflowsIn are those of the policy's workflows that the folder has. Where it
// has neither, both are missing.
func workflowsIn(root *os.Root, t policyFile) (begin []string, err error) {
	var named []string
	for _, at := range []string{t.Build.Workflow, t.Publish.Workflow} {
		if at == "" || slices.Contains(named, at) {
			continue
		}
		named = append(named, at)
		switch _, err := root.Stat(at); {
		case err == nil:
			begin = append(begin, at)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if begin == nil {
		begin = named
	}
	return begin, nil
}

// ofRepository audits a repository on GitHub, with all that the token may see.
func (f auditing) ofRepository(ctx context.Context, s Streams) (audited, error) {
	table, demand, found, err := f.policyHere(ctx)
	if err != nil {
		return audited{}, err
	}
	repository := f.repository
	if repository == "" {
		repository = table.Publish.Repository
	}
	if repository == "" {
		repository = s.Env("GITHUB_REPOSITORY")
	}
	if repository == "" {
		return audited{}, usagef("name the repository: distgate audit OWNER/NAME; or a folder with --checkout")
	}
	client, err := auditClient(s, table)
	if err != nil {
		return audited{}, err
	}
	if !found {
		if table, demand, err = policyThere(ctx, client, repository); err != nil {
			return audited{}, err
		}
	}
	facts := table.auditFacts()
	facts.Tags = demand.Tags(s.Now())
	if found { // the policy here, which may be another repository's
		facts.Ungated = !table.names(repository)
	}
	if publishes := table.Publish.Repository; publishes != "" && !strings.EqualFold(publishes, repository) {
		facts.Gate, facts.Environments = "", nil
	}
	facts, err = facts.Look(ctx, client, repository, table.releasedBy(repository))
	if err != nil {
		return audited{}, err
	}
	return judged(s, repository, facts, demand), nil
}

// policyHere reads the policy that is named, or that lies in this folder.
func (f auditing) policyHere(ctx context.Context) (policyFile, audit.Demand, bool, error) {
	file := f.policy
	if file == "" {
		file = defaultPolicy
	}
	_, err := os.Stat(file)
	if f.policy == "" && errors.Is(err, fs.ErrNotExist) {
		return policyFile{}, audit.Demand{}, false, nil
	}
	table, demand, err := auditPolicy(ctx, file, inFolder(filepath.Dir(file)), true)
	return table, demand, true, err
}

// policyThere reads the policy on the default branch of the repository.
func policyThere(ctx context.Context, client *workflows.Client, repository string) (policyFile, audit.Demand, error) {
	r, err := client.Repository(ctx, repository)
	if err != nil {
		return policyFile{}, audit.Demand{}, err
	}
	return auditPolicy(ctx, defaultPolicy, func(ctx context.Context, name string) ([]byte, error) {
		return client.File(ctx, r, name)
	}, false)
}

// auditClient asks GitHub with the token that the environment gives, or as
// nobody. Answers are remembered, so that to look again costs little.
func auditClient(s Streams, t policyFile) (client *workflows.Client, err error) {
	p := policy{table: t}
	if s.Env("GITHUB_TOKEN")+s.Env("GH_TOKEN") != "" {
		client, err = p.github(s)
	} else {
		printer{s.Err}.line("warning    no GITHUB_TOKEN: only what everybody may see is seen")
		client, err = workflows.NewPublicClient(p.api(), newSteps(s).github)
	}
	if err != nil {
		return nil, err
	}
	return client.Remembering(filepath.Join(cacheDir(s), "github")), nil
}

// labels are those of runners that the policy lists.
func (t policyFile) labels() []string {
	all := slices.Clone(t.Build.Labels)
	for _, r := range t.Build.Runners {
		all = append(all, r.Labels...)
	}
	return all
}

// decide says whether what is required holds. The text has said already what
// does not.
func (a audited) decide(s Streams, format string) error {
	err := a.Report.Check(a.demand)
	if err == nil || format != "text" {
		return err
	}
	var failed []string
	for _, answer := range a.Report.Answers {
		ok := slices.Contains([]audit.Verdict{audit.Holds, audit.DoesNotApply, audit.IsWaived}, answer.Verdict)
		if !ok && slices.Contains(a.demand.Require, answer.Rule.ID) {
			failed = append(failed, string(answer.Rule.ID))
		}
	}
	p, word := printer{s.Out}, "refused"
	if !errors.As(err, new(rule.Refusals)) {
		word = "undecided"
	}
	p.line("%-10s by %s that the policy requires", word, plural(len(failed), "rule"))
	p.field("rules", strings.Join(failed, ", "))
	return shown{err}
}
