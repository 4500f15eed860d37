package command

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/workflows/githubtest"
)

// withFar adds to a story's commands what happens in other repositories.
func withFar(commands map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	commands["far"], commands["moved"], commands["gone"] = far, moved, gone
	return commands
}

// far NAME REPOSITORY PATH FILE [PARENT]: the main branch of another repository has the
// file from now on, and NAME is its commit; the tag v1 is there, too.
func far(ts *testscript.TestScript, _ bool, args []string) {
	g := inWorld(ts).GitHub()
	c := g.PutCommit(githubtest.Commit{Repository: args[1], Message: args[0], Parents: args[4:], Files: []githubtest.File{{Path: args[2], Content: ts.ReadFile(args[3])}}})
	g.PutBranch(githubtest.Branch{Repository: args[1], Name: "main", SHA: c.SHA})
	g.PutRef(args[1], "refs/tags/v1", c.SHA)
	ts.Setenv(args[0], c.SHA)
}

// moved OLD NEW: a repository gets another name.
func moved(ts *testscript.TestScript, _ bool, args []string) {
	r := inWorld(ts).GitHub().PutRepository(githubtest.Repository{Name: args[0], ImmutableReleases: true})
	r.Name = args[1]
	inWorld(ts).GitHub().PutRepository(r)
}

// gone REPOSITORY: it is deleted.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	inWorld(ts).GitHub().DeleteRepository(args[0])
}
