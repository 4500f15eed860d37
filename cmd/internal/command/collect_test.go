package command

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/dist"
	"github.com/distgate/distgate/workflows/githubtest"
)

// withTrouble adds to a story's commands what goes wrong on GitHub.
func withTrouble(commands map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	commands["artifact"], commands["attested"], commands["trouble"] = artifact, attested, trouble
	commands["permits"], commands["bot"] = permits, bot
	return commands
}

// artifact RUN NAME HOW FILE…: a job of the run uploads files, or an upload goes wrong.
func artifact(ts *testscript.TestScript, _ bool, args []string) {
	var members []githubtest.Member
	for _, path := range args[3:] {
		members = append(members, githubtest.Member{Name: filepath.Base(path), Content: ts.ReadFile(path)})
	}
	a := githubtest.Artifact{Run: number(ts, args[0]), Name: args[1]}
	other := "sha256:" + strings.Repeat("0", 64)
	switch args[2] {
	case "zip":
	case "raw":
		a.File, a.Blob, a.Size = members[0].Name, strings.NewReader(members[0].Content), int64(len(members[0].Content))
	case "unnamed":
		a.Unnamed = true
	case "null":
		a.Digest = githubtest.NoDigest
	case "lying":
		a.Digest = other
	case "expired":
		a.Expires = time.Now().Add(-time.Hour)
	case "broken":
		a.Blob, a.Size = strings.NewReader("no zip"), 6
	case "outside":
		members[0].Name = "../" + members[0].Name
	case "twice":
		members = append(members, members[0])
	case "bomb":
		members[0].Content = strings.Repeat("\x00", 80<<20)
	case "huge":
		a.Digest, a.Blob, a.Size = other, strings.NewReader(""), dist.MaxSize+1
	default:
		ts.Fatalf("no such artifact: %s", args[2])
	}
	if a.Blob == nil {
		zip, err := githubtest.Zip(members...)
		ts.Check(err)
		a.Blob, a.Size = zip, zip.Size()
	}
	_, err := inWorld(ts).GitHub().PutArtifact(a)
	ts.Check(err)
}

// attested BUNDLE: GitHub keeps the bundle as an attestation of the project.
func attested(ts *testscript.TestScript, _ bool, args []string) {
	_, err := inWorld(ts).GitHub().PutAttestation(githubtest.Attestation{Repository: world.Repository,
		Bundle: []byte(strings.TrimSpace(ts.ReadFile(args[0])))})
	ts.Check(err)
}

// trouble METHOD STATUS PATH [TIMES [WAIT]]: GitHub answers requests of that method and
// part of a path so; 403 and 429 are its secondary rate limit.
func trouble(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	f := githubtest.ServerError(status)
	if status < 500 {
		f = githubtest.SecondaryLimit(status, 0)
	}
	f.Method, f.Path = args[0], args[2]
	if len(args) > 3 {
		f.Times = int(number(ts, args[3]))
	}
	if len(args) > 4 {
		f.RetryAfter, err = time.ParseDuration(args[4])
		ts.Check(err)
	}
	inWorld(ts).GitHub().Play(f)
}

// permits PERMISSION…: the following commands run with a job's token that may read
// these alone.
func permits(ts *testscript.TestScript, _ bool, args []string) {
	may := map[string]string{}
	for _, name := range args {
		may[name] = "read"
	}
	ts.Setenv("GITHUB_TOKEN", inWorld(ts).GitHub().AccessToken(githubtest.Access{Permissions: may}))
}

// bot ID COMMENT: a bot of that id reviews the deployment of the run, which no rule of
// GitHub's keeps it from.
func bot(ts *testscript.TestScript, _ bool, args []string) {
	g := inWorld(ts).GitHub()
	u := g.PutUser(githubtest.User{Login: "approver[bot]", ID: number(ts, args[0]), Type: "Bot"})
	g.PutReview(number(ts, ts.Getenv("RUNID")), githubtest.Review{Environments: []string{world.Environment}, User: u.Login,
		State: "approved", Comment: strings.Join(args[1:], " ")})
}
