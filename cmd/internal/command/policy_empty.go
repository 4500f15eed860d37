package command

import (
	"cmp"
	"reflect"

	"github.com/distgate/distgate/staging/rule"
)

// complete refuses whatever has no value yet, all of it at once: it is one look for
// whoever fills in what init wrote.
func (p *policy) complete() error {
	t := p.table
	source, publishes := cmp.Or(t.Source, &sourceTable{}), len(t.Index) > 0
	var no rule.Refusals
	for _, row := range []struct {
		wanted          bool
		key, want, hint string
		value           any
	}{
		{true, "project", "the project's name on the index", "", t.Project},
		{true, "build.repository", "owner/name", "", t.Build.Repository},
		{true, "build.repository-id", "the repository's number", prints(t.Build.Repository, ".id"), t.Build.RepositoryID},
		{true, "build.owner-id", "the number of its owner", prints(t.Build.Repository, ".owner.id"), t.Build.OwnerID},
		{t.Source != nil, "source.repository-id", "the repository's number", prints(source.Repository, ".id"), source.RepositoryID},
		{len(t.Series) == 0, "files", "a table that says which files a release has",
			"distgate init --files-from DIR prints it for the files of a release", t.Files},
		{publishes, "publish.repository-id", "the repository's number", prints(t.Publish.Repository, ".id"), t.Publish.RepositoryID},
		{publishes, "publish.owner-id", "the number of its owner", prints(t.Publish.Repository, ".owner.id"), t.Publish.OwnerID},
		{true, "people", "who may vote, a line each", "gh api users/LOGIN --jq .id prints the number of one", t.People},
	} {
		if v := reflect.ValueOf(row.value); row.wanted && (v.IsZero() || v.Kind() == reflect.Map && v.Len() == 0) {
			one := p.refuse(row.key, row.want, "")
			one[0].Hint = cmp.Or(row.hint, one[0].Hint)
			no = append(no, one...)
		}
	}
	return no.Err()
}

func prints(repository, field string) string {
	return "gh api repos/" + cmp.Or(repository, "OWNER/NAME") + " --jq " + field + " prints it"
}
