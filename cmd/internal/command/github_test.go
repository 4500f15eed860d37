package command

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/workflows/githubtest"
)

// withGitHub adds to a story's commands what people do on GitHub.
func withGitHub(commands map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"dispatch": dispatch, "click": click, "rerun": rerun, "token": token, "behave": behave, "gate": gate, "branch": branch, "push": push, "administrator": administrator,
		"loosened": loosened,
	})
	return withTrouble(withSource(withFar(commands)))
}

// dispatch [RELEASE]: dave starts a run of the release workflow. Its job waits, and RUN
// names it.
func dispatch(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Push(ts.MkAbs(".")))
	id := strconv.FormatInt(inWorld(ts).Dispatch(args...).ID, 10)
	ts.Setenv("RUNID", id)
	ts.Setenv("RUN", world.ReleaseRepository+"/"+id)
}

// click USER STATE [COMMENT]: somebody reviews the deployment of the run.
func click(ts *testscript.TestScript, neg bool, args []string) {
	review := githubtest.Review{Environments: []string{world.Environment}, User: args[0], State: args[1],
		Comment: strings.ReplaceAll(strings.Join(args[2:], " "), `\n`, "\n")}
	err := inWorld(ts).GitHub().Review(number(ts, ts.Getenv("RUNID")), review)
	if (err != nil) != neg {
		ts.Fatalf("click: %v", err)
	}
}

// rerun USER [JOB…]: somebody runs the jobs again, or all of them.
func rerun(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).GitHub().Rerun(number(ts, ts.Getenv("RUNID")), args[0], args[1:]...))
}

// token USER: the following commands run with this person's token.
func token(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("GITHUB_TOKEN", inWorld(ts).GitHub().AccessToken(githubtest.Access{User: args[0],
		Permissions: map[string]string{"actions": "read", "contents": "read", "deployments": "write"}}))
}

// administrator: the following commands run with the token of who sees everything.
func administrator(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("GITHUB_TOKEN", inWorld(ts).AdminToken())
}

// loosened: the release repository has many administrators; ! loosened has one.
func loosened(ts *testscript.TestScript, neg bool, _ []string) {
	all := []githubtest.Collaborator{{Login: "alice", Role: "admin"}}
	if !neg {
		for _, login := range []string{"bob", "carol", "dave"} {
			all = append(all, githubtest.Collaborator{Login: login, Role: "admin"})
		}
	}
	inWorld(ts).GitHub().PutSettings(githubtest.Settings{Repository: world.ReleaseRepository, Collaborators: all})
}

// behave HOW…: GitHub does what nobody knows whether it does.
func behave(ts *testscript.TestScript, _ bool, args []string) {
	var b githubtest.Behaviour
	for _, how := range args {
		switch how {
		case "carries":
			b.CarriesApprovals = true
		case "forgets":
			b.ForgetsApprovals = true
		case "hides":
			b.HidesDenied = true
		default:
			ts.Fatalf("no such behaviour: %s", how)
		}
	}
	inWorld(ts).GitHub().Behave(b)
}

func number(ts *testscript.TestScript, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	ts.Check(err)
	return n
}

// environment is the one that publishes, locked but for what administrators may.
func environment(bypass githubtest.AdminBypass) githubtest.Environment {
	return githubtest.Environment{Repository: world.ReleaseRepository, Name: world.Environment,
		Reviewers: []string{"alice", "bob", "carol"}, PreventSelfReview: true, AdminBypass: bypass,
		Policies: []githubtest.BranchPolicy{{Name: "main"}}}
}

// gate HOW: somebody changes the environment's rules.
func gate(ts *testscript.TestScript, _ bool, args []string) {
	e := environment(githubtest.BypassForbidden)
	switch args[0] {
	case "locked":
	case "missing":
		inWorld(ts).GitHub().DeleteEnvironment(e.Repository, e.Name)
		return
	case "no-reviewers":
		e.Reviewers = nil
	case "self-review":
		e.PreventSelfReview = false
	case "bypass":
		e.AdminBypass = githubtest.BypassAllowed
	case "unsaid":
		e.AdminBypass = githubtest.BypassUnsaid
	case "any-branch":
		e.Policies = nil
	case "others":
		e.Reviewers, e.PreventSelfReview = append(e.Reviewers, "dave", "mallory"), false
	default:
		ts.Fatalf("no such gate: %s", args[0])
	}
	inWorld(ts).GitHub().PutEnvironment(e)
}

// push: the policy of the folder is brought to the main branch.
func push(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(inWorld(ts).Push(ts.MkAbs("."))) }

// branch TEXT [orphan]: somebody commits a workflow file to the main branch, with
// the policy as the folder has it, or replaces the branch by an orphan.
func branch(ts *testscript.TestScript, _ bool, args []string) {
	g := inWorld(ts).GitHub()
	parents := []string{inWorld(ts).PublishJob().SHA}
	if len(args) > 1 {
		parents = nil
	}
	files, err := world.PolicyFiles(ts.MkAbs("."))
	ts.Check(err)
	files = append(files, githubtest.File{Path: ".github/workflows/release.yml", Content: args[0] + "\n"})
	c := g.PutCommit(githubtest.Commit{Repository: world.ReleaseRepository, Message: args[0], Parents: parents, Files: files})
	g.PutBranch(githubtest.Branch{Repository: world.ReleaseRepository, Name: "main", SHA: c.SHA, Protected: true})
}

// editFile replaces text in a file; each old one must be there.
func editFile(path string, pairs ...string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return fmt.Errorf("%s does not hold %q", path, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
