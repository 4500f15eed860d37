package command

import (
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows/githubtest"
)

// withSource adds to a story's commands what people do to sources.
func withSource(commands map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	commands["tag"], commands["source"], commands["upstream"], commands["commit"] = tag, changeSource, upstream, commitFile
	commands["sourced"], commands["merged"] = sourced, merged
	return commands
}

// sourced REPOSITORY TAGGED SIGNED: the policy names the source from now on.
func sourced(ts *testscript.TestScript, _ bool, args []string) {
	id := inWorld(ts).GitHub().PutRepository(githubtest.Repository{Name: args[0]}).ID
	path := ts.MkAbs("distgate.toml")
	raw, err := os.ReadFile(path)
	ts.Check(err)
	before, _, _ := strings.Cut(string(raw), "\n[source]")
	ts.Check(os.WriteFile(path, fmt.Appendf([]byte(before), `
[source]
repository = %q
repository-id = "%d"
tag = "v{version}"
tagged = %q
signed = %s
branches = ["main", "maintenance/*"]
`, args[0], id, args[1], args[2]), 0o600))
}

// tag VERSION HOW: somebody does something to a tag of the project.
func tag(ts *testscript.TestScript, _ bool, args []string) {
	w, version := inWorld(ts), args[0]
	g, commit := w.GitHub(), w.Source(version).SHA
	switch args[1] {
	case "back":
		w.Tag(world.Repository, version, commit)
	case "gone":
		g.DeleteRef(world.Repository, "refs/tags/v"+version)
	case "light":
		g.PutRef(world.Repository, "refs/tags/v"+version, commit)
	case "unsigned":
		g.PutTag(githubtest.Tag{Repository: world.Repository, Name: "v" + version, Target: commit})
	case "moved":
		evil := g.PutCommit(githubtest.Commit{Repository: world.Repository, Parents: []string{commit}, Message: "evil"})
		w.Tag(world.Repository, version, evil.SHA)
	default:
		ts.Fatalf("no such tag: %s", args[1])
	}
}

// source VERSION HOW: somebody does something to the main branch of the project,
// which has the commit of the version.
func changeSource(ts *testscript.TestScript, _ bool, args []string) {
	w := inWorld(ts)
	b := githubtest.Branch{Repository: world.Repository, Name: "main", SHA: w.Source(args[0]).SHA, Protected: true}
	switch args[1] {
	case "back":
	case "unprotected":
		b.Protected = false
	case "rewritten":
		b.SHA = w.GitHub().PutCommit(githubtest.Commit{Repository: world.Repository, Message: "another history"}).SHA
	default:
		ts.Fatalf("no such source: %s", args[1])
	}
	w.GitHub().PutBranch(b)
}

// upstream VERSION: another repository has the sources of the version, after those of
// the last one, on a protected branch, and its signed tag. SOURCE becomes the commit.
func upstream(ts *testscript.TestScript, _ bool, args []string) {
	w := inWorld(ts)
	c := githubtest.Commit{Repository: "acme/upstream", Files: world.Sources(args[0]), Message: args[0]}
	if last := ts.Getenv("SOURCE"); last != "" {
		c.Parents = []string{last}
	}
	c = w.GitHub().PutCommit(c)
	w.GitHub().PutBranch(githubtest.Branch{Repository: "acme/upstream", Name: "main", SHA: c.SHA, Protected: true})
	w.Tag("acme/upstream", args[0], c.SHA)
	ts.Setenv("SOURCE", c.SHA)
}

// merged TITLE BY [REVIEWER=STATE…]: the commit of SOURCE came by alice's pull request,
// which somebody merged.
func merged(ts *testscript.TestScript, _ bool, args []string) {
	p := githubtest.Pull{Repository: "acme/upstream", Title: args[0], MergedBy: args[1], Commits: []string{ts.Getenv("SOURCE")}}
	for _, review := range args[2:] {
		who, state, _ := strings.Cut(review, "=")
		p.Reviews = append(p.Reviews, githubtest.PullReview{User: who, State: state})
	}
	inWorld(ts).GitHub().PutPull(p)
}

// commit FILE PATH: versions to come have the file at the path.
func commitFile(ts *testscript.TestScript, _ bool, args []string) {
	inWorld(ts).Add(args[1], strings.ReplaceAll(ts.ReadFile(args[0]), "\r", ""))
}
