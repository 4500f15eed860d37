package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/distgate/distgate/cmd/internal/world"
)

// runs VERSION [INDEX]: act runs the release workflow of this folder as the run that
// was dispatched, as often as it is called. Its actions come from the folders upload
// and download, and distgate's own from this repository.
func runs(ts *testscript.TestScript, neg bool, args []string) {
	workflow := ts.ReadFile(".github/workflows/release.yml")
	ts.Check(os.MkdirAll(ts.MkAbs("artifacts"), 0o700))
	root, err := filepath.Abs("../../..")
	ts.Check(err)
	index := append(args, "local")[1]
	jobs, err := os.MkdirTemp("", "act-") // not in this folder, of which each job has a copy
	ts.Check(err)
	defer os.RemoveAll(jobs)
	tokens := httptest.NewServer(jobTokens(inWorld(ts)))
	defer tokens.Close()
	line := []string{"workflow_dispatch", "--no-cache-server", "--action-cache-path", jobs,
		"-W", ts.MkAbs(".github/workflows/release.yml"), "-P", "ubuntu-24.04=-self-hosted",
		"--input", "version=" + args[0], "--input", "index=" + index, "--input", "runs=",
		"-s", "GITHUB_TOKEN=" + ts.Getenv("GITHUB_TOKEN"), "--env", "ARTIFACTS=" + ts.MkAbs("artifacts"),
		"--env", "ACTIONS_ID_TOKEN_REQUEST_URL=" + tokens.URL, "--env", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-a-job",
		"--env", "GOCACHE=" + goCache(ts)}
	for _, name := range []string{"GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"} {
		line = append(line, "--env", name+"="+ts.Getenv(name))
	}
	from := map[string]string{"distgate/distgate": root, "actions/upload-artifact": ts.MkAbs("upload"), "actions/download-artifact": ts.MkAbs("download"),
		"actions/checkout": ts.MkAbs("checkout"), "actions/attest": ts.MkAbs("attest")}
	for _, used := range regexp.MustCompile(`uses: (([^@\s]+)@\S+)`).FindAllStringSubmatch(workflow, -1) {
		line = append(line, "--local-repository", used[1]+"="+from[used[2]])
	}
	err = ts.Exec("act", line...)
	if (err != nil) != neg {
		ts.Fatalf("act: %v, with %s", err, strings.Join(line, " "))
	}
}

// own VERSION DIR: the run that was dispatched is to build the version itself. Its
// files lie in the folder, and GitHub has them and their attestations.
func ownBuild(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(inWorld(ts).OwnBuild(ts.MkAbs(args[1]), args[0]))
}

// jobTokens hands out the ID tokens of one run. The first is the canary's, whose job
// is in no environment: the job that publishes waits for it. (GitHub gives each job a
// place of its own to ask at, and act all of them one.)
func jobTokens(w *world.World) http.Handler {
	var asked atomic.Int32
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		claims := w.PublishJob()
		if asked.Add(1) == 1 {
			claims.Environment = ""
		}
		token, err := w.GitHub().Token(claims, r.URL.Query().Get("audience"))
		if err != nil {
			http.Error(to, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(to).Encode(map[string]string{"value": token})
	})
}

// goCache is the cache of this machine: a story has one of its own, and a build
// from nothing takes minutes.
func goCache(ts *testscript.TestScript) string {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	ts.Check(err)
	return strings.TrimSpace(string(out))
}
