package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/workflows"
)

func newLock(s Streams) *cobra.Command {
	var f shared
	var commit, version string
	c := &cobra.Command{
		Use:   "lock [TAG]",
		Short: "Write down which source a build takes",
		Long: `Lock writes distgate.lock, for a repository that builds the source of another
one: repository, tag, commit and version. It asks GitHub for the tag, what it
comes down to, whether it is signed as the policy wants, and whether a protected
branch has the commit. What a release would be refused for is refused here. It shows
which pull request brought the commit, who merged it and who approved it; a commit
that none brought is said to be so, and is for you to judge.

    distgate lock v2.4.0
    distgate lock --commit $(git rev-parse HEAD) --version 2.4.0

The second is for projects that make their tags after the release. Commit the
file where the build starts: a release counts by the lock at the very commit that
its certificates name.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (commit != "" || version != "") || (commit == "") != (version == "") {
				return usagef("name a tag, or a commit and its version with --commit and --version")
			}
			return runLock(c.Context(), s, f, append(args, "")[0], commit, version)
		},
	}
	f.bindPolicy(c)
	c.Flags().StringVar(&commit, "commit", "", "the whole `SHA` of a commit that has no tag yet")
	c.Flags().StringVar(&version, "version", "", "the `VERSION` that the commit is to be")
	return c
}

func runLock(ctx context.Context, s Streams, f shared, tag, commit, version string) error {
	p, err := openPolicy(ctx, s, f)
	if err != nil {
		return err
	}
	if p.table.Source == nil {
		return usagef(p.file + " has no [source], which lock needs: the repository that people write the project in " +
			"(README, Where a release comes from)")
	}
	rules, err := p.sourceRules(s)
	if err != nil {
		return err
	}
	var lock staging.Lock
	var from staging.Upstream
	if tag != "" {
		lock, from, err = rules.Lock(ctx, tag)
	} else {
		var v dist.Version
		if v, err = dist.ParseVersion(version); err != nil {
			return usageError{err}
		}
		lock, from, err = rules.LockCommit(ctx, commit, v)
	}
	if err != nil {
		return err
	}
	raw, err := lock.Encode()
	if err != nil {
		return err
	}
	if err := writeIn(".", staging.LockFile, raw); err != nil {
		return err
	}
	by, err := p.broughtBy(ctx, s, lock)
	if err != nil {
		return err
	}
	return showLock(s, f, lock, from, by)
}

// brought is by which pull requests a commit came, or why nobody knows.
type brought struct {
	Pulls   []workflows.Pull `json:"pulls"`
	Unknown string           `json:"unknown,omitempty"`
}

// broughtBy asks by which pull requests the commit came. They decide nothing, so a
// token that may not see them is no fault.
func (p policy) broughtBy(ctx context.Context, s Streams, lock staging.Lock) (brought, error) {
	client, err := p.github(s)
	if err != nil {
		return brought{}, err
	}
	pulls, err := client.Pulls(ctx, lock.Repository, lock.Commit)
	if ctx.Err() != nil {
		return brought{}, ctx.Err()
	}
	by := brought{Pulls: append([]workflows.Pull{}, pulls...)}
	if err != nil {
		by.Unknown = err.Error()
	}
	return by, nil
}

func (p printer) brought(by brought) {
	switch {
	case by.Unknown != "":
		p.field("pull", "not known: "+by.Unknown)
	case len(by.Pulls) == 0:
		p.field("pull", "none: the commit was pushed to its branch, and no pull request brought it")
	}
	for _, pull := range by.Pulls {
		approved := "nobody"
		if len(pull.Approved) > 0 {
			approved = strings.Join(pull.Approved, ", ")
		}
		p.field("pull", fmt.Sprintf("#%d into %s, %q", pull.Number, pull.Base, pull.Title))
		p.field("", fmt.Sprintf("by %s, merged by %s, approved by %s", pull.Author, pull.MergedBy, approved))
	}
}

func showLock(s Streams, f shared, lock staging.Lock, from staging.Upstream, by brought) error {
	if f.json {
		return emit(s.Out, struct {
			Lock     staging.Lock     `json:"lock"`
			Upstream staging.Upstream `json:"upstream"`
			Brought  brought          `json:"brought"`
		}{lock, from, by})
	}
	p := printer{s.Out}
	p.line("locked     %s %s: version %s", lock.Repository, lock.Tag, lock.Version)
	p.upstream(from)
	p.brought(by)
	p.field("wrote", staging.LockFile)
	p.field("next", "commit "+staging.LockFile+" by a pull request, and start the build from the commit that has it")
	return nil
}

// upstream says where a release comes from, as GitHub was asked.
func (p printer) upstream(o staging.Upstream) {
	from := o.Repository
	if o.Declared {
		from += ", declared by " + staging.LockFile
	}
	p.field("source", from)
	p.field("commit", o.Commit)
	p.field("branch", o.Branch+", which is protected")
	switch {
	case o.Tagged == staging.After:
		p.field("tag", o.Tag+", made after the release")
	case o.TagObject == "":
		p.field("tag", o.Tag+", lightweight")
	default:
		p.field("tag", o.Tag+", annotated")
	}
	signature := "of the " + o.Signed + ": " + o.Signature.Reason
	if o.Signature.Verified {
		signature = "of the " + o.Signed + ", verified by GitHub"
		if o.Signature.By != "" {
			signature += " as that of " + o.Signature.By
		}
	}
	p.field("signature", signature)
}
