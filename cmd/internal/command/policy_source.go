package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/distgate/distgate/publish"
	"github.com/distgate/distgate/staging/rule"
	"github.com/distgate/distgate/workflows"
)

// policySource reads a file of the policy, by its path with slashes beside
// distgate.toml; what is not there is [fs.ErrNotExist].
type policySource func(ctx context.Context, name string) ([]byte, error)

// inFolder reads a policy that lies in a folder.
func inFolder(dir string) policySource {
	return func(_ context.Context, name string) ([]byte, error) {
		file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, maxPolicyFile+1))
	}
}

// openPolicy reads the policy that the flags mean. In a job that is the one on
// the default branch of the release repository, as GitHub has it: a job's folder
// holds whatever the job put there. On a person's machine it is the file, unless
// a repository is named.
func openPolicy(ctx context.Context, s Streams, f shared) (policy, error) {
	here := f.policyHere(s)
	switch {
	case f.policy != "" && f.repository != "":
		return policy{}, usagef("name a policy with --policy, or its repository with --repository, and not both")
	case here != "":
		return loadPolicy(ctx, here, cacheDir(s), s.Now())
	}
	return policyOf(ctx, s, cmp.Or(f.repository, s.Env("GITHUB_REPOSITORY")))
}

// policyHere is the file that is the policy, or "" where GitHub has it.
func (f shared) policyHere(s Streams) string {
	switch {
	case f.repository != "":
		return ""
	case f.policy == "" && s.Env("GITHUB_ACTIONS") != "true":
		return defaultPolicy
	}
	return f.policy
}

// policyOf reads the policy from the default branch of a repository, which the
// policy must name as the one that publishes.
func policyOf(ctx context.Context, s Streams, repository string) (policy, error) {
	api := githubAPI
	if own := s.Env("GITHUB_API_URL"); own != "" && s.Env("GITHUB_ACTIONS") == "true" {
		api = own // the runner's word, which no workflow can set
	}
	client, err := githubAt(s, api)
	if err != nil {
		return policy{}, err
	}
	r, err := client.Repository(ctx, repository)
	if err != nil {
		return policy{}, err
	}
	p, err := readPolicy(ctx, r.Name+"/"+defaultPolicy, func(ctx context.Context, name string) ([]byte, error) {
		return client.File(ctx, r, name)
	}, cacheDir(s), s.Now())
	if err != nil {
		return policy{}, err
	}
	if !sameAddress(p.api(), api) {
		return policy{}, usageError{p.refuse("github.api", "the API that the policy was read from, "+api, p.api())}
	}
	return p, p.isOf(r)
}

// at reads the policy at another commit of the repository that publishes.
func (p policy) at(ctx context.Context, s Streams, commit string) (policySource, error) {
	client, err := p.github(s)
	if err != nil {
		return nil, err
	}
	then, err := client.Repository(ctx, p.table.Publish.Repository)
	if err != nil {
		return nil, err
	}
	if err := p.isOf(then); err != nil {
		return nil, err
	}
	_, err = client.CommitSignature(ctx, then.Name, commit) // it is there
	then.Head = commit
	return func(ctx context.Context, name string) ([]byte, error) { return client.File(ctx, then, name) }, err
}

func sameAddress(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// isOf demands that the repository is the one that the policy lets publish, by
// its ids too: a name can change hands.
func (p policy) isOf(r workflows.Repository) error {
	t := p.table.Publish
	for _, row := range []struct{ key, want, got string }{
		{"repository", r.Name, t.Repository},
		{"repository-id", strconv.FormatInt(r.ID, 10), t.RepositoryID},
		{"owner-id", strconv.FormatInt(r.OwnerID, 10), t.OwnerID},
	} {
		if row.got != row.want && !(row.key == "repository" && strings.EqualFold(row.got, row.want)) {
			return usageError{p.refuse("publish."+row.key, row.want+", of the repository that the policy stands in", row.got)}
		}
	}
	return nil
}

// onBranch demands that each file of the policy is what the default branch of
// the release repository has now. What a vote or an upload is judged by is
// what the project agreed on, not what lies in somebody's folder, nor in a file of
// the branch that nobody guards.
func (p policy) onBranch(ctx context.Context, client *workflows.Client, publisher publish.Publisher) error {
	r, err := client.Repository(ctx, publisher.Repository)
	if err != nil {
		return err
	}
	if err := p.isOf(r); err != nil {
		return err
	}
	where := fmt.Sprintf("as the branch %s of %s has it", r.DefaultBranch, r.Name)
	var no rule.Refusals
	if name := filepath.Base(p.file); name != defaultPolicy {
		no = append(no, rule.Refusal{File: name, Rule: rule.PolicyBranch, Want: defaultPolicy + ", " + where, Got: "another file",
			Hint: "leave out --policy, or name " + defaultPolicy})
	}
	for _, f := range p.files {
		if slices.Contains(p.fetched, f.Name) {
			continue
		}
		raw, err := client.File(ctx, r, f.Name)
		got := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			got = "a file that the branch does not have"
		case err != nil:
			return err
		case !bytes.Equal(raw, f.Raw):
			got = "another"
		default:
			continue
		}
		no = append(no, rule.Refusal{File: f.Name, Rule: rule.PolicyBranch, Want: where, Got: got,
			Hint: "bring the policy to the branch by a reviewed change, or take the branch's; then stage again"})
	}
	if len(no) > 0 {
		return no
	}
	return p.withdrawnOnBranch(ctx, client, r)
}
