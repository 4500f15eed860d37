package command

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/distgate/distgate/staging"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// sourceTable is [source]: the repository that people write, its tags, and the
// branches that they look after. Without it, GitHub is not asked for them.
type sourceTable struct {
	Repository   string   `toml:"repository"`
	RepositoryID string   `toml:"repository-id"`
	Tag          string   `toml:"tag"`
	Tagged       string   `toml:"tagged"`
	Signed       *bool    `toml:"signed"`
	Branches     []string `toml:"branches"`
	Generated    []string `toml:"generated"`
	Unexplained  string   `toml:"unexplained"`
}

// rules are what the table says, without anybody who could be asked.
func (t sourceTable) rules(inputs []string) staging.SourceRules {
	return staging.SourceRules{Repository: t.Repository, RepositoryID: t.RepositoryID, Tag: t.Tag, Tagged: staging.Tagged(t.Tagged),
		Signed: t.Signed != nil && *t.Signed, Branches: t.Branches, Inputs: inputs}
}

// checkSource judges the table. Where the source is the repository that builds,
// the two have one number.
func (p policy) checkSource() error {
	t, build := p.table.Source, p.table.Build
	if t == nil {
		if len(build.Inputs) > 0 {
			return p.refuse("build.inputs", "a [source] table, without which nobody looks what the build takes", "none")
		}
		return nil
	}
	if t.Signed == nil {
		return p.refuse("source.signed", "true or false: whether the tag, or the commit, must be signed", "")
	}
	if strings.EqualFold(t.Repository, build.Repository) && t.RepositoryID != build.RepositoryID {
		return p.refuse("source.repository-id", "the number of the same repository, "+build.RepositoryID, t.RepositoryID)
	}
	if err := t.checkMatch(p); err != nil {
		return err
	}
	var no rule.Refusals
	if err := t.rules(build.Inputs).Check(); errors.As(err, &no) {
		for i := range no {
			no[i].File = p.file
		}
		return no
	}
	return nil
}

// demands is what must hold of a release for the index, with GitHub to be asked
// where it comes from, if the policy wants that.
func (p policy) demands(s Streams, index string) (staging.Policy, error) {
	must, err := p.staging(index)
	if err != nil || p.table.Source == nil {
		return must, err
	}
	must.Source, err = p.sourceRules(s)
	return must, err
}

func (p policy) sourceRules(s Streams) (staging.SourceRules, error) {
	client, err := p.github(s)
	if err != nil {
		return staging.SourceRules{}, err
	}
	rules := p.table.Source.rules(p.table.Build.Inputs)
	rules.Keeper = keeper{client}
	return rules, nil
}

// keeper is GitHub as staging asks it.
type keeper struct{ github *workflows.Client }

func (k keeper) RepositoryID(ctx context.Context, repository string) (string, error) {
	r, err := k.github.Repository(ctx, repository)
	return strconv.FormatInt(r.ID, 10), err
}

func (k keeper) Tags(ctx context.Context, repository, prefix string, wanted func(string) bool) (tags []staging.Tag, err error) {
	found, err := k.github.Tags(ctx, repository, prefix, wanted)
	for _, t := range found {
		tags = append(tags, staging.Tag{Name: t.Name, Commit: t.Commit, Object: t.Object, Signature: staging.Signature(t.Signature)})
	}
	return tags, err
}

func (k keeper) Signature(ctx context.Context, repository, commit string) (staging.Signature, error) {
	found, err := k.github.CommitSignature(ctx, repository, commit)
	return staging.Signature(found), err
}

func (k keeper) Branch(ctx context.Context, repository string, patterns []string, commit, known string) (string, []string, error) {
	held, err := k.github.ProtectedBranch(ctx, repository, patterns, commit, known)
	return held.Branch, held.Bare, err
}

// File asks for the repository first: then a file that is not there is no
// permission that is missing.
func (k keeper) File(ctx context.Context, repository, name, commit string) ([]byte, error) {
	r, err := k.github.Repository(ctx, repository)
	if err != nil {
		return nil, err
	}
	r.Head = commit
	return k.github.File(ctx, r, name)
}

func (k keeper) Inputs(ctx context.Context, repository, workflow, commit string) ([]string, error) {
	return k.github.Inputs(ctx, repository, workflow, commit)
}
