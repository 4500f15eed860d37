package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/approval"
	"github.com/distgate/distgate/attest"
	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/staging/rule"
)

func newReview(s Streams) *cobra.Command {
	var f shared
	var html, rebuild string
	c := &cobra.Command{
		Use:   "review RELEASE",
		Short: "Show what a person looks at before voting",
		Long: `Review proves a staged release again, byte by byte, and shows the facts: every
file with its digest and evidence, what was proven and what was not, who decides,
and what changed since the newest earlier release on the index, as far as the
index tells. RELEASE is a version, a release digest or the beginning of one.

With --rebuild it compares the release with a second build of it that lies in DIR,
file by file: identical, identical but for times, order, ownership and
compression, or different, with the members that differ.

With --json it prints the same facts as JSON, and with --html it keeps them as one
page, which loads nothing and can be sent to others. In a GitHub Actions job they
are the job's summary too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := openRelease(c.Context(), s, f, args[0])
			if err != nil {
				return err
			}
			return r.review(c.Context(), s, html, rebuild)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&rebuild, "rebuild", "", "compare with the second build in this `DIR`")
	c.Flags().StringVar(&html, "html", "", "keep the report as this `FILE`.html")
	return c
}

// review renders the facts in every way that is asked for.
func (r release) review(ctx context.Context, s Streams, html, rebuild string) error {
	if err := inActions(s).outputs(releaseOutputs(r.staged.Digest(), r.staged.Manifest())); err != nil {
		return err
	}
	l, err := r.look(ctx, s)
	if err != nil {
		return err
	}
	again, err := r.rebuilt(ctx, rebuild)
	if err != nil {
		return err
	}
	r = r.knowing(l.past, l.match)
	all := reviewed{l.Review, l.changes, l.match, again, l.audit}
	facts, err := r.report(ctx, s, html, all)
	if err != nil {
		return err
	}
	if r.flags.json {
		return emit(s.Out, all)
	}
	p := printer{s.Out}
	p.top(facts.Head())
	p.review(l.Review, r.policy.address(r.index).Upload)
	p.inside(facts)
	p.match(l.match)
	p.auditOf(l.audit)
	p.changes(l.changes)
	p.rebuilt(again)
	return r.showStanding(ctx, s, facts.Votes.Beware)
}

// reviewed is what a person is shown: the facts that everybody sees alike, and
// what the index said of earlier releases, and GitHub of the source, at this
// moment.
type reviewed struct {
	approval.Review
	Changes approval.Changes  `json:"changes"`
	Match   approval.Match    `json:"match"`
	Rebuild *approval.Rebuild `json:"rebuild,omitempty"`
	Audit   *approval.Audited `json:"audit,omitempty"`
}

// looked is what a person is shown before voting: the facts of the release, and
// what the index and GitHub say beside them.
type looked struct {
	approval.Review
	past
	match approval.Match
	audit *approval.Audited // nil where the policy requires nothing of the repository
}

func (r release) look(ctx context.Context, s Streams) (l looked, err error) {
	if l.Review, err = approval.Show(r.staged, r.policy.approval); err != nil {
		return l, policyFault(err)
	}
	witness, err := r.witness()
	if err != nil {
		return l, err
	}
	if l.past, err = r.past(ctx, s, witness); err != nil {
		return l, err
	}
	if l.match, err = r.match(ctx, s); err != nil {
		return l, err
	}
	l.audit, err = r.audited(ctx, s)
	return l, err
}

// unseen are the rules of findings to look at that are not said to be seen. They are
// asked for again where votes are counted; an index can say otherwise by then.
func (l looked) unseen(seen []rule.ID) []rule.ID {
	return approval.Unseen(slices.Concat(l.Findings(), l.changes.Findings, l.match.Findings), seen)
}

func (l looked) show(p printer, upload string) {
	p.review(l.Review, upload)
	p.match(l.match)
	p.auditOf(l.audit)
	p.changes(l.changes)
}

// review shows the facts: what goes where, who built it and whose word for that
// is believed, and every file. What files have in common is said once.
func (p printer) review(r approval.Review, upload string) {
	p.line("%s %s for index %s, environment %s", r.Project, r.Version, r.Index, r.Environment)
	p.field("release", r.Release.String())
	p.field("goes to", upload)
	for _, b := range builders(r) {
		p.evidence(b)
	}
	if o := r.Source.Upstream; o != nil {
		p.upstream(*o)
	}
	for _, root := range r.Roots {
		p.field("believed", "trusted root "+rootName(r, root)+" "+root.String())
	}
	p.line("\n%s, %s", plural(len(r.Files), "file"), bytesText(r.Bytes))
	for _, f := range r.Files {
		p.line("  %s (%s)", f.Name, bytesText(f.Size))
		p.line("    %s", f.Digest)
	}
	for _, l := range r.LeftOut {
		p.field("left out", l.Files+": "+l.Reason)
	}
	p.origin(r.Origin)
	p.line("\nproven")
	p.notes(r.Proven)
	p.line("\nnot proven")
	p.notes(r.NotProven)
	p.voting(r)
}

// voting says who decides, and how.
func (p printer) voting(r approval.Review) {
	p.line("\nwho decides")
	need := plural(r.Voting.Need, "approval") + fmt.Sprintf("; one counts for at most %d h", r.Voting.MaxAge/3600)
	if r.Voting.Need == 0 {
		need = "nobody is asked: the policy has votes = 0 for this index; a rejection still ends it"
	}
	p.field("need", need)
	for _, road := range r.Voting.Roads {
		p.field("counts", roadText(road))
	}
	for _, person := range r.Voting.People {
		p.field("may vote", fmt.Sprintf("%s (GitHub user %d)", strings.Join(person.Principals, ", "), person.GitHub))
	}
	if r.Voting.Solo {
		p.field("people", "one person builds and approves")
	}
	if r.Voting.Touch {
		p.field("touch", "each key is a security key, which signs when it is touched")
	}
	p.field("policy", r.Policy.Digest.String())
}

// origin says what was passed over when the files were collected.
func (p printer) origin(o staging.Origin) {
	for _, a := range o.Artifacts {
		if a.Superseded {
			p.field("superseded", fmt.Sprintf("artifact %s of run %d, id %d: a newer one has its name", a.Name, a.Run, a.ID))
		}
	}
	for _, r := range o.Replaced {
		p.field("replaced", fmt.Sprintf("%s of run %d by that of run %d", r.Name, r.WasRun, r.IsRun))
	}
}

// roadText says how a vote comes.
func roadText(r approval.Road) string {
	if r == approval.Environment {
		return "a review of the environment on GitHub, with this release in its comment"
	}
	return "a vote signed with SSH"
}

// builders are those who signed for the files, each said once.
func builders(r approval.Review) []witnessed {
	var all []attest.Evidence
	for _, f := range r.Files {
		all = append(all, f.Evidence...)
	}
	return grouped(all)
}

// rootName is the policy file that holds a trusted root.
func rootName(r approval.Review, root dist.Digest) string {
	for _, f := range r.Policy.Files {
		if f.Digest == root {
			return f.Name
		}
	}
	return "of no policy file"
}

func (p printer) notes(notes []approval.Note) {
	for _, n := range notes {
		for i, part := range wrap(plain(n.Text), width-4) {
			mark := "  "
			if i == 0 {
				mark = "- "
			}
			fmt.Fprintln(p.w, "  "+mark+part)
		}
	}
}

// showStanding says where the release stands, what comes next, and what is known
// of its relatives.
func (r release) showStanding(ctx context.Context, s Streams, before []string) error {
	st, err := r.standing(ctx, s)
	if err != nil {
		return err
	}
	p := printer{s.Out}
	r.showAdded(p)
	p.standing(st)
	for _, text := range before {
		p.field("beware", text)
	}
	return nil
}
