package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/cmd/internal/world"
	"github.com/distgate/distgate/staging/registrytest"
	"github.com/distgate/distgate/workflows/githubtest"
)

// TestMain makes this test binary the distgate command too, so that each line
// of a story is a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"distgate": func() { os.Exit(Main(context.Background(), os.Args[1:], systemAt(os.Getenv("STORY_LATER")))) },
	})
}

// systemAt is this process's world with its clock put forward. A story can say that
// somebody sits before it, who answers by its input.
func systemAt(later string) Streams {
	s := System()
	s.Terminal = s.Terminal || os.Getenv("STORY_TERMINAL") != ""
	if ahead, err := time.ParseDuration(later); err == nil {
		s.Now = func() time.Time { return time.Now().Add(ahead) }
	}
	return s
}

// TestStories plays testdata/*.txtar: what users do, and what attackers try.
func TestStories(t *testing.T) {
	if os.Getenv("DISTGATE_PEERS") == "required" {
		for _, peer := range []string{"ssh-keygen", "python3", "docker-registry", "act", "prlimit", "setpriv"} {
			if _, err := exec.LookPath(peer); err != nil {
				t.Fatal(err)
			}
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			ctx, cancel := context.WithCancel(context.Background())
			w, err := world.Start(ctx)
			if err != nil {
				cancel()
				return err
			}
			env.Defer(func() { _ = w.Close(); cancel() })
			env.Values[theWorld{}], env.Values[theFront{}] = w, &front{}
			env.Setenv("HOME", os.Getenv("HOME"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("SIMPLE", w.SimpleURL())
			env.Setenv("GITHUB", w.GitHubURL())
			env.Setenv("VECTORS", os.Getenv("DISTGATE_VECTORS"))
			return w.WriteProject(env.WorkDir)
		},
		Condition: func(name string) (bool, error) {
			_, err := exec.LookPath("docker-registry")
			_, noAct := exec.LookPath("act")
			return name == "vectors" && os.Getenv("DISTGATE_VECTORS") != "" || name == "registry" && err == nil || name == "act" && noAct == nil, nil
		},
		Cmds: withGitHub(map[string]func(*testscript.TestScript, bool, []string){
			"build": build, "wheel": buildWheel, "forge": forge, "subvert": subvert, "rename": rename, "job": job,
			"change":   change,
			"blob":     blobPath,
			"replace":  replace,
			"append":   appendTo,
			"release":  releaseDigest,
			"holding":  holding,
			"run":      buildRun,
			"late":     lateRun,
			"built":    builtRun,
			"scan":     scan,
			"pipe":     pipe,
			"registry": startRegistry,
			"tamper":   tamper,
			"sigstore": ownSigstore, "counterfeit": counterfeit,
			"project":   register,
			"pending":   pend,
			"ran":       ran,
			"exitcode":  exitcode,
			"intrude":   intrude,
			"remove":    remove,
			"index":     index,
			"amend":     amend,
			"repack":    repack,
			"unguard":   unguard,
			"yank":      yank,
			"yankable":  yankable,
			"runs":      runs,
			"own":       ownBuild,
			"rehearsal": rehearsal,
			"writer":    writer,
			"issues":    issues,
		}),
	})
}

type theWorld struct{}

func inWorld(ts *testscript.TestScript) *world.World { return ts.Value(theWorld{}).(*world.World) }

// build VERSION DIR: the build job makes and attests a release.
func build(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Build(ts.MkAbs(args[1]), args[0]))
}

// wheel VERSION DIR TAG: the build job makes and attests one wheel more.
func buildWheel(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).BuildWheel(ts.MkAbs(args[1]), args[0], args[2]))
}

// repack WHEEL: the same members in another order, at another time, compressed.
func repack(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(world.Repack(ts.MkAbs(args[0])))
}

// amend WHEEL MEMBER TEXT: the build adds a line to a member of the wheel, or the
// member; METADATA gets it among the fields.
func amend(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Amend(ts.MkAbs(args[0]), args[1], strings.ReplaceAll(args[2], `\n`, "\n")))
}

// subvert FILE HOW: the build makes and attests something else than its source says.
func subvert(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Subvert(ts.MkAbs(args[0]), world.Subversion(args[1])))
}

// forge FILE HOW: the file's bundle is replaced by one that must not count.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	job := inWorld(ts).BuildJob("1.0")
	switch args[1] {
	case "other-tag": // one that the policy takes, of a version that the file is not of
		other := inWorld(ts).BuildJob("9.0")
		other.SHA, other.WorkflowSHA, other.JobWorkflowSHA = job.SHA, job.WorkflowSHA, job.JobWorkflowSHA
		job = other
	case "environment":
		job.Environment = "pypi"
	default:
		ts.Check(inWorld(ts).Forge(ts.MkAbs(args[0]), world.Forgery(args[1])))
		return
	}
	ts.Check(inWorld(ts).Attest(ts.MkAbs(args[0]), job, job))
}

