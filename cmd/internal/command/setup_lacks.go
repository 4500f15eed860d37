package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/distgate/distgate/workflows/template"
)

// lacks finds out what a policy that is there already would have to say for what init
// was asked for, and does not: the lines that people put in. What it says otherwise of
// anything else is theirs.
func (b *beginning) lacks(s template.Setup, policy template.File) {
	var is policyFile
	if toml.Unmarshal(policy.Text, &is) != nil {
		return // every other verb says where
	}
	source := sourceTable{}
	if is.Source != nil {
		source = *is.Source
	}
	var refs []string
	for _, pattern := range s.Maintained {
		refs = append(refs, "refs/heads/"+pattern)
	}
	b.lackList("build", "refs", is.Build.Refs, refs)
	b.lackList("build", "inputs", is.Build.Inputs, s.Build.Inputs)
	b.lackList("source", "branches", source.Branches, s.Maintained)
	for _, index := range s.Indexes {
		if _, there := is.Index[index]; !there {
			b.lack("as a table of its own", fmt.Sprintf("[index.%s]\nenvironment = %q\n", index, index))
		}
	}
	if s.Registry != "" && is.Store.Registry != s.Registry {
		b.lack("as a table of its own", fmt.Sprintf("[store]\nregistry = %q\n", s.Registry))
	}
	if s.Mirror && is.GitHub.Release == "" {
		b.lack("under [github]", fmt.Sprintf("release = %q\n", s.Repository))
	}
	if s.Files != "" && !strings.Contains(string(policy.Text), s.Files) {
		b.lack("in the place of the table of that name", s.Files)
	}
}

// lackList says what a list of the policy has to hold more.
func (b *beginning) lackList(table, key string, has, wants []string) {
	more := slices.DeleteFunc(slices.Clone(wants), func(want string) bool { return slices.Contains(has, want) })
	if len(more) == 0 {
		return
	}
	var all []string
	for _, text := range slices.Concat(has, more) {
		all = append(all, strconv.Quote(text))
	}
	b.lack(fmt.Sprintf("under [%s], in the place of %s", table, key), fmt.Sprintf("%s = [%s]\n", key, strings.Join(all, ", ")))
}

func (b *beginning) lack(where, lines string) {
	b.ToAdd = append(b.ToAdd, addition{template.Policy, where, lines})
}

// formerly are the jobs that published by a workflow before it was edited, as its
// history on this branch has them: the newest commit that had any.
func (c checkout) formerly(ctx context.Context, at string) ([]template.Published, error) {
	const most = 50
	commits, err := git(ctx, "log", "--max-count="+strconv.Itoa(most), "--format=%H", "--", ":/"+at)
	if err != nil {
		return nil, ctx.Err() // there is no commit yet
	}
	for _, commit := range strings.Fields(commits) {
		text, err := git(ctx, "show", commit+":"+at)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // the commit that deleted it
		}
		if old := publishedBy(at, text+"\n"); len(old) > 0 {
			return old, nil
		}
	}
	return nil, nil
}

// publishedBy are the jobs of a workflow that publish; of one that nobody but a person
// can take apart, none.
func publishedBy(at, text string) []template.Published {
	w, err := template.Read(at, []byte(text))
	if err != nil {
		return nil
	}
	e, err := w.Edit()
	if err != nil {
		return nil
	}
	return e.Old
}