// rename FILE NAME: the file and its bundle get another name.
func rename(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(world.Rename(ts.MkAbs(args[0]), args[1]))
}

// job KIND: the policy is on the main branch as the folder has it, and the
// following commands run in this job on GitHub Actions.
func job(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Push(ts.MkAbs(".")))
	claims := inWorld(ts).PublishJob()
	switch args[0] {
	case "publish":
	case "rehearsal":
		claims.Environment = world.TestEnvironment
	case "watch":
		claims.Environment = ""
	case "withdraw":
		claims = inWorld(ts).WithdrawJob()
	case "self-hosted":
		claims.RunnerEnvironment = "self-hosted"
	case "branch":
		claims.Ref = "refs/heads/evil"
		claims.WorkflowRef = strings.Replace(claims.WorkflowRef, "refs/heads/main", claims.Ref, 1)
		claims.JobWorkflowRef = claims.WorkflowRef
	case "no-environment":
		claims.Environment = ""
	case "recreated":
		claims.RepositoryID = "1"
	case "reusable":
		claims.JobWorkflowRef = strings.Replace(claims.JobWorkflowRef, "release.yml", "other.yml", 1)
	default:
		ts.Fatalf("no such job: %s", args[0])
	}
	for _, env := range inWorld(ts).Env(claims) {
		name, value, _ := strings.Cut(env, "=")
		ts.Setenv(name, value)
	}
}

// change FILE: one bit of the file flips.
func change(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	raw[len(raw)/2] ^= 1
	ts.Check(os.Chmod(path, 0o600))
	ts.Check(os.WriteFile(path, raw, 0o600))
}

// blob VAR FILE: VAR becomes the path of the file's bytes in the store.
func blobPath(ts *testscript.TestScript, _ bool, args []string) {
	raw, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	sum := sha256.Sum256(raw)
	ts.Setenv(args[0], filepath.Join("distgate-store", "blobs", "sha256", hex.EncodeToString(sum[:])))
}

// replace FILE OLD NEW: text in a file is replaced, and must have been there.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	changed := bytes.ReplaceAll(raw, []byte(args[1]), []byte(args[2]))
	if bytes.Equal(raw, changed) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, changed, 0o600))
}

// registry [files]: the store is in a registry, with the files or without.
func startRegistry(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := os.MkdirTemp(ts.MkAbs("."), "registry")
	ts.Check(err)
	r, err := registrytest.Start(dir, "")
	ts.Check(err)
	ts.Defer(func() { _ = r.Close() })
	before := ts.Value(theFront{}).(*front)
	before.registry = r
	server := httptest.NewServer(before)
	ts.Defer(server.Close)
	table := fmt.Sprintf("\n[store]\nregistry = \"%s/acme/staging\"\nfiles = %t\n", server.URL, len(args) > 0)
	file, err := os.OpenFile(ts.MkAbs("distgate.toml"), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	defer file.Close()
	_, err = file.WriteString(table)
	ts.Check(err)
}

// intrude VERSION TAG: somebody uploads a wheel with a stolen token.
func intrude(ts *testscript.TestScript, _ bool, args []string) {
	_, err := inWorld(ts).Intrude(context.Background(), args[0], args[1])
	ts.Check(err)
}

// yank VERSION [REASON]: an owner yanks a version on the index; ! yank un-yanks it.
func yank(ts *testscript.TestScript, neg bool, args []string) {
	index := inWorld(ts).Index()
	if neg {
		ts.Check(index.Unyank(world.Project, args[0]))
		return
	}
	ts.Check(index.Yank(world.Project, args[0], strings.Join(args[1:], " ")))
}

// writer: the following commands run with a job's token that may write contents.
func writer(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("GITHUB_TOKEN", inWorld(ts).GitHub().AccessToken(githubtest.Access{
		Permissions: map[string]string{"actions": "read", "contents": "write"}}))
}

// issues PATTERN: the issues of the release repository are like this, each as
// AUTHOR STATE: TITLE and its text.
func issues(ts *testscript.TestScript, _ bool, args []string) {
	var all strings.Builder
	for _, i := range inWorld(ts).GitHub().Issues(world.ReleaseRepository) {
		fmt.Fprintf(&all, "%s %s: %s\n%s\n", i.Author, i.State, i.Title, i.Body)
	}
	if !regexp.MustCompile(args[0]).MatchString(all.String()) {
		ts.Fatalf("no match for %q in\n%s", args[0], all.String())
	}
}

// rehearsal: there is an index to rehearse on, and the policy names it.
func rehearsal(ts *testscript.TestScript, _ bool, _ []string) {
	table, err := inWorld(ts).StartTestIndex(context.Background())
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs("distgate.toml"), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	defer file.Close()
	_, err = file.WriteString(table)
	ts.Check(err)
}

// yankable: the index has an API to yank by, and knows the job that may.
func yankable(ts *testscript.TestScript, _ bool, _ []string) {
	w := inWorld(ts)
	withdraw := w.Publisher()
	withdraw.Workflow, withdraw.Environment = "withdraw.yml", "withdraw"
	ts.Check(w.Index().AddPublisher(world.Project, withdraw))
	ts.Check(editFile(ts.MkAbs("distgate.toml"), "audience = \"local\"",
		"audience = \"local\"\nyank = \""+strings.TrimSuffix(w.SimpleURL(), "simple/")+"api/projects/\""))
}

// remove FILE: somebody deletes a file of the project on the index.
func remove(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).Index().DeleteFile(world.Project, args[0]))
}

// project NAME: the index has a project more, with the same publisher.
func register(ts *testscript.TestScript, _ bool, args []string) {
	w := inWorld(ts)
	ts.Check(w.Index().AddProject(args[0], w.Publisher()))
}

// pending NAME [ENVIRONMENT]: the index has a pending publisher for a project that it
// does not have: the release job of the environment, or of any.
func pend(ts *testscript.TestScript, _ bool, args []string) {
	w := inWorld(ts)
	publisher := w.Publisher()
	publisher.Environment = strings.Join(args[1:], "")
	ts.Check(w.Index().AddPending(args[0], publisher))
}

// ran REPOSITORY ID: GitHub knows that run, which dave started.
func ran(ts *testscript.TestScript, _ bool, args []string) {
	id, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	inWorld(ts).GitHub().PutRun(githubtest.Run{Repository: args[0], ID: id, Actor: "dave",
		Workflow: ".github/workflows/release.yml", SHA: strings.Repeat("0", 40)})
}

// release VAR: VAR becomes the release digest that the last command printed.
func releaseDigest(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("no digest in the output")
	}
	ts.Setenv(args[0], found)
}

// holding VAR TEXT: VAR becomes the path of the stored bytes that hold the text.
func holding(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(ts.MkAbs("distgate-store/blobs/sha256/*"))
	ts.Check(err)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		ts.Check(err)
		if bytes.Contains(raw, []byte(args[1])) {
			ts.Setenv(args[0], path)
			return
		}
	}
	ts.Fatalf("nothing in the store holds %q", args[1])
}

// pipe FILE: a named pipe, which nobody ever writes to.
func pipe(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
}

// run VAR VERSION [KIND]: a run builds the version and uploads it, and VAR
// becomes its id. One job of it may be of a kind: self-hosted or larger.
func buildRun(ts *testscript.TestScript, _ bool, args []string) {
	var runners []githubtest.Runner
	if len(args) > 2 {
		kinds := map[string]githubtest.Runner{
			"self-hosted": {ID: 7, Name: "GitHub Actions 7", Group: 1, GroupName: "Default"},
			"larger":      {ID: 8, Name: "big-1", Group: 3, GroupName: "depot"},
		}
		runners = append(runners, kinds[args[2]])
	}
	id, err := inWorld(ts).BuildRun(args[1], runners...)
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(id))
}

// built VAR VERSION: a run of the main branch builds the version, and VAR becomes its id.
func builtRun(ts *testscript.TestScript, _ bool, args []string) {
	id, err := inWorld(ts).BranchRun(args[1])
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(id))
}

// late VAR VERSION TAG: another run at the version's commit builds one wheel more,
// and VAR becomes its id.
func lateRun(ts *testscript.TestScript, _ bool, args []string) {
	id, err := inWorld(ts).LateRun(args[1], args[2])
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(id))
}

// scan DIR VERSION FILE [RESULT]: another workflow attests that it looked at the
// files, and what came of it.
func scan(ts *testscript.TestScript, _ bool, args []string) {
	result := "PASSED"
	if len(args) > 3 {
		result = args[3]
	}
	ts.Check(inWorld(ts).Scan(ts.MkAbs(args[0]), args[1], ts.MkAbs(args[2]), result))
}

// append FILE OTHER: what the other file holds goes to the end of the first.
func appendTo(ts *testscript.TestScript, _ bool, args []string) {
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	defer file.Close()
	_, err = file.WriteString(ts.ReadFile(args[1]))
	ts.Check(err)
}

// index JSON: the index misbehaves from now on. Without a fault it behaves again.
func index(ts *testscript.TestScript, _ bool, args []string) {
	x := inWorld(ts).Index()
	if len(args) == 0 {
		x.Behave()
		return
	}
	answer := httptest.NewRecorder()
	x.Switchboard().ServeHTTP(answer, httptest.NewRequest("POST", "/", strings.NewReader(args[0])))
	if answer.Code != 204 {
		ts.Fatalf("%s", answer.Body)
	}
}

// unguard on|off: a publisher without environment is registered, or removed.
func unguard(ts *testscript.TestScript, _ bool, args []string) {
	w := inWorld(ts)
	open := w.Publisher()
	open.Environment = ""
	change := w.Index().AddPublisher
	if args[0] == "off" {
		change = w.Index().RemovePublisher
	}
	ts.Check(change(world.Project, open))
}

// exitcode CODE COMMAND…: the command ends with just this code.
func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("got exit code %s, want %s", got, args[0])
	}
}
